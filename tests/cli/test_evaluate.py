"""The verb ``evaluate`` writes verdict, scores and page; ``bench judge`` prints rates."""

import csv
import json

import pytest
import typer
from typer.testing import CliRunner

from simulacra.cli import evaluate as verb
from simulacra.data import ToyShowers, toy_geometry, write_showers
from simulacra.errors import OverlapError, UnknownNameError
from simulacra.evaluation import Verdict
from simulacra.evaluation.suite import QUICK

app = typer.Typer()
app.command("evaluate")(verb.evaluate)
app.command("judge")(verb.judge)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("showers")
    toys = ToyShowers(toy_geometry())
    for seed, name in enumerate(("reference", "generated", "training", "other")):
        write_showers(where / f"{name}.hdf5", toys.log_uniform(300, seed=seed))
    (where / "sub").mkdir()
    write_showers(where / "sub" / "generated.hdf5", toys.log_uniform(300, seed=9))
    return where


@pytest.fixture(scope="module", autouse=True)
def page():
    """Stand in for the page, whose pictures take seconds; it has its own tests."""

    def written(verdicts, path):
        path.write_text(" ".join(v.generated.name for v in verdicts))
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulacra.evaluation.report.write_report", written)
        yield


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def done(folder, page, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "verdicts"
    files = (folder / "generated.hdf5", folder / "sub" / "generated.hdf5")
    reference, training = folder / "reference.hdf5", folder / "training.hdf5"
    options = ("--reference", reference, "--training", training, "--out", out, "--seed", 5)
    return out, run("evaluate", *files, *options, "--threads", 1)


def test_a_table_and_one_line_that_says_where_the_result_is(done):
    out, result = done
    assert result.exit_code == 0
    assert "not comparable" in result.output
    assert "auc/low_level" in result.output
    assert result.output.strip().splitlines()[-1] == f"report: {out / 'report.html'}"


def test_files_are_written(done):
    out, _ = done
    names = ["generated-2.csv", "generated-2.json", "generated.csv", "generated.json"]
    assert sorted(p.name for p in out.iterdir()) == [*names, "report.html", "retrainings"]
    assert (out / "report.html").read_text() == "generated.hdf5 generated.hdf5"
    verdict = Verdict.load(out / "generated.json")
    assert (verdict.seed, verdict.suite, verdict.created[:2]) == (5, QUICK.name, "20")
    assert verdict.overlap.startswith("no shared event")
    text = (out / "generated.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["name"] for row in rows] == [s.name for s in verdict.scores]
    assert float(rows[0]["value"]) == verdict.scores[0].value
    assert verdict.reference.name == "reference.hdf5"


def test_json_is_json_and_the_same_seed_gives_the_same_scores(done, folder, tmp_path):
    out, _ = done
    options = ("--reference", folder / "reference.hdf5", "--out", tmp_path / "o", "--seed", 5)
    result = run("evaluate", folder / "generated.hdf5", *options, "--threads", 1, "--json")
    found = json.loads(result.stdout)
    assert found[0]["overlap"] == "overlap not checked"
    assert found[0]["report"].endswith("report.html")
    first = Verdict.load(out / "generated.json").to_dict()["scores"]
    without = [s for s in first if not s["name"].startswith("memorisation")]  # needs --training
    assert found[0]["scores"] == without


def test_refusals_write_nothing(folder, tmp_path):
    reference, out = folder / "reference.hdf5", tmp_path / "out"
    with pytest.raises(OverlapError):
        run("evaluate", reference, "--reference", reference, "--out", out)
    with pytest.raises(UnknownNameError, match="quick"):
        run(
            "evaluate", folder / "generated.hdf5", "--reference", reference, "--out", out,
            "--suite", "quik",
        )  # fmt: skip
    assert not out.exists()


def test_bench_judge_prints_rates(folder, monkeypatch):
    from simulacra.classify import ClassifierConfig
    from simulacra.evaluation import judging_time

    monkeypatch.setattr(judging_time, "ClassifierConfig", lambda: ClassifierConfig(width=16))
    monkeypatch.setattr(judging_time, "matrix_rate", lambda _: 100.0)
    result = run("judge", "--showers", folder / "reference.hdf5", "--threads", 1, "--json")
    found = {one["stage"]: one for one in json.loads(result.stdout)}
    assert next(iter(found)) == "observables"
    assert found["low-level epoch"]["showers"] == 180
    assert all(one["showers_per_second"] > 0 and one["rate"] == 100 for one in found.values())
    assert found["high-level epoch"]["fraction"] > 0
    assert "showers/s" in run("judge", "--showers", folder / "other.hdf5").output
