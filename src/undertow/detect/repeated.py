"""Repeated values: one value that stands out from its neighbours and holds more rows, or fewer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from undertow.core import sql
from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.detect.number import Number
from undertow.stats import describe, sampled
from undertow.stats.counts import Counts, Floats
from undertow.stats.share import angle, largest_share_change
from undertow.stats.told import needed, short, telling, two_shares
from undertow.summaries.histogram import SENTINELS, Histogram
from undertow.summaries.moments import Moments

KINDS = (Kind.NUMBER, Kind.TIME)
OUTSTANDING = 4
"""A value stands out where it holds this many times the rows of the fullest of its neighbours."""
NEIGHBOURS = 2
"""Values on each side that count as neighbours."""
USUAL = 0.01
"""Share of the other side from which on a constant is one of the column's usual values."""
_DAY = 86_400_000_000
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - Arrow's times count from it without a zone
_CLOCKS = {"0001-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2038-01-19"}
"""Days that often stand for "no date": the first or last a system can write."""


@dataclass(frozen=True)
class Repeated:
    """One number or time that many rows share: a constant, -999, 1970-01-01, 0 where nothing was.

    A value is looked at where it holds at least four times the rows of its neighbours, on both
    sides taken together: ages, hours and ratings have no such value, and missing data written as a
    value does. Of these the one whose share moved most is told, as Cohen's h, corrected for the
    number of values and columns that were looked at. It works both ways: a constant in the
    reference that varies now is as telling as a column that has just become constant. Common values
    and the usual stand-ins for "missing" are counted exactly; any other is read from the sample of
    rows.
    """

    name: ClassVar[str] = "quality.repeated"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `drift.number` asks for; times are read from the sample of rows."""
        yield from Number().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column with such a value, and one for all the others."""
        unread = {Role.ID, Role.IGNORE, Role.VERSION}
        found, columns = [], 0
        for column in history.reference.schema.of(kind=KINDS):
            if column.name not in history.now.schema or column.role in unread:
                continue
            columns += 1
            tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
            best = _largest(history, column, tolerance)
            if best is not None:
                found.append(_found(history, column, best))
        yield from telling(
            self.name,
            found,
            tested=len(found),
            columns=columns,
            rows=Rows(history.reference.rows, history.now.rows),
            quiet="no one value is newly repeated",
        )


@dataclass(frozen=True)
class _Spike:
    value: float
    hits: tuple[int, int]
    rows: tuple[int, int]
    effect: Effect
    looked_at: int


def _largest(history: History, column: Column, tolerance: float) -> _Spike | None:
    """Return the value whose share moved most among the counted ones and the sampled ones."""
    found = []
    for values, ours, theirs, rows in _candidates(history, column):
        both = ours + theirs
        could = angle(np.minimum(both / max(min(rows), 1), 1.0)) >= tolerance
        could &= both < sum(rows)
        if not could.any() or not min(rows):
            continue
        spot, effect = largest_share_change(
            ours[could], theirs[could], rows=rows, tolerance=tolerance
        )
        at = np.flatnonzero(could)[spot]
        hits = int(ours[at]), int(theirs[at])
        found.append(_Spike(float(values[at]), hits, rows, effect, int(could.sum())))
    if not found:
        return None
    best = max(found, key=lambda spike: spike.effect.value)
    evidence = min(1.0, best.effect.p_no_change * len(found))
    looked_at = sum(spike.looked_at for spike in found)
    return replace(best, effect=replace(best.effect, p_no_change=evidence), looked_at=looked_at)


_Counts = tuple[Floats, Counts, Counts, tuple[int, int]]


def _candidates(history: History, column: Column) -> tuple[_Counts, _Counts]:
    """Return the outstanding values that have a cell of their own, and the other ones.

    The first are counted in every row, the others in the sample. Both are chosen on the rows of
    both sides together, so that being chosen says nothing of a difference.
    """
    sides = [
        sampled.tallied(sampled.kept(side), column.name)
        for side in (history.reference, history.now)
    ]
    values = np.union1d(sides[0][0], sides[1][0])
    rows_of = np.zeros((2, len(values)))
    for side, (found, worth, _) in enumerate(sides):
        rows_of[side, np.searchsorted(values, found)] = worth
    totals = np.array([[side[2]] for side in sides])
    alone = (rows_of > 0.999 * totals) & (totals > 1)
    picked = outstanding(rows_of.sum(axis=0)) | alone.any(axis=0)
    counted, cells = _counted(history, column, values, rows_of[1], picked)
    before = history.reference.get(Histogram, column.name)
    if before is not None:
        picked &= ~np.isin(np.searchsorted(before.edges, values, side="left"), cells)
    counts = np.rint(rows_of[:, picked]).astype(np.int64)
    rows = round(float(totals[0, 0])), round(float(totals[1, 0]))
    return counted, (values[picked], counts[0], counts[1], rows)


