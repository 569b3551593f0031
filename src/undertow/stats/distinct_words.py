"""The words that tell one group of texts from the others: a name that says what is in it.

Class-based TF-IDF: a group's texts stand together as one document, so a word counts by how many of
the group's texts hold it, and by how few texts hold it anywhere. Words that every group uses name
none, in whatever language: no list of stop words is needed. Grootendorst (2022), BERTopic: neural
topic modeling with a class-based TF-IDF procedure, section 3.3 (arXiv 2203.05794).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from undertow.core.errors import DataError
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.summaries.tokens import texts as tokenised

WORDS = 4
"""Words in a name."""
LIFT = 3.0
"""Times that a word must be commoner in a group than outside it, where any is: with few groups,
rarity alone lets "to" and "my" pass."""
ENDING = 2
"""Letters by which two words may differ at their end and still be one in a name: tire, tires."""
LONGEST = 30
ALPHABETS = "\u2e80"
"""Beyond it a single character is a word (Chinese, Japanese, Korean, emoji)."""
STEM = 4
"""Letters that the shorter of the two needs: car and card are two words."""

Ints = npt.NDArray[np.int64]


def distinct_words(
    texts: Sequence[str | None] | pa.Array, groups: npt.ArrayLike, *, words: int = WORDS
) -> tuple[tuple[str, ...], ...]:
    """Return for each group, 0 to the largest, its most distinguishing words, the strongest first.

    `texts` has a row a text, `groups` (n,) the group of each, -1 for texts of none, which count
    among the others. Words met in two texts of a group come before those in one, and words as
    common elsewhere name it only where no other does. A group without words has none. Raises
    DataError where there are not as many groups as texts.

    >>> distinct_words(["set an alarm", "an alarm at six", "play a song", "a song for you"],
    ...                [0, 0, 1, 1], words=1)
    (('alarm',), ('song',))
    """
    array = texts if isinstance(texts, pa.Array) else pa.array(list(texts), pa.string())
    of_row = np.asarray(groups, dtype=np.int64)
    if of_row.shape != (len(array),):
        raise DataError(f"{of_row.size} groups for {len(array)} texts: give one each")
    many = int(of_row.max(initial=-1)) + 1
    rows, codes, names = _held(array)
    total = np.bincount(codes, minlength=len(names))
    usual = len(codes) / max(many, 1)
    rarity = np.log1p(usual / np.maximum(total, 1))
    sizes = np.maximum(np.bincount(of_row[of_row >= 0], minlength=many), 1)
    inside = of_row[rows] >= 0
    cells, counts = np.unique(of_row[rows[inside]] * len(names) + codes[inside], return_counts=True)
    group, word = np.divmod(cells, max(len(names), 1))
    share = counts / sizes[group]
    outside = (total[word] - counts) / np.maximum(len(array) - sizes[group], 1)
    common = share < LIFT * outside
    order = np.lexsort((word, -share * rarity[word], counts < 2, common, group))
    starts = np.searchsorted(group[order], np.arange(many + 1))
    found = []
    for low, high in pairwise(starts.tolist()):
        own = order[low:high]
        telling = own[~common[own]]
        found.append(_picked(names, word[telling], words) or _picked(names, word[own], words))
    return tuple(found)


def _held(array: pa.Array) -> tuple[Ints, Ints, list[str]]:
    """Return the row and the word of every pair once, the words as places in the sorted third."""
    rows, words = [], []
    known = {"": 0}
    for some in tokenised(Values(Column("text", Kind.TEXT), array)):
        tokens = some.tokens
        places = [known.setdefault(word, len(known)) for word in tokens.words.to_pylist()]
        rows.append(tokens.rows + some.first)
        words.append(np.array(places, np.int64)[tokens.codes])
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int64), list(known)
    names = sorted(known)
    place = np.empty(len(names), np.int64)
    place[[known[name] for name in names]] = np.arange(len(names))
    pairs = np.unique(np.concatenate(rows) * len(names) + place[np.concatenate(words)])
    row, word = np.divmod(pairs, len(names))
    return row, word, names


def _picked(names: list[str], candidates: Ints, words: int) -> tuple[str, ...]:
    """Return the first `words` candidates that are letters and no other form of one before."""
    picked: list[str] = []
    for place in candidates.tolist():
        if len(picked) == words:
            break
        word = names[place]
        if _says(word) and not any(_same(word, other) for other in picked):
            picked.append(word)
    return tuple(picked)


def _says(word: str) -> bool:
    """Tell whether a word can stand in a name: no digit, no single letter of an alphabet, not long.

    >>> _says("t"), _says("車"), _says("2024"), _says("café")
    (False, True, False, True)
    """
    if len(word) > LONGEST or any(c.isdigit() or c == "#" for c in word):
        return False
    return len(word) > 1 or word > ALPHABETS


def _same(word: str, other: str) -> bool:
    """Tell whether one word is the other with a short ending, or its possessive.

    >>> _same("tires", "tire"), _same("card", "car"), _same("car's", "car")
    (True, False, True)
    """
    short, long = sorted((word.removesuffix("'s"), other.removesuffix("'s")), key=len)
    if short == long:
        return True
    return len(short) >= STEM and len(long) - len(short) <= ENDING and long.startswith(short)
