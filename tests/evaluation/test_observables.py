"""Observables against slow twins, closed forms and symmetries."""

import dataclasses
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulacra.data import VoxelShowers, geometries, geometry
from simulacra.data.toys import toy_geometry
from simulacra.errors import RangeError
from simulacra.evaluation.observables import (
    FAMILIES,
    PHYSICS_FAMILIES,
    PROTOCOL_FAMILIES,
    ImageSums,
    ShowerObservables,
    bin_index,
    count_voxels,
    high_level_inputs,
    high_level_names,
    low_level_inputs,
    observe,
    response_observables,
    ring_edges,
    shower_observables,
    spectrum_bins,
    tiles,
)
from simulacra.evaluation.observables.physics import depths

NAMES = [
    f.name
    for f in dataclasses.fields(ShowerObservables)
    if f.name not in ("geometry", "weight", "conditions")
]
SHAPES = [n for n in NAMES if n.startswith(("centre", "width", "harmonic"))]


def slow_observables(showers, threshold=0.0):
    """One shower, one layer, one voxel at a time, straight from the definitions."""
    edges = ring_edges(showers.geometry)
    found = {name: [] for name in [*NAMES, "sparsity", "brightest_voxel"]}
    for voxels, incident in zip(showers.energies.tolist(), showers.incident_energy, strict=True):
        row = {name: [] for name in found}
        position, every, common = 0, [], np.zeros(len(edges) - 1)
        for layer in showers.geometry.layers:
            cells, rings = [], np.zeros(layer.n_radius)
            for j in range(layer.n_alpha):
                alpha = -np.pi + (j + 0.5) * 2 * np.pi / layer.n_alpha
                for k in range(layer.n_radius):
                    low, high = layer.r_edges[k], layer.r_edges[k + 1]
                    e = voxels[position]
                    e = e if e >= threshold and e > 0 else 0.0
                    cells.append((e, (low + high) / 2, alpha))
                    rings[k] += e
                    for ring, (a, b) in enumerate(itertools.pairwise(edges)):
                        common[ring] += e * max(min(b, high) - max(a, low), 0) / (high - low)
                    position += 1
            every += cells
            energy = sum(e for e, _, _ in cells)
            brightest = sorted([e for e, _, _ in cells] + [0.0])
            row["layer_energy"].append(energy)
            row["hits"].append(sum(e > 0 for e, _, _ in cells))
            row["sparsity"].append(1 - sum(e > 0 for e, _, _ in cells) / len(cells))
            row["brightest"].append(brightest[-1])
            row["second_brightest"].append(brightest[-2])
            row["layer_ring_energy"] += rings.tolist()
            coordinates = {"centre_r": lambda r, _: r}
            if layer.n_alpha > 1:
                coordinates["centre_eta"] = lambda r, a: r * np.cos(a)
                coordinates["centre_phi"] = lambda r, a: r * np.sin(a)
                coordinates["harmonic_cos"] = lambda _, a: np.cos(a)
                coordinates["harmonic_sin"] = lambda _, a: np.sin(a)
            for name, x in coordinates.items():
                mean = sum(x(r, a) * e for e, r, a in cells) / (energy + 1e-16)
                square = sum(x(r, a) ** 2 * e for e, r, a in cells) / (energy + 1e-16)
                row[name].append(mean)
                if name.startswith("centre"):
                    row[f"width{name[6:]}"].append(np.sqrt(max(square - mean**2, 0)))
        found["incident_energy"].append(float(incident))
        found["total_energy"].append(sum(e for e, _, _ in every))
        found["brightest_voxel"].append(max(e for e, _, _ in every))
        found["ring_energy"].append(common)
        for name, values in row.items():
            if values:
                found[name].append(values)
    return {name: np.array(values) for name, values in found.items()}


def assert_like_slow(showers, threshold):
    """In float32 the rounded energy of a layer moves the square of a width by 1e-7 r^2."""
    fast, slow = observe(showers, threshold=threshold), slow_observables(showers, threshold)
    far = showers.geometry.radius.max()
    for name, expected in slow.items():
        found = getattr(fast, name)
        if name.startswith("width"):
            found, expected = found**2, expected**2
        exact = showers.energies.dtype == np.float64 and not name.startswith(
            ("harm", "ring", "layer_ring")
        )
        size = (
            far ** (2 if name.startswith("width") else 1)
            if name in SHAPES
            else np.abs(expected).max()
        )
        rtol = 1e-12 if exact else 1e-6
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * size, err_msg=name)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 40.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_and_slow_agree(toy, threshold, dtype):
    assert_like_slow(toy(30, dtype=dtype), threshold)


