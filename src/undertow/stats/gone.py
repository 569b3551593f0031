"""Which topics the documents that are not in an index are of: a few topics wholly, or all alike.

Documents without a vector have no place in the space, so all of them, missing or not, are laid out by
their words. Where the neighbours of a missing document are missing too, topics are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.stats.distinct_words import distinct_words
from undertow.stats.neighbours import Matrix, nearest, one_thread, unit
from undertow.stats.probe import drawn
from undertow.stats.regions import clusters
from undertow.stats.score import SEEN
from undertow.stats.stored import worded

Flags = NDArray[np.bool_]

PLACES = 2**14
FOLDED = 96
"""Directions that the words are folded to (Deerwester et al. 1990)."""
MOST = 20_000
"""Documents that are laid out, at most."""
NEAR = 10
WHOLLY = 0.8
"""Share of a topic's documents that are missing, from which it is wholly missing, or nearly."""
ROWS = 60
"""Missing documents a group, about."""
MANY = 24
"""Groups at most: nobody reads more names."""
LEAST = 4
"""Documents that a topic must have."""
TOGETHER = 0.25
"""How much more often than by chance neighbours are missing too, from which topics are missing.
Whole topics measured 0.36 to 0.75, documents missing at random -0.03 to 0.03 (bench/faults.py)."""
SPREAD = 0.1
"""The same, up to which they are spread."""


@dataclass(frozen=True)
class Group:
    """Missing documents of one topic: its name, how many, and the position of one of them.

    `documents` is how many documents the topic has in all, None where topics are only guessed from
    the words.
    """

    name: str
    missing: int
    example: int
    documents: int | None = None


@dataclass(frozen=True)
class Gone:
    """How the missing documents lie among all.

    `together` is how much more often than by chance the neighbours of a missing document are missing
    too: 0 where they are spread over everything, 1 where whole topics are missing; None where topics
    were given. `groups` are the missing topics, the largest first, of `many` where that is known.
    """

    together: float | None
    groups: tuple[Group, ...] = ()
    many: int | None = None

    @property
    def spread(self) -> bool:
        """Whether they are spread over all topics alike."""
        if self.together is None:
            return self.many is not None and not self.groups
        return self.together < SPREAD


@one_thread
def gone(ids: Sequence[str], texts: Sequence[str], missing: Flags) -> Gone:
    """Return how the missing documents (n,) lie among all, by the words of their texts.

    Of more than 20,000 documents as many are drawn by the hash of their ids.

    >>> texts = [f"{a} {b}" for a in ("door", "sea") for b in ("red", "old", "new", "wide") * 8]
    >>> found = gone([str(n) for n in range(64)], texts, np.arange(64) >= 32)
    >>> found.spread, found.groups[0].name, found.groups[0].missing
    (False, 'sea', 32)
    """
    some = np.sort(drawn(ids, MOST))
    lost = missing[some]
    kept = [texts[row] for row in some.tolist()]
    rows = _laid_out(kept)
    spots = np.flatnonzero(rows.any(axis=1))
    sought = spots[lost[spots]]
    if len(sought) < LEAST or len(spots) - len(sought) < LEAST:
        return Gone(None)
    which = nearest(rows[sought], rows[spots], NEAR + 1).which
    rate = (len(sought) - 1) / (len(spots) - 1)
    # Each is among its own nearest, or a copy of it is.
    beside = (lost[spots][which].sum(axis=1) - 1) / max(which.shape[1] - 1, 1)
    together = (float(beside.mean()) - rate) / (1 - rate)
    if together < TOGETHER:
        return Gone(round(together, 4))
    cells = clusters(rows[sought], min(max(len(sought) // ROWS, 1), MANY))[0]
    groups = np.full(len(some), -1, np.int64)
    groups[sought] = cells
    found = []
    for each, words in enumerate(distinct_words(kept, groups, words=3)):
        held = np.flatnonzero(groups == each)
        first = int(held[0])
        name = ", ".join(words) or kept[first].strip()[:40]
        found.append(Group(name, len(held), int(some[first])))
    found.sort(key=lambda group: (-group.missing, group.name))
    return Gone(round(together, 4), tuple(found))


def gone_by(topics: Sequence[str | None], missing: Flags) -> Gone:
    """Return which of the given topics (n,) are wholly missing, or nearly.

    >>> found = gone_by(["a"] * 12 + ["b"] * 6, np.arange(18) > 10)
    >>> [(each.name, each.missing, each.documents) for each in found.groups], found.many
    ([('b', 6, 6)], 2)
    """
    from scipy.stats import binom

    names = list(dict.fromkeys(each for each in topics if each is not None))
    place = {name: spot for spot, name in enumerate(names)}
    cells = np.array([-1 if each is None else place[each] for each in topics], np.int64)
    inside = cells >= 0
    total = np.bincount(cells[inside], minlength=len(names))
    lost = np.bincount(cells[inside & missing], minlength=len(names))
    share = lost / np.maximum(total, 1)
    rate = float(missing.mean()) if len(missing) else 0.0
    # Of so many missing at random, a topic of a few documents is wholly missing now and then.
    chance = binom.sf(lost - 1, total, rate) * len(names)
    listed = np.flatnonzero((share >= WHOLLY) & (total >= LEAST) & (chance <= SEEN))
    order = listed[np.argsort(-total[listed], kind="stable")].tolist()
    groups = tuple(
        Group(
            names[each],
            int(lost[each]),
            int(np.flatnonzero(missing & (cells == each))[0]),
            int(total[each]),
        )
        for each in order
    )
    return Gone(None, groups, len(names))


def _laid_out(texts: Sequence[str]) -> Matrix:
    """Return the texts as rows (n, d) of length 1, folded from hashed words; zeros without a word."""
    from sklearn.utils.extmath import randomized_svd

    cells = worded(texts, PLACES)
    most = min(FOLDED, *cells.shape) - 1
    if most < 2:
        return np.asarray(cells.toarray(), np.float32)
    _, _, directions = randomized_svd(cells, most, n_iter=2, random_state=0)
    return unit(np.asarray(cells @ directions.T, np.float32))
