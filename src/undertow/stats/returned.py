"""Own output that comes back: which rows are copies of what a model wrote earlier.

A row is a copy where its words are those of an output, where their sets of shingles overlap by .8
(Jaccard similarity), or where nine tenths of one lie within the other, a passage of nine words or more
(containment; both Broder 1997). Texts of fewer than 4 words are nobody's in particular and are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.near_copies import ALIKE, Pairs, Shingles, Spots, contained_pairs, near_pairs

FEW = 4
"""Words below which it cannot be told whose a text is."""
HOW = ("", "exact", "near", "passage")


class Returned(NamedTuple):
    """For each row, the output it copies (-1 for none), how, and how alike both are; shapes (n,).

    `how` is a place in HOW. `told` is False where a row has too few words, or no time where times
    count.
    """

    output: Spots
    how: NDArray[np.int8]
    alike: NDArray[np.float64]
    told: NDArray[np.bool_]


def returned(
    rows: Shingles,
    outputs: Shingles,
    times: tuple[Spots, Spots] | None = None,
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    *,
    least: float = ALIKE,
) -> Returned:
    """Return which rows copy an output; with `times` of rows and outputs, an earlier one.

    `known` says which times are known: a row without one cannot be told, an output without one was
    never earlier. Of several outputs the exact copy is named, else the one most alike.

    >>> from undertow.stats.near_copies import shingles
    >>> log = shingles(["The parcel left the depot at nine.", "We are closed on Sundays and feasts"])
    >>> now = shingles(["the parcel left the depot at nine", "closed on Sundays", "a new text of mine"])
    >>> found = returned(now, log)
    >>> found.output.tolist(), [HOW[each] for each in found.how], found.told.tolist()
    ([0, -1, -1], ['exact', '', ''], [True, False, True])
    """
    told = rows.words >= FEW
    fine = outputs.words >= FEW
    moment, before = np.zeros(len(rows), np.int64), np.full(len(outputs), -1, np.int64)
    if times is not None:
        moment, before = times
        if known is not None:
            told, fine = told & known[0], fine & known[1]
    some = np.flatnonzero(fine)
    some = some[np.argsort(before[some], kind="stable")]  # the earliest first: it is most often so
    log, since = outputs.only(some), before[some]
    output = np.full(len(rows), -1, np.int64)
    how = np.zeros(len(rows), np.int8)
    alike = np.zeros(len(rows))
    names, first = np.unique(log.exact, return_index=True)
    at = np.searchsorted(names, rows.exact)
    at[at == len(names)] = 0
    if len(names):
        hit = told & (names[at] == rows.exact) & (since[first[at]] < moment)
        output[hit], how[hit], alike[hit] = some[first[at[hit]]], HOW.index("exact"), 1.0
    left = np.flatnonzero(told & (output < 0))
    both = log + rows.only(left)
    ways = (near_pairs(both, least, split=len(log)), contained_pairs(both, len(log)))
    for kind, found in zip(("near", "passage"), ways, strict=True):
        best, spot = _best(found, since, moment[left], len(log))
        free = output[left[best]] < 0
        best, spot = best[free], spot[free]
        output[left[best]] = some[found.left[spot]]
        how[left[best]], alike[left[best]] = HOW.index(kind), found.alike[spot]
    return Returned(output, how, alike, told)


def _best(found: Pairs, since: Spots, moment: Spots, split: int) -> tuple[Spots, Spots]:
    """Return the rows that have an earlier output among the pairs, and the pair most alike of each."""
    right = found.right - split
    spots = np.flatnonzero(since[found.left] < moment[right])
    order = spots[np.lexsort((found.left[spots], -found.alike[spots], right[spots]))]
    rows, first = np.unique(right[order], return_index=True)
    return rows, order[first]
