"""Showers become rows of observables, and take weights home."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulacra.classify import FAST, RatioConfig
from simulacra.data import ToyShowers, read_showers, toy_geometry, write_showers
from simulacra.errors import ShapeError
from simulacra.tasks.refinement import (
    Reweighter,
    ReweighterConfig,
    Samples,
    refine,
    shower_table,
    weighted_showers,
)

TOY = ToyShowers(toy_geometry())


def test_a_row_per_shower_and_a_name_per_column() -> None:
    showers = TOY.log_uniform(30, seed=1)
    table, names = shower_table([showers.select(slice(0, 10)), showers.select(slice(10, 30))])
    whole, _ = shower_table([showers])
    np.testing.assert_allclose(table, whole)
    assert table.shape == (30, len(names))
    assert names[0] == "incident_energy"
    np.testing.assert_allclose(table[:, 0], np.log10(showers.incident_energy))


def test_voxels_below_the_threshold_are_not_seen() -> None:
    """A simulation passes what a readout would not; the judge cuts it, so does the table."""
    showers = TOY.log_uniform(20, seed=4)
    threshold = showers.geometry.threshold
    assert threshold > 0
    low = np.where(showers.energies > 0, showers.energies, np.float32(0.5 * threshold))
    clean = np.where(showers.energies >= threshold, showers.energies, np.float32(0))
    dirty, kept = (replace(showers, energies=e) for e in (low, clean))
    np.testing.assert_array_equal(shower_table([dirty])[0], shower_table([kept])[0])


def test_parts_of_different_detectors_are_refused() -> None:
    other = ToyShowers(toy_geometry(4)).log_uniform(3, seed=1)
    with pytest.raises(ShapeError, match="parts of one detector, got toy-"):
        shower_table([TOY.log_uniform(3, seed=1), other])
    with pytest.raises(ShapeError, match="got none"):
        shower_table([])


@pytest.mark.statistical
def test_a_spectrum_is_reweighted_to_another(tmp_path) -> None:
    """Showers of a flat law in ln E against one with twice as many above the middle.

    The area moves from 0.58 to within four of its errors of 0.5: one alarm in 16,000.
    """
    showers = TOY.log_uniform(9000, seed=2)
    middle = np.sqrt(showers.incident_energy.min() * showers.incident_energy.max())
    keep = (showers.incident_energy > middle) | (np.arange(9000) % 2 == 0)
    target, names = shower_table([showers.select(keep)])
    fresh = TOY.log_uniform(7000, seed=3)
    source, _ = shower_table([fresh])
    networks = RatioConfig(width=32, hidden=2, epochs=20, networks=2, threads=1)
    judge = FAST.updated(width=32, epochs=8, retrainings=5, threads=1)
    method = Reweighter(ReweighterConfig(ratio=networks))
    result = refine(Samples.of(source, target), method, names=names, judge=judge, seed=1)
    d = result.diagnosis
    assert d.auc_before > 0.5 + 3 * d.null_error
    assert abs(d.auc_after - 0.5) < 4 * d.auc_after_error
    assert d.kept == pytest.approx(0.9, abs=0.05)  # weights 2/3 and 4/3: 1 / (1 + 1/9)
    weights = method.predict_weights(source)
    low, high = np.quantile(fresh.incident_energy, [0.3, 0.7])  # away from the step
    ratio = (
        weights[fresh.incident_energy > high].mean() / weights[fresh.incident_energy < low].mean()
    )
    assert ratio == pytest.approx(2, rel=0.15)
    path = tmp_path / "weighted.hdf5"
    write_showers(path, [weighted_showers(fresh, weights)])
    np.testing.assert_allclose(read_showers(path, geometry=fresh.geometry).weights, weights, 1e-6)
