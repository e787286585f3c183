"""Tell from wrong showers what mistake made them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..deploy import Manifest

__all__ = ["diagnosed"]

Array = NDArray[Any]
_SAME = 1e-3


def diagnosed(found: Array, expected: Array, condition: Array, manifest: Manifest) -> str:
    """Return the likely mistake in one sentence.

    Args:
        found: energies that a graph gave, ``(events, voxels)``.
        expected: those that it should have given, in MeV.
        condition: of these showers, the incident energy in MeV first.
        manifest: of the bundle.
    """
    if found.shape != expected.shape:
        return f"expected showers of shape {expected.shape}, found {found.shape}"
    if not np.isfinite(found).all():
        return f"NaN or infinity in {int((~np.isfinite(found)).any(axis=1).sum())} showers"
    if (found < 0).any():
        return f"negative energies in {int((found < 0).any(axis=1).sum())} showers"
    scale = _scale(found, expected)
    if scale is not None:
        return _unit(scale, condition[:, 0])
    if _close(np.sort(found, axis=1), np.sort(expected, axis=1)).all():
        return _order(found, expected, manifest)
    wrong = np.asarray(~_close(found, expected).all(axis=1))
    clipped = _clipped(wrong, condition, manifest)
    if clipped:
        return clipped
    total, wanted = (x.sum(axis=1, dtype=np.float64) for x in (found, expected))
    lost = np.abs(total - wanted) / np.maximum(wanted, 1e-30)
    if lost.max() > _SAME:
        return (
            f"energy is not conserved: the totals of {int((lost > _SAME).sum())} of {len(lost)} "
            f"showers differ by up to {lost.max():.2g} of themselves"
        )
    return "the showers are others; is the graph that of another model?"


def _scale(found: Array, expected: Array) -> Array | None:
    """Return by what each shower is multiplied, if every voxel of it is multiplied alike."""
    total = expected.sum(axis=1, dtype=np.float64)
    scale = found.sum(axis=1, dtype=np.float64) / np.maximum(total, 1e-30)
    filled = total > 0
    if not (np.isfinite(scale).all() and (scale[filled] > 0).all() and filled.any()):
        return None
    alike = _close(found[filled], expected[filled] * scale[filled, None]).all()
    changed = (np.abs(scale[filled] - 1) > _SAME).mean() > 0.5
    return np.asarray(scale[filled]) if alike and changed else None


def _unit(scale: Array, energy: Array) -> str:
    typical = float(np.median(scale))
    even = np.allclose(scale, typical, rtol=_SAME)
    if even and abs(typical * 1000 - 1) < _SAME:
        return "wrong unit: the energies are in GeV, expected MeV"
    if even:
        return f"wrong unit: every energy is multiplied by {typical:.4g}, expected MeV"
    if len(scale) == len(energy) and np.allclose(scale * energy, 1, rtol=_SAME):
        return "wrong unit: the energies are fractions of the incident energy, expected MeV"
    return "wrong unit: each shower is multiplied by a number of its own, expected MeV"


def _order(found: Array, expected: Array, manifest: Manifest) -> str:
    """Look for the axes that were exchanged."""
    mesh = manifest.raw["output"].get("mesh")
    order = str(manifest.raw["output"].get("order"))
    if isinstance(mesh, list) and len(mesh) == 3 and np.prod(mesh) == expected.shape[1]:
        cube = expected.reshape(-1, *mesh)
        for axes in ((0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 2, 1), (0, 2, 3, 1), (0, 3, 1, 2)):
            if _close(found, cube.transpose(axes).reshape(found.shape)).all():
                names = [("", "layer", "angle", "radius")[axis] for axis in axes[1:]]
                return (
                    f"the mesh is transposed: axes run {', '.join(names)} (slowest first), "
                    f"expected {order}"
                )
        half = mesh[1] // 2
        if _close(found, np.roll(cube, half, axis=2).reshape(found.shape)).all():
            return "the angle is off by pi: the sectors are rolled by half a turn"
    return f"the voxels are in another order, such as a transposed mesh; expected {order}"


def _clipped(wrong: Array, condition: Array, manifest: Manifest) -> str:
    """Tell whether only showers near an end of a range are wrong."""
    if not wrong.any() or wrong.all():
        return ""
    for column, one in zip(condition.T, manifest.conditions, strict=True):
        good = column[~wrong]
        outside = (column[wrong] < good.min()) | (column[wrong] > good.max())
        if outside.all():
            return (
                f"the range of {one.name} is clipped: showers are right from {good.min():g} to "
                f"{good.max():g} only, expected {one.accepted[0]:g} to {one.accepted[1]:g}"
            )
    return ""


def _close(a: Array, b: Array) -> NDArray[np.bool_]:
    return np.isclose(a, b, rtol=_SAME, atol=0) | (np.maximum(np.abs(a), np.abs(b)) < 1e-6)
