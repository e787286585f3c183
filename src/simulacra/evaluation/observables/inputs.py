"""What the classifiers of the challenge are shown: features per shower, in its order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, VoxelShowers
from .showers import ShowerObservables, angular_layers

__all__ = ["high_level_inputs", "high_level_names", "low_level_inputs"]

Array = NDArray[Any]


def low_level_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> NDArray[np.float32]:
    """Return what the low-level classifier sees.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are set to zero.

    Returns:
        log10 of the incident energy in MeV, then each voxel's energy over the incident energy,
        shape ``(events, 1 + voxels)``. Nothing is standardised, as in the challenge.
    """
    inputs = np.empty((len(showers), 1 + showers.geometry.voxels), np.float32)
    inputs[:, 0] = np.log10(showers.incident_energy.astype(np.float64))
    kept = np.where(showers.energies >= threshold, showers.energies, 0)
    np.divide(kept, showers.incident_energy[:, None], out=inputs[:, 1:], casting="same_kind")
    return inputs


def high_level_inputs(observables: ShowerObservables) -> NDArray[np.float64]:
    r"""Return what the high-level classifier sees.

    .. math::
        \log_{10} E_\mathrm{inc},\ \log_{10}(E_\ell + 10^{-8}),\ \frac{c_\eta}{100},\
        \frac{c_\phi}{100},\ \frac{w_\eta}{100},\ \frac{w_\phi}{100},\
        \log_{10}(E_\mathrm{tot} + 10^{-8}),\ \text{sparsity}_\ell,\ \frac{c_r}{100},\
        \frac{w_r}{100}

    with energies in MeV, centres c and widths w in mm. Krause et al., "CaloChallenge 2022",
    2024, arXiv:2410.21611.

    Returns:
        Shape ``(events, features)``, with 30 features for the challenge's photons, 46 for its
        pions and 362 for its data sets 2 and 3; named by :func:`high_level_names`.
    """
    o = observables
    return np.column_stack(
        [
            np.log10(o.incident_energy),
            np.log10(o.layer_energy + 1e-8),
            o.centre_eta / 100,
            o.centre_phi / 100,
            o.width_eta / 100,
            o.width_phi / 100,
            np.log10(o.total_energy + 1e-8),
            o.sparsity,
            o.centre_r / 100,
            o.width_r / 100,
        ]
    )


def high_level_names(geometry: Geometry) -> tuple[str, ...]:
    """Return the name of each column of :func:`high_level_inputs`.

    Example:
        >>> from simulacra.data import geometry
        >>> len(high_level_names(geometry("calochallenge-1-photons")))
        30
    """
    every = [layer.identity for layer in geometry.layers]
    angular = [every[i] for i in angular_layers(geometry)]
    families = {"layer_energy": every}
    families |= dict.fromkeys(("centre_eta", "centre_phi", "width_eta", "width_phi"), angular)
    rest = dict.fromkeys(("sparsity", "centre_r", "width_r"), every)
    return (
        "incident_energy",
        *(f"{family}/{layer}" for family, layers in families.items() for layer in layers),
        "total_energy",
        *(f"{family}/{layer}" for family, layers in rest.items() for layer in layers),
    )
