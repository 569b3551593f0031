"""What the word tables of two sides say together: which words moved, and who holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from undertow.core.check import History
from undertow.core.profile import EVERY, Profile
from undertow.core.schema import Column
from undertow.core.values import Values
from undertow.stats.counts import Counts
from undertow.stats.holders import Flags, Holders, significant
from undertow.summaries.sample import RowSample
from undertow.summaries.tokens import Texts, texts
from undertow.summaries.words import GROUPS, Table, Words, group_of, pair_hash

PER = 10_000
"""Shares of texts are shown as texts in so many."""
SHOWN = 220
"""Characters of a text shown as an example."""


@dataclass(frozen=True)
class Moved:
    """One word or pair whose share of the texts really changed."""

    word: str
    reference: float
    current: float
    contribution: float
    note: str

    def row(self) -> dict[str, Any]:
        """Return the row a word shift chart draws."""
        return {
            "word": self.word,
            "reference": round(self.reference * PER, 2),
            "current": round(self.current * PER, 2),
            "contribution": round(self.contribution, 6),
            "note": self.note,
        }


@dataclass(frozen=True)
class Compared:
    """The words, or the pairs of words, of one text column on both sides.

    Where a cap was passed on either side, words are compared in groups by hash, each named after
    its commonest word; `floor` is then what a group holds by chance, else 0.
    """

    before: Words
    now: Words
    samples: Samples
    pairs: bool = False

    @cached_property
    def tables(self) -> tuple[Table, Table]:
        """The table of each side."""
        if self.pairs:
            return self.before.pairs, self.now.pairs
        return self.before.words, self.now.words

    @property
    def grouped(self) -> bool:
        """Tell whether a cap was passed, so that words are counted in groups."""
        return any(table.groups is not None for table in self.tables)

    @cached_property
    def hashes(self) -> Any:
        """The hash of each word, or the number of each group."""
        if self.grouped:
            return np.arange(GROUPS)
        return np.union1d(self.tables[0].hashes, self.tables[1].hashes)

    @cached_property
    def holders(self) -> Holders:
        """How many documents hold each of them."""
        return Holders(*self._side(0, self.before.rows), *self._side(1, self.now.rows))

    def _side(self, place: int, rows: int) -> tuple[Counts, int]:
        table = self.tables[place]
        if self.grouped:
            return np.minimum(table.grouped(), rows), rows
        counts = np.zeros(len(self.hashes), np.int64)
        counts[np.searchsorted(self.hashes, table.hashes)] = table.counts
        return counts, rows

    @cached_property
    def floor(self) -> int:
        """Documents up to which the reference counts as not having a word."""
        return int(3 * np.median(self.holders.ours)) if self.grouped else 0

    @cached_property
    def real(self) -> Flags:
        """Which of them really changed, all together at 5%."""
        return significant(self.holders)

    def names(self, spots: Sequence[int]) -> dict[int, str]:
        """Return what these are called, as far as anybody knows."""
        wanted = {int(self.hashes[spot]): int(spot) for spot in spots}
        found: dict[int, str] = {}
        if not self.pairs and not self.grouped:
            for table in self.tables:
                keys = np.array(sorted(wanted), np.uint64)
                places, there = table.spots(keys)
                for key, place in zip(keys[there].tolist(), places[there].tolist(), strict=True):
                    assert table.names is not None
                    found[wanted[key]] = str(table.names[place].as_py())
        else:
            named = self.samples.names(set(wanted), pairs=self.pairs, grouped=self.grouped)
            found = {wanted[key]: word for key, word in named.items()}
        return found

    @cached_property
    def moved(self) -> tuple[Moved, ...]:
        """The words that really changed and have a name, by what they add to the divergence."""
        some = self.holders
        total, other = max(int(some.ours.sum()), 1), max(int(some.theirs.sum()), 1)
        p, q = some.ours / total, some.theirs / other
        middle = np.maximum((p + q) / 2, 1e-300)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(p > 0, p * np.log(p / middle), 0) + np.where(
                q > 0, q * np.log(q / middle), 0
            )
        share = parts / max(float(parts.sum()), 1e-300)
        spots = np.flatnonzero(self.real)
        spots = spots[np.argsort(-share[spots], kind="stable")[:200]]
        names = self.names(spots.tolist())
        return tuple(
            Moved(
                names[spot],
                float(some.ours[spot] / max(some.rows, 1)),
                float(some.theirs[spot] / max(some.other_rows, 1)),
                float(share[spot]),
                self.note(spot),
            )
            for spot in spots.tolist()
            if spot in names
        )

    def note(self, spot: int) -> str:
        """Return "new", "gone" or nothing."""
        ours, theirs = int(self.holders.ours[spot]), int(self.holders.theirs[spot])
        if ours <= self.floor < theirs:
            return "new"
        return "gone" if theirs <= self.floor < ours else ""


@dataclass(frozen=True)
class Samples:
    """The sampled texts of both sides: they name pairs and groups, and show examples."""

    column: Column
    before: tuple[Texts, ...]
    now: tuple[Texts, ...]

    @classmethod
    def of(cls, history: History, column: Column) -> Samples:
        """Return the texts of a column in the row samples of both sides."""
        return cls(column, _sampled(history.reference, column), _sampled(history.now, column))

    def names(self, wanted: set[int], *, pairs: bool, grouped: bool) -> dict[int, str]:
        """Return a word for each wanted hash or group: the one that most sampled texts hold."""
        counts: dict[tuple[int, str], int] = {}
        if not wanted:
            return {}
        for some in (*self.before, *self.now):
            tokens = some.tokens
            left, right, rows = tokens.codes, tokens.codes, tokens.rows
            hashes = tokens.hashes[tokens.codes]
            if pairs:
                together = tokens.rows[1:] == tokens.rows[:-1]
                left, right, rows = left[:-1][together], right[1:][together], rows[1:][together]
                hashes = pair_hash(tokens.hashes[left], tokens.hashes[right])
            keys = group_of(hashes).astype(np.uint64) if grouped else hashes
            hit = np.flatnonzero(np.isin(keys, np.array(sorted(wanted), np.uint64)))
            held = {(int(rows[at]), int(left[at]), int(right[at])): int(keys[at]) for at in hit}
            for (_, one, other), key in held.items():
                word = str(tokens.words[one].as_py())
                word = f"{word} {tokens.words[other].as_py()}" if pairs else word
                counts[key, word] = counts.get((key, word), 0) + 1
        best: dict[int, tuple[int, str]] = {}
        for (key, word), count in sorted(counts.items(), key=lambda item: item[0][1]):
            if count > best.get(key, (0, ""))[0]:
                best[key] = count, word
        return {key: word for key, (_, word) in best.items()}

    def examples(self, word: str, most: int = 3) -> tuple[dict[str, str], ...]:
        """Return a few current texts that hold a word or pair."""
        (wanted,) = texts(Values(self.column, pa.array([word], pa.large_string())))
        phrase = wanted.tokens.hashes[wanted.tokens.codes].tolist()
        out: list[dict[str, str]] = []
        for some in self.now:
            rows = some.tokens.holding(*phrase)[: most - len(out)].tolist()
            cells = (str(some.array[row].as_py()) for row in rows)
            out.extend({self.column.name: shortened(cell, word)} for cell in cells)
        return tuple(out)


def _sampled(profile: Profile, column: Column) -> tuple[Texts, ...]:
    sample = profile.get(RowSample, *EVERY)
    if sample is None or sample.kept.schema.get_field_index(column.name) < 0:
        return ()
    return tuple(texts(Values(column, sample.kept.column(column.name))))


def shortened(text: str, around: str = "", most: int = SHOWN) -> str:
    """Return a text cut to the part around a word, with dots where it was cut.

    >>> shortened("a long tale of one small word here", "small", 20)
    '…le of one small word…'
    """
    if len(text) <= most:
        return text
    found = re.search(re.escape(around.partition(" ")[0]), text, re.IGNORECASE) if around else None
    start = max(0, (found.start() if found else 0) - most // 2)
    start = min(start, len(text) - most)
    shown = text[start : start + most]
    return f"{'…' if start else ''}{shown}{'…' if start + most < len(text) else ''}"


def compared(history: History, column: Column) -> Compared | None:
    """Return the words of a text column on both sides, or None where one side did not keep them."""
    before = history.reference.get(Words, column.name)
    now = history.now.get(Words, column.name)
    if before is None or now is None:
        return None
    return Compared(before, now, Samples.of(history, column))
