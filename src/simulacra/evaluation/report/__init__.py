"""One page for people: verdicts as a self-contained HTML file that opens from disk, offline.

The page is filled from verdicts alone. Nothing is measured here; pictures come from
:mod:`~simulacra.evaluation.plots`, words and numbers from the verdict, published numbers from
:mod:`~simulacra.evaluation.published`, and every text that a file brought along is escaped.
"""

from __future__ import annotations

from .front import Front, quality_against_time
from .page import render_report, write_report
from .pictures import Family, Picture
from .words import sample_names

__all__ = [
    "Family",
    "Front",
    "Picture",
    "quality_against_time",
    "render_report",
    "sample_names",
    "write_report",
]
