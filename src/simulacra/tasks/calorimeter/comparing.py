"""Means of a model beside those of a reference, in bins of one condition."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import (
    Fingerprint,
    JoinedFiles,
    ShowerFile,
    VoxelShowers,
    refuse_overlap,
)
from ...errors import ConfigError, RangeError, ShapeError
from .following import followed, mean_and_error
from .scan_result import Compared, Deviation, Interpolation
from .surrogate import Surrogate

__all__ = ["bins_of", "interpolation"]

FloatArray = NDArray[np.float64]
Source = VoxelShowers | ShowerFile | JoinedFiles

_FEWEST = 2  # showers that a mean with an error needs
_REFERENCE_SEED = 1 << 40  # added to the seed: other showers than those of the scan itself


def interpolation(
    surrogate: Surrogate,
    reference: Source,
    column: str,
    values: FloatArray,
    band: tuple[float, float] | None,
    *,
    seed: int,
    workers: int,
) -> Interpolation:
    """Draw a shower for every incident particle of a reference and compare means in bins.

    Args:
        surrogate: the trained model.
        reference: showers of full simulation.
        column: name of the condition in files.
        values: those of the scan; they say range and number of the bins.
        band: what training left out.
        seed: identity of the noise.
        workers: threads.

    Raises:
        ConfigError: if the reference lacks a condition of the model.
        RangeError: if no bin has enough showers.
        OverlapError: if the reference shares showers with the training.
        ShapeError: if it is of another detector.
    """
    edges = bins_of(values, band, column)
    ours, theirs = _Table(), _Table()
    done = 0
    for part in _parts(surrogate, reference, column, edges):
        drawn = surrogate.sample(
            part.incident_energy,
            {name: part.conditions[name] for name in surrogate.config.conditions},
            seed=(seed + _REFERENCE_SEED) % 2**64,
            first_event=done,
            workers=workers,
        )
        theirs.add(part, _column(part, column))
        ours.add(drawn, _column(part, column), part.weights)
        done += len(part)
    if not done:
        raise RangeError(
            f"reference: has no showers with {column} from {edges[0]:g} to {edges[-1]:g}; expected "
            "some in the range of the scan."
        )
    a, b = theirs.means(edges), ours.means(edges)
    curves = tuple(
        Compared(name, label, unit, *a[name, label, unit], *b[name, label, unit])
        for name, label, unit in a
    )
    inside = tuple(_inside(low, high, band) for low, high in pairwise(edges.tolist()))
    deviations = tuple(
        deviation for curve in curves for deviation in _deviations(curve, np.array(inside))
    )
    return Interpolation(_name(reference), done, tuple(edges.tolist()), inside, curves, deviations)


def bins_of(values: FloatArray, band: tuple[float, float] | None, column: str = "") -> FloatArray:
    """Return bins over the range of a scan, such that a band that was left out is whole bins.

    Args:
        values: of the scan, rising.
        band: low and high.
        column: name of the condition; particles have a bin around each.

    Example:
        >>> bins_of(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), (1.1, 2.2)).tolist()
        [0.0, 1.1, 2.2, 3.0, 4.0]
    """
    if column == "pdg":
        between = (values[1:] + values[:-1]) / 2
        return np.concatenate([[values[0] - 0.5], between, [values[-1] + 0.5]])
    if band is None or band[1] <= values[0] or band[0] >= values[-1]:
        return values
    ends = np.clip(band, values[0], values[-1])
    scale = np.log if column == "incident_energy" else np.asarray  # in which steps are equal
    at, width = scale(values), np.diff(scale(values)).min() / 2
    near = (np.abs(at[:, None] - scale(ends)) < width).any(axis=1)
    near[[0, -1]] = False
    return np.unique(np.concatenate([values[~near], ends]))


class _Table:
    """What is followed of many showers, with the condition they belong to."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str, str], list[FloatArray]] = {}
        self.at: list[FloatArray] = []
        self.weight: list[FloatArray] = []

    def add(self, showers: VoxelShowers, at: FloatArray, weight: Any = None) -> None:
        for quantity in followed(showers).values():
            key = quantity.name, quantity.label, quantity.unit
            self.parts.setdefault(key, []).append(quantity.values)
        self.at.append(at)
        self.weight.append(np.asarray(showers.weights if weight is None else weight, float))

    def means(
        self, edges: FloatArray
    ) -> dict[tuple[str, str, str], tuple[tuple[float, ...], tuple[float, ...]]]:
        """Return means and errors of every quantity in every bin."""
        weight = np.concatenate(self.weight)
        place = np.searchsorted(edges, np.concatenate(self.at), side="right") - 1
        place = np.where(np.concatenate(self.at) == edges[-1], len(edges) - 2, place)
        found = {}
        for key, parts in self.parts.items():
            values = np.concatenate(parts)
            rows = [place == number for number in range(len(edges) - 1)]
            means, errors = zip(*(mean_and_error(values[r], weight[r]) for r in rows), strict=True)
            found[key] = means, errors
        return found


