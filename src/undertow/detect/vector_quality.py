"""Vectors that are none: of another length, not finite, zero, no longer normalised, or all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import Profile
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import Values
from undertow.core.vectors import NOT_FINITE, RAGGED, ZERO
from undertow.core.verdict import Verdict
from undertow.stats import describe, sampled
from undertow.stats.share import share_change
from undertow.stats.told import needed, rough, two_shares
from undertow.summaries.vectors import NEAR_ONE, Spread

LENGTH, NOT_A_NUMBER, ALL_ZERO, NORM, SAME = "length", "not finite", "zero", "norm", "same"
_PRECISION = {"halffloat": "float16", "float": "float32", "double": "float64"}
_COARSE = {"halffloat": 1}
"""Types whose rounding shows in a cosine: float16 keeps 3 digits, float32 and float64 agree."""
_FEW = 0.01


@dataclass(frozen=True)
class VectorQuality:
    """Whether the vectors are vectors, as the reference's were.

    Four shares of rows, each as Cohen's h: another length than the reference's, NaN or infinity
    inside, zero in every dimension, and the one commonest vector (an encoder that fails often gives
    the same vector for everything). A share that is nothing on both sides gets no finding; rows
    without a vector are told by `quality.missing`. The commonest vector is told where it stands in
    1% of the rows or more on a side.

    Where every vector of the reference had length 1 (to 0.001) and now some have not, that is a
    fact, `changed`: a cosine and a dot product are no longer the same thing. Numbers stored with
    another precision are a fact too: `watch` where float16 came or went, `steady` between float32
    and float64.
    """

    name: ClassVar[str] = "quality.vectors"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask what the rows of every vector column are, and how long the vectors."""
        for column in _looked_at(schema):
            yield (column.name,), Spread

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield what is wrong with the vectors of either side."""
        for column in _looked_at(history.reference.schema):
            before = history.reference.get(Spread, column.name)
            now = history.now.get(Spread, column.name)
            if before is None or now is None or not before.dimensions:
                continue
            yield from self._states(history, column, before, now)
            yield from self._same(history, column, before, now)
            yield from _norms(self.name, history, column, before, now)
            yield from _precision(self.name, history, column)

    def _states(
        self, history: History, column: Column, before: Spread, now: Spread
    ) -> Iterator[Finding]:
        for value, code, told, step in (
            (
                LENGTH,
                RAGGED,
                f"{{}} of the vectors of {column.name!r} are not {before.dimensions:,} numbers long",
                f"find out which model wrote these vectors of {column.name!r}",
            ),
            (
                NOT_A_NUMBER,
                NOT_FINITE,
                f"{{}} of the vectors of {column.name!r} hold NaN or infinity",
                f"look for an overflow or a division by zero on the way to {column.name!r}",
            ),
            (
                ALL_ZERO,
                ZERO,
                f"{{}} of the vectors of {column.name!r} are zero in every dimension",
                f"look for inputs of {column.name!r} that were empty or failed to encode",
            ),
        ):
            hits = before.counts[code], now.counts[code]
            rows = before.rows - before.null, now.rows - now.null
            if any(hits) and all(rows):
                bad = _sampled_states(history.now, column.name, before.dimensions) == code
                yield self._share(history, column, value, (told, step), hits, rows, bad)

    def _same(
        self, history: History, column: Column, before: Spread, now: Spread
    ) -> Iterator[Finding]:
        hits, hits_now, which = _commonest(history, column.name, before, now)
        if max(hits, hits_now) < 2 or not before.fine or not now.fine:
            return
        if max(hits / before.fine, hits_now / now.fine) >= _FEW:
            told = f"one vector stands in {{}} of the rows of {column.name!r}"
            step = f"see which inputs share it: a broken encoder gives one {column.name!r} for all"
            rows = before.fine, now.fine
            yield self._share(history, column, SAME, (told, step), (hits, hits_now), rows, which)

    def _share(
        self,
        history: History,
        column: Column,
        value: str,
        words: tuple[str, str],
        hits: tuple[int, int],
        rows: tuple[int, int],
        which: NDArray[np.bool_],
    ) -> Finding:
        tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
        effect = share_change(hits[0], rows[0], hits[1], rows[1], tolerance=tolerance)
        was, is_ = hits[0] / rows[0], hits[1] / rows[1]
        told, step = words
        more = is_ > was
        return Finding(
            self.name,
            f"{column.name}={value}",
            f"{told.format(percent(is_))}, were {percent(was)}"
            if value != SAME
            else f"{told.format(percent(is_))}, was {percent(was)}",
            effect,
            Rows(*rows),
            column=column.name,
            value=value,
            needs_rows=needed(effect, max(was, is_)),
            evidence={"share": describe.pair(was, is_)},
            shape=two_shares(value, "other vectors", hits, rows),
            examples=sampled.examples(history.now, column.name, which) if more else (),
            next=(step,) if more else (),
        )


def _sampled_states(side: Profile, name: str, dimensions: int) -> NDArray[np.int8]:
    """Return what each sampled row of a vector column is, by the codes of `core.vectors`."""
    table = sampled.kept(side).kept
    if table.schema.get_field_index(name) < 0:
        return np.empty(0, np.int8)
    return Values(Column(name, Kind.VECTOR), table.column(name)).vectors_of(dimensions).state


def _commonest(
    history: History, name: str, before: Spread, now: Spread
) -> tuple[int, int, NDArray[np.bool_]]:
    """Return how many rows of each side hold its commonest vector, and which sampled rows do now.

    Exact where the sample holds every row, estimated from the buckets where it does not: the one
    vector that half the rows hold is one row of the sample, if any.
    """
    found = []
    which = np.empty(0, np.bool_)
    for side, spread in ((history.reference, before), (history.now, now)):
        sample = sampled.kept(side)
        hits = spread.commonest
        if sample.kept.schema.get_field_index(name) >= 0:
            cells = Values(Column(name, Kind.VECTOR), sample.kept.column(name))
            fine = cells.vectors_of(before.dimensions).fine
            _, places = np.unique(cells.hashes, return_inverse=True)
            mass = np.bincount(places, np.where(fine, sample.multiplicity, 0), minlength=1)
            which = np.asarray(fine & (places == mass.argmax()))
            if sampled.whole(sample):
                hits = float(mass.max())
        found.append(min(round(hits), spread.fine))
    return found[0], found[1], which


def _norms(
    check: str, history: History, column: Column, before: Spread, now: Spread
) -> Iterator[Finding]:
    """Tell that vectors were normalised and are not, or the other way round."""
    if not before.fine or not now.fine:
        return
    was, is_ = before.unit == before.fine, now.unit == now.fine
    if was == is_:
        return
    rows = Rows(before.fine, now.fine)
    evidence = {
        "normalised": describe.pair(before.unit / before.fine, now.unit / now.fine),
        "shortest": describe.pair(before.low, now.low),
        "longest": describe.pair(before.high, now.high),
    }
    told = _lengths(before if is_ else now)
    if is_:
        says = f"the vectors of {column.name!r} are all of length 1 now, {told} before"
    else:
        share = percent(1 - now.unit / now.fine)
        says = (
            f"the vectors of {column.name!r} were all of length 1; {share} are not now, they are "
            f"{told} long"
        )
    yield Finding(
        check,
        f"{column.name}={NORM}",
        says,
        rows=rows,
        # Normalised vectors are not worse, but an index that ranks by dot product ranks otherwise.
        verdict=Verdict.WATCH if is_ else Verdict.CHANGED,
        column=column.name,
        value=NORM,
        evidence=evidence,
        examples=()
        if is_
        else sampled.examples(history.now, column.name, _off(history, column, before)),
        next=(f"normalise {column.name!r} as the reference was, or compare by cosine only",),
    )


def _lengths(side: Spread) -> str:
    """Return how long the vectors of one side are."""
    low, high = rough(side.low), rough(side.high)
    return low if low == high else f"{low} to {high}"


def _off(history: History, column: Column, before: Spread) -> NDArray[np.bool_]:
    table = sampled.kept(history.now).kept
    if table.schema.get_field_index(column.name) < 0:
        return np.empty(0, np.bool_)
    found = Values(column, table.column(column.name)).vectors_of(before.dimensions)
    return np.asarray(found.fine & (np.abs(found.norms - 1.0) > NEAR_ONE))


def _precision(check: str, history: History, column: Column) -> Iterator[Finding]:
    """Tell that the numbers are stored with another precision than the reference's."""
    if column.name not in history.now.schema:
        return
    was, is_ = (_stored(side.schema[column.name]) for side in (history.reference, history.now))
    if was == is_ or not was or not is_:
        return
    rounded = bool({was, is_} & _COARSE.keys())
    says = f"the vectors of {column.name!r} were {_PRECISION[was]}, now {_PRECISION[is_]}"
    says += (
        ": float16 keeps 3 digits, so their cosines differ in the 4th"
        if rounded
        else ": they compare equal"
    )
    yield Finding(
        check,
        f"{column.name}=precision",
        says,
        rows=Rows(history.reference.rows, history.now.rows),
        verdict=Verdict.WATCH if rounded else Verdict.STEADY,
        column=column.name,
        value="precision",
        evidence={"type": {"reference": _PRECISION[was], "current": _PRECISION[is_]}},
        next=(f"write {column.name!r} as {_PRECISION[was]} again",) if rounded else (),
    )


def _stored(column: Column) -> str:
    return next((kind for kind in _PRECISION if f": {kind}" in column.arrow), "")


def _looked_at(schema: Schema) -> Iterator[Column]:
    for column in schema.of(kind=Kind.VECTOR):
        if column.role not in {Role.ID, Role.IGNORE, Role.TIME} and not column.origin:
            yield column
