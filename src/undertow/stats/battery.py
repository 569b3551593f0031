"""Do two samples of vectors come from one distribution? Three statistics, one set of re-splits.

No single statistic sees every change: texts unlike any known one raise the distance to the nearest
known rows, a new topic or one that grew fills a cell at some scale, and a change spread over
everything moves mean and covariance. So all three are measured, and all on the same re-splits of
the pooled rows. Nothing that is fitted (components, clusters, neighbour lists) knows the sides, so
without a change the true split is one of many alike, and its rank among them is an exact p,
whatever the data. The smallest of the three p is ranked in the same way, which costs less power
than dividing by three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from undertow.core.errors import DataError, UsageError
from undertow.stats import frechet, nested, pooled
from undertow.stats.neighbours import Matrix, one_thread, unit

MOST = 4096
"""Rows of a reference that are looked at; of more, as many are drawn."""
MOST_CURRENT = 3072
"""The same of the current side: a fourth fewer, a third cheaper, 8% less sharp."""
LEAST = 30
"""Rows without which a side has no answer."""
SPLITS = 199
"""Re-splits of the first look."""
MOST_SPLITS = 1999
GOES_ON = 0.05
"""p of the first look up to which a second, finer one is taken."""
FINER = 4
"""Re-splits of the second look per 1 / level: the p is resolved to a quarter of the level."""
LEAVES = 128
"""Small cells of a tree."""
LEAF = 40
"""Rows for each small cell, where that makes fewer."""
TREES = 2
FARTHEST = 2.0**20
"""Times the reference's largest value to which a current value is cut: its square still counts."""
COMPONENTS = 64
"""Principal components that are compared. With 150 the Frechet distance alone sees more, the three
statistics together do not, and a window takes half as long again (bench/vectors.py)."""
STATISTICS = ("frechet", "cells", "novelty")
WEIGHTS = np.array([[1.0], [1.0], [2.0]])
"""What each statistic's p is multiplied by before the smallest is taken. Novelty is one number: a
reference that happens to lie close together weighs on all of its windows, and at full weight the
worst of fourteen references raised an alarm in a fifth of them. It has power to spare."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """A reference: its rows and what can be computed before anything is compared with it.

    The rows are divided by `scale`, a power of two, so that their squares fit float32.
    """

    rows: Matrix = field(repr=False)
    scale: float
    keys: NDArray[np.uint64] = field(repr=False)
    directions: Matrix = field(repr=False)
    graph: pooled.Graph = field(repr=False)
    centre: Matrix = field(repr=False)
    sums: tuple[Floats, Floats] = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """What the battery found: `p` of all statistics together, and `parts`, name -> (value, p).

    The values: "frechet" the squared distance in the vectors' unit, "cells" the standard errors by
    which the most unusual cell stands out, "novelty" the mean squared cosine distance of the
    current rows to the reference. `splits` is the number of re-splits, so no p is below
    1 / (1 + splits); `rows` are the rows compared. `p` is nan where a side has fewer than LEAST.
    """

    p: float
    parts: Mapping[str, tuple[float, float]]
    splits: int
    rows: tuple[int, int]

    @property
    def says(self) -> str:
        """The outcome in one line.

        >>> Outcome(math.nan, {}, 0, (12, 500)).says
        'not enough rows: 12 against 500, each side needs 30'
        """
        if math.isnan(self.p):
            return (
                f"not enough rows: {self.rows[0]} against {self.rows[1]}, each side needs {LEAST}"
            )
        strongest = min(self.parts, key=lambda name: self.parts[name][1])
        return f"p = {self.p:.2g} of {self.splits:,} re-splits, strongest in {strongest}"


def _checked(vectors: npt.ArrayLike) -> Matrix:
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        rows = np.ascontiguousarray(vectors, np.float32)
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError(f"vectors of shape {rows.shape}: give (rows, dimensions)")
    if not np.isfinite(rows).all():
        raise DataError("vectors hold nan or infinity: leave those rows out")
    return rows


def _keys(rows: Matrix) -> NDArray[np.uint64]:
    """Return a key of each row's content."""
    odd = np.random.PCG64(rows.shape[1]).random_raw(rows.shape[1]) | np.uint64(1)
    keys = np.zeros(len(rows), np.uint64)
    step = 512
    for start in range(0, len(rows), step):
        some = rows[start : start + step] + np.float32(0)  # a negative zero is a zero
        keys[start : start + step] = some.view(np.uint32).astype(np.uint64) @ odd
    keys ^= keys >> np.uint64(29)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    return keys ^ (keys >> np.uint64(32))


