"""Frames in memory, plain Python and streams that can be read only once."""

import gc
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.sources import open_dataset
from undertow.sources.spool import Spool


def rows(data, **options):
    """Return the rows of some data."""
    return [row for batch in open_dataset(data, **options).batches() for row in batch.to_pylist()]


def test_a_pandas_index_is_a_column_only_if_it_has_a_name():
    """A filtered frame does not grow a column; a named index is data."""
    frame = pd.DataFrame({"a": [1, 2, 3]})
    assert rows(frame[frame.a > 1]) == [{"a": 2}, {"a": 3}]
    frame.index = pd.Index(["x", "y", "z"], name="key")
    assert rows(frame)[0] == {"a": 1, "key": "x"}
    frame = frame.set_index("a", append=True)
    assert list(rows(frame)[0]) == ["key", "a"]


def test_pandas_values():
    """Missing values are null, mixed objects are text, times keep their zone."""
    frame = pd.DataFrame(
        {
            "x": [1.0, None],
            "mixed": [1, "q"],
            "holes": [None, b"x" and 3],
            "when": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin"),
            "kind": pd.Categorical(["u", None]),
            5: [1, 2],
        }
    )
    dataset = open_dataset(frame)
    assert dataset.source == "pandas.DataFrame"
    got = pa.Table.from_batches(dataset.batches(), dataset.arrow).to_pydict()
    assert got["x"] == [1.0, None]
    assert got["mixed"] == ["1", "q"]
    assert got["kind"] == ["u", None]
    assert got["when"][0].isoformat() == "2020-01-01T00:00:00+01:00"
    assert got["when"][1] is None
    assert got["5"] == [1, 2]
    assert dataset.arrow.field("when").type.tz == "Europe/Berlin"


def test_pandas_columns_of_one_name():
    """A repeated column name is refused by name."""
    with pytest.raises(DataError, match="2 columns are called 'a'"):
        open_dataset(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_polars_frames():
    """Text, categories, lists and nulls of polars come through."""
    frame = pl.DataFrame(
        {
            "s": ["x", None],
            "c": pl.Series(["u", "v"], dtype=pl.Categorical),
            "v": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    assert rows(frame) == [
        {"s": "x", "c": "u", "v": [1.0, 2.0]},
        {"s": None, "c": "v", "v": [3.0, 4.0]},
    ]
    with pytest.raises(UsageError, match=r"is not computed yet; call .collect\(\) first"):
        open_dataset(frame.lazy())


def test_duckdb_relations_can_be_read_again():
    """A relation is spooled, so it gives the same rows each time."""
    dataset = open_dataset(duckdb.sql("SELECT i, 'x' || i AS s FROM range(5) t(i)"))
    first = [batch.to_pylist() for batch in dataset.batches()]
    assert first == [batch.to_pylist() for batch in dataset.batches()]
    assert sum(map(len, first)) == 5


def test_plain_python():
    """Dictionaries of arrays, vectors among them, and lists of dictionaries are frames too."""
    assert rows({"a": np.arange(2), "v": np.ones((2, 2))}) == [
        {"a": 0, "v": [1.0, 1.0]},
        {"a": 1, "v": [1.0, 1.0]},
    ]
    assert rows([{"a": 1}, {"b": 2}]) == [{"a": 1, "b": None}, {"a": None, "b": 2}]
    assert rows(pa.record_batch({"a": [1]})) == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "has no rows"),
        ({}, "has no columns"),
        ([1, 2], "rows must be dictionaries"),
        ({"a": [1], "b": [1, 2]}, "columns differ in length"),
        ({"a": [1, "x"]}, "column 'a' cannot be read"),
    ],
    ids=str,
)
def test_plain_python_that_is_no_table(data, said):
    """What has no rectangular shape is refused in one line."""
    with pytest.raises(UndertowError, match=said):
        open_dataset(data)


def test_zero_rows_of_every_frame():
    """A frame without rows is a dataset without rows."""
    empty = pa.table({"a": pa.array([], pa.int64())})
    for data in (empty, empty.to_pandas(), pl.from_arrow(empty), empty.to_reader()):
        dataset = open_dataset(data)
        assert dataset.arrow.names == ["a"]
        assert sum(batch.num_rows for batch in dataset.batches()) == 0


def left_behind(folder):
    """Return the files and the handles left in a folder."""
    gc.collect()
    handles = Path("/proc/self/fd").iterdir()
    links = [str(each.readlink()) for each in handles if each.is_symlink()]
    return list(folder.iterdir()), [each for each in links if str(folder) in each]


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt, RuntimeError])
def test_a_spool_leaves_nothing_behind(tmp_path, monkeypatch, failure):
    """After use, after an error in the stream and after Ctrl-C no file and no handle is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    batch = pa.record_batch({"a": list(range(1000))})

    def stream():
        yield batch
        if failure:
            raise failure("stop")

    reader = pa.RecordBatchReader.from_batches(batch.schema, stream())
    if failure is None:
        dataset = open_dataset(reader)
        iterator = dataset.batches()
        next(iterator)
        assert list(tmp_path.iterdir()) == []
        del dataset, iterator
    else:
        with pytest.raises((UndertowError, failure)):
            open_dataset(reader)
    del reader
    assert left_behind(tmp_path) == ([], [])


def test_a_full_disk_is_said_in_one_line(monkeypatch):
    """No space for the temporary file ends in one line that names TMPDIR."""

    class Full:
        def seek(self, *_args):
            return 0

        def write(self, _data):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_options: Full())
    with pytest.raises(DataError, match=r"no space left for temporary data.*TMPDIR"):
        open_dataset(pa.table({"a": [1]}).to_reader())


def test_one_spool_holds_many_tables():
    """Tables in one spool do not disturb each other, and a rewound one is overwritten."""
    spool = Spool()
    tables = [pa.table({f"c{i}": [i] * (i + 1), "s": ["x"] * (i + 1)}) for i in range(5)]
    wrong = pa.table({"wrong": ["y" * 10_000]})
    parts = []
    for place, table in enumerate(tables):
        start = spool.end
        spool.write("wrong", wrong.schema, iter(wrong.to_batches()))
        spool.rewind(start)
        parts.append(spool.write(str(place), table.schema, iter(table.to_batches())))
    for part, table in zip(parts, tables, strict=True):
        got = pa.Table.from_batches(part.read(table.column_names), table.schema)
        assert got.equals(table)
        assert part.rows == table.num_rows