@pytest.mark.parametrize("name", ["calochallenge-1-photons", "calochallenge-1-pions"])
def test_fast_and_slow_agree_for_the_challenge(toy, name):
    assert_like_slow(toy(5, detector=geometry(name)), 1.0)


def test_fast_and_slow_agree_for_equal_layers(toy):
    """Equal layers are worked on as one block; more than ten keep no rings of their own."""
    detector = toy_geometry(layers=12, n_alpha=5, n_radius=3)
    showers = toy(6, detector=detector, dtype=np.float64)
    fast, slow = observe(showers, threshold=0.5), slow_observables(showers, 0.5)
    assert fast.layer_ring_energy.shape == (6, 0)
    for name in ("layer_energy", "hits", "centre_eta", "width_phi", "brightest", "ring_energy"):
        np.testing.assert_allclose(getattr(fast, name), slow[name], rtol=1e-6, atol=1e-9)


def test_layers_are_summed_in_the_precision_of_the_file(toy, photons):
    """As the challenge does: to the last bit, which decides on the bin of the largest shower."""
    showers = toy(50, detector=photons)
    found = observe(showers, threshold=1.0)
    kept = np.where(showers.energies < 1.0, np.zeros_like(showers.energies), showers.energies)
    assert found.total_energy.dtype == found.layer_energy.dtype == np.float32
    np.testing.assert_array_equal(found.total_energy, kept.sum(axis=-1))
    for layer, part in enumerate(photons.slices):
        np.testing.assert_array_equal(found.layer_energy[:, layer], kept[:, part].sum(axis=-1))
    largest = found.layer_energy[:, 2].max()
    edges = {d.name: d for d in shower_observables(photons)}["layer_energy/2"].edges(found, 1.0)
    np.testing.assert_array_equal(edges, np.logspace(np.log10(1.0), np.log10(largest), 40))
    assert largest.dtype == np.float32


def test_what_vanishes_by_symmetry_is_summed_in_plain_order(small):
    """Two voxels on opposite sides: the centre is the rounding of the plain sum, bit for bit."""
    energies = np.zeros((200, small.voxels), np.float32)
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 3, 200)
    for row, k in enumerate(pairs):
        energies[row, [2 + k, 2 + 6 + k]] = rng.uniform(1, 100)
    found = observe(VoxelShowers(energies, np.full(200, 1e3), small))
    layer = energies[:, 2:14]
    for name, x in (("eta", small.eta[2:14]), ("phi", small.phi[2:14])):
        expected = (x * layer).sum(axis=-1) / (layer.sum(axis=-1) + 1e-16)
        np.testing.assert_array_equal(getattr(found, f"centre_{name}")[:, 0], expected)
    assert (found.width_r[:, 1] < 1e-6).all()


