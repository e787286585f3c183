"""The page holds the verdict's numbers, marks what is not comparable, and trusts no file."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from synthetic_verdicts import toy_verdict, without_pictures

from simulacra.errors import OutputError, RangeError, ShapeError
from simulacra.evaluation import plots
from simulacra.evaluation.report import render_report, write_report
from simulacra.evaluation.report.viewer import script
from simulacra.evaluation.wording import excess, facts, mathematics, quantity

FULL = toy_verdict()
VERDICT = replace(
    FULL, images=FULL.images[:2], examples=FULL.examples[:1], histograms=FULL.histograms[:5]
)
BARE = without_pictures(VERDICT)


@pytest.fixture
def real() -> None:
    """For tests that want pictures as they are."""


@pytest.fixture(autouse=True)
def blank(monkeypatch, request) -> None:
    """Pictures as empty files: they have their own tests, and take most of the time."""
    if "real" in request.fixturenames:
        return
    nothing = SimpleNamespace(get_size_inches=lambda: (4.0, 3.0))
    for name in set(plots.__all__) - {"COLOURS", "Point", "compressed", "png", "svg"}:
        monkeypatch.setattr(plots, name, lambda *_, **__: nothing)
    monkeypatch.setattr(plots, "png", lambda _figure, **_settings: b"")
    monkeypatch.setattr(plots, "svg", lambda _figure: b"")


class Page(HTMLParser):
    """Tags with attributes, visible text, and whether every tag is closed."""

    void = frozenset({"meta", "link", "img", "rect", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def only_our_script(html: str) -> None:
    """The page's data and its one program, which alone its policy lets run; nothing else."""
    page, program = Page(html), str(script())
    assert page.all("script") == [{"type": "application/json", "id": "viewer-data"}, {}]
    assert html.lower().count("<script") == 2 + program.lower().count("<script")
    assert f"<script>{program}</script>" in html
    allowed = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = page.all("meta")[1]["content"]
    assert policy is not None
    assert f"default-src 'none'; script-src 'sha256-{allowed}'; img-src data:" in policy


@pytest.fixture(scope="module")
def html() -> str:
    return render_report([VERDICT], log={"epoch": [1, 2], "loss": [0.5, 0.4], "recipe": "demo"})


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_page_is_well_formed_and_in_its_own_file(html, page):
    assert html.startswith("<!DOCTYPE html>")
    assert page.open == []
    only_our_script(html)
    assert not page.all("iframe")
    sources = [image["src"] for image in page.all("img")]
    assert sources
    assert all(str(source).startswith("data:image/") for source in sources)
    assert {str(link.get("href")) for link in page.all("link")} == {"data:,"}
    assert "default-src 'none'" in html
    assert len(html) < 8e6


def test_every_link_of_the_contents_leads_somewhere(page):
    targets = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {str(link["href"]) for link in page.all("a")}
    assert links
    assert all(link.startswith("#") and link[1:] in targets for link in links)


def test_every_picture_has_words(page):
    images = page.all("img")
    assert all(len(str(image["alt"])) > 30 for image in images)
    assert all(int(str(image["width"])) > 100 for image in images)
    # 2 layers, 1 pair of showers, 5 histograms, overview, ROC, training, 2 of quality against time
    assert len(images) == 2 + 1 + 5 + 1 + 1 + 1 + 2


def test_headline_states_the_classifiers_with_errors_and_floor(page):
    verdict = page.words.split("How to read it")[0]
    assert "0.650 ± 0.012" in verdict
    assert "0.590 ± 0.012" in verdict
    assert "floor 0.500 ± 0.013" in verdict
    assert "65 of 100 pairs" in verdict


def test_quick_numbers_are_labelled_wherever_they_stand(html, page):
    for place in re.finditer(r"0\.650 ± 0\.012", re.sub(r'(src|aria-label)="[^"]*"', "", html)):
        assert "not comparable" in html_near(html, place.group(), place.start())
    cells = re.findall(r"<td>[^<]* ± [^<]*<", html)
    assert cells
    rows = html.split('<table class="scores">')[1].split("</table>")[0].split("<tr>")[1:]
    assert all("not comparable" in row for row in rows if " ± " in row)
    captions = html.split("<figcaption>")[1:]
    for caption in (c.split("</figcaption>")[0] for c in captions):
        assert "separation" not in caption or "not comparable" in caption


