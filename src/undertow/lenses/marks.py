"""What a parser, an export or a wrong encoding leaves in a text, one mark a kind of damage."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.summaries.letters import CONTROL
from undertow.summaries.tokens import Ints, Texts, bytes_of, per_row

Flags = NDArray[np.bool_]

MARKS = (
    "broken lines", "bad encoding", "HTML", "markup", "page furniture", "control characters",
    "cut off", "JSON", "decomposed accents", "ligatures",
)  # fmt: skip
"""Every mark, in the order in which they are listed."""
CLEAN = "clean"
JOIN = " + "
LIMITS = (140, 160, 255, 256, 280, 500, 512, 1000, 1024, 2000, 2048, 4000, 4095, 4096, 5000, 8000,
          8191, 8192, 10000, 16384, 32767, 32768, 65535, 65536)  # fmt: skip
"""Lengths at which columns, forms and prompts are commonly cut."""

_BROKEN = r"\p{Ll}-\r?\n\s*\p{Ll}|[\p{Ll},]\s?\r?\n\p{Ll}"
_MOJIBAKE = "\ufffd|Ã[\u0080-¿ -¿]|Â[\u00a0-¿]|â€|ï»¿|ðŸ|Ð[\u0080-¿]Ñ|Ñ[\u0080-¿]Ð"
_HTML = (
    r"</?[A-Za-z][A-Za-z0-9]*(\s[^<>]*)?/?>|<!--"
    r"|&(#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,8});"
)
_MARKUP = (
    r"(?m)^#{1,6} \S|^```|\*\*\S[^*\n]*\*\*|\[[^\]\n]+\]\([^)\s]+\)|^={2,5} ?\S.*={2,5}\s*$"
    r"|\\(begin|end|textbf|section|frac)\{|^\s*\|.*\|.*\|\s*$"
)
_PAGE = (
    r"(?mi)^\s*(page|seite|p\.)\s*\d+(\s*(of|/|von)\s*\d+)?\s*$|^\s*-\s?\d+\s?-\s*$"
    r"|^\s*\d+\s?/\s?\d+\s*$|\f"
)
_LIGATURES = "[\ufb00-\ufb06]"
_FINAL = "[.!?\u2026\u3002\uff01\uff1f:;)\\]}\"'\u00bb\u201d\u2019>]\\s*$"
_LINE = 8
"""Characters from which a line that returns within one text counts as a page's header."""

_NEWLINE, _HEAVY, _ODD = np.uint8(1), np.uint8(2), np.uint8(4)
_BYTES = np.zeros(256, np.uint8)
_BYTES[10] = _BYTES[12] = _NEWLINE
_BYTES[[ord(c) for c in "#`*[=\\|<&"]] = _HEAVY
_BYTES[[n for n in (*range(32), 127) if n not in (9, 10, 12, 13)]] = _ODD


def marks(some: Texts, characters: Ints, limits: frozenset[int]) -> pa.Array:
    r"""Return the marks of each text joined by " + ", "clean" where there are none.

    >>> from undertow.core.schema import Column, Kind
    >>> from undertow.core.values import Values
    >>> from undertow.summaries.tokens import texts
    >>> cells = pa.array(["all well.", "a con-\nnection <b>lost</b>", "CafÃ© au lait"])
    >>> (some,) = texts(Values(Column("text", Kind.TEXT), cells))
    >>> marks(some, np.array([9, 27, 13]), frozenset()).to_pylist()
    ['clean', 'broken lines + HTML', 'bad encoding']
    """
    code = np.zeros(len(some), np.int64)
    for place, rows in enumerate(_found(some, characters, limits)):
        code[rows] |= 1 << place
    kinds, spots = np.unique(code, return_inverse=True)
    names = [JOIN.join(m for n, m in enumerate(MARKS) if kind >> n & 1) or CLEAN for kind in kinds]
    indices = pa.array(spots.astype(np.int32), mask=some.missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _found(some: Texts, characters: Ints, limits: frozenset[int]) -> list[Ints]:
    """Return the rows that carry each mark, in the order of MARKS."""
    data, starts = some.bytes
    bits = np.append(_BYTES[data], np.uint8(0))
    seen = np.bitwise_or.reduceat(bits, starts[:-1]) if len(some) else bits[:0]
    seen = np.where(np.diff(starts) > 0, seen, 0)
    lined = np.flatnonzero(seen & _NEWLINE)
    heavy = np.flatnonzero(seen & _HEAVY)
    control = np.flatnonzero(seen & _ODD)
    if len(some.wide):
        odd = per_row((some.points.flags & CONTROL) != 0, some.points.starts) > 0
        control = np.union1d(control, some.wide[odd])
    lengthy = np.flatnonzero(np.isin(characters, list(limits)))
    ends = np.append(data, np.uint8(0))[np.maximum(starts[1:] - 1, 0)]
    heads = np.append(data, np.uint8(0))[starts[:-1]]
    braced = np.flatnonzero(np.isin(heads, (0x7B, 0x5B)) & np.isin(ends, (0x7D, 0x5D)))
    return [
        _matching(some.array, lined, _BROKEN),
        _matching(some.array, some.wide, _MOJIBAKE),
        _matching(some.array, heavy, _HTML),
        _matching(some.array, heavy, _MARKUP),
        np.union1d(_matching(some.array, lined, _PAGE), _repeating(some.array, lined)),
        control,
        np.setdiff1d(lengthy, _matching(some.array, lengthy, _FINAL)),
        braced,
        np.flatnonzero(some.decomposed),
        _matching(some.array, some.wide, _LIGATURES),
    ]


def _matching(array: pa.Array, rows: Ints, pattern: str) -> Ints:
    if not len(rows):
        return rows
    hit = pc.match_substring_regex(array.take(pa.array(rows)), pattern)
    return np.asarray(rows[np.asarray(hit)])


def _repeating(array: pa.Array, rows: Ints) -> Ints:
    """Return the rows in which a line of some length stands more than once."""
    if not len(rows):
        return rows
    lines = pc.split_pattern(array.take(pa.array(rows)), "\n")
    flat = pc.utf8_trim_whitespace(lines.flatten())
    owner = np.repeat(rows, np.diff(np.asarray(lines.offsets)))
    hashes = hashing.hash_strings(flat)
    _, starts = bytes_of(flat)
    long = np.diff(starts) >= _LINE
    hashes, owner = hashes[long], owner[long]
    order = np.lexsort((hashes, owner))
    hashes, owner = hashes[order], owner[order]
    again = (hashes[1:] == hashes[:-1]) & (owner[1:] == owner[:-1])
    return np.unique(owner[1:][again])
