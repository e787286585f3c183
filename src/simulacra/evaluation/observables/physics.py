"""What the challenge does not look at: emptiness, hits, depth, radius, bright voxels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry
from .observable import Observable, log_bins
from .showers import ShowerObservables, ring_edges

__all__ = ["PHYSICS_FAMILIES", "depths", "physics_observables", "radius_within"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
Values = Callable[[ShowerObservables], Array]
Bins = Callable[[float, float], FloatArray]

PHYSICS_FAMILIES = (
    "empty_layer",
    "hits",
    "total_hits",
    "layer_fraction",
    "depth_weighted_energy",
    "deepest_layer",
    "shower_depth",
    "depth_width",
    "depth_skewness",
    "mean_radius",
    "radial_width",
    "radius_90",
    "brightest_fraction",
    "layer_brightest_fraction",
    "layer_brightest_contrast",
)
"""Names of the quantities that the challenge does not look at."""


def physics_observables(detector: Geometry) -> tuple[Observable, ...]:
    r"""Return the observables of a detector that the challenge does not look at.

    With the energies :math:`E_k` of the layers in order of depth (k = 0, 1, ...) and their
    depths :math:`z_k`:

    .. math::
        l_d = \sum_k k E_k, \quad
        \langle z \rangle = \frac{\sum_k z_k E_k}{E_\mathrm{tot}}, \quad
        \sigma_z^2 = \frac{\sum_k (z_k - \langle z \rangle)^2 E_k}{E_\mathrm{tot}}, \quad
        \gamma_z = \frac{\sum_k (z_k - \langle z \rangle)^3 E_k}{\sigma_z^3 E_\mathrm{tot}}, \quad
        \frac{E_1 - E_2}{E_1 + E_2}

    the last one for the two brightest voxels of a layer. Showers for which a quantity is not
    defined (those of an empty layer, say) do not take part. After M. Paganini, L. de Oliveira,
    B. Nachman, "CaloGAN", 2017, arXiv:1712.10321, and C. Krause, D. Shih, "CaloFlow", 2021,
    arXiv:2106.05285.
    """
    layers = [
        observable
        for make in (_empty, _hits, _fraction, _brightest, _contrast)
        for observable in make(detector)
    ]
    every = [*_whole_shower(detector), *layers]
    return tuple(o for family in PHYSICS_FAMILIES for o in every if o.family == family)


def depths(detector: Geometry) -> tuple[FloatArray, FloatArray, str]:
    """Return how deep the layers lie.

    Returns:
        Centres, shape ``(layers,)``, edges, shape ``(layers + 1,)``, and their unit: mm where
        the geometry states its depths and they do not overlap; else the layers' places from 0,
        without unit.
    """
    low = np.array([layer.z_min for layer in detector.layers])
    high = np.array([layer.z_max for layer in detector.layers])
    edges = np.append(low, high[-1])
    if np.isfinite(low + high).all() and (np.diff(edges) > 0).all():
        return detector.z_centres, edges, "mm"
    places = np.arange(len(low), dtype=np.float64)
    return places, np.arange(len(low) + 1, dtype=np.float64) - 0.5, ""


def radius_within(observables: ShowerObservables, fraction: float = 0.9) -> FloatArray:
    """Return the radius that holds a fraction of a shower's energy.

    Linear between the edges of the rings.

    Args:
        observables: of the showers.
        fraction: between 0 and 1.

    Returns:
        In mm, shape ``(events,)``; nan for an empty shower.
    """
    edges = ring_edges(observables.geometry)
    sums = np.cumsum(observables.ring_energy, axis=1, dtype=np.float64)
    wanted = fraction * sums[:, -1]
    ring = np.argmax(sums >= wanted[:, None], axis=1)
    rows = np.arange(len(sums))
    above = sums[rows, ring]
    below = np.where(ring > 0, sums[rows, ring - 1], 0)
    part = _ratio(wanted - below, above - below)
    radius: FloatArray = edges[ring] + part * (edges[ring + 1] - edges[ring])
    return radius


def _ratio(a: Array, b: Array) -> FloatArray:
    """Return a / b in float64, nan where b is not above 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    nowhere = np.full(np.broadcast(a, b).shape, np.nan)
    quotient: FloatArray = np.divide(a, b, out=nowhere, where=b > 0)
    return quotient


