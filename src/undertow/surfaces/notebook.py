"""The report in a notebook: static HTML that lives without scripts, in the host's own theme."""

from __future__ import annotations

from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces import story, svg
from undertow.surfaces.page import minified, source, template, trusted


def render(report: Report, *, full: int = 3, listed: int = 20) -> str:
    """Return a fragment of HTML: the sentence, the `full` worst findings, a table of `listed` more.

    >>> from undertow.core.report import Source
    >>> page = render(Report(Source("a", 0), Source("b", 0), ()))
    >>> page[:19], "<script" in page
    ('<div class="ut nb">', False)
    """
    news = [each for each in report.findings if each.fails and each.verdict is not Verdict.STEADY]
    full, listed = max(full, 0), max(listed, 0)
    return template("notebook.html").render(
        report=report,
        headline=story.headline(report),
        lede=story.lede(report),
        full=news[:full],
        rest=news[full : full + listed],
        left=max(0, len(news) - full - listed),
        chart=lambda each: trusted(svg.chart(each.shape, story.sentence(each))),
        style=trusted(minified(source("theme.css") + source("notebook.css"))),
    )
