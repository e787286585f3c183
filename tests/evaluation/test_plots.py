"""Pictures show the verdict's numbers, leave matplotlib as it was, and bear odd input."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from synthetic_verdicts import toy_verdict

from simulacra.data import Geometry
from simulacra.errors import RangeError
from simulacra.evaluation import plots
from simulacra.evaluation.verdict import Histogram, MeanImage

VERDICT = toy_verdict()
GEOMETRY = Geometry.from_dict(dict(VERDICT.geometry))
HISTOGRAM = Histogram(
    name="e/0", label="$E_0$", unit="MeV", layer=0, edges=(0.0, 1.0, 2.0, 3.0),
    reference=(0.5, 0.25, 0.0), reference_error=(0.05, 0.05, 0.0),
    generated=(0.5, 0.5, 0.1), generated_error=(0.05, 0.1, 0.1),
    reference_outside=(0.0, 0.0), generated_outside=(0.0, 0.0), log_x=False, log_y=False,
    separation=None, cannot_see="",
)  # fmt: skip


def stairs(axis, colour):
    """The step lines of one colour as arrays of values."""
    want = matplotlib.colors.to_rgba(colour)
    found = [p.get_data() for p in axis.patches if isinstance(p, matplotlib.patches.StepPatch)]
    colours = [p.get_edgecolor() for p in axis.patches]
    filled = [p.get_fill() for p in axis.patches]
    return [
        np.asarray(data.values)
        for data, edge, fill in zip(found, colours, filled, strict=True)
        if edge == want and not fill
    ]


def test_steps_and_ratio_are_the_verdicts_numbers():
    figure = plots.observable([HISTOGRAM], ["mine"])
    above, below = figure.axes
    assert any(np.array_equal(v, HISTOGRAM.generated) for v in stairs(above, plots.COLOURS[0]))
    # 0.5 / 0.5, 0.5 / 0.25, and nothing where the reference is empty
    assert np.array_equal(stairs(below, plots.COLOURS[0])[0], [1.0, 2.0, math.nan], equal_nan=True)


def test_ratio_band_of_the_reference_is_its_relative_error():
    below = plots.observable([HISTOGRAM], ["mine"]).axes[1]
    band = below.patches[0].get_data()
    assert np.allclose(band.values[:2], [1.1, 1.2])  # 1 + 0.05 / 0.5, 1 + 0.05 / 0.25
    assert np.allclose(band.baseline[:2], [0.9, 0.8])


def test_a_ratio_outside_the_panel_is_marked():
    below = plots.observable([HISTOGRAM], ["mine"]).axes[1]
    marks = [line for line in below.lines if line.get_marker() == "^"]
    assert len(marks) == 1
    assert list(marks[0].get_xdata()) == [1.5]  # the second bin, where the ratio is 2


def test_axes_carry_units():
    above, below = plots.observable([HISTOGRAM], ["mine"]).axes
    assert below.get_xlabel() == "$E_0$ [MeV]"
    assert above.get_ylabel() == "density [1/MeV]"
    figure = plots.mean_image(VERDICT.images[0], "mine")
    assert "[mm]" in figure.axes[0].get_xlabel()
    assert "[mm]" in figure.axes[0].get_ylabel()


def test_different_bins_are_not_drawn_over_each_other():
    other = replace(HISTOGRAM, edges=(0.0, 1.0, 2.0, 4.0))
    with pytest.raises(RangeError, match="expected the bins"):
        plots.observable([HISTOGRAM, other], ["a", "b"])
    with pytest.raises(RangeError, match="at least one"):
        plots.observable([], [])


def test_reference_and_generated_share_their_colour_scale():
    image = MeanImage(0, (0.0, 1.0, 2.0), 2, ((1.0, 2.0), (3.0, 0.0)), ((9.0, 1.0), (0.5, 0.0)))
    first, second, third = (axis.collections[0] for axis in plots.mean_image(image, "g").axes[:3])
    assert (first.norm.vmin, first.norm.vmax) == (second.norm.vmin, second.norm.vmax) == (0.5, 9.0)
    assert third.norm.vmin == -third.norm.vmax == -8.0  # generated - reference = 9 - 1


def test_a_voxel_is_drawn_where_it_lies():
    # one voxel filled: second sector of four (from -pi/2 to 0), outer ring (1 to 2 mm)
    empty = (0.0, 0.0)
    image = MeanImage(0, (0.0, 1.0, 2.0), 4, (empty, (0.0, 5.0), empty, empty), (empty,) * 4)
    mesh = plots.mean_image(image, "g").axes[0].collections[0]
    corners = mesh.get_coordinates()
    filled = np.argwhere(np.asarray(mesh.get_array()).reshape(len(corners) - 1, -1) == 5.0)
    places = np.array([corners[i : i + 2, j : j + 2].mean(axis=(0, 1)) for i, j in filled])
    assert (places[:, 0] > 0).all()
    assert (places[:, 1] < 0).all()
    assert np.allclose(np.hypot(*places.T), 1.5, atol=0.01)


def test_radii_are_true_unless_rings_widen():
    assert not plots.compressed(GEOMETRY.layers[0].r_edges[:3])
    assert plots.compressed(GEOMETRY.layers[1].r_edges)
    edges = GEOMETRY.layers[1].r_edges
    figure = plots.mean_image(VERDICT.images[1], "g")
    drawn = figure.axes[0].collections[0].get_coordinates()
    radii = np.hypot(drawn[0, :, 0], drawn[0, :, 1])
    assert np.allclose(np.sinh(radii) * edges[1], edges)  # r = core sinh(drawn)
    ticks = dict(
        zip(
            (label.get_text() for label in figure.axes[0].get_xticklabels()),
            figure.axes[0].get_xticks(),
            strict=True,
        )
    )
    assert np.sinh(ticks["100"]) * edges[1] == pytest.approx(100.0)


@pytest.mark.parametrize("fill", [0.0, 1e-30, 1e12])
def test_uniform_and_empty_images_are_drawn(fill):
    rows = ((fill, fill), (fill, fill))
    picture = plots.png(plots.mean_image(MeanImage(0, (0.0, 1.0, 2.0), 2, rows, rows), "g"))
    assert picture.startswith(b"\x89PNG")


def test_examples_use_one_scale_and_say_their_energies():
    figure = plots.example_shower(VERDICT.examples[0], GEOMETRY, [0, 2], "mine")
    meshes = [c for axis in figure.axes[:4] for c in axis.collections]
    assert len({(m.norm.vmin, m.norm.vmax) for m in meshes}) == 1
    assert "GeV" in figure.axes[0].get_ylabel()
    assert "mine" in figure.axes[2].get_ylabel()


def test_separations_stand_at_their_values():
    score = HISTOGRAM_SCORE
    figure = plots.separations([[score], [None]], ["mine"])
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in points] == [score.value]
    with pytest.raises(RangeError):
        plots.separations([[None]], ["mine"])


HISTOGRAM_SCORE = next(h.separation for h in VERDICT.histograms if h.separation)


def test_odd_numbers_do_not_stop_a_picture():
    broken = replace(HISTOGRAM, generated=(math.nan,) * 3, log_y=True)
    assert plots.png(plots.observable([broken], ["x"]), palette=True)
    empty = replace(HISTOGRAM, reference=(0.0,) * 3, generated=(0.0,) * 3, log_y=True, log_x=True)
    assert plots.png(plots.observable([empty], ["x"]))
    nan_score = replace(HISTOGRAM_SCORE, value=math.nan, error=math.nan, floor=None)
    assert plots.svg(plots.separations([[nan_score]], ["x"]))


@pytest.mark.parametrize("label", ["a$b", "$\\frac{1$", "_hidden", "$\\nonsense{x}$", "<script>"])
def test_names_are_not_mathematics_and_bad_mathematics_is_a_name(label):
    figure = plots.observable([replace(HISTOGRAM, label=label)], [label])
    assert plots.png(figure)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 2


def test_curves_need_data():
    with pytest.raises(RangeError):
        plots.roc([], [])
    with pytest.raises(RangeError):
        plots.training_curves([("epoch", [1, 2])])
    assert len(plots.roc(VERDICT.curves, ["a", "b"]).axes[0].lines) == 3


def test_matplotlib_is_left_as_it_was():
    from matplotlib import pyplot

    pyplot.rcParams["axes.labelsize"] = 31.0  # a user's own setting
    before = dict(matplotlib.rcParams)
    try:
        first = plots.svg(plots.observable(VERDICT.histograms[:1], ["a"]))
        assert dict(matplotlib.rcParams) == before
        assert pyplot.get_fignums() == []
    finally:
        matplotlib.rcdefaults()
    assert plots.svg(plots.observable(VERDICT.histograms[:1], ["a"])) == first


def test_pictures_do_not_ask_for_packages_that_are_not_declared(monkeypatch):
    """A core install has no scipy; mplhep would warn, once per histogram, that it wants it."""
    monkeypatch.setitem(sys.modules, "mplhep.error_estimation", None)
    plots.observable([HISTOGRAM], ["mine"])
