"""Play a client of a bundle, and name what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy import graph_facts, load, verified_bytes
from ..deploy.bundle import BATCH, GOLDEN, SINGLE, Condition
from ..deploy.runtime import DeployedModel
from ..errors import ArtifactError, SimulacraError
from ..random import normal, uniform
from .diagnosis import diagnosed
from .golden import Golden, Tolerance, difference, read_golden

__all__ = ["Check", "Reference", "verify_bundle"]

Array = NDArray[Any]
Reference = Callable[[Array, int], Array]
"""Another program's showers: of conditions ``(events, conditions)`` and a seed, in MeV."""

_SEED = 6
_FRESH = 200
_SIGMAS = 6.0
_JUST_BELOW = 0.999


@dataclass(frozen=True)
class Check:
    """One question to a bundle.

    Args:
        name: what was looked at.
        passed: whether it is as it must be.
        found: what was found, in one sentence.
    """

    name: str
    passed: bool
    found: str


def verify_bundle(folder: Path | str, *, against: Reference | None = None) -> list[Check]:
    """Ask a bundle every question; a check that fails does not stop the others.

    What it cannot see: whether the showers are good physics. That is the judge's question to the
    model, and its answer stands in the manifest.

    Args:
        folder: the bundle.
        against: the trained model's own showers.

    Raises:
        ArtifactError: if the folder is no bundle or its manifest cannot be believed.
        DependencyError: if onnxruntime is not installed or too old.
    """
    model = load(folder)
    checks = list(_files(model))
    if not all(check.passed for check in checks):
        return checks
    try:
        golden = _golden(model)
        for check in _CHECKS:
            checks.append(check(model, golden))
        if against is not None:
            checks.append(_against(model, against))
    except ArtifactError as error:
        checks.append(Check("graphs run", False, str(error)))
    except Exception as error:  # whatever onnxruntime raises when a graph does not fit its inputs
        if isinstance(error, SimulacraError) or type(error).__module__.partition(".")[0] not in {
            "onnxruntime"
        }:
            raise
        checks.append(Check("graphs run", False, " ".join(str(error).split())[:200]))
    return checks


def _files(model: DeployedModel) -> Iterator[Check]:
    """Every file is there and unchanged; graphs are single files that draw nothing themselves."""
    wrong, contents = [], {}
    for name in model.manifest.raw["files"]:
        try:
            contents[name] = verified_bytes(model.folder, model.manifest, name)
        except ArtifactError as error:
            wrong.append(str(error))
    yield Check("files", not wrong, " ".join(wrong) or "all there, none changed")
    for name in (SINGLE, BATCH):
        if name in contents:
            yield _graph(model, name, contents[name])


def _graph(model: DeployedModel, name: str, content: bytes) -> Check:
    try:
        facts = graph_facts(content)
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


def _golden(model: DeployedModel) -> Golden:
    content = verified_bytes(model.folder, model.manifest, GOLDEN)
    return read_golden(content, (model.noise_size, len(model.conditions), model.voxels))


def _tolerance(model: DeployedModel) -> Tolerance:
    return Tolerance(**model.manifest.raw["golden"]["tolerance"])


def _signature(model: DeployedModel, _: Golden) -> Check:
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


def _golden_batch(model: DeployedModel, golden: Golden) -> Check:
    return _compared("golden showers, batch", model, golden, slice(None), model.run)


def _golden_single(model: DeployedModel, golden: Golden) -> Check:
    def one_by_one(noise: Array, condition: Array) -> Array:
        rows = range(len(noise))
        return np.concatenate([model.run(noise[i : i + 1], condition[i : i + 1]) for i in rows])

    return _compared("golden showers, one by one", model, golden, slice(0, 6), one_by_one)


def _compared(
    name: str,
    model: DeployedModel,
    golden: Golden,
    rows: slice,
    run: Callable[[Array, Array], Array],
) -> Check:
    expected, condition = golden.expected[rows], golden.condition[rows]
    found = run(golden.noise[rows], condition)
    told = difference(found, expected)
    if _tolerance(model).allows(told):
        return Check(name, True, str(told))
    reason = diagnosed(found, expected, condition, model.manifest)
    return Check(name, False, f"{reason} ({told})")


def _noise(model: DeployedModel, golden: Golden) -> Check:
    """Equal noise gives equal showers, in two sessions; other noise gives others."""
    name = "noise"
    condition, noise = golden.condition[:4], golden.noise[:4]
    content = verified_bytes(model.folder, model.manifest, BATCH)
    feeds = {"noise": noise, "condition": condition}
    one, two = (model.open(content, BATCH).run(None, feeds)[0] for _ in range(2))
    if not np.array_equal(one, two, equal_nan=True):
        return Check(name, False, "equal noise gives different showers: noise is drawn inside")
    other = model.run(np.ascontiguousarray(noise[::-1]), condition)
    if np.array_equal(one, other):
        return Check(name, False, "different noise gives equal showers: the input is not used")
    return Check(name, True, "equal noise, equal showers in two sessions; other noise, others")


