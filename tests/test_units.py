"""Units: MeV and mm are 1, and an energy is read as a person writes it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulacra import units
from simulacra.errors import UnitError
from simulacra.units import parse_energy


def test_the_internal_units_are_one() -> None:
    assert units.MeV == units.mm == units.ns == units.rad == 1.0


def test_factors_fit_each_other() -> None:
    assert units.TeV / units.GeV == units.GeV / units.MeV == 1000
    assert units.MeV / units.keV == pytest.approx(1000, rel=1e-15)
    assert units.keV / units.eV == pytest.approx(1000, rel=1e-15)
    assert units.m / units.cm == 100
    assert 180 * units.degree == pytest.approx(math.pi, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "mev"),
    [
        ("512", 512.0),
        ("2GeV", 2000.0),
        (" 2.5 GeV ", 2500.0),
        ("4.194304TeV", 4194304.0),
        ("1e3MeV", 1000.0),
        (".5MeV", 0.5),
        ("10keV", 0.01),
        ("250eV", 2.5e-4),
        ("-1", -1.0),
    ],
)
def test_an_energy_is_read_in_mev(text: str, mev: float) -> None:
    assert parse_energy(text) == pytest.approx(mev, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "GeV", "2 gev", "2GEV", "2 J", "two GeV", "1:2", "nan", "inf", "1e", "2GeV3"]
)
def test_anything_else_is_refused_with_the_known_units(text: str) -> None:
    with pytest.raises(UnitError, match="eV, keV, MeV, GeV, TeV"):
        parse_energy(text)


@given(st.floats(min_value=1e-6, max_value=1e9), st.sampled_from(["keV", "MeV", "GeV"]))
def test_writing_and_reading_is_the_identity(value: float, unit: str) -> None:
    assert parse_energy(f"{value!r}{unit}") == value * getattr(units, unit)
