"""The different texts that hold a word, read once: their vectors and senses, where columns give them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.hashing import hash_strings
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role
from undertow.core.values import to_text
from undertow.core.vectors import Matrix, is_list, matrix
from undertow.options import Progress
from undertow.sources import gathered, open_dataset
from undertow.sources.edge import project
from undertow.stats.senses import spellings
from undertow.stores import profile_file

MOST = 20_000
"""Different texts with the word that are used, those of lowest content hash."""
COMMON = 2_000
"""Words, the commonest ones, that a word in no text is likened to."""


@dataclass(frozen=True, eq=False)
class Held:
    """The different texts that hold a word, in the order of their content's hash.

    `given` are the senses that a label column gives them, None where it gives none or several;
    `vectors` (n, d) those of a vector column. `read` counts all rows.
    """

    rows: Dataset
    columns: tuple[Column, ...]
    word: str
    read: int
    texts: list[str]
    given: list[str | None] | None
    vectors: Matrix | None
    notes: list[str]

    def only(self, which: NDArray[np.bool_], vectors: Matrix, notes: list[str]) -> Held:
        """Return some of the texts, each with its vector of all of `vectors`."""
        texts = list(compress(self.texts, which))
        given = None if self.given is None else list(compress(self.given, which))
        return replace(self, texts=texts, given=given, vectors=vectors[which], notes=notes)


@dataclass(frozen=True)
class Wanted:
    """What is read: the column of the texts, the word, and the columns beside it."""

    text: str
    word: str
    vector: str | None = None
    label: str | None = None

    def columns(self, rows: Dataset) -> tuple[Column, ...]:
        """Return the columns; raise UsageError where one is not there, or the vector is none."""
        kinds = {self.text: Kind.TEXT}
        kinds |= {} if self.vector is None else {self.vector: Kind.VECTOR}
        kinds |= {} if self.label is None or self.label in kinds else {self.label: Kind.CATEGORY}
        project(rows.arrow.names, list(kinds), rows.source)
        types = {name: rows.arrow.field(name).type for name in kinds}
        if self.vector is not None and not is_list(types[self.vector]):
            raise UsageError(
                f"{rows.source}: column {self.vector!r} is {types[self.vector]}, no vector; a vector "
                "is a list of numbers of one length"
            )
        roles = {name: Role.LABEL if name == self.label else Role.FEATURE for name in kinds}
        return tuple(
            Column(name, kind, roles[name], arrow=str(types[name])) for name, kind in kinds.items()
        )


def read_holding(
    data: Any,
    text: str,
    word: str,
    *,
    vector: str | None = None,
    label: str | None = None,
    where: str | None = None,
    progress: Progress | None = None,
) -> Held:
    """Return the texts that hold a word; raise UsageError where there are texts, and none does."""
    saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    if saved or isinstance(data, Profile):
        raise UsageError("a profile holds no texts with the word; give the data")
    rows = open_dataset(data, where=where)
    if vector is not None:
        rows, (vector,) = gathered(rows, [vector])
    wanted = Wanted(text, word, vector, label)
    columns = wanted.columns(rows)
    kept, read, others = _Kept(), 0, list[str]()
    for batch in rows.batches([each.name for each in columns]):
        read += batch.num_rows
        if not kept.found and len(others) < MOST:
            others += _texts(batch, text).drop_null().to_pylist()
        kept.take(batch, wanted)
        if progress is not None:
            progress("rows", read, None)
    if not kept.found and any(each.strip() for each in others):
        raise UsageError(f"{rows.source}: no {text!r} holds {word!r}{_meant(word, others)}")
    names = kept.cut()
    told = [kept.labels[name] for name in names]
    given = None if label is None else [min(each) if len(each) == 1 else None for each in told]
    cells = None
    if vector is not None:
        cells = np.array([kept.vectors[name] for name in names], np.float32)
    return Held(rows, columns, word, read, names, given, cells, kept.notes(word, told))


def _texts(batch: pa.RecordBatch, column: str) -> pa.Array:
    """Return a column of a batch as strings."""
    return to_text(batch.column(column))


@dataclass(eq=False)
class _Kept:
    """Texts with the senses and the vector of each, and how many rows held the word."""

    labels: dict[str, set[str]] = field(default_factory=dict)
    vectors: dict[str, Matrix] = field(default_factory=dict)
    width: int | None = None
    found: int = 0
    bad: int = 0

    def take(self, batch: pa.RecordBatch, wanted: Wanted) -> None:
        """Take the rows of a batch that hold the word and have a vector, where one is wanted."""
        texts = _texts(batch, wanted.text)
        near = pc.indices_nonzero(pc.match_substring(texts, wanted.word, ignore_case=True))
        inside, _ = spellings(texts.take(near).to_pylist(), wanted.word)
        rows = batch.take(near.take(pa.array(inside)))
        self.found += len(inside)
        given: list[str | None] = [None] * len(inside)
        if wanted.label is not None:
            given = _texts(rows, wanted.label).to_pylist()
        cells = None
        if wanted.vector is not None:
            cells = matrix(rows.column(wanted.vector), self.width)
            self.width = self.width or cells.dimensions or None
        for row, text in enumerate(_texts(rows, wanted.text).to_pylist()):
            if cells is not None and not cells.fine[row]:
                self.bad += 1
                continue
            senses, sense = self.labels.setdefault(text, set()), (given[row] or "").strip()
            if sense:
                senses.add(sense)
            if cells is not None and text not in self.vectors:
                self.vectors[text] = cells.rows[row].copy()  # lets go of the batch
        if len(self.labels) > 2 * MOST:
            self.cut()

    def cut(self) -> list[str]:
        """Keep the texts of lowest content hash, and return them in its order."""
        names = sorted(self.labels)
        hashes = hash_strings(pa.array(names, pa.string()))
        kept = [names[spot] for spot in np.argsort(hashes, kind="stable")[:MOST].tolist()]
        self.labels = {name: self.labels[name] for name in kept}
        self.vectors = {name: self.vectors[name] for name in kept if name in self.vectors}
        return kept

    def notes(self, word: str, senses: list[set[str]]) -> list[str]:
        """Return what a reader should know of the rows that do not count."""
        notes, fine = [], self.found - self.bad
        if self.bad:
            notes.append(f"{self.bad:,} of {self.found:,} rows with {word!r} have no usable vector")
        if len(senses) < fine:
            notes.append(f"{fine:,} rows hold {word!r}: {len(senses):,} different texts are used")
        if several := sum(len(each) > 1 for each in senses):
            notes.append(f"{several:,} texts stand with several senses, and count for none")
        return notes


def _meant(word: str, texts: Iterable[str]) -> str:
    """Return the closest of the commonest words, or a few that there are."""
    counts = Counter(
        each for text in texts for each in set(re.findall(r"[^\W\d_]{3,}", text.lower()))
    )
    common = sorted(counts, key=lambda each: (-counts[each], each))[:COMMON]
    hint = did_you_mean(word.lower(), common)
    if hint.startswith("; did you mean"):
        return hint
    return did_you_mean(word.lower(), [each for each in common if len(each) > 3][:8])
