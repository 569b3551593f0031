"""Text -> words, a few megabytes at a time, without a Python loop over rows.

A word is a run of letters, digits and combining marks, lower-cased, with the apostrophe of "don't"
kept. Scripts written without spaces (Chinese, Japanese, Thai, ...) and emoji give one word a
character; numbers of five digits or more are one word, "#####". ASCII goes through a table of 256
bytes; only rows with other characters take the slower route, and both give the same words.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.values import Values
from undertow.summaries import letters
from undertow.summaries.letters import ALONE, HIDDEN, LETTER, MARK, WORD

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
SLICE = 4_000_000
"""Bytes of text that are taken at once: what is made of them stays small."""
SLICE_ROWS = 2**19
NUMBER = "#####"
"""What stands for a number of five digits or more: identifiers are not words."""
_SPACE, _QUOTE = 32, 39


def _lowered() -> NDArray[np.uint8]:
    table = np.full(256, _SPACE, np.uint8)
    for byte in range(128):
        if chr(byte).isalnum():
            table[byte] = ord(chr(byte).lower())
    table[128:] = np.arange(128, 256)
    return table


_LOWERED = _lowered()
_ALPHA = np.array([chr(n).isalpha() if n < 128 else True for n in range(256)])


@dataclass(frozen=True)
class Points:
    """The code points of some rows, one after the other; row i starts at `starts[i]`."""

    points: NDArray[np.uint32]
    starts: Ints

    @classmethod
    def of(cls, texts: pa.Array) -> Points:
        """Return the code points of valid strings without nulls."""
        data, starts = bytes_of(texts)
        text = data.tobytes().decode("utf-8")
        heads = np.append(0, np.cumsum((data & 0xC0) != 0x80))
        return cls(
            np.frombuffer(text.encode("utf-32-le"), np.uint32), heads[starts].astype(np.int64)
        )

    @cached_property
    def flags(self) -> NDArray[np.uint8]:
        """What each code point is (`letters.flags`)."""
        return np.asarray(letters.flags()[self.points])

    @cached_property
    def rows(self) -> Ints:
        """The row of each code point."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def count(self, which: Flags) -> Ints:
        """Return how many code points of each row are among these."""
        return per_row(which, self.starts)


@dataclass(frozen=True)
class Texts:
    """Some rows of a text column in composed form (NFC), missing ones as empty strings.

    `first` is the place of the first row in the batch; `missing` says which rows have no text;
    `decomposed` which were not composed as they came.
    """

    first: int
    array: pa.Array
    missing: Flags
    decomposed: Flags
    wide: Ints

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.array)

    @cached_property
    def bytes(self) -> tuple[NDArray[np.uint8], Ints]:
        """The UTF-8 bytes of all rows, and where each row starts."""
        return bytes_of(self.array)

    @cached_property
    def points(self) -> Points:
        """The code points of the rows that are not ASCII (`wide`)."""
        return Points.of(self.array.take(pa.array(self.wide)))

    @cached_property
    def tokens(self) -> Tokens:
        """The words of every row."""
        array = self.array
        if len(self.wide):
            mask = np.zeros(len(array), np.bool_)
            mask[self.wide] = True
            array = pc.replace_with_mask(array, pa.array(mask), _spaced(self.points))
        return Tokens.of(*bytes_of(array))


