"""What answers to a task are worth: the score, and what each item adds to it.

A mean over queries or texts is its own sum. For a score that is none (V-measure, Spearman, average
precision) an item counts by how the score moves without it: Tukey's jackknife (1958), Bias and
confidence in not-quite large samples, centred so that the items' mean is the score. So one interval
and one paired comparison serve every type of task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from undertow.core.errors import DataError
from undertow.core.task import (
    Answers,
    Classification,
    Clustering,
    Floats,
    Ints,
    PairClassification,
    Retrieval,
    Similarity,
    Task,
)
from undertow.stats.ranking import DEPTH, Judged

BLOCK = 2**22
"""Comparisons of pairs held at once."""
LEAST = 2
"""Items without which there is no spread."""


@dataclass(frozen=True, eq=False)
class Graded:
    """A score, what each item adds (their mean is the score), and that of each experiment.

    `experiments` is empty where there is one answer and no draw. `scores` are the usual ones.
    """

    score: float
    items: Floats
    experiments: Floats
    scores: dict[str, float] = field(default_factory=dict)


def graded(task: Task, answers: Answers) -> Graded:
    """Return what the answers are worth.

    Raises DataError where there are answers too many or too few.

    >>> from undertow.core.task import Similarity
    >>> pairs = Similarity("p", "", ("a",) * 4, ("b",) * 4, np.array([1.0, 2.0, 3.0, 4.0]))
    >>> made = graded(pairs, Answers(np.array([0.1, 0.3, 0.2, 0.9])))
    >>> round(made.score, 3), round(float(made.items.mean()), 3)
    (0.8, 0.8)
    """
    given = np.asarray(answers.given)
    if isinstance(task, Retrieval):
        return _retrieval(task, given)
    if isinstance(task, Classification):
        return _classification(task, given)
    if isinstance(task, Clustering):
        return _clustering(task, given, answers.drawn)
    return _pairs(task, given)


def _retrieval(task: Retrieval, found: npt.NDArray[np.integer]) -> Graded:
    _fits(task, found, len(task.queries))
    scores = Judged(task.query, task.document, task.gain).score(
        found[:, :DEPTH], len(task.documents)
    )
    usual = {f"{name}@{DEPTH}": float(each.mean()) for name, each in scores.items()}
    usual[f"hit@{DEPTH}"] = float((scores.mrr > 0).mean())
    return Graded(float(scores.ndcg.mean()), scores.ndcg, np.empty(0), usual)


def _classification(task: Classification, told: npt.NDArray[np.integer]) -> Graded:
    from sklearn.metrics import f1_score

    _fits(task, told.T, len(task.test))
    right = told == task.test_label
    every = right.mean(axis=1)
    macro = [
        float(f1_score(task.test_label, each, average="macro", zero_division=0)) for each in told
    ]
    usual = {"accuracy": float(every.mean()), "f1": float(np.mean(macro))}
    return Graded(usual["accuracy"], right.mean(axis=0), every, usual)


def _clustering(task: Clustering, cluster: npt.NDArray[np.integer], drawn: Ints | None) -> Graded:
    if drawn is None or drawn.shape != cluster.shape or cluster.ndim != 2:
        raise DataError(f"task {task.name!r}: clusters of other texts than were drawn")
    parts = [_v_measure(task.label, rows, each) for rows, each in zip(drawn, cluster, strict=True)]
    every = np.array([score for score, _ in parts])
    items = np.mean([each for _, each in parts], axis=0)
    score = float(every.mean())
    return Graded(score, items + score, every, {"v_measure": score})


def _v_measure(label: Ints, rows: Ints, cluster: npt.NDArray[np.integer]) -> tuple[float, Floats]:
    """Return the V-measure of the rows drawn, and how it moves without each text (n,), centred.

    Rosenberg and Hirschberg (2007): with equal weights it is twice the mutual information over the
    sum of both entropies, so only the counts of one cell, its row and its column move.
    """
    times = np.bincount(rows, minlength=len(label)).astype(np.float64)
    place = np.zeros(len(label), np.int64)
    place[rows] = cluster
    cells = np.zeros((int(label.max()) + 1, int(cluster.max()) + 1))
    np.add.at(cells, (label, place), times)
    side, other = cells.sum(axis=1), cells.sum(axis=0)
    total = float(times.sum())
    sums = [float(_entropy_part(each).sum()) for each in (cells, side, other)]
    score = float(_v(total, sums[0], sums[1], sums[2]))
    moved = [
        before + _entropy_part(counts - times) - _entropy_part(counts)
        for before, counts in zip(
            sums, (cells[label, place], side[label], other[place]), strict=True
        )
    ]
    without = _v(total - times, *moved)
    return score, (len(label) - 1) * (without.mean() - without)


def _entropy_part(counts: Floats) -> Floats:
    positive = np.maximum(counts, 0.0)
    return np.asarray(positive * np.log(np.where(positive > 0, positive, 1.0)))


def _v(
    total: npt.ArrayLike, cells: npt.ArrayLike, side: npt.ArrayLike, other: npt.ArrayLike
) -> Floats:
    """Return the V-measure from the rows and the sums of n log n of cells, labels and clusters."""
    rows = np.asarray(total, np.float64)
    scale = np.log(np.maximum(rows, 1.0))
    shared = scale + (np.asarray(cells) - np.asarray(side) - np.asarray(other)) / rows
    both = 2 * scale - (np.asarray(side) + np.asarray(other)) / rows
    return np.where(both > 1e-12, 2 * shared / np.where(both > 1e-12, both, 1.0), 1.0)


def _pairs(task: Similarity, near: Floats) -> Graded:
    _fits(task, near, len(task.score))
    true, near = task.score, np.asarray(near, np.float64)
    if isinstance(task, PairClassification):
        positive = true > 0
        score = _precision(near, positive)
        without = np.concatenate(list(_precision_without(near, positive)))
        usual = {"cosine_ap": score}
    else:
        score = _correlation(_ranks(near), _ranks(true))
        without = np.concatenate(list(_spearman_without(near, true)))
        usual = {"cosine_spearman": score, "cosine_pearson": _correlation(near, true)}
    items = score + (len(true) - 1) * (without.mean() - without)
    return Graded(score, items, np.empty(0), usual)


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def _correlation(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def _spearman_without(one: Floats, other: Floats) -> Iterator[Floats]:
    """Yield Spearman's correlation without each pair: later ranks fall by one, equal ones by half."""
    ranks = _ranks(one), _ranks(other)
    n = len(one)
    sums = [float(each.sum()) for each in ranks]
    squares = [float(each @ each) for each in ranks]
    product = float(ranks[0] @ ranks[1])
    for rows in _blocks(n, n):
        down = [_above(each[rows], each) for each in (one, other)]
        totals, spreads = [], []
        for each, values, fall, square in zip(sums, ranks, down, squares, strict=True):
            mine = values[rows]
            total = each - mine - fall.sum(axis=1) + 0.5
            # a pair is not above itself: its own half is taken out again
            left = square - 2 * (fall @ values) + (fall**2).sum(axis=1) - (mine - 0.5) ** 2
            totals.append(total)
            spreads.append(left - total**2 / (n - 1))
        cross = product - down[0] @ ranks[1] - down[1] @ ranks[0]
        cross += (down[0] * down[1]).sum(axis=1)
        cross -= (ranks[0][rows] - 0.5) * (ranks[1][rows] - 0.5)
        size = np.sqrt(np.maximum(spreads[0] * spreads[1], 0.0))
        apart = cross - totals[0] * totals[1] / (n - 1)
        yield np.where(size > 0, apart / np.where(size > 0, size, 1.0), 0.0)


