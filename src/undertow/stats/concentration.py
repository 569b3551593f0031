"""How unevenly servings fall on items: Gini, reach and top share, at one number of servings.

All three depend on how many servings were counted: of 1,000 servings of 1,000 equally popular items, a
third of the items get none. So both sides are taken at the smaller side's number of servings: each
number is its expectation over all subsets of so many servings (rarefaction; Hurlbert 1971), which needs
no draw. What is compared is then what so many servings of each side's popularity give on average.
Intervals come from leaving out one serving, or a part of the sessions, at a time (Efron and Stein 1981:
such a variance is never too small on average).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from undertow.core.errors import DataError
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, stream
from undertow.stats.difference import magnitude
from undertow.stats.exact import log_factorial
from undertow.stats.score import SEEN, Z, normal_tail, unseen

TOP = 10
"""Items that a top share is of."""
LEAST = 50
"""Servings a side below which nothing is told: the interval is a normal one."""
TOLERANCE = 0.08
"""Moving that part of even traffic to one item raises Gini by as much. Without a change, the Gini of
1,000 servings of 60 to 2,000 items differs by 0.007 to 0.023 (standard deviation)."""
REACH_TOLERANCE = 0.1
"""A tenth of the items that could be reached."""
STEPS = 50
"""Steps of a Lorenz curve."""
PARTS = 30
"""Parts of the sessions that are left out, one at a time."""
TAIL = 8.0
"""Standard deviations beyond which a count is not looked at."""


class Pair(NamedTuple):
    """A number of both sides."""

    reference: float
    current: float

    def to_dict(self) -> dict[str, float | None]:
        """Return both as JSON values, to six digits; None for what is not a number."""
        return {
            name: float(f"{each:.6g}") if math.isfinite(each) else None
            for name, each in zip(self._fields, self, strict=True)
        }


@dataclass(frozen=True)
class Concentration:
    """How unevenly both sides serve `items` items, at `servings` servings each.

    `different` is how many different items so many servings reach, `reach` the change of that as a part
    of the most they could reach: all items, or one a serving where there are more items than servings.
    `top` is the share of servings of the most served items, `top_items` of them. The Lorenz curves go
    from the least served item to the most, at even steps. `sessions` is the smaller side's number of
    them, where they are known.
    """

    items: int
    servings: int
    gini: Effect
    reach: Effect
    ginis: Pair
    different: Pair
    top: Pair
    top_items: int
    lorenz: tuple[list[float], list[float]]
    sessions: int | None = None

    @property
    def reachable(self) -> int:
        """How many different items so many servings could reach."""
        return min(self.items, self.servings)

    @property
    def narrows(self) -> bool:
        """Tell whether exposure falls on fewer items than before."""
        return self.ginis.current > self.ginis.reference

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as evidence."""
        covered = Pair(*(each / max(self.items, 1) for each in self.different))
        return {
            "items": self.items,
            "compared_at_servings": self.servings,
            "gini": self.ginis.to_dict(),
            "different_items": self.different.to_dict(),
            "catalogue_coverage": covered.to_dict(),
            f"share_of_top_{self.top_items}": self.top.to_dict(),
        }


def gini(counts: npt.ArrayLike) -> float:
    """Return the Gini coefficient of servings per item: 0 all alike, near 1 all on one of many.

    Gini (1912). NaN where there are no servings.

    >>> gini([5, 5, 5, 5]), gini([0, 0, 0, 20])
    (0.0, 0.75)
    """
    sizes = np.sort(np.asarray(counts, np.float64))
    total, items = float(sizes.sum()), len(sizes)
    if total <= 0:
        return math.nan
    ranks = 2 * np.arange(1, items + 1) - items - 1
    return float((ranks * sizes).sum() / (items * total))


