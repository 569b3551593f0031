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
from undertow.stats.neighbours import Matrix, Neighbours, nearest

NEAR = 32
"""Neighbours that tell how many of them are current: a new topic of 3% of a thousand rows."""
CLOSEST = 5
"""Rows of the reference whose mean distance is a row's novelty."""
COMPANY = 0.5
"""Weight of company beside novelty, each in standard deviations. With more, rows that are unlike
any seen and unlike one another are told less well; with less, a tight topic beside a known one."""
TINY = 1e-12
LEAST = 1e-6
"""Spread of novelty below which all rows of the reference are one."""


class Places(NamedTuple):
    """Scores of all rows, reference first: `new` and `gone` (n,), larger is more so.

    `new_echo` and `gone_echo` say how many times larger the variance of a share of rows beyond a
    cut is than for scores that do not depend on which row is current: where two rows are each
    other's neighbours, each counts the other.
    """

    new: Floats
    gone: Floats
    new_echo: float
    gone_echo: float


def reach(rows: int) -> int:
    """Return how many neighbours of each row to look at, of so many rows in all.

    >>> reach(5000), reach(200), reach(3)
    (32, 12, 2)
    """
    return min(NEAR, max(rows // 16, CLOSEST), rows - 1)


def places(neighbours: Neighbours, pooled: Matrix, reference_rows: int) -> Places:
    """Return how new and how abandoned the place of each row of `pooled` (n, d) is.

    `pooled` are all rows, of length 1, reference first, some of each side; `neighbours` those of
    every row among them, none its own neighbour. Novelty after Sun et al. (2022),
    Out-of-distribution detection with deep nearest neighbors; company is the signed root of the
    deviance of how many of at most 32 neighbours are current, after Schilling (1986), Multivariate
    two-sample tests based on nearest neighbors.

    >>> from undertow.stats.neighbours import unit
    >>> rows = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    >>> rows[280:] += 9
    >>> rows = unit(rows)
    >>> new = places(nearest(rows, rows, 32, itself=False), rows, 200).new
    >>> bool(np.median(new[280:]) > np.quantile(new[:280], 0.95))
    True
    """
    rows = len(pooled)
    near = min(reach(rows), neighbours.which.shape[1])
    which = neighbours.which[:, :near]
    theirs = (which >= reference_rows).sum(axis=1)
    company = _company(theirs, near, 1 - reference_rows / rows)
    novelty = _novelty(neighbours, pooled, reference_rows)
    own = novelty[:reference_rows]
    far = (novelty - own.mean()) / max(float(own.std()), LEAST)
    mutual, weight = _mutual(which), COMPANY * COMPANY
    new_echo = 1 + mutual * weight / (1 + weight)
    return Places(far + COMPANY * company, -company, new_echo, 1 + mutual)


def _novelty(neighbours: Neighbours, pooled: Matrix, reference_rows: int) -> Floats:
    """Return the mean distance (1 - cosine) of each row to the nearest rows of the reference.

    Read from the lists of all rows where they hold enough of the reference; searched for the rows
    whose neighbours are nearly all current, most of all a new topic's own.
    """
    few = min(CLOSEST, max(reference_rows - 1, 1))
    ours = neighbours.which < reference_rows
    first = ours & (np.cumsum(ours, axis=1, dtype=np.int32) <= few)
    mean = np.where(first, neighbours.cosine, 0.0).sum(axis=1, dtype=np.float64) / few
    short = np.flatnonzero(first.sum(axis=1) < few)
    if short.size:
        which, cosine = nearest(pooled[short], pooled[:reference_rows], few + 1)
        other = which != short[:, None]
        kept = other & (np.cumsum(other, axis=1) <= few)
        total = (cosine * kept).sum(axis=1, dtype=np.float64)
        mean[short] = total / np.maximum(kept.sum(axis=1), 1)
    return np.asarray(1 - mean, np.float64)


def _company(count: NDArray[np.int64], near: int, share: float) -> Floats:
    """Return how many standard errors the count of current neighbours is above chance."""
    held = np.arange(near + 1, dtype=np.float64)
    more = held * np.log(np.maximum(held, TINY) / (near * share))
    less = (near - held) * np.log(np.maximum(near - held, TINY) / (near * (1 - share)))
    root = np.sign(held - near * share) * np.sqrt(np.maximum(2 * (more + less), 0.0))
    return np.asarray(root[count], np.float64)


def _mutual(which: NDArray[np.int32]) -> float:
    """Return the share of neighbours whose neighbour the row is in turn."""
    rows = len(which)
    start = np.repeat(np.arange(rows, dtype=np.int64), which.shape[1])
    end = which.ravel().astype(np.int64)
    there = np.sort(np.minimum(start, end) * rows + np.maximum(start, end))
    return float(2 * np.count_nonzero(there[1:] == there[:-1]) / len(there))
