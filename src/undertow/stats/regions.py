"""Where an embedding space moved: regions of neighbouring rows by name, and the rows that are new.

The regions are cells of spherical k-means on the reference and the current rows together, blind to
which is which, so that without a change a cell favours neither side and the count of a cell's rows
is a fair draw. Neighbouring cells are joined where together they moved with more evidence. Dhillon
and Modha (2001), Concept decompositions for large sparse text data using clustering, section 3;
starts as in Arthur and Vassilvitskii (2007), k-means++; joined by average linkage (UPGMA).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.stats.counts import SEED
from undertow.stats.distinct_words import distinct_words
from undertow.stats.exact import log_least, log_tail
from undertow.stats.neighbours import Matrix, Neighbours, nearest, one_thread, unit
from undertow.stats.score import SEEN, arms

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Texts = Sequence[str | None]

ROWS = 25
"""Rows a cell: a new topic of 3% of a thousand rows fills one. Larger cells hide it among others."""
MOST = 200
FITTED = 8_192
"""Rows that the centres are fitted on, at most; all rows are then counted."""
STARTS = 1_500
"""Rows that the first centres are picked from."""
ROUNDS = 4
SKETCH = 64
"""Random directions on which the first centres are picked."""
SLACK = 1e-9
NEAR = 20
CLOSEST = 5
"""Rows of the reference that a current row is held against: more would reach beyond a small topic
of a small reference, and make its every row look new."""
EXAMPLES = 5
NAMED = 60
"""Characters of a text that stands for a name."""


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the space, and its share of the rows before and after.

    `low` and `high` are the 95% limits of `after - before` (Newcombe 1998, method 10); they hold 0
    unless `p` is 0.05 or less. `p` is twice the tail of Fisher's exact test, corrected for all
    regions that were looked at. `in_reference` and `in_current` are the positions of its rows, the
    nearest to its centre first. `words` tell the rows of the side that has more of it from all
    others.
    """

    name: str
    words: tuple[str, ...]
    before: float
    after: float
    low: float
    high: float
    p: float
    in_reference: Ints
    in_current: Ints
    labels_before: Mapping[str, int]
    labels_after: Mapping[str, int]

    @property
    def grew(self) -> bool:
        """Whether its share of the rows is larger after."""
        return self.after > self.before

    @property
    def rows_before(self) -> int:
        """Its rows in the reference."""
        return len(self.in_reference)

    @property
    def rows_after(self) -> int:
        """Its rows in the current data."""
        return len(self.in_current)

    @property
    def examples(self) -> Ints:
        """Positions of the rows that show it best, on the side that has more of it."""
        return (self.in_current if self.grew else self.in_reference)[:EXAMPLES]


@dataclass(frozen=True, eq=False)
class Rows:
    """How new each current row is, by two questions; larger is newer.

    `new_here`: how much nearer its neighbours among the current rows are than those in the
    reference; rows of one new topic stand first. `unlike`: the distance (1 - mean cosine) to the
    nearest rows of the reference; rows like nothing seen stand first, alone or not. `company`: the
    share of current rows among its nearest rows of both sides; `chance` is what it is without a
    change.
    """

    new_here: Floats
    unlike: Floats
    company: Floats
    chance: float

    @cached_property
    def newest(self) -> Ints:
        """Positions of the current rows, the newest here first."""
        return np.argsort(-self.new_here, kind="stable")

    @cached_property
    def strangest(self) -> Ints:
        """Positions of the current rows, the least like anything seen first."""
        return np.argsort(-self.unlike, kind="stable")


def rows_by_newness(reference: Matrix, current: Matrix, *, near: int = NEAR) -> Rows:
    """Return how new each current row (m, d) is against the reference (n, d), both of length 1.

    `new_here` is the mean cosine to the `near` nearest current rows less that to the five nearest
    rows of the reference, and then half its own and half that of its five nearest current rows: a
    row among new rows is new. `company` is of the `near` nearest of both sides. Raises DataError
    where the widths differ or a side has no rows.

    >>> old = unit(np.array([[9, 0], [9, 1], [9, 2]], np.float32))
    >>> now = unit(np.array([[9, 1], [0, 9], [1, 9]], np.float32))
    >>> rows_by_newness(old, now, near=1).newest.tolist()
    [1, 2, 0]
    """
    _check(reference, current)
    known = nearest(current, reference, near)
    beside = nearest(current, current, near, itself=False)
    own = -_mean(known, CLOSEST)
    if beside.which.shape[1]:
        own += _mean(beside, near)
    friends = beside.which[:, :CLOSEST]
    new = (own + own[friends].mean(axis=1)) / 2 if friends.shape[1] else own
    both = np.concatenate([beside.cosine, known.cosine], axis=1)
    order = np.argsort(-both, axis=1, kind="stable")[:, :near]
    company = (order < beside.which.shape[1]).mean(axis=1)
    unlike = 1 - _mean(known, CLOSEST)
    others = len(current) - 1
    return Rows(new, unlike, company, others / (others + len(reference)))


