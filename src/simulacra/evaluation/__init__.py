"""Step 8, evaluation: two sets of events go in, numbers with errors come out; never a model.

Say what is wrong with generated showers by comparing them with reference showers: observables
(what is looked at), metrics (how two samples are compared), a suite (which with which) and a
verdict (the result, plain data that can be stored, drawn and compared without the showers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .schema import verdict_schema
from .verdict import Verdict

if TYPE_CHECKING:
    from .judge import evaluate
    from .suite import CHALLENGE, QUICK, Suite, suite_named

__all__ = ["CHALLENGE", "QUICK", "Suite", "Verdict", "evaluate", "suite_named", "verdict_schema"]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for: verdicts are read without it."""
    if name == "evaluate":
        from .judge import evaluate

        return evaluate
    if name in __all__:
        from . import suite

        return getattr(suite, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
