"""Pages that are made, not written: the executed notebook and one reference page per floor."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "simulacra"
NOTEBOOKS = ROOT / "docs" / "notebooks"

FLOORS = [
    "errors", "units", "config", "random", "batch", "execute", "pieces", "workforce",
    "data", "simulate", "preprocess", "nets", "paths", "samplers", "generative", "classify", "train",
    "artifact", "evaluation", "export", "deploy", "tasks", "cli",
]  # fmt: skip


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference pages to the navigation."""
    pages: list[Any] = [{"The package": "reference/simulacra.md"}]
    pages += [{name: f"reference/{name}.md"} for name in FLOORS if _modules(name)]
    assert config.nav is not None
    config.nav.append({"Reference": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages to the written ones."""
    made = {"reference/simulacra.md": _page("simulacra", [PACKAGE / "__init__.py"])}
    for name in FLOORS:
        if _modules(name):
            made[f"reference/{name}.md"] = _page(name, _modules(name))
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        for path, content in _executed(notebook).items():
            files.append(File.generated(config, f"notebooks/{path}", content=content))
    return files


def _modules(name: str) -> list[Path]:
    """Return a floor's modules, the package itself first, in the order of their names."""
    folder, module = PACKAGE / name, PACKAGE / f"{name}.py"
    if module.exists():
        return [module]
    paths = sorted(folder.rglob("*.py"), key=lambda path: (*path.parent.parts, path.name))
    return [
        path
        for path in paths
        if not any(p.startswith("_") and p != "__init__.py" for p in path.relative_to(PACKAGE).parts)
    ]


def _page(title: str, modules: list[Path]) -> str:
    lines = [f"# {title}", ""]
    for path in modules:
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        dotted = dotted.removesuffix(".__init__")
        lines += [f"::: {dotted}"]
        if path.name == "__init__.py":  # its names are described where they are defined
            members = "true" if _defines(path) else "false"
            lines += ["    options:", f"      members: {members}"]
        lines.append("")
    return "\n".join(lines)


def _defines(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        for node in body
    )


def _executed(path: Path) -> dict[str, str | bytes]:
    """Run a notebook from beginning to end; an error in it is an error of the build."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import MarkdownExporter

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, {"output_files_dir": path.stem}
    )
    return {f"{path.stem}.md": text, **resources["outputs"]}
