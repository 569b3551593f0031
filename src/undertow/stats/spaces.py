"""Two sets of vectors of the same texts, row by row: is it one space, and if not, what differs.

Everything is about directions: rows are compared by their cosine. Cosine and place need vectors of one
length; neighbours, pair cosines and CKA compare spaces of any two lengths, for they look at how the
texts lie to each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate, jackknife, left_out, mean, skewness
from undertow.stats.counts import Floats, stream
from undertow.stats.neighbours import Matrix, nearest, one_thread
from undertow.stats.score import limits

NEIGHBOURS = 10
SAMPLED = 1_000
"""Rows that the pairwise numbers are taken of: half a million pairs."""
TOP = 0.05
"""A row is in place where no more than this share of other texts lie nearer to it than its own."""
BY_CHANCE = 0.01
"""Share of rows out of place that near-copies may put there, for the evidence against no change."""
SAME_COSINE = 0.999
"""Cosine of a text with itself from which nothing moved but the last bits."""


class Place(NamedTuple):
    """Which rows are not found in the other space, and the share of rows that are of another one.

    `rank` (n,) is the share of other texts that lie nearer to a row than its own text does: near 0 in
    one space, anything between 0 and 1 across two. `out` (n,) is True where it is above 0.05.
    """

    rank: Floats
    out: NDArray[np.bool_]
    share: Effect


@one_thread
def place(a: Matrix, b: Matrix, *, tolerance: float = 0.02) -> Place:
    """Return which rows of `b` (n, d) are not where `a` (n, d) has the same texts; all of length 1.

    Across two spaces, whose texts lie to each other at random, one row in twenty looks in place; the
    share of rows of another space is corrected for it. Its interval is Wilson's. Raises DataError
    where the shapes differ, UsageError for a tolerance out of range.

    >>> rows = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> found = place(rows, np.concatenate([rows[:160], -rows[160:]]))
    >>> round(found.share.value, 2), int(found.out[:160].sum()), int(found.out[160:].sum())
    (0.21, 0, 40)
    """
    check_tolerance("moved_share", tolerance)
    if a.shape != b.shape:
        raise DataError(f"rows of shape {a.shape} and {b.shape}: give the same texts in one space")
    rows = len(a)
    if rows < 2:
        none = Effect("moved_share", math.nan, math.nan, math.nan, tolerance, 1.0)
        return Place(np.zeros(rows), np.zeros(rows, np.bool_), none)
    others = drawn(rows, SAMPLED)
    own = np.einsum("ij,ij->i", b, a)
    # A product of matrices rounds otherwise than a sum of products: near-equal cosines are a tie.
    nearer = np.empty(rows, np.int64)
    for start in range(0, rows, 4096):
        block = b[start : start + 4096] @ a[others].T
        mine = others[None, :] == np.arange(start, start + len(block))[:, None]
        above = block > own[start : start + 4096, None] + 1e-6
        nearer[start : start + 4096] = (above & ~mine).sum(axis=1)
    most = math.floor(TOP * (len(others) - 1))
    out = nearer > most
    # Across two spaces, a row's own text stands at any place alike.
    chance = 1 - (most + 1) / len(others)
    return Place(nearer / (len(others) - 1), out, _share(int(out.sum()), rows, chance, tolerance))


def _share(out: int, rows: int, chance: float, tolerance: float) -> Effect:
    from scipy.stats import binom

    low, high = (float(each) for each in limits(out, rows))
    evidence = float(binom.sf(out - 1, rows, BY_CHANCE))
    value, low, high = (min(each / chance, 1.0) for each in (out / rows, low, high))
    low = low if out else 0.0
    return Effect("moved_share", value, low, high, tolerance, evidence)


@dataclass(frozen=True)
class Agreement:
    """How alike two sets of vectors of the same texts are; where no interval makes sense, a pair.

    `cosine` is the mean cosine of a text with itself (None where the lengths differ) and
    `least_cosine` what 99% of texts reach; `overlap` the share of the 10 nearest neighbours that both
    have; `rsa` Spearman's correlation of all pair cosines (Kriegeskorte 2008); `cka` linear CKA with
    unbiased sums (Kornblith 2019, Song 2012): with fewer rows than dimensions the usual one is far from
    0 for unrelated spaces. `hubness` is the skew of how often a text is among the neighbours of others
    (Radovanović 2010), `pair_cosine` the mean cosine of two texts, and `isoscore` how evenly the
    variance is spread over all dimensions (Rudman 2022), 1 for all alike; each of both sides.
    """

    rows: int
    cosine: Estimate | None
    least_cosine: float | None
    overlap: Estimate
    rsa: Estimate
    cka: Estimate
    hubness: tuple[Estimate, Estimate]
    pair_cosine: tuple[Estimate, Estimate]
    isoscore: tuple[float, float]

    @property
    def same(self) -> bool:
        """Tell whether nothing moved but the last bits."""
        return self.least_cosine is not None and self.least_cosine >= SAME_COSINE

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as evidence."""
        made: dict[str, Any] = {"texts": self.rows}
        if self.cosine is not None and self.least_cosine is not None:
            made["cosine"] = self.cosine.to_dict()
            made["cosine_of_99_percent_at_least"] = round(self.least_cosine, 6)
        for name in ("overlap", "rsa", "cka"):
            made[name] = getattr(self, name).to_dict()
        for name in ("hubness", "pair_cosine"):
            before, now = getattr(self, name)
            made[name] = {"reference": round(before.value, 4), "current": round(now.value, 4)}
            made[f"{name}_interval"] = {
                "reference": [round(each, 4) for each in before[1:]],
                "current": [round(each, 4) for each in now[1:]],
            }
        before, now = self.isoscore
        if not math.isnan(before + now):
            made["isoscore"] = {"reference": round(before, 4), "current": round(now, 4)}
        return made


