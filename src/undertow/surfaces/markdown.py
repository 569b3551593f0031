"""A report as Markdown, for a pull request, an issue or a job summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from undertow.core.finding import Finding, size
from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces.headline import counts, headline
from undertow.surfaces.safe import safe

MOST = 50
"""Findings listed; the rest are counted, because a comment on GitHub has a largest size."""

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~!&$=+^]")
_LIST = re.compile(r"^([-.)]|\d+[.)])")
_LINK = re.compile(r"(?i)(://|\bwww\.|\b(?:mailto|xmpp):)")


def render(report: Report, *, all: bool = False) -> str:  # noqa: A002
    """Return the report as Markdown; steady findings are counted unless `all`."""
    return "\n\n".join(_blocks(report, full=all)) + "\n"


def _blocks(report: Report, *, full: bool) -> Iterator[str]:
    yield f"### {report.verdict.mark} undertow: {report.verdict.value}"
    yield f"**{_text(headline(report), 800)}**"
    current, reference = report.current, report.reference
    yield (
        f"{_code(current.source)} ({current.rows:,} rows) against {_code(reference.source)} "
        f"({reference.rows:,} rows): {counts(report)}."
    )
    wanted = list(Verdict) if full else [Verdict.CHANGED, Verdict.WATCH, Verdict.UNKNOWN]
    found = [finding for verdict in wanted for finding in report.having(verdict)]
    shown = found if full else found[:MOST]
    if shown:
        head = "| | what | moved (95% interval) | limit | |\n| --- | --- | --: | --: | --- |"
        yield "\n".join([head, *(_row(finding) for finding in shown)])
    if len(found) > len(shown):
        yield f"{len(found) - len(shown):,} more are not listed here."
    accepted = [_accepted(finding) for finding in report.findings if finding.accepted is not None]
    yield from _items("Accepted", accepted)
    steps = dict.fromkeys(step for finding in shown for step in finding.next)
    yield from _items("Do next", (_text(step, 400) for step in list(steps)[:10]))
    yield from _items("Notes", (_text(note, 400) for note in report.notes))
    yield from _examples(shown)
    if shown:
        yield "Known and fine? `undertow accept KEY --until DATE --reason TEXT`"
    if report.redacted:
        yield "Example rows were left out of this report."


def _row(finding: Finding) -> str:
    moved = limit = ""
    effect = finding.effect
    if effect is not None:
        limit = size(effect.name, effect.tolerance)
        moved = "?"
        if effect.defined and finding.verdict is not Verdict.UNKNOWN:
            value, low, high = (
                size(effect.name, x) for x in (effect.value, effect.low, effect.high)
            )
            moved = f"{value} ({low} to {high})"
    state = f"{finding.verdict.mark} {finding.verdict.value}"
    says = f"{_text(finding.summary, 400)} <sub>{finding.key}</sub>"
    return f"| {state} | {_code(finding.subject)} | {moved} | {limit} | {says} |"


def _accepted(finding: Finding) -> str:
    known = finding.accepted
    assert known is not None
    return f"{_code(finding.subject)} until {_text(known.until, 10)}: {_text(known.reason, 400)}"


def _examples(findings: Iterable[Finding]) -> Iterator[str]:
    lines = []
    for finding in findings:
        for example in finding.examples[:3]:
            cells = ", ".join(f"{_code(key, 60)}: {_code(cell)}" for key, cell in example.items())
            lines.append(f"- {_code(finding.subject)}: {cells}")
    if lines:
        inside = f"{len(lines)} example rows" if len(lines) > 1 else "1 example row"
        yield f"<details><summary>{inside} of the data</summary>"
        yield "\n".join(lines)
        yield "</details>"


def _items(title: str, items: Iterable[str]) -> Iterator[str]:
    listed = [f"- {item}" for item in items]
    if listed:
        yield "\n".join([f"**{title}**", "", *listed])


def _code(text: str, limit: int = 120) -> str:
    """Return text as a code span that it cannot end, inside a table as well."""
    shown = safe(text, limit).replace("|", "\u00a6") or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def _text(text: str, limit: int = 200) -> str:
    """Return text that Markdown shows as it is: no markup, no links, and nobody is mentioned."""
    shown = _MARKUP.sub(lambda found: f"\\{found.group()}", safe(text, limit))
    shown = _LIST.sub(lambda found: f"{found.group()[:-1]}\\{found.group()[-1]}", shown)
    shown = _LINK.sub(lambda found: re.sub(r"([:.])", r"\\\1", found.group()), shown)
    return shown.replace("@", "@\u2060")
