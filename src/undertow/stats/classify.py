"""How well a classifier tells two sets of rows apart, scored only on rows it was not trained on.

The rows are split in two halves by coin; each half is scored by what was learned on the other. For
a given classifier the scored rows are independent, so everything that holds for one number holds
for the score: the share of rows told apart is the largest gap between the scores' distributions, a
lower bound of the total variation between the sets (Lopez-Paz & Oquab 2017 for the idea).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undertow.core.verdict import Effect
from undertow.stats.counts import stream
from undertow.stats.gap import cdf_gap
from undertow.stats.score import Z

BINS = 128
"""Cells of equal share in which the scores are compared."""
WORD = r"(?u)\b\w+\b"
"""What counts as a word."""
ROUNDS = 60
"""Trees that are learned on each half."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Scorer = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Driver:
    """What one column does: how far the AUC falls without it, and how far it goes alone."""

    column: str
    drop: float
    alone: float


@dataclass(frozen=True)
class Apart:
    """How far two sets can be told apart, and by which columns.

    `auc` is the chance that a current row scores above a reference row; `error` its standard error
    (DeLong, DeLong & Clarke-Pearson 1988), the halves taken as one.
    """

    effect: Effect
    auc: float
    error: float
    drivers: tuple[Driver, ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the AUC."""
        return max(self.auc - Z * self.error, 0.0), min(self.auc + Z * self.error, 1.0)


def told_apart(
    table: Floats,
    side: Flags,
    groups: Mapping[str, Sequence[int]],
    *,
    first: Flags | None = None,
    named: Sequence[int] = (),
    texts: Mapping[int, object] | None = None,
    tolerance: float = 0.10,
) -> Apart:
    """Return how far the rows of one side can be told from those of the other.

    `first` says which half each row is learned with; equal rows belong in one half, or a row of one
    side is scored by what was learned on its twin of the other.

    `side` is True for current rows. `groups` says which columns of the table belong together, by
    name; `named` are columns of category codes below 255. `texts` maps a column of the table to a
    matrix of word counts: the column is filled with what the words say of the side, learned without
    the row itself. Deterministic.
    """
    import sklearn.ensemble  # noqa: F401 - only a library that is loaded can be limited
    from threadpoolctl import threadpool_limits

    # Small trees are learned faster on one core than on all that others use too.
    with threadpool_limits(limits=1, user_api="openmp"):
        halves = stream().random(len(side)) < 0.5 if first is None else first
        return _told_apart(table, side, groups, halves, named, texts or {}, tolerance)


def _told_apart(
    table: Floats,
    side: Flags,
    groups: Mapping[str, Sequence[int]],
    first: Flags,
    named: Sequence[int],
    texts: Mapping[int, object],
    tolerance: float,
) -> Apart:
    bins = np.zeros((2, BINS), np.int64)
    aucs, errors, fitted = [], [], []
    for test in (first, ~first):
        train = ~test
        learned, scored = table[train].copy(), table[test].copy()
        for column, words in texts.items():
            learned[:, column], scored[:, column] = _worded(words, side, train, test)
        scorer = _trained(learned, side[train], named)
        scores = scorer(scored)
        auc, error = area(scores, side[test])
        aucs.append(auc)
        errors.append(error)
        fitted.append((scorer, scored, side[test], auc))
        cells = (_ranks(scores) * BINS).astype(np.intp)
        for now in (0, 1):
            bins[now] += np.bincount(cells[side[test] == now], minlength=BINS)
    effect = cdf_gap(bins[0], bins[1], atoms=np.ones(BINS, np.bool_), tolerance=tolerance)
    if np.mean(aucs) <= 0.5:
        # Rows that both sides share are learned on one and mistaken on the other: nothing is told.
        effect = replace(effect, value=0.0, low=0.0, p_no_change=1.0)
    drivers = _drivers(fitted, groups) if effect.low > 0 and effect.value > tolerance / 2 else ()
    return Apart(effect, float(np.mean(aucs)), float(np.mean(errors)), drivers)


def area(scores: Floats, side: Flags) -> tuple[float, float]:
    """Return the area under the ROC curve, and its standard error.

    >>> area(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    (1.0, 0.0)
    """
    above, below = scores[side], scores[~side]
    if not len(above) or not len(below):
        return math.nan, math.nan
    here, there = np.sort(above), np.sort(below)
    won = (np.searchsorted(there, above, "left") + np.searchsorted(there, above, "right")) / 2
    lost = (np.searchsorted(here, below, "left") + np.searchsorted(here, below, "right")) / 2
    won, lost = won / len(below), 1 - lost / len(above)
    spread = [
        float(each.var(ddof=1)) / len(each) if len(each) > 1 else 0.25 for each in (won, lost)
    ]
    return float(won.mean()), math.sqrt(sum(spread))


def _ranks(scores: Floats) -> Floats:
    """Return each score's place among all, between 0 and 1, equal scores in one place."""
    found, spots, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    ranks: Floats = (middle / len(scores))[spots.reshape(-1)]
    return ranks if len(found) else scores


def _trained(table: Floats, side: Flags, named: Sequence[int]) -> Scorer:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        early_stopping=False,
        categorical_features=list(named) or None,
        random_state=0,
    )
    model.fit(table, side)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1], np.float64)


