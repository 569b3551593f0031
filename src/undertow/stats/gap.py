"""The largest gap between two distribution functions: the share of rows that moved past one point.

Evidence against "no change" is the Kolmogorov-Smirnov bound. The lower limit picks the point on one
half of the rows and measures on the other, over several splits, because the point that looks worst
always looks worse than it is. The upper limit needs no such care (the largest gap is biased
upward); it adds what can hide inside a cell.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, halves, paired, stream, swapped
from undertow.stats.score import SEEN, arms, unseen

SPLITS = 8
NULL_MEAN = 0.8687
"""Mean of Kolmogorov's distribution: the largest gap of two samples that do not differ, times
sqrt(n * m / (n + m))."""


def _gaps(reference: Counts, current: Counts) -> Floats:
    """Return the signed gap at each cut between cells; the last axis is the cells'."""
    rows = np.maximum(reference.sum(axis=-1, keepdims=True), 1)
    other = np.maximum(current.sum(axis=-1, keepdims=True), 1)
    gaps: Floats = reference.cumsum(axis=-1) / rows - current.cumsum(axis=-1) / other
    return gaps[..., :-1]


def _below(share: Floats, rows: int, other: Floats, other_rows: int, sign: Floats) -> Floats:
    """Return how far the lower limit lies below each gap, whichever side is above."""
    above, _ = arms(share, rows, other, other_rows)
    beneath, _ = arms(other, other_rows, share, rows)
    return np.where(sign > 0, above, beneath)


def cross_fitted(reference: Counts, current: Counts) -> float:
    """Return the lower limit: the gap at cuts picked on one half, measured on the other.

    >>> round(cross_fitted(np.array([500, 500]), np.array([300, 700])), 2)
    0.16
    """
    rows, other_rows = int(reference.sum()), int(current.sum())
    random = stream()
    first = halves(reference, SPLITS, random), halves(current, SPLITS, random)
    second = reference - first[0], current - first[1]
    parts = np.stack([_gaps(*first), _gaps(*second)])
    picked = np.abs(parts).argmax(axis=-1)
    there = np.take_along_axis(parts, picked[..., None], axis=-1)[..., 0]
    sign = np.sign(there)
    measured = sign * np.take_along_axis(parts[::-1], picked[..., None], axis=-1)[..., 0]
    share = reference.cumsum()[picked] / rows
    other = current.cumsum()[picked] / other_rows
    return float(measured.mean() - _below(share, rows, other, other_rows, sign).mean())


def _hidden(reference: Counts, current: Counts, atoms: npt.NDArray[np.bool_]) -> float:
    """Return the largest gap that could lie inside a cell: both sides' rows at opposite ends."""
    p, q = reference / reference.sum(), current / current.sum()
    start = np.concatenate(([0.0], _gaps(reference, current)))
    inside = np.maximum(start + p, q - start)
    return float(np.where(atoms, 0.0, inside).max(initial=0.0))


def cdf_gap(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *,
    atoms: npt.ArrayLike,
    tolerance: float = 0.10,
) -> Effect:
    """Return the largest gap between the two distribution functions, as a share of rows.

    `reference` and `current` are rows per cell, cells in the order of their values; `atoms` is True
    for a cell that holds one single value. Zero rows on a side give an undefined effect. Raises
    DataError where the shapes differ, UsageError for a tolerance out of range.

    Massart (1990) for the evidence; Newcombe (1998) for the limits of a difference of shares.

    >>> moved = cdf_gap([500, 500], [300, 700], atoms=[True, True])
    >>> round(moved.value, 2), round(moved.low, 2), round(moved.high, 2)
    (0.2, 0.16, 0.24)
    """
    check_tolerance("cdf_gap", tolerance)
    ours, theirs = paired(reference, current)
    single = np.asarray(atoms, dtype=np.bool_)
    if single.shape != ours.shape:
        raise DataError(f"atoms for {single.size} cells, counts for {ours.size}: give one each")
    rows, other_rows = int(ours.sum()), int(theirs.sum())
    if not rows or not other_rows:
        return Effect("cdf_gap", math.nan, math.nan, math.nan, tolerance, 1.0)
    if swapped(ours, theirs):
        ours, theirs, rows, other_rows = theirs, ours, other_rows, rows
    held = np.maximum(ours, theirs) > 0
    ours, theirs, single = ours[held], theirs[held], single[held]
    hidden = _hidden(ours, theirs, single)
    floor = unseen(min(rows, other_rows))
    if ours.size == 1:
        return Effect("cdf_gap", 0.0, 0.0, max(hidden, floor), tolerance, 1.0)
    gaps = _gaps(ours, theirs)
    at = int(np.abs(gaps).argmax())
    plug_in = float(abs(gaps[at]))
    share, other = float(ours[: at + 1].sum() / rows), float(theirs[: at + 1].sum() / other_rows)
    pair = (share, rows, other, other_rows) if gaps[at] > 0 else (other, other_rows, share, rows)
    above = float(arms(*pair)[1])
    noise = 1 / rows + 1 / other_rows
    evidence = min(1.0, 2 * math.exp(-2 * plug_in**2 / noise))
    value = math.sqrt(max(plug_in**2 - NULL_MEAN**2 * noise, 0.0))
    high = min(max(plug_in + above, floor) + max(hidden - plug_in, 0.0), 1.0)
    low = cross_fitted(ours, theirs) if evidence <= SEEN else 0.0
    return Effect("cdf_gap", value, low, high, tolerance, evidence)
