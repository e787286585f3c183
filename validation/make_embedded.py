"""Cut the embedded photon showers out of the full sets; run once, kept for provenance.

    python validation/make_embedded.py FOLDER_WITH_THE_FULL_SETS

The first showers of each file are taken as they are; nothing is selected by content. Training
and test showers come from two separate files, so they share no shower.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import h5py

from simulacra.execute import atomic_path

EVENTS = {"photons-train": 12_800, "photons-test": 3_200}
TARGET = Path(__file__).parents[1] / "src" / "simulacra" / "data" / "embedded"


def cut(source: Path, target: Path, events: int) -> None:
    """Copy the first ``events`` showers of ``source`` with all its attributes."""
    with h5py.File(source) as old, atomic_path(target) as path, h5py.File(path, "w") as new:
        for name, dataset in old.items():
            new.create_dataset(
                name,
                data=dataset[:events],
                chunks=(min(1600, events), *dataset.shape[1:]),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
            )
        new.attrs.update(old.attrs)
        new.attrs["licence"] = "CC-BY-4.0"
        new.attrs["part_of"] = source.name
        new.attrs["part_of_events"] = len(old["showers"])
        new.attrs["part_of_sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()
        new.attrs["first_event"] = 0
        new.attrs["last_event"] = events - 1


def main() -> None:
    """Cut every embedded file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder that holds the full sets")
    source = parser.parse_args().source
    for name, events in EVENTS.items():
        cut(source / f"{name}.hdf5", TARGET / f"{name}.hdf5", events)


if __name__ == "__main__":
    main()
