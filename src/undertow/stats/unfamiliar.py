"""How unlike the reference each row is, and the score that few of the reference's own rows pass.

A fifth of the reference is held out. The others are what is known; the held-out rows say which
scores rows of the same kind get, so that the threshold is a rank among them and holds for any
method (split conformal, Papadopoulos et al. 2002): a new row of the reference's kind lies beyond it
with the stated probability at most, on average over references. Where the reference repeats itself
and new rows do not, rows that were set aside when the model was trained are better held out.

    knn          mean cosine distance to the 5 nearest known rows (Sun et al. 2022)
    local        the same, less a part of the distance that is usual among those 5
    mahalanobis  to the nearest class, relative to all rows (Ren et al. 2021)
    blend        mahalanobis and local, each in its own spread
    energy       minus the log of the summed exponentials of a classifier's logits (Liu et al. 2020)
    max-logit    minus the largest logit, or probability (Hendrycks et al. 2022)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.hashing import hash_integers, hash_strings, mix
from undertow.stats.neighbours import BLOCK, Matrix, nearest, one_thread, unit

METHODS = ("knn", "local", "mahalanobis", "blend", "energy", "max-logit")
LABELLED = frozenset({"mahalanobis", "blend"})
"""Methods that need a class of each known row."""
SCORED = frozenset({"energy", "max-logit"})
"""Methods that read what a classifier says, and need no known rows."""
NEAREST = 5
"""Neighbours whose distance is averaged."""
SPACING = 0.3
"""Part of the neighbours' own spacing that `local` takes off: flat from 0.2 to 0.4 (bench/ood.py)."""
WEIGHT = 0.75
"""What `local` counts beside mahalanobis in `blend`: flat from 0.5 to 1."""
RIDGE = 0.05
"""Least shrinkage of the covariances, in mean variances within a class; more by 4 times the
dimensions a row, as covariances of few rows are mostly noise."""
MOST = 20_000
"""Rows of the reference that are kept, the held-out ones included."""
HELD = 3_000
"""Rows held out at most: the realised rate then has a standard deviation of 0.4 points at 5%."""
LEAST = 50
"""Rows a reference must have."""
_GRID = 2.0**20
"""Scores are multiples of 1 / 2^20: what is less is rounding, and no row is beyond another by it."""

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Keys = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Near:
    """The known rows (m, d) of length 1, and how far each lies from its own nearest (m,)."""

    rows: Matrix
    usual: Matrix

    def __call__(self, rows: Matrix, spacing: float = 0.0) -> Floats:
        """Return each row's mean cosine distance to its 5 nearest, less part of what is usual there."""
        found = nearest(rows, self.rows, NEAREST)
        far = 1.0 - found.cosine.mean(axis=1, dtype=np.float64)
        if spacing:
            far -= spacing * self.usual[found.which].mean(axis=1, dtype=np.float64)
        return np.asarray(far)


