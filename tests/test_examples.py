"""Every script under examples runs from beginning to end, with settings that teach it nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import simulacra

EXAMPLES = Path(__file__).parents[1] / "examples"

TINY = [
    "training.epochs=1",
    "training.batch_size=256",
    "model.channels=6",
    "model.blocks=1",
    "model.width=8",
    "model.energy_width=8",
    "model.energy_blocks=1",
    "model.shape.steps=1",
    "model.energy.steps=1",
]


def _run(script: Path, *words: str, where: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *words],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{script.name}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_example_is_run_by_a_test_here() -> None:
    assert [path.name for path in EXAMPLES.glob("*.py")] == ["calorimeter.py"]


def test_the_calorimeter_example_trains_draws_and_judges(tmp_path: Path) -> None:
    from simulacra.data import write_showers

    for name, events in (("train", 600), ("test", 200)):
        showers = simulacra.read_showers(simulacra.embedded(f"photons-{name}"))
        energy = showers.incident_energy  # a model refuses what lies outside its training
        inside = (energy > 2000) & (energy < 50_000) if name == "test" else energy > 0
        write_showers(tmp_path / f"{name}.hdf5", showers.select(inside).select(slice(events)))
    words = ["--train", "train.hdf5", "--test", "test.hdf5", "--out", "made"]
    for setting in TINY:
        words += ["--set", setting]
    said = _run(EXAMPLES / "calorimeter.py", *words, where=tmp_path)
    assert "not comparable" in said
    assert "200 showers of each kind" in said
    assert (tmp_path / "made" / "report.html").stat().st_size > 0
    assert simulacra.load(tmp_path / "made" / "model").config.training.epochs == 1
