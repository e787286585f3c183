"""Observables against slow twins, closed forms and symmetries."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulacra.data import VoxelShowers, geometries, geometry
from simulacra.errors import RangeError
from simulacra.evaluation.observables import (
    ShowerObservables,
    bin_index,
    count_voxels,
    high_level_inputs,
    high_level_names,
    low_level_inputs,
    observe,
    shower_observables,
    spectrum_bins,
    tiles,
)

NAMES = [
    f.name for f in dataclasses.fields(ShowerObservables) if f.name not in ("geometry", "weight")
]


def slow_observables(showers, threshold=0.0):
    """One shower, one layer, one voxel at a time, straight from the definitions."""
    found = {name: [] for name in NAMES}
    for voxels, incident in zip(showers.energies.tolist(), showers.incident_energy, strict=True):
        row = {name: [] for name in NAMES}
        position, every = 0, []
        for layer in showers.geometry.layers:
            cells = []
            for j in range(layer.n_alpha):
                alpha = -np.pi + (j + 0.5) * 2 * np.pi / layer.n_alpha
                for k in range(layer.n_radius):
                    r = (layer.r_edges[k] + layer.r_edges[k + 1]) / 2
                    e = voxels[position]
                    cells.append((e if e >= threshold else 0.0, r, alpha))
                    position += 1
            every += cells
            energy = sum(e for e, _, _ in cells)
            row["layer_energy"].append(energy)
            row["sparsity"].append(1 - sum(e > 0 for e, _, _ in cells) / len(cells))
            coordinates = {"r": lambda r, _: r}
            if layer.n_alpha > 1:
                coordinates["eta"] = lambda r, a: r * np.cos(a)
                coordinates["phi"] = lambda r, a: r * np.sin(a)
            for name, x in coordinates.items():
                mean = sum(x(r, a) * e for e, r, a in cells) / (energy + 1e-16)
                square = sum(x(r, a) ** 2 * e for e, r, a in cells) / (energy + 1e-16)
                row[f"centre_{name}"].append(mean)
                row[f"width_{name}"].append(np.sqrt(max(square - mean**2, 0)))
        found["incident_energy"].append(float(incident))
        found["total_energy"].append(sum(e for e, _, _ in every))
        found["brightest_voxel"].append(max(e for e, _, _ in every))
        for name, values in row.items():
            if values:
                found[name].append(values)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("threshold", [0.0, 1.0, 40.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_and_slow_agree(toy, threshold, dtype):
    showers = toy(30, dtype=dtype)
    fast, slow = observe(showers, threshold=threshold), slow_observables(showers, threshold)
    for name in NAMES:
        np.testing.assert_allclose(getattr(fast, name), slow[name], rtol=1e-9, atol=1e-5)


def test_fast_and_slow_agree_for_the_challenge(toy, photons):
    showers = toy(5, detector=photons)
    fast, slow = observe(showers), slow_observables(showers)
    for name in NAMES:
        np.testing.assert_allclose(getattr(fast, name), slow[name], rtol=1e-9, atol=1e-5)


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
    assert found.total_energy == pytest.approx(4)
    assert found.centre_r[0, [0, 2]] == pytest.approx(0)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_scaling_energies_leaves_shapes_alone(toy, scale, seed):
    showers = toy(20, seed=seed, dtype=np.float64)
    scaled = dataclasses.replace(showers, energies=scale * showers.energies)
    a, b = observe(showers), observe(scaled)
    for name in NAMES[4:]:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-6, atol=1e-4)
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
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-5)
    # a quarter turn of four sectors: eta' = -phi, phi' = eta
    np.testing.assert_allclose(b.centre_eta[:, 0], -a.centre_phi[:, 0], atol=1e-9)
    np.testing.assert_allclose(b.centre_phi[:, 0], a.centre_eta[:, 0], atol=1e-9)
    assert np.abs(a.centre_eta[:, 0] - b.centre_eta[:, 0]).max() > 1e-2


def test_chunks_change_no_bit(toy, photons):
    showers = toy(3000, detector=photons, weight=np.arange(3000.0))
    whole = observe(showers, threshold=1.0)
    edges = np.array([0, 1, 7, 1400, 1430, 2999, 3000])
    chunks = [showers.select(slice(a, b)) for a, b in itertools.pairwise(edges)]
    parts = ShowerObservables.concatenate(observe(t, threshold=1.0) for t in tiles(chunks))
    for name in [*NAMES, "weight"]:
        assert getattr(parts, name).tobytes() == getattr(whole, name).tobytes()


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
    o = observe(toy(20, detector=photons))
    declared = {d.name: d for d in shower_observables(photons)}
    assert len(declared) == 1 + 5 + 4 * 2 + 3 * 5
    np.testing.assert_array_equal(declared["layer_energy/12"].values(o), o.layer_energy[:, 4])
    np.testing.assert_array_equal(declared["centre_phi/2"].values(o), o.centre_phi[:, 1])
    np.testing.assert_array_equal(
        declared["total_energy_ratio"].values(o), o.total_energy / o.incident_energy
    )
    assert all(d.cannot_see and d.label and d.values(o).shape == (20,) for d in declared.values())


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
