"""A verdict survives its file, and a file that is none is refused."""

import dataclasses
import json
import math

import pytest

from simulacra.errors import FileFormatError, OutputError
from simulacra.evaluation.verdict import (
    ClassifierRecord,
    Curve,
    ExampleShower,
    FileInfo,
    Histogram,
    MeanImage,
    Score,
    Verdict,
)

SCORE = Score("auc/low_level", "AUC", 0.7, 0.01, 0.5, 0.02, None, "", "N", False, "the tails")
VERDICT = Verdict(
    suite="quick",
    suite_label="quick verdict: not comparable",
    comparable=False,
    geometry={"name": "toy", "layers": [{"id": 0}]},
    threshold=1.0,
    seed=3,
    threads=1,
    generated=FileInfo("generated", "g.hdf5", "ab", 10, {"seed": 1}),
    reference=FileInfo("reference", "r.hdf5", "cd", 10),
    training=None,
    overlap="overlap not checked",
    scores=(SCORE, dataclasses.replace(SCORE, name="auc/high_level", floor=None, layer=12)),
    histograms=(
        Histogram(
            name="sparsity/1", label="s", unit="", layer=1, edges=(0.0, 0.5, 1.0),
            reference=(1.0, 1.0), reference_error=(0.1, 0.1), generated=(2.0, 0.0),
            generated_error=(0.1, 0.0), reference_outside=(0.0, 0.1),
            generated_outside=(0.0, 0.0), log_x=False, log_y=True, separation=SCORE,
            cannot_see="correlations",
        ),
    ),
    curves=(Curve("roc", "ROC", "x", "y", (0.0, 1.0), (0.0, 1.0)),),
    images=(MeanImage(0, (0.0, 1.0), 2, ((1.0,), (2.0,)), ((1.5,), (2.5,))),),
    examples=(ExampleShower(1, 2, 10.0, 11.0, (1.0, 0.0), (0.0, 2.0)),),
    classifiers=(ClassifierRecord("low_level", {"width": 8}, 3, 9, (0.7,), (2,), 0.1, 0.2),),
    timing={"batch": {"1000": 0.3}},
    warnings=("few showers",),
    version="0",
)  # fmt: skip


def test_file_round_trip(tmp_path):
    path = VERDICT.save(tmp_path / "verdict.json")
    assert Verdict.load(path) == VERDICT
    assert [p.name for p in tmp_path.iterdir()] == ["verdict.json"]


def test_nan_is_stored_as_strict_json():
    broken = dataclasses.replace(VERDICT, scores=(dataclasses.replace(SCORE, error=math.nan),))
    text = broken.to_json()
    assert "NaN" not in text
    assert math.isnan(Verdict.from_json(text).scores[0].error)


def test_scores_are_found_by_name():
    assert VERDICT.score("auc/high_level").layer == 12
    with pytest.raises(KeyError):
        VERDICT.score("auc/none")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 99}', json.dumps({"schema": 1, "suite": "x"})]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"x\.json.*verdict"):
        Verdict.load(path)


def test_unknown_field_is_refused():
    with pytest.raises(FileFormatError):
        Verdict.from_dict({**VERDICT.to_dict(), "surprise": 1})


def test_missing_file_and_unwritable_place(tmp_path):
    with pytest.raises(FileFormatError, match="cannot read"):
        Verdict.load(tmp_path / "none.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        VERDICT.save(tmp_path / "file" / "v.json")
