"""Pictures show the verdict's numbers, leave matplotlib as it was, and bear odd input."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from synthetic_verdicts import toy_verdict

from simulacra.data import Geometry
from simulacra.errors import RangeError
from simulacra.evaluation import plots
from simulacra.evaluation.plots import Point
from simulacra.evaluation.verdict import Histogram, Matrix, MeanImage, Profile

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


PROFILE = Profile(
    name="p", label="mean", unit="MeV", x_label="depth", x_unit="mm", edges=(0.0, 1.0, 2.0, 3.0),
    reference=(2.0, 4.0, math.nan), reference_error=(0.2, 0.2, math.nan),
    generated=(2.2, 4.0, 1.0), generated_error=(0.1, 0.1, 0.1), log_x=False, log_y=False,
    note="", cannot_see="",
)  # fmt: skip


def test_profiles_are_the_verdicts_numbers_with_errors_and_ratio():
    above, below = plots.profile([PROFILE], ["mine"]).axes
    assert any(np.array_equal(v, PROFILE.generated) for v in stairs(above, plots.COLOURS[0]))
    ratio = stairs(below, plots.COLOURS[0])[0]
    assert np.allclose(ratio, [1.1, 1.0, math.nan], equal_nan=True)
    assert below.get_xlabel() == "depth [mm]"
    assert above.get_title(loc="left") == "mean [MeV]"
    band = next(p for p in above.patches if p.get_fill() and p.get_alpha() == 0.3).get_data()
    assert np.allclose(band.values[:2], [2.2, 4.2])  # reference + 0.2
    assert np.allclose(band.baseline[:2], [1.8, 3.8])


@pytest.mark.parametrize(
    ("factor", "half"), [(1.001, 0.02), (1.03, 0.05), (1.15, 0.2), (1.3, 0.5), (9.0, 0.5)]
)
def test_the_panel_of_ratios_is_as_wide_as_it_must_be(factor, half):
    generated = tuple(factor * value for value in (2.0, 4.0, 1.0))
    below = plots.profile([replace(PROFILE, generated=generated)], ["x"]).axes[1]
    assert below.get_ylim() == pytest.approx((1 - half, 1 + half))
    marks = [line for line in below.lines if line.get_marker() == "^"]
    assert bool(marks) == (factor == 9.0)


def test_bins_outside_a_narrow_panel_of_ratios_are_marked():
    bins = 40
    many = replace(
        PROFILE, edges=tuple(map(float, range(bins + 1))), reference=(1.0,) * bins,
        reference_error=(0.01,) * bins, generated=(1.001,) * (bins - 1) + (1.3,),
        generated_error=(0.01,) * bins,
    )  # fmt: skip
    below = plots.profile([many], ["x"]).axes[1]
    assert below.get_ylim() == pytest.approx((0.98, 1.02))
    marks = [line for line in below.lines if line.get_marker() == "^"]
    assert [list(mark.get_xdata()) for mark in marks] == [[bins - 0.5]]
    assert 1.0 < marks[0].get_ydata()[0] < 1.02


def test_empty_bins_at_the_ends_are_not_shown():
    ends = replace(PROFILE, reference=(0.0, 2.0, 0.0), generated=(0.0, 2.0, math.nan))
    assert plots.profile([ends], ["x"]).axes[0].get_xlim() == (1.0, 2.0)


def test_profiles_bear_odd_numbers_and_refuse_other_bins():
    nothing = (math.nan,) * 3
    empty = replace(PROFILE, reference=nothing, generated=nothing, log_y=True, log_x=True)
    assert plots.png(plots.profile([empty], ["$x"]))
    negative = replace(PROFILE, reference=(-1.0, 0.0, 1.0), log_y=True, edges=(1.0, 2.0, 4.0, 9.0))
    assert plots.png(plots.profile([replace(negative, log_x=True)], ["x"]))
    zeros = replace(PROFILE, reference=(0.0,) * 3, generated=(0.0,) * 3)
    assert plots.png(plots.profile([zeros], ["x"]))
    with pytest.raises(RangeError, match="expected the bins"):
        plots.profile([PROFILE, negative], ["a", "b"])
    with pytest.raises(RangeError, match="at least one"):
        plots.profile([], [])


def test_matrices_show_both_tables_and_their_difference():
    table = Matrix("m", "correlation", ("a", "b"), ((1.0, 0.2), (0.2, 1.0)),
                   ((1.0, 0.5), (0.5, 1.0)), "")  # fmt: skip
    figure = plots.matrices(table, "mine")
    first, second, third = (axis.images[0] for axis in figure.axes[:3])
    assert np.array_equal(first.get_array(), table.reference)
    assert np.array_equal(second.get_array(), table.generated)
    assert np.allclose(third.get_array(), [[0, 0.3], [0.3, 0]])
    assert first.get_clim() == second.get_clim() == (-1, 1)
    assert third.get_clim() == pytest.approx((-0.3, 0.3))
    large = tuple(tuple(float(3 * i + j) for j in range(45)) for i in range(45))
    names = tuple(f"$layer_{n}" for n in range(45))
    many = plots.matrices(Matrix("m", "x", names, large, large, ""), "y")
    assert len(many.axes[0].get_xticks()) <= 12
    assert plots.png(many)
    odd = Matrix("m", "x", ("a",), ((math.nan,),), ((math.nan,),), "")
    assert plots.png(plots.matrices(odd, "y"))


FIELD = [
    Point("CaloX", 10.0, 0.7, 0.01, "GPU"),
    Point("CaloX", 900.0, 0.7, 0.01, "CPU"),
    Point("CaloY", 11.0, 0.7, math.nan, "GPU"),
]
MINE = Point("mine", 1.0, 0.6, 0.02, "CPU", 0)


def labels(figure):
    return {text.get_text(): text for text in figure.axes[0].texts}


def test_quality_stands_at_its_time_and_every_submission_is_named_once():
    figure = plots.pareto([*FIELD, MINE], quality="AUC", floor=0.5, background="published")
    axis = figure.axes[0]
    assert axis.get_xscale() == "log"
    points = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axis.lines
        if len(line.get_xdata()) == 1
    }
    assert {(10.0, 0.7), (900.0, 0.7), (11.0, 0.7), (1.0, 0.6)} <= points
    assert set(labels(figure)) == {"CaloX", "CaloY"}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"mine", "published", "CPU", "GPU", "full simulation (floor)"} == set(legend)


def test_labels_do_not_lie_on_each_other_and_stay_in_the_frame():
    crowd = [Point(f"submission {n}", 10.0 + n / 50, 0.99, 0.001, "GPU") for n in range(16)]
    figure = plots.pareto([*crowd, MINE], quality="AUC")
    plots.png(figure)  # draws, so that texts have places
    boxes = [Text.get_window_extent(text) for text in labels(figure).values()]  # without lines
    frame = figure.axes[0].bbox
    assert len(boxes) == 16
    for number, box in enumerate(boxes):
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert not any(box.padded(-1).overlaps(other.padded(-1)) for other in boxes[:number])


def test_times_not_stated_are_lines_and_values_below_zero_left_out():
    untimed = replace(MINE, milliseconds=math.nan, hardware="unstated")
    figure = plots.pareto([*FIELD, untimed], quality="AUC")
    flat = [line for line in figure.axes[0].lines if list(line.get_ydata()) == [0.6, 0.6]]
    assert len(flat) == 1
    assert any("time not stated" in t.get_text() for t in figure.legends[0].get_texts())
    below = [replace(MINE, value=-1.0), replace(MINE, label="other", sample=1)]
    drawn = plots.pareto(below, quality="KPD", logarithmic=True)
    assert drawn.legends[0].get_texts()[0].get_text() == "other"
    with pytest.raises(RangeError, match="at least one point"):
        plots.pareto([replace(MINE, value=-1.0)], quality="KPD", logarithmic=True)
    with pytest.raises(RangeError, match="at least one point"):
        plots.pareto([], quality="AUC")


@pytest.mark.parametrize("name", ["$x", "_hidden", "<b>" * 40, "\\frac{"])
def test_names_in_the_picture_of_quality_are_no_mathematics(name):
    figure = plots.pareto([replace(MINE, label=name), replace(FIELD[0], label=name)], quality=name)
    assert plots.svg(figure)


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


def test_panels_are_as_many_as_quantities_and_mark_the_band():
    line = plots.Line("model", (0.0, 1.0, 2.0), (1.0, 2.0), (0.1, 0.1))
    figure = plots.curve_panels([(f"q{i}", [line]) for i in range(4)], x_label="x", band=(0.5, 1.0))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["q0", "q1", "q2", "q3"]
    assert all(axis.get_xlabel() == "x" for axis in figure.axes)
    assert all(any(t.get_text() == "not trained on" for t in axis.texts) for axis in figure.axes)
