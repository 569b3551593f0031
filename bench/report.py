"""The one-file report of fifty columns: bytes, seconds to write, milliseconds to done in Chromium.

python bench/report.py            (goals: 400 KB, 400 ms; axe-core is run by tests/browser)

Then the report with a map of 20,000 points: bytes, CPU to make the shape and the page, first paint,
and what drawing the points costs (goals: 600 KB, first paint in 500 ms).
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
import map_samples as maps  # noqa: E402
import samples  # noqa: E402

from undertow.core.report import Report  # noqa: E402
from undertow.stats import projection  # noqa: E402
from undertow.surfaces import html, notebook  # noqa: E402

DONE = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now()))))"""

PAINT = """new Promise(done => { const look = () => {
    const found = performance.getEntriesByName('first-contentful-paint')[0]
    if (found) done(found.startTime); else requestAnimationFrame(look) }
    look() })"""
# Colouring anew draws every point again; the time is that of the frame it is drawn in.
DRAWN = """new Promise(done => { document.querySelector('.map').scrollIntoView()
    const later = () => document.querySelector('.view.live') ? requestAnimationFrame(() => {
        document.querySelector('.by [value=cluster]').click()
        const start = performance.now()
        requestAnimationFrame(() => done(performance.now() - start)) }) : setTimeout(later, 20)
    later() })"""


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


def mapped() -> None:
    """Print what a report with a map of 20,000 points weighs and costs."""
    sides = maps.sides(45_000, 8_000)
    projection.shape(*sides)
    start = time.process_time()
    shape = projection.shape(*sides)
    made = time.process_time() - start
    loud = samples.loud()
    alone = maps.report(shape)
    crowded = Report.of(loud.reference, loud.current, (maps.finding(shape), *loud.findings))
    for name, report in (("map", alone), ("map, everything changed", crowded)):
        start = time.process_time()
        page = html.render(report)
        wrote = time.process_time() - start
        size, packed = len(page.encode()), len(gzip.compress(page.encode()))
        print(
            f"{name}: {sum(shape['drawn'].values()):,} points of {sum(shape['rows'].values()):,}:"
            f" {size / 1000:.0f} KB ({packed / 1000:.0f} KB gzip), shape in {made:.2f} CPU s, page"
            f" in {wrote:.2f} CPU s, {painted(page)}"
        )


def painted(page: str) -> str:
    """Return the first contentful paint, and the time to draw the points, of ten openings."""
    if chrome.chromium() is None:
        return "no Chromium here"
    with tempfile.TemporaryDirectory() as folder, chrome.Browser() as browser:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        tab = browser.page()
        paints, drawings = [], []
        for _ in range(11):
            tab.open(path)
            paints.append(tab.run(PAINT))
            drawings.append(tab.run(DRAWN))
    return (
        f"first paint median {statistics.median(paints[1:]):.0f} ms, best {min(paints):.0f} (cold"
        f" {paints[0]:.0f}); points drawn in {statistics.median(drawings):.0f} ms"
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
    mapped()
