"""A share that moved, as Cohen's h, so that 1% -> 5% weighs as much as 50% -> 62%.

h = abs(2 asin sqrt(p) - 2 asin sqrt(q)), between 0 and pi, in radians. Its noise is nearly the same
for rare and common shares. Cohen (1988), Statistical power analysis, chapter 6.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, halves, paired, stream, swapped, tallied
from undertow.stats.difference import check_hits, magnitude
from undertow.stats.exact import log_tail, smallest_p
from undertow.stats.score import SEEN, limits

SPLITS = 6
CANDIDATES = 4_096
"""Categories, commonest on both sides together, among which the lower limit picks."""


def angle(share: npt.ArrayLike) -> Floats:
    """Return 2 asin sqrt(share), the scale on which h is a difference.

    >>> round(float(angle(0.5)), 3)
    1.571
    """
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))), dtype=np.float64)


def _arms(
    hits: npt.ArrayLike, rows: int, other: npt.ArrayLike, other_rows: int
) -> tuple[Floats, Floats]:
    """Return how far below and above angle(p) - angle(q) its 95% limits lie."""
    p_low, p_high = limits(hits, rows)
    q_low, q_high = limits(other, other_rows)
    p, q = angle(np.asarray(hits) / rows), angle(np.asarray(other) / other_rows)
    below = np.hypot(p - angle(p_low), angle(q_high) - q)
    above = np.hypot(angle(p_high) - p, q - angle(q_low))
    return below, above


def share_change(
    hits_reference: int,
    rows_reference: int,
    hits_current: int,
    rows_current: int,
    *,
    tolerance: float = 0.2,
) -> Effect:
    """Return how far one share moved, as Cohen's h with a score interval.

    Zero rows on a side give an undefined effect. Raises UsageError for a tolerance out of range,
    DataError for more hits than rows. Wilson's limits of each share, combined as Newcombe (1998)
    does; the evidence is twice the one-sided tail of Fisher's exact test.

    >>> moved = share_change(10, 1000, 50, 1000)
    >>> round(moved.value, 3), round(moved.low, 2), round(moved.high, 2), moved.p_no_change < 1e-6
    (0.251, 0.16, 0.34, True)
    """
    check_tolerance("cohens_h", tolerance)
    check_hits(hits_reference, rows_reference)
    check_hits(hits_current, rows_current)
    if not rows_reference or not rows_current:
        return Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    moved = float(angle(hits_reference / rows_reference) - angle(hits_current / rows_current))
    down, up = _arms(hits_reference, rows_reference, hits_current, rows_current)
    low, high = magnitude(moved - float(down), moved + float(up))
    both = hits_reference + hits_current
    tail = float(np.exp(log_tail(hits_reference, both, rows_reference, rows_current)))
    low = low if tail <= SEEN else 0.0
    return Effect("cohens_h", abs(moved), low, high, tolerance, tail)


def largest_share_change(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *,
    rows: tuple[int, int] | None = None,
    tolerance: float = 0.2,
) -> tuple[int, Effect]:
    """Return the category whose share moved most, and how far, corrected for having been picked.

    `reference` and `current` are rows per category; `rows` are all rows of each side where the
    categories are only some of them (picked on the counts of both sides together, if at all). p
    counts every category that could have shown it; the lower limit picks on one half of the rows
    and measures on the other. The index is the first of equals, and -1 where a side has no rows.
    Raises like `share_change`.

    >>> index, moved = largest_share_change([400, 590, 10], [400, 550, 50])
    >>> index, round(moved.value, 2), round(moved.low, 2)
    (2, 0.25, 0.16)
    """
    check_tolerance("cohens_h", tolerance)
    ours, theirs = paired(reference, current)
    all_ours, all_theirs = rows or (int(ours.sum()), int(theirs.sum()))
    check_hits(int(ours.sum()), all_ours)
    check_hits(int(theirs.sum()), all_theirs)
    if not all_ours or not all_theirs or not ours.size:
        return -1, Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    if swapped(
        np.append(ours, all_ours - ours.sum()), np.append(theirs, all_theirs - theirs.sum())
    ):
        ours, theirs, all_ours, all_theirs = theirs, ours, all_theirs, all_ours
    return _largest(ours, all_ours, theirs, all_theirs, tolerance)


def _largest(
    ours: Counts, rows: int, theirs: Counts, other_rows: int, tolerance: float
) -> tuple[int, Effect]:
    moved = angle(ours / rows) - angle(theirs / other_rows)
    index = int(np.round(np.abs(moved), 12).argmax())
    first, second, times = tallied(ours, theirs)
    evidence = smallest_p(first, first + second, rows, other_rows, times)
    high = _highest(first, rows, second, other_rows)
    low = 0.0
    if evidence <= SEEN:
        down, up = _arms(ours[index], rows, theirs[index], other_rows)
        low = _cross_fitted(ours, rows, theirs, other_rows, tolerance / 4)
        low -= float(down if moved[index] > 0 else up)
    value = float(abs(moved[index]))
    return index, Effect("cohens_h", value, low, high, tolerance, evidence)


def _highest(ours: Counts, rows: int, theirs: Counts, other_rows: int) -> float:
    """Return the largest upper limit of any category, for another may have moved further."""
    moved = angle(ours / rows) - angle(theirs / other_rows)
    down, up = _arms(ours, rows, theirs, other_rows)
    return float(np.maximum(moved + up, down - moved).max(initial=0.0))


def _cross_fitted(ours: Counts, rows: int, theirs: Counts, other_rows: int, least: float) -> float:
    """Return the mean change of the category picked on one half, measured on the other.

    Categories too rare to have moved by `least` are left out, on the counts of both sides together,
    which favours none.
    """
    both = ours + theirs
    able = np.flatnonzero(angle(both / min(rows, other_rows)) >= least)
    able = able[np.lexsort((ours[able], -both[able]))[:CANDIDATES]]
    ours, theirs = ours[able], theirs[able]
    if not ours.size:
        return 0.0
    random = stream()
    whole = np.append(ours, rows - ours.sum()), np.append(theirs, other_rows - theirs.sum())
    first = halves(whole[0], SPLITS, random), halves(whole[1], SPLITS, random)
    parts = np.stack([_moves(*first), _moves(whole[0] - first[0], whole[1] - first[1])])
    picked = np.abs(parts).argmax(axis=-1)[..., None]
    sign = np.sign(np.take_along_axis(parts, picked, axis=-1))
    return float((sign * np.take_along_axis(parts[::-1], picked, axis=-1)).mean())


def _moves(ours: Counts, theirs: Counts) -> Floats:
    """Return the signed change of each category but the last, which holds the remaining rows."""
    rows = np.maximum(ours.sum(axis=-1, keepdims=True), 1)
    other_rows = np.maximum(theirs.sum(axis=-1, keepdims=True), 1)
    return angle(ours[..., :-1] / rows) - angle(theirs[..., :-1] / other_rows)