def _worded(words: object, side: Flags, train: Flags, test: Flags) -> tuple[Floats, Floats]:
    """Return what the words of each row say of its side, for the rows trained on and the others.

    A row that is trained on is read with what the other half of those rows taught.
    """
    spots = np.flatnonzero(train)
    half = np.arange(len(spots)) % 2 == 0
    learned = np.empty(len(spots))
    for part in (half, ~half):
        learned[part] = _words_say(words, side, spots[~part], spots[part])
    return learned, _words_say(words, side, spots, np.flatnonzero(test))


def _words_say(
    words: object, side: Flags, train: NDArray[np.intp], test: NDArray[np.intp]
) -> Floats:
    """Return the mean log-odds of a row's words, every count raised by a half (naive Bayes)."""
    counts = words[train]  # type: ignore[index]
    now = np.asarray(counts[side[train]].sum(axis=0)).ravel() + 0.5
    before = np.asarray(counts[~side[train]].sum(axis=0)).ravel() + 0.5
    odds = np.log(now / now.sum()) - np.log(before / before.sum())
    rows = words[test]  # type: ignore[index]
    length = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1.0)
    return np.asarray(rows @ odds / np.sqrt(length), np.float64)


def _drivers(
    fitted: Sequence[tuple[Scorer, Floats, Flags, float]], groups: Mapping[str, Sequence[int]]
) -> tuple[Driver, ...]:
    """Return the columns by how far the AUC falls when a column's values are dealt anew."""
    found = []
    for name, columns in groups.items():
        others = [spot for each, spots in groups.items() if each != name for spot in spots]
        drops, lone = [], []
        for scorer, rows, side, auc in fitted:
            drops.append(auc - area(scorer(_dealt(rows, columns)), side)[0])
            lone.append(area(scorer(_dealt(rows, others)), side)[0])
        found.append(Driver(name, float(np.mean(drops)), float(np.mean(lone)) - 0.5))
    return tuple(sorted(found, key=lambda each: (-each.drop, each.column)))


def _dealt(rows: Floats, columns: Sequence[int]) -> Floats:
    """Return the rows with these columns dealt anew, each group of them kept together."""
    if not columns:
        return rows
    out = rows.copy()
    out[:, columns] = rows[stream().permutation(len(rows))][:, columns]
    return out


def word_counts(texts: Sequence[str], *, most: int = 5_000) -> object | None:
    """Return which of the commonest words each text holds, or None where there are no words."""
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        made = CountVectorizer(binary=True, max_features=most, token_pattern=WORD)
        words: object = made.fit_transform(texts).tocsr()
    except ValueError:
        return None
    return words