@dataclass(frozen=True)
class Tokens:
    """The words of some rows: row i holds `words[code]` for codes[starts[i]:starts[i + 1]]."""

    codes: Ints
    starts: Ints
    words: pa.Array
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, data: NDArray[np.uint8], starts: Ints) -> Tokens:
        """Return the words in UTF-8 bytes where every character that is in no word is ASCII."""
        clean = _LOWERED[data]
        edge = np.zeros(len(data) + 1, np.bool_)
        edge[starts] = True
        quotes = np.flatnonzero(data == _QUOTE)
        if len(quotes):
            inside = quotes[(quotes > 0) & (quotes + 1 < len(data))]
            inside = inside[~edge[inside] & ~edge[inside + 1]]
            inside = inside[_ALPHA[data[inside - 1]] & _ALPHA[data[inside + 1]]]
            clean[inside] = _QUOTE
        word = clean != _SPACE
        begin = word.copy()
        begin[1:] &= ~word[:-1] | edge[1:-1]
        places = np.flatnonzero(begin)
        letters_before = np.cumsum(word, dtype=np.int64)
        offsets = np.append(letters_before[places] - 1, letters_before[-1] if len(word) else 0)
        encoded = strings_of(clean[word], offsets).dictionary_encode()
        words, codes = _normal(encoded.dictionary, np.asarray(encoded.indices).astype(np.int64))
        return cls(codes, np.searchsorted(places, starts), words, hashing.hash_strings(words))

    @cached_property
    def rows(self) -> Ints:
        """The row of each word."""
        return np.repeat(np.arange(len(self.starts) - 1), self.counts)

    @cached_property
    def counts(self) -> Ints:
        """How many words each row has."""
        return np.diff(self.starts)

    def holding(self, *phrase: int) -> Ints:
        """Return the rows that hold the words of these hashes one after the other."""
        hashes = self.hashes[self.codes]
        last = len(hashes) - len(phrase) + 1
        if last < 1:
            return np.empty(0, np.int64)
        found = np.ones(last, np.bool_)
        for step, wanted in enumerate(phrase):
            found &= hashes[step : step + last] == np.uint64(wanted)
        found &= self.rows[:last] == self.rows[len(phrase) - 1 :]
        return np.unique(self.rows[:last][found])


def texts(values: Values) -> list[Texts]:
    """Return the rows of a column, whatever it holds, as valid composed text.

    >>> from undertow.core.schema import Column, Kind
    >>> column = Column("text", Kind.TEXT)
    >>> (some,) = texts(Values(column, pa.array(["Don't PANIC, don't!", None, "日本 x"])))
    >>> [some.tokens.words[int(code)].as_py() for code in some.tokens.codes]
    ["don't", 'panic', "don't", '日', '本', 'x']
    """
    array = readable(values)
    if not len(array):
        return []
    _, starts = bytes_of(array)
    cuts, at = [0], 0
    while at < len(array):
        after = int(np.searchsorted(starts, starts[at] + SLICE, side="right")) - 1
        at = min(max(after, at + 1), at + SLICE_ROWS, len(array))
        cuts.append(at)
    return [_texts(array.slice(low, high - low), low) for low, high in pairwise(cuts)]


def _texts(array: pa.Array, first: int) -> Texts:
    missing = np.asarray(array.is_null())
    if array.null_count:
        array = array.fill_null("")
    data, starts = bytes_of(array)
    decomposed = np.zeros(len(array), np.bool_)
    wide = np.empty(0, np.int64)
    if len(data) and int(data.max()) > 127:
        wide = np.unique(np.searchsorted(starts, np.flatnonzero(data > 127), side="right") - 1)
        before = array.take(pa.array(wide))
        after = pc.utf8_normalize(before, "NFC")
        decomposed[wide] = np.asarray(pc.not_equal(before, after))
        if decomposed.any():
            mask = np.zeros(len(array), np.bool_)
            mask[wide] = True
            array = pc.replace_with_mask(array, pa.array(mask), after)
    return Texts(first, array, missing, decomposed, wide)


def readable(values: Values) -> pa.Array:
    """Return the values as large strings in valid UTF-8; bytes that spell nothing become U+FFFD."""
    raw = values.array.type
    array = values.strings
    if pa.types.is_binary(raw) or pa.types.is_large_binary(raw):
        array = values.array
    try:
        array = array.cast(pa.large_string())
        array.validate(full=True)
    except pa.ArrowInvalid:
        cells = array.cast(pa.large_binary()).to_pylist()
        shown = [None if cell is None else cell.decode("utf-8", "replace") for cell in cells]
        array = pa.array(shown, pa.large_string())
    return array


