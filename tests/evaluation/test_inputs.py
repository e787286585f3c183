"""Classifier inputs against slow twins; bits that do not depend on the pieces; refusals."""

import math

import numpy as np
import pytest

from simulacra.data import geometry
from simulacra.errors import RangeError, UnknownNameError
from simulacra.evaluation.observables.inputs import INPUTS, image_shape, input_features


def slow_inputs(kind, showers, threshold):
    """One shower and one voxel at a time, straight from the definitions, in double precision."""
    found = []
    for energies, incident in zip(showers.energies.tolist(), showers.incident_energy, strict=True):
        kept = [e if e >= threshold else 0.0 for e in energies]
        layers = [kept[s] for s in showers.geometry.slices]
        sums = [math.fsum(layer) for layer in layers]
        shares = [e / (s + 1e-16) for layer, s in zip(layers, sums, strict=True) for e in layer]
        incident = float(incident)
        if kind.startswith("calogan"):
            voxels = shares if kind == "calogan_normed" else [e / 1e5 for e in kept]
            logs = [math.log10(s / 1e5 + 1e-8) + 2 for s in sums]
            found.append([math.log10(incident / 1e4), *voxels, *logs])
        elif kind == "low_level_normed":
            found.append([math.log10(incident), *shares, *(math.log10(s + 1e-8) for s in sums)])
        else:
            found.append([math.log10(incident), *(e / incident for e in kept)])
    return np.array(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", INPUTS)
def test_inputs_are_those_of_the_slow_twin(toy, kind, dtype):
    showers = toy(30, dtype=dtype)
    for threshold in (0.0, 50.0):
        inputs = INPUTS[kind](showers, threshold=threshold)
        assert inputs.dtype == np.float32
        np.testing.assert_allclose(
            inputs, slow_inputs(kind, showers, threshold), rtol=2e-6, atol=1e-7
        )
    assert inputs.shape[1] == input_features(kind, showers.geometry)


@pytest.mark.parametrize("kind", INPUTS)
def test_pieces_change_no_bit(toy, photons, kind):
    showers = toy(40, detector=photons)
    whole = INPUTS[kind](showers, threshold=1.0)
    for step in (1, 7):
        pieces = [
            INPUTS[kind](showers.select(slice(start, start + step)), threshold=1.0)
            for start in range(0, 40, step)
        ]
        assert np.concatenate(pieces).tobytes() == whole.tobytes()


@pytest.mark.parametrize("kind", ["low_level_normed", "calogan_normed"])
def test_a_layer_is_normalised_after_the_cut(toy, kind):
    """The challenge's program divides uncut voxels by the cut sum: shares above 1, up to 1e16."""
    showers = toy(200)
    threshold = float(np.median(showers.energies[showers.energies > 0]))
    inputs = INPUTS[kind](showers, threshold=threshold)
    for part in showers.geometry.slices:
        shares = inputs[:, 1 + part.start : 1 + part.stop].sum(axis=1)
        assert np.isclose(shares, 1, rtol=1e-5)[shares > 0].all()
        below = showers.energies[:, part].max(axis=1) < threshold
        assert below.any()
        assert (shares[below] == 0).all()


@pytest.mark.parametrize(
    ("name", "plain", "normed", "high"),
    [("1-photons", 369, 374, 30), ("1-pions", 534, 541, 46), ("2", 6481, 6526, 362)],
)
def test_numbers_of_features(name, plain, normed, high):
    detector = geometry(f"calochallenge-{name}")
    assert input_features("low_level", detector) == plain
    assert input_features("low_level_normed", detector) == normed
    assert input_features("high_level", detector) == high


def test_an_irregular_geometry_is_no_image(photons):
    assert image_shape("low_level", photons) is None
    assert image_shape("resnet", geometry("calochallenge-3")) == (45, 50, 18)
    with pytest.raises(RangeError, match="irregular"):
        image_shape("resnet", photons)
    with pytest.raises(UnknownNameError, match="low_level"):
        input_features("lowlevel", photons)
