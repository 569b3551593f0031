"""Score (Wilson) limits of a share, and how far the limits of a difference lie from it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from undertow.stats.counts import Floats

Z = 1.959963984540054
"""Two-sided 95% of the normal distribution."""
SEEN = 0.05
"""A lower limit above 0 also needs evidence this strong against "no change"."""


FEW = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
LEAST = np.array([0.0, 0.0513, 0.3554, 0.8177, 1.56])
"""Lower limits of a Poisson mean for so few hits, where Wilson's limit is too high."""


def limits(hits: npt.ArrayLike, rows: npt.ArrayLike, z: float = Z) -> tuple[Floats, Floats]:
    """Return Wilson's lower and upper limit of a share; `rows` must be above 0.

    Wilson (1927), Probable inference, the law of succession, and statistical inference; for one to
    three hits the limit is lowered as Brown, Cai and DasGupta (2001) advise.

    >>> [round(float(x), 4) for x in limits(0, 30)]
    [0.0, 0.1135]
    """
    rows = np.asarray(rows, dtype=np.float64)
    share = np.asarray(hits, dtype=np.float64) / rows
    weight = z * z / rows
    centre = share + weight / 2
    half = np.sqrt(np.maximum(share * (1 - share) * weight + weight * weight / 4, 0.0))
    low = np.maximum((centre - half) / (1 + weight), 0.0)
    high = np.minimum((centre + half) / (1 + weight), 1.0)
    low, high = _lowered(low, share * rows, rows), 1 - _lowered(1 - high, (1 - share) * rows, rows)
    return np.where(share <= 0, 0.0, low), np.where(share >= 1, 1.0, high)


def _lowered(low: Floats, hits: Floats, rows: Floats) -> Floats:
    """Return the lower limit, no higher than few hits allow."""
    lowered: Floats = np.where(hits < 4, np.minimum(low, np.interp(hits, FEW, LEAST) / rows), low)
    return lowered


def arms(
    upper: npt.ArrayLike,
    upper_rows: float,
    lower: npt.ArrayLike,
    lower_rows: float,
    z: float = Z,
) -> tuple[Floats, Floats]:
    """Return how far below and above `upper - lower` the limits of that difference lie.

    `upper` and `lower` are shares of `upper_rows` and `lower_rows`. Newcombe (1998), Interval
    estimation for the difference between independent proportions, method 10.

    >>> [round(float(x), 3) for x in arms(0.02, 100, 0.0, 100)]
    [0.04, 0.05]
    """
    p, q = np.asarray(upper, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    p_low, p_high = limits(p * upper_rows, upper_rows, z)
    q_low, q_high = limits(q * lower_rows, lower_rows, z)
    below = np.hypot(p - p_low, q_high - q)
    above = np.hypot(p_high - p, q - q_low)
    return below, above


def unseen(rows: int) -> float:
    """Return the largest share that can hide from `rows` rows: the upper limit of 0 hits.

    >>> round(unseen(1000), 4)
    0.0038
    """
    return Z * Z / (rows + Z * Z)


def normal_tail(z: float) -> float:
    """Return the two-sided tail of the normal distribution beyond abs(z).

    >>> round(normal_tail(1.96), 3)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))
