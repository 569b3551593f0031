"""The nearest rows by cosine, exactly: a product of matrices a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
P = ParamSpec("P")
T = TypeVar("T")

BLOCK = 2**22
"""Cosines held at once: 16 MB."""
FOLD = 16
"""Parts that a row of cosines is folded into before its largest are sought."""
WIDE = 8
"""Times k from which so many values are equal that a partition is cheaper than a sort."""


class Neighbours(NamedTuple):
    """The k nearest of each row, nearest first: positions (n, k), and their cosines (n, k)."""

    which: NDArray[np.int32]
    cosine: Matrix


def one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function with BLAS held to one thread.

    Beside a model, threads that spin cost more than they bring: the products here are short, and a
    busy machine took 15 times longer with all of its cores.
    """
    from functools import wraps

    @wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return function(*args, **kwargs)

    return held


def unit(rows: Matrix) -> Matrix:
    """Return rows (n, d) scaled to length 1; a row of zeros stays as it is.

    >>> unit(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return np.asarray(rows / np.where(norms > 0, norms, 1.0)[:, None], np.float32)


def largest(values: Matrix, k: int) -> tuple[NDArray[np.int32], Matrix]:
    """Return the positions of the k largest of each row (n, m), largest first, and the values.

    The k-th largest of the maxima of many parts of a row is no larger than the k-th largest of the
    row. So few values pass it, and only those are sorted: a quarter of the time of a partition.

    >>> largest(np.array([[3, 9, 4]], np.float32), 2)
    (array([[1, 2]], dtype=int32), array([[9., 4.]], dtype=float32))
    """
    n, m = values.shape
    parts = m // FOLD
    names = np.broadcast_to(np.arange(m, dtype=np.int32), (n, m))
    if 0 < k < parts:
        folded = values[:, : parts * FOLD].reshape(n, FOLD, parts).max(axis=1)
        least = np.partition(folded, parts - k, axis=1)[:, parts - k]
        row, column = np.divmod(np.flatnonzero(values >= least[:, None]), m)
        names, values = side_by_side(n, row, column, values[row, column])
    if values.shape[1] > WIDE * k > 0:
        near = np.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :]
        near.sort(axis=1)
        names = np.take_along_axis(names, near, axis=1)
        values = np.take_along_axis(values, near, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(names, order, axis=1), np.take_along_axis(values, order, axis=1)


def side_by_side(
    n: int, row: NDArray[np.intp], column: NDArray[np.intp], values: Matrix
) -> tuple[NDArray[np.int32], Matrix]:
    """Return each row's values side by side (n, w), and their columns; -inf where there are fewer.

    `row` is not falling. Rows of a table with few entries become a table as wide as the fullest.
    """
    count = np.bincount(row, minlength=n)
    slot = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    wide = int(count.max(initial=0))
    names = np.zeros((n, wide), np.int32)
    found = np.full((n, wide), -np.inf, np.float32)
    names[row, slot], found[row, slot] = column, values
    return names, found


@one_thread
def nearest(queries: Matrix, known: Matrix, k: int, *, itself: bool = True) -> Neighbours:
    """Return the k rows of `known` (m, d) nearest to each of `queries` (n, d), all of length 1.

    With `itself` False both are the same rows and none is its own neighbour. Where there are fewer
    than k others, all of them are returned. Equal cosines stand in the order of `known`.

    >>> rows = unit(np.array([[1, 0], [3, 1], [0, 1]], np.float32))
    >>> nearest(rows, rows, 1, itself=False).which.ravel().tolist()
    [1, 0, 1]
    """
    k = max(min(k, len(known) - (0 if itself else 1)), 0)
    which = np.empty((len(queries), k), np.int32)
    cosine = np.empty((len(queries), k), np.float32)
    step = max(1, BLOCK // max(len(known), 1))
    for start in range(0, len(queries) if k else 0, step):
        block = queries[start : start + step] @ known.T
        spots = np.arange(len(block))
        if not itself:
            block[spots, start + spots] = -np.inf
        which[start : start + step], cosine[start : start + step] = largest(block, k)
    return Neighbours(which, cosine)
