"""Total variation between two sets of categories: the share of rows that changed category.

Three numbers come from three methods, because no single one is honest. The lower limit learns which
categories grew from all rows but one, and measures on that one, for each row in turn. The estimate
takes out of the plug-in sum what noise adds to it. The upper limit supposes that the change is
spread as thinly as possible, where noise hides it best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, paired, tallied
from undertow.stats.exact import log_factorial, smallest_p
from undertow.stats.folded import NULL, spread_limit, unfold
from undertow.stats.score import SEEN, Z, arms, normal_tail, unseen

RESOLVED = 2.0
"""Rows that a category must be expected to have on the smaller side to stand on its own."""
TINY = 1e-12
LOUD = (1.5, 3.0)
"""Standard errors from which a category is trusted on its own, by the second and third rule."""
BEST = 2.128
"""Standard errors of the lower limit, 1.96 corrected for its being the best of three."""
NOISY = 0.25
"""Noise, as a share of the tolerance, above which an estimate is said to be biased low. Two
categories are exempt: theirs is one difference, in which noise has nothing to hide."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """Which categories stand on their own, and what was pooled as "other".

    >>> Pooled(resolved=2, categories=7, share_reference=0.02, share_current=0.03).categories
    7
    """

    resolved: int
    categories: int
    share_reference: float
    share_current: float


def _resolved(both: Counts, rows: int, other_rows: int) -> npt.NDArray[np.bool_]:
    """Return the categories that the data can resolve, judged on the two sides together."""
    return both * (min(rows, other_rows) / (rows + other_rows)) >= RESOLVED


def pooled(reference: npt.ArrayLike, current: npt.ArrayLike) -> Pooled:
    """Return how many categories are resolved, and how many and how large the others are.

    Shares are nan for a side without rows.

    >>> pooled([500, 490, 1, 1], [480, 500, 0, 2]).resolved
    2
    """
    ours, theirs = paired(reference, current)
    rows, other_rows = int(ours.sum()), int(theirs.sum())
    if not rows or not other_rows:
        return Pooled(0, int(np.count_nonzero(ours + theirs)), math.nan, math.nan)
    both = ours + theirs
    alone = _resolved(both, rows, other_rows)
    return Pooled(
        resolved=int(np.count_nonzero(alone)),
        categories=int(np.count_nonzero(both[~alone])),
        share_reference=float(ours[~alone].sum() / rows),
        share_current=float(theirs[~alone].sum() / other_rows),
    )


def total_variation(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, tolerance: float = 0.10
) -> Effect:
    """Return half the sum of the absolute differences of the categories' shares.

    `reference` and `current` are rows per category, in any order. `pooled` says which categories
    were resolved; the interval also covers what pooling can hide. `biased_low` marks noise too
    large for the estimate to support "steady". Zero rows on a side give an undefined effect. Raises
    DataError where the lengths differ, UsageError for a tolerance out of range.

    >>> moved = total_variation([500, 300, 200], [300, 500, 200])
    >>> round(moved.value, 2), round(moved.low, 2), round(moved.high, 2)
    (0.2, 0.15, 0.24)
    """
    check_tolerance("total_variation", tolerance)
    ours, theirs = paired(reference, current)
    rows, other_rows = int(ours.sum()), int(theirs.sum())
    if not rows or not other_rows:
        return Effect("total_variation", math.nan, math.nan, math.nan, tolerance, 1.0)
    if rows > other_rows:
        ours, theirs, rows, other_rows = theirs, ours, other_rows, rows
    ours, theirs, times = tallied(ours, theirs)
    cells = _cells(ours, theirs, times, rows, other_rows)
    hidden = 0.0
    if int(times.sum()) > int(cells[2].sum()):
        hidden = min(cells[0][-1] / rows, cells[1][-1] / other_rows)
    p, q = cells[0] / rows, cells[1] / other_rows
    size = np.abs(p - q)
    total = float((size * cells[2]).sum()) / 2
    spread = _spread(cells[0] + cells[1], rows, other_rows)
    scale = float((spread * cells[2]).sum()) / 2
    value, high = 0.0, 0.0
    if scale > 0:
        noisy = spread > 0
        value = unfold(size[noisy], spread[noisy], cells[2][noisy]) / 2
        high = spread_limit(total, scale, _noise(p, q, cells[2], rows, other_rows), Z)
    high = min(max(high, unseen(rows)) + hidden, 1.0)
    evidence = smallest_p(ours, ours + theirs, rows, other_rows, times)
    evidence = min(1.0, 2 * min(evidence, _together(*cells, rows, other_rows)))
    low = left_out(ours, theirs, times) if evidence <= SEEN else 0.0
    vague = hidden > NOISY * tolerance or (int(cells[2].sum()) > 2 and scale > NOISY * tolerance)
    return Effect("total_variation", value, low, high, tolerance, evidence, biased_low=vague)


def _cells(
    ours: Counts, theirs: Counts, times: Counts, rows: int, other_rows: int
) -> tuple[Counts, Counts, Counts]:
    """Return the resolved cells, and the sum of the others, if there are several, behind them."""
    alone = _resolved(ours + theirs, rows, other_rows)
    if int(times[~alone].sum()) < 2:
        return ours, theirs, times
    return (
        np.append(ours[alone], (ours * times)[~alone].sum()),
        np.append(theirs[alone], (theirs * times)[~alone].sum()),
        np.append(times[alone], 1),
    )


def _spread(both: Counts, rows: int, other_rows: int) -> Floats:
    """Return the standard deviation of each category's difference of shares, were there no change.

    From the mean absolute deviation of a binomial (De Moivre), so that the sum's mean is exact.
    """
    total = rows + other_rows
    share = rows / total
    step = np.floor(both * share) + 1
    step = np.minimum(step, both)
    log_mass = log_factorial(both) - log_factorial(step) - log_factorial(both - step)
    log_mass = log_mass + step * math.log(share) + (both - step + 1) * math.log1p(-share)
    mean = 2 * step * np.exp(log_mass)
    finite = np.sqrt(np.maximum(total - both, 0) / max(total - 1, 1))
    return np.asarray(mean * finite * (1 / rows + 1 / other_rows) / NULL, dtype=np.float64)


def _noise(p: Floats, q: Floats, times: Counts, rows: int, other_rows: int) -> float:
    """Return the standard deviation of the plug-in sum, were every sign known."""
    grew = p > q
    more, less = float((p * times)[grew].sum()), float((q * times)[grew].sum())
    above = float(arms(more, rows, less, other_rows)[1]) / Z
    mix = (p * rows + q * other_rows) / (rows + other_rows)
    thin = 0.25 * (1 - float((mix * mix * times).sum())) * (1 / rows + 1 / other_rows)
    return max(above, math.sqrt(max(thin, 0.0)))


def _together(first: Counts, second: Counts, times: Counts, rows: int, other_rows: int) -> float:
    """Return p of the chi-square of all cells, its mean and variance those of thin cells too."""
    cells = int(times.sum())
    if cells < 2:
        return 1.0
    both = (first + second).astype(np.float64)
    total = float(rows + other_rows)
    share = rows / total
    odds = share * (1 - share)
    square = float(((first - both * share) ** 2 / (both * odds) * times).sum())
    mean = (cells - 1) * total / (total - 1)
    rare = float((((1 - 6 * odds) / (odds * both)) * times).sum())
    variance = max(2 * mean + rare, 0.1 * mean)
    degrees = 2 * mean * mean / variance
    part = 2 / (9 * degrees)
    z = ((square / mean) ** (1 / 3) - (1 - part)) / math.sqrt(part)
    return normal_tail(z) / 2 if z > 0 else 1.0


def left_out(ours: Counts, theirs: Counts, times: Counts) -> float:
    """Return the lower limit: each row measured by directions learned without it.

    A category's direction is a number between -1 and 1, so the mean of rows times directions
    learned from other rows is at most the true total variation, whatever the rule. Three rules are
    tried: one trusts every category a little, two only those that stand out and move the rest
    together. Random halves would do the same with less power and a seed.

    >>> once = np.ones(3, dtype=np.int64)
    >>> round(left_out(np.array([200, 300, 500]), np.array([200, 500, 300]), once), 2)
    0.15
    """
    rows, other_rows = int((ours * times).sum()), int((theirs * times).sum())
    p, q = ours * times / rows, theirs * times / other_rows
    best = 0.0
    for s, t in zip(
        _directions(ours, theirs, times, 1, 0), _directions(ours, theirs, times, 0, 1), strict=True
    ):
        measured = float((p * s).sum() - (q * t).sum()) / 2
        mean = (s + t) / 2
        grew, fell = np.maximum(mean, 0.0), np.maximum(-mean, 0.0)
        up = arms((p * grew).sum(), rows, (q * grew).sum(), other_rows, BEST)[0]
        down = arms((q * fell).sum(), other_rows, (p * fell).sum(), rows, BEST)[0]
        best = max(best, measured - float(up + down) / 2)
    return best


def _directions(
    ours: Counts, theirs: Counts, times: Counts, less: int, other_less: int
) -> list[Floats]:
    """Return each category's direction by several rules, learned without one row of ours or theirs.

    The first trusts every category in proportion to how far it stands out. The second trusts those
    that stand out more, and moves all others together, if together they stand out.
    """
    rows, other_rows = int((ours * times).sum()), int((theirs * times).sum())
    whole = _standing(ours, theirs, rows, other_rows)
    rows, other_rows = rows - less, other_rows - other_less
    standing = _standing(ours - less, theirs - other_less, rows, other_rows)
    found = [np.clip(standing, -1.0, 1.0)]
    for start in LOUD:
        quiet, own = 1 - np.abs(_ramp(whole, start)), _ramp(standing, start)
        left = 1 - np.abs(own)
        rest = float((ours * quiet * times).sum()) - ours * quiet + (ours - less) * left
        other_rest = float((theirs * quiet * times).sum()) - theirs * quiet
        other_rest = other_rest + (theirs - other_less) * left
        found.append(own + left * _ramp(_standing(rest, other_rest, rows, other_rows), 1.0))
    return found


def _ramp(standing: Floats, start: float) -> Floats:
    """Return a direction: 0 up to `start` standard errors, 1 or -1 from one more."""
    ramp: Floats = np.sign(standing) * np.clip(np.abs(standing) - start, 0.0, 1.0)
    return ramp


def _standing(ours: npt.ArrayLike, theirs: npt.ArrayLike, rows: int, other_rows: int) -> Floats:
    """Return the signed root of each category's deviance: about its distance in standard errors."""
    x = np.maximum(np.asarray(ours, dtype=np.float64), TINY)
    y = np.maximum(np.asarray(theirs, dtype=np.float64), TINY)
    both, total = x + y, max(rows + other_rows, 1)
    expected = both * (max(rows, TINY) / total)
    deviance = x * np.log(x / expected) + y * np.log(y / np.maximum(both - expected, TINY))
    others = np.maximum(1 - both / total, TINY)
    root: Floats = np.sign(x - expected) * np.sqrt(np.maximum(2 * deviance, 0.0) / others)
    return root
