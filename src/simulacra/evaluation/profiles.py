"""Mean showers along depth and radius, response and resolution: profiles of both samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Geometry
from .averages import weighted_mean
from .correlation import correlation_score, layer_correlation
from .observables import Observable, ShowerObservables, ring_edges, shower_observables
from .observables.physics import depths
from .response import linearity, resolution, response_scores
from .verdict import Matrix, Profile, Score
from .wording import quantity

__all__ = ["matrices", "physics_scores", "profiles"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


def profiles(reference: ShowerObservables, generated: ShowerObservables) -> tuple[Profile, ...]:
    """Return the profiles of two samples, with weights and errors.

    ``longitudinal``, ``radial``, for detectors of up to 10 layers ``radial/<layer>``, and, where
    the reference has more than one incident energy or enough showers to divide them,
    ``linearity`` and ``resolution``.

    Args:
        reference: the reference.
        generated: the generated showers, of the same detector.
    """
    return (
        _longitudinal(reference, generated),
        _radial(reference, generated),
        *_radial_in_layers(reference, generated),
        linearity(reference, generated),
        resolution(reference, generated),
    )


def matrices(reference: ShowerObservables, generated: ShowerObservables) -> tuple[Matrix, ...]:
    """Return the tables of two samples: correlations of the layers' energies.

    Args:
        reference: the reference.
        generated: the generated showers, of the same detector.
    """
    return (layer_correlation(reference, generated),)


def physics_scores(
    reference: ShowerObservables,
    generated: ShowerObservables,
    *,
    seed: int,
    independent: ShowerObservables | None = None,
) -> list[Score]:
    """Return single numbers on response, linearity, resolution and correlations, with floors.

    Args:
        reference: the reference.
        generated: the generated showers, of the same detector.
        seed: seed of the resamplings.
        independent: a second reference for the floor of the correlations; halves of the
            reference by default.
    """
    scores = response_scores(reference, generated)
    if len(reference.geometry.layers) > 1:
        scores.append(correlation_score(reference, generated, seed=seed, independent=independent))
    return scores


def _longitudinal(reference: ShowerObservables, generated: ShowerObservables) -> Profile:
    _, edges, unit = depths(reference.geometry)
    (a, a_error), (b, b_error) = (_layer_fractions(o) for o in (reference, generated))
    return Profile(
        name="longitudinal",
        label=r"$\langle E_\mathrm{layer} / E_\mathrm{tot} \rangle$",
        unit="",
        x_label="depth" if unit else "layer, from 0",
        x_unit=unit,
        edges=_numbers(edges),
        reference=_numbers(a),
        reference_error=_numbers(a_error),
        generated=_numbers(b),
        generated_error=_numbers(b_error),
        log_x=False,
        log_y=False,
        note=_moments(
            reference,
            generated,
            {
                "shower_depth": "mean depth",
                "depth_width": "width",
                "depth_skewness": "skewness",
            },
        ),
        cannot_see="how single showers differ from the mean one, and empty showers",
    )


def _layer_fractions(o: ShowerObservables) -> tuple[FloatArray, FloatArray]:
    energy = o.layer_energy.astype(np.float64)
    total = energy.sum(axis=1, keepdims=True)
    nowhere = np.full_like(energy, np.nan)
    return weighted_mean(np.divide(energy, total, out=nowhere, where=total > 0), o.weights)


def _radial(reference: ShowerObservables, generated: ShowerObservables) -> Profile:
    note = _moments(
        reference, generated, {"mean_radius": "mean radius", "radius_90": "radius of 90 %"}
    )
    if len({layer.r_edges for layer in reference.geometry.layers}) > 1:
        note += "; the energy of a ring is spread evenly over its radii"
    detector = reference.geometry
    edges = ring_edges(detector)
    a, b = (_by_radius(detector, edges, o.ring_energy, o.weights) for o in (reference, generated))
    return _rings("radial", "in all layers", detector, edges, a, b, note)


def _radial_in_layers(reference: ShowerObservables, generated: ShowerObservables) -> list[Profile]:
    found: list[Profile] = []
    if reference.layer_ring_energy.shape[1] == 0:
        return found
    first = 0
    for layer in reference.geometry.layers:
        number, edges = layer.identity, np.asarray(layer.r_edges)
        own = slice(first, first + layer.n_radius)
        first = own.stop
        a, b = (
            _by_radius(o.geometry, edges, o.layer_ring_energy[:, own], o.weights)
            for o in (reference, generated)
        )
        names = {f"centre_r/{number}": "mean radius", f"width_r/{number}": "width"}
        note = _moments(reference, generated, names)
        where = f"in layer {number}"
        found.append(_rings(f"radial/{number}", where, reference.geometry, edges, a, b, note))
    return found


def _by_radius(
    detector: Geometry, edges: FloatArray, rings: Array, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean energy per area of each ring in MeV/mm^2, and its error.

    Rings of rectangular cells cover no simple area, and none where a layer sees one direction only;
    their energy is divided by their width, in MeV/mm.
    """
    mean, error = weighted_mean(rings, weight)
    size = np.diff(edges) if detector.rectangular else np.pi * np.diff(edges**2)
    return mean / size, error / size


def _rings(
    name: str,
    where: str,
    detector: Geometry,
    edges: FloatArray,
    reference: tuple[FloatArray, FloatArray],
    generated: tuple[FloatArray, FloatArray],
    note: str,
) -> Profile:
    return Profile(
        name=name,
        label=f"mean energy per {'distance' if detector.rectangular else 'area'} {where}",
        unit="MeV/mm" if detector.rectangular else "MeV/mm$^2$",
        x_label="distance of the cell's centre" if detector.rectangular else "radius",
        x_unit="mm",
        edges=_numbers(edges),
        reference=_numbers(reference[0]),
        reference_error=_numbers(reference[1]),
        generated=_numbers(generated[0]),
        generated_error=_numbers(generated[1]),
        log_x=False,
        log_y=True,
        note=note,
        cannot_see="angles, and how single showers differ from the mean one",
    )


def _moments(
    reference: ShowerObservables, generated: ShowerObservables, names: dict[str, str]
) -> str:
    """Say the mean over the showers of some observables, for both samples."""
    declared = {o.name: o for o in shower_observables(reference.geometry)}
    said = []
    for name, words in names.items():
        a, b = (_mean(declared[name], o) for o in (reference, generated))
        said.append(f"{words}: {b}, reference {a}")
    return "; ".join(said)


def _mean(observable: Observable, o: ShowerObservables) -> str:
    mean, error = weighted_mean(observable.values(o), o.weights)
    return quantity(float(mean), float(error), observable.unit)


def _numbers(values: Array) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())
