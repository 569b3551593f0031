"""How many rows are copies of another row, and how alike rows are, at one number of rows.

The share of rows with a copy grows with the rows that are looked at. A row with d copies among n rows
keeps one of them among r rows drawn with a known chance (hypergeometric), so both sides are taken at
the smaller side's number of rows, without a draw. Copies come in groups, so rows are not independent:
the interval is that of as many independent rows as would vary as much as when one row, or one session,
is left out at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.bootstrap import Estimate
from undertow.stats.counts import Floats
from undertow.stats.difference import difference, magnitude
from undertow.stats.exact import log_factorial, log_tail
from undertow.stats.near_copies import ALIKE, Shingles, near_pairs
from undertow.stats.neighbours import Matrix, one_thread
from undertow.stats.score import SEEN, Z, limits
from undertow.stats.share import angle

COSINE = 0.95
"""Cosine from which two vectors are near copies."""
LEAST = 30
"""Rows a side below which nothing is told."""

Spots = NDArray[np.int64]
Groups = NDArray[np.int64] | None


class Graph(Protocol):
    """Which rows are copies of which."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def sums(self, values: Floats) -> Floats:
        """Return, for each row, the sum of `values` (n,) over its copies, itself left out."""
        ...


@dataclass(frozen=True, eq=False)
class TextGraph:
    """Rows by their texts: `text` (n,) numbers the different texts, `near` (t, t) is 1 for near copies.

    With `items` (n,), a row is no copy of rows of its own item: that an item is served again is told
    by its exposure.
    """

    text: Spots
    near: Any
    items: Groups

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.text)

    def sums(self, values: Floats) -> Floats:
        """Return, for each row, the sum of `values` (n,) over its copies, itself left out."""
        texts = self.near.shape[0]
        if not len(self):
            return np.zeros(0)
        own = np.bincount(self.text, values, texts)
        total = np.asarray(own + self.near @ own, np.float64)[self.text]
        if self.items is None:
            return total - values
        from scipy.sparse import csr_array, eye_array

        width = int(self.items.max(initial=0)) + 1
        held = csr_array((values, (self.text, self.items)), shape=(texts, width))
        same = ((self.near + eye_array(texts, format="csr")) @ held).tocsr()
        less = np.asarray(same[self.text, self.items], np.float64).ravel()
        return np.asarray(np.maximum(total - less, 0.0))


@dataclass(frozen=True, eq=False)
class VectorGraph:
    """Rows by their vectors: `near` (n, n) is True for copies, a row itself left out."""

    near: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.near)

    def sums(self, values: Floats) -> Floats:
        """Return, for each row, the sum of `values` (n,) over its copies, itself left out."""
        blocks = (self.near[start : start + 512] for start in range(0, len(self), 512))
        return np.concatenate([np.zeros(0), *(block @ values for block in blocks)])


def text_graph(made: Shingles, items: Groups = None, *, least: float = ALIKE) -> TextGraph:
    """Return which rows have near copies, by the shingles of their texts.

    >>> from undertow.stats.near_copies import shingles
    >>> made = shingles(["a b c d", "A b c d", "quite another text"])
    >>> text_graph(made).sums(np.ones(3)).tolist()
    [1.0, 1.0, 0.0]
    """
    from scipy.sparse import csr_array

    _, first, text = np.unique(made.exact, return_index=True, return_inverse=True)
    found = near_pairs(made.only(first), least)
    both = np.concatenate([found.left, found.right]), np.concatenate([found.right, found.left])
    near = csr_array((np.ones(len(both[0])), both), shape=(len(first), len(first)))
    return TextGraph(text.astype(np.int64), near, items)


@one_thread
def vector_graph(rows: Matrix, items: Groups = None, *, least: float = COSINE) -> VectorGraph:
    """Return which rows (n, d) of length 1 have a cosine of at least `least` with another.

    >>> vector_graph(np.array([[1, 0], [1, 0], [0, 1]], np.float32)).sums(np.ones(3)).tolist()
    [1.0, 1.0, 0.0]
    """
    near = np.empty((len(rows), len(rows)), np.bool_)
    for start in range(0, len(rows), 512):
        near[start : start + 512] = rows[start : start + 512] @ rows.T >= least - 1e-6
    np.fill_diagonal(near, val=False)
    if items is not None:
        near &= items[:, None] != items[None, :]
    return VectorGraph(near)


class Share(NamedTuple):
    """A share of rows of one side, at so many rows, and the independent rows it is worth."""

    value: float
    worth: float


def copied(graph: Graph, rows: int, sessions: Groups = None) -> Share:
    """Return the share of rows that have a copy among `rows` of them.

    `sessions` number the group of each row, where rows of one group are not independent;
    fewer than 30 groups are worth nothing (NaN).

    >>> from undertow.stats.near_copies import shingles
    >>> pair = text_graph(shingles(["a b", "a b", "c d", "e f", "g h", "i j"]))
    >>> round(copied(pair, 6).value, 3), round(copied(pair, 3).value, 3)
    (0.333, 0.133)
    """
    total = len(graph)
    if not total or not rows:
        return Share(math.nan, math.nan)
    degree = np.rint(graph.sums(np.ones(total))).astype(np.int64)
    kept, before = _kept(degree, total, rows), _kept(np.maximum(degree - 1, 0), total, rows)
    pull = kept + graph.sums(kept - before)
    value, centred = float(kept.mean()), pull - pull.mean()
    if sessions is not None:
        centred = np.bincount(np.unique(sessions, return_inverse=True)[1], centred)
    groups = len(centred)
    variance = float((centred**2).sum()) / total**2 * groups / max(groups - 1, 1)
    # Copies come in pairs at least, so none of n rows says what none of n / 2 says.
    worth = rows / 2
    if variance > 0 and 0 < value < 1:
        worth = min(max(value * (1 - value) / variance, 1.0), float(total))
    if sessions is not None:
        worth = min(worth, float(groups)) if groups >= LEAST else math.nan
    return Share(value, worth)


