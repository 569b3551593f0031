"""A golden set as people have them: ids of another type, rows twice, gone, stale, and what is told."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.sources.golden import (
    golden_files,
    hashed,
    open_golden,
    read_golden,
    read_unjudged,
    table_bytes,
)
from undertow.sources.judged import Pairs, ids, text_hashes

TEXTS = ["a red door", "the open sea", "a blue boat", "an old house"]
DOCS = {"doc_id": ["a", "b", "c", "d"], "text": TEXTS}
ASKS = {"query_id": [1, 2, 3], "query": ["door", "sea", "boat"]}
RIGHT = {"query_id": [1, 2, 3], "doc_id": ["a", "b", "c"]}


def read(docs=DOCS, asks=ASKS, right=RIGHT, **options):
    """Read a golden set from tables."""
    return read_golden(pa.table(docs), pa.table(asks), pa.table(right), **options)


def issues(found):
    """Return how many rows each issue counts."""
    return {each.kind: each.count for each in found.issues}


def test_a_sound_golden_set_has_no_issues():
    """Three files, ids found by name, one gain of 1 a row without a relevance."""
    found = read()
    assert found.issues == ()
    assert (found.query_ids, found.document_ids) == (("1", "2", "3"), ("a", "b", "c", "d"))
    assert found.judged.gain.tolist() == [1.0, 1.0, 1.0]
    assert found.columns["judged_doc"] == "doc_id"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, None], pa.int64()),
        pa.array([1.0, 2.0, float("nan")]),
        pa.array(["1", " 2 ", ""]),
        pa.array(["1.0", "2.0", None]),
        pa.array(["1", "2", None]).dictionary_encode(),
    ],
)
def test_ids_are_compared_as_texts(column):
    """1, 1.0, "1" and " 1 " are one id; an empty one is missing."""
    assert ids(column) == ["1", "2", None]


def test_ids_keep_what_tells_them_apart():
    """Fractions, leading zeros and versions are not cut."""
    assert ids(pa.array([1.5, 2.0])) == ["1.5", "2"]
    assert ids(pa.array(["01", "1"])) == ["01", "1"]
    assert ids(pa.array(["1.0", "1.1"])) == ["1.0", "1.1"]
    assert ids(pa.array([1e15])) == ["1000000000000000"]


def test_ids_of_another_type_join_and_are_told():
    """Numbers in the queries and texts in the judgements are one id, and a note says so."""
    found = read(right={"query_id": ["1", "2", "3"], "doc_id": ["a", "b", "c"]})
    assert len(found.judged.gain) == 3
    assert found.notes == (
        "query_id is numbers in the queries and text in the judgements: compared as texts",
    )


def test_every_fault_of_rows_is_counted():
    """Missing, repeated, empty, gone and doubled rows: each has an issue, none is dropped unsaid."""
    found = read(
        docs={"doc_id": ["a", "b", "b", None, "e"], "text": ["x", "y", "z", "w", " "]},
        asks={"query_id": [1, 2, 2, None, 5], "query": ["p", "q", "r", "s", None]},
        right={
            "query_id": [1, 1, 1, 2, 9, None],
            "doc_id": ["a", "a", "gone", "b", "a", "a"],
            "relevance": ["2", "1", "1", "x", "1", "1"],
        },
    )
    assert issues(found) == {
        "documents without an id": 1,
        "documents there twice": 1,
        "documents with an empty text": 1,
        "queries without an id": 1,
        "queries there twice": 1,
        "queries with an empty text": 1,
        "judgements without an id": 1,
        "judgements without their query": 1,
        "judgements of documents that are gone": 1,
        "judgements without a relevance": 1,
        "judgements there twice": 1,
        "queries without a judgement": 3,
    }
    assert found.documents[1] == "y"  # the first of two
    assert found.query_ids == ("1", "2", "(row 4)", "5")
    told = {each.kind: each.says for each in found.issues}
    assert told["judgements there twice"] == (
        "1 of 6 judgements are there twice, 1 with another relevance; the first is used"
    )


def test_stale_judgements_are_told_by_hash_and_by_date():
    """A document that changed since it was judged; one that was changed after the day of judging."""
    hashes = text_hashes(TEXTS)
    found = read(
        docs={**DOCS, "updated_at": ["2026-01-01", "2026-03-09T10:00", None, "soon"]},
        right={
            "query_id": [1, 2, 3, 3],
            "doc_id": ["a", "b", "c", "d"],
            "doc_hash": [hashes[0], "0" * 16, f" 0x{hashes[2].upper()}", None],
            "date": [dt.date(2026, 1, 1)] * 3 + [None],
        },
    )
    assert issues(found) == {
        "judgements of a changed text": 1,
        "judgements without a hash": 1,
        "judgements older than the text": 1,
    }
    assert {each.examples for each in found.issues[:1]} == {("b",)}


def test_hashes_can_be_made_and_are_kept_once_made(tmp_path):
    """The judgements come back with a hash each; one that is there stays, and so tells of a change."""
    table = hashed(read(right={**RIGHT, "doc_id": ["a", "b", "gone"]}))
    assert table.column("doc_hash").to_pylist() == [*text_hashes(TEXTS[:2]), None]
    for name in ("j.parquet", "j.csv", "j.tsv"):
        (tmp_path / name).write_bytes(table_bytes(table, tmp_path / name))
        changed = {**DOCS, "text": ["another door", *TEXTS[1:]]}
        again = read_golden(pa.table(changed), pa.table(ASKS), tmp_path / name)
        assert issues(again)["judgements of a changed text"] == 1
        kept = hashed(again).column("doc_hash").to_pylist()
        assert kept[0] == text_hashes(TEXTS[:1])[0]


def test_a_join_that_finds_nothing_names_a_column_that_would():
    """Ids of another numbering: what they are called here, and the column that holds them."""
    asks = {**ASKS, "query_id": ["x", "y", "z"], "number": [1, 2, 3]}
    with pytest.raises(DataError, match="column 'number' of the queries holds most"):
        read(asks=asks)
    docs = {**DOCS, "doc_id": ["w", "x", "y", "z"], "key": ["a", "b", "c", "d"]}
    with pytest.raises(DataError, match="column 'key' of the documents holds most"):
        read(docs=docs)


def test_what_is_no_golden_set_is_refused():
    """No rows, no relevance above 0, a column that is not there: one line each."""
    empty = {"query_id": pa.array([], pa.int64()), "doc_id": pa.array([], pa.string())}
    with pytest.raises(DataError, match="holds no judgements"):
        read(right=empty)
    with pytest.raises(DataError, match="holds no queries"):
        read(asks={"query_id": pa.array([], pa.int64()), "query": pa.array([], pa.string())})
    with pytest.raises(DataError, match="holds no documents"):
        read(docs={"doc_id": pa.array([], pa.int64()), "text": pa.array([], pa.string())})
    with pytest.raises(DataError, match="no judgement has a relevance above 0"):
        read(right={**RIGHT, "relevance": [0, -1, 0]})
    with pytest.raises(UsageError, match="say which: --golden-column query_text=COLUMN"):
        read(asks={"query_id": [1], "words": ["x"]})
    with pytest.raises(UsageError, match="no column 'topc'; did you mean 'topic'"):
        read(asks={**ASKS, "topic": ["x", "y", "z"]}, slices=["topc"])
    with pytest.raises(UsageError, match="golden column 'doc_ix': no such part"):
        read(columns={"doc_ix": "a"})


def test_slices_and_vectors_stand_in_the_order_of_the_ids():
    """A repeated query takes its slice and vector away with it; a bad vector is an issue."""
    docs = {**DOCS, "v": [[1.0, 0.0], [0.0, 1.0], None, [0.0, 0.0]]}
    asks = {
        "query_id": [1, 1, 2, 3],
        "topic": ["x", "lost", "y", None],
        "v": [[1.0, 0.0], [9.0, 9.0], [0.0, 2.0], [1.0, 1.0]],
    }
    found = read(docs=docs, asks=asks, slices=["topic"], vector="v")
    assert found.slices == {"topic": ("x", "y", None)}
    assert found.vectors is not None
    assert found.vectors[1].tolist() == [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]
    assert issues(found) == {"queries there twice": 1, "documents without a vector": 2}
    with pytest.raises(DataError, match="holds vectors of 2 numbers"):
        read(docs=docs, asks={**ASKS, "v": [[1.0], [2.0], [3.0]]}, vector="v")
    with pytest.raises(DataError, match="column 'text' holds no vectors"):
        read(vector="text")
    with pytest.raises(UsageError, match="no column 'w'"):
        read(vector="w")


def test_other_ids_are_columns_without_repeats_and_row_numbers():
    """What could be the id instead, in the order of the rows that are kept."""
    asks = {
        "query_id": [7, 7, 8],
        "number": ["x", "y", "z"],
        "topic": ["t", "t", "u"],
        "query": ["p"] * 3,
    }
    found = read(asks=asks, right={"query_id": [7], "doc_id": ["a"]})
    assert dict(found.other_ids("queries")) == {
        "column 'number'": ["x", "z"],
        "the row number, from 1": ["1", "3"],
        "the row number, from 0": ["0", "2"],
    }


def test_a_folder_is_read_strictly_for_a_comparison_of_encoders(tmp_path):
    """Repeated ids are refused there, what does not join is a note."""
    tables = {"docs": DOCS, "queries": ASKS, "qrels": {**RIGHT, "doc_id": ["a", "b", "gone"]}}
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    assert [each.name for each in golden_files(tmp_path)] == [
        "docs.parquet",
        "queries.parquet",
        "qrels.parquet",
    ]
    found = open_golden(tmp_path)
    assert [each.partition(": ")[2] for each in found.notes] == [
        "1 of 3 judgements join nothing",
        "1 of 3 queries have no answer",
    ]
    pq.write_table(pa.table({**DOCS, "doc_id": ["a", "b", "b", None]}), tmp_path / "docs.parquet")
    with pytest.raises(DataError, match="2 of 4 ids are missing or there twice"):
        open_golden(tmp_path)


def test_judgements_of_one_pair_count_once():
    """The first gain counts; what is not above 0 is no judgement."""
    made = Pairs(["q", "q", "q"], ["a", "a", "b"], [2.0, 1.0, 0.0]).joined(["q"], ["a", "b"])
    assert (made.document.tolist(), made.gain.tolist()) == ([0], [2.0])
    made = Pairs(["q", "q", "p"], ["a", "a", "a"], [0.0, 1.0, 1.0]).joined(["q", "p"], ["a"])
    assert made.query.tolist() == [1]


def test_an_infinite_relevance_is_no_number():
    """It would make nDCG of its query no number either; it is told, and the others count."""
    right = {**RIGHT, "relevance": [float("inf"), 1.0, -float("inf")]}
    found = read(right=right)
    assert found.judged.query.tolist() == [1]
    assert issues(found)["judgements without a relevance"] == 2


def test_ids_of_which_one_looks_whole_are_read_without_judgements():
    """A column of versions keeps its "1.0", also where it is the first id there is."""
    docs = {"doc_id": ["1.0", "1.1"], "text": TEXTS[:2]}
    asks = {"query_id": ["2.0", "x"], "query": ["door", "sea"]}
    found = read_unjudged(pa.table(docs), pa.table(asks))
    assert (found.document_ids, found.query_ids) == (("1.0", "1.1"), ("2.0", "x"))


def test_a_strict_reading_tells_what_it_did_not_count(tmp_path):
    """Judgements without a relevance, or there twice, are a note."""
    right = {
        "query_id": [1, 2, 3, 3],
        "doc_id": ["a", "b", "c", "c"],
        "relevance": ["1", "high", "1", "2"],
    }
    for name, part in (("docs", DOCS), ("queries", ASKS), ("qrels", right)):
        pq.write_table(pa.table(part), tmp_path / f"{name}.parquet")
    notes = " ".join(open_golden(tmp_path).notes)
    assert "1 of 4 judgements have a relevance that is no number" in notes
    assert "1 of 4 judgements are there twice, 1 with another relevance" in notes
