"""What a score says, read from the reference: of which class, on which scale, and in which bins."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.schema import Column, Kind, Role
from undertow.summaries.histogram import quantiles

POSITIVE, CONFIDENCE, MARGIN, NOTHING = "positive", "confidence", "margin", "none"
"""A probability of the positive class, one of the predicted class, a real number, or no score."""
THRESHOLD = 0.5
_TRUE = frozenset({"1", "true", "yes", "y", "t", "positive", "pos"})
_FALSE = frozenset({"0", "-1", "false", "no", "n", "f", "negative", "neg"})
_FINE, _COARSE = 64, 8
_AGREES = 0.9
_WHOLE = r"^([+-]?\d+)\.0*$"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """How scores are read; fitted on the reference and part of its plan.

    `threshold` is set where no column holds predictions: from it on the score says `positive`.

    >>> said, true = pa.array(["0", "1", "1", "0"]), pa.array(["0", "1", "0", "0"])
    >>> Scores.fit(said, true, np.array([0.1, 0.9, 0.6, 0.2]), predicted=True).meaning
    'positive'
    """

    meaning: str = NOTHING
    predicted: bool = True
    positive: str = ""
    negative: str = ""
    threshold: float | None = None
    edges: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        predictions: pa.Array | None,
        labels: pa.Array | None,
        scores: Floats | None,
        *,
        predicted: bool,
    ) -> Self:
        """Return how the scores of these rows read; classes are given as canonical text."""
        sides = [each for each in (predictions, labels) if each is not None]
        classes = sorted({str(name) for each in sides for name in pc.unique(each).drop_null()})
        positive, negative = "", ""
        if 0 < len(classes) <= 2:
            positive, negative = _poles(classes, labels, scores)
        plain = cls(NOTHING, predicted, positive, negative)
        if scores is None or not np.isfinite(scores).any():
            return plain
        finite = scores[np.isfinite(scores)]
        inside = bool(finite.min() >= 0 and finite.max() <= 1)
        if len(classes) > 2 or not classes:
            if not (inside and predicted):
                return plain
            return cls(CONFIDENCE, predicted, edges=_edges(finite, _COARSE, inside))
        edges = _edges(finite, _FINE, inside)
        if not inside:
            signed = finite.min() < 0 < finite.max()
            threshold = 0.0 if signed and not predicted else None
            return cls(MARGIN, predicted, positive, negative, threshold, edges)
        if not predicted:
            return cls(POSITIVE, predicted, positive, negative, THRESHOLD, edges)
        meaning, flip = _meant(predictions, scores, positive)
        if flip:
            positive, negative = negative, positive
        return cls(meaning, predicted, positive, negative, edges=edges)

    @property
    def probability(self) -> bool:
        """Whether the score is a probability, so that it can be held to what happened."""
        return self.meaning in {POSITIVE, CONFIDENCE}

    def bins(self, scores: Floats) -> NDArray[np.int64]:
        """Return the bin of each score, -1 where it is missing; an edge opens its bin."""
        found = np.searchsorted(np.asarray(self.edges), scores, side="right").astype(np.int64)
        found[~np.isfinite(scores)] = -1
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            "meaning": self.meaning,
            "predicted": self.predicted,
            "positive": self.positive,
            "negative": self.negative,
            "threshold": self.threshold,
            "edges": list(self.edges),
        }

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Self:
        """Return the settings of a dictionary; raise ValueError where they are none."""
        edges = tuple(float(edge) for edge in row["edges"])
        if row["meaning"] not in {POSITIVE, CONFIDENCE, MARGIN, NOTHING}:
            raise ValueError(f"no meaning of a score: {row['meaning']!r}")
        if any(not a < b for a, b in itertools.pairwise(edges)):
            raise ValueError("the edges of scores ascend")
        threshold = row["threshold"]
        return cls(
            str(row["meaning"]),
            bool(row["predicted"]),
            str(row["positive"]),
            str(row["negative"]),
            None if threshold is None else float(threshold),
            edges,
        )


def parts_of(columns: Sequence[Column]) -> tuple[Column | None, Column | None, Column | None]:
    """Return the prediction, the label and the score among the columns of one table.

    >>> y, p = Column("y", Kind.CATEGORY, Role.LABEL), Column("p", Kind.NUMBER, Role.SCORE)
    >>> [each and each.name for each in parts_of((y, p))]
    [None, 'y', 'p']
    """
    label = next((each for each in columns if each.role is Role.LABEL), None)
    rest = [each for each in columns if each is not label]
    score = next((each for each in rest if each.kind is Kind.NUMBER), None)
    return next((each for each in rest if each is not score), None), label, score


def canonical(names: pa.Array, fold: bool = True) -> pa.Array:
    """Return class names as they are compared: trimmed, 1.0 as 1, true and false as 1 and 0.

    With `fold`, letters of either case are the same.

    >>> canonical(pa.array(["1.0", " Yes", "True", None])).to_pylist()
    ['1', 'yes', '1', None]
    """
    text = pc.utf8_trim_whitespace(names.cast(pa.string()))
    text = pc.replace_substring_regex(text, pattern=_WHOLE, replacement=r"\1")
    lower = pc.utf8_lower(text)
    text = pc.if_else(pc.equal(lower, "true"), "1", text)
    text = pc.if_else(pc.equal(lower, "false"), "0", text)
    return pc.utf8_lower(text) if fold else text


def foldable(*columns: pa.Array | None) -> bool:
    """Tell whether no column holds two classes that differ by the case of letters only.

    >>> foldable(pa.array(["No", "yes"]), pa.array(["no"])), foldable(pa.array(["a", "A"]))
    (True, False)
    """
    return all(
        pc.count_distinct(canonical(names, fold=False)) == pc.count_distinct(canonical(names))
        for names in columns
        if names is not None
    )


def _poles(classes: list[str], labels: pa.Array | None, scores: Floats | None) -> tuple[str, str]:
    """Return which of two classes is the positive one: by its name, else by its higher scores."""
    low = [name.lower() for name in classes]
    truths = [name for name, plain in zip(classes, low, strict=True) if plain in _TRUE]
    lies = [name for name, plain in zip(classes, low, strict=True) if plain in _FALSE]
    if len(classes) == 1:
        return (classes[0], "") if not lies else ("1" if lies[0] == "0" else "", classes[0])
    if len(truths) == 1:
        return truths[0], next(name for name in classes if name != truths[0])
    if len(lies) == 1:
        return next(name for name in classes if name != lies[0]), lies[0]
    if labels is not None and scores is not None:
        names = np.asarray(labels.fill_null("").to_pylist())
        sums = [
            float(np.nan_to_num(scores[names == name]).mean() if (names == name).any() else 0)
            for name in classes
        ]
        if sums[0] > sums[1]:
            return classes[0], classes[1]
    return classes[1], classes[0]


def _meant(predictions: pa.Array | None, scores: Floats, positive: str) -> tuple[str, bool]:
    """Return what the scores of two classes say, and whether of the other class than `positive`."""
    if predictions is None:
        return POSITIVE, False
    names = np.asarray(predictions.fill_null("").to_pylist())
    known = np.isfinite(scores) & (names != "")
    says, high = (names == positive)[known], (scores >= THRESHOLD)[known]
    if not len(says) or high.all():
        return CONFIDENCE, False
    agree = float((says == high).mean())
    if agree >= _AGREES:
        return POSITIVE, False
    both = says.any() and not says.all()
    if both:
        above = _above(scores[known][says], scores[known][~says])
        if above >= 0.95:
            return POSITIVE, False
        if above <= 0.05:
            return POSITIVE, True
    return CONFIDENCE, False


def _above(one: Floats, other: Floats) -> float:
    """Return how often a score of the one side exceeds one of the other, ties counted half."""
    ordered = np.sort(other)
    less = np.searchsorted(ordered, one, side="left")
    upto = np.searchsorted(ordered, one, side="right")
    return float((less + upto).mean() / (2 * len(other)))


def _edges(scores: Floats, parts: int, inside: bool) -> tuple[float, ...]:
    """Return edges at tenths (or at zero) and at equal shares of the reference's scores."""
    ordered = np.sort(scores)
    cuts = quantiles(ordered, np.ones(len(ordered), np.int64), parts)
    fixed = np.arange(1, 10) / 10 if inside else np.zeros(1)
    return tuple(np.unique(np.concatenate([fixed, cuts])).tolist())
