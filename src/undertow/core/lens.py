"""A lens makes plain columns of a rich one, so that the same checks serve every kind of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self, runtime_checkable

import pyarrow as pa

from undertow.core.schema import Column
from undertow.core.summary import State, Survey
from undertow.core.values import Values


@runtime_checkable
class Lens(Protocol):
    """Fitted on the reference, then a pure function of each row: text -> its length, its script."""

    tag: ClassVar[str]

    @classmethod
    def fit(cls, survey: Survey, column: Column) -> Self:
        """Return the lens whose settings suit the reference."""
        ...

    def columns(self, column: Column) -> tuple[Column, ...]:
        """Return the columns it derives, named "column:what", each with `origin` set."""
        ...

    def __call__(self, values: Values) -> Mapping[str, pa.Array]:
        """Return the derived columns of one batch, one value a row."""
        ...

    def state(self) -> State:
        """Return the settings as plain values."""
        ...

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the lens a state describes."""
        ...