def html_near(html: str, text: str, _start: int) -> str:
    """What stands within 200 characters after every place of ``text`` outside attributes."""
    clean = re.sub(r'(src|aria-label)="[^"]*"', "", html)
    return clean[_start : _start + 200]


def test_comparable_numbers_are_not_labelled():
    good = toy_verdict(comparable=True)
    found = Page(render_report([without_pictures(good)])).words
    assert found.count("not comparable") == 1  # in the sentence that explains the label


def test_the_rest_of_the_verdict_is_on_the_page(page):
    words = page.words
    for text in (
        VERDICT.reference.sha256,
        VERDICT.training.sha256,
        VERDICT.overlap,
        VERDICT.warnings[0],
        "Cannot see: Each quantity on its own",
        "simulacra 0.1.0",
        "2025-01-02T03:04:05",
        "not measured",
        "4 ms per GeV",
        "0.6400, 0.6600",
    ):
        assert text in words
    for name in ("seed", "threads", "threshold"):
        assert name in words


def test_time_is_stated_where_it_was_measured():
    timing = {"ms_per_shower": 0.5, "full_simulation_ms_per_shower": 60.0, "batch": {"7": 2.0}}
    words = Page(render_report([replace(BARE, timing=timing)])).words
    assert "0.5 ms per shower" in words
    assert "120 times faster" in words
    assert "batch, 7 2" in words


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'


def test_texts_from_files_are_escaped():
    info = replace(
        VERDICT.generated, name=HOSTILE, provenance={HOSTILE: HOSTILE, "n": {HOSTILE: 1}}
    )
    bad = replace(
        VERDICT,
        generated=info,
        overlap=HOSTILE,
        warnings=(HOSTILE,),
        suite_label=HOSTILE,
        created=HOSTILE,
        timing={HOSTILE: HOSTILE},
        images=VERDICT.images[:1],
        examples=VERDICT.examples[:1],
        histograms=VERDICT.histograms[:1],
        scores=tuple(
            replace(s, label=f"${HOSTILE}$", cannot_see=HOSTILE, protocol=HOSTILE, unit=HOSTILE)
            for s in VERDICT.scores[:4]
        ),
    )
    card = {
        "name": HOSTILE,
        "description": HOSTILE,
        HOSTILE: HOSTILE,
        "scores": [{"name": HOSTILE}],
    }
    html = render_report([bad, bad], title=HOSTILE, reference_cards=[card], log={HOSTILE: HOSTILE})
    page = Page(html)
    only_our_script(html)
    assert all(str(image["src"]).startswith("data:") for image in page.all("img"))
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "{{ 7*7 }}" in page.words


def test_the_same_verdict_gives_the_same_page(html, real):
    again = render_report([VERDICT], log={"epoch": [1, 2], "loss": [0.5, 0.4], "recipe": "demo"})
    assert again == html


def test_a_verdict_from_its_file_gives_the_same_page(tmp_path):
    stored = type(BARE).load(BARE.save(tmp_path / "verdict.json"))
    assert render_report([stored]) == render_report([BARE])


def test_two_samples_stand_side_by_side():
    other = toy_verdict(generated_name="better.hdf5", tilt=1.0)
    small = [replace(v, images=v.images[:1], histograms=v.histograms[:2]) for v in (VERDICT, other)]
    page = Page(render_report(small))
    for name in ("surrogate.hdf5", "better.hdf5"):
        assert page.words.count(name) > 4
    headers = page.words.split("All 18 scores")[1][:80]
    assert "quantity surrogate.hdf5 better.hdf5 floor" in headers


def test_samples_of_one_name_are_told_apart():
    words = Page(render_report([BARE, BARE])).words
    assert "surrogate.hdf5 (1)" in words
    assert "surrogate.hdf5 (2)" in words


def test_strangers_do_not_share_a_page():
    with pytest.raises(RangeError, match="at least one"):
        render_report([])
    with pytest.raises(ShapeError, match="calochallenge-2"):
        render_report([BARE, without_pictures(toy_verdict("calochallenge-2", events=10))])
    stranger = replace(BARE, reference=replace(BARE.reference, sha256="99" * 32))
    with pytest.raises(RangeError, match="share their reference"):
        render_report([BARE, stranger])


