"""What a scan follows: one number per shower and quantity, and how far two showers are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, VoxelShowers

__all__ = ["Quantity", "distance", "followed", "mean_and_error"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quantity:
    """One number of each of some showers.

    Args:
        name: ``response``, ``fraction/LAYER``, ``depth``, ``centre_x``, ``width_y``, ...
        label: what it is, for people.
        unit: empty for what is dimensionless.
        values: shape ``(events,)``; nan where a shower does not have it.
    """

    name: str
    label: str
    unit: str
    values: FloatArray


def followed(showers: VoxelShowers) -> dict[str, Quantity]:
    r"""Return the quantities of showers by name.

    With :math:`e_i` the voxel energies, :math:`x_i` the centres of the voxels:

    * ``response``: :math:`\sum_i e_i / E_\text{inc}`;
    * ``fraction/LAYER``: a layer's share of the energy of all voxels;
    * ``depth``: the layers' numbers from 0, averaged with their energies;
    * ``centre_x``, ``centre_y``: :math:`\langle x \rangle = \sum_i e_i x_i / \sum_i e_i` in mm,
      over the layers that are divided in that direction;
    * ``width_x``, ``width_y``: :math:`\sqrt{\langle x^2 \rangle - \langle x \rangle^2}` in mm.

    Nothing here sees how the energy is shared out within a layer beyond its first two moments.
    """
    geometry, energies = showers.geometry, showers.energies
    layers = np.stack([energies[:, part].sum(axis=1, dtype=float) for part in geometry.slices], 1)
    total = layers.sum(axis=1)
    found = [Quantity("response", "E_tot / E_inc", "", total / showers.incident_energy)]
    shares = _over(layers, total[:, None])
    for layer, share in zip(geometry.layers, shares.T, strict=True):
        name = f"layer {layer.identity}"
        found.append(
            Quantity(f"fraction/{layer.identity}", f"share of the energy in {name}", "", share)
        )
    depth = shares @ np.arange(len(geometry.layers))
    found.append(Quantity("depth", "mean depth in layers, the first one 0", "layers", depth))
    for direction, places in (("x", geometry.eta), ("y", geometry.phi)):
        found += _moments(energies, geometry, direction, places)
    return {quantity.name: quantity for quantity in found}


def _moments(
    energies: Array, geometry: Geometry, direction: str, places: FloatArray
) -> list[Quantity]:
    """Return centre and width along a direction; none where no layer is divided that way."""
    sees = "eta" if direction == "x" else "phi"
    seen = np.repeat(
        [sees in layer.sees for layer in geometry.layers], np.diff(geometry.boundaries)
    )
    if not seen.any():
        return []
    part, places = energies[:, seen].astype(float), places[seen]
    total = part.sum(axis=1)
    mean = _over(part @ places, total)
    width = np.sqrt(np.maximum(_over(part @ places**2, total) - mean**2, 0))
    return [
        Quantity(f"centre_{direction}", f"centre of gravity along {direction}", "mm", mean),
        Quantity(f"width_{direction}", f"width along {direction}", "mm", width),
    ]


def distance(first: Array, second: Array) -> FloatArray:
    r"""Return how far the shapes of showers are apart, each from the one in the same row.

    .. math:: d = \frac12 \sum_i
        \left| \frac{e_i}{\sum_j e_j} - \frac{e'_i}{\sum_j e'_j} \right| \in [0, 1]

    The share of the energy that lies in other voxels: 0 for equal shapes, 1 where no voxel is
    filled in both, nan for an empty shower. It cannot see the total energy, nor how far apart
    voxels are.

    Args:
        first: voxel energies in MeV, ``(events, voxels)``.
        second: the same.

    Returns:
        Dimensionless, ``(events,)``.
    """
    one, other = (_over(e, e.sum(axis=1, dtype=float)[:, None]) for e in (first, second))
    return np.asarray(np.abs(one - other).sum(axis=1) / 2)


def mean_and_error(values: FloatArray, weight: FloatArray | None = None) -> tuple[float, float]:
    """Return the mean of what is not nan, and its standard error; nan for fewer than two values.

    Args:
        values: shape ``(events,)``.
        weight: event weights, ``(events,)``; may be negative.
    """
    kept = np.isfinite(values)
    w = np.ones(len(values)) if weight is None else np.asarray(weight, float)
    values, w = values[kept], w[kept]
    if len(values) < 2 or w.sum() <= 0:
        return float("nan"), float("nan")
    mean = float(w @ values / w.sum())
    spread = float(w**2 @ (values - mean) ** 2)
    return mean, float(np.sqrt(spread * len(values) / (len(values) - 1)) / w.sum())


def _over(above: Array, below: Array) -> FloatArray:
    """Divide; nan where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.where(below > 0, above / below, np.nan)
    return found
