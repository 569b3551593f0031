"""An Arrow file (Feather 2, or a stream on disk) is read one of its own batches at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from undertow.core.errors import DataError
from undertow.sources.words import reading

_THEN = "write the file again, or read another"
_MAGIC = b"ARROW1"


@dataclass(frozen=True)
class ArrowPart:
    """One Arrow file; `indexed` where it ends in a footer, else a plain stream."""

    name: str
    path: Path
    arrow: pa.Schema
    indexed: bool

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the file's batches with these columns only."""
        fields = sorted(self.arrow.get_field_index(column) for column in columns)
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        with reading(self.name, _THEN), pa.OSFile(str(self.path)) as file:
            if not self.indexed:
                for batch in pa.ipc.open_stream(file, options=options):
                    batch.validate(full=True)
                    yield batch
                return
            reader = pa.ipc.open_file(file, options=options)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                batch.validate(full=True)
                yield batch

    def fingerprint(self) -> bytes | None:
        """Return None: an Arrow file keeps no statistics, so its bytes are hashed."""
        return None


def open_arrow(path: Path) -> ArrowPart:
    """Read the schema of an Arrow file."""
    name = str(path)
    with reading(name, _THEN), pa.OSFile(name) as file:
        start = file.read(6)
        if start.startswith(b"FEA1"):
            raise DataError(f"{name}: is Feather version 1; write it again as version 2")
        if not start:
            raise DataError(f"{name}: the file is empty; {_THEN}")
        file.seek(0)
        indexed = start == _MAGIC
        schema = (pa.ipc.open_file(file) if indexed else pa.ipc.open_stream(file)).schema
    return ArrowPart(name, path, schema.remove_metadata(), indexed)
