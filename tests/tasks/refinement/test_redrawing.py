"""Rejection of noise by an event's weight: exact, keyed by event, at the stated number of draws."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import RangeError
from simulacra.tasks.refinement import redraw

EVENTS = 20_000


def shifted(noise, _):
    """Events 2 z, with weights that move the mean of z to 1/2."""
    return 2 * noise, np.exp(noise[:, 0].astype(float) / 2 - 1 / 8)


@pytest.mark.statistical
def test_the_law_and_the_cost_are_the_closed_forms() -> None:
    """At most 3e-6 of the weights are cut at 8: mean 1 and width 2 of events; 8 draws each.

    All within 4.5 standard errors, one alarm in 40,000; draws are geometric, as wide as their mean.
    """
    found = redraw(shifted, EVENTS, 2, largest=8, seed=1)
    np.testing.assert_array_equal(found.events, 2 * found.noise)
    close = 4.5 * 2 / np.sqrt(EVENTS)
    assert np.abs(found.events.mean(axis=0) - [1, 0]).max() < close
    assert np.abs(found.events.std(axis=0) - 2).max() < close
    assert found.draws.mean() == pytest.approx(8, abs=4.5 * 8 / np.sqrt(EVENTS))


def test_an_event_belongs_to_its_seed_and_number() -> None:
    whole = redraw(shifted, 50, 2, largest=3, seed=4)
    part = redraw(shifted, 20, 2, largest=3, seed=4, first_event=30)
    np.testing.assert_array_equal(whole.events[30:], part.events)
    assert not np.array_equal(part.events, redraw(shifted, 20, 2, largest=3, seed=5).events)


def test_conditions_stay_with_their_events() -> None:
    """Even events pass only at z > 0, odd ones below; each is asked for by its number."""

    def halves(noise, which):
        sign = np.where(which % 2, -1.0, 1.0)
        return noise, (noise[:, 0] * sign > 0).astype(float)

    found = redraw(halves, 100, 1, largest=1, seed=1)
    assert (np.sign(found.events[:, 0]) == np.where(np.arange(100) % 2, -1, 1)).all()


def test_mistakes_are_one_sentence() -> None:
    with pytest.raises(RangeError, match="negative or no number"):
        redraw(lambda z, _: (z, z[:, 0]), 10, 1, largest=1, seed=1)
    with pytest.raises(RangeError, match="10 of 10 events did not pass"):
        redraw(lambda z, _: (z, np.zeros(len(z))), 10, 1, largest=1, seed=1)
    with pytest.raises(RangeError, match="positive largest"):
        redraw(shifted, 10, 2, largest=0, seed=1)
    with pytest.raises(RangeError, match="at least one event"):
        redraw(shifted, 0, 2, largest=1, seed=1)
