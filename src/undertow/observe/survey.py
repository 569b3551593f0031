"""The first look at a reference: which rows stand for it, and which numbers may be common.

Every setting of a plan is fitted on a survey. It does not depend on the order of the rows: a number
is suspected wherever it is common in *some* batch, which no common number escapes, and the exact
count taken afterwards settles it (`Histogram.settled`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.profile import EVERY, Batch, Profile
from undertow.core.schema import Kind, Schema
from undertow.core.summary import Need, Survey
from undertow.core.values import Values
from undertow.summaries.histogram import BINS
from undertow.summaries.sample import RowSample

_BUCKETS = 2**16


def take(
    schema: Schema, needs: Iterable[Need], batches: Iterable[pa.RecordBatch]
) -> tuple[Survey, Profile]:
    """Read the reference once; return the survey and the profile of what needs no fitting."""
    nothing = Survey(0, pa.table({}), np.empty(0, np.int64))
    wanted: list[Need] = [*needs, (EVERY, RowSample)]
    free = [(columns, kind) for columns, kind in wanted if not kind.fitted]
    profile = Profile.plan(schema, free, nothing, {})
    numbers = [column.name for column in schema.of(kind=(Kind.NUMBER, Kind.TIME))]
    heavy: dict[str, set[float]] = {name: set() for name in numbers}
    for batch in merged(batches):
        profile = profile.observe(batch)
        seen = Batch(profile, batch)
        for name in numbers:
            heavy[name].update(common(seen[name]).tolist())
    sample = profile.get(RowSample, *EVERY)
    assert sample is not None
    found = {name: np.array(sorted(values)) for name, values in heavy.items()}
    return Survey(profile.rows, sample.kept, sample.multiplicity, found), profile


def common(values: Values) -> NDArray[np.float64]:
    """Return the finite values that hold at least one bin's share of the batch, and two rows."""
    finite = values.finite
    least = max(2, len(finite) // BINS)
    if len(finite) < 2:
        return np.empty(0)
    keys = (values.hashes >> np.uint64(48)).astype(np.intp)
    counts = np.bincount(keys, minlength=_BUCKETS)
    crowded = counts >= least
    if not crowded.any():
        return np.empty(0)
    suspects = values.floats[crowded[keys]]
    found, times = np.unique(suspects[np.isfinite(suspects)], return_counts=True)
    return np.asarray(found[times >= least])


def merged(batches: Iterable[pa.RecordBatch], least: int = 32_768) -> Iterable[pa.Table]:
    """Join small batches, so that none is so small that every value in it looks common."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= least:
            yield _join(held)
            held, rows = [], 0
    if rows:
        yield _join(held)


def _join(held: Sequence[pa.RecordBatch]) -> pa.Table:
    if len(held) == 1:
        return pa.Table.from_batches(held)
    return pa.concat_tables(
        [pa.Table.from_batches([batch]) for batch in held], promote_options="permissive"
    ).combine_chunks()
