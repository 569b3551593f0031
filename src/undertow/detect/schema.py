"""Schema: columns that are gone, new, of another type, or in another order. These are facts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Verdict
from undertow.stats import sampled
from undertow.stats.counts import Floats
from undertow.stats.told import short

_PLAIN = {
    "bool": "true or false",
    "date32[day]": "date",
    "date64[ms]": "date",
    "null": "nothing",
    **dict.fromkeys(("string", "large_string", "string_view"), "text"),
    **dict.fromkeys(("binary", "large_binary", "binary_view"), "bytes"),
    **dict.fromkeys(("halffloat", "float", "double"), "number"),
    **{f"{sign}int{bits}": "whole number" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_PATTERNS = (
    (r"dictionary<values=(.*), indices=\w+, ordered=\d>", None),
    (r"timestamp\[\w+\]", "time without zone"),
    (r"timestamp\[\w+, tz=.*\]", "time with zone"),
    (r"decimal\d+\(.*\)", "decimal number"),
    (r"duration\[\w+\]", "duration"),
    (r"time(32|64)\[\w+\]", "time of day"),
    (r"fixed_size_binary\[\d+\]", "bytes"),
)
_LIST = re.compile(r"(?:large_|fixed_size_)?list(?:_view)?<\w+: (.*?)(?: not null)?>(?:\[(\d+)\])?")
_NUMBERS = {"whole number", "number", "decimal number"}
_DAYS = {"date", "time without zone"}
_DAY = 86_400_000_000


def meaning(arrow: str) -> str:
    """Return what an Arrow type holds, as people say it: how it is stored makes no difference.

    >>> meaning("dictionary<values=large_string, indices=int8, ordered=0>"), meaning("int32")
    ('text', 'whole number')
    >>> meaning("timestamp[us, tz=UTC]"), meaning("fixed_size_list<item: float>[384]")
    ('time with zone', 'list of 384 number')
    """
    if arrow in _PLAIN:
        return _PLAIN[arrow]
    for pattern, word in _PATTERNS:
        found = re.fullmatch(pattern, arrow)
        if found:
            return meaning(found[1]) if word is None else word
    inner = _LIST.fullmatch(arrow)
    if inner:
        size = f"{inner[2]} " if inner[2] else ""
        return f"list of {size}{meaning(inner[1])}"
    return arrow


@dataclass(frozen=True)
class Columns:
    """Whether the columns are those of the reference: all there, same types, same order.

    A column that is gone is `changed`; a label that is gone is `unknown`, because labels come late.
    A new column is `watch`: nothing that worked breaks by it, but nothing compares it either.
    Another order is `watch`: it matters to whoever reads by position. A type is what it holds, not
    how it is stored (int32 and int64, a dictionary and plain strings, milliseconds and microseconds
    are the same), and another one is `changed`, with two exceptions that are told as `steady`:
    whole numbers stored as fractions, of which every sampled one is still whole (pandas does so
    where some are missing), and dates stored as midnights. A time that gained or lost its zone is
    `changed`. Where nothing differs there is one steady finding.
    """

    name: ClassVar[str] = "schema.columns"

    def needs(self, schema: Schema) -> Iterator[Need]:  # noqa: ARG002 - every check has it
        """Ask for nothing: the schemas are kept anyway, and so is the sample of rows."""
        yield from ()

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield a finding for each difference, or one that says that there is none."""
        found = [*self._gone_and_new(history), *_types(history), *_order(history)]
        yield from found
        if all(each.verdict is Verdict.STEADY for each in found):
            count = len(_columns(history)[0])
            same = "in the same order" if found else "of the same types, in the same order"
            says = (
                f"all {count} columns are there, {same}" if count > 1 else "the one column is there"
            )
            yield _fact(history, self.name, "columns", says, Verdict.STEADY)

    def _gone_and_new(self, history: History) -> Iterator[Finding]:
        before, now = _columns(history)
        gone = [column for column in before if column.name not in history.now.schema]
        new = [column for column in now if column.name not in history.reference.schema]
        renamed: set[str] = set()
        for column in gone:
            twin = _twin(column, [each for each in new if each.name not in renamed])
            renamed |= {twin.name} if twin else set()
            late = column.role is Role.LABEL
            says = f"column {column.name!r} is gone"
            says += f"; the new {twin.name!r} looks like it" if twin else ""
            says += ": without labels nobody can say how good the model is" if late else ""
            yield _fact(
                history,
                self.name,
                column.name,
                says,
                Verdict.UNKNOWN if late else Verdict.CHANGED,
                column=column.name,
                evidence={"type": {"reference": column.arrow, "current": None}},
                causes=(f"renamed to {twin.name!r}",) if twin else (),
                next=(
                    f"join the labels when they have come, as {column.name!r}"
                    if late
                    else f"ask who writes this data what became of {column.name!r}",
                ),
            )
        for column in new:
            yield _fact(
                history,
                self.name,
                column.name,
                f"column {column.name!r} is new ({meaning(column.arrow)}); nothing compares it yet",
                Verdict.WATCH,
                column=column.name,
                evidence={"type": {"reference": None, "current": column.arrow}},
                examples=sampled.examples(history.now, column.name),
                next=(f"take it into the reference, or leave it out: --ignore {column.name}",),
            )