def concentration(
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
    items: int,
    *,
    tolerance: float = TOLERANCE,
    reach_tolerance: float = REACH_TOLERANCE,
    sessions: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> Concentration:
    """Return how unevenly both sides serve a catalogue of `items` items.

    `reference` and `current` are the item of each serving, a number from 0 to items - 1. `sessions`
    number the group (a visit, a user) of each serving, of both sides: servings of one session are not
    independent, so as many whole sessions are compared on both sides, and the intervals leave out whole
    sessions. Fewer than 50 servings or sessions on a side, or one item in all, leave both effects
    undefined. Raises DataError where an item is out of range, UsageError for a tolerance out of range.

    >>> even = np.arange(1000) % 100
    >>> found = concentration(even, np.minimum(even, 49), 100)
    >>> round(found.ginis.reference, 2), round(found.ginis.current, 2), found.different.current
    (0.0, 0.74, 50.0)
    """
    check_tolerance("difference", tolerance)
    check_tolerance("difference", reach_tolerance)
    pair = [np.asarray(side, np.int64) for side in (reference, current)]
    for side in pair:
        if len(side) and (int(side.min()) < 0 or int(side.max()) >= items):
            raise DataError(f"items of servings must be numbers from 0 to {items - 1}")
    groups: Sequence[NDArray[np.int64] | None] = (None, None)
    if sessions is not None:
        numbered = [np.unique(each, return_inverse=True)[1] for each in sessions]
        pair, groups = _as_many(pair, numbered)
    rows = min(len(side) for side in pair)
    if rows == 0:
        none = Pair(math.nan, math.nan)
        gone = _undefined(tolerance), _undefined(reach_tolerance)
        return Concentration(items, 0, *gone, none, none, none, min(TOP, items), ([], []))
    before, now = (
        _side(side, items, rows, group) for side, group in zip(pair, groups, strict=True)
    )
    visits = None if groups[0] is None else int(groups[0].max()) + 1
    told = min(rows, rows if visits is None else visits) >= LEAST and items > 1
    most = min(items, rows)
    reached = before.different / most, now.different / most
    errors = math.sqrt(before.different_var) / most, math.sqrt(now.different_var) / most
    top = min(TOP, items)
    return Concentration(
        items=items,
        servings=rows,
        gini=_moved(
            (before.gini, now.gini),
            (math.sqrt(before.gini_var), math.sqrt(now.gini_var)),
            rows,
            tolerance,
        )
        if told
        else _undefined(tolerance),
        reach=_moved(reached, errors, rows, reach_tolerance)
        if told
        else _undefined(reach_tolerance),
        ginis=Pair(before.gini, now.gini),
        different=Pair(before.different, now.different),
        top=Pair(before.held(top), now.held(top)),
        top_items=top,
        lorenz=(before.lorenz(), now.lorenz()),
        sessions=visits,
    )


def _undefined(tolerance: float) -> Effect:
    return Effect("difference", math.nan, math.nan, math.nan, tolerance, 1.0)


def _moved(
    values: tuple[float, float], errors: tuple[float, float], rows: int, tolerance: float
) -> Effect:
    """Return the difference of two numbers between 0 and 1 with a normal interval."""
    moved, error = values[1] - values[0], math.hypot(*errors)
    # Where no serving stands out, none says how far it could be: no hit in so many rows does.
    least = unseen(rows)
    low, high = magnitude(moved - Z * error, moved + Z * error)
    evidence = float(normal_tail(abs(moved) / error)) if error > 0 else float(moved == 0)
    if evidence > SEEN:
        low = 0.0
    high = min(max(high, abs(moved) + least if error == 0 else least), 1.0)
    return Effect("difference", abs(moved), low, high, tolerance, evidence)


@dataclass(frozen=True)
class _Side:
    """One side at a number of servings: `above` (k,) is how many items have more than k of them."""

    items: int
    rows: int
    above: Floats
    gini: float
    gini_var: float
    different: float
    different_var: float

    def held(self, items: float) -> float:
        """Return the share of servings of the most served items."""
        return float(np.minimum(self.above, items).sum() / self.rows)

    def lorenz(self) -> list[float]:
        """Return the share of servings of the least served items, at even steps of the items."""
        return [
            round(min(max(1 - self.held(self.items * (1 - step / STEPS)), 0.0), 1.0), 4)
            for step in range(STEPS)
        ] + [1.0]


def _side(
    served: NDArray[np.int64], items: int, rows: int, sessions: NDArray[np.int64] | None
) -> _Side:
    counts = np.bincount(served, minlength=items).astype(np.int64)
    sizes, which = np.unique(counts, return_inverse=True)
    times = np.bincount(which)
    above, spread, curves = _thinned(sizes, times, len(served), rows)
    total = float((above * (items - above) - spread).sum())
    width = rows / len(served)
    gini_pull, reach_pull = np.zeros(len(sizes)), np.zeros(len(sizes))
    for place, (start, left, over) in curves.items():
        span = slice(start, start + len(left))
        pull = items - 2 * above[span] - 1 + 2 * over
        gini_pull[place] = width * float((left * pull).sum()) / (items * rows)
        reach_pull[place] = width * float(left[0]) if start == 0 else 0.0
    pulls = np.stack([gini_pull, reach_pull])[:, which]
    gini_var, different_var = (_variance(pull, counts) for pull in pulls)
    if sessions is not None:
        gini_var, different_var = _session_variance(served, items, rows, sessions)
    different_var = max(different_var, _least_variance(sizes, times, width))
    return _Side(
        items,
        rows,
        above,
        total / (items * rows),
        gini_var,
        float(above[0]) if len(above) else 0.0,
        different_var,
    )


def _least_variance(sizes: Counts, times: Counts, part: float) -> float:
    """Return the variance of the different items that sizes alone leave room for.

    Where next to no item was served once, leaving one serving out says nothing. What an item of x
    servings would be served is then a Gamma variable of shape x + 1 (a flat prior), and the variance
    of its being missed in that part of the servings is known.
    """
    shape = sizes[sizes > 0] + 1.0
    missed = (1 + 2 * part - part * part) ** -shape - (1 + 2 * part) ** -shape
    return float((missed * times[sizes > 0]).sum())


def _variance(pull: Floats, counts: Counts) -> float:
    """Return the jackknife's variance, of what each item's servings pull by when one is left out."""
    rows = int(counts.sum())
    centred = pull - float((pull * counts).sum()) / rows
    return float((centred**2 * counts).sum()) * (rows - 1) / rows


def _session_variance(
    served: NDArray[np.int64], items: int, rows: int, sessions: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the variances of Gini and of the different items, a part of the sessions left out at a time.

    All parts are measured at one number of servings: as many as are left of the shortest.
    """
    visits = int(sessions.max(initial=-1)) + 1
    parts = min(PARTS, visits)
    if parts < 2:
        return 0.0, 0.0
    part = (stream().permutation(visits) % parts)[sessions]
    left = [served[part != each] for each in range(parts)]
    rows = min(rows, *map(len, left))
    made = [_side(each, items, rows, None) for each in left]
    numbers = np.array([(each.gini, each.different) for each in made])
    gini_var, different_var = numbers.var(axis=0) * (parts - 1)
    return float(gini_var), float(different_var)


def _as_many(
    pair: list[NDArray[np.int64]], sessions: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return both sides with as many sessions as the side of fewer, the same ones in every run."""
    visits = [int(each.max(initial=-1)) + 1 for each in sessions]
    kept: list[NDArray[np.int64]] = []
    groups: list[NDArray[np.int64]] = []
    for side, group, count in zip(pair, sessions, visits, strict=True):
        place = stream().permutation(count)[group] if count > min(visits) else group
        inside = place < min(visits)
        kept.append(side[inside])
        groups.append(place[inside])
    return kept, groups


def _thinned(
    sizes: Counts, times: Counts, servings: int, rows: int
) -> tuple[Floats, Floats, dict[int, tuple[int, Floats, Floats]]]:
    """Return how many items have more than k of `rows` servings drawn from all, for each k.

    `sizes` are servings per item and `times` how many items have so many. Also returned: the spread
    of that, sum of s * (1 - s) over items for s = P(more than k); and for each size where its band of
    counts starts, P(so many others of its item are drawn beside a serving), and P(more than k).
    """
    most = int(min(sizes.max(), rows))
    sure, part, spread = np.zeros(most + 1), np.zeros(most), np.zeros(most)
    curves: dict[int, tuple[int, Floats, Floats]] = {}
    for place, (size, count) in enumerate(zip(sizes.tolist(), times.tolist(), strict=True)):
        if size == 0:
            continue
        start, mass = _drawn(size, servings, rows)
        over = mass[::-1].cumsum()[::-1][1:]  # P(more than start + j)
        span = slice(start, start + len(over))
        sure[0] += count  # surely more than k, for every k below the band
        sure[start] -= count
        part[span] += count * over
        spread[span] += count * over * (1 - over)
        first, left = _drawn(size - 1, servings - 1, rows - 1)
        # Both laid on one band, so that they can be multiplied.
        begin = min(start, first)
        end = max(start + len(over), first + len(left))
        beside, beyond = np.zeros(end - begin), np.zeros(end - begin)
        beside[first - begin : first - begin + len(left)] = left
        beyond[: start - begin] = 1.0
        beyond[start - begin : start - begin + len(over)] = over
        keep = max(min(end, most) - begin, 0)
        curves[place] = begin, beside[:keep], beyond[:keep]
    return sure.cumsum()[:most] + part, spread, curves


def _drawn(size: int, servings: int, rows: int) -> tuple[int, Floats]:
    """Return the least count of a band, and P(count): `rows` drawn of `servings`, `size` marked."""
    low, high = max(0, rows - (servings - size)), min(size, rows)
    mean = rows * size / max(servings, 1)
    rest = (servings - rows) / max(servings - 1, 1)
    arm = TAIL * math.sqrt(max(mean * (1 - size / max(servings, 1)) * rest, 0.0)) + TAIL
    low, high = max(low, math.floor(mean - arm)), min(high, math.ceil(mean + arm))
    k = np.arange(low, high + 1, dtype=np.float64)
    logs = (
        -log_factorial(k)
        - log_factorial(size - k)
        - log_factorial(rows - k)
        - log_factorial(servings - size - rows + k)
    )
    mass = np.exp(logs - logs.max())
    return low, np.asarray(mass / mass.sum())


def steps(
    served: NDArray[np.int64], times: NDArray[np.int64], items: int, *, most: int = 8
) -> list[dict[str, float]]:
    """Return Gini and the different items served over time, all steps at one number of servings.

    A step is one moment where there are few of them (up to three times `most`), else a part of the
    servings in the order of their times. Steps of fewer than 50 servings are left out.

    >>> even, one = np.arange(60) % 6, np.zeros(60, np.int64)
    >>> told = steps(np.concatenate([even, one]), np.repeat([1, 2], 60), 6)
    >>> [(each["gini"], each["different_items"]) for each in told]
    [(0.0, 6.0), (0.8333, 1.0)]
    """
    moments, which = np.unique(times, return_inverse=True)
    if len(moments) > 3 * most:
        order = np.argsort(times, kind="stable")
        which = np.empty(len(times), np.int64)
        which[order] = np.arange(len(times)) * most // max(len(times), 1)
    parts = [(each, served[which == each]) for each in range(int(which.max(initial=-1)) + 1)]
    parts = [(each, part) for each, part in parts if len(part) >= LEAST]
    rows = min((len(part) for _, part in parts), default=0)
    made = []
    for each, part in parts:
        side = _side(part, items, rows, None)
        step = {"from": int(times[which == each].min()), "servings": len(part)}
        made.append(
            step | {"gini": round(side.gini, 4), "different_items": round(side.different, 1)}
        )
    return made
