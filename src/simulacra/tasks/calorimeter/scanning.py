"""One condition varied, everything else kept: whether showers follow it, and between those seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...data import JoinedFiles, ShowerFile, VoxelShowers
from ...errors import ConfigError, RangeError, UnknownNameError
from .comparing import interpolation
from .following import Quantity, distance, followed, mean_and_error
from .scan_result import Curve, Monotonicity, Scan, Smoothness
from .surrogate import Surrogate

__all__ = ["CONDITIONS", "Condition", "column_of", "left_out", "particles_of", "scan"]

FloatArray = NDArray[np.float64]

Condition = Literal["energy", "theta", "phi", "x", "y", "particle"]
CONDITIONS: tuple[str, ...] = get_args(Condition)
"""What can be varied."""

_COLUMNS = {"energy": "incident_energy", "particle": "pdg"}
_UNITS = {"energy": "MeV", "theta": "rad", "phi": "rad", "x": "mm", "y": "mm", "particle": ""}
_RISES = {
    "energy": "total energy",
    "x": "centre of gravity along x",
    "y": "centre of gravity along y",
}
_FEWEST, _MOST = 2, 1000


def scan(
    surrogate: Surrogate,
    vary: str,
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int = 11,
    at: Mapping[str, float] | None = None,
    showers: int = 200,
    fixed_noise: bool = False,
    seed: int = 0,
    reference: VoxelShowers | ShowerFile | JoinedFiles | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Scan:
    """Vary one condition of a model and follow what its showers do.

    With ``fixed_noise`` shower ``i`` has the same noise at every value, so that it moves with the
    condition alone; without, every value has showers of its own.

    Args:
        surrogate: the trained model.
        vary: one of ``energy``, ``theta``, ``phi``, ``x``, ``y``, ``particle``.
        low: first value in MeV, rad or mm; by default where the training began.
        high: last value; by default where the training ended.
        steps: number of values, equal in ratio for energies, in distance else; particles have as
            many values as the training had.
        at: the other conditions by the same names; by default the middle of the training's range
            (the geometric middle for the energy, the first one of the particles).
        showers: number of showers at every value.
        fixed_noise: see above.
        seed: identity of the noise.
        reference: independent showers of full simulation; the model draws one for each of their
            incident particles with the varied condition in the range, and means are compared in
            ``steps`` bins of it. The conditions ``at`` play no role there.
        workers: threads; they change nothing but time.
        progress: called with the number of values done so far.

    Raises:
        UnknownNameError: if there is no such condition.
        ConfigError: if the model does not depend on a condition that is named.
        RangeError: if the range is empty or outside the training's, the number of values or
            showers too small, or the reference has no showers in the range.
        OverlapError: if the reference shares showers with the training.
        ShapeError: if the reference is of another detector.
    """
    _refuse_nonsense(surrogate, vary, [*(at or {})], steps, showers)
    values = _values(surrogate, vary, low, high, steps)
    others = _others(surrogate, vary, at or {})
    band = left_out(surrogate, vary)
    follower = _Follower(fixed_noise and showers > 1)
    for number, value in enumerate(values):
        first = 0 if fixed_noise else number * showers
        table = {**others, vary: float(value)}
        drawn = _drawn(surrogate, table, showers, seed, first, workers)
        follower.add(drawn, vary, middle=number == len(values) // 2)
        if progress:
            progress(number + 1)
    compared = None
    if reference is not None:
        compared = interpolation(
            surrogate, reference, column_of(vary), values, band, seed=seed, workers=workers
        )
    ordered = fixed_noise and vary != "particle"
    return Scan(
        model=surrogate.config.name,
        digest=str(surrogate.manifest.get("digest", "")),
        condition=vary,
        unit=_UNITS[vary],
        values=tuple(float(value) for value in values),
        others=others,
        fixed_noise=fixed_noise,
        showers=showers,
        seed=seed,
        curves=follower.curves(),
        monotonicity=follower.monotonicity(vary) if ordered else None,
        smoothness=follower.smoothness() if ordered and showers > 1 else None,
        left_out=band,
        interpolation=compared,
        geometry=surrogate.geometry,
        slides=np.stack(follower.slides),
    )


def column_of(condition: str) -> str:
    """Return the name of a condition in files and manifests."""
    return _COLUMNS.get(condition, condition)


def left_out(surrogate: Surrogate, condition: str) -> tuple[float, float] | None:
    """Return the band of a condition that the training left out, None if there is none."""
    band = surrogate.manifest["validity"].get("left_out", {}).get(column_of(condition))
    return None if band is None else (float(band[0]), float(band[1]))


class _Follower:
    """Numbers of the showers of every value, and how far each shower moved from the one before."""

    def __init__(self, fixed_noise: bool) -> None:
        self.fixed_noise = fixed_noise
        self.found: list[dict[str, Quantity]] = []
        self.rising: list[FloatArray] = []
        self.steps: list[FloatArray] = []
        self.slides: list[NDArray[Any]] = []
        self.independent = float("nan")
        self._last: NDArray[Any] | None = None

    def add(self, drawn: VoxelShowers, vary: str, *, middle: bool) -> None:
        """Take the showers of the next value."""
        self.found.append(followed(drawn))
        self.slides.append(drawn.energies[0].copy())
        if not self.fixed_noise:
            return
        self.rising.append(_rising(drawn, self.found[-1], vary))
        if self._last is not None:
            self.steps.append(distance(self._last, drawn.energies))
        if middle:
            apart = distance(drawn.energies, np.roll(drawn.energies, 1, axis=0))
            self.independent = mean_and_error(apart)[0]
        self._last = drawn.energies

    def curves(self) -> tuple[Curve, ...]:
        """Return the mean of every quantity at every value."""
        curves = []
        for name, first in self.found[0].items():
            pairs = [mean_and_error(found[name].values) for found in self.found]
            values, errors = zip(*pairs, strict=True)
            curves.append(Curve(name, first.label, first.unit, values, errors))
        return tuple(curves)

    def monotonicity(self, vary: str) -> Monotonicity | None:
        """Return how often what has to rise does; None if nothing has to, or cannot be seen."""
        if vary not in _RISES or not self.rising or np.isnan(self.rising).all():
            return None
        up = np.diff(np.stack(self.rising), axis=0) > 0
        share = float(up.all(axis=0).mean())
        error = float(np.sqrt(share * (1 - share) / up.shape[1]))
        return Monotonicity(_RISES[vary], share, error, float(up.mean()))

    def smoothness(self) -> Smoothness | None:
        """Return how evenly showers change; None where they do not change at all."""
        steps = np.stack(self.steps)
        means = steps.mean(axis=0)
        moved = np.isfinite(means) & (means > 0)
        if moved.sum() < _FEWEST:
            return None
        largest = steps[:, moved].max(axis=0) / means[moved]
        return Smoothness(
            *mean_and_error(means), *mean_and_error(largest), float(largest.max()), self.independent
        )


def _rising(drawn: VoxelShowers, found: dict[str, Quantity], vary: str) -> FloatArray:
    """Return what has to rise with the condition, ``(events,)``."""
    if vary == "energy":
        total: FloatArray = drawn.energies.sum(axis=1, dtype=float)
        return total
    quantity = found.get(f"centre_{vary}")
    return np.full(len(drawn), np.nan) if quantity is None else quantity.values


def _drawn(
    surrogate: Surrogate,
    table: Mapping[str, float],
    showers: int,
    seed: int,
    first: int,
    workers: int,
) -> VoxelShowers:
    columns = {
        column_of(name): np.full(showers, value, np.float32) for name, value in table.items()
    }
    energy = columns.pop("incident_energy")
    return surrogate.sample(energy, columns, seed=seed, first_event=first, workers=workers)


def _values(
    surrogate: Surrogate, vary: str, low: float | None, high: float | None, steps: int
) -> FloatArray:
    """Return the values of the varied condition."""
    if vary == "particle":
        if low is not None or high is not None:
            raise ConfigError(
                "particle: has no range; all that the model was trained on are drawn."
            )
        return particles_of(surrogate)
    first, last = _range(surrogate, vary)
    first, last = (first if low is None else low), (last if high is None else high)
    if not first < last or (vary == "energy" and first <= 0):
        raise RangeError(
            f"{vary}: expected a range from low to high{' above 0' * (vary == 'energy')}, got "
            f"{first:g} to {last:g} {_UNITS[vary]}."
        )
    values = (
        np.geomspace(first, last, steps) if vary == "energy" else np.linspace(first, last, steps)
    )
    return np.asarray(values, float)


def particles_of(surrogate: Surrogate) -> FloatArray:
    """Return the numbers of the particles that a model was trained on, rising."""
    stated = surrogate.manifest["validity"].get("particles")
    numbers = stated if stated else surrogate.manifest["validity"]["ranges"]["pdg"]
    return np.unique(np.asarray(numbers, float))


def _others(surrogate: Surrogate, vary: str, at: Mapping[str, float]) -> dict[str, float]:
    """Return the conditions that are kept."""
    found = {}
    for name in _conditions(surrogate):
        if name == vary:
            continue
        if name in at:
            found[name] = float(at[name])
        elif name == "particle":
            found[name] = float(particles_of(surrogate)[0])
        else:
            low, high = _range(surrogate, name)
            found[name] = float(np.sqrt(low * high)) if name == "energy" else (low + high) / 2
    return found


def _range(surrogate: Surrogate, condition: str) -> tuple[float, float]:
    low, high = surrogate.manifest["validity"]["ranges"][column_of(condition)]
    return float(low), float(high)


def _conditions(surrogate: Surrogate) -> list[str]:
    """Return what a model depends on, by the names of :data:`CONDITIONS`."""
    names = {column: name for name, column in _COLUMNS.items()}
    return ["energy", *(names.get(column, column) for column in surrogate.config.conditions)]


def _refuse_nonsense(
    surrogate: Surrogate, vary: str, at: list[str], steps: int, showers: int
) -> None:
    known = _conditions(surrogate)
    for name in (vary, *at):
        if name not in CONDITIONS:
            raise UnknownNameError("condition", name, CONDITIONS)
        if name not in known:
            raise ConfigError(
                f"{name}: the model {surrogate.config.name} does not depend on it; it depends on "
                f"{', '.join(known)}."
            )
    if vary in at:
        raise ConfigError(f"{vary}: is varied and kept at a value at once; drop one of the two.")
    if not _FEWEST <= steps <= _MOST:
        raise RangeError(f"steps: expected {_FEWEST} to {_MOST} values, got {steps}.")
    if showers < _FEWEST:
        raise RangeError(f"showers: expected at least {_FEWEST} at every value, got {showers}.")
