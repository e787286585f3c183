"""What the README and the docs tell people to type: options exist, and marked blocks run.

Fenced ``bash`` and ``python`` blocks are read from README.md and the pages under docs. Every
``simulacra`` command must parse and every Python block must compile. A block after the comment
``<!-- run -->`` is run, the blocks of one page one after the other in one empty folder.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(<!-- run -->\n+)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
RUN_AT_MOST = 300
"""Seconds for one block."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    language: str
    text: str
    runs: bool


def _blocks(page: Path) -> list[Block]:
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, language, text, bool(mark))
        for mark, language, text in FENCE.findall(page.read_text(encoding="utf-8"))
    ]


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def _commands(text: str) -> list[list[str]]:
    """Return the ``simulacra`` commands of a shell block as words."""
    joined = text.replace("\\\n", " ")
    words = [shlex.split(line, comments=True) for line in joined.splitlines()]
    return [line[1:] for line in words if line[:1] == ["simulacra"]]


COMMANDS = [
    pytest.param(command, id=f"{block.page}: {' '.join(command)}")
    for block in BLOCKS
    if block.language == "bash"
    for command in _commands(block.text)
]


def _parse(words: list[str]) -> None:
    """Check a command line against the program without running it.

    Raises:
        Exception: for an unknown verb or option, a missing value, too many arguments. (Typer
            brings its own copy of click, so the kind depends on its version.)
    """
    import typer.main

    from simulacra.cli.app import app

    command: Any = typer.main.get_command(app)
    context = None
    while True:
        context = command.context_class(command, parent=context)
        group = hasattr(command, "commands")
        parser = command.make_parser(context)
        parser.allow_interspersed_args = not group
        values, rest, _ = parser.parse_args(list(words))
        if not (group and rest):
            break
        command, words = command.get_command(context, rest[0]), rest[1:]
        if command is None:
            raise LookupError(f"there is no verb {rest[0]!r}")
    missing = [p.name for p in command.params if p.required and not values.get(p.name)]
    if rest or (missing and not values.get("help")):
        raise LookupError(f"too much: {rest}, missing: {missing}")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_we_tell_people_to_type_parses(words: list[str]) -> None:
    _parse(words)


@pytest.mark.parametrize(
    "line",
    [
        "trian photons --data a.hdf5 --out b",
        "train photons --data a.hdf5 --out b --epochs 3",
        "train photons --data a.hdf5 --out",
        "sample photons extra --energy 2GeV -n 3 --out a.hdf5",
        "merge",
        "data look a.hdf5",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (see _parse)
        _parse(line.split())
    assert {"UsageError", "LookupError"} & {kind.__name__ for kind in type(caught.value).__mro__}


@pytest.mark.parametrize(
    "block",
    [pytest.param(b, id=f"{b.page}-{i}") for i, b in enumerate(BLOCKS) if b.language == "python"],
)
def test_a_python_block_compiles(block: Block) -> None:
    compile(block.text, block.page, "exec")


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.runs}))
def test_the_marked_blocks_of_a_page_run(page: str, tmp_path: Path) -> None:
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}
    for block in BLOCKS:
        if block.page != page or not block.runs:
            continue
        python = [sys.executable, "-W", "error", "-c", block.text]
        shell = ["bash", "-euo", "pipefail", "-c", block.text]
        done = subprocess.run(
            python if block.language == "python" else shell,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_AT_MOST,
            check=False,
        )
        assert done.returncode == 0, f"{page}:\n{block.text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        found = page.parent / target
        made = found.with_suffix(".ipynb")
        assert found.exists() or made.exists(), f"{page.name}: {target}"


def test_the_scores_are_those_on_the_shipped_cards() -> None:
    from simulacra.tasks.calorimeter.shipped import manifests

    scores = runpy.run_path(str(ROOT / "docs" / "_build" / "scores.py"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == scores["filled"](text, manifests()), "run `make table`"


def test_the_families_are_those_of_the_kept_rows() -> None:
    families = runpy.run_path(str(ROOT / "docs" / "_build" / "families.py"))
    rows = json.loads(families["ROWS"].read_text(encoding="utf-8"))
    for page, columns in families["PAGES"].items():
        text = page.read_text(encoding="utf-8")
        assert text == families["filled"](text, rows, columns), "run `make table`"


def test_the_make_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for name in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE):
            assert name in targets, f"{page.name}: make {name}"
