"""The two sides of a comparison of encoders: the texts, and the vectors that each side has of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.values import to_text
from undertow.core.vectors import Vectors, is_list, is_numeric, matrix
from undertow.options import Progress, ticker
from undertow.sources import gathered, open_dataset
from undertow.sources.frames import is_frame
from undertow.stats.neighbours import Matrix, unit

SAVED = frozenset(
    f".{kind}"
    for kind in (
        *("npy", "npz", "parquet", "parq", "pq", "arrow", "feather", "ipc", "arrows"),
        *("csv", "tsv", "jsonl", "ndjson", "json"),
    )
)
"""How the names of files with saved vectors end."""


@dataclass(frozen=True, eq=False)
class Anchors:
    """The anchors: every text, None where it is missing, and its label."""

    source: str
    texts: list[str | None]
    labels: list[str | None] | None
    progress: Progress | None


@dataclass(frozen=True, eq=False)
class Side:
    """One encoder, or the vectors it left: those of the anchors, and how to get those of other texts."""

    name: str
    vectors: Vectors
    digest: str | None
    space: str = ""
    encoder: Embeds | None = None
    known: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def embed(self, texts: Sequence[str], what: str) -> Matrix:
        """Return the vectors (n, d) of texts, of length 1; a saved side knows only its anchors."""
        if self.encoder is not None:
            return unit(encode(self.encoder, texts))
        missing = sum(each not in self.known for each in texts)
        if missing:
            raise UsageError(
                f"{self.name} holds the vectors of the anchors, and {missing:,} of {len(texts):,} "
                f"golden {what} are not among them; give an encoder, or add them to the anchors"
            )
        return unit(self.vectors.rows[[self.known[each] for each in texts]])


def read_anchors(
    data: Any, text: str, *, label: str | None, where: str | None, progress: Progress | None
) -> Anchors:
    """Return the texts, and the labels if asked for; raise UsageError for a column not there."""
    dataset = open_dataset(data, where=where)
    wanted = [text] if label is None else [text, label]
    for name in wanted:
        if name not in dataset.arrow.names:
            hint = did_you_mean(name, dataset.arrow.names)
            raise UsageError(f"{dataset.source}: no column {name!r}{hint}")
    parts: list[list[str | None]] = [[] for _ in wanted]
    for batch in dataset.batches(wanted):
        for place, name in enumerate(wanted):
            parts[place] += to_text(batch.column(name)).to_pylist()
    labels = None if label is None else parts[1]
    return Anchors(dataset.source, parts[0], labels, progress)


def is_saved(given: Any) -> bool:
    """Tell whether this is saved vectors and no encoder."""
    if not isinstance(given, str | os.PathLike):
        return is_frame(given)
    return Path(given).suffix.lower() in SAVED


def read_side(given: Any, rows: Anchors, vector: str | None) -> Side:
    """Return a side: an encoder, or a file or frame of its vectors, a row a text.

    Raises UsageError or DataError where it holds no vectors, or not one a row of the anchors.
    """
    if not is_saved(given):
        return _encoded(given, rows)
    dataset = open_dataset(given)
    if vector is not None:
        dataset, (name, *_) = gathered(dataset, [vector])
        if name not in dataset.arrow.names:
            hint = did_you_mean(name, dataset.arrow.names)
            raise UsageError(f"{dataset.source}: no column {name!r}{hint}")
    else:
        lists = [each.name for each in dataset.arrow if _holds_vectors(each.type)]
        if len(lists) != 1:
            names = ", ".join(map(repr, lists[:6]))
            what = f"several columns of vectors, {names}" if lists else "no column of vectors"
            raise UsageError(f"{dataset.source} holds {what}; name one with --vector COLUMN")
        name = lists[0]
    chunks = [batch.column(0) for batch in dataset.batches([name])]
    vectors = matrix(pa.chunked_array(chunks, dataset.arrow.field(name).type))
    if len(vectors) != len(rows.texts):
        raise DataError(
            f"{dataset.source} holds {len(vectors):,} vectors and {rows.source} {len(rows.texts):,} "
            "texts: give one vector for each row of the anchors, in their order"
        )
    known = {each: row for row, each in enumerate(rows.texts) if each is not None}
    return Side(dataset.source, vectors, dataset.digest(), known=known)


def _holds_vectors(kind: pa.DataType) -> bool:
    return is_list(kind) and is_numeric(kind.value_type)


def _encoded(given: Any, rows: Anchors) -> Side:
    opened = open_encoder(os.fspath(given) if isinstance(given, os.PathLike) else given)
    encoder: Embeds = opened.fitted(rows.texts) if isinstance(opened, Fits) else opened
    texts = [each for each in rows.texts if each is not None and each.strip()]
    note = steadiness(encoder, texts).note(encoder.name)
    made = fingerprint(encoder)
    vectors = encode(encoder, rows.texts, tick=ticker(rows.progress, encoder.name, len(rows.texts)))
    whole = matrix(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]))
    return Side(
        encoder.name, whole, made.id, str(made), encoder, notes=() if note is None else (note,)
    )
