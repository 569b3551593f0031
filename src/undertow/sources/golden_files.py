"""The three files of a golden set, and their columns: found by name, or as they are given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.values import to_floats
from undertow.sources import judged as rows_of
from undertow.sources.judged import Pairs

PARTS = {
    "documents": ("docs", "documents", "corpus", "passages"),
    "queries": ("queries", "questions", "topics"),
    "judgements": ("judgements", "judgments", "qrels", "relevance"),
}
COLUMNS = {
    "doc_id": ("documents", ("doc_id", "docid", "document_id", "_id", "id")),
    "doc_text": ("documents", ("text", "body", "content", "passage", "document", "doc")),
    "doc_date": ("documents", ("changed", "updated", "updated_at", "modified", "modified_at")),
    "query_id": ("queries", ("query_id", "qid", "question_id", "_id", "id")),
    "query_text": ("queries", ("query", "text", "question", "title")),
    "judged_query": ("judgements", ("query_id", "query-id", "qid", "question_id")),
    "judged_doc": ("judgements", ("doc_id", "corpus-id", "docid", "document_id")),
    "relevance": ("judgements", ("relevance", "relevant", "score", "grade", "gain", "rel")),
    "doc_hash": ("judgements", ("doc_hash", "text_hash", "hash")),
    "date": ("judgements", ("date", "judged_at", "judged_on", "judged")),
}
"""What is asked for, where it stands, and what it is usually called, the likeliest name first."""
MAY_LACK = frozenset({"relevance", "doc_hash", "date", "doc_date"})
ROW_NUMBERS = ("the row number, from 1", "the row number, from 0")
_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".feather")
_LONGEST_ID = 64


def golden_files(folder: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Return the files of documents, queries and judgements in a folder; raise UsageError for none."""
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UsageError(f"{folder}: is no folder; a golden set is a folder with three files")
    documents, queries, judgements = (_file(place, part) for part in PARTS)
    return documents, queries, judgements


@dataclass(frozen=True, eq=False)
class Reading:
    """The three files, and the columns that are found in them."""

    files: Mapping[str, Dataset]
    given: Mapping[str, str]
    textless: bool
    named: dict[str, str] = field(default_factory=dict)

    def of(self, what: str) -> pa.Array | None:
        """Return a column's values; None where it may lack and does."""
        part, usual = COLUMNS[what]
        dataset = self.files[part]
        names = dataset.arrow.names
        if what in self.given:
            name = self.given[what]
            if name not in names:
                raise UsageError(f"{dataset.source}: no column {name!r}{did_you_mean(name, names)}")
        else:
            lower = {each.lower(): each for each in names}
            name = next((lower[each] for each in usual if each in lower), "")
            if not name and (what in MAY_LACK or (self.textless and what.endswith("_text"))):
                return None
            if not name:
                raise UsageError(
                    f"{dataset.source}: no column is called {' or '.join(usual[:3])}"
                    f"{did_you_mean(usual[0], names)}; say which: --golden-column {what}=COLUMN"
                )
        self.named[what] = name
        return read_column(dataset, name)

    def must(self, what: str) -> pa.Array:
        """Return the values of a column that may not lack."""
        found = self.of(what)
        assert found is not None
        return found

    def pairs(self) -> Pairs:
        """Return the judgements as they stand."""
        query, document = self.must("judged_query"), self.must("judged_doc")
        relevance = self.of("relevance")
        gain = [1.0] * len(query)
        if relevance is not None:
            told = to_floats(relevance)
            # Infinity is no grade: a sum with it would hide the query from every mean.
            gain = np.where(np.isfinite(told), told, np.nan).tolist()
        return Pairs(rows_of.ids(query), rows_of.ids(document), gain)

    def spellings(self) -> tuple[str, ...]:
        """Return a line for each id that is text in one file and a number in another."""
        told = []
        for one, other in (("query_id", "judged_query"), ("doc_id", "judged_doc")):
            sides = []
            for what in (one, other):
                dataset = self.files[COLUMNS[what][0]]
                kind = rows_of.spelling(dataset.arrow.field(self.named[what]).type)
                sides.append((self.named[what], kind, COLUMNS[what][0]))
            (name, kind, part), (_, judged, _) = sides
            if kind != judged:
                told.append(
                    f"{name} is {kind} in the {part} and {judged} in the judgements: compared as texts"
                )
        return tuple(told)


def other_ids(
    dataset: Dataset, part: str, known: Mapping[str, str], rows: int
) -> Iterator[tuple[str, list[str | None]]]:
    """Yield what else could be the id of documents or queries, and its values: columns, row numbers.

    A column could be one that has another short text or number in each row; `known` says which columns
    are the id and the text, `rows` how many there are.
    """
    what = "doc" if part == "documents" else "query"
    left = {known.get(f"{what}_id"), known.get(f"{what}_text")}
    for name in dataset.arrow.names:
        kind = dataset.arrow.field(name).type
        if name in left or pa.types.is_nested(kind):
            continue
        values = rows_of.ids(read_column(dataset, name))
        there = {each for each in values if each is not None}
        if len(there) == len(values) and max(map(len, there), default=0) <= _LONGEST_ID:
            yield f"column {name!r}", values
    for start, name in ((1, ROW_NUMBERS[0]), (0, ROW_NUMBERS[1])):
        yield name, [f"{row + start}" for row in range(rows)]


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


def read_column(dataset: Dataset, name: str) -> pa.Array:
    """Return a column of all rows."""
    chunks = [batch.column(0) for batch in dataset.batches([name])]
    return pa.chunked_array(chunks, dataset.arrow.field(name).type).combine_chunks()
