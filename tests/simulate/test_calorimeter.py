"""A calorimeter's configuration: what it says, and what it refuses."""

from __future__ import annotations

import pytest
from small_calorimeter import small_setup

from simulacra.data import geometry
from simulacra.errors import ConfigError, RangeError, UnknownFieldError, UnknownNameError
from simulacra.simulate import PRESETS, Setup, preset

YAML = """
calorimeter:
  name: mine
  width: 600            # mm, side of the plates
  stacks:
    - repeat: 30
      slabs:
        - {material: G4_Pb, thickness: 2}
        - {material: G4_POLYSTYRENE, thickness: 4, active: true}
  readout:
    kind: rings
    repeat: 15
    layers:
      - {depth: 12, r_edges: [0, 5, 10, 20, 40, 80, 160, 300], n_alpha: 8}
physics:
  production_cut: 0.7   # mm
beam:
  particles: [gamma]
  energy: [1000, 64000] # MeV
  theta: [0, 0.35]      # rad
"""


def test_twenty_lines_of_yaml_are_a_calorimeter(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(YAML)
    setup = Setup.from_yaml(path)
    setup.refuse_nonsense()
    assert len(YAML.strip().splitlines()) == 19
    assert len(setup.calorimeter.slabs) == 60
    assert setup.calorimeter.depth == 180.0
    where = setup.calorimeter.geometry("gamma", 22)
    assert where.shape == (15, 8, 7)
    assert (where.layers[1].z_min, where.layers[1].z_max) == (12.0, 24.0)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_whole_and_survives_yaml(name, tmp_path):
    setup = preset(name)
    setup.refuse_nonsense()
    path = tmp_path / "preset.yaml"
    path.write_text(setup.to_yaml())
    assert Setup.from_yaml(path) == setup
    assert setup.calorimeter.name == name
    assert setup.calorimeter.layer_edges[-1] == pytest.approx(setup.calorimeter.depth)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("pbwo4-lar", [1 * 8, 10 * 16, 10 * 19, 5, 5]),
        ("pbwo4-lar-cylinder", [16 * 9] * 45),
        ("par04-siw", [16 * 9] * 45),
        ("calogan", [3 * 96, 12 * 12, 12 * 6]),
        ("ams02-ecal", [72] * 18),
    ],
)
def test_presets_have_the_voxels_of_their_models(name, shape):
    from simulacra.simulate.voxels import Voxels

    assert [a * b for a, b in Voxels.of(preset(name).calorimeter).shapes] == shape


def test_hadronic_presets_are_read_in_533_voxels():
    where = preset("fe-hadron").calorimeter.geometry()
    assert where.digest == geometry("calochallenge-1-pions").digest
    assert where.layers[-1].z_max == 70 * 25.0


def test_views_of_the_ams_calorimeter_alternate_every_two_layers():
    cells = [(layer.n_x, layer.n_y) for layer in preset("ams02-ecal").calorimeter.layers]
    assert cells == [(72, 1), (72, 1), (1, 72), (1, 72)] * 4 + [(72, 1)] * 2


def test_an_unknown_preset_has_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean `pbwo4-lar`"):
        preset("pbwo4-lr")


def _changed(**calorimeter) -> Setup:
    setup = small_setup()
    return setup.updated(calorimeter={**setup.calorimeter.to_dict(), **calorimeter})


@pytest.mark.parametrize(
    ("readout", "told"),
    [
        ({"repeat": 4}, "64 mm deep, the stack only 44"),
        ({"layers": [{"depth": 1.0, "r_edges": [0, 10, 250, 300]}]}, "begins at 250 mm"),
    ],
)
def test_voxels_that_miss_the_calorimeter_are_refused(readout, told):
    layers = [{"depth": 16.0, "r_edges": [0.0, 10.0]}]
    base = {"kind": "rings", "layers": layers, "repeat": 3, **readout}
    with pytest.raises(RangeError, match=f"voxels miss the calorimeter.*{told}") as found:
        _changed(readout=base, stacks=[_stack(4.0)]).refuse_nonsense()
    assert "make `width` larger" in str(found.value) or "give depths" in str(found.value)


def _stack(thickness: float) -> dict:
    return {"slabs": [{"material": "G4_Pb", "thickness": thickness, "active": True}], "repeat": 11}


def test_a_grid_wider_than_the_plates_is_refused():
    grid = {"kind": "grid", "layers": [{"depth": 16.0, "n_x": 3}], "width": 301.0}
    with pytest.raises(RangeError, match="301 mm wide"):
        _changed(readout=grid).refuse_nonsense()


def test_nothing_to_read_is_refused():
    stack = {"slabs": [{"material": "G4_Pb", "thickness": 50.0}]}
    with pytest.raises(RangeError, match="no slab is active"):
        _changed(stacks=[stack]).refuse_nonsense()
    setup = _changed(stacks=[stack])
    readout = {**setup.calorimeter.readout.to_dict(), "deposits": "all"}
    _changed(stacks=[stack], readout=readout).refuse_nonsense()


def test_depths_are_one_per_layer_or_one_for_all():
    readout = {"kind": "geometry", "geometry": "calochallenge-1-photons", "depths": [1.0, 2.0]}
    with pytest.raises(RangeError, match="expected 5 numbers"):
        _changed(readout=readout).refuse_nonsense()
    _changed(readout={**readout, "depths": [9.6]}, width=3000.0).refuse_nonsense()


def test_hadrons_need_hadronic_physics():
    setup = small_setup()
    pions = setup.updated(beam={**setup.beam.to_dict(), "particles": ["gamma", "pi+"]})
    with pytest.raises(ConfigError, match=r"pi.* needs hadronic physics.*FTFP_BERT"):
        pions.refuse_nonsense()
    pions.updated(physics={"hadronic": "FTFP_BERT"}).refuse_nonsense()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"physics": {"hadronic": "FTFP"}}, ConfigError, "FTFP_BERT"),
        ({"physics": {"cut": 1.0}}, UnknownFieldError, "has no field `cut`"),
        ({"physics": {"production_cut": 0.0}}, ConfigError, "greater than 0"),
    ],
)
def test_wrong_settings_are_named(change, error, told):
    with pytest.raises(error, match=told):
        small_setup().updated(**change)
