"""What classifiers are shown: features per shower, in the order of those who published them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Geometry, VoxelShowers
from ...errors import UnknownNameError
from ...units import GeV
from .showers import EPSILON, ShowerObservables, angular_layers

__all__ = [
    "INPUTS",
    "calogan_inputs",
    "calogan_normed_inputs",
    "high_level_inputs",
    "high_level_names",
    "image_shape",
    "input_features",
    "low_level_inputs",
    "low_level_normed_inputs",
]

Array = NDArray[Any]
FloatRows = NDArray[np.float32]

_SMALLEST = 1e-8  # added to energies before their logarithm, in the unit of the logarithm
_CALOGAN_UNIT = 100 * GeV


def low_level_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> FloatRows:
    """Return what the low-level classifier sees, and the residual network as an image.

    Krause et al., "CaloChallenge 2022", 2024, arXiv:2410.21611.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are set to zero.

    Returns:
        log10 of the incident energy in MeV, then each voxel's energy over the incident energy,
        shape ``(events, 1 + voxels)``. Nothing is standardised, as in the challenge.
    """
    inputs = np.empty((len(showers), 1 + showers.geometry.voxels), np.float32)
    inputs[:, 0] = np.log10(showers.incident_energy.astype(np.float64))
    np.divide(
        _kept(showers, threshold),
        showers.incident_energy[:, None],
        out=inputs[:, 1:],
        casting="same_kind",
    )
    return inputs


def low_level_normed_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> FloatRows:
    r"""Return what the challenge's classifier of normalised layers sees.

    .. math::
        \log_{10} E_\mathrm{inc},\ \frac{e_i}{E_\ell + 10^{-16}},\ \log_{10}(E_\ell + 10^{-8})

    The challenge's program cuts voxels at the threshold for the layer energies but not for the
    voxels that it divides by them: there, a layer whose voxels are all below the threshold is
    divided by 1e-16. Here both are cut, so the numbers differ where voxels lie between zero and
    the threshold and agree elsewhere.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are set to zero.

    Returns:
        Shape ``(events, 1 + voxels + layers)``.
    """
    shares, layers = _layer_shares(showers, threshold)
    return np.concatenate(
        [
            np.log10(showers.incident_energy.astype(np.float64))[:, None].astype(np.float32),
            shares,
            np.log10(layers + _SMALLEST).astype(np.float32),
        ],
        axis=1,
    )


def calogan_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> FloatRows:
    r"""Return what the CaloFlow papers show their classifier, without normalisation.

    .. math::
        \log_{10}\frac{E_\mathrm{inc}}{10\,\mathrm{GeV}},\
        \frac{e_i}{100\,\mathrm{GeV}},\
        \log_{10}\left(\frac{E_\ell}{100\,\mathrm{GeV}} + 10^{-8}\right) + 2

    C. Krause, D. Shih, "CaloFlow: Fast and Accurate Generation of Calorimeter Showers with
    Normalizing Flows", 2021, arXiv:2106.05285, whose program puts the incident energy after the
    voxels; a perceptron does not mind.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are set to zero; the papers cut at 0.01 MeV.

    Returns:
        Shape ``(events, 1 + voxels + layers)``.
    """
    kept = _kept(showers, threshold)
    return _calogan(showers, kept / _CALOGAN_UNIT, _layer_sums(kept, showers.geometry))


def calogan_normed_inputs(showers: VoxelShowers, *, threshold: float = 0.0) -> FloatRows:
    """Return what the CaloFlow papers show their classifier, each layer normalised to one.

    As :func:`calogan_inputs`, with voxels over their layer's energy plus 1e-16 MeV.

    Args:
        showers: the showers, in MeV.
        threshold: voxels below it (MeV) are set to zero; the papers cut at 0.01 MeV.

    Returns:
        Shape ``(events, 1 + voxels + layers)``.
    """
    return _calogan(showers, *_layer_shares(showers, threshold))


INPUTS: dict[str, Callable[..., FloatRows]] = {
    "low_level": low_level_inputs,
    "low_level_normed": low_level_normed_inputs,
    "resnet": low_level_inputs,
    "calogan": calogan_inputs,
    "calogan_normed": calogan_normed_inputs,
}
"""What is made from voxels, by name; ``high_level`` is made from observables."""


def input_features(kind: str, geometry: Geometry) -> int:
    """Return the number of features of a kind of inputs.

    Raises:
        UnknownNameError: if there is no such kind.

    Example:
        >>> from simulacra.data import geometry
        >>> input_features("low_level_normed", geometry("calochallenge-1-photons"))
        374
    """
    if kind == "high_level":
        return len(high_level_names(geometry))
    if kind not in INPUTS:
        raise UnknownNameError("kind of classifier inputs", kind, [*INPUTS, "high_level"])
    plain = kind in ("low_level", "resnet")
    return 1 + geometry.voxels + (0 if plain else len(geometry.layers))


def image_shape(kind: str, geometry: Geometry) -> tuple[int, int, int] | None:
    """Return the shape of the voxels as an image for the kinds that need one, else None.

    Raises:
        RangeError: if the layers of the geometry differ, so that there is no image.
    """
    return geometry.shape if kind == "resnet" else None


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
            np.log10(o.layer_energy + _SMALLEST),
            o.centre_eta / 100,
            o.centre_phi / 100,
            o.width_eta / 100,
            o.width_phi / 100,
            np.log10(o.total_energy + _SMALLEST),
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


def _kept(showers: VoxelShowers, threshold: float) -> Array:
    return np.where(showers.energies >= threshold, showers.energies, 0)


def _layer_sums(kept: Array, geometry: Geometry) -> NDArray[np.float64]:
    return np.column_stack([kept[:, s].sum(axis=1, dtype=np.float64) for s in geometry.slices])


def _layer_shares(showers: VoxelShowers, threshold: float) -> tuple[FloatRows, Array]:
    """Return each voxel's share of its layer's energy, and the layers' energies in MeV."""
    kept, slices = _kept(showers, threshold), showers.geometry.slices
    layers = _layer_sums(kept, showers.geometry)
    shares = np.empty(kept.shape, np.float32)
    for energy, part in zip(layers.T, slices, strict=True):
        np.divide(
            kept[:, part], energy[:, None] + EPSILON, out=shares[:, part], casting="same_kind"
        )
    return shares, layers


def _calogan(showers: VoxelShowers, voxels: Array, layers: Array) -> FloatRows:
    incident = showers.incident_energy.astype(np.float64)[:, None]
    columns = (
        np.log10(incident / (_CALOGAN_UNIT / 10)),
        voxels,
        np.log10(layers / _CALOGAN_UNIT + _SMALLEST) + 2,
    )
    return np.concatenate([column.astype(np.float32) for column in columns], axis=1)
