"""What the package stands on: bounds and pins agree, and wheels exist for every Python we name.

``python tests/test_dependencies.py`` writes the lowest versions of pyproject.toml as pins.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?(?:>=([\w.]+))?(?:,<[\w.]+)?")


def _parsed(requirement: str) -> tuple[str, str]:
    """Return the normalised name and the lower bound, empty if there is none."""
    match = REQUIREMENT.fullmatch(requirement)
    assert match, f"{requirement}: expected `name>=version`; exact pins live in constraints.txt"
    return _normal(match.group(1)), match.group(2) or ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {_normal(name): version for name, version in pairs}


EVERYTHING = [*CORE, *(r for name in ("dev", "docs") for r in EXTRAS[name])]


@pytest.mark.parametrize("requirement", EVERYTHING)
def test_what_make_installs_is_pinned_at_or_above_its_bound(requirement: str) -> None:
    name, bound = _parsed(requirement)
    assert name in _pins(), f"{name} is not pinned in constraints.txt"
    assert _numbers(_pins()[name]) >= _numbers(bound)


def test_a_pin_is_one_plain_version() -> None:
    assert all(re.fullmatch(r"[0-9][\w.]*", version) for version in _pins().values())
    assert _pins()["torch"] == "2.13.0"


def test_the_package_imports_only_what_it_declares() -> None:
    """Third-party modules imported under src are core dependencies or belong to an extra."""
    import ast

    distribution = {
        "yaml": "pyyaml",
        "sklearn": "scikit-learn",
        "PIL": "pillow",
        "pydantic_core": "pydantic",  # each pins the other exactly
        "markupsafe": "jinja2",  # part of its interface
    }
    declared = {_parsed(r)[0] for r in [*CORE, *(r for rs in EXTRAS.values() for r in rs)]}
    own = {*sys.stdlib_module_names, "simulacra"}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for top in {name.partition(".")[0] for name in names} - own:
                assert distribution.get(top, _normal(top)) in declared, f"{path.name}: {top}"


def _available(name: str, python: str) -> list[str]:
    """Return the versions that have a wheel for this Python on Linux; downloads only the list."""
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--only-binary=:all:"]
    command += ["--python-version", python, "--implementation=cp"]
    for platform in ("manylinux2014_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64"):
        command += ["--platform", platform]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    line = next((ln for ln in found.stdout.splitlines() if ln.startswith("Available")), ":")
    return [version.strip() for version in line.partition(":")[2].split(",") if version.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("name", [_parsed(requirement)[0] for requirement in CORE])
def test_a_core_dependency_has_wheels(name: str, python: str) -> None:
    """At the pinned version or a newer one; needs a package index."""
    if not _available("pip", python):
        pytest.skip("no package index can be reached")
    versions = _available(name, python)
    assert any(_numbers(version) >= _numbers(_pins()[name]) for version in versions), versions[:5]


if __name__ == "__main__":
    bounds = [_parsed(requirement) for requirement in [*CORE, *EXTRAS["dev"]]]
    sys.stdout.write("".join(f"{name}=={bound}\n" for name, bound in bounds if bound))
