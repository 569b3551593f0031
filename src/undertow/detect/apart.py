"""What a classifier can tell apart: the share of rows it can assign to a set, and by what.

Columns may each stand still and yet move together; a classifier sees what no single column shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import EVERY, Batch, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.stats.classify import Apart, told_apart, word_counts
from undertow.stats.counts import stream
from undertow.summaries.sample import RowSample

LEAST = 60
"""Rows a side below which a classifier learns nothing."""
MOST = 4096
"""Rows a side that it is shown."""
CODES = 254
"""Values of a category told apart, the commonest of both sides; the others are one."""
NAMED = 5
"""Columns named as what tells the sets apart."""
_UNREAD = frozenset({Role.ID, Role.TIME, Role.IGNORE, Role.VERSION})
_READ = frozenset({Kind.NUMBER, Kind.TIME, Kind.CATEGORY, Kind.BOOL, Kind.TEXT})


@dataclass
class _Table:
    """The rows of both sides as numbers: what a classifier reads."""

    columns: list[NDArray[np.float64]] = field(default_factory=list)
    groups: dict[str, list[int]] = field(default_factory=dict)
    named: list[int] = field(default_factory=list)
    texts: dict[int, object] = field(default_factory=dict)

    def add(self, group: str, column: NDArray[np.float64]) -> int:
        """Add a column to the group it is named by; return its place."""
        spot = len(self.columns)
        self.columns.append(column)
        self.groups.setdefault(group, []).append(spot)
        return spot


@dataclass(frozen=True)
class ToldApart:
    """The share of rows that a classifier can tell apart, scored on rows it was not trained on.

    The largest gap between the distributions of its scores: 0 for two halves of one set, 1 for sets
    that share nothing. The AUC and its interval are in the evidence. It reads up to 4,096 rows a
    side; identifiers, clocks, vectors and images are not shown to it.
    """

    name: ClassVar[str] = "skew.told_apart"
    tolerance: float = 0.10
    first: str = "the reference"
    second: str = "the current set"

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for a sample of whole rows."""
        yield EVERY, RowSample

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding for all columns together."""
        samples = [side.get(RowSample, *EVERY) for side in (history.reference, history.now)]
        shared = [c for c in history.reference.schema if c.name in history.now.schema]
        read = [c for c in shared if c.role not in _UNREAD and c.kind in _READ]
        if samples[0] is None or samples[1] is None or not read:
            return
        tolerance = history.tolerance(self.name, "cdf_gap", "all columns", self.tolerance)
        seen = [dealt(sample) for sample in samples if sample is not None]
        rows = Rows(*(len(each) for each in seen))
        if min(rows.reference, rows.current) < LEAST:
            nothing = Effect("cdf_gap", math.nan, math.nan, math.nan, tolerance, 1.0)
            yield Finding(self.name, "all columns", "too few rows", nothing, rows, needs_rows=LEAST)
            return
        tables = [
            sample.kept.take(spots) for sample, spots in zip(samples, seen, strict=True) if sample
        ]
        table = _encoded(history.reference, read, *tables)
        side = np.repeat([False, True], [rows.reference, rows.current])
        found = told_apart(
            np.column_stack(table.columns),
            side,
            table.groups,
            first=np.concatenate([_half(history.reference, read, each) for each in tables]),
            named=table.named,
            texts=table.texts,
            tolerance=tolerance,
        )
        yield Finding(
            self.name,
            "all columns",
            self._says(found),
            found.effect,
            rows,
            evidence=_evidence(found),
            causes=tuple(_named(found)),
        )

    def _says(self, found: Apart) -> str:
        effect = found.effect
        span = f"{percent(effect.low).removesuffix('%')}-{percent(effect.high)}"
        told = f"a classifier tells {percent(effect.value)} of rows of {self.second} ({span})"
        columns = [driver.column for driver in _drivers(found)]
        return f"{told} from {self.first}" + (f", by {', '.join(columns[:3])}" if columns else "")


def dealt(sample: RowSample) -> pa.Array:
    """Return which kept rows to read, each as often as it stands for rows, at most MOST in all.

    A content that occurred once is never read twice: what is trained on must not be scored.
    """
    weights = sample.multiplicity
    total = int(weights.sum())
    if total <= MOST:
        copies = weights
    else:
        steps = (np.cumsum(weights) * (MOST / total) + stream().random()).astype(np.int64)
        copies = np.minimum(np.diff(steps, prepend=0), weights)
    return pa.array(np.repeat(np.arange(len(weights)), copies))


def _half(profile: Profile, read: list[Column], table: pa.Table) -> NDArray[np.bool_]:
    """Return which half each row is learned with: by its content, so that twins stay together."""
    rows = Batch(profile, table)
    total = np.zeros(table.num_rows, np.uint64)
    for column in read:
        total += rows[column.name].hashes * np.uint64(hashing.hash_text(column.name) | 1)
    return (hashing.mix(total) & np.uint64(1)).astype(np.bool_)


def _encoded(profile: Profile, read: list[Column], before: pa.Table, now: pa.Table) -> _Table:
    """Return the rows of both sides as numbers, and which belong to which column of the data."""
    made = _Table()
    sides = Batch(profile, before), Batch(profile, now)
    wanted = {column.name for column in read}
    derived = [column for column in profile.derived if column.origin in wanted]
    for column in (*read, *derived):
        group = column.origin or column.name
        values = [rows[column.name] for rows in sides]
        if column.kind in {Kind.NUMBER, Kind.TIME}:
            numbers = np.concatenate([each.floats for each in values])
            made.add(group, np.clip(numbers, -1e300, 1e300))
        elif column.kind in {Kind.CATEGORY, Kind.BOOL}:
            strings = pa.chunked_array([each.strings.cast(pa.large_string()) for each in values])
            made.named.append(made.add(group, _codes(strings.combine_chunks())))
        elif column.kind is Kind.TEXT:
            texts = [text or "" for each in values for text in each.strings.to_pylist()]
            words = word_counts(texts)
            if words is not None:
                made.texts[made.add(group, np.zeros(len(texts)))] = words
    return made


def _codes(strings: pa.Array) -> NDArray[np.float64]:
    """Return each value's place among the commonest, ties by name; missing is not a number."""
    counts = pc.value_counts(strings.drop_null())
    pairs = zip(counts.field(1).to_pylist(), counts.field(0).to_pylist(), strict=True)
    common = [name for _, name in sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:CODES]]
    codes = pc.index_in(strings, pa.array(common, strings.type))
    floats = np.asarray(codes.cast(pa.float64()).fill_null(float(CODES)))
    return np.where(np.asarray(strings.is_valid()), floats, np.nan)


def _drivers(found: Apart) -> list[Any]:
    """Return the columns that matter: those whose loss costs most, else those that go far alone."""
    reach = found.auc - 0.5
    needed = [each for each in found.drivers if each.drop >= max(0.1 * reach, 0.01)]
    alone = sorted(found.drivers, key=lambda each: (-each.alone, each.column))
    return (needed or [each for each in alone if each.alone >= max(0.5 * reach, 0.01)])[:NAMED]


def _named(found: Apart) -> Iterator[str]:
    for each in _drivers(found):
        yield (
            f"{each.column}: AUC {found.auc:.2f}, {found.auc - each.drop:.2f} without it, "
            f"{0.5 + each.alone:.2f} by it alone"
        )


def _evidence(found: Apart) -> dict[str, Any]:
    low, high = found.interval
    return {
        "auc": round(found.auc, 6),
        "auc_interval": [round(low, 6), round(high, 6)],
        "columns": [
            {
                "column": each.column,
                "auc_drop": round(each.drop, 6),
                "auc_alone": round(0.5 + each.alone, 6),
            }
            for each in found.drivers[:20]
        ],
    }
