"""Where Geant4 finds its tables: the user's official ones, else rendered ones in a cache."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from ..errors import ConfigError, DependencyError
from ..execute import atomic_text
from .nuclear import render_nuclear
from .rendering import RENDERING, element_data, render_element

__all__ = ["Tables", "cache_folder", "find_tables", "provide_elements"]

_DATA_SETS = {
    "G4LEDATA": "G4EMLOW",
    "G4PARTICLEXSDATA": "G4PARTICLEXS",
    "G4ENSDFSTATEDATA": "G4ENSDFSTATE",
    "G4LEVELGAMMADATA": "PhotonEvaporation",
    "G4RADIOACTIVEDATA": "RadioactiveDecay",
    "G4PIIDATA": "G4PII",
    "G4REALSURFACEDATA": "RealSurface",
    "G4SAIDXSDATA": "G4SAIDDATA",
    "G4ABLADATA": "G4ABLA",
    "G4INCLDATA": "G4INCL",
    "G4NEUTRONHPDATA": "G4NDL",
    "G4CHANNELINGDATA": "G4CHANNELING",
}
"""Geant4's data sets: the environment variable of each, and how its folder's name begins."""

_NEEDED = ("G4LEDATA", "G4PARTICLEXSDATA", "G4ENSDFSTATEDATA")

RENDERED_LISTS = frozenset({"standard", "option1", "option2"})
"""Electromagnetic physics lists for which the rendered tables suffice."""


@dataclass(frozen=True)
class Tables:
    """One choice of Geant4's tables.

    Args:
        kind: ``official`` are Geant4's own, ``rendered`` are made by :func:`provide_elements`.
        folders: folder of each data set by Geant4's name of its environment variable, sorted.
        label: what they are, the same on every machine that has the same numbers.
    """

    kind: Literal["official", "rendered"]
    folders: tuple[tuple[str, str], ...]
    label: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which Geant4 finds them.

        ``GEANT4_DATA_DIR`` is set to a folder of empty ones: calzone checks names there, Geant4
        reads from where its own variables point.
        """
        return {**dict(self.folders), "GEANT4_DATA_DIR": str(_cached() / "names")}

    def refuse_physics(self, electromagnetic: str, hadronic: str) -> None:
        """Refuse a physics list whose tables are not there.

        Raises:
            ConfigError: naming the list, what it lacks and what would do.
        """
        if self.kind == "rendered" and electromagnetic not in RENDERED_LISTS:
            raise ConfigError(
                f"physics.electromagnetic: tables are missing for {electromagnetic!r}; the "
                f"rendered ones serve {', '.join(sorted(RENDERED_LISTS))}. {_HOW_TO_GET}"
            )
        if hadronic.endswith("_HP") and "G4NDL" not in self.label:
            raise ConfigError(
                f"physics.hadronic: tables are missing for {hadronic!r}, which follows slow "
                f"neutrons by G4NDL; {hadronic.removesuffix('_HP')!r} does without. {_HOW_TO_GET}"
            )


_HOW_TO_GET = (
    "Official tables are taken from --tables, GEANT4_DATA_DIR or Geant4's own variables such as "
    "G4LEDATA; `python -m calzone download` gets them."
)


