"""`safe` makes any text harmless to look at, on a terminal, in a page and in a log."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.surfaces.safe import REPLACEMENT, safe

ACTING = {"Cc", "Cs", "Co", "Cn"}
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünïcode 東京 👩‍👩‍👧", "plain text, ünïcode 東京 👩‍👩‍👧"),
        ("a\x1b[2Jb", f"a{REPLACEMENT}b"),
        ("\x1b]0;owned\x07title", f"{REPLACEMENT}title"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", f"{REPLACEMENT}link{REPLACEMENT}"),
        ("\x9b31mred", f"{REPLACEMENT}red"),
        ("\x1bcreset", f"{REPLACEMENT}reset"),
        ("half an escape \x1b", f"half an escape {REPLACEMENT}"),
        ("nul\x00l", f"nul{REPLACEMENT}l"),
        ("\u202eexe.txt", f"{REPLACEMENT}exe.txt"),
        ("lone \ud800 half", f"lone {REPLACEMENT} half"),
        ("one\r\ntwo\u2028three\x85four\tfive", "one two three four five"),
        ("[/bold][red]x</script><b>", "[/bold][red]x</script><b>"),
        ("z" + "\u0301" * 500 + "algo", "z" + "\u0301" * 4 + "algo"),
        ("   ", ""),
        ("", ""),
    ],
)
def test_known_attacks(text: str, shown: str) -> None:
    """Each known way to act on a reader's screen is made visible, and nothing else is touched."""
    assert safe(text) == shown


@given(st.text(st.characters(codec=None), max_size=400), st.integers(1, 300))
def test_nothing_acts(text: str, limit: int) -> None:
    """Whatever goes in, what comes out encodes, holds no control, and is short."""
    shown = safe(text, limit)
    shown.encode("utf-8")
    assert not {"Cc", "Cs"} & {unicodedata.category(each) for each in shown}
    assert not BIDI & {unicodedata.bidirectional(each) for each in shown}
    assert len(shown) <= limit + 24


@given(st.text(max_size=100))
def test_twice_is_once(text: str) -> None:
    """Text that is already safe stays as it is."""
    assert safe(safe(text)) == safe(text)


def test_long_text_is_cut_and_counted() -> None:
    """A cut text says how many characters are left, and costs no more than a short one."""
    assert safe("x" * 1_000_000, limit=10) == "xxxxxxxxxx… (999,990 more)"
    assert safe("x" * 10, limit=10) == "x" * 10
    assert safe("x" * 500, limit=None) == "x" * 500
    start = time.perf_counter()
    for _ in range(100):
        safe("\x1b[" * 500_000)
    assert time.perf_counter() - start < 2


def test_any_value_is_text() -> None:
    """Numbers and None are shown as Python writes them."""
    assert [safe(value) for value in (None, 3, 1.5, True)] == ["None", "3", "1.5", "True"]
