"""How a text file is written: its compression, its encoding, its delimiter and its header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from undertow.core.errors import DataError
from undertow.sources.words import reading

_SAMPLE = 1 << 18
_CHUNK = 1 << 20
_DELIMITERS = ",;\t|"
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
THEN = "fix the file or export it again"
LARGEST_FIELD = 1 << 30
_FRACTION = re.compile(r"^\s*[+-]?\d+([.,])\d+\s*$")


@dataclass(frozen=True)
class Dialect:
    """How one delimited file is written; `names` are unique, `renamed` says which were not."""

    delimiter: str
    names: tuple[str, ...]
    blank_lines: int = 0
    renamed: tuple[str, ...] = ()
    header_only: bool = False
    decimal: str = "."


def open_bytes(path: Path) -> pa.NativeFile:
    """Open a file for streaming, decompressed if its name says so."""
    return pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower()))


def chunks(path: Path, size: int = _CHUNK) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file."""
    with reading(str(path), THEN), open_bytes(path) as stream:
        while chunk := stream.read(size):
            yield chunk


def head(path: Path) -> bytes:
    """Return the first bytes of a text file without its mark, refusing what cannot be text."""
    sample = b""
    for chunk in chunks(path, _SAMPLE):
        sample += chunk
        if len(sample) >= _SAMPLE:
            break
    if sample.startswith(_WIDE_MARKS):
        raise DataError(f"{path}: is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8")
    sample = sample.removeprefix(codecs.BOM_UTF8)
    if not sample.strip():
        raise DataError(f"{path}: the file is empty; export it again, or leave it out")
    if b"\0" in sample[:4096]:
        raise DataError(
            f"{path}: is not text; undertow reads Parquet, CSV, JSON lines, Arrow and NumPy"
        )
    return sample


def sniff(path: Path) -> Dialect:
    """Find the delimiter and the column names of a delimited file."""
    sample = head(path)
    text = sample.decode("utf-8", "replace")
    whole = len(sample) < _SAMPLE
    delimiter = max(_DELIMITERS, key=lambda each: _score(text, each, whole=whole))
    rows = list(_rows(text, delimiter))
    blank = next(place for place, row in enumerate(rows) if row)
    if "\ufffd" in "".join(rows[blank]):
        refuse_encoding(path)
    names, renamed = unique_names(rows[blank])
    below = rows[blank + 1 :]
    return Dialect(
        delimiter,
        names,
        blank,
        renamed,
        header_only=whole and not any(below),
        decimal=_decimal(delimiter, below),
    )


def _decimal(delimiter: str, rows: list[list[str]]) -> str:
    """Return how numbers are written: 1.5, or 1,5 where that is seen and a comma is free for it."""
    if delimiter == ",":
        return "."
    marks = {mark for row in rows for cell in row for mark in _FRACTION.findall(cell)}
    return "," if marks == {","} else "."


def unique_names(header: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the columns, a repeated one numbered, and a sentence on each renamed one.

    >>> unique_names(["a", "", "a"])[0]
    ('a', 'column_2', 'a.2')
    """
    taken = set(header)
    names: list[str] = []
    renamed = []
    seen: dict[str, int] = {}
    for place, name in enumerate(header, 1):
        count = seen[name] = seen.get(name, 0) + 1
        unique = name or f"column_{place}"
        number = max(count, 2)
        while unique in names or (unique != name and unique in taken):
            unique = f"{name or 'column'}.{number}"
            number += 1
        if unique != name:
            renamed.append(f"column {place} is called {name!r} and is read as {unique!r}")
        names.append(unique)
    return tuple(names), tuple(renamed)


def refuse_encoding(path: Path) -> None:
    """Raise with the place of the first byte that is not UTF-8; return where every byte is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line, pending = 0, 1, 0
    for chunk in chunks(path):
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            place = offset - pending + error.start
            line += (error.object[: error.start]).count(b"\n")
            raise DataError(
                f"{path}: byte {place} (line {line}) is 0x{error.object[error.start]:02x},"
                f" not UTF-8; convert the file: iconv -f WINDOWS-1252 -t UTF-8"
            ) from None
        pending = len(decoder.getstate()[0])
        offset += len(chunk)
        line += chunk[: len(chunk) - pending].count(b"\n")
    if decoder.getstate()[0]:
        raise DataError(f"{path}: ends in the middle of a character; {THEN}")


def refuse_ragged(path: Path, dialect: Dialect) -> None:
    """Raise with the first line that is wider or narrower than the header, or unclosed."""
    width = len(dialect.names)
    with (
        reading(str(path), THEN),
        io.TextIOWrapper(
            io.BufferedReader(_Raw(chunks(path))), "utf-8-sig", errors="replace", newline=""
        ) as text,
    ):
        rows = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        before = 0
        while True:
            try:
                row = _next(rows)
            except csv.Error as error:
                if "unexpected end" not in str(error):
                    return
                raise DataError(
                    f"{path}: line {before + 1} opens a quote that is never closed; fix that line"
                ) from None
            if row is None:
                return
            if row and len(row) != width:
                shown = dialect.delimiter.join(row)[:60]
                raise DataError(
                    f"{path}: line {before + 1} has {len(row)} values and the header {width}"
                    f" ({shown!r}); fix that line, or quote values that hold {dialect.delimiter!r}"
                )
            before = rows.line_num


class _Raw(io.RawIOBase):
    """The chunks of a file as a stream that the standard library reads."""

    def __init__(self, source: Iterator[bytes]) -> None:
        super().__init__()
        self.source, self.left = source, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed wants a buffer protocol
        self.left = self.left or next(self.source, b"")
        size = min(len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while (row := _next(rows)) is not None:
        yield row


def _next(rows: Iterator[list[str]]) -> list[str] | None:
    before = csv.field_size_limit(LARGEST_FIELD)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(before)


def _score(text: str, delimiter: str, *, whole: bool) -> tuple[float, int]:
    """Return how well a delimiter cuts the sample: the share of like rows, and their width."""
    widths = [len(row) for row in _rows(text, delimiter) if row]
    if not whole and len(widths) > 1:
        widths.pop()
    width = widths[0] if widths else 0
    if width < 2:
        return (0.0, 0)
    return (sum(each == width for each in widths) / len(widths), width)
