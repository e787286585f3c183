"""No model is judged on what it was trained on: files and events are recognised again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import OverlapError
from .catalog import official_part
from .files import ShowerFile

__all__ = ["Fingerprint", "find_overlap", "refuse_overlap"]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """By what a set of showers is recognised, without the showers themselves.

    Args:
        names: what the files are called, for messages and for the catalog.
        digests: SHA-256 of the files.
        keys: one 64-bit key per shower (see ``VoxelShowers.event_keys``) that is not empty,
            sorted; empty showers of one energy are alike and prove nothing.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]
    keys: NDArray[np.uint64]

    @classmethod
    def of(cls, *files: ShowerFile) -> Fingerprint:
        """Read files once, in bounded memory, and take their fingerprint."""
        keys = [
            part.event_keys()[part.energies.any(axis=1)] for file in files for part in file.chunks()
        ]
        return cls(
            names=tuple(file.path.name for file in files),
            digests=tuple(file.digest() for file in files),
            keys=np.unique(np.concatenate([np.zeros(0, np.uint64), *keys])),
        )

    @classmethod
    def joined(cls, parts: Iterable[Fingerprint]) -> Fingerprint:
        """Join fingerprints into that of all the showers together."""
        parts = list(parts)
        return cls(
            names=tuple(name for part in parts for name in part.names),
            digests=tuple(digest for part in parts for digest in part.digests),
            keys=np.unique(
                np.concatenate([np.zeros(0, np.uint64), *(part.keys for part in parts)])
            ),
        )


def find_overlap(keys_a: NDArray[np.uint64], keys_b: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the positions in ``keys_b`` of events that are in ``keys_a`` too.

    Args:
        keys_a: event keys, shape ``(events_a,)``.
        keys_b: event keys, shape ``(events_b,)``.

    Returns:
        Increasing positions, shape ``(shared,)``. Two different showers have the same key with
        a chance of about 5e-20 per pair.

    Example:
        >>> find_overlap(np.array([1, 2, 3], np.uint64), np.array([9, 3], np.uint64))
        array([1])
    """
    return np.flatnonzero(np.isin(keys_b, keys_a)).astype(np.int64)


def refuse_overlap(training: Fingerprint, evaluation: Fingerprint) -> None:
    """Refuse to judge on showers that were trained on.

    Args:
        training: of everything that the model has seen, validation sets included.
        evaluation: of the reference.

    Raises:
        OverlapError: if a file is the same, if events are shared, or if the reference is a
            file that the catalog knows as the official training part of a public data set.
    """
    shared = set(training.digests) & set(evaluation.digests)
    if shared:
        name = evaluation.names[evaluation.digests.index(min(shared))]
        raise OverlapError(
            f"{name}: the reference is a file that the model was trained on (SHA-256 "
            f"{min(shared)[:12]}...). Judge on showers that the training never saw."
        )
    found = find_overlap(training.keys, evaluation.keys)
    if len(found):
        raise OverlapError(
            f"{', '.join(evaluation.names)}: {len(found)} of {len(evaluation.keys)} showers of "
            "the reference were used in the training. Judge on showers that the training never "
            "saw, or remove the shared ones from the reference."
        )
    for name in evaluation.names:
        official = official_part(name)
        if official is not None and official[1] == "train":
            raise OverlapError(
                f"{name}: is the official training file of {official[0]}; judge on its "
                "evaluation file instead."
            )
