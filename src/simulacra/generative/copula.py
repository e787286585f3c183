"""Correlations of scores in closed form, with empty voxels as numbers that were not seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..nets import ConditionalGaussian, RingGaussian
from ..random import Stream, normal
from .empty_scores import EmptyScores, pieces
from .filled_together import correlations_of_filled

__all__ = ["Copula", "empty_layers", "layer_noise", "shower_keys"]

_FIT_FROM = 6144  # showers from which covariances are learned
_ROUNDS = 16  # of filling in and learning; what is mostly empty is learned slowly
_SWEEPS = 4  # through all voxels of a shower until its filled-in numbers have forgotten the start
_LAYER_ROUNDS = 16  # neighbouring layers are closer than voxels, and cost next to nothing
_LAYER_SWEEPS = 12


class Copula(nn.Module):
    r"""A Gaussian copula of voxel scores: what is left of them is white noise, nearly.

    Scores are normal one by one (:class:`~simulacra.preprocess.Gaussianize`). Here they become
    normal in pairs: with the conditional normal law of :class:`~simulacra.nets.RingGaussian`,

    .. math:: x = \mu(c) + R\,z, \qquad z = R^{-1}(x - \mu(c)).

    An empty voxel's score is known only to lie below the boundary. Filled with a number of its own
    it would be independent of its neighbours and dilute every correlation. It is drawn given all
    other scores of the shower (:class:`~simulacra.generative.EmptyScores`).

    It cannot see: correlations that change with the energy beyond their means, tails that
    move together, anything between three voxels that pairs do not imply. That is what is left to
    the family of generators behind it.

    Args:
        rings: ``(radial bins, sectors)`` of each layer, in the flat order of the voxels.
        conditions: size of c.
        by_layer: scores of a layer depend on white noise of this and earlier layers only.

    Shapes:
        scores, boundary: ``(events, voxels)``, dimensionless; a score below its boundary is empty.
        c: ``(events, conditions)``, dimensionless.
        keys: one number per shower, ``(events,)``, see :func:`shower_keys`.
        z: ``(events, voxels)``, dimensionless, of about unit width.
    """

    def __init__(
        self, rings: tuple[tuple[int, int], ...], conditions: int, *, by_layer: bool = False
    ) -> None:
        super().__init__()
        self.rings = tuple(rings)
        self.law = RingGaussian(rings, conditions, by_layer=by_layer, standard=True)
        classes = _classes(rings)
        self.empty = EmptyScores(self.law, classes, Stream.EMPTY_VOXELS, _ROUNDS, _SWEEPS)

    def fit(
        self,
        scores: Tensor,
        boundary: Tensor,
        c: Tensor,
        weight: Tensor,
        keys: NDArray[np.uint64],
    ) -> Self:
        """Learn the law from some showers, see the class for shapes.

        With layers of one shape it begins where counts of pairs put it
        (:func:`~simulacra.generative.filled_together.correlations_of_filled`).
        """
        x, boundary, c, weight = (a[:_FIT_FROM] for a in (scores, boundary, c, weight))
        alike = len(set(self.rings)) == 1
        if alike:
            start = correlations_of_filled(x >= boundary, boundary, weight, self.rings)
            self.law.start_from(start)
        self.empty.fit(x, boundary, c, weight, keys[:_FIT_FROM], known=alike)
        return self

    def whiten(
        self, scores: Tensor, boundary: Tensor, c: Tensor, keys: NDArray[np.uint64]
    ) -> Tensor:
        """Fill empty voxels in and return z."""
        parts = []
        for piece in pieces(len(scores)):
            given = boundary[piece], c[piece], keys[piece]
            parts.append(self.law.whiten(self.empty.fill(scores[piece], *given), c[piece]))
        return torch.cat(parts)

    def colour(self, z: Tensor, c: Tensor) -> Tensor:
        """Return scores, ``(events, voxels)``."""
        return self.law.colour(z, c)


def shower_keys(energies: Tensor) -> NDArray[np.uint64]:
    """Return a number for each shower that is a function of its voxels, ``(events,)``.

    Args:
        energies: ``(events, voxels)``, float32.
    """
    bits = energies.detach().cpu().float().contiguous().numpy().view(np.uint32)
    factors = np.random.Generator(np.random.Philox(0)).integers(
        2**64, size=bits.shape[1], dtype=np.uint64
    )
    with np.errstate(over="ignore"):
        return np.stack([(row.astype(np.uint64) * (factors | np.uint64(1))).sum() for row in bits])


def _classes(rings: Iterable[tuple[int, int]]) -> list[Tensor]:
    """Return eight sets of places, each without two voxels that share a face, edge or corner."""
    numbers = [
        4 * (layer % 2) + 2 * (sector % 2) + radius % 2
        for layer, (n_radius, n_alpha) in enumerate(rings)
        for sector in range(n_alpha)
        for radius in range(n_radius)
    ]
    classes = [torch.tensor([p for p, n in enumerate(numbers) if n == k]) for k in range(8)]
    return [places for places in classes if len(places)]


def empty_layers(law: ConditionalGaussian) -> EmptyScores:
    """Return what fills in the scores of layers without energy, one layer after the other.

    Args:
        law: of the scores of :class:`~simulacra.preprocess.LayerLogarithms`.
    """
    classes = torch.arange(len(law.root)).split(1)
    return EmptyScores(law, classes, Stream.EMPTY_LAYERS, _LAYER_ROUNDS, _LAYER_SWEEPS)


def layer_noise(keys: NDArray[np.uint64], layers: int) -> Tensor:
    """Return normal numbers for layers without energy, ``(events, layers)``."""
    return torch.from_numpy(normal(0, keys, layers, stream=Stream.EMPTY_VOXELS))
