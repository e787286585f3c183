from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from simulacra.data import Geometry, Layer, geometries, geometry, toy_geometry
from simulacra.errors import FileFormatError, RangeError, UnknownNameError

EXPECTED = {
    "calochallenge-1-photons": (368, [0, 8, 168, 358, 363, 368]),
    "calochallenge-1-pions": (533, [0, 8, 108, 208, 213, 363, 523, 533]),
    "calochallenge-2": (6480, [144 * k for k in range(46)]),
    "calochallenge-3": (40500, [900 * k for k in range(46)]),
}

XML = """<Bins>
  <Bin pid="22" etaMin="0" etaMax="130" name="photon">
    <Layer id="0" r_edges="0,5,10" n_bin_alpha="1"/>
    <Layer id="1" r_edges="0" n_bin_alpha="0"/>
    <Layer id="2" r_edges="0,2,4,8" n_bin_alpha="3"/>
  </Bin>
  <Bin pid="211" etaMin="0" etaMax="130" name="pion"><Layer id="0" r_edges="0,1"/></Bin>
</Bins>"""


@pytest.mark.parametrize("name", EXPECTED)
def test_built_in_geometries_have_the_published_voxels(name):
    voxels, boundaries = EXPECTED[name]
    found = geometry(name)
    assert found.voxels == voxels
    assert found.boundaries.tolist() == boundaries
    for array in (found.radius, found.alpha, found.eta, found.phi, found.layer_index):
        assert array.shape == (voxels,)
    assert found.regular is name.endswith(("2", "3"))


def test_names_are_complete():
    assert {known.name for known in geometries() if not known.rectangular} == set(EXPECTED)


def test_the_cylinder_of_data_set_2():
    found = geometry("calochallenge-2")
    assert found.shape == (45, 16, 9)
    assert found.layers[0].r_edges[-1] == pytest.approx(41.85)
    assert found.layers[44].z_max == pytest.approx(153.0)
    assert found.threshold == pytest.approx(0.0151515, rel=1e-5)


def test_radius_runs_fastest_then_alpha_then_layer():
    small = toy_geometry(2, 4, 3, width=2.0)
    assert small.radius[:4].tolist() == [1.0, 3.0, 5.0, 1.0]
    np.testing.assert_allclose(small.alpha[[0, 2, 3]], [-0.75 * np.pi, -0.75 * np.pi, -np.pi / 4])
    assert small.layer_index.tolist() == [0] * 12 + [1] * 12
    np.testing.assert_allclose(small.eta[0], np.cos(-0.75 * np.pi))
    np.testing.assert_allclose(small.phi[0], np.sin(-0.75 * np.pi))
    assert small.z_centres.tolist() == [10.0, 30.0]


def test_slices_cover_each_voxel_once():
    for known in geometries():
        covered = np.zeros(known.voxels, int)
        for position, part in enumerate(known.slices):
            covered[part] += 1
            assert (known.layer_index[part] == position).all()
        assert (covered == 1).all()


def test_xml_with_two_particles(tmp_path):
    path = tmp_path / "binning.xml"
    path.write_text(XML)
    found = Geometry.from_xml(path, particle="photon", threshold=2.0)
    assert found.boundaries.tolist() == [0, 2, 11]
    assert [layer.identity for layer in found.layers] == [0, 2]
    assert (found.pdg, found.threshold, found.name) == (22, 2.0, "binning")
    with pytest.raises(FileFormatError, match="photon, pion"):
        geometry(path)


def test_xml_of_a_known_detector_is_that_detector(tmp_path):
    layers = "".join(
        f'<Layer id="{layer.identity}" n_bin_alpha="{layer.n_alpha}" '
        f'r_edges="{",".join(map(str, layer.r_edges))}"/>'
        for layer in geometry("calochallenge-1-pions").layers
    )
    path = tmp_path / "any.xml"
    path.write_text(f'<Bins><Bin pid="211" name="pion">{layers}</Bin></Bins>')
    assert geometry(path) is geometry("calochallenge-1-pions")


@pytest.mark.parametrize(
    "text",
    [
        "not xml",
        "<Bins/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><Bins><Bin name="x"><Layer id="0"/></Bin></Bins>',
        '<Bins><Bin name="x"><Layer id="zero" r_edges="0,1"/></Bin></Bins>',
        '<Bins><Bin name="x"><Layer id="0" r_edges="0,one"/></Bin></Bins>',
        '<Bins><Bin name="x"><Layer id="0" r_edges="0"/></Bin></Bins>',
    ],
)
def test_xml_that_describes_no_detector(tmp_path, text):
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(FileFormatError):
        geometry(tmp_path / "bad.xml")


def test_xml_that_is_not_there(tmp_path):
    with pytest.raises(FileFormatError, match="cannot read"):
        geometry(tmp_path / "missing.xml")


def test_plain_data_rebuilds_a_geometry():
    for known in (*geometries(), toy_geometry()):
        assert Geometry.from_dict(json.loads(json.dumps(known.to_dict()))) == known
        assert pickle.loads(pickle.dumps(known)) == known
        assert hash(Geometry.from_dict(known.to_dict())) == hash(known)
    with pytest.raises(FileFormatError):
        Geometry.from_dict({"name": "x"})


def test_geometries_differ_by_depth_but_not_in_digest():
    one = toy_geometry()
    other = one.with_depths([0, 1, 2], [1, 2, 3])
    assert one != other
    assert one.digest == other.digest
    assert one.digest != toy_geometry(4).digest
    assert one != "toy"


@pytest.mark.parametrize(
    ("z_min", "z_max"), [([0], [1]), ([0, 1, 2], [1, 2, 2]), ([0, 1, float("nan")], [1, 2, 3])]
)
def test_depths_that_make_no_sense(z_min, z_max):
    with pytest.raises(FileFormatError):
        toy_geometry().with_depths(z_min, z_max)


@pytest.mark.parametrize(
    "layer", [{"r_edges": (0.0,)}, {"r_edges": (0.0, 2.0, 1.0)}, {"n_alpha": 0}]
)
def test_layers_that_make_no_sense(layer):
    with pytest.raises(RangeError):
        replace(Layer(identity=0, r_edges=(0.0, 1.0), n_alpha=1), **layer)


def test_names_are_suggested_and_irregular_shapes_refused():
    with pytest.raises(UnknownNameError, match="Did you mean `calochallenge-2`"):
        geometry("calochallenge2")
    with pytest.raises(RangeError, match="irregular"):
        _ = geometry("calochallenge-1-photons").shape