def _share(part: Array, whole: Array) -> FloatArray:
    """Return part / whole; sums in single precision may be smaller than their largest term."""
    return np.minimum(_ratio(part, whole), 1)


def _mean(energies: Array, position: Array) -> FloatArray:
    """Return the energy-weighted mean over the last axis; nan without energy."""
    double = energies.astype(np.float64)
    return _ratio((double * position).sum(axis=-1), double.sum(axis=-1))


def _depth_moments(o: ShowerObservables) -> tuple[FloatArray, FloatArray, FloatArray]:
    z = depths(o.geometry)[0]
    mean = _mean(o.layer_energy, z)
    from_mean = z - mean[:, None]
    variance = _mean(o.layer_energy, from_mean**2)
    width = np.sqrt(variance)
    width[width < 1e-6 * (1 + np.ptp(z))] = 0
    return mean, width, _ratio(_mean(o.layer_energy, from_mean**3), width**3)


def _mean_radius(o: ShowerObservables) -> FloatArray:
    return _mean(o.layer_energy, o.centre_r)


def _radial_width(o: ShowerObservables) -> FloatArray:
    square = _mean(o.layer_energy, o.centre_r**2 + o.width_r**2)
    return np.sqrt(np.maximum(square - _mean_radius(o) ** 2, 0))


def _deepest(o: ShowerObservables) -> FloatArray:
    filled = o.hits > 0
    place = filled.shape[1] - 1.0 - np.argmax(filled[:, ::-1], axis=1)
    return np.where(filled.any(axis=1), place, np.nan)


def _linear(low: float, high: float, bins: int) -> Bins:
    return lambda _largest, _threshold: np.linspace(low, high, bins + 1)


def _to_largest(bins: int) -> Bins:
    def edges(largest: float, _threshold: float) -> FloatArray:
        return np.linspace(0, largest if largest > 0 else 1.0, bins + 1)

    return edges