def cache_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the user's folder for what can be made again: ``$SIMULACRA_CACHE`` or the usual one.

    Args:
        environment: variables to look at instead of the process's own.
    """
    known = os.environ if environment is None else environment
    if known.get("SIMULACRA_CACHE"):
        return Path(known["SIMULACRA_CACHE"])
    base = known.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "simulacra"


def find_tables(
    given: Path | str | None = None, environment: Mapping[str, str] | None = None
) -> Tables:
    """Choose Geant4's tables; nothing is read or made yet.

    In this order: ``given``; Geant4's own variables (``G4LEDATA`` and its like); a folder
    ``GEANT4_DATA_DIR``; what ``python -m calzone download`` has put into the user's folder; else
    tables rendered from the PENELOPE database into :func:`cache_folder`.

    Args:
        given: folder that holds Geant4's data sets, or ``"rendered"``.
        environment: variables to look at instead of the process's own.

    Raises:
        ConfigError: if the folder that is given or named in the environment lacks a data set.
        DependencyError: if there are no official tables and pypenred is not installed.
    """
    known = os.environ if environment is None else environment
    if given is not None and str(given) != "rendered":
        return _official_in(Path(given), "--tables")
    if given is None:
        if all(_has(known, name) for name in _NEEDED):
            return _official({name: known[name] for name in _DATA_SETS if _has(known, name)})
        if _has(known, "GEANT4_DATA_DIR"):
            return _official_in(Path(known["GEANT4_DATA_DIR"]), "GEANT4_DATA_DIR")
        downloaded = Path.home() / ".local" / "share" / "calzone" / "data"
        if any(downloaded.glob("G4EMLOW*")):
            return _official_in(downloaded, "the folder of calzone's download")
    return _rendered(known)


def provide_elements(tables: Tables, elements: Mapping[int, str]) -> None:
    """See to it that Geant4 finds what it needs for these elements.

    Rendered tables are made where they are missing, each once per user; processes that do so at the
    same time write the same numbers.

    Args:
        tables: the choice.
        elements: atomic numbers, and for messages the material each one is needed for.

    Raises:
        ConfigError: if official tables lack an element.
        DependencyError: if pypenred is needed and not installed.
        OutputError: if the cache cannot be written.
    """
    electromagnetic = Path(tables.environment["G4LEDATA"])
    if tables.kind == "official":
        _refuse_missing(electromagnetic, elements)
        return
    for name, folder in tables.folders:
        if name not in {"G4PARTICLEXSDATA", "G4LEDATA"}:
            Path(folder).mkdir(parents=True, exist_ok=True)
    levels = Path(tables.environment["G4ENSDFSTATEDATA"]) / "ENSDFSTATE.dat"
    if not levels.exists():
        atomic_text(levels, "")  # Geant4 wants the file and lives without its levels
    render_nuclear(Path(tables.environment["G4PARTICLEXSDATA"]))
    for number in sorted(elements):
        done = electromagnetic / "complete" / f"{number}"
        if not done.exists():
            render_element(element_data(number), electromagnetic)
            atomic_text(done, "")


def _cached(environment: Mapping[str, str] | None = None) -> Path:
    return cache_folder(environment) / "geant4-tables"


def _rendered(environment: Mapping[str, str]) -> Tables:
    try:
        version = metadata.version("pypenred")
    except metadata.PackageNotFoundError:
        raise DependencyError(
            "Geant4's tables were not found and cannot be rendered, because the package pypenred "
            f"is not installed; pip install 'simulacra[geant4]'. {_HOW_TO_GET}"
        ) from None
    base = _cached(environment) / f"penelope-{version}-r{RENDERING}"
    folders = tuple(sorted((name, str(base / prefix)) for name, prefix in _DATA_SETS.items()))
    return Tables(
        "rendered", folders, f"rendered from PENELOPE by pypenred {version}, r{RENDERING}"
    )


def _official_in(folder: Path, source: str) -> Tables:
    """Find the data sets in a folder by how their names begin, the newest of each."""
    found: dict[str, str] = {}
    for name, prefix in _DATA_SETS.items():
        versions = [p for p in folder.glob(f"{prefix}[0-9]*") if p.is_dir()] or [
            p for p in (folder / prefix,) if p.is_dir()
        ]
        if versions:
            found[name] = str(max(versions, key=_version).resolve())
    missing = [_DATA_SETS[name] for name in _NEEDED if name not in found]
    if missing:
        raise ConfigError(
            f"{folder} (from {source}): expected Geant4's data sets, {', '.join(missing)} missing. "
            "`python -m calzone download` gets them; without official tables, electromagnetic ones "
            "are rendered (--tables rendered)."
        )
    return _official(found)


def _official(found: Mapping[str, str]) -> Tables:
    anything = found["G4ENSDFSTATEDATA"]  # Geant4 wants every folder to exist, even if unused
    folders = tuple(sorted((name, found.get(name, anything)) for name in _DATA_SETS))
    names = sorted(Path(folder).name for folder in found.values())
    return Tables("official", folders, f"official: {' '.join(names)}")


def _refuse_missing(folder: Path, elements: Mapping[int, str]) -> None:
    for number, material in sorted(elements.items()):
        if not (folder / "brem_SB" / f"br{number}").exists():
            raise ConfigError(
                f"{folder}: tables are missing for element {number} of material {material}; the "
                "data set is incomplete. Get it again, or let tables be rendered (--tables "
                "rendered)."
            )


def _has(environment: Mapping[str, str], name: str) -> bool:
    """Tell if a variable names a folder of the user's, not one of our own cache."""
    folder = Path(environment.get(name) or "")
    ours = _cached(environment)
    return bool(environment.get(name)) and folder.is_dir() and ours not in folder.parents


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.name.lstrip("G4")))