def _above(some: Floats, every: Floats) -> Floats:
    """Return 1 where a value lies above another, 1/2 where it equals it: (some, every)."""
    lower = some[:, None]
    return np.asarray((every > lower) + 0.5 * (every == lower), np.float64)


def _precision(near: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the average precision: the mean over positives of the precision down to each."""
    order = np.sort(near), np.sort(near[positive])
    wanted = near[positive]
    rank = len(near) - np.searchsorted(order[0], wanted)
    hits = len(wanted) - np.searchsorted(order[1], wanted)
    return float((hits / rank).mean())


def _precision_without(near: Floats, positive: npt.NDArray[np.bool_]) -> Iterator[Floats]:
    """Yield the average precision without each pair."""
    wanted = near[positive]
    rank = len(near) - np.searchsorted(np.sort(near), wanted)
    hits = len(wanted) - np.searchsorted(np.sort(wanted), wanted)
    spot = np.cumsum(positive) - 1
    for rows in _blocks(len(near), len(wanted)):
        ahead = near[rows][:, None] >= wanted[None, :]
        mine = positive[rows]
        part = (hits - (ahead & mine[:, None])) / np.maximum(rank - ahead, 1)
        part[np.flatnonzero(mine), spot[rows][mine]] = 0.0
        yield part.sum(axis=1) / np.maximum(len(wanted) - mine, 1)


def _blocks(rows: int, wide: int) -> Iterator[slice]:
    step = max(1, BLOCK // max(wide, 1))
    for start in range(0, rows, step):
        yield slice(start, start + step)


def _fits(task: Task, given: npt.NDArray[np.generic], rows: int) -> None:
    if len(given) != rows:
        raise DataError(f"task {task.name!r}: {len(given):,} answers to {rows:,} {task.items}")
