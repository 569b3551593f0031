"""Which change of unit or scale turns one set of numbers into another.

Every candidate is a function of the old value. A candidate fits where the old values, converted,
have the distribution of the new ones; it is only told where it fits far better than no conversion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.stats.counts import Floats

#: Factors that units differ by, the commonest first, with what each looks like from old to new.
FACTORS: dict[float, tuple[str, str]] = {
    1000: ("kilo-units to units (kg to g, s to ms)", "units to kilo-units (g to kg, ms to s)"),
    100: ("shares to percent, or units to cents", "percent to shares, or cents to units"),
    10: ("a decimal point one place to the right", "a decimal point one place to the left"),
    1e6: ("units to millionths (s to µs)", "units to millions (µs to s)"),
    60: ("minutes to seconds, or hours to minutes", "seconds to minutes, or minutes to hours"),
    3600: ("hours to seconds", "seconds to hours"),
    24: ("days to hours", "hours to days"),
    1024: ("KiB to bytes, or MiB to KiB", "bytes to KiB, or KiB to MiB"),
    1024**2: ("MiB to bytes", "bytes to MiB"),
    1e9: ("units to billionths (s to ns)", "units to billions (ns to s)"),
    86_400: ("days to seconds", "seconds to days"),
    12: ("years to months, or feet to inches", "months to years, or inches to feet"),
    7: ("weeks to days", "days to weeks"),
    8: ("bytes to bits", "bits to bytes"),
    2.54: ("inches to centimetres", "centimetres to inches"),
    25.4: ("inches to millimetres", "millimetres to inches"),
    3.28084: ("metres to feet", "feet to metres"),
    1.609344: ("miles to kilometres", "kilometres to miles"),
    2.2046226: ("kilograms to pounds", "pounds to kilograms"),
    28.349523: ("ounces to grams", "grams to ounces"),
    3.6: ("metres a second to kilometres an hour", "kilometres an hour to metres a second"),
    4.184: ("kilocalories to kilojoules", "kilojoules to kilocalories"),
    3.785412: ("gallons to litres", "litres to gallons"),
    57.29578: ("radians to degrees", "degrees to radians"),
}
POINTS = (0.1, 0.25, 0.5, 0.75, 0.9)
LEAST_ROWS = 30
LEAST_VALUES = 5
LEAST_GAP = 0.2
"""Distributions closer than this are no change of unit."""
CURVED_GAP = 0.5
"""The same for logarithms, which bend one honest distribution into another."""
LARGE = 60
"""Honest growth hardly ever hits a factor this large by chance."""
SLACK = {True: 0.1, False: 0.02}
"""What may be left over beside noise (rounding, a little honest drift): more for a large factor."""


Convert = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Unit:
    """A change of unit: what it looks like, how to say it, how to undo it, and the conversion.

    `rounds` says that whole numbers may well have been rounded to whole numbers again; a unit is
    not looked at where the distributions are closer than its `least_gap`.
    """

    cause: str
    says: str
    undo: str
    convert: Convert
    factor: float = 0.0
    rounds: bool = False
    least_gap: float = 0.0


@dataclass(frozen=True)
class Fit:
    """The likeliest change of unit, and the largest gap that is left once it is undone."""

    unit: Unit
    residual: float
    converted: Floats


def likeliest(
    old: Floats, old_rows: Floats, new: Floats, new_rows: Floats, gap: float
) -> Fit | None:
    """Return the change of unit that turns old values into new ones, or None where none does.

    `gap` is the gap there is between both as they stand; what is left must be less than half of it.
    The values are distinct and finite, each with the rows it is worth.

    >>> old, rows = np.arange(50.0) + 20, np.full(50, 4.0)
    >>> likeliest(old, rows, old * 1000, rows, 1.0).unit.cause
    'kilo-units to units (kg to g, s to ms)'
    >>> likeliest(old, rows, old * 1.1, rows, 0.2) is None
    True
    """
    short = min(float(old_rows.sum()), float(new_rows.sum())) < LEAST_ROWS
    if short or gap < LEAST_GAP or min(len(old), len(new)) < LEAST_VALUES:
        return None
    noise = math.sqrt(1 / old_rows.sum() + 1 / new_rows.sum())
    goal = at_points(new, new_rows)
    fits: list[Fit] = []
    for unit in candidates(old, old_rows):
        with np.errstate(all="ignore"):
            converted = unit.convert(old)
        if not np.isfinite(converted).all():
            continue
        if not goal[0] <= at_points(converted, old_rows)[len(POINTS) // 2] <= goal[-1]:
            continue
        left = largest_gap(converted, old_rows, new, new_rows)
        large = max(unit.factor, 1 / unit.factor) >= LARGE if unit.factor else False
        fit = Fit(unit, left, converted)
        close = left <= min(1.36 * noise + SLACK[large], gap / 2) and gap >= unit.least_gap
        if close and _precise(fit, old, old_rows, new, new_rows):
            fits.append(fit)
    if not fits:
        return None
    best = min(fit.residual for fit in fits)
    return next(fit for fit in fits if fit.residual <= best + noise / 2)


def candidates(old: Floats, rows: Floats) -> Iterator[Unit]:
    """Yield every change of unit that can be applied to these values, the commonest first."""
    for factor, (up, down) in FACTORS.items():
        size = f"{factor:.7g}"
        said = f"about {factor:,.7g} times"
        yield Unit(up, f"{said} larger", f"divide by {size}", _line(factor), factor)
        yield Unit(down, f"{said} smaller", f"multiply by {size}", _line(1 / factor), 1 / factor)
    yield Unit("the sign turned", "of the other sign", "multiply by -1", _line(-1))
    for cause, says, undo, slope, offset in _LINES:
        yield Unit(cause, says, undo, _line(slope, offset), rounds=True)
    if old.min() >= 1 and old.max() <= 10 and (old == np.rint(old)).all():
        if old.max() <= 5:
            stars = "ratings of 1 to 5 on a scale of 1 to 10"
            yield Unit(stars, "about doubled", "divide by 2", _line(2), 2, rounds=True)
        stars = "ratings of 1 to 10 on a scale of 1 to 5"
        yield Unit(stars, "about halved", "multiply by 2", _halved, rounds=True)
    for log, power, name in _LOGS:
        if old.min() > (-1 if log is np.log1p else 0):
            cause, says = f"{name} is taken now", f"{name} of what it was"
            yield Unit(cause, says, f"undo {name}", log, least_gap=CURVED_GAP)
        if old.max() < 300:
            cause = f"{name} is no longer taken"
            says = f"what {name} was taken of before"
            yield Unit(cause, says, f"take {name}", power, least_gap=CURVED_GAP)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float((old * rows).sum() / rows.sum())
        std = math.sqrt(float((np.square(old - mean) * rows).sum() / rows.sum()))
    if 0 < std < math.inf:
        one = "do it on both sides or on none"
        cause, says = "standardised values", "standardised to mean 0 and spread 1"
        yield Unit(cause, says, one, _line(1 / std, -mean / std))
        low, width = float(old.min()), float(np.ptp(old))
        cause, says = "values scaled to between 0 and 1", "scaled to between 0 and 1"
        yield Unit(cause, says, one, _line(1 / width, -low / width))


_LINES = (
    ("Celsius to Fahrenheit", "1.8 times plus 32", "subtract 32, divide by 1.8", 1.8, 32.0),
    ("Fahrenheit to Celsius", "less 32, divided by 1.8", "times 1.8, plus 32", 1 / 1.8, -32 / 1.8),
    ("Celsius to Kelvin", "273.15 higher", "subtract 273.15", 1.0, 273.15),
    ("Kelvin to Celsius", "273.15 lower", "add 273.15", 1.0, -273.15),
)
"""Formulas with an offset: what it looks like, how to say it, how to undo it, slope and offset."""
_LOGS: tuple[tuple[Convert, Convert, str], ...] = (
    (np.log, np.exp, "the logarithm"),
    (np.log10, lambda x: np.power(10.0, x), "the logarithm to base 10"),
    (np.log1p, np.expm1, "log(1 + value)"),
)


def _line(slope: float, offset: float = 0.0) -> Convert:
    return lambda x: slope * x + offset


def _halved(values: Floats) -> Floats:
    return np.ceil(values / 2)


def _precise(fit: Fit, old: Floats, old_rows: Floats, new: Floats, new_rows: Floats) -> bool:
    """Tell whether a unit is hit so closely that honest growth would hardly hit it by chance."""
    factor = fit.unit.factor
    size = max(factor, 1 / factor) if factor else 1.0
    if size < LARGE and not fit.unit.rounds and _whole(new).all():
        # Counts stay whole and grow: only what makes whole numbers of them can be their unit.
        made = old_rows[_whole(fit.converted)].sum() >= 0.9 * old_rows.sum()
        steps = new / factor if factor > 1 and _whole(old).all() else new
        if not made or new_rows[_whole(steps)].sum() < 0.9 * new_rows.sum():
            return False
    if not factor:
        return True
    sides = at_points(old, old_rows), at_points(new, new_rows)
    sure = np.abs(sides[0]) > 0.05 * np.abs(sides[0]).max()
    ratio = float(np.median(sides[1][sure] / sides[0][sure]))
    most = 1.0 if size >= LARGE else 0.1 if size >= 5 else 0.02
    return abs(ratio / factor - 1) <= most


def _whole(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.abs(values - np.rint(values)) < 1e-6)


def at_points(values: Floats, rows: Floats) -> Floats:
    """Return five quantiles of values with rows."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(rows[order])
    spots = np.searchsorted(running, np.array(POINTS) * running[-1], side="left")
    return np.asarray(values[order][np.minimum(spots, len(values) - 1)])


def largest_gap(old: Floats, old_rows: Floats, new: Floats, new_rows: Floats) -> float:
    """Return the largest gap between two distribution functions, up to rounding.

    >>> largest_gap(np.array([1.0, 2.0]), np.ones(2), np.array([2.0]), np.ones(1))
    0.5
    """
    both = np.concatenate([old, new])
    digits, powers = np.frexp(both)
    with np.errstate(over="ignore"):  # the largest floats round up to infinity, which still sorts
        rounded = np.ldexp(np.rint(digits * 2.0**26), powers - 26)
    rounded[np.abs(both) < 1e-9 * np.median(np.abs(both))] = 0.0
    found, spots = np.unique(rounded, return_inverse=True)
    spots = spots.ravel()
    ours = np.bincount(spots[: len(old)], old_rows, minlength=len(found)).cumsum() / old_rows.sum()
    theirs = (
        np.bincount(spots[len(old) :], new_rows, minlength=len(found)).cumsum() / new_rows.sum()
    )
    return float(np.abs(ours - theirs).max())
