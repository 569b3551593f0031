"""Compare sets of rows, and tell what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from undertow.core.report import Report
from undertow.loop import Loop
from undertow.options import Options


def check(
    reference: Any,
    current: Any = None,
    *,
    where: str | None = None,
    reference_where: str | None = None,
    current_where: str | None = None,
    **options: Unpack[Options],
) -> Report:
    """Compare current with reference and return what changed, judged together.

    Each side is a path, folder or glob (Parquet, CSV, JSON lines, Arrow), SQL text, a frame (pandas,
    polars, pyarrow, DuckDB), or a saved profile. Conditions are SQL. Raises UndertowError where the
    data or an option is unusable.

    >>> import pyarrow as pa
    >>> before = pa.table({"p": ["yes", "no"] * 500})
    >>> now = pa.table({"p": ["yes"] * 800 + ["no"] * 200})
    >>> report = check(before, now, prediction="p")
    >>> report.verdict, report["p"].verdict
    (<Verdict.CHANGED: 'changed'>, <Verdict.CHANGED: 'changed'>)
    """
    return Loop.of(**options).check(
        reference,
        current,
        where=where,
        reference_where=reference_where,
        current_where=current_where,
    )


def skew(
    sets: Mapping[str, Any], *, where: str | None = None, **options: Unpack[Options]
) -> Report:
    """Compare named sets pairwise: where they differ, which rows they share, what tells them apart.

    >>> import pyarrow as pa
    >>> train = pa.table({"x": [float(n) for n in range(900)]})
    >>> test = pa.table({"x": [float(n) for n in range(880, 1780)]})
    >>> print(skew({"train": train, "test": test})["train→test: shared rows"].says)
    20 of 900 rows of test (2.2%) are also in train
    """
    return Loop.of(**options).skew(sets, where=where)
