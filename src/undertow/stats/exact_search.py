"""The nearest rows of a query by cosine, exactly, without reading every number of every row.

What a search costs is the memory it reads: 50,000 vectors of 384 numbers are 77 MB. Rows are turned so
that their largest directions stand first, and cut into parts. Once some parts are read, the rest of a
cosine is no larger than the product of the two lengths that are left (Cauchy and Schwarz), so most rows
are out before they are read whole. Every row that could be among the nearest is read: nothing here is
approximate, and a space without large directions costs what a plain product does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.stats.neighbours import BLOCK, Matrix, largest, one_thread

LEAST = 4_096
"""Rows from which parts are worth it: a product with fewer is over in half a millisecond."""
NARROW = 64
"""Numbers a row has at least, for parts."""
SAMPLED = 8_192
"""Rows, evenly spaced, that the directions are taken from."""
CUTS = (1 / 4, 1 / 2)
"""Where rows are cut: of 384 numbers of sentences, 96 leave 1% of the rows to half the queries."""
MOST = 16
"""One in so many rows still in question: to pick these out is cheaper than to read on (measured)."""
ROUGH = 8
"""Times k rows that are read whole first, to know what the k-th best comes to at least."""
SLACK = np.float32(1e-5)
"""Rounding of float32 that a bound is allowed."""
TOGETHER = 6
"""Queries from which one product of matrices is cheaper than one search each."""
SPARE = 8
"""Places that a product is asked for beyond k, as the last digit of a cosine is the machine's."""


@dataclass(frozen=True, eq=False)
class Turned:
    """Rows of length 1, turned by `turn` (d, d) and cut into `parts` of (n, some of d).

    `rests` (n,) are the lengths of what is left of the rows after each part but the last. A `turn` of
    None leaves rows as they are. All may be memory that a file is mapped to.
    """

    turn: Matrix | None
    parts: tuple[Matrix, ...]
    rests: tuple[NDArray[np.float32], ...]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.parts[0])

    @property
    def dimensions(self) -> int:
        """How many numbers a row has."""
        return sum(part.shape[1] for part in self.parts)

    def query(self, rows: Matrix) -> Matrix:
        """Return queries (q, d) turned as the rows were."""
        return rows if self.turn is None else np.asarray(rows @ self.turn)

    def split(self, rows: Matrix) -> list[Matrix]:
        """Return turned rows (q, d) cut as the rows were."""
        ends = [0, *accumulate(part.shape[1] for part in self.parts)]
        return [rows[:, one:two] for one, two in pairwise(ends)]


@one_thread
def turned(rows: Matrix) -> Turned:
    """Return rows (n, d) of length 1 as a search wants them; few or narrow ones stay as they are.

    >>> turned(np.eye(8, dtype=np.float32)).turn is None
    True
    """
    n, d = rows.shape
    if n < LEAST or d < NARROW:
        return Turned(None, (np.ascontiguousarray(rows, np.float32),), ())
    some = rows[np.linspace(0, n - 1, min(n, SAMPLED)).astype(np.intp)].astype(np.float64)
    _, vectors = np.linalg.eigh(some.T @ some)
    turn = np.ascontiguousarray(vectors[:, ::-1], np.float32)
    ends = [0, *(round(d * cut / 16) * 16 for cut in CUTS), d]
    pairs = list(pairwise(ends))
    parts = tuple(np.ascontiguousarray(rows @ turn[:, one:two]) for one, two in pairs)
    left = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    rests = []
    for part in parts[:-1]:
        left = left - np.einsum("ij,ij->i", part, part, dtype=np.float64)
        rests.append(np.sqrt(np.maximum(left, 0.0)).astype(np.float32))
    return Turned(turn, parts, tuple(rests))