def _random(keys: NDArray[np.uint64], purpose: int, seed: int) -> np.random.Generator:
    """Return a generator whose start is a function of the rows, whatever their order and sides."""
    return np.random.default_rng([seed, purpose, len(keys), int(keys.sum(dtype=np.uint64))])


def _kept(vectors: npt.ArrayLike, most: int, seed: int) -> tuple[Matrix, NDArray[np.uint64]]:
    """Return the rows that are looked at, in the order of their keys, and the keys."""
    rows = _checked(vectors)
    keys = _keys(rows)
    order = np.argsort(keys, kind="stable")
    if len(order) > most:
        picked = _random(keys, 0, seed).permutation(len(order))[:most]
        order = order[np.sort(picked)]
    return rows[order], keys[order]


@one_thread
def fit(reference: npt.ArrayLike, *, most: int = MOST, seed: int = 0) -> Known:
    """Return what can be computed of a reference (n, d) once, for many comparisons.

    Of more than `most` rows, `most` are drawn. Raises DataError for another shape, nan or infinity.

    >>> fit(np.eye(40)).rows.shape
    (40, 40)
    """
    rows, keys = _kept(reference, most, seed)
    largest = float(np.abs(rows).max(initial=0.0))
    scale = 2.0 ** (math.frexp(largest)[1] - 1) if largest else 1.0
    rows /= np.float32(scale)
    directions = unit(rows)
    centre = np.asarray(rows.sum(axis=0, dtype=np.float64) / max(len(rows), 1), np.float32)
    return Known(
        rows=rows,
        scale=scale,
        keys=keys,
        directions=directions,
        graph=pooled.graph(directions, _random(keys, 1, seed)),
        centre=centre,
        sums=frechet.moments(rows, centre),
    )


@one_thread
def battery(known: Known, current: npt.ArrayLike, *, level: float = 0.05, seed: int = 0) -> Outcome:
    """Return whether the current rows (m, d) could be a random part of reference and current.

    `level` is the p that the answer will be held against, after any correction: where the first
    look finds p at most GOES_ON, a second takes as many re-splits as a p that small needs, up to
    MOST_SPLITS, and its p is the answer. That p is valid at every level: to be below one, it has to
    be so in a look whose re-splits were fixed beforehand. The same rows give the same answer, in
    any order. Raises DataError for another dimension, nan or infinity, UsageError for a level out
    of range.

    Permutation p: Phipson and Smyth (2010), equation 2. The smallest p ranked on the same
    permutations: Westfall and Young (1993), section 2.6.

    >>> random = np.random.default_rng(0)
    >>> known = fit(random.normal(size=(500, 8)))
    >>> battery(known, random.normal(size=(200, 8))).p > 0.05
    True
    >>> battery(known, random.normal(0.3, size=(200, 8))).p
    0.005
    """
    if not 0 < level < 1:
        raise UsageError(f"a level of {level}: give a share between 0 and 1, such as 0.05")
    rows, keys = _kept(current, MOST_CURRENT, seed)
    if rows.shape[1] != known.rows.shape[1]:
        raise DataError(f"{rows.shape[1]} dimensions, the reference has {known.rows.shape[1]}")
    n, m = len(known.rows), len(rows)
    if min(n, m) < LEAST:
        return Outcome(math.nan, MappingProxyType({}), 0, (n, m))
    with np.errstate(over="ignore"):
        rows = np.clip(rows / np.float32(known.scale), -FARTHEST, FARTHEST)
    both = np.concatenate((known.keys, keys))
    measure = _Measure(known, rows, both, seed)
    random = _random(both, 2, seed)
    true = np.arange(n + m)[None, :] >= n
    values = np.hstack((measure(true), measure(_drawn(random, SPLITS, m, n + m))))
    p, parts = _ranked(values)
    if p <= GOES_ON:
        finer = min(math.ceil(FINER / level) - 1, MOST_SPLITS)
        for start in range(SPLITS, finer, SPLITS):
            more = _drawn(random, min(SPLITS, finer - start), m, n + m)
            values = np.hstack((values, measure(more)))
        p, parts = _ranked(values)
    values[0] *= known.scale**2
    found = {
        name: (float(value), float(part))
        for name, value, part in zip(STATISTICS, values[:, 0], parts, strict=True)
    }
    return Outcome(p, MappingProxyType(found), values.shape[1] - 1, (n, m))


