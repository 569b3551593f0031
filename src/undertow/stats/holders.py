"""Shares that overlap: of many words, which moved most in the share of texts that hold it.

A text holds many words, so the shares do not add up to 1, and words of one text come together. The
evidence of each word is exact all the same (a text holds it or not), and Bonferroni's correction
holds whatever hangs together with what.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, stream
from undertow.stats.exact import log_least, log_tail
from undertow.stats.score import Z, limits
from undertow.stats.share import angle

SPLITS = 6
CANDIDATES = 4096
"""Words, commonest on both sides together, among which the lower limit picks."""
MOST = 1_000_000_000
_NORMAL_90 = 1.6449

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Holders:
    """How many rows of each side hold each word, and how many rows a side has.

    >>> Holders(np.array([0, 400]), 1000, np.array([60, 420]), 1000).moved.round(2).tolist()
    [0.49, 0.04]
    """

    ours: Counts
    rows: int
    theirs: Counts
    other_rows: int

    @property
    def moved(self) -> Floats:
        """Each word's change as a difference of angles (Cohen's h with its sign)."""
        before, now = self.ours / max(self.rows, 1), self.theirs / max(self.other_rows, 1)
        return angle(now) - angle(before)

    @property
    def tails(self) -> Floats:
        """The log of each word's p."""
        return log_tail(self.ours, self.ours + self.theirs, self.rows, self.other_rows)

    @property
    def least(self) -> Floats:
        """The log of the smallest p that each word's rows could have shown."""
        return log_least(self.ours + self.theirs, self.rows, self.other_rows)

    def at(self, spots: npt.NDArray[np.int64]) -> Holders:
        """Return the same rows with these words only."""
        return Holders(self.ours[spots], self.rows, self.theirs[spots], self.other_rows)


def significant(some: Holders, level: float = 0.05) -> Flags:
    """Return the words whose change is real, all of them together at this level (Tarone 1990).

    >>> significant(Holders(np.array([0, 40]), 1000, np.array([60, 45]), 1000)).tolist()
    [True, False]
    """
    if not some.ours.size or not some.rows or not some.other_rows:
        return np.zeros(some.ours.size, np.bool_)
    shown = np.sort(some.least)
    many = np.arange(1, shown.size + 1)
    able = np.searchsorted(shown, np.log(level / many), side="right")
    enough = np.flatnonzero(able <= many)
    return np.asarray(some.tails <= math.log(level / int(many[enough[0]])))


def largest_change(
    some: Holders, *, tolerance: float = 0.2, new: bool | None = None, floor: int = 0
) -> tuple[int, Effect]:
    """Return the word whose share of rows moved most, corrected for having been picked.

    `new` looks only at words that no more than `floor` reference rows hold (True), or only at the
    others (False). The evidence counts every word that could have shown it, picked from or not; the
    lower limit picks on one half of the rows and measures on the other. The index is -1 where there
    is none. Raises UsageError for a tolerance out of range.

    >>> held = Holders(np.array([0, 400]), 1000, np.array([60, 420]), 1000)
    >>> index, moved = largest_change(held, new=True)
    >>> index, round(moved.value, 2), round(moved.low, 2), moved.p_no_change < 1e-10
    (0, 0.49, 0.36, True)
    """
    check_tolerance("cohens_h", tolerance)
    spots = np.flatnonzero(_fits(some.ours, new, floor) & (some.ours + some.theirs > 0))
    if not spots.size or not some.rows or not some.other_rows:
        return -1, Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    moved = some.moved[spots]
    index = int(spots[np.round(np.abs(moved), 12).argmax()])
    value = float(some.moved[index])
    beneath, above = _arms(some, index)
    if value < 0:
        beneath, above = above, beneath
    best = float(some.tails[spots].min())
    able = int(np.count_nonzero(some.least <= best + 1e-9))
    p = min(1.0, math.exp(best) * max(able, 1))
    low = _cross_fitted(_candidates(some, tolerance), new, floor) - beneath
    return index, Effect("cohens_h", abs(value), low, abs(value) + above, tolerance, p)


def rows_that_tell(
    shares: npt.ArrayLike, tolerance: float, *, other_rows: int | None = None
) -> int:
    """Return the rows a side that decide 90% of comparisons of overlapping shares without a change.

    >>> rows_that_tell([0.5, 0.01, 0.01], 0.2) < rows_that_tell([0.01] * 5000, 0.2)
    True
    """
    held = np.asarray(shares, np.float64)

    def decides(n: float) -> bool:
        m = n if other_rows is None else float(max(other_rows, 1))
        noise = math.sqrt(1 / n + 1 / m)
        seen = float(np.minimum(held * min(n, m) / 2, 1.0).sum())
        point = math.sqrt(max(2 * math.log(max(seen, 2.0) * 10 / math.sqrt(2 * math.pi)) - 1, 0.0))
        point = max(point, _NORMAL_90)
        return (point + Z) * noise <= 2 * tolerance and point * noise <= tolerance

    if not decides(float(MOST)):
        return MOST
    low, high = 0.0, math.log(MOST)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if decides(math.exp(middle)) else (middle, high)
    return math.ceil(math.exp(high))


def _fits(ours: Counts, new: bool | None, floor: float) -> Flags:
    if new is None:
        return np.ones(ours.shape, np.bool_)
    return ours <= floor if new else ours > floor


def _arms(some: Holders, index: int) -> tuple[float, float]:
    """Return how far below and above its change the 95% limits of one word lie."""
    now, before = some.theirs[index] / some.other_rows, some.ours[index] / some.rows
    now_low, now_high = limits(some.theirs[index], some.other_rows)
    low, high = limits(some.ours[index], some.rows)
    below = np.hypot(angle(now) - angle(now_low), angle(high) - angle(before))
    above = np.hypot(angle(now_high) - angle(now), angle(before) - angle(low))
    return float(below), float(above)


def _candidates(some: Holders, tolerance: float) -> Holders:
    """Return the words that could have moved at all, chosen on both sides together."""
    both = some.ours + some.theirs
    able = np.flatnonzero(angle(both / min(some.rows, some.other_rows)) >= tolerance / 4)
    return some.at(able[np.argsort(-both[able], kind="stable")[:CANDIDATES]])


def _cross_fitted(some: Holders, new: bool | None, floor: int) -> float:
    """Return the mean change of the word picked on one half of the rows, measured on the other."""
    if not some.ours.size or min(some.rows, some.other_rows) < 2:
        return 0.0
    random = stream()
    shape = (SPLITS, some.ours.size)
    sides = []
    for hits, rows in ((some.ours, some.rows), (some.theirs, some.other_rows)):
        first = random.hypergeometric(hits, rows - hits, rows // 2, size=shape)
        share = first / (rows // 2), (hits - first) / (rows - rows // 2)
        sides.append((np.stack([first, hits - first]), angle(np.stack(share))))
    (halves, before), (_, now) = sides
    parts = now - before
    fits = _fits(halves, new, floor / 2)
    picked = np.where(fits, np.abs(parts), -1.0).argmax(axis=-1)[..., None]
    sign = np.sign(np.take_along_axis(parts, picked, axis=-1))
    return float((sign * np.take_along_axis(parts[::-1], picked, axis=-1)).mean())
