"""The page inside a bundle that says how to run it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["readme"]


def readme(raw: Mapping[str, Any], there: str) -> str:
    """Return the text of ``README.md``.

    Args:
        raw: the manifest.
        there: how to run it in the program that it was exported for, Markdown.
    """
    name = _escaped(raw["name"])
    rows = "\n".join(
        f"| `{_escaped(one['name'])}` | {one['unit'] or 'number'} | {one['trained'][0]:g} | "
        f"{one['trained'][1]:g} |"
        for one in raw["conditions"]
    )
    further = [one["name"] for one in raw["conditions"][1:]]
    more = "" if not further else ", {" + ", ".join(f'"{n}": ...' for n in further) + "}"
    energy = raw["conditions"][0]["trained"]
    noise, voxels, columns = (
        raw["noise"]["size"],
        raw["output"]["voxels"],
        len(raw["conditions"]),
    )
    target = f"## In {raw['target']}\n\n{there}\n\n" if there else ""
    example = f"{(energy[0] * energy[1]) ** 0.5:.4g}"
    return f"""# {name}: showers from an ONNX file

Exported by simulacra {_escaped(raw["versions"]["simulacra"])}. `simulacra verify` of this folder
checks it against the showers in `golden.npz`.

{target}## In Python, without torch

```python
from simulacra.deploy import load

model = load(".")  # this folder; needs numpy and onnxruntime >= {raw["requires"]["onnxruntime"]}
showers = model.sample({example}{more}, seed=1)  # MeV, shape (events, {raw["output"]["voxels"]})
```

The same seed and event numbers give the showers of the trained model, up to rounding.

## In any other ONNX Runtime

| graph | input `noise` | input `condition` | output `energies` |
|---|---|---|---|
| `model.onnx` | (1, {noise}) | (1, {columns}) | (1, {voxels}) |
| `model_batch.onnx` | (events, {noise}) | (events, {columns}) | (events, {voxels}) |

All are float32; opset {raw["requires"]["opset"]}, IR {raw["requires"]["ir"]}; each file stands
alone. `noise` is standard normal and comes from the caller, so that the caller's seed decides.
Energies are in MeV; {raw["output"]["order"]}; voxels below
{raw["output"]["threshold_mev"]:g} MeV are 0. Layers, each as (angles, radii) or (x, y):
{raw["output"]["layers"]}.

| condition, in this order | unit | trained from | to |
|---|---|---|---|
{rows}

Inside the graph conditions are clamped to about these ranges (`accepted` in `manifest.json`); what
lies beyond is drawn as if it lay at the end, so the caller has to refuse it.
"""


def _escaped(text: str) -> str:
    """Take what is markup or a line's end out of a name."""
    return re.sub(r"[^\w .+@-]", "_", str(text))
