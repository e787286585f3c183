"""LaTeX becomes MathML while the pages are built: formulas without scripts or network."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(text: str, **_: Any) -> str:
    """Replace what the arithmatex extension marked."""
    text = INLINE.sub(lambda m: convert(html.unescape(m.group(1))), text)
    return DISPLAY.sub(lambda m: convert(html.unescape(m.group(1)), display="block"), text)
