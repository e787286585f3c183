"""A killed process: nothing under the final name, nothing that was finished is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from simulacra.data import write_showers

COMMAND = [sys.executable, "-c", "from simulacra.cli import main; main()"]


def _killed_when(arguments, happened):
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, "the process ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_sampler_leaves_no_file(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    out = tmp_path / "out"
    low, high = tiny.manifest["validity"]["ranges"]["incident_energy"]
    arguments = ["sample", tmp_path / "model", "--out", out / "f.hdf5", "-n", 2_000_000]
    _killed_when(
        [*arguments, "--energy", f"{low}:{high}", "--batch-size", 64],
        lambda: out.is_dir() and any(out.iterdir()),
    )
    assert not (out / "f.hdf5").exists()


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(toy_showers, tmp_path):
    write_showers(tmp_path / "train.hdf5", toy_showers)
    settings = [
        "model.channels=6",
        "model.blocks=1",
        "training.epochs=40",
        "training.batch_size=64",
        "training.checkpoint_minutes=0.0",
        "training.threads=1",
    ]
    sets = [word for setting in settings for word in ("--set", setting)]

    def arguments(name):
        return [
            "train",
            "photons-demo",
            "--data",
            tmp_path / "train.hdf5",
            "--out",
            tmp_path / name,
        ]

    log = tmp_path / "killed" / "training" / "log.jsonl"
    _killed_when(
        [*arguments("killed"), *sets], lambda: log.exists() and log.read_text().count("\n") >= 5
    )
    assert not (tmp_path / "killed" / "manifest.json").exists()
    for name, more in (("killed", ["--resume"]), ("whole", [])):
        subprocess.run([*COMMAND, *map(str, [*arguments(name), *sets, *more])], check=True)
    killed, whole = (
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("killed", "whole")
    )
    assert killed["files"] == whole["files"]
