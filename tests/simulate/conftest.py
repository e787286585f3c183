"""One cache of rendered tables for all tests that run Geant4."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

GEANT4_VARIABLES = ("GEANT4_DATA_DIR", "G4LEDATA", "G4PARTICLEXSDATA", "G4ENSDFSTATEDATA")


@pytest.fixture(scope="session")
def rendered_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder that is filled as tests need it."""
    for name in ("calzone", "pyPenred"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed (extra geant4)")
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def geant4(rendered_tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Geant4 run with rendered tables, whatever this machine has."""
    for name in GEANT4_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMULACRA_CACHE", str(rendered_tables))
