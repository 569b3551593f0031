"""Remember rows, and tell how their columns are read."""

from __future__ import annotations

from typing import Any, Unpack

from undertow.core.profile import Profile
from undertow.core.schema import Schema
from undertow.loop import Loop
from undertow.options import Options


def profile(
    data: Any, *, like: Any = None, where: str | None = None, **options: Unpack[Options]
) -> Profile:
    """Return the profile of some rows, under their own plan or the plan of `like`.

    >>> import pyarrow as pa
    >>> hours = [pa.table({"x": [1.0, 2.0]}), pa.table({"x": [3.0]})]
    >>> first = profile(hours[0])
    >>> (first + profile(hours[1], like=first)).rows
    3
    """
    return Loop.of(**options).profile(data, like=like, where=where)


def infer_schema(data: Any, *, where: str | None = None, **options: Unpack[Options]) -> Schema:
    """Return how the columns of some rows are read, and why.

    >>> import pyarrow as pa
    >>> infer_schema(pa.table({"age": [31, 42]}))["age"].why
    'its type is int64'
    """
    return Loop.of(**options).infer_schema(data, where=where)