def _counted(
    history: History, column: Column, values: Floats, worth: Floats, picked: NDArray[np.bool_]
) -> tuple[_Counts, NDArray[np.intp]]:
    """Return the values that are counted in every row, and the cells that are spoken for.

    They are the picked ones that have a cell of their own, and those that fill another cell far
    beyond its neighbours, though few distinct values fall in it: the commonest that was sampled.
    """
    before = history.reference.get(Histogram, column.name)
    now = history.now.get(Histogram, column.name)
    nothing = np.empty(0, np.int64)
    if before is None or now is None or not len(before.edges):
        return (np.empty(0), nothing, nothing, (0, 0)), np.empty(0, np.intp)
    both = before.tally + now.tally
    held = np.flatnonzero(both)
    full = held[outstanding(both[held])]
    cell = np.searchsorted(before.edges, values, side="left")
    if not sampled.whole(sampled.kept(history.now)) and len(values):
        distinct = np.bincount(cell, minlength=len(both)) / len(values)
        crowded = before.atoms | (OUTSTANDING * distinct <= both / max(int(both.sum()), 1))
        full = full[crowded[full] & (full > 0) & (full < len(before.edges))]
    else:
        full = full[before.atoms[full]]
    atoms = np.flatnonzero(before.atoms)
    spots = np.union1d(full, atoms[np.isin(before.edges[atoms], values[picked])])
    names = before.edges[np.minimum(spots, len(before.edges) - 1)].copy()
    for at in np.flatnonzero(~before.atoms[spots]):
        inside = np.flatnonzero(cell == spots[at])
        names[at] = values[inside[worth[inside].argmax()]] if len(inside) else names[at]
    rows = before.rows, now.rows
    return (names, before.tally[spots], now.tally[spots], rows), np.union1d(spots, atoms)


def outstanding(counts: Counts | Floats) -> NDArray[np.bool_]:
    """Tell which values, in order, hold four times the rows of each of their neighbours.

    >>> outstanding(np.array([1, 2, 1, 40, 1, 2])).tolist()
    [False, False, False, True, False, False]
    """
    if not len(counts):
        return np.zeros(0, np.bool_)
    padded = np.pad(counts, NEIGHBOURS)
    steps = [step for step in range(2 * NEIGHBOURS + 1) if step != NEIGHBOURS]
    beside = np.max([padded[step : step + len(counts)] for step in steps], axis=0)
    return np.asarray((counts >= OUTSTANDING * beside) & (counts >= OUTSTANDING))


def _found(history: History, column: Column, spike: _Spike) -> Finding:
    was, is_ = (hit / max(rows, 1) for hit, rows in zip(spike.hits, spike.rows, strict=True))
    name = _name(column, spike.value)
    values = sampled.numbers(sampled.kept(history.now), column.name)
    literal = f"'{name}'" if column.kind is Kind.TIME else sql.number(spike.value)
    rose = is_ > was
    condition = sql.word(f"{sql.name(column.name)} <> {literal}")
    side = "now" if rose else "in the reference"
    step = (
        f"ask what {column.name!r} = {name} stands for {side}; "
        f"to compare without these rows: undertow check REFERENCE CURRENT --where {condition}"
    )
    if None not in _constants(history, column):
        step = f"leave it out, as it only tells the two sides apart: --ignore {column.name}"
    return Finding(
        "quality.repeated",
        f"{column.name}={name}",
        _says(history, column, name, spike),
        spike.effect,
        Rows(*spike.rows),
        column=column.name,
        value=name,
        needs_rows=needed(spike.effect, max(was, is_)),
        evidence={
            "share": describe.pair(was, is_),
            "rows": describe.pair(*spike.hits),
            "values_looked_at": spike.looked_at,
        },
        shape=two_shares(name, "other values", spike.hits, spike.rows),
        examples=sampled.examples(history.now, column.name, values == spike.value) if rose else (),
        next=() if column.origin else (step,),
    )


def _says(history: History, column: Column, name: str, spike: _Spike) -> str:
    was, is_ = (hit / max(rows, 1) for hit, rows in zip(spike.hits, spike.rows, strict=True))
    missing = "probably missing data written as a value"
    before, now = history.reference.rows, history.now.rows
    told = [_name(column, value) for value in _constants(history, column) if value is not None]
    if len(told) == 2:
        return f"{column.name!r} was {told[0]} in every row, now it is {told[1]} in every row"
    if was == 1.0:
        head = f"{column.name!r} was the constant {name} in all {before:,} rows of the reference"
        share = f"{head}, now in {percent(is_)}"
        return f"{share}: {missing}" if is_ < USUAL else share
    if is_ == 1.0:
        head = f"{column.name!r} is the constant {name} in all {now:,} rows now"
        share = f"{head}, was in {percent(was)}"
        return f"{share}: {missing}" if was < USUAL else share
    known = column.kind is Kind.TIME and name[:10] in _CLOCKS
    known = known or (column.kind is Kind.NUMBER and spike.value in SENTINELS)
    word = f"{name} (often stands for missing)" if known else f"the one value {name}"
    return f"{word} {percent(was)} → {percent(is_)} of {column.name!r}"


def _constants(history: History, column: Column) -> list[float | None]:
    """Return the only number each side holds, None where it holds more than one."""
    ends = [side.get(Moments, column.name) for side in (history.reference, history.now)]
    return [end.low if end is not None and end.low == end.high else None for end in ends]


def _name(column: Column, value: float) -> str:
    if column.kind is Kind.NUMBER:
        return short(value)
    try:
        moment = _EPOCH + dt.timedelta(microseconds=value)
    except OverflowError:
        return short(value)
    return moment.date().isoformat() if value % _DAY == 0 else moment.isoformat(sep=" ")
