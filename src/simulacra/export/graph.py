"""One generator as one ONNX graph: noise and conditions in, voxel energies out."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ..deploy import Condition, graph_facts
from ..errors import DependencyError, SimulacraError
from ..generative import GenerativeModel
from ..generative.model import Student
from ..nets.cylindrical import CircularLinear
from .presets import PRESETS

__all__ = [
    "IR",
    "OPSET",
    "DrawingGraph",
    "onnx_graph",
    "quiet",
    "require_exporter",
    "single_shower",
]

OPSET, IR = PRESETS["current"].opset, PRESETS["current"].ir
"""Versions of the operators and of the file that torch is asked for."""

_TORCH = 2, 13
_JUST_BELOW = 0.999  # of the threshold: scaling rounds what lies on it
_MOST_EVENTS = 2**20


class DrawingGraph(nn.Module):
    """What is exported: a generator with its conditions clamped and its output thresholded.

    Args:
        model: the generator; it is copied and not changed.
        conditions: columns of the condition, with what they are clamped to.
        threshold: in MeV; what lies below is 0. NaN stays NaN, so that it is seen.

    Shapes:
        noise: ``(events, noise_size)``, standard normal.
        condition: ``(events, conditions)``, in MeV, mm and rad.
        output: ``(events, voxels)``, MeV.
    """

    lowest: Tensor
    highest: Tensor

    def __init__(
        self, model: GenerativeModel, conditions: Sequence[Condition], threshold: float
    ) -> None:
        super().__init__()
        self.model = _frozen(model)
        self.conditions, self.threshold = tuple(conditions), threshold
        lowest, highest = zip(*(one.accepted for one in conditions), strict=True)
        self.register_buffer("lowest", torch.tensor(lowest, dtype=torch.float32))
        self.register_buffer("highest", torch.tensor(highest, dtype=torch.float32))

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        inside = torch.minimum(torch.maximum(condition, self.lowest), self.highest)
        drawn = self.model.draw(self._known(inside), noise)
        return torch.where(drawn < _JUST_BELOW * self.threshold, 0.0, drawn)

    def _known(self, condition: Tensor) -> Tensor:
        """Take the nearest number of those that a condition can have."""
        columns = list(condition.split(1, dim=1))
        for place, one in enumerate(self.conditions):
            if one.values:
                values = torch.tensor(one.values, dtype=condition.dtype)
                columns[place] = values[(columns[place] - values).abs().argmin(dim=1)][:, None]
        return torch.cat(columns, dim=1)


def require_exporter() -> Any:
    """Return the package ``onnx``.

    Raises:
        DependencyError: if it, or what torch needs beside it, is not installed, or torch is older
            than the converter that this was tested with.
    """
    if tuple(map(int, torch.__version__.split(".")[:2])) < _TORCH:
        raise DependencyError(
            f"export needs torch {_TORCH[0]}.{_TORCH[1]} or later, whose converter it was tested "
            f"with, found {torch.__version__}; install a newer one."
        )
    try:
        import_module("onnxscript")
        import_module("onnxruntime")
        return import_module("onnx")
    except ImportError as error:
        raise DependencyError(
            f"export needs the packages onnx, onnxscript and onnxruntime, and {error.name!r} is "
            "not installed: pip install 'simulacra[export]'."
        ) from error


def onnx_graph(graph: DrawingGraph, noise: Tensor, condition: Tensor) -> bytes:
    """Trace and convert to an ONNX file for any number of showers, and look at what came out.

    Args:
        graph: what is exported.
        noise: of some events, at least two, to trace with.
        condition: theirs.

    Raises:
        DependencyError: if the packages are not installed.
        SimulacraError: if the result is of other versions, draws noise or needs other files.
    """
    onnx = require_exporter()
    events = torch.export.Dim("events", min=1, max=_MOST_EVENTS)
    with torch.no_grad(), quiet():
        program = torch.onnx.export(
            graph,
            (noise, condition),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            external_data=False,
            input_names=["noise", "condition"],
            output_names=["energies"],
            dynamic_shapes={"noise": {0: events}, "condition": {0: events}},
        )
    assert program is not None
    proto = program.model_proto
    proto.ir_version = IR
    _forget(proto)
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    _refuse_surprises(content)
    return content


def single_shower(content: bytes) -> bytes:
    """Return the same graph for exactly one shower, with static shapes.

    Args:
        content: a graph for any number of showers.

    Raises:
        DependencyError: if the packages are not installed.
    """
    onnx = require_exporter()
    proto = onnx.load_from_string(content)
    for value in [*proto.graph.input, *proto.graph.output]:
        first = value.type.tensor_type.shape.dim[0]
        first.ClearField("dim_param")
        first.dim_value = 1
    onnx.checker.check_model(proto)
    single: bytes = proto.SerializeToString()
    return single


def _frozen(model: GenerativeModel) -> GenerativeModel:
    """Copy a generator without its teacher, with matrices that are put together once."""
    teachers: dict[int, Any] = {
        id(part._teacher): [] for part in model.modules() if isinstance(part, Student)
    }
    copied = copy.deepcopy(model, teachers).cpu().eval().requires_grad_(requires_grad=False)
    for part in copied.modules():
        if isinstance(part, CircularLinear):
            part.freeze()
    return copied


def _forget(proto: Any) -> None:
    """Take out what the converter says about the machine it ran on: names of its source files."""
    del proto.graph.value_info[:]
    for holder in (proto, proto.graph, *proto.graph.node, *proto.graph.initializer):
        del holder.metadata_props[:]
        holder.doc_string = ""


def _refuse_surprises(content: bytes) -> None:
    """Look at the file itself: converters have fallen back to other versions in silence."""
    facts = graph_facts(content)
    found = {
        f"file version {facts.ir}, expected {IR}": facts.ir != IR,
        f"operators {facts.opsets}, expected version {OPSET} alone": facts.opsets != {"": OPSET},
        f"noise drawn inside by {', '.join(sorted(facts.draws))}": bool(facts.draws),
        "numbers kept in other files": facts.outside,
    }
    wrong = [what for what, is_so in found.items() if is_so]
    if wrong:
        raise SimulacraError(
            f"export: the converter made a graph with {'; '.join(wrong)}; torch "
            f"{torch.__version__} does not fit, use the version of constraints.txt."
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the converter's progress and its own warnings from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
