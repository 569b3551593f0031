"""A condition on any source: which rows it keeps, and what is no condition."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.sources import open_dataset

TABLE = pa.table(
    {
        "age": [31, 42, None, 7],
        "City": ["Rome", "Bonn", "Rome", None],
        "a.b": [1, 2, 3, 4],
        "kind": pa.array(["u", "v", "u", "v"]).dictionary_encode(),
        "when": pa.array([0, 86_400, 1, None], pa.timestamp("s", "Europe/Berlin")),
        "half": pa.array([1, 2, 3, None], pa.float16()),
    }
)


def kept(condition, data=TABLE):
    """Return the rows that a condition keeps, by `a.b`."""
    batches = open_dataset(data, where=condition).batches(["a.b"])
    return [value for batch in batches for value in batch.column(0).to_pylist()]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("age > 40", [2]),
        ("not age > 40", [1, 4]),
        ("age IS NULL", [3]),
        ("city = 'Rome'", [1, 3]),
        ('"a.b" >= 3', [3, 4]),
        ("kind = 'u' AND age < 40", [1]),
        ("\"when\" >= '1970-01-02'", [2]),
        ("half > 1.5", [2, 3]),
        ("age > 40 -- a comment", [2]),
        ("'x;y' = 'x;y'", [1, 2, 3, 4]),
        ("age > 40 OR City = 'x;y'", [2]),
        ("list_contains([age], 42)", [2]),
        ("1 = 0", []),
    ],
)
def test_a_condition_keeps_the_rows_it_is_true_for(condition, expected):
    """Names in any case, quoted ones, dictionaries, zones, comments; unknown is not true."""
    assert kept(condition) == expected


def test_types_pass_untouched():
    """The rows that are kept have the types they had: nothing goes through DuckDB."""
    plain, filtered = open_dataset(TABLE), open_dataset(TABLE, where="age > 30")
    assert filtered.arrow == plain.arrow
    (batch,) = filtered.batches()
    assert batch.schema == plain.arrow
    assert filtered.source == "pyarrow.Table where age > 30"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("agee > 1", "no column 'agee'; did you mean 'age'"),
        ("a.b > 1", "no column 'a'; write \"a.b\""),
        ("age >", "syntax error"),
        ("age > 1; DROP TABLE rows", "syntax error"),
        ("age > 1); SELECT (1", "more than one condition"),
        ("age > 1) FROM rows WHERE (age > 2", "more than one condition"),
        ("age), (age", "more than one condition"),
        ("age > 1 UNION SELECT 1", "syntax error"),
        ("age IN (SELECT 1)", "holds a query of its own"),
        ("EXISTS (FROM 'secret.csv')", "holds a query of its own"),
        ("count(*) > 1", "aggregates"),
        ("row_number() OVER () = 1", "window functions"),
        ("age = 'x'", "Could not convert"),
        ("City", "Could not convert"),
        ("COLUMNS('age|a.b') > 5", "name each column"),
        ("COLUMNS(*) > 5", "name each column"),
        ("read_text('/etc/passwd') IS NULL", "table function"),
    ],
)
def test_what_is_not_one_condition_is_refused(condition, said):
    """Anything more or less than one condition over the columns is one line that says so."""
    with pytest.raises(UsageError) as caught:
        kept(condition)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_differ_in_case_only():
    """SQL cannot tell them apart, so a condition on one is refused and others still work."""
    table = pa.table({"A": [1], "a": [2], "a.b": [3]})
    with pytest.raises(UsageError, match="cannot tell 'A' from 'a'"):
        kept("a = 2", table)
    assert kept('"a.b" = 3', table) == [3]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.none() | st.integers(-5, 5), min_size=1, max_size=50),
    st.integers(-5, 5),
    st.integers(1, 20),
)
def test_a_condition_agrees_with_pandas_for_any_partitioning(values, bound, group):
    """The rows kept are those that pandas keeps, whatever the batches."""
    table = pa.table({"v": pa.array(values, pa.int64()), "place": range(len(values))})
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    expected = frame[frame.v > bound].place.tolist()
    batches = table.to_batches(max_chunksize=group)
    stream = pa.RecordBatchReader.from_batches(table.schema, batches)
    got = open_dataset(stream, where=f"v > {bound}").batches(["place"])
    assert [value for batch in got for value in batch.column(0).to_pylist()] == expected


def test_only_the_needed_columns_are_read(tmp_path):
    """A condition on one column and a projection on another read these two."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": [3, 4], "c": [5, 6]}), path)
    dataset = open_dataset(path, where="a > 1")
    asked = []
    inner = dataset.inner.batches
    dataset.inner.batches = lambda columns: (asked.append(columns), inner(columns))[1]
    assert [batch.to_pydict() for batch in dataset.batches(["b"])] == [{"b": [4]}]
    assert [batch.num_rows for batch in dataset.batches([])] == [1]
    assert asked == [["b", "a"], ["a"]]


@pytest.mark.parametrize("condition", ["random() < 0.5", "age > 3 AND uuid() <> 'x'"])
def test_a_condition_that_answers_differently_each_time_is_refused(condition):
    """A reference is read twice; both readings have to see the same rows."""
    with pytest.raises(UsageError, match="answers differently"):
        kept(condition)
