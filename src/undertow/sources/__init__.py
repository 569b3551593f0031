"""Where rows come from: whatever the user has, behind one door, a batch at a time."""

from __future__ import annotations

import os
from typing import Any

from undertow.core.dataset import Dataset
from undertow.core.errors import UsageError
from undertow.sources.edge import Parts, unify
from undertow.sources.files import open_files
from undertow.sources.frames import called, is_frame, open_frame

__all__ = ["open_dataset"]


def open_dataset(data: Any, *, where: str | None = None, name: str | None = None) -> Dataset:
    """Return the rows of a path, a folder, a glob, SQL text or a frame as a Dataset.

    >>> import pyarrow as pa
    >>> rows = open_dataset(pa.table({"age": [31, 42]}))
    >>> rows.source, [batch.to_pydict() for batch in rows.batches(["age"])]
    ('pyarrow.Table', [{'age': [31, 42]}])
    """
    return _open(data, name)


def _open(data: Any, name: str | None) -> Dataset:
    if isinstance(data, str | os.PathLike):
        return open_files(data, name)
    if is_frame(data):
        shown = name or called(data)
        part = open_frame(data, shown)
        return Parts(shown, unify([part]), (part,), lambda: None)
    if isinstance(data, Dataset):
        return data
    raise UsageError(
        f"cannot read rows from {called(data)}; give a path, a folder, a glob, SQL or a frame"
    )
