"""Spelling: the same values, written another way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from undertow.core.check import History
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect, Verdict, decide
from undertow.detect.category import KINDS, Category, Compared, compared
from undertow.stats import sampled
from undertow.stats.share import share_change
from undertow.stats.told import two_shares

MOST = 5_000
"""Columns of more distinct values than this are not looked at."""
_TRUE = frozenset(("true", "t", "yes", "y", "1", "1.0", "on"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "0.0", "off"))


def _case(word: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", word).casefold().split())


def _joined(word: str) -> str:
    return re.sub(r"[\s_\-./]+", "", _case(word)).rstrip(",;:!")


def _number(word: str) -> str:
    try:
        return repr(float(word))
    except ValueError:
        return word


def _truth(word: str) -> str:
    plain = _case(word)
    return "true" if plain in _TRUE else "false" if plain in _FALSE else f"\0{word}"


WAYS: dict[str, Callable[[str], str]] = {
    "case and spaces": _case,
    "separators and full stops": _joined,
    "numbers": _number,
    "yes and no": _truth,
}
"""The ways two spellings can be of one value, the strictest first."""


@dataclass(frozen=True)
class Spelling:
    """The share of rows whose value is new, but only another spelling of one the reference has.

    True and 1, 1 and 1.0, "New York" and "new_york", ">50K" and ">50K." are read as equal by people
    and as different by models. Measured as Cohen's h; only columns where it is beyond the tolerance
    get a finding, and their evidence counts every column that was looked at.
    """

    name: ClassVar[str] = "schema.spelling"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `drift.category` asks for."""
        yield from Category().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a column whose values are written another way."""
        looked_at = 0
        found: list[Finding] = []
        for column in history.shared(kind=KINDS):
            values = compared(history, column.name)
            if values is None or max(values.before.distinct, values.now.distinct) > MOST:
                continue
            looked_at += 1
            each = self._compare(history, column, values)
            if each is not None:
                found.append(each)
        for each in found:
            assert each.effect is not None
            effect = replace(
                each.effect, p_no_change=min(1.0, each.effect.p_no_change * looked_at * len(WAYS))
            )
            if decide(effect, 1) in {Verdict.CHANGED, Verdict.WATCH}:
                yield replace(each, effect=effect)

    def _compare(self, history: History, column: Column, values: Compared) -> Finding | None:
        way, pairs, rows = _respelled(values)
        if not rows:
            return None
        tolerance = history.tolerance(self.name, "cohens_h", column.name, self.tolerance)
        sides = values.rows
        effect: Effect = share_change(0, sides.reference, rows, sides.current, tolerance=tolerance)
        shown = list(pairs.items())
        told = ", ".join(f"{new!r} for {old!r}" for new, old in shown[:3])
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        share = rows / sides.current
        return Finding(
            self.name,
            column.name,
            f"{column.name!r} is spelled differently in {percent(share)} of rows: {told}{more}",
            effect,
            Rows(sides.reference, sides.current),
            column=column.name,
            evidence={"differs_in": way, "respelled_share": share, "now_for": dict(shown[:20])},
            shape=two_shares(
                "another spelling", "as before", (0, rows), (sides.reference, sides.current)
            ),
            examples=_examples(history, column, list(pairs)),
            causes=(f"the same values, written another way ({way})",),
            next=(f"write {column.name!r} as the reference does where it is loaded",),
        )


def _respelled(values: Compared) -> tuple[str, dict[str, str], int]:
    """Return the way that explains most new rows: {new spelling: old}, and those rows."""
    ours = {values.before.name(spot): None for spot in range(len(values.before.keys))}
    known = np.isin(values.now.keys, values.before.keys)
    new = {
        values.now.name(int(spot)): int(values.now.tally[spot]) for spot in np.flatnonzero(~known)
    }
    best: tuple[str, dict[str, str], int] = ("", {}, 0)
    for way, plain in WAYS.items() if new and ours else ():
        by_plain = {plain(word): word for word in ours}
        if len(by_plain) < len(ours):
            continue
        pairs = {word: by_plain[plain(word)] for word in new if plain(word) in by_plain}
        rows = sum(new[word] for word in pairs)
        if rows > best[2]:
            best = way, dict(sorted(pairs.items(), key=lambda pair: (-new[pair[0]], pair[0]))), rows
    return best


def _examples(history: History, column: Column, words: list[str]) -> tuple[dict[str, str], ...]:
    table = sampled.kept(history.now).kept
    if table.schema.get_field_index(column.name) < 0:
        return ()
    cells = sampled.texts(sampled.kept(history.now), column.name)
    chosen = np.isin(np.asarray(cells.fill_null("").to_pylist(), dtype=object), words)
    return sampled.examples(history.now, column.name, chosen & np.asarray(cells.is_valid()))
