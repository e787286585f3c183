"""Length for channels and back, and convolutional networks of one axis built on it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ..errors import ShapeError

__all__ = ["ShuffleCritic", "ShuffleGenerator", "shuffled", "unshuffled"]


def shuffled(x: Tensor, factor: int) -> Tensor:
    """Make an image longer by interleaving its channels.

    Element ``l * factor + r`` of channel c is element l of channel ``c * factor + r``: the
    one-dimensional case of W. Shi et al., "Real-time single image and video super-resolution
    using an efficient sub-pixel convolutional neural network", 2016, arXiv:1609.05158, eq. 4.

    Args:
        x: ``(batch, channels, length)``.
        factor: how much longer.

    Returns:
        ``(batch, channels / factor, length * factor)``.

    Raises:
        ShapeError: if the channels are not a multiple of the factor.
    """
    batch, channels, length = x.shape
    if channels % factor:
        raise ShapeError(
            f"pixel shuffle: expected channels in a multiple of {factor}, got {channels}."
        )
    parts = x.reshape(batch, channels // factor, factor, length)
    return parts.transpose(2, 3).reshape(batch, channels // factor, length * factor)


def unshuffled(x: Tensor, factor: int) -> Tensor:
    """Undo :func:`shuffled`, bit for bit.

    Args:
        x: ``(batch, channels, length)``.
        factor: how much shorter.

    Returns:
        ``(batch, channels * factor, length / factor)``.

    Raises:
        ShapeError: if the length is not a multiple of the factor.
    """
    batch, channels, length = x.shape
    if length % factor:
        raise ShapeError(
            f"pixel unshuffle: expected a length in a multiple of {factor}, got {length}."
        )
    parts = x.reshape(batch, channels, length // factor, factor)
    return parts.transpose(2, 3).reshape(batch, channels * factor, length // factor)


class ShuffleGenerator(nn.Module):
    """An image of some rows from a vector and an image of noise.

    Convolutions along the row, shuffled longer each time, make hidden channels of the vector; the
    last two convolutions see these beside the noise, so that neighbours can differ as much as
    the noise does. Untrained, the image is 0.

    Args:
        inputs: size of the vector.
        rows: channels of the image, such as readout layers.
        cells: its length, a multiple of the product of the factors.
        channels: channels before the first shuffle; each convolution keeps them.
        factors: how much longer each shuffle makes it.

    Shapes:
        x: ``(batch, inputs)``.
        noise: ``(batch, rows, cells)``.
        output: ``(batch, rows, cells)``.

    Raises:
        ShapeError: if the cells are not a multiple of the factors' product.
    """

    def __init__(
        self,
        inputs: int,
        rows: int,
        cells: int,
        *,
        channels: int = 48,
        factors: tuple[int, ...] = (2, 2, 2),
    ) -> None:
        super().__init__()
        self.length = _shortest(cells, factors)
        self.factors, self.channels = factors, channels
        self.enter = nn.Linear(inputs, channels * self.length)
        self.longer = nn.ModuleList(
            nn.Conv1d(channels, channels * factor, 3, padding=1) for factor in factors
        )
        self.offset = nn.ModuleList(nn.Linear(inputs, channels) for _ in factors)
        self.meet = nn.Conv1d(channels + rows, channels, 5, padding=2)
        self.leave = nn.Conv1d(channels + rows, rows, 5, padding=2)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        h = self.enter(x).reshape(x.shape[0], self.channels, self.length)
        for convolve, offset, factor in zip(self.longer, self.offset, self.factors, strict=True):
            h = shuffled(convolve(leaky_relu(h, 0.2)), factor) + offset(x)[:, :, None]
        h = self.meet(torch.cat([leaky_relu(h, 0.2), noise], dim=1))
        out: Tensor = self.leave(torch.cat([leaky_relu(h, 0.2), noise], dim=1))
        return out


class ShuffleCritic(nn.Module):
    """A number for an image and a vector: convolutions along the row, unshuffled shorter each time.

    Args:
        inputs: size of the vector.
        rows: channels of the image.
        cells: its length, a multiple of the product of the factors.
        channels: channels of the hidden images.
        factors: how much shorter each unshuffle makes it.

    Shapes:
        image: ``(batch, rows, cells)``.
        x: ``(batch, inputs)``.
        output: ``(batch,)``.

    Raises:
        ShapeError: if the cells are not a multiple of the factors' product.
    """

    def __init__(
        self,
        inputs: int,
        rows: int,
        cells: int,
        *,
        channels: int = 48,
        factors: tuple[int, ...] = (2, 2, 2),
    ) -> None:
        super().__init__()
        length, self.factors = _shortest(cells, factors), factors
        self.enter = nn.Conv1d(rows, channels, 5, padding=2)
        self.shorter = nn.ModuleList(
            nn.Conv1d(channels * factor, channels, 3, padding=1) for factor in factors
        )
        self.offset = nn.ModuleList(nn.Linear(inputs, channels) for _ in factors)
        size = channels * length + rows + inputs
        self.judge = nn.Sequential(nn.Linear(size, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))

    def forward(self, image: Tensor, x: Tensor) -> Tensor:
        h = self.enter(image)
        for convolve, offset, factor in zip(self.shorter, self.offset, self.factors, strict=True):
            h = convolve(unshuffled(leaky_relu(h, 0.2), factor)) + offset(x)[:, :, None]
        flat = torch.cat([leaky_relu(h, 0.2).flatten(1), image.mean(dim=2), x], dim=1)
        out: Tensor = self.judge(flat)
        return out[:, 0]


def _shortest(cells: int, factors: tuple[int, ...]) -> int:
    whole = math.prod(factors)
    if cells % whole:
        raise ShapeError(f"pixel shuffle: expected cells in a multiple of {whole}, got {cells}.")
    return cells // whole
