"""Showers to disk: whole sets and shards of them, in pieces that resume, by anybody's hands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ...data import PointShowers, VoxelShowers, open_showers, write_points, write_showers
from ...errors import FileFormatError, RangeError
from ...execute import Shard, require_writable
from ...generative import require_device
from ...pieces import PieceFolder
from ...workforce import workforce
from .drawing import Particles
from .piecework import Drawer, by_threads, by_workers, cut, unpacked
from .surrogate import Surrogate

__all__ = ["sample_to_file"]

Array = NDArray[Any]
S = TypeVar("S", VoxelShowers, PointShowers)

_MOST_EVENTS_AT_ONCE = 10**8


@dataclass(frozen=True)
class _Run:
    """One shard of one set of showers."""

    digest: str
    total: int
    shard: Shard

    @property
    def events(self) -> range:
        return self.shard.range(self.total)

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            "run": self.digest,
            "events_of_run": self.total,
            "first_event": self.events.start,
            "shard": f"{self.shard.index}/{self.shard.count}",
        }

    def stands_at(self, path: Path) -> bool:
        """Tell whether a finished file holds this very shard."""
        if not path.is_file():
            return False
        try:
            found = open_showers(path).provenance
        except FileFormatError:
            return False
        own = self.attributes
        return all(found.get(name) == own[name] for name in ("run", "shard"))


def sample_to_file(
    surrogate: Surrogate,
    path: Path | str,
    particles: Particles,
    *,
    seed: int,
    shard: Shard | None = None,
    batch_size: int = 512,
    workers: int = 1,
    executor: str | Executor | Any = "threads",
    device: str = "cpu",
    extrapolate: bool = False,
    points: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Draw a set of showers, or one shard of it, into a file that appears whole or not at all.

    A shower is a function of (model, particle, seed, event): neither workers nor shards change a
    bit of it. Finished pieces wait beside the file in ``FILE.pieces``; the same call after an
    interruption goes on from there, and a finished file of this very shard is left as it is.
    Any other file that stands there is replaced at the end.

    Args:
        surrogate: the trained model.
        path: the file.
        particles: incident particles of the whole set.
        seed: identity of the set.
        shard: which part of the set; all of it by default.
        batch_size: showers in one piece, rounded up to whole tiles; more in very large sets. It
            changes nothing but memory and what an interruption costs.
        workers: how many of them; they change nothing but time.
        executor: ``threads`` of this process, or anything that
            :func:`simulacra.workforce.workforce` takes: ``processes``, ``dask``,
            ``dask:ADDRESS``, a Dask client, an executor.
        device: where the network runs, with every worker.
        extrapolate: draw outside the range of the training data too.
        points: write points instead of voxels; those of a model of voxels lie at random places
            inside of them, a function of (seed, event, voxel).
        progress: called with the number of showers done so far.

    Returns:
        The number of showers in the file.

    Raises:
        RangeError: if a condition lies outside the model's range, or the shard is empty.
        ConfigError: if there is no such executor, or a machine lacks the device.
        OutputError: if the file cannot be written, or finished pieces of another run lie there.
        WorkforceError: if workers stop; finished pieces are kept.
    """
    path = Path(path)
    shard = shard or Shard()
    kind = "points " if points else ""
    run = _Run(kind + _digest(surrogate, particles, seed), len(particles), shard)
    _refuse_nonsense(run, batch_size, workers)
    require_writable(path.parent)
    rows = slice(run.events.start, run.events.stop)
    table = surrogate.condition_table(
        particles.incident_energy[rows],
        {name: column[rows] for name, column in particles.conditions.items()},
    )
    if not extrapolate:
        surrogate.refuse_outside(table)
    drawer = Drawer(surrogate.model, surrogate.config.tile, seed, require_device(device))
    what = (
        f"{run.digest} {shard.index}/{shard.count} {device} {batch_size} torch {torch.__version__}"
    )
    folder = PieceFolder(
        path,
        what,
        what="set of showers",
        differs="model, particles, seed, shard, device, batch size or version of torch",
    )
    if run.stands_at(path):
        folder.remove()  # a kill may have come between writing and tidying
        return len(table)
    weight = None if particles.weight is None else particles.weight[rows]

    def dressed(dress: Callable[[Array, Array, int], S]) -> Iterator[S]:
        done = 0
        for drawn in parts:
            here = slice(done, done + len(drawn))
            part = dress(drawn, table[here], run.events.start + done)
            yield part if weight is None else replace(part, weight=weight[here])
            done += len(drawn)
            if progress:
                progress(done)

    def as_voxels(drawn: Array, table: Array, _first: int) -> VoxelShowers:
        return surrogate.showers(drawn, table, seed=seed)

    def as_points(drawn: Array, table: Array, first: int) -> PointShowers:
        return surrogate.clouds(drawn, table, seed=seed, first=first)

    pieces = cut(run.events, drawer.tile, batch_size, surrogate.width)
    with folder, closing(_voxels(drawer, table, pieces, folder, executor, workers)) as parts:
        attributes = {**surrogate.provenance(seed), **run.attributes}
        keys = {"training_keys": surrogate.training_keys}
        if points:
            where = surrogate.geometry
            clouds = dressed(as_points)
            written = write_points(path, clouds, geometry=where, attributes=attributes, arrays=keys)
        else:
            voxels = dressed(as_voxels)
            written = write_showers(path, voxels, attributes=attributes, arrays=keys)
        folder.remove()
    return written


