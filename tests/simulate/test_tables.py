"""Geant4's tables: which are taken, what is refused, and what rendered ones say."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from simulacra.errors import ConfigError, DependencyError
from simulacra.simulate import find_tables
from simulacra.simulate.nuclear import (
    mass_number,
    neutron_sections,
    photonuclear_section,
    render_nuclear,
)
from simulacra.simulate.rendering import ElementData, element_data, render_element
from simulacra.simulate.tables import cache_folder, provide_elements

needs_pypenred = pytest.mark.skipif(
    find_spec("pyPenred") is None, reason="pypenred is not installed (extra geant4)"
)
NEEDED = ("G4EMLOW8.8", "G4PARTICLEXS4.2", "G4ENSDFSTATE3.0")


@pytest.fixture
def official(tmp_path: Path) -> Path:
    for name in (*NEEDED, "G4EMLOW8.6", "PhotonEvaporation6.1.2"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def _environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"SIMULACRA_CACHE": str(tmp_path / "cache"), **more}


def test_a_given_folder_is_taken_in_its_newest_versions(official):
    tables = find_tables(official, {})
    assert tables.kind == "official"
    assert tables.environment["G4LEDATA"] == str(official / "G4EMLOW8.8")
    assert "G4EMLOW8.8" in tables.label
    assert str(official) not in tables.label
    assert all(Path(folder).is_dir() for _, folder in tables.folders)


def test_the_environment_is_asked_next(official, tmp_path):
    by_folder = find_tables(None, _environment(tmp_path, GEANT4_DATA_DIR=str(official)))
    assert by_folder == find_tables(official, {})
    single = {
        "G4LEDATA": str(official / "G4EMLOW8.6"),
        "G4PARTICLEXSDATA": str(official / NEEDED[1]),
        "G4ENSDFSTATEDATA": str(official / NEEDED[2]),
    }
    assert (
        find_tables(None, _environment(tmp_path, **single)).environment["G4LEDATA"].endswith("8.6")
    )


def test_an_incomplete_folder_names_what_it_lacks(official):
    (official / NEEDED[1]).rmdir()
    with pytest.raises(ConfigError, match=r"from --tables.*G4PARTICLEXS missing.*calzone download"):
        find_tables(official, {})


def test_official_tables_without_an_element_are_refused(official):
    tables = find_tables(official, {})
    with pytest.raises(ConfigError, match="missing for element 82 of material G4_Pb"):
        provide_elements(tables, {82: "G4_Pb"})
    (official / NEEDED[0] / "brem_SB").mkdir()
    (official / NEEDED[0] / "brem_SB" / "br82").touch()
    provide_elements(tables, {82: "G4_Pb"})


def test_without_either_the_error_says_how_to_get_one(monkeypatch, tmp_path):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(
        DependencyError, match=r"pip install 'simulacra\[geant4\]'.*calzone download"
    ):
        find_tables(None, _environment(tmp_path))


@needs_pypenred
def test_rendered_tables_serve_standard_physics_only(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    tables = find_tables(None, _environment(tmp_path))
    assert tables.kind == "rendered"
    assert find_tables("rendered", _environment(tmp_path)) == tables
    tables.refuse_physics("option2", "QGSP_BERT")
    with pytest.raises(ConfigError, match=r"tables are missing for 'option4'.*--tables"):
        tables.refuse_physics("option4", "none")
    with pytest.raises(ConfigError, match="'FTFP_BERT_HP', which follows slow neutrons"):
        tables.refuse_physics("standard", "FTFP_BERT_HP")


def test_official_tables_serve_every_list_that_they_hold(official):
    find_tables(official, {}).refuse_physics("option4", "FTFP_BERT")
    with pytest.raises(ConfigError, match="G4NDL"):
        find_tables(official, {}).refuse_physics("option4", "FTFP_BERT_HP")
    (official / "G4NDL4.7.1").mkdir()
    find_tables(official, {}).refuse_physics("option4", "FTFP_BERT_HP")


@needs_pypenred
def test_our_own_cache_is_not_mistaken_for_official_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    environment = _environment(tmp_path)
    tables = find_tables(None, environment)
    for _, folder in tables.folders:
        Path(folder).mkdir(parents=True)
    assert find_tables(None, {**environment, **dict(tables.folders)}).kind == "rendered"


def test_the_cache_is_where_systems_have_theirs(tmp_path):
    assert cache_folder({"SIMULACRA_CACHE": "a"}) == Path("a")
    assert cache_folder({"XDG_CACHE_HOME": "b"}) == Path("b/simulacra")
    assert cache_folder({}) == Path.home() / ".cache" / "simulacra"


def _invented(shells: int) -> ElementData:
    energy = np.geomspace(1e-4, 10.0, 60)
    by_shell = np.zeros((60, shells))
    for s in range(shells):
        by_shell[:, s] = np.where(energy > 0.02 / 4**s, energy**-3 / 2**s, 0.0)
    total = by_shell.sum(axis=1) if shells else energy**-3
    return ElementData(
        number=7,
        electron_energy=np.geomspace(1e-3, 1e4, 5),
        bremsstrahlung=np.ones((5, 32)),
        photon_energy=energy,
        photoelectric=total,
        shells=by_shell,
        rayleigh_energy=energy,
        rayleigh=energy**-2 * 1e-24,
    )


@pytest.mark.parametrize("shells", [0, 1, 3])
def test_what_is_rendered_reads_back_as_it_was(shells, tmp_path):
    data = _invented(shells)
    render_element(data, tmp_path)
    numbers = [float(word) for word in (tmp_path / "brem_SB" / "br7").read_text().split()]
    assert numbers[:3] == [0, 32, 5]
    assert np.allclose(numbers[35:40], np.log(data.electron_energy))
    assert len(numbers) == 3 + 32 + 5 + 5 * 32
    phot = tmp_path / "epics2017" / "phot"
    words = (phot / "pe-cs-7.dat").read_text().split()
    pairs = np.array(words[4:], float).reshape(-1, 2)
    assert len(pairs) == int(words[2]) == int(words[3])
    wanted = np.interp(pairs[:, 0], data.photon_energy, data.photoelectric)
    assert np.allclose(pairs[:, 1] / pairs[:, 0] ** 3, wanted, rtol=1e-4)
    rows = np.array((phot / "pe-high-7.dat").read_text().split()[3:], float).reshape(-1, 7)
    at_2 = sum(rows[-1, 1 + q] / 2.0 ** (q + 1) for q in range(6))
    assert at_2 == pytest.approx(2.0**-3 * (sum(2.0**-s for s in range(shells)) or 1), rel=0.01)
    assert (phot / "pe-ss-cs-7.dat").exists() == (shells > 1)
    rayleigh = np.array(
        (tmp_path / "epics2017" / "rayl" / "re-cs-7.dat").read_text().split()[4:], float
    )
    assert np.allclose(rayleigh[1::2], 1e-22, atol=0)  # sigma E^2 in mm^2 MeV^2


@needs_pypenred
@pytest.mark.reference
@pytest.mark.parametrize(
    ("number", "mass", "length"), [(18, 39.95, 19.55), (26, 55.85, 13.84), (82, 207.2, 6.37)]
)
def test_rendered_bremsstrahlung_has_the_known_radiation_length(number, mass, length):
    """Energy loss at 10 GeV against the radiation lengths (g/cm^2) of the Particle Data Group."""
    from simulacra.simulate.rendering import _REDUCED_PHOTON_ENERGIES as GRID

    data = element_data(number)
    assert data.electron_energy[-1] == pytest.approx(1e4)
    loss = np.trapezoid(data.bremsstrahlung[-1], GRID) * number**2 * 1e-27
    assert mass / (6.02214e23 * loss) == pytest.approx(length, rel=0.01)


@needs_pypenred
@pytest.mark.reference
def test_rendered_lead_absorbs_photons_as_known():
    """At 100 keV the photoelectric effect in lead is 5.23 cm^2/g (NIST XCOM)."""
    data = element_data(82)
    at = np.exp(np.interp(np.log(0.1), np.log(data.photon_energy), np.log(data.photoelectric)))
    assert at * 1e-24 * 6.02214e23 / 207.2 == pytest.approx(5.23, rel=0.03)


@needs_pypenred
@pytest.mark.reference
@pytest.mark.parametrize(
    ("number", "mass", "known"),
    [
        (82, 207.2, {0.2: 0.9985, 0.3: 0.4031, 0.5: 0.1614, 0.8: 0.08870, 1.0: 0.07102}),
        (74, 183.84, {0.2: 0.7844, 0.3: 0.3238, 0.5: 0.1378, 0.8: 0.08066, 1.0: 0.06618}),
    ],
)
def test_photons_are_attenuated_as_known(number, mass, known):
    """Totals in cm^2/g at energies in MeV (NIST, "X-ray mass attenuation coefficients").

    Compton scattering is Klein and Nishina's on free electrons, as nearly in Geant4.
    """
    data = element_data(number)
    at = np.log(list(known))
    photoelectric = np.exp(np.interp(at, np.log(data.photon_energy), np.log(data.photoelectric)))
    rayleigh = np.exp(np.interp(at, np.log(data.rayleigh_energy), np.log(data.rayleigh)))
    total = photoelectric * 1e-24 + rayleigh + number * _klein_nishina(np.exp(at))
    assert np.allclose(total * 6.02214e23 / mass, list(known.values()), rtol=0.007)


def _klein_nishina(energy):
    """Return the cross section per electron in cm^2, energies in MeV."""
    k = energy / 0.510999
    log = np.log(1 + 2 * k)
    first = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - log / k)
    return 2 * np.pi * 7.94079e-26 * (first + log / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2)


@needs_pypenred
def test_an_element_is_rendered_once(tmp_path, monkeypatch):
    from simulacra.simulate import tables as module

    monkeypatch.setenv("SIMULACRA_CACHE", str(tmp_path))
    made = []
    real = module.element_data
    monkeypatch.setattr(module, "element_data", lambda z: made.append(z) or real(z))
    chosen = find_tables("rendered")
    provide_elements(chosen, {1: "G4_WATER"})
    provide_elements(chosen, {1: "G4_WATER"})
    assert made == [1]
    assert (Path(chosen.environment["G4ENSDFSTATEDATA"]) / "ENSDFSTATE.dat").exists()
    assert (Path(chosen.environment["G4PARTICLEXSDATA"]) / "neutron" / "inel92").exists()


def test_nuclear_tables_are_there_for_every_element_or_not_at_all(tmp_path):
    render_nuclear(tmp_path / "xs")
    render_nuclear(tmp_path / "xs")
    assert len(list((tmp_path / "xs" / "gamma").iterdir())) == 94
    assert len(list((tmp_path / "xs" / "neutron").iterdir())) == 3 * 94
    words = (tmp_path / "xs" / "gamma" / "inel82").read_text().split()
    assert float(words[1]) == 130.0
    assert int(words[2]) == 261
    assert [path.name for path in tmp_path.iterdir()] == ["xs"]


def test_mass_numbers_are_those_of_stable_nuclei():
    for number, mass in {1: 1, 6: 12, 8: 16, 18: 40, 26: 56, 50: 119, 74: 184, 82: 207}.items():
        assert mass_number(number) == pytest.approx(mass, rel=0.05)


def test_nuclear_sections_have_the_known_size():
    """The dipole sum rule; absorption of 14 MeV neutrons in iron (1.37 b) and lead (2.5 b)."""
    energy = np.linspace(7.0, 40.0, 2000)
    millibarn = photonuclear_section(82, energy) / 1e-25
    assert np.trapezoid(millibarn, energy) == pytest.approx(1.2 * 60 * 82 * 125 / 207, rel=0.25)
    assert energy[millibarn.argmax()] == pytest.approx(13.6, abs=0.7)
    for number, barn in {26: 1.37, 82: 2.5}.items():
        inelastic = neutron_sections(number, np.array([14.0]))["inel"][0] / 1e-22
        assert inelastic == pytest.approx(barn, rel=0.2)
    assert neutron_sections(82, np.array([2.53e-8]))["cap"][0] / 1e-22 == pytest.approx(0.171)
