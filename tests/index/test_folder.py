"""An index in a folder: what it finds, what a version is, what it refuses, and what it can lose."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.index import VectorIndex
from undertow.index import check, lock, versions, write
from undertow.index.folder import create, open_index
from undertow.stats.neighbours import unit

NAMES = [f"d{row}" for row in range(40)]


@pytest.fixture
def rows():
    """Return 40 vectors of lengths other than 1."""
    return np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32) * 3


@pytest.fixture
def index(tmp_path, rows):
    """Return an index of 40 documents."""
    made = create(tmp_path / "index")
    made.build(NAMES, rows, texts=[f"text {name}" for name in NAMES], space="one")
    return made


class Turns:
    """A bridge that reverses vectors."""

    source, target = "two", "one"

    def apply(self, rows, /, *, space=""):  # noqa: ARG002 - as a bridge is called
        return unit(np.asarray(rows, np.float32)[:, ::-1])


def test_it_is_a_vector_index_and_finds_the_nearest(index, rows):
    """Cosines are those of numpy, and rows come back as they were stored."""
    assert isinstance(index, VectorIndex)
    found = index.search(rows[3] * 9, 5, space="one")
    cosine = unit(rows) @ unit(rows[3:4])[0]
    assert found.ids[0].tolist() == [NAMES[row] for row in np.argsort(-cosine)[:5]]
    np.testing.assert_allclose(found.scores[0], np.sort(cosine)[::-1][:5], atol=1e-6)
    held = index.stored()
    np.testing.assert_array_equal(held.vectors, rows)
    assert held.ids == tuple(NAMES)
    assert held.texts[3] == "text d3"
    assert held.counts == {"one": 40}


def test_fewer_documents_than_asked_for_and_empty_queries(index, rows):
    """None and NaN stand where there is nothing to find."""
    found = index.search(np.vstack([rows[0], np.zeros(8)]), 50)
    assert found.ids.shape == (2, 50)
    assert sum(each is not None for each in found.ids[0]) == 40
    assert np.isnan(found.scores[0, 40:]).all()
    assert not found.ids[1].any()
    assert np.isnan(found.scores[1]).all()


def test_add_writes_only_what_is_new_and_later_rows_win(index, rows):
    """A document of a known id is replaced; the first file is not touched."""
    first = index.version().segments[0]
    assert index.add(["d3", "new"], -rows[:2], texts=["again", None], space="one") == "v2"
    assert index.version().segments[0] == first
    assert index.version().segments[1].rows == 2
    assert len(index) == 41
    assert index.search(-rows[0], 1, space="one").ids[0, 0] == "d3"
    assert index.texts(["d3", "d4", "new"]) == {"d3": "again", "d4": "text d4", "new": None}
    assert index.stored().ids.count("d3") == 1
    assert index.stored("v1").texts[3] == "text d3"
    assert index.search(rows[3], 1, version="v1").ids[0, 0] == "d3"
    assert index.search(rows[3], 1).ids[0, 0] != "d3"


def test_a_file_whose_documents_are_all_replaced_is_dropped(index, rows):
    """What no document is left of is no part of the next version."""
    index.add(NAMES, -rows, space="one")
    assert len(index.version().segments) == 1
    assert index.version().gone is None


def test_many_small_adds_stay_few_files(index, rows, monkeypatch):
    """The small half of the files is written as one, and every document is still there."""
    monkeypatch.setattr(write, "SEGMENTS_MOST", 5)
    for row in range(12):
        index.add([f"n{row}", "d0"], -rows[:2] - row, texts=[None, str(row)], space="one")
    assert len(index.version().segments) <= 5
    assert len(index) == 52
    held = index.stored()
    assert len(set(held.ids)) == len(held.ids) == len(index)
    assert held.texts[held.ids.index("d0")] == "11"
    assert index.texts(["d0"]) == {"d0": "11"}
    assert not check.check(index.folder).faults


def test_switch_and_rollback_move_a_pointer_and_nothing_else(index, rows):
    """The same ten before and after; no file of vectors is written; rollback goes on back."""
    before = index.search(rows, 10, space="one")
    index.build(NAMES, -rows, space="two", switch=False)
    assert index.version().name == "v1"
    files = {each.name: each.stat().st_mtime_ns for each in index.folder.glob("*/*")}
    assert index.switch("v2") == "v1"
    assert index.version().name == "v2"
    assert index.rollback() == "v1"
    after = index.search(rows, 10, space="one")
    assert before.ids.tolist() == after.ids.tolist()
    assert files == {each.name: each.stat().st_mtime_ns for each in index.folder.glob("*/*")}
    with pytest.raises(DataError, match="no version answered before v1"):
        index.rollback()
    for name in ("v2", "v1", "v2"):
        index.switch(name)
    assert [index.rollback(), index.rollback(), index.rollback()] == ["v1", "v2", "v1"]


def test_another_handle_sees_a_switch_at_its_next_search(index, rows):
    """Handles look at the pointer, which costs nothing."""
    other = open_index(index.folder)
    assert other.search(rows[:1], 1).ids[0, 0] == "d0"
    index.build(["only"], rows[:1], space="one")
    assert other.search(rows[:1], 1).ids[0, 0] == "only"


def test_tags_are_names_of_versions(index, rows):
    """A tag moves, resolves, and cannot be a version's name."""
    index.tag("prod")
    index.add(["x"], rows[:1], space="one")
    assert index.version("prod").name == "v1"
    index.tag("prod", "v2")
    index.switch("v1")
    assert index.switch("prod") == "v1"
    assert index.version().name == "v2"
    for name in ("v7", "", "a b", "../x"):
        with pytest.raises(UsageError, match="tag"):
            index.tag(name)
    with pytest.raises(UsageError, match="did you mean 'prod'"):
        index.switch("prdo")


