"""The neighbour graph of two sides pooled, and how far one side lies from the rest in it.

One side's graph is made once. A new side adds its own rows and steps into the lists of the old, so
that every list is what it would be had nobody known the sides. Which of several equal neighbours
comes first is a lot drawn for each row: in the order of the rows, one side would come first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.neighbours import BLOCK, Matrix

LISTED = 32
"""Neighbours listed for each row."""
TOP = 5
"""Neighbours outside a set to which a row's distance is taken."""
FIRST = 12
"""Neighbours looked at before the longer list, which few rows need."""
FOLD = 16
"""Parts that a row of cosines is folded into before its largest are sought."""
LOT = 1e-4
"""Cosine that a lot adds at most: far above what rounding does, far below what a reader sees."""
DIGITS = 6


class Graph(NamedTuple):
    """The nearest of each row, nearest first: positions and cosines with lots (n, k); the lots."""

    which: NDArray[np.int32]
    close: Matrix
    lots: Matrix


def _best(close: Matrix, k: int) -> tuple[NDArray[np.int32], Matrix]:
    """Return the positions and values of the k largest of each row (n, m), largest first.

    The k-th largest of the maxima of many parts of a row is no larger than the k-th largest of the
    row, so few values pass it, and only those are sorted: half the time of a partition.
    """
    n, m = close.shape
    parts = m // FOLD
    if k < parts:
        folded = close[:, : parts * FOLD].reshape(n, FOLD, parts).max(axis=1)
        least = np.partition(folded, parts - k, axis=1)[:, parts - k]
        row, column = np.divmod(np.flatnonzero(close >= least[:, None]), m)
        names, close = _listed(n, row, column, close[row, column])
    else:
        names = np.broadcast_to(np.arange(m, dtype=np.int32), (n, m))
    order = np.argsort(-close, axis=1)[:, :k]
    return np.take_along_axis(names, order, axis=1), np.take_along_axis(close, order, axis=1)


def _listed(
    n: int, row: NDArray[np.intp], column: NDArray[np.intp], values: Matrix
) -> tuple[NDArray[np.int32], Matrix]:
    """Return the values of each of n rows side by side, and their columns; rows are in order."""
    count = np.bincount(row, minlength=n)
    slot = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    wide = int(count.max(initial=0))
    names = np.zeros((n, wide), np.int32)
    found = np.full((n, wide), -np.inf, np.float32)
    names[row, slot], found[row, slot] = column, values
    return names, found


def graph(rows: Matrix, random: np.random.Generator) -> Graph:
    """Return the graph of rows (n, d) of length 1 among themselves.

    >>> rows = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    >>> graph(rows, np.random.default_rng(0)).which.tolist()
    [[1, 2], [0, 2], [1, 0]]
    """
    n = len(rows)
    k = max(min(LISTED, n - 1), 0)
    lots = (random.random(n) * LOT).astype(np.float32)
    which, close = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    step = max(1, BLOCK // max(n, 1))
    for start in range(0, n, step):
        block = rows[start : start + step] @ rows.T
        block += lots
        spots = np.arange(len(block))
        block[spots, start + spots] = -np.inf
        which[start : start + step], close[start : start + step] = _best(block, k)
    return Graph(which, close, lots)


def joined(old: Graph, known: Matrix, new: Matrix, random: np.random.Generator) -> Graph:
    """Return the graph of the rows `known` (n, d), whose own is `old`, with `new` (m, d) after them.

    >>> known = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    >>> old = graph(known, np.random.default_rng(0))
    >>> both = joined(old, known, np.array([[0.6, 0.8]], np.float32), np.random.default_rng(1))
    >>> both.which.tolist()
    [[1, 3, 2], [3, 0, 2], [3, 1, 0], [1, 2, 0]]
    """
    n, m = len(known), len(new)
    k = min(LISTED, n + m - 1)
    lots = np.concatenate((old.lots, (random.random(m) * LOT).astype(np.float32)))
    which, close = np.empty((n + m, k), np.int32), np.empty((n + m, k), np.float32)
    held = old.close.shape[1]
    least = old.close[:, -1] if held == k else np.full(n, -np.inf, np.float32)
    lists, steppers, values = [], [], []
    step = max(1, BLOCK // (n + m))
    for start in range(0, m, step):
        end = min(start + step, m)
        block = np.empty((end - start, n + m), np.float32)
        np.matmul(new[start:end], known.T, out=block[:, :n])
        np.matmul(new[start:end], new.T, out=block[:, n:])
        own = lots[n + start : n + end]
        row, column = np.divmod(np.flatnonzero(block[:, :n] > least - own[:, None]), n)
        lists.append(column)
        steppers.append(n + start + row)
        values.append(block[row, column] + own[row])
        block += lots
        itself = np.arange(end - start)
        block[itself, n + start + itself] = -np.inf
        which[n + start : n + end], close[n + start : n + end] = _best(block, k)
    into = np.concatenate(lists)
    order = np.argsort(into, kind="stable")
    names, found = _listed(
        n, into[order], np.concatenate(steppers)[order], np.concatenate(values)[order]
    )
    names, found = np.hstack((old.which, names)), np.hstack((old.close, found))
    best = np.argsort(-found, axis=1)[:, :k]
    which[:n] = np.take_along_axis(names, best, axis=1)
    close[:n] = np.take_along_axis(found, best, axis=1)
    return Graph(which, close, lots)


def distances(of: Graph) -> Matrix:
    """Return 1 - cosine to each listed neighbour, the lots taken out again, rounded."""
    away = np.float32(1) - (of.close - of.lots[of.which])
    rounded: Matrix = np.round(np.maximum(away, np.float32(0)), DIGITS)
    return rounded


def novelty(
    which: NDArray[np.int32], away: Matrix, members: NDArray[np.intp], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return, for each set, the mean squared distance of its rows to their nearest outside it.

    A row's distance is the mean over its TOP nearest that are not in the set. The square lets the
    strangest rows count most. Where all listed neighbours are in the set, the farthest of them
    stands for those outside. `members` (B, m) are the sets' rows, `inside` (B, n) marks them.
    """
    found = np.empty(len(members))
    first = np.ascontiguousarray(which[:, :FIRST]), np.ascontiguousarray(away[:, :FIRST])
    for b, rows in enumerate(members):
        mean, met = _to_outside(first[0][rows], first[1][rows], inside[b])
        short = np.flatnonzero(met < TOP)
        if short.size and which.shape[1] > FIRST:
            at = rows[short]
            mean[short], _ = _to_outside(which[at], away[at], inside[b])
        found[b] = np.square(mean, dtype=np.float64).mean()
    return found


def _to_outside(
    near: NDArray[np.int32], away: Matrix, inside: NDArray[np.bool_]
) -> tuple[Matrix, NDArray[np.int8]]:
    """Return the mean distance to the first TOP outside the set, and how many were met."""
    outside = ~inside[near]
    met = np.cumsum(outside, axis=1, dtype=np.int8)
    outside &= met <= TOP
    count = np.minimum(met[:, -1], TOP)
    total = np.einsum("ij,ij->i", outside, away, dtype=np.float32)
    mean = np.where(count > 0, total / np.maximum(count, 1), away[:, -1])
    return mean.astype(np.float32), met[:, -1]
