"""Draw showers from a bundle with numpy and onnxruntime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..conditions import condition_columns
from ..errors import ArtifactError, DependencyError, RangeError, ShapeError
from ..random import Stream, normal
from .bundle import BATCH, SINGLE, Condition, Manifest, read_manifest, verified_bytes
from .graph import graph_facts

__all__ = ["DeployedModel", "load"]

Array = NDArray[np.float32]
_DOMAINS = {""}  # operators of others may be code


class DeployedModel:
    """A generator of showers that needs no torch; see :func:`load`.

    Shower ``i`` is a function of the model, its conditions, the seed and ``first_event + i``, as
    it is for :class:`~simulacra.tasks.calorimeter.Surrogate`, whose showers these are up to
    rounding: a voxel at the threshold may be empty in one and filled in the other.

    Args:
        folder: the bundle.
        manifest: what it says of itself.
        threads: threads of one evaluation.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int = 1) -> None:
        if threads < 1:
            raise RangeError(f"threads: expected at least 1, got {threads}.")
        self._runtime = _onnxruntime(manifest)
        self.folder, self.manifest, self.threads = folder, manifest, threads
        self._sessions: dict[str, Any] = {}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a shower depends on, the incident energy in MeV first."""
        return self.manifest.conditions

    @property
    def noise_size(self) -> int:
        """Standard normal numbers that one shower needs."""
        return self.manifest.noise_size

    @property
    def voxels(self) -> int:
        """Numbers of one shower."""
        return self.manifest.voxels

    def sample(
        self,
        incident_energy: ArrayLike,
        conditions: Mapping[str, ArrayLike] | None = None,
        *,
        seed: int = 0,
        first_event: int = 0,
        batch_size: int = 256,
        workers: int = 1,
    ) -> Array:
        """Draw one shower per incident particle: voxel energies in MeV, ``(events, voxels)``.

        Args:
            incident_energy: in MeV, shape ``(events,)`` or a single number.
            conditions: the model's further conditions by name, shape ``(events,)`` each, in mm or
                rad.
            seed: identity of the set.
            first_event: number of the first shower in its set.
            batch_size: showers computed at once; changes time and last digits.
            workers: batches computed at the same time; they change nothing but time.

        Raises:
            RangeError: if a condition lies outside the accepted range.
            ConfigError: if a condition is missing or unknown.
            ShapeError: if the columns have different lengths.
            ArtifactError: if a graph is missing, was changed or cannot be run.
        """
        if batch_size < 1:
            raise RangeError(f"batch size: expected at least 1, got {batch_size}.")
        if first_event < 0:
            raise RangeError(f"first event: expected at least 0, got {first_event}.")
        if workers < 1:
            raise RangeError(f"workers: expected at least 1, got {workers}.")
        table = self.table(incident_energy, conditions or {})
        self.refuse_outside(table)
        out = np.empty((len(table), self.voxels), np.float32)

        def fill(start: int) -> None:
            rows = slice(start, min(start + batch_size, len(table)))
            numbers = range(first_event + rows.start, first_event + rows.stop)
            noise = normal(seed, numbers, self.noise_size, stream=Stream.NOISE)
            out[rows] = self.run(noise, table[rows])

        starts = range(0, len(table), batch_size)
        if workers == 1 or len(starts) < 2:
            for start in starts:
                fill(start)
            return out
        self.session(BATCH)  # one for all threads
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(fill, starts))
        return out

    def run(self, noise: ArrayLike, table: ArrayLike) -> Array:
        """Turn somebody's own noise into showers, in MeV; conditions beyond the range are clamped.

        Args:
            noise: standard normal, ``(events, noise_size)``.
            table: conditions as :meth:`table` returns them, ``(events, conditions)``.

        Raises:
            ShapeError: if noise or conditions are not of that shape.
            ArtifactError: if the graph is missing, was changed or cannot be run.
        """
        given = np.ascontiguousarray(noise, np.float32)
        columns = np.ascontiguousarray(table, np.float32)
        wanted = (len(columns), self.noise_size) if columns.ndim == 2 else None
        if given.shape != wanted or columns.shape[1] != len(self.conditions):
            raise ShapeError(
                f"noise: expected (events, {self.noise_size}) and conditions (events, "
                f"{len(self.conditions)}), got {given.shape} and {columns.shape}."
            )
        if not len(given):
            return np.zeros((0, self.voxels), np.float32)
        session = self.session(SINGLE if len(given) == 1 else BATCH)
        out: Array = session.run(None, {"noise": given, "condition": columns})[0]
        if out.shape != (len(given), self.voxels):
            raise ArtifactError(
                f"{self.folder}: expected showers of shape {(len(given), self.voxels)}, the graph "
                f"gave {out.shape}; export the model again."
            )
        return out

    def table(self, incident_energy: ArrayLike, conditions: Mapping[str, ArrayLike]) -> Array:
        """Return the conditions as columns in the graph's order, ``(events, conditions)``.

        Raises:
            ConfigError: if a condition is missing or unknown.
            ShapeError: if the columns have different lengths.
        """
        names = [one.name for one in self.conditions[1:]]
        return condition_columns(incident_energy, conditions, names)

    def refuse_outside(self, table: Array) -> None:
        """Refuse conditions outside the accepted range.

        Args:
            table: as :meth:`table` returns it.

        Raises:
            RangeError: naming the first such condition.
        """
        for column, one in zip(table.T, self.conditions, strict=True):
            low, high = np.asarray(one.accepted, np.float32)
            outside = ~((column >= low) & (column <= high))
            if one.values:
                outside = ~np.isin(column, one.values)
            if outside.any():
                known = (
                    ", ".join(f"{value:g}" for value in one.values)
                    if one.values
                    else f"{one.trained[0]:g} to {one.trained[1]:g} {one.unit}".rstrip()
                )
                raise RangeError(
                    f"{one.name}: the model was trained with {known}, {int(outside.sum())} of "
                    f"{len(column)} showers lie outside, such as {column[outside][0]:g}; export a "
                    "model that covers them."
                )

    def session(self, name: str) -> Any:
        """Return the onnxruntime session of a graph, made once, from bytes alone.

        Args:
            name: ``model.onnx`` (one shower) or ``model_batch.onnx``.

        Raises:
            ArtifactError: if the graph is missing, was changed, keeps numbers in other files, uses
                operators of others or cannot be loaded.
        """
        if name not in self._sessions:
            content = verified_bytes(self.folder, self.manifest, name)
            self._refuse_strange(content, self.folder / name)
            self._sessions[name] = self.open(content, name)
        return self._sessions[name]

    def open(self, content: bytes, name: str, *, threads: int | None = None) -> Any:
        """Return a new onnxruntime session of a graph's bytes.

        Args:
            content: the file.
            name: for messages.
            threads: of one evaluation; by default those of this model.

        Raises:
            ArtifactError: if onnxruntime refuses it.
        """
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = threads or self.threads
        options.inter_op_num_threads = 1
        # between showers threads sleep: the simulation around needs the cores
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            return self._runtime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own have no common base
            reason = " ".join(str(error).split())[:200].rstrip(".")
            raise ArtifactError(
                f"{self.folder / name}: onnxruntime {self._runtime.__version__} cannot load it "
                f"({reason})."
            ) from None

    def _refuse_strange(self, content: bytes, path: Path) -> None:
        facts = graph_facts(content)
        if facts.outside:
            raise ArtifactError(
                f"{path}: keeps numbers in other files (external data), which are not read; "
                "export the model again as single files."
            )
        foreign = set(facts.opsets) - _DOMAINS
        if foreign:
            raise ArtifactError(
                f"{path}: uses operators of {', '.join(map(repr, sorted(foreign)))}; expected "
                "those of the ONNX standard alone."
            )


def load(folder: Path | str, *, threads: int = 1) -> DeployedModel:
    """Open a bundle of ``simulacra export``; neither torch nor the training data are needed.

    Args:
        folder: the bundle.
        threads: threads of one evaluation.

    Raises:
        ArtifactError: if it is incomplete, changed, of a newer schema or not to be trusted.
        DependencyError: if onnxruntime is not installed, or too old for the graphs.
        RangeError: if ``threads`` is below 1.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    for name in manifest.raw["files"]:
        if not (folder / name).is_file():
            raise ArtifactError(f"{folder / name}: missing; the bundle is incomplete.")
    return DeployedModel(folder, manifest, threads=threads)


def _onnxruntime(manifest: Manifest) -> Any:
    try:
        runtime = import_module("onnxruntime")
    except ImportError as error:
        raise DependencyError(
            "a bundle is run by onnxruntime, which is not installed: pip install "
            "'simulacra[deploy]'."
        ) from error
    if _version(runtime.__version__) < _version(manifest.onnxruntime):
        raise DependencyError(
            f"onnxruntime: expected at least {manifest.onnxruntime}, which reads the graphs of "
            f"{manifest.name!r}, found {runtime.__version__}; install a newer one."
        )
    return runtime


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
