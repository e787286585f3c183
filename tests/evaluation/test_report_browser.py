"""The page in a real browser: no error on the console, no broken picture, no use of the network.

A copy of the page gets a small script that reports what the browser saw; the page's own policy
is kept but for that script. The page as written is opened too, with the browser's console and
its log of network requests. A page with each fault shows that the faults would be found.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, browse, console, inspect, requests
from synthetic_verdicts import full_verdict, toy_verdict

from simulacra.evaluation.report import write_report

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a headless Chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    verdict = toy_verdict()
    other = toy_verdict(generated_name="<b>other & long name" + "y" * 60 + ".hdf5", tilt=1.0)
    small = [
        replace(v, images=v.images[:2], examples=v.examples[:1], histograms=v.histograms[:4])
        for v in (verdict, other)
    ]
    card = {"name": "m", "scores": [{"name": "auc/low_level", "value": 0.66, "error": 0.01}]}
    folder = tmp_path_factory.mktemp("page")
    log = {"epoch": [1, 2, 3], "loss": [0.5, 0.4, 0.3]}
    return write_report(small, folder / "page.html", reference_cards=[card], log=log)


@pytest.mark.parametrize("size", ["1280,900", "500,900"])
def test_every_picture_is_drawn_and_nothing_is_fetched(page, tmp_path, size):
    seen = inspect(page.read_text(encoding="utf-8"), tmp_path, f"--window-size={size}")
    # 2 layers and 1 shower for each sample, 4 histograms (drawn apart where bins differ), three
    assert seen["images"] >= 4 + 2 + 4 + 3
    assert seen["broken"] == []
    assert seen["errors"] == []
    assert seen["refused"] == []
    assert seen["requests"] == []
    assert seen["overflow"] <= 0  # nothing is wider than the window


TURN = """<script nonce="test">
const views = () => [...document.querySelectorAll("#viewer canvas")];
const pictures = () => views().map(c => c.toDataURL());
const frames = () => new Promise(done => setTimeout(done, 50));
const filled = () => views().map(c => {
  const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  const colours = new Set();
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 3] > 40) colours.add(pixels[i] >> 4 << 8 | pixels[i + 1] >> 4 << 4 | pixels[i + 2] >> 4);
  }
  return colours.size;
});
const point = (target, type, x, y, kind) => target.dispatchEvent(new PointerEvent(type,
  {bubbles: true, clientX: x, clientY: y, button: 0, pointerId: 5, pointerType: kind}));
