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
        near = np.argpartition(block, len(known) - k, axis=1)[:, len(known) - k :]
        near.sort(axis=1)
        close = np.take_along_axis(block, near, axis=1)
        order = np.argsort(-close, axis=1, kind="stable")
        which[start : start + step] = np.take_along_axis(near, order, axis=1)
        cosine[start : start + step] = np.take_along_axis(close, order, axis=1)
    return Neighbours(which, cosine)
