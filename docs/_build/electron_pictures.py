"""Draw the picture of the page on regular layouts: drawn showers beside showers never trained on.

python docs/_build/electron_pictures.py drawn.hdf5 electrons-test.hdf5
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulacra.data import VoxelShowers, read_showers
from simulacra.evaluation import plots
from simulacra.evaluation.plots.canvas import INK, style

NEAR = 1.65
PICTURE = Path(__file__).parents[1] / "images" / "electrons.png"


def main(drawn: str, reference: str) -> None:
    """Draw four panels: profile, empty layers, widths, voxels."""
    with style():
        figure = Figure(figsize=(9.0, 6.0), layout="constrained")
        panels = list(figure.subplots(2, 2).flat)
        for path, label, colour in (
            (reference, "full simulation", INK),
            (drawn, "electrons-copula", plots.COLOURS[1]),
        ):
            _sample(panels, read_showers(path), label, colour)
        PICTURE.write_bytes(plots.png(figure, dpi=110, palette=True))
    counts = [_just_above(read_showers(path)) for path in (drawn, reference)]
    sys.stdout.write(
        f"{PICTURE}\nvoxels within a factor {NEAR} of the threshold: {counts[0] / counts[1]:.2f} "
        "drawn for one of the simulation\n"
    )


def _just_above(showers: VoxelShowers) -> float:
    """Return how many voxels a shower has just above the threshold, in the mean."""
    ratio = showers.energies / showers.geometry.threshold
    return float(((ratio >= 1) & (ratio < NEAR)).sum(axis=1).mean())


def _sample(panels: list[Axes], showers: VoxelShowers, label: str, colour: str) -> None:
    """Add one sample's lines."""
    profile, empty, width, voxel = panels
    layers = showers.layer_energies()
    edges = np.arange(layers.shape[1] + 1) - 0.5
    share = layers / showers.incident_energy[:, None]
    line = {"color": colour, "lw": 1.4}
    profile.stairs(share.mean(axis=0), edges, label=label, **line)
    profile.stairs(share.std(axis=0), edges, ls=":", **line)
    profile.set(xlabel="layer", ylabel="energy / incident energy", yscale="log")
    profile.set_title("mean, and spread (dotted)", loc="left", fontsize=9)
    profile.legend()
    empty.stairs((layers == 0).mean(axis=0), edges, **line)
    empty.set(xlabel="layer", ylabel="share of showers in which it is empty")
    middle = _centre_of_depth(layers)
    width.hist(middle, np.linspace(4, 30, 53), histtype="step", density=True, **line)
    width.set(xlabel="mean depth of a shower's energy (layers)", ylabel="density")
    filled = showers.energies[showers.energies > 0]
    voxel.hist(filled, np.geomspace(0.015, 2000, 60), histtype="step", density=True, **line)
    voxel.set(xlabel="energy of a filled voxel (MeV)", ylabel="density per MeV")
    voxel.set(xscale="log", yscale="log")


def _centre_of_depth(layers: np.ndarray) -> np.ndarray:
    return layers @ np.arange(layers.shape[1]) / layers.sum(axis=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
