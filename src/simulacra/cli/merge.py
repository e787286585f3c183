"""``simulacra merge``: shards back together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLE", "merge"]

EXAMPLE = (
    "**Example:** `simulacra merge all.hdf5 part-0.hdf5 part-1.hdf5 part-2.hdf5`; files of "
    "collisions end in `.parquet`"
)


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    parts: Annotated[
        list[Path], typer.Argument(metavar="PARTS...", help="Files, a folder or patterns to join.")
    ],
) -> None:
    """Join shards of one run in any order, or plain files of one geometry, without loading them."""
    if all(part.suffix == ".parquet" for part in parts):
        from ..data.event_files import merge_events

        typer.echo(f"{out}: {merge_events(out, parts)} events")
        return
    from ..data import merge_showers

    typer.echo(f"{out}: {merge_showers(out, parts)} showers")
