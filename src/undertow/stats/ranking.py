"""How well a search ranks what is relevant: MRR, recall and nDCG at 10, and what a change loses of it.

Voorhees (1999) for the reciprocal rank; Järvelin and Kekäläinen (2002) for nDCG, gains as they are
judged and a discount of log2(rank + 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate, ratio
from undertow.stats.counts import Counts, Floats
from undertow.stats.score import normal_tail, unseen

DEPTH = 10
EFFECT = "relative_change"
"""What a loss is called: a part of what a full re-index would find."""


class Scores(NamedTuple):
    """What each query found, an array (q,) a metric, each between 0 and 1."""

    mrr: Floats
    recall: Floats
    ndcg: Floats

    def means(self) -> dict[str, float]:
        """Return the mean of each metric, by its usual name.

        >>> scored([[0, 1, 0]], [[1, 1, 0]], [2]).means()
        {'mrr@10': 0.5, 'recall@10': 0.5, 'ndcg@10': 0.3869}
        """
        return {f"{name}@{DEPTH}": round(float(each.mean()), 4) for name, each in self.items()}

    def items(self) -> list[tuple[str, Floats]]:
        """Return the metrics with their names."""
        return list(zip(self._fields, self, strict=True))


def scored(found: npt.ArrayLike, best: npt.ArrayLike, relevant: npt.ArrayLike) -> Scores:
    """Return what each query found.

    `found` (q, k) are the gains of the k documents ranked first, 0 where one is not relevant; `best`
    (q, k) the largest gains there are, in falling order; `relevant` (q,) how many documents have a
    gain at all, at least 1. Raises DataError where the shapes differ.
    """
    gains, ideal = np.asarray(found, np.float64), np.asarray(best, np.float64)
    total = np.asarray(relevant, np.float64)
    if gains.shape != ideal.shape or gains.ndim != 2 or total.shape != gains.shape[:1]:
        raise DataError(f"gains of shape {gains.shape} beside the best of shape {ideal.shape}")
    depth = gains.shape[1]
    discount = 1 / np.log2(np.arange(2, depth + 2))
    hit = gains > 0
    first = np.where(hit.any(axis=1), 1 / (hit.argmax(axis=1) + 1.0), 0.0)
    recall = hit.sum(axis=1) / total
    return Scores(first, recall, (gains @ discount) / (ideal @ discount))


class Gains(NamedTuple):
    """What was found of what there is, a row a query with a judgement (`asked`, their positions).

    `found` (a, k) are the gains of the documents ranked first, `best` (a, k) the largest there are in
    falling order, `relevant` (a,) how many documents have a gain at all.
    """

    asked: Counts
    found: Floats
    best: Floats
    relevant: Counts

    def measures(self) -> dict[str, Floats]:
        """Return a number between 0 and 1 a query of each metric, by the metric's usual name.

        >>> made = Judged(np.zeros(2, int), np.array([4, 7]), np.array([1.0, 3.0]))
        >>> told = made.gains(np.array([[9, 4, 3]]), 10).measures()
        >>> {name: round(float(each[0]), 3) for name, each in told.items()}
        {'hit@3': 1.0, 'recall@3': 0.5, 'mrr@3': 0.5, 'ndcg@3': 0.174}
        """
        mrr, recall, ndcg = scored(self.found, self.best, self.relevant)
        depth = self.found.shape[1]
        hit = np.asarray((self.found > 0).any(axis=1), np.float64)
        named: dict[str, Floats] = {"hit": hit, "recall": recall, "mrr": mrr, "ndcg": ndcg}
        return {f"{name}@{depth}": each for name, each in named.items()}


class Judged(NamedTuple):
    """Which documents are relevant to which queries: positions and gains above 0, one row each."""

    query: Counts
    document: Counts
    gain: Floats

    def score(self, found: npt.NDArray[np.integer], documents: int) -> Scores:
        """Return what each query with a judgement found, in the order of the queries.

        `found` (q, k) are positions of documents, nearest first, a row a query; `documents` is how
        many there are.

        >>> judged = Judged(np.array([0, 0]), np.array([4, 7]), np.ones(2))
        >>> judged.score(np.array([[3, 7]]), 9).mrr.tolist()
        [0.5]
        """
        gains = self.gains(found, documents)
        return scored(gains.found, gains.best, gains.relevant)

    def gains(self, found: npt.NDArray[np.integer], documents: int) -> Gains:
        """Return the gains of what was found; a position below 0 stands for no known document."""
        keys = self.query * documents + self.document
        order = np.argsort(keys, kind="stable")
        keys, gain = keys[order], self.gain[order]
        asked, total = np.unique(self.query, return_counts=True)
        which = found[asked]
        wanted = asked[:, None] * documents + which
        spot = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return Gains(asked, np.zeros(which.shape), np.zeros(which.shape), total)
        gains = np.where((keys[spot] == wanted) & (which >= 0), gain[spot], 0.0)
        depth = int(found.shape[1])
        best = np.zeros((len(asked), depth))
        falling = np.lexsort((-self.gain, self.query))
        starts = np.repeat(np.cumsum(total) - total, total)
        place = np.arange(len(falling)) - starts
        kept = place < depth
        row = np.searchsorted(asked, self.query[falling])
        best[row[kept], place[kept]] = self.gain[falling][kept]
        return Gains(asked, gains, best, total)

    def only(self, queries: npt.NDArray[np.bool_]) -> Judged:
        """Return the judgements of some queries, told by a flag a query."""
        kept = queries[self.query]
        return Judged(self.query[kept], self.document[kept], self.gain[kept])


def loss(now: npt.ArrayLike, fresh: npt.ArrayLike, *, tolerance: float = 0.05) -> Effect:
    """Return how much of what a full re-index finds is lost, as a part of it, paired by query.

    `now` and `fresh` are one metric, a number a query. What finds more than a re-index has lost
    nothing. The interval is a bootstrap over queries, and never narrower than what so many queries
    can miss. Undefined where a re-index finds nothing either. Raises UsageError for a tolerance out
    of range, DataError where the lengths differ.

    >>> harmless = loss([1.0, 0.5] * 100, [1.0, 0.5] * 100)
    >>> harmless.value, round(harmless.high, 3), harmless.p_no_change
    (0.0, 0.019, 1.0)
    >>> loss([0.0, 0.1] * 100, [1.0, 0.9] * 100).low > 0.9
    True
    """
    check_tolerance(EFFECT, tolerance)
    ours, theirs = np.asarray(now, np.float64), np.asarray(fresh, np.float64)
    kept: Estimate = ratio(ours, theirs)
    if math.isnan(kept.value):
        return Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)
    apart = theirs - ours
    error = float(apart.std(ddof=1)) / math.sqrt(len(apart)) if len(apart) > 1 else math.inf
    fell = float(apart.mean())
    evidence = normal_tail(fell / error) if error > 0 else float(fell == 0)
    low, value, high = (max(1 - each, 0.0) for each in (kept.high, kept.value, kept.low))
    high = min(max(high, unseen(len(ours))), 1.0)
    return Effect(EFFECT, value, low, high, tolerance, evidence if fell > 0 else 1.0)
