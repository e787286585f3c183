"""Every test runs with a stated number of threads and leaves the global state as it found it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

# Set before numpy or torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("NO_COLOR", "1")

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("simulacra", deadline=None, derandomize=True, database=None)
settings.load_profile("simulacra")


def _global_state() -> dict[str, Any]:
    """Return what library code must never change, in a form that compares with ``==``."""
    name, keys, position, *gauss = np.random.get_state()  # noqa: NPY002 (looked at, not used)
    state: dict[str, Any] = {
        "the random state of numpy": (name, keys.tobytes(), position, *gauss),
        "the error handling of numpy": np.geterr(),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["the random state of torch"] = torch.get_rng_state().numpy().tobytes()
        state["the default dtype of torch"] = torch.get_default_dtype()
        state["the thread number of torch"] = torch.get_num_threads()
        state["the deterministic mode of torch"] = torch.are_deterministic_algorithms_enabled()
    return state


@pytest.fixture(autouse=True)
def _global_state_is_left_alone() -> Iterator[None]:
    before = _global_state()
    yield
    after = _global_state()
    changed = [name for name, value in before.items() if after[name] != value]
    assert not changed, f"the test, or what it called, changed {', '.join(changed)}"
