"""Mean, spread and range, summed as integers on a grid fixed by the plan: exact in any order."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

import numpy as np

from undertow.core.schema import Column
from undertow.core.summary import State, Survey
from undertow.core.values import Values

_STEPS = 2.0**10
"""Grid steps in one spread: rounding adds a 12-millionth of the variance."""
_REACH = 2.0**18
"""Grid steps within which sums of squares over one batch stay exact in a float."""


@dataclass(frozen=True)
class Moments:
    """Sums of the finite values and their squares, in steps of the grid, and their range.

    >>> import pyarrow as pa
    >>> from undertow.core.schema import Kind
    >>> column = Column("x", Kind.NUMBER)
    >>> made = Moments(center=2.0, step=0.001).observe(Values(column, pa.array([1.0, 3.0])))
    >>> made.mean, made.std
    (2.0, 1.0)
    """

    tag: ClassVar[str] = "moments"
    fitted: ClassVar[bool] = True

    center: float = 0.0
    step: float = 1.0
    rows: int = 0
    total: int = 0
    squares: int = 0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:
        """Return a grid centred on the reference's median, fine against its spread."""
        (column,) = columns
        values, weights = survey.numbers(column.name)
        if not len(values):
            return cls()
        running = np.cumsum(weights)
        spots = np.searchsorted(running, running[-1] * np.array([0.05, 0.5, 0.95]))
        low, center, high = (float(v) for v in values[np.minimum(spots, len(values) - 1)])
        spread = (high - low) or (float(values[-1]) - float(values[0])) or abs(center) or 1.0
        if not math.isfinite(spread):
            spread = 1e300
        # A power of two, so that scaling itself never rounds.
        step = 2.0 ** (math.frexp(max(spread, 1e-290))[1] - 1) / _STEPS
        return cls(center, step)

    @property
    def mean(self) -> float:
        """The mean of the finite values, NaN where there is none."""
        if not self.rows:
            return math.nan
        with suppress(OverflowError):
            mean = self.center + self.step * (self.total / self.rows)
            if math.isfinite(mean):
                return mean
        return _rounded(Fraction(self.center) + Fraction(self.step) * self.total / self.rows)

    @property
    def std(self) -> float:
        """The standard deviation (population form, as numpy's default), NaN where there is no row."""
        if not self.rows:
            return math.nan
        spread = self.squares * self.rows - self.total * self.total
        with suppress(OverflowError):
            root = math.sqrt(spread) if spread < 1e300 else float(math.isqrt(spread))
            std = self.step * root / self.rows
            if math.isfinite(std):
                return std
        return _rounded(Fraction(self.step) * math.isqrt(spread) / self.rows)

    def observe(self, *columns: Values) -> Self:
        """Return the moments with the finite values of one column of a batch added."""
        (values,) = columns
        finite = values.finite
        if not len(finite):
            return self
        with np.errstate(over="ignore"):
            steps = np.rint((finite - self.center) * (1.0 / self.step))
        low, high = float(finite.min()), float(finite.max())
        total = squares = 0
        reach = max(abs(low - self.center), abs(high - self.center))
        if not reach < _REACH * self.step:
            far = ~(np.abs(steps) < _REACH)
            for number in finite[far].tolist():
                spot = self._spot(number)
                total += spot
                squares += spot * spot
            steps = steps[~far]
        total += int(steps.sum())
        squares += sum(
            # not BLAS: its threads cost more than they save here
            int(np.einsum("i,i->", part, part))
            for part in np.array_split(steps, len(steps) // 65_536 + 1)
        )
        return type(self)(
            self.center,
            self.step,
            self.rows + len(finite),
            self.total + total,
            self.squares + squares,
            min(self.low, low),
            max(self.high, high),
        )

    def _spot(self, number: float) -> int:
        """Return the grid step of a number too far out for float arithmetic to stay exact."""
        exact = (Fraction(number) - Fraction(self.center)) / Fraction(self.step)
        return round(exact)

    def __add__(self, other: Self) -> Self:
        """Return the moments of both."""
        return type(self)(
            self.center,
            self.step,
            self.rows + other.rows,
            self.total + other.total,
            self.squares + other.squares,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    def empty(self) -> Self:
        """Return the same grid with no rows."""
        return type(self)(self.center, self.step)

    def state(self) -> State:
        """Return the grid, the sums (as decimal strings, they may exceed 64 bits) and the range."""
        return {
            "center": self.center,
            "step": self.step,
            "rows": self.rows,
            "total": str(self.total),
            "squares": str(self.squares),
            "low": repr(self.low),
            "high": repr(self.high),
        }

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the moments of a state; raise ValueError where the grid is none."""
        center, step = float(state["center"]), float(state["step"])
        if not (math.isfinite(center) and step > 0 and math.isfinite(step)):
            raise ValueError("moments need a finite center and a step above zero")
        return cls(
            center,
            step,
            int(state["rows"]),
            int(state["total"]),
            int(state["squares"]),
            float(state["low"]),
            float(state["high"]),
        )


def _rounded(number: Fraction) -> float:
    """Return the nearest float: neither a mean nor a spread is beyond the values it is made of."""
    limit = Fraction(sys.float_info.max)
    return float(min(max(number, -limit), limit))
