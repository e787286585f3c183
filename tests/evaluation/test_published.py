"""Published numbers are those of the source; ranks are given only where numbers compare."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from synthetic_verdicts import challenge_verdict, full_verdict, score, toy_verdict, without_pictures

from simulacra.data import geometry, toy_geometry
from simulacra.errors import UnknownNameError
from simulacra.evaluation.published import (
    DATASETS,
    QUANTITIES,
    dataset_of,
    own_value,
    published,
    recognise,
    standing,
    times_per_shower,
)

OWN = challenge_verdict()


@pytest.mark.parametrize(
    ("dataset", "submissions"), [("ds1_photons", 15), ("ds1_pions", 12), ("ds2", 17), ("ds3", 15)]
)
def test_every_submission_is_there_with_its_floor(dataset, submissions):
    rows = published(dataset)
    assert len(rows) == submissions + 1
    assert [row.name for row in rows if row.is_floor] == ["GEANT4"]
    assert all(math.isfinite(row.value("auc_low_level")) for row in rows)
    assert all(math.isfinite(row.value("layer_energy_mean_x1e3")) for row in rows)
    assert len({row.identity for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("dataset", "name", "column", "value", "error"),
    [  # read off the tables of arXiv:2410.21611's repository by eye
        ("ds1_photons", "CaloINN", "auc_low_level", 0.6259, 0.0042),
        ("ds1_pions", "GEANT4", "auc_low_level", 0.6089, 0.0035),
        ("ds1_pions", "GEANT4", "auc_high_level", 0.5579, 0.0024),
        ("ds2", "CaloDREAM", "fpd_x1e3", 24.65, 1.03),
        ("ds2", "CaloDiffusion", "auc_resnet", 0.6795, 0.0057),
        ("ds2", "conv. L2LFlows", "gpu_batch_100_ms", 14.23, 0.124),
        ("ds3", "iCaloFlow teacher", "cpu_batch_1_ms", 15512081, 3471602),
        ("ds3", "GEANT4 transformer", "parameters_generation", 1262921306, math.nan),
        ("ds3", "CaloDREAM", "sparsity_mean_x1e3", 0.0438, math.nan),
        ("ds1_photons", "BoloGAN", "width_r_max_x1e3", 169, math.nan),
        ("ds1_photons", "CaloForest", "gpu_batch_1_ms", math.nan, math.nan),
        ("ds1_photons", "CaloINN", "auc_resnet", math.nan, math.nan),
    ],
)
def test_numbers_are_those_of_the_source(dataset, name, column, value, error):
    row = next(row for row in published(dataset) if row.name == name)
    assert row.value(column) == pytest.approx(value, rel=1e-3, nan_ok=True)
    assert row.error(column) == pytest.approx(error, rel=0.02, nan_ok=True)


def test_every_quantity_is_a_published_column():
    for dataset in DATASETS:
        numbers = published(dataset)[0].numbers
        assert all(q.column in numbers for q in QUANTITIES)
        assert not any(column.endswith("_error") for column in numbers)
    assert len({q.column for q in QUANTITIES}) == len(QUANTITIES)


def test_means_over_layers_lie_below_the_worst_layer():
    for dataset in DATASETS:
        for row in published(dataset):
            for column in row.numbers:
                if column.endswith("_mean_x1e3"):
                    assert row.value(column) <= row.value(column.replace("_mean_", "_max_"))


def test_unknown_data_sets_are_refused_and_detectors_recognised_by_their_voxels():
    with pytest.raises(UnknownNameError, match="ds2"):
        published("ds4")
    for key, name in DATASETS.items():
        assert dataset_of(replace(geometry(name), name="renamed")) == key
    assert dataset_of(toy_geometry()) is None


def test_the_challenges_own_reference_is_recognised():
    found = recognise(OWN)
    assert found is not None
    assert (found.dataset, found.own, found.doubts) == ("ds1_photons", True, ())
    assert "no digest was compared" in found.how


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"events": 120_999}, "120,999 showers"),
        ({"provenance": {"full_simulation_ms_per_gev": 4.0}}, "simulation of its own"),
    ],
)
def test_other_references_are_not(change, why):
    other = replace(OWN, reference=replace(OWN.reference, **change))
    found = recognise(other)
    assert found is not None
    assert not found.own
    assert any(why in doubt for doubt in found.doubts)


def test_energies_off_the_challenges_list_are_not_its_own():
    for energy in (3000.0, 2.0**7, 2.0**23, 0.0):
        example = replace(OWN.examples[0], reference_incident_energy=energy)
        found = recognise(replace(OWN, examples=(example,)))
        assert found is not None
        assert not found.own
    silent = recognise(replace(OWN, examples=()))
    assert silent is not None
    assert not silent.own


def test_electrons_up_to_a_tenth_of_the_challenges_range_are_another_sample():
    verdict = toy_verdict("calochallenge-2", events=12)
    reference = replace(verdict.reference, events=100_000, provenance={})
    for highest, own in ((16e3, False), (700e3, True), (2e6, False)):
        examples = tuple(
            replace(e, reference_incident_energy=energy)
            for e, energy in zip(verdict.examples, (1.5e3, 9e3, highest), strict=True)
        )
        found = recognise(replace(verdict, reference=reference, examples=examples))
        assert found is not None
        assert found.own is own


def test_a_known_digest_decides(monkeypatch):
    from simulacra.data import catalog

    known = catalog.dataset("calochallenge-1-photons")
    digest = "12" * 32
    files = tuple(replace(f, digest=f"sha256:{digest}") for f in known.files)
    monkeypatch.setitem(catalog._CATALOG, known.name, replace(known, files=files))
    reference = replace(OWN.reference, sha256=digest, events=7)
    found = recognise(replace(OWN, reference=reference))
    assert found is not None
    assert found.own
    assert found.how == "by the digest of its file"


def with_scores(*scores):
    return replace(OWN, scores=scores)


@pytest.mark.parametrize(
    ("value", "error", "rank", "between"),
    [
        # 0.6259 +- 0.0042 CaloINN, 0.6346 +- 0.0028 CaloDiffusion, 0.7330 CaloFlow teacher
        (0.50, 0.001, 1, (1, 1)),
        (0.68, 0.001, 3, (3, 3)),
        (0.627, 0.004, 2, (1, 3)),
        (0.9999, 0.00001, 16, (15, 16)),
    ],
)
def test_rank_and_what_errors_leave_open(value, error, rank, between):
    found = standing(with_scores(score("auc_calibrated/low_level", value, error, comparable=True)))
    assert found is not None
    assert found.ranked
    place = found.place("auc_low_level")
    assert place is not None
    assert (place.rank, place.entrants) == (rank, 16)
    assert place.rank_range == between
    assert place.floor == pytest.approx(0.49916)
    assert place.best is not None
    assert place.best.name == "CaloINN"


def test_neighbours_in_the_ranking_are_named():
    found = standing(with_scores(score("fpd", 1.0e-3, 1e-5, comparable=True)))
    place = found.place("fpd_x1e3") if found else None
    assert place is not None
    assert place.value == pytest.approx(1.0)  # in units of 1e-3
    # 0.44 CaloScore, 0.65 CaloDiffusion, [1.00], 1.12 CaloScore distilled, 3.1 ...
    assert (place.rank, place.ahead, place.behind) == (3, "CaloDiffusion", "CaloScore distilled")


def test_precision_is_best_where_full_simulation_is():
    # published: GEANT4 0.704; Calo-VQ has 0.957, which is no merit
    found = standing(with_scores(score("precision", 0.705, 0.001, comparable=True)))
    place = found.place("precision") if found else None
    assert place is not None
    assert place.rank == 1
    worse = standing(with_scores(score("precision", 0.99, 0.001, comparable=True)))
    last = worse.place("precision") if worse else None
    assert last is not None
    assert last.rank == 15  # only BoloGAN's 0.207 is farther away


def test_separation_is_the_mean_over_the_layers_that_were_published():
    detector = geometry("calochallenge-1-photons")
    scores = [
        score(f"separation/centre_eta/{layer.identity}", 1e-3 * layer.identity, 1e-4)
        for layer in detector.layers
    ]
    verdict = with_scores(*scores)
    mean = next(q for q in QUANTITIES if q.column == "centre_eta_mean_x1e3")
    worst = next(q for q in QUANTITIES if q.column == "centre_eta_max_x1e3")
    # only layers 1 and 2 have angular sectors: (1 + 2) / 2, error sqrt(2) 0.1 / 2
    assert own_value(verdict, mean) == pytest.approx((1.5, 0.0707), rel=1e-3)
    assert own_value(verdict, worst) == pytest.approx((2.0, 0.1))
    assert own_value(with_scores(scores[1]), mean) is None  # a layer is missing


def test_scores_of_regions_and_before_calibration_are_not_the_published_ones():
    found = standing(
        with_scores(
            score("auc/low_level", 0.6, comparable=True),
            score("auc_calibrated/low_level@energy-0", 0.6, comparable=True),
        )
    )
    assert found is not None
    assert found.place("auc_low_level") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"comparable": False}, "does not follow the published protocol"),
        ({"threshold": 0.1}, "cut at 0.1 MeV, the challenge cuts at 1"),
        ({"generated": replace(OWN.generated, events=1000)}, "1,000 generated showers"),
        ({"reference": replace(OWN.reference, events=10)}, "the reference has 10 showers"),
    ],
)
def test_what_does_not_compare_has_no_rank(change, why):
    found = standing(replace(OWN, **change))
    assert found is not None
    assert not found.ranked
    assert any(why in reason for reason in found.reasons)
    assert found.places
    assert all(p.rank is None and p.rank_range is None and p.why_not for p in found.places)
    assert all(not p.ahead and not p.behind for p in found.places)


def test_a_single_score_may_be_not_comparable():
    found = standing(
        with_scores(score("fpd", 1e-3, comparable=False), score("kpd", 1e-4, 1e-5, comparable=True))
    )
    assert found is not None
    ranks = {p.quantity.column: p.rank for p in found.places if p.quantity.kind == "distance"}
    assert ranks["fpd_x1e3"] is None
    assert ranks["kpd_x1e3"] is not None


def test_scores_of_regions_do_not_decide_whether_the_whole_compares():
    whole = [
        score(f"separation/sparsity/{layer}", 1e-3, comparable=True) for layer in (0, 1, 2, 3, 12)
    ]
    parts = [replace(s, name=f"{s.name}@energy-0", comparable=False) for s in whole]
    found = standing(with_scores(*whole, *parts))
    place = found.place("sparsity_mean_x1e3") if found else None
    assert place is not None
    assert place.rank is not None


def test_times_and_sizes_have_places_too():
    found = standing(OWN)
    assert found is not None
    time, size = found.place("cpu_batch_100_ms"), found.place("parameters_generation")
    assert time is not None
    assert size is not None
    assert time.value == 1.3  # CaloVAE+INN has 1.575, the fastest
    assert time.rank == 1
    assert "another machine" in time.quantity.remark
    assert size.value == 1_250_000


def test_the_floor_of_the_pions_is_explained():
    verdict = toy_verdict("calochallenge-1-pions", events=10)
    found = standing(verdict)
    assert found is not None
    assert "0.609" in found.notes[0]
    assert "differently distributed" in found.notes[0]


def test_other_detectors_have_no_standing():
    assert standing(replace(without_pictures(OWN), geometry=toy_geometry().to_dict())) is None


def test_our_own_showers_in_the_challenges_layout_are_not_ranked():
    found = standing(full_verdict(comparable=True))
    assert found is not None
    assert not found.ranked


@pytest.mark.parametrize(
    ("timing", "times"),
    [
        (None, []),
        ({"ms_per_shower": 2.0}, [(2.0, "unstated", None)]),
        ({"ms_per_shower": 2.0, "hardware": "A100", "batch": 100}, [(2.0, "GPU", 100)]),
        ({"ms_per_shower": 2.0, "hardware": "one core of EPYC 7402"}, [(2.0, "CPU", None)]),
        ({"ms_per_shower": 2.0, "threads": 2}, [(2.0, "CPU", None)]),
        ({"cpu_batch_1_ms": 5, "gpu_batch_100_ms": 0.5}, [(5.0, "CPU", 1), (0.5, "GPU", 100)]),
        ({"batches": [{"batch": 7, "milliseconds": 3.0, "threads": 2}]}, [(3.0, "CPU", 7)]),
        ({"ms_per_shower": -1.0, "batches": "no", "cpu_batch_1_ms": True}, []),
        ({"ms_per_shower": math.nan, "batches": [3, {"milliseconds": "x"}]}, []),
    ],
)
def test_times_are_read_as_they_are_stated(timing, times):
    found = times_per_shower(timing)
    assert [(t.milliseconds, t.hardware, t.batch) for t in found] == times


def test_reading_verdicts_and_published_numbers_needs_no_torch():
    code = (
        "import sys, simulacra.evaluation.published as p, simulacra.evaluation.report\n"
        "p.published('ds2')\n"
        "from simulacra.evaluation import Verdict, verdict_schema\nverdict_schema()\n"
        "print([n for n in ('torch', 'matplotlib', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
