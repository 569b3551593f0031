"""Fit a plan on the reference, then measure any rows under it, one pass each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from undertow.core.check import Check
from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, did_you_mean
from undertow.core.lens import Lens
from undertow.core.profile import EVERY, Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need, Summary, Survey
from undertow.core.values import Values
from undertow.observe import infer, survey
from undertow.observe.declare import Declared
from undertow.summaries.categories import Categories
from undertow.summaries.histogram import Histogram
from undertow.summaries.presence import Presence
from undertow.summaries.sample import RowSample

Tick = Callable[[int], None]


def fit(
    dataset: Dataset,
    declared: Declared,
    checks: Sequence[Check],
    lenses: Mapping[str, type[Lens]],
    tick: Tick,
) -> Profile:
    """Return the reference's profile: read once to fit the plan, once more for what was fitted.

    Raises DataError where there is no row or no column.
    """
    look = survey_of(dataset, declared, tick)
    typed, seen, first, schema = look.typed, look.survey, look.profile, look.schema
    made: dict[str, Lens] = {}
    for column in schema:
        for lens in lenses.values():
            if _reads(lens, column):
                made[column.name] = lens.fit(seen, column)
                cells = Values(column, seen.sample.column(column.name))
                seen = seen.along(made[column.name](cells))
    plan = Profile.plan(
        schema, needs(Profile(schema, {}, lenses=made).all_columns, checks), seen, made
    )
    done = {key: part for key, part in first.parts.items() if _same_meaning(key, typed, plan, part)}
    rest = {key: part for key, part in plan.parts.items() if key not in done}
    measured = replace(plan, parts=rest)
    if rest:
        measured = _observe(measured, dataset, tick)
    parts = {key: _settled(done.get(key) or measured.parts[key]) for key in plan.parts}
    return replace(
        plan, parts=parts, rows=seen.rows, source=dataset.source, digest=dataset.digest()
    )


@dataclass(frozen=True)
class Look:
    """What one pass over the reference told: how its columns are read, and a survey to fit on."""

    typed: Schema
    schema: Schema
    survey: Survey
    profile: Profile


def survey_of(dataset: Dataset, declared: Declared, tick: Tick) -> Look:
    """Read the rows once and settle what every column is; raise DataError where there is none."""
    typed = declared.over(infer.by_type(dataset.arrow), dataset.source)
    if not len(typed):
        raise DataError(f"{dataset.source}: no columns")
    early = [need for column in typed for need in _by_type(column.name, column.kind, column.role)]
    seen, first = survey.take(typed, early, _ticking(dataset.batches(), tick))
    if seen.rows == 0:
        raise DataError(f"{dataset.source}: no rows")
    return Look(typed, infer.by_values(typed, seen, first, declared.names), seen, first)


def measure(dataset: Dataset, plan: Profile, tick: Tick) -> Profile:
    """Return the profile of the rows under a plan fitted before; columns that are gone are left out.

    Raises DataError where no column is in common.
    """
    arrow = infer.by_type(dataset.arrow)
    if not set(arrow.names) & set(plan.schema.names):
        there = ", ".join(repr(name) for name in arrow.names[:5]) or "none"
        raise DataError(
            f"{dataset.source} has no column in common with the reference: it has {there}"
            f"{did_you_mean(arrow.names[0], plan.schema.names) if arrow.names else ''}"
        )
    columns = tuple(
        replace(plan.schema[c.name], arrow=c.arrow, space=c.space) if c.name in plan.schema else c
        for c in arrow
        if c.name in plan.schema or c.name not in plan.derived  # a lens has taken that name
    )
    usable = plan.empty().of(arrow.names)
    profile = _observe(replace(usable, schema=Schema(columns)), dataset, tick)
    return replace(profile, source=dataset.source, digest=dataset.digest())


def needs(schema: Schema, checks: Iterable[Check]) -> list[Need]:
    """Return what all checks ask to be remembered, once each, and a sample of rows."""
    asked = (need for check in checks for need in check.needs(schema))
    return list(dict.fromkeys([*asked, (EVERY, RowSample)]))


_UNREAD = frozenset({Role.ID, Role.IGNORE, Role.TIME})


def _reads(lens: type[Lens], column: Column) -> bool:
    """Tell whether a lens is made for columns like this: its `kind`, and its `roles` if it has any."""
    if getattr(lens, "kind", None) is not column.kind or column.role in _UNREAD:
        return False
    return column.role in getattr(lens, "roles", Role)


def _by_type(name: str, kind: Kind, role: Role) -> Iterator[Need]:
    """Say what is worth remembering before kinds are settled, so that strings are read only once."""
    if role is Role.IGNORE:
        return
    yield (name,), Presence
    if kind in {Kind.CATEGORY, Kind.BOOL}:
        yield (name,), Categories


def _same_meaning(
    key: tuple[tuple[str, ...], type[Summary]], typed: Schema, plan: Profile, part: Summary
) -> bool:
    """Tell whether what was remembered before inference still means the same after it."""
    if key not in plan.parts:
        return False
    if key[0] == EVERY:
        same = all(typed[c.name].kind is c.kind for c in plan.schema)
        return same and part.empty() == plan.parts[key]
    return all(typed[name].kind is plan.column(name).kind for name in key[0])


def _settled(part: Summary) -> Summary:
    return part.settled() if isinstance(part, Histogram) else part


def _observe(profile: Profile, dataset: Dataset, tick: Tick) -> Profile:
    """Read only the columns the profile needs, in their order."""
    wanted: set[str] = set()
    for names, _ in profile.parts:
        wanted |= profile.sources(column.name for column in profile.described(names))
    columns = [name for name in dataset.arrow.names if name in wanted]
    for batch in survey.merged(_ticking(dataset.batches(columns), tick)):
        profile = profile.observe(batch)
    return profile


def _ticking(batches: Iterable[pa.RecordBatch], tick: Tick) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        tick(batch.num_rows)
        yield batch