def _mean(near: Neighbours, most: int) -> Floats:
    means: Floats = near.cosine[:, :most].mean(axis=1, dtype=np.float64)
    return means


@one_thread
def regions(
    reference: Matrix,
    current: Matrix,
    *,
    texts: tuple[Texts, Texts] | None = None,
    labels: tuple[Sequence[object], Sequence[object]] | None = None,
    count: int | None = None,
) -> tuple[Region, ...]:
    """Return the regions of two samples of unit vectors, the one with most evidence first.

    `reference` (n, d) and `current` (m, d) have rows of length 1; `texts` and `labels` are those of
    the two sides, row by row. `count` is the number of cells (default: one for every 25 rows, 200
    at most). The order of the rows changes nothing, and swapping the sides swaps before and after.
    Raises DataError where the widths differ, a side has no rows, or texts or labels are too few.

    >>> cat, dog = np.eye(2, dtype=np.float32)
    >>> first, _ = regions(np.stack([cat] * 9 + [dog]), np.stack([cat] + [dog] * 9), count=2,
    ...                    texts=(["a cat"] * 9 + ["a dog"], ["a cat"] + ["a dog"] * 9))
    >>> first.words, first.before, first.after, round(first.low, 2), round(first.high, 2)
    (('dog',), 0.1, 0.9, 0.37, 0.93)
    """
    _check(reference, current)
    for what, pair in (("texts", texts), ("labels", labels)):
        if pair is not None and (len(pair[0]), len(pair[1])) != (len(reference), len(current)):
            raise DataError(
                f"{len(pair[0])} and {len(pair[1])} {what} for {len(reference)} and {len(current)} "
                "rows: give one each"
            )
    rows = np.concatenate([reference, current])
    cell, cosine = clusters(rows, count)
    n, m = len(reference), len(current)
    side = np.arange(n + m) >= n
    part, tails, able, joins = _parts(rows, cell, side)
    many = len(tails)
    ours, theirs = (np.bincount(part[side == now], minlength=many) for now in (False, True))
    p, q = ours / n, theirs / m
    below, above = arms(q, m, p, n)
    evidence = np.minimum(np.exp(tails) * able, 1.0)
    low = np.where(evidence > SEEN, np.minimum(q - p - below, 0.0), q - p - below)
    high = np.where(evidence > SEEN, np.maximum(q - p + above, 0.0), q - p + above)
    more = q > p
    joined = np.flatnonzero(np.isin(part, np.flatnonzero(joins)))
    if joined.size:
        centres = unit(_sums(rows[joined], part[joined], many))
        cosine[joined] = np.einsum("ij,ij->i", rows[joined], centres[part[joined]])
    words: tuple[tuple[str, ...], ...] = ((),) * many
    if texts is not None:
        named = np.where(side == more[part], part, -1)
        words = distinct_words([*texts[0], *texts[1]], named)
        words += ((),) * (many - len(words))
    order = np.lexsort((-cosine, part))
    bounds = np.searchsorted(part[order], np.arange(many + 1))
    found = []
    for k in np.lexsort((~more, -np.abs(q - p), np.round(tails, 9))).tolist():
        inside = order[bounds[k] : bounds[k + 1]]
        sides = inside[inside < n], inside[inside >= n] - n
        mixes: list[dict[str, int]] = [{}, {}]
        if labels is not None:
            for mix, given, at in zip(mixes, labels, sides, strict=True):
                mix.update(Counter(str(given[row]) for row in at.tolist()).most_common())
        found.append(
            Region(
                _name(words[k], texts, sides, bool(more[k])),
                words[k],
                float(p[k]),
                float(q[k]),
                float(low[k]),
                float(high[k]),
                float(evidence[k]),
                *sides,
                *mixes,
            )
        )
    return tuple(found)


