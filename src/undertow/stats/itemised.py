"""A score made of items, alone and before and after: Student's t over the items, paired by item.

The items are those of one test set, so two encoders are compared query by query: what makes a query
hard for both falls out. Where the score is a mean over experiments too (draws of training texts,
clusterings), their spread is added, with Satterthwaite's degrees of freedom (1946). Items are what
`graded` makes of any score: their mean is the score, and they need not lie between 0 and 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate
from undertow.stats.counts import Floats
from undertow.stats.score import unseen

EFFECT = "difference"
KEPT = 1e-6
"""The smallest difference that is told: items are kept to six digits."""
FEWEST = 10
"""Items below which a score has no interval worth a verdict."""


class Spread(NamedTuple):
    """A standard error, and how many degrees of freedom it rests on; 0 where there is none."""

    error: float
    freedom: float

    @property
    def arm(self) -> float:
        """Half of a 95% interval."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 0.975)) * self.error

    def tail(self, moved: float) -> float:
        """Return the two-sided chance of so large a move where there is none."""
        from scipy.special import stdtr

        if self.error <= 0:
            return float(moved == 0)
        return float(2 * stdtr(self.freedom, -abs(moved) / self.error))


def spread(items: npt.ArrayLike, experiments: npt.ArrayLike = ()) -> Spread:
    """Return the standard error of a mean over items (n,) and over experiments (e,).

    What both share is counted twice, so it is not too small. Without freedom for under 10 items.

    >>> made = spread([0.0, 1.0] * 50)
    >>> round(made.error, 3), round(made.freedom)
    (0.05, 99)
    """
    sets = [np.asarray(each, np.float64) for each in (items, experiments)]
    if len(sets[0]) < FEWEST:
        return Spread(math.nan, 0.0)
    parts = [(float(np.var(e, ddof=1)) / len(e), len(e) - 1) for e in sets if len(e) > 1]
    total = sum(part for part, _ in parts)
    below = sum(part**2 / freedom for part, freedom in parts)
    return Spread(math.sqrt(total), total**2 / below if below > 0 else float(parts[0][1]))


def interval(
    items: npt.ArrayLike, experiments: npt.ArrayLike = (), *, least: float = 0.0
) -> Estimate:
    """Return a score with its 95% interval, within `least` and 1.

    It is made on the scale of log odds (Fisher's z where `least` is -1), and so stands further from
    the near end of the scale than from the far one. A score at an end is never surer than so many
    items allow: 30 right answers of 30 are not the whole truth. NaN for under 10 items.

    >>> made = interval([1.0] * 30)
    >>> made.value, round(made.low, 2), made.high
    (1.0, 0.89, 1.0)
    """
    values = np.asarray(items, np.float64)
    score = float(values.mean()) if len(values) else math.nan
    found = spread(values, experiments)
    if not found.freedom:
        return Estimate(score, math.nan, math.nan)
    part = (score - least) / (1 - least)
    if not 0 < part < 1:
        arm = max(found.arm, unseen(len(values)))
        return Estimate(score, max(score - arm, least), min(score + arm, 1.0))
    arm = found.arm / ((1 - least) * part * (1 - part))
    low, high = (_from_odds(math.log(part / (1 - part)) + each) for each in (-arm, arm))
    return Estimate(score, least + (1 - least) * low, least + (1 - least) * high)


def _from_odds(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def change(
    before: tuple[npt.ArrayLike, npt.ArrayLike], now: tuple[npt.ArrayLike, npt.ArrayLike]
) -> Estimate:
    """Return how a score changed with its 95% interval, from items and experiments, paired.

    Below 0 is a fall. NaN for under 10 items. Raises DataError where the items are not as many.

    >>> round(change(([0.5] * 50, []), ([0.9, 0.8] * 25, [])).value, 2)
    0.35
    """
    items = _apart(before[0], now[0])
    found = spread(items, _apart(before[1], now[1]))
    if not found.freedom:
        return Estimate(math.nan, math.nan, math.nan)
    value = float(items.mean())
    return Estimate(value, value - found.arm, value + found.arm)


def fall(
    before: tuple[npt.ArrayLike, npt.ArrayLike],
    now: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    tolerance: float = 0.02,
    same: bool = False,
) -> Effect:
    """Return how far a score fell, from its items and experiments before and now, paired.

    A score that rose has not fallen: the size is 0 and nothing speaks for a fall. `same` says that one
    encoder answered both times: equal answers are then sure to be equal. Otherwise so many items can
    still miss a fall. Undefined for under 10 items. Raises UsageError for a tolerance out of range,
    DataError where the items are not as many.

    >>> effect = fall(([0.9, 0.5] * 50, []), ([0.8, 0.3] * 50, []))
    >>> round(effect.value, 2), round(effect.low, 2), round(effect.high, 2)
    (0.15, 0.14, 0.16)
    >>> fall(([0.5] * 50, []), ([0.5] * 50, []), same=True).high
    1e-06
    """
    check_tolerance(EFFECT, tolerance)
    items = _apart(before[0], now[0])
    found = spread(items, _apart(before[1], now[1]))
    if not found.freedom:
        return Effect(EFFECT, math.nan, math.nan, math.nan, tolerance, 1.0)
    fell = -float(items.mean())
    high = max(fell + found.arm, KEPT if same else unseen(len(items)))
    evidence = found.tail(fell) if fell > 0 else 1.0
    return Effect(
        EFFECT,
        max(0.0, fell),  # no -0.0
        max(0.0, fell - found.arm),
        high,
        tolerance,
        evidence,
        told="a fall of {}",
    )


def _apart(before: npt.ArrayLike, now: npt.ArrayLike) -> Floats:
    ours, theirs = np.asarray(before, np.float64), np.asarray(now, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise DataError(f"{ours.size:,} items before and {theirs.size:,} now cannot be paired")
    return theirs - ours
