"""Whatever bytes a file holds, a reader gives rows or one clear line; it never crashes or lies."""

import gzip
import io
import json
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.core.errors import UndertowError
from undertow.sources import open_dataset

pytestmark = pytest.mark.heavy
CASES = Counter()
EACH = 2_200
GOAL = 10_000

cells = st.one_of(
    st.sampled_from(
        ["", "1", "1.5", "-1", "x", "NA", "true", "2020-01-01", "1e400", "0x1", "é", '"']
    ),
    st.text(max_size=6),
)
odd_bytes = st.binary(max_size=12)


@st.composite
def delimited(draw) -> bytes:
    """Text like CSV: rows of odd cells, odd ends, odd bytes."""
    mark = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    rows = draw(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=8))
    text = end.join(mark.join(row) for row in rows) + draw(st.sampled_from(["", end]))
    return splice(draw, text.encode("utf-8", "surrogatepass"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def json_lines(draw) -> bytes:
    """Lines like JSON: odd values, mixed kinds, odd bytes."""
    keys = st.sampled_from(["a", "b", "a.b", ""])
    rows = draw(st.lists(st.dictionaries(keys, json_values, max_size=3) | json_values, max_size=6))
    text = "\n".join(json.dumps(row, ensure_ascii=draw(st.booleans())) for row in rows)
    return splice(draw, text.encode("utf-8", "surrogatepass"))


def splice(draw, good: bytes) -> bytes:
    """Put odd bytes somewhere, or cut the end, or leave it."""
    place = draw(st.integers(0, len(good)))
    how = draw(st.sampled_from(["whole", "whole", "cut", "insert", "replace"]))
    if how == "whole":
        return good
    if how == "cut":
        return good[:place]
    odd = draw(odd_bytes)
    return good[:place] + odd + good[place + (len(odd) if how == "replace" else 0) :]


def sample() -> pa.Table:
    """Return the table that is damaged."""
    return pa.table(
        {
            "i": [1, None, 3] * 20,
            "s": [f"w{i % 4}" for i in range(60)],
            "v": pa.array([[1.0, 2.0]] * 60, pa.list_(pa.float32(), 2)),
            "st": [{"x": i} for i in range(60)],
        }
    )


def packed(kind: str) -> bytes:
    """Return the table as the bytes of a file."""
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(sample(), sink, row_group_size=25)
    else:
        with pa.ipc.new_file(sink, sample().schema) as writer:
            writer.write_table(sample(), max_chunksize=25)
    return sink.getvalue()


PACKED = {kind: packed(kind) for kind in ("parquet", "arrow")}


@st.composite
def damaged(draw, kind: str) -> bytes:
    """A good binary file with a stretch of its bytes replaced, dropped or repeated."""
    good = PACKED[kind]
    place, size = draw(st.integers(0, len(good))), draw(st.integers(0, 40))
    how = draw(st.sampled_from(["replace", "drop", "repeat", "cut", "flip"]))
    if how == "cut":
        return good[:place]
    if how == "drop":
        return good[:place] + good[place + size :]
    if how == "repeat":
        return good[:place] + good[place : place + size] + good[place:]
    if how == "flip":
        flipped = bytearray(good)
        flipped[min(place, len(good) - 1)] ^= 1 << draw(st.integers(0, 7))
        return bytes(flipped)
    odd = draw(st.binary(min_size=1, max_size=40))
    return good[:place] + odd + good[place + len(odd) :]


def read(content: bytes, name: str) -> pa.Table | None:
    """Read bytes as a file: a valid table, the same twice, or None after one clear line."""
    CASES[name] += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            dataset = open_dataset(path)
            tables = [pa.Table.from_batches(dataset.batches(), dataset.arrow) for _ in range(2)]
        except UndertowError as error:
            return refused(str(error), path)
        tables[0].validate(full=True)
        assert tables[0].num_rows == tables[1].num_rows
        assert dataset.digest()
        assert len(set(dataset.arrow.names)) == len(dataset.arrow.names)
        return tables[0]


def refused(line: str, path: Path) -> None:
    """Say that a refusal is one line that begins with the file."""
    assert line.startswith(str(path))
    assert "\n" not in line
    assert len(line) < 1000


fuzz = settings(
    max_examples=EACH, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@fuzz
@given(delimited() | st.binary(max_size=200))
def test_delimited_files(content):
    """Any bytes called .csv are rows or one line; no non-empty line disappears unnoticed."""
    read(content, "x.csv")


@fuzz
@given(json_lines() | st.binary(max_size=200))
def test_json_lines_files(content):
    """Any bytes called .jsonl are rows, one a line that is not blank, or one line of refusal."""
    table = read(content, "x.jsonl")
    if table is not None:
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert table.num_rows == sum(1 for line in lines if line.strip())


@fuzz
@given(damaged("parquet"))
def test_parquet_files(content):
    """A damaged Parquet file is rows or one line."""
    read(content, "x.parquet")


@fuzz
@given(damaged("arrow"))
def test_arrow_files(content):
    """A damaged Arrow file is rows or one line."""
    read(content, "x.arrow")


@fuzz
@given(delimited(), st.integers(0, 200))
def test_compressed_files(content, cut):
    """A cut or damaged .gz is rows or one line."""
    whole = gzip.compress(content, mtime=0)
    read(whole[: len(whole) - cut] if cut < 100 else whole, "x.csv.gz")


def test_zz_the_number_of_cases(capsys):
    """Say how many cases were read; at least 10,000 where all ran in this process."""
    total = sum(CASES.values())
    with capsys.disabled():
        print(f"\nreaders fuzzed with {total:,} cases: {dict(CASES)}")
    assert total == 0 or len(CASES) < 5 or total >= GOAL
