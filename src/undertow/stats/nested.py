"""Cells at every scale: many small clusters, and what they join to on the way to the whole.

A new intent fills one small cluster, a topic that grew fills twenty. Neither is seen well at the
other's scale, so k-means (Lloyd 1982) makes the small ones, Ward's rule (1963) joins them two by
two, and every cell of that tree counts. Several trees from other starts see what one happens to
cut in half.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.neighbours import Matrix

ROUNDS = 8
LEARNERS = 2048
"""Rows that clusters are learned from; all rows are then given to the nearest."""


class Tree(NamedTuple):
    """Leaf of each row (n,), and for each cell above the leaves the two cells that it joins."""

    leaf: NDArray[np.intp]
    joins: NDArray[np.intp]
    leaves: int


def _nearest_centre(rows: Matrix, centres: Matrix) -> NDArray[np.intp]:
    near = rows @ centres.T
    near -= 0.5 * np.einsum("ij,ij->i", centres, centres)
    found: NDArray[np.intp] = near.argmax(axis=1)
    return found


def grow(rows: Matrix, leaves: int, random: np.random.Generator) -> Tree:
    """Return a tree over rows (n, d), d at least 1, with at most `leaves` leaves.

    >>> rows = np.repeat(np.array([[0], [1], [9]], np.float32), 20, axis=0)
    >>> tree = grow(rows, 3, np.random.default_rng(0))
    >>> len(tree.leaf), tree.leaves, len(tree.joins)
    (60, 3, 2)
    """
    from scipy.cluster.hierarchy import linkage

    picked = random.permutation(len(rows))[:LEARNERS]
    learners = rows[picked]
    leaves = min(leaves, len(learners))
    centres = learners[:leaves].copy()
    for _ in range(ROUNDS):
        near = _nearest_centre(learners, centres)
        order = np.argsort(near, kind="stable")
        found, start, count = np.unique(near[order], return_index=True, return_counts=True)
        sums = np.add.reduceat(learners[order], start, axis=0)
        centres[found] = sums / count[:, None].astype(np.float32)
    leaf = _nearest_centre(rows, centres)
    joins = np.empty((0, 2), np.intp)
    if leaves > 1:
        joins = linkage(centres, "ward")[:, :2].astype(np.intp)
    return Tree(leaf, joins, leaves)


def counts(tree: Tree, inside: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each cell's rows (c,), and how many of them are in each of B sets (c, B).

    `inside` (B, n) is 1 for a row of the set and 0 else. The whole, which says nothing, is left
    out where there is any other cell.
    """
    splits = len(inside)
    cells = tree.leaves + len(tree.joins)
    size, held = np.zeros(cells), np.zeros((cells, splits))
    order = np.argsort(tree.leaf, kind="stable")
    found, start, count = np.unique(tree.leaf[order], return_index=True, return_counts=True)
    size[found] = count
    held[found] = np.add.reduceat(inside[:, order], start, axis=1).T
    for at, (one, two) in enumerate(tree.joins, start=tree.leaves):
        size[at] = size[one] + size[two]
        held[at] = held[one] + held[two]
    end = cells - 1 if cells > 1 else cells
    return size[:end], held[:end]


def standing(
    size: NDArray[np.float64], held: NDArray[np.float64], n: int, rows: int
) -> NDArray[np.float64]:
    """Return how many standard errors each cell's count in a set of n of the rows stands out (c, B).

    Mean and variance are those of the hypergeometric law; an empty or whole cell stands at 0.

    >>> standing(np.array([50.0]), np.array([[25.0, 35.0]]), 50, 100).round(2).tolist()
    [[0.0, 3.98]]
    """
    share = n / rows
    spread = size * share * (1 - share) * (rows - size) / max(rows - 1, 1)
    scale = np.where(spread > 0, 1 / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
    found: NDArray[np.float64] = (held - size[:, None] * share) * scale[:, None]
    return found
