"""Arrow and Feather files, indexed or streamed, compressed or not."""

import pyarrow as pa
import pytest
from pyarrow import feather

from undertow.core.errors import DataError
from undertow.sources import open_dataset

TABLE = pa.table({"a": range(1000), "s": [f"w{i % 3}" for i in range(1000)]})


def rows(path, columns=None):
    """Return the rows of a file."""
    return [row for batch in open_dataset(path).batches(columns) for row in batch.to_pylist()]


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_files(tmp_path, compression):
    """Feather 2 in every compression gives its rows, whole and projected."""
    feather.write_feather(TABLE, tmp_path / "a.feather", compression=compression, chunksize=64)
    assert rows(tmp_path / "a.feather") == TABLE.to_pylist()
    assert rows(tmp_path / "a.feather", ["s"]) == TABLE.select(["s"]).to_pylist()


def test_streams_on_disk(tmp_path):
    """An Arrow stream without a footer is read too, also with its columns turned round."""
    with pa.ipc.new_stream(tmp_path / "a.arrows", TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=100)
    assert rows(tmp_path / "a.arrows") == TABLE.to_pylist()
    assert rows(tmp_path / "a.arrows", ["s", "a"]) == TABLE.select(["s", "a"]).to_pylist()


def test_dictionaries_survive(tmp_path):
    """A dictionary column stays one, with and without other columns."""
    table = pa.table({"a": [1, 2], "d": pa.array(["x", "y"]).dictionary_encode()})
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    assert rows(tmp_path / "a.arrow", ["d"]) == [{"d": "x"}, {"d": "y"}]
    assert rows(tmp_path / "a.arrow", ["a"]) == [{"a": 1}, {"a": 2}]


def test_two_columns_of_one_name(tmp_path):
    """A repeated name is refused."""
    table = pa.table([[1], [2]], names=["a", "a"])
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match="2 columns are called 'a'"):
        open_dataset(tmp_path / "a.arrow")


@pytest.mark.parametrize(
    "content", [b"", b"ARROW1", b"FEA1" + b"x" * 30, b"hello" * 9, b"ARROW1" * 9]
)
def test_what_is_no_arrow_file_is_refused(tmp_path, content):
    """Empty, cut, old and foreign files end in one line with the file's name."""
    path = tmp_path / "a.arrow"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        rows(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused(tmp_path):
    """A file that lost its end is an error, not fewer rows."""
    feather.write_feather(TABLE, tmp_path / "a.feather", chunksize=64)
    content = (tmp_path / "a.feather").read_bytes()
    (tmp_path / "a.feather").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError):
        rows(tmp_path / "a.feather")
