"""Progress of long work: a bar on a terminal, a line now and then in a batch job."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Ticker", "ticker"]

_SECONDS_BETWEEN_LINES = 30.0


class Ticker:
    """What long work calls while it goes on.

    Args:
        bar: the bar on a terminal, or None in a batch job.
        label: what is being done.
        quiet: say nothing: another process does.
    """

    def __init__(self, bar: Progress | None, label: str, *, quiet: bool = False) -> None:
        self._bar, self._label, self._quiet = bar, label, quiet
        self._task = bar.add_task(label, total=None) if bar else None
        self._last = time.monotonic()

    def stage(self, text: str) -> None:
        """Say that another stage begins."""
        self._label = text
        if self._bar and self._task is not None:
            self._bar.reset(self._task, description=text, total=None)
        elif not self._quiet:
            _line(text)

    def done(self, amount: float, total: float, text: str = "") -> None:
        """Say how much of ``total`` is done."""
        if self._bar and self._task is not None:
            description = f"{self._label} {text}".strip()
            self._bar.update(self._task, completed=amount, total=total, description=description)
            return
        now = time.monotonic()
        if self._quiet:
            return
        if now - self._last >= _SECONDS_BETWEEN_LINES or amount >= total:
            self._last = now
            _line(f"{self._label}: {amount:g} of {total:g} {text}".rstrip())

    def epoch(self, entry: dict[str, Any]) -> None:
        """Report one epoch of a training."""
        text = f"loss {entry['training_loss']:.4f} validation {entry['validation_loss']:.4f}"
        self.done(entry["epoch"], entry["epochs"], text)


@contextmanager
def ticker(label: str, *, quiet: bool = False) -> Iterator[Ticker]:
    """Show progress on stderr while the block runs: a bar on a terminal, else log lines."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield Ticker(None, label, quiet=quiet)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:g}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield Ticker(bar, label)


def _line(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()
