"""Errors: each is one of ours and of Python's own kind, and names come with a suggestion."""

from __future__ import annotations

import pytest

from simulacra import errors
from simulacra.errors import SimulacraError, UnknownFieldError, UnknownNameError, suggestion

EVERY = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", EVERY)
def test_one_except_clause_catches_everything(kind: type[Exception]) -> None:
    assert issubclass(kind, SimulacraError)
    assert kind.__doc__


def test_an_unknown_name_lists_what_is_known_and_what_was_meant() -> None:
    text = str(UnknownNameError("recipe", "photonz", ["photons", "electrons"]))
    assert text == (
        "there is no recipe 'photonz'. Did you mean `photons`? Known: electrons, photons."
    )


def test_an_unknown_field_names_its_owner() -> None:
    text = str(UnknownFieldError("TrainConfig", "bach_size", ["seed", "batch_size"]))
    assert text == (
        "`TrainConfig` has no field `bach_size`. Did you mean `batch_size`? "
        "It has: batch_size, seed."
    )


def test_nothing_is_suggested_for_a_name_like_no_other() -> None:
    assert suggestion("xyzzy", ["photons"]) == ""


def test_errors_are_also_what_python_users_catch() -> None:
    assert issubclass(errors.RangeError, ValueError)
    assert issubclass(errors.OutputError, OSError)
    assert issubclass(errors.UnknownNameError, LookupError)
    assert issubclass(errors.UnknownFieldError, errors.ConfigError)
