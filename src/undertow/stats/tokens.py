"""What a tokenizer does to texts, in numbers: pieces a word, pieces that go on a word, pieces too many.

A piece goes on a word where the character before it belongs to the same run of letters and digits, or
to the piece before: read from where pieces stand, not from the marks that tokenizers put on them (##,
\u2581, \u0120), which every kind does otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from undertow.core.tokenizes import Flags, Ints, Pieces
from undertow.summaries import letters
from undertow.summaries.letters import ALONE, HIDDEN, LETTER, UPPER, WORD
from undertow.summaries.tokens import per_row

CASES = ("no case", "lower case", "ALL CAPITALS", "with capitals")
SHORTEST, LONGEST = 3, 40
"""Characters of a term: shorter words say little, longer ones are keys and broken text."""
_SPACES = np.array(
    [
        *(*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)),
        *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
    ],
    np.uint32,
)
_DASHES = np.array([0x2D, 0x2F, *range(0x2010, 0x2016), 0x2212, 0x2026, 0xFF0D], np.uint32)


@dataclass(frozen=True, eq=False)
class Terms:
    """The words of some texts that may be terms: in text `rows[i]`, `words[i]` has `pieces[i]` pieces.

    `continued[i]` of its pieces go on a word: of "O'Hara", o ' ha ##ra, one does. A piece that stands
    for something unknown counts for two of them: nothing of the word is left.
    """

    rows: Ints
    words: list[str]
    pieces: Ints
    continued: Ints


@dataclass(frozen=True, eq=False)
class Shapes:
    """Numbers of n texts, an entry a text.

    `words` between spaces, `pieces` without special ones, `continued` those that go on a word (-1
    where the tokenizer does not say where its pieces stand), `unknown` those that stand for something
    the vocabulary lacks, `read` all pieces with special ones, `cases` the place in CASES.
    """

    words: Ints
    pieces: Ints
    continued: Ints
    unknown: Ints
    read: Ints
    cases: Ints

    @property
    def fertility(self) -> NDArray[np.float64]:
        """Pieces a word of each text, NaN where it has no word."""
        return np.where(self.words > 0, self.pieces / np.maximum(self.words, 1), np.nan)

    @property
    def continuation(self) -> NDArray[np.float64]:
        """The share of each text's pieces that go on a word, NaN where that is not known."""
        known = (self.pieces > 0) & (self.continued >= 0)
        return np.where(known, self.continued / np.maximum(self.pieces, 1), np.nan)

    @classmethod
    def joined(cls, parts: Sequence[Shapes]) -> Shapes:
        """Return the numbers of all parts, one after the other."""
        names = ("words", "pieces", "continued", "unknown", "read", "cases")
        none = np.empty(0, np.int64)
        return cls(*(np.concatenate([none, *(getattr(p, name) for p in parts)]) for name in names))


