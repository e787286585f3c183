"""Small showers and files that every test of the data floor starts from."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_showers import ring_showers

from simulacra.data import ToyShowers, VoxelShowers, sink, toy_geometry


@pytest.fixture
def toy() -> VoxelShowers:
    return ToyShowers(toy_geometry()).log_uniform(57, seed=3)


@pytest.fixture
def photons() -> VoxelShowers:
    return ring_showers()


@pytest.fixture
def challenge_file(tmp_path: Path):
    """Return a function that writes a file in the challenge's bare layout, no attributes."""

    def write(showers: np.ndarray, energies: np.ndarray, name: str = "x.hdf5", **more) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file["showers"] = showers
            file["incident_energies"] = energies
            for key, value in more.items():
                file[key] = value
        return path

    return write


@pytest.fixture
def full_disk(monkeypatch):
    """Return a function that lets the disk fill up after some writes, and counts them."""

    def fill(allowed: int) -> list[int]:
        write, calls = io.FileIO.write, []

        class Disk(io.FileIO):
            def write(self, data: object) -> int:
                calls.append(1)
                if len(calls) > allowed:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(self, data)

        monkeypatch.setattr(sink, "_open", lambda path: Disk(path, "w+"))
        return calls

    return fill
