"""Paths, folders and globs: which files are read, in which order, and what is said when none is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.sources import open_dataset
from undertow.sources.words import explain


def rows(data, **options):
    """Return the rows of some data."""
    return [row for batch in open_dataset(data, **options).batches() for row in batch.to_pylist()]


def write(path: Path, **columns) -> None:
    """Write a Parquet file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def refusal(data) -> str:
    """Return the one line that refuses some data."""
    with pytest.raises(UndertowError) as caught:
        rows(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    """Files come sorted, deep ones too; hidden ones and Spark's markers do not count."""
    write(tmp_path / "b.parquet", a=[2])
    write(tmp_path / "a.parquet", a=[1])
    write(tmp_path / "deep" / "c.parquet", a=[3])
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.csv").write_text("x\n1\n")
    (tmp_path / "README.md").write_text("about")
    assert [row["a"] for row in rows(tmp_path)] == [1, 2, 3]
    assert [row["a"] for row in rows(f"{tmp_path}/**/*.parquet")] == [1, 2, 3]
    assert [row["a"] for row in rows(f"{tmp_path}/d*")] == [3]


def test_files_without_a_suffix_are_known_by_their_first_bytes(tmp_path):
    """A folder of nameless parts, as some engines write it, is read by content."""
    write(tmp_path / "part-0000", a=[1])
    assert rows(tmp_path) == rows(tmp_path / "part-0000") == [{"a": 1}]
    (tmp_path / "lines").write_text('{"a": 5}\n')
    assert rows(tmp_path / "lines") == [{"a": 5}]


def test_files_of_different_schemas_unify(tmp_path):
    """A column that a file lacks is null there; int and float make float."""
    write(tmp_path / "1.parquet", a=[1], b=["x"])
    write(tmp_path / "2.parquet", a=[1.5], c=[True])
    assert rows(tmp_path) == [
        {"a": 1.0, "b": "x", "c": None},
        {"a": 1.5, "b": None, "c": True},
    ]
    only = open_dataset(tmp_path).batches(["c"])
    assert [batch.to_pydict() for batch in only] == [{"c": [None]}, {"c": [True]}]


def test_types_that_cannot_unify_name_the_file_and_the_column(tmp_path):
    """Numbers in one file and text in the next are refused by file and column."""
    write(tmp_path / "1.parquet", a=[1])
    write(tmp_path / "2.parquet", a=["x"])
    assert "2.parquet: column 'a' is" in refusal(tmp_path)


def test_partition_folders_are_columns(tmp_path):
    """`year=2024/` is a column: whole numbers where all are, nulls where Hive says so."""
    write(tmp_path / "year=2023" / "c=A%20B" / "p.parquet", v=[1])
    write(tmp_path / "year=2024" / "c=__HIVE_DEFAULT_PARTITION__" / "p.parquet", v=[2])
    expected = [{"v": 1, "year": 2023, "c": "A B"}, {"v": 2, "year": 2024, "c": None}]
    assert rows(tmp_path) == expected
    assert rows(f"{tmp_path}/year=*/*/*.parquet") == expected
    batches = open_dataset(tmp_path).batches(["year"])
    assert [batch.to_pydict() for batch in batches] == [{"year": [2023]}, {"year": [2024]}]


def test_a_column_in_the_file_wins_over_its_folder(tmp_path):
    """A partition column that the file holds itself is read from the file."""
    write(tmp_path / "v=9" / "p.parquet", v=[1])
    assert rows(tmp_path) == [{"v": 1}]


def test_mixed_kinds_are_refused_and_a_pattern_resolves_them(tmp_path):
    """A folder of two kinds is ambiguous; the message says how to choose."""
    write(tmp_path / "a.parquet", a=[1])
    (tmp_path / "b.csv").write_text("a\n2\n")
    assert "holds 1 Parquet and 1 CSV files; choose one kind" in refusal(tmp_path)
    assert rows(f"{tmp_path}/*.csv") == [{"a": 2}]


def test_what_is_not_there_is_said_in_one_line(tmp_path):
    """Missing files and folders, empty folders, foreign files, remote paths: what and what next."""
    write(tmp_path / "train.parquet", a=[1])
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("about")
    assert "did you mean 'train.parquet'" in refusal(tmp_path / "trian.parquet")
    assert "there is no folder" in refusal(tmp_path / "no" / "way" / "x.csv")
    assert "the folder holds no files" in refusal(tmp_path / "empty")
    assert "none of its 1 files is Parquet" in refusal(tmp_path / "notes")
    assert "no file matches" in refusal(f"{tmp_path}/*.nothing")
    assert "undertow reads local files" in refusal("s3://bucket/x.parquet")
    assert "there is no such file" in refusal("a\0b")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (13, "permission denied"),
        (2, "no longer there"),
        (28, "no space left"),
        (24, "too many open files"),
        (21, "is a folder"),
        (5, "cannot be read \\(Input/output error\\); go on"),
    ],
)
def test_errors_of_the_system_are_put_in_words(number, said):
    """Each errno a reader can meet becomes one line with its own next step."""
    line = explain("x.csv", OSError(number, os.strerror(number)), "go on")
    assert re.search(said, line)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "arrow"])
def test_a_file_that_may_not_be_read(tmp_path, monkeypatch, kind):
    """Permission denied is said as such (simulated: root may read anything)."""
    path = tmp_path / f"x.{kind}"
    path.write_bytes(b"ARROW1 PAR1 whatever")

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert (
        refusal(path) == f"{path}: permission denied; let this user read it, or copy it elsewhere"
    )


def test_a_folder_that_may_not_be_listed(tmp_path, monkeypatch):
    """A folder whose listing is denied is an error, never an empty folder."""

    def refuse(*_args):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert "permission denied" in refusal(tmp_path)


def test_a_file_that_goes_away_between_readings(tmp_path):
    """A file removed after opening is a clear error at the next reading."""
    write(tmp_path / "a.parquet", a=[1])
    dataset = open_dataset(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(DataError, match="no longer there"):
        list(dataset.batches())


def test_duckdb_and_frames_are_not_imported_for_files(tmp_path):
    """Reading a file imports neither duckdb nor pandas nor polars."""
    write(tmp_path / "a.parquet", a=[1])
    code = (
        "import sys; from undertow.sources import open_dataset;"
        f"list(open_dataset({str(tmp_path / 'a.parquet')!r}).batches());"
        "print(sorted({'duckdb', 'pandas', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_usage_and_data_errors_differ(tmp_path):
    """A wrong path is the caller's to change, a wrong file the data's."""
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError):
        open_dataset(tmp_path / "none.parquet")
    with pytest.raises(DataError):
        open_dataset(tmp_path / "bad.parquet")
