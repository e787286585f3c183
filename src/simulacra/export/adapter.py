"""Put a client's own inputs and outputs around a graph, without a second conversion.

All operators here are the same in the versions 13 to 18.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adapter"]

_OWN = ("noise", "condition", "energies")


class Adapter:
    """Operators before and after a graph, written down one after the other.

    Names of the graph's own tensors are ``noise``, ``condition`` (read by it) and ``energies``
    (given by it).

    Args:
        core: the graph, for exactly one shower.
    """

    def __init__(self, core: bytes) -> None:
        self._onnx: Any = import_module("onnx")
        self._proto = self._onnx.load_from_string(core)
        self._before: list[Any] = []
        self._after: list[Any] = []
        self._nodes = self._before
        self._number = 0

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Keep numbers in the graph and return their name."""
        array: NDArray[Any] = np.asarray(values, dtype)
        name = self._name()
        self._proto.graph.initializer.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Write an operator down and return the name of what it gives.

        Args:
            operator: of the ONNX standard.
            *inputs: names.
            to: name of what it gives; by default a new one.
            **attributes: of the operator.
        """
        name = to or self._name()
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def columns(self, of: str, first: int, end: int, *, to: str = "") -> str:
        """Write down the columns from ``first`` to before ``end`` of a matrix."""
        ends = [self.constant([value], np.int64) for value in (first, end, 1)]
        return self.add("Slice", of, *ends, to=to)

    def scaled(self, energy: str, accepted: tuple[float, float]) -> tuple[str, str]:
        """Write down an energy clamped to a range, and how much larger it was, ``(1, 1)`` each."""
        low, high = (self.constant([[value]]) for value in accepted)
        inside = self.add("Min", self.add("Max", energy, low), high)
        return inside, self.add("Div", energy, inside)

    def core(self) -> None:
        """Let the graph itself come here: what follows is behind it."""
        self._nodes = self._after

    def graph(
        self, inputs: Mapping[str, Sequence[int]], output: tuple[str, Sequence[int]]
    ) -> bytes:
        """Return the whole file.

        Args:
            inputs: name and shape of what the client gives, float32.
            output: name and shape of what it reads.
        """
        graph, helper = self._proto.graph, self._onnx.helper
        middle = list(graph.node)
        kind = self._onnx.TensorProto.FLOAT
        for field, values in (
            (graph.node, [*self._before, *middle, *self._after]),
            (graph.input, [helper.make_tensor_value_info(n, kind, s) for n, s in inputs.items()]),
            (graph.output, [helper.make_tensor_value_info(output[0], kind, output[1])]),
        ):
            del field[:]
            field.extend(values)
        self._onnx.checker.check_model(self._proto)
        content: bytes = self._proto.SerializeToString()
        return content

    def _name(self) -> str:
        self._number += 1
        return f"client_{self._number}"
