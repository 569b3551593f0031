"""Vectors keep the laws: the same rows cut up in any way give the same hashes, columns and sums."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core import hashing
from undertow.core.schema import Column, Kind
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.core.vectors import (
    FINE,
    NOT_FINITE,
    NULL,
    RAGGED,
    ZERO,
    is_list,
    lengths,
    matrix,
)
from undertow.lenses.vector import Vector
from undertow.summaries.sample import RowSample
from undertow.summaries.vectors import WIDEST, Spread
from undertow.testing import batches, check_summary

VECTOR = Column("v", Kind.VECTOR)
parts = st.integers(1, 6)
# Quarters add up exactly, so that every law holds bit for bit.
quarters = st.integers(-40, 40).map(lambda n: n / 4)
cells = st.one_of(
    st.none(),
    st.lists(quarters, min_size=3, max_size=3),
    st.sampled_from(
        [[], [1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 0.0], [float("inf"), 0.0, 1.0]]
    ),
)
tables = st.lists(cells, min_size=1, max_size=60).map(
    lambda rows: pa.table({"v": pa.array(rows, pa.list_(pa.float32()))})
)


def known(table):
    """Return which rows hold no NaN: Arrow calls no table with one equal to itself."""
    return pa.array([row is None or not np.isnan(row).any() for row in table["v"].to_pylist()])


def fixed(rows):
    """Return a matrix as a column of fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


@given(tables, parts, st.integers(0, 99))
def test_spreads_keep_the_laws(table, cuts, seed):
    """Counts, norms, buckets and sums of any vectors merge in any order; quarters merge exactly."""
    whole = check_summary(Spread(3), batches([VECTOR], table, cuts, seed))
    state = matrix(table.column("v"), 3).state
    assert whole.counts == tuple(int((state == code).sum()) for code in range(5))
    assert whole.rows == table.num_rows


@given(tables.map(lambda t: t.filter(known(t))), parts, st.integers(0, 99))
def test_samples_of_vectors_keep_the_laws(table, cuts, seed):
    """Rows with vectors are sampled by their content, however they were cut up."""
    check_summary(RowSample(k=5), batches([VECTOR], table, cuts, seed))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), parts, st.sampled_from([1, 2, 7, 33]))
def test_sums_differ_by_no_more_than_rounding(seed, cuts, size):
    """Two ways to cut up real numbers give a second moment equal to a relative 1e-9, no more."""
    random = np.random.default_rng(seed)
    rows = (random.standard_cauchy((900, size)) * 10 ** random.uniform(-3, 3)).astype(np.float32)
    table = pa.table({"v": fixed(rows)})
    made = [Spread(size).observe(*part) for part in batches([VECTOR], table, cuts, seed)]
    whole = Spread(size).observe(Values(VECTOR, table.column("v")))
    assert sum(made[1:], made[0]) == whole
    assert whole.second == pytest.approx(
        rows.T.astype(float) @ rows.astype(float) / 900, rel=1e-9, abs=1e-9 * np.square(whole.high)
    )
    assert whole.mean == pytest.approx(rows.mean(axis=0, dtype=float), abs=1e-9 * whole.high)


def test_wide_vectors_keep_the_diagonal_alone():
    """Beyond 1,536 dimensions the second moment is its diagonal; it is saved and read again."""
    rows = np.random.default_rng(0).normal(size=(40, 5000)).astype(np.float32)
    made = check_summary(
        Spread(5000), batches([VECTOR], pa.table({"v": fixed(np.rint(rows))}), parts=3)
    )
    assert made.diagonal
    assert made.second == pytest.approx((np.rint(rows).astype(float) ** 2).mean(axis=0))
    assert made.covariance == pytest.approx(np.rint(rows).var(axis=0, dtype=float), abs=1e-6)
    assert not Spread(WIDEST).diagonal


