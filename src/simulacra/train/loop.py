"""The training loop: batches by seed, one optimiser, an average of weights, checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..batch import Batch, Draws
from ..errors import RangeError, StoppedError
from ..execute import place_in_job
from ..generative import GenerativeModel
from ..random import Stream, generator
from .checkpoint import identity, load_checkpoint, save_checkpoint
from .record import History, Recorder
from .settings import TrainingConfig
from .team import Team, assemble

__all__ = ["Progress", "TrainingSet", "train"]

Progress = Callable[[dict[str, Any]], None]
"""Called after every epoch (and once before the first) with the record's newest entry."""

_VALIDATION = 2**63  # sample numbers of validation draws, far from those of training


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Encoded events in memory.

    Args:
        x: what :meth:`~simulacra.generative.GenerativeModel.encode` returned, ``(events, ...)``.
        condition: ``(events, conditions)``, physical units.
        weight: ``(events,)``.
        digest: identity of the data, for the checkpoint.
    """

    x: Tensor
    condition: Tensor
    weight: Tensor
    digest: str

    def batch(self, rows: Tensor, device: str) -> Batch:
        """Return some events, with weights of mean 1 over the whole set."""
        chosen = Batch(self.x[rows], self.condition[rows], self.weight[rows] / self.weight.mean())
        return chosen.map(lambda array: array.to(device))


@dataclass
class _State:
    """Everything that a checkpoint holds."""

    model: GenerativeModel
    average: GenerativeModel
    optimiser: torch.optim.AdamW
    epoch: int = 0
    step: int = 0
    best: float = math.inf
    best_epoch: int = 0
    loss_sum: float = 0.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: History = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "counters": [self.epoch, self.step, self.best, self.best_epoch, self.loss_sum],
            "best_weights": self.best_weights,
            "history": self.history,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.epoch, self.step, self.best, self.best_epoch, self.loss_sum = saved["counters"]
        self.best_weights = saved["best_weights"]
        self.history = saved["history"]


def train(
    model: GenerativeModel,
    data: TrainingSet,
    config: TrainingConfig,
    *,
    seed: int,
    folder: Path,
    resume: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> History:
    """Train ``model`` in place; it ends with the averaged weights.

    Under torchrun every process calls this with the same arguments; they share each batch evenly
    and follow the steps of a single process to rounding. The first one writes and reports.

    Order and noise of the samples are functions of the seed and of the sample's number, so a run
    that was interrupted and resumed gives the same weights as one that was not.

    Args:
        model: the generator, its constants fitted.
        data: encoded events.
        config: settings.
        seed: identity of the run.
        folder: where checkpoint and log go.
        resume: go on from the checkpoint in ``folder`` if there is one.
        device: where the network is trained.
        progress: called after every epoch.
        stop: asked after every step; if it says yes, a checkpoint is written and training ends.

    Returns:
        One entry per epoch.

    Raises:
        RangeError: if there are fewer events than one batch, the total weight is not positive, the
            loss is no longer a number, or a batch cannot be shared out evenly.
        ArtifactError: if the checkpoint belongs to another run.
        StoppedError: if ``stop`` said so.
        DependencyError: if there are several processes and Lightning Fabric is not installed.
        WorkforceError: if another process no longer answers.
    """
    _check(data, config)
    _check_shares(config)
    team = assemble(device)
    before = torch.get_num_threads()
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        with team.working():
            return _Run(model, data, config, seed, folder, device, progress, stop, team).go(resume)
    finally:
        torch.set_num_threads(before)


class _Run:
    """One training: its data split, its state, its clock."""

    def __init__(
        self,
        model: GenerativeModel,
        data: TrainingSet,
        config: TrainingConfig,
        seed: int,
        folder: Path,
        device: str,
        progress: Progress | None,
        stop: Callable[[], bool] | None,
        team: Team,
    ) -> None:
        self.data, self.config, self.seed = data, config, seed
        self.folder, self.team, self.device = folder, team, team.device(device)
        self.progress, self.stop = progress, stop
        self.checkpoint, self.saved = folder / "checkpoint.pt", time.monotonic()
        self.run = identity(config=config.identity(), data=data.digest, seed=seed)
        self.parts = _parts(team.part(config.batch_size), config.accumulate)
        model.to(self.device)
        self.state = _State(model, copy.deepcopy(model), _optimiser(model, config))
        self.joined = team.join(model)
        order = generator(seed, Stream.SPLIT).permutation(len(data.x))
        held = int(config.validation_fraction * len(data.x))
        self.validation, self.training = np.sort(order[:held]), np.sort(order[held:])
        self.steps = len(self.training) // config.batch_size

    def go(self, resume: bool) -> History:
        state = self.state
        if resume and (saved := self._found()) is not None:
            state.restore(saved)
        with self._recorder() as record:
            while state.epoch < self.config.epochs and not self._waited_enough():
                entry = self._epoch()
                state.history.append(entry)
                if record:
                    record.write(entry)
                if self.progress and self.team.leads:
                    self.progress(entry)
            self._save()
        kept = state.best_weights if self.config.patience else state.average.state_dict()
        state.model.load_state_dict(kept)
        state.model.eval()
        return state.history

    def _found(self) -> dict[str, Any] | None:
        """Return the checkpoint that the first process finds, the same for all."""
        found = None
        if self.team.leads and self.checkpoint.exists():
            found = load_checkpoint(self.checkpoint, self.run)
        return self.team.from_leader(found)

    def _recorder(self) -> AbstractContextManager[Recorder | None]:
        if not self.team.leads:
            return nullcontext()
        return Recorder(self.folder, self.state.history, tensorboard=self.config.tensorboard)

    def _epoch(self) -> dict[str, Any]:
        state, wall, processor = self.state, time.monotonic(), time.process_time()
        state.model.train()
        for rows in self._batches(start=state.step - state.epoch * self.steps):
            loss, stopped = self._step(rows)
            state.loss_sum += loss
            if stopped:
                self._save()
                self.team.wait()  # torchrun ends all as soon as one process has ended
                raise StoppedError(
                    f"training: asked to stop after step {state.step} of epoch {state.epoch + 1}; "
                    f"the checkpoint is in {self.folder}. Go on with --resume."
                )
            if time.monotonic() - self.saved >= 60 * self.config.checkpoint_minutes:
                self._save()
        training_loss, state.loss_sum = state.loss_sum / self.steps, 0.0
        state.epoch += 1
        validation = self._validation_loss()
        if validation < state.best:
            state.best, state.best_epoch = validation, state.epoch
            if self.config.patience:
                state.best_weights = copy.deepcopy(state.average.state_dict())
        return {
            "epoch": state.epoch,
            "epochs": self.config.epochs,
            "step": state.step,
            "training_loss": training_loss,
            "validation_loss": validation,
            "learning_rate": self._rate(),
            "wall_seconds": time.monotonic() - wall,
            "processor_seconds": self._sum(time.process_time() - processor),
        }

    def _sum(self, mine: float) -> float:
        """Return the sum over all processes."""
        return self.team.mean(mine)[0] * self.team.size

    def _save(self) -> None:
        if self.team.leads:
            save_checkpoint(self.checkpoint, self.run, self.state.to_dict())
        self.saved = time.monotonic()

    def _batches(self, start: int) -> Iterator[Tensor]:
        order = generator(self.seed, Stream.ORDER, self.state.epoch).permutation(self.training)
        size = self.config.batch_size
        for i in range(start, self.steps):
            yield torch.from_numpy(order[i * size : (i + 1) * size])

    def _step(self, rows: Tensor) -> tuple[float, bool]:
        """Do one step and return the batch's loss, and whether anybody was asked to stop."""
        state, config = self.state, self.config
        for group in state.optimiser.param_groups:
            group["lr"] = self._rate()
        state.optimiser.zero_grad(set_to_none=True)
        mine = 0.0
        for part in self.parts:
            first = state.step * config.batch_size + part.start
            draws = Draws(self.seed, first, len(part), self.device)
            with self.team.alone(self.joined, part != self.parts[-1]):
                loss = self._loss(self.joined, rows[part.start : part.stop], draws)
                loss = loss / len(self.parts)
                loss.backward()
            mine += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
        state.optimiser.step()
        state.step += 1
        self._average()
        value, stopped = self.team.mean(mine, float(self.stop is not None and self.stop()))
        if not math.isfinite(value):
            self.team.wait()  # all know it, and all have to say so
            raise RangeError(
                f"training: the loss became {value} at step {state.step}; likely a learning rate "
                f"that is too large ({config.learning_rate:g}) or data outside their range."
            )
        return value, stopped > 0

    def _loss(self, model: Any, rows: Tensor, draws: Draws) -> Tensor:
        batch = self.data.batch(rows, self.device)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=half):
            losses: Tensor = model.loss(batch, draws)
        return (batch.weight * losses).mean()

    def _average(self) -> None:
        """Move the averaged weights; early on the average is short: it forgets the start."""
        decay = min(self.config.average, 1 - 1 / (1 + self.state.step / 10))
        with torch.no_grad():
            averaged, newest = self.state.average.parameters(), self.state.model.parameters()
            torch._foreach_lerp_(list(averaged), list(newest), 1 - decay)

    def _rate(self) -> float:
        config, step = self.config, self.state.step
        whole = max(1, self.steps * config.epochs)
        rate = config.learning_rate * min(1.0, (step + 1) / (config.warmup_steps + 1))
        if config.schedule == "constant":
            return rate
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / whole)))
        return rate * (config.final_rate + (1 - config.final_rate) * fall)

    def _validation_loss(self) -> float:
        """Return the averaged weights' loss on held-out events with the same noise every time."""
        if len(self.validation) == 0:
            return math.nan
        self.state.average.eval()
        total, size = 0.0, self.config.batch_size
        with torch.no_grad():
            own = range(self.team.rank * size, len(self.validation), self.team.size * size)
            for first in own:
                rows = torch.from_numpy(self.validation[first : first + size])
                draws = Draws(self.seed, _VALIDATION + first, len(rows), self.device)
                loss = self._loss(self.state.average, rows, draws)
                total += float(loss) * len(rows)
        return self._sum(total) / len(self.validation)

    def _waited_enough(self) -> bool:
        waited = self.state.epoch - self.state.best_epoch
        return bool(self.config.patience) and waited > self.config.patience


