"""CSV: how it is understood, and what is said where it cannot be."""

import gzip

import pyarrow as pa
import pytest

from undertow.core.errors import DataError
from undertow.sources import open_dataset
from undertow.sources.dialect import unique_names

MANY = 2000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make two thousand rows many blocks."""
    monkeypatch.setattr("undertow.sources.delimited._BLOCK", 1 << 11)


def read(tmp_path, content, name="a.csv"):
    """Return a text as a table, by way of a file."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    dataset = open_dataset(path)
    return pa.Table.from_batches(dataset.batches(), dataset.arrow)


def refusal(tmp_path, content, name="a.csv"):
    """Return the one line that refuses a text."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, name)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{tmp_path / name}: ")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, mark):
    """Commas, semicolons, tabs and pipes; a quoted one of another kind does not mislead."""
    text = f'a{mark}b\n1{mark}"x, y; z|w"\n2{mark}v\n'
    assert read(tmp_path, text).to_pydict() == {"a": [1, 2], "b": ["x, y; z|w", "v"]}


def test_a_decimal_comma_is_understood_where_it_is_free(tmp_path):
    """1,5 is a number between semicolons, unless 1.5 is seen too."""
    assert read(tmp_path, "a;b\n1,5;x\n2;y\n").to_pydict()["a"] == [1.5, 2.0]
    assert read(tmp_path, "a;b\n1,5;x\n2.5;y\n").to_pydict()["a"] == ["1,5", "2.5"]
    late = read(tmp_path, "a;b;c\n" + "1;2;0,5\n" * MANY + "1,5;x;7\n")
    assert late.schema.types == [pa.float64(), pa.string(), pa.float64()]
    assert late.column("a")[MANY].as_py() == 1.5


def test_bom_line_ends_blank_lines_and_quotes(tmp_path):
    """A byte order mark, line ends of every system, blank lines, newlines and quotes in quotes."""
    assert read(tmp_path, "\ufeffa,b\n1,é\n").to_pydict() == {"a": [1], "b": ["é"]}
    assert read(tmp_path, "a,b\r\n1,2\r\n").to_pydict() == {"a": [1], "b": [2]}
    assert read(tmp_path, "a,b\r1,2\r").to_pydict() == {"a": [1], "b": [2]}
    assert read(tmp_path, "\n\na,b\n1,2\n\n3,4").to_pydict() == {"a": [1, 3], "b": [2, 4]}
    text = 'a,b\n"x\ny, z",2\n"q""r",3\n'
    assert read(tmp_path, text).to_pydict() == {"a": ["x\ny, z", 'q"r'], "b": [2, 3]}


def test_compressed_files(tmp_path):
    """A .gz is read as what is in it; a cut or false one is an error."""
    packed = gzip.compress(b"a,b\n1,x\n" * 9, mtime=0)
    assert read(tmp_path, packed, "a.csv.gz").num_rows == 17
    assert "Truncated" in refusal(tmp_path, packed[:-15], "b.csv.gz")
    assert "cannot be read" in refusal(tmp_path, b"a,b\n1,2\n", "c.csv.gz")


def test_missing_values(tmp_path):
    """An empty cell, quoted or not, and NA, NULL, NaN are missing in every column."""
    table = read(tmp_path, 'n,s\n1,x\n,\n"",""\nNA,NULL\nNaN,n/a\n')
    assert table.to_pydict() == {"n": [1, *[None] * 4], "s": ["x", *[None] * 4]}


def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path):
    """Nothing is lost: with one column an empty line is a row."""
    assert read(tmp_path, "a\n1\n\n3\n").to_pydict() == {"a": [1, None, 3]}


@pytest.mark.parametrize(
    ("first", "last", "kind", "value"),
    [
        ("1", "1.5", pa.float64(), 1.5),
        ("1", "x", pa.string(), "x"),
        ("1.5", "x", pa.string(), "x"),
        ("", "7", pa.int64(), 7),
        ("", "x", pa.string(), "x"),
        ("true", "maybe", pa.string(), "maybe"),
        ("2020-01-01", "2020-01-01 10:00:00", pa.timestamp("s"), None),
        ("2020-01-01 10:00:00", "2020-01-01 10:00:00.5", pa.timestamp("ns"), None),
        ("2020-01-01", "soon", pa.string(), "soon"),
        ("10:00:00", "later", pa.string(), "later"),
        ("00123", "K1A", pa.string(), "K1A"),
        ("1", "9223372036854775808", pa.float64(), 2.0**63),
        ("0", "true", pa.bool_(), True),
    ],
)
def test_types_hold_the_whole_file(tmp_path, first, last, kind, value):
    """A value far below the first block widens its column, and text keeps what it was."""
    table = read(tmp_path, "a,k\n" + f"{first},k\n" * MANY + f"{last},k\n")
    assert table.schema.field("a").type == kind
    assert table.num_rows == MANY + 1
    assert value is None or table.column("a")[MANY].as_py() == value
    if pa.types.is_string(kind) and first:
        assert table.column("a")[0].as_py() == first


def test_types_agree_over_files(tmp_path):
    """Numbers in one file and text in the next make text in both, spelled as it was."""
    (tmp_path / "1.csv").write_text("z,n,gone\n00501,1,x\n")
    (tmp_path / "2.csv").write_text("n,z\n1.5,K1A\n")
    dataset = open_dataset(tmp_path)
    rows = [row for batch in dataset.batches() for row in batch.to_pylist()]
    assert rows == [{"z": "00501", "n": 1.0, "gone": "x"}, {"z": "K1A", "n": 1.5, "gone": None}]


def test_repeated_and_empty_headers_are_numbered_and_noted(tmp_path):
    """Columns of one name are kept apart, and the dataset says so."""
    path = tmp_path / "a.csv"
    path.write_text("a,a,,a\n1,2,3,4\n")
    dataset = open_dataset(path)
    assert dataset.arrow.names == ["a", "a.2", "column_3", "a.3"]
    assert len(dataset.notes) == 3
    assert dataset.notes[0].endswith("column 2 is called 'a' and is read as 'a.2'")
    assert unique_names(["a", "a", "a.2", "a"])[0] == ("a", "a.3", "a.2", "a.4")


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\n\n\n"])
def test_a_header_alone_is_no_rows(tmp_path, text):
    """A file with only a header has columns and no rows."""
    table = read(tmp_path, text)
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n \n", "the file is empty"),
        ("a,b\n1,2\n1,2,3\n", "line 3 has 3 values and the header 2 ('1,2,3')"),
        ("a,b\n1,2\n3\n", "line 3 has 1 values and the header 2"),
        ('a,b\n1,2\n\n"x\ny",2,3\n', "line 4 has 3 values and the header 2"),
        ("a,b\n" + "1,2\n" * MANY + "1\n", f"line {MANY + 2} has 1 values"),
        ('a,b\n1,"x\n2,y\n3,z\n', "line 2 opens a quote that is never closed"),
        ('a,b\n"1,x\n2,y\n', "line 2 opens a quote that is never closed"),
        ("a,b\n1,é\n".encode("latin-1"), "byte 6 (line 2) is 0xe9, not UTF-8"),
        ("é,b\n1,2\n".encode("latin-1"), "byte 0 (line 1) is 0xe9, not UTF-8"),
        (b"a,b\n" + b"1,abc\n" * MANY + b"2,\xe9\n", f"byte {4 + 6 * MANY + 2} (line {MANY + 2})"),
        ("a,b\n1,é".encode()[:-1], "ends in the middle of a character"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16 text"),
        (b"PK\x03\x04\0\0\0", "is not text"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, text, said):
    """Ragged rows, open quotes and wrong encodings name their line or byte, and what to do."""
    assert said in refusal(tmp_path, text)


def test_a_row_larger_than_a_block(tmp_path):
    """A cell of several megabytes is read, first or last."""
    table = read(tmp_path, "a,b\n1," + "x" * 3_000_000 + "\n" + "2,y\n" * MANY)
    assert len(table.column("b")[0].as_py()) == 3_000_000
    table = read(tmp_path, "a,b\n" + "2,y\n" * MANY + "1," + "x" * 3_000_000 + "\n")
    assert len(table.column("b")[MANY].as_py()) == 3_000_000
