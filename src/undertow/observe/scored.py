"""One column of both sides, read to be scored: the reference rows in use, and a score a current row.

The reference is read twice: once for a hash of each row's content, 8 bytes a row, and once for the
rows of lowest hash. The current rows are read once. Neither side is ever in memory whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.embeds import Embeds
from undertow.core.encode import encode
from undertow.core.hashing import hash_strings, mix
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.core.vectors import FINE, NULL, STATES, ZERO, Matrix, matrix
from undertow.observe.blocks import moments
from undertow.stats import unfamiliar
from undertow.stats.unfamiliar import Unfamiliar

EXAMPLES = 5
"""Rows of highest score that are kept to be shown."""
SHOWN = 120
"""Characters of a text that are kept of those."""

States = NDArray[np.int8]
Counts = NDArray[np.int64]
Odd = tuple[float, int, dict[str, str]]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Side:
    """One side: its rows, the column that is scored, and how cells of it become vectors.

    `others` are the columns read beside it. `said` marks a classifier's scores: there a row of zeros
    is one that can be scored. `encoder` makes the vectors of a text column.
    """

    rows: Dataset
    column: str
    kind: Kind
    others: tuple[str, ...] = ()
    said: bool = False
    dimensions: int | None = None
    encoder: Embeds | None = None
    progress: Progress | None = None

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return list(dict.fromkeys([self.column, *self.others]))

    def batches(self, stage: str = "") -> Iterator[pa.RecordBatch]:
        """Yield the rows, these columns of them; tell how far a stage is."""
        done = 0
        for batch in self.rows.batches(self.names):
            yield batch
            done += batch.num_rows
            if stage and self.progress is not None:
                self.progress(stage, done, None)

    def width(self) -> int | None:
        """Return how long the vectors are: as those of the first batch that has any."""
        if self.kind is Kind.TEXT:
            return None
        for batch in self.rows.batches([self.column]):
            found = matrix(batch.column(0))
            if self.scorable(found.state).any():
                return found.dimensions
        return None

    def hashed(self, cells: pa.Array) -> tuple[States, unfamiliar.Keys]:
        """Return the state of each cell, as `core.vectors` names them, and a hash of its content."""
        if self.kind is Kind.VECTOR:
            found = matrix(cells, self.dimensions)
            return found.state, unfamiliar.content_hashes(found.rows)
        texts = strings(self.column, cells)
        return _blank(texts), hash_strings(texts)

    def vectors(self, cells: pa.Array) -> tuple[Matrix, States]:
        """Return the vectors of cells (n, d), and the state of each."""
        if self.kind is Kind.VECTOR:
            found = matrix(cells, self.dimensions)
            return found.rows, found.state
        assert self.encoder is not None
        texts = strings(self.column, cells)
        # A text of which the encoder knows no word has zeros: as far from everything as can be.
        return np.nan_to_num(encode(self.encoder, texts.to_pylist())), _blank(texts)

    def scorable(self, state: States) -> NDArray[np.bool_]:
        """Return which rows can be scored."""
        return np.asarray((state == FINE) | (self.said & (state == ZERO)))

    def left_out(self, name: str, states: Counts) -> list[str]:
        """Return a note on the rows that cannot be scored, by what is wrong with them."""
        fine = self.scorable(np.arange(len(STATES), dtype=np.int8))
        last = "blank" if self.kind is Kind.TEXT else "zero"
        words = ("", "missing", "of another length", "with NaN or infinity", last)
        each = zip(states.tolist(), words, fine, strict=True)
        bad = [f"{rows:,} {word}" for rows, word, ok in each if rows and not ok]
        if not bad:
            return []
        total, rows = int(states[~fine].sum()), int(states.sum())
        return [f"{total:,} of {rows:,} {name} rows have nothing to score: {', '.join(bad)}"]


@dataclass(frozen=True)
class Known:
    """The reference rows in use, in the order of their content's hash, and how many were read.

    `cells` are the scored column's, `codes` the classes, -1 for none. `usable` counts all rows that
    could have been used, `states` all rows that were read, by state.
    """

    rows: int
    usable: int
    states: Counts
    cells: pa.Array
    codes: Counts | None

    @classmethod
    def of(cls, side: Side, label: str | None) -> Known:
        """Read the rows, at most 20,000 of them to be used."""
        rows, states = 0, np.zeros(len(STATES), np.int64)
        places, hashes = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        for batch in side.batches("reference"):
            state, found = side.hashed(batch.column(side.column))
            if label is not None:
                found = mix(found + hash_strings(strings(label, batch.column(label))))
            fine = side.scorable(state)
            places.append(rows + np.flatnonzero(fine))
            hashes.append(found[fine])
            states += np.bincount(state, minlength=len(STATES))
            rows += batch.num_rows
        usable = np.concatenate(places)
        order = np.argsort(unfamiliar.apart(np.concatenate(hashes)), kind="stable")
        table = _taken(side, usable[order[: unfamiliar.MOST]])
        codes = None
        if label is not None:
            names = strings(label, table.column(label)).dictionary_encode()
            codes = np.asarray(names.indices.fill_null(-1)).astype(np.int64)
        cells = table.column(side.column).combine_chunks()
        return cls(rows, len(usable), states, cells, codes)


@dataclass(frozen=True)
class Seen:
    """What was found of the current rows: a score each, NaN for a row that has none.

    `times` are microseconds since 1970 where a time column was named, `timed` which of them are
    known, `dated` whether they are dates at all. `examples` are the rows of highest score.
    """

    scores: NDArray[np.float64]
    states: Counts
    times: Counts
    timed: NDArray[np.bool_]
    dated: bool
    examples: tuple[Mapping[str, str], ...]
    ids: pa.ChunkedArray | None

    @classmethod
    def of(
        cls, side: Side, fitted: Unfamiliar | None, *, time: str | None, name: str | None
    ) -> Seen:
        """Read the current rows, and score those that can be, if there is a method to."""
        states, start, dated = np.zeros(len(STATES), np.int64), 0, True
        scores, times, timed = [np.empty(0)], [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
        ids: list[pa.Array] = []
        odd: list[Odd] = []
        for batch in side.batches("current"):
            found, state = _scored(side, fitted, batch.column(side.column))
            if fitted is not None:
                odd = _oddest(odd, found, fitted.threshold, start, batch, side.column, name)
            scores.append(found)
            states += np.bincount(state, minlength=len(STATES))
            start += batch.num_rows
            if time is not None:
                when, there, calendar = moments(batch.column(time))
                times.append(when)
                timed.append(there)
                dated = dated and (calendar or not there.any())
            if name is not None:
                ids.append(batch.column(name))
        named = None
        if name is not None:
            named = pa.chunked_array(ids, side.rows.arrow.field(name).type)
        shown = tuple(each for _, _, each in odd)
        every, known = np.concatenate(scores), np.concatenate(timed)
        return cls(every, states, np.concatenate(times), known, dated, shown, named)


def strings(column: str, cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the cells of a column as text.

    >>> strings("n", pa.array([1, None])).to_pylist()
    ['1', None]
    """
    return Values(Column(column, Kind.TEXT), cells).strings


