"""Where rows come from: whatever the user has, behind one door, a batch at a time."""

from __future__ import annotations

import os
from typing import Any

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError
from undertow.sources.edge import Part, Parts, unify
from undertow.sources.files import open_files
from undertow.sources.frames import called, is_frame, open_frame
from undertow.sources.gathered import gathered, spelled_columns, vector_names
from undertow.sources.query import is_sql, open_query
from undertow.sources.timesplit import split_by_time
from undertow.sources.where import both, only_where, split_by
from undertow.sources.words import one_line

__all__ = [
    "both",
    "gathered",
    "open_dataset",
    "spelled_columns",
    "split_by",
    "split_by_time",
    "vector_names",
]


def open_dataset(data: Any, *, where: str | None = None, name: str | None = None) -> Dataset:
    """Return the rows of a path, a folder, a glob, SQL text or a frame as a Dataset.

    >>> import pyarrow as pa
    >>> rows = open_dataset(pa.table({"age": [31, 42]}))
    >>> rows.source, [batch.to_pydict() for batch in rows.batches(["age"])]
    ('pyarrow.Table', [{'age': [31, 42]}])
    """
    rows = _open(data, name)
    return rows if where is None else only_where(rows, where)


def _open(data: Any, name: str | None) -> Dataset:
    if isinstance(data, str) and is_sql(data):
        shown = name or one_line(data)
        return _alone(open_query(data, shown), shown)
    if isinstance(data, str | os.PathLike):
        return open_files(data, name)
    if is_frame(data):
        shown = name or called(data)
        return _alone(open_frame(data, shown), shown)
    if isinstance(data, Dataset):
        return data
    if callable(getattr(data, "collect", None)):
        raise UsageError(f"{called(data)}: is not computed yet; call .collect() first")
    raise UsageError(
        f"cannot read rows from {called(data)}; give a path, a folder, a glob, SQL or a frame"
    )


def _alone(part: Part, name: str) -> Dataset:
    return Parts(name, unify([part]), (part,), lambda: None)
