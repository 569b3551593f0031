"""A report as JUnit XML: one test case a finding, so that any CI shows it among its tests."""

from __future__ import annotations

import html

from undertow.core.finding import Finding, size
from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces.headline import counts, headline
from undertow.surfaces.safe import safe


def render(report: Report) -> str:
    """Return the report as JUnit XML.

    `changed` fails, `watch` passes and says why, `unknown` and accepted findings are skipped.
    """
    failed = len(report.having(Verdict.CHANGED))
    skipped = len(report.having(Verdict.UNKNOWN)) + sum(not each.fails for each in report)
    totals = f'tests="{len(report.findings)}" failures="{failed}" errors="0" skipped="{skipped}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="undertow" {totals}>',
        f'<testsuite name="undertow" {totals}>',
        "<properties>",
        _property("verdict", report.verdict.value),
        _property("reference", report.reference.source),
        _property("current", report.current.source),
        "</properties>",
        *(_case(finding) for finding in report.findings),
        f"<system-out>{_text(f'{headline(report)} ({counts(report)})', 600)}</system-out>",
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(finding: Finding) -> str:
    # The name is the same in every run, so that a CI can show a test's history.
    name = f'classname="undertow.{_text(finding.check)}" name="{_text(finding.subject)}"'
    told = _outcome(finding)
    return (
        f'<testcase {name} time="0">{told}</testcase>' if told else f'<testcase {name} time="0"/>'
    )


def _outcome(finding: Finding) -> str:
    says = _text(finding.summary, 600)
    if finding.accepted is not None:
        known = f"accepted until {finding.accepted.until}: {finding.accepted.reason}"
        return f'<skipped message="{_text(known, 600)}"/>'
    if finding.verdict is Verdict.CHANGED:
        return f'<failure type="changed" message="{says}">{_details(finding)}</failure>'
    if finding.verdict is Verdict.UNKNOWN:
        return f'<skipped message="unknown: {says}"/>'
    if finding.verdict is Verdict.WATCH:
        return f"<system-out>watch: {says}\n{_details(finding)}</system-out>"
    return ""


def _details(finding: Finding) -> str:
    lines = [f"rows: {finding.rows.reference:,} reference, {finding.rows.current:,} current"]
    effect = finding.effect
    if effect is not None and effect.defined:
        moved, low, high, limit = (
            size(effect.name, x) for x in (effect.value, effect.low, effect.high, effect.tolerance)
        )
        lines.insert(0, f"moved {moved} ({low} to {high}), limit {limit}")
    lines += [f"next: {step}" for step in finding.next]
    lines.append(f"accept: undertow accept {finding.key} --until DATE --reason TEXT")
    return "\n".join(_text(line, 400) for line in lines)


def _property(name: str, value: str) -> str:
    return f'<property name="{name}" value="{_text(value)}"/>'


def _text(text: str, limit: int = 200) -> str:
    """Return text escaped for an attribute or the body of an XML element."""
    return html.escape(safe(text, limit)).replace("##[", "&#35;#[")