def _scored(
    side: Side, fitted: Unfamiliar | None, cells: pa.Array
) -> tuple[NDArray[np.float64], States]:
    found = np.full(len(cells), np.nan)
    if fitted is None:
        return found, side.hashed(cells)[0]
    rows, state = side.vectors(cells)
    fine = side.scorable(state)
    if fine.any():
        found[fine] = fitted.score(rows if fine.all() else rows[fine])
    return found, state


def _taken(side: Side, chosen: Counts) -> pa.Table:
    """Return the rows at these places, in this order."""
    inside, start, parts = np.sort(chosen), 0, []
    schema = pa.schema([side.rows.arrow.field(name) for name in side.names])
    for batch in side.batches():
        low, high = np.searchsorted(inside, [start, start + batch.num_rows])
        parts.append(batch.take(pa.array(inside[low:high] - start)))
        start += batch.num_rows
    return pa.Table.from_batches(parts, schema).take(pa.array(np.searchsorted(inside, chosen)))


def _oddest(
    kept: list[Odd],
    scores: NDArray[np.float64],
    threshold: float,
    start: int,
    batch: pa.RecordBatch,
    column: str,
    name: str | None,
) -> list[Odd]:
    """Return the rows of highest score beyond the threshold so far, no text twice."""
    ranked = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    cells = batch.column(column)
    text = not pa.types.is_nested(cells.type)
    found, told = list(kept), {each.get(column) for _, _, each in kept}
    for row in ranked[: 8 * EXAMPLES].tolist():
        if not scores[row] > threshold:
            break
        shown = {"row": str(start + row), "score": f"{scores[row]:.4g}"}
        if name is not None:
            shown = {name: str(batch.column(name)[row].as_py())[:SHOWN], **shown}
        if text:
            words = str(cells[row].as_py())[:SHOWN]
            if words in told:
                continue
            told.add(words)
            shown = {column: words, **shown}
        found.append((float(scores[row]), start + row, shown))
    return sorted(found, key=lambda each: (-each[0], each[1]))[:EXAMPLES]


def _blank(texts: pa.Array) -> States:
    """Return the state of texts: a blank one counts as zero."""
    empty = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0)
    state = np.where(np.asarray(pc.fill_null(empty, fill_value=False)), ZERO, FINE)
    state[~np.asarray(texts.is_valid())] = NULL
    return state.astype(np.int8)
