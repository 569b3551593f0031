"""Documents to be indexed, from a file or a frame: ids, texts, and vectors where it has any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.encode import Matrix
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.values import to_text
from undertow.core.vectors import NOT_FINITE, NULL, RAGGED, STATES, ZERO, matrix
from undertow.sources import gathered, open_dataset
from undertow.sources.golden import COLUMNS

WHOLE, TEXT = "whole numbers", "text"
_WHOLE = re.compile(r"-?(0|[1-9]\d*)")


@dataclass(frozen=True, eq=False)
class Listed:
    """Documents of one source: an id each, texts or None, vectors (n, d) or None.

    A vector that is missing, of another length or not finite is a row of NaN. `kind` says what the ids
    were made of.
    """

    source: str
    ids: list[str]
    texts: list[str | None] | None
    vectors: Matrix | None
    kind: str
    notes: tuple[str, ...]


def read_documents(
    data: Any,
    *,
    id: str | None = None,  # noqa: A002 - what the column is called by everybody
    text: str | None = None,
    vector: str | None = None,
    where: str | None = None,
) -> Listed:
    """Return the documents in a file, a folder or a frame, by their usual column names or those given.

    Raises UsageError for a column that is not there, DataError for ids that are missing or neither text
    nor whole numbers, or where there are no rows.
    """
    rows = open_dataset(data, where=where)
    if vector is not None:
        rows, (vector, *_) = gathered(rows, [vector])
    named = _named(rows, "id", id, COLUMNS["doc_id"][1])
    told = _named(rows, "text", text, COLUMNS["doc_text"][1], needed=vector is None)
    wanted = list(dict.fromkeys(name for name in (named, told, vector) if name is not None))
    for name in wanted:
        if name not in rows.arrow.names:
            hint = did_you_mean(name, rows.arrow.names)
            raise UsageError(f"{rows.source}: no column {name!r}{hint}")
    table = pa.Table.from_batches(
        rows.batches(wanted), pa.schema([rows.arrow.field(name) for name in wanted])
    )
    if not len(table):
        raise DataError(f"{rows.source} holds no documents")
    assert named is not None
    ids, kind, notes = _ids(rows.source, named, table[named])
    texts = None if told is None else to_text(table[told].combine_chunks()).to_pylist()
    vectors = None
    if vector is not None:
        vectors, said = _vectors(rows.source, vector, table[vector])
        notes += said
    return Listed(rows.source, ids, texts, vectors, kind, tuple(notes))


def _named(
    rows: Dataset, what: str, given: str | None, usual: Sequence[str], *, needed: bool = True
) -> str | None:
    if given is not None:
        return given
    lower = {name.lower(): name for name in reversed(rows.arrow.names)}
    for name in usual:
        if name in lower:
            return str(lower[name])
    if not needed:
        return None
    there = ", ".join(map(repr, rows.arrow.names[:8]))
    raise UsageError(
        f"{rows.source}: no column is called {' or '.join(usual[:3])}; say which is the {what} with "
        f"--{what} COLUMN; there is {there}"
    )


def _ids(source: str, name: str, column: pa.ChunkedArray) -> tuple[list[str], str, list[str]]:
    """Return ids as text, what they were made of, and notes."""
    notes: list[str] = []
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count:
        first = next(row for row, each in enumerate(column) if not each.is_valid)
        raise DataError(
            f"{source}: {column.null_count:,} of {len(column):,} ids in {name!r} are missing, the "
            f"first in row {first + 1:,}; give each document one"
        )
    if pa.types.is_floating(kind):
        numbers = np.asarray(column.combine_chunks().cast(pa.float64()))
        if not (np.isfinite(numbers) & (numbers == np.rint(numbers))).all():
            odd = numbers[~(np.isfinite(numbers) & (numbers == np.rint(numbers)))][0]
            raise DataError(f"{source}: ids in {name!r} are decimals ({odd:g}); give whole numbers")
        most = 2.0 ** {16: 11, 32: 24}.get(kind.bit_width, 53)
        if (np.abs(numbers) > most).any():
            odd = numbers[np.abs(numbers) > most][0]
            raise DataError(
                f"{source}: ids in {name!r} are decimals, which hold no whole number beyond {most:,.0f} "
                f"exactly ({odd:.17g}): two documents may share one; give text or whole numbers"
            )
        notes.append(f"ids in {name!r} are decimals without a fraction, read as whole numbers")
        return [str(int(each)) for each in numbers.tolist()], WHOLE, notes
    if pa.types.is_integer(kind):
        return to_text(column.combine_chunks()).to_pylist(), WHOLE, notes
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{source}: ids in {name!r} are of type {kind}; give text or whole numbers")
    ids = to_text(column.combine_chunks()).to_pylist()
    blank = [row for row, each in enumerate(ids) if not each.strip()]
    if blank:
        raise DataError(
            f"{source}: {len(blank):,} of {len(ids):,} ids in {name!r} are empty, the first in row "
            f"{blank[0] + 1:,}; give each document one"
        )
    return ids, TEXT, notes


def check_kind(source: str, listed: Listed, kind: str) -> None:
    """Raise DataError where ids are of another type than those of an index: nothing would join."""
    if kind == WHOLE and listed.kind == TEXT:
        odd = next((each for each in listed.ids if not _WHOLE.fullmatch(each)), None)
        if odd is not None:
            raise DataError(
                f"{listed.source}: its ids are text ({odd!r}), and those of {source} whole numbers: "
                "the same document would stand there twice"
            )
    if kind == TEXT and listed.kind == WHOLE:
        raise DataError(
            f"{listed.source}: its ids are whole numbers ({listed.ids[0]}), and those of {source} "
            "text: the same document may stand there twice; give the ids as text"
        )


def _vectors(source: str, name: str, column: pa.ChunkedArray) -> tuple[Matrix, list[str]]:
    found = matrix(column)
    if not found.dimensions:
        raise DataError(f"{source}: {name!r} holds no vectors")
    words = {
        NULL: "are missing",
        RAGGED: f"do not have {found.dimensions} numbers",
        NOT_FINITE: "hold NaN or infinity",
        ZERO: "are all zeros",
    }
    notes = [
        f"{found.counts[code]:,} of {len(found):,} vectors {words[code]}: those documents are kept, "
        "and no search finds them"
        for code in range(1, len(STATES))
        if found.counts[code]
    ]
    rows = found.rows
    lost = np.isin(found.state, (NULL, RAGGED, NOT_FINITE))
    if lost.any():
        rows = rows.copy()
        rows[lost] = np.nan
    return rows, notes
