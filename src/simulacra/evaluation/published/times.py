"""Times per shower as verdicts state them, with hardware and batch size where they are stated."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TimePerShower", "times_per_shower"]

Hardware = Literal["CPU", "GPU", "unstated"]

_HEADLINE = ("ms_per_shower", "milliseconds_per_shower")
_COLUMN = re.compile(r"(cpu|gpu)_batch_(\d+)_ms")
_GPU = re.compile(
    r"gpu|cuda|nvidia|radeon|tesla|geforce|rtx|\b(?:[ahvplt]\d{1,3}|gh?\d{3}|mi\d{3}x?)\b",
    re.IGNORECASE,
)
_CPU = re.compile(r"cpu|core|processor|thread|xeon|epyc|ryzen", re.IGNORECASE)


@dataclass(frozen=True)
class TimePerShower:
    """How long one shower takes.

    Args:
        milliseconds: wall time per shower.
        hardware: ``CPU``, ``GPU`` or ``unstated``.
        batch: showers per call; None if not stated.
        by_hand: whether a person stated it instead of a measurement.
    """

    milliseconds: float
    hardware: Hardware
    batch: int | None
    by_hand: bool = False


def times_per_shower(timing: Mapping[str, Any] | None) -> tuple[TimePerShower, ...]:
    """Read the times of a verdict's ``timing``.

    Understood are ``ms_per_shower`` with ``batch`` and ``device`` (or ``hardware``, ``threads``);
    ``cpu_batch_100_ms`` and its like, as in the published tables; ``batches``, a list of what
    ``simulacra bench sampling --json`` prints. ``stated_by_hand`` marks all of them.

    Returns:
        One entry per hardware and batch size, the headline first.
    """
    timing = timing or {}
    by_hand = bool(timing.get("stated_by_hand"))
    found: dict[tuple[str, int | None], TimePerShower] = {}
    for milliseconds, hardware, batch in _stated(timing):
        if math.isfinite(milliseconds) and milliseconds > 0:
            one = TimePerShower(milliseconds, hardware, batch, by_hand)
            found.setdefault((hardware, batch), one)
    return tuple(found.values())


def _stated(timing: Mapping[str, Any]) -> Iterator[tuple[float, Hardware, int | None]]:
    hardware = _hardware(timing)
    for name in _HEADLINE:
        if _is_number(timing.get(name)):
            yield float(timing[name]), hardware, _batch(timing.get("batch"))
    for name, value in timing.items():
        column = _COLUMN.fullmatch(str(name))
        if column and _is_number(value):
            yield float(value), "GPU" if column[1] == "gpu" else "CPU", int(column[2])
    batches = timing.get("batches")
    for entry in batches if isinstance(batches, Sequence) and not isinstance(batches, str) else ():
        if isinstance(entry, Mapping) and _is_number(entry.get("milliseconds")):
            inside = {**timing, **entry}
            yield float(entry["milliseconds"]), _hardware(inside), _batch(entry.get("batch"))


def _hardware(timing: Mapping[str, Any]) -> Hardware:
    """Tell processors from accelerators by what is stated; threads alone mean a processor."""
    for name in ("device", "hardware"):
        text = str(timing.get(name, ""))
        if _GPU.search(text):
            return "GPU"
        if _CPU.search(text):
            return "CPU"
    return "CPU" if "threads" in timing else "unstated"


def _batch(value: Any) -> int | None:
    return int(value) if _is_number(value) and value >= 1 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
