"""The training loop: batches by seed, one optimiser, an average of weights, checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..batch import Batch, Draws
from ..config import Config
from ..errors import RangeError
from ..generative import GenerativeModel
from ..random import Stream, generator
from .checkpoint import identity, load_checkpoint, save_checkpoint
from .record import History, Recorder

__all__ = ["Progress", "TrainingConfig", "TrainingSet", "train"]

Progress = Callable[[dict[str, Any]], None]
"""Called after every epoch (and once before the first) with the record's newest entry."""

_VALIDATION = 2**63  # sample numbers of validation draws, far from those of training


class TrainingConfig(Config):
    """How a generator is trained.

    Args:
        epochs: passes over the training events.
        batch_size: events per step.
        learning_rate: largest step of Adam, dimensionless.
        warmup_steps: steps over which the learning rate rises from zero.
        schedule: ``cosine`` falls to ``final_rate`` of the largest rate at the end; ``constant``
            stays.
        final_rate: last learning rate, as a share of the largest.
        weight_decay: decoupled decay of AdamW per step, dimensionless.
        clip_norm: largest norm of a gradient; longer ones are shortened.
        average: decay of the running average of weights, which is what is kept and judged.
        validation_fraction: share of the events kept for the validation loss.
        patience: epochs without a better validation loss after which training stops; 0 never does.
        checkpoint_minutes: time between checkpoints, in minutes.
        precision: number format of the network's products.
        threads: processor threads; part of the result's identity; 0 takes what torch has.
        tensorboard: write TensorBoard files.
    """

    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_steps: int = Field(default=300, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    final_rate: float = Field(default=1e-3, ge=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    validation_fraction: float = Field(default=0.05, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    checkpoint_minutes: float = Field(default=2.0, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int = Field(default=0, ge=0)
    tensorboard: bool = False


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
) -> History:
    """Train ``model`` in place; it ends with the averaged weights.

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

    Returns:
        One entry per epoch.

    Raises:
        RangeError: if there are fewer events than one batch, the total weight is not positive, or
            the loss is no longer a number.
        ArtifactError: if the checkpoint belongs to another run.
    """
    _check(data, config)
    before = torch.get_num_threads()
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        return _Run(model, data, config, seed, folder, device, progress).go(resume)
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
    ) -> None:
        self.data, self.config, self.seed = data, config, seed
        self.folder, self.device, self.progress = folder, device, progress
        self.checkpoint, self.saved = folder / "checkpoint.pt", time.monotonic()
        self.run = identity(config=config.to_dict(), data=data.digest, seed=seed)
        model.to(device)
        self.state = _State(model, copy.deepcopy(model), _optimiser(model, config))
        order = generator(seed, Stream.SPLIT).permutation(len(data.x))
        held = int(config.validation_fraction * len(data.x))
        self.validation, self.training = np.sort(order[:held]), np.sort(order[held:])
        self.steps = len(self.training) // config.batch_size

    def go(self, resume: bool) -> History:
        state = self.state
        if resume and self.checkpoint.exists():
            state.restore(load_checkpoint(self.checkpoint, self.run))
        with Recorder(self.folder, state.history, tensorboard=self.config.tensorboard) as record:
            while state.epoch < self.config.epochs and not self._waited_enough():
                entry = self._epoch()
                state.history.append(entry)
                record.write(entry)
                if self.progress:
                    self.progress(entry)
            self._save()
        kept = state.best_weights if self.config.patience else state.average.state_dict()
        state.model.load_state_dict(kept)
        state.model.eval()
        return state.history

    def _epoch(self) -> dict[str, Any]:
        state, wall, processor = self.state, time.monotonic(), time.process_time()
        state.model.train()
        for rows in self._batches(start=state.step - state.epoch * self.steps):
            state.loss_sum += self._step(rows)
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
            "processor_seconds": time.process_time() - processor,
        }

    def _save(self) -> None:
        save_checkpoint(self.checkpoint, self.run, self.state.to_dict())
        self.saved = time.monotonic()

    def _batches(self, start: int) -> Iterator[Tensor]:
        order = generator(self.seed, Stream.ORDER, self.state.epoch).permutation(self.training)
        size = self.config.batch_size
        for i in range(start, self.steps):
            yield torch.from_numpy(order[i * size : (i + 1) * size])

    def _step(self, rows: Tensor) -> float:
        state, config = self.state, self.config
        for group in state.optimiser.param_groups:
            group["lr"] = self._rate()
        draws = Draws(self.seed, state.step * config.batch_size, len(rows), self.device)
        loss = self._loss(state.model, rows, draws)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
        state.optimiser.step()
        state.step += 1
        self._average()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RangeError(
                f"training: the loss became {value} at step {state.step}; likely a learning rate "
                f"that is too large ({config.learning_rate:g}) or data outside their range."
            )
        return value

    def _loss(self, model: GenerativeModel, rows: Tensor, draws: Draws) -> Tensor:
        batch = self.data.batch(rows, self.device)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=half):
            losses = model.loss(batch, draws)
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
        total = 0.0
        with torch.no_grad():
            for first in range(0, len(self.validation), size := self.config.batch_size):
                rows = torch.from_numpy(self.validation[first : first + size])
                draws = Draws(self.seed, _VALIDATION + first, len(rows), self.device)
                loss = self._loss(self.state.average, rows, draws)
                total += float(loss) * len(rows)
        return total / len(self.validation)

    def _waited_enough(self) -> bool:
        waited = self.state.epoch - self.state.best_epoch
        return bool(self.config.patience) and waited > self.config.patience


def _optimiser(model: GenerativeModel, config: TrainingConfig) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
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
