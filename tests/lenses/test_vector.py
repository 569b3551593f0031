"""The plain columns of a vector: what they say, and that they say the same of rows alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from undertow.core.lens import Lens
from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import Survey, equal_states
from undertow.core.values import Values
from undertow.lenses.spherical import GRID, cluster, direction, on_grid
from undertow.lenses.vector import NUMBERS, Vector

VECTOR = Column("v", Kind.VECTOR)


def fixed(rows):
    """Return a matrix as a column of fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def fitted(array, weights=None):
    """Return the lens for these rows, as if they were all of the reference."""
    many = np.ones(len(array), np.int64) if weights is None else weights
    return Vector.fit(Survey(int(many.sum()), pa.table({"v": array}), many), VECTOR)


def numbers(lens, array, what):
    """Return one derived number of each row, NaN where there is none."""
    return lens(Values(VECTOR, array))[f"v:{what}"].to_numpy(zero_copy_only=False)


def blobs(seed, rows, size=48, homes=6):
    """Return rows around six directions, and which one each belongs to."""
    random, fixed_ = np.random.default_rng(seed), np.random.default_rng(99)
    centres = fixed_.normal(size=(homes, size))
    home = random.integers(0, homes, rows)
    return (centres[home] + random.normal(size=(rows, size)) * 0.4).astype(np.float32), home


def test_it_is_a_lens_for_every_role_but_an_output():
    """Scores and predictions are read as probabilities; every other vector column here."""
    lens = fitted(fixed(blobs(0, 400)[0]))
    assert isinstance(lens, Lens)
    assert frozenset({*Role}) - Vector.roles == {Role.SCORE, Role.PREDICTION}
    made = lens.columns(VECTOR)
    assert {column.name for column in made} == {f"v:{what}" for what in (*NUMBERS, "cluster")}
    assert {column.role for column in made} == {Role.IGNORE}
    assert {column.origin for column in made} == {"v"}


def test_the_shape_of_a_vector():
    """Norm, mean and variance are numpy's."""
    rows, _ = blobs(1, 300)
    lens = fitted(fixed(rows))
    assert numbers(lens, fixed(rows), "norm") == pytest.approx(np.linalg.norm(rows, axis=1))
    assert numbers(lens, fixed(rows), "mean") == pytest.approx(rows.mean(axis=1), abs=1e-6)
    assert numbers(lens, fixed(rows), "variance") == pytest.approx(rows.var(axis=1), rel=1e-5)
    flat = fixed(np.full((1, 48), 1000.0, np.float32))
    assert numbers(lens, flat, "variance").tolist() == [0.0]


def test_cosines_are_right_to_the_grid():
    """The anchor is the mean direction; all is right to 5e-4."""
    rows, _ = blobs(2, 4000)
    lens = fitted(fixed(rows))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    anchor = unit[::2][:2048].sum(axis=0)
    expected = unit @ (anchor / np.linalg.norm(anchor))
    got = numbers(lens, fixed(rows), "anchor")
    there = np.isfinite(got)
    assert got[there] == pytest.approx(expected[there], abs=5e-4)
    known = fixed(lens.known.astype(np.float32) * np.float32(1.001))
    assert np.nanmin(numbers(lens, known, "known"), initial=1.0) > 1 - 5e-4


def test_the_clusters_are_those_that_are_there():
    """Six clear directions are found again: hardly a row shares a cluster with another's."""
    rows, _ = blobs(3, 1000)
    lens = fitted(fixed(rows))
    later, home = blobs(4, 800)
    names = lens(Values(VECTOR, fixed(later)))["v:cluster"].to_pylist()
    most = [
        max(list(zip(names, home, strict=True)).count((n, h)) for h in range(6)) for n in {*names}
    ]
    assert sum(most) >= 0.97 * len(names)
    assert len(lens.centres) <= 32
    assert numbers(lens, fixed(later), "centre").min() > 0.5


def test_rows_it_was_fitted_on_do_not_speak():
    """Half of a small reference shaped the lens and is left out; so no later row looks farther."""
    rows, _ = blobs(5, 3000)
    lens, array = fitted(fixed(rows)), fixed(rows)
    quiet = np.isnan(numbers(lens, array, "known"))
    assert quiet.mean() == pytest.approx(0.5, abs=0.01)
    later = fixed(blobs(6, 3000)[0])
    for what in NUMBERS:
        before, now = (numbers(lens, each, what) for each in (array, later))
        assert stats.ks_2samp(before[np.isfinite(before)], now).pvalue > 1e-3, what


