"""Parquet: how columns are read, and what is said of a damaged file."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError
from undertow.sources import open_dataset
from undertow.sources.parquet import open_parquet


def test_repeated_strings_come_as_codes_and_others_as_text(tmp_path):
    """A column whose pages hold codes is a dictionary; one of unique strings is not."""
    rows = 200_000
    table = pa.table(
        {
            "few": pa.array([f"w{i % 50}" for i in range(rows)]),
            "unique": pa.array([f"user {i:09d}" for i in range(rows)]),
            "large": pa.array([f"w{i % 50}" for i in range(rows)], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    part = open_parquet(tmp_path / "a.parquet")
    assert part.dictionaries == ("few", "large")
    dataset = open_dataset(tmp_path / "a.parquet")
    got = pa.Table.from_batches(dataset.batches(), dataset.arrow)
    assert got.column("unique").equals(table.column("unique"))
    for name in ("few", "large"):
        assert got.column(name).to_pylist() == table.column(name).to_pylist()


def test_a_plain_column_is_never_read_as_codes(tmp_path):
    """A file written without dictionaries is read as it is."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"s": ["a"] * 20_000}), path, use_dictionary=False)
    assert open_parquet(path).dictionaries == ()


def test_codes_in_one_file_and_text_in_the_next_are_text(tmp_path):
    """Two files of one folder need not be written alike."""
    few = pa.table({"s": ["a", "b"] * 10_000})
    pq.write_table(few, tmp_path / "1.parquet")
    pq.write_table(few, tmp_path / "2.parquet", use_dictionary=False)
    dataset = open_dataset(tmp_path)
    assert dataset.arrow.field("s").type == pa.string()
    rows = [value for batch in dataset.batches() for value in batch.column(0).to_pylist()]
    assert rows == ["a", "b"] * 20_000


def test_wide_rows_come_in_small_batches(tmp_path):
    """A batch holds about two megabytes, so that 2,000 columns do not fill the memory."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({f"c{i}": pa.array([0.5] * 3000) for i in range(2000)}), path)
    dataset = open_dataset(path)
    assert max(batch.num_rows for batch in dataset.batches()) <= 1024
    assert max(batch.num_rows for batch in dataset.batches(["c7"])) == 3000


def test_nested_and_dotted_names(tmp_path):
    """A struct's field and a column with a dot in its name are each found."""
    path = tmp_path / "a.parquet"
    table = pa.table({"a": [{"x": 1, "y": "p"}], "b.c": [2], "b": [[3]]})
    pq.write_table(table, path)
    dataset = open_dataset(path)
    assert dataset.arrow.names == ["a.x", "a.y", "b.c", "b"]
    for name, value in {"a.x": 1, "a.y": "p", "b.c": 2, "b": [3]}.items():
        (batch,) = dataset.batches([name])
        assert batch.to_pydict() == {name: [value]}


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(tmp_path, rows):
    """Zero rows are a dataset too."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([5] * rows, pa.int64())}), path)
    dataset = open_dataset(path)
    assert sum(batch.num_rows for batch in dataset.batches()) == rows
    assert dataset.arrow.names == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + b"x" * 40, b"hello, not parquet at all", b"PAR1" * 9]
)
def test_what_is_no_parquet_file_is_refused(tmp_path, content):
    """Empty, cut and foreign files end in one line with the file's name."""
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_damaged_page_is_an_error_and_not_a_wrong_value(tmp_path):
    """Bytes overwritten inside a page give the right rows or one DataError, never anything else."""
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"s": [f"word {i % 7}" for i in range(5000)], "x": [i / 3 for i in range(5000)]}
    )
    pq.write_table(table, path, compression="zstd")
    good, chance = path.read_bytes(), random.Random(4)
    refused = 0
    for _ in range(40):
        place = chance.randrange(4, len(good) - 600)
        path.write_bytes(good[:place] + b"\xff" * 8 + good[place + 8 :])
        try:
            rows = sum(batch.num_rows for batch in open_dataset(path).batches())
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
        else:
            assert rows == 5000
    assert refused


def test_the_digest_sees_the_data_and_not_only_the_footer(tmp_path):
    """A byte changed at the start of the data changes the digest."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1.0, 2.0, 3.0]}), path)
    dataset = open_dataset(path)
    before = dataset.digest()
    content = bytearray(path.read_bytes())
    content[8] ^= 1
    path.write_bytes(content)
    assert dataset.digest() != before


@pytest.mark.parametrize("dictionary", [True, False])
def test_text_that_is_not_utf8_names_its_column(tmp_path, dictionary):
    """Bytes that a writer called text, and that are none, are refused by column."""
    path = tmp_path / "a.parquet"
    broken = pa.array([b"caf\xe9"] * 9000).view(pa.string())
    pq.write_table(pa.table({"ok": ["x"] * 9000, "s": broken}), path, use_dictionary=dictionary)
    dataset = open_dataset(path)
    assert sum(batch.num_rows for batch in dataset.batches(["ok"])) == 9000
    with pytest.raises(DataError, match=r"column 's': .*Invalid UTF8"):
        list(dataset.batches())
