"""NVIDIA Triton, as SONIC of CMS and AthenaTriton use it: a model repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ArtifactError
from ..exported import Exported, Material
from ..opening import float_inputs, session_of
from .contract import Opened, Part

__all__ = ["Triton", "repository_name"]

Array = NDArray[Any]
_LARGEST_BATCH = 4096
_TENSOR = re.compile(r'name: "(\w+)"\s+data_type: (\w+)\s+dims: \[ ?(\d+) ?\]')


class Triton:
    """A model repository ``NAME/1/model.onnx`` with ``config.pbtxt`` and dynamic batches."""

    name = "triton"
    told = "NVIDIA Triton (SONIC, AthenaTriton)"

    def refuse(self, exported: Exported) -> None:
        """Refuse nothing: it takes any graph."""

    def files(self, material: Material) -> dict[str, bytes]:
        name = repository_name(material.raw["name"])
        config = _config(material.raw, name).encode()
        folder = f"triton/{name}"
        return {f"{folder}/1/model.onnx": material.batch, f"{folder}/config.pbtxt": config}

    def how(self, raw: Mapping[str, Any]) -> str:
        name = repository_name(raw["name"])
        return f"""The folder `triton` of this bundle is a model repository:

```bash
tritonserver --model-repository=triton
```

The model `{name}` has the inputs `noise` and `condition` and the output `energies` of the table
below, for up to {_LARGEST_BATCH} showers a request. The client draws the noise, so that its seed
decides; conditions beyond the range are clamped."""

    def parts(self, opened: Opened) -> Iterable[Part]:
        yield Part("Triton", lambda threads: _Server(opened, threads))


def repository_name(name: str) -> str:
    """Return a model's name as a folder's: letters, digits, ``_`` and ``-``."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
    return plain if plain[:1].isalnum() else f"m{plain}"


def _config(raw: Mapping[str, Any], name: str) -> str:
    def tensor(called: str, size: int) -> str:
        return f'  {{\n    name: "{called}"\n    data_type: TYPE_FP32\n    dims: [ {size} ]\n  }}'

    inputs = [tensor("noise", raw["noise"]["size"]), tensor("condition", len(raw["conditions"]))]
    return f"""name: "{name}"
backend: "onnxruntime"
max_batch_size: {_LARGEST_BATCH}
input [
{",".join(inputs)}
]
output [
{tensor("energies", raw["output"]["voxels"])}
]
dynamic_batching {{ }}
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
"""


class _Server:
    """What Triton does with a repository: a request in batches, tensors by name, FP32."""

    rescales = False

    def __init__(self, opened: Opened, threads: int) -> None:
        configs = [name for name in opened.contents if name.endswith("/config.pbtxt")]
        if len(configs) != 1:
            raise ArtifactError(f"triton: expected one config.pbtxt, found {len(configs)}")
        text = opened.text(configs[0])
        folder = configs[0].rpartition("/")[0]
        name = f"{folder}/1/model.onnx"
        self._session = session_of(opened.model, opened.graph(name), threads)
        float_inputs(self._session, name)
        self._batch = _checked(text, folder, self._session)
        self._given: list[tuple[str, int]] = [
            (one.name, int(one.shape[-1])) for one in self._session.get_inputs()
        ]

    def run(self, noise: Array, condition: Array, /) -> Array:
        """Return energies in MeV in the model's order, ``(events, voxels)``."""
        parts = []
        for first in range(0, len(noise), self._batch):
            rows = slice(first, first + self._batch)
            request = {"noise": noise[rows], "condition": condition[rows]}
            parts.append(self._session.run(["energies"], request)[0])
        return np.concatenate(parts)


def _checked(text: str, folder: str, session: Any) -> int:
    """Return the largest batch, and refuse a configuration that does not fit the graph."""
    told = dict(re.findall(r'^(\w+): "?([\w-]+)"?$', text, re.MULTILINE))
    tensors = [(name, kind, int(size)) for name, kind, size in _TENSOR.findall(text)]
    values = [*session.get_inputs(), *session.get_outputs()]
    found = [(value.name, "TYPE_FP32", value.shape[-1]) for value in values]
    wrong = {
        f"is named {told.get('name')!r}, its folder {folder.rpartition('/')[2]!r}": told.get("name")
        != folder.rpartition("/")[2],
        "has no max_batch_size": not told.get("max_batch_size", "").isdigit(),
        f"says {tensors}, the graph has {found}": tensors != found,
        "allows batches, and the graph takes one shower only": any(
            isinstance(value.shape[0], int) for value in values
        ),
        "has another backend than onnxruntime": told.get("backend") != "onnxruntime",
    }
    complaints = [what for what, is_so in wrong.items() if is_so]
    if complaints:
        raise ArtifactError(f"{folder}/config.pbtxt: {'; '.join(complaints)}")
    return int(told["max_batch_size"])
