"""Interrupted or parallel, the retrainings are the same; a stale file is never used."""

import contextlib

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig, store_rows, tell_apart
from simulacra.classify import retrainings as module
from simulacra.classify.parallel import run_in_processes
from simulacra.errors import ShapeError, WorkforceError

TINY = ClassifierConfig(
    width=8, hidden=1, epochs=3, batch=50, retrainings=3, threads=1, precision="float32"
)
RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.normal(0.5, 1, (120, 3)), RNG.normal(0, 1, (120, 3))


def run(folder=None, config=TINY, seed=0, first=FIRST, **options):
    return tell_apart(first, SECOND, config, seed=seed, folder=folder, **options)


def bits(found):
    return found.scores_first.tobytes() + found.calibrated_second.tobytes()


@pytest.fixture(scope="module")
def plain():
    return run()


@pytest.fixture
def count(monkeypatch):
    """Count trainings."""
    calls, train = [], module.train_discriminator
    monkeypatch.setattr(
        module, "train_discriminator", lambda *a, **k: calls.append(k["fold"]) or train(*a, **k)
    )
    return calls


def test_an_interrupted_judge_goes_on(plain, tmp_path, count):
    def stop(done, of):
        if done == 5:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run(tmp_path, progress=stop)
    assert len(list(tmp_path.iterdir())) == 1
    seen = []
    found = run(tmp_path, progress=lambda *done: seen.append(done))
    assert count == [0, 1, 1, 2]
    assert bits(found) == bits(plain)
    assert seen[0] == (3, 9)
    assert seen[-1] == (9, 9)


def test_more_retrainings_use_those_that_are_there(tmp_path, count):
    run(tmp_path)
    more = run(tmp_path, TINY.updated(retrainings=7))
    assert count == [0, 1, 2, 3, 4, 5, 6]
    assert len(more.areas.fold_aucs) == 7


@pytest.mark.parametrize("change", ["seed", "setting", "input", "weight", "energies", "threads"])
def test_a_stale_file_is_not_used(tmp_path, count, change):
    run(tmp_path)
    other = FIRST.copy()
    other[7, 1] = np.nextafter(other[7, 1].astype(np.float32), np.float32(9))
    weight = np.ones(120)
    weight[3] = 2
    energy = RNG.permutation(120) + 1.0
    changes = {
        "seed": {"seed": 1},
        "setting": {"config": TINY.updated(learning_rate=3e-4)},
        "input": {"first": other},
        "weight": {"weight_first": weight},
        "energies": {"match_first": energy, "match_second": energy},
        "threads": {"config": TINY.updated(threads=2)},
    }
    run(tmp_path, **changes[change])
    assert count == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_file_is_not_used(plain, tmp_path, damage):
    run(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-30] if damage is None else damage)
    assert bits(run(tmp_path)) == bits(plain)


def test_a_file_of_other_events_is_not_used(plain, tmp_path):
    run(tmp_path)
    for path in tmp_path.iterdir():
        with np.load(path) as content:
            values = dict(content)
        values["unseen"] = values["unseen"][1:]
        np.savez(path, **values)
    assert bits(run(tmp_path)) == bits(plain)


def test_workers_change_no_bit(plain, tmp_path):
    seen = []
    config = TINY.updated(retrainings=2)
    found = run(tmp_path, config, workers=2, progress=lambda *done: seen.append(done))
    alone = run(config=config)
    assert bits(found) == bits(alone)
    assert seen[-1] == (6, 6)
    assert len(list(tmp_path.iterdir())) == 2


def test_workers_share_a_file():
    rows = store_rows([FIRST, SECOND], 240, 3, dense_limit=0, memory_limit=0)
    config = TINY.updated(retrainings=2)
    found = tell_apart(rows, 120, config, seed=0, workers=2)
    assert bits(found) == bits(run(config=config))


def test_a_failure_in_a_worker_is_told():
    with pytest.raises(ShapeError, match="residual network needs"):
        run(config=TINY.updated(network="resnet"), workers=2)


def test_a_worker_that_dies_is_told(capfd):
    """``dict(step=...)`` cannot be sent back."""
    with pytest.raises(WorkforceError, match="exit code 1"):
        run_in_processes(dict, {0: ()}, 2, on_step=print, on_end=print)
    assert "pickle" in capfd.readouterr().err
