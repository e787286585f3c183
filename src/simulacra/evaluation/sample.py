"""One set of showers under judgement: read in pieces, checked, observed, recognised again."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data import Fingerprint, Geometry, Inspection, ShowerFile, VoxelShowers
from ..data.inspection import refuse_bad_values
from ..data.joined import JoinedFiles, open_joined
from ..errors import RangeError
from ..workforce import Workforce
from .observables import ImageSums, ShowerObservables, observe, tiles
from .observables.points import PointObservables, read_and_observe
from .passes import blocks, over_blocks
from .verdict import FileInfo

__all__ = ["Observed", "Sample", "Source"]

T = TypeVar("T")
Array = NDArray[Any]

Source = VoxelShowers | ShowerFile | JoinedFiles | Path | str | Sequence[Path | str]
"""Showers in memory, an opened file, or the path of one or of several that belong together."""


class Sample:
    """Showers that can be read again and again, from memory or from files.

    Args:
        source: the showers.
        role: ``generated``, ``reference``, ``independent`` or ``training``.
        geometry: detector to read a file with; by default the file's own.

    Raises:
        RangeError: if there is no shower.
        FileFormatError: if a file is none of showers, see ``open_showers``.
    """

    def __init__(
        self, source: Source, role: str, geometry: str | Path | Geometry | None = None
    ) -> None:
        if isinstance(source, ShowerFile):
            source = JoinedFiles([source])
        elif not isinstance(source, VoxelShowers | JoinedFiles):
            source = open_joined(source, geometry=geometry)
        self.source: VoxelShowers | JoinedFiles = source
        self.role = role
        self.name = f"{role} (in memory)" if isinstance(source, VoxelShowers) else source.name
        if self.events == 0:
            raise RangeError(f"{self.name}: expected at least one shower, found none.")

    @property
    def events(self) -> int:
        """Number of showers."""
        return len(self.source)

    @property
    def geometry(self) -> Geometry:
        """The detector."""
        return self.source.geometry

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the file says about its origin."""
        return self.source.provenance

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files."""
        if isinstance(self.source, VoxelShowers):
            return (self.name,)
        return tuple(f.path.name for f in self.source.files)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each file; empty for showers in memory."""
        return () if isinstance(self.source, VoxelShowers) else self.source.digests()

    def digest(self) -> str:
        """Return the SHA-256 of the file, or that of several; empty for showers in memory."""
        if len(self.digests) <= 1:
            return "".join(self.digests)
        return hashlib.sha256(" ".join(self.digests).encode()).hexdigest()

    def array(self, name: str) -> Array | None:
        """Return a further array of the file, or None if it has none of that name."""
        if not isinstance(self.source, VoxelShowers) and name in self.source.arrays:
            return self.source.array(name)
        return None

    def chunks(self) -> Iterator[VoxelShowers]:
        """Read all showers piece by piece, in order."""
        if isinstance(self.source, VoxelShowers):
            yield self.source
        else:
            yield from self.source.chunks()

    def over_blocks(
        self, work: Callable[[VoxelShowers], T], force: Workforce | None = None
    ) -> Iterator[T]:
        """Give the results of some work on each block, see :func:`over_blocks`."""
        return over_blocks(self.source, work, force)

    @property
    def has_points(self) -> bool:
        """Whether the files hold point clouds, which are summed in voxels as they are read."""
        source = self.source
        return isinstance(source, JoinedFiles) and all(f.points is not None for f in source.files)

    def points(self, threshold: float) -> PointObservables:
        """Return the observables of the points themselves, in one more pass.

        Args:
            threshold: points below it (MeV) do not count.

        Raises:
            FileFormatError: if a file holds voxels.
        """
        assert isinstance(self.source, JoinedFiles)
        runs = blocks(self.source)
        return PointObservables.concatenate(
            read_and_observe(self.source, *run, threshold=threshold)[1] for run in runs
        )

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
        images: weighted sums of each voxel, after the threshold.
        keys: key of each shower before the threshold (see ``VoxelShowers.event_keys``), 0 for an
            empty one, shape ``(events,)``.
        warnings: sentences about what is legal but odd.
    """

    sample: Sample
    observables: ShowerObservables
    images: ImageSums
    keys: NDArray[np.uint64]
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        sample: Sample,
        threshold: float,
        *,
        force: Workforce | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Observed:
        """Read a sample once.

        Args:
            sample: the showers.
            threshold: voxels below it (MeV) count as empty.
            force: who works on the blocks; by default this process. Changes no bit.
            progress: called with (showers done, showers).

        Raises:
            UnitError: if its energies look as if they were in GeV.
            FileFormatError: if a number is no energy, or all showers are empty.
        """
        inspection = Inspection(sample.geometry, sample.name)
        found: list[_Glance] = []
        done = 0
        for glance in sample.over_blocks(
            partial(_glance, name=sample.name, threshold=threshold), force
        ):
            inspection.join(glance.inspection)
            found.append(glance)
            done += len(glance.observables)
            if progress is not None:
                progress(done, sample.events)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they stand in the verdict
            validation = inspection.result()
        observables = ShowerObservables.concatenate(g.observables for g in found)
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
            images=ImageSums.joined(g.images for g in found),
            keys=np.concatenate([g.keys for g in found]),
            warnings=tuple(f"{sample.name}: {sentence}" for sentence in validation.warnings),
        )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """By what the showers are recognised (before the threshold, without empty ones)."""
        known = np.unique(self.keys[self.keys != 0])
        return Fingerprint(self.sample.names, self.sample.digests, known)

    @property
    def repeated(self) -> int:
        """Number of showers that are copies of an earlier one; empty ones do not count."""
        filled = self.keys[self.keys != 0]
        return len(filled) - len(np.unique(filled))


@dataclass(frozen=True, eq=False)
class _Glance:
    """What is left of one block."""

    observables: ShowerObservables
    images: ImageSums
    keys: NDArray[np.uint64]
    inspection: Inspection


def _glance(block: VoxelShowers, *, name: str, threshold: float) -> _Glance:
    refuse_bad_values(block, name)
    inspection = Inspection(block.geometry, name)
    inspection.add(block)
    return _Glance(
        observables=observe(block, threshold=threshold),
        images=ImageSums.joined(ImageSums.of(tile, threshold) for tile in tiles([block])),
        keys=np.where(block.energies.any(axis=1), block.event_keys(), np.uint64(0)),
        inspection=inspection,
    )


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
