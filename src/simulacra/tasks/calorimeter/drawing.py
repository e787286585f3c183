"""Showers to disk: whole sets, shards of them, and shards back together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...data import ShowerFile, VoxelShowers, write_showers
from ...errors import FileFormatError, RangeError
from ...execute import Shard
from ...random import Stream, uniform
from .surrogate import Surrogate

__all__ = ["Particles", "particles_like", "sample_to_file", "spectrum"]

Array = NDArray[Any]
_LARGEST_SET = 10**9  # 4 GB of incident energies
_ENERGIES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class Particles:
    """The incident particles of a whole set, of which a shard may draw a part.

    Args:
        incident_energy: in MeV, ``(events,)``.
        conditions: further conditions by name, ``(events,)`` each.
        weight: event weights, ``(events,)``, if they have any.
    """

    incident_energy: Array
    conditions: dict[str, Array]
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.incident_energy)


def spectrum(
    low: float, high: float, events: int, *, seed: int, shape: Literal["log", "uniform"] = "log"
) -> Particles:
    """Draw incident energies, each a function of the seed and its number.

    Args:
        low: smallest energy in MeV, positive.
        high: largest energy in MeV.
        events: how many.
        seed: identity of the set.
        shape: ``log`` is flat in the logarithm of the energy, ``uniform`` in the energy.

    Raises:
        RangeError: if the range is empty or not positive, or ``events`` is below 1 or above 1e9.
    """
    if not 0 < low <= high:
        raise RangeError(
            f"energy: expected a range of positive energies, got {low:g} to {high:g} MeV."
        )
    if events < 1:
        raise RangeError(f"events: expected at least 1 shower, got {events}.")
    if events > _LARGEST_SET:
        raise RangeError(
            f"events: expected at most {_LARGEST_SET:g} showers in one set, got {events}; draw "
            "several sets with different seeds."
        )
    energy = np.empty(events, np.float32)
    for first in range(0, events, _ENERGIES_AT_ONCE):
        numbers = np.arange(first, min(first + _ENERGIES_AT_ONCE, events))
        u = uniform(seed, numbers, 1, stream=Stream.INCIDENT_ENERGY, dtype=np.float64)[:, 0]
        drawn = low * (high / low) ** u if shape == "log" else low + (high - low) * u
        energy[first : first + len(u)] = np.clip(drawn, low, high)
    return Particles(energy, {})


def particles_like(file: ShowerFile, conditions: Sequence[str]) -> Particles:
    """Take the incident particles of a file, so that both can be compared shower by shower.

    Raises:
        FileFormatError: if the file lacks a condition.
    """
    columns = file.columns()
    missing = [name for name in conditions if name not in columns]
    if missing:
        raise FileFormatError(
            f"{file.path}: the model depends on {', '.join(missing)}, which the file does not have."
        )
    return Particles(
        columns["incident_energy"].astype(np.float32),
        {name: columns[name].astype(np.float32) for name in conditions},
        columns.get("weight"),
    )


def sample_to_file(
    surrogate: Surrogate,
    path: Path | str,
    particles: Particles,
    *,
    seed: int,
    shard: Shard | None = None,
    batch_size: int = 4096,
    workers: int = 1,
    device: str = "cpu",
    extrapolate: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Draw a set of showers, or one shard of it, into a file that appears whole or not at all.

    Args:
        surrogate: the trained model.
        path: the file.
        particles: incident particles of the whole set.
        seed: identity of the set.
        shard: which part of the set; all of it by default.
        batch_size: showers kept in memory before they are written; changes nothing but memory.
        workers: threads; they change nothing but time.
        device: where the network runs.
        extrapolate: draw outside the range of the training data too.
        progress: called with the number of showers done so far.

    Returns:
        The number of showers written.

    Raises:
        RangeError: if a condition lies outside the model's range, or the shard is empty.
        OutputError: if the file cannot be written.
    """
    if batch_size < 1:
        raise RangeError(f"batch size: expected at least 1, got {batch_size}.")
    shard = shard or Shard()
    events = shard.range(len(particles))
    rows = slice(events.start, events.stop)
    table = surrogate.condition_table(
        particles.incident_energy[rows],
        {name: column[rows] for name, column in particles.conditions.items()},
    )
    drawn = surrogate.draw(
        table, events, seed=seed, workers=workers, device=device, extrapolate=extrapolate
    )
    attributes = {
        **surrogate.provenance(seed),
        "run": _run(surrogate, particles, seed),
        "events_of_run": len(particles),
        "first_event": events.start,
        "shard": f"{shard.index}/{shard.count}",
    }
    weight = None if particles.weight is None else particles.weight[rows]

    def parts() -> Iterator[VoxelShowers]:
        done = 0
        for voxels in _gathered((part.x for part in drawn), batch_size):
            here = slice(done, done + len(voxels))
            part = surrogate.showers(voxels, table[here], seed=seed)
            if weight is not None:
                part = VoxelShowers(**{**vars(part), "weight": weight[here]})
            yield part
            done += len(voxels)
            if progress:
                progress(done)

    keys = {"training_keys": surrogate.training_keys}
    return write_showers(path, parts(), attributes=attributes, arrays=keys)


def _gathered(arrays: Iterator[Array], size: int) -> Iterator[Array]:
    """Join small arrays into pieces of ``size`` rows (the last may be smaller)."""
    held: list[Array] = []
    rows = 0
    for array in arrays:
        held.append(array)
        rows += len(array)
        while rows >= size:
            whole = np.concatenate(held)
            yield whole[:size]
            held, rows = [whole[size:]], rows - size
    if rows:
        yield np.concatenate(held)


def _run(surrogate: Surrogate, particles: Particles, seed: int) -> str:
    """Return the identity of a set: model, seed, and every incident particle."""
    digest = hashlib.sha256(f"{surrogate.manifest.get('digest')} {seed}".encode())
    for column in (particles.incident_energy, *particles.conditions.values()):
        digest.update(np.ascontiguousarray(column, "<f4").tobytes())
    return digest.hexdigest()
