"""A training as a job of a batch system that goes on from its checkpoint after a preemption."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..config import Config, apply_settings, load_yaml
from ..errors import ConfigError, DependencyError, WorkforceError

__all__ = ["Submission", "TrainingJob", "submission", "submit", "without_submission"]


class Submission(Config):
    """What a batch system is asked for; the house of each cluster is one YAML file of these.

    Args:
        cluster: ``slurm``, or ``local`` for processes on this machine.
        partition: Slurm's partition; empty for the default one.
        account: whom Slurm charges; empty for the default one.
        minutes: wall time of one run, in minutes; the training goes on in the next.
        nodes: machines.
        gpus: GPUs per machine; train with ``--device cuda`` to use them.
        processes: per machine; 0 is one per GPU, and one without GPUs.
        cores: processor cores per machine; 0 leaves it to the batch system.
        memory_gb: memory per machine in GB; 0 leaves it to the batch system.
        warning_seconds: time between Slurm's signal and its end, in which a checkpoint is saved.
        runs: how often the job may run out of its wall time and be put back into the queue.
        options: further options of ``sbatch``, by their long names.
    """

    cluster: Literal["slurm", "local"] = "slurm"
    partition: str = ""
    account: str = ""
    minutes: int = Field(default=720, ge=1)
    nodes: int = Field(default=1, ge=1)
    gpus: int = Field(default=0, ge=0)
    processes: int = Field(default=0, ge=0)
    cores: int = Field(default=0, ge=0)
    memory_gb: int = Field(default=0, ge=0)
    warning_seconds: int = Field(default=120, ge=1)
    runs: int = Field(default=20, ge=0)
    options: dict[str, str] = Field(default={})

    @property
    def processes_per_node(self) -> int:
        """Number of processes on each machine."""
        return self.processes or self.gpus or 1


class TrainingJob:
    """What runs on the cluster: the command itself, under torchrun where there are several.

    Args:
        command: words after ``simulacra``, with ``--resume``.
        nodes: machines.
        processes: processes on each.
    """

    def __init__(self, command: Sequence[str], nodes: int, processes: int) -> None:
        self.command, self.nodes, self.processes = tuple(command), nodes, processes
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Run the command and wait for it.

        Raises:
            WorkforceError: if it ends with an error, which stands in the job's stderr.
        """
        self._child = subprocess.Popen(self._line())
        code = self._child.wait()
        if code:
            raise WorkforceError(f"the training ended with exit code {code}; see the job's stderr.")

    def checkpoint(self) -> Any:
        """Let the command save where it is; called by submitit on the signal of a preemption."""
        from submitit.helpers import DelayedSubmission

        child = self._child
        if child is not None:
            child.terminate()
            # The interrupted ``wait`` above holds the lock of ``Popen``; this one does not reap.
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(TrainingJob(self.command, self.nodes, self.processes))

    def _line(self) -> list[str]:
        end = ["-m", "simulacra", *self.command]
        if self.nodes * self.processes == 1:
            return [sys.executable, *end]
        torchrun = [sys.executable, "-m", "torch.distributed.run"]
        torchrun += [f"--nproc-per-node={self.processes}", f"--nnodes={self.nodes}"]
        return [*torchrun, *(self._meeting_point() if self.nodes > 1 else ["--standalone"]), *end]

    def _meeting_point(self) -> list[str]:
        import submitit

        job = submitit.JobEnvironment()
        port = 20_000 + int(job.raw_job_id) % 20_000  # two jobs may share a machine
        return [
            f"--node-rank={job.node}",
            f"--master-addr={job.hostnames[0]}",
            f"--master-port={port}",
        ]


def submission(where: str, settings: Sequence[str]) -> Submission:
    """Return what a batch system is asked for.

    Args:
        where: ``slurm``, ``local`` or a YAML file with the fields of :class:`Submission`.
        settings: assignments ``field=value``, which come last.

    Raises:
        ConfigError: if a value does not fit, or the machines of a local job are more than one.
        UnknownFieldError: if there is no such field.
    """
    if where.endswith((".yaml", ".yml")):
        asked = Submission.from_dict(load_yaml(Path(where)))
    elif where in ("slurm", "local"):
        asked = Submission(cluster="slurm" if where == "slurm" else "local")
    else:
        raise ConfigError(f"--submit: expected slurm, local or a YAML file, found {where!r}.")
    asked = apply_settings(asked, settings)
    if asked.cluster == "local" and asked.nodes > 1:
        raise ConfigError(f"submit.nodes: a local job has one machine, found {asked.nodes}.")
    return asked


def submit(command: Sequence[str], asked: Submission, folder: Path) -> str:
    """Give a training to a batch system.

    Args:
        command: words after ``simulacra``, as :func:`without_submission` returns them.
        asked: what the batch system is asked for.
        folder: where the job's own files and its output go.

    Returns:
        A sentence that says where it went.

    Raises:
        DependencyError: if submitit is not installed.
        WorkforceError: if the batch system does not take it.
    """
    try:
        import submitit
    except ImportError:
        raise DependencyError(
            "--submit needs submitit, which is not installed: pip install 'simulacra[cluster]'."
        ) from None
    job = TrainingJob(command, asked.nodes, asked.processes_per_node)
    try:
        executor = submitit.AutoExecutor(
            folder=folder,
            cluster=asked.cluster,
            **{f"{asked.cluster}_max_num_timeout": asked.runs},
        )
        executor.update_parameters(**_parameters(asked))
        submitted = executor.submit(job)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        reason = " ".join(str(getattr(error, "stderr", None) or error).split())
        raise WorkforceError(
            f"{asked.cluster}: did not take the job ({reason}); is this a machine from which jobs "
            "are submitted?"
        ) from None
    return f"job {submitted.job_id} ({asked.cluster}): output in {submitted.paths.stderr}"


def without_submission(words: Sequence[str]) -> list[str]:
    """Return a command's words as the job runs them: not submitted again, and resumed."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        option, equals, value = word.partition("=")
        if option in ("--submit", "--set") and not equals:
            value = next(left, "")
        if option == "--submit" or (option == "--set" and value.startswith("submit.")):
            continue
        kept += [word] if equals or option != "--set" else [word, value]
    return kept if "--resume" in kept else [*kept, "--resume"]


def _parameters(asked: Submission) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "name": "simulacra",
        "timeout_min": asked.minutes,
        "nodes": asked.nodes,
        "tasks_per_node": 1,
        "gpus_per_node": asked.gpus,
    }
    if asked.cores:
        shared["cpus_per_task"] = asked.cores
    if asked.memory_gb:
        shared["mem_gb"] = asked.memory_gb
    if asked.cluster == "local":
        return shared
    options = {"account": asked.account, **asked.options}
    shared["slurm_signal_delay_s"] = asked.warning_seconds
    shared["slurm_additional_parameters"] = {k: v for k, v in options.items() if v}
    return shared | ({"slurm_partition": asked.partition} if asked.partition else {})
