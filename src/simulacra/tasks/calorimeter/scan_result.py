"""What a scan found: plain numbers with errors, as the file ``scan.json`` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry

__all__ = ["Compared", "Curve", "Deviation", "Interpolation", "Monotonicity", "Scan", "Smoothness"]

SCHEMA = 1


@dataclass(frozen=True)
class Curve:
    """The mean of a quantity at every value of the condition.

    Args:
        name: of the quantity, see :func:`~simulacra.tasks.calorimeter.following.followed`.
        label: what it is, for people.
        unit: empty for what is dimensionless.
        values: means, ``(steps,)``; nan where fewer than two showers have it.
        errors: standard errors. With fixed noise those of neighbours go up and down together.
    """

    name: str
    label: str
    unit: str
    values: tuple[float, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Monotonicity:
    """How often a quantity rises with the condition, shower by shower at fixed noise.

    It cannot see whether the quantity rises by the right amount.

    Args:
        what: the quantity.
        showers: share of showers that rise at every step.
        showers_error: its standard error.
        steps: share of all steps of all showers that rise.
    """

    what: str
    showers: float
    showers_error: float
    steps: float


@dataclass(frozen=True)
class Smoothness:
    """How evenly showers change with the condition, at fixed noise.

    Distances are those of shapes, see :func:`~simulacra.tasks.calorimeter.following.distance`. It
    cannot see the total energy, nor whether a shower changes in the right way.

    Args:
        step: mean distance of a shower from itself one step further.
        step_error: its standard error over showers.
        largest: largest step of a shower over its mean step, averaged over showers; near 1 for a
            shower that moves evenly, near the number of steps for one that jumps once.
        largest_error: its standard error over showers.
        worst: the largest of these ratios.
        independent: mean distance of two showers of different noise at the middle value.
    """

    step: float
    step_error: float
    largest: float
    largest_error: float
    worst: float
    independent: float


@dataclass(frozen=True)
class Compared:
    """Means of a quantity in bins of the condition: of a reference and of the model.

    Args:
        name: of the quantity.
        label: what it is, for people.
        unit: empty for what is dimensionless.
        reference: means, ``(bins,)``; nan where fewer than two showers have it.
        reference_error: standard errors.
        generated: means of the model's showers for the same incident particles.
        generated_error: standard errors.
    """

    name: str
    label: str
    unit: str
    reference: tuple[float, ...]
    reference_error: tuple[float, ...]
    generated: tuple[float, ...]
    generated_error: tuple[float, ...]

    @property
    def pulls(self) -> tuple[float, ...]:
        """Differences over their standard errors, ``(bins,)``."""
        rows = (self.reference, self.reference_error, self.generated, self.generated_error)
        a, a_error, b, b_error = map(np.asarray, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (b - a) / np.hypot(a_error, b_error)
        return tuple(float(pull) for pull in found)


@dataclass(frozen=True)
class Deviation:
    """How far the model is from a reference, over some bins.

    Args:
        name: of the quantity.
        place: ``inside`` the band that training left out, or ``outside``.
        bins: how many.
        size: root of the mean squared difference, weighted with the inverse squares of the
            errors, less what these explain, in the quantity's unit; 0 where they explain all.
        size_error: its standard error.
        pull: root mean square of the differences over their errors; 1 for a perfect model.
    """

    name: str
    place: str
    bins: int
    size: float
    size_error: float
    pull: float


@dataclass(frozen=True)
class Interpolation:
    """A reference beside the model, in bins of the condition.

    Args:
        reference: name of the file.
        events: showers of it that take part.
        edges: of the bins, in MeV, rad or mm, or the particles' numbers, ``(bins + 1,)``.
        inside: which bins lie in the band that training left out, ``(bins,)``.
        curves: the quantities.
        deviations: summed up over the bins inside and outside.
    """

    reference: str
    events: int
    edges: tuple[float, ...]
    inside: tuple[bool, ...]
    curves: tuple[Compared, ...]
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class Scan:
    """One condition varied, everything else kept.

    Args:
        model: the model's name.
        digest: of the model, where it was saved.
        condition: what was varied: energy, theta, phi, x, y or particle.
        unit: MeV, rad or mm; empty for particles.
        values: of the condition, ``(steps,)``.
        others: what the other conditions were, by name.
        fixed_noise: whether every shower had the same noise at all values.
        showers: at every value.
        seed: identity of the noise.
        curves: means at every value.
        monotonicity: with fixed noise, where something has to rise.
        smoothness: with fixed noise and an ordered condition.
        left_out: the band that training left out, low and high.
        interpolation: with a reference.
        geometry: the detector.
        slides: the first shower at every value in MeV, ``(steps, voxels)``; not in the file.
    """

    model: str
    digest: str
    condition: str
    unit: str
    values: tuple[float, ...]
    others: Mapping[str, float]
    fixed_noise: bool
    showers: int
    seed: int
    curves: tuple[Curve, ...]
    monotonicity: Monotonicity | None
    smoothness: Smoothness | None
    left_out: tuple[float, float] | None
    interpolation: Interpolation | None
    geometry: Geometry
    slides: NDArray[Any] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data without the slides; what is nan is None."""
        plain = {
            name: _plain(getattr(self, name))
            for name in self.__dataclass_fields__
            if name not in ("geometry", "slides")
        }
        if self.interpolation is not None:
            pulls = [_plain(one.pulls) for one in self.interpolation.curves]
            for curve, values in zip(plain["interpolation"]["curves"], pulls, strict=True):
                curve["pulls"] = values
        return {"schema": SCHEMA, **plain, "geometry": self.geometry.name}


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value
