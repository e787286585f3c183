"""Toy showers in closed form: every expectation value is known, for tests and documentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import RangeError
from .geometry import Geometry
from .layers import GridLayer, Layer
from .showers import VoxelShowers

__all__ = ["ToyShowers", "toy_geometry", "toy_grid"]

FloatArray = NDArray[np.float64]


def toy_geometry(
    layers: int = 3, n_alpha: int = 4, n_radius: int = 5, *, width: float = 10.0
) -> Geometry:
    """Return a small regular calorimeter.

    Args:
        layers: number of layers, each 20 mm deep.
        n_alpha: number of angular sectors.
        n_radius: number of rings.
        width: of a ring in mm.

    Example:
        >>> toy_geometry().shape
        (3, 4, 5)
    """
    edges = tuple(width * k for k in range(n_radius + 1))
    return Geometry(
        name=f"toy-{layers}x{n_alpha}x{n_radius}",
        particle="toy",
        pdg=0,
        layers=tuple(
            Layer(identity=i, r_edges=edges, n_alpha=n_alpha, z_min=20.0 * i, z_max=20.0 * (i + 1))
            for i in range(layers)
        ),
        threshold=0.01,
    )


def toy_grid(
    cells: tuple[tuple[int, int], ...] = ((2, 12), (4, 4), (4, 1)), *, width: float = 80.0
) -> Geometry:
    """Return a small detector of rectangular cells, layers of 20 mm, threshold 0.01 MeV.

    Args:
        cells: number of cells along x and y of each layer.
        width: side in mm of the square that the cells of a layer divide.

    Example:
        >>> toy_grid().voxels
        44
    """
    return Geometry(
        name="toy-" + "-".join(f"{n_x}x{n_y}" for n_x, n_y in cells),
        particle="toy",
        pdg=0,
        layers=tuple(
            GridLayer.square(i, n_x, n_y, width, 20.0 * i, 20.0 * (i + 1))
            for i, (n_x, n_y) in enumerate(cells)
        ),
        threshold=0.01,
    )


@dataclass(frozen=True)
class ToyShowers:
    r"""Showers whose layers are log-normal and whose voxels share them as a Dirichlet draw.

    .. math::
        E_\ell = E f_\ell \, e^{\sigma z_\ell - \sigma^2 / 2}, \quad z_\ell \sim N(0, 1), \qquad
        e_v = E_\ell \, w_v, \quad w \sim \mathrm{Dirichlet}(\kappa p)

    with the radial profile :math:`p \propto e^{-r_1/\lambda} - e^{-r_2/\lambda}`, equal in
    angle; in rectangular cells with the integral of :math:`e^{-(|x| + |y|)/\lambda}`. Hence
    :math:`\langle e_v \rangle = E f_\ell p_v`, exactly. Layers are independent of each other,
    and nothing but the scale depends on the incident energy.

    Args:
        geometry: the detector.
        fractions: mean fraction of the incident energy in each layer, dimensionless; by
            default equal, 1 in all.
        spread: sigma of the logarithm of a layer's energy, dimensionless.
        radial_length: lambda in mm.
        concentration: kappa, dimensionless; small values give sparse showers.
    """

    geometry: Geometry
    fractions: tuple[float, ...] = ()
    spread: float = 0.2
    radial_length: float = 15.0
    concentration: float = 20.0

    def __post_init__(self) -> None:
        if self.fractions and len(self.fractions) != len(self.geometry.layers):
            raise RangeError(
                f"fractions: expected one per layer, {len(self.geometry.layers)}, got "
                f"{len(self.fractions)}."
            )
        if min(self.radial_length, self.concentration) <= 0 or self.spread < 0:
            raise RangeError("a toy needs radial_length > 0, concentration > 0 and spread >= 0.")

    def sample(self, incident_energy: ArrayLike, *, seed: int) -> VoxelShowers:
        """Draw one shower for each incident energy.

        Args:
            incident_energy: in MeV, shape ``(events,)``.
            seed: of the draw.
        """
        generator = np.random.default_rng(seed)
        energy = np.asarray(incident_energy, np.float64)
        normal = generator.standard_normal((len(energy), len(self.geometry.layers)))
        layer_energy = energy[:, None] * self._fractions
        layer_energy = layer_energy * np.exp(self.spread * normal - self.spread**2 / 2)
        shares = generator.standard_gamma(
            self.concentration * self.profile, size=(len(energy), self.geometry.voxels)
        )
        starts = self.geometry.boundaries[:-1]
        norm = np.add.reduceat(shares, starts, axis=1)
        scale = np.divide(layer_energy, norm, out=np.zeros_like(norm), where=norm > 0)
        return VoxelShowers(
            energies=shares * scale[:, self.geometry.layer_index],
            incident_energy=energy,
            geometry=self.geometry,
            provenance={"simulation": "toy showers in closed form", "seed": seed},
        )

    def log_uniform(
        self, events: int, *, seed: int, low: float = 1e3, high: float = 64e3
    ) -> VoxelShowers:
        """Draw showers at incident energies that are uniform in their logarithm.

        Args:
            events: how many.
            seed: of the draw.
            low: lowest incident energy in MeV.
            high: highest incident energy in MeV.
        """
        uniform = np.random.default_rng([seed, 1]).random(events)
        return self.sample(low * (high / low) ** uniform, seed=seed)

    @property
    def profile(self) -> FloatArray:
        """Mean fraction of its layer's energy in each voxel, shape ``(voxels,)``."""
        parts = []
        for layer in self.geometry.layers:
            if isinstance(layer, GridLayer):
                x, y = (self._shares(edges) for edges in (layer.x_edges, layer.y_edges))
                parts.append(np.outer(x, y).ravel())
                continue
            tails = np.exp(-np.asarray(layer.r_edges) / self.radial_length)
            rings = (tails[:-1] - tails[1:]) / (tails[0] - tails[-1])
            parts.append(np.tile(rings / layer.n_alpha, layer.n_alpha))
        return np.concatenate(parts)

    def _shares(self, edges: tuple[float, ...]) -> FloatArray:
        """Integrate the two-sided exponential between edges in mm; 1 in all."""
        place = np.asarray(edges) / self.radial_length
        below = np.where(place < 0, np.exp(-np.abs(place)), 2 - np.exp(-np.abs(place)))
        shares: FloatArray = np.diff(below) / (below[-1] - below[0])
        return shares

    def mean_energies(self, incident_energy: float) -> FloatArray:
        """Return the expected energy of each voxel in MeV, shape ``(voxels,)``.

        Args:
            incident_energy: in MeV.
        """
        expected: FloatArray = (
            incident_energy * self._fractions[self.geometry.layer_index] * self.profile
        )
        return expected

    def layer_mean(self, incident_energy: float) -> FloatArray:
        """Return the expected energy of each layer in MeV, shape ``(layers,)``."""
        return incident_energy * self._fractions

    def layer_deviation(self, incident_energy: float) -> FloatArray:
        """Return the standard deviation of each layer's energy in MeV, shape ``(layers,)``."""
        relative = float(np.sqrt(np.expm1(self.spread**2)))
        return self.layer_mean(incident_energy) * relative

    @property
    def _fractions(self) -> FloatArray:
        layers = len(self.geometry.layers)
        return np.asarray(self.fractions or (1 / layers,) * layers, np.float64)
