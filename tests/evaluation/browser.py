"""A real browser, headless: opens a page and says what it saw."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

__all__ = ["CHROMIUM", "browse", "console", "inspect", "requests"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

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
requestAnimationFrame = draw => setTimeout(draw, 5);  // a browser without a screen draws none
addEventListener("error", e => seen.errors.push(e.message || e.target.outerHTML), true);
addEventListener("securitypolicyviolation", e => seen.refused.push(e.blockedURI));
</script>"""

REPORT = """<script nonce="test">
addEventListener("load", async () => {
  if (seen.waits) await seen.waits();
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


def inspect(html: str, folder: Path, *options: str, script: str = "") -> dict:
    """Open a copy of ``html`` with a listener inside; return what it saw.

    A ``script`` of the test's own may put a promise into ``seen.waits``; it is waited for.
    """
    assert html.count("script-src ") == 1
    html = html.replace("script-src ", "script-src 'nonce-test' ")
    html = html.replace("<head>", f"<head>{LISTEN}", 1)
    html = f"{script}{REPORT}</body>".join(html.rsplit("</body>", 1))
    copy = folder / "copy.html"
    copy.write_text(html, encoding="utf-8")
    out = browse(copy, folder, "--dump-dom", "--virtual-time-budget=8000", *options)
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
