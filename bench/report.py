"""The one-file report of fifty columns: bytes, seconds to write, milliseconds to done in Chromium.

python bench/report.py            (goals: 400 KB, 400 ms; axe-core is run by tests/browser)
"""

from __future__ import annotations

import gzip
import statistics
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS / "browser"), str(TESTS / "surfaces")]

import chrome  # noqa: E402
import samples  # noqa: E402

from undertow.core.report import Report  # noqa: E402
from undertow.surfaces import html, notebook  # noqa: E402

DONE = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now()))))"""


def main() -> None:
    for name, report in (("story", samples.report()), ("everything changed", samples.loud())):
        html.render(report)
        start = time.perf_counter()
        page = html.render(report)
        wrote = time.perf_counter() - start
        size = len(page.encode())
        packed = len(gzip.compress(page.encode()))
        print(
            f"{name}: {len(report.columns)} columns, {len(report.findings)} findings: "
            f"{size / 1000:.0f} KB ({packed / 1000:.0f} KB gzip), written in {wrote * 1000:.0f} "
            f"ms, {browsed(page)}; notebook {each_finding(report)}"
        )


def browsed(page: str) -> str:
    """Return the median time from navigation to the second frame after loading."""
    if chrome.chromium() is None:
        return "no Chromium here"
    with tempfile.TemporaryDirectory() as folder, chrome.Browser() as browser:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        tab = browser.page()
        times = []
        for _ in range(11):
            tab.open(path)
            times.append(tab.run(DONE))
    return f"done in {statistics.median(times[1:]):.0f} ms (first {times[0]:.0f} ms)"


def each_finding(report: Report) -> str:
    """Return what a notebook's output weighs with one finding and with the usual three."""
    one, usual = (len(notebook.render(report, full=full, listed=0)) for full in (1, 3))
    return f"{one / 1000:.1f} KB with one finding, {usual / 1000:.1f} with three"


if __name__ == "__main__":
    main()
