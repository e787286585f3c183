"""Bands of a condition that the training leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_surrogate import TINY

from simulacra.errors import ArtifactError, ConfigError, RangeError, UnitError
from simulacra.tasks.calorimeter import Surrogate
from simulacra.tasks.calorimeter.bands import checked_bands, outside, parse_bands

BAND = {"incident_energy": (4000.0, 9000.0)}


@pytest.fixture(scope="module")
def gapped(toy_showers):
    return Surrogate(TINY).fit(toy_showers, seed=3, leave_out=BAND)


def test_showers_of_the_band_take_no_part(gapped, toy_showers, tmp_path):
    energy = toy_showers.incident_energy
    inside = (energy >= 4000) & (energy < 9000)
    assert 0 < inside.sum() < len(energy)
    assert gapped.manifest["training"]["events"] == (~inside).sum()
    seen = np.isin(toy_showers.event_keys(), gapped.training_keys)
    assert np.array_equal(seen, ~inside)
    gapped.save(tmp_path / "gapped")
    validity = Surrogate.load(tmp_path / "gapped").manifest["validity"]
    assert validity["left_out"] == {"incident_energy": [4000.0, 9000.0]}
    card = (tmp_path / "gapped" / "card.md").read_text(encoding="utf-8")
    assert "left out: incident_energy 4000 to 9000 MeV" in card
    assert gapped.sample([5000.0]).energies.shape == (1, gapped.geometry.voxels)  # not refused


def test_a_checkpoint_of_all_showers_is_another_one(toy_showers, tmp_path):
    Surrogate(TINY).fit(toy_showers, seed=3, folder=tmp_path)
    with pytest.raises(ArtifactError, match="other settings"):
        Surrogate(TINY).fit(toy_showers, seed=3, folder=tmp_path, resume=True, leave_out=BAND)


def test_a_model_without_bands_does_not_speak_of_them(tiny):
    assert "left_out" not in tiny.manifest["validity"]


def test_the_ends_of_a_band(toy_showers):
    energy = toy_showers.incident_energy
    low, high = float(energy[0]), float(energy[1])
    low, high = min(low, high), max(low, high)
    kept = outside({"incident_energy": (low, high)}, toy_showers)
    assert not kept[energy == low].any()
    assert kept[energy == high].all()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("energy", ConfigError),
        ("energy=8GeV", ConfigError),
        ("energy=8GeX:9GeV", UnitError),
        ("theta=a:b", ConfigError),
        ("=:", ConfigError),
    ],
)
def test_bad_bands_are_refused(text, error):
    with pytest.raises(error):
        parse_bands([text])


def test_bands_of_what_the_model_does_not_depend_on_are_refused(toy_showers):
    with pytest.raises(ConfigError, match="theta"):
        checked_bands({"theta": (0.0, 1.0)}, ())
    with pytest.raises(RangeError, match="low to high"):
        checked_bands({"incident_energy": (9000.0, 4000.0)}, ())
    with pytest.raises(ConfigError, match="one band"):
        parse_bands(["energy=1:2", "energy=3:4"])
    with pytest.raises(RangeError, match="none remain"):
        Surrogate(TINY).fit(toy_showers, leave_out={"incident_energy": (0.0, 1e9)})
