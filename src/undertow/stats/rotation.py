"""The orthogonal map between two spaces, and how much of a re-index it gives back, measured held out.

Orthogonal Procrustes (Schönemann 1966): of all maps that keep lengths and angles, the one that lays
the vectors of one encoder nearest to those of another, for the same texts. It cannot collapse, as a
free linear map fitted on few pairs does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.core.errors import DataError
from undertow.stats.bootstrap import Estimate, ratio
from undertow.stats.counts import Floats, stream
from undertow.stats.neighbours import Matrix, nearest, one_thread, unit
from undertow.stats.ranking import DEPTH, scored

FOLDS = 5
HELD = 1_000
"""Rows of a fold that are looked up, at most: 5,000 queries tell a hundredth."""
COPY = 1 - 1e-5
"""Cosine from which two texts have one vector: which stands first is rounding."""
ENOUGH = 1.3
"""Pairs for each independent direction: a pure rotation of 384 numbers needs 500."""


@dataclass(frozen=True, eq=False)
class Rotation:
    """Rows of one space laid into another: (unit(row) - centre) @ weights + target, of length 1.

    `weights` (d, e) have orthonormal rows or columns, whichever are fewer; `centre` (d,) and
    `target` (e,) are the means of both sides, which the map takes out and puts back.

    >>> turn = Rotation(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.zeros(2), np.zeros(2))
    >>> turn(np.array([[2.0, 0.0]], np.float32)).tolist()
    [[0.0, 1.0]]
    """

    weights: Floats
    centre: Floats
    target: Floats

    @one_thread
    def __call__(self, rows: NDArray[np.floating]) -> Matrix:
        """Return rows (n, d) in the other space (n, e). Raises DataError where d is another one."""
        if rows.ndim != 2 or rows.shape[1] != len(self.centre):
            told = " x ".join(map(str, rows.shape))
            raise DataError(
                f"this map takes vectors of {len(self.centre)} numbers, these are {told}: "
                "give those of the encoder it was fitted on"
            )
        weights = self.weights.astype(np.float32)
        offset = (self.target - self.centre @ self.weights).astype(np.float32)
        return unit(unit(np.asarray(rows, np.float32)) @ weights + offset)

    @property
    def inverse(self) -> Rotation:
        """The way back: exact where both spaces have as many dimensions."""
        return Rotation(np.ascontiguousarray(self.weights.T), self.target, self.centre)


@one_thread
def fit(rows: Matrix, onto: Matrix) -> Rotation:
    """Return the map that lays `rows` (n, d) nearest to `onto` (n, e), row by row; all of length 1.

    Raises DataError where the rows are not pairs.

    >>> points = unit(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    >>> turned = points[:, [1, 2, 3, 0]] * [1, -1, 1, 1]
    >>> bool(np.abs(fit(turned, points)(turned) - points).max() < 1e-5)
    True
    """
    if len(rows) != len(onto) or not len(rows):
        raise DataError(f"{len(rows):,} and {len(onto):,} rows: a map is fitted on pairs")
    left, right = rows.astype(np.float64), onto.astype(np.float64)
    centre, target = left.mean(axis=0), right.mean(axis=0)
    return Rotation(_nearest_rotation((left - centre).T @ (right - target)), centre, target)


def _nearest_rotation(products: Floats) -> Floats:
    """Return u @ v of the singular value decomposition u s v."""
    try:
        u, _, v = np.linalg.svd(products, full_matrices=False)
    except np.linalg.LinAlgError:
        # Divide and conquer gave up on one in 100 sets of 200 pairs of 384 numbers; QR iterations do not.
        from scipy.linalg import svd

        u, _, v = svd(products, full_matrices=False, lapack_driver="gesvd")
    return np.asarray(u @ v, np.float64)


class HeldOut(NamedTuple):
    """What a map does to rows it was not fitted on.

    `through` and `fresh` are nDCG@10 of the neighbours that both spaces agree on, a query each, found
    through the map and by a full re-index; `residual` is 1 - r^2 of mapped and true rows; `cosine`
    (n,) is that of each mapped row with its own.
    """

    through: Floats
    fresh: Floats
    residual: Estimate
    cosine: Floats

    @property
    def recovery(self) -> Estimate:
        """Part of a re-index's quality that the map gives back."""
        return ratio(self.through, self.fresh)


@one_thread
def held_out(rows: Matrix, onto: Matrix, labels: ArrayLike | None = None) -> HeldOut:
    """Return what a map from `rows` (n, d) onto `onto` (n, e) does, five-fold: fitted without a fold.

    A fold is both what is looked up and what it is looked up in: beside rows that the map was fitted
    on, it would look better than it is. What is relevant says `labels` (n,), as equal ones; without,
    the neighbours on which both spaces agree, which favours neither. Against intents of CLINC150 that
    estimate lies 0 to 5 points below the truth.

    >>> points = unit(np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32))
    >>> round(held_out(points[:, [1, 2, 3, 0]], points).recovery.value, 3)
    1.0
    """
    through, fresh = [np.zeros(0)], [np.zeros(0)]
    cosine = np.zeros(len(rows))
    sums: list[Floats] = []
    for rest, fold in folds(len(rows)):
        laid = fit(rows[rest], onto[rest])
        mapped = laid(rows[fold])
        cosine[fold] = np.einsum("ij,ij->i", mapped, onto[fold], dtype=np.float64)
        moved = (rows[fold] - laid.centre) @ laid.weights
        goal = onto[fold] - laid.target
        pairs = (moved, goal), (moved, moved), (goal, goal)
        sums.append(np.stack([np.einsum("ij,ij->i", *each) for each in pairs], axis=1))
        some = fold[:HELD]
        known = None if labels is None else np.asarray(labels)[some]
        one, other = agreed(onto[some], rows[some], mapped[:HELD], known)
        through.append(one)
        fresh.append(other)
    return HeldOut(
        np.concatenate(through), np.concatenate(fresh), _residual(np.concatenate(sums)), cosine
    )


def folds(rows: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the rows to fit on and the rows held out, five times, always the same ones."""
    parts = np.array_split(stream().permutation(rows), min(FOLDS, rows))
    for held in range(len(parts)):
        rest = [part for place, part in enumerate(parts) if place != held]
        yield np.concatenate(rest), parts[held]


def agreed(
    documents: Matrix, fresh: Matrix, queries: Matrix, labels: NDArray[np.generic] | None = None
) -> tuple[Floats, Floats]:
    """Return nDCG of `queries` on `documents`, and of a re-index, a row a query; all (n, .) row-aligned.

    Row i asks and is never its own answer; of copies, whose order is anybody's, one stays. What is
    relevant lies among the nearest both of `documents` to each other and of `fresh` to each other, or
    has an equal label; queries to which nothing is relevant are left out.
    """
    kept = _distinct(documents) & _distinct(fresh)
    if not kept.all():
        documents, fresh, queries = documents[kept], fresh[kept], queries[kept]
        labels = None if labels is None else labels[kept]
    rows = len(documents)
    depth = max(min(DEPTH, max(3, rows // 10), rows - 1), 1)
    if rows < 2:
        return np.zeros(0), np.zeros(0)
    new = nearest(fresh, fresh, depth, itself=False).which
    if labels is None:
        old = nearest(documents, documents, depth, itself=False).which
        relevant = _marks(old, rows) & _marks(new, rows)
    else:
        relevant = labels[:, None] == labels[None, :]
        np.fill_diagonal(relevant, val=False)
    total = relevant.sum(axis=1)
    asked = np.flatnonzero(total)
    best = (np.arange(depth) < total[asked, None]).astype(np.float64)
    found = [
        scored(np.take_along_axis(relevant, which, axis=1)[asked], best, total[asked]).ndcg
        for which in (nearest(queries, documents, depth, itself=False).which, new)
    ]
    return found[0], found[1]


def _distinct(rows: Matrix) -> NDArray[np.bool_]:
    """Return which rows are the first of their direction."""
    copies = np.tril(rows @ rows.T >= COPY, k=-1)
    return np.asarray(~copies.any(axis=1))


def _marks(which: NDArray[np.int32], rows: int) -> NDArray[np.bool_]:
    marks = np.zeros((rows, rows), np.bool_)
    np.put_along_axis(marks, which, values=True, axis=1)
    return marks


def _residual(sums: Floats) -> Estimate:
    """Return 1 - r^2 from the sums of products and squares of each row."""
    product, moved, goal = sums.sum(axis=0)
    if moved <= 0 or goal <= 0:
        return Estimate(math.nan, math.nan, math.nan)
    value = 1 - product**2 / (moved * goal)
    # d(r^2) of each row, so that one bootstrap of a mean gives the interval
    slope = 2 * sums[:, 0] / product - sums[:, 1] / moved - sums[:, 2] / goal if product else 0.0
    arm = 1.96 * (1 - value) * math.sqrt(float((np.zeros(len(sums)) + slope).var() * len(sums)))
    return Estimate(value, max(value - arm, 0.0), min(value + arm, 1.0))


@one_thread
def needed(rows: Matrix) -> int:
    """Return how many pairs a map of these rows (n, d) needs: 1.3 for each direction they span.

    Fewer rows than dimensions cannot tell how many those are, and need 1.3 x d.

    >>> flat = np.random.default_rng(0).normal(size=(60, 2)) @ np.ones((2, 9))
    >>> needed(flat.astype(np.float32)), needed(np.eye(9, dtype=np.float32))
    (2, 12)
    """
    count, dimensions = len(rows), int(rows.shape[1])
    spans = dimensions
    if count > dimensions + 1:
        centred = rows.astype(np.float64) - rows.mean(axis=0)
        sizes = np.linalg.eigvalsh(centred.T @ centred)
        spans = int((sizes > 1e-6 * max(float(sizes[-1]), 1e-300)).sum())
    return math.ceil(ENOUGH * max(spans, 1))