def test_queries_of_another_space_are_refused_or_bridged(index, rows):
    """Never in silence: foreign ones are refused, unless a bridge leads to the index."""
    with pytest.raises(DataError, match="of two and the index of one"):
        index.search(rows[:1], space="two")
    assert index.standing("two").refused
    assert not index.standing("one").says
    assert "not named" in index.standing("").says
    found = index.search(rows[:1, ::-1], 1, space="two", bridge=Turns())
    assert found.ids[0, 0] == "d0"
    index.keep_bridge(b"anything")
    kept = open_index(index.folder, read_bridge=lambda *_: Turns())
    assert kept.search(rows[:1, ::-1], 1, space="two").ids[0, 0] == "d0"
    with pytest.raises(DataError, match="three"):
        kept.search(rows[:1], 1, space="three")
    with pytest.raises(DataError, match="bridge leads from two to one"):
        index.search(rows[:1], space="three", bridge=Turns())


def test_documents_of_another_space_are_not_added(index, rows):
    """Neither vectors of another space nor of another length; a version of them is built."""
    with pytest.raises(DataError, match="index build"):
        index.add(["x"], rows[:1], space="two")
    with pytest.raises(DataError, match="8 numbers, and these have 4"):
        index.add(["x"], rows[:1, :4], space="one")
    index.build(["x"], rows[:1, :4], space="two", switch=False)
    assert index.switch("v2") == "v1"
    assert index.search(rows[:1, :4], 1, space="two").ids[0, 0] == "x"


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["a", None], "document 2 is missing"),
        (["a", 1.5], "1.5, of type float"),
        (["a", " "], "document 2 is empty"),
        (["a", "a"], "1 of 1 ids are there twice: 'a'"),
        (["a", True], "of type bool"),
        (["a"], "2 vectors and 1 ids"),
        (["a", "\ud800"], "cannot be written"),
    ],
)
def test_bad_ids_are_refused_with_their_place(index, rows, ids, says):
    """Each in one line, and nothing is written."""
    with pytest.raises(DataError, match=says):
        index.add(ids, rows[:2], space="one")
    assert index.stats()["answers"] == "v1"
    assert len(list(index.folder.glob("segments/*"))) == 1


def test_vectors_that_cannot_be_found_are_kept(index, rows):
    """NaN, zeros and none at all stay in the record, and no search finds them."""
    odd = rows[:3].copy()
    odd[0] = np.nan
    odd[1, 2] = np.inf
    odd[2] = 0
    index.add(["a", "b", "c"], odd, space="one")
    assert index.stats()["without_vector"] == 3
    held = index.stored()
    np.testing.assert_array_equal(held.vectors[-3:], odd)
    assert not set(index.search(rows, 43).ids.ravel().tolist()) & {"a", "b", "c"}
    index.add(["a"], rows[:1], space="one")
    assert index.stats()["without_vector"] == 2
    assert "a" in index.search(rows[0], 2).ids
    with pytest.raises(DataError, match="query 2 of 2 holds NaN"):
        index.search(np.array([[1.0] * 8, [np.nan] * 8]))


def test_an_index_of_nothing_that_can_be_found(tmp_path):
    """Only documents without vectors: every search is answered with nothing."""
    index = create(tmp_path / "index")
    index.build(["a"], np.full((1, 3), np.nan))
    assert index.search(np.ones(3), 1).ids.tolist() == [[None]]
    assert not check.check(index.folder).faults


def test_very_long_and_very_short_vectors_have_a_direction(tmp_path):
    """Lengths whose squares float32 cannot hold are no loss."""
    index = create(tmp_path / "index")
    index.build(["a", "b"], np.array([[1e30, 1e30], [1e-30, 0]], np.float32))
    found = index.search(np.array([[2.0, 2.0], [1.0, 0.0]]), 1)
    assert found.ids.ravel().tolist() == ["a", "b"]
    np.testing.assert_allclose(found.scores.ravel(), 1, atol=1e-6)


