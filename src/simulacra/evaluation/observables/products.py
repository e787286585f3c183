"""Matrix products whose bits do not depend on the number of threads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

__all__ = ["steady_product"]

Array = NDArray[Any]

_LONGEST_SUM = 192  # terms; BLAS cuts longer sums where the number of its threads tells it to


def steady_product(a: Array, b: Array) -> Array:
    """Return the matrix product, in pieces that BLAS leaves whole for any number of threads.

    Args:
        a: shape ``(rows, terms)``.
        b: shape ``(terms, columns)``.

    Returns:
        Shape ``(rows, columns)``.
    """
    length = a.shape[1]
    pieces = max(1, -(-length // _LONGEST_SUM))
    cuts = [length * piece // pieces for piece in range(pieces + 1)]
    total: Array = a[:, : cuts[1]] @ b[: cuts[1]]
    for low, high in pairwise(cuts[1:]):
        total += a[:, low:high] @ b[low:high]
    return total
