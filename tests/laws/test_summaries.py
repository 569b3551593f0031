"""Every registered summary is a commutative monoid, bit for bit, for any partitioning."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.schema import Column, Kind
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram
from undertow.summaries.moments import Moments
from undertow.summaries.presence import Presence
from undertow.summaries.sample import RowSample
from undertow.testing import batches, check_summary

NUMBER = Column("x", Kind.NUMBER)
WORD = Column("w", Kind.CATEGORY)

numbers = st.lists(
    st.one_of(
        st.none(),
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, -0.0, -1.0, 1e300, 5e-324, 0.1]),
        st.floats(-3, 3),
    ),
    min_size=1,
    max_size=120,
)
words = st.lists(
    st.one_of(st.none(), st.sampled_from(["a", "b", "", "ä", "a "]), st.text(max_size=5)),
    min_size=1,
    max_size=120,
).map(lambda listed: [None if w is None else w.encode("utf-8", "replace").decode() for w in listed])
parts = st.integers(1, 6)


def _survey(table: pa.Table) -> Survey:
    return Survey(table.num_rows, table, np.ones(table.num_rows, np.int64))


@given(numbers, parts, st.integers(0, 99))
def test_numbers_keep_the_laws(values, cuts, seed):
    """Presence, histogram and moments of any floats merge exactly in any order."""
    table = pa.table({"x": pa.array(values, pa.float64())})
    survey = _survey(table)
    pieces = batches([NUMBER], table, cuts, seed)
    for kind in (Presence, Histogram, Moments):
        check_summary(kind.fit(survey, NUMBER), pieces)


@given(words, parts, st.integers(0, 99))
def test_categories_keep_the_laws(values, cuts, seed):
    """Counts of any strings merge exactly in any order, with and without a cap that bites."""
    table = pa.table({"w": pa.array(values, pa.string())})
    pieces = batches([WORD], table, cuts, seed)
    check_summary(Presence(), pieces)
    check_summary(Categories(), pieces)
    check_summary(Categories(cap=3), pieces)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=1, max_size=200), parts
)
def test_samples_keep_the_laws(rows, cuts):
    """The sampled rows and their multiplicity do not depend on how the rows were cut up."""
    table = pa.table({"x": [r[0] for r in rows], "w": [r[1] for r in rows]})
    pieces = batches([NUMBER, WORD], table, cuts)
    whole = check_summary(RowSample(k=4), pieces)
    assert whole.rows == len(rows)
    exact = check_summary(RowSample(k=1000), pieces)
    assert exact.multiplicity.sum() == len(rows)
    assert exact.distinct == len(set(rows))


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_large_batches_keep_the_laws(seed):
    """The fast paths for long batches (shortlists, grids, thresholds) change no bit."""
    random = np.random.default_rng(seed)
    n = 30_000
    values = np.where(random.random(n) < 0.3, 0.0, random.standard_cauchy(n))
    table = pa.table({"x": values, "w": random.zipf(1.3, n).astype(str)})
    survey = _survey(table.slice(0, 4000))
    pieces = batches([NUMBER, WORD], table, 4, seed)
    check_summary(RowSample(k=64), pieces)
    for kind in (Histogram, Moments):
        check_summary(kind.fit(survey, NUMBER), [part[:1] for part in pieces])
    check_summary(Categories(cap=500), [part[1:] for part in pieces])


@given(numbers)
def test_histogram_counts_like_a_binary_search(values):
    """The table look-up finds the same cell as numpy's search, for any edges and values."""
    array = np.array([v for v in values if v is not None], np.float64)
    edges = np.unique(array[np.isfinite(array)])
    repeated = np.tile(array, 80)
    finite = repeated[np.isfinite(repeated)]
    made = Histogram(edges).observe(Values(NUMBER, pa.array(repeated)))
    expected = np.bincount(np.searchsorted(edges, finite, side="left"), minlength=len(edges) + 1)
    assert made.tally.tolist() == expected.tolist()


@given(numbers)
def test_moments_agree_with_numpy(values):
    """Mean and spread are numpy's to a millionth of the spread where no value is extreme."""
    # Below 1e-100 numpy's own squares vanish.
    usual = [v for v in values if v is not None and (v == 0 or 1e-100 < abs(v) < 1e6)]
    array = np.array(usual, np.float64)
    if not len(array):
        return
    table = pa.table({"x": array})
    made = Moments.fit(_survey(table), NUMBER).observe(Values(NUMBER, table.column("x")))
    slack = 1e-3 * max(np.ptp(array), 1e-300)
    assert made.mean == pytest.approx(array.mean(), abs=slack, rel=1e-12)
    assert made.std == pytest.approx(array.std(), abs=max(slack, 1e-12 * abs(array[0])))


def test_every_summary_is_registered_under_its_tag():
    """A profile file can be read again: each entry point's name is the tag its class writes."""
    found = importlib.metadata.entry_points(group="undertow.summaries")
    assert {entry.name for entry in found} == {entry.load().tag for entry in found}
