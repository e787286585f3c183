"""Play the clients of a bundle, and name what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy import GraphFacts, graph_facts, load, verified_bytes
from ..deploy.bundle import BATCH, GOLDEN, SINGLE
from ..deploy.runtime import DeployedModel
from ..errors import ArtifactError, SimulacraError
from ..random import uniform
from .golden import Tolerance, difference, read_golden
from .questions import Check, Client, Subject, asked
from .targets import TARGETS, Opened, Part, Target, target_named

__all__ = ["Reference", "client_of", "table_between", "verify_bundle"]

Array = NDArray[Any]
Reference = Callable[[Array, int], Array]
"""Another program's showers: of conditions ``(events, conditions)`` and a seed, in MeV."""

_SEED = 6
_FRESH, _FRESH_IN_CLIENT = 200, 60
_SINGLE_ROWS, _CLIENT_ROWS = 6, 12
_CLIENTS_ROUNDING = 5e-7
"""Relative: energies pass a client as fractions of another number, in float32."""


def verify_bundle(
    folder: Path | str,
    *,
    target: str = "",
    trust: bool = False,
    against: Reference | None = None,
) -> list[Check]:
    """Ask a bundle every question; a check that fails does not stop the others.

    What it cannot see: whether the showers are good physics. That is the judge's question to the
    model, and its answer stands in the manifest.

    Args:
        folder: the bundle.
        target: the program that is played, by default the one that the bundle was exported for;
            ``python`` asks the bundle itself only.
        trust: whether files that can run code may be loaded (TorchScript).
        against: the trained model's own showers.

    Raises:
        ArtifactError: if the folder is no bundle, its manifest cannot be believed, or it was
            exported for another target.
        DependencyError: if onnxruntime is not installed or too old.
        UnknownNameError: if there is no such target.
    """
    model = load(folder)
    player = _player(model, target)
    contents, checks = _files(model)
    if not all(check.passed for check in checks):
        return checks
    try:
        checks.append(_signature(model))
        checks += _core(model)
        if against is not None:
            checks.append(_against(model, against))
    except Exception as error:
        checks.append(_stopped("graphs run", error))
    for part in player.parts(Opened(model, contents, trust)):
        checks += _played(model, part)
    return checks


def client_of(folder: Path | str, *, target: str = "") -> Client:
    """Return the first client of a bundle's target; for ``python`` the bundle itself.

    Args:
        folder: the bundle.
        target: by default that of the bundle.

    Raises:
        ArtifactError: if the bundle cannot be believed or its client could not run it.
    """
    model = load(folder)
    contents = {name: verified_bytes(folder, model.manifest, name) for name in _names(model)}
    for part in _player(model, target).parts(Opened(model, contents)):
        if part.start is not None:
            return part.start(1)
    return _Core(model, model.run)


def table_between(model: DeployedModel, events: int, seed: int) -> Array:
    """Return conditions anywhere in the trained ranges, ``(events, conditions)``, float32."""
    columns = []
    share = uniform(seed, range(events), len(model.conditions))
    for place, one in enumerate(model.conditions):
        low, high = one.trained
        column = low + (high - low) * share[:, place].astype(np.float64)
        if one.values:
            column = np.asarray(one.values)[(share[:, place] * len(one.values)).astype(np.int64)]
        columns.append(column.astype(np.float32))
    return np.column_stack(columns)


def _player(model: DeployedModel, target: str) -> Target:
    own = model.manifest.target
    if own not in TARGETS:
        raise ArtifactError(
            f"{model.folder}: was exported for {own!r}, which this version does not know; expected "
            f"one of {', '.join(TARGETS)}. Install a newer simulacra."
        )
    chosen = target_named(target or own)
    if chosen.name not in (own, "python"):
        raise ArtifactError(
            f"{model.folder}: was exported for {own} and holds no files for {chosen.name}; export "
            f"the model with --target {chosen.name}."
        )
    return chosen


def _names(model: DeployedModel) -> list[str]:
    return list(model.manifest.raw["files"])


def _files(model: DeployedModel) -> tuple[dict[str, bytes], list[Check]]:
    """Every file is there and unchanged; graphs are single files that draw nothing themselves."""
    wrong, contents = [], {}
    for name in _names(model):
        try:
            contents[name] = verified_bytes(model.folder, model.manifest, name)
        except ArtifactError as error:
            wrong.append(str(error))
    checks = [Check("files", not wrong, " ".join(wrong) or "all there, none changed")]
    graphs = [name for name in contents if name.endswith(".onnx")]
    return contents, checks + [_graph(model, name, contents[name]) for name in graphs]


