"""The processes that train one model together: one alone, or those that torchrun started."""

from __future__ import annotations

import contextlib
import datetime
import inspect
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

from ..errors import DependencyError, RangeError, WorkforceError
from ..execute import place_in_job
from ..generative import GenerativeModel

__all__ = ["Alone", "Team", "Together", "assemble"]

T = TypeVar("T")

_PATIENCE = datetime.timedelta(minutes=30)
_LOST = ("connection", "peer", "gloo", "nccl", "socket", "broken pipe", "timed out", "store")


class Team(ABC):
    """Who trains: what one process must know of the others.

    Every process does the same steps on its own part of each batch; gradients and losses are
    means over all, so that all hold the same weights after every step.
    """

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def part(self, events: int) -> range:
        """Return which events of a batch are this process's own."""
        each = events // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    @abstractmethod
    def device(self, device: str) -> str:
        """Return the device of this process."""

    @abstractmethod
    def join(self, model: GenerativeModel) -> Any:
        """Return the model in a form whose ``loss`` leads to gradients that all share."""

    @abstractmethod
    def alone(self, joined: Any, yes: bool) -> contextlib.AbstractContextManager[Any]:
        """Keep gradients to oneself inside the block: more are to come for this step."""

    @abstractmethod
    def mean(self, *values: float) -> tuple[float, ...]:
        """Return means over all processes; the same numbers everywhere."""

    @abstractmethod
    def from_leader(self, value: T) -> T:
        """Return what the first process holds."""

    @abstractmethod
    def wait(self) -> None:
        """Go on when all have come here."""

    @abstractmethod
    def working(self) -> contextlib.AbstractContextManager[Any]:
        """Work together inside the block.

        Raises:
            WorkforceError: if another process no longer answers.
        """


class Alone(Team):
    """One process; nothing is added to what it does."""

    rank, size = 0, 1

    def device(self, device: str) -> str:
        return device

    def join(self, model: GenerativeModel) -> Any:
        return model

    def alone(self, joined: Any, yes: bool) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def mean(self, *values: float) -> tuple[float, ...]:
        return values

    def from_leader(self, value: T) -> T:
        return value

    def wait(self) -> None:
        pass

    def working(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()


class Together(Team):
    """Processes that torchrun started, on one machine or several.

    Gradients are averaged by PyTorch's ``DistributedDataParallel`` by way of Lightning Fabric
    (gloo between processors, NCCL between GPUs).

    Args:
        rank: number of this process, from 0.
        size: how many there are.
        device: ``cpu`` or ``cuda``; each process takes the GPU of its number on its machine.

    Raises:
        DependencyError: if Lightning Fabric is not installed.
        RangeError: if a machine has fewer GPUs than processes, or a GPU was named.
        WorkforceError: if the processes do not find each other.
    """

    def __init__(self, rank: int, size: int, device: str) -> None:
        self.rank, self.size = rank, size
        here = int(os.environ.get("LOCAL_WORLD_SIZE", size))
        self._check(device, here)
        fabric, strategy, torchrun = _lightning()
        with self._translated():
            self._fabric = fabric(
                accelerator=device,
                devices=here,
                num_nodes=size // here,
                plugins=[torchrun()],
                strategy=strategy(
                    process_group_backend="nccl" if device == "cuda" else "gloo",
                    timeout=_PATIENCE,
                    **_no_buffers(),
                ),
            )
            self._fabric.launch()

    def device(self, device: str) -> str:
        return str(self._fabric.device)

    def join(self, model: GenerativeModel) -> Any:
        joined = self._fabric.setup_module(model)
        joined.mark_forward_method("loss")
        return joined

    def alone(self, joined: Any, yes: bool) -> contextlib.AbstractContextManager[Any]:
        held: contextlib.AbstractContextManager[Any] = self._fabric.no_backward_sync(
            joined, enabled=yes
        )
        return held

    def mean(self, *values: float) -> tuple[float, ...]:
        import torch

        mine = torch.tensor(values, dtype=torch.float64, device=self._fabric.device)
        return tuple(self._fabric.all_reduce(mine, reduce_op="mean").tolist())

    def from_leader(self, value: T) -> T:
        found: T = self._fabric.broadcast(value)
        return found

    def wait(self) -> None:
        self._fabric.barrier()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        import torch

        try:
            with self._translated():
                yield
        finally:
            torch.distributed.destroy_process_group()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the network between processes reports into our sentence."""
        try:
            yield
        except RuntimeError as error:
            text = str(error).lower()
            if isinstance(error, WorkforceError) or not any(word in text for word in _LOST):
                raise
            raise WorkforceError(
                f"training: process {self.rank} of {self.size}: another process of this training "
                "no longer answers; what it said, if anything, stands above. Start the same "
                "command with --resume to go on from the last checkpoint."
            ) from error

    def _check(self, device: str, here: int) -> None:
        import torch

        if device not in ("cpu", "cuda"):
            raise RangeError(
                f"device: expected cpu or cuda for {self.size} processes, got {device!r}; each "
                "process takes the GPU of its own number."
            )
        if device == "cuda" and torch.cuda.device_count() < here:
            raise RangeError(
                f"training: {here} processes on a machine with {torch.cuda.device_count()} GPUs; "
                "start one process per GPU (--nproc-per-node)."
            )


def assemble(device: str) -> Team:
    """Return the processes that train together: this one, or those that torchrun started.

    Args:
        device: ``cpu`` or ``cuda``; alone, any device of torch.

    Raises:
        DependencyError: if there are several and Lightning Fabric is not installed.
        RangeError: if a machine has fewer GPUs than processes.
        WorkforceError: if the processes do not find each other.
    """
    rank, size = place_in_job()
    return Alone() if size == 1 else Together(rank, size, device)


def _lightning() -> tuple[Any, Any, Any]:
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError:
        raise DependencyError(
            "training on several processes needs Lightning Fabric, which is not installed: pip "
            "install 'simulacra[distributed]', or start the command without torchrun."
        ) from None
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it talks while importing, too
    return Fabric, DDPStrategy, TorchElasticEnvironment


def _no_buffers() -> dict[str, bool]:
    """Leave buffers alone after the start: they are constants of the preprocessing."""
    from torch.nn.parallel import DistributedDataParallel

    known = inspect.signature(DistributedDataParallel.__init__).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    return {name: False}