@dataclass(frozen=True, eq=False)
class Classes:
    """One Gaussian a class with a covariance in common, and one Gaussian for all rows.

    `within` and `total` (d, d) whiten: the squared length of what they make of a difference is its
    squared Mahalanobis distance. `centres` (c, d) are the classes' means, `middle` (d,) that of all.
    """

    centres: Floats
    middle: Floats
    within: Floats
    total: Floats

    @classmethod
    def of(cls, rows: Matrix, codes: Codes) -> Self:
        """Return the Gaussians of rows (n, d) with a class each; -1 is a row without one.

        Both covariances get the same ridge: what it adds then cancels in the difference.
        """
        middle = rows.mean(axis=0, dtype=np.float64)
        whole = rows.astype(np.float64) - middle
        kept, spots = np.unique(codes[codes >= 0], return_inverse=True)
        classed = whole[codes >= 0]
        sums = np.zeros((len(kept), rows.shape[1]))
        np.add.at(sums, spots, classed)
        centres = sums / np.bincount(spots)[:, None]
        apart = classed - centres[spots]
        within = apart.T @ apart / max(len(apart) - len(kept), 1)
        dimensions = rows.shape[1]
        scale = float(np.trace(within)) / dimensions
        ridge = (RIDGE + 4 * dimensions / max(len(apart) - len(kept), 1)) * scale
        total = whole.T @ whole / max(len(whole) - 1, 1)
        least = 1e-9 * max(float(np.trace(total)) / dimensions, 1e-9)
        shrunk = np.eye(dimensions) * max(ridge, least)
        return cls(centres, middle, _whitening(within + shrunk), _whitening(total + shrunk))

    def __call__(self, rows: Matrix) -> Floats:
        """Return each row's squared distance to the nearest class, less that to the middle of all."""
        here = rows.astype(np.float64) - self.middle
        whole = here @ self.total
        out = -np.einsum("ij,ij->i", whole, whole)
        inside, centres = here @ self.within, self.centres @ self.within
        lengths = np.einsum("ij,ij->i", centres, centres)
        step = max(1, BLOCK // max(len(centres), 1))
        for start in range(0, len(rows), step):
            block = inside[start : start + step]
            nearness = (lengths - 2 * block @ centres.T).min(axis=1)
            out[start : start + step] += nearness + np.einsum("ij,ij->i", block, block)
        return np.asarray(out)


@dataclass(frozen=True, eq=False)
class Unfamiliar:
    """A method fitted on a reference: scores for rows, and the threshold at the stated rate.

    `held` are the held-out rows' scores in ascending order. `spread` are the mean and standard
    deviation that `blend` measures mahalanobis and local in.
    """

    method: str
    rate: float
    dimensions: int
    held: Floats = field(default_factory=lambda: np.empty(0))
    near: Near | None = None
    classes: Classes | None = None
    spread: Floats = field(default_factory=lambda: np.array([[0.0, 1.0], [0.0, 1.0]]))

    @cached_property
    def threshold(self) -> float:
        """The score beyond which a row is unfamiliar: the held-out score of conformal rank."""
        rank = math.ceil((len(self.held) + 1) * (1 - self.rate) - 1e-9)
        return float(self.held[rank - 1])

    @property
    def beyond(self) -> int:
        """How many held-out rows lie beyond the threshold."""
        return len(self.held) - int(np.searchsorted(self.held, self.threshold, side="right"))

    @property
    def known(self) -> int:
        """How many rows are known, the held-out ones not counted; 0 where scores are read."""
        return 0 if self.near is None else len(self.near.rows)

    @one_thread
    def score(self, rows: Matrix) -> Floats:
        """Return how unfamiliar each of the rows (n, d) is; higher is less familiar.

        Rows are finite, and only their direction counts, but for a classifier's scores. Raises
        DataError for rows of another length than the reference's.
        """
        if rows.ndim != 2 or rows.shape[1] != self.dimensions:
            raise DataError(
                f"rows of {rows.shape[-1]} numbers, but the reference has {self.dimensions}: "
                "they are not of one model"
            )
        raw = self._raw(rows)
        return np.asarray(np.rint(raw * _GRID) / _GRID)

    def p(self, scores: Floats) -> Floats:
        """Return each score's conformal p: how often a row of the reference's kind scores as high.

        >>> Unfamiliar("energy", 0.5, 1, np.array([0.1, 0.2, 0.3])).p(np.array([0.05, 0.25, 9.0]))
        array([1.  , 0.5 , 0.25])
        """
        above = len(self.held) - np.searchsorted(self.held, scores, side="left")
        return np.asarray((1 + above) / (len(self.held) + 1))

    def state(self) -> dict[str, Any]:
        """Return the fitted method as arrays and JSON values."""
        made: dict[str, Any] = {"method": self.method, "rate": self.rate}
        made |= {"dimensions": self.dimensions, "held": self.held, "spread": self.spread}
        for part in (self.near, self.classes):
            made |= {} if part is None else vars(part)
        return made

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Return the fitted method of a state; raise ValueError where its parts disagree."""
        method, dimensions = check_method(str(state["method"])), int(state["dimensions"])
        held = np.asarray(state["held"], np.float64)
        near = classes = None
        if "rows" in state:
            near = Near(*(np.asarray(state[name], np.float32) for name in ("rows", "usual")))
            if near.rows.shape != (len(near.usual), dimensions):
                raise ValueError("known rows have one spacing each, and the method's length")
        if "centres" in state:
            names = ("centres", "middle", "within", "total")
            classes = Classes(*(np.asarray(state[name], np.float64) for name in names))
            if not classes.within.shape == classes.total.shape == (dimensions, dimensions):
                raise ValueError("covariances are square, of the method's length")
        if not len(held) or not np.isfinite(held).all() or (np.diff(held) < 0).any():
            raise ValueError("held-out scores are finite and ascend")
        if (method not in SCORED and near is None) or (method in LABELLED and classes is None):
            raise ValueError(f"{method} needs what it knows")
        spread = np.asarray(state["spread"], np.float64).reshape(2, 2)
        return cls(method, float(state["rate"]), dimensions, held, near, classes, spread)

    def _raw(self, rows: Matrix) -> Floats:
        if self.method in SCORED:
            return _told(rows, self.method)
        directions = unit(rows)
        found = []
        if self.classes is not None:
            found.append(self.classes(directions))
        if self.near is not None and self.method != "mahalanobis":
            found.append(self.near(directions, SPACING if self.method != "knn" else 0.0))
        if len(found) == 1:
            return found[0]
        far, lonely = (
            (each - at) / width for each, (at, width) in zip(found, self.spread, strict=True)
        )
        return np.asarray(far + WEIGHT * lonely)


def check_method(method: str) -> str:
    """Return the method, or raise UsageError with the closest one.

    >>> check_method("kn")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: no method 'kn'; did you mean 'knn'?
    """
    if method not in METHODS:
        raise UsageError(f"no method {method!r}{did_you_mean(method, METHODS)}")
    return method


def least_rows(rate: float) -> int:
    """Return how many rows a reference must have for a threshold at this rate.

    Raises UsageError for a rate that is no share.

    >>> least_rows(0.05), least_rows(0.001)
    (50, 1998)
    """
    if not 0 < rate < 0.5:
        raise UsageError(f"rate {rate!r}: it must be above 0 and below 0.5, as 0.05")
    return max(LEAST, 2 * math.ceil(1 / rate - 1 - 1e-9))


@one_thread
def fit(
    rows: Matrix,
    codes: Codes | None = None,
    *,
    method: str | None = None,
    rate: float = 0.05,
    keys: Keys | None = None,
    held: Matrix | None = None,
) -> Unfamiliar:
    """Return a method fitted on reference rows (n, d), finite and not zero, with its threshold.

    `codes` are the rows' classes, -1 for none; a class of one row is no class. `keys` order the rows
    (by content, so that their order in the file does not matter; made here by default): at most
    20,000 rows of lowest key are used, and the first of those are held out. Where `held` (m, d) is
    given, those are the held-out rows and all others are known. Without `method` it is "blend" where
    there are classes, else "local". Raises DataError for too few rows, or no classes where the method
    needs them; UsageError for an unknown method or a rate that is no share.

    >>> rows = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32) + 2
    >>> made = fit(rows, rate=0.1)
    >>> made.method, made.known, made.beyond, bool(made.score(-rows[:1])[0] > made.threshold)
    ('local', 320, 7, True)
    """
    method = check_method(method or ("local" if codes is None else "blend"))
    if method in LABELLED and codes is None:
        raise DataError(f"{method} needs a label of each reference row; or take method 'local'")
    _enough(len(rows), None if held is None else len(held), rate)
    order = np.argsort(apart(content_hashes(rows)) if keys is None else keys, kind="stable")[:MOST]
    first = held_out(len(order), rate) if held is None else 0
    kept = order[first:]
    held = rows[order[:first]] if held is None else held
    made = Unfamiliar(method, rate, rows.shape[1])
    if method not in SCORED:
        known = unit(rows[kept])
        near = Near(known, np.zeros(len(known), np.float32))
        if method not in {"knn", "mahalanobis"}:
            found = nearest(known, known, NEAREST, itself=False)
            near = Near(known, 1 - found.cosine.mean(axis=1))
        classes = None
        if method in LABELLED:
            assert codes is not None
            classes = Classes.of(known, repeated(codes[kept]))
        made = replace(made, near=near, classes=classes)
        if method == "blend":
            made = replace(made, spread=_spread(made, unit(held)))
    return replace(made, held=np.sort(made.score(held)))


def _enough(rows: int, held: int | None, rate: float) -> None:
    least = least_rows(rate)
    if held is None and rows < least:
        raise DataError(f"{rows:,} rows of reference: a rate of {rate:g} needs {least:,}")
    if held is not None and (rows < LEAST // 2 or held < least // 2):
        raise DataError(
            f"{rows:,} known and {held:,} held-out rows: a rate of {rate:g} needs {LEAST // 2} and "
            f"{least // 2:,}"
        )


def held_out(rows: int, rate: float) -> int:
    """Return how many of so many reference rows are held out: a fifth, more where those are few.

    >>> held_out(50, 0.05), held_out(1_000, 0.05), held_out(20_000, 0.05)
    (25, 200, 3000)
    """
    wanted = max(rows // 5, 2 * math.ceil(1 / rate - 1 - 1e-9))
    return min(wanted, rows // 2, max(HELD, math.ceil(1 / rate)))


def repeated(codes: Codes) -> Codes:
    """Return the classes of rows, -1 where a class has one row only; raise DataError under two classes.

    >>> repeated(np.array([4, 4, 7, -1, 5, 5])).tolist()
    [4, 4, -1, -1, 5, 5]
    """
    found, spots, counts = np.unique(codes, return_inverse=True, return_counts=True)
    kept = (counts > 1) & (found >= 0)
    if kept.sum() < 2:
        many = f"{int(kept.sum()) or 'no'} label is on two rows or more"
        raise DataError(f"{many}: name a column of two classes at least, or leave the label out")
    return np.asarray(np.where(kept[spots.reshape(-1)], codes, -1))


def content_hashes(rows: Matrix) -> Keys:
    """Return the hash of each row's content (n, d), the same in any order and batch.

    >>> found = content_hashes(np.array([[1, 2], [1, 2], [3, 4]], np.float32))
    >>> bool(found[0] == found[1]), bool(found[0] == found[2])
    (True, False)
    """
    plain = np.ascontiguousarray(rows, np.float32) + np.float32(0)
    width = plain.shape[1] * plain.itemsize
    ends = pa.py_buffer(np.arange(len(plain) + 1, dtype=np.int64) * width)
    cells = pa.Array.from_buffers(pa.large_binary(), len(plain), [None, ends, pa.py_buffer(plain)])
    return hash_strings(cells)


def apart(hashes: Keys) -> Keys:
    """Return the hashes with each repeat moved to a place of its own, the same ones for any order.

    >>> len(set(apart(np.array([7, 7, 7, 9], np.uint64)).tolist()))
    4
    """
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])) if len(ranked) else order
    since = np.arange(len(ranked)) - np.repeat(first, np.diff(np.append(first, len(ranked))))
    out = np.empty_like(hashes)
    out[order] = mix(ranked + hash_integers(since))
    return out


def probabilities(rows: Matrix) -> bool:
    """Tell whether every row (n, d) is a distribution: numbers from 0 to 1 that sum to 1.

    >>> probabilities(np.array([[0.9, 0.1]])), probabilities(np.array([[4.0, -1.0]]))
    (True, False)
    """
    sums = rows.sum(axis=1, dtype=np.float64)
    return bool(len(rows) and rows.min() >= 0 and (np.abs(sums - 1) < 1e-3).all())


def _told(rows: Matrix, method: str) -> Floats:
    logits = rows.astype(np.float64)
    highest = logits.max(axis=1)
    if method == "max-logit":
        return np.asarray(-highest)
    return np.asarray(-highest - np.log(np.exp(logits - highest[:, None]).sum(axis=1)))


def _spread(made: Unfamiliar, rows: Matrix) -> Floats:
    assert made.near is not None
    assert made.classes is not None
    both = made.classes(rows), made.near(rows, SPACING)
    return np.array([[float(each.mean()), float(each.std()) or 1.0] for each in both])


def _whitening(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    floor = max(float(values[-1]), 1e-300) * 1e-12
    return np.asarray(vectors / np.sqrt(np.maximum(values, floor)))
