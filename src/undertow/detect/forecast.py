"""What a re-index will do to a search, in words: what a golden set will measure, and what falls out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict, decide
from undertow.stats.forecast import Forecast
from undertow.stats.score import Z, normal_tail, unseen

QUALITY, CHURN = "forecast.quality", "forecast.churn"
LEAST = 20
"""Queries with a judgement below which nothing is told."""
KEPT = 0.1
"""Tolerance for the part of the first ten documents that others replace, where nothing is judged."""
EXAMPLES = 10
SHOWN = 160
NAMED = 60
_NAMES = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@10": "recall@10"}


@dataclass(frozen=True)
class Falling:
    """A document that a query finds today, and where it is expected after a re-index."""

    query: str
    query_id: str
    document: str
    text: str
    old: int
    new: float
    stays: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {
            "query_id": self.query_id,
            "doc_id": self.document,
            "rank": self.old,
            "expected_rank": round(self.new),
            "stays_in_top_10": round(self.stays, 3),
        }

    def example(self) -> dict[str, str]:
        """Return the row as an example."""
        return {
            "query": self.query[:SHOWN],
            "document": self.document,
            "text": self.text[:SHOWN],
            "rank": f"{self.old}, then about {self.new:,.0f}",
        }


@dataclass(frozen=True)
class Embedded:
    """How much was embedded again: judged documents and others, of all; and queries that count."""

    judged: int
    others: int
    documents: int
    queries: int

    @property
    def rows(self) -> Rows:
        """How many documents there are, and how many were embedded again."""
        return Rows(self.documents, self.judged + self.others)

    @property
    def told(self) -> str:
        """What was embedded, in words."""
        return f"{self.judged + self.others:,} of {self.documents:,} documents embedded again"


def few(queries: int, embedded: Embedded) -> Finding:
    """Return the one finding where there are fewer than 20 queries with a judgement."""
    says = (
        f"cannot tell: {queries} {_plural(queries, 'query has', 'queries have')} an answer in the index, "
        f"and at least {LEAST} are needed"
    )
    return Finding(
        QUALITY,
        "nDCG@10 after a re-index",
        says,
        rows=embedded.rows,
        verdict=Verdict.UNKNOWN,
        needs_rows=200,
        next=("give more queries with judgements: 200 tell a change of .05",),
    )


def quality(
    made: Sequence[Forecast], falling: Sequence[Falling], embedded: Embedded, *, tolerance: float
) -> Finding:
    """Return what nDCG@10 will do: judged where it falls; a rise is told and is no alarm."""
    main = made[0]
    fell = -main.change
    error = main.error
    p = normal_tail(fell / error) if error > 0 else float(fell == 0)
    # So few queries cannot exclude that others, unlike them, lose something.
    high = max(-main.low, unseen(embedded.queries))
    effect = Effect(
        "difference",
        max(fell, 0.0),
        max(-main.high, 0.0),
        high,
        tolerance,
        p if fell > 0 else 1.0,
        told="a fall of {}",
    )
    needs = _needs(main, effect, embedded)
    return Finding(
        QUALITY,
        "nDCG@10 after a re-index",
        _says(main),
        effect,
        embedded.rows,
        needs_rows=needs[0],
        evidence={
            "forecast": {each.metric: _told(each) for each in made},
            "embedded": {
                "judged_documents": embedded.judged,
                "others": embedded.others,
                "of": embedded.documents,
                "queries": embedded.queries,
            },
            "at_risk": [each.to_dict() for each in falling],
        },
        examples=tuple(each.example() for each in falling[:EXAMPLES]),
        next=_steps(main, falling, needs[1]),
        unsure=f"cannot tell whether it falls by {tolerance:g}: {_says(main)}{needs[1]}",
    )


def churn(
    share: float, low: float, high: float, falling: Sequence[Falling], embedded: Embedded
) -> Finding:
    """Return what part of the first ten documents others replace: all there is without judgements."""
    effect = Effect("moved_share", share, low, high, KEPT, 1.0, told="{} of the first ten replaced")
    span = f"{percent(low)} to {percent(high)}"
    says = f"{percent(share)} of the first ten documents will be others ({span})"
    return Finding(
        CHURN,
        "first ten documents after a re-index",
        says,
        effect,
        embedded.rows,
        evidence={
            "top_10_overlap": {"value": _6(1 - share), "low": _6(1 - high), "high": _6(1 - low)},
            "embedded": {"documents": embedded.rows.current, "of": embedded.documents},
            "at_risk": [each.to_dict() for each in falling],
        },
        examples=tuple(each.example() for each in falling[:EXAMPLES]),
        next=("give judgements with --judgements FILE: only they tell better from worse",),
        unsure=f"{says}; without judgements nobody can tell whether that is better or worse",
    )


def headline(made: Sequence[Forecast], embedded: Embedded) -> str:
    """Return one line: each metric now and expected, and from how many documents."""
    parts = [
        f"{_NAMES[each.metric]} {each.old:.3f}, then about {each.new:.3f} "
        f"({each.golden[0]:.3f} to {each.golden[1]:.3f})"
        for each in made
    ]
    return f"after a re-index: {'; '.join(parts)}; {embedded.told}"


def _says(main: Forecast) -> str:
    if round(main.old, 3) == round(main.new, 3):
        return (
            f"nDCG@10 will stay at about {main.new:.3f} "
            f"({main.golden[0]:.3f} to {main.golden[1]:.3f} on these queries)"
        )
    way = "fall" if main.change < 0 else "rise"
    return (
        f"nDCG@10 will {way} from {main.old:.3f} to about {main.new:.3f} "
        f"({main.golden[0]:.3f} to {main.golden[1]:.3f} on these queries)"
    )


def _told(each: Forecast) -> dict[str, Any]:
    return {
        "now": _6(each.old),
        "then": _6(each.new),
        "low": _6(each.golden[0]),
        "high": _6(each.golden[1]),
        "change": _6(each.change),
        "change_low": _6(each.low),
        "change_high": _6(each.high),
    }


def _needs(main: Forecast, effect: Effect, embedded: Embedded) -> tuple[int | None, str]:
    """Return how many documents to embed would tell, and what to say: more of them, or more queries."""
    if decide(effect, 1) is not Verdict.UNKNOWN:
        return None, ""
    tolerance = effect.tolerance
    wanted = max(abs(-main.change - tolerance), tolerance / 2) / Z
    sampling = math.hypot(main.sample, main.own)
    queries = math.sqrt(max(main.error**2 - sampling**2, 0.0))
    if queries > wanted or sampling <= wanted:
        # So many that they exclude twice the tolerance, where not one of them loses anything.
        least = math.ceil(Z * Z / (2 * tolerance)) + 1
        more = math.ceil(embedded.queries * (main.error / wanted) ** 2)
        return None, f"; about {max(more, least, embedded.queries + 1):,} queries would tell"
    left = math.sqrt(max(wanted**2 - queries**2, 1e-12))
    more = max(math.ceil(embedded.others * (sampling / left) ** 2), 2 * embedded.others)
    more = min(more, embedded.documents - embedded.judged)
    if more <= embedded.others:
        return None, ""
    return embedded.judged + more, f"; --sample {more} would tell"


def _steps(main: Forecast, falling: Sequence[Falling], more: str) -> tuple[str, ...]:
    steps = []
    if main.change < 0 and falling:
        named = "; ".join(
            f"{each.document} for {each.query[:NAMED]!r} (rank {each.old}, then about {each.new:,.0f})"
            for each in falling[:3]
        )
        steps.append(f"look at the documents most at risk: {named}")
    if more:
        steps.append(f"to be surer{more.replace(';', ':', 1)}")
    return tuple(steps)


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _6(value: float) -> float:
    return float(f"{value:.6g}")