def test_what_a_search_reads_comes_back_from_the_record(index, rows):
    """Delete it, damage it, or make the folder read-only: the answer is the same."""
    before = index.search(rows[:5], 10)
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"ARROW1 or not")):
        for path in index.folder.glob("search/*"):
            damage(path)
        again = open_index(index.folder).search(rows[:5], 10)
        assert before.ids.tolist() == again.ids.tolist()
        np.testing.assert_array_equal(before.scores, again.scores)


def test_anybody_can_read_the_record(index, rows):
    """A segment is plain Parquet."""
    table = pq.read_table(next(index.folder.glob("segments/*.parquet")))
    assert table.column_names == ["id", "text", "vector", "space", "digest"]
    assert table["vector"][0].as_py() == pytest.approx(rows[0].tolist())


def test_prune_keeps_what_is_needed(index, rows):
    """A version that answers or has a tag stays, and files that no version names go."""
    index.tag("first")
    for number in range(4):
        index.build(["a"], rows[number : number + 1], space="one")
    index.switch("v3")
    assert index.prune(1) == ("v2", "v4")
    assert versions.names(index.folder) == ("v1", "v3", "v5")
    assert len(list(index.folder.glob("segments/*"))) == 3
    assert index.search(rows[1], 1).ids[0, 0] == "a"
    assert index.rollback() == "v5"
    with pytest.raises(UsageError, match="at least 1"):
        index.prune(0)


def test_two_writers_one_waits_its_turn(index, rows, monkeypatch):
    """While one writes, another is told who does; readers are not kept waiting."""
    monkeypatch.setattr(lock, "PATIENCE", 0.05)
    other = open_index(index.folder)
    with lock.writing(index.folder, "add"):
        with pytest.raises(DataError, match=r"being written by process \d+"):
            other.add(["x"], rows[:1], space="one")
        assert open_index(index.folder).cut_off is None
        assert other.search(rows[:1], 1).ids[0, 0] == "d0"
    other.add(["x"], rows[:1], space="one")


def test_what_is_no_index_is_said(tmp_path, index, rows):
    """A file, another folder, a newer format, nothing at all: one line each."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thing").write_text("x")
    for name, says in (
        ("file", "is a file"),
        ("folder", "is no index"),
        ("none", "no such folder"),
    ):
        with pytest.raises(UsageError, match=says):
            open_index(tmp_path / name)
    with pytest.raises(UsageError, match="holds other files"):
        create(tmp_path / "folder")
    with pytest.raises(DataError, match="half written"):
        create(tmp_path / "empty").search(rows[:1])
    with pytest.raises(DataError, match="half written"):
        open_index(tmp_path / "empty")
    for name in ("undertow-index.json", "answers.json", "versions/v1.json"):
        path = index.folder / name
        before = path.read_bytes()
        path.write_text(json.dumps({**json.loads(before), "undertow_index": 2}))
        with pytest.raises(DataError, match=r"damaged|format 2"):
            open_index(index.folder)
        path.write_bytes(before)
    assert len(open_index(index.folder)) == 40


def test_a_damaged_pointer_is_mended_by_a_switch(index):
    """The line says which versions there are; to name one makes the index answer again."""
    (index.folder / "answers.json").write_text("{")
    with pytest.raises(DataError, match="there is v1"):
        open_index(index.folder)
    assert index.switch("v1") == ""
    assert len(open_index(index.folder)) == 40


def test_a_version_that_cannot_answer_is_not_switched_to(index, rows):
    """Its files are looked at first."""
    index.build(["a"], rows[:1], space="one", switch=False)
    path = index.folder / "segments" / f"{index.version('v2').segments[0].name}.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match="v2 cannot answer"):
        index.switch("v2")
    path.unlink()
    with pytest.raises(DataError, match="v2 cannot answer"):
        index.switch("v2")
    assert index.version().name == "v1"


def test_check_names_what_is_damaged(index, rows):
    """A turned byte in a vector names the document; a changed search file is made again."""
    index.add(["d1"], rows[1:2], space="one")
    assert not check.check(index.folder).faults
    path = index.folder / "segments" / f"{index.version().segments[0].name}.parquet"
    content = bytearray(path.read_bytes())
    spot = content.find(rows[7].tobytes())
    assert spot > 0
    content[spot + 2] ^= 8
    path.write_bytes(content)
    (fault,) = check.check(index.folder).faults
    assert fault.documents == ("d7",)
    assert fault.versions == ("v1", "v2")
    content[spot + 2] ^= 8
    path.write_bytes(content)
    made = next(index.folder.glob("search/v1-*"))
    held = bytearray(made.read_bytes())
    spot = held.find(unit(rows[7:8]).tobytes())
    held[spot + 2] ^= 32
    made.write_bytes(held)
    found = check.check(index.folder)
    (fault,) = found.faults
    assert fault.made
    check.mend(index.folder, found)
    assert not check.check(index.folder).faults
