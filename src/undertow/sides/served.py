"""What a system served, read once: items, texts, vectors, times and sessions, a row a serving."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError
from undertow.core.hashing import hash_integers
from undertow.core.profile import Profile
from undertow.core.values import to_text
from undertow.core.vectors import Matrix, is_list, matrix
from undertow.observe.blocks import moments
from undertow.options import Progress
from undertow.sources import gathered, open_dataset
from undertow.sources.edge import project
from undertow.stats.neighbours import unit
from undertow.stores import profile_file

MOST = 50_000
"""Rows a side whose texts and vectors are compared, drawn by their places."""
Spots = NDArray[np.int64]


@dataclass(frozen=True)
class Wanted:
    """Which columns are read, by what they are; None where one is not asked for."""

    item: str | None = None
    text: str | None = None
    vector: str | None = None
    time: str | None = None
    session: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns that are read, each once."""
        given = (self.item, self.text, self.vector, self.time, self.session)
        return list(dict.fromkeys(name for name in given if name is not None))


@dataclass(frozen=True, eq=False)
class Side:
    """One side: its rows, and what was read of them, None where it was not asked for.

    `items` and `sessions` are texts, null where missing, a row each, and `times` (n,) microseconds
    (`timed` where known). `drawn` are the places of the rows whose `texts` and `vectors` (m, d), of
    length 1, were kept; `fine` (m,) says which vectors are usable.
    """

    source: str
    rows: int
    digest: str | None
    items: pa.Array | None
    sessions: Spots | None
    times: Spots | None
    timed: NDArray[np.bool_] | None
    dated: bool
    drawn: Spots
    texts: pa.Array | None
    vectors: Matrix | None
    fine: NDArray[np.bool_] | None
    notes: tuple[str, ...] = ()

    def sessions_of(self, places: Spots) -> Spots | None:
        """Return the session of the rows at these places."""
        return None if self.sessions is None else self.sessions[places]


def opened(data: Any, wanted: Wanted, where: str | None) -> tuple[Dataset, Wanted]:
    """Return the rows and their columns; raise UsageError where one is not there or no vector."""
    saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    if saved or isinstance(data, Profile):
        raise UsageError("a profile holds no servings; give the data")
    rows = open_dataset(data, where=where)
    vector = wanted.vector
    if vector is not None:
        rows, (vector, *_) = gathered(rows, [vector])
    wanted = Wanted(wanted.item, wanted.text, vector, wanted.time, wanted.session)
    project(rows.arrow.names, wanted.names, rows.source)
    for name in filter(None, (wanted.item, wanted.text, wanted.time, wanted.session)):
        kind = rows.arrow.field(name).type
        if is_list(kind):
            raise UsageError(
                f"{rows.source}: column {name!r} holds lists ({kind}); write one row a serving"
            )
    if vector is not None and not is_list(rows.arrow.field(vector).type):
        raise UsageError(
            f"{rows.source}: column {vector!r} is {rows.arrow.field(vector).type}, no vector; a "
            "vector is a list of numbers of one length"
        )
    return rows, wanted


@dataclass(eq=False)
class _Kept:
    """Columns of some rows: those whose places hash lowest, once there are too many."""

    names: tuple[str, ...]
    most: int
    parts: list[pa.Table] = field(default_factory=list)
    places: list[Spots] = field(default_factory=list)
    held: int = 0

    def take(self, batch: pa.RecordBatch, start: int) -> None:
        """Take the rows of a batch, the first of which stands at place `start`."""
        if not self.names:
            return
        self.parts.append(pa.Table.from_batches([batch.select(self.names)]))
        self.places.append(np.arange(start, start + batch.num_rows))
        self.held += batch.num_rows
        if self.held > 2 * self.most:
            self.cut()

    def cut(self) -> tuple[pa.Table | None, Spots]:
        """Keep no more rows than are compared, and return them with their places, in order."""
        places = np.concatenate([np.empty(0, np.int64), *self.places])
        if not self.parts:
            return None, places
        table = pa.concat_tables(self.parts)
        if len(places) > self.most:
            order = np.argsort(hash_integers(places), kind="stable")[: self.most]
            order.sort()
            table, places = table.take(pa.array(order)), places[order]
        self.parts, self.places, self.held = [table], [places], len(places)
        return table, places


def read(
    rows: Dataset, wanted: Wanted, stage: str, progress: Progress | None, *, most: int = MOST
) -> Side:
    """Return one side, read once; only `most` texts and vectors are kept, drawn by their places."""
    kept = _Kept(tuple(dict.fromkeys(filter(None, (wanted.text, wanted.vector)))), most)
    plain = {name: list[pa.Array]() for name in filter(None, (wanted.item, wanted.session))}
    times: list[pa.Array] = []
    done = 0
    for batch in rows.batches(wanted.names):
        for name, parts in plain.items():
            parts.append(identities(batch.column(name)))
        if wanted.time is not None:
            times.append(batch.column(wanted.time))
        kept.take(batch, done)
        done += batch.num_rows
        if progress is not None:
            progress(stage, done, None)
    table, drawn = kept.cut()
    found = {name: _joined(parts) for name, parts in plain.items()}
    moment, timed, dated = None, None, False
    if wanted.time is not None:
        kind = rows.arrow.field(wanted.time).type
        moment, timed, dated = moments(pa.chunked_array(times, kind))
    texts = vectors = fine = None
    notes = []
    if done > len(drawn) and kept.names:
        notes.append(f"{rows.source}: the texts of {most:,} of {done:,} rows are compared")
    if wanted.text is not None:
        cells = pa.chunked_array([], pa.string()) if table is None else table.column(wanted.text)
        texts = _text(cells)
    if wanted.vector is not None:
        kind = rows.arrow.field(wanted.vector).type
        cells = pa.chunked_array([], kind) if table is None else table.column(wanted.vector)
        made = matrix(cells)
        vectors, fine = unit(made.rows), made.fine
        if not fine.all():
            bad = int((~fine).sum())
            notes.append(f"{rows.source}: {bad:,} of {len(fine):,} rows have no usable vector")
    return Side(
        rows.source,
        done,
        rows.digest(),
        None if wanted.item is None else found[wanted.item],
        None if wanted.session is None else _numbered(found[wanted.session]),
        moment,
        timed,
        dated,
        drawn,
        texts,
        vectors,
        fine,
        tuple(notes),
    )


def identities(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return ids as texts, so that 12 and "12" are one; blank ones and NaN are missing.

    >>> identities(pa.array([12.0, float("nan")])).to_pylist()
    ['12', None]
    >>> identities(pa.array(["12 ", ""])).to_pylist()
    ['12', None]
    """
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    plain = pc.utf8_trim_whitespace(_text(cells))
    return pc.if_else(pc.equal(plain, ""), None, plain)


def _text(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    if isinstance(cells, pa.ChunkedArray):
        cells = pa.nulls(0, cells.type)
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_binary(cells.type) or pa.types.is_large_binary(cells.type):
        raise DataError("a column of bytes is no text; decode it first")
    return to_text(cells).cast(pa.large_string())


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    whole = pa.chunked_array(list(parts), pa.large_string()).combine_chunks()
    return pa.nulls(0, pa.large_string()) if isinstance(whole, pa.ChunkedArray) else whole


def _numbered(sessions: pa.Array) -> Spots:
    """Return a number for each session; a row without one is a session of its own."""
    codes = np.asarray(pc.fill_null(sessions.dictionary_encode().indices, -1), np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = int(codes.max(initial=-1)) + 1 + np.arange(len(alone))
    return codes
