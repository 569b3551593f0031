"""How many values are there at all: missing, not a number, infinite, unreadable, blank."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.schema import Column, Kind
from undertow.core.summary import State, Survey
from undertow.core.values import Values


@dataclass(frozen=True)
class Presence:
    """Counts of the ways a value can fail to be one.

    `unreadable` counts values of a number column that spell no number; `blank` counts strings of
    nothing but white space.

    >>> import pyarrow as pa
    >>> column = Column("age", Kind.NUMBER)
    >>> Presence().observe(Values(column, pa.array(["1", "x", None])))
    Presence(rows=3, null=1, nan=0, infinite=0, unreadable=1, blank=0)
    """

    tag: ClassVar[str] = "presence"
    fitted: ClassVar[bool] = False

    rows: int = 0
    null: int = 0
    nan: int = 0
    infinite: int = 0
    unreadable: int = 0
    blank: int = 0

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:  # noqa: ARG003
        """Return the empty summary; it has no settings."""
        return cls()

    @property
    def missing(self) -> int:
        """Rows without a usable value: null, NaN, unreadable or blank."""
        return self.null + self.nan + self.unreadable + self.blank

    def observe(self, *columns: Values) -> Self:
        """Return the summary with one column of a batch added."""
        (values,) = columns
        rows, null = len(values), values.nulls
        if values.column.kind is Kind.NUMBER:
            finite = len(values.finite)
            if finite == rows - null:
                return self + type(self)(rows, null)
            infinite = int(np.isinf(values.floats).sum())
            odd = rows - null - finite - infinite
            kind = values.array.type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            nan, unreadable = (odd, 0) if pa.types.is_floating(kind) else (odd * 0, odd)
            return self + type(self)(rows, null, nan, infinite, unreadable)
        if values.column.kind in {Kind.CATEGORY, Kind.TEXT}:
            _, counts, words = values.tally
            blank = np.asarray(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(words)), 0))
            return self + type(self)(rows, null, blank=int(counts[blank].sum()))
        return self + type(self)(rows, null)

    def __add__(self, other: Self) -> Self:
        """Return the counts of both."""
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def empty(self) -> Self:
        """Return zero counts."""
        return type(self)()

    def state(self) -> State:
        """Return the counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the summary of these counts."""
        return cls(**{f.name: int(state[f.name]) for f in fields(cls)})
