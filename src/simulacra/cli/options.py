"""Options that several verbs have, in the same words."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["Executor", "ExecutorOrThreads", "Workers", "WorkersOrThreads", "worker_count"]

_WHO = "processes, dask, or dask:ADDRESS"


def _executor(help_text: str) -> Any:
    return typer.Option("--executor", metavar="WHO", help=help_text)


def _workers(*names: str) -> Any:
    text = "How many of them; 0 takes all cores. They change nothing but time."
    return typer.Option(*names, min=0, help=text)


Executor = Annotated[str, _executor(f"Who works: {_WHO}.")]
ExecutorOrThreads = Annotated[str, _executor(f"Who works: threads of this process, {_WHO}.")]
Workers = Annotated[int, _workers("--workers")]
WorkersOrThreads = Annotated[int, _workers("--workers", "--threads")]


def worker_count(workers: int) -> int:
    """Return how many workers are meant; 0 means all cores of this machine."""
    from ..execute import available_cores

    return workers or available_cores()
