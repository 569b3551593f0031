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

sys.path[:0] = [
    str(Path(__file__).parent.parent / "tests" / each) for each in ("browser", "surfaces")
]

import chrome  # noqa: E402
import samples  # noqa: E402

from undertow.core.report import Report  # noqa: E402
from undertow.surfaces import html, notebook  # noqa: E402

DONE = """(() => { const n = performance.getEntriesByType('navigation')[0];
    return n.loadEventEnd - n.startTime })()"""


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
            f"{size / 1000:.0f} KB ({packed / 1000:.0f} KB gzip), written in {wrote * 1000:.0f} ms, "
            f"{browsed(page)}; notebook {each_finding(report)}"
        )


def browsed(page: str) -> str:
    """Return the median time from navigation to the end of the load event, first visit apart."""
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
    one, usual = (notebook.render(report, full=full, listed=0) for full in (1, 3))
    return f"{len(one.encode()) / 1000:.1f} KB with one finding, {len(usual.encode()) / 1000:.1f} with three"


if __name__ == "__main__":
    main()