def _parts(
    surrogate: Surrogate, reference: Source, column: str, edges: FloatArray
) -> Iterator[VoxelShowers]:
    """Give the showers of a reference that lie in the range, piece by piece."""
    if reference.geometry.digest != surrogate.geometry.digest:
        raise ShapeError(
            f'reference: is of geometry "{reference.geometry.name}", expected the model\'s, '
            f'"{surrogate.geometry.name}".'
        )
    for file in getattr(reference, "files", [reference] * isinstance(reference, ShowerFile)):
        file.refuse_gev()
    pieces = [reference] if isinstance(reference, VoxelShowers) else reference.chunks()
    file = str(surrogate.manifest["training"]["file"])
    trained = Fingerprint((file,), (), np.unique(surrogate.training_keys))
    ranges = surrogate.manifest["validity"]["ranges"]
    for part in pieces:
        missing = [n for n in surrogate.config.conditions if n not in part.conditions]
        if missing:
            raise ConfigError(
                f"reference: the model depends on {', '.join(missing)}, which it does not have."
            )
        at = _column(part, column)
        kept = (at >= edges[0]) & (at <= edges[-1])
        for name, (low, high) in ranges.items():
            beside = _column(part, name)
            kept &= (beside >= low) & (beside <= high)
        if kept.any():
            chosen = part.select(kept)
            keys = chosen.event_keys()[chosen.energies.any(axis=1)]
            refuse_overlap(trained, Fingerprint((_name(reference),), (), np.unique(keys)))
            yield chosen


def _name(reference: Source) -> str:
    if isinstance(reference, ShowerFile):
        return reference.path.name
    return reference.name if isinstance(reference, JoinedFiles) else "showers in memory"


def _column(part: VoxelShowers, name: str) -> FloatArray:
    values = part.incident_energy if name == "incident_energy" else part.conditions[name]
    return np.asarray(values, float)


def _inside(low: float, high: float, band: tuple[float, float] | None) -> bool:
    return band is not None and band[0] <= low and high <= band[1]


def _deviations(curve: Compared, inside: NDArray[np.bool_]) -> Iterator[Deviation]:
    """Sum differences up over the bins inside and outside the band."""
    rows = (curve.reference, curve.reference_error, curve.generated, curve.generated_error)
    a, a_error, b, b_error = map(np.asarray, rows)
    square, noise = (b - a) ** 2, a_error**2 + b_error**2
    usable = np.isfinite(square) & (noise > 0)
    for place, mask in (("inside", inside & usable), ("outside", ~inside & usable)):
        bins = int(mask.sum())
        if not bins:
            continue
        weight = 1 / noise[mask]
        excess = float((weight @ square[mask] - bins) / weight.sum())
        sure = np.maximum(square[mask] - noise[mask], 0)
        spread = float(np.sqrt(4 * weight @ sure + 2 * bins) / weight.sum())
        size = np.sqrt(max(excess, 0.0))
        # the error of a root: that of the square over twice the root, unless the root vanishes
        error = spread / (2 * size) if size**2 > spread else np.sqrt(spread)
        pull = float(np.sqrt((square[mask] / noise[mask]).mean()))
        yield Deviation(curve.name, place, bins, float(size), float(error), pull)
