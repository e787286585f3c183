"""The verb ``compare`` draws and compares stored verdicts, without showers and without torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import typer
from synthetic_verdicts import challenge_verdict, full_verdict, toy_verdict, without_pictures
from typer.testing import CliRunner

from simulacra.cli import compare as verb
from simulacra.errors import FileFormatError, OutputError, RangeError, ShapeError
from simulacra.evaluation import plots

app = typer.Typer()
app.command()(verb.compare)


@pytest.fixture(autouse=True)
def blank(monkeypatch):
    """Pictures as empty files, most not even drawn; they have their own tests."""
    monkeypatch.setattr("simulacra.evaluation.report.page.field", lambda *_: None)
    monkeypatch.setattr("simulacra.evaluation.report.page.overview", lambda *_: None)
    monkeypatch.setattr(plots, "png", lambda _figure, **_settings: b"")
    monkeypatch.setattr(plots, "svg", lambda _figure: b"")


@pytest.fixture
def stored(tmp_path):
    """Three verdicts: the second is clearly better than the others."""
    made = {"mine": 3.0, "better": 1.0, "worse": 6.0}
    for name, tilt in made.items():
        verdict = without_pictures(challenge_verdict(generated_name=f"{name}.hdf5", tilt=tilt))
        verdict.save(tmp_path / f"{name}.json")
    return [tmp_path / f"{name}.json" for name in made]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_table_page_and_numbers(stored, tmp_path):
    result = run(*stored, "--out", tmp_path / "out", "--title", "Three models")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"report: {tmp_path / 'out' / 'report.html'}"
    assert "(best)" in result.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<title>Three models</title>" in page
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    low = {r["sample"]: r for r in rows if r["quantity"] == "auc_calibrated/low_level"}
    assert {name: r["best"] for name, r in low.items()} == {
        "mine.hdf5": "False", "better.hdf5": "True", "worse.hdf5": "False",
    }  # fmt: skip
    # 0.5 + 0.98 * 0.05 * tilt, as the synthetic verdicts are made
    assert float(low["better.hdf5"]["value"]) == pytest.approx(0.549)
    sizes = [r for r in rows if r["quantity"] == "parameters_generation"]
    assert {r["value"] for r in sizes} == {"1250000.0"}
    assert all(r["error"] == "" and r["best"] == "False" for r in sizes)


def test_json_for_pipes(stored, tmp_path):
    result = run(*stored, "--out", tmp_path / "out", "--json")
    told = json.loads(result.stdout)
    assert [s["name"] for s in told["samples"]] == ["mine.hdf5", "better.hdf5", "worse.hdf5"]
    fpd = next(row for row in told["rows"] if row["quantity"] == "fpd")
    assert [cell["best"] for cell in fpd["cells"]] == [False, True, False]
    assert told["report"].endswith("report.html")


def test_a_single_verdict_is_drawn_again(stored, tmp_path):
    result = run(stored[0], "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "(best)" not in result.stdout
    assert "AUC" in result.stdout


def test_other_references_detectors_and_files_are_refused(stored, tmp_path):
    without_pictures(full_verdict()).save(tmp_path / "stranger.json")
    with pytest.raises(RangeError, match="share their reference"):
        run(stored[0], tmp_path / "stranger.json", "--out", tmp_path / "out")
    without_pictures(toy_verdict("calochallenge-2", events=10)).save(tmp_path / "two.json")
    with pytest.raises(ShapeError, match="one detector"):
        run(stored[0], tmp_path / "two.json", "--out", tmp_path / "out")
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(FileFormatError, match=r"none\.json"):
        run(tmp_path / "none.json", "--out", tmp_path / "out")
    with pytest.raises(FileFormatError, match=r"missing\.json"):
        run(tmp_path / "missing.json", "--out", tmp_path / "out")
    with pytest.raises(OutputError):
        run(stored[0], "--out", stored[0] / "inside")
    assert not (tmp_path / "out").exists()


def test_names_are_not_markup(tmp_path):
    hostile = "[bold]x[/bold] [link=http://a]b[/link].hdf5"
    without_pictures(full_verdict(generated_name=hostile)).save(tmp_path / "v.json")
    assert "[bold]x[/bold]" in run(tmp_path / "v.json", "--out", tmp_path / "out").stdout


def test_it_runs_without_torch(tmp_path):
    plain = tmp_path / "plain.json"
    replace(without_pictures(toy_verdict(events=10)), scores=()).save(plain)
    code = f"""
import sys
from simulacra.cli import main
sys.argv = ["simulacra", "compare", {str(plain)!r}, "--out", {str(tmp_path / "out")!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
