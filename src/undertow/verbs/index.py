"""An index with versions: build it of documents, add, ask, switch, roll back.

`open_index` returns the index itself, which takes vectors; the functions here take files and texts, and
encode them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from undertow.adapters import ann
from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, Match, compare_spaces, fingerprint, space_label
from undertow.core.encode import Matrix, encode, steadiness
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.values import to_text
from undertow.index import folder as stored
from undertow.index import versions, write
from undertow.index.folder import Index
from undertow.options import Encoder, Progress, ticker
from undertow.repair.bridge import Bridge
from undertow.sides.index_documents import Listed, check_kind, read_documents
from undertow.sides.index_encoder import encoder_of, remembered
from undertow.sources import open_dataset
from undertow.sources.golden import COLUMNS

Path_ = str | os.PathLike[str]


class Columns(TypedDict, total=False):
    """Which columns of the documents are what, and which rows count; by their usual names, if not said.

    `vector` holds vectors that are there already. `where` is a condition in SQL.
    """

    id: str | None
    text: str | None
    vector: str | None
    where: str | None


@dataclass(frozen=True)
class Written:
    """What a change of an index made: the version, how many documents were given, and what to know."""

    version: str
    documents: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What texts found: a row a query, best first, each hit {"id", "cosine", "text"}."""

    version: str
    queries: tuple[str, ...]
    hits: tuple[tuple[Mapping[str, Any], ...], ...]
    notes: tuple[str, ...]


def open_index(path: Path_) -> Index:
    """Return the index in a folder, with the bridges kept there, and with faiss where it is installed.

    Raises UsageError where there is no index, DataError where it is half written, damaged, or of a newer
    format.

    >>> import tempfile, pyarrow as pa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     docs = pa.table({"id": ["a", "b"], "text": ["a red door", "the open sea"]})
    ...     made = build_index(folder + "/index", docs, encoder="tfidf")
    ...     index = open_index(folder + "/index")
    ...     made.version, len(index), search_index(index, ["red"], k=1).hits[0][0]["id"]
    ('v1', 2, 'a')
    """
    return stored.open_index(path, library=ann.opened(), read_bridge=Bridge.from_bytes)


def build_index(
    path: Path_,
    documents: Any,
    *,
    encoder: Encoder | None = None,
    space: str | None = None,
    tag: str | None = None,
    switch: bool = True,
    progress: Progress | None = None,
    **columns: Unpack[Columns],
) -> Written:
    """Build a version of these documents alone, in a folder that is an index, or becomes one.

    Their texts are encoded by `encoder`; with a column `vector` the vectors there are taken, and
    `encoder` or `space`, a name, says whose they are. It answers at once, unless `switch` is False and
    another does. Raises UsageError or DataError; the version that answered still does then.
    """
    if encoder is None and columns.get("vector") is None:
        raise UsageError(
            "say what makes vectors of the texts (encoder), or which column holds them"
        )
    if tag is not None:
        versions.check_tag(tag)
    write.usable(Path(path))
    given = read_documents(documents, **columns)
    made = None if encoder is None else _opened(encoder, given)
    vectors, notes = _vectors(given, made, progress)
    told, files = (None, {}) if made is None else remembered(encoder, made)
    named = space or ("" if made is None else str(fingerprint(made)))
    index = stored.create(path, library=ann.opened(), read_bridge=Bridge.from_bytes)
    version = index.build(
        given.ids,
        vectors,
        texts=given.texts,
        space=named,
        encoder=told,
        keep=files,
        switch=switch,
        tag=tag,
        id_kind=given.kind,
    )
    if not named:
        notes.append(
            "nobody said what made these vectors, so queries of another encoder will not be refused: "
            "give --encoder or --space"
        )
    return Written(version, len(given.ids), _cut_off(index, notes))


def add_to_index(
    path: Path_ | Index,
    documents: Any,
    *,
    encoder: Encoder | None = None,
    space: str | None = None,
    progress: Progress | None = None,
    **columns: Unpack[Columns],
) -> Written:
    """Add documents to the version that answers, or replace those of the same id; only they are written.

    They are encoded by the encoder of the index. Raises DataError for vectors of a foreign space.
    """
    index = path if isinstance(path, Index) else open_index(path)
    given = read_documents(documents, **columns)
    version = index.version()
    check_kind(str(index.folder), given, version.ids)
    saved = columns.get("vector") is not None
    made = None if saved and encoder is None else encoder_of(index, encoder)
    vectors, notes = _vectors(given, made, progress)
    named = space or ("" if made is None else _space(made, index))
    if saved and not named:
        named = next(iter(version.spaces), "")
        notes.append(
            f"nobody said what made these vectors; they are taken for {space_label(named)}"
            if named
            else "nobody said what made these vectors"
        )
    name = index.add(given.ids, vectors, texts=given.texts, space=named)
    return Written(name, len(given.ids), _cut_off(index, notes))


