"""One set becomes two at a moment: its last part, and what came before.

The moment is the (1 - share) quantile of the times themselves, so that the later part holds at most
that share of the rows that have a time; rows of one moment stay together, and rows without a time
stay in the earlier part. Nothing is sorted or kept: a histogram of the times, made finer around the
quantile at each reading of the column, finds it exactly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.sources.edge import project

_BINS = 1 << 16
_ZONE = r"(?:[zZ]|[+-]\d{2}:?\d{2})\s*$"


class TimePart:
    """The rows of a dataset before or after a moment."""

    def __init__(self, inner: Dataset, column: str, cut: int, *, later: bool) -> None:
        """Take a dataset, its time column, and the last moment of the earlier part."""
        self.source = f"{inner.source} ({'later' if later else 'earlier'} by {column})"
        self.arrow: pa.Schema = inner.arrow
        self.notes: tuple[str, ...] = tuple(getattr(inner, "notes", ()))
        self.inner, self.column, self.cut, self.later = inner, column, cut, later

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows again from the start, in order, only these columns."""
        wanted = project(self.arrow.names, columns, self.inner.source)
        return self._read(wanted)

    def _read(self, wanted: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.inner.batches(list(dict.fromkeys([*wanted, self.column]))):
            keys, known = _keys(batch.column(self.column), self.column, self.inner.source)
            after = known & (keys > self.cut)
            keep = after if self.later else ~after
            if keep.all():
                yield batch.select(wanted)
            elif keep.any():
                yield batch.filter(pa.array(keep)).select(wanted)

    def digest(self) -> str | None:
        """Return the digest of the dataset and the part together."""
        inner = self.inner.digest()
        if inner is None:
            return None
        text = f"{inner}\0{self.column}\0{self.cut}\0{self.later}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def split_by_time(
    dataset: Dataset, column: str, *, share: float = 0.2
) -> tuple[Dataset, Dataset, str]:
    """Return the earlier rows, the later ones, and a sentence that says where the cut is.

    >>> from undertow.sources import open_dataset
    >>> rows = open_dataset(pa.table({"day": [3, 1, 2, 5, 4, None]}))
    >>> earlier, later, sentence = split_by_time(rows, "day")
    >>> sentence
    'cut at day = 4: 1 row after it (20.0%) against the 4 up to it and 1 without a time'
    """
    if not 0 < share < 1:
        raise UsageError(f"share {share}: must lie between 0 and 1, as 0.2")
    if column not in dataset.arrow.names:
        near = did_you_mean(column, dataset.arrow.names)
        raise UsageError(f"{dataset.source}: no column {column!r}{near}")
    low, high, known, unknown = _span(dataset, column)
    if not known:
        raise DataError(f"{dataset.source}: column {column!r} holds no times; name another column")
    if low == high:
        raise DataError(
            f"{dataset.source}: every time in {column!r} is the same; name another column"
        )
    cut = _quantile(dataset, column, low, high, int(np.ceil(known * (1 - share))))
    cut = min(cut, _before(dataset, column, high))
    before = sum(int((keys <= cut).sum()) for keys in _times(dataset, column))
    after = known - before
    shown = _shown(cut, dataset.arrow.field(column).type)
    gone = f" and {unknown:,} without a time" if unknown else ""
    sentence = (
        f"cut at {column} = {shown}: {after:,} row{'s' if after != 1 else ''} after it"
        f" ({after / known:.1%}) against the {before:,} up to it{gone}"
    )
    earlier = TimePart(dataset, column, cut, later=False)
    later = TimePart(dataset, column, cut, later=True)
    return earlier, later, sentence


def _times(dataset: Dataset, column: str) -> Iterator[NDArray[np.int64]]:
    for batch in dataset.batches([column]):
        keys, known = _keys(batch.column(0), column, dataset.source)
        yield keys[known]


