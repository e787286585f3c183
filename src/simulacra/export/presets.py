"""Versions of operators and of the file that a client's ONNX Runtime reads."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnknownNameError

__all__ = ["PRESETS", "Preset", "preset_named"]


@dataclass(frozen=True)
class Preset:
    """What a graph is written in.

    Args:
        name: as on the command line.
        opset: version of the operators.
        ir: version of the file.
        onnxruntime: the oldest ONNX Runtime that reads both, by its table of versions
            (https://onnxruntime.ai/docs/reference/compatibility.html).
    """

    name: str
    opset: int
    ir: int
    onnxruntime: str


PRESETS = {
    "current": Preset("current", 18, 8, "1.14"),
    "legacy": Preset("legacy", 16, 8, "1.11"),
}
"""``current`` is what torch writes, for anything since 2023; ``legacy`` is for older releases."""


def preset_named(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]
