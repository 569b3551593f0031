"""A golden set: documents, queries, and which documents answer which query, from three files.

Every id counts once, nothing is left out in silence, and what is wrong with rows is told as an issue.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.issue import Issue
from undertow.core.vectors import Matrix, Vectors, matrix
from undertow.sources import judged as rows_of
from undertow.sources.gathered import gathered
from undertow.sources.golden_files import (
    COLUMNS,
    PARTS,
    Reading,
    golden_files,
    other_ids,
    read_column,
)
from undertow.sources.judged import Once, Pairs
from undertow.stats.ranking import Judged

__all__ = [
    "COLUMNS",
    "PARTS",
    "Golden",
    "golden_files",
    "hashed",
    "open_golden",
    "read_golden",
    "table_bytes",
]


@dataclass(frozen=True, eq=False)
class Golden:
    """Texts of documents and queries, and judgements by position; `notes` say what was left out.

    Each id is there once; `issues` say what is wrong with which rows. `slices` hold a value a query,
    `vectors` those of documents (n, d) and queries (q, d) where the files hold them.
    """

    source: str
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    judged: Judged
    notes: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    query_ids: tuple[str, ...] = ()
    pairs: Pairs = field(default_factory=lambda: Pairs([], [], []))
    issues: tuple[Issue, ...] = ()
    slices: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    vectors: tuple[Matrix, Matrix] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Dataset] = field(default_factory=dict)
    rows: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def other_ids(self, part: str) -> Iterator[tuple[str, list[str | None]]]:
        """Yield what else could be the id of the documents, or the queries, and its values.

        They stand in the order of `query_ids`, or `document_ids`.
        """
        rows = self.rows[part]
        for name, values in other_ids(self.files[part], part, self.columns, max(rows) + 1):
            yield name, [values[row] for row in rows]


def open_golden(folder: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> Golden:
    """Return the golden set in a folder: one file each of documents, queries and judgements.

    A file is found by the end of its name, a column by its name, or as `columns` says:
    {"doc_text": "abstract"}. Judgements without a relevance column count 1 each. Ids are compared as
    texts. Raises UsageError where a file or column is not found, DataError where no judgement joins,
    or an id is missing or there twice.
    """
    found = read_golden(*golden_files(folder), columns=columns)
    for part in ("documents", "queries"):
        bad = [
            each
            for each in found.issues
            if each.kind in {f"{part} without an id", f"{part} there twice"}
        ]
        if bad:
            count, total = sum(each.count for each in bad), bad[0].total
            source = found.files[part].source
            raise DataError(f"{source}: {count:,} of {total:,} ids are missing or there twice")
    name, pairs = found.files["judgements"].source, len(found.pairs.query)
    asked, there = set(found.query_ids), set(found.document_ids)
    rows = zip(found.pairs.query, found.pairs.document, strict=True)
    joined = sum(query in asked and document in there for query, document in rows)
    notes = []
    if joined < pairs:
        notes.append(f"{name}: {pairs - joined:,} of {pairs:,} judgements join nothing")
    told = {"judgements without a relevance", "judgements there twice"}
    notes += [f"{name}: {each.says}" for each in found.issues if each.kind in told]
    answered = len(np.unique(found.judged.query))
    if answered < len(found.queries):
        notes.append(
            f"{name}: {len(found.queries) - answered:,} of {len(found.queries):,} queries "
            "have no answer"
        )
    return replace(found, source=os.fspath(folder), notes=(*found.notes, *notes))


def read_golden(
    documents: Any,
    queries: Any,
    judgements: Any,
    *,
    columns: Mapping[str, str] | None = None,
    slices: Sequence[str] = (),
    vector: str | None = None,
) -> Golden:
    """Return a golden set from three files or frames, with an issue for whatever is wrong with rows.

    `slices` are columns of the queries; `vector` is the column of documents and queries that holds
    their vectors, and then neither needs a text. Raises UsageError where a column is not found,
    DataError where there is nothing to judge or no judgement joins.

    >>> docs = pa.table({"doc_id": ["a", "b"], "text": ["a red door", "the sea"]})
    >>> asks = pa.table({"query_id": [1, 2], "query": ["door", "sea"]})
    >>> found = read_golden(docs, asks, pa.table({"query_id": ["1", "3"], "doc_id": ["a", "b"]}))
    >>> [each.says for each in found.issues][0]
    "1 of 2 judgements are of queries that are not there (1 different), such as '3'"
    """
    from undertow.sources import open_dataset

    columns = columns or {}
    for name in columns:
        if name not in COLUMNS:
            raise UsageError(f"golden column {name!r}: no such part{did_you_mean(name, COLUMNS)}")
    given = zip(PARTS, (documents, queries, judgements), strict=True)
    files = {part: open_dataset(each) for part, each in given}
    made = Reading(files, columns, textless=vector is not None)
    docs, asks = (_side(made, part) for part in ("documents", "queries"))
    issues = [*docs.issues, *asks.issues]
    pairs = made.pairs()
    doc_ids, query_ids = docs.kept.names, asks.kept.names
    judged = pairs.joined(query_ids, doc_ids)
    if not len(judged.gain):
        raise DataError(
            _nothing(files["judgements"].source, pairs, query_ids, doc_ids) + _hint(made, pairs)
        )
    by_id = dict(zip(doc_ids, docs.texts, strict=True))
    issues += rows_of.pair_issues(pairs, query_ids, doc_ids)
    issues += rows_of.unjudged(judged, query_ids)
    changed = made.of("doc_date")
    dates = (
        None
        if changed is None
        else dict(zip(doc_ids, (changed.to_pylist()[row] for row in docs.kept.rows), strict=True))
    )
    hashes, judged_on = made.of("doc_hash"), made.of("date")
    issues += rows_of.stale(
        pairs,
        by_id,
        None if hashes is None else rows_of.words_of(hashes),
        None if judged_on is None else judged_on.to_pylist(),
        dates,
    )
    vectors = None
    if vector is not None:
        both = [_vectors(files[part], vector) for part in ("documents", "queries")]
        issues += _without_vector(both, (docs.kept, asks.kept))
        vectors = both[0].rows[docs.kept.rows], both[1].rows[asks.kept.rows]
        _one_length(files, both)
    return Golden(
        source=files["judgements"].source,
        documents=tuple(docs.texts),
        queries=tuple(asks.texts),
        judged=judged,
        notes=made.spellings(),
        document_ids=doc_ids,
        query_ids=query_ids,
        pairs=pairs,
        issues=tuple(issues),
        slices={name: _slice(files["queries"], name, asks.kept.rows) for name in slices},
        vectors=vectors,
        columns=made.named,
        files=files,
        rows={"documents": docs.kept.rows, "queries": asks.kept.rows},
    )


def read_unjudged(
    documents: Any,
    queries: Any,
    *,
    columns: Mapping[str, str] | None = None,
    slices: Sequence[str] = (),
    vector: str | None = None,
) -> Golden:
    """Return documents and queries that nobody has judged, as a golden set without judgements.

    >>> docs = pa.table({"doc_id": ["a", "b"], "text": ["a red door", "the sea"]})
    >>> made = read_unjudged(docs, pa.table({"query_id": [1], "query": ["door"]}))
    >>> made.queries, len(made.judged.gain)
    (('door',), 0)
    """
    from undertow.sources import open_dataset

    files = {"documents": open_dataset(documents), "queries": open_dataset(queries)}
    made = Reading(files, columns or {}, textless=vector is not None)
    firsts = [_first(rows_of.ids(made.must(what))) for what in ("query_id", "doc_id")]
    if None in firsts:
        raise DataError(f"{files['queries'].source}: holds no queries, or there are no documents")
    # A set is read by its judgements: one that nobody looks at stands in for them.
    pair = pa.table({"query_id": firsts[:1], "doc_id": firsts[1:]})
    docs, asks = files.values()
    read = read_golden(docs, asks, pair, columns=columns, slices=slices, vector=vector)
    nothing = np.empty(0, np.int64)
    judged = Judged(nothing, nothing, np.empty(0))
    issues = tuple(each for each in read.issues if "judgement" not in each.says)
    source = files["queries"].source
    return replace(read, source=source, judged=judged, issues=issues, notes=())


def _first(names: Sequence[str | None]) -> str | None:
    """Return the first id that is read alike on its own: "1.0" of a column of others would become 1."""
    return next((each for each in names if each and rows_of.ids(pa.array([each])) == [each]), None)


def hashed(golden: Golden) -> pa.Table:
    """Return the judgements with the hash of each document's text beside them, in `doc_hash`.

    A hash that is there already is kept: it says which text was judged. Rows of documents that are
    gone have none.
    """
    dataset = golden.files["judgements"]
    table = pa.Table.from_batches(list(dataset.batches()), dataset.arrow)
    by_id = dict(zip(golden.document_ids, rows_of.text_hashes(golden.documents), strict=True))
    made = [by_id.get(name) if name is not None else None for name in golden.pairs.document]
    name = golden.columns.get("doc_hash")
    if name is None:
        return table.append_column("doc_hash", pa.array(made, pa.string()))
    old = rows_of.words_of(table.column(name).combine_chunks())
    both = [kept or new for kept, new in zip(old, made, strict=True)]
    return table.set_column(table.schema.names.index(name), name, pa.array(both, pa.string()))


def table_bytes(table: pa.Table, name: str | os.PathLike[str]) -> bytes:
    """Return a table as the file of that name holds it: Parquet, or CSV where the name ends so."""
    sink = pa.BufferOutputStream()
    kind = PurePath(name).suffix.lower()
    if kind in {".csv", ".tsv"}:
        from pyarrow import csv

        mark = "\t" if kind == ".tsv" else ","
        csv.write_csv(table, sink, csv.WriteOptions(delimiter=mark))
    else:
        from pyarrow import parquet

        parquet.write_table(table, sink)
    return bytes(sink.getvalue())


class _Side(NamedTuple):
    kept: Once
    texts: list[str]
    issues: list[Issue]


def _side(made: Reading, part: str) -> _Side:
    """Return the rows of documents or queries, each id once, their texts, and what is wrong."""
    what = "doc" if part == "documents" else "query"
    kept = rows_of.once(rows_of.ids(made.must(f"{what}_id")))
    column = made.of(f"{what}_text")
    if not kept.rows:
        raise DataError(f"{made.files[part].source}: holds no {part}")
    texts = [""] * len(kept.rows)
    if column is not None:
        words = rows_of.words_of(column)
        texts = [words[row] or "" for row in kept.rows]
    if made.textless:
        column = None
    return _Side(
        kept, texts, list(rows_of.side_issues(part, kept, None if column is None else texts))
    )


def _slice(dataset: Dataset, name: str, rows: Sequence[int]) -> tuple[str | None, ...]:
    if name not in dataset.arrow.names:
        raise UsageError(
            f"{dataset.source}: no column {name!r}{did_you_mean(name, dataset.arrow.names)}"
        )
    values = rows_of.words_of(read_column(dataset, name))
    return tuple(values[row] for row in rows)


def _vectors(dataset: Dataset, name: str) -> Vectors:
    found, (column, *_) = gathered(dataset, [name])
    if column not in found.arrow.names:
        raise UsageError(
            f"{dataset.source}: no column {name!r}{did_you_mean(name, found.arrow.names)}"
        )
    made = matrix(read_column(found, column))
    if not made.fine.any():
        raise DataError(f"{dataset.source}: column {name!r} holds no vectors")
    return made


def _without_vector(both: Sequence[Vectors], kept: Sequence[Once]) -> Iterator[Issue]:
    for part, made, side in zip(("documents", "queries"), both, kept, strict=True):
        bad = [name for name, row in zip(side.names, side.rows, strict=True) if not made.fine[row]]
        if bad:
            says = (
                f"{len(bad):,} of {len(side.rows):,} {part} have no usable vector (missing, all zeros, "
                "of another length, with NaN)"
            )
            yield Issue(
                f"{part} without a vector", len(bad), len(side.rows), says, rows_of.shown(bad)
            )


def _one_length(files: Mapping[str, Dataset], both: Sequence[Vectors]) -> None:
    one, other = (each.dimensions for each in both)
    if one != other:
        raise DataError(
            f"{files['documents'].source} holds vectors of {one:,} numbers and "
            f"{files['queries'].source} of {other:,}; one encoder has to make both"
        )


def _hint(made: Reading, pairs: Pairs) -> str:
    """Return which other column holds what the judgements name, where one does."""
    for part, names in (("queries", pairs.query), ("documents", pairs.document)):
        what = "query_id" if part == "queries" else "doc_id"
        own = set(rows_of.ids(made.must(what)))
        wanted = {each for each in names if each is not None}
        if not wanted or len(wanted & own) > len(wanted) / 2:
            continue
        for name, values in other_ids(made.files[part], part, made.named, len(made.must(what))):
            if len(wanted & set(values)) > len(wanted) / 2:
                return f"; {name} of the {part} holds most of the {part}' ids that are judged"
    return ""


def _nothing(name: str, pairs: Pairs, queries: Sequence[str], documents: Sequence[str]) -> str:
    if not pairs.query:
        return f"{name}: holds no judgements"
    asked, there = set(queries), set(documents)
    rows = list(zip(pairs.query, pairs.document, strict=True))
    if any(query in asked and document in there for query, document in rows):
        return f"{name}: no judgement has a relevance above 0; say which column holds it"
    query, document = rows[0]
    known = sum(each in asked for each, _ in rows), sum(each in there for _, each in rows)
    return (
        f"{name}: none of its {len(rows):,} judgements joins: {known[0]:,} query ids and "
        f"{known[1]:,} document ids are known; the first is {query!r}, {document!r}, and a document "
        f"is called {documents[0]!r}"
    )
