"""The page in a real browser: no error on the console, no broken picture, no use of the network.

A copy of the page gets a small script that reports what the browser saw; the page's own policy
is kept but for that script. The page as written is opened too, with the browser's console and
its log of network requests. A page with each fault shows that the faults would be found.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from synthetic_verdicts import toy_verdict

from simulacra.evaluation.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a headless Chromium: apt-get install chromium"
)

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser's own services find nobody either
)

LISTEN = """<script nonce="test">
const seen = {errors: [], refused: []};
addEventListener("error", e => seen.errors.push(e.message || e.target.outerHTML), true);
addEventListener("securitypolicyviolation", e => seen.refused.push(e.blockedURI));
</script>"""

REPORT = """<script nonce="test">
addEventListener("load", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const images = [...document.images];
  seen.images = images.length;
  seen.broken = images.filter(i => !i.complete || i.naturalWidth < 50).map(i => i.alt);
  seen.requests = performance.getEntriesByType("resource").map(e => e.name)
    .filter(name => !name.startsWith("data:"));
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
</script>"""


def browse(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page; return what the browser wrote."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *options, page.as_uri()]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, cwd=folder
    )


def inspect(html: str, folder: Path, *options: str) -> dict:
    """Open a copy of ``html`` with a listener inside; return what it saw."""
    html = html.replace("default-src 'none';", "default-src 'none'; script-src 'nonce-test';")
    html = html.replace("<head>", f"<head>{LISTEN}", 1).replace("</body>", f"{REPORT}</body>", 1)
    copy = folder / "copy.html"
    copy.write_text(html, encoding="utf-8")
    out = browse(copy, folder, "--dump-dom", *options)
    found = re.search(r'<pre id="seen">(.*?)</pre>', out.stdout, re.DOTALL)
    assert found is not None, out.stderr[-2000:]
    return json.loads(unescape(found.group(1)))


def requests(log: Path) -> set[str]:
    """What was asked of the network, but for the browser's own services."""
    asked = re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)"', log.read_text(errors="replace"))
    own = re.compile(r"https?://[\w.-]+\.(?:google|googleapis|gvt1|gstatic)\.com[:/]")
    return {url for url in asked if not own.match(url)}


def console(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if "CONSOLE" in line]


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
