"""The uses of words in the texts of one side, read once, and a sample of the texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError
from undertow.core.hashing import hash_strings
from undertow.core.values import is_text, to_text
from undertow.options import Progress
from undertow.sources import open_dataset
from undertow.sources.edge import project
from undertow.stats.usage import Use, candidates, composed, pattern, uses, words

SAMPLED, CHARACTERS = 20_000, 20_000_000
"""Texts, those of lowest content hash, that words are counted in and other words are taken from; and
characters of them in all."""


@dataclass(frozen=True)
class Reader:
    """What is read of a side: the column of texts, terms, and how much of their surroundings."""

    text: str
    terms: tuple[str, ...]
    window: int
    case: bool
    document: str | None
    most: int


@dataclass(eq=False)
class Kept:
    """Uses of one term: those of lowest content hash, at most `most`, each with its document's hash.

    `count` counts all uses that have words around them, `holding` all texts with one, `bare` uses that
    stand alone in their text.
    """

    most: int
    count: int = 0
    holding: int = 0
    bare: int = 0
    held: list[tuple[Use, int]] = field(default_factory=list)

    def take(self, found: Sequence[Use], document: int) -> None:
        """Take the uses of a text."""
        fine = [each for each in found if each.context]
        self.holding += bool(found)
        self.count += len(fine)
        self.bare += len(found) - len(fine)
        self.held += [(each, document) for each in fine]
        if len(self.held) > 4 * self.most:
            self.cut()

    def cut(self) -> None:
        """Keep the uses of lowest content hash."""
        told = pa.array([f"{document}\0{use}" for use, document in self.held], pa.string())
        order = np.argsort(hash_strings(told), kind="stable")[: self.most].tolist()
        self.held = [self.held[spot] for spot in order]

    @property
    def uses(self) -> list[Use]:
        """The uses, in the order of their hash once they are cut."""
        return [use for use, _ in self.held]

    @property
    def codes(self) -> NDArray[np.int64]:
        """The document of each use."""
        return np.array([document for _, document in self.held], np.int64)

    @property
    def documents(self) -> int:
        """How many documents the uses stand in."""
        return len({document for _, document in self.held})


@dataclass(eq=False)
class Side:
    """One side as it was read: the uses of the terms, and a sample of the texts with their documents."""

    rows: Dataset
    reader: Reader
    terms: dict[str, Kept]
    read: int = 0
    blank: int = 0
    sample: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """The sampled texts."""
        return [text for _, _, text in self.sample]

    @cached_property
    def counts(self) -> Counter[str]:
        """Uses of each word in the sample."""
        return Counter(each for text in self.texts for each in words(text))

    @cached_property
    def holders(self) -> dict[str, list[int]]:
        """The sampled texts that have each word."""
        found: dict[str, list[int]] = {}
        for spot, text in enumerate(self.texts):
            for each in dict.fromkeys(words(text)):
                found.setdefault(each, []).append(spot)
        return found

    def candidates(
        self, other: Side, least: int, *, without: Iterable[str] = (), grammar: bool = False
    ) -> list[str]:
        """Return words that both sides use `least` times, the most used first."""
        apart = {part for each in without for part in (each.lower(), *words(each))}
        return candidates(self.counts, other.counts, least, without=apart, grammar=grammar)

    @staticmethod
    def drawn(names: Sequence[str], most: int) -> list[str]:
        """Return so many words, those of lowest hash: the same in whatever order they come."""
        order = np.argsort(hash_strings(pa.array(list(names), pa.string())), kind="stable")
        return [names[spot] for spot in order[:most].tolist()]

    def of_sample(self, word: str, most: int) -> Kept:
        """Return the uses of a word in the sampled texts."""
        kept, find, holders = Kept(most), pattern(word), self.holders.get(word, [])
        # The sample is in the order of its hashes, so its first texts are as good a draw as any.
        for spot in holders[:most]:
            _, document, text = self.sample[spot]
            kept.take(uses(text, find, self.reader.window), document)
        kept.cut()
        kept.count, kept.holding = max(self.counts[word], len(kept.held)), len(holders)
        return kept

    def notes(self, name: str) -> list[str]:
        """Return what a reader should know of the rows of this side."""
        notes = []
        if self.blank:
            notes.append(f"{name}: {self.blank:,} of {self.read:,} texts are missing or empty")
        for term, kept in self.terms.items():
            if kept.bare:
                notes.append(f"{name}: {kept.bare:,} uses of {term!r} have no words around them")
            if kept.count > len(kept.held):
                notes.append(
                    f"{name}: {term!r} has {kept.count:,} uses; {len(kept.held):,} are compared"
                )
        return notes


def read_side(
    data: Any, reader: Reader, *, where: str | None = None, progress: Progress | None = None
) -> Side:
    """Return a side; raise UsageError for a column that is not there, or is no text."""
    rows = open_dataset(data, where=where)
    columns = list(dict.fromkeys(filter(None, [reader.text, reader.document])))
    project(rows.arrow.names, columns, rows.source)
    kind = rows.arrow.field(reader.text).type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (is_text(inner) or pa.types.is_null(inner)):
        raise UsageError(
            f"{rows.source}: column {reader.text!r} holds {inner}, no text; name the column of the texts"
        )
    side = Side(rows, reader, {each: Kept(reader.most) for each in reader.terms})
    finders = {each: pattern(each, case=reader.case) for each in reader.terms}
    for batch in rows.batches(columns):
        side.read += batch.num_rows
        texts = to_text(batch.column(reader.text))
        length = pc.fill_null(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
        fine = np.asarray(length) > 0
        side.blank += int((~fine).sum())
        keys = _documents(batch, texts, reader.document)[fine]
        texts = texts.filter(pa.array(fine))
        for term, find in finders.items():
            _take(side.terms[term], texts, keys, term, find, reader)
        _sampled(side, texts, keys)
        if progress is not None:
            progress("rows", side.read, None)
    for kept in side.terms.values():
        kept.cut()
    _cut(side)
    return side


def _documents(batch: pa.RecordBatch, texts: pa.Array, column: str | None) -> NDArray[np.int64]:
    """Return the document of each row: a value of the column, or else the text itself."""
    own = hash_strings(texts)
    if column is not None:
        given = to_text(batch.column(column))
        named = hash_strings(pc.binary_join_element_wise("document", given, "\0"))
        own = np.where(np.asarray(given.is_null()), own, named)
    return own.view(np.int64)


def _take(
    kept: Kept,
    texts: pa.Array,
    keys: NDArray[np.int64],
    term: str,
    find: re.Pattern[str],
    reader: Reader,
) -> None:
    """Take the uses of a term in the texts of a batch."""
    part = max(composed(term).split(), key=len)
    plain = pc.utf8_normalize(texts, "NFC")
    near = pc.indices_nonzero(pc.match_substring(plain, part, ignore_case=not reader.case))
    spots = near.to_numpy(zero_copy_only=False).tolist()
    for spot, text in zip(spots, plain.take(near).to_pylist(), strict=True):
        found = uses(text, find, reader.window)
        if found:
            kept.take(found, int(keys[spot]))


def _sampled(side: Side, texts: pa.Array, keys: NDArray[np.int64]) -> None:
    """Add the texts of a batch to the sample, no more than may stay in it."""
    hashes = hash_strings(texts)
    order = np.sort(np.argsort(hashes, kind="stable")[:SAMPLED])
    for spot, text in zip(order.tolist(), texts.take(pa.array(order)).to_pylist(), strict=True):
        side.sample.append((int(hashes[spot]), int(keys[spot]), text))
    if len(side.sample) > 2 * SAMPLED:
        _cut(side)


def _cut(side: Side) -> None:
    """Keep the texts of lowest content hash."""
    side.sample.sort(key=lambda each: each[:2])
    side.sample = side.sample[:SAMPLED]
    held = np.cumsum([len(text) for _, _, text in side.sample])
    side.sample = side.sample[: max(int((held <= CHARACTERS).sum()), 1)]
