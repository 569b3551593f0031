"""Vectors of two lengths or of two fingerprints are of two models: refused, never compared."""

from __future__ import annotations

import numpy as np

from undertow.core.dataset import Dataset
from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.errors import DataError
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.core.vectors import NULL, RAGGED


def same_dimension(plan: Profile, dataset: Dataset) -> None:
    """Raise DataError where most vectors of a column have another length than the reference's.

    The length is read from the type where it says so, else from the first rows that hold any. A few
    vectors of another length are no reason to refuse: they are counted and told (`quality.vectors`).

    >>> import pyarrow as pa
    >>> from undertow.core.schema import Schema
    >>> from undertow.lenses.vector import Vector
    >>> from undertow.sources import open_dataset
    >>> plan = Profile(Schema((Column("v", Kind.VECTOR),)), {}, lenses={"v": Vector(3)})
    >>> same_dimension(plan, open_dataset(pa.table({"v": [[1.0, 2.0]]})))
    Traceback (most recent call last):
    undertow.core.errors.DataError: pyarrow.Table: the vectors of 'v' have 2 numbers, ...
    """
    for column in plan.schema.of(kind=Kind.VECTOR):
        wanted = getattr(plan.lenses.get(column.name), "dimensions", 0)
        if not wanted or column.name not in dataset.arrow.names:
            continue
        found = _dimensions(column, dataset)
        if found and found != wanted:
            raise DataError(
                f"{dataset.source}: the vectors of {column.name!r} have {found:,} numbers, those of "
                f"the reference {wanted:,}: vectors of two models are not comparable; `undertow "
                f"compare-encoders` tells how far apart the models are"
            )


def same_space(reference: Profile, now: Profile) -> None:
    """Raise DataError where a column's vectors are known to be made by two encoders.

    An encoder's fingerprint is known where a profile was made with one, where the schema says it,
    or where the Arrow field of the column does (metadata `undertow.space`).
    """
    for column in reference.schema.of(kind=Kind.VECTOR):
        if column.name not in now.schema:
            continue
        one, other = column.space, now.schema[column.name].space
        if one and other and compare_spaces(one, other) is not Match.SAME:
            raise DataError(
                f"the vectors of {column.name!r} were made by {space_label(one)} in the reference "
                f"and by {space_label(other)} now: encode both sides by one encoder; `undertow "
                "compare-encoders` tells how far apart the two are"
            )


def _dimensions(column: Column, dataset: Dataset) -> int:
    """Return how long the vectors of a data set are, 0 where it holds none."""
    for batch in dataset.batches([column.name]):
        made = Values(column, batch.column(0)).vectors
        if np.any((made.state != NULL) & (made.state != RAGGED)):
            return made.dimensions
    return 0