def _columns(history: History) -> tuple[list[Column], list[Column]]:
    ignored = {each.name for each in history.reference.schema.of(role=Role.IGNORE)}
    sides = (history.reference.schema, history.now.schema)
    before, now = ([each for each in side if each.name not in ignored] for side in sides)
    return before, now


def _twin(gone: Column, new: list[Column]) -> Column | None:
    """Return the new column that is likely the one that is gone: a close name, the same type."""
    like = {
        each.name.casefold(): each for each in new if meaning(each.arrow) == meaning(gone.arrow)
    }
    close = difflib.get_close_matches(gone.name.casefold(), like, n=1, cutoff=0.7)
    return like[close[0]] if close else None


def _order(history: History) -> Iterator[Finding]:
    before, now = ([column.name for column in side] for side in _columns(history))
    ours = [name for name in before if name in set(now)]
    theirs = [name for name in now if name in set(before)]
    if ours == theirs:
        return
    spot = next(i for i, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
    says = f"the columns come in another order: {theirs[spot]!r} stands where {ours[spot]!r} stood"
    yield _fact(
        history,
        "schema.order",
        "columns",
        f"{says}; that matters to whoever reads by position",
        Verdict.WATCH,
        evidence={"order": {"reference": ours[:40], "current": theirs[:40]}},
        next=("read columns by name, or put them in the reference's order",),
    )


def _types(history: History) -> Iterator[Finding]:
    for before in _columns(history)[0]:
        if before.name not in history.now.schema:
            continue
        now = history.now.schema[before.name]
        was, is_ = meaning(before.arrow), meaning(now.arrow)
        if "[" not in before.arrow or "[" not in now.arrow:  # a list that does not say how long
            was, is_ = (re.sub(r"list of \d+ ", "list of ", each) for each in (was, is_))
        if was == is_ or "nothing" in {was, is_} or not before.arrow or not now.arrow:
            continue
        verdict, why = _milder(history, before.name, was, is_)
        stored = f"{before.arrow} → {now.arrow}"
        says = f"{before.name!r} was {was}, now {is_} ({stored}){why}"
        same = verdict is Verdict.STEADY
        yield _fact(
            history,
            "schema.types",
            before.name,
            says,
            verdict,
            column=before.name,
            evidence={"type": {"reference": before.arrow, "current": now.arrow}},
            examples=() if same else sampled.examples(history.now, before.name),
            next=() if same else (f"write {before.name!r} as {before.arrow} again",),
        )


def _milder(history: History, name: str, was: str, is_: str) -> tuple[Verdict, str]:
    """Return the verdict on two types, and what the values themselves say of it."""
    sides = {was: history.reference, is_: history.now}
    values = {kind: sampled.numbers(sampled.kept(side), name) for kind, side in sides.items()}
    if {was, is_} <= _NUMBERS:
        return _numbers(values, was, is_)
    if {was, is_} == _DAYS:
        times = values["time without zone"]
        if not (times[np.isfinite(times)] % _DAY).any():
            return Verdict.STEADY, ": every time is midnight, the days compare equal"
    if was in _NUMBERS and is_ == "text":
        cells = sampled.texts(sampled.kept(history.now), name)
        odd = np.asarray(cells.is_valid()) & np.isnan(values[is_])
        told = f"and {percent(odd.mean())} of rows no longer read as a number"
        return Verdict.CHANGED, f", {told if odd.any() else 'though every value reads as a number'}"
    return Verdict.CHANGED, ""


def _numbers(values: dict[str, Floats], was: str, is_: str) -> tuple[Verdict, str]:
    """Tell whether whole numbers are still whole; other kinds of number compare equal."""
    parts = {
        kind: each[np.isfinite(each) & (each != np.rint(each))] for kind, each in values.items()
    }
    if "whole number" in parts and len(parts[is_]):
        return Verdict.CHANGED, f": there are fractions now, such as {short(parts[is_][0])}"
    if "whole number" in parts and len(parts[was]):
        return Verdict.CHANGED, f": fractions such as {short(parts[was][0])} are gone"
    gaps = (
        ""
        if np.isfinite(np.concatenate(list(values.values()))).all()
        else (" (pandas stores whole numbers so beside a gap)")
    )
    return Verdict.STEADY, f": the values compare equal{gaps}"


def _fact(
    history: History, check: str, subject: str, says: str, verdict: Verdict, **more: object
) -> Finding:
    rows = Rows(history.reference.rows, history.now.rows)
    return Finding(check, subject, says, rows=rows, verdict=verdict, **more)  # type: ignore[arg-type]  # its own fields
