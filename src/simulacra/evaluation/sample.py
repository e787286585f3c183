"""One set of showers under judgement: read in pieces, checked, observed, recognised again."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import (
    Fingerprint,
    Geometry,
    Inspection,
    ShowerFile,
    VoxelShowers,
    open_showers,
)
from ..data.inspection import refuse_bad_values
from ..errors import RangeError
from .observables import ShowerObservables, observe, tiles
from .verdict import FileInfo

__all__ = ["Observed", "Sample", "Source"]

Array = NDArray[Any]

Source = VoxelShowers | ShowerFile | Path | str
"""Showers in memory, an opened file, or the path of one."""


class Sample:
    """Showers that can be read again and again, from memory or from a file.

    Args:
        source: the showers.
        role: ``generated``, ``reference`` or ``training``.
        geometry: detector to read a file with; by default the file's own.

    Raises:
        RangeError: if there is no shower.
        FileFormatError: if a file is none of showers, see ``open_showers``.
    """

    def __init__(
        self, source: Source, role: str, geometry: str | Path | Geometry | None = None
    ) -> None:
        if isinstance(source, Path | str):
            source = open_showers(source, geometry=geometry)
        self._source = source
        self.role = role
        self.name = source.path.name if isinstance(source, ShowerFile) else f"{role} (in memory)"
        if self.events == 0:
            raise RangeError(f"{self.name}: expected at least one shower, found none.")

    @property
    def events(self) -> int:
        """Number of showers."""
        return len(self._source)

    @property
    def geometry(self) -> Geometry:
        """The detector."""
        return self._source.geometry

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the file says about its origin."""
        return self._source.provenance

    def digest(self) -> str:
        """Return the SHA-256 of the file; empty for showers in memory."""
        return self._source.digest() if isinstance(self._source, ShowerFile) else ""

    def array(self, name: str) -> Array | None:
        """Return a further array of the file, or None if it has none of that name."""
        source = self._source
        if isinstance(source, ShowerFile) and name in source.arrays:
            return source.array(name)
        return None

    def chunks(self) -> Iterator[VoxelShowers]:
        """Read all showers piece by piece, in order."""
        if isinstance(self._source, ShowerFile):
            yield from self._source.chunks()
        else:
            yield self._source

    def rows(self, which: Array) -> VoxelShowers:
        """Return some showers by number, in increasing order of their numbers."""
        which = np.unique(which)
        found, start = [], 0
        for chunk in self.chunks():
            inside = which[(which >= start) & (which < start + len(chunk))] - start
            found.append(chunk.select(inside))
            start += len(chunk)
        return VoxelShowers.concatenate(found)

    def info(self, sha256: str) -> FileInfo:
        """Describe the sample for the verdict."""
        plain = {key: _plain(value) for key, value in self.provenance.items()}
        return FileInfo(self.role, self.name, sha256, self.events, plain)


@dataclass(frozen=True, eq=False)
class Observed:
    """What one pass over a sample leaves in memory: numbers per shower, not the voxels.

    Args:
        sample: the showers.
        observables: one row per shower, after the threshold.
        mean_shower: weighted mean energy of each voxel in MeV, after the threshold,
            shape ``(voxels,)``.
        fingerprint: by what the showers are recognised (before the threshold, without empty
            ones).
        warnings: sentences about what is legal but odd.
    """

    sample: Sample
    observables: ShowerObservables
    mean_shower: NDArray[np.float64]
    fingerprint: Fingerprint
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, sample: Sample, threshold: float) -> Observed:
        """Read a sample once.

        Raises:
            UnitError: if its energies look as if they were in GeV.
            FileFormatError: if a number is no energy, or all showers are empty.
        """
        inspection = Inspection(sample.geometry, sample.name)
        keys: list[Array] = []
        total = np.zeros(sample.geometry.voxels)
        found = []
        for tile in tiles(_inspected(sample, inspection, keys)):
            found.append(observe(tile, threshold=threshold))
            kept = np.where(tile.energies >= threshold, tile.energies, 0)
            total += tile.weights.astype(np.float64) @ kept.astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they stand in the verdict
            validation = inspection.result()
        observables = ShowerObservables.concatenate(found)
        weight = observables.weight
        sum_of_weights = len(observables) if weight is None else weight.sum()
        if not sum_of_weights > 0:
            raise RangeError(
                f"{sample.name}: the event weights sum to {sum_of_weights:g}; expected a positive "
                "number."
            )
        return cls(
            sample=sample,
            observables=observables,
            mean_shower=total / sum_of_weights,
            fingerprint=Fingerprint(
                (sample.name,), tuple(filter(None, (sample.digest(),))), np.unique(_joined(keys))
            ),
            warnings=tuple(f"{sample.name}: {sentence}" for sentence in validation.warnings),
        )


def _inspected(sample: Sample, inspection: Inspection, keys: list[Array]) -> Iterable[VoxelShowers]:
    for chunk in sample.chunks():
        refuse_bad_values(chunk, sample.name)
        inspection.add(chunk)
        keys.append(chunk.event_keys()[chunk.energies.any(axis=1)])
        yield chunk


def _joined(keys: list[Array]) -> NDArray[np.uint64]:
    return np.concatenate([np.zeros(0, np.uint64), *keys])


def _plain(value: Any) -> Any:
    """Turn an attribute into plain data; long ones into their digest."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, list | tuple) and len(value) > 256:
        return f"{len(value)} values, sha256 {hashlib.sha256(repr(value).encode()).hexdigest()}"
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
