"""A report as GitHub workflow commands, which GitHub shows as annotations of a run."""

from __future__ import annotations

from undertow.core.finding import Finding, size
from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces.headline import counts, headline
from undertow.surfaces.safe import safe

LEVELS = {Verdict.CHANGED: "error", Verdict.WATCH: "warning", Verdict.UNKNOWN: "notice"}


def render(report: Report) -> str:
    """Return a line a finding that is not steady, worst first, and one for the whole report.

    GitHub shows ten annotations of a level for each step, so the whole report comes first.
    """
    level = LEVELS.get(report.verdict, "notice")
    lines = [
        _command(level, f"undertow: {report.verdict}", f"{headline(report)} ({counts(report)})")
    ]
    for finding in report.findings:
        if finding.accepted is not None:
            known = f"until {finding.accepted.until}: {finding.accepted.reason}"
            lines.append(_command("notice", f"accepted: {finding.subject}", known))
        elif finding.verdict in LEVELS:
            title = f"{finding.verdict}: {finding.subject}"
            lines.append(_command(LEVELS[finding.verdict], title, _says(finding)))
    return "\n".join(lines) + "\n"


def _says(finding: Finding) -> str:
    effect = finding.effect
    if effect is None or not effect.defined or finding.verdict is Verdict.UNKNOWN:
        return finding.summary
    moved, limit = size(effect.name, effect.value), size(effect.name, effect.tolerance)
    return f"{finding.summary} (moved {moved}, limit {limit}; key {finding.key})"


def _command(level: str, title: str, message: str) -> str:
    """Return one workflow command that no text in it can end or extend."""
    head = _escaped(safe(title)).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={head}::{_escaped(safe(message, 800))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
