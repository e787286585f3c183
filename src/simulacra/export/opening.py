"""Open a graph's bytes as a client does."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..deploy import DeployedModel, graph_facts
from ..errors import ArtifactError

__all__ = ["float_inputs", "session_of"]


def session_of(
    model: DeployedModel, content: bytes, threads: int, *, optimised: bool = True
) -> Any:
    """Return an onnxruntime session of bytes, so that files beside them cannot be read.

    Args:
        model: the bundle.
        content: the graph.
        threads: of one evaluation.
        optimised: whether onnxruntime may rewrite the graph; Par04 does not let it.

    Raises:
        ArtifactError: if it uses operators that are not of the ONNX standard, keeps numbers in
            other files, or onnxruntime refuses it.
    """
    facts = graph_facts(content)
    if facts.outside or set(facts.opsets) != {""}:
        raise ArtifactError(
            "the graph needs other files or operators that are not of the ONNX standard"
        )
    if optimised:
        return model.open(content, "graph", threads=threads)
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own have no common base
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ArtifactError(
            f"onnxruntime {runtime.__version__} cannot load it ({reason})"
        ) from None


def float_inputs(session: Any, name: str) -> list[str]:
    """Return the names of a graph's inputs.

    Raises:
        ArtifactError: if one of them, or an output, is not of float32.
    """
    values = [*session.get_inputs(), *session.get_outputs()]
    other = [value.name for value in values if value.type != "tensor(float)"]
    if other:
        raise ArtifactError(f"{name}: expected float32, found another type in {', '.join(other)}")
    return [value.name for value in session.get_inputs()]