@one_thread
def agreement(a: Matrix, b: Matrix) -> Agreement:
    """Return how alike `a` (n, d) and `b` (n, e) are, rows of the same texts, all of length 1.

    Of more than 1,000 texts a fixed draw is used. Raises DataError where the rows are not as many or
    fewer than 8.

    >>> rows = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> found = agreement(rows, rows[:, ::-1])
    >>> round(found.overlap.value, 6), round(found.rsa.value, 6), round(found.cka.value, 6)
    (1.0, 1.0, 1.0)
    """
    if len(a) != len(b) or len(a) < 8:
        raise DataError(f"{len(a):,} and {len(b):,} rows: give the same texts twice, at least 8")
    some = drawn(len(a), SAMPLED)
    one, two = a[some], b[some]
    own = None
    if a.shape[1] == b.shape[1]:
        own = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    weights = left_out(len(some))
    near = [nearest(each, each, NEIGHBOURS, itself=False).which for each in (one, two)]
    pairs = [_pairs(each) for each in (one, two)]
    return Agreement(
        rows=len(a),
        cosine=None if own is None else mean(own),
        least_cosine=None if own is None else float(np.quantile(own, 0.01)),
        overlap=mean(overlaps(near[0], near[1])),
        rsa=_rsa(pairs[0], pairs[1], weights),
        cka=_cka(pairs[0], pairs[1], weights),
        hubness=(_hubness(near[0]), _hubness(near[1])),
        pair_cosine=(_pair_cosine(pairs[0], weights), _pair_cosine(pairs[1], weights)),
        isoscore=(_isoscore(one), _isoscore(two)),
    )


def overlaps(a: NDArray[np.int32], b: NDArray[np.int32]) -> Floats:
    """Return which part of each row's neighbours both lists (n, k) hold; shape (n,).

    >>> overlaps(np.array([[1, 2]], np.int32), np.array([[2, 3]], np.int32)).tolist()
    [0.5]
    """
    return np.asarray((a[:, :, None] == b[:, None, :]).any(axis=2).mean(axis=1))


