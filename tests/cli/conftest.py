"""The command line in this process: what it prints and how it ends."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from simulacra.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def simulacra(capsys, monkeypatch) -> Callable[..., Outcome]:
    """Run ``simulacra`` with arguments and return exit code, stdout and stderr."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["simulacra", *map(str, arguments)])
        with pytest.raises(SystemExit) as end, warnings.catch_warnings():
            warnings.simplefilter("always")  # as for a user: a line on stderr
            main()
        printed = capsys.readouterr()
        return Outcome(int(end.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(autouse=True)
def _warnings_are_shown_as_before():
    shown = warnings.showwarning
    yield
    warnings.showwarning = shown
