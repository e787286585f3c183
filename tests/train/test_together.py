"""Training on several processes: the same loss, weights and resumption as a single one."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from side_by_side import trained

from simulacra.errors import DependencyError, RangeError
from simulacra.train import TrainingConfig
from simulacra.train.team import Alone, Together, assemble

together = pytest.mark.skipif(
    importlib.util.find_spec("lightning_fabric") is None,
    reason="Lightning Fabric is not installed (extra `distributed`)",
)
TOLERANCE = 1e-5  # rounding of single precision, summed in another order, over 9 steps


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Every scene once, in processes of its own."""
    folder = tmp_path_factory.mktemp("scenes")
    script = Path(__file__).with_name("side_by_side.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=120)

    def told(name, rank=0):
        return json.loads((folder / f"{name}-{rank}.json").read_text())

    told.folder = folder
    return told


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("alone"))


def _same(one, other):
    np.testing.assert_allclose(one["losses"], other["losses"], rtol=TOLERANCE)
    np.testing.assert_allclose(one["weights"], other["weights"], rtol=1e-3, atol=1e-5)


@together
@pytest.mark.parametrize("scene", ["two", "four"])
def test_several_processes_follow_the_loss_of_one(played, alone, scene):
    _same(played(scene), alone)


@together
def test_all_processes_hold_the_same_weights_to_the_last_bit(played):
    assert played("two", 0) == played("two", 1)
    assert all(played("four", 0) == played("four", rank) for rank in (1, 2, 3))


def test_parts_of_a_batch_one_after_the_other_are_the_same_step(tmp_path, alone):
    from side_by_side import CONFIG

    _same(trained(tmp_path, CONFIG.updated(accumulate=4)), alone)


@together
def test_one_process_that_is_asked_to_stop_stops_all_after_the_same_step(played):
    for rank in (0, 1):
        assert played("stopped", rank)["error"] == "StoppedError"
        assert "after step 4 of epoch 2" in played("stopped", rank)["text"]


@together
def test_a_checkpoint_of_two_goes_on_with_four_and_with_one(played, alone, tmp_path):
    _same(played("resumed"), alone)
    shutil.copytree(played.folder / "stopped", tmp_path / "training")
    _same(trained(tmp_path / "training", resume=True), alone)


@together
def test_only_the_first_process_writes(played):
    written = sorted(path.name for path in (played.folder / "two").iterdir())
    assert written == ["checkpoint.pt", "log.jsonl"]
    assert len((played.folder / "two" / "log.jsonl").read_text().splitlines()) == 3


@together
def test_a_loss_that_is_no_number_ends_all(played):
    assert {played("nonsense", rank)["error"] for rank in (0, 1)} == {"RangeError"}


@together
def test_what_cannot_be_shared_out_is_refused(played):
    assert "3 processes cannot share a batch of 32 events evenly" in played("three")["text"]
    assert "16 events of a batch per process cannot be done in 3" in played("pieces")["text"]


@together
def test_a_process_that_dies_is_missed(played):
    assert played("dead")["error"] == "WorkforceError"
    assert "another process of this training no longer answers" in played("dead")["text"]
    assert not (played.folder / "dead-1.json").exists()


@pytest.fixture
def one_of_two(monkeypatch):
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)


def test_without_lightning_there_is_a_sentence(one_of_two, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(DependencyError, match=r"pip install 'simulacra\[distributed\]'"):
        assemble("cpu")


@pytest.mark.parametrize(
    ("device", "message"), [("cuda:3", "expected cpu or cuda"), ("mps", "mps")]
)
def test_every_process_takes_its_own_device(one_of_two, device, message):
    with pytest.raises(RangeError, match=message):
        assemble(device)


def test_alone_needs_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert isinstance(assemble("cpu"), Alone)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")  # torchrun with one process
    assert isinstance(assemble("cpu"), Alone)


def test_shares_of_a_batch_cover_it_once():
    team = Together.__new__(Together)
    shares = []
    for team.rank in range(4):
        team.size = 4
        shares += team.part(32)
    assert shares == list(range(32))


def test_how_a_batch_is_cut_is_no_part_of_a_trainings_identity():
    assert TrainingConfig(accumulate=4).identity() == TrainingConfig().identity()
    assert TrainingConfig(batch_size=4).identity() != TrainingConfig().identity()
