"""Maps that bend: UMAP and t-SNE, fitted on the reference, with current rows placed on them.

They show neighbourhoods that two straight axes hide, and no distances: a gap or a size on them means
nothing, and a row unlike all of the reference still lands beside something. PCA is the default.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError, MissingExtra, UsageError, did_you_mean
from undertow.stats.neighbours import Matrix, nearest, one_thread, unit
from undertow.stats.projection import Floats, Place, fit

MAPS = ("pca", "umap", "tsne")
FEWEST = 20
"""Rows below which neighbourhoods mean nothing."""
BESIDE = 5
"""Nearest rows of the reference that a row is placed among on a t-SNE map."""
UMAP_ROWS, TSNE_ROWS = 5_000, 4_000
"""Rows of the reference that a map is fitted on at most, evenly spaced: 3,000 x 384 took 50 CPU
seconds (UMAP, its compiler included) and 21 (t-SNE)."""
SAME = 0.99999
"""Cosine from which a row is the row of the reference itself."""


@dataclass(frozen=True, eq=False)
class Bent:
    """A fitted map: rows (n, d) become points (n, 2), and a word on how."""

    placed: Callable[[Matrix], NDArray[Any]]
    wide: int
    says: str

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Return the points of rows; nan for rows not finite. Raises DataError where d differs."""
        if rows.ndim != 2 or rows.shape[1] != self.wide:
            shape = " x ".join(map(str, rows.shape))
            raise DataError(f"the map was fitted on vectors of {self.wide}, these are {shape}")
        points = np.full((len(rows), 2), np.nan)
        finite = np.isfinite(rows).all(axis=1)
        if finite.any():
            points[finite] = self.placed(unit(np.asarray(rows[finite], np.float32)))
        return points


def projection(name: str, reference: NDArray[Any]) -> Place:
    """Return the map called "pca", "umap" or "tsne", fitted on reference vectors (n, d).

    Raises UsageError for another name, MissingExtra where a library is not installed, and DataError
    for too few rows.

    >>> place = projection("pca", np.eye(3))
    >>> place(np.eye(3)).shape
    (3, 2)
    """
    known: dict[str, Callable[[NDArray[Any]], Place]] = {"pca": fit, "umap": umap, "tsne": tsne}
    return known[named_map(name)](reference)


def named_map(name: str) -> str:
    """Return the name of a map; raise UsageError for another.

    >>> named_map("umpa")
    Traceback (most recent call last):
    undertow.core.errors.UsageError: no map 'umpa'; did you mean 'umap'?
    """
    if name not in MAPS:
        raise UsageError(f"no map {name!r}{did_you_mean(name, MAPS)}")
    return name


def umap(reference: NDArray[Any]) -> Bent:
    """Return a UMAP of the reference by cosine; other rows go through its own transform.

    McInnes, Healy and Melville (2018), arXiv:1802.03426. The same rows give the same map.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it speaks of TensorFlow, which nothing here needs
            from umap import UMAP
    except ImportError:
        raise MissingExtra("maps", "umap-learn", "map 'umap'") from None
    rows = _fitted_on(reference, UMAP_ROWS)
    model = UMAP(
        n_neighbors=min(15, len(rows) - 1),
        metric="cosine",
        random_state=0,
        transform_seed=0,
        n_jobs=1,
    )

    def quietly(call: Callable[[Matrix], Any]) -> Callable[[Matrix], NDArray[Any]]:
        def called(some: Matrix) -> NDArray[Any]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(call(some))

        return one_thread(called)

    quietly(model.fit)(rows)
    says = f"UMAP of {len(rows):,} reference rows by cosine; distances on it mean little"
    return Bent(quietly(model.transform), rows.shape[1], says)


@one_thread
def tsne(reference: NDArray[Any]) -> Bent:
    """Return a t-SNE of the reference by cosine; other rows stand among their nearest of it.

    Van der Maaten and Hinton (2008), JMLR 9. t-SNE has no transform of its own: a row goes to the
    mean of its `BESIDE` nearest reference rows, so what is new hides among what is known.

    >>> old = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    >>> place = tsne(old)
    >>> place(old[:4]).shape, place.says[:27]
    ((4, 2), 't-SNE of 60 reference rows ')
    """
    from sklearn.manifold import TSNE

    rows = _fitted_on(reference, TSNE_ROWS)
    model = TSNE(
        perplexity=min(30.0, (len(rows) - 1) / 3),
        metric="cosine",
        init="pca" if rows.shape[1] > 1 else "random",
        random_state=0,
        n_jobs=1,
    )
    held = np.asarray(model.fit_transform(rows), np.float64)

    def beside(some: Matrix) -> NDArray[Any]:
        near = nearest(some, rows, BESIDE)
        middle = held[near.which].mean(axis=1)
        same = near.cosine[:, :1] >= SAME
        return np.where(same, held[near.which[:, 0]], middle)

    says = f"t-SNE of {len(rows):,} reference rows by cosine, others among their {BESIDE} nearest"
    return Bent(beside, rows.shape[1], says)


def _fitted_on(reference: NDArray[Any], most: int) -> Matrix:
    """Return at most so many finite rows, scaled to length 1."""
    rows = np.asarray(reference)
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError("a map needs vectors: one row of numbers each")
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < FEWEST:
        raise DataError(f"{len(rows)} reference vectors: a bent map needs at least {FEWEST}")
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.intp)]
    return unit(np.asarray(rows, np.float32))