def _parts(
    rows: Matrix, cell: Ints, side: npt.NDArray[np.bool_]
) -> tuple[Ints, Floats, Ints, npt.NDArray[np.bool_]]:
    """Return each row's part; each part's log of p, how many could show it, and if it joins cells.

    Neighbouring cells are joined two by two into a tree, blind to the sides like the cells. What
    moved may fill half a cell or ten, so every branch is looked at, and of those that overlap the
    one with most evidence is a part. Where nothing moved the parts are the cells.
    """
    from scipy.cluster.hierarchy import linkage

    many = int(cell.max()) + 1
    n, m = int((~side).sum()), int(side.sum())
    held = np.zeros((2 * many - 1, many), np.bool_)  # which cells each branch of the tree holds
    held[np.arange(many), np.arange(many)] = True
    if many > 1:
        centres = unit(_sums(rows, cell, many)).astype(np.float64)
        away = np.maximum(1 - centres @ centres.T, 0.0)[np.triu_indices(many, 1)]
        for k, (one, other) in enumerate(linkage(away, "average")[:, :2].astype(np.int64)):
            held[many + k] = held[one] | held[other]
    counts = [
        (held @ np.bincount(cell[side == now], minlength=many).astype(np.float64)).astype(np.int64)
        for now in (False, True)
    ]
    both = counts[0] + counts[1]
    tails, least = log_tail(counts[1], both, m, n), log_least(both, m, n)
    able = np.searchsorted(np.sort(least), tails + SLACK, side="right")
    shown = tails + np.log(np.maximum(able, 1)) < np.log(SEEN)
    shown &= 2 * both <= n + m
    shown[:many] = True
    part_of = np.full(many, -1)
    chosen: list[int] = []
    for k in sorted(
        np.flatnonzero(shown).tolist(), key=lambda k: (round(float(tails[k]), 9), -both[k])
    ):
        if (part_of[held[k]] < 0).all():
            part_of[held[k]] = len(chosen)
            chosen.append(k)
    return part_of[cell], tails[chosen], able[chosen], np.array(chosen) >= many


def _check(reference: Matrix, current: Matrix) -> None:
    if reference.ndim != 2 or current.ndim != 2 or reference.shape[1] != current.shape[1]:
        raise DataError(
            f"vectors of shape {reference.shape} and {current.shape}: give (rows, width), one width"
        )
    if not len(reference) or not len(current):
        raise DataError(f"{len(reference)} and {len(current)} rows: both sides need some")


def _name(
    words: tuple[str, ...], texts: tuple[Texts, Texts] | None, inside: tuple[Ints, Ints], more: bool
) -> str:
    """Return the words, or the nearest row's text, or its position."""
    if words:
        return ", ".join(words)
    row = int(inside[int(more)][0])
    said = (texts[int(more)][row] or "").strip() if texts is not None else ""
    if said:
        return said if len(said) <= NAMED else said[: NAMED - 1] + "…"
    return f"around {'current' if more else 'reference'} row {row}"


@one_thread
def clusters(rows: Matrix, count: int | None = None) -> tuple[Ints, Floats]:
    """Return each row's cell, from 0, and its cosine to the centre, by spherical k-means.

    `rows` (n, d) are of length 1. No cell is empty, so there may be fewer than `count` (default:
    one for every 25 rows, 2 to 200). The same rows in another order give the same cells.

    >>> cell, cosine = clusters(np.eye(2, dtype=np.float32)[[0, 1, 0]], 2)
    >>> bool(cell[0] == cell[2] != cell[1]), cosine.tolist()
    (True, [1.0, 1.0, 1.0])
    """
    random = np.random.Generator(np.random.PCG64(SEED))
    many = min(count or min(max(len(rows) // ROWS, 2), MOST), len(rows))
    sketch = random.standard_normal((rows.shape[1], SKETCH), dtype=np.float32)
    order = np.argsort(np.einsum("ij,j->i", rows, sketch[:, 0]), kind="stable")
    drawn = random.permutation(len(rows))[:FITTED]
    fitted = rows[order[np.sort(drawn)]]
    starts = np.sort(random.permutation(len(fitted))[: max(STARTS, 4 * many)])
    spread = unit(fitted[starts] @ sketch)
    centres = fitted[starts[_spread_out(spread, many, random)]]
    for _ in range(ROUNDS):
        sums = _sums(fitted, (fitted @ centres.T).argmax(axis=1), many)
        held = np.einsum("ij,ij->i", sums, sums) > 0
        centres = np.where(held[:, None], unit(sums), centres)
    cosines = rows @ centres.T
    found = cosines.argmax(axis=1)
    _, cell = np.unique(found, return_inverse=True)
    return cell.astype(np.int64), cosines[np.arange(len(rows)), found].astype(np.float64)


def _spread_out(rows: Matrix, many: int, random: np.random.Generator) -> Ints:
    """Return rows far from one another: each drawn by its distance to the nearest one drawn."""
    drawn = [int(random.integers(len(rows)))]
    away = np.full(len(rows), np.inf)
    while len(drawn) < many:
        away = np.minimum(away, np.maximum(1 - rows @ rows[drawn[-1]], 0.0))
        away[drawn[-1]] = 0.0
        reached = np.cumsum(away)
        if reached[-1] <= 0:
            left = np.setdiff1d(np.arange(len(rows)), drawn)
            drawn.extend(left[: many - len(drawn)].tolist())
            break
        spot = np.searchsorted(reached, random.random() * reached[-1], side="right")
        drawn.append(int(min(spot, len(rows) - 1)))
    return np.array(drawn, np.int64)


def _sums(rows: Matrix, cell: Ints, many: int) -> Matrix:
    """Return the sum of the rows of each cell (many, d)."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(rows), np.float32)
    chosen = csr_matrix((ones, cell, np.arange(len(rows) + 1)), (len(rows), many))
    return np.asarray(chosen.T @ rows, np.float32)
