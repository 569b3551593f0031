"""What a change did to the same queries: the mean drop of a metric, its interval, and its evidence.

A metric of retrieval is a number between 0 and 1 a query, most of them unmoved by most changes. So
intervals are of the score's kind (Wilson 1927): as wide as those of a share of as many rows as the
variance tells of, and never narrower than what so many queries can miss. The evidence is the sign-flip
test: without a change, before and now are as likely the other way round in each query (Fisher 1935);
its tail is counted for a few queries and a saddlepoint approximation for many (Robinson 1982).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate
from undertow.stats.counts import Floats
from undertow.stats.score import Z, limits, unseen

EFFECT = "difference"
COUNTED = 16
"""Queries that moved, up to which every flip of signs is counted."""
FEWEST = 10
"""Queries below which a mean has no interval worth a verdict."""


def mean_of(values: npt.ArrayLike) -> Estimate:
    """Return the mean of numbers between 0 and 1 with its 95% interval; NaN where there are none.

    Simulated on nDCG, MRR, recall and hits of 25 to 1,500 queries, it held the truth 93 to 98% of the
    time.

    >>> made = mean_of([1.0] * 90 + [0.0] * 10)
    >>> round(made.value, 2), round(made.low, 3), round(made.high, 3)
    (0.9, 0.825, 0.945)
    """
    rows = np.asarray(values, np.float64)
    if not len(rows):
        return Estimate(math.nan, math.nan, math.nan)
    value = float(rows.mean())
    low, high = _limits(rows)
    return Estimate(value, min(low, value), max(high, value))


def drop(before: npt.ArrayLike, now: npt.ArrayLike, *, tolerance: float = 0.02) -> Effect:
    """Return how far a metric fell, a number between 0 and 1 a query on both sides, paired.

    A metric that rose has not fallen: the size is 0 and nothing speaks for a drop; `change` sizes a
    rise. Undefined below 10 queries. Raises UsageError for a tolerance out of range, DataError where
    the lengths differ.

    >>> fell = drop([1.0] * 100, [1.0] * 80 + [0.5] * 20)
    >>> round(fell.value, 2), 0.05 < fell.low < 0.1 < fell.high < 0.15, fell.p_no_change < 1e-4
    (0.1, True, True)
    >>> drop([0.5] * 100, [1.0] * 100).value
    0.0
    """
    check_tolerance(EFFECT, tolerance)
    moved = change(before, now)
    rows = np.asarray(before).size
    if rows < FEWEST:
        return Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)
    low, value, high = (max(0.0, -each) for each in (moved.high, moved.value, moved.low))  # no -0.0
    evidence = 1.0
    if value > 0:
        evidence = sign_flip(np.asarray(before, np.float64) - np.asarray(now, np.float64))
    # So many queries can miss a few that lost everything; what rose makes up for some of them.
    high = min(max(high, unseen(rows) - max(moved.value, 0.0)), 1.0)
    return Effect(EFFECT, value, low, max(high, value), tolerance, evidence, told="a fall of {}")


def change(before: npt.ArrayLike, now: npt.ArrayLike) -> Estimate:
    """Return the mean of now - before with its 95% interval: below 0 is a drop.

    The interval puts together those of what was gained and of what was lost (Newcombe 1998, method
    10; Zou and Donner 2008), with what both share. NaN where there are no queries. Raises DataError
    where the lengths differ.

    >>> change([0.0] * 50, [0.0] * 50).high < 0.08
    True
    """
    first, second = np.asarray(before, np.float64), np.asarray(now, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(f"{first.size} numbers beside {second.size}: give one of each a query")
    if not len(first):
        return Estimate(math.nan, math.nan, math.nan)
    apart = second - first
    up, down = np.maximum(apart, 0.0), np.maximum(-apart, 0.0)
    gained, lost = float(up.mean()), float(down.mean())
    moved = np.abs(apart[apart != 0])
    typical = float(moved.mean()) if len(moved) else 1.0
    (up_low, up_high), (down_low, down_high) = _limits(up, typical), _limits(down, typical)
    # A query that gained has lost nothing: the two means are held against each other.
    both = Z * Z * 2 * gained * lost / len(apart)
    value = gained - lost
    below = math.sqrt((gained - up_low) ** 2 + (down_high - lost) ** 2 + both)
    above = math.sqrt((up_high - gained) ** 2 + (lost - down_low) ** 2 + both)
    return Estimate(value, value - below, value + above)


def sign_flip(differences: npt.ArrayLike) -> float:
    """Return the two-sided p of a mean of differences, had each sign been as likely the other.

    >>> round(sign_flip([0.5] * 5), 4), sign_flip([]), sign_flip([0.1, -0.1])
    (0.0625, 1.0, 1.0)
    >>> round(sign_flip([0.5] * 30 + [-0.5] * 10), 4)
    0.0023
    """
    rows = np.asarray(differences, np.float64)
    sizes, total = np.abs(rows[rows != 0]), abs(float(rows.sum()))
    if not len(sizes):
        return 1.0
    if len(sizes) <= COUNTED:
        sums = np.zeros(1)
        for each in sizes:
            sums = np.concatenate([sums - each, sums + each])
        least = total - 1e-9 * float(sizes.sum())
        return min(1.0, 2 * float((sums >= least).mean()))
    # Sums of signs leave gaps: without a half of one, equal sizes would look surer than they are.
    return min(1.0, 2 * _tail(sizes, total - float(sizes.min())))


def _tail(sizes: Floats, total: float) -> float:
    """Return the chance that the sizes, with signs of a fair coin, add up to `total` or more."""
    whole = float(sizes.sum())
    least = math.exp(-len(sizes) * math.log(2))
    if total >= whole - float(sizes.min()) * (1 + 1e-9):  # every sign is the same
        return least
    scale = math.sqrt(float((sizes**2).sum()))
    if total / scale < 0.05:
        return 0.5 * math.erfc(total / scale / math.sqrt(2))
    low, high = 0.0, 1.0 / scale
    while float((sizes * np.tanh(sizes * high)).sum()) < total:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if float((sizes * np.tanh(sizes * middle)).sum()) < total:
            low = middle
        else:
            high = middle
    at = (low + high) / 2
    tilted = sizes * at
    cumulant = float((np.logaddexp(tilted, -tilted) - math.log(2)).sum())
    spread = math.sqrt(float((sizes**2 / np.cosh(np.minimum(tilted, 300.0)) ** 2).sum()))
    root = math.sqrt(max(2 * (at * total - cumulant), 0.0))
    slope = at * spread
    if root < 1e-6 or slope < 1e-12:
        return 0.5 * math.erfc(total / scale / math.sqrt(2))
    density = math.exp(-root * root / 2) / math.sqrt(2 * math.pi)
    tail = 0.5 * math.erfc(root / math.sqrt(2)) + density * (1 / slope - 1 / root)
    return min(max(tail, least), 1.0)


def _limits(rows: Floats, unseen_size: float = 1.0) -> tuple[float, float]:
    """Return the 95% limits of the mean of numbers between 0 and 1, as of a share.

    The variance tells of how many rows of 0 or 1 the numbers are worth, at least as many as there
    are; Student's distribution instead of the normal one, for few rows. Where all are 0, those that
    were not seen are of `unseen_size`.
    """
    count, value = len(rows), float(rows.mean())
    spread = float(rows.var(ddof=1)) / count if count > 1 else 0.0
    most = value * (1 - value)
    worth = max(most / spread, count) if spread > 0 and most > 0 else float(count)
    low, high = limits(value * worth, worth, _student(count))
    return float(low), float(high) * (unseen_size if value == 0 else 1.0)


def _student(count: int) -> float:
    """Return the 97.5% point of Student's distribution, by Fisher's expansion (Z for many rows)."""
    free = max(count - 1, 2)
    return Z + (Z**3 + Z) / (4 * free) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * free**2)
