"""Make the small files on which the official programs' numbers are frozen; kept for provenance.

    python validation/make_reference_showers.py FOLDER_WITH_THE_FULL_SETS

Electrons in the layout of data set 2 are cut out of the full sets, their voxel energies rounded to
8 significant bits to keep the files small. Pions in the layout of data set 1 are no simulation:
numbers with all digits of double precision and 15 discrete energies, to see that sums run in the
same order. Photons are taken from the embedded files as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from simulacra.data import geometry
from simulacra.execute import atomic_path

TARGET = Path(__file__).parents[1] / "tests" / "evaluation" / "reference"
ELECTRONS, PIONS_PER_ENERGY = 30, 5
SOURCES = {"generated": "electrons-train", "reference": "electrons-test"}


def electrons(source: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the first showers of a file, rounded, and their incident energies in MeV."""
    with h5py.File(source) as file:
        showers, energy = file["showers"][:ELECTRONS], file["incident_energies"][:ELECTRONS]
    mantissa, exponent = np.frexp(showers)
    return np.ldexp(np.round(mantissa * 256) / 256, exponent), energy


def pions(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numbers that look like pions from afar: 15 energies, layers and voxels at random."""
    detector, rng = geometry("calochallenge-1-pions"), np.random.default_rng(seed)
    energy = np.repeat(2.0 ** np.arange(8, 23), PIONS_PER_ENERGY)[:, None]
    shape = np.exp(-detector.radius / 60) * rng.gamma(0.3, size=(len(energy), detector.voxels))
    for part in detector.slices:
        shape[rng.random(len(energy)) < 0.2, part] = 0
    response = rng.normal(0.8, 0.15, energy.shape).clip(0.1)
    showers = energy * response * shape / (shape.sum(axis=1, keepdims=True) + 1e-9)
    showers[showers < 1e-3 * energy] = 0
    return showers, energy


def write(
    path: Path, showers: NDArray[np.floating], energy: NDArray[np.floating], about: str
) -> None:
    """Write the challenge's layout."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, data in (("showers", showers), ("incident_energies", energy)):
            file.create_dataset(
                name, data=data, compression="gzip", compression_opts=9, shuffle=True
            )
        file.attrs["about"] = about


def main() -> None:
    """Write every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder that holds the full sets")
    source = parser.parse_args().source
    for number, (role, name) in enumerate(SOURCES.items()):
        about = f"the first {ELECTRONS} showers of {name}.hdf5, voxels rounded to 8 bits; CC-BY-4.0"
        write(TARGET / f"electrons-{role}.hdf5", *electrons(source / f"{name}.hdf5"), about)
        write(TARGET / f"pions-{role}.hdf5", *pions(number), "random numbers, no simulation")


if __name__ == "__main__":
    main()
