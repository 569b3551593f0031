"""Vectors in every form they are kept in, and what is said of those that cannot be read."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import format as npy

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.core.schema import Kind
from undertow.core.vectors import matrix
from undertow.observe import infer
from undertow.observe.declare import Declared
from undertow.sources import gathered, open_dataset, vector_names

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) + 1


def read(data, column="vector", **options):
    """Return a column of some data as a matrix."""
    return matrix(_column(open_dataset(data, **options), column)).rows


def _column(dataset, name):
    batches = [batch.column(0) for batch in dataset.batches([name])]
    return pa.chunked_array(batches, dataset.arrow.field(name).type)


def _sizes(path):
    return [batch.num_rows for batch in open_dataset(path).batches()]


def refusal(data) -> str:
    """Return the one line that refuses some data."""
    with pytest.raises(UndertowError) as caught:
        for _ in open_dataset(data).batches():
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "<i4", ">i8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_of_any_number_type_is_a_vector_column(tmp_path, dtype, order):
    """Half, double, big-endian, whole numbers, C and Fortran order all give the same vectors."""
    np.save(tmp_path / "v.npy", np.asarray(ROWS, dtype, order=order))
    assert read(tmp_path / "v.npy").tolist() == ROWS.tolist()
    found = open_dataset(tmp_path / "v.npy")
    assert infer.by_type(found.arrow)["vector"].kind is Kind.VECTOR
    assert found.digest() == open_dataset(tmp_path / "v.npy").digest()


def test_a_npy_is_read_a_block_at_a_time(tmp_path):
    """Long files come in blocks of rows, the wider the vectors the fewer."""
    np.save(tmp_path / "v.npy", np.arange(160_000, dtype=np.float32).reshape(80_000, 2))
    assert _sizes(tmp_path / "v.npy") == [65_536, 14_464]
    assert read(tmp_path / "v.npy")[-1].tolist() == [159_998, 159_999]
    np.save(tmp_path / "wide.npy", np.zeros((5000, 1000), np.float32))
    assert _sizes(tmp_path / "wide.npy") == [4194, 806]


def test_folders_and_globs_of_npy_files(tmp_path):
    """Files are joined in the order of their names; a name without a suffix is known by content."""
    np.save(tmp_path / "b.npy", ROWS[2:])
    np.save(tmp_path / "a.npy", ROWS[:2])
    assert read(tmp_path).tolist() == ROWS.tolist()
    assert read(f"{tmp_path}/*.npy").tolist() == ROWS.tolist()
    (tmp_path / "a.npy").rename(tmp_path / "plain")
    assert read(tmp_path / "plain").tolist() == ROWS[:2].tolist()
    np.save(tmp_path / "plain.npy", ROWS[:, :2])
    assert "give both files one type" in refusal(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_npz_is_a_table(tmp_path, save):
    """Each matrix is a vector column, each line a plain one."""
    days = np.array(["2026-01-01"] * 4, "M8[D]")
    names = np.array(["a", "b", "c", "ä"])
    save(tmp_path / "t.npz", v=ROWS, w=np.asfortranarray(ROWS), y=np.arange(4), n=names, d=days)
    found = open_dataset(tmp_path / "t.npz")
    assert found.arrow.names == ["v", "w", "y", "n", "d"]
    assert read(tmp_path / "t.npz", "v").tolist() == read(tmp_path / "t.npz", "w").tolist()
    table = pa.Table.from_batches(found.batches(["y", "n"]))
    assert table.to_pydict() == {"y": [0, 1, 2, 3], "n": ["a", "b", "c", "ä"]}
    np.savez(tmp_path / "long.npz", v=np.ones((80_000, 2), ">f4"), y=np.arange(80_000))
    assert read(tmp_path / "long.npz", "v").shape == (80_000, 2)


def test_arrays_in_memory(tmp_path):
    """A matrix given as it is, one in a mapping, and one memory-mapped by the user."""
    assert read(ROWS).tolist() == ROWS.tolist()
    assert read(np.asfortranarray(ROWS.astype(">f8"))).tolist() == ROWS.tolist()
    assert read({"v": ROWS.astype(">f4"), "y": [1, 2, 3, 4]}, "v").tolist() == ROWS.tolist()
    np.save(tmp_path / "v.npy", ROWS)
    assert read(np.load(tmp_path / "v.npy", mmap_mode="r")).tolist() == ROWS.tolist()
    assert open_dataset(np.arange(3)).arrow.names == ["value"]
    assert open_dataset(ROWS).source == "numpy.ndarray"


def test_frames_of_vectors(tmp_path):
    """Objects of pandas (arrays and lists), polars Array and List, Parquet and JSON lines agree."""
    listed = ROWS.tolist()
    forms = [
        pd.DataFrame({"v": list(ROWS)}),
        pd.DataFrame({"v": list(ROWS.astype(np.float16))}),
        pd.DataFrame({"v": listed}),
        pl.DataFrame({"v": listed}),
        pl.DataFrame({"v": ROWS}),
        pa.table({"v": listed}),
    ]
    for form in forms:
        assert read(form, "v").tolist() == listed
    pq.write_table(pa.table({"v": listed}), tmp_path / "v.parquet")
    lines = "\n".join(json.dumps({"v": row}) for row in [*listed, None])
    (tmp_path / "v.jsonl").write_text(lines)
    assert read(tmp_path / "v.parquet", "v").tolist() == listed
    assert read(tmp_path / "v.jsonl", "v").tolist() == [*listed, [0, 0, 0]]


def _saved(tmp_path, array, **options):
    path = tmp_path / "bad.npy"
    np.save(path, array, **options)
    return path


def test_arrays_that_are_no_vectors_are_refused(tmp_path):
    """One line each: objects, records, three dimensions, none, words, no numbers at all."""
    objects = np.array([[1.0], [2.0, 3.0]], object)
    records = np.zeros(3, [("a", "f4"), ("b", "f4", 2)])
    said = {
        "holds Python objects (a pickle)": _saved(tmp_path, objects, allow_pickle=True),
    }
    for words, path in said.items():
        assert words in refusal(path)
    for array, words in (
        (records, "holds records"),
        (np.zeros((2, 3, 4)), "is 3-dimensional (2, 3, 4); give one vector a row"),
        (np.float64(3), "is a single value"),
        (np.array([["a", "b"]]), "a vector is made of plain numbers"),
        (np.zeros((2, 2), bool), "a vector is made of plain numbers"),
        (np.zeros((2, 2), complex), "a vector is made of plain numbers"),
        (np.zeros(2, complex), "a column is made of plain numbers"),
        (np.zeros((5, 0)), "a vector has at least one number"),
    ):
        assert words in refusal(_saved(tmp_path, array))
        assert words in refusal(np.asarray(array))


def test_files_that_are_broken_are_refused(tmp_path):
    """Cut short, empty, a damaged head, a false archive: one line with what to do next."""
    path = _saved(tmp_path, ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert "is cut short: 43 bytes of 48" in refusal(path)
    for content in (whole[:60], whole[:8], b"\x93NUMPY\x09\x00" + whole[8:], whole[:6]):
        path.write_bytes(content)
        assert "cannot be read" in refusal(path)
    path.write_bytes(whole.replace(b"'shape': (4, 3)", b"'shape': (4; 3)"))
    assert "cannot be read" in refusal(path)
    path.write_bytes(b"")
    assert "the file is empty" in refusal(path)
    path.write_bytes(b"no array at all")
    assert "is no NumPy file" in refusal(path)


def test_archives_that_make_no_table_are_refused(tmp_path):
    """Lengths that differ, pickles, other files in it, none at all, a member cut short."""
    path = tmp_path / "t.npz"
    np.savez(path, v=ROWS, y=np.arange(3))
    assert "arrays differ in length ('v' 4, 'y' 3)" in refusal(path)
    np.savez(path, v=np.array([[1], [1, 2]], object), allow_pickle=True)
    assert "array 'v': holds Python objects" in refusal(path)
    np.savez(path)
    assert "holds no arrays" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")
    assert "holds 'notes.txt', which is no array" in refusal(path)
    head = io.BytesIO()
    npy.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (4, 3)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("v.npy", head.getvalue() + b"\0" * 20)
    assert "cannot be read" in refusal(path) or "is cut short" in refusal(path)
    np.savez_compressed(path, v=ROWS)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(bytes(content))
    assert "cannot be read" in refusal(path)


def test_no_rows_at_all(tmp_path):
    """A matrix of no rows has columns and no batches."""
    np.save(tmp_path / "v.npy", np.zeros((0, 3), np.float32))
    assert list(open_dataset(tmp_path / "v.npy").batches()) == []
    assert list(open_dataset(np.zeros((0, 3))).batches()) == []


def parted(**more):
    """Return a table with a vector of eleven parts, in no order, and other columns."""
    columns = {f"emb_{place}": [float(place), float(-place)] for place in (10, 2, 0, 1, 3)}
    return pa.table({"y": [0, 1], **columns, "city": ["a", "b"], **more})


def test_parts_are_gathered_in_the_order_of_their_numbers():
    """2 comes before 10; the parts are no longer columns, and the vector stands where the first did."""
    found, names = gathered(open_dataset(parted()), ["emb_*"])
    assert names == ("emb",)
    assert found.arrow.names == ["y", "emb", "city"]
    assert _column(found, "emb").to_pylist() == [[0, 1, 2, 3, 10], [0, -1, -2, -3, -10]]
    assert pa.Table.from_batches(found.batches(["city", "y"])).to_pydict() == {
        "city": ["a", "b"],
        "y": [0, 1],
    }
    assert [batch.num_rows for batch in found.batches([])] == [2]
    with pytest.raises(UsageError, match="no column 'emb_0'"):
        found.batches(["emb_0"])
    assert found.digest() is None
    assert found.source == "pyarrow.Table"


def test_a_row_without_any_part_has_no_vector():
    """All parts missing is null; some missing is NaN."""
    table = pa.table({"e0": [1.0, None, None], "e1": [2.0, None, 3.0]})
    found, _ = gathered(open_dataset(table), ["e*"])
    first, second, third = _column(found, "e").to_pylist()
    assert (first, second) == ([1.0, 2.0], None)
    assert np.isnan(third[0])


def test_narrow_parts_stay_narrow():
    """Float32 parts make a float32 vector, anything wider a double one."""
    narrow = pa.table({"e0": pa.array([1.0], pa.float32()), "e1": pa.array([1.0], pa.float32())})
    wide = narrow.append_column("e2", pa.array([1]))
    for table, kind in ((narrow, pa.float32()), (wide, pa.float64())):
        found, _ = gathered(open_dataset(table), ["e[0-9]"])
        assert found.arrow.field("e").type.value_type == kind


def test_patterns_that_find_no_parts_are_refused():
    """No match, words instead of numbers, or a name that is taken: one line."""
    with pytest.raises(UsageError, match="no column matches 'vec_\\*'"):
        gathered(open_dataset(parted()), ["vec_*"])
    with pytest.raises(UsageError, match="'ci\\*' matches 'city', which is string"):
        gathered(open_dataset(parted()), ["ci*"])
    with pytest.raises(UsageError, match="would be called 'emb', which is a column already"):
        gathered(open_dataset(parted(emb=[1, 2])), ["emb_*"])
    found, names = gathered(open_dataset(pa.table({"a": [1]})), ["emb_*"], required=False)
    assert (found.arrow.names, names) == (["a"], ("emb",))
    assert gathered(open_dataset(parted()), [])[1] == ()


def test_names_of_patterns():
    """A column's own name stands for itself, a star for what is before it."""
    assert vector_names(["a_*", "b*", "*"], ["a_*"]) == ("a_*", "b", "vector")