async function drag(number, dx, dy, kind) {
  point(views()[number], "pointerdown", 50, 50, kind);
  point(document.body, "pointermove", 50 + dx, 50 + dy, kind);
  point(document.body, "pointerup", 50 + dx, 50 + dy, kind);
  await frames();
}
const key = name => views()[0].dispatchEvent(
  new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
seen.waits = async () => {
  seen.hidden = document.getElementById("viewer").hidden;
  seen.colours = filled();
  const steps = {};
  const step = async (name, act) => {
    const before = pictures();
    await act();
    await frames();
    const after = pictures();
    steps[name] = before.map((one, n) => one !== after[n]);
  };
  await frames();
  const start = pictures();
  await step("mouse on the left", () => drag(0, 60, 0, "mouse"));
  await step("finger on the right", () => drag(1, -30, 20, "touch"));
  await step("moving without a button", () => point(document.body, "pointermove", 300, 300, "mouse"));
  await step("arrow key", () => { seen.taken = !key("ArrowLeft"); });
  await step("tab key", () => { seen.left = key("Tab"); });
  await step("button", () => document.querySelector("#viewer button[value='+']").click());
  await step("another pair", () => {
    const list = document.querySelector("#viewer select");
    seen.options = [...list.options].map(o => o.text);
    list.value = "1";
    list.dispatchEvent(new Event("change"));
  });
  seen.titles = [...document.querySelectorAll("#viewer h4")].map(h => h.textContent);
  document.querySelector("#viewer select").value = "0";
  document.querySelector("#viewer select").dispatchEvent(new Event("change"));
  document.querySelector("#viewer button[value='Home']").click();
  await frames();
  seen.back = pictures().map((one, n) => one === start[n]);
  seen.steps = steps;
  seen.ticks = [...document.querySelectorAll(".legend-ticks span")].map(s => s.textContent);
  seen.focus = views().map(c => c.tabIndex);
};
</script>"""  # noqa: E501


@pytest.mark.parametrize("detector", ["calochallenge-1-photons", "calochallenge-2"])
def test_single_showers_turn(tmp_path, detector):
    verdict = toy_verdict(detector, events=30, generated_name="mine <i>.hdf5")
    plain = replace(verdict, images=(), histograms=(), scores=(), curves=())
    page = write_report([plain], tmp_path / "page.html")
    seen = inspect(page.read_text(encoding="utf-8"), tmp_path, script=TURN)
    assert seen["errors"] == []
    assert seen["refused"] == []
    assert not seen["hidden"]
    assert min(seen["colours"]) > 10  # both views are drawn, in many colours
    still = {"moving without a button", "tab key"}
    for name, changed in seen["steps"].items():
        assert changed == [name not in still] * 2, name  # the two turn together
    assert seen["back"] == [True, True]
    assert seen["taken"]
    assert seen["left"]  # other keys are the browser's
    assert len(seen["options"]) == 3
    assert seen["titles"] == ["reference", "mine <i>.hdf5"]
    assert seen["ticks"]
    assert seen["focus"] == [0, 0]


HOSTILE = (
    "</script><script>document.title='owned'</script><!--<script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\u2028 \\u003c/script> ${1} ' \" ]]>",
)


def test_hostile_names_do_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("simulacra.evaluation.report.field._pictures", lambda *_: [])  # slow
    verdict = full_verdict(events=30)
    bad = [
        replace(
            verdict,
            generated=replace(verdict.generated, name=f"{name} {number}", provenance={name: name}),
            reference=replace(verdict.reference, name="".join(HOSTILE)),
            findings=tuple(replace(f, sentence=name) for f in verdict.findings),
            profiles=tuple(replace(p, note=name, label=name) for p in verdict.profiles),
            matrices=tuple(replace(m, label=name) for m in verdict.matrices),
            diagnoses=tuple(replace(d, classifier=name) for d in verdict.diagnoses),
            scores=tuple(
                replace(s, label=name, region=name, cannot_see=name)
                for s in (*verdict.scores[:8], *verdict.scores[-8:])  # of regions, too
            ),
            timing={name: name, "ms_per_shower": 1.0, "hardware": name},
            suite_label=name,
            images=(),
            histograms=(),
            curves=(),
        )
        for number, name in enumerate(HOSTILE)
    ]
    page = write_report(bad, tmp_path / "page.html")
    seen = inspect(page.read_text(encoding="utf-8"), tmp_path, script=TURN)
    assert seen["errors"] == []
    assert seen["refused"] == []
    assert len(seen["options"]) == 9
    assert seen["titles"][1].startswith("</script><script>")
    log = tmp_path / "net.json"
    out = browse(page, tmp_path, "--dump-dom", f"--log-net-log={log}")
    assert console(out.stderr) == []
    assert "<title>Judged showers: 3 samples</title>" in out.stdout
    assert requests(log) == set()


def test_a_changed_script_is_refused(page, tmp_path):
    html = page.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.html"
    wrong.write_text(html.replace('"use strict";', '"use strict" ;', 1), encoding="utf-8")
    out = browse(wrong, tmp_path, "--dump-dom")
    assert "inline script" in " ".join(console(out.stderr))
    assert re.search(r'id="viewer" hidden', out.stdout)  # the pictures below stay
    assert "pictures below" in out.stdout


def test_the_page_as_written_is_silent(page, tmp_path):
    log = tmp_path / "net.json"
    out = browse(page, tmp_path, "--dump-dom", f"--log-net-log={log}")
    assert console(out.stderr) == []
    assert "Verdict" in out.stdout
    assert requests(log) == set()


def test_faults_would_be_found(page, tmp_path):
    html = page.read_text(encoding="utf-8")
    faults = (
        '<img src="data:image/png;base64,AAAA" alt="broken">'
        '<img src="http://127.0.0.1:9/far.png" alt="far"><div style="width:3000px">wide</div>'
        "<script>console.error(1)</script>"
    )
    seen = inspect(html.replace("</main>", f"{faults}</main>"), tmp_path)
    assert "broken" in seen["broken"]
    assert any("far.png" in url for url in seen["refused"])
    assert len(seen["errors"]) >= 1
    assert seen["overflow"] > 0

    wrong = tmp_path / "wrong.html"
    wrong.write_text(html.replace("</main>", f"{faults}</main>"), encoding="utf-8")
    said = " ".join(console(browse(wrong, tmp_path, "--dump-dom").stderr))
    assert "inline script" in said
    assert "far.png" in said
    open_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    wrong.write_text(open_policy.replace("</main>", f"{faults}</main>"), encoding="utf-8")
    log = tmp_path / "net.json"
    browse(wrong, tmp_path, "--dump-dom", f"--log-net-log={log}")
    assert requests(log) == {"http://127.0.0.1:9/far.png"}
