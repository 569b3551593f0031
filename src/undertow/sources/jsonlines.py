"""A JSON lines file is parsed once into the spool, each column of a type that holds every value.

A key that some rows lack is missing there. A column that mixes kinds (1 and "one") becomes text, a
value that is not text as JSON writes it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from undertow.core.errors import DataError
from undertow.sources.dialect import THEN, chunks, head, refuse_encoding
from undertow.sources.edge import join
from undertow.sources.spool import Spool, SpooledPart
from undertow.sources.words import one_line

_BLOCK = 1 << 22
_LONGEST_LINE = 1 << 28
_DEEPEST = 200
_NO_OBJECT = re.compile(rb"\n[ \t\r]*[^{ \t\r\n]")
_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}\n"))

Types = dict[str, pa.DataType]


def open_json_lines(paths: Sequence[Path], spool: Spool) -> list[SpooledPart]:
    """Parse JSON lines files, each column of one type over all of them."""
    parts = [_parse(path, spool) for path in paths]
    types: Types = {}
    mixed: set[str] = set()
    for part in parts:
        _widen(types, mixed, dict(zip(part.arrow.names, part.arrow.types, strict=True)))
    if len(parts) == 1 or not types:
        return parts
    return [
        part
        if all(field.type in {types[field.name], pa.null()} for field in part.arrow)
        else _spool(path, types, mixed, spool)
        for path, part in zip(paths, parts, strict=True)
    ]


class _WiderError(Exception):
    """A block does not fit the types of the blocks before it."""


def _parse(path: Path, spool: Spool) -> SpooledPart:
    """Write one file to the spool as its first block has it, or else as all its blocks need it."""
    if head(path).lstrip().startswith(b"["):
        raise DataError(f"{path}: is a JSON array, not JSON lines; convert it: jq -c '.[]'")
    start = spool.end
    try:
        blocks = _blocks(path)
        first = _infer(path, *next(blocks))
        types = dict(zip(first.schema.names, first.schema.types, strict=True))
        schema = _schema(types)
        return spool.write(str(path), schema, _expect(path, first, blocks, types))
    except _WiderError:
        spool.rewind(start)
    types, mixed = {}, set[str]()
    for block in _blocks(path):
        try:
            table = _read(path, *block, None)
        except pa.ArrowInvalid:
            table = _slowly(path, *block, None, mixed)
        _widen(types, mixed, dict(zip(table.schema.names, table.schema.types, strict=True)))
    return _spool(path, types, mixed, spool)


def _infer(path: Path, line: int, block: bytes) -> pa.Table:
    try:
        table = _read(path, line, block, None)
    except pa.ArrowInvalid as error:
        for _ in _rows(path, line, block):
            pass
        raise _WiderError from error
    if any(_settled(kind) != kind for kind in table.schema.types):
        raise _WiderError
    return table


def _expect(
    path: Path, first: pa.Table, blocks: Iterator[tuple[int, bytes]], types: Types
) -> Iterator[pa.RecordBatch]:
    """Yield the blocks while they have the first one's types; raise where one does not."""
    yield from first.to_batches()
    schema = _schema(types)
    for line, block in blocks:
        table = _infer(path, line, block)
        for field in table.schema:
            if types.get(field.name) != field.type and not (
                field.name in types and pa.types.is_null(field.type)
            ):
                raise _WiderError
        yield from _fill(table, schema).to_batches()


def _spool(path: Path, types: Types, mixed: set[str], spool: Spool) -> SpooledPart:
    types = {name: pa.string() if name in mixed else _settled(kind) for name, kind in types.items()}

    def batches() -> Iterator[pa.RecordBatch]:
        for block in _blocks(path):
            if mixed:
                table = _slowly(path, *block, types, mixed)
            else:
                try:
                    table = _read(path, *block, types)
                except pa.ArrowInvalid:
                    table = _slowly(path, *block, types, mixed)
            yield from _fill(table, _schema(types)).to_batches()

    return spool.write(str(path), _schema(types), batches())


def _settled(kind: pa.DataType, *, in_list: bool = False) -> pa.DataType:
    """Return a type without nulls inside lists, which Arrow 26 makes broken; they become text."""
    if pa.types.is_null(kind):
        return pa.string() if in_list else kind
    if pa.types.is_list(kind):
        return pa.list_(_settled(kind.value_type, in_list=True))
    if pa.types.is_struct(kind):
        return pa.struct([(each.name, _settled(each.type, in_list=in_list)) for each in kind])
    return kind


def _schema(types: Types) -> pa.Schema:
    return pa.schema(list(types.items()))


def _depth(block: bytes) -> int:
    r"""Return how deep the brackets of any line are nested, those inside strings counted too.

    >>> _depth(b'{"a": [[1]]}\n{"a": []}')
    3
    """
    brackets = np.frombuffer(block.translate(None, _BUT_BRACKETS), np.uint8)
    opens = (brackets == ord("[")) | (brackets == ord("{"))
    ends = brackets == ord("\n")
    depth = np.cumsum(np.where(opens, 1, np.where(ends, 0, -1)))
    at_line = np.maximum.accumulate(np.where(ends, np.arange(len(depth)), 0))
    before = np.where(ends.any() & (at_line > 0), depth[at_line], 0) if len(depth) else depth
    return int((depth - before).max(initial=0))