def test_a_text_that_spells_vectors(tmp_path):
    """CSV holds "[0.1, 0.2]", or what numpy prints; declared as a vector it is one."""
    lines = ['"[1, 2.5]"', '"[3.0 4e1]"', '"(5,6,)"', '"[nan, 1]"', '"[]"', "", '"[-inf, x]"']
    (tmp_path / "v.csv").write_text("y,v\n" + "\n".join(f"1,{line}" for line in lines))
    rows = open_dataset(tmp_path / "v.csv")
    found, names = gathered(rows, ["v"])
    assert names == ("v",)
    one, two, three, four, five, six, seven = _column(found, "v").to_pylist()
    assert (one, two, three, five, six) == ([1, 2.5], [3, 40], [5, 6], [], None)
    assert np.isnan(four[0])
    assert seven[0] == -np.inf
    schema = Declared({"v": Kind.VECTOR}).over(infer.by_type(found.arrow))
    assert schema["v"].kind is Kind.VECTOR
    coded = pa.table({"v": pa.array(["[1, 2]", None, "[1, 2]"]).dictionary_encode()})
    found, _ = gathered(open_dataset(coded), ["v"])
    assert _column(found, "v").to_pylist() == [[1, 2], None, [1, 2]]


def test_a_text_that_spells_none_stays_a_text():
    """Words, numbers and empty columns are no vectors, whoever says so: the refusal names the type."""
    for cells in (["a", "b"], ["1", "2"], [None, None]):
        rows = open_dataset(pa.table({"v": pa.array(cells, pa.string())}))
        found, _ = gathered(rows, ["v"])
        assert found is rows
        with pytest.raises(UsageError, match="'v' is no vector: it is string; a vector is a list"):
            Declared({"v": Kind.VECTOR}).over(infer.by_type(found.arrow))