def _threads(model: DeployedModel, golden: Golden) -> Check:
    """Threads and batch sizes change rounding at most."""
    content = verified_bytes(model.folder, model.manifest, BATCH)
    feeds = {"noise": golden.noise, "condition": golden.condition}
    one = model.open(content, BATCH, threads=1).run(None, feeds)[0]
    two = model.open(content, BATCH, threads=2).run(None, feeds)[0]
    cuts = [slice(i, i + 3) for i in range(0, len(one), 3)]
    parts = np.concatenate([model.run(golden.noise[c], golden.condition[c]) for c in cuts])
    for what, found in (("two threads", two), ("batches of three", parts)):
        told = difference(found, one)
        if not _tolerance(model).allows(told):
            return Check("threads and batches", False, f"{what} change showers: {told}")
    same = "the same bits" if np.array_equal(one, two) else "equal to rounding"
    return Check("threads and batches", True, f"1 and 2 threads: {same}; batches: to rounding")


def _ends(model: DeployedModel, golden: Golden) -> Check:
    """At the ends of the ranges the graph answers; beyond, as it does at the end."""
    name = "ends of the ranges"
    noise, middle = golden.noise[:2], golden.condition[-1:].repeat(2, axis=0)
    for place, one in enumerate(model.conditions):
        if one.values:
            continue
        ends, beyond = _at(middle, place, one.accepted), _at(middle, place, _beyond(one))
        same = noise[:1].repeat(2, axis=0)
        at, out = model.run(same, ends), model.run(same, beyond)
        if not (np.isfinite(at).all() and np.isfinite(out).all()):
            return Check(name, False, f"{one.name}: NaN or infinity at or beyond the ends")
        if not _tolerance(model).allows(difference(out, at)):
            return Check(name, False, f"{one.name}: is not clamped beyond its range")
        inner = _at(middle, place, _inner(one))
        if one.accepted[0] < one.accepted[1]:
            near = model.run(same, inner)
            for side, end in enumerate(("low", "high")):
                if np.array_equal(near[side], at[side]) and at[side].any():
                    return Check(
                        name,
                        False,
                        f"{one.name}: the graph does not change between {inner[side, place]:g} and "
                        f"the {end} end {ends[side, place]:g}: its range is clipped to less than "
                        "the manifest says",
                    )
    return Check(name, True, "finite at the ends, clamped beyond, not clipped before")


def _beyond(one: Condition) -> tuple[float, float]:
    low, high = one.accepted
    return (low / 10, high * 10) if low > 0 else (low - 10 * (high - low), high + 10 * (high - low))


def _inner(one: Condition) -> tuple[float, float]:
    low, high = one.accepted
    return low + 0.005 * (high - low), high - 0.005 * (high - low)


def _at(table: Array, place: int, values: tuple[float, float]) -> Array:
    out = table.copy()
    out[:, place] = values
    return out


def _physics(model: DeployedModel, golden: Golden) -> Check:
    """Fresh showers are finite, not negative, beyond the threshold, and deposit as golden ones."""
    name = "energies"
    inside = golden.condition[4:] if len(golden.condition) > 8 else golden.condition
    rows = (uniform(_SEED, range(_FRESH), 1)[:, 0] * len(inside)).astype(np.int64)
    noise = normal(_SEED, range(_FRESH), model.noise_size)
    drawn = model.run(noise, inside[rows])
    wrong = {
        "NaN or infinity": ~np.isfinite(drawn),
        "negative energies": drawn < 0,
        "energies below the threshold": (drawn > 0)
        & (drawn < _JUST_BELOW * model.manifest.threshold),
    }
    for what, where in wrong.items():
        if where.any():
            return Check(name, False, f"{what} in {int(where.any(axis=1).sum())} of {_FRESH}")
    fresh = drawn.sum(axis=1, dtype=np.float64) / inside[rows, 0]
    known = golden.expected[-len(inside) :].sum(axis=1, dtype=np.float64) / inside[:, 0]
    error = np.hypot(fresh.std() / len(fresh) ** 0.5, known.std() / len(known) ** 0.5)
    pull = abs(fresh.mean() - known.mean()) / max(error, 1e-6)
    found = f"deposited over incident energy {fresh.mean():.3f}, golden {known.mean():.3f}"
    return Check(name, bool(pull < _SIGMAS), f"{_FRESH} fresh showers: {found}")


def _against(model: DeployedModel, reference: Reference) -> Check:
    """The same seed gives the showers of the trained model."""
    columns = []
    share = uniform(_SEED, range(64), len(model.conditions))
    for place, one in enumerate(model.conditions):
        low, high = one.trained
        column = low + (high - low) * share[:, place].astype(np.float64)
        if one.values:
            column = np.asarray(one.values)[(share[:, place] * len(one.values)).astype(np.int64)]
        columns.append(column.astype(np.float32))
    table = np.column_stack(columns)
    further = {one.name: table[:, i] for i, one in enumerate(model.conditions) if i}
    found = model.sample(table[:, 0], further, seed=_SEED)
    told = difference(found, reference(table, _SEED))
    return Check("the trained model", _tolerance(model).allows(told), f"64 showers: {told}")


_CHECKS = (_signature, _golden_batch, _golden_single, _noise, _threads, _ends, _physics)
