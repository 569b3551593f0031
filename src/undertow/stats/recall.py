"""The one class whose recall moved most, corrected for having been picked among all classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, halves, stream
from undertow.stats.exact import log_least, log_tail
from undertow.stats.rows import needs_rows
from undertow.stats.score import SEEN, limits
from undertow.stats.share import angle

SPLITS = 8


@dataclass(frozen=True)
class Recalls:
    """Rows predicted right and rows labelled so, a class on the last axis, on both sides.

    The first `firm` places are the classes that can be compared alone, and the rest of them as one;
    what is called steady is said of these. The places after are the rare classes one by one, which
    count only where one of them stands out. `members` says which classes each place holds.
    """

    hits: Counts
    rows: Counts
    other_hits: Counts
    other_rows: Counts
    members: tuple[tuple[int, ...], ...]
    firm: int

    @property
    def moved(self) -> Floats:
        """Cohen's h of each place, positive where recall fell."""
        return angle(self.hits / self.rows) - angle(self.other_hits / self.other_rows)

    @property
    def noise(self) -> Floats:
        """The standard error of each place's h."""
        return np.asarray(np.sqrt(1 / self.rows + 1 / self.other_rows))


def comparable(
    hits: Counts, rows: Counts, other_hits: Counts, other_rows: Counts, *, tolerance: float
) -> Recalls:
    """Return the classes that the rows can resolve, the rest of them as one, and the rest alone.

    A class can be compared where the noise of its h is below the tolerance (50 rows a side for
    0.2); which ones can does not depend on how well they were predicted.

    >>> both = np.array([60, 60, 3, 4]), np.array([100, 100, 5, 5])
    >>> comparable(*both, *both, tolerance=0.2).members
    ((0,), (1,), (2, 3), (2,), (3,))
    """
    with np.errstate(divide="ignore"):
        noise = np.sqrt(1 / rows + 1 / other_rows)
    alone = noise <= tolerance
    rest = np.flatnonzero(~alone & ((rows > 0) | (other_rows > 0)))
    groups: list[tuple[int, ...]] = [(int(spot),) for spot in np.flatnonzero(alone)]
    if len(rest) and rows[rest].sum() and other_rows[rest].sum():
        groups.append(tuple(rest.tolist()))
    firm = len(groups)
    if len(rest) > 1:
        groups += [(int(spot),) for spot in rest if rows[spot] and other_rows[spot]]
    picked = [
        np.array([int(side[list(g)].sum()) for g in groups], np.int64)
        for side in (hits, rows, other_hits, other_rows)
    ]
    return Recalls(picked[0], picked[1], picked[2], picked[3], tuple(groups), firm)


def largest_recall_change(found: Recalls, *, tolerance: float = 0.2) -> tuple[int, Effect]:
    """Return the place whose recall moved most surely, and how far, as Cohen's h.

    p counts every place that could have shown it (Tarone 1990); the lower limit picks on a half of
    the rows and measures on the other; the upper limit is the highest of all places, so "steady"
    speaks for each of them. The index is -1 where there is none.

    >>> both = np.array([95, 95]), np.array([100, 100])
    >>> worse = comparable(*both, np.array([52, 95]), np.array([100, 100]), tolerance=0.2)
    >>> index, moved = largest_recall_change(worse)
    >>> index, round(moved.value, 2), moved.low > 0.5, moved.p_no_change < 1e-9
    (0, 1.08, True, True)
    """
    check_tolerance("cohens_h", tolerance)
    firm = found.firm
    if not firm:
        return -1, Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    pairs = list(zip(found.hits, found.rows, found.other_hits, found.other_rows, strict=True))
    tails = np.array([float(log_tail(h, h + g, int(n), int(m))) for h, n, g, m in pairs])
    least = np.array([float(log_least(h + g, int(n), int(m))) for h, n, g, m in pairs])
    moved = found.moved
    index = int(np.lexsort((-np.abs(moved), tails))[0])
    able = max(int((least <= tails[index] + 1e-9).sum()), 1)
    evidence = min(1.0, math.exp(tails[index]) * able)
    if evidence > SEEN:
        index = int(np.lexsort((-np.abs(moved[:firm]), tails[:firm]))[0])
    down, up = _arms(found)
    below = float(down[index] if moved[index] >= 0 else up[index])
    low = 0.0
    if evidence <= SEEN:
        value = _cross_fitted(found) if len(pairs) > 1 else abs(float(moved[index]))
        low = value - below
    told = np.append(np.arange(firm), index)
    high = float(np.maximum(moved + up, down - moved)[told].max())
    return index, Effect("cohens_h", abs(float(moved[index])), low, high, tolerance, evidence)


def rows_needed(found: Recalls, effect: Effect) -> int | None:
    """Return the labelled rows a side that would tell, or None where the interval has told."""
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    share = min(
        float((side[: found.firm] / side[: found.firm].sum()).min())
        for side in (found.rows, found.other_rows)
    )
    each = needs_rows("cohens_h", effect.tolerance, probabilities=np.ones(max(found.firm, 2)))
    return math.ceil(each / max(share, 1e-9))


def _arms(found: Recalls) -> tuple[Floats, Floats]:
    """Return how far below and above each place's h its 95% limits lie (Newcombe's way)."""
    p, q = angle(found.hits / found.rows), angle(found.other_hits / found.other_rows)
    p_low, p_high = (angle(each) for each in limits(found.hits, found.rows))
    q_low, q_high = (angle(each) for each in limits(found.other_hits, found.other_rows))
    return np.hypot(p - p_low, q_high - q), np.hypot(p_high - p, q - q_low)


def _cross_fitted(found: Recalls) -> float:
    """Return the mean h of the place picked on one half of the rows, measured on the other."""
    random = stream()
    firsts = [
        (halves(hits, SPLITS, random), halves(rows - hits, SPLITS, random))
        for hits, rows in ((found.hits, found.rows), (found.other_hits, found.other_rows))
    ]
    whole = ((found.hits, found.rows), (found.other_hits, found.other_rows))
    parts = []
    for half in (0, 1):
        sides = []
        for (first, misses), (hits, rows) in zip(firsts, whole, strict=True):
            right = first if half == 0 else hits - first
            wrong = misses if half == 0 else rows - hits - misses
            sides.append((right, np.maximum(right + wrong, 1)))
        (a, n), (b, m) = sides
        parts.append((angle(a / n) - angle(b / m), np.sqrt(1 / n + 1 / m)))
    moves = np.stack([each for each, _ in parts])
    sure: NDArray[np.float64] = np.abs(np.stack([each / noise for each, noise in parts]))
    picked = sure.argmax(axis=-1)[..., None]
    sign = np.sign(np.take_along_axis(moves, picked, axis=-1))
    return float((sign * np.take_along_axis(moves[::-1], picked, axis=-1)).mean())
