"""A summary is a commutative monoid: what it keeps of rows merges with `+`, in any order.

An empty summary is its own settings. The laws (`undertow.testing.check_summary` holds every summary to
them): e + s == s, s + t == t + s, (s + t) + u == s + (t + u), e.observe(a ++ b) == e.observe(a) +
e.observe(b), restore(state(s)) == s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.schema import Column
from undertow.core.values import Values, to_floats

State = Mapping[str, Any]
"""What a profile file keeps of a summary: JSON values, numpy arrays and Arrow tables, never pickle."""


@dataclass(frozen=True)
class Survey:
    """What is known of the reference before it is measured: enough to fit the settings of summaries.

    `sample` is rows drawn by hash, `weights` how many rows of the data each stands for as content,
    `heavy` the numbers that may hold a sizeable share of a column. None of it depends on the order
    of the rows, so neither does anything fitted on it.
    """

    rows: int
    sample: pa.Table
    weights: NDArray[np.int64]
    heavy: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def numbers(self, column: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return a column's sampled finite values, sorted, and the weight of each."""
        if self.sample.schema.get_field_index(column) < 0:
            return np.empty(0), np.empty(0, np.int64)
        values = to_floats(self.sample.column(column).combine_chunks())
        keep = np.isfinite(values)
        order = np.argsort(values[keep], kind="stable")
        return values[keep][order], self.weights[keep][order]

    def common(self, column: str, share: float) -> NDArray[np.float64]:
        """Return the numbers that may hold at least that share of a column's rows.

        Suspected in the full pass where there was one, else read from the sample alone.
        """
        if column in self.heavy:
            return self.heavy[column]
        values, weights = self.numbers(column)
        if not len(values):
            return values
        found, first = np.unique(values, return_index=True)
        mass = np.add.reduceat(weights, first)
        return np.asarray(found[mass >= max(2.0, share * weights.sum())])

    def along(self, derived: Mapping[str, pa.Array]) -> Survey:
        """Return the survey with columns that a lens derived from the sampled rows."""
        table = self.sample
        for name, array in derived.items():
            table = table.append_column(name, array)
        return replace(self, sample=table)


@runtime_checkable
class Summary(Protocol):
    """What is remembered of one or more columns. Immutable: `observe` and `+` return new ones."""

    tag: ClassVar[str]
    """Its name in profile files and entry points; never changed once released."""
    fitted: ClassVar[bool]
    """True where the settings come from the reference, which is then read a second time."""

    @classmethod
    def fit(cls, survey: Survey, *columns: Column) -> Self:
        """Return the empty summary whose settings suit the reference."""
        ...

    def observe(self, *columns: Values) -> Self:
        """Return the summary with one batch of rows added."""
        ...

    def __add__(self, other: Self) -> Self:
        """Return the summary of both; the settings are equal."""
        ...

    def empty(self) -> Self:
        """Return the same settings with nothing observed."""
        ...

    def state(self) -> State:
        """Return settings and content as plain values, canonical: equal summaries, equal states."""
        ...

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the summary a state describes; raise ValueError where it describes none."""
        ...


Need = tuple[tuple[str, ...], type[Summary]]
"""What a check asks to be remembered: a summary type over these columns."""


def equal_states(one: State, other: State) -> bool:
    """Tell whether two states are the same, arrays and tables compared bit for bit."""
    if one.keys() != other.keys():
        return False
    return all(_same(one[key], other[key]) for key in one)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        left, right = np.asarray(one), np.asarray(other)
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if isinstance(one, pa.Table | pa.RecordBatch):
        return bool(one.equals(other))
    return bool(one == other)
