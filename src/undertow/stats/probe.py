"""A stored vector held against one made anew of the same text: is it the same, and if not, what is it.

An encoder gives a text the same vector today as on the day it was indexed, to the last bits. So one
vector of a cosine below 0.999 with itself is no noise, and m random ones find a share s of bad ones
with probability 1 - (1 - s)^m: a share of 5% in 95% of probes of 60.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.encode import Steadiness
from undertow.core.hashing import hash_strings, mix
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.neighbours import BLOCK, Matrix, largest, one_thread, unit
from undertow.stats.score import limits
from undertow.stats.stored import BLANK

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

TOLD = "{} of vectors are not those of their texts"
SAME = 0.999
"""Cosine of a stored vector with the fresh one from which only the last bits differ."""
UNSTEADY = 4.0
"""Times as far as an unsteady encoder moved 8 texts, by which it may move another text."""
NEAR = 10
KIN = 2
"""Nearest stored vectors that tell in which company a bad one is."""
FEW, PART = 3, 0.002
"""How many other vectors, at least and as a share of all, may lie nearer to a text than its own
where it is still in its place: weights of 8 bits put 2 of 15,000 there (bench/faults.py)."""
MOVED = 0.5
"""Cosine with itself below which a vector in its place is there by chance."""
SLACK = 0.1
"""Cosine that a vector of another id may lack of what vectors in their place have."""
ABSORBED = 0.25
"""So many rows of another space, to one that is swapped, are swapped ones in company of others."""
LENGTH = 0.01
"""Part of its length by which a vector may differ: float16 rounds to a tenth of it."""


class Kind(enum.StrEnum):
    """What a stored vector turned out to be."""

    FINE = "fine"
    MOVED = "moved"
    CUT = "cut"
    SWAPPED = "swapped"
    COPIED = "copied"
    FOREIGN = "foreign"
    OTHER = "other"

    @property
    def wrong(self) -> bool:
        """Whether a search with it is no search for its text."""
        return self not in {Kind.FINE, Kind.MOVED}


@dataclass(frozen=True, eq=False)
class Probed:
    """What became of m stored vectors, an entry each.

    `own` is the cosine of the stored vector with the fresh one, `nearer` how many other stored
    vectors are nearer to the fresh one. `best` is the position of the nearest other and `best_cosine`
    its cosine. `kin` (m, 2) are the nearest others of the stored vector itself. `scale` is how many
    times as long the stored vector is; `blank` the share of its numbers that are 0 where the fresh
    one's are not, and `rest` the cosine over the others. `overlap` is the share of the 10 nearest
    that the stored and the fresh vector have in common.
    """

    rows: Ints
    own: Floats
    nearer: Ints
    best: Ints
    best_cosine: Floats
    kin: Ints
    scale: Floats
    blank: Floats
    rest: Floats
    overlap: Floats

    def __len__(self) -> int:
        """Return how many vectors were probed."""
        return len(self.rows)

    def in_place(self, stored: int) -> Flags:
        """Return which vectors are found about where their text is, of so many stored ones."""
        most = max(FEW, math.floor(PART * stored))
        return np.asarray((self.nearer <= most) & (self.own >= MOVED))


def drawn(ids: Sequence[str], m: int, *, seed: int = 0) -> Ints:
    """Return the positions of at most m ids, chosen by their hash: the same in any order of the ids.

    >>> sorted("abcdefgh"[row] for row in drawn("abcdefgh", 3))
    ['a', 'b', 'h']
    """
    keys = hash_strings(pa.array([each.encode("utf-8", "surrogatepass") for each in ids]))
    salted = mix(keys ^ mix(np.array([seed], np.int64).astype(np.uint64)))
    return np.argsort(salted, kind="stable")[: max(m, 0)].astype(np.int64)


def limit(steady: Steadiness) -> float:
    """Return the cosine from which a vector counts as the same, for an encoder this steady.

    >>> limit(Steadiness(0.0, 1.0, 0.0, 1.0)), round(limit(Steadiness(0.0, 1.0, 0.03, 0.98)), 3)
    (0.999, 0.92)
    """
    apart = 1 - min(steady.again_cosine, steady.beside_cosine)
    return min(SAME, 1 - UNSTEADY * apart)


@one_thread
def probe(vectors: Matrix, lengths: Floats, rows: Ints, fresh: Matrix) -> Probed:
    """Return what became of the stored `vectors` (n, d) at `rows` (m,), held against `fresh` (m, d).

    `lengths` (n,) are those of the stored vectors, which are looked up by direction alone; vectors
    of length 0 or NaN are never found.

    >>> held = np.eye(4, dtype=np.float32)
    >>> swapped = probe(held[[1, 0, 2, 3]], np.ones(4), np.array([0, 2]), held[[0, 2]])
    >>> swapped.own.tolist(), swapped.nearer.tolist(), swapped.best.tolist()
    ([0.0, 1.0], [1, 0], [1, 0])
    """
    count, m = len(vectors), len(rows)
    fine = np.isfinite(lengths) & (lengths > 0)
    inverse = np.where(fine, 1 / np.where(fine, lengths, 1.0), 0.0).astype(np.float32)
    mine = np.where(fine[rows, None], vectors[rows], 0.0) * inverse[rows, None]
    new = unit(fresh)
    own = np.einsum("ij,ij->i", mine, new, dtype=np.float64)
    nearer = np.zeros(m, np.int64)
    k = max(min(NEAR, count - 1), 0)
    wide = max(k, 1)
    by_fresh = [np.full((m, wide), each) for each in (-1, -np.inf)]
    by_stored = [np.full((m, wide), each) for each in (-1, -np.inf)]
    step = max(1, BLOCK // max(m, vectors.shape[1], 1))
    for start in range(0, count, step):
        part = vectors[start : start + step]
        part = (
            np.where(fine[start : start + step, None], part, 0.0)
            * inverse[start : start + step, None]
        )
        here = (rows >= start) & (rows < start + len(part))
        lost = ~fine[start : start + step]
        for held, sought in ((by_fresh, new), (by_stored, mine)):
            cosines = sought @ part.T
            cosines[np.flatnonzero(here), rows[here] - start] = -np.inf
            cosines[:, lost] = -np.inf
            if sought is new:
                # A product of matrices rounds otherwise than a sum of products.
                nearer += (cosines > own[:, None] + 1e-6).sum(axis=1)
            _keep(held, cosines, start, wide)
    overlap = (by_fresh[0][:, :k, None] == by_stored[0][:, None, :k]).any(axis=2)
    size = np.sqrt(np.einsum("ij,ij->i", fresh, fresh, dtype=np.float64))
    blank, rest = _without_zeros(mine, new)
    with np.errstate(invalid="ignore"):
        scale = np.where(size > 0, lengths[rows] / np.where(size > 0, size, 1.0), np.nan)
    return Probed(
        rows=np.asarray(rows, np.int64),
        own=own,
        nearer=nearer,
        best=by_fresh[0][:, 0].astype(np.int64),
        best_cosine=by_fresh[1][:, 0],
        kin=by_stored[0][:, :KIN].astype(np.int64),
        scale=np.asarray(scale),
        blank=blank,
        rest=rest,
        overlap=overlap.mean(axis=1) if k else np.ones(m),
    )


def _keep(held: list[NDArray[np.float64]], cosines: Matrix, start: int, k: int) -> None:
    """Put the nearest of a block of stored vectors beside those held, in place."""
    which, close = largest(cosines, min(k, cosines.shape[1]))
    both = np.hstack([held[0], which + start]), np.hstack([held[1], close])
    order = np.argsort(-both[1], axis=1, kind="stable")[:, :k]
    held[:] = [np.take_along_axis(each, order, axis=1) for each in both]


def _without_zeros(mine: Matrix, new: Matrix) -> tuple[Floats, Floats]:
    """Return the share of numbers that were lost, and the cosine over those that were not."""
    lost = (mine == 0) & (new != 0)
    kept = np.where(lost, np.float32(0), new)
    size = np.sqrt(np.einsum("ij,ij->i", kept, kept, dtype=np.float64))
    rest = np.einsum("ij,ij->i", mine, kept, dtype=np.float64) / np.where(size > 0, size, 1.0)
    return np.asarray(lost.mean(axis=1)), np.where(size > 0, rest, 0.0)


def first_look(found: Probed, stored: int, same: Floats | float, *, lenient: Flags) -> list[Kind]:
    """Return what each probed vector is as far as it tells by itself; OTHER where that is not known.

    `same` is the cosine from which it counts as its own, and `lenient` (m,) marks the vectors for
    which to be in their place is enough.
    """
    least = np.broadcast_to(np.asarray(same, np.float64), found.own.shape)
    fine = found.own >= least
    placed = found.in_place(stored)
    cut = ~fine & (found.blank >= BLANK) & (found.rest >= np.minimum(least, SAME))
    names = (Kind.OTHER, Kind.MOVED, Kind.FINE, Kind.CUT)
    code = np.where(placed, 1, 0)
    code[(placed & lenient) | fine] = 2
    code[cut] = 3
    return [names[each] for each in code.tolist()]


def swapped_with(found: Probed, kinds: Sequence[Kind]) -> Ints:
    """Return under which row the vector of each unexplained row seems to be, -1 where nowhere.

    It has to be about as near as vectors in their place are to theirs. That alone proves nothing, as
    a text may have a near copy: the row where it is found must turn out to be wrong itself.
    """
    placed = [row for row, each in enumerate(kinds) if not each.wrong]
    usual = float(np.median(found.own[placed])) if placed else 1.0
    unknown = np.array([each is Kind.OTHER for each in kinds], np.bool_)
    there = unknown & (found.best_cosine >= usual - SLACK)
    return np.where(there, found.best, -1)


def needed(found: Probed, kinds: Sequence[Kind], most: int) -> Ints:
    """Return the rows to encode too, to explain the unexplained: where their vectors went, and kin.

    A row that holds another's vector is itself wrong, and so are the neighbours of a vector of
    another space: they are of that space too.
    """
    unknown = [row for row, each in enumerate(kinds) if each is Kind.OTHER][:most]
    there = swapped_with(found, kinds)[unknown]
    wanted = np.concatenate([there, found.kin[unknown].ravel()])
    return np.setdiff1d(wanted[wanted >= 0], found.rows).astype(np.int64)


def explained(
    found: Probed, kinds: Sequence[Kind], known: Mapping[int, Kind], copied: Flags
) -> list[Kind]:
    """Return what each vector is, once the rows that `needed` named were looked at as well.

    `known` holds what is known of rows, by position among all; `copied` (n,) marks the rows whose
    very vector stands under other ids too.
    """
    there = swapped_with(found, kinds)
    made = list(kinds)
    for row, each in enumerate(kinds):
        if each is not Kind.OTHER:
            continue
        elsewhere = known.get(int(there[row]))
        kin = [known.get(int(each)) for each in found.kin[row]]
        if elsewhere is not None and elsewhere.wrong:
            made[row] = Kind.SWAPPED
        elif copied[found.rows[row]]:
            made[row] = Kind.COPIED
        elif there[row] >= 0 and elsewhere is None:
            continue  # not followed up
        elif kin and all(each is not None and each.wrong for each in kin):
            made[row] = Kind.FOREIGN
    return _settled(made)


def _settled(kinds: list[Kind]) -> list[Kind]:
    """Return the kinds, what was not followed up as the most of what was.

    Some rows in wrong company are no other space: they are among rows that are swapped.
    """
    swapped, foreign = kinds.count(Kind.SWAPPED), kinds.count(Kind.FOREIGN)
    if not swapped and not foreign:
        return kinds
    usual = Kind.SWAPPED if swapped >= foreign else Kind.FOREIGN
    absorbed = {Kind.OTHER} | ({Kind.FOREIGN} if foreign < ABSORBED * swapped else set())
    return [usual if each in absorbed else each for each in kinds]


def wrong_share(wrong: int, probed: int, stored: int, *, tolerance: float = 0.05) -> Effect:
    """Return the share of all stored vectors that are wrong, by a random sample of them.

    Wilson's interval, narrower where a good part of all was probed (finite population). One wrong
    vector refutes that none is; 60 probed vectors tell a share of 5% or more. Undefined where none
    was probed; raises UsageError for a tolerance out of range.

    >>> found = wrong_share(0, 60, 15_000)
    >>> found.value, round(found.high, 3), wrong_share(3, 60, 15_000).p_no_change
    (0.0, 0.06, 0.0)
    """
    check_tolerance("moved_share", tolerance)
    if not probed:
        return Effect("moved_share", math.nan, math.nan, math.nan, tolerance, 1.0)
    share = wrong / probed
    low = high = share
    if probed < stored:
        rows = probed * (stored - 1) / (stored - probed)
        low, high = (float(each) for each in limits(share * rows, rows))
        # Of those probed, this many are surely wrong, and surely right.
        low, high = max(low, wrong / stored), min(high, 1 - (probed - wrong) / stored)
    return Effect("moved_share", share, low, high, tolerance, 0.0 if wrong else 1.0, told=TOLD)
