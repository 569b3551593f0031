"""How new or how abandoned the place of each row is, seen from its nearest rows of both sides.

Two signs add up, because neither sees everything: a new row lies far from the reference (questions
unlike any seen, each unlike the others), or has many current rows and few of the reference beside
it (a new topic, close to a known one). Each row is judged by all others and never by itself, so
that the scores of both sides have the same distribution while nothing changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undertow.stats.counts import Floats
from undertow.stats.neighbours import Neighbours

NEAR = 32
"""Neighbours that tell how many of them are current: a new topic of 3% of a thousand rows."""
CLOSEST = 5
"""Rows of the reference whose mean distance is a row's novelty."""
COMPANY = 0.5
"""Weight of company beside novelty, each in standard deviations. From 0.3 to 1 little changes."""
TINY = 1e-12


class Places(NamedTuple):
    """Scores of all rows, reference first: `new` and `gone` (n,), larger is more so.

    `echo` is the share of neighbours that are each other's: such pairs tell the same thing twice.
    """

    new: Floats
    gone: Floats
    echo: float


def reach(rows: int) -> int:
    """Return how many neighbours of each row to look at, of so many rows in all.

    >>> reach(5000), reach(200), reach(3)
    (32, 12, 2)
    """
    return max(min(NEAR, max(rows // 16, CLOSEST), rows - 1), 0)


def places(neighbours: Neighbours, reference_rows: int) -> Places:
    """Return how new and how abandoned the place of each row is.

    `neighbours` are those of every row among all rows, reference first, none its own neighbour; of
    each list the first 32 are read. Novelty after Sun et al. (2022), Out-of-distribution detection
    with deep nearest neighbors; company is the signed root of the deviance of how many neighbours
    are current, after Schilling (1986), Multivariate two-sample tests based on nearest neighbors.

    >>> from undertow.stats.neighbours import nearest, unit
    >>> rows = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    >>> rows[280:, 0] += 9
    >>> rows = unit(rows)
    >>> new = places(nearest(rows, rows, 32, itself=False), 200).new
    >>> bool(new[280:].min() > np.median(new[:280]))
    True
    """
    rows = len(neighbours.which)
    near = min(reach(rows), neighbours.which.shape[1])
    if near == 0:
        return Places(np.zeros(rows), np.zeros(rows), 0.0)
    which, cosine = neighbours.which[:, :near], neighbours.cosine[:, :near]
    theirs = which >= reference_rows
    company = _company(theirs.sum(axis=1), near, 1 - reference_rows / rows)
    novelty = _novelty(theirs, cosine)
    own = novelty[:reference_rows]
    spread = max(float(own.std()), TINY) if own.size else 1.0
    centre = float(own.mean()) if own.size else 0.0
    far = np.clip((novelty - centre) / spread, -1 / TINY, 1 / TINY)
    return Places(far + COMPANY * company, -company, _echo(which))


def _novelty(theirs: NDArray[np.bool_], cosine: NDArray[np.float32]) -> Floats:
    """Return the mean distance to the nearest rows of the reference, from lists of all rows.

    A list that holds fewer than five of them says that the others are no nearer than its end.
    """
    few = min(CLOSEST, theirs.shape[1])
    first = ~theirs & (np.cumsum(~theirs, axis=1, dtype=np.int32) <= few)
    found = np.where(first, cosine, 0.0).sum(axis=1, dtype=np.float64)
    beyond = (few - first.sum(axis=1)) * cosine[:, -1].astype(np.float64)
    return np.asarray(1 - (found + beyond) / few, np.float64)


def _company(count: NDArray[np.int64], near: int, share: float) -> Floats:
    """Return how many standard errors the count of current neighbours is above chance."""
    if not 0 < share < 1:
        return np.zeros(len(count))
    held = np.arange(near + 1, dtype=np.float64)
    more = held * np.log(np.maximum(held, TINY) / (near * share))
    less = (near - held) * np.log(np.maximum(near - held, TINY) / (near * (1 - share)))
    root = np.sign(held - near * share) * np.sqrt(np.maximum(2 * (more + less), 0.0))
    return np.asarray(root[count], np.float64)


def _echo(which: NDArray[np.int32]) -> float:
    """Return the share of neighbours whose neighbour the row is in turn."""
    rows = len(which)
    start = np.repeat(np.arange(rows, dtype=np.int64), which.shape[1])
    end = which.ravel().astype(np.int64)
    there = np.sort(np.minimum(start, end) * rows + np.maximum(start, end))
    return float(2 * np.count_nonzero(there[1:] == there[:-1]) / max(len(there), 1))
