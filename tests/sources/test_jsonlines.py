"""JSON lines: how they are understood, and what is said where they cannot be."""

import gzip
import json

import pyarrow as pa
import pytest

from undertow.core.errors import DataError
from undertow.sources import open_dataset

MANY = 1000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make a thousand rows many blocks."""
    monkeypatch.setattr("undertow.sources.jsonlines._BLOCK", 1 << 11)


def read(tmp_path, content, name="a.jsonl"):
    """Return a text as a table, by way of a file."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    dataset = open_dataset(path)
    return pa.Table.from_batches(dataset.batches(), dataset.arrow)


def test_keys_that_come_and_go(tmp_path):
    """A key that some rows lack is missing there; nested objects open one level."""
    text = '{"a":1,"b":"x"}\n\n{"a":1.5,"c":[1,2],"d":{"e":1}}\n'
    assert read(tmp_path, text).to_pylist() == [
        {"a": 1.0, "b": "x", "c": None, "d.e": None},
        {"a": 1.5, "b": None, "c": [1, 2], "d.e": 1},
    ]


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [
        (1, 1.5, pa.float64()),
        (1, "x", pa.string()),
        (None, 7, pa.int64()),
        (None, "x", pa.string()),
        ("2020-01-01", "soon", pa.string()),
        (True, 1, pa.string()),
        ([1], [1.5], pa.list_(pa.field("item", pa.float64()))),
        ([], ["x"], pa.list_(pa.field("item", pa.string()))),
        ([1], "x", pa.string()),
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [1, MANY], ids=["near", "far"])
def test_types_hold_the_whole_file(tmp_path, first, last, kind, rows):
    """A value in another block widens its column; what mixes kinds becomes text as JSON has it."""
    table = read(tmp_path, (json.dumps({"a": first}) + "\n") * rows + json.dumps({"a": last}))
    assert table.num_rows == rows + 1
    assert table.schema.field("a").type == kind
    if pa.types.is_string(kind) and first is not None:
        text = first if isinstance(first, str) else json.dumps(first)
        assert table.column("a")[0].as_py() == text


def test_structs_widen_field_by_field(tmp_path):
    """Objects with other keys, or wider ones, in a later block join into one struct."""
    text = '{"s":{"x":1}}\n' * MANY + '{"s":{"x":1.5,"y":"new"}}\n'
    table = read(tmp_path, text)
    assert table.slice(MANY).to_pylist() == [{"s.x": 1.5, "s.y": "new"}]
    text = '{"s":{"x":1}}\n' * MANY + '{"s":{"x":"one"}}\n'
    assert read(tmp_path, text).column("s")[0].as_py() == '{"x": 1}'


def test_types_agree_over_files(tmp_path):
    """Numbers in one file and text in the next make text in both."""
    (tmp_path / "1.jsonl").write_text('{"a":1,"n":1}\n')
    (tmp_path / "2.jsonl").write_text('{"a":"x","n":2.5}\n')
    rows = [row for batch in open_dataset(tmp_path).batches() for row in batch.to_pylist()]
    assert rows == [{"a": "1", "n": 1.0}, {"a": "x", "n": 2.5}]


def test_compressed_bom_and_no_last_newline(tmp_path):
    """A .gz, a byte order mark and a file that ends without a newline are all read."""
    assert read(tmp_path, gzip.compress(b'{"a":1}\n'), "a.jsonl.gz").to_pylist() == [{"a": 1}]
    assert read(tmp_path, '\ufeff{"a":"é"}').to_pylist() == [{"a": "é"}]


def test_deep_nesting_does_not_crash(tmp_path):
    """Arrow's parser overflows the stack at great depth; brackets in text are no depth."""
    depth = 100_000
    with pytest.raises(DataError, match="line 2 is not JSON"):
        read(tmp_path, '{"a":1}\n{"a":' + "[" * depth + "]" * depth + "}\n")
    text = "[" * 1000
    assert read(tmp_path, json.dumps({"a": text}) + "\n").to_pylist() == [{"a": text}]


def test_a_long_line(tmp_path):
    """A line larger than a block is one row."""
    table = read(tmp_path, json.dumps({"a": "x" * 9_000_000}) + '\n{"a":"y"}\n')
    assert [len(value) for value in table.column("a").to_pylist()] == [9_000_000, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ('{"a":1}\n\n{"a":\n', "line 3 is not JSON"),
        ('{"a":1}\n' * MANY + '{"a"\n', f"line {MANY + 1} is not JSON"),
        ('{"a":1} {"a":2}\n', "line 1 is not JSON"),
        ('{"a":1}\n3\n', "line 2 is not an object but '3'"),
        ('[{"a":1}]', "is a JSON array, not JSON lines"),
        ("{}\n{}\n", "its rows have no keys"),
        ('{"a":"é"}\n'.encode("latin-1"), "byte 6 (line 1) is 0xe9"),
        ('{"a":"\\ud800"}\n', "half a surrogate pair"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, said):
    """A broken line, an array, a bare value and a wrong encoding name their place."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
