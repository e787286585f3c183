"""Which generators become a graph, and why others do not."""

from __future__ import annotations

from ..errors import ConfigError
from ..generative import AutoregressiveFlow, GenerativeModel, PointCascade, VectorQuantised

__all__ = ["refuse_unexportable"]

_REASONS: dict[type[GenerativeModel], str] = {
    AutoregressiveFlow: "autoregressive_flow draws one feature after the other, so that a graph "
    "would hold one network evaluation per feature; train its student, the family "
    "inverse_autoregressive_flow, and export that.",
    VectorQuantised: "vector_quantised draws one token after the other, each from the tokens "
    "before it, so that a graph would hold one network evaluation per token; export a model of "
    "another family.",
    PointCascade: "points draws sets of points, and a graph of this version gives voxels in a "
    "fixed order; export a model of voxels.",
}


def refuse_unexportable(model: GenerativeModel) -> None:
    """Refuse a generator of a family that does not become a graph.

    Args:
        model: the generator; its parts are looked at too.

    Raises:
        ConfigError: naming the family and the reason.
    """
    for part in model.modules():
        for kind, reason in _REASONS.items():
            if isinstance(part, kind):
                raise ConfigError(f"export: {reason}")