def _fill(table: pa.Table, schema: pa.Schema) -> pa.Table:
    names = set(table.schema.names)
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _read(path: Path, line: int, block: bytes, types: Types | None) -> pa.Table:
    """Parse a block of whole lines as Arrow does, except what Arrow 26 is known to crash on."""
    if _NO_OBJECT.search(b"\n" + block[:99]) or _NO_OBJECT.search(block):
        raise pa.ArrowInvalid("a line that is no object: Arrow crashes on a first one that is null")
    if _depth(block) > _DEEPEST:
        raise pa.ArrowInvalid("nested so deep that Arrow runs out of stack")
    known = None
    if types is not None:
        known = _schema({name: kind for name, kind in types.items() if not pa.types.is_null(kind)})
    options = arrow_json.ParseOptions(explicit_schema=known, newlines_in_values=False)
    table = arrow_json.read_json(
        pa.BufferReader(block),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 16),
        parse_options=options,
    )
    table.validate()
    lines = block.count(b"\n")
    if table.num_rows != lines:
        lines = sum(1 for text in block.split(b"\n") if text.strip())
    if not len(table.schema) or table.num_rows != lines:
        raise pa.ArrowInvalid(f"not one object a line from line {line} of {path}")
    return table


def _slowly(path: Path, line: int, block: bytes, types: Types | None, mixed: set[str]) -> pa.Table:
    """Parse a block line by line, as text what mixes kinds."""
    rows = list(_rows(path, line, block))
    names = list(dict.fromkeys(key for row in rows for key in row) if types is None else types)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if name not in mixed:
            try:
                columns[name] = pa.array(values, types[name] if types is not None else None)
                continue
            except UnicodeEncodeError:
                raise DataError(
                    f"{path}: column {name!r} holds half a surrogate pair, which no text can;"
                    f" write it as UTF-8"
                ) from None
            except (pa.ArrowException, TypeError, OverflowError) as error:
                if types is not None:
                    raise DataError(
                        f"{path}: column {name!r} does not fit {types[name]} ({one_line(error)});"
                        f" write it as text"
                    ) from error
                mixed.add(name)
        columns[name] = pa.array([_as_text(value) for value in values], pa.string())
    if not names:
        raise DataError(f"{path}: its rows have no keys; {THEN}")
    return pa.table(columns)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _rows(path: Path, line: int, block: bytes) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(block.split(b"\n"), line):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}: line {number} is not JSON ({one_line(error)}); fix or remove that line"
            ) from None
        if not isinstance(row, dict):
            shown = text[:40].decode(errors="replace")
            raise DataError(
                f"{path}: line {number} is not an object but {shown!r}; write one {{...}} a line"
            )
        yield row


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, each with the number of its first line."""
    line, left = 1, [b""]
    start = True
    for chunk in chunks(path, _BLOCK):
        if start:
            chunk, start = chunk.removeprefix(codecs.BOM_UTF8), False  # noqa: PLW2901 - the first chunk sheds its BOM
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            left.append(chunk)
            if sum(map(len, left)) > _LONGEST_LINE:
                raise DataError(f"{path}: line {line} is longer than 256 MB; split it")
            continue
        block = b"".join([*left, chunk[:cut]])
        left = [chunk[cut:]]
        if block.strip():
            yield line, _utf8(path, block)
        line += block.count(b"\n")
    block = b"".join(left)
    if block.strip():
        yield line, _utf8(path, block)


def _utf8(path: Path, block: bytes) -> bytes:
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError:
            refuse_encoding(path)
    return block


def _widen(types: Types, mixed: set[str], found: Mapping[str, pa.DataType]) -> None:
    """Widen the known types, in place, so that they hold those of one more block or file."""
    for name, kind in found.items():
        known = types.get(name, pa.null())
        joined = _join(known, kind)
        if joined is None:
            mixed.add(name)
            joined = pa.string()
        types[name] = joined


def _join(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type that holds both; what JSON spells as a string fits a string.

    >>> _join(pa.timestamp("s"), pa.string()), _join(pa.int64(), pa.string())
    (DataType(string), None)
    """
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        inner: Types = {field.name: field.type for field in left}
        for field in right:
            joined = _join(inner.get(field.name, pa.null()), field.type)
            if joined is None:
                return None
            inner[field.name] = joined
        return pa.struct(list(inner.items()))
    if pa.types.is_list(left) and pa.types.is_list(right):
        joined = _join(left.value_type, right.value_type)
        return None if joined is None else pa.list_(joined)
    strings = [pa.types.is_string(each) or pa.types.is_timestamp(each) for each in (left, right)]
    if all(strings) and left != right:
        return pa.string()
    return join(left, right)