@pytest.mark.parametrize(
    "damage",
    [
        {"total": np.zeros(2)},
        {"products": np.zeros(9)},
        {"counts": [1, 2]},
        {"counts": [-1, 0, 0, 0, 0]},
        {"buckets": np.ones(4096, np.int64)},
        {"dimensions": -1},
    ],
)
def test_a_damaged_state_is_no_spread(damage):
    """What a broken file says is refused, not believed."""
    with pytest.raises(ValueError, match="vectors"):
        Spread.restore({**Spread(3).state(), **damage})


def test_spreads_of_other_lengths_are_not_equal():
    """Two lengths are two settings."""
    assert Spread(3) != Spread(4)
    assert Spread(3) != "spread"
    assert Spread(2000) == Spread(2000)


def _lens(rows):
    count = len(rows)
    return Vector.fit(Survey(count, pa.table({"v": fixed(rows)}), np.ones(count, np.int64)), VECTOR)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 3, 16, 65, 384]), st.integers(1, 90))
def test_a_row_is_seen_alike_in_any_batch(seed, size, most):
    """Every derived column is a pure function of the row: bit for bit, wherever a batch begins."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(300, size)).astype(np.float32) + np.float32(0.3)
    rows[random.random(300) < 0.05] = 0
    rows[random.random(300) < 0.05, 0] = np.nan
    lens, array = _lens(rows), fixed(rows)
    whole = lens(Values(VECTOR, array))
    for start in range(0, 300, most):
        part = lens(Values(VECTOR, array.slice(start, most)))
        for name, column in part.items():
            assert column.to_pylist() == whole[name].slice(start, most).to_pylist(), name


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([np.float32, np.float64, np.int64]),
    st.sampled_from([1, 2, 3, 16, 33]),
)
def test_equal_lists_have_equal_hashes(seed, dtype, size):
    """List, large list, fixed-size list, a slice, a chunk: the hash is of the numbers alone."""
    rows = (np.random.default_rng(seed).normal(size=(40, size)) * 9).astype(dtype)
    array = fixed(rows)
    hashes = Values(VECTOR, array).hashes
    inner = array.type.value_type
    for kind in (pa.list_(inner), pa.large_list(inner)):
        assert (Values(VECTOR, array.cast(kind)).hashes == hashes).all()
        assert (Values(VECTOR, array.cast(kind).slice(7, 9)).hashes == hashes[7:16]).all()
    assert (Values(VECTOR, array.slice(7, 9)).hashes == hashes[7:16]).all()
    chunks = pa.chunked_array([array.slice(0, 3), array.slice(3)])
    assert (Values(VECTOR, chunks).hashes == hashes).all()
    assert len(np.unique(hashes)) == len(np.unique(rows, axis=0))


def test_close_lists_have_other_hashes():
    """Signs, places, lengths, single bits, a null and an empty list all tell apart."""
    random = np.random.default_rng(0)
    signs = np.where(random.random((3000, 64)) < 0.5, -1, 1).astype(np.float32)
    single = np.zeros((128 * 3, 128), np.float32)
    single[np.arange(384), np.arange(384) % 128] = np.repeat([1.0, 2.0, -1.0], 128)
    bits = np.tile(signs[:1], (3000, 1))
    bits.view(np.uint32)[...] ^= (random.random(bits.shape) < 0.05).astype(np.uint32)
    for rows in (signs, single, bits):
        assert len(np.unique(hashing.hash_rows(rows))) == len(np.unique(rows, axis=0))
    odd = pa.array([[1.0], [1.0, 0.0], [0.0, 1.0], [], None, [None], [0.0], [2.0, None]])
    assert len(np.unique(hashing.hash_lists(odd))) == len(odd)
    same = pa.array([[0.0, float("nan")], [-0.0, float("nan")], [0.0, None]])
    assert len(np.unique(hashing.hash_lists(same))) == 1


def test_lists_of_anything_have_hashes():
    """Words and nulls inside go by the item, structs and lists by their text."""
    words = pa.array([["a", "b"], ["b", "a"], ["a"], ["ab"], [None], None])
    assert len(np.unique(Values(VECTOR, words).hashes)) == len(words)
    whole = pa.array([[1, None], [1, 0], [None, 1]])
    assert len(np.unique(Values(VECTOR, whole).hashes)) == len(whole)
    deep = pa.array([[[1], [2]], [[1, 2]], None])
    assert len(np.unique(Values(VECTOR, deep).hashes)) == len(deep)


@given(tables, st.integers(0, 59), st.integers(0, 59))
def test_a_slice_is_read_like_the_whole(table, start, size):
    """Offsets of a slice count, in every type of list."""
    array = table.column("v").combine_chunks()
    whole = matrix(array, 3)
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64())):
        part = matrix(array.cast(kind).slice(start, size), 3)
        assert np.array_equal(part.rows, whole.rows[start : start + size])
        assert np.array_equal(part.state, whole.state[start : start + size])
        assert lengths(array.cast(kind)).tolist() == lengths(array).tolist()


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.int64()])
def test_every_kind_of_number_makes_a_vector(kind):
    """Half, single, double and whole numbers are read as float32, nulls within as not finite."""
    cells = pa.array([[1, 2], None, [0, 0], [3], [4, None]], pa.list_(pa.int64()))
    found = matrix(cells.cast(pa.list_(kind)))
    assert found.rows.tolist() == [[1, 2], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert found.state.tolist() == [FINE, NULL, ZERO, RAGGED, NOT_FINITE]
    assert found.good.tolist() == [[1, 2]]


def test_odd_columns_have_no_vectors():
    """Empty lists, null lists, words, decimals and nothing at all are read without an error."""
    assert matrix(pa.array([[], []], pa.list_(pa.float32()))).state.tolist() == [ZERO, ZERO]
    assert matrix(pa.array([[], None])).state.tolist() == [ZERO, NULL]
    assert matrix(pa.array([[None], [None]])).state.tolist() == [NOT_FINITE, NOT_FINITE]
    assert matrix(pa.array(["a", None]), 3).state.tolist() == [RAGGED, NULL]
    assert matrix(pa.array([["a"], None]), 3).rows.shape == (2, 3)
    assert matrix(pa.chunked_array([], pa.list_(pa.float32()))).rows.shape == (0, 0)
    money = pa.array([["1.5", "2"]], pa.list_(pa.string())).cast(pa.list_(pa.decimal128(5, 2)))
    assert matrix(money).rows.tolist() == [[1.5, 2.0]]
    assert not is_list(pa.string())


def test_numbers_at_the_ends_of_the_range():
    """Beyond float32 is not finite; squares that under- or overflow are no reason to doubt a row."""
    cells = pa.array([[1e300, 1.0], [3e30, 4e30], [3e-30, 4e-30], [1e-60, 0.0]])
    found = matrix(cells)
    assert found.state.tolist() == [NOT_FINITE, FINE, FINE, ZERO]
    assert found.norms[1:3] == pytest.approx([5e30, 5e-30])


def test_what_is_fine_is_not_copied():
    """Float32 vectors without a fault are the memory they came in."""
    rows = np.ones((4, 3), np.float32)
    array = fixed(rows)
    assert np.shares_memory(matrix(array).rows, np.asarray(array.values))
    assert np.shares_memory(matrix(array.slice(1, 2)).rows, np.asarray(array.values))


def test_a_sample_keeps_fewer_rows_of_very_long_vectors():
    """4,096 rows up to 2,048 dimensions, fewer beyond."""
    sizes = {384: 4096, 1536: 4096, 2048: 4096, 5000: 1677}
    for size, rows in sizes.items():
        column = Column("v", Kind.VECTOR, arrow=f"fixed_size_list<item: float>[{size}]")
        assert RowSample.fit(Survey(0, pa.table({}), np.empty(0, np.int64)), column).k == rows
