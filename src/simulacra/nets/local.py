"""Locally-connected layers on rings, attention between images, and minibatch discrimination."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

__all__ = ["CarryOver", "ImageStream", "LocallyConnected", "MinibatchFeatures"]


class LocallyConnected(nn.Module):
    """A convolution of 3 x 3 whose kernel is another one at every place of the image.

    The image's first axis closes on itself (sectors), the second ends (radial bins); an image of
    a single sector sees none beside it. One such layer for each place that matters: a detector
    is not the same everywhere.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        shape: ``(sectors, radial bins)`` of the image.

    Shapes:
        x: ``(batch, channels_in, sectors, radial bins)``.
        output: ``(batch, channels_out, sectors, radial bins)``.
    """

    def __init__(self, channels_in: int, channels_out: int, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.across = 3 if shape[0] > 1 else 1
        size = channels_in * self.across * 3
        scale = 1 / math.sqrt(size)
        self.weight = nn.Parameter(scale * torch.randn(math.prod(shape), size, channels_out))
        self.bias = nn.Parameter(torch.zeros(channels_out, *shape))

    def forward(self, x: Tensor) -> Tensor:
        if self.across == 3:
            x = torch.cat([x[:, :, -1:], x, x[:, :, :1]], dim=2)
        patches = pad(x, (1, 1)).unfold(2, self.across, 1).unfold(3, 3, 1)
        batch, _, sectors, radius, _, _ = patches.shape
        patches = patches.permute(2, 3, 0, 1, 4, 5).reshape(sectors * radius, batch, -1)
        out = torch.bmm(patches, self.weight)
        return out.reshape(sectors, radius, batch, -1).permute(2, 3, 0, 1) + self.bias


class ImageStream(nn.Module):
    """One layer's image from a vector and noise: a linear map and two locally-connected layers.

    Untrained, the image is 0.

    Args:
        inputs: size of the vector.
        shape: ``(sectors, radial bins)`` of the image.
        channels: channels of the hidden images.

    Shapes:
        x: ``(batch, inputs)``.
        noise: ``(batch, sectors, radial bins)``.
        output: ``(batch, sectors, radial bins)``.
    """

    def __init__(self, inputs: int, shape: tuple[int, int], channels: int = 8) -> None:
        super().__init__()
        self.shape, self.channels = shape, channels
        self.enter = nn.Linear(inputs, channels * math.prod(shape))
        self.inner = LocallyConnected(channels + 1, channels, shape)
        self.leave = LocallyConnected(channels + 1, 1, shape)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        h = self.enter(x).reshape(x.shape[0], self.channels, *self.shape)
        h = self.inner(torch.cat([leaky_relu(h, 0.2), noise[:, None]], dim=1))
        out: Tensor = self.leave(torch.cat([leaky_relu(h, 0.2), noise[:, None]], dim=1))
        return out[:, 0]


class CarryOver(nn.Module):
    r"""Attention from one layer's image to the next: each voxel is a mean of both.

    .. math:: y = w\,R(x_i) + (1 - w)\,x_{i+1}

    with a linear change of resolution R and weights w of a locally-connected layer that sees both.
    M. Paganini, L. de Oliveira, B. Nachman, "CaloGAN: simulating 3D high energy particle showers
    in multi-layer electromagnetic calorimeters with generative adversarial networks", 2017,
    arXiv:1705.02355, section 4. Untrained, :math:`R = 0`.

    Args:
        before: ``(sectors, radial bins)`` of layer i.
        shape: the same of layer i + 1.

    Shapes:
        before: ``(batch, sectors, radial bins)`` of layer i.
        image: the same of layer i + 1, as is the output.
    """

    def __init__(self, before: tuple[int, int], shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.resize = nn.Linear(math.prod(before), math.prod(shape))
        self.attention = LocallyConnected(2, 1, shape)
        nn.init.zeros_(self.resize.weight)
        nn.init.zeros_(self.resize.bias)

    def forward(self, before: Tensor, image: Tensor) -> Tensor:
        carried = self.resize(before.flatten(1)).reshape(-1, *self.shape)
        share = self.attention(torch.stack([carried, image], dim=1))[:, 0].sigmoid()
        out: Tensor = share * carried + (1 - share) * image
        return out


class MinibatchFeatures(nn.Module):
    r"""How close each event is to the others of its batch; in training only.

    .. math:: o_b(x_i) = \frac1n \sum_j \exp\bigl(-\|M_{ib} - M_{jb}\|_1\bigr), \qquad M_i = T x_i

    T. Salimans et al., "Improved techniques for training GANs", 2016, arXiv:1606.03498, section
    3.2, with the mean over the batch in place of the sum.

    Args:
        inputs: size of the vector.
        kernels: numbers b that come out.
        depth: size of each :math:`M_{ib}`.

    Shapes:
        x: ``(batch, inputs)``.
        output: ``(batch, kernels)``, in (0, 1].
    """

    def __init__(self, inputs: int, kernels: int = 10, depth: int = 5) -> None:
        super().__init__()
        self.kernels = kernels
        self.matrix = nn.Linear(inputs, kernels * depth, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.matrix(x).reshape(x.shape[0], self.kernels, -1)
        apart = (rows[:, None] - rows[None]).abs().sum(dim=3)
        out: Tensor = (-apart).exp().mean(dim=1)
        return out