def _drawn(random: np.random.Generator, splits: int, m: int, rows: int) -> NDArray[np.bool_]:
    """Return for each split which m of the rows are on the current side."""
    lots = random.random((splits, rows))
    return lots <= np.partition(lots, m - 1, axis=1)[:, m - 1 : m]


class _Measure:
    """The three statistics of any split of two sides' pooled rows, from structures made once."""

    def __init__(self, known: Known, rows: Matrix, keys: NDArray[np.uint64], seed: int) -> None:
        self.n, self.m = len(known.rows), len(rows)
        total = self.n + self.m
        joined = pooled.joined(known.graph, known.directions, unit(rows), _random(keys, 3, seed))
        self.which, self.away = joined.which, pooled.distances(joined)
        first, second = frechet.moments(rows, known.centre)
        shift = (known.sums[0] + first) / total
        covariance = (known.sums[1] + second) / total - np.outer(shift, shift)
        random = _random(keys, 4, seed)
        self.variances, axes = frechet.principal(covariance, COMPONENTS, random)
        middle = known.centre + shift
        turn = axes.astype(np.float32)
        offset = (middle @ axes).astype(np.float32)
        scores = np.concatenate((known.rows @ turn - offset, rows @ turn - offset))
        # Copies of one row share scores and cell: products round apart, by side or place, and of
        # two equal centres one would gather a side. In the order of content there are no sides.
        _, spots, copies = np.unique(keys, return_index=True, return_inverse=True)
        self.scores = scores[spots[copies]]
        order = np.argsort(keys, kind="stable")
        inner = self.scores[order]
        leaves = min(max(total // LEAF, 2), LEAVES)
        self.trees = []
        for _ in range(TREES if inner.shape[1] else 0):
            tree = nested.grow(inner, leaves, random)
            leaf = np.empty_like(tree.leaf)
            leaf[order] = tree.leaf
            self.trees.append(tree._replace(leaf=leaf[spots[copies]]))

    def __call__(self, inside: NDArray[np.bool_]) -> Floats:
        """Return the statistics (3, B) of the splits that put the rows `inside` (B, n) in current."""
        members = np.nonzero(inside)[1].reshape(len(inside), self.m)
        weights = inside.astype(np.float32)
        return np.stack(
            (
                self._frechet(inside, members, weights),
                self._cells(weights),
                pooled.novelty(self.which, self.away, inside),
            )
        )

    def _frechet(
        self, inside: NDArray[np.bool_], members: NDArray[np.intp], weights: Matrix
    ) -> Floats:
        if self.m > self.n:  # either side will do, and the smaller is cheaper
            members = np.nonzero(~inside)[1].reshape(len(inside), self.n)
            weights = 1 - weights
        return frechet.expanded(self.scores, self.variances, members, weights)

    def _cells(self, weights: Matrix) -> Floats:
        best = np.zeros(len(weights))
        for tree in self.trees:
            size, held = nested.counts(tree, weights)
            there = nested.standing(size, held, self.m, self.n + self.m)
            best = np.maximum(best, np.abs(there).max(axis=0))
        return best


def _ranked(values: Floats) -> tuple[float, Floats]:
    """Return p of the true split, the first column, over all statistics, and each one's own.

    A split is ranked by its smallest weighted p; where two are equal, by how many standard deviations its
    most unusual statistic stands out. Statistics are rounded first, so that equal ones are equal
    whatever order their sums were taken in.
    """
    scale = np.abs(values).max(axis=1, keepdims=True)
    values = np.round(values / np.where(scale > 0, scale, 1.0), 6)
    splits = values.shape[1]
    ranks = np.empty_like(values)
    for row, value in zip(ranks, values, strict=True):
        row[:] = (splits - np.searchsorted(np.sort(value), value)) / splits
    spread = values.std(axis=1, keepdims=True)
    stands = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    smallest, far = (ranks * WEIGHTS).min(axis=0), np.round(stands.max(axis=0), 6)
    beats = (smallest < smallest[0]) | ((smallest == smallest[0]) & (far >= far[0]))
    return float(beats.mean()), ranks[:, 0]
