"""The rows of one side that have a vector, and what else a profile knows of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.profile import EVERY, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.values import to_text
from undertow.core.vectors import Matrix, matrix
from undertow.stats.counts import stream
from undertow.summaries.sample import RowSample

MOST = 4096
"""Rows of a side that are compared: what a profile keeps of it."""


@dataclass(frozen=True, eq=False)
class Side:
    """The vectors (n, d) of one side's sampled rows, and what else is known of them.

    `total` is how many rows of the data they stand for.
    """

    rows: Matrix
    table: pa.Table
    schema: Schema
    total: int

    def only(self, which: NDArray[np.bool_]) -> Side:
        """Return the side with some of its rows."""
        spots = np.flatnonzero(which)
        table = self.table.take(pa.array(spots))
        total = round(self.total * len(spots) / max(len(which), 1))
        return replace(self, rows=self.rows[spots], table=table, total=total)

    def of(self, kind: Kind) -> list[str]:
        """Return the columns of a kind that are here, in the data's order."""
        names = [column.name for column in self.schema.of(kind=kind)]
        return [name for name in names if name in self.table.column_names]

    def role(self, role: Role) -> str | None:
        """Return the first column of a role that is here."""
        column = self.schema.one(role)
        return column.name if column and column.name in self.table.column_names else None


def side_of(profile: Profile, column: Column) -> Side | None:
    """Return the fine vectors of a profile's sample, a row as often as it occurred."""
    sample = profile.get(RowSample, *EVERY)
    if sample is None or column.name not in sample.kept.column_names:
        return None
    wide = getattr(profile.lenses.get(column.name), "dimensions", 0) or None
    found = matrix(sample.kept.column(column.name), wide)
    spots = np.repeat(np.arange(len(found)), sample.multiplicity)
    spots = spots[found.fine[spots]]
    if len(spots) > MOST:
        spots = np.sort(stream().choice(spots, MOST, replace=False))
    table = sample.kept.drop_columns([column.name]).take(pa.array(spots))
    return Side(found.rows[spots], table, profile.schema, profile.rows)


def words_of(table: pa.Table, name: str) -> NDArray[np.object_]:
    """Return a column as text, "" where it is missing."""
    cells = to_text(table.column(name).combine_chunks()).fill_null("")
    return np.asarray(cells.to_pylist(), dtype=object)
