"""A finding is what one check says of one subject in one comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from undertow.core.verdict import Effect, Verdict, decide


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows each side brought to a comparison."""

    reference: int
    current: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A team knows about a finding: until when (ISO date, inclusive) and why."""

    key: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found on a column (or one value or cluster of it), and how sure it is.

    `effect` is None for a fact, which then carries its own verdict. `says` is one sentence for a
    colleague. `evidence` is JSON; `shape` holds the aggregated numbers a chart draws; `examples` are
    a few affected rows as {column: text}. Among findings on one column with one verdict, the one of
    lowest `precedence` tells most and stands first. `unsure` is said instead of "too few rows" where
    more rows alone would not tell. `bare` is `says` without what it quotes of a row, for a report that
    must show none; empty where `says` quotes nothing. A finding never carries HTML.

    >>> Finding("schema.columns", "age", "column 'age' is gone", column="age").key
    '5370f1f1ef'
    """

    check: str
    subject: str
    says: str
    effect: Effect | None = None
    rows: Rows = Rows(0, 0)
    verdict: Verdict = Verdict.UNKNOWN
    column: str | None = None
    value: str | None = None
    cluster: str | None = None
    needs_rows: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    shape: Mapping[str, Any] | None = None
    examples: tuple[Mapping[str, str], ...] = ()
    causes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    accepted: Acceptance | None = None
    precedence: int = 0
    unsure: str = ""
    bare: str = ""

    def __hash__(self) -> int:
        """Hash by key, so that findings can stand in sets."""
        return hash(self.key)

    @property
    def key(self) -> str:
        """A stable name for this check on this subject, the same in every run."""
        parts = (self.check, self.subject, self.column or "", self.value or "", self.cluster or "")
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=5).hexdigest()

    @property
    def fails(self) -> bool:
        """True where the finding counts against the run: it is not accepted."""
        return self.accepted is None

    @property
    def summary(self) -> str:
        """The sentence that fits the verdict: steady and unknown speak of what was excluded."""
        effect = self.effect
        if effect is None:
            return self.says
        if self.verdict is Verdict.STEADY:
            most = f"less than {size(effect.name, effect.high)}"
            least = effect.told.format(most) if effect.told else f"moved by {most}"
            # A difference that is surely there, and too small to matter, is still told.
            return f"{least}: {self.says}" if effect.detected else least
        if self.verdict is Verdict.UNKNOWN:
            return self._unknown(effect)
        return self.says

    def _unknown(self, effect: Effect) -> str:
        short = min(self.rows.reference, self.rows.current)
        need = f", about {self.needs_rows:,} a side would tell" if self.needs_rows else ""
        if not effect.defined:
            return self.unsure or (
                f"nothing to compare: {self.rows.reference:,} and {self.rows.current:,} rows{need}"
            )
        if self.needs_rows is not None and self.needs_rows <= short:
            need = ""
        if self.unsure:
            return self.unsure
        if effect.detected:
            span = f"{size(effect.name, effect.low)} to {size(effect.name, effect.high)}"
            return f"{self.says}: a real difference of {span}, too unsure to size{need}"
        return f"too few rows to tell: {short:,}{need}"

    def judged(self, comparisons: int) -> Finding:
        """Return the finding with the verdict its effect earns among that many comparisons."""
        if self.effect is None:
            return self
        verdict = decide(self.effect, comparisons)
        needs = self.needs_rows if verdict is Verdict.UNKNOWN else None
        return replace(self, verdict=verdict, needs_rows=needs)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as the version 1 report JSON writes it."""
        row: dict[str, Any] = {
            "key": self.key,
            "check": self.check,
            "subject": self.subject,
            "column": self.column,
            "value": self.value,
            "cluster": self.cluster,
            "verdict": self.verdict.value,
            "says": self.summary,
            "effect": None,
            "rows": {"reference": self.rows.reference, "current": self.rows.current},
            "needs_rows": self.needs_rows,
            "evidence": dict(self.evidence),
            "next": list(self.next),
            "causes": list(self.causes),
            "shape": None if self.shape is None else dict(self.shape),
            "examples": [dict(example) for example in self.examples],
            "accepted": None,
        }
        if self.effect is not None:
            names = ("name", "value", "low", "high", "level", "tolerance", "p_no_change")
            row["effect"] = {name: getattr(self.effect, name) for name in names}
        if self.accepted is not None:
            row["accepted"] = {"until": self.accepted.until, "reason": self.accepted.reason}
        return row


def size(name: str, amount: float) -> str:
    """Return an effect's size as people read it: shares in percent, h and differences as numbers.

    >>> size("cdf_gap", 0.3123), size("cohens_h", 0.25), size("total_variation", 0.004)
    ('31%', 'h 0.25', '0.4%')
    """
    if name in {"cdf_gap", "total_variation", "moved_share", "relative_change"}:
        return percent(amount)
    if name == "cohens_h":
        return f"h {amount:.2f}"
    return f"{amount:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage with as many digits as tell it from 0 and 100.

    >>> percent(0.5), percent(0.034), percent(0.0012), percent(0), percent(0.9996)
    ('50%', '3.4%', '0.12%', '0%', '99.96%')
    """
    amount = 100 * share
    edge = min(abs(amount), abs(100 - amount))
    if edge == 0 or edge >= 9.95:
        return f"{amount:.0f}%"
    if edge >= 0.95 or edge < 0.0005:
        return f"{amount:.1f}%".replace(".0%", "%")
    return f"{amount:.2f}%".rstrip("%").rstrip("0").rstrip(".") + "%"
