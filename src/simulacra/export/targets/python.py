"""Any program that calls ONNX Runtime itself, such as ``simulacra.deploy`` and the C++ client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..exported import Exported, Material
from .contract import Opened, Part

__all__ = ["Python"]


class Python:
    """The bundle itself; no file is added."""

    name = "python"
    told = "simulacra.deploy or any ONNX Runtime"

    def refuse(self, exported: Exported) -> None:
        """Refuse nothing: it takes any graph."""

    def files(self, material: Material) -> dict[str, bytes]:
        return {}

    def how(self, raw: Mapping[str, Any]) -> str:
        return ""

    def parts(self, opened: Opened) -> Iterable[Part]:
        return ()
