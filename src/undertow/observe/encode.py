"""A text column encoded once both sides are profiled: its vectors join the sample of rows.

Only the rows that a profile keeps are encoded, at most 4,096 a side and drawn by hash, so what the
encoder costs does not grow with the data. The sample's hashes, weights and plan stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from undertow.core.embeds import (
    Embeds,
    Fingerprint,
    Fits,
    Match,
    compare_spaces,
    fingerprint,
    space_label,
)
from undertow.core.encode import SECONDS, Matrix, encode, steadiness
from undertow.core.errors import ProfileError, UsageError
from undertow.core.profile import EVERY, Key, Profile
from undertow.core.schema import Column, Kind, Schema
from undertow.core.values import is_text
from undertow.summaries.sample import RowSample

Tick = Callable[[int], None]


def vector_name(column: str) -> str:
    """Return what the vectors of a text column are called.

    >>> vector_name("message")
    'message~vector'
    """
    return f"{column}~vector"


def both_encoded(
    reference: Profile,
    now: Profile,
    column: str,
    encoder: Embeds | Fits,
    *,
    tick: Tick | None = None,
    seconds: float | None = SECONDS,
) -> tuple[Profile, Profile, tuple[str, ...]]:
    """Return both sides with the vectors of a text column, and notes for the report.

    An encoder that learns from texts reads the sampled ones of both sides, and vectors it left
    earlier are made anew: fitted on the reference alone it would know the reference's rows by heart
    and treat the others unlike them, which looks like drift where there is none. Where the current
    side has no such column nothing is encoded; the missing column is a finding already. Raises
    ProfileError where a saved profile holds vectors of another space, DataError where the encoder
    fails.
    """
    if column not in now.schema:
        return (
            reference,
            now,
            (f"{column!r} was not encoded: the current rows have no such column",),
        )
    if isinstance(encoder, Fits):
        opened = encoder.fitted([*_texts(reference, column), *_texts(now, column)])
        reference, now = (_without(side, column, encoder.name) for side in (reference, now))
    else:
        opened = encoder
    space = str(fingerprint(opened))
    held = _held(reference, column) or _held(now, column)
    if held is not None and compare_spaces(held.space, space) is Match.SAME:
        space = held.space
    some = [text for text in _texts(reference, column) if text]
    steady = steadiness(opened, some).note(opened.name)
    sides = [
        encoded(side, column, opened, space=space, tick=tick, seconds=seconds)
        for side in (reference, now)
    ]
    counts = " and ".join(_counted(side) for side in sides)
    told = f"{column!r} was encoded by {space_label(space)}: {counts}"
    return sides[0], sides[1], (told,) if steady is None else (told, steady)


def unencoded(before: Profile, now: Profile) -> tuple[Profile, Profile, tuple[str, ...]]:
    """Return the sides without vectors that an encoder made of one side's texts alone, and notes.

    The data never held them, so that they are not there now is no column gone.
    """
    notes = []
    for column in before.schema.of(kind=Kind.VECTOR):
        if column.origin and column.space and column.name not in now.schema:
            left = Schema(tuple(each for each in before.schema if each.name != column.name))
            before = replace(before, schema=left)
            made = space_label(column.space)
            notes.append(
                f"the vectors of {column.origin!r} that {made} made for the reference were not "
                "compared: name the encoder again with --encoder"
            )
    return before, now, tuple(notes)


def encoded(
    profile: Profile,
    column: str,
    encoder: Embeds,
    *,
    space: str = "",
    tick: Tick | None = None,
    seconds: float | None = SECONDS,
) -> Profile:
    """Return the profile with a vector column, "column~vector", of the texts in its sample of rows.

    A missing text has no vector and an empty one has zeros. `space` is the encoder's fingerprint if
    it is known; by default it is taken. A profile that holds such vectors already is returned as it
    is, texts that joined since encoded too; raises ProfileError where they are of another space,
    UsageError where the column holds no text, DataError where the encoder fails.
    """
    space = space or str(fingerprint(encoder))
    texts = _texts(profile, column)
    sample, held = _sample(profile), _held(profile, column)
    name = vector_name(column)
    if held is not None:
        _same_space(held, space, profile, column)
        cells = sample.kept.column(name).combine_chunks()
        missing = [n for n, text in enumerate(texts) if text is not None and not cells[n].is_valid]
        if not missing:
            return profile
        some = encode(encoder, [texts[n] for n in missing], tick=tick, seconds=seconds)
        vectors = _matrix(cells)
        vectors[missing] = some
    else:
        vectors = encode(encoder, texts, tick=tick, seconds=seconds)
    cells = _cells(vectors)
    table = sample.kept
    table = table.drop_columns([name]) if held is not None else table
    kept = replace(sample, table=table.append_column(name, cells))
    made = Column(
        name,
        Kind.VECTOR,
        profile.schema[column].role,
        why=f"made by {encoder.name} of {column!r}",
        arrow=str(cells.type),
        origin=column,
        space=held.space if held is not None else space,
    )
    others = tuple(each for each in profile.schema if each.name != name)
    every: Key = (EVERY, RowSample)
    return replace(profile, schema=Schema((*others, made)), parts={**profile.parts, every: kept})


def _without(profile: Profile, column: str, name: str) -> Profile:
    """Return the profile without the vectors that an encoder of this name has left in it."""
    held = _held(profile, column)
    made = None if held is None else Fingerprint.parse(held.space)
    if held is None or made is None or made.name != name:
        return profile
    sample = _sample(profile)
    every: Key = (EVERY, RowSample)
    kept = replace(sample, table=sample.kept.drop_columns([held.name]))
    schema = Schema(tuple(each for each in profile.schema if each.name != held.name))
    return replace(profile, schema=schema, parts={**profile.parts, every: kept})


def _same_space(held: Column, space: str, profile: Profile, column: str) -> None:
    match = compare_spaces(held.space, space)
    if match is Match.SAME:
        return
    before, now = space_label(held.space), space_label(space)
    what = f"by {before}, now by {now}" if before != now else f"by {now}, which has changed since"
    raise ProfileError(
        f"{profile.source or 'the profile'}: {column!r} was encoded {what} ({match} space): encode "
        "both sides by one encoder, or see `undertow compare-encoders`"
    )


def _held(profile: Profile, column: str) -> Column | None:
    """Return the column of vectors made earlier; raise UsageError where the data has taken its name."""
    name = vector_name(column)
    if name not in profile.schema:
        return None
    found = profile.schema[name]
    if not found.space or found.origin != column:
        raise UsageError(
            f"the data has a column {name!r} of its own; compare it with --vector, or rename it"
        )
    return found


def _sample(profile: Profile) -> RowSample:
    return profile.get(RowSample, *EVERY) or RowSample()


def _texts(profile: Profile, column: str) -> list[str | None]:
    """Return the sampled texts of a column, in the sample's order."""
    told = profile.schema[column]
    kept = _sample(profile).kept
    if column not in kept.column_names:
        return []
    cells = kept.column(column)
    if not is_text(cells.type) and not pa.types.is_null(cells.type):
        raise UsageError(
            f"column {column!r} holds no text to encode: it is {told.arrow or cells.type}"
        )
    found: list[str | None] = cells.to_pylist()
    return found


def _counted(profile: Profile) -> str:
    kept = int(_sample(profile).multiplicity.sum())
    if kept >= profile.rows:
        return f"all {profile.rows:,} rows"
    return f"{kept:,} of {profile.rows:,} rows, drawn by hash"


def _cells(vectors: Matrix) -> pa.FixedSizeListArray:
    """Return rows as a column of lists; a row of NaN is a missing one."""
    missing = np.asarray(np.isnan(vectors).any(axis=1))
    flat = pa.array(np.where(missing[:, None], np.float32(0), vectors).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=pa.array(missing))


def _matrix(cells: pa.FixedSizeListArray) -> Matrix:
    """Return a column of lists as rows, NaN where one is missing."""
    width = cells.type.list_size
    out = np.full((len(cells), width), np.nan, np.float32)
    there = np.flatnonzero(np.asarray(cells.is_valid()))
    out[there] = np.asarray(cells.drop_null().flatten(), np.float32).reshape(-1, width)
    return out
