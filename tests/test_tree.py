"""What lies in the repository: no prints, no global seeds, no machine's paths, nothing huge."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:home|Users|root|work|mnt|scratch|opt|data)/[\w.-]+")
HOSTS = re.compile(
    r"(?i)(?:extra-)?index[-]url\s*=?\s*\S|find[-]links|\blocalhost:\d|\b10\.\d+\.\d+\.\d+"
)
LARGEST = 8_000_000
"""Bytes; the embedded showers and the shipped weights are the largest files there are."""

LARGE = (".hdf5", ".h5", ".safetensors")


def _tracked() -> list[Path]:
    """Return the files that git knows; outside a repository (an sdist) the tests are skipped."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository: there is no list of tracked files")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def _calls(tree: ast.Module) -> set[str]:
    safe = {"weights_only=True"}
    return {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and not safe & {ast.unparse(word) for word in node.keywords}
    }


FORBIDDEN = {
    "print": "library code is silent; the command line writes through its console",
    "exit": "raise an error of errors.py",
    "sys.exit": "raise an error of errors.py",
    "torch.manual_seed": "a draw takes a seed or a generator",
    "np.random.seed": "a draw takes a seed or a generator",
    "random.seed": "a draw takes a seed or a generator",
    "torch.set_default_dtype": "the dtype is an argument",
    "torch.load": "a trained thing holds no pickles",
    "pickle.load": "a trained thing holds no pickles",
    "eval": "files hold plain data",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_library_code_is_quiet_and_leaves_global_state_alone(path: Path) -> None:
    calls = _calls(ast.parse(path.read_text(encoding="utf-8")))
    found = calls & FORBIDDEN.keys()
    if "torch.random.fork_rng" in calls:  # the global state is put back
        found -= {"torch.manual_seed"}
    if path.parent.name == "cli":
        found -= {"sys.exit"}
    assert not found, "; ".join(f"{name}: {FORBIDDEN[name]}" for name in sorted(found))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_library_code_does_not_draw_from_pythons_generator(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    froms = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
    names = {alias.name for node in imports for alias in node.names} | {n.module for n in froms}
    assert "random" not in names


def test_no_file_names_a_machine() -> None:
    wrong = {}
    for path in _tracked():
        text = _text(path)
        if text is None or path == Path(__file__):
            continue
        places = MACHINE.findall(text)
        if path.suffix != ".md":  # the README speaks of the public selector in words
            places += HOSTS.findall(text)
        if places:
            wrong[path.relative_to(ROOT).as_posix()] = sorted(set(places))[:3]
    assert not wrong


def test_a_path_of_a_machine_would_be_seen() -> None:
    assert MACHINE.search("reads /home/somebody/showers.hdf5")
    assert MACHINE.search('open("/scratch/else.txt")')
    assert not MACHINE.search("docs/data/formats.md and https://example.org/data/file")
    assert HOSTS.search("--extra-index" + "-url something")


def test_no_file_is_too_large() -> None:
    for path in _tracked():
        limit = LARGEST if path.suffix in LARGE else 600_000
        assert path.stat().st_size <= limit, f"{path.relative_to(ROOT)} has more than {limit} bytes"


def test_notebooks_are_stored_without_their_results() -> None:
    for path in _tracked():
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            kept = [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
            assert not kept, f"{path.name}: clear the outputs; `make docs` executes it"