def drawn(rows: int, most: int) -> NDArray[np.intp]:
    """Return the positions of at most so many rows, in order: the same ones every time.

    >>> drawn(3, 5).tolist(), len(drawn(5000, 1000))
    ([0, 1, 2], 1000)
    """
    if rows <= most:
        return np.arange(rows)
    return np.sort(stream().choice(rows, size=most, replace=False)).astype(np.intp)


def _pairs(rows: Matrix) -> Floats:
    """Return the cosines of all pairs (n, n), 0 of a row with itself."""
    cosines = (rows @ rows.T).astype(np.float64)
    np.fill_diagonal(cosines, 0.0)
    return cosines


def _sums(pairs: Floats, weights: Floats) -> Floats:
    """Return the sum over all pairs of rows that a column of weights keeps."""
    return np.asarray(((pairs @ weights) * weights).sum(axis=0))


def _rsa(a: Floats, b: Floats, weights: Floats) -> Estimate:
    """Return the correlation of the pairs' ranks; they keep their ranks where rows are left out."""
    one, two = _ranked(a), _ranked(b)
    kept = weights.sum(axis=0)
    count = kept * (kept - 1)
    totals = (_sums(each, weights) for each in (one, two, one * one, two * two, one * two))
    x, y, xx, yy, xy = (each / count for each in totals)
    return _within(jackknife(_over(xy - x * y, (xx - x * x) * (yy - y * y))))


def _ranked(pairs: Floats) -> Floats:
    from scipy.stats import rankdata

    above = np.triu_indices(len(pairs), 1)
    ranks = np.zeros(pairs.shape)
    made = rankdata(pairs[above])
    ranks[above] = (made - made.mean()) / len(made)
    return ranks + ranks.T


def _cka(a: Floats, b: Floats, weights: Floats) -> Estimate:
    return _within(
        jackknife(_over(_hsic(a, b, weights), _hsic(a, a, weights) * _hsic(b, b, weights)))
    )


def _hsic(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Return the unbiased estimate of HSIC (Song 2012, equation 5), up to a factor all share."""
    n = weights.sum(axis=0)
    product = (weights * (a @ weights) * (b @ weights)).sum(axis=0)
    both = _sums(a, weights) * _sums(b, weights) / ((n - 1) * (n - 2))
    return np.asarray((_sums(a * b, weights) + both - 2 / (n - 2) * product) / (n * (n - 3)))


def _over(top: Floats, square: Floats) -> Floats:
    """Return top / sqrt(square), 0 where one side does not vary."""
    return np.where(square > 0, top / np.sqrt(np.where(square > 0, square, 1.0)), 0.0)


def _within(made: Estimate) -> Estimate:
    value, low, high = (float(np.clip(each, -1.0, 1.0)) for each in made)
    return Estimate(value, low, high)


def _hubness(which: NDArray[np.int32]) -> Estimate:
    return skewness(np.bincount(which.ravel(), minlength=len(which)))


def _pair_cosine(pairs: Floats, weights: Floats) -> Estimate:
    kept = weights.sum(axis=0)
    return jackknife(_sums(pairs, weights) / (kept * (kept - 1)))


def _isoscore(rows: Matrix) -> float:
    """Return the IsoScore of rows (n, d); NaN of fewer rows than dimensions, which span too little."""
    count, dimensions = rows.shape
    if count <= dimensions or dimensions < 2:
        return math.nan
    sizes = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False).astype(np.float64) ** 2
    length = float(np.linalg.norm(sizes))
    if length == 0:
        return 0.0
    d = float(dimensions)
    root = math.sqrt(d)
    defect = float(np.linalg.norm(sizes / length * root - 1)) / math.sqrt(2 * (d - root))
    spread = (d - defect**2 * (d - root)) ** 2 / d**2
    return (d * spread - 1) / (d - 1)
