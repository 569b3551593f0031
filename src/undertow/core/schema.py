"""A column has a kind (how it is summarised) and a role (who looks at it); a schema is the columns."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from undertow.core.errors import UsageError, did_you_mean

E = TypeVar("E", bound=enum.StrEnum)


class Kind(enum.StrEnum):
    """How a column is summarised."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    VECTOR = "vector"
    TIME = "time"
    BOOL = "bool"
    IMAGE = "image"
    OTHER = "other"


class Role(enum.StrEnum):
    """Who looks at a column: the model, a person, or the clock."""

    FEATURE = "feature"
    ID = "id"
    TIME = "time"
    PREDICTION = "prediction"
    SCORE = "score"
    LABEL = "label"
    SEGMENT = "segment"
    VERSION = "version"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind, role, and why it was read that way.

    `origin` names the column that this one was made of (by a lens, an encoder, or from an image), and
    is empty for a column of the data as it came.
    `space` is the fingerprint of the encoder that made a vector, where it is known: vectors of two
    spaces are never compared.

    >>> Column("age", Kind.NUMBER).role
    <Role.FEATURE: 'feature'>
    """

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    why: str = "declared"
    arrow: str = ""
    origin: str = ""
    space: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the column as plain strings, empty ones left out."""
        row = {"name": self.name, "kind": self.kind.value, "role": self.role.value}
        row |= {"arrow": self.arrow, "why": self.why, "origin": self.origin, "space": self.space}
        return {key: value for key, value in row.items() if value}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Column:
        """Return the column a dictionary describes; raise UsageError for an unknown kind or role."""
        name = str(row.get("name", ""))
        return cls(
            name,
            _member(Kind, row.get("kind"), name),
            _member(Role, row.get("role", "feature"), name),
            why=str(row.get("why", "declared")),
            arrow=str(row.get("arrow", "")),
            origin=str(row.get("origin", "")),
            space=str(row.get("space", "")),
        )


def _member(family: type[E], value: object, column: str) -> E:
    try:
        return family(str(value))
    except ValueError:
        word = family.__name__.lower()
        hint = did_you_mean(str(value), [each.value for each in family])
        raise UsageError(f"column {column!r}: no {word} {value!r}{hint}") from None


@dataclass(frozen=True)
class Schema:
    """The columns of a data set, in order, found by name, kind or role.

    >>> schema = Schema((Column("age", Kind.NUMBER), Column("p", Kind.NUMBER, Role.SCORE)))
    >>> [column.name for column in schema.of(role=Role.SCORE)]
    ['p']
    >>> schema["aeg"]
    Traceback (most recent call last):
    undertow.core.errors.UsageError: no column 'aeg'; did you mean 'age'?
    """

    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        """Iterate over the columns in the data's order."""
        return iter(self.columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        """Tell whether a column of that name is there."""
        return name in self._named

    def __getitem__(self, name: str) -> Column:
        """Return a column by name; raise UsageError with the closest name."""
        if name not in self._named:
            raise UsageError(f"no column {name!r}{did_you_mean(name, self.names)}")
        return self._named[name]

    @cached_property
    def _named(self) -> dict[str, Column]:
        return {column.name: column for column in reversed(self.columns)}

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def of(
        self,
        *,
        kind: Kind | Iterable[Kind] | None = None,
        role: Role | Iterable[Role] | None = None,
    ) -> tuple[Column, ...]:
        """Return the columns of these kinds and roles, in order."""
        kinds = _as_set(Kind, kind)
        roles = _as_set(Role, role)
        return tuple(c for c in self.columns if c.kind in kinds and c.role in roles)

    def one(self, role: Role) -> Column | None:
        """Return the first column of a role, or None."""
        return next(iter(self.of(role=role)), None)

    def but(self, name: str, **changes: Any) -> Schema:
        """Return the schema with one column changed."""
        return Schema(tuple(replace(c, **changes) if c.name == name else c for c in self.columns))


def _as_set(family: type[E], wanted: E | Iterable[E] | None) -> frozenset[E]:
    if wanted is None:
        return frozenset(family)
    if isinstance(wanted, family):
        return frozenset({wanted})
    return frozenset(each for each in wanted if isinstance(each, family))
