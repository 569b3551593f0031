"""What a golden set will find after a re-index, from a sample of the documents embedded again.

A search among few documents looks better than it is: there is less to confuse. So each document of the
sample counts for as many as it stands for (Horvitz and Thompson 1952), in the old space and in the new
one, and the old space, which is known whole, says how far such a search still deceives. This is the
difference estimator of survey sampling (Cochran 1977, chapter 7), taken on the log-odds of each metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.stats.counts import Counts, Floats
from undertow.stats.neighbours import Matrix, nearest, one_thread
from undertow.stats.ranking import DEPTH, Judged
from undertow.stats.score import Z

METRICS = ("ndcg@10", "mrr@10", "recall@10")
MOST_JUDGED = 2_000
"""Judged documents that are embedded again, at most; more of them are sampled like the others."""
WINDOW = 4
"""Documents of the sample that fit into the ranks looked at, where each stands for many."""
REPEATS = 100
OWN = (0.17, 0.35, 0.17)
"""What the method errs by, in log-odds: this x the root of (mean change of a query x log of what a
document stands for). Chosen on CLINC150 and cranfield (bench/forecast.py); MRR hangs on one document."""
KEPT = 32
"""Ranks of the sample that are kept: so many hold the first ten also where documents are drawn again."""


class Sampled(NamedTuple):
    """The documents to embed again, and what each stands for, an entry a document.

    `which` are positions, `weight` how many documents each stands for, `judged` whether it is of the
    judged ones; `total` is how many documents there are.
    """

    which: Counts
    weight: Floats
    judged: NDArray[np.bool_]
    total: int

    @property
    def whole(self) -> bool:
        """Tell whether every document is among them."""
        return len(self.which) >= self.total


def choose(
    judged: Judged,
    documents: int,
    *,
    sample: int,
    random: np.random.Generator,
    most: int = MOST_JUDGED,
) -> Sampled:
    """Return which documents to embed again: the judged ones, and a random sample of the others.

    More than `most` judged documents are thinned evenly over the queries. Raises DataError where no
    document is judged.

    >>> judged = Judged(np.array([0, 1]), np.array([3, 5]), np.ones(2))
    >>> made = choose(judged, 10, sample=4, random=np.random.default_rng(0))
    >>> made.which.tolist()[:2], made.weight.tolist()
    ([3, 5], [1.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    """
    if not len(judged.document):
        raise DataError("no judged document is in the index; see whether their ids are the same")
    order = random.permutation(len(judged.document))
    wanted, first = np.unique(judged.document[order], return_index=True)
    kept = wanted
    if len(wanted) > most:
        # By one of its queries each, so that no query loses all its answers to chance.
        by_query = wanted[np.lexsort((random.random(len(wanted)), judged.query[order][first]))]
        spots = (random.random() + np.arange(most)) * (len(wanted) / most)
        kept = np.sort(by_query[np.minimum(spots.astype(np.int64), len(wanted) - 1)])
    rest = np.setdiff1d(np.arange(documents), wanted)
    others = np.sort(random.choice(rest, min(sample, len(rest)), replace=False))
    which = np.concatenate([kept, others]).astype(np.int64)
    weight = np.repeat(
        [len(wanted) / len(kept), len(rest) / max(len(others), 1)], [len(kept), len(others)]
    )
    return Sampled(which, weight, np.arange(len(which)) < len(kept), documents)


@dataclass(frozen=True, eq=False)
class Forecast:
    """What one metric is, and will be: `old` is known, `new` predicted, each a mean over queries.

    `golden` is the 95% interval of `new` for these queries; `low` and `high` are that of the change,
    new - old, for queries like these: it covers the draw of the queries too. `error` is the standard
    error of that, `own` what of it is the method's, and `sample` what is the draw of the documents'.
    """

    metric: str
    old: float
    new: float
    golden: tuple[float, float]
    low: float
    high: float
    error: float
    own: float
    sample: float

    @classmethod
    def of(
        cls, metric: str, old: float, new: float, spread: float, own: float, sample: float
    ) -> Forecast:
        """Return the forecast; `spread` is the standard error that queries and documents leave."""
        error, near = math.hypot(spread, own), Z * math.hypot(sample, own)
        golden = max(new - near, 0.0), min(new + near, 1.0)
        low, high = max(new - old - Z * error, -1.0), min(new - old + Z * error, 1.0)
        return cls(metric, old, new, golden, low, high, error, own, sample)

    @property
    def change(self) -> float:
        """New - old: below 0 where the search will find less."""
        return self.new - self.old


@one_thread
def forecast(
    old: Matrix,
    old_asked: Matrix,
    new: Matrix,
    new_asked: Matrix,
    judged: Judged,
    sampled: Sampled,
    *,
    random: np.random.Generator,
) -> list[Forecast]:
    """Return what nDCG, MRR and recall at 10 will be after a re-index.

    `old` (n, d) are all documents in the old space, `new` (k, e) those of `sampled` in the new one;
    `old_asked` (q, d) and `new_asked` (q, e) the queries; all of length 1. Queries without a
    judgement are left out.

    With a sample of 300, nDCG@10 was foretold within .025 in every draw on CLINC150 and cranfield: from
    LSA to MiniLM, for weights of 8 bits, a turned space and a tuned one (bench/forecast.py).

    >>> points = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    >>> points /= np.linalg.norm(points, axis=1, keepdims=True)
    >>> judged = Judged(np.arange(50), np.arange(50), np.ones(50))
    >>> sampled = choose(judged, 400, sample=50, random=np.random.default_rng(0))
    >>> turned = points[:, ::-1]
    >>> made = forecast(points, points[:50], turned[sampled.which], turned[:50], judged, sampled,
    ...     random=np.random.default_rng(0))
    >>> made[0].metric, made[0].old, made[0].new
    ('ndcg@10', 1.0, 1.0)
    """
    asked = np.unique(judged.query)
    table = _Table.of(judged, asked, sampled, window=_window(sampled))
    whole = judged.score(nearest(old_asked, old, DEPTH).which, len(old))
    # Recall as a part of what fits into ten ranks, so that 1 is the best there is.
    known = np.stack([whole.ndcg, whole.mrr, whole.recall / table.part])
    before = table.ranked(old_asked[asked] @ old[sampled.which].T)
    after = table.ranked(new_asked[asked] @ new.T)
    one, two = (each.measured(sampled.weight, table) for each in (before, after))
    even = np.ones(len(asked))
    carried = _Carried(known, exact=sampled.whole)
    made = carried(one, two, even)
    here = [
        carried(before.measured(weight, table), after.measured(weight, table), even)
        for weight in _halved(sampled, random)
    ]
    drawn_again = np.sqrt(np.mean((np.array(here) - made) ** 2, axis=0))
    beyond = []
    for _ in range(REPEATS):
        drawn = random.multinomial(len(asked), even / len(asked)).astype(np.float64)
        beyond.append(carried(one, two, drawn) - known @ drawn / len(asked))
    own = _own(one, two, made, sampled)
    spread = np.hypot(np.std(beyond, axis=0), drawn_again)
    means = np.array([whole.ndcg.mean(), whole.mrr.mean(), whole.recall.mean()])
    scale = np.divide(means, known.mean(axis=1), out=np.ones(3), where=means > 0)
    then = made * scale
    if sampled.whole:
        then[2] = (two[2] * table.part).mean()
    return [
        Forecast.of(*row)
        for row in zip(
            METRICS,
            means.tolist(),
            then.tolist(),
            (spread * scale).tolist(),
            (own * scale).tolist(),
            (drawn_again * scale).tolist(),
            strict=True,
        )
    ]


def _own(before: Floats, after: Floats, made: Floats, sampled: Sampled) -> Floats:
    """Return the standard error (3,) of taking the sample's shift for that of all documents."""
    stands = float((sampled.weight**2).sum() / sampled.weight.sum())
    apart = np.abs(after - before).mean(axis=1)
    return np.asarray(
        np.array(OWN) * np.sqrt(apart * math.log(max(stands, 1.0))) * made * (1 - made)
    )


def _window(sampled: Sampled) -> int:
    """Return how many ranks are looked at: ten, or more where a judged document stands for many."""
    return (
        max(DEPTH, math.ceil(WINDOW * float(sampled.weight[0]))) if sampled.weight[0] > 1 else DEPTH
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """The gains (q, k) of the sample, and what is best: a row a query that has a judgement."""

    gain: NDArray[np.float32]
    ideal: Floats
    most: Floats
    part: Floats
    worth: Floats

    @classmethod
    def of(cls, judged: Judged, asked: Counts, sampled: Sampled, *, window: int) -> _Table:
        spot = np.full(sampled.total, -1, np.int64)
        spot[sampled.which] = np.arange(len(sampled.which))
        row = np.searchsorted(asked, judged.query)
        gain = np.zeros((len(asked), len(sampled.which)), np.float32)
        there = spot[judged.document] >= 0
        gain[row[there], spot[judged.document[there]]] = judged.gain[there]
        worth = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, window + 2)))])
        total = np.bincount(row, minlength=len(asked))
        falling = np.lexsort((-judged.gain, row))
        place = np.arange(len(row)) - np.repeat(np.cumsum(total) - total, total)
        kept = place < window
        best = judged.gain[falling][kept] * np.diff(worth)[place[kept]]
        ideal = np.zeros(len(asked))
        np.add.at(ideal, row[falling][kept], best)
        part = np.minimum(total, DEPTH) / total.astype(np.float64)
        return cls(gain, ideal, np.minimum(total, window).astype(np.float64), part, worth)

    def ranked(self, cosine: Matrix) -> _Ranked:
        """Return the sample in the order that these cosines (q, k) rank it."""
        k = cosine.shape[1]
        near = np.broadcast_to(np.arange(k), cosine.shape)
        if k > KEPT:
            near = np.argpartition(-cosine, KEPT - 1, axis=1)[:, :KEPT]
        falling = np.argsort(-np.take_along_axis(cosine, near, axis=1), axis=1, kind="stable")
        order = np.take_along_axis(near, falling, axis=1)
        return _Ranked(order, np.take_along_axis(self.gain, order, axis=1).astype(np.float64))


