"""Images of several sizes as one row of patches, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Patches", "patch_shape"]


def patch_shape(image: tuple[int, int], largest: int) -> tuple[int, int]:
    """Return the patch into which an image is divided evenly, as large and as square as can be.

    Args:
        image: rows and columns.
        largest: number of cells that a patch has at most.

    Example:
        >>> patch_shape((3, 96), 12), patch_shape((72, 1), 12), patch_shape((7, 7), 12)
        ((3, 4), (12, 1), (1, 7))
    """
    options = [
        (rows, columns)
        for rows in range(1, min(image[0], largest) + 1)
        for columns in range(1, min(image[1], largest // rows) + 1)
        if image[0] % rows == 0 and image[1] % columns == 0
    ]
    return max(options, key=lambda patch: (patch[0] * patch[1], -max(patch)))


class Patches:
    """How a flat vector of images splits into patches of cells.

    Args:
        images: ``(rows, columns)`` of each image, in the flat order of the vector (columns fastest,
            then rows, then images).
        patches: ``(rows, columns)`` of the patches of each; they divide the image.
    """

    def __init__(
        self, images: Sequence[tuple[int, int]], patches: Sequence[tuple[int, int]]
    ) -> None:
        self.images, self.patches = list(images), list(patches)
        self.grids = [
            (rows // high, columns // wide)
            for (rows, columns), (high, wide) in zip(images, patches, strict=True)
        ]
        self.number = sum(a * b for a, b in self.grids)
        self.cells = max(a * b for a, b in patches)
        self._sizes = [a * b for a, b in images]
        self.features = sum(self._sizes)

    def split(self, x: Tensor) -> Tensor:
        """Return the patches, ``(batch, patches, cells)``; smaller ones are filled up with zeros.

        Args:
            x: ``(batch, features)``.
        """
        found = []
        for part, (a, b), (high, wide) in zip(
            x.split(self._sizes, dim=1), self.grids, self.patches, strict=True
        ):
            cut = part.reshape(x.shape[0], a, high, b, wide).transpose(2, 3)
            cut = cut.reshape(x.shape[0], a * b, high * wide)
            found.append(pad(cut, (0, self.cells - high * wide)))
        return torch.cat(found, dim=1)

    def join(self, patches: Tensor) -> Tensor:
        """Undo :meth:`split`; return ``(batch, features)``."""
        found = []
        numbers = [a * b for a, b in self.grids]
        for part, (a, b), (high, wide) in zip(
            patches.split(numbers, dim=1), self.grids, self.patches, strict=True
        ):
            image = part[:, :, : high * wide].reshape(part.shape[0], a, b, high, wide)
            found.append(image.transpose(2, 3).reshape(part.shape[0], -1))
        return torch.cat(found, dim=1)
