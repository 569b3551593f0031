"""What the user says of the columns, laid over what their types say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from undertow.core.errors import UsageError, did_you_mean
from undertow.core.schema import Column, Kind, Role, Schema

_NUMBERS = re.compile(
    r"(?:large_|fixed_size_)?list<\w+: (?:u?int\d+|halffloat|float|double|decimal\d+\()"
)
_OF_IMAGES = ("format", "state", "print")
"""The words that are made of an image, beside the numbers."""
_READ = frozenset({*Role} - {Role.ID, Role.TIME, Role.VERSION, Role.IGNORE})


@dataclass(frozen=True)
class Declared:
    """Kinds and roles by column name, from flags; they win over a schema file, which wins over guesses.

    >>> said = Declared(roles={"p": Role.PREDICTION})
    >>> said.over(Schema((Column("p", Kind.NUMBER),)))["p"].role
    <Role.PREDICTION: 'prediction'>
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    schema: Schema | None = None

    @property
    def names(self) -> frozenset[str]:
        """The columns about which something was said."""
        filed = self.schema.names if self.schema is not None else ()
        return frozenset({*self.kinds, *self.roles, *filed})

    def over(self, schema: Schema, source: str = "the reference") -> Schema:
        """Return the schema with what was said; raise UsageError for a column that is not there."""
        for name in sorted(self.names):
            if name not in schema:
                raise UsageError(
                    f"no column {name!r} in {source}{did_you_mean(name, schema.names)}"
                )
        return Schema(tuple(self._column(column) for column in schema))

    @property
    def vectors(self) -> tuple[str, ...]:
        """The columns said to be vectors by a flag; a name with a star in it is a pattern."""
        return tuple(name for name, kind in self.kinds.items() if kind is Kind.VECTOR)

    def with_vectors(self, names: Iterable[str]) -> Declared:
        """Return the same with the vector columns called by these names instead of patterns.

        >>> said = Declared({"emb_*": Kind.VECTOR, "q": Kind.TEXT}).with_vectors(["emb"])
        >>> sorted(said.kinds)
        ['emb', 'q']
        """
        kinds = {name: kind for name, kind in self.kinds.items() if kind is not Kind.VECTOR}
        return replace(self, kinds=kinds | dict.fromkeys(names, Kind.VECTOR))

    @property
    def images(self) -> tuple[str, ...]:
        """The columns said to be images."""
        return tuple(name for name, kind in self.kinds.items() if kind is Kind.IMAGE)

    def with_images(self, names: Iterable[str]) -> Declared:
        """Return the same, knowing what is made of these image columns.

        What an image looks like to a hash is remembered, but nobody asks whether that moved.
        """
        kinds: dict[str, Kind] = {n: k for n, k in self.kinds.items() if k is not Kind.IMAGE}
        roles = dict(self.roles)
        for name in names:
            kinds[name] = Kind.IMAGE
            kinds |= dict.fromkeys((f"{name}:{what}" for what in _OF_IMAGES), Kind.CATEGORY)
            roles[f"{name}:print"] = Role.IGNORE
        return replace(self, kinds=kinds, roles=roles)

    def text(self, schema: Schema) -> str:
        """Return the one text column there is to encode; raise UsageError where it is not clear."""
        texts = [name for name, kind in self.kinds.items() if kind is Kind.TEXT]
        texts = texts or [column.name for column in schema.of(kind=Kind.TEXT)]
        if len(texts) != 1:
            told = ", ".join(map(repr, texts)) or "none"
            raise UsageError(f"an encoder reads one text column, and there is {told}; give --text")
        return texts[0]

    def without(self, schema: Schema, split: Collection[str]) -> tuple[Schema, list[str]]:
        """Return the schema without what conditions split the rows by, and a note that says so.

        Such a column differs by construction. `split` holds names in lower case. A column that a
        flag speaks of stays.
        """
        told = {*self.kinds, *self.roles}
        names = [
            column.name
            for column in schema
            if column.name.casefold() in split and column.name not in told and column.role in _READ
        ]
        why = "the conditions split the rows by it"
        for name in names:
            schema = schema.but(name, role=Role.IGNORE, why=why)
        return schema, [f"not compared, as {why}: {', '.join(names)}"] if names else []

    def _column(self, column: Column) -> Column:
        if self.schema is not None and column.name in self.schema:
            filed = self.schema[column.name]
            column = replace(column, kind=filed.kind, role=filed.role, why="declared in the schema")
        kind = self.kinds.get(column.name)
        role = self.roles.get(column.name)
        if role is Role.TIME and kind is None:
            kind = Kind.TIME
        if kind is Kind.VECTOR and not _can_be_vector(column):
            raise UsageError(
                f"column {column.name!r} is no vector: it is {column.arrow or column.kind}; a vector "
                "is a list of numbers of one length, or a text that spells one, as '[0.1, 0.2]'"
            )
        if kind is not None:
            column = replace(column, kind=kind, why="declared")
        if role is not None:
            why = f"declared {role}" if kind is not None else f"{column.why}; declared {role}"
            column = replace(column, role=role, why=why)
        return column


def _can_be_vector(column: Column) -> bool:
    """Tell whether a column is a list of numbers: whole ones too, if somebody says so."""
    return column.kind is Kind.VECTOR or bool(_NUMBERS.match(column.arrow))


def roles(**columns: Iterable[str] | str | None) -> dict[str, Role]:
    """Return {column: role} for columns given by role; raise UsageError where one has two.

    >>> roles(label="y", ignore=["a"])
    {'y': <Role.LABEL: 'label'>, 'a': <Role.IGNORE: 'ignore'>}
    """
    out: dict[str, Role] = {}
    for role, given in columns.items():
        for name in [given] if isinstance(given, str) else given or ():
            if name in out and out[name] != role:
                raise UsageError(f"column {name!r} cannot be both {out[name]} and {role}")
            out[name] = Role(role)
    return out


def named(option: str, columns: object) -> tuple[str, ...]:
    """Return the columns an option names; raise UsageError where those are no names."""
    if columns is None or isinstance(columns, str):
        return () if columns is None else (columns,)
    names = tuple(columns) if isinstance(columns, Iterable) else (columns,)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{option} {name!r}: give the name of a column, as {str(name)!r}")
    return names
