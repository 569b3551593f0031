"""Missing: how many rows of a column have no usable value, and how many are infinite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import sql
from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import is_text, to_floats
from undertow.core.verdict import Verdict, decide
from undertow.stats import describe, sampled
from undertow.stats.score import limits
from undertow.stats.share import share_change
from undertow.stats.told import needed, two_shares
from undertow.summaries.presence import Presence

WAYS = {"null": "null", "nan": "NaN", "unreadable": "unreadable", "blank": "blank"}
"""The ways a value can be missing, as people say them."""
CHANCE = 1e-4
"""A column that holds nothing now is a fact where the reference makes it less likely than this."""


@dataclass(frozen=True)
class Missing:
    """The share of rows without a usable value: null, NaN, blank, or text in a column of numbers.

    It is measured as Cohen's h, so that 1 -> 4% weighs as much as 50 -> 60%. Each way of being
    missing is named with its share. A column with nothing missing on either side needs no
    comparison and gets no finding. A column in which nothing is left is a fact, however few rows
    there are, unless the reference makes that likely. Labels may come late: a label with more
    missing is told as `watch` at most.
    """

    name: ClassVar[str] = "quality.missing"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask how many values there are of every column of the data."""
        for column in _looked_at(schema):
            yield (column.name,), Presence

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column that misses a value on either side."""
        for column, before, now in _pairs(history):
            if before.missing or now.missing:
                yield self._compare(history, column, before, now)

    def _compare(
        self, history: History, column: Column, before: Presence, now: Presence
    ) -> Finding:
        tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
        effect = share_change(
            before.missing, before.rows, now.missing, now.rows, tolerance=tolerance
        )
        was, is_ = (side.missing / max(side.rows, 1) for side in (before, now))
        missing = _missing(history, column)
        found = Finding(
            self.name,
            column.name,
            _says(column.name, before, now),
            effect,
            Rows(before.rows, now.rows),
            column=column.name,
            needs_rows=needed(effect, max(was, is_)),
            evidence={
                "missing": describe.pair(was, is_),
                **{
                    word: describe.pair(_share(before, way), _share(now, way))
                    for way, word in WAYS.items()
                    if getattr(before, way) or getattr(now, way)
                },
            },
            shape=two_shares(
                "missing", "present", (before.missing, now.missing), (before.rows, now.rows)
            ),
            examples=sampled.examples(history.now, column.name, missing) if is_ > was else (),
            next=_steps(column.name, now) if is_ > was else (),
        )
        return _as_fact(found, column, before, now)


def _as_fact(found: Finding, column: Column, before: Presence, now: Presence) -> Finding:
    """Return the finding as a fact where nothing is left, or where labels have not come yet."""
    if column.role is Role.LABEL and now.missing * before.rows > before.missing * now.rows:
        late = decide(found.effect, 1) in {Verdict.CHANGED, Verdict.WATCH}
        says = f"{found.says}: labels may still be on their way"
        verdict = Verdict.WATCH if late else Verdict.STEADY
        return replace(found, says=says, effect=None, verdict=verdict, needs_rows=None)
    if now.rows and now.missing == now.rows and before.missing < before.rows:
        likely = float(limits(before.missing, before.rows)[1]) ** now.rows
        if likely <= CHANCE:
            step = f"find out who stopped filling {column.name!r}"
            return replace(
                found, effect=None, verdict=Verdict.CHANGED, needs_rows=None, next=(step,)
            )
    return found


@dataclass(frozen=True)
class Infinite:
    """The share of rows that hold an infinite number, which no mean or model survives.

    Columns without one on either side get no finding.
    """

    name: ClassVar[str] = "quality.infinite"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask how many numbers there are of every column of numbers."""
        for column in _looked_at(schema):
            if column.kind is Kind.NUMBER:
                yield (column.name,), Presence

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column with an infinite value on either side."""
        for column, before, now in _pairs(history):
            if not (before.infinite or now.infinite):
                continue
            tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
            rows = before.rows, now.rows
            effect = share_change(
                before.infinite, rows[0], now.infinite, rows[1], tolerance=tolerance
            )
            was, is_ = before.infinite / max(rows[0], 1), now.infinite / max(rows[1], 1)
            values = sampled.numbers(sampled.kept(history.now), column.name)
            yield Finding(
                self.name,
                column.name,
                f"{column.name!r} is infinite in {percent(is_)} of rows, was {percent(was)}",
                effect,
                Rows(*rows),
                column=column.name,
                needs_rows=needed(effect, max(was, is_)),
                evidence={"infinite": describe.pair(was, is_)},
                shape=two_shares("infinite", "finite", (before.infinite, now.infinite), rows),
                examples=sampled.examples(history.now, column.name, np.isinf(values)),
                next=(f"look for a division by zero on the way to {column.name!r}",),
            )


def _looked_at(schema: Schema) -> Iterator[Column]:
    return (each for each in schema if each.role is not Role.IGNORE and not each.origin)


def _pairs(history: History) -> Iterator[tuple[Column, Presence, Presence]]:
    for column in _looked_at(history.reference.schema):
        before = history.reference.get(Presence, column.name)
        now = history.now.get(Presence, column.name)
        if before is not None and now is not None:
            yield column, before, now


def _share(side: Presence, way: str) -> float:
    return float(getattr(side, way) / max(side.rows, 1))


def _says(name: str, before: Presence, now: Presence) -> str:
    was, is_ = (side.missing / max(side.rows, 1) for side in (before, now))
    if now.rows and now.missing == now.rows:
        head = (
            f"{name!r} holds nothing now: all {now.rows:,} rows are missing, {percent(was)} before"
        )
    else:
        head = f"{name!r} is missing in {percent(is_)} of rows, was {percent(was)}"
    ways = [
        f"{word} {percent(_share(now, way))}" for way, word in WAYS.items() if getattr(now, way)
    ]
    plain = now.missing == now.null
    return head if plain else f"{head} ({', '.join(ways)})"


def _steps(name: str, now: Presence) -> tuple[str, ...]:
    """Return how to see the rows that miss a value in the commonest way there is now."""
    way = max(WAYS, key=lambda each: int(getattr(now, each)))
    which = {
        "null": f"{sql.name(name)} IS NULL",
        "nan": f"isnan({sql.name(name)})",
        "unreadable": f"TRY_CAST({sql.name(name)} AS DOUBLE) IS NULL",
        "blank": f"trim({sql.name(name)}) = ''",
    }[way]
    rest = f"NOT ({which})"
    return (
        "see how the rows that miss it differ from the rest: " + sql.rest("CURRENT", which, rest),
    )


def _missing(history: History, column: Column) -> NDArray[np.bool_] | None:
    table = sampled.kept(history.now).kept
    if table.schema.get_field_index(column.name) < 0:
        return None
    cells = table.column(column.name).combine_chunks()
    out = ~np.asarray(cells.is_valid())
    if column.kind is Kind.NUMBER:
        out |= np.isnan(to_floats(cells))
    elif is_text(cells.type):
        blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(cells)), 0)
        out |= np.asarray(pc.fill_null(blank, fill_value=True))
    return np.asarray(out, np.bool_)
