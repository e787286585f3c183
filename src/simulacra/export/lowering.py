"""A graph of operators 18 becomes one of operators 16, for an ONNX Runtime that is older.

The converter of torch writes operators 18 at least where a network has a layer norm, and that of
the package ``onnx`` knows no way back for ``Split``. Few operators changed, so the way back is
short: what changed between 16 and 18 (https://github.com/onnx/onnx/blob/main/docs/Changelog.md) is
written in the older form here, and whatever else changed is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import SimulacraError
from .presets import PRESETS, Preset

__all__ = ["lowered"]

_SAME = {"ScatterElements", "ScatterND"}  # 18 adds reductions that no generator here has
_REDUCTIONS = {
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"),
    *("ReduceMin", "ReduceProd", "ReduceSumSquare"),
}


def lowered(content: bytes, preset: Preset) -> bytes:
    """Return the same graph in the versions of a preset.

    Args:
        content: a graph of operators 18.
        preset: what to write it in.

    Raises:
        SimulacraError: if an operator of the graph is newer than that.
    """
    newest = PRESETS["current"].opset
    if preset.opset == newest:
        return content
    onnx: Any = import_module("onnx")
    proto = onnx.load_from_string(content)
    constants = {one.name: one for one in proto.graph.initializer}
    nodes: list[Any] = []
    for number, node in enumerate(proto.graph.node):
        nodes += _older(onnx, node, number, constants, (preset.opset, newest))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    proto.ir_version = preset.ir
    for entry in proto.opset_import:
        entry.version = preset.opset
    onnx.checker.check_model(proto)
    lower: bytes = proto.SerializeToString()
    return lower


def _older(
    onnx: Any, node: Any, number: int, constants: dict[str, Any], opsets: tuple[int, int]
) -> Iterator[Any]:
    old, new = opsets
    kind = node.op_type
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if kind == "LayerNormalization":
        yield from _layer_norm(onnx, node, f"norm_{number}", attributes)
        return
    if onnx.defs.has(kind, max_inclusive_version=old, domain=""):
        known = onnx.defs.get_schema(kind, max_inclusive_version=old, domain="").since_version
        latest = onnx.defs.get_schema(kind, max_inclusive_version=new, domain="").since_version
        if known == latest:
            yield node
            return
        if kind == "Split":
            attributes.pop("num_outputs", None)
            yield onnx.helper.make_node(kind, node.input, node.output, **attributes)
            return
        if kind in _SAME and attributes.get("reduction", b"none") in (b"none", b"add", b"mul"):
            yield node
            return
        if kind in _REDUCTIONS and (len(node.input) < 2 or node.input[1] in constants):
            attributes.pop("noop_with_empty_axes", None)
            if len(node.input) > 1:
                axes = onnx.numpy_helper.to_array(constants[node.input[1]])
                attributes["axes"] = np.atleast_1d(axes).tolist()
            yield onnx.helper.make_node(kind, node.input[:1], node.output, **attributes)
            return
    raise SimulacraError(
        f"export: the graph needs {kind}, which operators {old} do not have; export with the "
        "preset `current` and run it with onnxruntime 1.14 or later."
    )


def _layer_norm(onnx: Any, node: Any, name: str, attributes: dict[str, Any]) -> Iterator[Any]:
    """Write ``(x - mean) / sqrt(variance + epsilon) * scale + shift`` in single operators."""
    make = onnx.helper.make_node
    x, scale, *shift = node.input
    first = attributes.get("axis", -1)
    axes = list(range(first, 0)) if first < 0 else None
    if axes is None:
        raise SimulacraError("export: a layer norm counts its axes from the front; not supported.")
    epsilon = onnx.helper.make_tensor("", 1, [], [attributes.get("epsilon", 1e-5)])
    yield make("Constant", [], [f"{name}_epsilon"], value=epsilon)
    yield make("ReduceMean", [x], [f"{name}_mean"], axes=axes)
    yield make("Sub", [x, f"{name}_mean"], [f"{name}_centred"])
    yield make("Mul", [f"{name}_centred", f"{name}_centred"], [f"{name}_squared"])
    yield make("ReduceMean", [f"{name}_squared"], [f"{name}_variance"], axes=axes)
    yield make("Add", [f"{name}_variance", f"{name}_epsilon"], [f"{name}_safe"])
    yield make("Sqrt", [f"{name}_safe"], [f"{name}_width"])
    yield make("Div", [f"{name}_centred", f"{name}_width"], [f"{name}_unit"])
    scaled = f"{name}_scaled" if shift else node.output[0]
    yield make("Mul", [f"{name}_unit", scale], [scaled])
    if shift:
        yield make("Add", [scaled, shift[0]], [node.output[0]])