def test_hand_computed_shower(small):
    """Two voxels of layer 1, energies 3 and 1 MeV, r = 1 and 8 mm, alpha = -3/4 pi and pi/4."""
    energies = np.zeros((1, small.voxels))
    energies[0, 2 + 0] = 3.0
    energies[0, 2 + 2 * 3 + 2] = 1.0
    found = observe(VoxelShowers(energies, np.array([4.0]), small))
    mean_r, square_r = (3 * 1 + 8) / 4, (3 * 1 + 64) / 4
    assert found.centre_r[0, 1] == pytest.approx(mean_r)
    assert found.width_r[0, 1] == pytest.approx(np.sqrt(square_r - mean_r**2))
    mean = (3 * -np.sqrt(0.5) + 8 * np.sqrt(0.5)) / 4
    assert found.centre_eta[0, 0] == pytest.approx(mean)
    assert found.centre_phi[0, 0] == pytest.approx(mean)
    assert found.sparsity[0] == pytest.approx([1, 1 - 2 / 12, 1])
    assert found.hits[0].tolist() == [0, 2, 0]
    assert found.total_energy == pytest.approx(4)
    assert found.centre_r[0, [0, 2]] == pytest.approx(0)
    assert (found.brightest[0, 1], found.second_brightest[0, 1]) == (3, 1)
    assert found.harmonic_cos[0, 0] == pytest.approx((-3 + 1) * np.sqrt(0.5) / 4)
    # rings of all layers: edges 0 2 5 10 11 20 40 mm; 8 mm stands for 5 to 11 mm
    np.testing.assert_allclose(found.ring_energy[0], [3, 0, 5 / 6, 1 / 6, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(found.layer_ring_energy[0], [0, 0, 3, 0, 1, 0, 0])


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_scaling_energies_leaves_shapes_alone(toy, scale, seed):
    showers = toy(20, seed=seed, dtype=np.float64)
    scaled = dataclasses.replace(showers, energies=scale * showers.energies)
    a, b = observe(showers), observe(scaled)
    for name in [*SHAPES, "hits"]:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scale * a.layer_energy, b.layer_energy)


def rotated(showers, layer, by=1):
    """Turn one layer by sectors."""
    part, kind = showers.geometry.slices[layer], showers.geometry.layers[layer]
    energies = showers.energies.copy()
    image = energies[:, part].reshape(-1, kind.n_alpha, kind.n_radius)
    energies[:, part] = np.roll(image, by, axis=1).reshape(len(energies), -1)
    return dataclasses.replace(showers, energies=energies)


def test_rotation_leaves_radial_observables_alone(toy):
    showers = toy(50)
    a, b = observe(showers), observe(rotated(showers, 1))
    for name in ("layer_energy", "sparsity", "centre_r", "width_r", "total_energy"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-5, atol=1e-5)
    # a quarter turn of four sectors: eta' = -phi, phi' = eta
    np.testing.assert_allclose(b.centre_eta[:, 0], -a.centre_phi[:, 0], atol=1e-5)
    np.testing.assert_allclose(b.centre_phi[:, 0], a.centre_eta[:, 0], atol=1e-5)
    assert np.abs(a.centre_eta[:, 0] - b.centre_eta[:, 0]).max() > 1e-2


def test_chunks_change_no_bit(toy, photons):
    showers = toy(3000, detector=photons, weight=np.arange(3000.0))
    showers = dataclasses.replace(showers, conditions={"theta": np.arange(3000.0)})
    whole = observe(showers, threshold=1.0)
    edges = np.array([0, 1, 7, 1400, 1430, 2999, 3000])
    chunks = [showers.select(slice(a, b)) for a, b in itertools.pairwise(edges)]
    parts = ShowerObservables.concatenate(observe(t, threshold=1.0) for t in tiles(chunks))
    for name in [*NAMES, "weight"]:
        assert getattr(parts, name).tobytes() == getattr(whole, name).tobytes()
    np.testing.assert_array_equal(parts.conditions["theta"], np.arange(3000.0))


def test_tiles_hold_the_same_showers_for_any_chunks(toy, photons):
    showers = toy(3000, detector=photons)
    whole = [t.incident_energy for t in tiles([showers])]
    for step in (1, 700, 1424, 1500, 2848, 2999):
        chunks = (showers.select(slice(a, a + step)) for a in range(0, 3000, step))
        parts = [t.incident_energy for t in tiles(chunks)]
        assert [len(t) for t in parts] == [len(t) for t in whole] == [1424, 1424, 152]
        np.testing.assert_array_equal(np.concatenate(parts), showers.incident_energy)


_BITS = """
import hashlib, numpy as np
from simulacra.data import VoxelShowers, geometry
from simulacra.evaluation.observables import observe
rng = np.random.default_rng(0)
for name, events in (("1-photons", 300), ("2", 40), ("3", 16)):
    detector = geometry(f"calochallenge-{name}")
    energies = rng.gamma(0.3, 10, size=(events, detector.voxels)).astype(np.float32)
    o = observe(VoxelShowers(energies, energies.sum(axis=1), detector), threshold=1.0)
    arrays = (o.centre_r, o.width_eta, o.ring_energy, o.harmonic_cos)
    print(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
"""


def test_threads_of_the_linear_algebra_change_no_bit():
    found = {
        subprocess.run(
            [sys.executable, "-c", _BITS],
            env={**os.environ, "OPENBLAS_NUM_THREADS": str(n), "OMP_NUM_THREADS": str(n)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in (1, 4)
    }
    assert len(found) == 1


def test_select_is_observe_of_the_selected(toy, photons):
    showers = toy(40, detector=photons, weight=np.arange(40.0))
    mask = showers.incident_energy > 5e3
    a = observe(showers, threshold=1.0).select(mask)
    b = observe(showers.select(mask), threshold=1.0)
    assert len(a) == mask.sum()
    for name in [*NAMES, "weight"]:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=1e-6)


def test_layers_without_sectors(toy):
    from simulacra.data import Geometry, Layer

    rings = Geometry("rings", "", 0, (Layer(0, (0.0, 1.0, 2.0), 1),), 0.0)
    found = observe(toy(4, detector=rings))
    assert found.centre_eta.shape == (4, 0)
    assert high_level_inputs(found).shape == (4, len(high_level_names(rings)))


def test_no_shower_is_an_error(toy):
    with pytest.raises(RangeError, match="at least one shower"):
        observe(toy(3).select(slice(0, 0)))


@pytest.mark.parametrize(("name", "features"), [("1-photons", 30), ("1-pions", 46), ("2", 362)])
def test_high_level_inputs_have_the_length_of_the_challenge(toy, name, features):
    detector = geometry(f"calochallenge-{name}")
    inputs = high_level_inputs(observe(toy(2, detector=detector)))
    assert inputs.shape == (2, features)
    assert len(high_level_names(detector)) == features


def test_high_level_inputs_stand_in_the_order_of_the_challenge(toy, photons):
    o = observe(toy(3, detector=photons))
    inputs = dict(zip(high_level_names(photons), high_level_inputs(o).T, strict=True))
    assert list(inputs)[5:8] == ["layer_energy/12", "centre_eta/1", "centre_eta/2"]
    assert list(inputs)[14:16] == ["total_energy", "sparsity/0"]
    np.testing.assert_array_equal(inputs["incident_energy"], np.log10(o.incident_energy))
    np.testing.assert_array_equal(inputs["layer_energy/12"], np.log10(o.layer_energy[:, 4] + 1e-8))
    np.testing.assert_array_equal(inputs["centre_eta/2"], o.centre_eta[:, 1] / 100)
    np.testing.assert_array_equal(inputs["width_phi/1"], o.width_phi[:, 0] / 100)
    np.testing.assert_array_equal(inputs["total_energy"], np.log10(o.total_energy + 1e-8))
    np.testing.assert_array_equal(inputs["sparsity/3"], o.sparsity[:, 3])
    np.testing.assert_array_equal(inputs["width_r/12"], o.width_r[:, 4] / 100)


def test_low_level_inputs(toy):
    showers = toy(10)
    inputs = low_level_inputs(showers, threshold=50.0)
    np.testing.assert_allclose(inputs[:, 0], np.log10(showers.incident_energy), rtol=1e-6)
    cut = np.where(showers.energies >= 50, showers.energies, 0)
    np.testing.assert_allclose(inputs[:, 1:], cut / showers.incident_energy[:, None], rtol=1e-6)
    assert inputs.dtype == np.float32


def test_every_declared_observable_reads_its_column(toy, photons):
    o = observe(toy(20, detector=photons), threshold=1.0)
    declared = {d.name: d for d in shower_observables(photons)}
    protocol = [d for d in declared.values() if d.family in PROTOCOL_FAMILIES]
    assert len(protocol) == 1 + 5 + 4 * 2 + 3 * 5
    assert list(declared.values())[: len(protocol)] == protocol
    np.testing.assert_array_equal(declared["layer_energy/12"].values(o), o.layer_energy[:, 4])
    np.testing.assert_array_equal(declared["centre_phi/2"].values(o), o.centre_phi[:, 1])
    np.testing.assert_array_equal(declared["hits/3"].values(o), o.hits[:, 3])
    np.testing.assert_array_equal(
        declared["total_energy_ratio"].values(o), o.total_energy / o.incident_energy
    )
    assert all(d.cannot_see and d.label and d.values(o).shape == (20,) for d in declared.values())
    assert {d.family for d in declared.values()} == set(FAMILIES) - {
        "voxel_energy",
        "total_energy_ratio_at",
    }


def one_shower(layers, detector):
    """Return the observables of a shower with these energies (MeV) in the voxels of each layer."""
    energies = np.zeros((1, detector.voxels))
    for part, values in zip(detector.slices, layers, strict=True):
        energies[0, part.start : part.start + len(values)] = values
    return observe(VoxelShowers(energies, np.array([20.0]), detector))


def physics(o):
    return {
        d.name: d.values(o)[0]
        for d in shower_observables(o.geometry)
        if d.family in PHYSICS_FAMILIES
    }


def test_depth_by_hand():
    """Layers at 10, 30, 50 mm with 6, 3, 1 MeV: mean 20, variance (6 10^2 + 3 10^2 + 30^2) / 10."""
    found = physics(one_shower([[4, 2], [3], [0, 1]], toy_geometry()))
    assert found["depth_weighted_energy"] == pytest.approx(0 * 6 + 1 * 3 + 2 * 1)
    assert found["shower_depth"] == pytest.approx(20)
    assert found["depth_width"] == pytest.approx(np.sqrt(180))
    skewness = (6 * (-10) ** 3 + 3 * 10**3 + 30**3) / 10 / 180**1.5
    assert found["depth_skewness"] == pytest.approx(skewness)
    assert found["deepest_layer"] == 2
    assert found["layer_fraction/1"] == pytest.approx(0.3)
    assert found["total_hits"] == 4
    assert [found[f"hits/{k}"] for k in range(3)] == [2, 1, 1]
    assert [found[f"empty_layer/{k}"] for k in range(3)] == [0, 0, 0]
    assert found["brightest_fraction"] == pytest.approx(0.4)
    assert found["layer_brightest_fraction/0"] == pytest.approx(4 / 6)
    assert found["layer_brightest_contrast/0"] == pytest.approx((4 - 2) / (4 + 2))
    assert found["layer_brightest_contrast/1"] == 1


def test_radii_by_hand():
    """Rings of 10 mm: 4 MeV in the first and 2 in the second of layer 0; 2 in the third of 2."""
    found = physics(one_shower([[4, 2], [], [0, 0, 2]], toy_geometry()))
    assert found["mean_radius"] == pytest.approx((4 * 5 + 2 * 15 + 2 * 25) / 8)
    square = (4 * 25 + 2 * 225 + 2 * 625) / 8
    assert found["radial_width"] == pytest.approx(np.sqrt(square - 12.5**2))
    assert found["radius_90"] == pytest.approx(20 + 10 * (0.9 * 8 - 6) / 2)


def test_undefined_quantities_take_no_part():
    """An empty shower has no depth, a layer without energy no brightest voxel."""
    empty = physics(one_shower([[], [], []], toy_geometry()))
    defined = {name for name, value in empty.items() if not np.isnan(value)}
    assert {name.partition("/")[0] for name in defined} == {
        "empty_layer",
        "hits",
        "total_hits",
        "depth_weighted_energy",
    }
    single = physics(one_shower([[], [1.0], []], toy_geometry()))
    assert np.isnan([single["layer_brightest_contrast/0"], single["depth_skewness"]]).all()
    assert single["depth_width"] == 0
    assert single["shower_depth"] == pytest.approx(30)


def test_depth_without_positions_counts_layers(small):
    places, edges, unit = depths(small)
    assert (places.tolist(), edges.tolist(), unit) == ([0, 1, 2], [-0.5, 0.5, 1.5, 2.5], "")
    assert depths(toy_geometry())[2] == "mm"


def test_responses_at_the_energies_of_the_challenge(toy, photons):
    showers = toy(60, detector=photons)
    energy = np.repeat([256.0, 4096.0, 2.0**22], 20).astype(np.float32)
    o = observe(dataclasses.replace(showers, incident_energy=energy), threshold=1.0)
    found = response_observables(photons, o.incident_energy, o.incident_energy[:41])
    assert [d.name for d in found] == [f"total_energy_ratio_at/{e}" for e in (256, 4096)]
    assert "at 0.256 GeV" in found[0].label
    for d, rows, high in zip(found, (slice(0, 20), slice(20, 40)), (1.4, 1.1), strict=True):
        values = d.values(o)
        expected = o.total_energy[rows] / o.incident_energy[rows]
        np.testing.assert_array_equal(values[rows], expected)
        assert np.isnan(values).sum() == 40
        assert d.edges(o, 1.0)[[0, -1]] == pytest.approx([1.8 - high if high > 1.2 else 0.9, high])
        assert len(d.edges(o, 1.0)) == 21
    spread = response_observables(photons, np.array([300.0, 400.0]))
    assert "from 0.256 GeV to 0.512 GeV" in spread[0].label
    assert response_observables(geometry("calochallenge-2"), o.incident_energy) == ()
    pions = response_observables(geometry("calochallenge-1-pions"), np.full(2, 4096.0))
    assert pions[0].edges(o, 1.0)[[0, -1]] == pytest.approx([0.4, 1.4])


@pytest.mark.parametrize(
    ("detector", "name", "low", "high", "bins"),
    [
        ("calochallenge-1-photons", "total_energy_ratio", 0.5, 1.5, 100),
        ("calochallenge-1-photons", "centre_eta/1", -100, 100, 100),
        ("calochallenge-1-pions", "centre_phi/13", -500, 500, 100),
        ("calochallenge-1-pions", "width_eta/12", 0, 400, 100),
        ("calochallenge-1-photons", "width_phi/2", 0, 100, 100),
        ("calochallenge-1-photons", "centre_r/3", 0, 500, 100),
        ("calochallenge-1-photons", "centre_r/12", 0, 1500, 100),
        ("calochallenge-1-pions", "width_r/14", 0, 1500, 100),
        ("calochallenge-1-photons", "sparsity/0", 0, 1, 20),
        ("calochallenge-2", "centre_eta/44", -30, 30, 100),
        ("calochallenge-2", "width_eta/0", 0, 30, 100),
        ("calochallenge-3", "centre_r/3", 0, 42, 100),
        ("calochallenge-3", "width_r/3", 0, 20, 100),
        ("calochallenge-1-photons", "layer_energy/1", 1.0, 777.0, 39),
    ],
)
def test_binnings_of_the_challenge(detector, name, low, high, bins):
    declared = {d.name: d for d in shower_observables(geometry(detector))}
    edges = declared[name].bins(777.0, 1.0)
    assert edges[[0, -1]] == pytest.approx([low, high])
    assert len(edges) == bins + 1


def test_every_geometry_has_increasing_bins(small):
    for detector in (*geometries(), small):
        for declared in shower_observables(detector):
            for largest in (0.0, 0.5, 1.0, 1e5):
                assert (np.diff(declared.bins(largest, detector.threshold)) > 0).all()
    assert len(spectrum_bins(100.0, 1.0)) == 50
    assert (np.diff(spectrum_bins(0.0, 0.0)) > 0).all()


def test_bin_index_is_numpys_histogram():
    rng = np.random.default_rng(0)
    edges = np.linspace(-1, 1, 11)
    values = np.concatenate([rng.normal(size=1000), edges, [np.nan, np.inf, -np.inf]])
    index = bin_index(values, edges)
    counts = np.histogram(values[np.isfinite(values)], edges)[0]
    np.testing.assert_array_equal(np.bincount(index, minlength=12)[1:-1], counts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edges", [spectrum_bins(3e4, 1.0), np.array([1.0, 1.0001, 1.0002, 9.0])])
def test_counted_voxels_are_numpys_histogram(toy, dtype, edges):
    showers = toy(300, dtype=dtype)
    exact = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 1e9)])
    showers.energies[:, :2] = 0
    rows = np.resize(exact, (10, showers.geometry.voxels)).astype(dtype)
    showers = VoxelShowers.concatenate(
        [showers, dataclasses.replace(showers.select(slice(0, 10)), energies=rows)]
    )
    counts = count_voxels(showers, edges, threshold=1.0)
    for row, energies in zip(counts, showers.energies.astype(np.float64), strict=True):
        np.testing.assert_array_equal(row[1:-1], np.histogram(energies, edges)[0])
        assert row[-1] == (energies > edges[-1]).sum()
        assert row[0] == ((energies >= 1.0) & (energies < edges[0])).sum()


