"""A golden set is judged before it judges: rows that are stale, gone or there twice, and the join itself.

What is wrong with some rows is a fact with a count: told below one row in a hundred, to watch from
there, and failing the run from one in twenty on.
Whether the judgements belong to their queries is an estimate with an interval: a reason to look where it
is large, and a fault where most are out of place, another id fits, or it is a run of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from undertow.core.finding import Finding, Rows, percent
from undertow.core.issue import Issue
from undertow.core.verdict import Effect, Verdict
from undertow.stats.judgements import FAR, Belonging, Stretch
from undertow.stats.score import Z

ROWS, JOIN = "golden.rows", "golden.join"
SOME, MANY = 0.01, 0.05
"""Shares of judgements, queries or documents from which a fault of rows is watched, and fails."""
HARMLESS = frozenset({"queries without a judgement", "judgements without a hash"})
"""What a golden set may have for years: it is told, and nothing more."""
WHOLE = 0.5
"""Share of queries from which it is the join that is wrong, and not some rows."""
_STEPS = {
    "judgements without their query": "see whether the judgements' query ids are those of the queries",
    "judgements of documents that are gone": "judge these queries again, or put the documents back",
    "judgements of a changed text": "read these documents again, and judge them",
    "judgements older than the text": "read these documents again, and judge them",
}


def row_findings(issues: Sequence[Issue], rows: Rows) -> Iterator[Finding]:
    """Yield one fact for each thing that is wrong with rows of a golden set."""
    for each in issues:
        verdict = Verdict.CHANGED if each.share >= MANY else Verdict.WATCH
        if each.share < SOME or each.kind in HARMLESS:
            verdict = Verdict.STEADY
        step = _STEPS.get(each.kind)
        yield Finding(
            ROWS,
            each.kind,
            each.says,
            rows=rows,
            verdict=verdict,
            evidence={"rows": each.count, "of": each.total},
            examples=tuple({"id": name} for name in each.examples),
            next=() if step is None or verdict is Verdict.STEADY else (step,),
            precedence=1,
        )


@dataclass(frozen=True)
class Better:
    """Another id with which the judgements belong: what it is, for which side, and what it gives."""

    part: str
    name: str
    asked_for: str
    ndcg: float
    share: float


@dataclass(frozen=True, eq=False)
class Joined:
    """What is known of the join: how the queries rank their own documents, and by what.

    `seen_by` says in words what looked ("their words", "minilm"); `ndcg` is what the search finds,
    `chance` what it finds of judgements dealt to other queries.
    """

    belonging: Belonging
    seen_by: tuple[str, ...]
    depth: int
    ndcg: float
    chance: float
    better: Better | None = None
    stretch: Stretch | None = None
    tolerance: float = 0.1

    @property
    def effect(self) -> Effect:
        """The share of queries whose judgements are those of another."""
        made = self.belonging.effect(self.tolerance)
        if self.stretch is None or not self.stretch.shift or not made.defined:
            return made
        # That the judgements of the next row fit so many rows on end is no chance.
        return replace(made, p_alarm=self.stretch.p)

    @property
    def proven(self) -> bool:
        """Tell whether more than hard queries speaks of it: another id that fits, or a run of rows."""
        return self.better is not None or self.stretch is not None

    @property
    def wrong(self) -> bool:
        """Tell whether most judgements are of other queries."""
        share = self.belonging.share
        return bool(share.low > WHOLE) and self.effect.defined


def join_finding(made: Joined) -> Finding:
    """Return whether the judgements belong to their queries, and what else could be the id."""
    effect, some = made.effect, int(made.belonging.known.sum())
    evidence: dict[str, Any] = {
        "share_out_of_place": made.belonging.share.to_dict(),
        "mean_rank_of_own_documents": {
            "value": _digits(made.belonging.mean_rank),
            "by_chance": 0.5,
        },
        "queries_out_of_place": int(made.belonging.far.sum()),
        "queries_looked_at": some,
        "seen_by": " and ".join(made.seen_by),
        f"ndcg@{made.depth}_by_chance": _digits(made.chance),
    }
    if made.better is not None:
        evidence["better_id"] = {
            "of": made.better.part,
            "is": made.better.name,
            f"ndcg@{made.depth}": _digits(made.better.ndcg),
        }
    subject, says, rows, steps = (
        "judgements and queries",
        _says(made),
        Rows(some, some),
        _steps(made),
    )
    doubted = effect.defined and effect.low > effect.tolerance and not made.proven
    if made.wrong or doubted:  # no more an estimate: another set's join stands first
        return Finding(
            JOIN,
            subject,
            says,
            rows=rows,
            verdict=Verdict.CHANGED if made.wrong else Verdict.WATCH,
            evidence=evidence,
            next=steps,
            precedence=-1,
        )
    return Finding(
        JOIN,
        subject,
        says,
        effect,
        rows,
        needs_rows=_needs(made.tolerance),
        evidence=evidence,
        next=steps if effect.defined and effect.value > made.tolerance else (),
    )


def _says(made: Joined) -> str:
    share, by = made.belonging.share, " and ".join(made.seen_by)
    if made.wrong:
        says = (
            f"the judgements do not belong to these queries: nDCG@{made.depth} is {made.ndcg:.2f}, "
            f"{made.chance:.2f} by chance"
        )
        if made.better is not None:
            other = made.better
            return f"{says}; with {other.name} as {other.asked_for} it is {other.ndcg:.2f}"
        blind = f"neither {' nor '.join(made.seen_by)} can"
        if len(made.seen_by) < 2:
            blind = f"{by} cannot"
        return f"{says}; either the ids are those of others, or {blind} read these texts"
    part = f"{percent(share.value)} of queries have judgements"
    if made.better is not None:
        other = made.better
        now = f"with {other.name} as {other.asked_for} it is {percent(other.share)}"
        return f"{part} of other queries; {now}"
    says = f"{part} that are no more like them than those of another query, seen by {by}"
    if made.stretch is None:
        return f"{says}: they belong to others, or these queries are hard to tell apart"
    first, last, shift = made.stretch.first + 1, made.stretch.last + 1, made.stretch.shift
    says = f"{says}; most stand in rows {first:,} to {last:,} of the queries"
    if not shift:
        return says
    where = (
        f"{abs(shift)} row{'' if abs(shift) == 1 else 's'} further {'down' if shift > 0 else 'up'}"
    )
    return f"{says}, and the judgements {where} would fit them"


def _steps(made: Joined) -> tuple[str, ...]:
    if made.better is not None:
        step = f"join the judgements on {made.better.name} of the {made.better.part}"
        name = made.better.name
        if name.startswith("column "):
            what = "query_id" if made.better.part == "queries" else "doc_id"
            step = f"{step}: --golden-column {what}={name.removeprefix('column ').strip(chr(39))}"
        return (step,)
    if made.stretch is not None and made.stretch.shift:
        return ("see where a row was lost or added in the queries or the judgements",)
    return ("see whether the judgements' ids are those of these queries and documents",)


def _needs(tolerance: float) -> int:
    """Return the queries of which one in forty out of place would exclude twice the tolerance."""
    least = Z * Z * (1 / (2 * tolerance * (1 - FAR)) - 1)
    return max(math.ceil(2 * least), 20)


def _digits(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
