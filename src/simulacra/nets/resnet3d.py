"""A residual network for showers as 3-D images: the CNN of the CaloChallenge."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from .mlp import draw_uniform

__all__ = ["ResNet3d"]


class ResNet3d(nn.Module):
    r"""Residual network of 18 layers on an image, beside one number that is not part of it.

    A convolution of 7 voxels with stride 2, a maximum over 3 with stride 2, four stages of two
    blocks whose strides are 1, 2, 2, 2, the mean over what is left of the image; the extra
    number, normalised over the batch, joins before the last layer. Where a block changes the
    image's size, its shortcut is a convolution of one voxel. Krause et al., "CaloChallenge
    2022", 2024, arXiv:2410.21611; K. Hara et al., "Can Spatiotemporal 3D CNNs Retrace the
    History of 2D CNNs and ImageNet?", 2018, arXiv:1711.09577.

    The image has edges in all three directions: the network does not know that the angle closes
    on itself. Normalisation over the batch does not know event weights. Made without drawing a
    number: call :meth:`initialise` before training. Only what lies between the first convolution
    and the last layer follows autocast.

    Args:
        shape: size of the image.
        outputs: size of the output.
        channels: channels of the four stages.

    Shapes:
        x: ``(batch, 1 + voxels)``, the extra number first, then the image, last axis fastest.
        output: ``(batch, outputs)``.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        outputs: int = 1,
        channels: tuple[int, int, int, int] = (32, 64, 64, 128),
    ) -> None:
        super().__init__()
        self.shape = shape
        first, last = channels[0], channels[-1]
        self.enter = _convolution(1, first, size=7, stride=2, padding=0)
        self.enter_norm = nn.BatchNorm3d(first)
        self.pool = nn.MaxPool3d(3, stride=2, padding=1)
        blocks: list[nn.Module] = []
        before = first
        for number, after in enumerate(channels):
            blocks += [_Block(before, after, 1 if number == 0 else 2), _Block(after, after, 1)]
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.extra_norm = nn.BatchNorm1d(1)
        self.leave: nn.Linear = nn.utils.skip_init(nn.Linear, last + 1, outputs)

    def initialise(self, rng: np.random.Generator) -> ResNet3d:
        r"""Draw the convolutions from normals of width :math:`\sqrt{2 / \text{fan out}}`.

        K. He et al., "Delving deep into rectifiers", 2015, arXiv:1502.01852; the last layer is
        drawn as torch does. The numbers are a function of ``rng`` alone.
        """
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Conv3d):
                    width = math.sqrt(2 / (layer.out_channels * math.prod(layer.kernel_size)))
                    draw = rng.standard_normal(tuple(layer.weight.shape), np.float32)
                    layer.weight.copy_(torch.from_numpy(width * draw))
        draw_uniform(self.leave, rng)
        return self

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # inputs are not rounded
            # Padded by hand: torch 2.13's own padding writes beyond images smaller than 7 voxels.
            image = pad(x[:, 1:].reshape(-1, 1, *self.shape), (3, 3) * 3)
            image = image.contiguous(memory_format=torch.channels_last_3d)
            h = self.pool(relu(self.enter_norm(self.enter(image)), inplace=True))
        h = self.blocks(h)
        with torch.autocast(x.device.type, enabled=False):
            mean = h.float().mean(dim=(2, 3, 4))
            out: Tensor = self.leave(torch.cat([mean, self.extra_norm(x[:, :1])], dim=1))
        return out


class _Block(nn.Module):
    """Two convolutions of 3 voxels beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, after, size=3, stride=stride)
        self.first_norm = nn.BatchNorm3d(after)
        self.second = _convolution(after, after, size=3)
        self.second_norm = nn.BatchNorm3d(after)
        same = stride == 1 and before == after
        self.shortcut: nn.Module = (
            nn.Identity()
            if same
            else nn.Sequential(
                _convolution(before, after, size=1, stride=stride), nn.BatchNorm3d(after)
            )
        )

    def forward(self, h: Tensor) -> Tensor:
        change = relu(self.first_norm(self.first(h)), inplace=True)
        change = self.second_norm(self.second(change))
        return relu(change + self.shortcut(h), inplace=True)


def _convolution(
    before: int, after: int, *, size: int, stride: int = 1, padding: int | None = None
) -> nn.Conv3d:
    """Return a convolution that keeps the image's middle, without numbers in it."""
    padding = size // 2 if padding is None else padding
    layer: nn.Conv3d = nn.utils.skip_init(
        nn.Conv3d, before, after, size, stride=stride, padding=padding, bias=False
    )
    weight = layer.weight.contiguous(memory_format=torch.channels_last_3d)
    layer.weight = nn.Parameter(weight)  # the order in which convolutions are fastest
    return layer
