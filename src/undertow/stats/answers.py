"""The answers that vectors give to a task, by MTEB's protocol: the same draws, models and settings.

Muennighoff et al. (2023), Massive Text Embedding Benchmark, section 3.2; Enevoldsen et al. (2025),
MMTEB, for clustering by draws. A classifier learns from 8 texts a label, 10 times; k-means by batches
is run on 16,384 texts drawn with replacement, 10 times.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.encode import Matrix
from undertow.core.task import (
    Answers,
    Classification,
    Clustering,
    Embed,
    Ints,
    Retrieval,
    Task,
)
from undertow.stats.neighbours import nearest, one_thread, unit
from undertow.stats.ranking import DEPTH

EXPERIMENTS = 10
PER_LABEL = 8
DRAWN = 16_384
BATCH = 512
SEED = 42
ITERATIONS = 100


@one_thread
def answered(task: Task, embed: Embed) -> Answers:
    """Return what an encoder answers on a task, by cosine of its vectors.

    >>> from undertow.core.task import Similarity
    >>> def letters(texts):
    ...     return np.array([[t.count(c) for c in "abc"] for t in texts], np.float32)
    >>> pairs = Similarity("pairs", "", ("aa", "ab"), ("ab", "c"), np.array([1.0, 0.0]))
    >>> answered(pairs, letters).given.round(3).tolist()
    [0.707, 0.0]
    """
    if isinstance(task, Retrieval):
        documents, queries = unit(embed(task.documents)), unit(embed(task.queries))
        return Answers(nearest(queries, documents, DEPTH).which)
    if isinstance(task, Classification):
        return Answers(_classified(task, embed))
    if isinstance(task, Clustering):
        drawn = draws(len(task.texts))
        return Answers(_clustered(embed(task.texts), drawn, len(task.labels)), drawn)
    one, other = unit(embed(task.one)), unit(embed(task.other))
    return Answers(np.einsum("ij,ij->i", one, other, dtype=np.float64))


def training(label: Ints) -> list[Ints]:
    """Return which rows each experiment learns from: the first 8 of each label in a shuffled order.

    >>> [len(rows) for rows in training(np.array([0] * 9 + [1] * 3))][:2]
    [11, 11]
    """
    order = list(range(len(label)))
    made = []
    for _ in range(EXPERIMENTS):
        np.random.RandomState(SEED).shuffle(order)  # the protocol's own generator
        left: dict[int, int] = {}
        rows = []
        for row in order:
            code = int(label[row])
            left[code] = left.get(code, 0) + 1
            if left[code] <= PER_LABEL:
                rows.append(row)
        made.append(np.array(rows, np.int64))
    return made


def draws(texts: int) -> Ints:
    """Return which texts each experiment clusters (10, 16384), drawn with replacement."""
    source = random.Random(SEED)  # noqa: S311  # the protocol's own generator
    return np.array([source.choices(range(texts), k=DRAWN) for _ in range(EXPERIMENTS)], np.int64)


def _classified(task: Classification, embed: Embed) -> Ints:
    """Return the label told of each test text in each experiment (10, n)."""
    from sklearn.linear_model import LogisticRegression

    rows = training(task.train_label)
    used = np.unique(np.concatenate(rows))
    known = embed([task.train[row] for row in used.tolist()])
    asked = embed(task.test)
    told = []
    for each in rows:
        model = LogisticRegression(max_iter=ITERATIONS, random_state=SEED)
        learned = known[np.searchsorted(used, each)]
        told.append(_quiet(model, learned, task.train_label[each]).predict(asked))
    return np.array(told, np.int64)


def _quiet(model: Any, rows: Matrix, label: Ints | None = None) -> Any:
    """Fit a model; that it stopped at the protocol's number of steps is no news.

    Nor is it that fewer texts differ than there are clusters.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, label)


def _clustered(vectors: Matrix, drawn: Ints, clusters: int) -> NDArray[np.int32]:
    """Return the cluster of each text drawn (10, m)."""
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(
        n_clusters=clusters, batch_size=BATCH, init="k-means++", n_init=1, random_state=SEED
    )
    return np.array([_quiet(model, vectors[rows]).labels_ for rows in drawn], np.int32)
