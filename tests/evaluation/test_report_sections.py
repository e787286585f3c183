# ruff: noqa: RUF001 (Greek letters are written as they are)
"""Findings, places, regions, comparison, diagnosis and single showers on the page."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_verdicts import challenge_verdict, full_verdict, score, toy_verdict, without_pictures

from simulacra.data import Geometry
from simulacra.evaluation import plots
from simulacra.evaluation.report import render_report
from simulacra.evaluation.report.cells import Cell, away, main_aucs
from simulacra.evaluation.report.compared import best_of, compared
from simulacra.evaluation.report.regions import regional
from simulacra.evaluation.report.viewer import MOST_VOXELS, safe_json, script, viewer
from simulacra.evaluation.report.words import standing_line
from simulacra.evaluation.verdict import Finding

FULL = full_verdict()
CHALLENGE = challenge_verdict(tilt=1.5)


@pytest.fixture(autouse=True)
def blank(monkeypatch):
    """No pictures: the words are asked here."""
    nothing = SimpleNamespace(get_size_inches=lambda: (4.0, 3.0))
    for name in set(plots.__all__) - {"COLOURS", "Point", "compressed", "png", "svg"}:
        monkeypatch.setattr(plots, name, lambda *_, **__: nothing)
    monkeypatch.setattr(plots, "png", lambda _figure, **_settings: b"")
    monkeypatch.setattr(plots, "svg", lambda _figure: b"")


def section(html: str, name: str) -> str:
    """The words of one section, without tags and scripts."""
    found = re.search(rf'<section id="{name}">(.*?)</section>', html, re.DOTALL)
    assert found is not None, name
    return " ".join(re.sub(r"<[^>]*>", " ", found.group(1)).split())


@pytest.fixture(scope="module")
def one() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "png", lambda _figure, **_settings: b"")
        patch.setattr(plots, "svg", lambda _figure: b"")
        return render_report([FULL])


def test_the_first_screen_says_what_is_wrong_where_it_stands_and_how_it_scores(one):
    verdict = section(one, "verdict").partition("How to read it")[0]
    assert verdict.index("0.647 ± 0.012") < verdict.index("What is wrong")
    assert "before calibration 0.650 ± 0.012" in verdict
    assert "JSD 0.0600 ± 0.0040" in verdict
    # the surest first
    assert verdict.index("1.0 % of the generated") < verdict.index("Layer 2 holds 2.1 %")
    assert "Not ranked among published submissions" in verdict
    assert "Time: 1.3 ms per shower (stated by hand)" in verdict


def test_nothing_found_is_said_with_what_was_looked_for():
    clean = section(render_report([without_pictures(replace(FULL, findings=()))]), "verdict")
    assert "No fault was recognised" in clean
    assert "looked for" in clean
    assert "falsely in 1 in 1,000 comparisons" in clean
    assert "resolution" in clean
    old = section(render_report([without_pictures(toy_verdict())]), "verdict")
    assert "not looked for by name" in old


def test_many_findings_are_folded():
    many = tuple(Finding(f"f/{n}", f"fault number {n}", 10.0 + n) for n in range(9))
    html = render_report([without_pictures(replace(FULL, findings=many))])
    shown, _, folded = html.partition("<summary>4 more</summary>")
    assert "Fault number 8" in shown
    assert "Fault number 4" in shown
    assert "Fault number 3" not in shown
    assert "Fault number 0" in folded


def test_places_are_ranked_only_for_the_challenges_own_showers():
    own = section(render_report([CHALLENGE]), "published")
    assert "1 of 16" in own
    assert "ahead of CaloINN" in own
    assert "0.4992 ± 0.0024" in own  # full simulation against itself
    assert "Not on one line" not in own
    assert "no digest was compared" in own
    other = section(render_report([full_verdict(comparable=True)]), "published")
    assert "Not on one line with published numbers" in other
    assert "other showers: not ranked" in other
    assert not re.search(r"\d+ of 16", other)
    assert "the reference has 300 showers" in other


def test_the_note_on_pions_stands_with_the_published_numbers():
    html = render_report([without_pictures(toy_verdict("calochallenge-1-pions", events=10))])
    assert "0.609" in section(html, "published")


def test_other_detectors_have_no_published_section():
    from simulacra.data import toy_geometry

    plain = without_pictures(replace(toy_verdict(), geometry=toy_geometry().to_dict()))
    html = render_report([plain])
    assert 'id="published"' not in html
    assert "#published" not in html
    timed = replace(plain, timing={"ms_per_shower": 1.0})
    assert 'id="published"' in render_report([timed])  # quality against time alone


def test_standing_in_one_sentence():
    assert standing_line(None) == ""
    found = section(render_report([CHALLENGE]), "verdict")
    assert "Among the published submissions to CaloChallenge data set 1, photons: rank 1" in found


def test_scores_of_regions_have_their_own_table_and_not_the_main_one(one):
    words = section(one, "scores")
    assert "incident energy 64 to 256 GeV" not in words
    assert "@energy" not in one
    whole = sum("@" not in s.name for s in FULL.scores)
    assert f"All {whole} scores of whole samples" in words
    assert "incident energy 64 to 256 GeV" in section(one, "regions")


def test_heat_is_the_worst_of_each_family():
    scores = (
        score("separation/layer_energy/0@energy-0", 0.2, 0.03, 0.0, floor_error=0.04, layer=0),
        score("separation/layer_energy/1@energy-0", 0.4, 0.03, 0.0, floor_error=0.04, layer=1),
        score("separation/layer_energy/1", 0.1, 0.03, 0.0, floor_error=0.04, layer=1),
        score("recall@energy-0", 0.3, 0.03, 0.5, floor_error=0.04),
        score("wasserstein/layer_energy/1@energy-0", 0.1, 0.03, 0.0),
        score("fpd@angle-1", 0.0, 0.03, 0.0, floor_error=0.04),
    )
    table = regional([replace(FULL, scores=scores)], ["x"])[0]
    assert [row["title"] for row in table["rows"]] == [
        "Separation power: energy per layer", "Recall", "Fréchet physics distance",
    ]  # fmt: skip
    first, second, third = table["rows"]
    heat = first["fields"][0]
    assert (heat.cell.score.layer, heat.of, heat.cell.excess) == (1, 2, 8.0)  # 0.4 / 0.05
    assert first["fields"][1].cell.score is None
    assert first["whole"].cell.excess == 2.0
    assert second["fields"][0].cell.excess == 4.0  # too low is as bad as too high
    assert third["fields"][1].shade == 0
    assert heat.shade > second["fields"][0].shade > 0
    assert len(table["folded"]) == 1
    assert table["worst"][0].score.name == "separation/layer_energy/1@energy-0"


def test_the_list_of_regional_scores_is_bounded():
    scores = tuple(score(f"separation/e/{n}@r", 0.1 + n, layer=n) for n in range(400))
    table = regional([replace(FULL, scores=scores)], ["x"])[0]
    assert len(table["worst"]) == 150
    assert table["left_out"] == 250
    assert table["worst"][0].score.layer == 399


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([(0.6, 0.01), (0.7, 0.01)], 0),
        ([(0.7, 0.01), (0.6, 0.01)], 1),
        ([(0.66, 0.01), (0.70, 0.01)], None),  # 2.8 combined standard deviations
        ([(0.6, 0.01), (0.7, 0.01), (0.61, 0.01)], None),
        ([(0.6, 0.01), (0.7, 0.01), (0.65, 0.2)], None),  # the third may be better
        ([(0.6, 0.01), (0.7, 0.01), (0.75, 0.2)], None),
        ([(0.6, 0.01), None], None),
        ([(0.6, math.nan), (0.9, 0.01)], None),
        ([(math.nan, 0.01), (0.9, 0.01)], None),
        ([], None),
    ],
)
def test_the_best_is_named_only_where_the_difference_is_real(values, best):
    scores = [v and score("auc_calibrated/low_level", *v) for v in values]
    assert best_of(scores) == best


def test_what_is_best_depends_on_the_score():
    near, far = score("precision", 0.7, 0.01, 0.69), score("precision", 0.95, 0.01, 0.69)
    assert best_of([far, near]) == 1
    assert best_of([score("log_posterior/a", -2.0), score("log_posterior/a", -5.0)]) == 0
    assert best_of([score("memorisation", 0.1, 0.001), score("memorisation", 0.9, 0.001)]) is None


def test_log_posteriors_of_the_models_stand_in_one_row():
    verdicts = [
        replace(without_pictures(FULL), scores=(score(f"log_posterior/{n}", -2.0 - n, floor=None),))
        for n in range(3)
    ]
    rows = {row.name: row for row in compared(verdicts)}
    assert [cell.value for cell in rows["log_posterior"].cells] == [-2.0, -3.0, -4.0]
    assert [cell.best for cell in rows["log_posterior"].cells] == [True, False, False]


def test_what_is_certain_has_no_number_of_standard_deviations():
    sure = (Finding("missing", "an energy is missing", 99.0), Finding("x", "less so", 12.34))
    words = section(render_report([without_pictures(replace(FULL, findings=sure))]), "verdict")
    assert "An energy is missing certain" in words
    assert "Less so 12.3 σ" in words


def test_comparison_has_winners_where_they_win():
    verdicts = [challenge_verdict(tilt=3.0), challenge_verdict(tilt=1.0, generated_name="b.hdf5")]
    rows = {row.name: row for row in compared(verdicts)}
    assert [cell.best for cell in rows["auc_calibrated/low_level"].cells] == [False, True]
    assert [cell.best for cell in rows["kpd"].cells] == [False, False]
    assert [cell.text for cell in rows["parameters_generation"].cells] == ["1,250,000"] * 2
    assert not any("@" in name for name in rows)
    page = section(render_report([without_pictures(v) for v in verdicts]), "compared")
    assert "0.549 ± 0.012 best" in page
    assert 'id="compared"' not in render_report([without_pictures(verdicts[0])])


def test_distance_from_the_floor_counts_towards_the_worse():
    assert away(score("auc/x", 0.4, 0.03, 0.5, floor_error=0.04)) == pytest.approx(-2)
    assert away(score("coverage", 0.4, 0.03, 0.5, floor_error=0.04)) == pytest.approx(2)
    assert away(score("log_posterior/a", -3.0, 0.03, -2.8, floor_error=0.04)) == pytest.approx(4)
    assert away(score("auc/x", 0.4, floor=None)) is None
    assert away(None) is None
    assert Cell(score("coverage", 0.4, 0.03, 0.9, floor_error=0.04)).level == "strong"


def test_one_gauge_per_classifier_after_calibration_if_there_is_one():
    scores = [
        score("auc/low_level", 0.6), score("auc_calibrated/low_level", 0.59),
        score("auc/high_level", 0.7), score("auc_calibrated/low_level@energy-0", 0.9),
    ]  # fmt: skip
    assert [s.name for s in main_aucs(scores)] == ["auc_calibrated/low_level", "auc/high_level"]


def test_tidy_tables_of_classifiers_and_distances(one):
    words = section(one, "scores")
    assert "AUC before calibration AUC after calibration Jensen-Shannon divergence" in words
    tidy = words.partition("Distances and neighbours")[2]
    for name in ("fpd", "kpd", "precision", "recall", "density", "coverage"):
        assert name in tidy.partition("All ")[0]


def test_diagnosis_memorisation_profiles_and_correlations_are_shown(one):
    diagnosis = section(one, "diagnosis")
    assert "high level classifier" in diagnosis
    assert "row 17 (0.001)" in diagnosis
    assert "81 %" in diagnosis
    assert "0.0800" in diagnosis
    memory = section(one, "memorisation")
    assert FULL.overlap in memory
    assert "0.40 ± 0.30" in memory
    assert "stochastic term 10.1 %" in section(one, "profiles")
    assert "correlation of layer energies" in section(one, "correlations")
    assert "Profile of σ/ ⟨E ⟩ against incident energy" in one  # no source of mathematics
    assert "training distance" not in section(one, "observables")  # it has its own section


def test_profiles_of_many_layers_are_a_selection_that_keeps_the_others():
    from simulacra.evaluation.report.observables import profiles

    first = FULL.profiles[0]
    radial = tuple(replace(first, name=f"radial/{n}") for n in range(45))
    family = profiles([replace(FULL, profiles=(first, *radial, FULL.profiles[1]))], ["x"])
    assert len(family.shown) == 1 + 3 + 1
    assert len(family.folded) == 3
    assert family.left_out == 39


def test_stated_times_and_sizes_are_marked(one):
    words = section(one, "time")
    assert "stated by hand" in words
    assert "parameters, training 2,000,000" in words
    assert "parameters, generation 1,250,000" in words


def test_the_footer_speaks_the_truth(one):
    assert "Its one script" in one
    plain = render_report([without_pictures(FULL)])
    assert "It runs no script." in plain
    assert "<script" not in plain
    assert "script-src" not in plain


def test_the_page_of_a_large_detector_is_bounded():
    many = full_verdict("calochallenge-3", events=6)
    more = tuple(
        replace(s, name=f"{s.name}/{n}") for n in range(8) for s in many.scores if "/" in s.name
    )
    html = render_report([replace(many, scores=(*many.scores, *more))])
    assert len(html) < 15e6
    assert html.count("<img") < 120


class TestViewer:
    """The data of the turning view."""

    def told(self, *verdicts):
        found = viewer(verdicts, [f"n{n}" for n in range(len(verdicts))])
        assert found is not None
        return found, json.loads(str(found.json))

    def test_voxels_are_the_brightest_above_the_threshold(self):
        _, data = self.told(FULL)
        energies = np.asarray(FULL.examples[0].reference)
        shower = data["pairs"][0]["showers"][0]
        order = np.argsort(-energies, kind="stable")
        kept = order[energies[order] >= FULL.threshold]
        assert shower["i"] == kept.tolist()
        assert shower["e"] == pytest.approx(energies[kept], rel=5e-3)
        assert f"{len(kept)} voxels of 1 MeV or more" in shower["note"]

    def test_the_threshold_of_the_verdict_counts(self):
        energies = (0.5, 0.99, 1.0, 7.0, *(0.0,) * 364)
        example = replace(FULL.examples[0], reference=energies)
        _, data = self.told(replace(FULL, examples=(example,)))
        assert data["pairs"][0]["showers"][0]["i"] == [3, 2]

    def test_layers_are_the_detectors(self):
        found, data = self.told(toy_verdict("calochallenge-2", events=5))
        detector = Geometry.from_dict(dict(toy_verdict("calochallenge-2", events=5).geometry))
        assert found.depths
        assert not found.compressed
        assert len(data["layers"]) == 45
        assert data["layers"][3]["z"] == pytest.approx([10.2, 13.6])
        assert data["layers"][3]["n"] == 16
        assert data["layers"][3]["r"] == pytest.approx(detector.layers[3].r_edges)

    def test_unknown_depths_are_said_and_wide_rings_compressed(self):
        found, data = self.told(FULL)
        assert not found.depths
        assert found.compressed
        assert data["core"] == 2.0  # the narrowest first ring in mm
        starts = [layer["z"][0] for layer in data["layers"]]
        assert np.allclose(np.diff(starts), 1)

    def test_large_showers_are_cut_to_the_brightest(self):
        verdict = toy_verdict("calochallenge-3", events=3)
        bright = tuple(np.linspace(1, 2, 40_500).tolist())
        example = replace(verdict.examples[0], reference=bright, generated=(0.0,) * 40_500)
        _, data = self.told(replace(verdict, examples=(example,)))
        full, empty = data["pairs"][0]["showers"]
        assert len(full["i"]) == len(full["e"]) == MOST_VOXELS
        assert full["i"][0] == 40_499
        assert "40,500 voxels" in full["note"]
        assert "the brightest 3,000 drawn" in full["note"]
        assert empty["i"] == []

    def test_pairs_of_many_samples_are_bounded_and_named(self):
        _, data = self.told(*[FULL] * 5)
        assert len(data["pairs"]) <= 12
        assert {pair["showers"][1]["name"] for pair in data["pairs"]} == {f"n{n}" for n in range(5)}
        assert all(f", n{k // 2}" in pair["label"] for k, pair in enumerate(data["pairs"]))

    def test_odd_energies_do_not_reach_the_page(self):
        example = FULL.examples[0]
        odd = (math.nan, math.inf, -5.0, *example.reference[3:])
        verdict = replace(FULL, examples=(replace(example, reference=odd),))
        _, data = self.told(verdict)
        assert not {0, 1, 2} & set(data["pairs"][0]["showers"][0]["i"])

    def test_no_example_no_view(self):
        assert viewer([without_pictures(FULL)], ["x"]) is None

    @pytest.mark.parametrize("text", ["</script>", "<!--", "<script", "]]>", "&amp;", "\u2028"])
    def test_no_text_leads_out_of_the_element(self, text):
        packed = str(safe_json({"name": text}))
        assert not set("<>&\u2028") & set(packed)
        assert json.loads(packed) == {"name": text}

    def test_the_script_stays_inside_its_element(self):
        text = str(script()).lower()
        assert "</script" not in text
        assert "<!--" not in text
        assert len(text.splitlines()) < 300
        for word in ("fetch(", "xmlhttprequest", "innerhtml", "eval(", "http:", "https:", "import"):
            assert word not in text
