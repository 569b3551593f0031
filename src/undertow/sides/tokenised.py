"""The two sides of a comparison of texts: their rows, read once, and what a tokenizer makes of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.errors import UsageError
from undertow.core.hashing import hash_strings, mix
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind
from undertow.core.tokenizes import Tokenizes, batches, tokenize
from undertow.core.values import Values, is_bytes, is_text, to_text
from undertow.detect.tokenizers import short_name
from undertow.detect.tokens import Lexicon, Read
from undertow.options import Progress
from undertow.sources import open_dataset
from undertow.sources.edge import project
from undertow.stats.new_terms import Uses
from undertow.stats.tokens import Shapes, Terms, Tokenised
from undertow.stores import profile_file
from undertow.summaries.tokens import readable

MOST = 50_000
"""Texts of a side that are tokenised, those of lowest hash of their place."""
MOST_CHARACTERS = 20_000_000


@dataclass(frozen=True, eq=False)
class Side:
    """The rows of a side: every text as it came, and the other columns asked for, as strings."""

    source: str
    digest: str | None
    texts: pa.Array
    columns: Mapping[str, list[str | None]]

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return len(self.texts)


def read_side(
    data: Any,
    text: str,
    others: Sequence[str] = (),
    *,
    where: str | None = None,
    progress: Progress | None = None,
    stage: str = "rows",
) -> Side:
    """Return the rows of a side; raise UsageError for a column that is not there, or is no text."""
    saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    if saved or isinstance(data, Profile):
        raise UsageError("a profile holds no texts; give the data")
    rows = open_dataset(data, where=where)
    names = list(dict.fromkeys([text, *others]))
    project(rows.arrow.names, names, rows.source)
    kind = rows.arrow.field(text).type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (is_text(inner) or is_bytes(inner) or pa.types.is_null(inner)):
        raise UsageError(
            f"{rows.source}: column {text!r} holds {inner}, no text; name the column of the texts"
        )
    column = Column(text, Kind.TEXT)
    cells: list[pa.Array] = []
    told: dict[str, list[str | None]] = {name: [] for name in others}
    read = 0
    for batch in rows.batches(names):
        cells.append(readable(Values(column, batch.column(text))))
        for name in told:
            told[name] += to_text(batch.column(name)).to_pylist()
        read += batch.num_rows
        if progress is not None:
            progress(stage, read, None)
    array = pa.concat_arrays(cells) if cells else pa.array([], pa.large_string())
    return Side(rows.source, rows.digest(), array, told)


def chosen(side: Side) -> tuple[list[str], list[str]]:
    """Return the texts that are tokenised, and notes on those that are not."""
    many = len(side.texts)
    solid = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(side.texts), ""), fill_value=False)
    there = np.flatnonzero(np.asarray(solid))
    notes = []
    if len(there) < many:
        missing = side.texts.null_count
        empty = many - len(there) - missing
        told = [f"{missing:,} missing"] * bool(missing) + [f"{empty:,} empty"] * bool(empty)
        notes.append(f"{side.source}: {' and '.join(told)} of {many:,} texts count for none")
    order = np.argsort(mix(np.arange(len(there), dtype=np.uint64)), kind="stable")[:MOST]
    length = np.cumsum(np.asarray(pc.utf8_length(side.texts.take(pa.array(there[order])))))
    order = np.sort(order[: max(int(np.searchsorted(length, MOST_CHARACTERS, "right")), 1)])
    if len(order) < len(there):
        notes.append(
            f"{side.source}: {len(order):,} of {len(there):,} texts were tokenised, drawn evenly"
        )
    return side.texts.take(pa.array(there[order])).to_pylist(), notes


@dataclass(eq=False)
class Book:
    """The terms met so far on both sides: a number for each, and how it was written first."""

    codes: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    def take(self, terms: Terms) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of each term, new ones included."""
        found = []
        rows = zip(terms.words, terms.pieces.tolist(), terms.continued.tolist(), strict=True)
        for word, pieces, broken in rows:
            key = word.casefold()
            code = self.codes.get(key)
            if code is None:
                code = self.codes[key] = len(self.words)
                self.words.append(word)
                self.pieces.append(pieces)
                self.broken.append(broken)
            found.append(code)
        return np.array(found, np.int64)

    @property
    def lexicon(self) -> Lexicon:
        """All terms, as arrays."""
        return Lexicon(self.words, np.array(self.pieces, np.int64), np.array(self.broken, np.int64))


def tokenised(
    tokenizer: Tokenizes,
    texts: Sequence[str],
    book: Book,
    progress: Progress | None = None,
) -> Read:
    """Return the numbers of each text and the terms it uses; the pieces themselves are let go."""
    shapes: list[Shapes] = []
    parts: list[tuple[Any, ...]] = []
    for some in batches(texts):
        made = Tokenised(texts[some], tokenize(tokenizer, texts[some]))
        shapes.append(made.shapes)
        terms = made.terms
        parts.append((terms.rows + some.start, book.take(terms), terms.continued))
        if progress is not None:
            progress(short_name(tokenizer.name), some.stop, len(texts))
    rows, codes, broken = (
        np.concatenate([np.empty(0, np.int64), *(part[n] for part in parts)]) for n in range(3)
    )
    width = max(len(book.words), 1)
    pairs, first, times = np.unique(rows * width + codes, return_index=True, return_counts=True)
    plain = pa.array([" ".join(each.casefold().split()) for each in texts], pa.large_string())
    uses = Uses(
        len(texts),
        hash_strings(plain),
        pairs // width,
        pairs % width,
        times.astype(np.int64),
        broken[first],
    )
    return Read(texts, Shapes.joined(shapes), uses)