def shared(held: NDArray[np.bool_], sessions: Spots) -> Share:
    """Return the share of rows (n,) that hold something, and the independent rows it is worth.

    `sessions` (n,) number the group of each row: fewer than 30 groups are worth nothing (NaN).

    >>> one = shared(np.arange(3000) < 1500, np.arange(3000) // 50)
    >>> one.value, round(one.worth)
    (0.5, 59)
    """
    if not len(held):
        return Share(math.nan, math.nan)
    value = float(held.mean())
    centred = np.bincount(np.unique(sessions, return_inverse=True)[1], held - value)
    groups = len(centred)
    if groups < LEAST:
        return Share(value, math.nan)
    variance = float((centred**2).sum()) / len(held) ** 2 * groups / (groups - 1)
    worth = value * (1 - value) / variance if variance > 0 else float(groups)
    return Share(value, min(max(worth, 1.0), float(groups)))


def _kept(degree: Spots, total: int, rows: int) -> Floats:
    """Return the chance that a row with so many copies keeps one, of `rows` drawn of all rows."""
    others, left = total - 1, rows - 1
    free = others - degree
    able = free >= left
    some = np.where(able, free, left)
    none = log_factorial(some) - log_factorial(some - left)
    none = none - log_factorial(others) + log_factorial(others - left)
    return np.where(able, -np.expm1(np.minimum(none, 0.0)), 1.0)


def share_moved(before: Share, now: Share, *, tolerance: float = 0.2) -> Effect:
    """Return how far a share moved, as Cohen's h with a score interval.

    As `undertow.stats.share.share_change`, with the independent rows that each share is worth. The
    evidence is Fisher's test with these rows, rounded down.

    >>> moved = share_moved(Share(0.1, 500), Share(0.3, 500))
    >>> round(moved.value, 2), round(moved.low, 2), round(moved.high, 2)
    (0.52, 0.39, 0.64)
    """
    check_tolerance("cohens_h", tolerance)
    given = (*before, *now)
    if not all(math.isfinite(each) for each in given) or min(before.worth, now.worth) < 1:
        return Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    p, q = (float(angle(each.value)) for each in (before, now))
    (p_low, p_high), (q_low, q_high) = (
        (float(angle(end)) for end in limits(each.value * each.worth, each.worth))
        for each in (before, now)
    )
    moved = p - q
    low, high = magnitude(
        moved - math.hypot(p - p_low, q_high - q), moved + math.hypot(p_high - p, q - q_low)
    )
    n, m = int(before.worth), int(now.worth)
    hits, others = round(before.value * n), round(now.value * m)
    tail = float(np.exp(log_tail(hits, hits + others, n, m)))
    return Effect("cohens_h", abs(moved), low if tail <= SEEN else 0.0, high, tolerance, tail)


def mean_cosine(rows: Matrix, sessions: Groups = None) -> Estimate:
    """Return the mean cosine of two different rows (n, d) of length 1, with its 95% interval.

    NaN of fewer than 3 rows. The interval leaves out one row, or session, at a time.

    >>> mean_cosine(np.eye(4, dtype=np.float32))
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    count = len(rows)
    if count < 3:
        return Estimate(math.nan, math.nan, math.nan)
    total = rows.sum(axis=0, dtype=np.float64)
    own = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    each = (rows @ total - own) / (count - 1)
    value, centred = float(each.mean()), 2 * (each - each.mean()) / count
    if sessions is not None:
        centred = np.bincount(np.unique(sessions, return_inverse=True)[1], centred)
    groups = len(centred)
    arm = Z * math.sqrt(float((centred**2).sum()) * groups / max(groups - 1, 1))
    return Estimate(value, value - arm, value + arm)


def cosine_moved(before: Estimate, now: Estimate, *, tolerance: float = 0.05) -> Effect:
    """Return how far the mean cosine moved.

    >>> cosine_moved(Estimate(0.1, 0.08, 0.12), Estimate(0.2, 0.18, 0.22)).low > 0.05
    True
    """
    errors = [(each.high - each.low) / (2 * Z) for each in (before, now)]
    return difference(before.value, errors[0], now.value, errors[1], tolerance=tolerance)


@one_thread
def vendi(rows: Matrix) -> float:
    """Return the Vendi score of rows (n, d) of length 1: how many different ones they are worth.

    Friedman and Dieng (2022), The Vendi Score: the exponential of the entropy of the eigenvalues of
    their cosines. It grows with the rows, so compare it at one number of them.

    >>> round(vendi(np.eye(4, dtype=np.float32)), 3)
    4.0
    """
    if not len(rows):
        return math.nan
    small = rows.T @ rows if rows.shape[1] < len(rows) else rows @ rows.T
    sizes = np.linalg.eigvalsh(small.astype(np.float64) / len(rows))
    sizes = sizes[sizes > 1e-12]
    sizes = sizes / sizes.sum()
    return float(np.exp(-(sizes * np.log(sizes)).sum()))
