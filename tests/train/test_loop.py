"""Training: the same result after an interruption, weights, schedules, and what is refused."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest
import torch

from simulacra.errors import ArtifactError, OutputError, RangeError
from simulacra.generative import FlowMatching, FlowMatchingConfig, initialised
from simulacra.nets import ResidualNetwork
from simulacra.train import TrainingConfig, TrainingSet, train

EVENTS = 160
SHORT = TrainingConfig(epochs=3, batch_size=32, warmup_steps=2, validation_fraction=0.1, threads=1)


def _model(seed=0):
    network = lambda: FlowMatching(ResidualNetwork(3, 1, 8, 1), 3, FlowMatchingConfig())  # noqa: E731
    return initialised(network, seed)


def _data(weight=None, seed=0):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.ones(EVENTS) if weight is None else weight
    x = 0.5 * torch.randn(EVENTS, 3, generator=draw) + 1
    return TrainingSet(x, torch.rand(EVENTS, 1, generator=draw), weight, digest=str(seed))


def _trained(folder, config=SHORT, data=None, **more):
    model = _model()
    history = train(model, data or _data(), config, seed=5, folder=folder, **more)
    return model.state_dict(), history


def _same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


class _Killed(Exception):
    pass


def test_same_seed_same_weights(tmp_path):
    one, other = _trained(tmp_path / "a")[0], _trained(tmp_path / "b")[0]
    assert _same(one, other)


@pytest.mark.parametrize("fatal_step", [1, 5, 7, 11])
def test_an_interrupted_training_resumes_to_the_same_weights(tmp_path, monkeypatch, fatal_step):
    """Killed inside an epoch, with a checkpoint after every step."""
    expected, history = _trained(tmp_path / "whole")
    config = SHORT.updated(checkpoint_minutes=0.0)
    whole = _trained(tmp_path / "checkpointed", config)[0]
    assert _same(expected, whole)  # how often is saved changes nothing
    steps = 0
    loss = FlowMatching.loss

    def dying(self, batch, draws):
        nonlocal steps
        steps += self.training
        if steps > fatal_step:
            raise _Killed
        return loss(self, batch, draws)

    with monkeypatch.context() as patch:
        patch.setattr(FlowMatching, "loss", dying)
        with pytest.raises(_Killed):
            _trained(tmp_path / "killed", config)
    resumed, again = _trained(tmp_path / "killed", config, resume=True)
    assert _same(expected, resumed)
    assert [e["training_loss"] for e in again] == [e["training_loss"] for e in history]


def test_resuming_without_a_checkpoint_starts(tmp_path):
    assert _same(_trained(tmp_path / "a", resume=True)[0], _trained(tmp_path / "b")[0])


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    _trained(tmp_path)
    with pytest.raises(ArtifactError, match="other settings, data or seed"):
        _trained(tmp_path, SHORT.updated(learning_rate=1e-4), resume=True)
    with pytest.raises(ArtifactError, match="other settings, data or seed"):
        _trained(tmp_path, data=_data(seed=1), resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(ArtifactError, match="cannot be read as a checkpoint"):
        _trained(tmp_path, resume=True)


def test_training_lowers_the_loss(tmp_path):
    _, history = _trained(tmp_path, SHORT.updated(epochs=30, learning_rate=1e-2))
    assert history[-1]["validation_loss"] < 0.8 * history[0]["validation_loss"]


def test_the_log_has_one_line_per_epoch(tmp_path):
    seen = []
    _, history = _trained(tmp_path, progress=seen.append)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == history == seen
    assert [entry["epoch"] for entry in lines] == [1, 2, 3]


def test_events_of_weight_zero_teach_nothing(tmp_path):
    weight = torch.ones(EVENTS)
    weight[::2] = 0
    data = _data(weight)
    other = TrainingSet(data.x.clone(), data.condition, weight, data.digest)
    other.x[::2] = 17.0
    assert _same(_trained(tmp_path / "a", data=data)[0], _trained(tmp_path / "b", data=other)[0])


def test_only_the_ratio_of_weights_matters(tmp_path):
    weight = torch.where(torch.arange(EVENTS) % 5 == 0, -0.5, 1.0)  # negative ones too
    one = _trained(tmp_path / "a", data=_data(weight))[0]
    other = _trained(tmp_path / "b", data=_data(2 * weight))[0]
    assert _same(one, other)
    assert not _same(one, _trained(tmp_path / "c")[0])


def test_learning_rate_rises_and_falls(tmp_path):
    config = SHORT.updated(epochs=20, warmup_steps=4)
    rates = [entry["learning_rate"] for entry in _trained(tmp_path, config)[1]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(config.final_rate * config.learning_rate, rel=0.1)
    constant = SHORT.updated(schedule="constant", epochs=4)
    assert _trained(tmp_path / "c", constant)[1][-1]["learning_rate"] == SHORT.learning_rate


def test_patience_stops_and_keeps_the_best(tmp_path):
    config = SHORT.updated(
        epochs=200, patience=2, learning_rate=0.3, schedule="constant", validation_fraction=0.3
    )
    state, history = _trained(tmp_path, config)
    losses = [entry["validation_loss"] for entry in history]
    assert len(losses) < 200
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + config.patience + 1
    until_best = config.updated(epochs=best + 1)
    assert _same(state, _trained(tmp_path / "again", until_best)[0])


def test_half_precision_products_train_too(tmp_path):
    _, history = _trained(tmp_path, SHORT.updated(precision="bfloat16"))
    assert math.isfinite(history[-1]["training_loss"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"batch_size": 200}, "at least one batch of 200 events, found 144"),
        ({"learning_rate": 1e30, "clip_norm": 1e30}, "the loss became"),
        ({"patience": 3, "validation_fraction": 0.0}, "patience needs a validation_fraction"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, config, message):
    with pytest.raises(RangeError, match=message):
        _trained(tmp_path, SHORT.updated(**config))


def test_weights_without_a_positive_sum_are_refused(tmp_path):
    with pytest.raises(RangeError, match="positive sum"):
        _trained(tmp_path, data=_data(-torch.ones(EVENTS)))


def test_a_log_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        _trained(tmp_path / "file" / "training")


def test_a_checkpoint_on_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        _trained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
