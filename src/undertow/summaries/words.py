"""How many documents hold each word and each pair of neighbouring words, and one word a document.

Three tables. Document frequencies of words and of pairs answer "in which share of the texts"; they
count a word once a document. `drawn` holds one word of each document, picked by the hash of the
document, so that its rows are as independent as the documents are: words of one text come together,
and a test that takes them for separate rows alarms without a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.schema import Column
from undertow.core.summary import State, Survey
from undertow.core.values import Values
from undertow.summaries.categories import SHOWN, Categories
from undertow.summaries.tokens import Texts, Tokens, texts

CAP = 2**18
"""Words counted one by one; beyond it, those of lowest hash stay exact."""
PAIRS = 2**17
"""Pairs counted one by one."""
GROUPS = 2**16
"""Once a cap is passed every word is also counted in one of these groups by hash."""
_PAIR_BITS = np.uint64(44)
_PAIR_MASK = np.uint64(2**44 - 1)
_GROUP_SHIFT = np.uint64(20)
_GROUP_MASK = np.uint64(GROUPS - 1)
_DRAW = np.uint64(0x64726177)
_LEFT, _RIGHT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]
NO_WORDS = "(no words)"
"""What a document without words contributes to the drawn words."""


def group_of(hashes: Hashes) -> Counts:
    """Return the group of each hash."""
    return ((hashes >> _GROUP_SHIFT) & _GROUP_MASK).astype(np.int64)


def pair_hash(left: Hashes, right: Hashes) -> Hashes:
    """Return the hash of two neighbouring words, from theirs.

    >>> one, other = np.array([1], np.uint64), np.array([2], np.uint64)
    >>> bool((pair_hash(one, other) == pair_hash(other, one)).any())
    False
    """
    mixed = hashing.mix(left * _LEFT + right * _RIGHT)
    return (mixed >> np.uint64(64) - _PAIR_BITS) << np.uint64(64) - _PAIR_BITS


@dataclass(frozen=True, eq=False)
class Table:
    """Documents of each word, by hash, ascending; the lowest `cap` hashes are exact.

    `names` is kept where asked for. `groups` appears when the cap is first passed, and from then on
    counts every word.
    """

    cap: int
    named: bool = True
    hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    counts: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    names: pa.Array | None = None
    groups: Counts | None = None

    @property
    def distinct(self) -> float:
        """How many there are: exact below the cap, else estimated from the hashes."""
        if self.groups is None:
            return float(len(self.hashes))
        return float((self.cap - 1) / (float(self.hashes[-1]) / 2.0**64))

    def spots(self, hashes: Hashes) -> tuple[Counts, NDArray[np.bool_]]:
        """Return where each hash stands or would stand, and whether it is there."""
        spots = np.searchsorted(self.hashes, hashes)
        if not len(self.hashes):
            return spots, np.zeros(len(hashes), np.bool_)
        return spots, self.hashes[np.minimum(spots, len(self.hashes) - 1)] == hashes

    def grouped(self) -> Counts:
        """Return the counts by group; those of the words themselves while all of them are kept."""
        if self.groups is not None:
            return self.groups
        counts = np.bincount(group_of(self.hashes), weights=self.counts, minlength=GROUPS)
        return counts.astype(np.int64)

    def __add__(self, other: Table) -> Table:
        """Return the counts of both; beyond the cap the lowest hashes stay."""
        if len(other.hashes) > len(self.hashes):
            return other + self
        if not len(other.hashes):
            return self
        spots, there = self.spots(other.hashes)
        counts = self.counts.copy()
        counts[spots[there]] += other.counts[there]
        fresh = np.flatnonzero(~there)
        groups = self.groups
        full = len(counts) + len(fresh) > self.cap
        if full or groups is not None or other.groups is not None:
            groups = self.grouped() + other.grouped()
        hashes, names = self.hashes, self.names
        if len(fresh):
            order = np.insert(np.arange(len(hashes)), spots[fresh], len(hashes) + fresh)[: self.cap]
            hashes = np.concatenate([hashes, other.hashes])[order]
            counts = np.concatenate([counts, other.counts])[order]
            if self.names is not None and other.names is not None:
                names = pa.concat_arrays([self.names, other.names]).take(pa.array(order))
            elif other.names is not None:
                names = other.names.take(pa.array(order))
        return replace(self, hashes=hashes, counts=counts, names=names, groups=groups)

    def __eq__(self, other: object) -> bool:
        """Tell whether the settings and the counts are the same."""
        if not isinstance(other, Table) or (self.cap, self.named) != (other.cap, other.named):
            return False
        same = np.array_equal(self.hashes, other.hashes) and np.array_equal(
            self.counts, other.counts
        )
        return same and np.array_equal(self.grouped(), other.grouped())

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def state(self, prefix: str) -> State:
        """Return the counts as plain values, their names starting with the prefix."""
        return {
            f"{prefix}.cap": self.cap,
            f"{prefix}.hashes": self.hashes,
            f"{prefix}.counts": self.counts,
            f"{prefix}.names": [] if self.names is None else self.names.to_pylist(),
            f"{prefix}.groups": np.empty(0, np.int64) if self.groups is None else self.groups,
        }

    @classmethod
    def restore(cls, state: State, prefix: str, *, named: bool) -> Table:
        """Return the table of a state; raise ValueError where its parts disagree."""
        hashes = np.asarray(state[f"{prefix}.hashes"], np.uint64)
        counts = np.asarray(state[f"{prefix}.counts"], np.int64)
        groups = np.asarray(state[f"{prefix}.groups"], np.int64)
        names = pa.array([str(name) for name in state[f"{prefix}.names"]], pa.string())
        cap = int(state[f"{prefix}.cap"])
        ascending = bool((hashes[1:] > hashes[:-1]).all())
        told = len(names) == (len(hashes) if named else 0)
        if not (len(hashes) == len(counts) <= cap and ascending and told) or (counts < 1).any():
            raise ValueError(f"{prefix}: one count and one name a word, in order of hash")
        if len(groups) not in (0, GROUPS) or (groups < 0).any():
            raise ValueError(f"{prefix}: {len(groups)} groups")
        kept = names if named and len(names) else None
        return cls(cap, named, hashes, counts, kept, groups if len(groups) else None)


@dataclass(frozen=True, eq=False)
class Words:
    """Document frequencies of words and pairs, and one word drawn of each document.

    `rows` counts documents (missing ones left out), `tokens` all words with their repeats.

    >>> from undertow.core.schema import Kind
    >>> column = Column("text", Kind.TEXT)
    >>> made = Words().observe(Values(column, pa.array(["Red, red wine", "red car", None])))
    >>> made.common(2), made.rows, made.tokens, len(made.pairs.hashes)
    ([('red', 2), ('car', 1)], 2, 5, 3)
    """

    tag: ClassVar[str] = "words"
    fitted: ClassVar[bool] = False

    words: Table = field(default_factory=lambda: Table(CAP))
    pairs: Table = field(default_factory=lambda: Table(PAIRS, named=False))
    drawn: Categories = field(default_factory=Categories)
    rows: int = 0
    tokens: int = 0

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:  # noqa: ARG003
        """Return the empty summary with the default caps."""
        return cls()

    def common(self, most: int) -> list[tuple[str, int]]:
        """Return the words of most documents, ties in the order of their names."""
        names = self.words.names
        if names is None:
            return []
        order = np.argsort(-self.words.counts, kind="stable")[: most * 4 + 16]
        pairs = [(str(names[int(spot)].as_py()), int(self.words.counts[spot])) for spot in order]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:most]

    def observe(self, *columns: Values) -> Self:
        """Return the summary with one column of a batch added; missing values are not counted."""
        (values,) = columns
        parts = values.made(texts)
        found = list(self._slices(parts))
        if not found:
            return self
        words, pairs = (reduce(add, tables) for tables in zip(*found, strict=True))
        draws = Values(values.column, pa.concat_arrays([_drawn(part, values) for part in parts]))
        return replace(
            self,
            words=self.words + words,
            pairs=self.pairs + pairs,
            drawn=self.drawn.observe(draws),
            rows=self.rows + sum(int((~part.missing).sum()) for part in parts),
            tokens=self.tokens + sum(len(part.tokens.codes) for part in parts),
        )

    def _slices(self, parts: list[Texts]) -> Iterator[tuple[Table, Table]]:
        for part in parts:
            tokens = part.tokens
            yield _word_table(tokens, self.words.cap), _pair_table(tokens, self.pairs.cap)

    def __add__(self, other: Self) -> Self:
        """Return the summary of both sets of documents."""
        return replace(
            self,
            words=self.words + other.words,
            pairs=self.pairs + other.pairs,
            drawn=self.drawn + other.drawn,
            rows=self.rows + other.rows,
            tokens=self.tokens + other.tokens,
        )

    def __eq__(self, other: object) -> bool:
        """Tell whether all three tables are the same."""
        return (
            isinstance(other, Words)
            and (self.rows, self.tokens) == (other.rows, other.tokens)
            and self.words == other.words
            and self.pairs == other.pairs
            and self.drawn == other.drawn
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def empty(self) -> Self:
        """Return the same caps with no documents."""
        words, pairs = Table(self.words.cap), Table(self.pairs.cap, named=False)
        return type(self)(words, pairs, self.drawn.empty())

    def state(self) -> State:
        """Return the tables as plain values."""
        drawn = {f"drawn.{name}": value for name, value in self.drawn.state().items()}
        own: dict[str, Any] = {"rows": self.rows, "tokens": self.tokens}
        return {**own, **self.words.state("words"), **self.pairs.state("pairs"), **drawn}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the summary of a state; raise ValueError where its parts disagree."""
        head = "drawn."
        drawn = {name.removeprefix(head): state[name] for name in state if name.startswith(head)}
        words = Table.restore(state, "words", named=True)
        pairs = Table.restore(state, "pairs", named=False)
        rows, tokens = int(state["rows"]), int(state["tokens"])
        if any((table.counts > rows).any() for table in (words, pairs)):
            raise ValueError("a word cannot be in more documents than there are")
        return cls(words, pairs, Categories.restore(drawn), rows, tokens)


