"""Two runs of a search without judgements: what is less similar, what is others, what nobody finds.

None of it says that an answer is right or wrong. Similarity does not see ids that were shuffled, for
the vectors are what they were; other documents are found, which is all that can be told from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict
from undertow.stats.bootstrap import mean
from undertow.stats.score import limits

SIMILARITY, CHURN, RADIUS, FAR, LANGUAGE, RECALL = (
    f"retrieval.{name}"
    for name in ("similarity", "churn", "radius", "far_queries", "language", "ann_recall")
)
EXAMPLES, SHOWN = 5, 120

Floats = NDArray[np.float64]
Example = dict[str, str]


def similarity(
    effect: Effect,
    best: tuple[Floats, Floats],
    trends: Mapping[str, tuple[Floats, Floats]],
    examples: Sequence[Example],
    *,
    paired: bool,
) -> Finding:
    """Return the finding on how near the best document of a query is, before and now.

    `trends` are signals that no verdict rests on: the mean of each is told, with its interval.
    """
    was, now = (_median(each) for each in best)
    less = "less" if now < was else "more"
    rows = Rows(*(int(np.isfinite(each).sum()) for each in best))
    says = f"the best document of a query is {less} similar: median cosine {was:.3f}, now {now:.3f}"
    evidence: dict[str, Any] = {"same_queries": paired, "median": _pair(was, now)}
    for name, (one, two) in trends.items():
        if np.isfinite(one).any() and np.isfinite(two).any():
            evidence[f"{name}_trend"] = {"reference": _mean(one), "current": _mean(two)}
    return Finding(
        SIMILARITY,
        "similarity of the best document",
        says,
        effect,
        rows,
        needs_rows=_more(effect, rows),
        evidence=evidence,
        examples=tuple(examples[:EXAMPLES]),
        next=("verify the index against its encoder: undertow index verify",),
    )


@dataclass(frozen=True)
class Turnover:
    """What the same queries find that is others now, as mean shares of a list."""

    changed: float
    by_new: float
    by_gone: float
    known: bool


def churn(
    effect: Effect, made: Turnover, queries: int, depth: int, examples: Sequence[Example]
) -> Finding:
    """Return the finding on the documents of a list that are others now.

    Where it is known what the index held, what new and removed documents explain is taken off.
    """
    said = f"{percent(made.changed)} of the first {depth} documents of a query are others now"
    if made.known and made.by_new == made.by_gone == 0:
        said += ", and no document that was found came or went"
    elif made.known:
        said += f": {percent(made.by_new)} are new in the index, {percent(made.by_gone)} left it"
        said += f", and {percent(effect.value)} changed for no such reason"
    return Finding(
        CHURN,
        "documents found",
        said,
        effect,
        Rows(queries, queries),
        needs_rows=_more(effect, Rows(queries, queries)),
        evidence={
            "changed": round(made.changed, 6),
            **({"by_new": made.by_new, "by_gone": made.by_gone} if made.known else {}),
        },
        examples=tuple(examples[:EXAMPLES]),
        next=("read what these queries found before and find now: is it better, or worse?",),
    )


@dataclass(frozen=True)
class Reach:
    """Documents that at least one query found before, those of them that none finds now, and hubs.

    `gone` of the lost ones are no longer in the index, None where that is not known. `hub` is the
    largest share of queries that find one document, before and now.
    """

    found: int
    lost: int
    gone: int | None
    hub: tuple[float, float]


def radius(effect: Effect, made: Reach, queries: int, examples: Sequence[Example]) -> Finding:
    """Return the finding on documents that fell out of every query's list."""
    says = (
        f"{made.lost:,} of {made.found:,} documents that queries found before "
        f"({percent(made.lost / max(made.found, 1))}) are found by none now"
    )
    if made.gone is not None and made.lost:
        says += f"; {made.gone:,} of them are no longer in the index"
    return Finding(
        RADIUS,
        "documents out of reach",
        says,
        effect,
        Rows(queries, queries),
        needs_rows=_more(effect, Rows(queries, queries)),
        evidence={
            "found_before": made.found,
            "found_by_none_now": made.lost,
            "no_longer_in_the_index": made.gone,
            "largest_hub": _pair(*made.hub),
        },
        examples=tuple(examples[:EXAMPLES]),
        next=("see whether these documents are in the index, and whole: undertow index verify",),
    )


