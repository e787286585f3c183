"""What one pass leaves of each shower: layers, centres, widths, hits, rings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry
from ...errors import RangeError

__all__ = ["EPSILON", "ShowerObservables", "angular_layers", "ring_edges"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

EPSILON = 1e-16
"""Added to every layer energy (MeV) before dividing by it, as the challenge does."""

FEW_LAYERS = 10
"""Up to so many layers the rings of each layer are kept one by one."""


@dataclass(frozen=True, eq=False)
class ShowerObservables:
    r"""Numbers per shower, or per shower and layer, from which everything else is computed.

    With :math:`e_i` the energies of a layer's voxels, :math:`x_i` a coordinate of their centres
    (:math:`\eta = r \cos\alpha`, :math:`\phi = r \sin\alpha`, or :math:`r`, in mm) and
    :math:`\epsilon = 10^{-16}` MeV:

    .. math::
        \langle x^k \rangle = \frac{\sum_i x_i^k e_i}{\sum_i e_i + \epsilon}, \quad
        \text{centre} = \langle x \rangle, \quad
        \text{width} = \sqrt{\max(\langle x^2 \rangle - \langle x \rangle^2, 0)}

    An empty layer has centre and width 0. Centres and widths in eta and phi exist for the layers
    with more than one sector only (``angular``). Definitions: Krause et al., "CaloChallenge
    2022", 2024, arXiv:2410.21611. Energies keep the precision of the file, in which the
    challenge sums them: a file in float32 has sums that are rounded to 1e-7.

    Args:
        geometry: the detector.
        incident_energy: in MeV, shape ``(events,)``.
        total_energy: sum of all voxels in MeV, shape ``(events,)``.
        layer_energy: in MeV, shape ``(events, layers)``.
        hits: number of voxels of a layer that are not empty, int32, shape ``(events, layers)``.
        brightest: energy of the brightest voxel of each layer in MeV, shape ``(events, layers)``.
        second_brightest: energy of the one after it in MeV, shape ``(events, layers)``.
        centre_r: in mm, float64, shape ``(events, layers)``.
        width_r: in mm, float64, shape ``(events, layers)``.
        centre_eta: in mm, float64, shape ``(events, angular)``.
        centre_phi: in mm, float64, shape ``(events, angular)``.
        width_eta: in mm, float64, shape ``(events, angular)``.
        width_phi: in mm, float64, shape ``(events, angular)``.
        harmonic_cos: mean cos(alpha), weighted with the energy, float32,
            shape ``(events, angular)``; 0 in an empty layer.
        harmonic_sin: mean sin(alpha), likewise.
        ring_energy: energy in MeV between consecutive :func:`ring_edges`, all layers together,
            float32, shape ``(events, rings)``; a voxel's energy is spread evenly over its radii.
        layer_ring_energy: energy in MeV of each layer's own rings, one layer after the other,
            float32, shape ``(events, rings of all layers)``; ``(events, 0)`` for more than
            10 layers.
        weight: event weights, shape ``(events,)``; None where the file has none.
        conditions: further conditions by name, shape ``(events,)``, see ``CONDITIONS``.
    """

    geometry: Geometry
    incident_energy: Array
    total_energy: Array
    layer_energy: Array
    hits: NDArray[np.int32]
    brightest: Array
    second_brightest: Array
    centre_r: FloatArray
    width_r: FloatArray
    centre_eta: FloatArray
    centre_phi: FloatArray
    width_eta: FloatArray
    width_phi: FloatArray
    harmonic_cos: NDArray[np.float32]
    harmonic_sin: NDArray[np.float32]
    ring_energy: NDArray[np.float32]
    layer_ring_energy: NDArray[np.float32]
    weight: FloatArray | None = None
    conditions: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.incident_energy)

    @property
    def sparsity(self) -> FloatArray:
        """Fraction of a layer's voxels that are empty, shape ``(events, layers)``."""
        return 1 - self.hits / np.diff(self.geometry.boundaries)

    @property
    def brightest_voxel(self) -> Array:
        """Largest voxel energy in MeV, shape ``(events,)``."""
        return np.asarray(self.brightest.max(axis=1))

    @property
    def weights(self) -> FloatArray:
        """Event weights, shape ``(events,)``, ones where there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def select(self, which: slice | Array | Sequence[int]) -> ShowerObservables:
        """Return the rows picked by a slice, a mask or indices, in that order."""
        return ShowerObservables(
            geometry=self.geometry,
            **{name: getattr(self, name)[which] for name in _ARRAYS},
            weight=None if self.weight is None else self.weight[which],
            conditions={name: array[which] for name, array in self.conditions.items()},
        )

    @classmethod
    def concatenate(cls, parts: Iterable[ShowerObservables]) -> ShowerObservables:
        """Join the observables of consecutive tiles; conditions that all of them have are kept.

        Raises:
            RangeError: if there is no part.
        """
        parts = list(parts)
        if not parts:
            raise RangeError("expected at least one shower to observe, got none.")
        weighted = any(part.weight is not None for part in parts)
        shared = [n for n in parts[0].conditions if all(n in part.conditions for part in parts)]
        return cls(
            geometry=parts[0].geometry,
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS},
            weight=np.concatenate([part.weights for part in parts]) if weighted else None,
            conditions={n: np.concatenate([part.conditions[n] for part in parts]) for n in shared},
        )


_ARRAYS = tuple(
    name
    for name in ShowerObservables.__dataclass_fields__
    if name not in ("geometry", "weight", "conditions")
)


def angular_layers(geometry: Geometry) -> tuple[int, ...]:
    """Return the positions of the layers that have more than one sector, or one cell."""
    return tuple(i for i, layer in enumerate(geometry.layers) if layer.sees)


def ring_edges(geometry: Geometry) -> FloatArray:
    """Return the radial edges of all layers together in mm, increasing, shape ``(rings + 1,)``."""
    return np.unique(np.concatenate([np.asarray(layer.r_edges) for layer in geometry.layers]))
