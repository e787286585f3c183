"""What becomes a bundle, and what a target makes its files of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..data import Geometry
from ..deploy import Condition
from ..generative import GenerativeModel

__all__ = ["Exported", "Material"]


@dataclass(frozen=True, eq=False)
class Exported:
    """What becomes a bundle.

    Args:
        name: of the model.
        model: the generator.
        geometry: the detector of its voxels.
        conditions: what a shower depends on, in the generator's order.
        provenance: plain data that are handed on: ``training``, ``scores``, ``licence``, digest of
            the model and so on.
    """

    name: str
    model: GenerativeModel
    geometry: Geometry
    conditions: tuple[Condition, ...]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Material:
    """What a target's files are made of.

    Args:
        exported: what becomes a bundle.
        graph: the generator as torch runs it, a :class:`~simulacra.export.DrawingGraph`.
        single: ``model.onnx``.
        batch: ``model_batch.onnx``.
        raw: the manifest without its list of files.
    """

    exported: Exported
    graph: Any
    single: bytes
    batch: bytes
    raw: Mapping[str, Any]
