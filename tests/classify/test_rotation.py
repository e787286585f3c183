"""Parts: disjoint, complete, rotated; partners stay together, so nothing is found in nothing."""

import numpy as np
import pytest

from simulacra.classify import ClassifierConfig, rotated_parts, tell_apart
from simulacra.classify.rotation import partners, retrainings_per_rotation
from simulacra.errors import RangeError, ShapeError

FIFTHS = (60, 20, 20)
PHOTONS = (80_000, 20_000, 21_000)  # the challenge's own numbers


def test_parts_are_disjoint_and_complete_and_each_event_is_unseen_once():
    parts = [rotated_parts([103, 50], number, FIFTHS, seed=1) for number in range(5)]
    for part in parts:
        for sample, events in enumerate((103, 50)):
            three = [getattr(part, n)[sample] for n in ("training", "selection", "unseen")]
            assert sorted(np.concatenate(three)) == list(range(events))
        joined = [part.joined(n) for n in ("training", "selection", "unseen")]
        assert sorted(np.concatenate(joined)) == list(range(153))
        assert all((piece[: len(own)] == own).all() for piece, own in zip(
            joined, (part.training[0], part.selection[0], part.unseen[0]), strict=True
        ))  # fmt: skip
    assert sorted(np.concatenate([p.unseen[0] for p in parts])) == list(range(103))
    assert {len(p.unseen[0]) for p in parts} == {20, 21}
    assert (np.sort(parts[0].selection[1]) == np.sort(parts[1].unseen[1])).all()


def test_a_new_rotation_draws_a_new_order():
    first, sixth = (rotated_parts([100, 100], k, FIFTHS, seed=1).unseen[0] for k in (0, 5))
    assert set(first) != set(sixth)
    assert retrainings_per_rotation(FIFTHS) == 5
    assert set(rotated_parts([100, 100], 0, FIFTHS, seed=2).unseen[0]) != set(first)


def test_the_challenges_numbers_come_out_exactly():
    part = rotated_parts([121_000, 121_000], 3, PHOTONS, seed=0)
    assert [len(x[0]) for x in (part.training, part.selection, part.unseen)] == list(PHOTONS)
    assert retrainings_per_rotation(PHOTONS) == 5


def energies(events, seed=0):
    return np.random.default_rng(seed).uniform(1e3, 1e6, events).astype(np.float32)


def test_partners_share_their_part():
    one = energies(101)
    order = np.random.default_rng(1).permutation(101)
    for number in range(7):
        part = rotated_parts([101, 101], number, FIFTHS, 3, [one, one[order].astype(float)])
        for a, b in (part.training, part.selection, part.unseen):
            assert (one[a] == one[order][b]).all()


def test_partners_of_discrete_energies_and_subsets():
    one, two = np.repeat([256.0, 512.0], [5, 3]), np.repeat([512.0, 256.0, 1024.0], [4, 2, 9])
    first, second = partners([one, two])
    assert (one[first] == two[second]).all()
    assert sorted(one[first]) == [256, 256, 512, 512, 512]
    assert len(set(second)) == 5
    whole, part = energies(60), energies(60)[10:30]
    found = rotated_parts([60, 20], 0, FIFTHS, 0, [whole, part])
    assert set(part[found.unseen[1]]) <= set(whole[found.unseen[0]])
    assert sorted(np.concatenate([found.training[0], found.selection[0], found.unseen[0]])) == list(
        range(60)
    )


def test_without_partners_the_draw_is_independent():
    """Of two unrelated halves of 2000 events about 400 x 20 % are common, not 400."""
    apart = rotated_parts([2000, 2000], 0, FIFTHS, 0, [energies(2000, 1), energies(2000, 2)])
    common = len(set(apart.unseen[0]) & set(apart.unseen[1]))
    assert 40 < common < 120


def test_bad_input_is_refused():
    with pytest.raises(RangeError, match="at least 5 events"):
        rotated_parts([4, 10], 0, FIFTHS, 0)
    with pytest.raises(ShapeError, match="energies to match"):
        rotated_parts([10, 10], 0, FIFTHS, 0, [np.ones(10), np.ones(9)])


CRAMMING = ClassifierConfig(
    width=64, hidden=2, epochs=25, batch=40, learning_rate=3e-3, threads=1, precision="float32"
)


def memorable(seed, events=150):
    """Equal samples whose energies can be learned by heart: 40 numbers spell each of them."""
    rng = np.random.default_rng(seed)
    spelled = rng.normal(size=(events, 40))
    order = rng.permutation(events)
    energy = rng.uniform(1, 2, events)
    noise = 0.3 * rng.normal(size=(2, events, 40))
    return (spelled + noise[0], spelled[order] + noise[1]), (energy, energy[order])


@pytest.mark.statistical
def test_equal_samples_with_the_same_energies_are_not_told_apart():
    """Mean of 10 within 4.5 errors of 0.5 (false alarm 1e-3); drawn separately it is far below.

    The error of the mean is taken from the 10 areas themselves.
    """
    together, apart = [], []
    for seed in range(10):
        samples, (first, second) = memorable(seed)
        config = CRAMMING.updated(retrainings=2)
        apart.append(tell_apart(*samples, config, seed=seed).auc)
        found = tell_apart(*samples, config, seed=seed, match_first=first, match_second=second)
        together.append(found.auc)
    error = np.std(together, ddof=1) / np.sqrt(10)
    assert abs(np.mean(together) - 0.5) < 4.5 * error
    assert error < 0.01
    assert np.mean(apart) < 0.45
