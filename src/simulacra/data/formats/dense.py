"""What the dense layouts share: dtype, size of a chunk, compression."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike

from ...errors import FileFormatError
from ..showers import VoxelShowers

__all__ = ["CHUNK_BYTES", "compression", "energies_dtype", "rows_per_chunk"]

CHUNK_BYTES = 4 * 2**20
"""Size of the chunks that we write, before compression."""


def energies_dtype(showers: h5py.Dataset) -> np.dtype[Any]:
    """Return the dtype in which voxel energies are handed out: the file's, at least float32.

    Raises:
        FileFormatError: if the file holds integers.
    """
    if showers.dtype.kind != "f":
        raise FileFormatError(
            f"{showers.file.filename}: `{showers.name.lstrip('/')}` has dtype {showers.dtype}; "
            "expected floating point energies in MeV."
        )
    return np.dtype(np.float32 if showers.dtype.itemsize <= 4 else np.float64)


def rows_per_chunk(voxels: int, dtype: DTypeLike) -> int:
    """Return the number of showers in a chunk of about :data:`CHUNK_BYTES`."""
    return max(1, CHUNK_BYTES // (voxels * np.dtype(dtype).itemsize))


def compression(first: VoxelShowers) -> dict[str, Any]:
    """Return gzip settings for showers like these.

    Byte shuffling makes well-filled showers smaller by a tenth, and sparse ones (5 % filled)
    larger by half and slower by a factor of two, so it is chosen by how filled they are.
    """
    filled = np.count_nonzero(first.energies > 0) / max(1, first.energies.size)
    return {"compression": "gzip", "compression_opts": 2, "shuffle": filled > 0.4}
