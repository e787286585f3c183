"""The cost model multiplies what was measured, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "at_scale.py"

MEASURED = {
    "sample: ms per shower": 2.0,
    "sample: s to start a shard": 2.0,
    "sample: s per 10^6 incident particles of the whole set": 0.1,
    "simulate: ms per shower (1 to 64 GeV)": 100.0,
    "file: bytes per shower": 1000.0,
    "file: voxels per shower": 368.0,
    "write: us per shower": 30.0,
    "read: us per shower": 7.2,
    "merge: us per shower": 72.0,
    "open: ms per file": 3.0,
    "train: bytes of memory per shower": 1500.0,
}


@pytest.fixture(scope="module")
def at_scale():
    spec = importlib.util.spec_from_file_location("at_scale", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_billion_showers_by_hand(at_scale):
    rows = dict(at_scale.model(MEASURED, 1e9, 100, 64))
    assert rows["size of the files"] == "1.00 TB in 1000 shards"
    assert rows["simulate"] == "27,778 core hours, 4.3 hours on 6400 cores"  # 1e8 s
    assert rows["sample"] == "556 core hours, 5.2 minutes on 6400 cores"  # 2e6 s
    assert rows["... starting its shards"].endswith(": 5.1% of it")  # 1000 x (2 + 100) s of 2e6
    assert rows["merge into one file, one process"] == "20.0 hours"
    assert rows["10 TB hold"] == "1e+10 showers"


def test_without_geant4_there_is_no_row_for_it(at_scale):
    found = {name: value for name, value in MEASURED.items() if not name.startswith("simulate")}
    assert "simulate" not in dict(at_scale.model(found, 1e6, 1, 2))
