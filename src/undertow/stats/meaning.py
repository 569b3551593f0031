"""How far the usage of a word moved: the mean of its contexts' vectors, in steps to another word.

The means of the contexts of two periods lie a distance apart (PRT, the prototype distance of Kutuzov
and Giulianelli 2020, arXiv 2005.00050, section 3, here of squared length and without the bias that noise
gives it). Were a share of the uses replaced by uses of another word, the mean would move by that share
of the way to that word. So the distance is told as a part of the usual distance to other words of the
same texts: a share of uses that moved. Uses in one document are not independent: documents are
permuted, and documents count in the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Floats, stream
from undertow.stats.neighbours import Matrix, one_thread
from undertow.stats.score import SEEN, Z

EFFECT = "moved_share"
TOLD = "{} of uses as of another word"
DEALS = (999, 4_000)
"""Times that the documents are dealt to the two periods anew; the second lot only where few of the
first lie as far apart."""
FEW = 10
BLOCK = 500
SMALLEST = 1e-9
"""No fitted tail is believed beyond this."""
TINY = 1e-12


class Apart(NamedTuple):
    """How far two groups of vectors lie apart.

    `square` is the squared distance of their means, unbiased, so it may fall below 0; `null` its
    standard deviation were there no change; `slope` the standard deviation of the distance itself
    along the way from one mean to the other; `p` how often documents dealt out anew lie as far apart.
    """

    square: float
    null: float
    slope: float
    p: float


@dataclass(frozen=True, eq=False)
class Uses:
    """The vectors (n, d) of a word's uses in one period, and the document (n,) of each, from 0."""

    vectors: Matrix
    documents: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise DataError where there is not one document a vector."""
        if self.vectors.ndim != 2 or self.documents.shape != (len(self.vectors),):
            raise DataError(
                f"{self.documents.size} documents for vectors of shape {self.vectors.shape}: give "
                "one each"
            )

    def __len__(self) -> int:
        """Return the number of uses."""
        return len(self.vectors)

    def sums(self) -> tuple[Floats, Floats]:
        """Return the sum of each document's vectors (u, d), and its uses (u,)."""
        _, codes, uses = np.unique(self.documents, return_inverse=True, return_counts=True)
        sums = np.zeros((len(uses), self.vectors.shape[1]))
        np.add.at(sums, codes, self.vectors)
        return sums, uses.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Moved:
    """How much a word's usage moved. `step` is the distance to another word's mean.

    `scores` (n + m,) say of each use, reference first, how much it looks like the current period: its
    mean likeness to the current uses of other documents less that to the reference's.
    """

    effect: Effect
    apart: Apart
    step: float
    scores: Floats


@one_thread
def moved(reference: Uses, current: Uses, step: float, *, tolerance: float = 0.2) -> Moved:
    """Return how much of a word's usage moved, as a share of the way to another word.

    `step` is that way (`steps`). The interval covers the noise of both periods, not that other words
    lie nearer or farther than usual. Undefined where a side has fewer than two documents, or `step`
    is not above 0. Raises UsageError for a tolerance out of range.

    >>> random = np.random.default_rng(0)
    >>> rows = random.normal(size=(600, 8)).astype(np.float32)
    >>> rows[500:] += 3 * np.eye(8, dtype=np.float32)[0]
    >>> one, two = Uses(rows[:300], np.arange(300)), Uses(rows[300:], np.arange(300))
    >>> found = moved(one, two, 3.0).effect
    >>> round(found.value, 2), bool(found.low < 1 / 3 < found.high), found.p_no_change < 1e-6
    (0.33, True, True)
    """
    check_tolerance(EFFECT, tolerance)
    scores = _scores(reference, current)
    found = apart(reference, current)
    if math.isnan(found.square) or not step > 0:
        return Moved(undefined(tolerance), found, step, scores)
    low, high = _limits(found)
    value = math.sqrt(max(found.square, 0.0))
    low = low if found.p <= SEEN else 0.0
    value, low, high = (min(each / step, 1.0) for each in (value, low, high))
    return Moved(
        Effect(EFFECT, value, low, high, tolerance, found.p, told=TOLD), found, step, scores
    )


def undefined(tolerance: float) -> Effect:
    """Return the effect of what cannot be compared."""
    return Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)


def _limits(found: Apart) -> tuple[float, float]:
    """Return the 95% limits of the distance.

    The variance of the square is that without a change, and 4 times the true square times that of the
    distance along the way: a quadratic equation in the true square.
    """
    z = Z * Z
    half = found.square + 2 * z * found.slope**2
    root = math.sqrt(max(half**2 - found.square**2 + z * found.null**2, 0.0))
    return math.sqrt(max(half - root, 0.0)), math.sqrt(max(half + root, 0.0))


def square(reference: Uses, current: Uses) -> float:
    """Return the squared distance of two means, unbiased; nan with fewer than two documents a side.

    >>> rows = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    >>> square(Uses(rows[:2], np.arange(2)), Uses(rows[2:], np.arange(2)))
    2.0
    """
    sums, weights, now = _pooled(reference.sums(), current.sums())
    if min((~now).sum(), now.sum()) < 2:
        return math.nan
    return float(_squares(sums, weights, now[None, :])[0])