@dataclass(frozen=True, eq=False)
class Tokenised:
    """Some texts and their pieces, which were made of them.

    >>> from undertow.core.tokenizes import pieces
    >>> some = Tokenised(["Unseen owls!"], pieces([[("Un", 0, 2), ("seen", 2, 6), ("owls", 7, 11)]]))
    >>> some.shapes.continuation.round(2).tolist(), some.shapes.fertility.tolist()
    ([0.33], [1.5])
    >>> some.terms.words, some.terms.pieces.tolist()
    (['Unseen', 'owls'], [2, 1])
    """

    texts: Sequence[str]
    pieces: Pieces

    @cached_property
    def shapes(self) -> Shapes:
        """The numbers of each text."""
        own = ~self.pieces.special
        continued = per_row(self._continues, self.pieces.starts)
        placeless = per_row(own & (self.pieces.begin < 0), self.pieces.starts) > 0
        return Shapes(
            words=self._words,
            pieces=per_row(own, self.pieces.starts),
            continued=np.where(placeless, -1, continued),
            unknown=per_row(self.pieces.unknown, self.pieces.starts),
            read=self.pieces.counts,
            cases=self._cases,
        )

    @cached_property
    def terms(self) -> Terms:
        """The words with a letter, without the punctuation round them; no numbers, no addresses.

        A dash or a slash parts two words here; a script without spaces has none.
        """
        begin, end = self._between(np.isin(self._points, _SPACES) | np.isin(self._points, _DASHES))
        inner = (self._flags & WORD) != 0
        before = np.append(0, np.cumsum(inner))
        held = before[end] - before[begin]
        begin, end, held = begin[held > 0], end[held > 0], held[held > 0]
        places = np.flatnonzero(inner)
        first, last = places[before[begin]], places[before[begin] + held - 1] + 1
        letter = _within((self._flags & LETTER) != 0, first, last)
        alone = _within((self._flags & ALONE) != 0, first, last)
        digit = _within((self._points >= 0x30) & (self._points <= 0x39), first, last)
        fine = (letter > 0) & (alone == 0) & (digit <= letter)
        fine &= (last - first >= SHORTEST) & (last - first <= LONGEST)
        first, last = first[fine], last[fine]
        words = [
            self._whole[low:high] for low, high in zip(first.tolist(), last.tolist(), strict=True)
        ]
        kept = np.array([not _address(word) for word in words], np.bool_)
        first, last = first[kept], last[kept]
        return Terms(
            rows=np.searchsorted(self._starts, first, side="right") - 1,
            words=[word for word, fine in zip(words, kept.tolist(), strict=True) if fine],
            pieces=np.maximum(self._held(self._placed, first, last), 1),
            continued=self._held(self._continues, first, last)
            + 2 * self._held(self._placed & self.pieces.unknown, first, last),
        )

    def _held(self, which: Flags, first: Ints, last: Ints) -> Ints:
        """Return how many of some pieces begin in each span of characters."""
        begin = np.sort(self._begin[which])
        return np.asarray(np.searchsorted(begin, last) - np.searchsorted(begin, first), np.int64)

    @cached_property
    def _whole(self) -> str:
        return "\n".join([*self.texts, ""])

    @cached_property
    def _starts(self) -> Ints:
        """Where each text starts among the characters of all, a line end after each."""
        return np.append(0, np.cumsum([len(each) + 1 for each in self.texts])).astype(np.int64)

    @cached_property
    def _points(self) -> NDArray[np.uint32]:
        return np.frombuffer(self._whole.encode("utf-32-le", "surrogatepass"), np.uint32)

    @cached_property
    def _flags(self) -> NDArray[np.uint8]:
        return np.asarray(letters.flags()[self._points])

    @cached_property
    def _words(self) -> Ints:
        begin, _ = self._between(np.isin(self._points, _SPACES))
        return np.asarray(np.diff(np.searchsorted(begin, self._starts)), np.int64)

    def _between(self, apart: Flags) -> tuple[Ints, Ints]:
        """Return where the runs of characters between these begin and end; a text ends with one."""
        before = np.append(True, apart[:-1])[: len(apart)]
        return np.flatnonzero(~apart & before), np.flatnonzero(apart & ~before)

    @cached_property
    def _placed(self) -> Flags:
        return np.asarray((self.pieces.begin >= 0) & (self.pieces.end > self.pieces.begin))

    @cached_property
    def _begin(self) -> Ints:
        """Where each piece begins among all characters, a space before it left out."""
        rows = np.repeat(np.arange(len(self.pieces)), self.pieces.counts)
        last = self._starts[rows + 1] - 1
        begin = np.clip(self._starts[rows] + self.pieces.begin, 0, last)
        end = np.clip(self._starts[rows] + self.pieces.end, 0, last)
        if not len(begin):
            return np.asarray(begin, np.int64)
        space = np.isin(self._points[begin], _SPACES) & (end - begin > 1)
        return np.asarray(begin + space, np.int64)

    @cached_property
    def _continues(self) -> Flags:
        inner = (self._flags & (WORD | HIDDEN)) != 0
        inner &= (self._flags & ALONE) == 0
        inside = inner & np.append(False, inner[:-1])
        rows = np.repeat(np.arange(len(self.pieces)), self.pieces.counts)
        end = np.where(self._placed, self._starts[rows] + self.pieces.end, 0)
        before = np.append(0, np.maximum.accumulate(end)[:-1]) if len(end) else end
        return np.asarray(self._placed & (inside[self._begin] | (self._begin < before)))

    @cached_property
    def _cases(self) -> Ints:
        known, spots = np.unique(self._points, return_inverse=True)
        small = np.array([chr(point).islower() for point in known.tolist()], np.bool_)
        lower = per_row(small[spots], self._starts)
        upper = per_row((self._flags & UPPER) != 0, self._starts)
        shouted = (lower == 0) & (upper > 1)
        found = np.where(upper == 0, 1, np.where(shouted, 2, 3))
        return np.where(lower + upper == 0, 0, found)


def _within(which: Flags, first: Ints, last: Ints) -> Ints:
    """Return how many of the characters from first to last are true."""
    sums = np.append(0, np.cumsum(which))
    return np.asarray(sums[last] - sums[first])


def _address(word: str) -> bool:
    return "@" in word or word.startswith(("www.", "http:", "https:"))
