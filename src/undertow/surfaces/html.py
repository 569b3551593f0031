"""The report as one HTML file: a sentence first, then the answers, then the pictures.

Nothing is fetched and nothing is needed: the style and a few lines of script are inside, allowed by
their hashes alone. Every value passes through `safe` and is escaped, whoever wrote the template.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from undertow.core.finding import Finding, size
from undertow.core.report import Report
from undertow.core.verdict import CHANGED_FAMILY, CHANGED_P, WATCH_FAMILY, Verdict
from undertow.surfaces import maps, story, svg
from undertow.surfaces.page import TEXT, inlined, minified, shortened, source, template, trusted
from undertow.surfaces.safe import safe

if TYPE_CHECKING:
    from markupsafe import Markup

BUDGET, WITH_MAP = 390_000, 590_000
"""Characters a page should not exceed: it is mailed, and opened on telephones."""
EXAMPLES = 5
BAR = 160
"""Length of the longest size bar in pixels."""
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 6q3.5-4 7 0t7 0M1 11'
    'q3.5-4 7 0t7 0" fill="none" stroke="#0067a8" stroke-width="2" stroke-linecap="round"/></svg>'
)


def render(report: Report, *, full: int = 60, listed: int = 200, steady: int = 200) -> str:
    """Return the report as one page.

    At most the `full` worst findings get a chart and their evidence, fewer where the page would
    outgrow `BUDGET`; `listed` get a line in the table, and so do `steady` of the steady ones. The
    page says what it leaves out.
    """
    full = min(max(full, 0), len(report.findings))
    listed, steady = max(listed, 0), max(steady, 0)
    drawn = maps.figures(report)
    page = _page(report, drawn, full, listed, steady)
    fixed = sum(len(each) for each in drawn.values())
    room = (WITH_MAP if drawn else BUDGET) - fixed
    for _ in range(4):
        if len(page) - fixed <= room or full == 0:
            break
        full = int(0.97 * full * max(room, 0) / (len(page) - fixed))
        page = _page(report, drawn, full, listed, steady)
    return page


def _page(report: Report, drawn: Mapping[str, str], full: int, listed: int, steady: int) -> str:
    news = [each for each in report.findings if each.fails and each.verdict is not Verdict.STEADY]
    quiet = report.having(Verdict.STEADY)
    worst = list({each.key: each for each in news[:full]}.values())
    shown = {each.key for each in worst}
    hidden = [each for each in report.findings if each.key in drawn and each.key not in shown]
    most = _scale(news)
    line = f".list{{--tolerance:{BAR / most - 0.5:.0f}px}}"
    style = minified(source("theme.css") + source("report.css")) + line
    script = source("report.js")
    if drawn:
        style += minified(source("map.css"))
        parts = "".join(source(f"{each}.js") for each in ("points", "hexagons", "map"))
        script += f";(()=>{{'use strict'\n{shortened(parts)}\n}})()"
    return template("report.html").render(
        report=report,
        headline=story.headline(report),
        lede=story.lede(report),
        answers=story.answers(report),
        listed=news[:listed],
        unlisted=max(0, len(news) - listed),
        full=worst,
        anchors={each.key: f"f-{each.key}" for each in worst},
        accepted=[each for each in report.findings if not each.fails],
        steady=quiet[:steady],
        steady_count=len(quiet),
        counts=[(verdict, len(report.having(verdict))) for verdict in Verdict],
        rules=_rules(report),
        tolerances=_tolerances(report),
        rows_inside=sum(len(each.examples[:EXAMPLES]) for each in worst),
        version=importlib.metadata.version("undertow"),
        chart=lambda each: trusted(svg.chart(each.shape, story.sentence(each))),
        maps={key: trusted(each) for key, each in drawn.items()},
        folded=list({each.key: each for each in hidden}.values()),
        spark=lambda each: trusted(svg.spark(each.shape)),
        size_bar=lambda each: trusted(svg.size_bar(each.effect, most, each.verdict, BAR)),
        data=_data(worst),
        style=trusted(style),
        script=trusted(script),
        icon=trusted("data:image/svg+xml," + quote(_ICON)),
        csp=trusted(_policy(style, script)),
    )


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; style-src {allowed(style)}; script-src {allowed(script)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _data(findings: Iterable[Finding]) -> Markup:
    """Return the findings as JSON for copying, without what only a chart needs."""
    rows = {}
    for finding in findings:
        row = finding.to_dict()
        row.pop("shape")
        row["examples"] = row["examples"][:EXAMPLES]
        rows[finding.key] = _harmless(row)
    return inlined(rows)


def _harmless(value: Any) -> Any:
    """Return JSON with every text cut, and null for what JSON has no word for."""
    if isinstance(value, str):
        return safe(value, TEXT)
    if isinstance(value, Mapping):
        return {safe(key, 200): _harmless(each) for key, each in list(value.items())[:100]}
    if isinstance(value, (list, tuple)):
        return [_harmless(each) for each in value[:100]]
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124
        return None
    return value


def _scale(news: Iterable[Finding]) -> float:
    """Return how many tolerances fill a bar: one scale for the whole page."""
    ratios = (
        each.effect.value / each.effect.tolerance
        for each in news
        if each.effect is not None and each.effect.defined and each.effect.tolerance > 0
    )
    # The tolerance falls on the middle of a pixel, where a hairline is sharp.
    return BAR / (BAR // min(max([2.5, *ratios]), 6.0) + 0.5)


def _rules(report: Report) -> list[tuple[Verdict, str]]:
    share = max(report.comparisons, 1)
    sure, likely = min(CHANGED_P, CHANGED_FAMILY / share), WATCH_FAMILY / share
    changed = (
        f"No change at all is rejected (p at most {sure:.2g}) and the whole 95% interval lies"
        " beyond the tolerance. A fact, such as a column that is gone, needs no interval."
    )
    watch = (
        f"No change at all is rejected (p at most {likely:.2g}) and the size exceeds the tolerance."
    )
    steady = (
        "The 95% interval lies within the tolerance; or the size does and the interval excludes"
        " twice the tolerance."
    )
    unknown = "Everything else: too few rows, none at all, or a difference of unsure size."
    return [
        (Verdict.CHANGED, changed),
        (Verdict.WATCH, watch),
        (Verdict.STEADY, steady),
        (Verdict.UNKNOWN, unknown),
    ]


def _tolerances(report: Report) -> list[tuple[str, str, int]]:
    used = Counter(
        (each.effect.name, each.effect.tolerance)
        for each in report.findings
        if each.effect is not None
    )
    return [
        (story.EFFECT_NAMES.get(name, name), size(name, tolerance), count)
        for (name, tolerance), count in sorted(used.items())
    ]
