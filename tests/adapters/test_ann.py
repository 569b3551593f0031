"""The library behind the extra `index`: what it finds, and what it says of a damaged file."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.adapters import ann
from undertow.core.errors import DataError, MissingExtra
from undertow.core.index import Approximates
from undertow.index import near
from undertow.index.folder import create, open_index
from undertow.stats.neighbours import unit

N, D = 3_000, 32


@pytest.fixture
def rows():
    """Return vectors in clusters."""
    random = np.random.default_rng(0)
    middle = random.normal(size=(40, D))
    return unit(
        (middle[random.integers(0, 40, N)] + 0.5 * random.normal(size=(N, D))).astype(np.float32)
    )


def test_the_library_fits_the_protocol_or_is_named():
    """It is an `Approximates` where it is installed, and the extra is named where it is not."""
    found = ann.opened()
    if found is None:
        with pytest.raises(MissingExtra, match=r"undertow\[index\]"):
            ann.opened(wanted=True)
    else:
        assert isinstance(found, Approximates)


def test_an_index_with_the_library_finds_almost_all(rows, tmp_path, monkeypatch):
    """Recall is 0.98 or more, replaced rows are never found, and a damaged file comes back."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(near, "EXACT", 1_000)
    index = create(tmp_path / "index", library=ann.Faiss())
    names = [str(row) for row in range(N)]
    index.build(names, rows)
    plain = open_index(tmp_path / "index")
    queries = unit(rows[::30] + np.float32(0.01))
    truth = plain.search(queries)
    found = index.search(queries)
    hits = sum(len(set(one) & set(two)) for one, two in zip(found.ids, truth.ids, strict=True))
    assert hits >= 0.98 * truth.ids.size
    assert index.stats()["search"] == "library"
    index.add(names[:200], -rows[:200])
    gone = index.search(rows[:200], 1)
    assert not (gone.ids[:, 0] == np.array(names[:200])).any()
    held = next((tmp_path / "index" / "search").glob("*.faiss"))
    held.write_bytes(held.read_bytes()[:500])
    again = open_index(tmp_path / "index", library=ann.Faiss())
    assert again.search(queries).ids.shape == truth.ids.shape
    assert open_index(tmp_path / "index", library=ann.Faiss()).search(queries, 1).scores[0, 0] > 0.9
    (tmp_path / "none.faiss").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged"):
        ann.Faiss().open(tmp_path / "none.faiss")


def test_where_most_is_gone_all_rows_are_looked_at(rows, tmp_path, monkeypatch):
    """What the library finds may all be replaced: the living are found all the same."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(near, "EXACT", 1_000)
    index = create(tmp_path / "index", library=ann.Faiss())
    names = [str(row) for row in range(N)]
    index.build(names, rows)
    close = np.argsort(-(rows @ rows[7]))[:500]
    index.add([names[row] for row in close], -rows[close])
    found = index.search(rows[7], 5)
    assert not {int(each) for each in found.ids[0]} & set(close.tolist())
