"""What each Unicode character is to a reader of text: part of a word, a word by itself, a mark.

Tables are built once from `unicodedata`, and only when text that is not ASCII turns up.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

WORD, MARK, ALONE, UPPER, LETTER, HIDDEN, CONTROL = (np.uint8(1 << n) for n in range(7))
"""Flags: in a word; combining; a word by itself (its script has no spaces, or emoji); upper case;
letter; invisible inside a word (joiners, selectors, soft hyphens); never meant to be in a text."""

SCRIPTS = (
    "none", "latin", "greek", "cyrillic", "armenian", "hebrew", "arabic", "devanagari", "bengali",
    "tamil", "telugu", "thai", "lao", "tibetan", "myanmar", "georgian", "hangul", "ethiopic",
    "khmer", "kana", "han", "other script",
)  # fmt: skip
"""Names of scripts; a character's script is its position here."""
KANA, HAN = SCRIPTS.index("kana"), SCRIPTS.index("han")

_RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "latin": (
        (0x41, 0x24F), (0x250, 0x2AF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F),
        (0xA720, 0xA7FF), (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFF21, 0xFF5A),
    ),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "cyrillic": ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "armenian": ((0x530, 0x58F), (0xFB13, 0xFB17)),
    "hebrew": ((0x590, 0x5FF), (0xFB1D, 0xFB4F)),
    "arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)),
    "devanagari": ((0x900, 0x97F), (0xA8E0, 0xA8FF)),
    "bengali": ((0x980, 0x9FF),),
    "tamil": ((0xB80, 0xBFF),),
    "telugu": ((0xC00, 0xC7F),),
    "thai": ((0xE00, 0xE7F),),
    "lao": ((0xE80, 0xEFF),),
    "tibetan": ((0xF00, 0xFFF),),
    "myanmar": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    "hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    "ethiopic": ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)),
    "khmer": ((0x1780, 0x17FF), (0x19E0, 0x19FF)),
    "kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F)),
    "han": (
        (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
        (0xF900, 0xFAFF), (0x20000, 0x3FFFD),
    ),
}  # fmt: skip
_UNSPACED = ("thai", "lao", "tibetan", "myanmar", "khmer", "kana", "han")
_HIDDEN = (
    0xAD,
    0x34F,
    0x200C,
    0x200D,
    0x2060,
    0xFEFF,
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
)
_CONTROL = (
    *(n for n in range(0x20) if n not in (0x09, 0x0A, 0x0D)),
    *(n for n in range(0x7F, 0xA0) if n != 0x85),
    0xAD, 0x200B, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF,
    *range(0xFFF9, 0xFFFC),
)  # fmt: skip
_PLANES = 0x20000
_LAST = 0x110000


@cache
def flags() -> NDArray[np.uint8]:
    """Return the flags of every code point.

    >>> bool(flags()[ord("漢")] & ALONE), bool(flags()[ord("é")] & ALONE)
    (True, False)
    """
    table = np.zeros(_LAST, np.uint8)
    kinds = [unicodedata.category(chr(point)) for point in range(_PLANES)]
    for point, kind in enumerate(kinds):
        first = kind[0]
        if first == "L":
            table[point] = WORD | LETTER | (UPPER if kind in {"Lu", "Lt"} else 0)
        elif first == "M":
            table[point] = WORD | MARK
        elif first == "N":
            table[point] = WORD
        elif kind == "So" and point >= 0x2190:
            table[point] = WORD | ALONE
    for low, high in _RANGES["han"]:
        if low >= _PLANES:
            table[low : high + 1] = WORD | LETTER
    for script in _UNSPACED:
        for low, high in _RANGES[script]:
            part = table[low : high + 1]
            part[(part & LETTER) != 0] |= ALONE
    table[list(_HIDDEN)] = HIDDEN
    table[list(_CONTROL)] |= CONTROL
    return table


@cache
def scripts() -> NDArray[np.uint8]:
    """Return the script of every code point that is a letter, 0 for all others.

    >>> SCRIPTS[scripts()[ord("ж")]], SCRIPTS[scripts()[ord("7")]]
    ('cyrillic', 'none')
    """
    table = np.zeros(_LAST, np.uint8)
    for name, spans in _RANGES.items():
        for low, high in spans:
            table[low : high + 1] = SCRIPTS.index(name)
    letters = (flags() & LETTER) != 0
    table[letters & (table == 0)] = SCRIPTS.index("other script")
    table[~letters] = 0
    return table
