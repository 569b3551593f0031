"""Exact evidence against "both sides have this share": the tail of Fisher's test, from above."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from undertow.stats.counts import Floats

TABLE = 256


def _table() -> Floats:
    """Return log(k!) for k below TABLE."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, TABLE, dtype=np.float64)))))


_LOG_FACTORIAL = _table()


def log_factorial(count: npt.ArrayLike) -> Floats:
    """Return log(k!) of whole numbers, by table below 256 and Stirling's series above.

    >>> round(float(log_factorial(300)), 6)
    1414.90585
    """
    k = np.asarray(count, dtype=np.float64)
    large = np.maximum(k, TABLE)
    series = (
        large * np.log(large)
        - large
        + 0.5 * np.log(2 * np.pi * large)
        + 1 / (12 * large)
        - 1 / (360 * large**3)
    )
    small = _LOG_FACTORIAL[np.minimum(k, TABLE - 1).astype(np.int64)]
    return np.where(k < TABLE, small, series)


def _log_choose(total: npt.ArrayLike, part: npt.ArrayLike) -> Floats:
    rest = np.asarray(total, dtype=np.float64) - np.asarray(part, dtype=np.float64)
    chosen: Floats = log_factorial(total) - log_factorial(part) - log_factorial(rest)
    return chosen


def log_tail(hits: npt.ArrayLike, both: npt.ArrayLike, rows: int, other_rows: int) -> Floats:
    """Return the log of the two-sided p of `hits` in `rows`, of `both` hits on the two sides.

    Twice the one-sided hypergeometric tail, summed as a geometric series whose ratio is that of its
    first two terms: never below the exact tail, and within 1 + 1/z**2 of it. At most 0.

    >>> round(float(np.exp(log_tail(9, 10, 100, 100))), 3)
    0.019
    """
    x = np.asarray(hits, dtype=np.float64)
    c = np.asarray(both, dtype=np.float64)
    n, m = float(rows), float(other_rows)
    mass = _log_choose(c, x) + _log_choose(n + m - c, n - x) - _log_choose(n + m, n)
    above = x * (n + m) > c * n
    up = (c - x) * (n - x) / ((x + 1) * (m - c + x + 1))
    down = x * (m - c + x) / ((c - x + 1) * (n - x + 1))
    ratio = np.where(above, up, down)
    with np.errstate(divide="ignore"):
        tail = mass - np.log(np.maximum(1 - ratio, 0.0))
    capped: Floats = np.minimum(np.log(2.0) + tail, 0.0)
    return capped


def log_least(both: npt.ArrayLike, rows: int, other_rows: int) -> Floats:
    """Return the log of the smallest p that `both` hits could show, were they all on one side.

    >>> round(float(np.exp(log_least(5, 100, 100))), 3)
    0.059
    """
    c = np.asarray(both, dtype=np.float64)
    most = np.minimum(c, rows)
    least = np.maximum(c - other_rows, 0.0)
    return np.minimum(log_tail(most, c, rows, other_rows), log_tail(least, c, rows, other_rows))


def smallest_p(
    hits: npt.ArrayLike,
    both: npt.ArrayLike,
    rows: int,
    other_rows: int,
    times: npt.ArrayLike = 1,
) -> float:
    """Return the p of the strongest of several shares, corrected for having been the strongest.

    `times` says how many shares have each pair of counts. Tarone (1990): shares whose counts could
    not have shown so small a p do not count; of two that fill the whole, one says nothing new.

    >>> round(smallest_p([9, 91], [10, 190], 100, 100), 3)
    0.019
    """
    tails = log_tail(hits, both, rows, other_rows)
    if not tails.size:
        return 1.0
    many = np.broadcast_to(np.asarray(times), tails.shape)
    best = float(tails.min())
    able = int(many[log_least(both, rows, other_rows) <= best + 1e-9].sum())
    whole = int((np.asarray(both) * many).sum()) == rows + other_rows
    if int(many.sum()) == 2 and whole:
        able = 1
    return float(min(1.0, np.exp(best) * max(able, 1)))