@dataclass(frozen=True)
class Strange:
    """Queries of a kind: how many of how many, before (None without an earlier run) and now."""

    now: int
    queries: int
    before: int | None = None
    queries_before: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def told(self, what: str) -> str:
        """Return the share now with its interval, what it is a share of, and that before."""
        share, low, high = self.interval
        said = f"{percent(share)} of queries ({percent(low)} to {percent(high)}) {what}"
        if self.before is None:
            return said
        return f"{said}, {percent(self.before / max(self.queries_before, 1))} before"

    @property
    def interval(self) -> tuple[float, float, float]:
        """The share now, and its limits."""
        low, high = (float(each) for each in limits(self.now, self.queries))
        return self.now / self.queries, low, high

    @property
    def rows(self) -> Rows:
        """How many queries there were, and are."""
        return Rows(self.queries_before, self.queries)


def far(made: Strange, effect: Effect | None, examples: Sequence[Example], known: str) -> Finding:
    """Return the finding on queries that lie far from every document; `known` says by what measure.

    Without an earlier run it is told, and no verdict: queries are seldom as near to documents as
    documents are to one another.
    """
    return _strange(
        FAR,
        "queries far from the documents",
        made.told(f"lie far from every document ({known})"),
        (made, effect, Verdict.STEADY),
        examples,
        "read them: a topic that the documents do not cover, or no question at all",
    )


def language(
    made: Strange,
    effect: Effect | None,
    verdict: Verdict,
    usual: Sequence[str],
    examples: Sequence[Example],
) -> Finding:
    """Return the finding on queries in a language or script that is not the `usual` ones."""
    return _strange(
        LANGUAGE,
        "language of queries",
        made.told(f"are in another language than {' and '.join(usual)}"),
        (made, effect, verdict),
        examples,
        "see whether the encoder knows these languages, or answer them apart",
    )


def _strange(
    check: str,
    subject: str,
    says: str,
    told: tuple[Strange, Effect | None, Verdict],
    examples: Sequence[Example],
    step: str,
) -> Finding:
    made, effect, verdict = told
    share, low, high = made.interval
    evidence = {"share": round(share, 6), "low": round(low, 6), "high": round(high, 6)}
    alarming = effect is not None or verdict is not Verdict.STEADY
    return Finding(
        check,
        subject,
        says,
        effect,
        made.rows,
        verdict=verdict,
        needs_rows=_more(effect, made.rows) if effect is not None else None,
        evidence={**evidence, **made.evidence},
        examples=tuple(examples[:EXAMPLES]),
        next=(step,) if alarming else (),
    )


def recall(
    effect: Effect, found: float, k: int, queries: int, examples: Sequence[Example]
) -> Finding:
    """Return the finding on what an approximate search misses of the exact one."""
    return Finding(
        RECALL,
        "approximate search",
        f"the index finds {percent(found)} of the {k} nearest documents that an exact search finds",
        effect,
        Rows(queries, queries),
        needs_rows=_more(effect, Rows(queries, queries)),
        evidence={f"recall@{k}": round(found, 6)},
        examples=tuple(examples[:EXAMPLES]),
        next=("let the index search wider, or build it again: deleted rows leave holes",),
    )


def _more(effect: Effect, rows: Rows) -> int | None:
    """Return how many queries a side would tell, as the interval shrinks with their root."""
    if not effect.defined or effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    arm = max((effect.high - effect.low) / 2, 1e-9)
    room = max(abs(effect.value - effect.tolerance), effect.tolerance / 2)
    return math.ceil(max(min(rows.reference, rows.current), 1) * max((arm / room) ** 2, 1.1))


def _median(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else math.nan


def _mean(values: Floats) -> dict[str, float]:
    return mean(values[np.isfinite(values)]).to_dict()


def _pair(was: float, now: float) -> dict[str, float | None]:
    one, two = (None if math.isnan(each) else round(each, 6) for each in (was, now))
    return {"reference": one, "current": two}
