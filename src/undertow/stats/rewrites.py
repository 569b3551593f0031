"""What was done to one text to make another of it: named, where a known step of preparation explains it.

Two pipelines that should prepare text alike rarely differ in everything: one lower-cases, or composes
accents, or escapes HTML, or cuts. Each known step is tried, alone and two together, from the one text
to the other and back.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

Rewrite = Callable[[str], str]

COMPOSED, APART = "Unicode normalisation (NFC)", "Unicode normalisation (NFD)"
TRUNCATION, PREFIX, OTHER = "truncation", "a prefix", "other text"
LONG = 50_000
"""Characters from which a text is not tried with two steps together."""
PROBED = 500
_TAGS = re.compile(r"</?[A-Za-z][^<>]*>")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def _no_accents(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


def _normal(form: str) -> Rewrite:
    return lambda text: unicodedata.normalize(form, text)  # type: ignore[arg-type]


def _bad_bytes(text: str) -> str:
    return text.encode("utf-8", "replace").decode("cp1252", "replace")


REWRITES: dict[str, tuple[Rewrite, ...]] = {
    "lower-casing": (str.lower,),
    COMPOSED: (_normal("NFC"),),
    APART: (_normal("NFD"),),
    "HTML escape": (html.escape, lambda text: html.escape(text, quote=False)),
    "HTML unescape": (html.unescape,),
    "whitespace": (lambda text: " ".join(text.split()),),
    "accents stripped": (
        _no_accents,
        lambda text: text.encode("ascii", "ignore").decode(),
    ),
    "Unicode normalisation (NFKC)": (_normal("NFKC"),),
    "tags stripped": (lambda text: _TAGS.sub("", text), lambda text: _TAGS.sub(" ", text)),
    "punctuation stripped": (
        lambda text: _PUNCTUATION.sub("", text),
        lambda text: _PUNCTUATION.sub(" ", text),
    ),
    "upper-casing": (str.upper,),
    "bad encoding": (
        _bad_bytes,
        lambda text: text.encode("utf-8", "replace").decode("latin-1"),
    ),
}
"""Steps by name, the commonest first; where one has several ways, any counts."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A step that one side takes and the other does not; `by` is 1 where the second takes it, else 0."""

    name: str
    by: int


Step = tuple[tuple[str, ...], Rewrite]


@cache
def single() -> tuple[Step, ...]:
    """Return every step by its name."""
    return tuple(((name,), way) for name, ways in REWRITES.items() for way in ways)


@cache
def steps() -> tuple[Step, ...]:
    """Return every step by its name, then every two of different names, one after the other.

    >>> names = [each for each, _ in steps()]
    >>> names[0], len(names) > 100
    (('lower-casing',), True)
    """
    flat = single()
    two = [
        ((*name, *other), _both(way, after))
        for name, way in flat
        for other, after in flat
        if other != name
    ]
    return (*flat, *two)


def _both(way: Rewrite, after: Rewrite) -> Rewrite:
    return lambda text: after(way(text))


def causes(one: str, two: str) -> tuple[Cause, ...]:
    """Return the steps that make one text of the other; none where they are equal.

    >>> causes("Set an Alarm", "set an alarm")
    (Cause(name='lower-casing', by=1),)
    >>> causes("fish &amp; chips", "Fish & Chips!"), causes("a b", "c d")
    ((Cause(name='other text', by=1),), (Cause(name='other text', by=1),))
    >>> [each.name for each in causes("Wo ist die Küche?", "wo ist die")]
    ['lower-casing', 'truncation']
    """
    if one == two:
        return ()
    return _found(one, two, steps()[len(single()) :])


def all_causes(pairs: Sequence[tuple[str, str]]) -> list[tuple[Cause, ...]]:
    """Return the causes of each pair; two steps that explained none of the first 500 are not tried.

    >>> [each[0].name for each in all_causes([("A", "a"), ("b ", "b")])]
    ['lower-casing', 'whitespace']
    """
    made = [causes(*pair) for pair in pairs[:PROBED]]
    told = {tuple(each.name for each in found) for found in made if len(found) == 2}
    known = [step for step in steps() if step[0] in told]
    return made + [_found(one, two, known) if one != two else () for one, two in pairs[PROBED:]]


def _found(one: str, two: str, twice: Sequence[Step]) -> tuple[Cause, ...]:
    """Return the causes by single steps, then by parts, then by these steps of two."""
    found = _made(one, two, single()) or _part(one, two)
    if not found and max(len(one), len(two)) <= LONG:
        found = _made(one, two, twice)
    return found or _made_and_cut(one, two) or (Cause(OTHER, 1),)


def _made(one: str, two: str, tried: Sequence[Step]) -> tuple[Cause, ...]:
    for names, way in tried:
        for by, (before, after) in enumerate(((two, one), (one, two))):
            if way(before) == after:
                turned = names == (COMPOSED,) and not by and _normal("NFD")(one) == two
                # What was composed and is not any more: the second took the accents apart.
                return (
                    tuple(Cause(name, by) for name in names) if not turned else (Cause(APART, 1),)
                )
    return ()


def _part(one: str, two: str) -> tuple[Cause, ...]:
    """Return the cause where one text begins, or ends, as the other does."""
    for by, (whole, part) in enumerate(((two, one), (one, two))):
        if begins(whole, part):
            return (Cause(TRUNCATION, by),)
        if len(part) > len(whole) > 0 and part.endswith(whole):
            return (Cause(PREFIX, by),)
    return ()


def _made_and_cut(one: str, two: str) -> tuple[Cause, ...]:
    """Return the causes where one text begins as a step makes the other begin."""
    for name, ways in REWRITES.items():
        for way in ways:
            for by, (before, after) in enumerate(((two, one), (one, two))):
                made = way(before)
                if begins(made, after):
                    return (Cause(name, by), Cause(TRUNCATION, by))
                if begins(after, made):
                    return (Cause(name, by), Cause(TRUNCATION, 1 - by))
    return ()


def begins(whole: str, part: str) -> bool:
    """Tell whether a text is the beginning of a longer one, dots at its end left out.

    >>> begins("a long story", "a long..."), begins("a long story", ""), begins("a", "a")
    (True, False, False)
    """
    kept = part.rstrip()
    kept = kept.removesuffix("…").removesuffix("...").rstrip()
    return 0 < len(kept) < len(whole.rstrip()) and whole.startswith(kept)
