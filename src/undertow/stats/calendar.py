"""Blocks of time as long as the current set, cut from a reference at the same hour and weekday.

A window of three hours on a Monday wobbles as three-hour windows on Mondays do. So blocks start a
whole number of days before or after the current set where it is shorter than four days, a whole
number of weeks where it is shorter than four weeks, as long as that leaves enough blocks; a longer
window holds every hour and weekday about equally often. The next longer cycle is the open season:
blocks lie in all its phases, and can be compared within a phase once it came round often enough.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000
DAY = 86_400 * SECOND
CYCLES = (("day", DAY), ("week", 7 * DAY), ("year", round(365.2425 * DAY)))
"""The cycles of the calendar that data follow, in microseconds."""
_SEASONS = {"day": "daily", "week": "weekly", "year": "yearly"}
LEAST = 8
"""Blocks that can teach how far the next one may lie."""
MOST = 60
"""Blocks that are kept at once."""
AVERAGED = 4
"""A window that holds this many cycles holds every phase about equally often."""
RETURNS = 3
"""Times a season must be seen: one block is left out, and two of its kind remain."""
_TICKS = (DAY, 3600 * SECOND, 60 * SECOND, SECOND)

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """The first and the last moment of some rows, in microseconds, and how finely they are told.

    `dated` is False for numbers that only count up: they have an order but no calendar.

    >>> day = Span.of(np.array([0, 3 * DAY]))
    >>> day.length == 4 * DAY, Span().length
    (True, 0)
    """

    low: int = 2**62
    high: int = -(2**62)
    tick: int = DAY
    dated: bool = True

    @classmethod
    def of(cls, times: Times, *, dated: bool = True) -> Span:
        """Return the span of some times."""
        if not len(times):
            return cls(dated=dated)
        fits = (tick for tick in _TICKS if not (times % tick).any())
        return cls(int(times.min()), int(times.max()), next(fits, 1) if dated else 1, dated)

    def __add__(self, other: Span) -> Span:
        """Return the span of both."""
        return Span(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.tick, other.tick),
            self.dated and other.dated,
        )

    @property
    def length(self) -> int:
        """How long it is, the last tick included; 0 where there is no row."""
        return max(self.high - self.low + self.tick, 0) if self.high >= self.low else 0


@dataclass(frozen=True)
class Layout:
    """Where the blocks of a reference lie, counted in steps from the start of the current set.

    `numbers` are the blocks' steps, ascending. `season` is the open cycle and `classes` how many
    phases of it the blocks tell apart; `returns` says how often the reference holds it.
    """

    anchor: int
    length: int
    step: int
    numbers: tuple[int, ...]
    span: int
    dated: bool = True
    season: str = ""
    period: int = 0
    classes: int = 1

    @classmethod
    def of(cls, reference: Span, current: Span) -> Layout:
        """Return the blocks of the reference's span that suit the current one.

        >>> year, week = Span(0, 364 * DAY), Span(371 * DAY, 377 * DAY)
        >>> layout = Layout.of(year, week)
        >>> len(layout.numbers), layout.season, layout.classes
        (52, 'year', 52)
        """
        tick = min(reference.tick, current.tick)
        length = max(current.high - current.low + tick, 1)
        span = max(reference.high - reference.low + tick, 0)
        dated = reference.dated and current.dated
        step, season, period, aligned = length, "", 0, False
        for name, cycle in CYCLES if dated else ():
            if length >= AVERAGED * cycle:
                continue
            wider = -(-length // cycle) * cycle
            if span // wider < LEAST:
                season, period = name, cycle
                break
            step, aligned = wider, True
        classes = max(round(period / step), 1)
        if period > length and not aligned:
            classes = period // length
            step = max(period // classes // tick * tick, length)
        layout = cls(current.low, length, step, (), span, dated, season, period, classes)
        first = -(-(reference.low - layout.anchor) // step)
        last = (reference.low + span - length - layout.anchor) // step
        return layout.thinned(first, last)

    def thinned(self, first: int, last: int) -> Layout:
        """Return the layout with the blocks of these steps, every n-th where there are too many."""
        every = -(-max(last - first + 1, 0) // MOST) or 1
        classes = self.classes
        if self.classes > 1:
            whole = [n for n in range(every, self.classes + 1) if not self.classes % n]
            every = whole[0] if whole else every
            classes = max(self.classes // every, 1)
        start = first + (-first) % every
        numbers = tuple(range(start, last + 1, every))[-MOST:]
        made = (self.anchor, self.length, self.step, numbers, self.span, self.dated)
        return Layout(*made, self.season, self.period, classes)

    @property
    def returns(self) -> float:
        """How many of its open season the reference holds."""
        return self.span / self.period if self.period else 0.0

    @property
    def short(self) -> str:
        """Why the open season cannot be taught, "" where it came round often enough.

        >>> Layout.of(Span(0, 729 * DAY), Span(730 * DAY, 759 * DAY)).short
        '2 years cannot teach a yearly season'
        """
        if not self.season or self.returns >= RETURNS:
            return ""
        trend = " or a trend" if self.returns < 1.5 else ""
        return f"{lasting(self.span)} cannot teach a {_SEASONS[self.season]} season{trend}"

    def phase(self, number: int) -> int:
        """Return the phase of the open season that a block lies in; the current set's is 0."""
        if not self.period:
            return 0
        part = number * self.step / self.period
        return round((part - math.floor(part)) * self.classes) % self.classes

    def place(self, times: Times) -> NDArray[np.intp]:
        """Return the block of each time, and the number of blocks for a time in none of them.

        >>> layout = Layout(anchor=100, length=10, step=10, numbers=(-2, -1), span=20)
        >>> layout.place(np.array([79, 80, 89, 90, 100]))
        array([2, 0, 0, 1, 2])
        """
        steps, inside = np.divmod(times - self.anchor, self.step)
        table = np.array(self.numbers, np.int64)
        spots = np.searchsorted(table, steps)
        spots[spots == len(table)] = 0
        hit = (inside < self.length) & (len(table) > 0)
        if len(table):
            hit &= table[spots] == steps
        return np.where(hit, spots, len(table)).astype(np.intp)

    def label(self, spot: int) -> str:
        """Return when a block starts, as people write it."""
        return moment(self.anchor + self.numbers[spot] * self.step, dated=self.dated)


