"""Rows that two sets share: leaks of whole rows, of texts, and of identifiers.

That a row of one set is in another one is a fact of these two sets, not an estimate, so a leak has
no interval (beyond a million distinct rows it is read from a sample, and has one). Rows of a coarse
table repeat by nature: a leak is more than rows repeat inside the reference, and more of the rows
than the tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from undertow.core.check import Check, History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import EVERY, Batch, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import to_text
from undertow.core.verdict import Verdict
from undertow.detect.apart import ToldApart
from undertow.summaries.overlap import Contents, Shared, Texts
from undertow.summaries.sample import RowSample

SUBJECT = "shared rows"
EXAMPLES = 5
"""Leaked rows shown."""
SHOWN = 200
"""Characters of a cell shown."""


@dataclass(frozen=True)
class Sides:
    """What the two sets are called."""

    first: str = "the reference"
    second: str = "the current set"


@dataclass(frozen=True)
class Leak(Sides):
    """Rows of one set whose content is also in the other, label, prediction and identifier aside.

    `tolerance` is the share of the second set's rows; that the same input carries another label is
    counted apart.
    """

    name: ClassVar[str] = "skew.rows"
    tolerance: float = 0.001

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the contents of all rows."""
        if any(column.role in {Role.FEATURE, Role.SEGMENT} for column in schema):
            yield EVERY, Contents

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding: how many rows leak."""
        before, now = (side.get(Contents, *EVERY) for side in (history.reference, history.now))
        if before is None or now is None:
            return
        gone = [name for name in before.names if name not in history.now.schema]
        if gone:
            says = f"cannot look for shared rows: {self.second} has no column {gone[0]!r}"
            yield Finding(self.name, SUBJECT, says, rows=Rows(before.rows, now.rows))
            return
        found = before.shared(now)
        limit = history.tolerance(self.name, "shared_rows", "rows", self.tolerance)
        yield Finding(
            self.name,
            SUBJECT,
            _says(self, found, "rows") + _relabelled(found),
            rows=Rows(before.rows, now.rows),
            verdict=_verdict(found, limit),
            evidence=_evidence(found, limit)
            | {"same_input_other_label": found.relabelled, "content": list(before.names)},
            examples=_examples(history, before, EVERY, found),
            next=_next(found, limit, self),
        )


@dataclass(frozen=True)
class SameTexts(Sides):
    """Texts of one set that are also in the other but for case, white space and Unicode forms."""

    name: ClassVar[str] = "skew.text"
    tolerance: float = 0.001
    kind: ClassVar[type[Contents]] = Texts
    word: ClassVar[str] = "texts"

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        """Return the columns that are looked at."""
        kept = (c for c in schema.of(kind=Kind.TEXT) if c.role in {Role.FEATURE, Role.SEGMENT})
        return tuple(column for column in kept if not column.origin)

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the contents of each column."""
        for column in self.columns(schema):
            yield (column.name,), self.kind

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column."""
        for column in self.columns(history.reference.schema):
            before = history.reference.get(self.kind, column.name)
            now = history.now.get(self.kind, column.name)
            if before is None or now is None:
                continue
            found = before.shared(now)
            limit = history.tolerance(self.name, "shared_rows", column.name, self.tolerance)
            yield Finding(
                self.name,
                column.name,
                _says(self, found, self.word),
                rows=Rows(before.rows, now.rows),
                verdict=_verdict(found, limit),
                column=column.name,
                evidence=_evidence(found, limit),
                examples=_examples(history, before, (column.name,), found),
                next=_next(found, limit, self),
            )


@dataclass(frozen=True)
class SameIds(SameTexts):
    """Identifiers of one set that are also in the other, where an identifier is declared."""

    name: ClassVar[str] = "skew.id"
    kind: ClassVar[type[Contents]] = Contents
    word: ClassVar[str] = "identifiers"

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        """Return the declared identifiers: a guessed one may only number the rows of its file."""
        return tuple(c for c in schema.of(role=Role.ID) if "declared" in c.why)


def pair_checks(first: str, second: str) -> tuple[Check, ...]:
    """Return the checks that are asked only of two sets side by side, not of traffic."""
    return (
        Leak(first, second),
        SameTexts(first, second),
        SameIds(first, second),
        ToldApart(first=first, second=second),
    )


def _verdict(found: Shared, tolerance: float) -> Verdict:
    if not found.held_now or not found.held_reference:
        return Verdict.UNKNOWN
    low, high = found.interval
    usual = found.usual
    if low > tolerance and low * found.held_now > usual:
        return Verdict.CHANGED
    if high > tolerance and high * found.held_now > usual:
        return Verdict.UNKNOWN
    return Verdict.STEADY


def _says(sides: Sides, found: Shared, what: str) -> str:
    if not found.held_now or not found.held_reference:
        return f"nothing to compare: one side holds no {what}"
    counted = f"{found.rows_now:,} of {found.held_now:,} {what} of {sides.second}"
    if not found.rows_now:
        return f"no {what} of {sides.second} are in {sides.first}"
    low, high = found.interval
    span = percent(found.share) if found.exact else f"{percent(low)} to {percent(high)}, sampled"
    said = f"{counted} ({span}) are also in {sides.first}"
    if found.repeats and found.rows_now <= found.usual:
        inside = percent(found.repeats / found.held_reference)
        return f"{said}, as often as they repeat inside it ({inside})"
    return said


def _relabelled(found: Shared) -> str:
    return f"; {found.relabelled:,} of them with another label" if found.relabelled else ""


def _evidence(found: Shared, tolerance: float) -> dict[str, Any]:
    low, high = found.interval
    inside = found.repeats / found.held_reference if found.held_reference else None
    looked = bool(found.held_now)
    return {
        "share": found.share if looked else None,
        "interval": [low, high] if looked else None,
        "exact": found.exact,
        "rows_of_first_in_second": found.rows_reference,
        "rows_of_second_in_first": found.rows_now,
        "distinct_shared": len(found.keys),
        "repeats_inside_first": inside,
        "usual_rows": round(found.usual, 1),
        "tolerance": tolerance,
    }


def _next(found: Shared, tolerance: float, sides: Sides) -> tuple[str, ...]:
    if _verdict(found, tolerance) is not Verdict.CHANGED:
        return ()
    return (f"take the shared rows out of {sides.second}, or split again by content",)


def _examples(
    history: History, contents: Contents, columns: tuple[str, ...], found: Shared
) -> tuple[dict[str, str], ...]:
    """Return a few leaked rows as the sample of either side holds them, always the same ones."""
    for side in (history.now, history.reference):
        table, hashes = _hashed(side, contents, columns)
        if table is None or not len(found.keys):
            continue
        spots = np.flatnonzero(np.isin(hashes, found.keys))
        first = np.unique(hashes[spots], return_index=True)[1][:EXAMPLES] if len(spots) else spots
        if len(first):
            chosen = table.take(pa.array(spots[first]))
            shown = {
                name: to_text(chosen.column(name).combine_chunks()) for name in chosen.column_names
            }
            return tuple(
                {name: str(cells[row].as_py())[:SHOWN] for name, cells in shown.items()}
                for row in range(len(first))
            )
    return ()


def _hashed(
    side: Profile, contents: Contents, columns: tuple[str, ...]
) -> tuple[pa.Table | None, np.ndarray[Any, np.dtype[np.uint64]]]:
    sample = side.get(RowSample, *EVERY)
    if sample is None or not sample.kept.num_rows:
        return None, np.empty(0, np.uint64)
    rows = Batch(side, sample.kept)
    there = set(sample.kept.column_names)
    values = tuple(rows[c.name] for c in side.described(columns) if c.name in there)
    return sample.kept, contents.hash(values, contents.names)
