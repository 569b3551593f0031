"""Whether a word is used otherwise than before: a finding a word, with what stands beside it now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import CHANGED_FAMILY, Effect, Verdict
from undertow.stats.exact import log_tail
from undertow.stats.meaning import Moved
from undertow.stats.usage import Beside, Use, beside

LEAST = 20
"""Uses a side below which nothing is told."""
DOCUMENTS = 10
"""Documents a side below which an interval over documents means nothing."""
EXAMPLES, SEARCHED, SHOWN, NAMED = 3, 50, 36, 3
FAR = 1_000
"""Times as many uses that nobody will find."""
DECIDE = 1.6
"""Squares of the tolerance's distance that the noise may have where 90% of words that did not change
are decided (bench/meaning.py needs)."""


@dataclass(frozen=True, eq=False)
class Term:
    """A term and its uses on both sides, as counted (`rows`) and as looked at (`uses`).

    `documents` are those of the uses that were looked at, `texts` all texts of each side and `holding`
    those with the term.
    """

    term: str
    uses: tuple[Sequence[Use], Sequence[Use]]
    documents: Rows
    rows: Rows
    holding: Rows
    texts: Rows


@dataclass(frozen=True)
class Meaning:
    """How much the usage of a term moved, as a share of its uses now of another word.

    The tolerance is the smallest such share that matters. `tested` of `listed` words were looked at
    where the words were not named by anyone: p counts all of them.
    """

    name: ClassVar[str] = "text.meaning"
    tolerance: float = 0.2
    least: int = LEAST
    tested: int = 1
    listed: int = 1

    def __call__(
        self, term: Term, found: Moved, others: float = math.nan, own: float = math.nan
    ) -> Finding:
        """Return the finding on a term.

        `others` is how much other words moved, at the median, and `own` how much of the term's move is
        left where what they moved in common is taken out.
        """
        effect = self._counted(found.effect)
        before, now = beside(*([use.context for use in side] for side in term.uses))
        says = (
            f"{term.term!r} is used otherwise, as if {percent(effect.value)} of its uses were now of "
            f"another word{_named(before, now)}{_others(others, own, self.tolerance)}"
        )
        needs = self._needs(found, term.documents)
        return Finding(
            self.name,
            term.term,
            says,
            effect,
            term.rows,
            value=term.term,
            needs_rows=needs,
            evidence=self._evidence(term, found, others, own) | _neighbours(before, now),
            examples=_examples(term.uses, found),
            next=_next(effect, others),
            unsure=_unsure(effect, term, needs),
        )

    def untold(self, term: Term) -> Finding:
        """Return the fact on a term that has too few uses on a side, or that is new or gone."""
        before, now = term.rows.reference, term.rows.current
        few = f"{self.least:,} on each side are needed"
        verdict, steps = Verdict.UNKNOWN, ("give more texts, or a longer period",)
        if min(before, now) == 0 and max(before, now) > 0:
            word, told = ("new", "no use before") if now else ("gone", "no use now")
            count = f"{now:,} now" if now else f"{before:,} before"
            says = f"{term.term!r} is {word}: {told}, {count}; there is no usage to compare"
            if _sure(term):
                verdict = Verdict.WATCH
                steps = ("see whether the model was trained on texts with this word",)
                steps = steps if now else ("see whether the texts still come from the same source",)
        elif min(before, now) < self.least:
            says = f"{term.term!r} has {before:,} uses before and {now:,} now: {few}"
        else:
            says = (
                f"{term.term!r} stands in {term.documents.reference:,} and {term.documents.current:,} "
                f"documents: {DOCUMENTS} on each side are needed, for uses in one are not independent"
            )
        return Finding(
            self.name,
            term.term,
            says,
            rows=term.rows,
            verdict=verdict,
            value=term.term,
            needs_rows=self.least if verdict is Verdict.UNKNOWN else None,
            evidence=_counts(term),
            examples=_examples(term.uses, None),
            next=steps,
        )

    def _counted(self, effect: Effect) -> Effect:
        if self.tested <= self.listed:
            return effect
        p = min(effect.p_no_change * self.tested / self.listed, 1.0)
        return replace(effect, p_no_change=p)

    def _needs(self, found: Moved, documents: Rows) -> int | None:
        """Return the uses a side that decide 90% of words without a change."""
        room = (self.tolerance * found.step) ** 2
        if not found.effect.defined or room <= 0:
            return None
        fewest = min(documents.reference, documents.current)
        needs = math.ceil(fewest * found.apart.null * DECIDE / room)
        return max(needs, self.least) if needs < FAR * fewest else None

    def _evidence(self, term: Term, found: Moved, others: float, own: float) -> dict[str, Any]:
        made = _counts(term)
        for name, each in (("other_words_moved", others), ("moved_by_itself", own)):
            if not math.isnan(each):
                made[name] = round(each, 4)
        if found.effect.defined:
            made["distance_of_means"] = round(math.sqrt(max(found.apart.square, 0.0)), 5)
            made["distance_to_other_words"] = round(found.step, 5)
        if self.tested > self.listed:
            made["words_tested"] = self.tested
        return made


def _neighbours(before: Sequence[Beside], now: Sequence[Beside]) -> dict[str, Any]:
    return {
        "neighbours_before": [each.to_dict() for each in before],
        "neighbours_now": [each.to_dict() for each in now],
    }


def _counts(term: Term) -> dict[str, Any]:
    pairs = {"uses": term.rows, "documents": term.documents, "texts_with_it": term.holding}
    return {
        name: {"reference": each.reference, "current": each.current} for name, each in pairs.items()
    }


def _sure(term: Term) -> bool:
    """Tell whether no use on one side is more than chance."""
    if not term.texts.reference or not term.texts.current:
        return False
    hits, both = term.holding.current, term.holding.reference + term.holding.current
    rows, others = term.texts.current, term.texts.reference
    if not hits:
        hits, rows, others = term.holding.reference, others, rows
    return float(np.exp(log_tail(hits, both, rows, others))) <= CHANGED_FAMILY


def _named(before: Sequence[Beside], now: Sequence[Beside]) -> str:
    parts = [
        f"{when}: {', '.join(each.word for each in some[:NAMED])}"
        for when, some in (("beside it now", now), ("before", before))
        if some
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _unsure(effect: Effect, term: Term, needs: int | None) -> str:
    """Return what is said where the verdict is unknown."""
    if not effect.defined:
        return f"{term.term!r}: nothing tells its uses from those of other words, so no move can be sized"
    fewest = min(term.rows.reference, term.rows.current)
    span = f"{percent(effect.low)} to {percent(effect.high)} of its uses moved"
    if needs is None or needs <= fewest:
        return f"{term.term!r}: {span}, too near the tolerance to tell"
    return f"{term.term!r}: too few uses to tell ({span}); about {needs:,} a side would"


def whole(others: float, tolerance: float) -> str:
    """Return the sentence that the texts themselves changed, "" where other words did not move.

    >>> whole(0.31, 0.2)[:56]
    'the texts changed as a whole: half of the other words mo'
    """
    if math.isnan(others) or others <= tolerance:
        return ""
    return (
        f"the texts changed as a whole: half of the other words moved by {percent(others)} or more, so "
        "a word that moved as far did not change by itself"
    )


def _others(others: float, own: float, tolerance: float) -> str:
    if not whole(others, tolerance):
        return ""
    itself = "" if math.isnan(own) else f", and {percent(own)} is its own"
    return f"; other words moved by {percent(others)}{itself}"


def _next(effect: Effect, others: float) -> tuple[str, ...]:
    if not effect.defined or effect.value <= effect.tolerance:
        return ()
    steps = ("read the uses before and now: does the model know the new one?",)
    if not math.isnan(others) and others > effect.tolerance:
        return (*steps, "compare texts of one topic or kind, with --where, to leave that out")
    return steps


def _examples(
    uses: tuple[Sequence[Use], Sequence[Use]], found: Moved | None
) -> tuple[Mapping[str, str], ...]:
    """Return uses that tell the periods apart best: of the reference, and of the current one."""
    count, made = len(uses[0]), list[list[str]]()
    for place, side in enumerate(uses):
        order = list(range(len(side)))
        if found is not None:
            scores = found.scores[count:] if place else -found.scores[:count]
            order = np.argsort(-scores, kind="stable").tolist()
        made.append(list(dict.fromkeys(side[spot].short(SHOWN) for spot in order[:SEARCHED])))
    before, now = (each[:EXAMPLES] for each in made)
    listed = []
    for spot in range(EXAMPLES):
        listed += [{"now": each} for each in now[spot : spot + 1]]
        listed += [{"before": each} for each in before[spot : spot + 1]]
    return tuple(listed)
