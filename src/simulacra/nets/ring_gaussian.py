"""The normal law of numbers in rings that rotations and reflections do not change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from .conditional_gaussian import fitted_mean, mean_terms, mixed_covariance, root_of
from .cylindrical import angular_basis, turned
from .rings import Rings

__all__ = ["RingGaussian"]


class RingGaussian(nn.Module):
    r"""A conditional normal law on rings of voxels, and the way between it and white noise.

    .. math:: x = \mu(c) + R\,z, \qquad R R^\mathsf{T} = \Sigma

    What rotations and reflections do not change has, in the real Fourier basis of the angle, one
    real covariance per angular frequency, the same for cosine and sine: for 45 layers of 9 radial
    bins and 16 sectors 9 matrices of 405 x 405 in place of one of 6,480 x 6,480. Means are the
    same in all sectors, and linear in c and in the products of c with its first component.
    Fitted in closed form, not trained.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels.
        conditions: size of c.
        by_layer: R is lower triangular, so that the first layers of x depend on the first layers
            of z alone (Cholesky); by default it is symmetric, so that x resembles z.
        standard: every number is known to have mean 0 and width 1 over all events, whatever the
            few that were seen of it say.

    Shapes:
        x, z: ``(batch, voxels)``, dimensionless.
        c: ``(batch, conditions)``, dimensionless.

    Raises:
        ShapeError: if the layers have different numbers of sectors, or none has at least 3.
    """

    basis: Tensor
    mean: Tensor
    first: Tensor
    roots: Tensor

    def __init__(
        self,
        rings: Sequence[tuple[int, int]],
        conditions: int,
        *,
        by_layer: bool = False,
        standard: bool = False,
    ) -> None:
        super().__init__()
        self.layout = Rings(rings)
        self.by_layer = by_layer
        self.standard = standard
        sectors, functions = self.layout.sectors, self.layout.functions
        whole = functions + self.layout.invariants
        dtype = torch.get_default_dtype()
        self.register_buffer("basis", angular_basis(sectors).to(dtype), persistent=False)
        self.register_buffer("mean", torch.zeros(1 + 2 * conditions, whole))
        self.register_buffer("first", torch.eye(whole))
        self.register_buffer("roots", torch.eye(functions).repeat(sectors // 2, 1, 1))
        self._kept: tuple[tuple[int, int, int], tuple[list[Tensor], list[Tensor]]] | None = None

    def fit(self, x: Tensor, c: Tensor, weight: Tensor) -> Self:
        """Learn mean and covariances.

        Args:
            x: ``(events, voxels)``.
            c: ``(events, conditions)``.
            weight: event weights, ``(events,)``; may be negative, with a positive sum.
        """
        parts = self._parts(x)
        mean = fitted_mean(parts[0], c, weight)
        self.mean.copy_(mean)
        parts[0] = parts[0] - mean_terms(c) @ self.mean
        covariances = [mixed_covariance(part, weight) for part in parts]
        if self.standard:
            covariances = self._standardised(covariances, c, weight)
        self._set(covariances)
        return self

    def _set(self, covariances: Sequence[Tensor]) -> None:
        for number, matrix in enumerate(covariances):
            root = root_of(matrix, triangular=self.by_layer)
            (self.first if number == 0 else self.roots[number - 1]).copy_(root)

    def _standardised(self, covariances: list[Tensor], c: Tensor, weight: Tensor) -> list[Tensor]:
        """Scale covariances and shift and scale the mean to mean 0 and width 1 over all events."""
        functions = self.layout.functions
        one = torch.ones(len(self.first), dtype=torch.float64)
        one[:functions] = self.layout.sectors**-0.5  # of a constant component in each voxel
        share = (weight / weight.sum()).double()
        means = (mean_terms(c) @ self.mean).double() * one
        mean = share @ means
        wanted = self._variances(covariances) + share @ (means - mean).square()
        scale = wanted.clamp(min=1e-6).rsqrt()
        self.mean[0] -= mean / one
        self.mean *= scale
        parts = [scale, *[scale[:functions]] * len(self.roots)]
        return [s[:, None] * matrix * s for s, matrix in zip(parts, covariances, strict=True)]

    def _variances(self, covariances: list[Tensor]) -> Tensor:
        """Return the variance of each ring's voxels and of each invariant, ``(whole,)``."""
        functions, sectors = self.layout.functions, self.layout.sectors
        total = covariances[0].diagonal().clone()
        for k, matrix in enumerate(covariances[1:], 1):
            total[:functions] += (1 if 2 * k == sectors else 2) * matrix.diagonal()
        total[:functions] /= sectors
        return total

    def start_from(self, correlations: Tensor) -> Self:
        """Take over correlations by angle, with mean 0 and width 1, for layers without invariants.

        Args:
            correlations: ``(sectors // 2 + 1, functions, functions)``, by the angle between
                sectors; what is not positive in them is lifted.
        """
        sectors = self.layout.sectors
        angle = torch.arange(sectors, dtype=torch.float64)
        all_angles = correlations.double()[torch.minimum(angle, sectors - angle).long()]
        covariances = [
            torch.einsum("a,aij->ij", (2 * math.pi * k * angle / sectors).cos(), all_angles)
            for k in range(len(self.roots) + 1)
        ]
        lifted = [_lifted(matrix) for matrix in covariances]
        scale = self._variances(lifted).rsqrt()
        self._set([scale[:, None] * matrix * scale for matrix in lifted])
        self.mean.zero_()
        return self

    def colour(self, z: Tensor, c: Tensor) -> Tensor:
        """Turn white noise into x."""
        parts = [z @ root.T for z, root in zip(self._parts(z), self._roots(), strict=True)]
        return self._whole([parts[0] + mean_terms(c) @ self.mean, *parts[1:]])

    def whiten(self, x: Tensor, c: Tensor) -> Tensor:
        """Undo :meth:`colour`."""
        parts = self._centred(x, c)
        return self._whole([p @ i.T for p, i in zip(parts, self._inverses(), strict=True)])

    def conditional(self, x: Tensor, c: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        r"""Return mean and width of some numbers given all the others.

        .. math:: \mathrm E[x_i | x_{j \ne i}] = x_i - \frac{(\Sigma^{-1}(x - \mu))_i}
            {(\Sigma^{-1})_{ii}}, \qquad \sigma_i^2 = 1 / (\Sigma^{-1})_{ii}

        Args:
            x: ``(batch, voxels)``.
            c: ``(batch, conditions)``.
            places: which numbers, ``(places,)``.

        Returns:
            ``(batch, places)`` and ``(places,)``.
        """
        stiff = self._stiffness()
        pull = [part @ matrix for part, matrix in zip(self._centred(x, c), stiff, strict=True)]
        width = self._diagonal(stiff)[places].rsqrt()
        return x[:, places] - self._whole(pull)[:, places] * width.square(), width

    def _diagonal(self, parts: list[Tensor]) -> Tensor:
        """Return the diagonal of a matrix on voxels, ``(voxels,)``, from its frequencies'."""
        found, functions = self._variances(parts), self.layout.functions
        spread = found[:functions].expand(self.layout.sectors, 1, functions)
        return self.layout.join(spread, found[None, functions:])[0]

    def _parts(self, x: Tensor) -> list[Tensor]:
        """Return the Fourier components by frequency, sines below cosines: ``(rows, functions)``.

        Invariants stand behind the constant components.
        """
        functions, invariants = self.layout.split(x)
        h = turned(self.basis, functions)
        pairs = [h[k : k + 2].flatten(0, 1) for k in range(1, len(h), 2)]
        return [torch.cat([h[0], invariants], dim=1), *pairs]

    def _whole(self, parts: list[Tensor]) -> Tensor:
        """Undo :meth:`_parts`."""
        batch, functions = parts[0].shape[0], self.layout.functions
        h = torch.cat([parts[0][:, :functions], *parts[1:]]).unflatten(0, (-1, batch))
        values = turned(self.basis.T, h)
        return self.layout.join(values, parts[0][:, functions:])

    def _centred(self, x: Tensor, c: Tensor) -> list[Tensor]:
        parts = self._parts(x)
        parts[0] = parts[0] - mean_terms(c) @ self.mean
        return parts

    def _roots(self) -> list[Tensor]:
        return [self.first, *self.roots]

    def _inverses(self) -> list[Tensor]:
        """Return the inverse of each root."""
        return self._derived()[0]

    def _stiffness(self) -> list[Tensor]:
        """Return the inverse of each covariance."""
        return self._derived()[1]

    def _derived(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return inverses of roots and of covariances; kept until the roots change."""
        now = (self.first._version, self.roots._version, self.roots.data_ptr())
        if self._kept is None or self._kept[0] != now:
            inverses = [torch.linalg.inv(root.double()).to(root.dtype) for root in self._roots()]
            self._kept = (now, (inverses, [inverse.T @ inverse for inverse in inverses]))
        return self._kept[1]


_LEAST = 0.1  # variance of any pattern: where counts contradict each other


def _lifted(matrix: Tensor) -> Tensor:
    """Return the nearest matrix without small or negative eigenvalues."""
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    lifted: Tensor = (vectors * values.clamp(min=_LEAST)) @ vectors.mT
    return lifted