def test_whole_numbers_are_a_vector_where_somebody_says_so():
    """A list of integers may be tokens; --vector makes it a vector, a fixed length does so alone."""
    schema = infer.by_type(pa.schema([("t", pa.list_(pa.int64())), ("f", pa.list_(pa.int8(), 3))]))
    assert [column.kind for column in schema] == [Kind.OTHER, Kind.VECTOR]
    assert Declared({"t": Kind.VECTOR}).over(schema)["t"].kind is Kind.VECTOR
    with pytest.raises(UsageError, match="it is list<item: string>"):
        Declared({"w": Kind.VECTOR}).over(infer.by_type(pa.schema([("w", pa.list_(pa.string()))])))


def test_an_array_that_cannot_be_opened_is_a_data_error(tmp_path):
    """The door says which error it is: of the data, not of the call."""
    with pytest.raises(DataError):
        open_dataset(_saved(tmp_path, np.zeros((2, 2, 2))))


def _of(space):
    field = pa.field("v", pa.list_(pa.float32()), metadata={"undertow.space": space})
    return pa.table([[[1.0, 2.0]]], schema=pa.schema([field]))


def test_the_encoder_of_vectors_stays_with_them(tmp_path):
    """A field may say which encoder made its vectors; two of them in one folder are refused."""
    pq.write_table(_of("a"), tmp_path / "1.parquet")
    for data in (_of("a"), tmp_path / "1.parquet", tmp_path):
        assert infer.by_type(open_dataset(data).arrow)["v"].space == "a"
        assert [batch.num_rows for batch in open_dataset(data).batches()] == [1]
    pq.write_table(_of("b"), tmp_path / "2.parquet")
    assert "the vectors of 'v' are of another encoder than in" in refusal(tmp_path)
