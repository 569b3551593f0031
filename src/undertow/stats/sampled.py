"""What a sample of rows can say: how many rows it is worth, single numbers in it, a few to look at.

A sample holds distinct rows, each with how often it occurred. Below its capacity that is the whole
table; above, a row that occurred a thousand times is one draw, not a thousand.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.profile import EVERY, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.values import to_floats, to_text
from undertow.stats.counts import Floats
from undertow.summaries.sample import RowSample

CELLS = 5
"""Columns of a row that an example shows."""
PICTURE = "data:image/"
"""How a thumbnail starts among the values of an example."""
SHOWN = 80
"""Characters of a cell that an example shows."""


def kept(profile: Profile) -> RowSample:
    """Return the sample of a profile's rows, an empty one where none was kept."""
    return profile.get(RowSample, *EVERY) or RowSample()


def whole(sample: RowSample) -> bool:
    """Tell whether the sample holds every row, so that what it says is exact.

    >>> whole(RowSample())
    True
    """
    return len(sample.keys) < sample.k


def worth(sample: RowSample) -> float:
    """Return how many independent rows each row of the sample's weight counts for, 1 where exact.

    Kish (1965): the rows a weighted sample is worth are (sum w)^2 / sum w^2.
    """
    weights = sample.multiplicity
    if whole(sample) or not len(weights):
        return 1.0
    return float(weights.sum() / np.square(weights).sum())


def numbers(sample: RowSample, column: str) -> Floats:
    """Return a column of the sampled rows as floats, NaN where missing; empty where it is gone."""
    if sample.kept.schema.get_field_index(column) < 0:
        return np.empty(0)
    return to_floats(sample.kept.column(column).combine_chunks())


def texts(sample: RowSample, column: str) -> pa.Array:
    """Return a column of the sampled rows as strings, null where missing."""
    return to_text(sample.kept.column(column).combine_chunks())


def tallied(sample: RowSample, column: str) -> tuple[Floats, Floats, float]:
    """Return the distinct finite values, the rows of each, and all rows with a finite value.

    Rows are those the sample is worth, whole numbers where it is exact: a share of them has the
    noise of a share of so many rows.
    """
    values = numbers(sample, column)
    keep = np.isfinite(values)
    found, spots = np.unique(values[keep], return_inverse=True)
    weights = np.bincount(spots.ravel(), sample.multiplicity[keep], minlength=len(found))
    rows = np.asarray(weights * worth(sample), np.float64)
    return found, rows, float(rows.sum())


def examples(
    profile: Profile, column: str, chosen: NDArray[np.bool_] | None = None, most: int = 3
) -> tuple[dict[str, str], ...]:
    """Return a few of the sampled rows that are chosen: the column and any identifier, as text."""
    table = kept(profile).kept
    fields = table.schema
    if fields.get_field_index(column) < 0:
        return ()
    picked = (
        np.arange(min(most, table.num_rows)) if chosen is None else np.flatnonzero(chosen)[:most]
    )
    if not len(picked):
        return ()
    return told(profile, picked, (column,))


def told(
    profile: Profile, picked: NDArray[np.intp], first: tuple[str, ...] = ()
) -> tuple[dict[str, str], ...]:
    """Return sampled rows as text: the columns that come first, and what tells most beside them."""
    table = kept(profile).kept
    around = _told_with(profile.schema, first[0] if first else "", table.schema)
    lead = first if len(first) > 1 else ()
    names = list(itertools.islice(dict.fromkeys([*lead, *around]), CELLS))
    rows = table.select(names).take(pa.array(picked, pa.int64()))
    cells = {name: shown(profile.schema, name, rows.column(name)) for name in names}
    return tuple({name: cells[name][spot] for name in names} for spot in range(len(picked)))


def _told_with(schema: Schema, column: str, fields: pa.Schema) -> Iterator[str]:
    """Yield the identifiers, the column, and what surrounds it, as far as it is in the sample.

    What surrounds a value tells most where it is text, then where it is what the model said.
    """
    seen: set[str] = set()
    for family in (
        lambda: schema.of(kind=Kind.IMAGE),
        lambda: schema.of(role=(Role.ID, Role.TIME)),
        lambda: (schema[column],) if column in schema else (),
        lambda: schema.of(kind=Kind.TEXT),
        lambda: schema.of(role=(Role.PREDICTION, Role.LABEL, Role.SEGMENT)),
        lambda: schema.of(kind=Kind.CATEGORY),
        lambda: schema,
    ):
        for name in [each.name for each in family()]:
            unread = name in schema and (schema[name].kind is Kind.VECTOR or _made(schema[name]))
            unread = unread and name != column
            if name not in seen and not unread and fields.get_field_index(name) >= 0:
                seen.add(name)
                yield name


def _made(column: Column) -> bool:
    """Tell whether a column was made of another, which says more."""
    return bool(column.origin)


def shown(schema: Schema, name: str, cells: pa.ChunkedArray) -> list[str]:
    """Return cells as people look at them: short texts, and thumbnails as addresses of their bytes."""
    image = name in schema and schema[name].kind is Kind.IMAGE
    if image and pa.types.is_binary(cells.type):
        return ["(missing)" if each is None else _picture(each) for each in cells.to_pylist()]
    listed: Iterable[str | None] = to_text(cells.combine_chunks()).to_pylist()
    return ["(missing)" if cell is None else _short(str(cell)) for cell in listed]


def _picture(thumbnail: bytes) -> str:
    form = "png" if thumbnail.startswith(b"\x89PNG") else "jpeg"
    return f"{PICTURE}{form};base64,{base64.b64encode(thumbnail).decode('ascii')}"


def _short(cell: str) -> str:
    return cell if len(cell) <= SHOWN else cell[: SHOWN - 1] + "…"
