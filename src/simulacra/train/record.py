"""What a training run writes down while it goes: lines for people, for scripts and for plots."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import DependencyError, OutputError
from ..execute import atomic_text

__all__ = ["History", "Recorder"]

History = list[dict[str, Any]]
"""One entry per epoch: epoch, step, losses, learning rate, seconds of wall and processor time."""


class Recorder:
    """Write one JSON line per epoch, and TensorBoard files if that package is installed.

    Args:
        folder: where ``log.jsonl`` and ``tensorboard/`` go.
        history: epochs that a resumed run has already done; they are written first.
        tensorboard: write TensorBoard files too.

    Raises:
        DependencyError: if TensorBoard files are wanted and the package is missing.
        OutputError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, history: History, *, tensorboard: bool) -> None:
        self._writer: Any = _tensorboard(folder) if tensorboard else None
        self.path = folder / "log.jsonl"
        atomic_text(self.path, "".join(json.dumps(entry) + "\n" for entry in history))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one epoch."""
        try:
            with self.path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}).") from error
        if self._writer is not None:
            for name, value in entry.items():
                self._writer.add_scalar(name, value, entry["step"])


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise DependencyError(
            "TensorBoard files were asked for and the package is not installed; install "
            "`simulacra[track]` or set training.tensorboard=false."
        ) from None
    return SummaryWriter(str(folder / "tensorboard"))
