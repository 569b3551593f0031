"""A search that leaves most rows unread finds what one that reads all of them finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.stats import exact_search
from undertow.stats.exact_search import exact, settled, turned
from undertow.stats.neighbours import unit


def rows_of(kind, n, d, seed):
    """Return vectors of length 1: in few directions, in all, in clusters, or with repeats."""
    random = np.random.default_rng(seed)
    made = random.normal(size=(n, d))
    if kind == "few":
        made *= 0.8 ** np.arange(d)
    elif kind == "clusters":
        made = random.normal(size=(5, d))[random.integers(0, 5, n)] + 0.2 * made
    elif kind == "repeats":
        made = made[random.integers(0, n // 4 + 1, n)]
    return unit(made.astype(np.float32))


def by_hand(query, rows, k, alive):
    """Return the places and the cosines of the nearest, by a plain product."""
    cosine = rows.astype(np.float64) @ query.astype(np.float64)
    cosine[~alive] = -np.inf
    return np.argsort(-cosine, kind="stable")[:k], np.sort(cosine)[::-1][:k]


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["few", "all", "clusters", "repeats"]),
    n=st.integers(5, 500),
    d=st.sampled_from([64, 65, 100]),
    k=st.integers(1, 12),
    many=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_it_finds_what_reading_everything_finds(kind, n, d, k, many, seed):
    """For any rows, any k and any dead rows, the cosines are those of the nearest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_search, "LEAST", 100)
        random = np.random.default_rng(seed)
        rows = rows_of(kind, n, d, seed)
        alive = random.random(n) > 0.3
        held = turned(rows)
        queries = rows_of(kind, 8 if many else 2, d, seed + 1)
        queries[0] = rows[0]
        places, cosines = exact(queries, held, k, alive=alive)
    for query, place, cosine in zip(queries, places, cosines, strict=True):
        _, best = by_hand(query, rows, k, alive)
        best = best[np.isfinite(best)]
        np.testing.assert_allclose(cosine[: len(best)], best, atol=2e-6)
        assert (place[: len(best)] >= 0).all()
        assert (place[len(best) :] == -1).all()
        assert np.isnan(cosine[len(best) :]).all()
        assert alive[place[: len(best)]].all()
        assert len(set(place[: len(best)].tolist())) == len(best)


def test_most_rows_are_never_read_whole():
    """In a space of few directions the bound leaves a small part of the rows."""
    rows = rows_of("few", 5_000, 96, 0)
    held = turned(rows)
    assert len(held.parts) == 3
    split = [part[0] for part in held.split(held.query(rows[:1]))]
    assert len(exact_search._alone(split, held, 10, None)) < 200


def test_equal_rows_stand_in_their_order():
    """Ties are broken by place, alone and among many queries."""
    rows = np.repeat(rows_of("all", 3, 64, 0), 4, axis=0)
    held = turned(rows)
    for count in (1, 9):
        places, _ = exact(rows[np.zeros(count, int)], held, 4)
        assert places.tolist() == [[0, 1, 2, 3]] * count
    assert settled(rows[0], held, np.array([3, 1]), 2)[0].tolist() == [1, 3]


def test_nothing_is_found_among_nothing():
    """No rows, no living rows and no queries are answered with empty places."""
    rows = rows_of("all", 4, 64, 0)
    none = np.zeros(4, np.bool_)
    assert exact(rows[:1], turned(rows), 2, alive=none)[0].tolist() == [[-1, -1]]
    assert exact(rows[:0], turned(rows), 2)[0].shape == (0, 2)
    assert exact(rows[:1], turned(rows[:0]), 1)[0].tolist() == [[-1]]
