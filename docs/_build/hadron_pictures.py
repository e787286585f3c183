"""Count and draw for the page on hadrons (``python docs/_build/hadron_pictures.py FILE [DRAWN]``).

Counts what is hard in each file of pions; draws, if there are two, the energies of every layer,
those of empty layers in a bin of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import simulacra
from simulacra.data import VoxelShowers
from simulacra.evaluation import plots
from simulacra.evaluation.plots.canvas import INK, style

IMAGES = Path(__file__).parents[1] / "images"
EDGES = np.concatenate([[0.25], np.geomspace(0.5, 1e5, 41)])  # MeV; the first bin: empty


def main() -> None:
    """Count, and draw if two files are named."""
    files = [simulacra.read_showers(path) for path in sys.argv[1:3]]
    for path, showers in zip(sys.argv[1:3], files, strict=True):
        sys.stdout.write(f"{Path(path).name}: {counted(showers)}\n")
    if len(files) < 2:
        return
    with style():
        figure = panels(*files)
        (IMAGES / "hadrons.png").write_bytes(plots.png(figure, dpi=100, palette=True))
    sys.stdout.write(f"{IMAGES / 'hadrons.png'}\n")


def counted(showers: VoxelShowers) -> str:
    """Say how showers start, and what stays empty; layers by their number in the detector."""
    layers = layer_energies(showers)
    names = [layer.identity for layer in showers.geometry.layers]
    response = layers.sum(axis=1) / showers.incident_energy
    half = (np.cumsum(layers, axis=1) < 0.5 * layers.sum(axis=1, keepdims=True)).sum(axis=1)
    crossed = (layers[:, 0] > 15) & (layers[:, 0] < 30)
    both = crossed & (layers[:, 1] > 70) & (layers[:, 1] < 130)
    voxels = (showers.energies >= showers.geometry.threshold).sum(axis=1).mean()
    empty = ", ".join(
        f"{name}: {100 * share:.1f}"
        for name, share in zip(names, (layers == 0).mean(axis=0), strict=True)
    )
    reached = ", ".join(f"{name}: {100 * (half == i).mean():.1f}" for i, name in enumerate(names))
    return (
        f"{len(showers)} showers; response {response.mean():.3f}, spread {response.std():.3f}; "
        f"{voxels:.1f} voxels; cross layer 0: {100 * crossed.mean():.1f} %, layers 0 and 1: "
        f"{100 * both.mean():.1f} %; half of the energy reached in layer (%) {reached}; empty (%) "
        f"{empty}"
    )


def panels(truth: VoxelShowers, drawn: VoxelShowers) -> Figure:
    """One panel for each layer."""
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    layers = truth.geometry.layers
    axes = figure.subplots(2, (len(layers) + 1) // 2).ravel()
    for number, (axis, layer) in enumerate(zip(axes, layers, strict=False)):
        for name, showers, colour in (
            ("simulation", truth, INK),
            ("model", drawn, plots.COLOURS[0]),
        ):
            energies = np.maximum(layer_energies(showers)[:, number], 0.3)
            counts, _ = np.histogram(energies, EDGES)
            axis.stairs(counts / len(showers), EDGES, color=colour, label=name, lw=1.3)
        axis.set(xscale="log", yscale="log", ylim=(2e-4, 1))
        axis.set_title(f"layer {layer.identity}", loc="left", fontsize=9)
        axis.set_xlabel("energy (MeV)")
    for axis in axes[len(layers) :]:
        axis.remove()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower right")
    return figure


def layer_energies(showers: VoxelShowers) -> np.ndarray:
    """Return the energy above threshold in each layer in MeV, ``(showers, layers)``."""
    kept = np.where(showers.energies >= showers.geometry.threshold, showers.energies, 0.0)
    return np.stack([kept[:, part].sum(axis=1) for part in showers.geometry.slices], axis=1)


if __name__ == "__main__":
    main()
