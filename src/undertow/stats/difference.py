"""A metric's change: the difference of two estimates, or of two shares of rows."""

from __future__ import annotations

import math

import numpy as np

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.exact import log_tail
from undertow.stats.score import SEEN, Z, arms, normal_tail


def magnitude(low: float, high: float) -> tuple[float, float]:
    """Return the interval of abs(d) for a d between `low` and `high`.

    >>> magnitude(-0.1, 0.3), magnitude(-0.3, -0.1)
    ((0.0, 0.3), (0.1, 0.3))
    """
    if low > 0:
        return low, high
    if high < 0:
        return -high, -low
    return 0.0, max(-low, high)


def difference(
    value_reference: float,
    se_reference: float,
    value_current: float,
    se_current: float,
    *,
    tolerance: float = 0.02,
    name: str = "difference",
) -> Effect:
    """Return how far a metric moved, with a normal 95% interval from the two standard errors.

    Undefined where any of the four is not finite. Two standard errors of 0 leave nothing to be
    unsure of: p is 1 or 0. Raises UsageError for a tolerance out of range, DataError for a negative
    standard error.

    >>> moved = difference(0.90, 0.01, 0.80, 0.01)
    >>> round(moved.value, 3), round(moved.low, 3), round(moved.high, 3)
    (0.1, 0.072, 0.128)
    """
    check_tolerance(name, tolerance)
    given = (value_reference, se_reference, value_current, se_current)
    if not all(math.isfinite(x) for x in given):
        return Effect(name, math.nan, math.nan, math.nan, tolerance, 1.0)
    if se_reference < 0 or se_current < 0:
        raise DataError(f"standard errors {se_reference} and {se_current}: they are 0 or more")
    moved = abs(value_reference - value_current)
    error = math.hypot(se_reference, se_current)
    low, high = magnitude(moved - Z * error, moved + Z * error)
    evidence = normal_tail(moved / error) if error > 0 else float(moved == 0)
    return Effect(name, moved, low, high, tolerance, evidence)


def proportion_difference(
    hits_reference: int,
    rows_reference: int,
    hits_current: int,
    rows_current: int,
    *,
    tolerance: float = 0.02,
    name: str = "difference",
) -> Effect:
    """Return how far a share of rows moved (accuracy, recall), with a score interval.

    Zero rows on a side give an undefined effect. Raises UsageError for a tolerance out of range,
    DataError for more hits than rows. Newcombe (1998), method 10.

    >>> moved = proportion_difference(30, 30, 27, 30)
    >>> round(moved.value, 3), round(moved.low, 3), round(moved.high, 3)
    (0.1, 0.0, 0.256)
    """
    check_tolerance(name, tolerance)
    check_hits(hits_reference, rows_reference)
    check_hits(hits_current, rows_current)
    if not rows_reference or not rows_current:
        return Effect(name, math.nan, math.nan, math.nan, tolerance, 1.0)
    p, q = hits_reference / rows_reference, hits_current / rows_current
    down, up = arms(p, rows_reference, q, rows_current)
    low, high = magnitude(p - q - float(down), p - q + float(up))
    both = hits_reference + hits_current
    tail = float(np.exp(log_tail(hits_reference, both, rows_reference, rows_current)))
    return Effect(name, abs(p - q), low if tail <= SEEN else 0.0, high, tolerance, tail)


def check_hits(hits: int, rows: int) -> None:
    """Raise DataError unless 0 <= hits <= rows.

    >>> check_hits(3, 10)
    """
    if not 0 <= hits <= rows:
        raise DataError(f"{hits} hits in {rows} rows: hits lie between 0 and the rows")
