"""A CSV file is parsed once into the spool, each column of a type that holds all its values.

Types are guessed from the first block; where a later value does not fit, the whole file is
surveyed and read again. An empty cell and the usual words for it (NA, NULL, NaN, n/a) are missing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from undertow.sources.dialect import (
    THEN,
    Dialect,
    open_bytes,
    refuse_encoding,
    refuse_ragged,
    sniff,
)
from undertow.sources.edge import join
from undertow.sources.spool import Spool, SpooledPart
from undertow.sources.words import reading

_BLOCK, _LARGE_BLOCK = 1 << 20, 64 << 20
"""Bytes parsed at a time: a row must fit into a block, so a larger one is tried if it does not."""

Types = Mapping[str, pa.DataType]


@dataclass(frozen=True)
class Parsed:
    """One delimited file in the spool, and how it was written."""

    path: Path
    part: SpooledPart
    dialect: Dialect


def open_delimited(paths: Sequence[Path], spool: Spool) -> list[Parsed]:
    """Parse delimited files, each column of one type over all of them."""
    parsed = [_parse(path, sniff(path), {}, spool) for path in paths]
    agreed: dict[str, pa.DataType] = {}
    for each in parsed:
        for field in each.part.arrow:
            known = agreed.get(field.name, pa.null())
            agreed[field.name] = join(known, field.type) or pa.string()
    return [
        each
        if all(field.type in {agreed[field.name], pa.null()} for field in each.part.arrow)
        else _parse(each.path, each.dialect, agreed, spool)
        for each in parsed
    ]


def _parse(path: Path, dialect: Dialect, types: Types, spool: Spool) -> Parsed:
    """Write one file to the spool; widen what does not fit, once by survey and then to text."""
    start = spool.end
    block = _BLOCK
    surveyed = False
    while True:
        spool.rewind(start)
        try:
            return Parsed(path, _spool(path, dialect, types, block, spool), dialect)
        except _Unfit as misfit:
            if surveyed:
                types = {**types, dialect.names[misfit.column]: pa.string()}
            else:
                types, surveyed = _survey(path, dialect, block), True
        except _TooLongError:
            block = _LARGE_BLOCK


class _Unfit(Exception):
    """A value did not fit the type guessed for its column."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column


class _TooLongError(Exception):
    """A row did not fit into a block."""


def _spool(path: Path, dialect: Dialect, types: Types, block: int, spool: Spool) -> SpooledPart:
    batches = _stream(path, dialect, types, block)
    first = next(batches)
    part = spool.write(str(path), first.schema, itertools.chain([first], batches))
    _refuse_unclosed(path, dialect, part)
    return part


def _stream(path: Path, dialect: Dialect, types: Types, block: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file as it is parsed; at least one batch, which may be empty."""
    schema = pa.schema([(name, types.get(name, pa.null())) for name in dialect.names])
    if dialect.header_only:
        yield pa.RecordBatch.from_pylist([], schema)
        return
    with reading(str(path), THEN):
        try:
            with open_bytes(path) as stream:
                reader = csv.open_csv(
                    stream,
                    read_options=csv.ReadOptions(
                        use_threads=False,
                        block_size=block,
                        column_names=list(dialect.names),
                        skip_rows_after_names=dialect.blank_lines + 1,
                    ),
                    parse_options=csv.ParseOptions(
                        delimiter=dialect.delimiter,
                        newlines_in_values=True,
                        ignore_empty_lines=len(dialect.names) > 1,
                    ),
                    convert_options=csv.ConvertOptions(
                        column_types=dict(types),
                        strings_can_be_null=True,
                        decimal_point=dialect.decimal,
                    ),
                )
                if any(pa.types.is_binary(kind) for kind in reader.schema.types):
                    refuse_encoding(path)
                yield pa.RecordBatch.from_pylist([], reader.schema)
                yield from reader
        except pa.ArrowInvalid as error:
            _refuse(path, dialect, str(error), block)
            raise


def _refuse(path: Path, dialect: Dialect, message: str, block: int) -> None:
    """Raise what an error of the parser means; return where it means nothing known."""
    if unfit := re.search(r"In CSV column #(\d+): .*conversion error", message):
        if "UTF8" in message:
            refuse_encoding(path)
        raise _Unfit(int(unfit.group(1)))
    if "straddl" in message and block < _LARGE_BLOCK:
        raise _TooLongError
    refuse_ragged(path, dialect)


def _refuse_unclosed(path: Path, dialect: Dialect, part: SpooledPart) -> None:
    """Raise where the last value swallowed the end of the file because its quote never closes."""
    last = None
    for batch in part.read([dialect.names[-1]]):
        last = batch.column(0)[-1].as_py() if batch.num_rows else last
    if isinstance(last, str) and "\n" in last:
        refuse_ragged(path, dialect)


_CLOCK = r"^[0-2]\d:[0-5]\d(:[0-5]\d)?$"
_CANDIDATES: tuple[pa.DataType, ...] = (
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    pa.timestamp("s"),
    pa.timestamp("s", "UTC"),
    pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"),
    pa.float64(),
)


def _survey(path: Path, dialect: Dialect, block: int) -> dict[str, pa.DataType]:
    """Return for every column the narrowest type that holds all its values."""
    text = dict.fromkeys(dialect.names, pa.string())
    left = {name: list(_CANDIDATES) for name in dialect.names}
    filled: set[str] = set()
    for batch in _stream(path, dialect, text, block):
        for name in dialect.names:
            values = batch.column(name).drop_null()
            if len(values):
                filled.add(name)
                left[name] = [kind for kind in left[name] if _fits(values, kind, dialect)]
    return {
        name: (left[name] or [pa.string()])[0] if name in filled else pa.null()
        for name in dialect.names
    }


def _fits(values: pa.Array, kind: pa.DataType, dialect: Dialect) -> bool:
    values = pc.utf8_trim_whitespace(values)
    if pa.types.is_boolean(kind):
        words = pa.array(["true", "false", "True", "False", "TRUE", "FALSE", "0", "1"])
        return bool(pc.all(pc.is_in(values, words)).as_py())
    if pa.types.is_time(kind):
        return bool(pc.all(pc.match_substring_regex(values, _CLOCK)).as_py())
    if pa.types.is_floating(kind) and dialect.decimal != ".":
        values = pc.replace_substring(values, dialect.decimal, ".")
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
