"""A stream that is read only once is written to a nameless temporary file, and read from there.

The file has no name (where the system allows it), so that nothing is left behind whatever happens.
"""

from __future__ import annotations

import io
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

import pyarrow as pa

from undertow.sources.words import reading

_THEN = "free some space or set TMPDIR to a larger disk"


class Spool:
    """One temporary file that holds any number of tables, each an Arrow IPC file.

    >>> spool = Spool()
    >>> batch = pa.record_batch({"a": [1, 2]})
    >>> part = spool.write("numbers", batch.schema, iter([batch]))
    >>> [each.to_pydict() for each in part.read(["a"])]
    [{'a': [1, 2]}]
    """

    def __init__(self) -> None:
        """Create the file; it goes when this object does, or with the process."""
        with reading("temporary file", _THEN):
            file = tempfile.TemporaryFile(prefix="undertow-", buffering=0)  # noqa: SIM115 - it outlives this call
        self.file: IO[bytes] = file
        weakref.finalize(self, file.close)
        self.lock = threading.Lock()
        self.end = 0

    def write(self, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> SpooledPart:
        """Write one table at the end of the file."""
        start = self.end
        window = _Window(self, start)
        with pa.PythonFile(window, "w") as sink:
            writer = pa.ipc.new_file(sink, schema)
            rows = 0
            for batch in batches:
                with reading("temporary file", _THEN):
                    writer.write_batch(batch)
                rows += batch.num_rows
            with reading("temporary file", _THEN):
                writer.close()
        self.end = start + window.furthest
        return SpooledPart(name, schema, rows, self, start, self.end)

    def rewind(self, end: int) -> None:
        """Forget what was written from here on."""
        self.end = end


@dataclass(frozen=True)
class SpooledPart:
    """One table in a spool."""

    name: str
    arrow: pa.Schema
    rows: int
    spool: Spool = field(repr=False)
    start: int = 0
    end: int = 0

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows again with these columns only."""
        fields = sorted(self.arrow.get_field_index(column) for column in columns)
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        with reading("temporary file", _THEN):
            window = pa.PythonFile(_Window(self.spool, self.start, self.end - self.start), "r")
            file = pa.ipc.open_file(window, options=options)
            for index in range(file.num_record_batches):
                yield file.get_batch(index)

    def fingerprint(self) -> bytes | None:
        """Return None: what is behind a stream cannot be known without reading it."""
        return None


class _Window(io.RawIOBase):
    """A stretch of the spool's file with a position of its own."""

    def __init__(self, spool: Spool, start: int, size: int = 0) -> None:
        super().__init__()
        self.spool, self.start, self.furthest, self.at = spool, start, size, 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at}.get(whence, self.furthest)
        return self.at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.furthest - self.at)
        size = left if size < 0 else min(size, left)
        chunks = []
        with self.spool.lock:
            self.spool.file.seek(self.start + self.at)
            while size > 0 and (chunk := self.spool.file.read(size)):
                chunks.append(chunk)
                self.at += len(chunk)
                size -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]  # any buffer will do
        done = 0
        with self.spool.lock:
            self.spool.file.seek(self.start + self.at)
            while done < len(view):
                done += self.spool.file.write(view[done:])
        self.at += done
        self.furthest = max(self.furthest, self.at)
        return done
