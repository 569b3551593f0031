"""Which kind and role a column has, read from its type, its name and its values, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.finding import percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Survey
from undertow.core.values import Values, to_floats, to_text
from undertow.core.vectors import RAGGED, is_list, is_numeric
from undertow.summaries.categories import Categories

_NAMES: dict[Role, frozenset[str]] = {
    Role.PREDICTION: frozenset({"prediction", "predicted", "pred", "y_pred", "predicted_label"}),
    Role.SCORE: frozenset(
        {"score", "proba", "probability", "y_pred_proba", "y_score", "confidence"}
    ),
    Role.LABEL: frozenset({"label", "target", "y_true", "ground_truth", "y"}),
    Role.ID: frozenset(
        {"id", "uuid", "guid", "row_id", "index", "instant", "row_order", "row_number"}
    ),
    Role.TIME: frozenset(
        {"timestamp", "time", "date", "datetime", "created_at", "ts", "event_time"}
    ),
}
_TEXTS = frozenset(
    [
        "text",
        "message",
        "review",
        "comment",
        "title",
        "body",
        "query",
        "question",
        "prompt",
        "answer",
        "headline",
        "feedback",
    ]
)
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$"
_ENOUGH = 100
ORIGIN, SPACE = "undertow.origin", "undertow.space"
"""Metadata of an Arrow field: the column it was made of, the encoder that made its vectors."""
_ALIKE = 0.5
"""Lists of floats are vectors where more than this share have one length."""


def by_type(arrow: pa.Schema) -> Schema:
    """Return what the Arrow types alone say; strings are categories until their values are seen.

    >>> by_type(pa.schema({"age": pa.int64(), "city": pa.string()})).columns[1].kind
    <Kind.CATEGORY: 'category'>
    """
    return Schema(tuple(_typed(field) for field in arrow))


def _typed(field: pa.Field) -> Column:
    kind = field.type
    shown = str(kind)
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    plain = {
        Kind.BOOL: pa.types.is_boolean(value),
        Kind.TIME: pa.types.is_timestamp(value) or pa.types.is_date(value),
        Kind.NUMBER: pa.types.is_integer(value)
        or pa.types.is_floating(value)
        or pa.types.is_decimal(value)
        or pa.types.is_duration(value)
        or pa.types.is_time(value),
        Kind.CATEGORY: pa.types.is_string(value)
        or pa.types.is_large_string(value)
        or pa.types.is_string_view(value),
        Kind.VECTOR: _is_vector(value),
    }
    found = next((each for each, fits in plain.items() if fits), Kind.OTHER)
    why = f"its type is {shown}" if found is not Kind.OTHER else f"no check reads {shown}"
    told = {key: (field.metadata or {}).get(key.encode(), b"").decode() for key in (ORIGIN, SPACE)}
    return Column(field.name, found, why=why, arrow=shown, origin=told[ORIGIN], space=told[SPACE])


def _is_vector(kind: pa.DataType) -> bool:
    """Tell whether a type is a list of floats, or of one length and of any numbers."""
    if pa.types.is_fixed_size_list(kind) and is_numeric(kind.value_type):
        return True
    return is_list(kind) and bool(pa.types.is_floating(kind.value_type))


def by_values(schema: Schema, survey: Survey, profile: Profile, declared: frozenset[str]) -> Schema:
    """Return the schema with strings, identifiers and roles read from names and values.

    Columns in `declared` keep what the user said of them.
    """
    columns = [
        column if column.name in declared else _valued(column, survey, profile) for column in schema
    ]
    taken = {column.role for column in columns if column.name in declared}
    named = []
    for column in columns:
        role = next((r for r, names in _NAMES.items() if column.name.lower() in names), None)
        fits = role is not None and role not in taken and column.role is Role.FEATURE
        if role is None or column.name in declared or not fits or not _suits(column, role, survey):
            named.append(_whole(column, survey, column.name in declared))
            continue
        if role in {Role.TIME, Role.PREDICTION}:
            taken.add(role)
        why = f"{column.why}; its name says {role}"
        named.append(_whole(replace(column, role=role, why=why), survey, fixed=False))
    return Schema(tuple(named))


def _suits(column: Column, role: Role | None, survey: Survey) -> bool:
    if role is Role.TIME:
        return column.kind is Kind.TIME
    if role is Role.SCORE:
        return column.kind is Kind.NUMBER
    if role is Role.ID:
        return _unique(column, survey)
    if column.name.lower() == "y":  # a coordinate, unless it has few values
        return _whole(column, survey, fixed=False).kind in {Kind.CATEGORY, Kind.BOOL}
    return True


def _whole(column: Column, survey: Survey, fixed: bool) -> Column:
    """Read whole numbers that name classes as categories: 0 and 1, or any label or prediction."""
    if column.kind is not Kind.NUMBER or (
        fixed and column.role not in {Role.PREDICTION, Role.LABEL}
    ):
        return column
    values, _ = survey.numbers(column.name)
    found = np.unique(values)
    if not len(found) or (found != np.rint(found)).any():
        return column
    few = 50 if column.role in {Role.PREDICTION, Role.LABEL} else 2
    integers = column.arrow.startswith(("int", "uint")) or few == 50
    once = few == 2 and (len(found) == 1 or survey.rows <= len(found))
    if not integers or len(found) > few or once:
        return column
    return replace(column, kind=Kind.CATEGORY, why=f"{column.why}; {len(found)} whole values")


def _valued(column: Column, survey: Survey, profile: Profile) -> Column:
    if column.kind in {Kind.VECTOR, Kind.NUMBER}:
        return (_vector if column.kind is Kind.VECTOR else _numbered)(column, survey)
    if column.kind is not Kind.CATEGORY or survey.rows == 0:
        return column
    counts = profile.get(Categories, column.name)
    cells = pc.drop_null(to_text(survey.sample.column(column.name).combine_chunks()))
    if counts is None or counts.rows == 0 or len(cells) == 0:
        return replace(column, why=f"{column.why}; every value is missing")
    spread = counts.distinct / counts.rows
    trimmed = pc.utf8_trim_whitespace(cells)
    if counts.distinct > 20 and np.isfinite(to_floats(cells)).mean() >= 0.99:
        return replace(column, kind=Kind.NUMBER, why="text that reads as numbers")
    if counts.distinct > 1 and pc.mean(pc.match_substring_regex(trimmed, _ISO)).as_py() >= 0.99:
        return replace(column, kind=Kind.TIME, why="text that reads as ISO dates")
    words = float(pc.mean(pc.add(pc.count_substring_regex(trimmed, r"\s+"), 1)).as_py())
    length = float(pc.mean(pc.utf8_length(trimmed)).as_py())
    told = f"{words:.0f} words a value, {counts.distinct:,.0f} distinct in {counts.rows:,} rows"
    named = column.name.lower() in _TEXTS and (words >= 2 or length >= 20)
    if (
        (words >= 3.5 and spread > 0.3)
        or (length >= 60 and spread > 0.2)
        or (named and spread > 0.1)
    ):
        return replace(column, kind=Kind.TEXT, why=told)
    if spread > 0.95 and counts.rows >= _ENOUGH:
        return replace(column, role=Role.ID, why=f"nearly every row has its own value ({told})")
    return replace(column, why=told)


def _vector(column: Column, survey: Survey) -> Column:
    """Read lists of floats as vectors only where most of them are of one length."""
    cells = Values(column, survey.sample.column(column.name))
    there = len(cells) - cells.nulls
    if not there:
        return replace(column, why=f"{column.why}; every value is missing")
    found = cells.vectors
    alike = 1 - found.counts[RAGGED] / there
    if alike < _ALIKE or not found.dimensions:
        told = f"lists of many lengths; {percent(alike)} have the commonest, {found.dimensions:,}"
        return replace(column, kind=Kind.OTHER, why=f"{column.why}: {told}")
    return replace(column, why=f"{column.why}; {found.dimensions:,} numbers a vector")


def _numbered(column: Column, survey: Survey) -> Column:
    name = column.name.lower()
    named = name in _NAMES[Role.ID] or name.endswith(("_id", "_key", " id")) or name == "unnamed: 0"
    if not named or not column.arrow.startswith(("int", "uint")) or survey.rows < _ENOUGH:
        return column
    values, _ = survey.numbers(column.name)
    if _unique(column, survey) and np.ptp(values) <= 2 * survey.rows:
        return replace(
            column, role=Role.ID, why=f"{column.why}; every row has its own, in sequence"
        )
    return column


def _unique(column: Column, survey: Survey) -> bool:
    cells = survey.sample.column(column.name)
    return bool(
        not is_list(cells.type)
        and len(cells) > 1
        and cells.null_count == 0
        and pc.count_distinct(cells).as_py() == len(cells)
        and int(survey.weights.sum()) == len(cells)
    )
