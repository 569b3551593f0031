"""A reference with a time column, measured block by block in one pass: each row in its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.profile import EVERY, Profile
from undertow.core.values import is_text, to_floats
from undertow.stats.calendar import SECOND, Layout, Span

_EPOCHS = ((1e8, SECOND), (1e11, SECOND // 1000), (1e14, 1))
"""Plain numbers from these on count seconds, milliseconds and microseconds since 1970."""
_PLAIN = r"^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?\s*$"
_ZONED = r"^\s*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})\s*$"


def moments(array: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_], bool]:
    """Return times as microseconds since 1970, which of them are known, and whether they are dates.

    Numbers that are too small to count from 1970 only have an order.

    >>> times, known, dated = moments(pa.array(["1970-01-02", None, "soon"]))
    >>> int(times[0]) == 86_400_000_000, known.tolist(), dated
    (True, [True, False, False], True)
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    dated = True
    if is_text(array.type):
        plain = pc.if_else(pc.match_substring_regex(array, _PLAIN), array, None)
        zoned = pc.if_else(pc.match_substring_regex(array, _ZONED), array, None)
        floats = to_floats(pc.utf8_trim_whitespace(plain).cast(pa.timestamp("us")))
        told = to_floats(pc.utf8_trim_whitespace(zoned).cast(pa.timestamp("us", tz="UTC")))
        floats = np.where(np.isfinite(floats), floats, told)
    else:
        floats = to_floats(array)
        if not pa.types.is_temporal(array.type):
            size = float(np.nanmin(floats)) if np.isfinite(floats).any() else 0.0
            unit = next((unit for least, unit in reversed(_EPOCHS) if size >= least), 0)
            dated = unit > 0
            floats = floats * (unit or SECOND)
    known = np.isfinite(floats) & (np.abs(floats) < 2.0**61)
    return np.where(known, floats, 0).astype(np.int64), known, dated


def span(dataset: Dataset, column: str) -> Span:
    """Return the span of a dataset's times; its length is 0 where there are none."""
    found = Span()
    for batch in dataset.batches([column]):
        times, known, dated = moments(batch.column(0))
        found += Span.of(times[known], dated=dated) if known.any() else Span()
    return found


def cut(
    dataset: Dataset, reference: Profile, layout: Layout, column: str, tick: Callable[[int], None]
) -> tuple[tuple[Profile, ...], Profile]:
    """Return one profile a block, and one of the rows in no block, all under the reference's plan.

    Samples of whole rows are left out: what is kept adds up to the reference otherwise.
    """
    plan = reference.empty()
    plan = replace(plan, parts={k: part for k, part in plan.parts.items() if k[0] != EVERY})
    found = [plan] * (len(layout.numbers) + 1)
    wanted = plan.sources(each.name for names, _ in plan.parts for each in plan.described(names))
    columns = [name for name in dataset.arrow.names if name in wanted or name == column]
    for batch in dataset.batches(columns):
        tick(batch.num_rows)
        times, known, _ = moments(batch.column(column))
        spots = np.where(known, layout.place(times), len(layout.numbers))
        for spot in np.unique(spots):
            rows = np.flatnonzero(spots == spot)
            part = batch if len(rows) == len(spots) else batch.take(pa.array(rows))
            found[spot] = found[spot].observe(part)
    return tuple(found[:-1]), found[-1]
