"""DuckDB as undertow uses it: one thread, little memory, no file of its own left behind."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from undertow.core.dataset import BATCH_ROWS
from undertow.sources.words import one_line

if TYPE_CHECKING:
    import duckdb

_MEMORY = "512MB"


@contextlib.contextmanager
def connected(*, files: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that may read files or nothing but what it is handed, and close it."""
    import duckdb

    spill = Path(tempfile.gettempdir(), f"undertow-{uuid.uuid4().hex}")
    settings: dict[str, Any] = {
        "threads": 1,
        "memory_limit": _MEMORY,
        "temp_directory": str(spill),
        "python_enable_replacements": False,
    }
    connection = duckdb.connect(config=settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        if not files:
            connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def reader(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """Run a query and return its rows as they come."""
    read: Any = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
    return read(BATCH_ROWS)


def said(error: BaseException) -> str:
    r"""Return the useful part of what DuckDB said, without its drawing of the query.

    >>> said(ValueError("Parser Error: syntax error at end of input\n\nLINE 1: SELECT"))
    'syntax error at end of input'
    """
    text = re.split(r"\n+LINE \d+:", str(error))[0]
    return one_line(re.sub(r"^(?:[A-Z][A-Za-z ]+ Error: )+", "", text))


def quoted(name: str) -> str:
    """Return a column name as SQL writes it.

    >>> print(quoted('the "best" one'))
    "the ""best"" one"
    """
    return '"' + name.replace('"', '""') + '"'
