"""Submitted trainings: what is asked for, what runs, and how a preempted one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from simulacra.config import apply_settings
from simulacra.errors import ConfigError, DependencyError, UnknownFieldError, WorkforceError
from simulacra.execute import place_in_job, stop_requests
from simulacra.train.submission import (
    Submission,
    TrainingJob,
    submission,
    submit,
    without_submission,
)

WORDS = ["train", "tiny.yaml", "--data", "a.hdf5", "--out", "runs/a"]


@pytest.mark.parametrize(
    "more",
    [
        ["--submit", "slurm"],
        ["--submit=local", "--set", "submit.gpus=4", "--set=submit.minutes=10"],
        ["--resume", "--submit", "slurm"],
    ],
)
def test_the_job_runs_the_same_command_resumed(more):
    words = without_submission([*WORDS[:2], *more, *WORDS[2:], "--set", "training.epochs=3"])
    assert sorted(words) == sorted([*WORDS, "--set", "training.epochs=3", "--resume"])


def test_settings_of_a_cluster_come_from_yaml_and_from_the_line(tmp_path):
    (tmp_path / "site.yaml").write_text("partition: gpu\ngpus: 4\nminutes: 60\n")
    asked = submission(str(tmp_path / "site.yaml"), ["minutes=30"])
    assert (asked.cluster, asked.partition, asked.gpus, asked.minutes) == ("slurm", "gpu", 4, 30)
    assert asked.processes_per_node == 4
    assert Submission().processes_per_node == 1
    assert apply_settings(asked, ["processes=2"]).processes_per_node == 2


@pytest.mark.parametrize(
    ("where", "settings", "error", "message"),
    [
        ("pbs", [], ConfigError, "expected slurm, local or a YAML file"),
        ("local", ["nodes=2"], ConfigError, "a local job has one machine"),
        ("slurm", ["gpu=2"], UnknownFieldError, "Did you mean `gpus`"),
        ("slurm", ["minutes=0"], ConfigError, "minutes"),
    ],
)
def test_what_cannot_be_asked_for(where, settings, error, message):
    with pytest.raises(error, match=message):
        submission(where, settings)


def test_one_process_needs_no_torchrun_and_several_do():
    assert TrainingJob(WORDS, 1, 1)._line() == [sys.executable, "-m", "simulacra", *WORDS]
    several = TrainingJob(WORDS, 1, 4)._line()
    assert several[1:5] == ["-m", "torch.distributed.run", "--nproc-per-node=4", "--nnodes=1"]
    assert several[-len(WORDS) - 2 :] == ["-m", "simulacra", *WORDS]


def test_a_command_that_fails_is_an_error():
    job = TrainingJob(["no-such-verb"], 1, 1)
    job._line = lambda: [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(WorkforceError, match="exit code 3"):
        job()


def test_without_submitit_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(DependencyError, match=r"pip install 'simulacra\[cluster\]'"):
        submit(WORDS, Submission(), tmp_path)


def test_a_machine_without_slurm(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed (extra `cluster`)")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkforceError, match="slurm: did not take the job"):
        submit(WORDS, Submission(), tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_is_remembered_once_work_can_be_saved(number):
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
    assert signal.getsignal(number) == before


def test_before_that_a_signal_ends_the_process():
    code = "import os, signal; from simulacra.execute import stop_requests\n"
    code += "with stop_requests(): os.kill(os.getpid(), signal.SIGTERM); print('still here')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


def test_place_in_a_job(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert place_in_job() == (0, 1)
    monkeypatch.setenv("WORLD_SIZE", "4")  # of some other program
    monkeypatch.setenv("RANK", "2")
    assert place_in_job() == (0, 1)
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert place_in_job() == (2, 4)


CONFIG = """
name: tiny
tile: 8
model: {channels: 6, blocks: 1, width: 8, energy_width: 8, energy_blocks: 1}
training: {epochs: EPOCHS, batch_size: 64, warmup_steps: 3, threads: 1}
"""


@pytest.fixture
def command(tmp_path):
    """Words after ``simulacra`` of a training that takes a while."""
    from simulacra.data import embedded, open_showers, write_showers

    showers = open_showers(embedded("photons-test")).read(0, 1280)
    write_showers(tmp_path / "a.hdf5", showers)

    def words(epochs, out):
        (tmp_path / "tiny.yaml").write_text(CONFIG.replace("EPOCHS", str(epochs)))
        return ["train", str(tmp_path / "tiny.yaml"), "--data", str(tmp_path / "a.hdf5"),
                "--out", str(tmp_path / out)]  # fmt: skip

    return words


def _losses(folder):
    lines = (folder / "training" / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["training_loss"] for line in lines]


def _until(path, lines, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and len(path.read_text().splitlines()) >= lines:
            return
        time.sleep(0.05)
    pytest.fail(f"{path.name} has no {lines} lines after {seconds} s")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_stopped_training_goes_on_as_if_nothing_had_happened(command, tmp_path, number):
    subprocess.run([sys.executable, "-m", "simulacra", *command(12, "whole")], check=True)
    line = [sys.executable, "-m", "simulacra", *command(12, "stopped")]
    child = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    _until(tmp_path / "stopped" / "training" / "log.jsonl", 3)
    child.send_signal(number)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 75
    assert "asked to stop after step" in told
    assert not (tmp_path / "stopped" / "manifest.json").exists()
    subprocess.run([*line, "--resume"], check=True)
    assert _losses(tmp_path / "stopped") == _losses(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_preempted_local_job_is_requeued_and_ends(command, tmp_path, processes):
    submitit = pytest.importorskip("submitit", reason="submitit is not installed (extra `cluster`)")
    if processes > 1:
        pytest.importorskip("lightning_fabric", reason="extra `distributed` is not installed")
    subprocess.run([sys.executable, "-m", "simulacra", *command(12, "whole")], check=True)
    executor = submitit.AutoExecutor(folder=tmp_path / "jobs", cluster="local")
    executor.update_parameters(timeout_min=10)
    words = [*command(12, "job"), "--resume"]
    job = executor.submit(TrainingJob(words, 1, processes))
    _until(tmp_path / "job" / "training" / "log.jsonl", 3)
    # The controller passes the signal of a preemption on to its task.
    tasks = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(job.job_id)], capture_output=True, text=True, check=True
    )
    for task in tasks.stdout.split():
        os.kill(int(task), signal.SIGUSR2)
    job.wait()
    assert "Requeued job" in (job.stdout() or "")
    assert "asked to stop after step" in (job.stderr() or "")
    assert (tmp_path / "job" / "manifest.json").exists()
    assert _losses(tmp_path / "job") == pytest.approx(_losses(tmp_path / "whole"), rel=1e-4)


@pytest.mark.slow
def test_submit_on_the_command_line(command, tmp_path):
    pytest.importorskip("submitit", reason="submitit is not installed (extra `cluster`)")
    words = [*command(2, "job"), "--submit", "local", "--set", "submit.minutes=5"]
    done = subprocess.run(
        [sys.executable, "-m", "simulacra", *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("job ")
    deadline = time.monotonic() + 120
    while not (tmp_path / "job" / "manifest.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _torchrun(processes, words):
    return [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc-per-node={processes}", "-m", "simulacra", *words,
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command_line_under_torchrun(command, tmp_path):
    pytest.importorskip("lightning_fabric", reason="extra `distributed` is not installed")
    subprocess.run([sys.executable, "-m", "simulacra", *command(3, "one")], check=True)
    done = subprocess.run(
        _torchrun(2, command(3, "two")), check=True, capture_output=True, text=True
    )
    assert done.stdout.count("trained on 1280 showers") == 1
    assert _losses(tmp_path / "two") == pytest.approx(_losses(tmp_path / "one"), rel=1e-5)
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert manifest["training"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--data", "nowhere.hdf5"], "nowhere.hdf5: there is no such file"),
        (["--set", "training.batch_size=63"], "2 processes cannot share a batch of 63"),
    ],
)
def test_what_ails_all_is_said_once(command, change, message):
    pytest.importorskip("lightning_fabric", reason="extra `distributed` is not installed")
    done = subprocess.run(
        _torchrun(2, [*command(2, "x"), *change]), capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert done.stderr.count(message) == 1


@pytest.mark.slow
def test_a_killed_process_ends_all_with_a_sentence_and_can_be_resumed(command, tmp_path):
    pytest.importorskip("lightning_fabric", reason="extra `distributed` is not installed")
    words = [*command(60, "x"), "--set", "training.checkpoint_minutes=0"]
    run = subprocess.Popen(_torchrun(2, words), stderr=subprocess.PIPE, text=True)
    _until(tmp_path / "x" / "training" / "log.jsonl", 2)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(children[-1]), signal.SIGKILL)
    _, told = run.communicate(timeout=120)
    assert run.returncode
    assert "SIGKILL" in told  # torchrun says who died
    done = subprocess.run(
        [sys.executable, "-m", "simulacra", *words, "--resume"], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert len(_losses(tmp_path / "x")) == 60