def moment(time: int, *, dated: bool = True) -> str:
    """Return a moment as people write it.

    >>> moment(0), moment(5 * 3600 * SECOND), moment(5, dated=False)
    ('1970-01-01', '1970-01-01 05:00', '5')
    """
    if not dated:
        return f"{time:,}"
    at = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=time)  # noqa: DTZ001 - as the data say
    return f"{at:%Y-%m-%d}" if time % DAY == 0 else f"{at:%Y-%m-%d %H:%M}"


def lasting(time: int, *, dated: bool = True) -> str:
    """Return a length of time as people say it.

    >>> lasting(731 * DAY), lasting(31 * DAY), lasting(90 * 60 * SECOND), lasting(7, dated=False)
    ('2 years', '31 days', '1.5 hours', '7')
    """
    if not dated:
        return f"{time:,}"
    year = CYCLES[-1][1]
    for word, unit, least in (("year", year, 1.9 * year), ("day", DAY, 1.9 * DAY)):
        if time >= least:
            return f"{time / unit:.1f}".removesuffix(".0") + f" {word}s"
    if time >= 3600 * SECOND:
        hours = f"{time / 3600 / SECOND:.1f}".removesuffix(".0")
        return f"{hours} hour" + ("" if hours == "1" else "s")
    return f"{time / SECOND:,.0f} seconds"


def worth(apart: NDArray[np.float64]) -> float:
    """Return how many independent blocks these are worth, from their distances, in order of time.

    Blocks near each other that are more alike than distant ones say the same thing twice: their
    correlations, read from distances, are summed up to the first that could be chance (Geyer 1992).

    >>> line = np.arange(40.0)
    >>> worth(1 - np.eye(40)), round(worth(np.abs(np.subtract.outer(line, line))), 1)
    (40.0, 1.8)
    """
    count = len(apart)
    square = apart * apart
    far = float(square.sum()) / (count * (count - 1))
    total = 1.0
    for lag in range(1, count):
        alike = 1 - float(np.diagonal(square, lag).mean()) / far if far > 0 else 0.0
        if alike <= 1 / math.sqrt(count):
            break
        total += 2 * alike
    return count / total


def limit(effects: NDArray[np.float64], chance: float, independent: float) -> float:
    """Return what the next of such effects exceeds with that chance: a prediction limit.

    Mean plus Student's t times the spread, as for a normal, with as many degrees of freedom as
    there are independent blocks; never below the largest effect seen.

    >>> round(limit(np.array([0.02, 0.03, 0.04, 0.03] * 3), 0.002, 12), 3)
    0.058
    """
    from scipy.special import stdtrit

    count = max(min(float(len(effects)), independent), 2.0)
    spread = float(effects.std(ddof=1)) * math.sqrt(1 + 1 / count)
    far = float(stdtrit(count - 1, 1 - chance))
    return max(float(effects.mean()) + far * spread, float(effects.max()))