def bytes_of(array: pa.Array) -> tuple[NDArray[np.uint8], Ints]:
    """Return the bytes of large strings and where each row starts in them, from 0."""
    _, offsets, data = array.buffers()
    if not len(array) or offsets is None:
        return np.empty(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    starts = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8)
    first, last = int(starts[0]), int(starts[-1])
    held = (
        np.empty(0, np.uint8)
        if data is None
        else np.frombuffer(data, np.uint8, last - first, first)
    )
    return held, starts - first


def strings_of(data: NDArray[np.uint8], starts: Ints) -> pa.Array:
    """Return large strings of these bytes; string i starts at `starts[i]`."""
    offsets = pa.py_buffer(np.ascontiguousarray(starts, np.int64))
    return pa.LargeStringArray.from_buffers(len(starts) - 1, offsets, pa.py_buffer(data))


def per_row(which: NDArray[np.bool_], starts: Ints) -> Ints:
    """Return how many of each row's elements are true; row i starts at `starts[i]`."""
    counts = np.zeros(len(starts) - 1, np.int64)
    filled = np.diff(starts) > 0
    if filled.any():
        counts[filled] = np.add.reduceat(which, starts[:-1][filled], dtype=np.int32)
    return counts


def _spaced(some: Points) -> pa.Array:
    """Return the rows with a space for every character in no word, and lone ones set apart."""
    points, flags = some.points.copy(), some.flags
    quote = (points == 0x27) | (points == 0x2019)
    if quote.any():
        edge = np.zeros(len(points) + 1, np.bool_)
        edge[some.starts] = True
        letter = (flags & (LETTER | MARK)) != 0
        left = np.append(False, letter[:-1]) & ~edge[:-1]
        right = np.append(letter[1:], False) & ~edge[1:]
        quote &= left & right
    points[(flags & WORD) == 0] = _SPACE
    points[quote] = _QUOTE
    kept = (flags & HIDDEN) == 0
    rows = np.append(0, np.cumsum(kept))[some.starts]
    points, flags = points[kept], flags[kept]
    mark = (flags & MARK) != 0
    base = np.maximum.accumulate(np.where(mark, 0, np.arange(len(points))))
    alone = ((flags & ALONE) != 0)[base] if len(points) else mark
    after = np.append(False, alone[:-1])
    split = ((flags & WORD) != 0) & ~mark & (alone | after)
    shift = np.cumsum(split)
    out = np.full(len(points) + (int(shift[-1]) if len(shift) else 0), _SPACE, np.uint32)
    out[np.arange(len(points)) + shift] = points
    width = 1 + (out >= 0x80).astype(np.int64) + (out >= 0x800) + (out >= 0x10000)
    starts = rows + np.append(0, shift)[rows]
    data = np.frombuffer(out.astype("<u4").tobytes().decode("utf-32-le").encode(), np.uint8)
    return strings_of(data, np.append(0, np.cumsum(width))[starts])


def _normal(words: pa.Array, codes: Ints) -> tuple[pa.Array, Ints]:
    """Return the words case-folded and composed, long numbers as one; equal words, one code."""
    plain = np.asarray(pc.string_is_ascii(words))
    long = np.asarray(pc.match_substring_regex(words, "^[0-9]{5,}$"))
    odd = np.flatnonzero(~plain | long)
    if not len(odd):
        return words, codes
    folded = [
        NUMBER if long[spot] else unicodedata.normalize("NFC", word.casefold())
        for spot, word in zip(odd.tolist(), words.take(pa.array(odd)).to_pylist(), strict=True)
    ]
    mask = np.zeros(len(words), np.bool_)
    mask[odd] = True
    merged = pc.replace_with_mask(words, pa.array(mask), pa.array(folded, pa.large_string()))
    encoded = merged.dictionary_encode()
    return encoded.dictionary, np.asarray(encoded.indices).astype(np.int64)[codes]
