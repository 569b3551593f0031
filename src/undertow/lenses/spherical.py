"""Clusters of directions, found exactly: the same rows in the same order give the same bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undertow.core.vectors import Matrix

GRID = 2.0**12
"""Steps of the grid in 1: the product of two steps is 2^-24, the last bit of a float32 below 1."""
_SHORT = 0.97
"""The length of a direction, so that no product with a rounded unit vector comes to 1."""
_ROUNDS = 25
_TRIES = 5
_ALIKE = 1e-3
_CELLS = 2**17


def on_grid(rows: Matrix, norms: NDArray[np.float64]) -> Matrix:
    """Return rows as unit vectors in steps of the grid, whole numbers; zero rows stay zero.

    Args:
        rows: shape (n, d).
        norms: their lengths, 0 for a row that is to be zero; shape (n,).

    Returns:
        Shape (n, d).

    >>> on_grid(np.array([[3.0, 4.0]], np.float32), np.array([5.0])).tolist()
    [[2458.0, 3277.0]]
    """
    with np.errstate(divide="ignore"):
        scale = np.where(norms > 0, GRID / norms, 0.0)
    # Very long and very short rows would leave the range of float32 on the way.
    usual = (scale > 1e-30) & (scale < 1e30)
    factor = np.where(usual, scale, 0.0).astype(np.float32)
    out = np.empty_like(rows)
    step = max(1, _CELLS // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        np.multiply(rows[here], factor[here, None], out=out[here])
        np.rint(out[here], out=out[here])
    odd = np.flatnonzero(~usual & (scale > 0))
    if len(odd):
        out[odd] = np.rint(rows[odd].astype(np.float64) * scale[odd, None])
    return out


def direction(sums: NDArray[np.floating]) -> Matrix:
    """Return directions on the grid, a little shorter than 1; that of zero is zero.

    Args:
        sums: vectors of any length; shape (n, d).

    Returns:
        Shape (n, d).
    """
    wide = sums.astype(np.float64)
    norms = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    made = np.rint(wide / np.where(norms > 0, norms, 1.0) * (_SHORT * GRID)) / GRID
    return made.astype(np.float32)


def cluster(rows: Matrix, most: int, seed: int = 0) -> tuple[Matrix, NDArray[np.int64]]:
    """Return at most `most` centres by spherical k-means, and the cluster of each row.

    Dhillon & Modha (2001), "Concept decompositions for large sparse text data using clustering",
    section 3, started as in Arthur & Vassilvitskii (2007), "k-means++".

    Args:
        rows: unit vectors in steps of the grid, as `on_grid` makes them; shape (n, d).
        most: clusters at most; there are fewer where the rows are alike.
        seed: of the draw that starts it.

    Returns:
        The centres, those of the largest cluster first, shape (k, d), and for each row the place of
        its centre, shape (n,). No cluster is empty.

    >>> made, homes = cluster(np.array([[4096, 0], [0, 4096], [0, 4096]], np.float32), 2)
    >>> homes.tolist()
    [1, 0, 0]
    """
    centres = _start(rows, most, np.random.default_rng(seed))
    homes = (rows @ centres.T).argmax(axis=1)
    wide = rows.astype(np.float64)
    for _ in range(_ROUNDS):
        # Whole numbers, so that the product adds them up exactly.
        members = homes == np.unique(homes)[:, None]
        centres = direction(members.astype(np.float64) @ wide)
        before, homes = homes, (rows @ centres.T).argmax(axis=1)
        if np.array_equal(before, homes):
            break
    sizes = np.bincount(homes, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    place = np.empty(len(centres), np.int64)
    place[order] = np.arange(len(order))
    return centres[order], place[homes]


def _start(rows: Matrix, most: int, random: np.random.Generator) -> Matrix:
    """Return rows far from each other: of a few drawn by their distance, the one that leaves least.

    The greedy form of k-means++, which hardly ever puts two centres into one cluster.
    """
    picked = [int(random.random() * len(rows))]
    far = _distance(rows, picked)[0]
    while len(picked) < most:
        running = np.cumsum(far, dtype=np.float64)
        if not running[-1] > 0:
            break
        drawn = np.searchsorted(running, random.random(_TRIES) * running[-1], side="right")
        left = np.minimum(far, _distance(rows, drawn.tolist()))
        best = int(left.sum(axis=1, dtype=np.float64).argmin())
        picked.append(int(drawn[best]))
        far = left[best]
    return direction(rows[picked])


def _distance(rows: Matrix, picked: list[int]) -> Matrix:
    """Return 1 - cosine of all rows to some of them, 0 where they are alike; shape (picked, n)."""
    far = 1.0 - (direction(rows[picked]) / np.float32(GRID)) @ rows.T / np.float32(_SHORT)
    return np.where(far < _ALIKE, np.float32(0), far)
