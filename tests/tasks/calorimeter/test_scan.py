"""Scans: a model of known showers gives known numbers; files and pages come out whole."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from browser import CHROMIUM, inspect
from typer.testing import CliRunner

from simulacra.cli.app import app
from simulacra.data import Geometry, GridLayer, VoxelShowers, toy_geometry, write_showers
from simulacra.errors import (
    ConfigError,
    OverlapError,
    RangeError,
    ShapeError,
    SimulacraError,
    UnknownNameError,
)
from simulacra.tasks.calorimeter import scan
from simulacra.tasks.calorimeter.comparing import bins_of
from simulacra.tasks.calorimeter.following import distance, followed, mean_and_error
from simulacra.tasks.calorimeter.scan_page import facts, render_scan, write_scan

GEOMETRY = toy_geometry()


class Known:
    """A model whose showers are known: each has a shape of its own, and energy in proportion.

    Args:
        jumps: showers whose shape is another one above 5 GeV.
        falls: showers whose energy falls above 5 GeV.
        excess: response minus 1 between 4 and 6 GeV.
        conditions: what it depends on besides the energy; it takes no notice.
        left_out: a band of the energy in MeV.
    """

    def __init__(self, jumps=(), falls=(), excess=0.0, conditions=(), left_out=None):
        self.jumps, self.falls, self.excess = jumps, falls, excess
        self.geometry = GEOMETRY
        self.config = SimpleNamespace(name="known", conditions=conditions)
        validity = {"ranges": {"incident_energy": [1000.0, 10000.0]}}
        validity["ranges"] |= {name: [-1.0, 1.0] for name in conditions}
        if left_out:
            validity["left_out"] = {"incident_energy": list(left_out)}
        self.manifest = {"validity": validity, "training": {"file": "none"}}
        self.training_keys = np.zeros(0, np.uint64)
        self.asked = []

    def sample(self, energy, conditions, *, seed, first_event, workers):
        events = np.arange(first_event, first_event + len(energy))
        self.asked.append((float(energy[0]), {k: float(v[0]) for k, v in conditions.items()}))
        energies = np.zeros((len(energy), GEOMETRY.voxels), np.float32)
        high = energy > 5000
        place = (events + 7 * (high & np.isin(events, self.jumps))) % GEOMETRY.voxels
        size = np.where(high & np.isin(events, self.falls), 0.1, 1.0)
        size = size * np.where((energy >= 4000) & (energy < 6000), 1 + self.excess, 1.0)
        # half in a place of its own, half moving evenly from the first voxel to the last
        share = (np.log(energy / 1000) / np.log(10))[:, None]
        rest = np.eye(GEOMETRY.voxels)[0] * (1 - share) + np.eye(GEOMETRY.voxels)[-1] * share
        energies += (0.5 * rest * (size * energy)[:, None]).astype(np.float32)
        energies[np.arange(len(energy)), place] += 0.5 * size * energy
        return VoxelShowers(
            energies, np.asarray(energy, np.float32), GEOMETRY, conditions=dict(conditions)
        )


def test_monotonicity_counts_the_showers_that_rise():
    found = scan(Known(falls=(0, 3)), "energy", steps=6, showers=8, fixed_noise=True)
    assert found.monotonicity.showers == 6 / 8
    assert found.monotonicity.steps == (8 * 5 - 2) / (8 * 5)
    assert found.monotonicity.showers_error == pytest.approx(np.sqrt(0.75 * 0.25 / 8))


def test_a_jump_is_seen_and_even_steps_are_one():
    even = scan(Known(), "energy", steps=6, showers=8, fixed_noise=True).smoothness
    assert even.largest == pytest.approx(1, abs=1e-4)
    assert even.step == pytest.approx(0.5 / 5, abs=1e-4)
    assert even.independent == pytest.approx(0.5, abs=1e-4)  # the half in places of their own
    jump = scan(Known(jumps=(2,)), "energy", steps=6, showers=8, fixed_noise=True).smoothness
    assert jump.worst == pytest.approx(0.6 / (0.1 + 0.1), abs=1e-3)  # 0.1 + 0.5 once, mean 0.2


def test_noise_is_the_same_only_where_asked():
    fixed = scan(Known(), "energy", steps=3, showers=5, fixed_noise=True)
    fresh = scan(Known(), "energy", steps=3, showers=5)
    assert fixed.monotonicity is not None
    assert fresh.monotonicity is None
    assert fresh.smoothness is None
    places = [np.argmax(shower[1:-1]) for shower in fresh.slides]
    assert len(set(places)) == 3  # other showers at every value
    assert len({np.argmax(shower[1:-1]) for shower in fixed.slides}) == 1


def test_values_and_kept_conditions():
    model = Known(conditions=("theta", "x"))
    found = scan(model, "theta", low=-0.5, steps=3, showers=2, at={"energy": 4000.0})
    assert found.values == (-0.5, 0.25, 1.0)
    assert found.others == {"energy": 4000.0, "x": 0.0}
    assert model.asked[0] == (4000.0, {"theta": -0.5, "x": 0.0})
    assert scan(model, "energy", steps=3, showers=2).values == pytest.approx((1e3, 10**3.5, 1e4))
    assert scan(model, "x", steps=2, showers=2).others["energy"] == pytest.approx(10**3.5)


def test_means_of_known_showers():
    quantities = followed(Known().sample(np.array([2000.0, 2000.0]), {}, **HOW))
    assert quantities["response"].values == pytest.approx([1, 1])
    shares = sum(q.values for name, q in quantities.items() if name.startswith("fraction/"))
    assert shares == pytest.approx([1, 1])
    assert mean_and_error(np.array([1.0, 3.0, np.nan])) == pytest.approx((2.0, 1.0))
    assert np.isnan(mean_and_error(np.array([1.0]))).all()
    one, other = np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 4.0, 4.0]])
    assert distance(one, other).tolist() == [0.5]


HOW = {"seed": 0, "first_event": 0, "workers": 1}


def _reference(events=900, noise=0.02):
    draw = np.random.default_rng(1)
    energy = np.exp(draw.uniform(np.log(1e3), np.log(1e4), events)).astype(np.float32)
    truth = Known().sample(energy, {}, **HOW)
    wobble = (1 + noise * draw.normal(size=events)).astype(np.float32)
    return VoxelShowers(truth.energies * wobble[:, None], truth.incident_energy, GEOMETRY)


@pytest.mark.statistical
def test_an_error_inside_the_band_is_measured_there():
    """A response 5 % too high from 4 to 6 GeV, nothing outside; five standard errors."""
    model = Known(excess=0.05, left_out=(4000.0, 6000.0))
    found = scan(model, "energy", steps=8, showers=2, reference=_reference())
    compared = found.interpolation
    assert found.left_out == (4000.0, 6000.0)
    assert {4000.0, 6000.0} <= set(compared.edges)
    assert compared.events == 900
    by = {(d.name, d.place): d for d in compared.deviations}
    inside, outside = by["response", "inside"], by["response", "outside"]
    assert inside.size == pytest.approx(0.05, abs=5 * inside.size_error)
    assert inside.size > 10 * inside.size_error
    assert outside.size < 5 * outside.size_error
    assert inside.pull > 5
    assert outside.pull < 3


def test_bins_fit_a_band():
    values = np.linspace(0, 10, 6)
    assert bins_of(values, None).tolist() == values.tolist()
    assert bins_of(values, (20.0, 30.0)).tolist() == values.tolist()
    assert bins_of(values, (3.5, 6.2)).tolist() == [0, 2, 3.5, 6.2, 8, 10]
    assert bins_of(values, (-5.0, 3.5)).tolist() == [0, 2, 3.5, 6, 8, 10]
    energies = np.geomspace(1e3, 64e3, 13)  # six steps of the root of two below 8 GeV
    edges = bins_of(energies, (6000.0, 12000.0), "incident_energy")
    assert {6000.0, 12000.0} <= set(edges.tolist())
    assert np.diff(np.log(edges)).min() > 0.4 * np.log(2) / 2
    assert bins_of(np.array([-11.0, 11.0, 22.0]), None, "pdg").tolist() == [-11.5, 0, 16.5, 22.5]


def test_a_reference_that_was_trained_on_is_refused():
    model, truth = Known(), _reference()
    model.training_keys = truth.event_keys()[:3]
    with pytest.raises(OverlapError, match="3 of"):
        scan(model, "energy", showers=2, reference=truth)


def test_a_reference_of_another_detector_or_range_is_refused():
    other = toy_geometry(n_alpha=8)
    truth = VoxelShowers(np.ones((3, other.voxels)), np.full(3, 2000.0), other)
    with pytest.raises(ShapeError):
        scan(Known(), "energy", showers=2, reference=truth)
    truth = _reference().select(slice(0, 10))
    with pytest.raises(RangeError, match="no showers"):
        scan(Known(), "energy", low=1000.0, high=1000.5, showers=2, reference=truth)
    with pytest.raises(ConfigError, match="theta"):
        scan(Known(conditions=("theta",)), "energy", showers=2, reference=truth)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"vary": "eta"}, UnknownNameError),
        ({"vary": "theta"}, ConfigError),
        ({"vary": "energy", "at": {"phi": 0.0}}, ConfigError),
        ({"vary": "energy", "at": {"energy": 5.0}}, ConfigError),
        ({"vary": "energy", "low": 5.0, "high": 4.0}, RangeError),
        ({"vary": "energy", "low": -5.0}, RangeError),
        ({"vary": "energy", "steps": 1}, RangeError),
        ({"vary": "energy", "showers": 1}, RangeError),
    ],
)
def test_bad_input_is_refused(how, error):
    with pytest.raises(error):
        scan(Known(), **how)


def test_a_real_model_beyond_its_range_is_refused(tiny):
    with pytest.raises(RangeError, match="incident_energy"):
        scan(tiny, "energy", high=1e6, steps=2, showers=2)


@pytest.fixture(scope="module")
def moved(tiny):
    return scan(tiny, "energy", steps=4, showers=6, fixed_noise=True, reference=_reference(60))


@pytest.fixture(scope="module")
def page(moved):
    return render_scan(moved)


def test_a_shower_depends_on_its_own_noise_alone(tiny, moved):
    first = tiny.sample([moved.values[2]], seed=0).energies[0]
    assert np.array_equal(first, moved.slides[2])


def test_files_hold_what_was_found(moved, page, tmp_path):
    files = write_scan(moved, tmp_path)
    assert [file.name for file in files] == ["scan.json", "scan.html", "sheet.png", "compared.png"]
    plain = json.loads((tmp_path / "scan.json").read_text(encoding="utf-8"))
    assert plain["values"] == list(moved.values)
    assert plain["monotonicity"]["showers"] == moved.monotonicity.showers
    assert len(plain["interpolation"]["curves"][0]["pulls"]) == 3
    assert "NaN" not in (tmp_path / "scan.json").read_text(encoding="utf-8")
    for picture in files[2:]:
        assert picture.read_bytes()[:4] == b"\x89PNG"
    assert page == (tmp_path / "scan.html").read_text(encoding="utf-8")
    assert dict(facts(moved))["monotonicity"].endswith("of all steps")


TURN = """<script nonce="test">
seen.waits = async () => {
  const slider = document.getElementById("slider"), shown = () =>
    [...document.querySelectorAll("#slides figure")].map(f => !f.hidden);
  seen.start = shown();
  slider.value = "2";
  slider.dispatchEvent(new Event("input"));
  seen.moved = shown();
  seen.name = document.querySelector("#slides output").textContent;
  document.getElementById("play").click();
  await new Promise(done => setTimeout(done, 600));
  seen.played = shown();
  seen.button = document.getElementById("play").textContent;
};
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs a headless Chromium")
@pytest.mark.parametrize("size", ["1280,900", "500,900"])
def test_the_page_shows_a_shower_move(page, tmp_path, size):
    seen = inspect(page, tmp_path, f"--window-size={size}", script=TURN)
    assert seen["errors"] == []
    assert seen["refused"] == []
    assert seen["requests"] == []
    assert seen["broken"] == []
    assert seen["overflow"] <= 0
    assert seen["start"] == [True, False, False, False]
    assert seen["moved"] == [False, False, True, False]
    assert seen["name"].endswith("GeV")
    assert seen["played"].count(True) == 1
    assert not seen["played"][2]
    assert seen["button"] == "Pause"


