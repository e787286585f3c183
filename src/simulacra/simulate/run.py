"""A simulation from its setup to its file: in parallel, resumable, in shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py

from ..data import Geometry, VoxelShowers, write_showers
from ..errors import (
    ConfigError,
    DependencyError,
    OutputError,
    RangeError,
    SimulationError,
    WorkforceError,
)
from ..execute import Shard, require_writable
from ..random import NOISE_LAW
from ..workforce import Workforce, workforce
from .beam import PARTICLES, draw_energies
from .pieces import Pieces, Totals, cut
from .setup import Setup
from .tables import Tables, find_tables
from .workers import Work, last_words, local_pool, measure_sampling_fraction, simulate_piece

__all__ = ["APPROXIMATE", "Simulated", "simulate_to_file"]

APPROXIMATE = (
    "approximate: without Geant4's official tables, cross sections of neutrons below 20 MeV and of "
    "photons on nuclei are rough formulas"
)
"""What is said of hadronic showers that were made with rendered tables."""

_MOST_EVENTS = 10**9
_MOST_EVENTS_AT_ONCE = 10**8

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Simulated:
    """What a simulation has done.

    Args:
        path: the file.
        events: showers in it.
        made: showers that were simulated now; the others were finished before.
        sampling_fraction: by which deposits were divided.
        milliseconds_per_shower: processor time of one core.
        milliseconds_per_gev: the same per GeV of incident energy.
        filling_share: share of that time from Geant4's steps to voxels.
        caveat: what has to be known about the physics, or an empty text.
    """

    path: Path
    events: int
    made: int
    sampling_fraction: float
    milliseconds_per_shower: float
    milliseconds_per_gev: float
    filling_share: float
    caveat: str


@dataclass(frozen=True)
class _Run:
    """One shard of one set of showers."""

    setup: Setup
    tables: Tables
    engine: str
    events: int
    seed: int
    shard: Shard

    @property
    def numbers(self) -> range:
        return self.shard.range(self.events)

    @property
    def digest(self) -> str:
        """Identity of the whole set: shards of one set have it in common."""
        content = {
            "setup": self.setup.to_dict(),
            "tables": self.tables.label,
            "engine": self.engine,
            "noise": NOISE_LAW,
            "events": self.events,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def work(self, piece: range, fraction: float) -> Work:
        text = json.dumps(self.setup.to_dict())
        return Work(text, self.tables, self.seed, piece.start, piece.stop, fraction)

    @property
    def piece_of(self) -> str:
        return f"{self.digest} {self.shard.index}/{self.shard.count}"

    @property
    def caveat(self) -> str:
        rough = self.setup.physics.hadronic != "none" and self.tables.kind == "rendered"
        return APPROXIMATE if rough else ""


def simulate_to_file(
    setup: Setup,
    path: Path | str,
    events: int,
    *,
    seed: int,
    shard: Shard | None = None,
    workers: int = 1,
    executor: str | Executor | Any = "processes",
    tables: Path | str | None = None,
    progress: Progress | None = None,
) -> Simulated:
    """Simulate showers into a file that appears whole or not at all.

    Every shower is a function of (setup, tables, seed, event): workers and shards change no bit of
    it. Finished pieces wait beside the file in ``FILE.pieces``; the same call after an interruption
    goes on from there, and a file that is finished already is left as it is.

    Args:
        setup: calorimeter, physics and beam.
        path: the file to write.
        events: showers of the whole set.
        seed: identity of the set.
        shard: which part of the set; all of it by default.
        workers: how many of them.
        executor: ``processes`` on this machine, ``dask``, ``dask:ADDRESS``, a Dask client, or
            anything with the semantics of ``concurrent.futures.Executor``; see
            :func:`simulacra.workforce.workforce`. Its workers are processes of one thread.
        tables: folder of Geant4's official tables, or ``"rendered"``; see :func:`find_tables`.
        progress: called with the number of finished showers of this shard, and of all.

    Returns:
        What was done.

    Raises:
        DependencyError: if calzone, or pypenred where it is needed, is not installed.
        ConfigError: if a material is not known, tables are missing, or the physics does not fit.
        RangeError: if voxels miss the calorimeter, a range is empty, or the shard has no showers.
        UnknownNameError: if a particle or a geometry is not known.
        OutputError: if the file cannot be written, or another set lies there.
        SimulationError: if Geant4 stops; finished pieces are kept.
        WorkforceError: if workers stop; finished pieces are kept.
    """
    path = Path(path)
    run = _checked(setup, events, seed, shard or Shard(), workers, executor, tables)
    require_writable(path.parent)
    standing = _standing(path, run)
    if standing is not None:
        Pieces(path, run.piece_of).remove()  # a kill may have come between writing and tidying
        return standing
    pieces = cut(draw_energies(setup.beam, seed, run.numbers), run.numbers.start)
    with Pieces(path, run.piece_of) as done:
        missing = [piece for piece in pieces if piece not in done]
        fraction = _fixed_fraction(setup) or done.sampling_fraction
        if missing or fraction is None:
            finished = len(run.numbers) - sum(map(len, missing))
            tell = progress or _silent
            tell(finished, len(run.numbers))
            with _workers(executor, workers, done) as force:
                for piece in _make(run, done, missing, fraction, force):
                    finished += len(piece)
                    tell(finished, len(run.numbers))
            fraction = fraction or done.sampling_fraction
        assert fraction is not None
        attributes = _attributes(run, fraction, done.totals(pieces))
        _assemble(path, run, pieces, done, attributes)
        done.remove()
    return _report(path, attributes, made=sum(map(len, missing)))


def _checked(
    setup: Setup,
    events: int,
    seed: int,
    shard: Shard,
    workers: int,
    executor: Any,
    tables: Path | str | None,
) -> _Run:
    """Refuse what cannot work before anything is started."""
    setup.refuse_nonsense()
    if not 1 <= events <= _MOST_EVENTS:
        raise RangeError(f"events: expected 1 to {_MOST_EVENTS:g} showers, got {events}.")
    if workers < 1:
        raise RangeError(f"workers: expected at least 1, got {workers}.")
    if not 0 <= seed < 2**64:
        raise RangeError(f"seed: expected a number in [0, 2**64), got {seed}.")
    if not shard.range(events):
        raise RangeError(
            f"shard {shard.index}/{shard.count}: has no showers, because the set has only "
            f"{events}; take fewer shards."
        )
    if isinstance(executor, ThreadPoolExecutor):
        raise ConfigError("executor: expected processes, found threads; Geant4 needs its own.")
    if len(shard.range(events)) > _MOST_EVENTS_AT_ONCE:
        raise RangeError(
            f"events: expected at most {_MOST_EVENTS_AT_ONCE:g} showers in one shard, got "
            f"{len(shard.range(events))}; take more shards."
        )
    engine = _engine_version()
    found = find_tables(tables)
    found.refuse_physics(setup.physics.electromagnetic, setup.physics.hadronic)
    return _Run(setup, found, engine, events, seed, shard)


def _engine_version() -> str:
    """Return which calzone is installed, without importing it."""
    try:
        return f"calzone {metadata.version('calzone')}"
    except metadata.PackageNotFoundError:
        raise DependencyError(
            "simulating needs the package calzone, which brings Geant4; "
            "pip install 'simulacra[geant4]'."
        ) from None


def _fixed_fraction(setup: Setup) -> float | None:
    """Return the sampling fraction that the setup states, None if it is to be measured."""
    readout = setup.calorimeter.readout
    if readout.deposits == "all":
        return 1.0
    return None if readout.sampling_fraction == "measured" else float(readout.sampling_fraction)


@contextmanager
def _workers(executor: Any, workers: int, done: Pieces) -> Iterator[Workforce]:
    """Hire workers; what goes wrong with them becomes one sentence.

    Geant4 never runs in this process, not even for a single worker: a fatal error would end it.
    """
    with ExitStack() as stack:
        if executor == "processes":
            hire = partial(local_pool, workers, done.folder)
            force = Workforce(workers, hire, where=f"{workers} processes")
            stack.callback(force.close)
        else:
            force = stack.enter_context(workforce(executor, workers))
        try:
            yield force
        except WorkforceError as error:
            words = last_words(done.folder).rstrip(".")
            if not words:
                raise
            raise SimulationError(
                f"a worker stopped again and again; it said: {words}. Finished pieces are kept: "
                "the same command goes on from there."
            ) from error


def _make(
    run: _Run, done: Pieces, missing: list[range], fraction: float | None, force: Workforce
) -> Iterator[range]:
    """Simulate what is missing and keep it, piece by piece; give each that is finished."""
    if fraction is None:
        (fraction,) = force.in_order(measure_sampling_fraction, [run.work(range(0), 1.0)])
        done.keep_sampling_fraction(fraction)
    works = [run.work(piece, fraction) for piece in missing]
    for piece, found in zip(missing, force.in_order(simulate_piece, works), strict=True):
        done.keep(piece, *found)
        yield piece


def _assemble(
    path: Path, run: _Run, pieces: list[range], done: Pieces, attributes: dict[str, Any]
) -> None:
    """Write the final file from the finished pieces, one after the other."""
    calorimeter = run.setup.calorimeter
    where = calorimeter.geometry(attributes["particle"], attributes.get("pdg", 0))
    write_showers(path, _voxel_showers(run, pieces, done, where), attributes=attributes)


def _voxel_showers(
    run: _Run, pieces: list[range], done: Pieces, where: Geometry
) -> Iterator[VoxelShowers]:
    for energies, primaries in map(done.read, pieces):
        conditions = primaries.varying(run.setup.beam)
        yield VoxelShowers(energies, primaries.energy, where, conditions)


def _attributes(run: _Run, fraction: float, totals: Totals) -> dict[str, Any]:
    setup = run.setup
    beam, physics, readout = setup.beam, setup.physics, setup.calorimeter.readout
    read = "all materials" if readout.deposits == "all" else "active slabs"
    hadronic = "" if physics.hadronic == "none" else f" and {physics.hadronic}"
    low, high = beam.energy
    found: dict[str, Any] = {
        "simulation": f"{totals.engine}, {physics.electromagnetic} electromagnetic physics"
        f"{hadronic}, {physics.production_cut:g} mm production cuts",
        "tables": run.tables.label,
        "detector": setup.calorimeter.name,
        "setup": json.dumps(setup.to_dict()),
        "particle": ", ".join(beam.particles),
        "energies": f"{'log-' * (beam.spectrum == 'log')}uniform {low:g}-{high:g} MeV kinetic",
        "voxels": f"deposits in {read}, at the {readout.deposit_at} of each step, divided by the "
        "sampling fraction",
        "sampling_fraction": fraction,
        "deposits_outside_voxels": totals.outside / max(totals.recorded, 1e-30),
        "seed": run.seed if run.seed < 2**63 else str(run.seed),
        "noise_law": NOISE_LAW,
        "run": run.digest,
        "events_of_run": run.events,
        "first_event": run.numbers.start,
        "shard": f"{run.shard.index}/{run.shard.count}",
        "full_simulation_ms_per_shower": totals.milliseconds_per_shower,
        "full_simulation_ms_per_gev": totals.milliseconds_per_gev,
        "voxel_filling_share": totals.filling_share,
    }
    if len(beam.particles) == 1:
        found["pdg"] = PARTICLES[beam.particles[0]]
    if run.caveat:
        found["hadronic_physics"] = run.caveat
    return found


def _standing(path: Path, run: _Run) -> Simulated | None:
    """Return what a finished file holds if it is this very shard; refuse to replace another."""
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            found = dict(file.attrs)
    except OSError:
        found = {}
    shard = f"{run.shard.index}/{run.shard.count}"
    if (found.get("run"), found.get("shard")) != (run.digest, shard):
        raise OutputError(
            f"{path}: exists and holds something else; remove it or choose another --out."
        )
    return _report(path, found, made=0)


def _report(path: Path, attributes: dict[str, Any], *, made: int) -> Simulated:
    index, _, count = str(attributes["shard"]).partition("/")
    numbers = Shard(int(index), int(count)).range(int(attributes["events_of_run"]))
    return Simulated(
        path=path,
        events=len(numbers),
        made=made,
        sampling_fraction=float(attributes["sampling_fraction"]),
        milliseconds_per_shower=float(attributes["full_simulation_ms_per_shower"]),
        milliseconds_per_gev=float(attributes["full_simulation_ms_per_gev"]),
        filling_share=float(attributes["voxel_filling_share"]),
        caveat=str(attributes.get("hadronic_physics", "")),
    )


def _silent(done: int, total: int) -> None:
    """Report nothing."""
