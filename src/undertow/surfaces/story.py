"""A report in sentences: what a colleague repeats, before any picture is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from undertow.core.finding import Finding, percent, size
from undertow.core.report import Report
from undertow.core.verdict import CHANGED_FAMILY, Effect, Verdict
from undertow.surfaces.safe import safe

EFFECTS = {
    "cdf_gap": "{} of rows moved",
    "total_variation": "{} of rows moved",
    "cohens_h": "{} between the two shares",
    "difference": "a difference of {}",
    "moved_share": "{} of rows moved or are novel",
    "relative_change": "{} of the quality lost",
}
EFFECT_NAMES = {
    "cdf_gap": "Largest gap between the cumulative distributions: the share of rows that moved",
    "total_variation": "Total variation: the share of rows that moved to another value",
    "cohens_h": "Cohen's h, the size of a change of one share: 50 to 60%, 10 to 17%, 1 to 4%",
    "difference": "Difference of a metric",
    "moved_share": "Share of what was looked at that moved, is novel, or is not what it should be",
    "relative_change": "Part of what a re-index would find that is lost",
}


class Answer(NamedTuple):
    """One of the short answers at the top: its question, and the findings it points at."""

    question: str
    text: str
    links: tuple[Finding, ...] = ()
    note: str = ""
    step: str = ""


def headline(report: Report) -> str:
    """Return the one sentence of the report.

    >>> from undertow.core.report import Source
    >>> old = Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=0.0)
    >>> age = Finding("drift.number", "age", "half were under 40, now under 52", old, column="age")
    >>> headline(Report.of(Source("a", 9), Source("b", 9), [age]))
    'age changed: half were under 40, now under 52'
    """
    if not report.findings:
        return "Nothing was compared, so nothing is known"
    verdict = report.verdict
    worst = next(iter(report.having(verdict)), None)
    if worst is None and verdict is Verdict.UNKNOWN:
        return "Nothing was measured, so nothing is known"
    if worst is None:
        return "Nothing new: every finding is known and accepted"
    subject, says = safe(worst.subject, 60), safe(worst.summary, 160).rstrip(".")
    if verdict is Verdict.CHANGED and subject.casefold() in says.casefold():
        return says[:1].upper() + says[1:]
    starts = {
        Verdict.CHANGED: f"{subject} changed: {says}",
        Verdict.WATCH: f"Nothing changed for certain, but watch {subject}: {says}",
        Verdict.UNKNOWN: f"No change found, but {subject} could not be told: {says}",
        Verdict.STEADY: "Steady: nothing moved by more than matters",
    }
    return starts[verdict]


def lede(report: Report) -> str:
    """Return the sentence under the headline: how much else there is.

    >>> from undertow.core.report import Source
    >>> lede(Report(Source("a", 9), Source("b", 9), ()))
    ''
    """
    count = {verdict: len(report.having(verdict)) for verdict in Verdict}
    accepted = len(report.findings) - sum(count.values())
    more = count[Verdict.CHANGED] - 1
    told = [
        (more, f"{plural(more, 'more finding')} changed"),
        (count[Verdict.WATCH], f"{count[Verdict.WATCH]:,} to watch"),
        (count[Verdict.UNKNOWN], f"{count[Verdict.UNKNOWN]:,} could not be told"),
        (accepted, f"{accepted:,} known and accepted"),
        (count[Verdict.STEADY], f"{count[Verdict.STEADY]:,} steady"),
    ]
    said = [words for number, words in told if number > 0]
    if len(said) > 1:
        said[-2:] = [f"{said[-2]} and {said[-1]}"]
    return f"{', '.join(said)}." if said else ""


def sentence(finding: Finding) -> str:
    """Return a finding as one sentence that stands alone."""
    return f"{safe(finding.subject, 60)}, {finding.verdict.value}: {safe(finding.summary, 160)}"


def answers(report: Report) -> list[Answer]:
    """Return the short answers: what changed, how sure, which, why, and what to do next."""
    changed, watch = report.having(Verdict.CHANGED), report.having(Verdict.WATCH)
    open_ = changed or watch or report.having(Verdict.UNKNOWN)
    columns = 2 * sum(bool(each.column) for each in report.findings) > len(report.findings)
    total = max(len(report.columns) if columns else 0, len(subjects(report.findings)))
    noun = "column" if columns else "finding"
    listed = [Answer("What changed", _what(changed, watch, plural(total, noun)))]
    if open_:
        names = subjects(open_)
        listed.append(Answer("Which", _more(len(names), 3), tuple(names.values())[:3]))
    note = (
        f"under {percent(CHANGED_FAMILY)} chance that any 'changed' here is false"
        if changed
        else ""
    )
    listed.append(Answer("How sure", _sure(report, open_[0] if open_ else None), note=note))
    causes = [cause for finding in changed + watch for cause in finding.causes]
    if causes:
        listed.append(
            Answer("Likely why", "; ".join(safe(c, 90) for c in dict.fromkeys(causes[:2])))
        )
    steps = [step for finding in open_ for step in finding.next]
    if steps:
        # The command stands beside the finding; here the sentence is enough.
        listed.append(Answer("Do next", "", step=steps[0].partition(": undertow ")[0]))
    return listed


def subjects(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the columns that findings speak of, each with its first finding."""
    named: dict[str, Finding] = {}
    for finding in findings:
        named.setdefault(finding.column or finding.subject, finding)
    return named


def _what(changed: tuple[Finding, ...], watch: tuple[Finding, ...], total: str) -> str:
    bad = subjects(changed)
    said = f"{len(bad)} of {total}" if bad else "Nothing beyond its tolerance"
    others = [name for name in subjects(watch) if name not in bad]
    return f"{said}; {len(others)} to watch" if others else said


def _more(count: int, shown: int) -> str:
    return f"and {count - shown} more" if count > shown else ""


def _sure(report: Report, worst: Finding | None) -> str:
    if worst is None:
        return f"{plural(report.comparisons, 'comparison')}, each with a 95% interval"
    if worst.effect is None:
        return "A fact, not an estimate"
    if not worst.effect.defined or worst.verdict is Verdict.UNKNOWN:
        return "Not at all: more rows are needed"
    if worst.verdict is Verdict.WATCH:
        return f"Real, size unsure: {interval(worst.effect)}"
    return interval(worst.effect)


def interval(effect: Effect) -> str:
    """Return an effect with its interval, as short as it can be read.

    >>> interval(Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=0.0))
    '31% of rows moved (27% to 35%)'
    """
    return f"{amount(effect)} ({between(effect)})"


def amount(effect: Effect) -> str:
    """Return an effect's size with its unit."""
    told = effect.told or EFFECTS.get(effect.name, "{}")
    return told.format(size(effect.name, effect.value))


def between(effect: Effect) -> str:
    """Return an effect's interval."""
    return f"{size(effect.name, effect.low)} to {size(effect.name, effect.high).removeprefix('h ')}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "row"), plural(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
