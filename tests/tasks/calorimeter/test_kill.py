"""``kill -9`` at 20 random moments: nothing finished is lost, nothing broken is left."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest
import torch

from simulacra.data import ToyShowers, toy_geometry, write_showers

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from simulacra.cli import main; main()"]
KILLS = 20


def _nothing(_: Path) -> dict[str, object]:
    return {}


@dataclass
class Attempts:
    """One command, killed again and again until it is let alone.

    Args:
        arguments: of the command that writes to a given folder.
        result: what it leaves when it has ended, None before.
        keeps: what is finished so far, by name; it may only grow.
    """

    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], object]
    keeps: Callable[[Path], dict[str, object]] = _nothing

    def survive(self, tmp_path: Path, seed: int) -> None:
        whole = tmp_path / "whole"
        self._run(whole)  # fills caches
        expected = self.result(whole)
        start = time.monotonic()
        self._run(tmp_path / "again")
        usual = time.monotonic() - start
        assert self.result(tmp_path / "again") == expected
        moments = random.Random(seed)
        killed, number, under_way = 0, 0, 0
        while killed < KILLS:
            folder = tmp_path / f"killed-{number}"
            before = self.keeps(folder)
            start = time.monotonic()
            ended = self._killed_after(folder, moments.uniform(0.0, usual))
            if ended:  # on a machine that has become less busy
                usual = min(usual, time.monotonic() - start)
            if self.result(folder) is not None:
                assert self.result(folder) == expected
                number += 1
            else:
                assert not ended
                after = self.keeps(folder)
                assert before.keys() <= after.keys()
                under_way += after != {}
            killed += not ended
        self._run(folder := tmp_path / f"killed-{number}")
        assert self.result(folder) == expected
        assert not [path for path in folder.iterdir() if path.name.endswith(".pieces")]
        assert under_way or not self.keeps(whole)

    def _run(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        subprocess.run([*COMMAND, *self.arguments(folder)], check=True, stderr=subprocess.DEVNULL)

    def _killed_after(self, folder: Path, seconds: float) -> bool:
        """Return whether it had ended before."""
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [*COMMAND, *self.arguments(folder)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False
        assert process.returncode == 0, said
        return True


def _pieces(folder: Path) -> dict[str, object]:
    return {path.name: True for path in folder.glob("f.hdf5.pieces/*.npz")}


def _bytes(folder: Path) -> object:
    path = folder / "f.hdf5"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def _arrays(folder: Path) -> object:
    """Return what is in a file but for the times that it tells."""
    path = folder / "f.hdf5"
    if not path.exists():
        return None
    with h5py.File(path, "r") as file:
        arrays = {n: hashlib.sha256(file[n][()].tobytes()).hexdigest() for n in file}
        return arrays | {name: str(file.attrs[name]) for name in ("run", "shard")}


def test_sample(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    low, high = tiny.manifest["validity"]["ranges"]["incident_energy"]
    Attempts(
        lambda folder: [
            "sample", str(tmp_path / "model"), "--energy", f"{low}:{high}", "-n", "6000",
            "--out", str(folder / "f.hdf5"), "--batch-size", "128",
        ],
        _bytes,
        _pieces,
    ).survive(tmp_path, seed=1)  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("calzone") is None, reason="needs calzone")
def test_simulate(tmp_path):
    Attempts(
        lambda folder: [
            "simulate", "pbwo4-lar", "--energy", "1GeV:4GeV", "-n", "400", "--workers", "2",
            "--out", str(folder / "f.hdf5"),
        ],
        _arrays,
        _pieces,
    ).survive(tmp_path, seed=2)  # fmt: skip


def test_merge(tmp_path):
    toy = ToyShowers(toy_geometry())
    parts = [tmp_path / f"{i}.hdf5" for i in range(3)]
    for i, part in enumerate(parts):
        write_showers(part, toy.log_uniform(8000, seed=i))
    before = [part.read_bytes() for part in parts]
    Attempts(
        lambda folder: ["merge", str(folder / "f.hdf5"), *map(str, parts)], _bytes
    ).survive(tmp_path, seed=3)  # fmt: skip
    assert [part.read_bytes() for part in parts] == before


def test_train(toy_showers, tmp_path):
    write_showers(tmp_path / "train.hdf5", toy_showers)
    settings = ("model.channels=6", "model.blocks=1", "training.epochs=40",
                "training.batch_size=64", "training.checkpoint_minutes=0.0",
                "training.threads=1")  # fmt: skip

    def weights(folder):
        manifest = folder / "model" / "manifest.json"
        return json.loads(manifest.read_text())["files"] if manifest.exists() else None

    def steps(folder):
        checkpoint = folder / "model" / "training" / "checkpoint.pt"
        if not checkpoint.exists():
            return {}
        done = torch.load(checkpoint, weights_only=True)["counters"][1]
        return {str(step): True for step in range(done + 1)}

    Attempts(
        lambda folder: [
            "train", "photons-demo", "--data", str(tmp_path / "train.hdf5"), "--resume",
            "--out", str(folder / "model"), *(w for one in settings for w in ("--set", one)),
        ],
        weights,
        steps,
    ).survive(tmp_path, seed=4)  # fmt: skip
