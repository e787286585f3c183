"""Docstrings use Sphinx's words for formulas and references; the pages are Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

DISPLAY = re.compile(r"^( *)\.\. math::[ ]*(.*(?:\n(?:\1 +.*|[ ]*(?=\n\1 )))*)", re.MULTILINE)
CODE = re.compile(r"^( *)\.\. code-block:: *(\w*)\n\n((?:\1 +.*\n?|\n)+)", re.MULTILINE)
SHAPES = re.compile(r"^( *)Shapes:\n((?:\1 {4}.*\n?)+)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]*)`", re.DOTALL)
ROLE = re.compile(r":(?:py:)?(?:class|func|meth|mod|data|attr|exc|obj):`~?([^`]*)`")


class SphinxWords(griffe.Extension):
    """Turn Sphinx's directives and roles into Markdown before the docstrings are read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is None:
            return
        text = CODE.sub(_block, obj.docstring.value)
        text = re.sub(r"^( *)Example:$", r"\1Examples:", text, flags=re.MULTILINE)
        text = SHAPES.sub(_listed, text)
        if obj.is_class and any(str(base).split(".")[-1] == "Config" for base in obj.bases):
            text = text.replace("Args:\n", "Attributes:\n")  # its signature is made by pydantic
        text = DISPLAY.sub(_formula, text)
        text = INLINE.sub(lambda m: "$" + " ".join(m.group(1).split()) + "$", text)
        obj.docstring.value = ROLE.sub(r"`\1`", text)


def _formula(match: re.Match[str]) -> str:
    body = " ".join(match.group(2).split())
    return f"\n{match.group(1)}$${body}$$\n"


def _listed(match: re.Match[str]) -> str:
    """Put each array on a line of its own."""
    indent, body = match.groups()
    entry = re.compile(rf"^{indent} {{4}}(?=\S)", re.MULTILINE)
    return f"{indent}Shapes:\n{entry.sub(f'{indent}    - ', body)}"


def _block(match: re.Match[str]) -> str:
    indent, language, body = match.groups()
    lines = textwrap.dedent(body).strip("\n")
    return textwrap.indent(f"```{language}\n{lines}\n```\n", indent)
