"""The neighbour graph of two sides pooled, and how far one side lies from the rest in it.

One side's graph is made once. A new side adds its own rows and steps into the lists of the old, so
that every list is what it would be had nobody known the sides. Which of several equal neighbours
comes first is a lot drawn for each row: in the order of the rows, one side would come first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.neighbours import BLOCK, Matrix, largest, side_by_side

Floats = NDArray[np.float64]

LISTED = 32
"""Neighbours listed for each row."""
TOP = 5
"""Neighbours outside a set to which a row's distance is taken."""
EXPECTED = 8
"""Neighbours outside a set that the first part of a list is long enough to be expected to hold:
the few rows that find less than TOP there need the whole list."""
LOT = 1e-4
"""Cosine that a lot adds at most: far above what rounding does, far below what a reader sees."""
DIGITS = 6


class Graph(NamedTuple):
    """The nearest of each row, nearest first: positions and cosines with lots (n, k); the lots."""

    which: NDArray[np.int32]
    close: Matrix
    lots: Matrix


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
        which[start : start + step], close[start : start + step] = largest(block, k)
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
        which[n + start : n + end], close[n + start : n + end] = largest(block, k)
    into = np.concatenate(lists)
    order = np.argsort(into, kind="stable")
    names, found = side_by_side(
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


def novelty(which: NDArray[np.int32], away: Matrix, inside: NDArray[np.bool_]) -> Floats:
    """Return, for each set, the mean squared distance of its rows to their nearest outside it.

    A row's distance is the mean over its TOP nearest that are not in the set. The square lets the
    strangest rows count most. Where all listed neighbours are in the set, the farthest of them
    stands for those outside. `which` and `away` (n, k) are the lists, `inside` (B, n) marks the
    sets, none of them empty.
    """
    inward = np.ascontiguousarray(inside.T)
    outside = (~inward).view(np.uint8)
    met = np.zeros(outside.shape, np.uint8)
    total = np.zeros(outside.shape, np.float32)
    first = math.ceil(EXPECTED / max(float(outside.mean()), 0.01))
    for column in range(min(first, which.shape[1])):
        steps = outside.take(which[:, column], axis=0)
        met += steps
        steps &= met <= TOP
        total += steps * away[:, column, None]
    total /= np.clip(met, 1, TOP)
    short, split = np.nonzero(inward & (met < TOP))
    total[short, split] = _of_long_lists(which[short], away[short], inward, split)
    total *= inward
    found: Floats = np.einsum("ib,ib->b", total, total, dtype=np.float64) / inside.sum(axis=1)
    return found


def _of_long_lists(
    near: NDArray[np.int32], away: Matrix, inward: NDArray[np.bool_], split: NDArray[np.intp]
) -> Matrix:
    """Return the mean distance to the first TOP outside each row's set, from whole lists."""
    outside = ~inward[near, split[:, None]]
    met = np.cumsum(outside, axis=1, dtype=np.uint8)
    outside &= met <= TOP
    count = outside.sum(axis=1)
    mean = np.einsum("ij,ij->i", outside, away, dtype=np.float32) / np.maximum(count, 1)
    return np.where(count > 0, mean, away[:, -1]).astype(np.float32)
