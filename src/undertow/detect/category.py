"""Categories: how much of the traffic changed hands, and the one value whose share moved most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow.compute as pc

from undertow.core import sql
from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import to_text
from undertow.core.verdict import Effect
from undertow.stats import describe, sampled
from undertow.stats.counts import Counts
from undertow.stats.rows import needs_rows
from undertow.stats.share import largest_share_change
from undertow.stats.variation import pooled, total_variation
from undertow.summaries.categories import Categories

KINDS = (Kind.CATEGORY, Kind.BOOL)
_YES = frozenset({"1", "t", "true", "y", "yes"})


@dataclass(frozen=True)
class Compared:
    """The values of one column on both sides, aligned: rows of each, and what each is called."""

    before: Categories
    now: Categories

    @cached_property
    def _aligned(self) -> tuple[np.ndarray[Any, np.dtype[np.uint64]], Counts, Counts]:
        return self.before.aligned(self.now)

    @property
    def reference(self) -> Counts:
        """Rows of each value in the reference."""
        return self._aligned[1]

    @property
    def current(self) -> Counts:
        """Rows of each value now."""
        return self._aligned[2]

    @property
    def rows(self) -> Rows:
        """Rows with a value, on each side."""
        return Rows(self.before.rows, self.now.rows)

    def name(self, spot: int) -> str:
        """Return what the value at a position is called."""
        key = self._aligned[0][spot]
        for side in (self.before, self.now):
            at = int(np.searchsorted(side.keys, key))
            if at < len(side.keys) and side.keys[at] == key:
                return side.name(at)
        return "(values beyond the cap)"

    def shape(self, most: int = 12) -> Any:
        """Return what a chart of the shares draws."""
        moved = np.abs(
            self.reference / max(self.rows.reference, 1) - self.current / max(self.rows.current, 1)
        )
        top = np.argsort(-moved, kind="stable")[:most]
        rest = np.ones(len(moved), np.bool_)
        rest[top] = False
        names = [self.name(int(spot)) for spot in top]
        shape = dict(
            describe.shares(
                names,
                self.reference[top],
                self.current[top],
                rows=(self.rows.reference, self.rows.current),
            )
        )
        shape["others"] = {
            "count": int(rest.sum()),
            "reference": round(float(self.reference[rest].sum()) / max(self.rows.reference, 1), 6),
            "current": round(float(self.current[rest].sum()) / max(self.rows.current, 1), 6),
        }
        return shape


def compared(history: History, column: str) -> Compared | None:
    """Return the values of a column on both sides, or None where one side did not keep them."""
    before = history.reference.get(Categories, column)
    now = history.now.get(Categories, column)
    return None if before is None or now is None else Compared(before, now)


@dataclass(frozen=True)
class Category:
    """Half the sum of the absolute differences of the shares: the part of the rows that changed value.

    Values too rare for the data to resolve are pooled as "other"; the evidence says how many and how
    large they are.
    """

    name: ClassVar[str] = "drift.category"
    tolerance: float = 0.10

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the counts of every category that is compared."""
        for column in schema.of(kind=KINDS):
            if column.role not in {Role.ID, Role.IGNORE}:
                yield (column.name,), Categories

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a category."""
        for column in history.shared(kind=KINDS):
            values = compared(history, column.name)
            if values is not None:
                yield self._compare(history, column, values)

    def _compare(self, history: History, column: Column, values: Compared) -> Finding:
        check = f"{family(column)}.category"
        tolerance = history.tolerance(check, "total_variation", column.name, self.tolerance)
        ours, theirs = values.reference, values.current
        effect = total_variation(ours, theirs, tolerance=tolerance)
        if not effect.defined:
            says = f"{values.rows.reference:,} and {values.rows.current:,} usable values"
            return Finding(check, column.name, says, effect, values.rows, column=column.name)
        return Finding(
            check,
            column.name,
            _says(values),
            effect,
            values.rows,
            column=column.name,
            needs_rows=_needs(effect, ours + theirs),
            evidence=_evidence(values),
            shape=values.shape(),
        )


@dataclass(frozen=True)
class Share:
    """The one value whose share moved most, measured as Cohen's h, so that rare values count too.

    h 0.2 is 50 -> 60%, 10 -> 17%, 1 -> 4%, 0.1 -> 1.7%. The evidence counts every value that could
    have been picked.
    """

    name: ClassVar[str] = "drift.share"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `Category` asks for."""
        yield from Category().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a category: its value whose share moved most."""
        for column in history.shared(kind=KINDS):
            values = compared(history, column.name)
            if values is None:
                continue
            check = f"{family(column)}.share"
            tolerance = history.tolerance(check, "cohens_h", column.name, self.tolerance)
            ours, theirs = values.reference, values.current
            spot, effect = largest_share_change(ours, theirs, tolerance=tolerance)
            if spot < 0:
                continue
            held = np.flatnonzero(ours + theirs)
            spot = _telling(values, held) if len(held) == 2 else spot
            value = values.name(spot)
            before, now = ours[spot] / values.rows.reference, theirs[spot] / values.rows.current
            word = " (new)" if not ours[spot] else " (gone)" if not theirs[spot] else ""
            gone = not theirs[spot]
            says = f"{value!r}{word} {percent(before)} → {percent(now)} of rows"
            examples, steps = _rows_to_look_at(history, column.name, value, gone=gone)
            if 1 in {now, before if gone else now}:
                steps = (f"ask why every row {'had' if gone else 'has'} {column.name} = {value}",)
            if np.count_nonzero(ours) == np.count_nonzero(theirs) == 1 and {before, now} == {0, 1}:
                was, is_ = (values.name(int(side.argmax())) for side in (ours, theirs))
                says = f"{was!r} in every row of the reference, {is_!r} in every row now"
                steps = (
                    f"leave it out, as it only tells the two sides apart: --ignore {column.name}",
                )
            yield Finding(
                check,
                f"{column.name}={value}",
                says,
                effect,
                values.rows,
                column=column.name,
                value=value,
                needs_rows=_share_needs(effect, ours + theirs),
                evidence={
                    "share": describe.pair(before, now),
                    "rows": describe.pair(float(ours[spot]), float(theirs[spot])),
                    "values_compared": int(np.count_nonzero(ours + theirs)),
                },
                shape=values.shape(),
                examples=examples,
                next=steps,
            )


def _telling(values: Compared, held: Counts) -> int:
    """Return which of two values to tell of: the one that says yes, else the reference's rarer one.

    Both moved by the same h.
    """
    for spot in held:
        if values.name(int(spot)).strip().casefold() in _YES:
            return int(spot)
    return int(held[values.reference[held].argmin()])


def _rows_to_look_at(
    history: History, name: str, value: str, *, gone: bool
) -> tuple[tuple[dict[str, str], ...], tuple[str, ...]]:
    """Return a few rows that hold the value, and how to see what else is different about them."""
    side = history.reference if gone else history.now
    rows = sampled.kept(side).kept
    if rows.schema.get_field_index(name) < 0:
        return (), ()
    cells = pc.equal(to_text(rows.column(name).combine_chunks()), value).to_pylist()
    column, word = sql.name(name), sql.text(value)
    which = "REFERENCE" if gone else "CURRENT"
    holds = np.array([each is True for each in cells])
    step = f"see how rows with {name} = {value} differ from the rest: " + sql.rest(
        which, f"{column} = {word}", f"{column} <> {word}"
    )
    # A column that was made of another is not in the data, where the step would look for it.
    return sampled.examples(side, name, holds), () if side.column(name).origin else (step,)


def _share_needs(effect: Effect, weights: Counts) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    return needs_rows("cohens_h", effect.tolerance, probabilities=weights)


def _needs(effect: Effect, weights: Counts) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    return needs_rows("total_variation", effect.tolerance, probabilities=weights)


def _says(values: Compared) -> str:
    ours = values.reference / values.rows.reference
    theirs = values.current / values.rows.current
    order = np.argsort(-np.abs(theirs - ours), kind="stable")[:2]
    moved = []
    for spot in order:
        word = " (new)" if not ours[spot] else " (gone)" if not theirs[spot] else ""
        moved.append(
            f"{values.name(int(spot))!r}{word} {percent(ours[spot])} → {percent(theirs[spot])}"
        )
    return ", ".join(moved)


def _evidence(values: Compared) -> dict[str, Any]:
    ours, theirs = values.reference, values.current
    other = pooled(ours, theirs)
    new, gone = (
        np.flatnonzero((ours == 0) & (theirs > 0)),
        np.flatnonzero((theirs == 0) & (ours > 0)),
    )
    return {
        **describe.divergences(ours, theirs),
        "distinct": describe.pair(values.before.distinct, values.now.distinct),
        "new_values": _listed(values, new, theirs, values.rows.current),
        "vanished_values": _listed(values, gone, ours, values.rows.reference),
        "resolved": other.resolved,
        "pooled": other.categories,
        "pooled_share": describe.pair(other.share_reference, other.share_current),
        "beyond_cap": describe.pair(values.before.pooled, values.now.pooled),
    }


def _listed(values: Compared, spots: Any, counts: Counts, rows: int) -> dict[str, Any]:
    """Return how many values there are, their share, and the eight commonest by name."""
    top = spots[np.argsort(-counts[spots], kind="stable")[:8]]
    return {
        "count": len(spots),
        "share": float(counts[spots].sum() / max(rows, 1)),
        "commonest": {values.name(int(s)): round(float(counts[s] / max(rows, 1)), 6) for s in top},
    }