def exact(
    queries: Matrix, held: Turned, k: int, *, alive: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k nearest rows to each query (q, d) of length 1: their places, and the cosines.

    Both are (q, k), best first, with -1 and NaN where there are fewer rows. Those that are not `alive`
    (n,) are never found. Equal cosines stand in the order of the rows.

    >>> exact(np.eye(2, dtype=np.float32)[:1], turned(np.eye(2, dtype=np.float32)), 3)[0].tolist()
    [[0, 1, -1]]
    """
    places = np.full((len(queries), k), -1, np.int64)
    cosines = np.full((len(queries), k), np.nan, np.float32)
    dead = None if alive is None or bool(alive.all()) else np.flatnonzero(~alive)
    take = min(k, len(held) - (0 if dead is None else len(dead)))
    if take <= 0 or not len(queries):
        return places, cosines
    with one_core():
        asked = held.query(queries)
        split = held.split(asked)
        if len(queries) >= TOGETHER:
            near = _together(split, held, take, dead)
        else:
            near = [
                _alone([part[row] for part in split], held, take, dead)
                for row in range(len(queries))
            ]
        for row, some in enumerate(near):
            places[row, :take], cosines[row, :take] = settled(asked[row], held, some, take)
    return places, cosines


def settled(
    query: Matrix, held: Turned, some: NDArray[np.integer], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k nearest of `some` rows to a turned query (d,), and the cosines, added in float64.

    A product of matrices adds up in the order that suits the machine; this does not.
    """
    some = np.sort(some)
    cosine = np.zeros(len(some))
    for part, own in zip(held.parts, held.split(query[None]), strict=True):
        cosine += np.einsum("ij,j->i", part[some].astype(np.float64), own[0].astype(np.float64))
    found = cosine.astype(np.float32)
    order = np.argsort(-found, kind="stable")[:k]
    return some[order].astype(np.int64), found[order]


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_core() -> Any:
    """Return a context with BLAS held to one thread; to look for libraries took 3 ms each time."""
    return _blas().limit(limits=1)


def _together(
    split: list[Matrix], held: Turned, k: int, dead: NDArray[np.intp] | None
) -> list[NDArray[np.integer]]:
    """Return places that hold the k nearest of each of many queries."""
    found: list[NDArray[np.integer]] = []
    step = max(1, BLOCK // len(held))
    for start in range(0, len(split[0]), step):
        cosine = split[0][start : start + step] @ held.parts[0].T
        for own, part in zip(split[1:], held.parts[1:], strict=True):
            cosine += own[start : start + step] @ part.T
        if dead is not None:
            cosine[:, dead] = -np.inf
        near, value = largest(cosine, min(k + SPARE, len(held)))
        found += [one[there] for one, there in zip(near, np.isfinite(value), strict=True)]
    return found


def _alone(
    query: list[Matrix], held: Turned, k: int, dead: NDArray[np.intp] | None
) -> NDArray[np.integer]:
    """Return places that hold the k nearest of one query, cut into parts."""
    n = len(held)
    cosine = np.zeros(n, np.float32)
    for step, (own, part) in enumerate(zip(query, held.parts, strict=True)):
        cosine += part @ own
        if dead is not None:
            cosine[dead] = -np.inf
        if step == len(held.rests) or n < 2 * ROUGH * k:
            continue
        later = query[step + 1 :]
        left = np.sqrt(sum(float(each @ each) for each in later))
        bound = cosine + np.float32(left) * held.rests[step]
        first = np.argpartition(bound, n - ROUGH * k)[n - ROUGH * k :]
        whole = cosine[first]
        for each, other in zip(later, held.parts[step + 1 :], strict=True):
            whole = whole + other[first] @ each
        least = np.partition(whole, len(whole) - k)[len(whole) - k]
        some = np.flatnonzero(bound >= least - SLACK)
        if len(some) <= n // MOST:
            return some
    some, value = (each[0] for each in largest(cosine[None], min(k + SPARE, n)))
    return np.asarray(some[np.isfinite(value)])
