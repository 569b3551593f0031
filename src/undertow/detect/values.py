"""Values: numbers beyond anything the reference held, and words that stand for "no value"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core import sql
from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.detect.number import Number
from undertow.stats import describe, sampled
from undertow.stats.share import share_change
from undertow.stats.told import needed, rough, telling, two_shares
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram
from undertow.summaries.moments import Moments

PLACEHOLDERS = (
    *("null", "none", "nil", "nan", "nat", "n/a", "na", "#n/a", "<na>", "undefined", "unknown"),
    *("missing", "not available", "not_available", "tbd", "?", "??", "-", "--", "."),
)
"""Words that stand for "no value", in lower case. Blanks are counted by `quality.missing`."""


@dataclass(frozen=True)
class Range:
    """The share of rows below the reference's least or above its greatest number.

    A reference of n rows leaves about one in n of the new rows on either side of its range without
    any change, and the evidence allows for it: it is the chance that so many of the most extreme
    rows are all new ones. The side with more rows outside is measured; both are in the evidence.
    Only columns that left their range get a finding of their own, whose evidence counts every
    column that was looked at; the others share one. A constant has no range: `quality.repeated`
    looks at it.
    """

    name: ClassVar[str] = "quality.range"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `drift.number` asks for."""
        yield from Number().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a number that left the reference's range."""
        found, compared = [], 0
        for column in history.shared(kind=Kind.NUMBER):
            span = history.reference.get(Moments, column.name)
            now = history.now.get(Moments, column.name)
            if span is None or now is None or not now.rows or not span.high > span.low:
                continue
            compared += 1
            below, above = _outside(history, column.name, span, now)
            if below[0] or above[0]:
                found.append(self._compare(history, column, span, now, (below, above)))
        yield from telling(
            self.name,
            found,
            tested=compared,
            columns=compared,
            rows=Rows(history.reference.rows, history.now.rows),
            quiet="no more rows outside the reference's range than chance brings",
        )

    def _compare(
        self,
        history: History,
        column: Column,
        span: Moments,
        now: Moments,
        out: tuple[_Hits, _Hits],
    ) -> Finding:
        tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
        most = max(out, key=lambda hits: hits[0] / hits[1])
        effect = share_change(0, span.rows, *most, tolerance=tolerance)
        below, above = (hits / rows for hits, rows in out)
        low, high = rough(span.low), rough(span.high)
        values = sampled.numbers(sampled.kept(history.now), column.name)
        parts = [
            f"{percent(share)} of rows {word} (to {rough(end)})"
            for share, word, end in (
                (below, f"below {low}", now.low),
                (above, f"above {high}", now.high),
            )
            if share
        ]
        between = f"BETWEEN {sql.number(span.low)} AND {sql.number(span.high)}"
        quoted = sql.name(column.name)
        step = sql.rest("CURRENT", f"{quoted} NOT {between}", f"{quoted} {between}")
        return Finding(
            self.name,
            column.name,
            f"left the range of the reference: {' and '.join(parts)}",
            effect,
            Rows(span.rows, now.rows),
            column=column.name,
            needs_rows=needed(effect, max(below, above)),
            evidence={
                "minimum": describe.pair(span.low, now.low),
                "maximum": describe.pair(span.high, now.high),
                "share_below": below,
                "share_above": above,
            },
            shape=two_shares("outside", "inside", (0, most[0]), (span.rows, most[1])),
            examples=sampled.examples(
                history.now, column.name, (values < span.low) | (values > span.high)
            ),
            next=(f"see how the rows outside differ from the rest: {step}",)
            if below + above < 1 and not column.origin
            else (),
            precedence=1,
        )


_Hits = tuple[int, int]
"""Rows outside, and the rows they were found among."""


def _outside(history: History, name: str, span: Moments, now: Moments) -> tuple[_Hits, _Hits]:
    """Return the rows below and above a range: in the sample, or in the cells wholly outside.

    The cell that holds the reference's end may hold rows on both sides of it, which only the sample
    can tell apart; cells further out are counted in every row.
    """
    values, counts, rows = sampled.tallied(sampled.kept(history.now), name)
    cells = history.now.get(Histogram, name)
    sides = (
        (values < span.low, _beyond(cells, span.low, -1), now.low < span.low),
        (values > span.high, _beyond(cells, span.high, 1), now.high > span.high),
    )
    out: list[_Hits] = []
    for outside, beyond, reached in sides:
        seen = round(float(counts[outside].sum())), max(round(rows), 1)
        sure = max(beyond, int(reached)), now.rows
        out.append(max(seen, sure, key=lambda hits: hits[0] / hits[1]))
    return out[0], out[1]


