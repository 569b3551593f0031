"""A profile is a mergeable memory of rows: one summary for each thing a check asked to remember."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from undertow.core.errors import ProfileError
from undertow.core.lens import Lens
from undertow.core.schema import Column, Schema
from undertow.core.summary import Need, State, Summary, Survey
from undertow.core.values import Values

S = TypeVar("S")
Key = tuple[tuple[str, ...], type[Summary]]
EVERY: tuple[str, ...] = ()
"""Stands for all columns of the data, where a summary is of whole rows: no column is called that."""


@dataclass(frozen=True)
class Profile:
    """What is remembered of some rows; profiles of one plan add up, and nothing else does.

    `parts` maps (column names, summary type) to the summary. The empty profile is the plan: every
    setting that was fitted on the reference. `schema` is the data's own columns; `derived` are the
    plain columns its lenses make of rich ones.
    """

    schema: Schema
    parts: Mapping[Key, Summary]
    rows: int = 0
    lenses: Mapping[str, Lens] = field(default_factory=dict)
    source: str = ""
    digest: str | None = None

    @classmethod
    def plan(
        cls, schema: Schema, needs: Iterable[Need], survey: Survey, lenses: Mapping[str, Lens]
    ) -> Profile:
        """Return the empty profile that remembers what is needed, fitted on the survey."""
        blank = cls(schema, {}, lenses=lenses)
        parts: dict[Key, Summary] = {}
        for columns, kind in needs:
            if (columns, kind) not in parts:
                parts[columns, kind] = kind.fit(survey, *blank.described(columns))
        return cls(schema, parts, lenses=lenses)

    @cached_property
    def derived(self) -> Schema:
        """The columns that lenses make, in the order of the columns they are made of.

        A column of the data wins its name: what a lens would call the same is left out.
        """
        made = [
            column
            for origin in self.schema
            if origin.name in self.lenses
            for column in self.lenses[origin.name].columns(origin)
            if column.name not in self.schema
        ]
        return Schema(tuple(made))

    @cached_property
    def all_columns(self) -> Schema:
        """The data's own columns, then the derived ones."""
        return Schema(self.schema.columns + self.derived.columns)

    def column(self, name: str) -> Column:
        """Return a column of the data or of a lens by name."""
        return self.derived[name] if name in self.derived else self.schema[name]

    def described(self, names: tuple[str, ...]) -> tuple[Column, ...]:
        """Return the columns of these names; EVERY stands for all columns of the data."""
        if names == EVERY:
            return self.schema.columns
        return tuple(self.column(name) for name in names)

    def sources(self, names: Iterable[str]) -> set[str]:
        """Return the columns of the data that these are, or are derived from by a lens."""
        return {self.derived[n].origin if n in self.derived else n for n in names}

    def get(self, kind: type[S], *columns: str) -> S | None:
        """Return the summary of a type over these columns, or None where it was not kept."""
        return cast("S | None", self.parts.get((columns, cast("type[Summary]", kind))))

    def observe(self, batch: pa.RecordBatch | pa.Table) -> Profile:
        """Return the profile with a batch of rows added; columns it does not know are left out."""
        if batch.num_rows == 0:
            return self
        seen = Batch(self, batch)
        parts = {
            key: part.observe(*(seen[column.name] for column in self.described(key[0])))
            for key, part in self.parts.items()
        }
        return replace(self, parts=parts, rows=self.rows + batch.num_rows)

    def __add__(self, other: Profile) -> Profile:
        """Return the profile of both sets of rows; raise ProfileError where their plans differ."""
        if self.plan_id != other.plan_id:
            raise ProfileError(
                f"profile {other.source or 'of other rows'} was made with plan {other.plan_id}, "
                f"this one with {self.plan_id}; make it again with --like of the same reference"
            )
        parts = {key: part + other.parts[key] for key, part in self.parts.items()}
        source = " + ".join(name for name in (self.source, other.source) if name)
        digest = None if None in (self.digest, other.digest) else _join(self.digest, other.digest)
        return replace(self, parts=parts, rows=self.rows + other.rows, source=source, digest=digest)

    def empty(self) -> Profile:
        """Return the plan: the same settings with no rows."""
        parts = {key: part.empty() for key, part in self.parts.items()}
        return replace(self, parts=parts, rows=0, source="", digest=None)

    def of(self, columns: Iterable[str]) -> Profile:
        """Return the profile restricted to the parts these columns suffice for."""
        have = {*columns, *EVERY}
        have |= {column.name for column in self.derived if column.origin in have}
        parts = {key: part for key, part in self.parts.items() if have.issuperset(key[0])}
        schema = Schema(tuple(column for column in self.schema if column.name in have))
        lenses = {name: lens for name, lens in self.lenses.items() if name in have}
        return replace(self, schema=schema, parts=parts, lenses=lenses)

    @cached_property
    def plan_id(self) -> str:
        """A digest of every setting: profiles with the same one may be merged and compared."""
        hasher = hashlib.blake2b(digest_size=6)
        for (columns, kind), part in sorted(self.parts.items(), key=lambda item: _order(item[0])):
            hasher.update(json.dumps([list(columns), kind.tag]).encode())
            _update(hasher, part.empty().state())
        for name, lens in sorted(self.lenses.items()):
            hasher.update(json.dumps([name, lens.tag]).encode())
            _update(hasher, lens.state())
        return hasher.hexdigest()


class Batch:
    """The columns of one batch, those a lens derives included; each is made when first asked for."""

    def __init__(self, profile: Profile, batch: pa.RecordBatch | pa.Table) -> None:
        """Take the profile that knows the columns, and a batch of rows."""
        self._profile = profile
        self._batch = batch
        self._made: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        """Return one column, derived by its lens where it is not in the data."""
        if name not in self._made:
            column = self._profile.column(name)
            if name in self._profile.derived:
                derived = self._profile.lenses[column.origin](self[column.origin])
                for key, array in derived.items():
                    if key in self._profile.derived:
                        self._made[key] = Values(self._profile.derived[key], array)
            else:
                self._made[name] = Values(column, self._batch.column(name))
        return self._made[name]


def _order(key: Key) -> tuple[tuple[str, ...], str]:
    return key[0], key[1].tag


def _join(one: str | None, other: str | None) -> str:
    return hashlib.blake2b(f"{one}+{other}".encode(), digest_size=8).hexdigest()


def _update(hasher: Any, state: State) -> None:
    for name in sorted(state):
        value = state[name]
        hasher.update(name.encode())
        if isinstance(value, np.ndarray):
            hasher.update(str(value.dtype).encode() + value.tobytes())
        elif isinstance(value, pa.Table):
            hasher.update(str(value.num_rows).encode())
        else:
            hasher.update(json.dumps(value, sort_keys=True, default=str).encode())
