"""A report is the findings of one comparison, judged together; how it looks is somebody else's job."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from undertow.core.errors import UsageError, did_you_mean
from undertow.core.finding import Acceptance, Finding
from undertow.core.schema import Column
from undertow.core.verdict import Verdict

RENDERERS = "undertow.renderers"
"""Entry-point group of functions `render(report, **options) -> str`, one per form."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a side's rows came from: a name, how many, and a digest of the bytes (None in memory)."""

    source: str
    rows: int
    digest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the source as the report JSON writes it."""
        return {"source": self.source, "rows": self.rows, "digest": self.digest}


@dataclass(frozen=True)
class Report:
    """The findings of one comparison, worst first, and one verdict for all of them.

    `columns` says how each column was read and why; `notes` says what a reader should know of the
    run (rows that could not be read, columns left alone). Built by `Report.of`, which judges every
    finding among all comparisons of the report.
    """

    reference: Source
    current: Source
    findings: tuple[Finding, ...]
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    comparisons: int = 0
    redacted: bool = False

    @classmethod
    def of(
        cls,
        reference: Source,
        current: Source,
        findings: Iterable[Finding],
        *,
        columns: Iterable[Column] = (),
        notes: Iterable[str] = (),
    ) -> Report:
        """Judge the findings together and return the report, worst finding first."""
        listed = tuple(findings)
        comparisons = sum(finding.effect is not None for finding in listed)
        judged = _worst_first(each.judged(comparisons) for each in listed)
        return cls(
            reference, current, judged, tuple(columns), tuple(notes), comparisons=comparisons
        )

    def __add__(self, other: Report) -> Report:
        """Return both reports as one, every finding judged again among all comparisons."""
        joined = Report.of(
            self.reference,
            self.current,
            self.findings + other.findings,
            columns=dict.fromkeys(self.columns + other.columns),
            notes=dict.fromkeys(self.notes + other.notes),
        )
        return replace(joined, redacted=self.redacted or other.redacted)

    def __iter__(self) -> Iterator[Finding]:
        """Iterate over the findings, worst first."""
        return iter(self.findings)

    def __getitem__(self, key: str) -> Finding:
        """Return a finding by its key, or the worst one on a subject or column."""
        for finding in self.findings:
            if key in {finding.key, finding.subject, finding.column}:
                return finding
        known = dict.fromkeys(finding.subject for finding in self.findings)
        raise UsageError(f"no finding {key!r}{did_you_mean(key, known)}")

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among findings nobody has accepted; unknown where nothing was measured."""
        open_ = [finding.verdict for finding in self.findings if finding.fails]
        worst = max(open_, key=lambda verdict: verdict.severity, default=Verdict.STEADY)
        # That all columns are there is no news where not one of them could be compared.
        measured = any(each.effect is not None or not each.fails for each in self.findings)
        return Verdict.UNKNOWN if worst is Verdict.STEADY and not measured else worst

    def having(self, verdict: Verdict) -> tuple[Finding, ...]:
        """Return the findings of one verdict that nobody has accepted, worst first."""
        return tuple(each for each in self.findings if each.verdict is verdict and each.fails)

    def leads(self, verdict: Verdict) -> tuple[tuple[Finding, ...], ...]:
        """Return the findings of one verdict, those on one column together, the telling one first."""
        groups: dict[object, list[Finding]] = {}
        for each in self.having(verdict):
            groups.setdefault(_group(each), []).append(each)
        return tuple(tuple(group) for group in groups.values())

    def accepting(self, acceptances: Iterable[Acceptance]) -> Report:
        """Return the report with these findings marked as known; the caller drops expired ones."""
        known = {acceptance.key: acceptance for acceptance in acceptances}
        marked = (replace(each, accepted=known.get(each.key)) for each in self.findings)
        return replace(self, findings=_worst_first(marked))

    def redact(self) -> Report:
        """Return the report without rows as examples or quoted, and what names the rows of a map."""
        bare = tuple(
            replace(
                finding,
                says=finding.bare or finding.says,
                bare="",
                examples=(),
                shape=_unnamed(finding.shape),
            )
            for finding in self.findings
        )
        return replace(self, findings=bare, redacted=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as version 1 JSON writes it."""
        return {
            "undertow": _version(),
            "schema": 1,
            "verdict": self.verdict.value,
            "reference": self.reference.to_dict(),
            "current": self.current.to_dict(),
            "comparisons": self.comparisons,
            "columns": [column.to_dict() for column in self.columns],
            "notes": list(self.notes),
            "redacted": self.redacted,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def render(self, form: str, **options: Any) -> str:
        """Return the report in a form that a renderer is registered for: "text", "html", ...

        Raises UsageError for a form nobody registered.
        """
        return str(_renderer(form)(self, **options))

    def to_text(self) -> str:
        """Return the report as plain text, as the terminal shows it without colour."""
        return self.render("text")

    def to_json(self) -> str:
        """Return the report as JSON, version 1."""
        return self.render("json")

    def to_html(self) -> str:
        """Return the report as one HTML file that needs nothing else."""
        return self.render("html")

    def to_markdown(self) -> str:
        """Return the report as Markdown, for a pull request or an issue."""
        return self.render("markdown")

    def to_junit(self) -> str:
        """Return the report as JUnit XML, one test case a finding."""
        return self.render("junit")

    def __repr__(self) -> str:
        """Return one line: the verdict and how many findings have each."""
        counts = ", ".join(
            f"{sum(finding.verdict is verdict for finding in self.findings)} {verdict.value}"
            for verdict in Verdict
        )
        return f"<undertow report: {self.verdict.value} ({counts})>"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        """Show the report in a notebook: one line of text, and the findings as static HTML."""
        return {"text/plain": repr(self), "text/html": self.render("notebook")}


_FIRST = {"index": 0, "golden": 0, "performance": 0, "output": 1, "label": 1, "schema": 2}
"""What a reader needs first: is the ground sound, is the model right, what does it answer, and so on."""


def _unnamed(shape: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a shape without the ids of a map's points, and without what the queries of a run ask."""
    if shape is None:
        return None
    hidden = dict.fromkeys(name for name in ("ids", "texts") if name in shape)
    return {**shape, **hidden} if hidden else shape


def _group(finding: Finding) -> object:
    if not finding.column:
        return finding.key
    # A comparison of several sets names the pair before the column: "train→val: age".
    return finding.subject.rpartition(": ")[0] if "→" in finding.subject else "", finding.column


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by verdict, then by what a reader needs first, then by size; one column stays together."""
    listed = list(findings)
    ranks: dict[object, tuple[int, float]] = {}
    for each in listed:
        key = (each.verdict, each.fails, _group(each))
        family = _FIRST.get(each.check.partition(".")[0], 3)
        best = ranks.get(key, (9, 0.0))
        ranks[key] = (min(best[0], family), min(best[1], -_ratio(each)))

    def order(each: Finding) -> tuple[object, ...]:
        rank = ranks[each.verdict, each.fails, _group(each)]
        place = (each.column or "", each.precedence, -_ratio(each), each.subject, each.check)
        return (not each.fails, -each.verdict.severity, *rank, *place)

    return tuple(sorted(listed, key=order))


def _ratio(finding: Finding) -> float:
    effect = finding.effect
    if effect is None:
        return float("inf")
    return effect.value / effect.tolerance if effect.defined else 0.0


@cache
def _renderer(form: str) -> Any:
    found = {each.name: each for each in importlib.metadata.entry_points(group=RENDERERS)}
    if form not in found:
        raise UsageError(f"no report form {form!r}{did_you_mean(form, sorted(found))}")
    return found[form].load()


@cache
def _version() -> str:
    return importlib.metadata.version("undertow")