def test_the_page_of_fresh_noise_has_no_slides(tiny):
    page = render_scan(scan(tiny, "energy", steps=3, showers=4))
    assert "slider" not in page
    assert page.count("<img") >= 3


def test_particles_and_rectangular_cells():
    """One value for each particle, no order between them; cells are drawn as cells."""
    cells = tuple(
        GridLayer.square(i, n, 4, 40.0, 10.0 * i, 10.0 * i + 10) for i, n in enumerate((6, 1))
    )
    model = Known(conditions=("pdg", "x"))
    model.geometry = Geometry("cells", "photon", 22, cells, threshold=0.0)
    model.manifest["validity"] |= {"particles": [11, -11, 22]}

    def sample(energy, conditions, *, seed, first_event, workers):
        draw = np.random.default_rng([seed, first_event])
        energies = draw.random((len(energy), model.geometry.voxels)) * energy[:, None] / 28
        return VoxelShowers(energies, energy, model.geometry, conditions=dict(conditions))

    model.sample = sample
    found = scan(model, "particle", showers=4, fixed_noise=True)
    assert found.values == (-11.0, 11.0, 22.0)
    assert found.monotonicity is None
    assert found.smoothness is None
    assert {"centre_x", "centre_y"} <= {curve.name for curve in found.curves}
    page = render_scan(found)
    assert page.count('<figure data-name="') == 3
    assert scan(model, "x", showers=2, steps=2).others["particle"] == -11.0
    with pytest.raises(ConfigError, match="no range"):
        scan(model, "particle", low=1.0)


def test_hostile_names_do_not_run(moved):
    bad = replace(moved, model="</script><script>alert(1)</script>", interpolation=None)
    page = render_scan(bad)
    assert "<script>alert" not in page


def test_the_verb(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    write_showers(tmp_path / "test.hdf5", [_reference(60)])
    words = [
        "scan",
        str(tmp_path / "model"),
        "--vary",
        "energy",
        "--from",
        "1.5GeV",
        "--steps",
        "3",
    ]
    words += ["-n", "4", "--fixed-noise", "--workers", "1", "--out", str(tmp_path / "out")]
    words += ["--reference", str(tmp_path / "test.hdf5")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "monotonicity" in done.output
    assert "scan.html" in done.output
    assert (tmp_path / "out" / "scan.json").exists()
    refused = CliRunner().invoke(app, [*words, "--at", "theta"])
    assert isinstance(refused.exception, SimulacraError)
