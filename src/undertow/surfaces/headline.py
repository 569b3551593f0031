"""The sentence that every form of a report opens with, and how many findings have each verdict."""

from __future__ import annotations

from undertow.core.finding import Finding
from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces.safe import safe


def headline(report: Report) -> str:
    """Return one sentence that says the verdict, and of the worst finding what it says.

    Column names and values in it are safe to show, and are not escaped for any markup.
    """
    changed, watch = report.leads(Verdict.CHANGED), report.leads(Verdict.WATCH)
    unknown, steady = report.having(Verdict.UNKNOWN), report.having(Verdict.STEADY)
    accepted = sum(not finding.fails for finding in report.findings)
    known = f", apart from {accepted:,} accepted" if accepted else ""
    if changed:
        told = _lead(changed, "changed", "and so did")
    elif watch:
        told = f"Nothing changed for certain, but watch {_lead(watch, '', 'and')}"
    elif unknown:
        why = f"{_name(unknown[0])} ({_says(unknown[0])})"
        some = f"{len(unknown):,} of {len(report.findings):,}"
        told = f"No change found{known}, but {some} could not be told: {why}"
        if not steady:
            told = f"Nothing could be told{known}: {why}"
    elif report.findings and report.verdict is Verdict.UNKNOWN:
        told = "Nothing was measured, so nothing is known"
    elif steady:
        told = f"Steady: {_many(len(steady), 'comparison')}, none beyond its limit{known}"
    elif accepted:
        told = f"Nothing new: {_many(accepted, 'finding')} known and accepted"
    else:
        told = "Nothing was compared, so nothing is known"
    return told


def counts(report: Report) -> str:
    """Return how many findings have each verdict, worst first, accepted ones apart.

    Verdicts nobody has are left out.
    """
    told = [(len(report.having(verdict)), verdict.value) for verdict in Verdict]
    told.append((sum(not finding.fails for finding in report.findings), "accepted"))
    return ", ".join(f"{count:,} {word}" for count, word in told if count) or "no findings"


def _lead(found: tuple[tuple[Finding, ...], ...], verb: str, link: str) -> str:
    worst = found[0][0]
    start = f"{_name(worst)} {verb}".rstrip()
    rest = len(found) - 1
    if not rest:
        return f"{start}: {_says(worst)}"
    return f"{start} ({_says(worst)}), {link} {rest:,} more"


def _name(finding: Finding) -> str:
    return safe(finding.subject, 60)


def _says(finding: Finding) -> str:
    return safe(finding.summary, 160).rstrip(".")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