def test_spectrum_refuses_an_edge_at_zero(toy):
    with pytest.raises(RangeError, match="positive"):
        count_voxels(toy(1), np.array([0.0, 1.0]))


@pytest.mark.parametrize("weighted", [False, True])
def test_image_sums_are_sums_over_showers(toy, weighted):
    """Row by row from the definitions; in parts as in one, up to rounding."""
    weight = np.random.default_rng(1).normal(1, 1, 50) if weighted else None
    showers = toy(50, weight=weight)
    found = ImageSums.joined(
        ImageSums.of(showers.select(part), 40.0) for part in (slice(0, 13), slice(13, None))
    )
    w = np.ones(50) if weight is None else weight
    kept = np.where(showers.energies >= 40, showers.energies, 0).astype(np.float64)
    assert found.weight == pytest.approx(w.sum())
    assert found.squared_weight == pytest.approx((w**2).sum())
    np.testing.assert_allclose(found.mean, w @ kept / w.sum())
    np.testing.assert_allclose(found.square, w**2 @ kept**2)
    np.testing.assert_allclose(found.occupancy, w @ (kept > 0) / w.sum())
    rings = (kept[:, 2:14] > 0).reshape(50, 4, 3).sum(axis=1)
    np.testing.assert_allclose(found.ring_rate[2:5], w @ rings / w.sum())
    np.testing.assert_allclose(found.ring_square[2:5], w**2 @ rings**2)
    with pytest.raises(RangeError, match="at least one"):
        ImageSums.joined([])
