"""The C++ client: built against the wheel's library, it draws the showers that Python draws."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulacra.deploy import load

SOURCE = Path(__file__).parents[2] / "cpp"
ENERGY = np.geomspace(1000, 64000, 23).astype(np.float32)
FURTHER = {"theta": np.linspace(0, 0.5, 23).astype(np.float32), "pdg": np.resize([11, 22], 23)}


def _run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(toy_bundle, tmp_path_factory):
    if not shutil.which("cmake") or not (shutil.which("c++") or shutil.which("g++")):
        pytest.skip("cmake and a C++ compiler are needed to build the client")
    if sys.platform != "linux":
        pytest.skip("the C++ client is tested on Linux alone")
    folder = tmp_path_factory.mktemp("cpp")
    _run(
        *("cmake", "-S", SOURCE, "-B", folder, "-DCMAKE_CXX_FLAGS=-O1"),
        *(f"-DPython_EXECUTABLE={sys.executable}", f"-DSIMULACRA_BUNDLE={toy_bundle}"),
    )
    _run("cmake", "--build", folder, "--parallel", "2")
    return folder


def _drawn(built, bundle, energy, batch, threads, seed, first_event):
    table = np.column_stack([energy, FURTHER["theta"], FURTHER["pdg"]]).ravel()
    numbers = [repr(float(number)) for number in table]
    out = built / "showers.bin"
    settings = (seed, first_event, batch, threads, out)
    _run(built / "draw_showers", bundle, *settings, *numbers)
    return np.fromfile(out, np.float32).reshape(len(energy), -1)


def test_its_own_tests_pass(built):
    assert "100% tests passed" in _run(
        "ctest", "--test-dir", built, "--output-on-failure", "--timeout", "60"
    )


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (7, 1), (7, 3), (1, 4)])
@pytest.mark.parametrize(("seed", "first_event"), [(5, 7), (2**63 + 11, 2**40)])
def test_the_same_showers_as_python(built, toy_bundle, batch, threads, seed, first_event):
    found = _drawn(built, toy_bundle, ENERGY, batch, threads, seed, first_event)
    expected = load(toy_bundle).sample(ENERGY, FURTHER, seed=seed, first_event=first_event)
    both = (found > 0) & (expected > 0)
    assert np.mean((found > 0) != (expected > 0)) < 1e-3  # those that cross the threshold
    assert np.median(np.abs(found[both] / expected[both] - 1)) < 1e-6
    assert np.max(np.abs(found[both] / expected[both] - 1)) < 1e-5


def test_conditions_outside_are_refused(built, toy_bundle):
    words = (built / "draw_showers", toy_bundle, 1, 0, 1, 1, built / "none.bin", 1e9, 0.1, 22)
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == 1
    assert "lies outside" in done.stderr
    assert not (built / "none.bin").exists()