def apart(reference: Uses, current: Uses, deals: Sequence[int] = DEALS) -> Apart:
    """Return how far the uses of two periods lie apart; nan with fewer than two documents a side.

    Where no deal lies as far apart, p is the tail of a Pearson III distribution with the deals' mean,
    variance and skewness (Minas and Montana 2014, arXiv 1303.6211); it is never below one in all
    possible deals.
    """
    sums, weights, now = _pooled(reference.sums(), current.sums())
    documents = int((~now).sum()), int(now.sum())
    if min(documents) < 2:
        return Apart(math.nan, math.nan, math.nan, 1.0)
    observed = float(_squares(sums, weights, now[None, :])[0])
    random, dealt = stream(), np.empty(0)
    for lot in deals:
        if (dealt >= observed - TINY).sum() >= FEW:
            break
        for start in range(0, lot, BLOCK):
            many = min(BLOCK, lot - start)
            sides = random.permuted(np.broadcast_to(now, (many, len(now))), axis=1)
            dealt = np.append(dealt, _squares(sums, weights, sides))
    p = max(_tail(observed, dealt), math.exp(-_log_ways(*documents)))
    return Apart(observed, float(dealt.std()), _slope(sums, weights, now), p)


def _pooled(
    ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the sums and uses of all documents, and which are current; raise where widths differ."""
    if ours[0].shape[1:] != theirs[0].shape[1:]:
        raise DataError(f"vectors of {ours[0].shape[1]} and {theirs[0].shape[1]} numbers")
    sums, weights = (np.concatenate(pair) for pair in zip(ours, theirs, strict=True))
    if len(weights):
        # The common mean moves no distance, and without it the sums below lose no digits.
        sums = sums - weights[:, None] * (sums.sum(axis=0) / weights.sum())
    return sums, weights, np.arange(len(weights)) >= len(ours[1])


def _squares(sums: Floats, weights: Floats, sides: NDArray[np.bool_]) -> Floats:
    """Return the squared distance for each way (b, u) to deal the documents, no document with itself."""
    chosen = sides.astype(np.float64)
    own, size = np.einsum("ij,ij->i", sums, sums), weights * weights
    there = chosen @ sums
    here = sums.sum(axis=0) - there
    count, own_there, size_there = chosen @ weights, chosen @ own, chosen @ size
    others, own_here, size_here = (
        weights.sum() - count,
        own.sum() - own_there,
        size.sum() - size_there,
    )
    inside = (np.einsum("ij,ij->i", there, there) - own_there) / np.maximum(
        count**2 - size_there, TINY
    )
    inside_other = (np.einsum("ij,ij->i", here, here) - own_here) / np.maximum(
        others**2 - size_here, TINY
    )
    across = np.einsum("ij,ij->i", there, here) / np.maximum(count * others, TINY)
    return np.asarray(inside + inside_other - 2 * across)


def _slope(sums: Floats, weights: Floats, now: NDArray[np.bool_]) -> float:
    """Return the standard error of the distance along the way between the two means."""
    means = [sums[side].sum(axis=0) / weights[side].sum() for side in (~now, now)]
    way = means[1] - means[0]
    length = float(np.linalg.norm(way))
    if length <= TINY:
        return 0.0
    total = 0.0
    for side, mean in zip((~now, now), means, strict=True):
        along = (sums[side] - weights[side][:, None] * mean) @ (way / length)
        documents = len(along)
        total += (
            float((along**2).sum()) / weights[side].sum() ** 2 * documents / max(documents - 1, 1)
        )
    return math.sqrt(total)


def _tail(observed: float, dealt: Floats) -> float:
    """Return p of the observed square: counted, or read off a fitted tail where none is as large."""
    from scipy.stats import pearson3, skew

    above = int((dealt >= observed - TINY).sum())
    if above:
        return (1 + above) / (1 + len(dealt))
    spread = float(dealt.std())
    if spread <= TINY:
        return 1.0
    fitted = pearson3.sf((observed - dealt.mean()) / spread, max(float(skew(dealt)), 0.0))
    return float(min(max(fitted, SMALLEST), 1 / (1 + len(dealt))))


def _log_ways(one: int, other: int) -> float:
    """Return the logarithm of the number of ways to deal the documents."""
    return math.lgamma(one + other + 1) - math.lgamma(one + 1) - math.lgamma(other + 1)


def steps(term: Uses, others: Sequence[Uses]) -> Floats:
    """Return the distance of a word's mean to that of each other word; nan where it is not above 0.

    >>> rows = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    >>> one, two = Uses(rows[:2], np.arange(2)), Uses(rows[2:], np.arange(2))
    >>> round(float(steps(one, [two])[0]), 3)
    1.414
    """
    found, own = np.full(len(others), math.nan), term.sums()
    for place, other in enumerate(others):
        sums, weights, now = _pooled(own, other.sums())
        if min((~now).sum(), now.sum()) >= 2:
            squared = float(_squares(sums, weights, now[None, :])[0])
            found[place] = math.sqrt(squared) if squared > 0 else math.nan
    return found


def _scores(reference: Uses, current: Uses) -> Floats:
    """Return how much each use looks like the current period, measured on other documents."""
    found = []
    for own, other, sign in ((reference, current, -1.0), (current, reference, 1.0)):
        if not len(own):
            continue
        vectors = own.vectors.astype(np.float64)
        _, codes, uses = np.unique(own.documents, return_inverse=True, return_counts=True)
        sums, _ = own.sums()
        rest = vectors.sum(axis=0) - sums[codes]
        left = np.maximum(len(own) - uses[codes], 1)
        alike = np.einsum("ij,ij->i", vectors, rest) / left
        across = vectors @ other.vectors.sum(axis=0, dtype=np.float64) / max(len(other), 1)
        found.append(sign * (alike - across))
    return np.concatenate(found) if found else np.empty(0)