def search_index(
    path: Path_ | Index,
    queries: Sequence[str],
    *,
    k: int = 10,
    encoder: Encoder | None = None,
    bridge: Path_ | None = None,
) -> Found:
    """Return what the version that answers finds for texts.

    They are encoded by `encoder`, or by the one that the index remembers. Where its space is not the
    index's, the `bridge` in a file, or one kept beside the index, lays them over, or else they are
    refused: DataError. An empty text finds nothing.
    """
    index = path if isinstance(path, Index) else open_index(path)
    asked = list(queries)
    if not asked:
        raise UsageError("give a text to look for")
    version = index.version().name
    made = encoder_of(index, encoder)
    space = _space(made, index)
    over = None if bridge is None else Bridge.load(bridge)
    stands = index.standing(space, bridge=over)
    vectors = np.nan_to_num(encode(made, asked))
    hits = index.search(vectors, min(k, max(1, len(index))), space=space, bridge=over)
    names = sorted({each for row in hits.ids for each in row if each is not None})
    texts = index.texts(names)
    if index.version().name != version:  # another process switched: hits and texts may be of two
        return search_index(index, asked, k=k, encoder=encoder, bridge=bridge)
    found = tuple(
        tuple(
            {"id": name, "cosine": round(float(score), 4), "text": texts.get(name)}
            for name, score in zip(ids, scores, strict=True)
            if name is not None
        )
        for ids, scores in zip(hits.ids.tolist(), hits.scores, strict=True)
    )
    notes = [stands.says] if stands.says else []
    empty = int((~vectors.any(axis=1)).sum())
    if empty:
        notes.append(f"{empty:,} of {len(asked):,} queries have no vector, and found nothing")
    return Found(version, tuple(asked), found, _cut_off(index, notes))


def keep_bridge(path: Path_ | Index, bridge: Path_) -> str:
    """Keep a saved bridge beside an index, whose spaces it leads to; return a line that says so.

    Raises DataError where it leads elsewhere.
    """
    index = path if isinstance(path, Index) else open_index(path)
    made = Bridge.load(bridge)
    for own in index.version().spaces:
        if compare_spaces(made.target, own) is Match.FOREIGN:
            raise DataError(
                f"{os.fspath(bridge)} leads to {space_label(made.target)}, and {index.folder} is of "
                f"{space_label(own)}: no query would go over it"
            )
    index.keep_bridge(made.to_bytes())
    return f"queries of {space_label(made.source)} go over it to {space_label(made.target)}"


def _space(encoder: Embeds, index: Index) -> str:
    """Return the space of an encoder: its name, where that is what the user called the index's."""
    return encoder.name if encoder.name in index.version().spaces else str(fingerprint(encoder))


def _opened(encoder: Encoder, given: Listed) -> Embeds:
    found = open_encoder(os.fspath(encoder) if isinstance(encoder, os.PathLike) else encoder)
    if not isinstance(found, Fits):
        return found
    if given.texts is None:
        raise UsageError(f"{found.name} is made of texts: say which column holds them (text)")
    return found.fitted(given.texts)


def _vectors(
    given: Listed, encoder: Embeds | None, progress: Progress | None
) -> tuple[Matrix, list[str]]:
    """Return the vectors of documents, NaN where there is none, and what to know of them."""
    notes = list(given.notes)
    if given.vectors is not None:
        return given.vectors, notes
    assert encoder is not None
    assert given.texts is not None
    steady = steadiness(encoder, [each for each in given.texts if each]).note(encoder.name)
    notes += [] if steady is None else [steady]
    rows = encode(encoder, given.texts, tick=ticker(progress, "encoding", len(given.texts)))
    empty = np.array([each is None or not each.strip() for each in given.texts], np.bool_)
    rows[empty] = np.nan
    kept = "kept without a vector, and no search finds them"
    if empty.any():
        notes.append(f"{int(empty.sum()):,} of {len(rows):,} documents have no text: {kept}")
    blind = int((~rows.any(axis=1)).sum())
    if blind:
        notes.append(
            f"{blind:,} of {len(rows):,} documents have a vector of zeros from {encoder.name}, "
            "so no search finds them"
        )
    return rows, notes


def _cut_off(index: Index, notes: Sequence[str]) -> tuple[str, ...]:
    if index.cut_off is None:
        return tuple(notes)
    what = f"{index.cut_off}: run `undertow index verify {index.folder}`"
    return (*notes, what)


def switch_index(path: Path_, version: str) -> tuple[str, str]:
    """Let a version, or a tag's, answer; return the one that did before, and the one that does now.

    It mends an index whose pointer is damaged: such a one can be opened for nothing else.
    """
    write.expect(Path(path))
    index = Index(Path(path))
    return index.switch(version), versions.resolve(Path(path), version)


def rollback_index(path: Path_) -> tuple[str, str]:
    """Let the version answer that did before; return the one that did till now, and the one that does.

    The one that is left may be damaged: that is what a rollback is for.
    """
    write.expect(Path(path))
    index = Index(Path(path))
    before = versions.read_pointer(Path(path)).version
    return before, index.rollback()


def read_queries(data: Any, column: str | None = None) -> list[str]:
    """Return the texts to look for in a file, by the usual names of their column or the one given.

    Raises UsageError where there is no such column.
    """
    rows = open_dataset(data)
    names = rows.arrow.names
    lower = {name.lower(): name for name in reversed(names)}
    found = column or next(
        (lower[each] for each in COLUMNS["query_text"][1] if each in lower), None
    )
    if found is None or found not in names:
        hint = did_you_mean(found or "query", names)
        what = f"no column {found!r}" if found else "no column is called query or text"
        raise UsageError(f"{rows.source}: {what}{hint}; say which with --text COLUMN")
    texts: list[str] = []
    for batch in rows.batches([found]):
        texts += [each or "" for each in to_text(batch.column(0)).to_pylist()]
    return texts
