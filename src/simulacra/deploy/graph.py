"""What stands in an ONNX file, read from its bytes: enough to decide whether it may be run.

ONNX files are Protocol Buffers; the numbers of the fields are those of ``onnx.proto``
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). The package ``onnx`` is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ArtifactError

__all__ = ["GraphFacts", "graph_facts"]

_DRAWS = {
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Multinomial", "Bernoulli"),
}
_DEEPEST = 30

# which fields of a message hold which other message
_INSIDE = {
    "model": {7: "graph", 25: "function", 8: "opset"},
    "function": {7: "node", 9: "opset"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "opset": {},
}


@dataclass(frozen=True)
class GraphFacts:
    """What an ONNX file says.

    Args:
        ir: version of the file format.
        opsets: version of each set of operators, by domain; the standard one is the empty name.
        operators: operators that it uses, as ``domain:name`` or ``name``.
        outside: whether it keeps numbers in other files.
    """

    ir: int
    opsets: dict[str, int]
    operators: frozenset[str]
    outside: bool

    @property
    def draws(self) -> frozenset[str]:
        """Operators that draw random numbers of their own."""
        return self.operators & _DRAWS


def graph_facts(content: bytes) -> GraphFacts:
    """Read what an ONNX file says of itself.

    Args:
        content: the file.

    Raises:
        ArtifactError: if it is not an ONNX file.
    """
    found = _Found()
    try:
        found.read("model", memoryview(content), 0)
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise ArtifactError(f"expected an ONNX file, found other bytes ({error}).") from None
    if not found.ir or not found.opsets:
        raise ArtifactError("expected an ONNX file, found one without versions.")
    return GraphFacts(found.ir, found.opsets, frozenset(found.operators), found.outside)


class _Found:
    def __init__(self) -> None:
        self.ir = 0
        self.opsets: dict[str, int] = {}
        self.operators: set[str] = set()
        self.outside = False

    def read(self, kind: str, content: memoryview, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        texts: dict[int, str] = {}
        numbers: dict[int, int] = {}
        for field, value in _fields(content):
            if isinstance(value, int):
                numbers[field] = value
            elif field in _INSIDE[kind]:
                self.read(_INSIDE[kind][field], value, depth + 1)
            elif (kind, field) in {("node", 4), ("node", 7), ("opset", 1)}:
                texts[field] = bytes(value).decode()
            elif (kind, field) == ("tensor", 13):
                self.outside = True
        if kind == "model":
            self.ir = numbers.get(1, 0)
        elif kind == "opset":
            domain = texts.get(1, "")
            self.opsets["" if domain == "ai.onnx" else domain] = numbers.get(2, 0)
        elif kind == "tensor":
            self.outside |= numbers.get(14) == 1
        elif kind == "node":
            domain = texts.get(7, "")
            name = texts.get(4, "")
            self.operators.add(name if domain in ("", "ai.onnx") else f"{domain}:{name}")


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Give number and value of each field of a message."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        wire = tag & 7
        if wire == 0:
            value, place = _varint(content, place)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, place = _varint(content, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError("an unknown kind of field")
        if place + size > len(content):
            raise ValueError("cut off")
        if wire == 2:
            yield tag >> 3, content[place : place + size]
        place += size


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number without end")
