"""Surrogate: what a user holds; numpy in, numpy out, in MeV, mm and rad."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ... import __version__
from ...artifact import Artifact, load_artifact, save_artifact
from ...batch import Draws
from ...conditions import accepted_range, condition_columns
from ...data import (
    Geometry,
    GridLayer,
    JoinedFiles,
    PointShowers,
    ShowerFile,
    VoxelShowers,
    open_joined,
    voxelize,
)
from ...errors import ArtifactError, ConfigError, RangeError, SimulacraError
from ...execute import place_in_job
from ...generative import (
    Drawing,
    GenerativeModel,
    ShowerCascade,
    ShowerLayout,
    draw,
    initialised,
    require_device,
    shower_model,
)
from ...preprocess import CellPlaces
from ...random import NOISE_LAW
from ...train import History, Progress, TrainingSet, identity, train
from .bands import Bands, checked_bands, outside
from .clouds import cloud_rows, spread_points
from .problem import SurrogateConfig
from .recipes import recipe
from .shipped import find_model

__all__ = ["Surrogate"]

Array = NDArray[Any]
Source = VoxelShowers | ShowerFile | JoinedFiles | Path | str | Sequence[Path | str]
_CONSTANTS_FROM = 200_000  # events from which preprocessing constants are taken


class Surrogate:
    """A generator of showers: make one, ``fit`` it, ``sample`` it, ``save`` and ``load`` it.

    Args:
        config: a whole configuration, or the name of a recipe.

    Example:
        >>> surrogate = Surrogate("photons-demo")
        >>> surrogate.config.model.channels
        64
    """

    def __init__(self, config: SurrogateConfig | str = "photons") -> None:
        self.config = recipe(config) if isinstance(config, str) else config
        self.history: History = []
        self._manifest: dict[str, Any] = {}
        self._keys = np.zeros(0, np.uint64)
        self._geometry: Geometry | None = None
        self._model: GenerativeModel | None = None
        self._teacher: Surrogate | None = None
        self._prepared = 0.0, 0.0  # wall and processor seconds

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Plain data about the fitted model: validity, training data, scores."""
        self._fitted()
        return self._manifest

    @property
    def geometry(self) -> Geometry:
        """The detector of the showers."""
        return self._fitted()[1]

    @property
    def model(self) -> GenerativeModel:
        """The generator itself."""
        return self._fitted()[0]

    @property
    def width(self) -> int:
        """Numbers that a drawn shower takes: its voxels, or those of its points."""
        rows = cloud_rows(self.config, self.geometry)
        return self.geometry.voxels if rows is None else rows.width

    @property
    def training_keys(self) -> NDArray[np.uint64]:
        """Digest of every shower that training saw, ``(events,)``."""
        return self._keys

    def fit(
        self,
        data: Source,
        *,
        seed: int = 0,
        leave_out: Bands | None = None,
        folder: Path | str | None = None,
        resume: bool = False,
        device: str = "cpu",
        progress: Progress | None = None,
        stage: Callable[[str], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Self:
        """Learn from showers; under torchrun together with the other processes.

        Args:
            data: showers, or files of them: one, a folder, a pattern or several of these.
            seed: identity of the training.
            leave_out: bands of conditions whose showers take no part, by the condition's name
                (``incident_energy``, ``theta``, ...): low and high in MeV, rad or mm, the upper
                end not in it. A scan measures how well the model interpolates across them.
            folder: where checkpoint and log are kept; by default nowhere.
            resume: go on from the checkpoint in ``folder``.
            device: where the network is trained, such as ``cuda``.
            progress: called after every epoch with its record.
            stage: called with a sentence when another stage begins.
            stop: asked after every step; if it says yes, a checkpoint is written and training ends.

        Raises:
            FileFormatError: if a shower holds numbers that are no energies.
            UnitError: if the file looks as if it were in GeV.
            ConfigError: if the file lacks a condition of the configuration, or this machine the
                device, or the teacher is one of another detector or family.
            UnknownNameError: if there is no such teacher.
            RangeError: if there are too few showers, a weight sum is not positive, a band is empty
                or leaves no showers, or the processes cannot share a batch evenly.
            StoppedError: if ``stop`` said so.
            WorkforceError: if another process no longer answers.
        """
        say = stage or (lambda _: None)
        device = require_device(device)
        bands = checked_bands(leave_out or {}, self.config.conditions)
        if self.config.is_student and self.config.teacher is None:
            raise ConfigError(
                f"{self.config.name}: a student of this family needs a teacher, found none; set "
                "`teacher` to a model's folder or to a shipped model's name (--set teacher=MODEL)."
            )
        events = _Events.read(data, self.config, bands)
        layout = _layout(events.geometry, self.config.conditions, events.particles)
        model = initialised(lambda: shower_model(self.config.model, layout), seed)
        if self.config.teacher is not None:
            self._teacher = Surrogate.load(find_model(self.config.teacher))
            model.learn_from(self._teacher.model)
        say("fitting the preprocessing")
        started = time.perf_counter(), time.process_time()
        encoded = _encode(model, events, seed, self.config, say)
        self._prepared = time.perf_counter() - started[0], time.process_time() - started[1]
        events.voxels = events.voxels[:0].copy()  # training needs the encoded showers only
        say("training")
        with tempfile.TemporaryDirectory() as nowhere:
            self.history = train(
                model,
                encoded,
                self.config.training,
                seed=seed,
                folder=Path(nowhere) if folder is None else Path(folder),
                resume=resume,
                device=device,
                progress=progress,
                stop=stop,
            )
        self._model, self._geometry, self._keys = model.cpu().eval(), events.geometry, events.keys
        self._manifest = self._described(events, seed)
        return self

    def sample(
        self,
        incident_energy: ArrayLike,
        conditions: Mapping[str, ArrayLike] | None = None,
        *,
        seed: int = 0,
        first_event: int = 0,
        workers: int = 1,
        device: str = "cpu",
        extrapolate: bool = False,
    ) -> VoxelShowers:
        """Draw one shower per incident particle.

        Shower ``i`` is a function of the model, its conditions, ``seed`` and ``first_event + i``
        alone.

        Args:
            incident_energy: in MeV, shape ``(events,)`` or a single number.
            conditions: the model's further conditions by name, shape ``(events,)`` each.
            seed: identity of the set.
            first_event: number of the first shower in its set.
            workers: threads; they change nothing but time.
            device: where the network runs.
            extrapolate: draw outside the range of the training data too.

        Raises:
            RangeError: if a condition lies more than 1 % outside the range of the training data.
            ConfigError: if a condition is missing or unknown.
        """
        energy = np.atleast_1d(np.asarray(incident_energy, np.float32))
        table = self.condition_table(energy, conditions or {})
        parts = self.draw(
            table,
            range(first_event, first_event + len(table)),
            seed=seed,
            workers=workers,
            device=device,
            extrapolate=extrapolate,
        )
        drawn = [part.x.astype(np.float32) for part in parts]
        return self.showers(
            np.concatenate(drawn or [np.zeros((0, self.width), np.float32)]), table, seed=seed
        )

    def draw(
        self,
        table: Array,
        events: range,
        *,
        seed: int,
        workers: int = 1,
        device: str = "cpu",
        extrapolate: bool = False,
    ) -> Iterator[Drawing]:
        """Draw showers a tile at a time, in order; see :meth:`sample`.

        Args:
            table: conditions of ``events`` as :meth:`condition_table` returns them.
            events: contiguous numbers of the showers in their set.
            seed: identity of the set.
            workers: threads.
            device: where the network runs.
            extrapolate: draw outside the range of the training data too.

        Raises:
            RangeError: if a condition lies outside the range of the training data.
            ConfigError: if this machine does not have the device.
        """
        model, _ = self._fitted()
        device = require_device(device)
        if not extrapolate:
            self.refuse_outside(table)
        tiles = draw(
            model.to(device),
            lambda start, stop: table[start - events.start : stop - events.start],
            events,
            seed=seed,
            tile=self.config.tile,
            workers=workers,
            device=device,
        )
        return self._brought_home(tiles)

    def condition_table(self, energy: Array, conditions: Mapping[str, ArrayLike]) -> Array:
        """Return the conditions as columns, incident energy in MeV first, ``(events, columns)``.

        Raises:
            ConfigError: if a condition is missing or unknown.
            ShapeError: if the columns have different lengths.
        """
        return condition_columns(energy, conditions, self.config.conditions)

    def refuse_outside(self, table: Array) -> None:
        """Refuse conditions more than 1 % outside the range of the training data.

        Args:
            table: as :meth:`condition_table` returns it.

        Raises:
            RangeError: naming the first such condition.
        """
        self._fitted()
        validity = self._manifest["validity"]
        for column, (name, (low, high)) in zip(table.T, validity["ranges"].items(), strict=True):
            strange = column[:0]
            if name == "pdg":
                strange = column[~np.isin(column, validity["particles"])]
            if len(strange):
                raise RangeError(
                    f"pdg: the model has learned {validity['particles']}, {len(strange)} of "
                    f"{len(column)} showers are of others, such as {strange[0]:g}. Use a model "
                    "that covers them."
                )
            least, most = accepted_range(name, low, high)
            outside = ~((column >= least) & (column <= most))
            if outside.any():
                worst = column[outside][0]
                raise RangeError(
                    f"{name}: the model was trained from {low:g} to {high:g}, {int(outside.sum())} "
                    f"of {len(column)} showers lie outside, such as {worst:g} (MeV, mm, rad). Use "
                    "a model that covers them, or ask for extrapolation (--extrapolate)."
                )

    def showers(self, drawn: Array, table: Array, *, seed: int) -> VoxelShowers:
        """Dress what was drawn as showers with conditions and provenance.

        Args:
            drawn: voxels, or points that are summed in the voxels that they lie in.
            table: conditions.
            seed: identity of the set.
        """
        if (rows := cloud_rows(self.config, self.geometry)) is not None:
            points = rows.points(drawn, table[:, 0], **self._dress(table, seed))
            return voxelize(points, self.geometry)
        return VoxelShowers(
            energies=drawn,
            incident_energy=table[:, 0],
            geometry=self.geometry,
            **self._dress(table, seed),
        )

    def clouds(self, drawn: Array, table: Array, *, seed: int, first: int) -> PointShowers:
        """Dress what was drawn as points; voxels become points at random places inside of them.

        Args:
            drawn: voxels or points.
            table: conditions.
            seed: identity of the set.
            first: number of the first shower in its set.
        """
        if (rows := cloud_rows(self.config, self.geometry)) is not None:
            return rows.points(drawn, table[:, 0], **self._dress(table, seed))
        return spread_points(self.showers(drawn, table, seed=seed), seed=seed, first=first)

    def _dress(self, table: Array, seed: int) -> dict[str, Any]:
        columns = {name: table[:, 1 + i] for i, name in enumerate(self.config.conditions)}
        return {"conditions": columns, "provenance": self.provenance(seed)}

    def provenance(self, seed: int) -> dict[str, Any]:
        """Return what a file of drawn showers says about its origin."""
        training = self.manifest["training"]
        return {
            "model": self.config.name,
            "model_digest": self.manifest.get("digest", "not saved"),
            "training_digest": training["sha256"],
            "training_file": training["file"],
            "noise_law": NOISE_LAW,
            "seed": seed,
            "tile": self.config.tile,
            "simulacra": __version__,
        }

    def save(self, folder: Path | str) -> Path:
        """Write the model's folder: manifest, weights, card; see :func:`save_artifact`."""
        model, _ = self._fitted()
        artifact = Artifact(self._manifest, model.state_dict(), self._keys)
        path = save_artifact(folder, artifact, half_precision=self.config.half_precision)
        self._adopt(load_artifact(path))  # stored weights may be rounded: hold what others load
        return path

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a model's folder; the training data are not needed.

        Raises:
            ArtifactError: if the folder is incomplete, changed or of another version.
        """
        artifact = load_artifact(folder)
        try:
            surrogate = cls(SurrogateConfig.from_dict(artifact.manifest["config"]))
            surrogate._adopt(artifact)
        except (KeyError, SimulacraError, RuntimeError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise ArtifactError(f"{folder}: does not describe a surrogate: {reason}.") from None
        return surrogate

    def scored(self, **entries: Any) -> None:
        """Put scores, timing or known failures into the manifest, before saving again."""
        self._fitted()
        self._manifest.update(entries)

    def retile(self, tile: int) -> None:
        """Compute another number of showers together: the same law, other last digits.

        A single shower waits for its whole tile, so a small one answers sooner; a large one costs
        less per shower.

        Args:
            tile: events per tile, 1 to 4096.

        Raises:
            ConfigError: if it is outside.
        """
        self._fitted()
        self.config = self.config.updated(tile=tile)
        self._manifest |= {"tile": tile, "config": self.config.to_dict()}

    def _adopt(self, artifact: Artifact) -> None:
        geometry = Geometry.from_dict(artifact.manifest["geometry"])
        particles = artifact.manifest["validity"].get("particles", ())
        layout = _layout(geometry, self.config.conditions, tuple(map(int, particles)))
        model = initialised(lambda: shower_model(self.config.model, layout), seed=0)
        model.load_state_dict(dict(artifact.weights))
        self._model, self._geometry, self._keys = model.eval(), geometry, artifact.event_keys
        self._manifest = dict(artifact.manifest)

    def _described(self, events: _Events, seed: int) -> dict[str, Any]:
        names = ("incident_energy", *self.config.conditions)
        low, high = events.table.min(axis=0), events.table.max(axis=0)
        left_out = {name: list(band) for name, band in events.left_out.items()}
        return {
            "kind": "voxel-shower-surrogate",
            "name": self.config.name,
            "summary": self.config.summary,
            "package": f"simulacra {__version__}, torch {torch.__version__}",
            "config": self.config.to_dict(),
            "geometry": events.geometry.to_dict(),
            "noise_law": NOISE_LAW,
            "noise_size": self.model.noise_size,
            "tile": self.config.tile,
            "seed": seed,
            "teacher": self._teacher and self._teacher.manifest.get("digest"),
            "licence": self.config.licence,
            "validity": {
                "geometry": events.geometry.name,
                "particle": str(events.provenance.get("particle", events.geometry.particle)),
                "ranges": {
                    name: [float(a), float(b)] for name, a, b in zip(names, low, high, strict=True)
                },
                "threshold_mev": events.geometry.threshold,
                **({"particles": list(events.particles)} if events.particles else {}),
                **({"left_out": left_out} if left_out else {}),
            },
            "training": {
                "file": events.file,
                "sha256": events.digest,
                "events": len(events.table),
                "epochs": len(self.history),
                "wall_minutes": self._minutes("wall_seconds", self._prepared[0]),
                "processor_minutes": self._minutes("processor_seconds", self._prepared[1]),
                "threads": self.config.training.threads or torch.get_num_threads(),
                "processes": place_in_job()[1],
                "provenance": {
                    name: value.item() if isinstance(value, np.generic) else value
                    for name, value in events.provenance.items()
                    if isinstance(value, str | int | float | np.number)
                },
            },
            "scores": [],
        }

    def _minutes(self, key: str, before: float) -> float:
        """Return the time of all epochs and of what came before them."""
        return round((before + sum(float(epoch[key]) for epoch in self.history)) / 60, 2)

    def _fitted(self) -> tuple[GenerativeModel, Geometry]:
        if self._model is None or self._geometry is None:
            raise ArtifactError("the surrogate is not trained yet; call `fit` or `load` first.")
        return self._model, self._geometry

    def _brought_home(self, tiles: Iterator[Drawing]) -> Iterator[Drawing]:
        """Pass tiles on, and put the model back on the processor when they end."""
        try:
            yield from tiles
        finally:
            self.model.cpu()


class _Events:
    """Training showers in memory, as arrays."""

    def __init__(
        self,
        voxels: Array,
        table: Array,
        weight: Array,
        keys: NDArray[np.uint64],
        geometry: Geometry,
        provenance: Mapping[str, Any],
        file: str,
        digest: str,
    ) -> None:
        self.voxels, self.table, self.weight, self.keys = voxels, table, weight, keys
        self.geometry, self.provenance, self.file, self.digest = geometry, provenance, file, digest
        self.left_out: Bands = {}
        self.particles: tuple[int, ...] = ()

    @classmethod
    def read(cls, data: Source, config: SurrogateConfig, left_out: Bands) -> _Events:
        conditions = config.conditions
        if isinstance(data, VoxelShowers):
            _refuse_missing(conditions, data.conditions, "showers in memory")
            parts: Iterable[VoxelShowers | PointShowers] = [data]
            name, digest = "showers in memory", ""
            provenance: Mapping[str, Any] = data.provenance
        else:
            if isinstance(data, ShowerFile):
                data = JoinedFiles([data])
            elif not isinstance(data, JoinedFiles):
                data = open_joined(data)
            for file in data.files:
                _refuse_missing(conditions, file.conditions, str(file.path))
            data.validate(strict=True)
            parts, name, digest = data.chunks(strict=True), data.name, data.digest()
            provenance = data.provenance
        events, geometry = len(data), data.geometry
        if (clouds := cloud_rows(config, geometry)) is not None:
            parts = _points_of(data, parts)
        voxels = np.empty((events, clouds.width if clouds else geometry.voxels), np.float32)
        table = np.empty((events, 1 + len(conditions)), np.float32)
        weight, keys = np.ones(events, np.float32), np.empty(events, np.uint64)
        done = 0
        for whole in parts:
            part = whole.select(outside(left_out, whole)) if left_out else whole
            rows = slice(done, done + len(part))
            if isinstance(part, PointShowers):
                assert clouds is not None
                voxels[rows] = clouds.rows(part)
            else:
                voxels[rows] = part.energies
            weight[rows] = part.weights
            table[rows, 0] = part.incident_energy
            for column, condition in enumerate(conditions, 1):
                table[rows, column] = part.conditions[condition]
            keys[rows] = part.event_keys()
            done += len(part)
        if not done:
            raise RangeError(f"{name}: all {events} showers lie in what is left out; none remain.")
        voxels, table, weight, keys = voxels[:done], table[:done], weight[:done], keys[:done]
        digest = digest or f"{int(np.bitwise_xor.reduce(keys)):016x}"
        found = cls(voxels, table, weight, keys, geometry, provenance, name, digest)
        found.left_out = left_out
        if "pdg" in conditions:
            particles = np.unique(table[:, 1 + conditions.index("pdg")])
            found.particles = tuple(map(int, particles))
        return found


def _points_of(
    data: VoxelShowers | JoinedFiles, parts: Iterable[VoxelShowers | PointShowers]
) -> Iterator[PointShowers]:
    """Give the points of files that have them, and one somewhere in each voxel of others."""
    if isinstance(data, JoinedFiles) and all(file.points is not None for file in data.files):
        for file in data.files:
            assert file.points is not None
            yield from file.points.chunks()
        return
    first = 0
    for part in parts:
        assert isinstance(part, VoxelShowers)
        yield spread_points(part, seed=0, first=first)
        first += len(part)


def _layout(
    where: Geometry, conditions: tuple[str, ...], particles: tuple[int, ...]
) -> ShowerLayout:
    """Return what a generator must know of the showers."""
    shapes = tuple(layer.shape for layer in where.layers)
    return ShowerLayout(
        rings=() if where.rectangular else tuple((radii, sectors) for sectors, radii in shapes),
        threshold=where.threshold,
        conditions=("incident_energy", *conditions),
        cells=shapes if where.rectangular else (),
        particles=particles,
        places=tuple(_cell_places(layer) for layer in where.layers if isinstance(layer, GridLayer)),
    )


def _cell_places(layer: GridLayer) -> CellPlaces:
    depth = () if np.isnan(layer.z_min + layer.z_max) else (layer.z_min, layer.z_max)
    return CellPlaces(layer.x_edges, layer.y_edges, depth)


def _refuse_missing(wanted: tuple[str, ...], found: Iterable[str], where: str) -> None:
    missing = [condition for condition in wanted if condition not in found]
    if missing:
        raise ConfigError(
            f"{where}: the recipe depends on {', '.join(missing)}, which the file does not have; "
            f"it has {', '.join(['incident_energy', *found])}."
        )


def _encode(
    model: GenerativeModel,
    events: _Events,
    seed: int,
    config: SurrogateConfig,
    say: Callable[[str], None],
) -> TrainingSet:
    """Fit the constants and encode all events, a piece at a time; or draw the teacher's."""
    voxels, table = torch.from_numpy(events.voxels), torch.from_numpy(events.table)
    weight = torch.from_numpy(events.weight)
    first = slice(0, _CONSTANTS_FROM)
    draws = Draws(seed, 0, len(voxels[first]))
    model.fit_constants(voxels[first], table[first], weight[first], draws)
    # what a checkpoint belongs to: the same showers, seen by the same model
    parts: dict[str, Any] = {"conditions": config.conditions, "model": config.model.to_dict()}
    if config.teacher is not None:
        parts["teacher"] = config.teacher
    if events.left_out:
        parts["left_out"] = events.left_out
    if config.lessons:
        parts["lessons"] = config.lessons
        table, weight = table.repeat(config.lessons, 1), weight.repeat(config.lessons)
        encoded = _pairs(model, table, seed, say)
    else:
        pieces = zip(voxels.split(4096), table.split(4096), strict=True)
        encoded = torch.cat([model.encode(x, condition) for x, condition in pieces])
    return TrainingSet(encoded, table, weight, identity(showers=events.digest, **parts))


def _pairs(
    model: GenerativeModel, table: torch.Tensor, seed: int, say: Callable[[str], None]
) -> torch.Tensor:
    """Draw the teacher's showers, a tenth of them at a time and in small tiles."""
    assert isinstance(model, ShowerCascade)  # no other learns from a teacher
    parts: list[torch.Tensor] = []
    for share in table.split(-(-len(table) // 10)):
        say(f"drawing the teacher's showers: {sum(map(len, parts))} of {len(table)}")
        for tile in share.split(256):
            draws = Draws(seed, sum(map(len, parts)), len(tile))
            parts.append(model.pairs(tile, draws))
    return torch.cat(parts)
