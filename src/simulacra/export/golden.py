"""Showers that prove a graph: their noise and conditions, what torch makes of them, how exactly."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..deploy import Condition
from ..errors import ArtifactError
from ..random import Stream, normal, uniform
from .graph import DrawingGraph

__all__ = [
    "Difference",
    "Golden",
    "Tolerance",
    "difference",
    "golden_of",
    "read_golden",
    "tolerance_of",
]

Array = NDArray[Any]
_SEED = 20_261_122
_NUMBERS = 400_000  # voxels in all golden showers, about
_FEWEST, _MOST = 8, 64
_LARGEST = 512 * 2**20
_MEDIAN_AT_MOST = 1e-5
_ROUNDING = 6e-8  # half a last digit of float32


@dataclass(frozen=True, eq=False)
class Golden:
    """Some showers, exactly as torch draws them in float32.

    Args:
        noise: standard normal, ``(events, noise_size)``.
        condition: ``(events, conditions)``; the first rows lie at the ends of the ranges.
        expected: energies in MeV, ``(events, voxels)``.
    """

    noise: Array
    condition: Array
    expected: Array

    def packed(self) -> bytes:
        """Return the bytes of ``golden.npz``."""
        file = io.BytesIO()
        np.savez_compressed(
            file, noise=self.noise, condition=self.condition, expected=self.expected
        )
        return file.getvalue()


@dataclass(frozen=True)
class Difference:
    """How far two sets of the same showers are apart.

    Args:
        median: of the relative difference of voxels that are filled in both.
        tail: its 99 % quantile.
        crossed: voxels that are filled in one only: they lie at the threshold.
        filled: voxels that are filled in the set that is compared with.
    """

    median: float
    tail: float
    crossed: int
    filled: int

    def __str__(self) -> str:
        return (
            f"relative difference {self.median:.1e} (median), {self.tail:.1e} (99 %); "
            f"{self.crossed} of {self.filled} voxels crossed the threshold"
        )


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that is rounding.

    Args:
        median: of the median relative difference.
        tail: of its 99 % quantile.
        crossed: share of the filled voxels that cross the threshold.
    """

    median: float
    tail: float
    crossed: float

    def allows(self, found: Difference) -> bool:
        """Tell whether a difference is rounding; NaN never is."""
        crossed = self.crossed * found.filled + 2
        return found.median <= self.median and found.tail <= self.tail and found.crossed <= crossed


def golden_of(graph: DrawingGraph, noise_size: int) -> tuple[Golden, Difference]:
    """Draw the golden showers, and tell how far float32 is from float64 on the same noise.

    Args:
        graph: what is exported.
        noise_size: standard normals per shower.
    """
    two = _conditions(graph.conditions, range(2))
    with torch.inference_mode():
        width = graph(torch.zeros(2, noise_size), torch.from_numpy(two)).shape[1]
        events = range(min(_MOST, max(_FEWEST, _NUMBERS // width)))
        noise = normal(_SEED, events, noise_size, stream=Stream.NOISE)
        condition = _conditions(graph.conditions, events)
        given = torch.from_numpy(noise), torch.from_numpy(condition)
        expected = graph(*given).numpy()
        exact = copy.deepcopy(graph).double()(*(one.double() for one in given)).numpy()
    return Golden(noise, condition, expected), difference(expected, exact)


def difference(found: Array, expected: Array) -> Difference:
    """Compare showers voxel by voxel.

    Args:
        found: energies in MeV, ``(events, voxels)``.
        expected: the same showers by another program.
    """
    filled = expected > 0
    both = filled & (found > 0)
    far = np.abs(found[both].astype(np.float64) - expected[both]) / expected[both]
    far = far if len(far) else np.full(1, 0.0 if not filled.any() else np.inf)
    odd = ~np.isfinite(found)
    if odd.any():
        far = np.full(1, np.nan)
    crossed = int((filled != (found > 0)).sum())
    return Difference(
        float(np.median(far)), float(np.quantile(far, 0.99)), crossed, int(filled.sum())
    )


def tolerance_of(own: Difference) -> Tolerance:
    """Return twice the difference of float32 from float64, the median never above 1e-5.

    Below one last digit of float32 nothing is asked for; voxels that cross the threshold take
    the rest of their layer with them, so the tail may be as wide as 1e-5 in any case.

    Args:
        own: of torch in float32 from float64.
    """
    return Tolerance(
        median=min(max(2 * own.median, 4 * _ROUNDING), _MEDIAN_AT_MOST),
        tail=max(2 * own.tail, _MEDIAN_AT_MOST),
        crossed=2 * own.crossed / max(own.filled, 1) + 1e-4,
    )


def read_golden(content: bytes, sizes: tuple[int, int, int]) -> Golden:
    """Read ``golden.npz`` without trusting it.

    Args:
        content: the file.
        sizes: columns of noise, conditions and output.

    Raises:
        ArtifactError: if it is no such file, too large or of other shapes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise ArtifactError(
                f"golden.npz: unpacks to {size} bytes, expected at most {_LARGEST}; refused."
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = [np.asarray(arrays[name]) for name in ("noise", "condition", "expected")]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise ArtifactError(f"golden.npz: cannot be read ({error}).") from None
    shapes = [array.shape for array in found]
    events = shapes[0][:1]
    if any(a.dtype != np.float32 for a in found) or shapes != [(*events, n) for n in sizes]:
        raise ArtifactError(
            f"golden.npz: expected float32 with {sizes} columns and equal rows, found {shapes}."
        )
    return Golden(*found)


def _conditions(conditions: Sequence[Condition], events: range) -> Array:
    """Return the ends of trained and accepted ranges, and then numbers inside of them."""
    share = uniform(_SEED, events, len(conditions), stream=Stream.INCIDENT_ENERGY)
    out = np.empty(share.shape, np.float32)
    for place, one in enumerate(conditions):
        low, high = one.trained
        part = share[:, place].astype(np.float64)
        if one.values:
            number = (part * len(one.values)).astype(np.int64)
            out[:, place] = np.asarray(one.values)[number]
            continue
        log = one.name == "incident_energy" and low > 0
        out[:, place] = low * (high / low) ** part if log else low + (high - low) * part
        ends = np.array([low, high, *one.accepted], np.float32)[: len(out)]
        out[: len(ends), place] = ends
    return out
