"""What a family of generators cannot do is said in one sentence, before anything is trained."""

from __future__ import annotations

import pytest
from tiny_surrogate import TINY

from simulacra.data import write_showers
from simulacra.errors import ConfigError, RangeError, ShapeError, SimulacraError, UnknownNameError
from simulacra.generative import (
    CascadeConfig,
    LikenessGanConfig,
    PointCascadeConfig,
    ShowerLayout,
    initialised,
    shower_model,
)
from simulacra.tasks.calorimeter import Surrogate
from simulacra.tasks.calorimeter.contest import Contest, Entry

LAYOUTS = {
    "unequal": ShowerLayout(rings=((3, 1), (4, 6), (2, 6)), threshold=1.0),
    "sectors of two kinds": ShowerLayout(rings=((3, 4), (2, 6)), threshold=1.0),
    "undivided": ShowerLayout(rings=((4, 1), (3, 1)), threshold=1.0),
    "cells": ShowerLayout(rings=(), cells=((4, 4), (2, 6)), threshold=1.0),
    "one voxel": ShowerLayout(rings=((1, 1),), threshold=1.0),
    "rows of 12": ShowerLayout(rings=(), cells=((3, 4), (3, 4)), threshold=1.0),
}


def _cascade(layout, family, **more):
    small = {"channels": 4, "blocks": 1, "width": 4, "energy_width": 4, "energy_blocks": 1}
    shape = {"family": family}
    if family == "layerwise":
        shape["layer"] = {"family": "flow_matching"}
    return CascadeConfig.from_dict(
        {**small, "shape": shape, "equivariant": not layout.cells, **more}
    )


RINGS = ("flow_matching", "diffusion", "mean_flow", "variational", "wasserstein_gan")
CANNOT = [
    *(("sectors of two kinds", family, r"got \[4, 6\]; the family auto") for family in RINGS),
    *(("undivided", family, "got none; the family autoregressive_flow") for family in RINGS),
    ("sectors of two kinds", "coupling_flow", r"coupling flow: .* one common .*got \[4, 6\]"),
    ("sectors of two kinds", "vector_quantised", r"got \[4, 6\]; the family auto"),
    ("unequal", "layerwise", r"expected layers of one shape .*\(4, 6\)\]; choose another family"),
    ("cells", "layerwise", "found no rings; choose another family"),
    ("one voxel", "coupling_flow", "at least two numbers, found one, .* use autoregressive_flow"),
]


@pytest.mark.parametrize(("layout", "family", "words"), CANNOT)
def test_a_layout_that_a_family_cannot_do(layout, family, words):
    config = _cascade(LAYOUTS[layout], family)
    with pytest.raises(SimulacraError, match=words):
        initialised(lambda: shower_model(config, LAYOUTS[layout]), 0)


@pytest.mark.parametrize("layout", ["unequal", "sectors of two kinds", "undivided", "cells"])
def test_the_family_that_the_sentences_name_can(layout):
    config = _cascade(LAYOUTS[layout], "autoregressive_flow", energy={"family": "diffusion"})
    initialised(lambda: shower_model(config, LAYOUTS[layout]), 0)


@pytest.mark.parametrize(
    ("layout", "config", "words"),
    [
        ("cells", PointCascadeConfig(), "points lie on rings.* has none. Take a recipe of voxels"),
        ("unequal", LikenessGanConfig(), r"same number of voxels, found \[3, 12, 24\]"),
        ("rows of 12", LikenessGanConfig(), "multiple of 8 voxels, found 12. Set model.factors"),
        ("unequal", CascadeConfig(slab=2), "layers of one shape .* slabs of 2 divide"),
        ("cells", CascadeConfig(), "expected model.equivariant=false, as in the recipes"),
    ],
)
def test_a_layout_that_a_generator_of_showers_cannot_do(layout, config, words):
    with pytest.raises((ConfigError, ShapeError), match=words):
        initialised(lambda: shower_model(config, LAYOUTS[layout]), 0)


def _with(**model):
    return TINY.updated(model=TINY.model.updated(**model).to_dict())


@pytest.mark.parametrize(
    ("config", "events", "error", "words"),
    [
        (TINY, 40, RangeError, "at least one batch of 64 events, found 38.*use more data or"),
        (_with(copula="symmetric"), 1, RangeError, "at least one batch of 64 events, found 1 "),
        (
            _with(equivariant=False).updated(conditions=("theta",)),
            100,
            ConfigError,
            "depends on theta, which the file does not have; it has incident_energy",
        ),
        (
            _with(shape={"family": "mean_flow", "lesson": "end"}),
            100,
            ConfigError,
            "tiny: a student of this family needs a teacher, found none",
        ),
        (
            _with(energy={"family": "inverse_autoregressive_flow"}),
            100,
            ConfigError,
            r"needs a teacher, found none; set `teacher` .*--set teacher=MODEL",
        ),
        (
            _with(shape={"family": "mean_flow"}).updated(teacher="photonz"),
            100,
            UnknownNameError,
            "no model .*'photonz'. Did you mean `photons`",
        ),
    ],
    ids=["little data", "one shower", "condition", "student", "its flow", "unknown teacher"],
)
def test_data_and_teachers_that_do_not_fit(config, events, error, words, toy_showers):
    with pytest.raises(error, match=words):
        Surrogate(config).fit(toy_showers.select(slice(0, events)), seed=1)


def test_a_contest_keeps_the_sentence(toy_showers, tmp_path):
    write_showers(tmp_path / "train.hdf5", toy_showers.select(slice(0, 40)))
    write_showers(tmp_path / "test.hdf5", toy_showers.select(slice(40, 80)))
    contest = Contest(
        tmp_path / "out", tmp_path / "train.hdf5", tmp_path / "test.hdf5", minutes=1, threads=1
    )
    wanting = _with(equivariant=False).updated(conditions=("theta",), name="angles")
    student = TINY.updated(name="student", teacher="nobody")
    found = {
        config.name: contest.run(Entry(config, 0), lambda _: None)["failure"]
        for config in (TINY, wanting, student)
    }
    assert "use more data or a smaller training.batch_size" in found["tiny"]
    assert "depends on theta, which the file does not have" in found["angles"]
    assert "learns from nobody, which has no part in this contest" in found["student"]
