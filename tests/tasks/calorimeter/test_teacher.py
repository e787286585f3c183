"""Students of whole surrogates."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_surrogate import TINY

from simulacra.errors import ConfigError, UnknownNameError
from simulacra.tasks.calorimeter import Surrogate


@pytest.fixture
def taught(tiny, tmp_path):
    """Return settings of a one-step student, and the teacher."""
    folder = tiny.save(tmp_path / "teacher")
    model = TINY.model.updated(shape={"family": "mean_flow", "lesson": "end"})
    return TINY.updated(teacher=str(folder), model=model.to_dict())


def test_a_student_is_trained_saved_and_names_its_teacher(taught, tiny, toy_showers, tmp_path):
    student = Surrogate(taught).fit(toy_showers, seed=5)
    student.save(tmp_path / "student")
    loaded = Surrogate.load(tmp_path / "student")
    assert loaded.manifest["teacher"] == tiny.manifest["digest"]
    energies = np.full(50, 2000.0)
    one, two = (surrogate.sample(energies, seed=1) for surrogate in (student, loaded))
    np.testing.assert_array_equal(one.energies, two.energies)
    # the layer energies come from a copy of the teacher's generator that was trained further
    assert student.sample(energies, seed=1).energies.sum() == pytest.approx(
        tiny.sample(energies, seed=1).energies.sum(), rel=0.1
    )


def test_a_teacher_must_exist_and_fit(taught, toy_showers):
    with pytest.raises(UnknownNameError):
        Surrogate(taught.updated(teacher="nobody")).fit(toy_showers)
    with pytest.raises(ConfigError, match="same detector"):
        Surrogate(taught.updated(teacher="photons")).fit(toy_showers)


def test_a_student_of_stored_lessons_makes_the_teachers_showers(tiny, toy_showers, tmp_path):
    """It learns a map that is known: from noise to the teacher's shower of that noise."""
    part = {"family": "mean_flow", "lesson": "end"}
    model = TINY.model.updated(shape=part, energy=part)
    folder = str(tiny.save(tmp_path / "teacher"))
    training = TINY.training.updated(epochs=20)
    config = TINY.updated(
        teacher=folder, lessons=2, model=model.to_dict(), training=training.to_dict()
    )
    student = Surrogate(config).fit(toy_showers, seed=5)
    assert student.history[-1]["training_loss"] < 0.5 * student.history[0]["training_loss"]
    energies = np.full(200, 2000.0)
    ours, truth = (s.sample(energies, seed=1).energies.sum(axis=1) for s in (student, tiny))
    assert np.corrcoef(ours, truth)[0, 1] > 0.9
    with pytest.raises(ConfigError, match="lessons"):
        TINY.updated(lessons=1)
