"""A Parquet file is read page by page, a small batch at a time, its repeated strings as codes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from undertow.core.dataset import BATCH_ROWS
from undertow.sources.words import reading

_BUFFER = 16_384
"""Bytes read ahead per column: without it pyarrow holds whole column chunks (91 MB at 1M x 20)."""
_BATCH_BYTES = 2 << 20
"""Bytes of a batch: it stays in the cache, and 5,000 columns do not fill the memory."""
_FEWEST_ROWS = 1024
_DICTIONARY_BYTES = 65_536
_CODE_BYTES = 1.7
_SAMPLES, _SAMPLE_BYTES = 16, 4096
_THEN = "write the file again, or read another"


@dataclass(frozen=True)
class ParquetPart:
    """One Parquet file."""

    name: str
    path: Path
    arrow: pa.Schema
    dictionaries: tuple[str, ...]
    row_bytes: dict[str, float]

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with these columns; see bench/reading.py for why it is read this way."""
        wanted = sum(self.row_bytes.get(column, 0.0) for column in columns)
        rows = int(min(BATCH_ROWS, max(_FEWEST_ROWS, _BATCH_BYTES / max(wanted, 1.0))))
        with reading(self.name, _THEN), _open(self.path, self.dictionaries) as file:
            for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
                _refuse_no_text(batch)
                yield batch

    def fingerprint(self) -> bytes:
        """Hash the footer (sizes and statistics of every column chunk) and a few pieces of data."""
        with reading(self.name, _THEN), self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(size - 8)
            footer = min(size, 8 + int.from_bytes(file.read(4), "little"))
            hasher = hashlib.blake2b(str(size).encode(), digest_size=16)
            file.seek(size - footer)
            hasher.update(file.read())
            for sample in range(_SAMPLES):
                file.seek((size - footer) * sample // _SAMPLES)
                hasher.update(file.read(_SAMPLE_BYTES))
        return hasher.digest()


def open_parquet(path: Path) -> ParquetPart:
    """Read the footer of a Parquet file and decide how its columns are read."""
    name = str(path)
    with reading(name, _THEN), _open(path, ()) as file:
        schema = file.schema_arrow.remove_metadata()
        dictionaries, row_bytes = _plan(file, schema)
    with reading(name, _THEN), _open(path, dictionaries) as file:
        schema = file.schema_arrow.remove_metadata()
    return ParquetPart(name, path, schema, dictionaries, row_bytes)


def _refuse_no_text(batch: pa.RecordBatch) -> None:
    """Raise where text is not UTF-8, as some writers leave it: 2 ms for a million rows of codes."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            if pa.types.is_dictionary(field.type):
                column.dictionary.validate(full=True)
            elif not pa.types.is_primitive(field.type):
                column.validate(full=True)
        except pa.ArrowInvalid as error:
            raise pa.ArrowInvalid(f"column {field.name!r}: {error}") from error


def _open(path: Path, dictionaries: Sequence[str]) -> pq.ParquetFile:
    return pq.ParquetFile(
        path, read_dictionary=list(dictionaries), pre_buffer=False, buffer_size=_BUFFER
    )


def _plan(file: pq.ParquetFile, schema: pa.Schema) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return the string columns whose pages hold codes only, and the bytes of a row by column.

    A column chunk that gave up its dictionary half way holds plain strings: to read those as codes
    costs five times the CPU and a dictionary that grows without bound. The footer does not say so,
    but then the chunk takes more bytes than codes could. Three row groups stand for all, and a row
    of each is read first: pyarrow 26 ends the process where it is asked for a damaged footer's
    details, but reports them as an error where it reads.
    """
    footer = file.metadata
    last = footer.num_row_groups - 1
    groups = sorted({0, last // 2, last}) if last >= 0 else []
    for group in groups:
        next(file.iter_batches(1, row_groups=[group], use_threads=False), None)
    rows = max(sum(footer.row_group(group).num_rows for group in groups), 1)
    strings = {
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    }
    plain = set() if footer.num_rows >= footer.num_row_groups * 8192 else set(strings)
    row_bytes: dict[str, float] = dict.fromkeys(schema.names, 0.0)
    for group in groups:
        for index in range(footer.num_columns):
            chunk = footer.row_group(group).column(index)
            root = chunk.path_in_schema.split(".")[0]
            root = chunk.path_in_schema if chunk.path_in_schema in row_bytes else root
            row_bytes[root] = row_bytes.get(root, 0.0) + chunk.total_uncompressed_size / rows
            if root in strings and root not in plain and not _codes_only(chunk):
                plain.add(root)
    for field in schema:
        if pa.types.is_primitive(field.type):
            row_bytes[field.name] = max(row_bytes[field.name], field.type.bit_width / 8)
    codes = tuple(name for name in schema.names if name in strings and name not in plain)
    return codes, row_bytes | dict.fromkeys(codes, 4.0)


def _codes_only(chunk: pq.ColumnChunkMetaData) -> bool:
    if not chunk.num_values:
        return True
    if not chunk.has_dictionary_page:
        return False
    dictionary = chunk.data_page_offset - chunk.dictionary_page_offset
    most = 2 * _DICTIONARY_BYTES + _CODE_BYTES * chunk.num_values
    return bool(dictionary <= _DICTIONARY_BYTES and chunk.total_uncompressed_size <= most)