def test_a_vector_that_occurs_often_is_traffic():
    """What stands in many rows is counted in its cluster, though the lens was fitted on it too."""
    rows, _ = blobs(7, 400)
    rows[:100] = rows[0]
    found = fitted(fixed(rows))(Values(VECTOR, fixed(rows)))["v:cluster"]
    assert found.slice(0, 100).null_count == 0
    once = blobs(8, 400)[0]
    weights = np.ones(400, np.int64)
    weights[0] = 50
    assert fitted(fixed(once), weights)(Values(VECTOR, fixed(once)))["v:cluster"][0].is_valid


def test_rows_that_are_no_vectors_have_none_of_it():
    """Null, ragged, NaN and zero rows are null in every column."""
    lens = fitted(fixed(blobs(9, 200, size=3)[0]))
    cells = pa.array([None, [1.0], [1.0, None, 2.0], [0.0, 0.0, 0.0], [np.inf, 0.0, 0.0]])
    made = lens(Values(VECTOR, cells))
    assert {name: column.null_count for name, column in made.items()} == dict.fromkeys(made, 5)
    assert {name: len(c) for name, c in lens(Values(VECTOR, cells.slice(0, 0))).items()} == (
        dict.fromkeys(made, 0)
    )


def test_a_reference_too_small_or_empty():
    """Few rows give the shape of a vector alone; none that is fine gives nothing."""
    few = fitted(fixed(blobs(10, 20)[0]))
    assert [column.name for column in few.columns(VECTOR)] == ["v:norm", "v:mean", "v:variance"]
    assert len(few(Values(VECTOR, fixed(blobs(10, 7)[0])))["v:norm"]) == 7
    for cells in (pa.array([None, None], pa.list_(pa.float32())), pa.array([[0.0, 0.0]] * 40)):
        none = fitted(cells)
        assert none.columns(VECTOR) == ()
        assert none(Values(VECTOR, cells)) == {}


@pytest.mark.parametrize("size", [1, 2, 5000])
def test_any_length_will_do(size):
    """One dimension, two, five thousand."""
    rows = np.random.default_rng(0).normal(size=(80, size)).astype(np.float32)
    lens = fitted(fixed(rows))
    made = numbers(lens, fixed(rows * np.float32(1e25)), "centre")
    assert (np.abs(made[np.isfinite(made)]) <= 1).all()


def test_equal_rows_everywhere():
    """One direction for all is one cluster."""
    rows = np.tile(np.array([[3.0, 4.0]], np.float32), (100, 1))
    lens = fitted(fixed(rows))
    assert len(lens.centres) == 1
    assert set(lens(Values(VECTOR, fixed(rows)))["v:cluster"].to_pylist()) == {"1"}


def test_the_fit_is_the_same_each_time_and_after_saving():
    """The settings do not depend on anything but the rows, and a saved lens derives the same."""
    rows, _ = blobs(11, 900)
    lens, again = fitted(fixed(rows)), fitted(fixed(rows))
    assert equal_states(lens.state(), again.state())
    saved = Vector.restore(lens.state())
    one, other = (each(Values(VECTOR, fixed(rows))) for each in (lens, saved))
    assert {k: v.to_pylist() for k, v in one.items()} == {
        k: v.to_pylist() for k, v in other.items()
    }
    small = fitted(fixed(rows[:20]))
    assert Vector.restore(small.state()).names == small.names


@pytest.mark.parametrize("what", ["anchor", "homes", "known"])
def test_a_damaged_state_is_no_lens(what):
    """Arrays that do not fit each other are refused."""
    state = dict(fitted(fixed(blobs(12, 300)[0])).state())
    with pytest.raises(ValueError, match="a vector lens needs"):
        Vector.restore({**state, what: state[what][:-1]})


def test_products_on_the_grid_are_exact():
    """Whatever the order of summation, float32 gives the product of grid vectors to the last bit."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 384)).astype(np.float32)
    steps = on_grid(rows, np.linalg.norm(rows.astype(float), axis=1))
    others = direction(rows) / np.float32(GRID)
    exact = steps.astype(float) @ others.T.astype(float)
    for _ in range(5):
        order = random.permutation(384)
        assert ((steps[:, order] @ others[:, order].T).astype(float) == exact).all()


def test_kmeans_leaves_no_cluster_empty():
    """However many are asked for, every cluster has rows, and the largest comes first."""
    rows = np.repeat(np.eye(5, dtype=np.float32) * np.float32(GRID), [1, 2, 3, 4, 50], axis=0)
    centres, homes = cluster(rows, 30)
    assert len(centres) == 5
    assert np.bincount(homes).tolist() == [50, 4, 3, 2, 1]
