"""A frame in memory is read where it lies; a stream that is read only once goes to the spool."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.sources.arrays import checked, to_arrow
from undertow.sources.edge import Part
from undertow.sources.spool import Spool
from undertow.sources.words import explain, one_line, reading

_THEN = "check the frame, or write it to Parquet and read that"


@dataclass(frozen=True)
class TablePart:
    """An Arrow table in memory."""

    name: str
    table: pa.Table

    @property
    def arrow(self) -> pa.Schema:
        """The table's schema."""
        return self.table.schema

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield views of the rows with these columns."""
        yield from self.table.select(list(columns)).to_batches()

    def fingerprint(self) -> bytes | None:
        """Return None: rows in memory have no digest."""
        return None


def open_frame(data: Any, name: str) -> Part:
    """Return the rows of anything that holds an Arrow stream, a mapping, or a list of rows."""
    with reading(name, _THEN):
        table = _in_memory(data, name)
        if table is not None:
            return TablePart(name, table.replace_schema_metadata(None))
        try:
            stream = pa.RecordBatchReader.from_stream(data)
            return Spool().write(name, stream.schema.remove_metadata(), _batches(stream))
        except (UndertowError, MemoryError):
            raise
        except Exception as error:  # whatever the library behind the stream raises
            raise DataError(explain(name, error, _THEN)) from error


def is_frame(data: Any) -> bool:
    """Say whether this is something `open_frame` reads."""
    if isinstance(data, type):
        return False
    known = Mapping | list | pa.RecordBatch | np.ndarray
    return hasattr(data, "__arrow_c_stream__") or isinstance(data, known)


def called(data: Any) -> str:
    """Return what a person would call an object.

    >>> called(pa.table({"a": [1]}))
    'pyarrow.Table'
    """
    kind = type(data)
    top = kind.__module__.partition(".")[0]
    return kind.__name__ if top == "builtins" else f"{top.lstrip('_')}.{kind.__name__}"


def _in_memory(data: Any, name: str) -> pa.Table | None:
    """Return what is in memory as a table, None for a stream that can be taken only once."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _from_pandas(data, name)
    if isinstance(data, Mapping):
        return _from_columns(data, name)
    if isinstance(data, list):
        return _from_rows(data, name)
    if isinstance(data, np.ndarray):
        return checked(name, data)
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.Table) or (polars is not None and isinstance(data, polars.DataFrame)):
        return pa.table(data)
    return None


def _batches(stream: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    schema = stream.schema.remove_metadata()
    for batch in stream:
        yield pa.record_batch(batch.columns, schema=schema)


def _from_pandas(frame: Any, name: str) -> pa.Table:
    """Return a pandas frame as a table; a named index is a column, an unnamed one is dropped.

    A column of mixed objects becomes text, each value as `str` writes it.
    """
    names = [str(column) for column in frame.columns]
    columns = [frame.iloc[:, place] for place in range(len(names))]
    for level, label in enumerate(frame.index.names):
        if label is not None and str(label) not in names:
            names.append(str(label))
            columns.append(frame.index.get_level_values(level).to_series())
    arrays = [_from_series(column) for column in columns]
    twice = [each for each in dict.fromkeys(names) if names.count(each) > 1]
    if twice:
        times = names.count(twice[0])
        raise DataError(f"{name}: {times} columns are called {twice[0]!r}; rename all but one")
    return pa.table(arrays, names=names)


def _from_series(column: Any) -> pa.Array | pa.ChunkedArray:
    if hasattr(column.dtype, "fill_value"):
        column = column.sparse.to_dense()  # Arrow has no sparse columns
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        missing = column.isna()
        texts = [None if gone else str(value) for value, gone in zip(column, missing, strict=True)]
        return pa.array(texts, pa.string())


def _from_columns(data: Mapping[Any, Any], name: str) -> pa.Table:
    if not data:
        raise UsageError(f"{name}: has no columns; give one list of values a column")
    arrays = {}
    for key, values in data.items():
        try:
            arrays[str(key)] = _from_values(values)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataError(
                f"{name}: column {str(key)!r} cannot be read ({one_line(error)}); make its values"
                f" of one type"
            ) from error
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key!r} {length}" for key, length in list(lengths.items())[:4])
        raise DataError(f"{name}: columns differ in length ({shown}); give all as many values")
    return pa.table(arrays)


def _from_values(values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind in "iuf":
        return to_arrow(values)
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)


def _from_rows(data: list[Any], name: str) -> pa.Table:
    if not data:
        raise UsageError(f"{name}: the list has no rows; give at least one, as a dictionary")
    if not all(isinstance(row, Mapping) for row in data):
        raise UsageError(f"{name}: rows must be dictionaries; or give a frame or a path")
    keys = list(dict.fromkeys(key for row in data for key in row))
    return _from_columns({key: [row.get(key) for row in data] for key in keys}, name)
