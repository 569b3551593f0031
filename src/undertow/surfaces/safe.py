"""Whatever came out of the data is shown as harmless, one-line text, by one function everywhere."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
"""Stands where a character was taken out because it acts instead of being read."""

# Controls (C0, DEL, C1), bidirectional controls, invisible characters (soft hyphen, zero width
# space, byte order mark, interlinear and tag characters), lone surrogates, non-characters.
_ACTING = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
# Whole terminal commands go as one: CSI (colours, cursor), OSC, DCS and friends (titles, links).
_ESCAPES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,512}(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]{0,16}[0-~]"
)
_PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]{8,40000}={0,2}")
_SPACES = re.compile("[\t-\r\x85\u2028\u2029 ]+")
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
# Accents piled so high that they would cover the lines above and below.
_PILES = re.compile(f"({_MARKS}{{4}}){_MARKS}+")


def picture(value: object) -> bool:
    """Tell whether a value is a thumbnail that a page may show as it is.

    >>> picture("data:image/png;base64,iVBORw0KGgo="), picture('data:image/png;base64,"onload=')
    (True, False)
    """
    return isinstance(value, str) and _PICTURE.fullmatch(value) is not None


def safe(text: object, limit: int | None = 200) -> str:
    r"""Return text that can be shown on a terminal, in a page or in a log without acting on it.

    Controls, escape sequences, bidirectional and invisible characters become U+FFFD; line breaks
    become a space; longer texts end in an ellipsis and the number of characters left out (None for
    no limit). Markup is not touched: each door escapes for itself.

    >>> safe("red \x1b[31malert\x1b[0m\nnext")
    'red �alert� next'
    >>> safe("\u202etxt.exe\u0000")
    '�txt.exe�'
    >>> safe("abcdefghij", limit=4)
    'abcd… (6 more)'
    >>> safe("data:image/png;base64,iVBORw0KGgo=")
    '(image)'
    """
    whole = text if isinstance(text, str) else str(text)
    if _PICTURE.fullmatch(whole):
        return "(image)"
    head = whole
    if limit is not None and len(whole) > 4 * limit + 64:
        # What is cut off is never searched: a cell of a megabyte costs no more than a long one.
        head = whole[: 4 * limit + 64]
    plain = _ACTING.sub(REPLACEMENT, _ESCAPES.sub(REPLACEMENT, head))
    shown = _PILES.sub(r"\1", _SPACES.sub(" ", plain)).strip()
    if limit is None:
        return shown
    left = len(whole) - len(head) + max(0, len(shown) - limit)
    if left == 0:
        return shown
    return f"{shown[:limit].rstrip()}… ({left:,} more)"
