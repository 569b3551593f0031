"""Which documents that a search finds today it will no longer find after a re-index.

A document falls out of the first ten where others come to stand before it. Those embedded again are
counted; of the rest, each comes before it with the chance that documents of the sample as far behind
it in the old space had. Some documents move much further than others, so the number that comes before
one is expected by empirical Bayes: a gamma law of such factors, fitted on all, and Poisson counts
(Clayton and Kaldor 1987).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.counts import Counts, Floats
from undertow.stats.forecast import Sampled
from undertow.stats.neighbours import Matrix, one_thread
from undertow.stats.ranking import DEPTH

FIRST = 50
"""Pairs of the first step of the table of chances; each step after holds twice as many."""
TABLED = 4_000_000
"""Pairs of documents from which the table is made, at most."""
SHAPES = (0.02, 50.0)
"""The gamma law's shape, at least and at most: small where documents differ, large where they do not."""
UNSURE = 3.0
"""How far off that shape is taken to be, either way."""


class Standing(NamedTuple):
    """Where documents stand, an entry a pair of query and document: ranks from 1.

    `old` is known; `new` is the rank expected after a re-index, and `stays` the chance that it is one
    of the first ten; `between` are two such chances, under a shape three times smaller and larger.
    """

    old: Counts
    new: Floats
    stays: Floats
    between: tuple[Floats, Floats]


@one_thread
def standing(
    old: Matrix,
    old_asked: Matrix,
    new: Matrix,
    new_asked: Matrix,
    pairs: tuple[Counts, Counts],
    sampled: Sampled,
) -> Standing:
    """Return where documents stand, before a re-index and after.

    `old` (n, d) are all documents in the old space, `new` (k, e) those of `sampled` in the new;
    `old_asked` (q, d) and `new_asked` (q, e) the queries, all of length 1. `pairs` are positions of
    queries and of documents that are in the sample.

    >>> rows = np.eye(30, dtype=np.float32)
    >>> everything = Sampled(np.arange(30), np.ones(30), np.ones(30, bool), 30)
    >>> pair = np.array([0]), np.array([0])
    >>> made = standing(rows, rows[:1], rows[::-1], rows[29:], pair, everything)
    >>> made.old.tolist(), made.new.tolist(), made.stays.tolist()
    ([1], [1.0], [1.0])
    """
    query, document = pairs
    spot = np.full(sampled.total, -1, np.int64)
    spot[sampled.which] = np.arange(len(sampled.which))
    others = np.flatnonzero(~sampled.judged)
    before = np.zeros(len(query), np.int64)
    counted = np.zeros(len(query), np.int64)
    behind = np.empty((len(query), len(others)), np.float32)
    passed = np.empty((len(query), len(others)), np.bool_)
    groups = _groups(query)
    known = old[sampled.which]
    far_off, came = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
    kept = 0
    for asked, rows in groups:
        there, now = old @ old_asked[asked], new @ new_asked[asked]
        which = document[rows]
        before[rows] = (there[None] > there[which][:, None]).sum(axis=1)
        above = now[None] > now[spot[which]][:, None]
        counted[rows] = above.sum(axis=1)
        behind[rows] = there[which][:, None] - there[sampled.which[others]]
        passed[rows] = above[:, others]
        if kept < TABLED:
            # The judged ones too: they are those that stand close behind.
            apart = there[which][:, None] - (known @ old_asked[asked])[None]
            different = sampled.which[None] != which[:, None]
            far_off.append(apart[different])
            came.append(above[different])
            kept += len(far_off[-1])
    mean, seen = np.zeros(len(query)), np.zeros(len(query))
    hits = passed.sum(axis=1).astype(np.float64)
    unknown = np.setdiff1d(np.arange(sampled.total), sampled.which)
    if len(unknown) and len(others) and len(query):
        table = _chances(np.concatenate(far_off), np.concatenate(came))
        rest = np.ascontiguousarray(old[unknown])
        for asked, rows in groups:
            far = (old[document[rows]] @ old_asked[asked])[:, None] - rest @ old_asked[asked]
            mean[rows], seen[rows] = (table(each).sum(axis=1) for each in (far, behind[rows]))
    shape = _shape(hits, seen)
    expected = mean * (shape + hits) / (shape + seen)
    room = DEPTH - 1 - counted
    stays, *between = (
        _within(room, each + hits, mean * (each + hits) / (each + seen))
        for each in (shape, shape / UNSURE, shape * UNSURE)
    )
    return Standing(before + 1, 1 + counted + expected, stays, (between[0], between[1]))


def _groups(query: Counts) -> list[tuple[int, Counts]]:
    """Return each query with the rows that are of it, found by one sort."""
    order = np.argsort(query, kind="stable")
    asked, first = np.unique(query[order], return_index=True)
    return list(zip(asked.tolist(), np.split(order, first[1:]), strict=True)) if len(asked) else []


def _shape(hits: Floats, seen: Floats) -> float:
    """Return the gamma law's shape by the second moment: E(hits - seen)^2 = seen + seen^2 / shape."""
    more = float(((hits - seen) ** 2 - seen).sum())
    squares = float((seen**2).sum())
    return float(np.clip(squares / more if more > 0 else np.inf, *SHAPES))


def _within(room: Counts, shape: Floats, mean: Floats) -> Floats:
    """Return the chance that a negative binomial number leaves room for one more."""
    from scipy.special import betainc

    # P(N <= m) is the regularised incomplete beta function of the shape and m + 1 (DLMF 8.17).
    chance = betainc(shape, np.maximum(room, 0) + 1.0, shape / (shape + mean))
    return np.where(room >= 0, chance, 0.0)


class _Chances(NamedTuple):
    """The chance to come before, falling, by steps of distance with these upper edges."""

    edges: NDArray[np.float32]
    chance: Floats

    def __call__(self, far: NDArray[np.float32]) -> Floats:
        return np.asarray(self.chance[np.searchsorted(self.edges, far)])


def _chances(behind: NDArray[np.float32], passed: NDArray[np.bool_]) -> _Chances:
    """Return the chance to come before a document, by how far behind it in the old space one was."""
    order = np.argsort(behind, kind="stable")
    sizes = FIRST * 2 ** np.arange(40)
    ends = np.minimum(np.cumsum(sizes), len(order))
    ends = ends[: int(np.searchsorted(ends, len(order))) + 1]
    starts = np.concatenate([[0], ends[:-1]])
    hits = np.add.reduceat(passed[order].astype(np.float64), starts)
    rate = (hits + 0.5) / (ends - starts + 1)
    if len(ends) > 1 and hits[-1] == 0:
        rate[-1] = 0.5 / len(order)
    return _Chances(behind[order][ends[:-1] - 1], np.minimum.accumulate(rate))