def _counts(largest: float, bins: int = 100) -> FloatArray:
    """Return edges halfway between whole numbers from 0 to beyond ``largest``."""
    step = max(1, -(-(int(largest) + 1) // bins))
    return np.arange(0, int(largest) + 1 + step, step, dtype=np.float64) - 0.5


def _whole_shower(detector: Geometry) -> list[Observable]:
    z, z_edges, unit = depths(detector)
    layers, half = len(detector.layers), max(float(np.ptp(z)) / 2, 0.5)
    far = float(ring_edges(detector)[-1])
    near = float(detector.radius[detector.radius > 1e-6 * far].min(initial=far)) / 2
    place = np.arange(layers)
    return [
        _of_shower("total_hits", "voxels that are not empty", "",
            lambda o: o.hits.sum(axis=1), lambda largest, _: _counts(1.1 * largest),
            "which voxels are filled, and with what"),
        _of_shower("depth_weighted_energy", r"$l_d = \sum_k k\,E_k$", "MeV",
            lambda o: (o.layer_energy.astype(np.float64) * place).sum(axis=1),
            lambda largest, threshold: log_bins(largest, threshold, 40),
            "depth and energy apart from each other; showers that end in the first layer",
            log_x=True),
        _of_shower("deepest_layer", "deepest layer with energy, from 0", "",
            _deepest, _linear(-0.5, layers - 0.5, layers),
            "how much energy arrives there; empty showers"),
        _of_shower("shower_depth", r"$\langle z \rangle$", unit,
            lambda o: _depth_moments(o)[0], _linear(z_edges[0], z_edges[-1], 100),
            "how far around its mean depth a shower reaches; empty showers"),
        _of_shower("depth_width", r"$\sigma_z$", unit,
            lambda o: _depth_moments(o)[1], _linear(0, half, 100),
            "where the shower starts, and tails that leave the second moment alone"),
        _of_shower("depth_skewness", r"skewness of the depth", "",
            lambda o: _depth_moments(o)[2], _linear(-5, 5, 100),
            "where the shower lies and how long it is; showers in a single layer"),
        _of_shower("mean_radius", r"$\langle r \rangle$", "mm",
            _mean_radius, lambda _largest, _threshold: log_bins(far, near, 61),
            "depth and angle of the energy; empty showers", log_x=True),
        _of_shower("radial_width", r"$\sigma_r$", "mm", _radial_width, _to_largest(100),
            "depth and angle of the energy; empty showers"),
        _of_shower("radius_90", r"$r_{90}$", "mm",
            radius_within, lambda _largest, _threshold: log_bins(far, near, 61),
            "everything but one radius; empty showers", log_x=True),
        _of_shower("brightest_fraction", r"$E_\mathrm{brightest} / E_\mathrm{tot}$", "",
            lambda o: _share(o.brightest_voxel, o.total_energy), _linear(0, 1, 100),
            "where the brightest voxel lies, and all other voxels"),
    ]  # fmt: skip


def _of_shower(
    family: str,
    label: str,
    unit: str,
    values: Values,
    bins: Bins,
    cannot_see: str,
    *,
    log_x: bool = False,
) -> Observable:
    return Observable(family, family, label, unit, None, values, bins, log_x, True, cannot_see)


def _of_layers(
    detector: Geometry,
    family: str,
    label: str,
    values: Callable[..., Array],
    bins: Callable[[int], Bins],
    cannot_see: str,
) -> list[Observable]:
    """Return one observable per layer; ``{0}`` in the label is the layer's number."""
    return [
        Observable(
            name=f"{family}/{layer.identity}",
            family=family,
            label=label.format(layer.identity),
            unit="",
            layer=layer.identity,
            values=partial(values, place=place),
            bins=bins(place),
            log_x=False,
            log_y=True,
            cannot_see=cannot_see,
        )
        for place, layer in enumerate(detector.layers)
    ]


def _empty(detector: Geometry) -> list[Observable]:
    return _of_layers(
        detector,
        "empty_layer",
        "layer {0} is empty",
        lambda o, place: (o.hits[:, place] == 0).astype(np.float64),
        lambda _: _linear(-0.5, 1.5, 2),
        "everything but whether a voxel of the layer is above the threshold",
    )


def _hits(detector: Geometry) -> list[Observable]:
    return _of_layers(
        detector,
        "hits",
        "filled voxels of layer {0}",
        lambda o, place: o.hits[:, place],
        lambda place: lambda _largest, _threshold: _counts(detector.layers[place].voxels),
        "which voxels are filled, and with what",
    )


def _fraction(detector: Geometry) -> list[Observable]:
    return _of_layers(
        detector,
        "layer_fraction",
        r"$E_{{{0}}} / E_\mathrm{{tot}}$",
        lambda o, place: _share(o.layer_energy[:, place], o.total_energy),
        lambda _: _to_largest(50),
        "the total energy, and how the layers go together; empty showers",
    )


def _brightest(detector: Geometry) -> list[Observable]:
    return _of_layers(
        detector,
        "layer_brightest_fraction",
        r"$E_\mathrm{{brightest}} / E_{{{0}}}$",
        lambda o, place: _share(o.brightest[:, place], o.layer_energy[:, place]),
        lambda _: _linear(0, 1, 50),
        "where in the layer the brightest voxel lies; showers without energy in the layer",
    )


def _contrast(detector: Geometry) -> list[Observable]:
    def values(o: ShowerObservables, place: int) -> Array:
        first, second = (e[:, place].astype(np.float64) for e in (o.brightest, o.second_brightest))
        return _ratio(first - second, first + second)

    return _of_layers(
        detector,
        "layer_brightest_contrast",
        r"$(E_1 - E_2) / (E_1 + E_2)$ in layer {0}",
        values,
        lambda _: _linear(0, 1, 50),
        "where the two brightest voxels lie, and all others; showers without energy in the layer",
    )
