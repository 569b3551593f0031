"""Divergences people ask for, from counts, each as its users know it; evidence, never a verdict.

All take rows per cell of both sides. A side without rows is taken as spread evenly, so that every
answer is finite.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from undertow.stats.counts import Counts, Floats, paired

FILL = 1e-4
"""The share that stands for an empty cell in PSI and KL, as in Evidently and most PSI sheets."""
LARGEST = float(np.finfo(np.float64).max)


def _shares(counts: Counts) -> Floats:
    total = int(counts.sum())
    if not total:
        return np.full(counts.size, 1 / max(counts.size, 1))
    return counts / total


def _filled(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return both sides' shares of the cells that hold rows, empty ones filled with FILL."""
    ours, theirs = _held(reference, current)
    p, q = _shares(ours), _shares(theirs)
    return np.where(p > 0, p, FILL), np.where(q > 0, q, FILL)


def _held(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Counts, Counts]:
    ours, theirs = paired(reference, current)
    held = (ours + theirs) > 0
    return ours[held], theirs[held]


def coarse(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, cells: int = 10
) -> tuple[Counts, Counts]:
    """Return the same rows in about `cells` ordered cells, as even on the reference as they can be.

    PSI, KL and JS of 500 thin cells measure noise; users know them on ten.

    >>> coarse([1] * 100, [2] * 100, cells=4)[0]
    array([25, 25, 25, 25])
    """
    ours, theirs = paired(reference, current)
    if ours.size <= cells:
        return ours, theirs
    base = ours if int(ours.sum()) else theirs
    before = base.cumsum() - base
    middle = before + (base - 1) / 2
    group = np.minimum(middle * cells // max(int(base.sum()), 1), cells - 1).astype(np.int64)
    group = np.maximum.accumulate(np.maximum(group, 0))
    names, where = np.unique(group, return_inverse=True)
    merged = np.zeros((2, names.size), dtype=np.int64)
    np.add.at(merged[0], where, ours)
    np.add.at(merged[1], where, theirs)
    return merged[0], merged[1]


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the population stability index, natural log, empty cells filled with 0.0001.

    >>> round(psi([50, 50], [30, 70]), 3)
    0.169
    """
    p, q = _filled(reference, current)
    return float(((q - p) * np.log(q / p)).sum())


def kl(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the Kullback-Leibler divergence of the reference from the current rows, in nats.

    KL(reference || current), empty cells filled with 0.0001 and both sides scaled to 1 again, as
    scipy.stats.entropy(reference, current) does.

    >>> round(kl([50, 50], [30, 70]), 3)
    0.087
    """
    p, q = _filled(reference, current)
    p, q = p / p.sum(), q / q.sum()
    return max(float((p * np.log(p / q)).sum()), 0.0)


def js(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return the Jensen-Shannon distance, base 2, between 0 and 1, without smoothing.

    The square root of the divergence, as scipy.spatial.distance.jensenshannon(p, q, base=2).

    >>> js([10, 0], [0, 10]), js([5, 5], [50, 50])
    (1.0, 0.0)
    """
    ours, theirs = _held(reference, current)
    p, q = _shares(ours), _shares(theirs)
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        some = side > 0
        total += float((side[some] * np.log2(side[some] / middle[some])).sum())
    return math.sqrt(min(max(total / 2, 0.0), 1.0))


def chi_square(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[float, int, float]:
    """Return Pearson's statistic of the 2 x K table, its degrees of freedom and p.

    As scipy.stats.chi2_contingency(table, correction=False), empty columns left out; fewer than
    two columns or no rows on a side give (0, 0, 1).

    >>> statistic, degrees, p = chi_square([50, 50], [30, 70])
    >>> round(statistic, 3), degrees, round(p, 4)
    (8.333, 1, 0.0039)
    """
    ours, theirs = _held(reference, current)
    rows, other_rows = int(ours.sum()), int(theirs.sum())
    if ours.size < 2 or not rows or not other_rows:
        return 0.0, 0, 1.0
    both = (ours + theirs).astype(np.float64)
    share = rows / (rows + other_rows)
    statistic = float(((ours - both * share) ** 2 / (both * share * (1 - share))).sum())
    degrees = ours.size - 1
    return statistic, degrees, chi_square_tail(statistic, degrees)


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the upper tail of the chi-square distribution, as scipy.special.chdtrc does.

    A finite sum for whole degrees (Abramowitz & Stegun 26.4.4-5); importing scipy for it would cost
    more than a whole check of a small table.

    >>> round(chi_square_tail(8.333, 1), 4), round(chi_square_tail(124.3, 100), 3)
    (0.0039, 0.05)
    """
    if statistic <= 0:
        return 1.0
    half = statistic / 2
    first = 0.5 if degrees % 2 else 0.0
    powers = np.arange(first, degrees / 2 - 0.25)
    tail = math.erfc(math.sqrt(half)) if first else 0.0
    if len(powers):
        # log of half**k / gamma(k + 1), from one term to the next
        steps = math.log(half) - np.log(powers[1:])
        logs = powers[0] * math.log(half) - math.lgamma(powers[0] + 1)
        terms = np.concatenate([[logs], logs + np.cumsum(steps)])
        tail += float(np.exp(terms - half).sum())
    return min(tail, 1.0)


def ks(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[float, float]:
    """Return the two-sample Kolmogorov-Smirnov statistic over the cells' edges, and its p.

    p is the limit distribution's (scipy.stats.ks_2samp with method="asymp" differs in the third
    digit); conservative where values repeat. (0, 1) where a side has no rows.

    >>> statistic, p = ks([50, 50], [30, 70])
    >>> round(statistic, 3), round(p, 4)
    (0.2, 0.0366)
    """
    ours, theirs = paired(reference, current)
    rows, other_rows = int(ours.sum()), int(theirs.sum())
    if not rows or not other_rows:
        return 0.0, 1.0
    statistic = float(np.abs(ours.cumsum() / rows - theirs.cumsum() / other_rows).max())
    return statistic, kolmogorov(statistic / math.sqrt(1 / rows + 1 / other_rows))


def kolmogorov(x: float) -> float:
    """Return the upper tail of Kolmogorov's distribution.

    >>> round(kolmogorov(1.36), 3)
    0.049
    """
    if x < 0.18:
        return 1.0
    if x < 1.0:
        odd = (2 * np.arange(1, 12) - 1) ** 2
        inside = math.sqrt(2 * math.pi) / x * np.exp(-odd * math.pi**2 / (8 * x * x)).sum()
        return float(min(max(1 - inside, 0.0), 1.0))
    k = np.arange(1, 12)
    return float(min(max(2 * ((-1.0) ** (k - 1) * np.exp(-2 * (k * x) ** 2)).sum(), 0.0), 1.0))
