"""One word with two senses: are the nearest texts of a text with the word of its own sense?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict
from undertow.stats.distinct_words import distinct_words
from undertow.stats.mixing import Mixing
from undertow.stats.neighbours import Matrix, nearest
from undertow.stats.score import Z, normal_tail
from undertow.stats.senses import NEAR, Senses
from undertow.stats.wrong_neighbours import wrong_limits

LEAST = NEAR + 1
"""Rows of a sense; with fewer, some of the nearest are of another sense wherever they lie."""
EXAMPLES, SHOWN, LISTED = 5, 120, 10
SURE = 0.05
FAR = 100
"""Times as many rows that nobody will find."""

Given = Sequence[str | None]


@dataclass(frozen=True)
class WordSenses:
    """How mixed the senses of one word are: its wrong neighbours, as a part of what chance gives.

    0 is apart and 1 as mixed as if the senses were dealt out, however common each is. `changed` says
    that the encoder mixes them by more than the tolerance, `steady` that it keeps them apart. One
    wrong neighbour refutes that all are apart: `p_no_change` is that of a mix of the tolerance.
    """

    name: ClassVar[str] = "vector.senses"
    tolerance: float = 0.2

    def __call__(
        self, column: str, found: Senses, texts: Sequence[str], senses: Given, vectors: Matrix
    ) -> Finding:
        """Return the finding on a word; the texts all hold it, `senses` is that of each.

        `vectors` (n, d) are of length 1.
        """
        spots = [row for row, each in enumerate(senses) if each is not None]
        codes, known = (
            np.unique([str(senses[row]) for row in spots], return_inverse=True)[1],
            len(spots),
        )
        effect = _effect(*wrong_limits(vectors[spots], codes, NEAR), self.tolerance)
        says = (
            f"of what is nearest to a text with {found.word!r}, {percent(found.wrong)} is of another "
            f"sense (chance gives {percent(found.chance)})"
        )
        needs = _needs(effect, known)
        enough = f"about {needs:,} texts would" if needs else "too near the tolerance to"
        return Finding(
            self.name,
            found.word,
            says,
            effect,
            Rows(known, known),
            column=column,
            value=found.word,
            needs_rows=needs,
            evidence={
                "wrong_neighbours": found.wrong,
                "by_chance": found.chance,
                "told_apart_p": found.p,
                "misplaced_rows": len(found.misplaced),
                "rows_by_sense": _counted(senses),
                "mixed_now": [_pair(each) for each in found.pairs[:LISTED]],
            },
            examples=_examples(column, found, texts, senses, vectors),
            next=_next(found, effect),
            unsure=f"{says}; {enough} tell whether that matters",
        )

    def untold(self, column: str, word: str, senses: Given, *, declared: bool) -> Finding:
        """Return the finding where fewer than two senses have rows enough.

        `declared` says that a column gave the senses, not the capital.
        """
        rows, counts = len(senses), _counted(senses)
        few = [f"{name[:40]} {count:,}" for name, count in list(counts.items())[:3]]
        told = ", ".join(few + ["..."] * (len(counts) > 3)) or "no sense known"
        held = f"{rows:,} different texts hold {word!r} ({told})"
        says = f"{held}: two senses of {LEAST} texts each are needed"
        if rows >= 2 * LEAST and not declared:
            says = f"{held}: its capital tells no two senses apart"
        return Finding(
            self.name,
            word,
            says,
            rows=Rows(rows, rows),
            verdict=Verdict.UNKNOWN,
            column=column,
            value=word,
            needs_rows=2 * LEAST,
            evidence={"rows_by_sense": counts},
            next=() if declared else ("name a column with the sense of each row: --label COLUMN",),
        )


def usable(senses: Given) -> list[str | None]:
    """Return the senses, None for those of fewer than 6 rows.

    >>> usable(["fruit"] * 6 + ["company"])[-2:]
    ['fruit', None]
    """
    counts = Counter(senses)
    return [each if counts[each] >= LEAST else None for each in senses]


def grouped(found: Senses, texts: Sequence[str]) -> tuple[Mapping[str, Any], str]:
    """Return the two groups that the texts fall into and their words, and a sentence of it.

    The sentence is "" where rows without groups would look the same.
    """
    evidence: dict[str, Any] = {"groups_p": found.p_groups, "spread_left_in_groups": found.left}
    if found.p_groups > SURE:
        return evidence, ""
    words = distinct_words(texts, found.groups)
    sizes = [int((found.groups == each).sum()) for each in range(2)]
    both = zip(sizes, words, strict=True)
    evidence["groups"] = [{"rows": rows, "words": list(some)} for rows, some in both]
    told = " and ".join(
        f"{each['rows']:,} ({', '.join(each['words']) or 'no words of their own'})"
        for each in evidence["groups"]
    )
    return evidence, f"the texts with {found.word!r} fall into two groups: {told}"


def _effect(value: float, low: float, high: float, tolerance: float) -> Effect:
    """Return the effect, at most 1: mixed beyond chance is mixed."""
    away, error = value - tolerance, (value - low) / Z
    p = 1.0
    if away > 0:
        p = normal_tail(away / error) if error > 0 else 0.0
    return Effect("difference", min(value, 1.0), min(low, 1.0), min(high, 1.0), tolerance, p)


def _needs(effect: Effect, rows: int) -> int | None:
    """Return the rows that tell, if they are as mixed as these; None where that is too many."""
    above = effect.value > effect.tolerance
    arm = effect.value - effect.low if above else effect.high - effect.value
    room = effect.value - effect.tolerance if above else 2 * effect.tolerance - effect.value
    needs = math.ceil(rows * (arm / room) ** 2) if room > 0 else FAR * rows
    return needs if rows < needs < FAR * rows else None


def _counted(senses: Given) -> dict[str, int]:
    """Return the rows of each sense, the commonest senses first."""
    counts = Counter(each for each in senses if each is not None)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return {name[:SHOWN]: counts[name] for name in names[:LISTED]}


def _pair(pair: Mixing) -> dict[str, Any]:
    return {
        "sense": pair.label[:SHOWN],
        "inside": pair.other[:SHOWN],
        "share": pair.share,
        "interval": [pair.low, pair.high],
        "chance": pair.chance,
        "rows": pair.rows,
    }


def _next(found: Senses, effect: Effect) -> tuple[str, ...]:
    steps = ("read the misplaced rows: is their sense right?",) if len(found.misplaced) else ()
    if found.p > SURE:
        return ("these vectors do not tell the senses apart at all: try another encoder", *steps)
    if effect.value > effect.tolerance:
        return ("try an encoder that was trained on such texts, or a larger one", *steps)
    return steps


def _examples(
    column: str, found: Senses, texts: Sequence[str], senses: Given, vectors: Matrix
) -> tuple[Mapping[str, str], ...]:
    """Return the rows most of whose nearest are of another sense, each beside the nearest of those."""
    known = [row for row, each in enumerate(senses) if each is not None]
    few, out = found.misplaced[:EXAMPLES], []
    which = nearest(vectors[few], vectors[known], NEAR + 1).which
    for row, spots in zip(few.tolist(), which.tolist(), strict=True):
        near = [known[spot] for spot in spots if known[spot] != row][:NEAR]
        wrong = [each for each in near if senses[each] != senses[row]]
        shown = {column: "", "sense": str(senses[row])[:SHOWN]}
        if wrong:
            shown["beside"] = f"{str(senses[wrong[0]])[:SHOWN]}: {texts[wrong[0]][:SHOWN]}"
            shown["nearest"] = f"{len(wrong)} of {len(near)} of another sense"
        out.append(shown | {column: texts[row][:SHOWN]})
    return tuple(out)
