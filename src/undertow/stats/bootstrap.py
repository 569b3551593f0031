"""Estimates with an interval from the rows themselves: drawn again, or left out a part at a time.

Efron (1979), Bootstrap methods; Tukey's jackknife over groups for what is made of pairs of rows, where
drawing a row twice would pair it with itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.stats.counts import Floats, stream
from undertow.stats.score import Z

REPEATS = 1_000
GROUPS = 20
DRAWN = 2**24
"""Rows drawn again in all, at most: many rows need fewer repeats."""


class Estimate(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the estimate as JSON values, to six digits."""
        return {name: float(f"{each:.6g}") for name, each in zip(self._fields, self, strict=True)}


def ratio(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Estimate:
    """Return mean(top) / mean(bottom) of the same rows, rows drawn again with both their numbers.

    NaN where there are no rows or the second mean is 0. Raises DataError where the lengths differ.

    >>> made = ratio([0.9, 1.0, 0.8, 0.9] * 25, [1.0] * 100)
    >>> round(made.value, 3), round(made.low, 2), round(made.high, 2)
    (0.9, 0.89, 0.91)
    """
    above, below = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    if above.shape != below.shape or above.ndim != 1:
        raise DataError(f"{above.size} numbers over {below.size}: give one of each a row")
    if not len(above) or float(below.sum()) == 0:
        return Estimate(math.nan, math.nan, math.nan)
    sums = _again(np.stack([above, below], axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        made = sums[:, 0] / sums[:, 1]
    low, high = np.nanquantile(made, [0.025, 0.975])
    return Estimate(float(above.sum() / below.sum()), float(low), float(high))


def mean(values: npt.ArrayLike) -> Estimate:
    """Return the mean of values, rows drawn again; NaN where there are none.

    >>> round(mean([0.0, 1.0] * 50).low, 1)
    0.4
    """
    rows = np.asarray(values, np.float64)
    return ratio(rows, np.ones_like(rows))


def skewness(values: npt.ArrayLike) -> Estimate:
    """Return the third standardised moment of values, rows drawn again; 0 where all are alike.

    >>> round(skewness([1.0, 1.0, 1.0, 9.0] * 25).value, 2)
    1.15
    """
    rows = np.asarray(values, np.float64)
    centred = rows - rows.mean()
    powers = np.stack([np.ones_like(rows), centred, centred**2, centred**3], axis=1)
    made = _skew(np.concatenate([powers.sum(axis=0)[None], _again(powers)]))
    low, high = np.quantile(made[1:], [0.025, 0.975])
    return Estimate(float(made[0]), float(low), float(high))


def _skew(sums: Floats) -> Floats:
    first, second, third = (sums[:, place] / sums[:, 0] for place in (1, 2, 3))
    spread = np.maximum(second - first**2, 0.0)
    top = third - 3 * first * second + 2 * first**3
    return np.where(spread > 0, top / np.where(spread > 0, spread, 1.0) ** 1.5, 0.0)


def _again(columns: Floats) -> Floats:
    """Return the sums of each column over rows drawn again, a repeat a row."""
    random, rows = stream(), len(columns)
    repeats = max(min(REPEATS, DRAWN // rows), 100)
    even = np.full(rows, 1 / rows)
    step = max(1, 2**22 // rows)
    parts = [
        random.multinomial(rows, even, size=min(step, repeats - start)) @ columns
        for start in range(0, repeats, step)
    ]
    return np.concatenate(parts)


def left_out(rows: int) -> Floats:
    """Return weights (rows, 1 + groups): all rows, then all but one group at a time.

    >>> left_out(4).shape, left_out(4)[:, 0].tolist()
    ((4, 5), [1.0, 1.0, 1.0, 1.0])
    """
    groups = min(GROUPS, rows)
    weights = np.ones((rows, 1 + groups))
    order = stream().permutation(rows)
    weights[order, 1 + np.arange(rows) % groups] = 0.0
    return weights


def jackknife(values: npt.ArrayLike) -> Estimate:
    """Return the estimate of all rows (the first of `values`), its interval from those without a group.

    `values` are a statistic for each column of `left_out`.

    >>> jackknife([0.5, 0.5, 0.5])
    Estimate(value=0.5, low=0.5, high=0.5)
    """
    made = np.asarray(values, np.float64)
    rest = made[1:]
    if len(rest) < 2:
        return Estimate(float(made[0]), math.nan, math.nan)
    spread = (len(rest) - 1) / len(rest) * float(((rest - rest.mean()) ** 2).sum())
    arm = Z * math.sqrt(spread)
    return Estimate(float(made[0]), float(made[0]) - arm, float(made[0]) + arm)