def test_many_layers_are_a_bounded_selection_that_says_so():
    page = Page(render_report([toy_verdict("calochallenge-2", events=20)]))
    words = page.words
    assert len(page.all("img")) < 40
    assert "35 further layers are not drawn" in words or "37 further layers" in words
    assert "more" in words
    assert "All 72 scores" in words  # every number is in the table


def test_the_worst_layer_is_never_left_out():
    many = toy_verdict("calochallenge-2", events=20)
    name = "layer_energy/17"
    worse = tuple(
        replace(h, label="the odd one", separation=replace(h.separation, value=0.9))
        if h.name == name
        else h
        for h in many.histograms
    )
    page = Page(render_report([replace(many, histograms=worse, images=(), examples=())]))
    shown = [str(image["alt"]) for image in page.all("img")]
    assert any("layer energy of layer 17" in alt for alt in shown)


def test_cards_are_shown_as_what_they_are():
    card = {
        "name": "photons-flow",
        "comparable": True,
        "suite_label": "full protocol",
        "scores": [{"name": "auc/low_level", "label": "AUC", "value": 0.66, "error": 0.004}],
        "training": {"sha256": "12" * 32},
    }
    words = Page(render_report([BARE], reference_cards=[card, {"verdict": BARE.to_dict()}])).words
    assert "Read from the model's card, not measured on this page" in words
    assert "0.6600 ± 0.0040" in words
    assert "12" * 32 in words
    assert "unnamed model not comparable" in words


def test_a_card_without_standing_is_not_comparable():
    score = {"name": "auc/low_level", "value": 0.66, "comparable": True}
    words = Page(render_report([BARE], reference_cards=[{"name": "m", "scores": [score]}])).words
    assert "m not comparable" in words


def test_verdict_without_anything_is_still_a_page():
    words = Page(render_report([replace(BARE, scores=(), classifiers=(), training=None)])).words
    assert "This verdict holds no score" in words
    assert "No classifier was trained" in words
    assert "The training data is not stated" in words


def test_file_appears_whole_or_not_at_all(tmp_path):
    path = write_report([BARE], tmp_path / "deep" / "page.html", title="A title")
    assert "<title>A title</title>" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    with pytest.raises(OutputError):
        write_report([BARE], path / "inside-a-file.html")
    assert path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "error", "unit", "text"),
    [
        (0.5, 0.001, "", "0.5000 ± 0.0010"),
        (123.4, 5.6, "MeV", "(123.4 ± 5.6) MeV"),
        (12345.0, 678.0, "", "12345 ± 678"),
        (-0.0012, 0.0003, "", "−0.00120 ± 0.00030"),  # noqa: RUF001
        (2.5e-6, 1e-7, "", "(2.50 ± 0.10)×10⁻⁶"),  # noqa: RUF001
        (float("nan"), 0.1, "", "not measured"),
        (None, None, "", "not measured"),
        (0.3, float("nan"), "", "0.3"),
        (0.0, 0.0, "", "0"),
    ],
)
def test_numbers_are_written_to_two_digits_of_their_error(value, error, unit, text):
    assert quantity(value, error, unit) == text


def test_excess_needs_a_floor_and_an_error():
    assert excess(0.7, 0.03, 0.5, 0.04) == pytest.approx(4.0)
    assert excess(0.7, 0.0, 0.5, 0.0) is None
    assert excess(0.7, 0.1, None, None) is None
    assert excess(float("nan"), 0.1, 0.5, 0.1) is None


def test_labels_become_html():
    assert str(mathematics(r"$E_\mathrm{tot} / E_{12}$ <b>")) == (
        "<i>E<sub>tot</sub> / E<sub>12</sub></i> &lt;b&gt;"
    )
    assert str(mathematics(r"$\langle\eta\rangle_{2}$")) == "<i>⟨η⟩<sub>2</sub></i>"
    assert "&lt;i&gt;" in str(mathematics("$_{<i>}$"))
    assert str(mathematics("5 $ & more")) == "5 $ &amp; more"


def test_facts_are_bounded():
    lines = facts({"keys": list(range(1000)), "text": "x" * 10_000, "none": None, "yes": True})
    assert lines[0][1].endswith("… and 988 more")
    assert len(lines[1][1]) < 500
    assert lines[2:] == [("none", "not stated"), ("yes", "yes")]
    nest: dict = {}
    nest["self"] = {"a": {"b": {"c": {"d": 1}}}}
    assert len(facts(nest)) == 1
