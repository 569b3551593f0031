"""Damage in texts: the one mark of a parser, an export or an encoding whose share moved most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.profile import EVERY
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.values import Values
from undertow.detect.words import shortened
from undertow.lenses.marks import JOIN, MARKS
from undertow.stats import describe
from undertow.stats.holders import Holders, largest_change, rows_that_tell
from undertow.stats.share import share_change
from undertow.summaries.categories import Categories
from undertow.summaries.sample import RowSample

STEPS = {
    "broken lines": "Compare the version of the document parser: lines break in other places.",
    "bad encoding": "Find where bytes become text: UTF-8 was read as another encoding.",
    "HTML": "Find where tags and entities were removed before: that step is gone or came too late.",
    "markup": "Find where markup was removed before: that step is gone.",
    "page furniture": "Compare the version of the document parser: page headers are in the text.",
    "control characters": "Strip control characters where texts come in, and find who sends them.",
    "cut off": "Look for a limit on length on the way: a column, a form, a prompt.",
    "JSON": "Find where a field was taken out of JSON before: the whole object arrives.",
    "decomposed accents": "Normalise to NFC where texts come in: the same word has other bytes.",
    "ligatures": "Normalise to NFKC where texts come in: the parser left fi and fl as one character.",
}


@dataclass(frozen=True)
class Artefacts:
    """The mark of damage whose share of the texts moved most, as Cohen's h.

    Marks: broken lines, bad encoding, HTML, markup, page furniture, control characters, cut off,
    JSON, decomposed accents, ligatures. One text can carry several. h 0.2 is 0 to 1% of the texts.
    """

    name: ClassVar[str] = "drift.artefacts"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the counts of the marks of every text that is compared."""
        for column in schema.of(kind=Kind.TEXT):
            name = f"{column.name}:marks"
            if column.role not in {Role.ID, Role.IGNORE} and name in schema:
                yield (name,), Categories

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a text column."""
        for column in history.shared(kind=Kind.TEXT):
            before = history.reference.get(Categories, f"{column.name}:marks")
            now = history.now.get(Categories, f"{column.name}:marks")
            if before is not None and now is not None:
                yield self._compare(history, column, before, now)

    def _compare(
        self, history: History, column: Column, before: Categories, now: Categories
    ) -> Finding:
        check = f"{family(column)}.artefacts"
        tolerance = history.tolerance(check, "cohens_h", column.name, self.tolerance)
        ours, theirs = carrying(before), carrying(now)
        some = Holders(ours, before.rows, theirs, now.rows)
        spot, effect = largest_change(some, tolerance=tolerance)
        rows = Rows(before.rows, now.rows)
        if spot < 0:  # no text of either side carries a mark
            effect = share_change(0, before.rows, 0, now.rows, tolerance=tolerance)
        finding = Finding(check, column.name, "no damage", effect, rows, column=column.name)
        if spot < 0:
            return finding
        mark = MARKS[spot]
        was, is_ = float(ours[spot] / before.rows), float(theirs[spot] / now.rows)
        shares = {
            name: describe.pair(float(ours[n] / before.rows), float(theirs[n] / now.rows))
            for n, name in enumerate(MARKS)
            if ours[n] or theirs[n]
        }
        undecided = effect.low <= tolerance < effect.high
        return replace(
            finding,
            subject=f"{column.name}={mark}",
            value=mark,
            says=f"{mark}: {percent(was)} → {percent(is_)} of texts",
            needs_rows=rows_that_tell((ours + theirs) / sum((before.rows, now.rows)), tolerance)
            if undecided
            else None,
            evidence={"shares": shares},
            examples=_examples(history, column, mark) if is_ > was else (),
            next=(STEPS[mark],) if is_ > was else (),
        )


def carrying(counts: Categories) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return how many texts carry each mark, in the order of MARKS."""
    held = np.zeros(len(MARKS), np.int64)
    for spot, rows in enumerate(counts.tally.tolist()):
        for mark in counts.name(spot).split(JOIN):
            if mark in MARKS:
                held[MARKS.index(mark)] += rows
    return held


def _examples(
    history: History, column: Column, mark: str, most: int = 3
) -> tuple[dict[str, str], ...]:
    sample = history.now.get(RowSample, *EVERY)
    lens = history.now.lenses.get(column.name)
    if sample is None or lens is None or sample.kept.schema.get_field_index(column.name) < 0:
        return ()
    cells = Values(column, sample.kept.column(column.name))
    found = lens(cells).get(f"{column.name}:marks")
    if found is None:
        return ()
    names = found.cast(pa.string())
    rows = np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring(names, mark), False)))  # noqa: FBT003 - Arrow takes it by place
    strings = cells.strings
    return tuple({column.name: shortened(str(strings[int(row)].as_py()))} for row in rows[:most])