def _graph(model: DeployedModel, name: str, content: bytes) -> Check:
    try:
        facts: GraphFacts = graph_facts(content)
    except ArtifactError as error:
        return Check(name, False, str(error))
    wants = model.manifest.raw["requires"]
    wrong = {
        "keeps numbers in other files (external data), which clients that load bytes cannot read": (
            facts.outside
        ),
        f"draws noise inside ({', '.join(sorted(facts.draws))}), so that every thread has the same "
        "random numbers and the caller's seed is ignored": bool(facts.draws),
        f"has operators {facts.opsets}, the manifest says {wants['opset']}": (
            facts.opsets != {"": wants["opset"]}
        ),
        f"has file version {facts.ir}, the manifest says {wants['ir']}": facts.ir != wants["ir"],
    }
    found = "; ".join(what for what, is_so in wrong.items() if is_so)
    return Check(name, not found, found or f"single file, opset {wants['opset']}, IR {facts.ir}")


def _signature(model: DeployedModel) -> Check:
    """Inputs and outputs are what the manifest says, in both graphs."""
    wrong = []
    for name in (SINGLE, BATCH):
        session = model.session(name)
        rows = 1 if name == SINGLE else None
        expected = [
            ("noise", model.noise_size),
            ("condition", len(model.conditions)),
            ("energies", model.voxels),
        ]
        found = [*session.get_inputs(), *session.get_outputs()]
        told = [(value.name, value.shape[-1]) for value in found]
        first = [value.shape[0] for value in found]
        fixed = [isinstance(size, int) for size in first]
        if told != expected or any(value.type != "tensor(float)" for value in found):
            wrong.append(f"{name}: expected {expected} in float32, found {told}")
        elif (rows and first != [1] * 3) or (not rows and any(fixed)):
            wrong.append(f"{name}: its first axes are {first}")
    return Check("inputs and outputs", not wrong, "; ".join(wrong) or "names, shapes, float32")


class _Core:
    """The bundle without a client around it."""

    rescales = False

    def __init__(self, model: DeployedModel, run: Callable[[Array, Array], Array]) -> None:
        self._model, self._run = model, run

    def run(self, noise: Array, condition: Array, /) -> Array:
        """Return energies in MeV, ``(events, voxels)``."""
        return self._run(noise, condition)


def _core(model: DeployedModel) -> Iterator[Check]:
    """Ask the graph of many showers everything, and that of one shower for the golden ones."""

    def whole(threads: int) -> Client:
        content = verified_bytes(model.folder, model.manifest, BATCH)
        session = model.open(content, BATCH, threads=threads)
        return _Core(model, lambda n, c: session.run(None, {"noise": n, "condition": c})[0])

    def single(noise: Array, condition: Array) -> Array:
        rows = range(len(noise))
        return np.concatenate([model.run(noise[i : i + 1], condition[i : i + 1]) for i in rows])

    golden = _golden(model)
    told, tolerance = model.manifest, _tolerance(model)
    yield from asked(Subject("", whole, told, golden, tolerance, len(golden.noise), _FRESH))
    one = _Core(model, single)
    few = Subject("one by one: ", lambda _: one, told, golden, tolerance, _SINGLE_ROWS, 0)
    yield from asked(few, only=("golden showers",))


def _played(model: DeployedModel, part: Part) -> list[Check]:
    """Ask a client of the bundle's target."""
    if part.start is None:
        return [Check(f"{part.name}: not looked at", True, part.unlooked)]
    golden = _golden(model)
    rows = min(_CLIENT_ROWS, len(golden.noise))
    tolerance = _widened(_tolerance(model))
    subject = Subject(
        f"{part.name}: ", part.start, model.manifest, golden, tolerance, rows, _FRESH_IN_CLIENT
    )
    checks: list[Check] = []
    try:
        checks += asked(subject)
    except Exception as error:
        checks.append(_stopped(f"{part.name}: runs", error))
    return checks


def _stopped(name: str, error: Exception) -> Check:
    """Report what ended the questions, if it is the bundle's fault."""
    ours = isinstance(error, ArtifactError)
    module = type(error).__module__.partition(".")[0]
    if not ours and (isinstance(error, SimulacraError) or module != "onnxruntime"):
        raise error
    return Check(name, False, str(error) if ours else " ".join(str(error).split())[:200])


def _golden(model: DeployedModel) -> Any:
    content = verified_bytes(model.folder, model.manifest, GOLDEN)
    return read_golden(content, (model.noise_size, len(model.conditions), model.voxels))


def _tolerance(model: DeployedModel) -> Tolerance:
    return Tolerance(**model.manifest.raw["golden"]["tolerance"])


def _widened(own: Tolerance) -> Tolerance:
    """Return what is rounding behind a client's own units."""
    tail = max(own.tail, 20 * _CLIENTS_ROUNDING)
    return Tolerance(min(own.median + _CLIENTS_ROUNDING, 1e-5), tail, own.crossed)


def _against(model: DeployedModel, reference: Reference) -> Check:
    """The same seed gives the showers of the trained model."""
    table = table_between(model, 64, _SEED)
    further = {one.name: table[:, i] for i, one in enumerate(model.conditions) if i}
    found = model.sample(table[:, 0], further, seed=_SEED)
    told = difference(found, reference(table, _SEED))
    return Check("the trained model", _tolerance(model).allows(told), f"64 showers: {told}")