def _optimiser(model: GenerativeModel, config: TrainingConfig) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        betas=(config.momentum, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
    )


def _parts(own: range, count: int) -> list[range]:
    """Cut a process's share of a batch into equal parts, done one after the other."""
    size = len(own) // count
    return [range(start, start + size) for start in range(own.start, own.stop, size)]


def _check_shares(config: TrainingConfig) -> None:
    """Look before the processes meet: then each finds it alone, and the first one says so."""
    processes = place_in_job()[1]
    share, rest = divmod(config.batch_size, processes)
    if rest:
        raise RangeError(
            f"training: {processes} processes cannot share a batch of {config.batch_size} events "
            f"evenly; choose training.batch_size as a multiple of {processes}, or as many "
            "processes as divide it."
        )
    if share % config.accumulate:
        raise RangeError(
            f"training: {share} events of a batch per process cannot be done in "
            f"{config.accumulate} equal parts; choose training.accumulate so that it divides them."
        )


def _check(data: TrainingSet, config: TrainingConfig) -> None:
    trained = len(data.x) - int(config.validation_fraction * len(data.x))
    if trained < config.batch_size:
        raise RangeError(
            f"training: expected at least one batch of {config.batch_size} events, found {trained} "
            "after the validation split; use more data or a smaller training.batch_size."
        )
    if not float(data.weight.sum()) > 0:
        raise RangeError("training: expected event weights with a positive sum.")
    if config.patience and not config.validation_fraction:
        raise RangeError("training: patience needs a validation_fraction above 0.")
