"""The same rows come through every door, and no batching changes them."""

import json
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.dataset import BATCH_ROWS, Dataset
from undertow.core.errors import UsageError
from undertow.sources import open_dataset

# Text that no format takes for a missing value, a number, a time or a truth.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8).map(
    "t".__add__
)
floats = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3) + 0.0001220703125)
whole = st.integers(-(2**40), 2**40)
row = st.fixed_dictionaries(
    {
        "n": st.none() | whole,
        "x": st.none() | floats,
        "s": st.none() | texts,
        "b": st.none() | st.booleans(),
    }
)
tables = st.lists(row, min_size=1, max_size=40).map(
    lambda rows: pa.Table.from_pylist(
        [{"n": 7, "x": 0.5, "s": "t", "b": True}, *rows],
        pa.schema([("n", pa.int64()), ("x", pa.float64()), ("s", pa.string()), ("b", pa.bool_())]),
    )
)


def collect(dataset: Dataset, columns=None) -> list[dict]:
    """Return the rows of a dataset."""
    return [row for batch in dataset.batches(columns) for row in batch.to_pylist()]


def write_json_lines(table: pa.Table, path: Path) -> None:
    """Write rows as JSON lines, without the missing values."""
    lines = [
        json.dumps({k: v for k, v in row.items() if v is not None}) for row in table.to_pylist()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write rows as an Arrow file."""
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def doors(table: pa.Table, folder: Path):
    """Yield the same rows through every door."""
    pq.write_table(table, folder / "t.parquet")
    pacsv.write_csv(table, folder / "t.csv")
    write_json_lines(table, folder / "t.jsonl")
    write_arrow(table, folder / "t.arrow")
    for name in ("t.parquet", "t.csv", "t.jsonl", "t.arrow"):
        yield name, folder / name
    yield "sql", f"SELECT * FROM '{folder / 't.parquet'}'"
    yield "pyarrow", table
    yield "reader", table.to_reader(max_chunksize=3)
    yield "polars", pl.from_arrow(table)
    yield "duckdb", duckdb.connect().from_arrow(table)
    yield "columns", dict(zip(table.column_names, table.columns, strict=True))
    yield "rows", table.to_pylist()
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    yield "pandas", frame


@settings(max_examples=25, deadline=None)
@given(tables)
def test_every_door_gives_the_same_rows(table):
    """Files of every kind, SQL, pyarrow, polars, duckdb, pandas and plain Python agree."""
    expected = table.to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        for name, door in doors(table, Path(folder)):
            assert collect(open_dataset(door)) == expected, name


@settings(max_examples=25, deadline=None)
@given(tables, st.permutations(["n", "x", "s", "b"]), st.integers(0, 4))
def test_every_door_projects_in_the_order_asked(table, names, count):
    """Only the columns asked for come, in that order, and twice in a row."""
    wanted = names[:count]
    with tempfile.TemporaryDirectory() as folder:
        for name, door in doors(table, Path(folder)):
            dataset = open_dataset(door)
            for _ in range(2):
                batches = list(dataset.batches(wanted))
                assert all(batch.schema.names == wanted for batch in batches), name
                assert sum(batch.num_rows for batch in batches) == table.num_rows, name
            got = [row for batch in batches for row in batch.to_pylist()]
            assert got == (table.select(wanted).to_pylist() if wanted else [{}] * len(got)), name


@settings(max_examples=25, deadline=None)
@given(tables, st.integers(1, 9), st.integers(1, 9))
def test_partitioning_changes_nothing(table, group, files):
    """Row groups and files of any size give the rows in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        size = -(-table.num_rows // files)
        for place in range(files):
            part = table.slice(place * size, size)
            pq.write_table(part, Path(folder, f"{place}.parquet"), row_group_size=group)
        assert collect(open_dataset(folder)) == table.to_pylist()
        assert collect(open_dataset(f"{folder}/*.parquet")) == table.to_pylist()


@pytest.mark.parametrize("door", ["frame", "parquet", "csv", "arrow", "sql"])
def test_batches_are_small(tmp_path, door):
    """No batch holds more than BATCH_ROWS rows, whatever the source holds together."""
    table = pa.table({"a": range(2 * BATCH_ROWS + 5)})
    pq.write_table(table, tmp_path / "t.parquet")
    pacsv.write_csv(table, tmp_path / "t.csv")
    write_arrow(table, tmp_path / "t.arrow")
    sql = f"FROM '{tmp_path / 't.parquet'}'"
    data = {"frame": table, "sql": sql}.get(door, tmp_path / f"t.{door}")
    sizes = [batch.num_rows for batch in open_dataset(data).batches()]
    assert sum(sizes) == table.num_rows
    assert 0 < min(sizes) <= max(sizes) <= BATCH_ROWS


def test_readers_of_one_dataset_do_not_disturb_each_other():
    """Two iterators over one spooled stream each see all rows."""
    dataset = open_dataset(pa.table({"a": range(1000)}).to_reader(max_chunksize=100))
    pairs = list(zip(dataset.batches(), dataset.batches(["a"]), strict=True))
    assert len(pairs) == 10
    assert all(left.equals(right) for left, right in pairs)


def test_an_existing_dataset_is_returned_as_it_is():
    """A Dataset is a door too."""
    dataset = open_dataset(pa.table({"a": [1]}))
    assert open_dataset(dataset) is dataset
    assert isinstance(dataset, Dataset)
    assert collect(open_dataset(dataset, where="a > 1")) == []


def test_a_name_replaces_the_source():
    """What the user calls the data is what reports call it."""
    assert open_dataset(pa.table({"a": [1]}), name="train").source == "train"


@pytest.mark.parametrize("data", [5, None, object()])
def test_anything_else_is_refused(data):
    """What is not data is refused in one line that names its type and what can be given."""
    with pytest.raises(
        UsageError, match=f"cannot read rows from {type(data).__name__}; give a path"
    ):
        open_dataset(data)


def test_an_unknown_column_is_refused_with_the_nearest():
    """A projection on a name that is not there says which one was meant."""
    with pytest.raises(UsageError, match="no column 'agee'; did you mean 'age'"):
        open_dataset(pa.table({"age": [1]})).batches(["agee"])


def test_memory_rows_have_no_digest_and_files_have_a_stable_one(tmp_path):
    """The digest is of the bytes behind the rows: equal for a copy, different for other bytes."""
    table = pa.table({"a": list(range(1000))})
    assert open_dataset(table).digest() is None
    for kind, write in (
        ("parquet", pq.write_table),
        ("csv", pacsv.write_csv),
        ("arrow", write_arrow),
    ):
        one, same, other = (tmp_path / f"{name}.{kind}" for name in ("one", "same", "other"))
        write(table, one)
        same.write_bytes(one.read_bytes())
        write(pa.table({"a": list(range(1, 1001))}), other)
        digests = [open_dataset(path).digest() for path in (one, same, other)]
        assert digests[0] == digests[1] != digests[2], kind
        assert open_dataset(one, where="a > 5").digest() not in {None, digests[0]}
