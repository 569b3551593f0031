"""One column of one batch, in the forms summaries read it in; each form is made once and shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.core.schema import Column, Kind
from undertow.core.vectors import Vectors, is_list, matrix

T = TypeVar("T")
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


class Values:
    """The values of one column in one batch.

    `array` is the Arrow array as it came; the properties below derive from it and never change it.

    >>> values = Values(Column("age", Kind.NUMBER), pa.array([1, None, 3]))
    >>> values.floats
    array([ 1., nan,  3.])
    >>> values.finite
    array([1., 3.])
    """

    def __init__(self, column: Column, array: pa.Array | pa.ChunkedArray) -> None:
        """Take a column and its values; a chunked array is joined."""
        self.column = column
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
        self.array: pa.Array = array
        self._made: dict[Callable[[Values], Any], Any] = {}

    def made(self, how: Callable[[Values], T]) -> T:
        """Return what a function derives from these values: made once, shared by all who ask."""
        if how not in self._made:
            self._made[how] = how(self)
        found: T = self._made[how]
        return found

    def __len__(self) -> int:
        """Return the number of rows, missing ones included."""
        return len(self.array)

    @property
    def nulls(self) -> int:
        """How many values are missing (null; NaN is a number that is not one)."""
        return int(self.array.null_count)

    @cached_property
    def floats(self) -> NDArray[np.float64]:
        """Every value as a float, NaN where it is missing or cannot be read as a number."""
        return to_floats(self.array)

    @cached_property
    def finite(self) -> NDArray[np.float64]:
        """The values that are finite numbers, in order."""
        numbers = self.floats
        if len(numbers) == 0 or (np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
            return numbers
        return numbers[np.isfinite(numbers)]

    @cached_property
    def vectors(self) -> Vectors:
        """The values as the rows of a matrix, as long as most of the batch are."""
        return matrix(self.array)

    def vectors_of(self, dimensions: int) -> Vectors:
        """Return the values as the rows of a matrix with so many columns; others are ragged."""
        made = self.vectors
        return made if made.dimensions == dimensions else matrix(self.array, dimensions)

    @cached_property
    def encoded(self) -> pa.DictionaryArray:
        """The values as a dictionary array of strings; nulls stay null."""
        array = self.array
        if not pa.types.is_dictionary(array.type):
            if not is_text(array.type):
                array = to_text(array)
            array = array.dictionary_encode()
        elif not is_text(array.type.value_type):
            array = pa.DictionaryArray.from_arrays(array.indices, to_text(array.dictionary))
        return array

    @cached_property
    def strings(self) -> pa.Array:
        """The values as plain strings; nulls stay null."""
        if pa.types.is_dictionary(self.array.type):
            return self.encoded.cast(pa.string())
        return self.array if is_text(self.array.type) else to_text(self.array)

    @cached_property
    def tally(self) -> tuple[hashing.Hashes, NDArray[np.int64], pa.Array]:
        """The distinct values of the batch: their hashes, how many rows hold each, and the values."""
        encoded = self.encoded
        values, hashes = encoded.dictionary, self._vocabulary
        codes = encoded.indices.drop_null() if encoded.null_count else encoded.indices
        counts = np.bincount(np.asarray(codes), minlength=len(values)).astype(np.int64)
        seen = np.flatnonzero(counts)
        if len(seen) < len(values):
            values, hashes, counts = values.take(pa.array(seen)), hashes[seen], counts[seen]
        return hashes, counts, values

    @cached_property
    def _vocabulary(self) -> hashing.Hashes:
        return hashing.hash_strings(self.encoded.dictionary)

    @cached_property
    def hashes(self) -> hashing.Hashes:
        """One hash a row, equal for equal values in any batch."""
        array = self.array
        if self.column.kind is Kind.NUMBER and not pa.types.is_integer(array.type):
            out = hashing.hash_floats(self.floats)
        elif pa.types.is_integer(array.type):
            out = hashing.hash_integers(np.asarray(array.fill_null(0)))
        elif pa.types.is_dictionary(array.type) or "encoded" in self.__dict__:
            table = np.append(self._vocabulary, hashing.NULL)
            codes = self.encoded.indices
            if codes.null_count:
                codes = codes.fill_null(len(table) - 1)
            return np.asarray(table[np.asarray(codes)])
        elif is_text(array.type) or is_bytes(array.type):
            return hashing.hash_strings(array)
        elif pa.types.is_temporal(array.type):
            out = hashing.hash_floats(self.floats)
        elif is_list(array.type) and hashing.by_items(array.type.value_type):
            return hashing.hash_lists(array)
        else:
            return hashing.hash_strings(to_text(array))
        if array.null_count:
            out[~np.asarray(array.is_valid())] = hashing.NULL
        return out


def to_floats(array: pa.Array) -> NDArray[np.float64]:
    """Return any array as floats: times as microseconds since 1970, text as the number it spells.

    >>> to_floats(pa.array(["1.5", "x", None]))
    array([1.5, nan, nan])
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        table = np.append(to_floats(array.dictionary), np.nan)
        return np.asarray(table[np.asarray(array.indices.fill_null(len(table) - 1))])
    if is_text(kind):
        array = pc.if_else(
            pc.match_substring_regex(array, _NUMBER), pc.utf8_trim_whitespace(array), None
        )
        array = array.cast(pa.float64())
    elif pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64())
    elif pa.types.is_date(kind):
        array = array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    elif pa.types.is_duration(kind):
        array = array.cast(pa.duration("us"), safe=False).cast(pa.int64())
    elif pa.types.is_time(kind):
        array = array.cast(pa.time64("us"), safe=False).cast(pa.int64())
    elif pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    elif pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        array = array.cast(pa.float64(), safe=False)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.full(len(array), np.nan)
    if array.null_count:
        array = array.cast(pa.float64(), safe=False).fill_null(float("nan"))
    return np.asarray(array).astype(np.float64, copy=False)


def to_text(array: pa.Array) -> pa.Array:
    """Return any array as strings, the way a person would write the values."""
    if pa.types.is_null(array.type):
        return array.cast(pa.string())
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        shown = [None if cell is None else str(cell) for cell in array.to_pylist()]
        return pa.array(shown, pa.string())


def is_text(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds strings; bytes may spell none."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
