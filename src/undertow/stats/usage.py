"""Where a word stands in a text: what is before and after each of its uses, and what marks a period."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.stats.distinct_words import distinct_words

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Scripts written without spaces, Thai to Chinese, as a class of a pattern."""
MARKS = "".join(
    chr(each) for each in range(0x300, 0xE00) if unicodedata.category(chr(each)).startswith("M")
)
"""Vowel signs and accents that stand inside words, as of Hindi and Arabic; `\\w` knows none of them."""
_PART = rf"(?:[^\W{UNSPACED}]|[{MARKS}])"
_JOINS = re.compile(_PART)
"""A letter or digit that stands in one word with its neighbours."""
_WORD = re.compile(rf"[{UNSPACED}]|{_PART}+(?:['\u2019]{_PART}+)*")
_PLAIN = re.compile(rf"(?:[^\W\d_{UNSPACED}]|[{MARKS}]){{3,}}")
PER_TEXT = 50
"""Uses read of one text, spread over all that it has."""
LETTERS = 40
"""Characters looked through for each word of a window."""
COMMON = 0.005
"""Share of all words above which a word is grammar and not content: about the first 30 in English."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a word: what stands before it, how it is spelled there, what stands after it."""

    before: str
    word: str
    after: str

    @property
    def context(self) -> str:
        """The words around it, without the word itself."""
        return f"{self.before} {self.after}".strip()

    def __str__(self) -> str:
        """Return the use as a line, the word in brackets (keyword in context)."""
        told = f"{self.before} [{self.word}] {self.after}"
        return " ".join(told.split())

    def short(self, letters: int) -> str:
        """Return the use as a line with so many characters on either side of the word, at most.

        >>> Use("once upon a time there was", "apple", "of gold").short(12)
        '...there was [apple] of gold'
        """
        before, after = (" ".join(each.split()) for each in (self.before, self.after))
        if len(before) > letters:
            before = "..." + before[-letters:].partition(" ")[2]
        if len(after) > letters:
            after = after[:letters].rpartition(" ")[0] + "..."
        return f"{before} [{self.word}] {after}".strip()


def composed(text: str) -> str:
    """Return text in composed form (NFC), so that one word is spelled by one string."""
    return unicodedata.normalize("NFC", text)


def pattern(term: str, *, case: bool = False) -> re.Pattern[str]:
    r"""Return what finds a term, of one word or more, where it stands as a whole word.

    Words of a term may be parted by any blanks. In scripts written without spaces it may stand inside
    a run. Without `case`, capitals do not matter.

    >>> bool(pattern("machine learning").search("Machine\nlearning")), pattern("art").search("party")
    (True, None)
    >>> bool(pattern("学习").search("机器学习很好"))
    True
    """
    told = composed(term).strip()
    body = r"\s+".join(re.escape(each) for each in told.split())
    before = rf"(?<!{_PART})" if _JOINS.match(told[0]) else ""
    after = rf"(?!{_PART})" if _JOINS.match(told[-1]) else ""
    return re.compile(f"{before}{body}{after}", 0 if case else re.IGNORECASE)


def uses(text: str, find: re.Pattern[str], window: int) -> list[Use]:
    """Return the uses of a word in a text, at most 50, with up to `window` words on either side.

    >>> [str(each) for each in uses("A red apple a day, an apple pie.", pattern("apple"), 2)]
    ['A red [apple] a day,', 'day, an [apple] pie.']
    """
    text = composed(text)
    found = list(find.finditer(text))
    if len(found) > PER_TEXT:
        spots = np.linspace(0, len(found) - 1, PER_TEXT).astype(int).tolist()
        found = [found[spot] for spot in spots]
    reach = LETTERS * window
    made = []
    for match in found:
        start, end = match.span()
        head = text[max(start - reach, 0) : start]
        tail = text[end : end + reach]
        before = [each.start() for each in _WORD.finditer(head)]
        after = [each.end() for each in _WORD.finditer(tail)]
        head = head[before[-window] :] if len(before) >= window else head
        if len(after) >= window:
            # A comma or a full stop behind the last word belongs to it.
            stop = after[window - 1]
            tail = tail[: stop + (tail[stop : stop + 1] in set(",.;:!?"))]
        made.append(Use(head.strip(), match.group(), tail.strip()))
    return made


def words(text: str) -> list[str]:
    """Return the words of three letters and more that could be looked at, in lower case.

    >>> words("The 3 apples, déjà vu!")
    ['the', 'apples', 'déjà']
    """
    return [each.group() for each in _PLAIN.finditer(composed(text).lower())]


def candidates(
    reference: Counter[str],
    current: Counter[str],
    least: int,
    *,
    without: Iterable[str] = (),
    grammar: bool = False,
) -> list[str]:
    """Return the words with `least` uses on both sides, the most used first.

    Words of grammar are left out unless asked for: those that are more than 0.5% of all words.

    >>> many = Counter({"of": 900, "apple": 4, "pear": 3, "fig": 1, "rest": 9_000})
    >>> candidates(many, many, 3, without=["pear"])
    ['apple']
    """
    total = sum(reference.values()) + sum(current.values())
    left_out = {each.lower() for each in without}
    found = [
        (count + current[each], each)
        for each, count in reference.items()
        if count >= least and current[each] >= least and each not in left_out
    ]
    content = [(count, each) for count, each in found if grammar or count <= COMMON * total]
    return [each for _, each in sorted(content, key=lambda pair: (-pair[0], pair[1]))]


@dataclass(frozen=True)
class Beside:
    """A word beside a term, and the share of the term's uses that it stands beside."""

    word: str
    reference: float
    current: float

    def to_dict(self) -> dict[str, object]:
        """Return the word as evidence."""
        share = {"reference": round(self.reference, 4), "current": round(self.current, 4)}
        return {"word": self.word, "share": share}


def beside(
    reference: Sequence[str], current: Sequence[str], *, most: int = 5
) -> tuple[list[Beside], list[Beside]]:
    """Return the words that mark the contexts of the reference, and those that mark the current ones.

    >>> before, now = beside(["red pie"] * 5 + ["a tree"], ["phone"] * 5 + ["a store"], most=1)
    >>> before[0].word, now[0].word, now[0].current
    ('pie', 'phone', 0.8333333333333334)
    """
    contexts = [*reference, *current]
    sides: npt.NDArray[np.int64] = np.repeat([0, 1], [len(reference), len(current)])
    told = distinct_words(contexts, sides, words=most)
    held = [set(_WORD.findall(composed(each).lower())) for each in contexts]
    count = len(reference)
    found: tuple[list[Beside], list[Beside]] = ([], [])
    for place, names in enumerate(told[:2]):
        for name in names:
            parts = [name in each for each in held]
            shares = (sum(parts[:count]) / max(count, 1), sum(parts[count:]) / max(len(current), 1))
            if shares[place] > shares[1 - place]:
                found[place].append(Beside(name, *shares))
    return found