class _Ranked(NamedTuple):
    order: NDArray[np.int64]
    gain: Floats

    def measured(self, weight: Floats, table: _Table) -> Floats:
        """Return nDCG, MRR and recall (3, q) of a ranking in which each document fills `weight` ranks.

        Recall is of what fits into the window, so that 1 is the best there is.
        """
        window = len(table.worth) - 1
        end = np.minimum(np.cumsum(weight[self.order], axis=1), window)
        start = np.concatenate([np.zeros((len(end), 1)), end[:, :-1]], axis=1)
        reached = np.interp(end, np.arange(window + 1), table.worth)
        worth = np.diff(reached, axis=1, prepend=0.0)
        ndcg = (worth * self.gain).sum(axis=1) / table.ideal
        hit = (self.gain > 0) & (end > start)
        first = np.where(hit, start, np.inf).min(axis=1)
        recall = ((end - start) * hit).sum(axis=1) / table.most
        return np.stack([ndcg, 1 / (1 + first), recall])


class _Carried(NamedTuple):
    """What is known of all documents in the old space, a number a query: (3, q)."""

    known: Floats
    exact: bool

    def __call__(self, before: Floats, after: Floats, drawn: Floats) -> Floats:
        """Return what the means (3,) become: moved as the sample moved, in log-odds."""
        queries = float(drawn.sum())
        old, one, two = (each @ drawn / queries for each in (self.known, before, after))
        if self.exact:
            return np.asarray(two)
        edge = 0.5 / (queries + 1)
        odds = [np.log(each / (1 - each)) for each in np.clip([old, one, two], edge, 1 - edge)]
        moved = odds[2] - odds[1]
        return np.asarray(np.where(moved == 0, old, 1 / (1 + np.exp(-(odds[0] + moved)))))


def _halved(sampled: Sampled, random: np.random.Generator) -> Iterator[Floats]:
    """Yield weights of random halves of what was sampled, each standing for the whole of it.

    Half a sample lies from the whole as far as that does from the truth (McCarthy 1969), and what it errs
    by on average is in it too: a bootstrap knew half of the error of what comes first. The part of all
    documents that is known errs by nothing.
    """
    for _ in range(REPEATS):
        weight = sampled.weight.copy()
        for part in (sampled.judged, ~sampled.judged):
            rows = np.flatnonzero(part)
            left = 1 - 1 / float(sampled.weight[rows[0]]) if len(rows) else 0.0
            if left > 0 and len(rows) > 1:
                sign = np.where(random.permutation(len(rows)) < len(rows) // 2, -1.0, 1.0)
                weight[rows] *= 1 + math.sqrt(left) * sign
        yield weight
