"""How far said probabilities lie from what happened, and how far that gap moved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Floats
from undertow.stats.difference import magnitude
from undertow.stats.outcomes import Table
from undertow.stats.score import Z, limits, normal_tail
from undertow.summaries.scores import POSITIVE

_Z_BOTH = 2.2414027276049473
"""Two-sided 97.5% of the normal distribution: two gaps looked at together."""
_NEAR = 0.95
"""Of two gaps that moved about alike, the one that is told first is told."""


@dataclass(frozen=True)
class Gap:
    """A mean of said minus happened over the rows of one side, with its standard error."""

    said: float
    happened: float
    error: float

    @property
    def value(self) -> float:
        """Said minus happened: above 0 where the model promises too much."""
        return self.said - self.happened


def gaps(table: Table) -> dict[str, Gap]:
    """Return the gaps of one side: "confidence" minus accuracy, "positive" said minus seen.

    The second is of two classes only. The noise is at least that of outcomes drawn with the
    probabilities said, so that ten rows that all came out alike are not mistaken for certainty.
    """
    known = np.flatnonzero(np.isfinite(table.mean) & (table.rows > 0))
    rows, mean = table.rows[known], table.mean[known]
    total = float(rows.sum())
    if not total:
        return {}
    happened = table.happened[known].astype(float)
    distance = table.square[known] - 2 * happened * mean + happened
    own = float(rows @ np.maximum(mean - table.square[known], 0.0)) / total
    found = {}
    for name, side in _signs(table, mean):
        said = np.where(side > 0, mean, 1 - mean)
        truth = np.where(side > 0, happened, 1 - happened)
        pair = float(rows @ said) / total, float(rows @ truth) / total
        spread = float(rows @ distance) / total - (pair[0] - pair[1]) ** 2
        found[name] = Gap(*pair, math.sqrt(max(spread, own) / total))
    return found


def gap_change(
    before: dict[str, Gap], now: dict[str, Gap], *, tolerance: float = 0.02
) -> tuple[str, Effect]:
    """Return which gap moved most, and how far, corrected for there being two of them.

    The larger of the two changes is the sum of those where the model leans to either class: what
    moves one way in both and what moves apart are both seen.

    >>> one, other = {"confidence": Gap(0.9, 0.9, 0.005)}, {"confidence": Gap(0.9, 0.7, 0.005)}
    >>> name, moved = gap_change(one, other)
    >>> name, round(moved.value, 2), round(moved.low, 2)
    ('confidence', 0.2, 0.19)
    """
    check_tolerance("difference", tolerance)
    names = [name for name in before if name in now]
    if not names:
        return "", Effect("difference", math.nan, math.nan, math.nan, tolerance, 1.0)
    moved = {name: now[name].value - before[name].value for name in names}
    error = {name: math.hypot(before[name].error, now[name].error) for name in names}
    most = max(abs(each) for each in moved.values())
    best = next(name for name in names if abs(moved[name]) >= _NEAR * most)
    z = _Z_BOTH if len(names) > 1 else Z
    ends = [magnitude(moved[n] - z * error[n], moved[n] + z * error[n])[0] for n in names]
    tops = [magnitude(moved[n] - Z * error[n], moved[n] + Z * error[n])[1] for n in names]
    tails = [normal_tail(moved[n] / error[n]) if error[n] else float(not moved[n]) for n in names]
    evidence = min(1.0, min(tails) * len(names))
    low = max(ends) if evidence <= 0.05 else 0.0
    return best, Effect("difference", most, low, max(tops), tolerance, evidence)


def curve(before: Table, now: Table) -> list[dict[str, Any]]:
    """Return how often the model was right at each tenth of confidence, on both sides."""
    sides = [_curve(each) for each in (before, now)]
    listed = []
    for tenth in range(10):
        sure, right, rows = (np.array([side[part][tenth] for side in sides]) for part in range(3))
        if not rows.sum():
            continue
        low, high = (limits(right[1], rows[1])) if rows[1] else (np.nan, np.nan)
        share = [float(right[i] / rows[i]) if rows[i] else None for i in (0, 1)]
        listed.append(
            {
                "confidence": round(float(sure.sum() / rows.sum()), 6),
                "reference": share[0],
                "current": share[1],
                "low": float(low) if rows[1] else None,
                "high": float(high) if rows[1] else None,
                "rows_reference": int(rows[0]),
                "rows_current": int(rows[1]),
            }
        )
    return listed


def _curve(table: Table) -> tuple[Floats, Floats, Floats]:
    known = np.isfinite(table.mean) & (table.rows > 0)
    tenth = np.where(known, table.tenth, -1)
    happened, sure = table.happened, table.mean
    if table.meaning == POSITIVE:
        lower = known & (table.mean < 0.5)
        tenth = np.where(lower, 9 - table.tenth, tenth)
        happened = np.where(lower, ~happened, happened)
        sure = np.where(lower, 1 - sure, sure)
    rows = table.rows
    sums = table.by(tenth, 10, np.where(known, np.nan_to_num(sure) * rows, 0.0))
    return sums, table.by(tenth, 10, rows * happened), table.by(tenth, 10)


def _signs(table: Table, mean: Floats) -> Iterator[tuple[str, NDArray[np.float64]]]:
    if table.meaning == POSITIVE:
        yield "positive", np.ones(len(mean))
        yield "confidence", np.where(mean >= 0.5, 1.0, -1.0)
    else:
        yield "confidence", np.ones(len(mean))
