"""Toy showers in the built-in geometries, with energies that look like the real thing."""

from __future__ import annotations

from simulacra.data import ToyShowers, VoxelShowers, geometry


def ring_showers(
    name: str = "calochallenge-1-photons", events: int = 20, seed: int = 1
) -> VoxelShowers:
    """Showers in a built-in geometry with conditions that look like the real thing."""
    return ToyShowers(geometry(name), concentration=100.0).log_uniform(events, seed=seed)
