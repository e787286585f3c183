"""Public names are promises: tests/public_names.txt holds them, and its diff is the decision.

Write the file again with ``make names`` (``python tests/test_public_names.py``).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src"
SNAPSHOT = Path(__file__).with_name("public_names.txt")
MODULES = sorted(
    path
    for path in (ROOT / "simulacra").rglob("*.py")
    if not any(
        part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts
    )
)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _declared(tree: ast.Module) -> list[str] | None:
    """Return the names in ``__all__``, or None if the module has no such list."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            names: list[str] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return names
    return None


def _bound(nodes: list[ast.stmt]) -> set[str]:
    """Return the names that a module's top level binds, also under ``if`` and ``try``."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.If | ast.Try):
            found |= _bound([*node.body, *node.orelse])
        else:
            found |= {
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return found


def _own(tree: ast.Module) -> set[str]:
    """Return the functions and classes that a module defines without a leading underscore."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names() -> str:
    """Return one line for each public name, sorted."""
    lines = {f"{_dotted(p)}.{name}" for p in MODULES for name in _declared(_tree(p)) or ()}
    return "\n".join(sorted(lines)) + "\n"


def test_the_public_names_are_the_ones_decided_on() -> None:
    stored, found = set(SNAPSHOT.read_text().split()), set(names().split())
    assert found == stored, (
        f"new: {sorted(found - stored)}, gone: {sorted(stored - found)}; "
        "if that is meant, run `make names` and commit the difference"
    )


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_a_module_lists_what_it_offers(path: Path) -> None:
    tree = _tree(path)
    declared = _declared(tree)
    if declared is None:
        assert not _own(tree), f"{_dotted(path)} defines {sorted(_own(tree))} but no __all__"
        return
    assert len(declared) == len(set(declared)), "a name is listed twice"
    bound = _bound(tree.body)
    if "__getattr__" not in bound:
        assert set(declared) <= bound, f"listed but absent: {sorted(set(declared) - bound)}"
    verbs = _own(tree) if path.parent.name == "cli" else set()  # typer registers them
    unlisted = _own(tree) - set(declared) - verbs
    assert not unlisted, f"{sorted(unlisted)}: list it in __all__ or begin it with an underscore"


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_a_module_says_what_it_is(path: Path) -> None:
    text = ast.get_docstring(_tree(path))
    assert text, f"{_dotted(path)} has no docstring"
    assert text.splitlines()[0].endswith((".", ":")), "the first line is one whole sentence"


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.name == "__init__.py" and p.parent.parent.name == "simulacra"],
    ids=_dotted,
)
def test_a_floor_says_where_it_stands(path: Path) -> None:
    first = (ast.get_docstring(_tree(path)) or "").splitlines()[0]
    assert first.startswith("Step "), f"{_dotted(path)}: `Step N, name: what goes in and comes out`"


if __name__ == "__main__":
    SNAPSHOT.write_text(names())
