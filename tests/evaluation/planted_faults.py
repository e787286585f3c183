"""Faults as they happen, planted into showers of a full simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulacra.data import VoxelShowers


def changed(showers, energies):
    return replace(showers, energies=energies.astype(showers.energies.dtype), provenance={})


def turned(showers, layer=2):
    """One layer turned by one sector against the others."""
    energies = showers.energies.copy()
    part, n_alpha = _layer(showers, layer)
    image = energies[:, part].reshape(len(energies), n_alpha, -1)
    energies[:, part] = np.roll(image, 1, axis=1).reshape(len(energies), -1)
    return changed(showers, energies)


def reversed_radius(showers, layer=1):
    """The radial order of one layer reversed."""
    energies = showers.energies.copy()
    part, n_alpha = _layer(showers, layer)
    image = energies[:, part].reshape(len(energies), n_alpha, -1)
    energies[:, part] = image[:, :, ::-1].reshape(len(energies), -1)
    return changed(showers, energies)


def scaled(showers, layer=2, factor=1.02):
    """One layer scaled by 2 %."""
    energies = showers.energies.copy()
    energies[:, _layer(showers, layer)[0]] *= factor
    return changed(showers, energies)


def copied(showers, training, share=0.01):
    """One in a hundred showers copied from the training."""
    rows = np.random.default_rng(1).permutation(len(showers))[: round(share * len(showers))]
    energies, incident = showers.energies.copy(), showers.incident_energy.copy()
    energies[rows] = training.energies[: len(rows)]
    incident[rows] = training.incident_energy[: len(rows)]
    return replace(showers, energies=energies, incident_energy=incident, provenance={})


def without_energies(showers, low=8e3, high=1.2e4):
    """One range of incident energies missing."""
    kept = (showers.incident_energy < low) | (showers.incident_energy > high)
    return replace(showers.select(np.flatnonzero(kept)), provenance={})


def noisy(showers, voxels=1):
    """Some voxels of each shower just above the threshold."""
    rng = np.random.default_rng(2)
    energies = showers.energies.copy()
    rows = np.arange(len(energies))
    for _ in range(voxels):
        columns = rng.integers(0, energies.shape[1], len(energies))
        energies[rows, columns] += showers.geometry.threshold * rng.uniform(1.01, 2, len(energies))
    return changed(showers, energies)


def widened(showers, share=0.05):
    """The resolution widened by 5 %, slice by slice of incident energy."""
    response = showers.energies.sum(axis=1) / showers.incident_energy
    order = np.argsort(showers.incident_energy, kind="stable")
    factor = np.ones(len(order))
    for rows in np.array_split(order, 20):
        mean = response[rows].mean()
        factor[rows] = (mean + (1 + share) * (response[rows] - mean)) / response[rows]
    return changed(showers, showers.energies * factor[:, None])


def _layer(showers: VoxelShowers, identity: int):
    geometry = showers.geometry
    position = [layer.identity for layer in geometry.layers].index(identity)
    return geometry.slices[position], geometry.layers[position].n_alpha