def _word_table(tokens: Tokens, cap: int) -> Table:
    """Return how many rows hold each word."""
    if not len(tokens.codes):
        return Table(cap)
    bits = np.uint64(max(len(tokens.words) - 1, 1).bit_length())
    keys = (tokens.rows.astype(np.uint64) << bits) | tokens.codes.astype(np.uint64)
    codes = _distinct(keys) & ((np.uint64(1) << bits) - np.uint64(1))
    counts = np.bincount(codes.astype(np.int64), minlength=len(tokens.words))
    order = np.argsort(tokens.hashes)
    names = pc.utf8_slice_codeunits(tokens.words.take(pa.array(order)), 0, SHOWN).cast(pa.string())
    hashes, counts = tokens.hashes[order], counts[order].astype(np.int64)
    whole = Table(cap, hashes=hashes, counts=counts, names=names)
    return whole if len(hashes) <= cap else _cut(whole)


def _pair_table(tokens: Tokens, cap: int) -> Table:
    """Return how many rows hold each pair of neighbouring words; pairs are known by 44 bits."""
    hashes, rows = tokens.hashes[tokens.codes], tokens.rows.astype(np.uint64)
    together = rows[1:] == rows[:-1]
    pairs = pair_hash(hashes[:-1][together], hashes[1:][together]) >> np.uint64(64) - _PAIR_BITS
    if not len(pairs):
        return Table(cap, named=False)
    keys = np.sort(_distinct((rows[1:][together] << _PAIR_BITS) | pairs) & _PAIR_MASK)
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    counts = np.diff(np.append(first, len(keys)))
    found = Table(cap, named=False, hashes=keys[first] << np.uint64(64) - _PAIR_BITS, counts=counts)
    return found if len(first) <= cap else _cut(found)


def _cut(table: Table) -> Table:
    names = None if table.names is None else table.names.slice(0, table.cap)
    hashes, counts = table.hashes[: table.cap], table.counts[: table.cap]
    return replace(table, hashes=hashes, counts=counts, names=names, groups=table.grouped())


def _distinct(keys: Hashes) -> Hashes:
    """Return the different keys, ascending."""
    keys = np.sort(keys)
    return np.asarray(keys[np.append(True, keys[1:] != keys[:-1])])


def _drawn(part: Texts, values: Values) -> pa.Array:
    """Return one word of each document, picked by the document's hash; null where it is missing."""
    tokens = part.tokens
    hashes = values.hashes[part.first : part.first + len(part)]
    picked = hashing.mix(hashes ^ _DRAW) % np.maximum(tokens.counts, 1).astype(np.uint64)
    some = tokens.counts > 0
    words = pa.concat_arrays([tokens.words, pa.array([NO_WORDS], pa.large_string())])
    codes = np.full(len(part), len(words) - 1, np.int64)
    codes[some] = tokens.codes[(tokens.starts[:-1] + picked.astype(np.int64))[some]]
    return words.take(pa.array(codes, mask=part.missing)).cast(pa.string())
