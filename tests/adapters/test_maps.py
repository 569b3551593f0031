"""Bent maps: fitted on the reference, the same every time, and said to be what they are."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from undertow.adapters import maps
from undertow.core.errors import DataError, MissingExtra, UsageError
from undertow.stats import projection


def rows(count: int = 120, seed: int = 0) -> Any:
    """Return rows in three bunches."""
    chance = np.random.default_rng(seed)
    middles = np.eye(3, 10) * 6
    return (middles[np.arange(count) % 3] + chance.normal(size=(count, 10))).astype(np.float32)


def test_names() -> None:
    """A map goes by name; another name is refused with what there is."""
    assert isinstance(maps.projection("pca", rows()), projection.Projection)
    with pytest.raises(UsageError, match="did you mean 'umap'"):
        maps.projection("umpa", rows())


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without umap-learn the error names the extra."""
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtra, match=r'pip install "undertow\[maps\]"'):
        maps.projection("umap", rows())


@pytest.fixture(scope="module")
def tsne() -> maps.Bent:
    """Fit one t-SNE."""
    return maps.tsne(rows())


def test_tsne_keeps_bunches_and_the_reference(tsne: maps.Bent) -> None:
    """Reference rows stand where they were fitted, and current ones among their bunch."""
    old = tsne(rows())
    assert np.allclose(old, tsne(rows()[::-1])[::-1])
    new = tsne(rows(60, seed=1))
    middles = np.stack([np.median(old[bunch::3], axis=0) for bunch in range(3)])
    nearest = np.linalg.norm(new[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == np.arange(60) % 3).mean() > 0.9


def test_tsne_makes_a_shape(tsne: maps.Bent) -> None:
    """A bent map is drawn as any other, and says that it is one."""
    made = projection.shape(rows(), rows(30, seed=1), tsne)
    assert made["projection"].startswith("t-SNE of 120 reference rows by cosine")
    broken = rows(9)
    broken[4, 2] = np.nan
    assert projection.shape(rows(), broken, tsne)["drawn"]["current"] == 8


def test_refuses_what_it_cannot_place(tsne: maps.Bent) -> None:
    """Another width and too few rows are refused."""
    with pytest.raises(DataError, match="fitted on vectors of 10"):
        tsne(rows()[:, :4])
    with pytest.raises(DataError, match="at least 20"):
        maps.tsne(rows(5))


@pytest.mark.heavy
def test_umap_is_the_same_every_time() -> None:
    """The same rows give the same map, and bunches stay apart."""
    pytest.importorskip("umap")
    first, second = maps.umap(rows()), maps.umap(rows())
    new = rows(60, seed=1)
    assert np.array_equal(first(new), second(new))
    made = projection.shape(rows(), new, first)
    assert made["projection"].startswith("UMAP of 120 reference rows")
