"""One set cut at a moment: exact, with ties together and nothing lost."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError, UsageError
from undertow.sources import open_dataset, split_by_time

DAY = dt.date(2024, 1, 1)
TIMES = {
    "timestamp": pa.array([dt.datetime(2024, 1, 1, h) for h in range(20)]),  # noqa: DTZ001
    "zoned": pa.array(range(20), pa.timestamp("ns", "Asia/Tokyo")),
    "date": pa.array([DAY + dt.timedelta(d) for d in range(20)]),
    "date64": pa.array([DAY + dt.timedelta(d) for d in range(20)], pa.date64()),
    "integer": pa.array(range(1_700_000_000, 1_700_000_020)),
    "float": pa.array([-5.5 + i for i in range(20)]),
    "decimal": pa.array(range(20), pa.decimal128(5, 1)),
    "text": pa.array([f"2024-01-{d + 1:02d}" for d in range(20)]),
    "zoned text": pa.array([f"2024-01-01T{d:02d}:00:00+02:00" for d in range(20)]),
    "codes": pa.array([f"2024-01-{d + 1:02d} 10:00:00" for d in range(20)]).dictionary_encode(),
}
SHOWN = {
    "timestamp": "2024-01-01 15:00:00",
    "date": "2024-01-16",
    "integer": "1700000015",
    "float": "9.5",
    "text": "2024-01-16",
}


def split(times, share=0.2):
    """Return the rows before and after the cut, by place, and the sentence."""
    table = pa.table({"t": times, "place": range(len(times))})
    earlier, later, sentence = split_by_time(open_dataset(table), "t", share=share)
    return (*(places(part) for part in (earlier, later)), sentence)


def places(dataset):
    """Return the places of the rows of a dataset."""
    return [value for batch in dataset.batches(["place"]) for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize("kind", TIMES)
def test_times_of_every_kind(kind):
    """Timestamps, dates, epochs and ISO text are cut after the sixteenth of twenty."""
    earlier, later, sentence = split(TIMES[kind])
    assert (earlier, later) == (list(range(16)), list(range(16, 20)))
    assert "4 rows after it (20.0%) against the 16 up to it" in sentence
    assert SHOWN.get(kind, "") in sentence


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.none() | st.integers(-(2**62), 2**62) | st.integers(-3, 3), min_size=2, max_size=60
    ),
    st.floats(0.01, 0.99),
)
def test_the_cut_is_the_quantile_that_a_sort_gives(values, share):
    """The later part is what lies above the quantile; ties and missing times never move."""
    known = sorted(value for value in values if value is not None)
    if len(set(known)) < 2:
        with pytest.raises(DataError):
            split(pa.array(values, pa.int64()), share)
        return
    cut = known[int(np.ceil(len(known) * (1 - share))) - 1]
    cut = min(cut, max(value for value in known if value < known[-1]))
    earlier, later, sentence = split(pa.array(values, pa.int64()), share)
    assert later == [i for i, value in enumerate(values) if value is not None and value > cut]
    assert sorted(earlier + later) == list(range(len(values)))
    missing = values.count(None)
    assert (f"{missing} without a time" in sentence) == bool(missing)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.floats(), min_size=2, max_size=40))
def test_floats_of_any_size_are_ordered(values):
    """Infinities, both zeros and tiny numbers are in order; NaN is no time."""
    known = sorted({value for value in values if value is not None and not np.isnan(value)})
    if len(known) < 2:
        return
    _, later, _ = split(pa.array(values, pa.float64(), from_pandas=False))
    lowest = min(values[place] for place in later)
    assert all(
        place in later
        for place, value in enumerate(values)
        if value is not None and not np.isnan(value) and value >= lowest
    )


def test_the_cut_does_not_depend_on_files(tmp_path):
    """Many small files give the same cut, and each part has a digest of its own."""
    times = np.random.default_rng(5).integers(0, 1000, 5000)
    table = pa.table({"t": times, "place": range(5000)})
    for part in range(10):
        pq.write_table(
            table.slice(part * 500, 500), tmp_path / f"{part}.parquet", row_group_size=64
        )
    whole = split_by_time(open_dataset(table), "t")
    pieces = split_by_time(open_dataset(tmp_path), "t")
    assert whole[2] == pieces[2]
    assert [places(part) for part in whole[:2]] == [places(part) for part in pieces[:2]]
    digests = {pieces[0].digest(), pieces[1].digest(), open_dataset(tmp_path).digest()}
    assert len(digests) == 3
    assert whole[0].digest() is None
    assert pieces[1].arrow.names == ["t", "place"]


@pytest.mark.parametrize(
    ("times", "kind", "said"),
    [
        (pa.array([1, 1, None]), DataError, "every time in 't' is the same"),
        (pa.array([None, None], pa.timestamp("s")), DataError, "holds no times"),
        (pa.nulls(2), DataError, "holds no times"),
        (pa.array([], pa.timestamp("s")), DataError, "holds no times"),
        (pa.array(["2024-01-01", "soon"]), DataError, "text that is no time ('soon')"),
        (pa.array([True, False]), UsageError, "is bool, not a time"),
    ],
    ids=str,
)
def test_columns_that_hold_no_times(times, kind, said):
    """One moment, no moment, words and truths are refused with what to do."""
    with pytest.raises(kind) as caught:
        split(times)
    assert said in str(caught.value)


def test_wrong_names_and_shares():
    """An unknown column is named with the nearest, an impossible share with its bounds."""
    dataset = open_dataset(pa.table({"when": [1, 2]}))
    with pytest.raises(UsageError, match="no column 'wen'; did you mean 'when'"):
        split_by_time(dataset, "wen")
    with pytest.raises(UsageError, match="must lie between 0 and 1"):
        split_by_time(dataset, "when", share=1.5)
