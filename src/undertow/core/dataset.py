"""A dataset is rows that can be read more than once, a batch at a time, and never all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import pyarrow as pa

BATCH_ROWS = 65_536
"""Rows a batch holds at most: small enough for the cache, large enough that Python costs nothing."""


@runtime_checkable
class Dataset(Protocol):
    """Rows from a file, a folder, a query or a frame; every source looks like this.

    `source` is what a person would call it (a path, a query, "pandas.DataFrame"). `arrow` is its
    Arrow schema, column names unique.
    """

    source: str
    arrow: pa.Schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns; raise DataError."""
        ...

    def digest(self) -> str | None:
        """Return a fast digest of the bytes behind the rows, or None for rows in memory."""
        ...
