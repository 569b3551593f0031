"""The record of an index: Parquet files of documents, which are the truth and never change.

One row a document: `id`, `text`, `vector` as it was given (float32, null where there is none), `space`,
and `digest`, a hash of the row. Anything can read them; everything else in an index is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from undertow.core.encode import Matrix
from undertow.core.errors import DataError
from undertow.core.hashing import Hashes, hash_rows, hash_strings, mix
from undertow.index import durable
from undertow.index.versions import Segment

SEGMENTS = "segments"
GROUP = 16_384
"""Rows a row group holds."""


@dataclass(frozen=True, eq=False)
class Documents:
    """Documents to keep, or kept: ids (n,), texts, vectors (n, d) as given, and their spaces.

    A row of vectors that is all NaN is a document without a vector.
    """

    ids: pa.Array
    texts: pa.Array
    vectors: Matrix
    spaces: tuple[str, ...]
    space: NDArray[np.int32]

    @classmethod
    def of(
        cls, ids: Sequence[str], vectors: Matrix, texts: Sequence[str | None] | None, space: str
    ) -> Documents:
        """Return documents of one space; raise DataError for what is no text."""
        try:
            names = pa.array(ids, pa.string())
            made = pa.nulls(len(ids), pa.large_string())
            if texts is not None:
                made = pa.array(texts, pa.large_string())
        except (UnicodeEncodeError, pa.ArrowException, TypeError) as error:
            raise DataError(f"an id or a text cannot be written: {error}") from error
        return cls(names, made, vectors, (space,), np.zeros(len(ids), np.int32))

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self.ids)

    def take(self, rows: NDArray[Any]) -> Documents:
        """Return some of the documents."""
        at = pa.array(rows, pa.int64())
        return Documents(
            self.ids.take(at),
            self.texts.take(at),
            self.vectors[rows],
            self.spaces,
            self.space[rows],
        )

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which documents have no vector; shape (n,)."""
        return np.asarray(np.isnan(self.vectors).all(axis=1))

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which documents a search can find: their vectors are finite and not zero; shape (n,)."""
        with np.errstate(over="ignore"):
            return np.asarray(np.isfinite(self.vectors).all(axis=1) & self.vectors.any(axis=1))

    @property
    def digests(self) -> Hashes:
        """A hash of each row: its id, its text and its vector; shape (n,)."""
        found = mix(hash_strings(self.ids)) + hash_strings(self.texts)
        return mix(mix(found) + hash_rows(self.vectors))


def joined(parts: Sequence[Documents]) -> Documents:
    """Return the documents of several parts as one."""
    spaces = tuple(dict.fromkeys(name for part in parts for name in part.spaces))
    codes = [np.array([spaces.index(name) for name in part.spaces], np.int32) for part in parts]
    return Documents(
        pa.concat_arrays([part.ids for part in parts]),
        pa.concat_arrays([part.texts for part in parts]),
        np.concatenate([part.vectors for part in parts]),
        spaces,
        np.concatenate([code[part.space] for code, part in zip(codes, parts, strict=True)]),
    )


def write(folder: Path, name: str, documents: Documents) -> Segment:
    """Write a segment, and return what a manifest says of it."""
    d = documents.vectors.shape[1]
    cells = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(documents.vectors).ravel()),
        d,
        mask=pa.array(documents.missing),
    )
    space = pa.DictionaryArray.from_arrays(
        pa.array(documents.space), pa.array(documents.spaces, pa.string())
    )
    table = pa.table(
        {
            "id": documents.ids,
            "text": documents.texts,
            "vector": cells,
            "space": space,
            "digest": pa.array(documents.digests),
        }
    )
    with (
        durable.placed(folder / SEGMENTS / f"{name}.parquet") as file,
        pq.ParquetWriter(
            file,
            table.schema,
            compression={"id": "zstd", "text": "zstd", "vector": "none", "space": "zstd"},
            use_dictionary=["space"],
            write_statistics=False,
        ) as writer,
    ):
        writer.write_table(table, row_group_size=GROUP)
        writer.close()
        size, digest = file.size, file.digest
    return Segment(name, len(documents), int(documents.found.sum()), size, digest)


def read(folder: Path, segment: Segment) -> Documents:
    """Return the documents of a segment; raise DataError where it is gone or damaged."""
    return documents_of(columns(folder, segment, ["id", "text", "vector", "space"]))


def columns(folder: Path, segment: Segment, names: Sequence[str]) -> pa.Table:
    """Return some columns of a segment; raise DataError where it is gone or damaged."""
    path = folder / SEGMENTS / f"{segment.name}.parquet"
    try:
        with pa.memory_map(str(path)) as file:
            table = pq.ParquetFile(file).read(list(names), use_threads=False)
        table.validate(full=True)
        _expected(table, names)
    except FileNotFoundError:
        raise DataError(
            f"{path} is gone: restore it, or roll back to a version without it"
        ) from None
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        what = str(error).split("\n")[0][:120]
        raise DataError(f"{path} is damaged ({what}): restore it, or roll back") from error
    if len(table) != segment.rows:
        raise DataError(f"{path} holds {len(table):,} rows, and {segment.rows:,} were written")
    return table


def _expected(table: pa.Table, names: Sequence[str]) -> None:
    """Raise KeyError or TypeError where a column is not there, or is not of its type."""
    for name in names:
        kind = table[name].type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if name == "vector":
            fine = pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type)
        elif name == "digest":
            fine = pa.types.is_uint64(kind)
        else:
            fine = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not fine:
            raise TypeError(f"{name} is of type {kind}")


def documents_of(table: pa.Table) -> Documents:
    """Return the documents of a segment's table."""
    cells = table["vector"].combine_chunks()
    if isinstance(cells, pa.ChunkedArray):  # a table without rows
        cells = pa.array([], table["vector"].type)
    d = cells.type.list_size
    flat = np.asarray(cells.values)[cells.offset * d : (cells.offset + len(cells)) * d]
    vectors = flat.reshape(len(cells), d)
    if cells.null_count:
        vectors = vectors.copy()
        vectors[~np.asarray(cells.is_valid())] = np.nan
    space = table["space"].combine_chunks()
    if not pa.types.is_dictionary(space.type):
        space = space.dictionary_encode()
    return Documents(
        _one(table["id"]).cast(pa.string()),
        _one(table["text"]).cast(pa.large_string()),
        np.asarray(vectors, np.float32),
        tuple(space.dictionary.to_pylist()),
        np.asarray(space.indices, np.int32),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    made = column.combine_chunks()
    return made if isinstance(made, pa.Array) else pa.array([], column.type)