def _voxels(
    drawer: Drawer,
    table: Array,
    pieces: list[range],
    folder: PieceFolder,
    executor: str | Executor | Any,
    workers: int,
) -> Generator[Array, None, None]:
    """Give the voxels of all pieces in order; those that are missing are drawn and kept."""
    first = pieces[0].start
    finished = {piece for piece in pieces if piece in folder}
    work = (
        (piece, table[piece.start - first : piece.stop - first])
        for piece in pieces
        if piece not in finished
    )
    with closing(_drawn(drawer, work, executor, workers)) as drawn:
        for piece in pieces:
            if piece not in finished:
                folder.keep(piece, next(drawn))
            yield unpacked(folder.read(piece))


def _drawn(
    drawer: Drawer, work: Iterator[tuple[range, Array]], executor: Any, workers: int
) -> Generator[bytes, None, None]:
    """Draw pieces and give them packed, whoever works."""
    try:
        if executor == "threads":
            yield from by_threads(drawer, work, workers)
            return
        with workforce(executor, workers) as force:
            yield from by_workers(drawer, work, force)
    finally:
        drawer.model.cpu()


def _refuse_nonsense(run: _Run, batch_size: int, workers: int) -> None:
    if batch_size < 1:
        raise RangeError(f"batch size: expected at least 1, got {batch_size}.")
    if workers < 1:
        raise RangeError(f"workers: expected at least 1, got {workers}.")
    index, count = run.shard.index, run.shard.count
    if not run.events:
        raise RangeError(
            f"shard {index}/{count}: has no showers, because the set has only {run.total}; take "
            "fewer shards."
        )
    if len(run.events) > _MOST_EVENTS_AT_ONCE:
        raise RangeError(
            f"events: expected at most {_MOST_EVENTS_AT_ONCE:g} showers in one shard, got "
            f"{len(run.events)}; take more shards."
        )


def _digest(surrogate: Surrogate, particles: Particles, seed: int) -> str:
    """Return the identity of a set: model, seed, and every incident particle."""
    digest = hashlib.sha256(f"{_model_digest(surrogate)} {seed}".encode())
    weight = () if particles.weight is None else (particles.weight,)
    for column in (particles.incident_energy, *particles.conditions.values(), *weight):
        digest.update(np.ascontiguousarray(column, "<f4").tobytes())
    return digest.hexdigest()


def _model_digest(surrogate: Surrogate) -> str:
    """Return the identity of a model; one that was never saved is known by its weights."""
    saved = surrogate.manifest.get("digest")
    if saved:
        return str(saved)
    digest = hashlib.sha256()
    for name, tensor in sorted(surrogate.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
