"""Which columns hold what the model said, what was true and how sure it was, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core.check import History
from undertow.core.finding import percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import to_floats, to_text
from undertow.lenses.probabilities import CONFIDENCE, derived
from undertow.stats import sampled
from undertow.summaries.errors import Errors
from undertow.summaries.outcomes import Outcomes
from undertow.summaries.scores import POSITIVE, canonical, parts_of

_CLASSES = (Kind.CATEGORY, Kind.BOOL, Kind.TEXT)
_NUMBERS = ("int", "uint", "float", "double", "half", "decimal")
_MOST = 3


def needs(schema: Schema) -> Iterator[Need]:
    """Ask for a table of outcomes of every prediction (or score) that has a label.

    A number against classes may be a probability or a rating; both tables are asked for, and the
    one that the reference's values do not fit stays empty.
    """
    labels = _readable(schema, Role.LABEL)
    said = _readable(schema, Role.PREDICTION)
    said = tuple(each for each in said if not each.origin) or said
    sure = schema.of(role=Role.SCORE, kind=Kind.NUMBER)
    if not labels:
        return
    if not said:
        for score in sure:
            kind = Errors if labels[0].kind is Kind.NUMBER else Outcomes
            yield _names(labels[0], score), kind
        return
    for spot, each in enumerate(said):
        label = labels[spot] if len(labels) == len(said) else labels[0]
        yield from _of(each, label, _score(schema, said, sure, spot))


def _readable(schema: Schema, role: Role) -> tuple[Column, ...]:
    """Return the columns of a role that hold classes or numbers, or nothing at all as yet."""
    kinds = (*_CLASSES, Kind.NUMBER, Kind.OTHER)
    found = schema.of(role=role, kind=kinds)
    return tuple(each for each in found if each.kind is not Kind.OTHER or each.arrow == "null")


def _of(said: Column, label: Column, score: Column | None) -> Iterator[Need]:
    if said.kind is Kind.NUMBER or (label.kind is Kind.NUMBER and said.arrow.startswith(_NUMBERS)):
        yield _names(said, label), Errors
        if label.kind is not Kind.NUMBER:
            yield _names(said, label), Outcomes
    else:
        yield _names(said, label, score), Outcomes


def _score(
    schema: Schema, said: tuple[Column, ...], sure: tuple[Column, ...], spot: int
) -> Column | None:
    """Return the score that goes with a prediction: as many of the one as of the other."""
    if not sure:
        origins = dict.fromkeys(column.origin for column in schema if column.origin)
        named = [derived(origin, CONFIDENCE) for origin in origins]
        sure = tuple(schema[name] for name in named if name in schema)
    return sure[spot] if len(sure) == len(said) else None


def _names(*columns: Column | None) -> tuple[str, ...]:
    return tuple(column.name for column in columns if column is not None)


def subject(profile: Profile, columns: tuple[str, ...]) -> str:
    """Return the column that a table of outcomes is about: the prediction, or else the score."""
    said, _, score = parts_of(profile.described(columns))
    return (said or score or profile.described(columns)[0]).name


def label_of(profile: Profile, columns: tuple[str, ...]) -> str:
    """Return the name of the label among the columns of a table."""
    return next(c.name for c in profile.described(columns) if c.role is Role.LABEL)


def labelled(table: Outcomes | Errors, label: str) -> str:
    """Return how many rows could be judged, in words."""
    if table.judged == table.rows:
        return f"{table.judged:,} rows"
    if table.unpredicted > table.unlabelled:
        return f"{table.judged:,} of {table.rows:,} rows, those with a prediction"
    return f"{table.judged:,} of {table.rows:,} rows, those with {label!r}"


def caution(table: Outcomes | Errors) -> dict[str, str]:
    """Return what rows without a label leave open, as evidence."""
    if not table.unlabelled:
        return {}
    share = percent(table.unlabelled / table.rows)
    return {
        "note": f"{share} of current rows have no label yet and are not part of this: if labels "
        "come late or for some kinds of rows only, concept drift in the rest cannot be excluded"
    }


def wrong(
    history: History, columns: tuple[str, ...], table: Outcomes | Errors
) -> tuple[Mapping[str, str], ...]:
    """Return sampled rows of now that were wrong: the surest (or furthest off) first."""
    rows = sampled.kept(history.now).kept
    said, true, score = parts_of(history.reference.described(columns))
    have = rows.column_names
    if true is None or true.name not in have:
        return ()
    label = rows.column(true.name).combine_chunks()
    if isinstance(table, Errors):
        other = next(c for c in history.reference.described(columns) if c is not true)
        if other.name not in have:
            return ()
        off = np.abs(to_floats(rows.column(other.name).combine_chunks()) - to_floats(label))
        first = _first(np.where(np.isfinite(off), off, -1.0))
        return sampled.told(history.now, first, (other.name, true.name))
    how = _wrong_classes(rows, said, label, score, table)
    if how is None:
        return ()
    names = [c.name for c in (said, true, score) if c is not None and c.name in have]
    return sampled.told(history.now, _first(how), tuple(names))


def _wrong_classes(
    rows: pa.Table, said: Column | None, label: pa.Array, score: Column | None, table: Outcomes
) -> NDArray[np.float64] | None:
    """Return how sure each row was of a wrong class, -1 where it was right."""
    scores = table.scores
    sure = np.full(rows.num_rows, np.nan)
    if score is not None and score.name in rows.column_names:
        sure = to_floats(rows.column(score.name).combine_chunks())
    truth = canonical(to_text(label), table.fold)
    if said is not None and said.name in rows.column_names:
        names = canonical(to_text(rows.column(said.name).combine_chunks()), table.fold)
        missed = np.array(
            [
                a != b and None not in (a, b)
                for a, b in zip(names.to_pylist(), truth.to_pylist(), strict=True)
            ],
            np.bool_,
        )
    elif scores.threshold is not None:
        high = np.array([name == scores.positive for name in truth.to_pylist()])
        missed = ((sure >= scores.threshold) != high) & np.asarray(truth.is_valid())
        missed &= np.isfinite(sure)
    else:
        return None
    if scores.meaning == POSITIVE:
        sure = np.maximum(sure, 1 - sure)
    return np.where(missed, np.nan_to_num(sure, nan=0.0), -1.0)


def _first(how: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the positions of the rows that are most wrong."""
    order = np.argsort(-how, kind="stable")[:_MOST]
    return order[how[order] > 0] if (how > 0).any() else order[how[order] >= 0]