def _span(dataset: Dataset, column: str) -> tuple[int, int, int, int]:
    low, high, known, rows = 2**63 - 1, -(2**63), 0, 0
    for batch in dataset.batches([column]):
        keys, valid = _keys(batch.column(0), column, dataset.source)
        keys = keys[valid]
        rows += len(valid)
        known += len(keys)
        if len(keys):
            low, high = min(low, int(keys.min())), max(high, int(keys.max()))
    return low, high, known, rows - known


def _quantile(dataset: Dataset, column: str, low: int, high: int, rank: int) -> int:
    """Return the key that `rank` keys are not above, by ever finer histograms."""
    below = 0
    while low < high:
        width = (high - low) // _BINS + 1
        counts = np.zeros(_BINS + 1, np.int64)
        for keys in _times(dataset, column):
            inside = keys[(keys >= low) & (keys <= high)]
            offsets = (inside - np.int64(low)).view(np.uint64)
            cells = (offsets // np.uint64(width)).astype(np.int64)
            counts += np.bincount(cells, minlength=_BINS + 1)
        reached = below + np.cumsum(counts)
        cell = int(np.searchsorted(reached, rank))
        below = int(reached[cell] - counts[cell])
        low, high = low + cell * width, min(high, low + (cell + 1) * width - 1)
    return low


def _before(dataset: Dataset, column: str, high: int) -> int:
    """Return the last key before the highest, so that the later part is never empty."""
    found = -(2**63)
    for keys in _times(dataset, column):
        lower = keys[keys < high]
        if len(lower):
            found = max(found, int(lower.max()))
    return found


def _keys(array: pa.Array, column: str, source: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return times as integers of the same order, and which of them are known."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        array = _parsed(array, column, source)
    elif pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_date32(kind):
        array = array.cast(pa.int32()).cast(pa.int64())
    elif pa.types.is_floating(kind):
        numbers = np.asarray(array.cast(pa.float64()).fill_null(float("nan")))
        keys = (numbers + 0.0).view(np.int64)
        ordered = np.where(keys >= 0, keys, np.int64(-(2**63)) - keys)
        return ordered, ~np.isnan(numbers)
    elif pa.types.is_integer(kind):
        array = array.cast(pa.int64())
    elif pa.types.is_decimal(kind):
        return _keys(array.cast(pa.float64(), safe=False), column, source)
    elif pa.types.is_null(kind):
        array = array.cast(pa.int64())
    else:
        raise UsageError(
            f"{source}: column {column!r} is {kind}, not a time; name a date, a timestamp,"
            f" a number of seconds or ISO text"
        )
    return np.asarray(array.fill_null(0)), np.asarray(array.is_valid())


def _parsed(array: pa.Array, column: str, source: str) -> pa.Array:
    """Return ISO text as microseconds, a time without a zone taken as UTC."""
    text = pc.utf8_trim_whitespace(array)
    zoned = pc.fill_null(pc.match_substring_regex(text, _ZONE), fill_value=False)
    zoned = pc.and_(zoned, pc.greater(pc.binary_length(pc.fill_null(text, "")), 10))
    try:
        with_zone = pc.if_else(zoned, text, None).cast(pa.timestamp("us", "UTC"))
        without = pc.if_else(zoned, None, text).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        raise DataError(
            f"{source}: column {column!r} holds text that is no time ({_misfit(text)!r});"
            f" write times as 2024-05-01 or 2024-05-01T12:00:00"
        ) from None
    return pc.coalesce(with_zone.cast(pa.int64()), without.cast(pa.int64()))


def _misfit(text: pa.Array) -> str:
    for value in text.drop_null().to_pylist():
        try:
            pa.scalar(value).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            return str(value)[:40]
    return ""


def _shown(cut: int, kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        bits = cut if cut >= 0 else -(2**63) - cut
        return f"{np.int64(bits).view(np.float64):.15g}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        kind = pa.timestamp("us")
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp(kind.unit)
    if pa.types.is_date32(kind):
        return str(pa.scalar(cut, pa.int32()).cast(kind).cast(pa.string()))
    text = str(pa.scalar(cut, pa.int64()).cast(kind).cast(pa.string()))
    return re.sub(r"\.0+$", "", text)
