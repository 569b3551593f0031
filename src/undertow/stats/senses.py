"""One word with two senses (Apple, apple): do its rows fall apart, and whose neighbours are wrong?

Two questions, the first without labels. Do the rows that hold the word fall into two groups? They
may for another reason than the word: wordings and topics make groups too. And, given a sense for
each row, or a capital as a weak sign of one, are the nearest of a row's fellows of its own sense?
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.stats.counts import stream
from undertow.stats.mixing import Mixing, mixing
from undertow.stats.neighbours import Matrix, nearest, one_thread

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEAR = 5
DEALS = 999
"""Times that the senses are dealt out anew."""
CLOUDS = 199
"""Draws without groups that the two groups are compared with."""
MOST = 400
"""Rows of the word that the groups are looked for in; others take their side of the cut."""
AXES = 3
TINY = 1e-9
FEW = 8
"""Rows below which no two groups are looked for."""


@dataclass(frozen=True, eq=False)
class Senses:
    """What a space makes of one word.

    `rows` are the positions of the texts that hold the word, `groups` (0 or 1) the two groups that
    they fall into, `left` the share of the spread left inside the groups (0 is two points), and
    `p_groups` how often rows without groups leave so little. With senses given:
    `wrong` is the share of a row's nearest fellows that are of another sense, `chance` what it
    would be if the senses were dealt out anew, `p` how often it would be so low: above 0.05 the
    space does not tell the senses apart. `misplaced` are positions of the rows most of whose
    fellows are of another sense, the worst first; `pairs` says which sense sits in which.
    """

    word: str
    rows: Ints
    groups: Ints
    left: float
    p_groups: float
    wrong: float
    chance: float
    p: float
    misplaced: Ints
    pairs: tuple[Mixing, ...]


def spellings(texts: Sequence[str | None], word: str) -> tuple[Ints, list[str | None]]:
    """Return the positions of the texts that hold the word, and how each spells it.

    The spelling is "Apple" or "apple" by its first letter, and None where it says nothing: the word
    stands first in a sentence, is all in capitals, or is spelled both ways.

    >>> rows, forms = spellings(["An apple a day", "at Apple today", "Apple pie", "none"], "apple")
    >>> rows.tolist(), forms
    ([0, 1, 2], ['apple', 'Apple', None])
    """
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    lower = word[:1].lower() + word[1:].lower()
    title = word[:1].upper() + word[1:].lower()
    rows, forms = [], []
    for row, text in enumerate(texts):
        found = list(pattern.finditer(text or ""))
        if not found:
            continue
        said = {
            match.group() if match.group() in {lower, title} else None
            for match in found
            if match.group() == lower or not _first(text or "", match.start())
        }
        rows.append(row)
        forms.append(said.pop() if len(said) == 1 else None)
    return np.array(rows, np.int64), forms


def _first(text: str, at: int) -> bool:
    """Tell whether a word at this place stands first in its sentence."""
    before = text[:at].rstrip(" \t\n\"'([{\u201c\u2018")
    return not before or before[-1] in ".!?:;…\n"


def senses(
    vectors: Matrix,
    texts: Sequence[str | None],
    word: str,
    given: Sequence[object | None] | None = None,
    *,
    near: int = NEAR,
) -> Senses:
    """Return what the space (n, d), rows of length 1, makes of a word of its n texts.

    `given` has the sense of each row, None where it is not known; without it the spelling stands
    for the sense (`spellings`). Only rows of a known sense are each other's fellows. The word may
    be in no row at all: then p is 1 and the shares are nan. Raises DataError where there are not as
    many texts or senses as vectors.

    >>> rows = np.array([[9, 0], [9, 1], [9, 2], [0, 9], [1, 9], [2, 9]], np.float32)
    >>> rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    >>> texts = ["an apple pie"] * 3 + ["shares of Apple"] * 2 + ["a red apple"]
    >>> found = senses(rows, texts, "apple", near=2)
    >>> round(found.wrong, 2), found.misplaced.tolist()
    (0.33, [5])
    """
    if len(texts) != len(vectors) or (given is not None and len(given) != len(vectors)):
        sized = len(texts) if given is None else f"{len(texts)} and {len(given)}"
        raise DataError(f"{sized} texts and senses for {len(vectors)} vectors: give one each")
    rows, forms = spellings(texts, word)
    if given is not None:
        forms = [None if given[row] is None else str(given[row]) for row in rows.tolist()]
    groups, left, p_groups = two_groups(vectors[rows])
    known = np.array([form is not None for form in forms], np.bool_)
    labels = [form for form in forms if form is not None]
    found = (word, rows, groups, left, p_groups)
    if len(set(labels)) < 2:
        return Senses(*found, math.nan, math.nan, 1.0, np.empty(0, np.int64), ())
    positions = rows[known]
    fellows = vectors[positions]
    sense = np.unique(np.array(labels), return_inverse=True)[1]
    which = nearest(fellows, fellows, near, itself=False).which
    wrong = (sense[which] != sense[:, None]).mean(axis=1)
    random = stream()
    dealt = np.array([_wrong(random.permutation(sense), which) for _ in range(DEALS)])
    share = float(wrong.mean())
    sizes = np.bincount(sense)
    others = 1 - (sizes * (sizes - 1)).sum() / (len(sense) * (len(sense) - 1))
    order = np.argsort(-wrong, kind="stable")
    return Senses(
        *found,
        share,
        float(others),
        float((1 + (dealt <= share + 1e-12).sum()) / (1 + DEALS)),
        positions[order[wrong[order] > 0.5]],
        mixing(fellows, labels, near=near),
    )


def _wrong(sense: Ints, which: npt.NDArray[np.int32]) -> float:
    return float((sense[which] != sense[:, None]).mean())


@one_thread
def two_groups(rows: Matrix) -> tuple[Ints, float, float]:
    """Return the better of two groups for each row (n, d), the spread left, and its p.

    On each of the three axes along which the rows differ most they are cut in two where the least
    spread is left inside the groups, none with less than a tenth of the rows; the best axis counts.
    `p` is how often rows spread evenly along three axes leave so little. With fewer than 8 rows
    there is one group, all spread is left, and p is 1.

    >>> one = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    >>> two_groups(one)[2] > 0.05
    True
    >>> one[:20, 0] += 9
    >>> groups, left, p = two_groups(one)
    >>> np.bincount(groups).tolist(), left < 0.1, p < 0.01
    ([20, 20], True, True)
    """
    if len(rows) < FEW:
        return np.zeros(len(rows), np.int64), 1.0, 1.0
    step = np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.int64)
    middle = rows[step].mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(rows[step] - middle, full_matrices=False)
    if size[0] <= TINY:
        return np.zeros(len(rows), np.int64), 1.0, 1.0
    spots = (rows[step] - middle) @ axes[size > TINY * size[0]][:AXES].T
    cut, left = _halved(spots)
    best = int(left.argmin())
    even = stream().random((CLOUDS, len(step), AXES))
    p = (1 + sum(float(_halved(cloud)[1].min()) <= left[best] for cloud in even)) / (1 + CLOUDS)
    upper = (rows - middle) @ axes[best] > cut[best]
    return upper.astype(np.int64), float(left[best]), float(p)


def _halved(spots: Floats) -> tuple[Floats, Floats]:
    """Return, for each axis (n, a), the best cut in two, and the share of the spread left inside."""
    rows = np.sort(spots - spots.mean(axis=0), axis=0)
    n = len(rows)
    fewest = max(n // 10, 2)
    below = np.arange(fewest, n - fewest + 1)
    between = np.cumsum(rows, axis=0)[below - 1] ** 2 * (1 / below + 1 / (n - below))[:, None]
    at = between.argmax(axis=0)
    axis = np.arange(rows.shape[1])
    cut = (rows[below[at] - 1, axis] + rows[below[at], axis]) / 2 + spots.mean(axis=0)
    return cut, 1 - between[at, axis] / np.maximum(np.square(rows).sum(axis=0), TINY)
