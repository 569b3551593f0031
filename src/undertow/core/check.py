"""A check is a function from a history of profiles to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from undertow.core.finding import Finding
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import check_tolerance


@dataclass(frozen=True)
class History:
    """What a check reads: the reference, the windows since then, and what is judged now.

    `tolerances` holds what the user declared: by column name, by check name, by effect name, or for
    everything measured as a share of rows ("*"). `by` names columns within whose values vectors are
    compared too, `evidence` tests that are to be measured though they decide nothing. `place` fits a
    map on the vectors of the reference (None: straight axes).
    """

    reference: Profile
    now: Profile
    windows: tuple[Profile, ...] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)
    by: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()
    place: Callable[[Any], Callable[[Any], Any]] | None = None

    def shared(self, *, kind: Kind | tuple[Kind, ...] | None = None) -> tuple[Column, ...]:
        """Return the columns of the reference, derived ones included, that both sides have.

        Identifiers, clocks and ignored columns move by nature and are left out.
        """
        still = {Role.ID, Role.TIME, Role.IGNORE, Role.VERSION}
        return tuple(
            column
            for column in self.reference.all_columns.of(kind=kind)
            if column.name in self.now.all_columns and column.role not in still
        )

    def tolerance(self, check: str, effect: str, column: str, default: float) -> float:
        """Return the smallest change that matters: the user's, else the declared default."""
        star = self.tolerances.get("*", default) if effect in _SHARES_OF_ROWS else default
        value = star
        for name in (effect, check, column):
            if name == column and effect not in _SHARES_OF_ROWS:
                continue
            value = self.tolerances.get(name, value)
        return check_tolerance(effect, value)


_SHARES_OF_ROWS = frozenset({"cdf_gap", "total_variation", "moved_share"})


@runtime_checkable
class Check(Protocol):
    """A frozen dataclass: its fields are its settings, its docstring is its page in the docs."""

    name: ClassVar[str]

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Say what must be remembered of the data for this check to run later, without the rows."""
        ...

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield what is found; effects without a verdict are judged together by the report."""
        ...


def family(column: Column) -> str:
    """Return the first word of a check's name on this column: input drift, output or label."""
    if column.role in {Role.PREDICTION, Role.SCORE}:
        return "output"
    return "label" if column.role is Role.LABEL else "drift"
