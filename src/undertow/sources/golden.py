"""A golden set: documents, queries, and which documents answer which query, from files of one folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.values import to_floats, to_text
from undertow.sources.files import open_files
from undertow.stats.ranking import Judged

PARTS = {
    "documents": ("docs", "documents", "corpus", "passages"),
    "queries": ("queries", "questions", "topics"),
    "judgements": ("judgements", "judgments", "qrels", "relevance"),
}
COLUMNS = {
    "doc_id": ("documents", ("doc_id", "docid", "document_id", "_id", "id")),
    "doc_text": ("documents", ("text", "body", "content", "passage", "document", "doc")),
    "query_id": ("queries", ("query_id", "qid", "question_id", "_id", "id")),
    "query_text": ("queries", ("query", "text", "question", "title")),
    "judged_query": ("judgements", ("query_id", "query-id", "qid", "question_id")),
    "judged_doc": ("judgements", ("doc_id", "corpus-id", "docid", "document_id")),
    "relevance": ("judgements", ("relevance", "relevant", "score", "grade", "gain", "rel")),
}
"""What is asked for, where it stands, and what it is usually called, the likeliest name first."""
_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".feather")


@dataclass(frozen=True, eq=False)
class Golden:
    """Texts of documents and queries, and judgements by position; `notes` say what was left out."""

    source: str
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    judged: Judged
    notes: tuple[str, ...] = ()


def open_golden(folder: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> Golden:
    """Return the golden set in a folder: one file each of documents, queries and judgements.

    A file is found by the end of its name (`docs.parquet`, `cranfield_qrels.csv`), a column by its
    name, or as `columns` says: {"doc_text": "abstract"}. Judgements without a relevance column count 1
    each. Ids are compared as texts. Raises UsageError where a file or column is not found, DataError
    where no judgement joins.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UsageError(f"{folder}: is no folder; a golden set is a folder with three files")
    for name in columns or {}:
        if name not in COLUMNS:
            raise UsageError(f"golden column {name!r}: no such part{did_you_mean(name, COLUMNS)}")
    files = {part: open_files(_file(place, part)) for part in PARTS}
    read = {what: _column(files, what, columns or {}) for what in COLUMNS}
    documents, queries = _texts(read["doc_text"]), _texts(read["query_text"])
    doc_ids = _positions(read["doc_id"], files["documents"].source)
    query_ids = _positions(read["query_id"], files["queries"].source)
    pairs = list(zip(_words(read["judged_query"]), _words(read["judged_doc"]), strict=True))
    relevance = read["relevance"]
    gains = np.ones(len(pairs)) if relevance is None else to_floats(relevance)
    kept = [
        (query_ids[query], doc_ids[doc], float(gain))
        for (query, doc), gain in zip(pairs, gains.tolist(), strict=True)
        if query in query_ids and doc in doc_ids and gain > 0
    ]
    joined = sum(query in query_ids and doc in doc_ids for query, doc in pairs)
    name = files["judgements"].source
    if not kept:
        raise DataError(_nothing(name, pairs, query_ids, doc_ids, joined))
    made = {(query, doc): gain for query, doc, gain in kept}
    rows = np.array(list(made), np.int64)
    judged = Judged(rows[:, 0], rows[:, 1], np.array(list(made.values())))
    notes = []
    if joined < len(pairs):
        notes.append(f"{name}: {len(pairs) - joined:,} of {len(pairs):,} judgements join nothing")
    asked = len(np.unique(rows[:, 0]))
    if asked < len(queries):
        notes.append(f"{name}: {len(queries) - asked:,} of {len(queries):,} queries have no answer")
    return Golden(os.fspath(folder), documents, queries, judged, tuple(notes))


def _file(folder: Path, part: str) -> Path:
    there = sorted(each for each in folder.iterdir() if each.suffix.lower() in _SUFFIXES)
    for word in PARTS[part]:
        found = [each for each in there if each.stem.lower().endswith(word)]
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(each.name for each in found[:3])
            raise UsageError(f"{folder}: {names} may all hold the {part}; keep one set in a folder")
    words = " or ".join(f"*{word}.parquet" for word in PARTS[part][:3])
    listed = ", ".join(each.name for each in there[:6]) or "no table"
    raise UsageError(f"{folder}: no file of {part} ({words}, CSV too); there is {listed}")


def _column(files: Mapping[str, Dataset], what: str, columns: Mapping[str, str]) -> pa.Array | None:
    part, usual = COLUMNS[what]
    dataset = files[part]
    names = dataset.arrow.names
    if what in columns:
        name = columns[what]
        if name not in names:
            raise UsageError(f"{dataset.source}: no column {name!r}{did_you_mean(name, names)}")
    else:
        lower = {each.lower(): each for each in names}
        name = next((lower[each] for each in usual if each in lower), "")
        if not name and what == "relevance":
            return None
        if not name:
            raise UsageError(
                f"{dataset.source}: no column is called {' or '.join(usual[:3])}"
                f"{did_you_mean(usual[0], names)}; say which: --golden-column {what}=COLUMN"
            )
    chunks = [batch.column(0) for batch in dataset.batches([name])]
    return pa.chunked_array(chunks, dataset.arrow.field(name).type).combine_chunks()


def _words(column: Any) -> list[str | None]:
    return list(to_text(column).to_pylist())


def _texts(column: Any) -> tuple[str, ...]:
    return tuple(each or "" for each in _words(column))


def _positions(column: Any, source: str) -> dict[str | None, int]:
    ids = _words(column)
    made: dict[str | None, int] = {each: row for row, each in enumerate(ids) if each is not None}
    if len(made) < len(ids):
        raise DataError(
            f"{source}: {len(ids) - len(made):,} of {len(ids):,} ids are missing or there twice"
        )
    return made


def _nothing(
    name: str,
    pairs: Sequence[tuple[str | None, str | None]],
    queries: Mapping[str | None, int],
    documents: Mapping[str | None, int],
    joined: int,
) -> str:
    if joined:
        return f"{name}: no judgement has a relevance above 0; say which column holds it"
    if not pairs:
        return f"{name}: holds no judgements"
    query, doc = pairs[0]
    known = sum(each in queries for each, _ in pairs), sum(each in documents for _, each in pairs)
    return (
        f"{name}: none of its {len(pairs):,} judgements joins: {known[0]:,} query ids and "
        f"{known[1]:,} document ids are known; the first is {query!r}, {doc!r}, and a document is "
        f"called {next(iter(documents), None)!r}"
    )
