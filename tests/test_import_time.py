"""Importing the package is quick and loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "mplhep", "scipy", "sklearn", "pandas", "h5py")

TIMED = """
import time
start = time.perf_counter()
import simulacra
print(time.perf_counter() - start)
"""


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_the_package_is_imported_in_a_fifth_of_a_second() -> None:
    # The fastest of five: the others wait for whatever else the machine does.
    assert min(float(_run(TIMED)) for _ in range(5)) < 0.2


def test_the_package_loads_nothing_heavy() -> None:
    code = f"import simulacra, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert _run(code).strip() == "[]"


def test_the_runtime_of_bundles_is_imported_in_three_tenths_of_a_second() -> None:
    timed = TIMED.replace("import simulacra", "import simulacra.deploy")
    assert min(float(_run(timed)) for _ in range(5)) < 0.3


def test_the_runtime_of_bundles_loads_nothing_heavy() -> None:
    heavy = (*HEAVY, "pydantic", "onnx", "onnxruntime")
    code = f"import simulacra.deploy, sys; print([name for name in {heavy} if name in sys.modules])"
    assert _run(code).strip() == "[]"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["train", "--help"]])
def test_the_command_line_answers_without_torch(arguments: list[str]) -> None:
    code = f"""
import sys
from simulacra.cli import main
sys.argv = ["simulacra", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\ntorch" if "torch" in sys.modules else "\\nlight")
"""
    assert _run(code).splitlines()[-1] == "light"