def _beyond(cells: Histogram | None, end: float, side: int) -> int:
    """Return the rows in the cells that lie wholly outside."""
    if cells is None or not len(cells.edges):
        return 0
    if side < 0:
        return int(cells.tally[: int(np.searchsorted(cells.edges, end, side="left"))].sum())
    first = int(np.searchsorted(cells.edges, end, side="left"))
    return int(cells.tally[first + 1 :].sum())


@dataclass(frozen=True)
class Placeholder:
    """The share of rows whose text stands for "no value": null, none, n/a, unknown, ?, -.

    All such words of a column are taken together. Columns without one on either side get no
    finding.
    """

    name: ClassVar[str] = "quality.placeholder"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the counts of every category; texts are read from the sample of rows."""
        for column in schema.of(kind=Kind.CATEGORY):
            if column.role not in {Role.ID, Role.IGNORE}:
                yield (column.name,), Categories

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column with such a word on either side."""
        for column in history.shared(kind=(Kind.CATEGORY, Kind.TEXT)):
            before, now = (_words(side, column) for side in (history.reference, history.now))
            if not (before.hits or now.hits) or not min(before.rows, now.rows):
                continue
            tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
            effect = share_change(before.hits, before.rows, now.hits, now.rows, tolerance=tolerance)
            was, is_ = before.hits / before.rows, now.hits / now.rows
            words = sorted({*before.words, *now.words})
            told = ", ".join(repr(word) for word in words[:4])
            yield Finding(
                self.name,
                column.name,
                f"{told} {percent(was)} → {percent(is_)} of {column.name!r}: probably missing",
                effect,
                Rows(before.rows, now.rows),
                column=column.name,
                needs_rows=needed(effect, max(was, is_)),
                evidence={"share": describe.pair(was, is_), "words": words},
                shape=two_shares(
                    "stands for no value",
                    "a value",
                    (before.hits, now.hits),
                    (before.rows, now.rows),
                ),
                examples=_examples(history.now, column, now.words) if is_ > was else (),
                next=(f"read these words as missing where {column.name!r} is loaded",)
                if is_ > was
                else (),
            )


@dataclass(frozen=True)
class _Words:
    words: tuple[str, ...]
    hits: int
    rows: int


def _words(side: Profile, column: Column) -> _Words:
    counts = side.get(Categories, column.name)
    if counts is not None:
        assert counts.names is not None
        spots = np.flatnonzero(_stands_for_none(counts.names))
        return _Words(
            tuple(counts.name(int(spot)) for spot in spots),
            int(counts.tally[spots].sum()),
            counts.rows,
        )
    sample = sampled.kept(side)
    if sample.kept.schema.get_field_index(column.name) < 0:
        return _Words((), 0, 0)
    cells = sampled.texts(sample, column.name)
    weights = sample.multiplicity * sampled.worth(sample)
    chosen = _stands_for_none(cells)
    words = tuple(sorted({str(word) for word in cells.filter(pa.array(chosen)).to_pylist()}))
    rows = round(float(weights[np.asarray(cells.is_valid())].sum()))
    return _Words(words, min(round(float(weights[chosen].sum())), rows), rows)


def _stands_for_none(words: pa.Array) -> Any:
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(words))
    found = pc.is_in(plain, value_set=pa.array(PLACEHOLDERS))
    return np.asarray(pc.fill_null(found, fill_value=False), np.bool_)


def _examples(side: Profile, column: Column, words: tuple[str, ...]) -> tuple[dict[str, str], ...]:
    sample = sampled.kept(side)
    if sample.kept.schema.get_field_index(column.name) < 0:
        return ()
    cells = sampled.texts(sample, column.name)
    chosen = np.asarray(pc.is_in(cells, value_set=pa.array(words, pa.string())), np.bool_)
    return sampled.examples(side, column.name, chosen)
