"""The house has floors: a module may import from below, and rooms not from each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "simulacra"

FLOORS = [
    [
        "errors",
        "units",
        "config",
        "random",
        "batch",
        "conditions",
        "execute",
        "remote",
        "pieces",
        "cluster",
        "workforce",
    ],
    ["data", "deploy"],
    ["preprocess", "simulate"],
    ["nets"],
    ["paths", "samplers"],
    ["generative", "classify"],
    ["train"],
    ["artifact"],
    ["evaluation"],
    ["export"],
    ["tasks"],
    ["cli"],
    ["__main__"],
]
"""From the ground up; doors on one floor do not open into each other, except on the ground."""

CUTS = {
    "nets": {"data", "preprocess"},  # nets know no physics
    "samplers": {"data", "preprocess", "nets"},  # samplers know no models
    "paths": {"data", "preprocess", "nets"},
    "train": {"data", "preprocess", "paths", "samplers"},  # the loop knows Batch and loss
    "evaluation": {"preprocess", "paths", "samplers", "generative", "train", "artifact"},
    "deploy": {"config", "batch", "execute"},
}
"""What stays out of a floor although it stands below it; evaluation eats events, never a model."""

LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
PACKAGE = ROOT.name


def _place(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).with_suffix("").parts


def _imports(source: str, here: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the modules of this package that ``source`` imports, as parts below the package."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            above = (PACKAGE, *here)[: len(here) + 1 - node.level] if node.level else ()
            base = above + module
            if base == (PACKAGE,):
                found |= {(PACKAGE, alias.name) for alias in node.names}
            found.add(base)
        elif isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= _written_as_text(node.value, here)  # import_module, tables of lazy names
    return {parts[1:] for parts in found if parts[:1] == (PACKAGE,) and len(parts) > 1}


def _written_as_text(text: str, here: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return the module that a text such as ``simulacra.train`` or ``..train`` names, if any."""
    if not text.startswith((f"{PACKAGE}.", ".")):
        return set()
    name = text.partition(":")[0]
    dots = len(name) - len(name.lstrip("."))
    parts = tuple(name.lstrip(".").split("."))
    if not all(part.isidentifier() for part in parts):
        return set()
    full = (PACKAGE, *here)[: len(here) + 1 - dots] + parts if dots else parts
    return {full} if len(full) > 1 and full[1] in LEVEL else set()


def _complaints(source: str, here: tuple[str, ...]) -> list[str]:
    mine, wrong = here[0], []
    for there in sorted(_imports(source, here)):
        name = there[0]
        if name == mine:
            if mine == "tasks" and len(there) > 1 and len(here) > 2 and there[1] != here[1]:
                wrong.append(f"room {here[1]} imports room {there[1]}")
            continue
        if name not in LEVEL:
            if name not in {"__version__", "__init__"}:
                wrong.append(f"{name} has no floor in the map")
        elif LEVEL[name] > LEVEL[mine]:
            wrong.append(f"{mine} imports {name}, which stands above it")
        elif LEVEL[name] == LEVEL[mine] != 0:
            wrong.append(f"{mine} imports {name} across the corridor")
        elif name in CUTS.get(mine, ()):
            wrong.append(f"{mine} must know nothing of {name}")
    return wrong


MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(_place(path)))
def test_imports_point_down(path: Path) -> None:
    here = _place(path)
    assert here[0] in LEVEL, f"{here[0]} has no floor: add it to the map of the house first"
    wrong = _complaints(path.read_text(encoding="utf-8"), here)
    assert not wrong, f"{'/'.join(here)}: {'; '.join(wrong)}"


@pytest.mark.parametrize(
    ("here", "source"),
    [
        ("data/showers", "from ..tasks import calorimeter"),
        ("data/showers", "from .. import train"),
        ("data/showers", "from simulacra import cli"),
        ("data/showers", "import simulacra.artifact.folder as folder"),
        ("data/formats/dense", "from ...evaluation.metrics import separation"),
        ("data/showers", "def f():\n    from simulacra.nets.mlp import MLP"),
        ("data/showers", "import_module('simulacra.train.loop')"),
        ("data/showers", "table = {'fit': '..train.loop:fit'}"),
        ("data/__init__", "from ..preprocess import Chain"),
        ("nets/mlp", "from ..data import Geometry"),
        ("samplers/ode", "from ..paths import linear"),
        ("evaluation/suite", "from ..artifact import load"),
        ("deploy/run", "from ..config import Config"),
        ("tasks/unfolding/omnifold", "from ..calorimeter.recipes import photons"),
        ("tasks/unfolding/omnifold", "from simulacra.tasks.anomaly import cwola"),
        ("units", "from .data import geometry"),
        ("data/showers", "from ..helpers import thing"),
    ],
)
def test_a_wrong_import_is_seen(here: str, source: str) -> None:
    assert _complaints(source, tuple(here.split("/")))


@pytest.mark.parametrize(
    ("here", "source"),
    [
        ("tasks/unfolding/omnifold", "from ...classify import Classifier"),
        ("tasks/unfolding/omnifold", "from .problem import Unfolding"),
        ("tasks/__init__", "from .calorimeter import recipes"),
        ("data/formats/dense", "from ..geometry import Geometry\nfrom ... import __version__"),
        ("units", "from .errors import UnitError\nimport torch\nfrom collections import abc"),
        ("cli/train", "from simulacra import tasks"),
    ],
)
def test_a_right_import_is_not(here: str, source: str) -> None:
    assert _complaints(source, tuple(here.split("/"))) == []
