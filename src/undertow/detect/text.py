"""Texts: the share of the words that changed, and the one word, new or known, that moved most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from undertow.core.check import History, family
from undertow.core.finding import Finding, Rows, percent
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.summary import Need
from undertow.core.verdict import Effect
from undertow.detect import category, words
from undertow.detect.words import Compared, Moved
from undertow.stats import describe
from undertow.stats.holders import largest_change, rows_that_tell
from undertow.stats.variation import total_variation
from undertow.stats.vocabulary import Vocabulary, vocabulary
from undertow.summaries.words import Words as Tables

LISTED = 8
CHARTED = (14, 8)
"""Words and pairs that a word shift chart shows at most."""


@dataclass(frozen=True)
class Words:
    """Total variation of the words: the share of the words a reader meets which are others now.

    One word is drawn of each text, by the hash of the text, so that the rows compared are as
    independent as the texts are (words of one text come together). Two views of the words are
    joined: every word by itself, and the rare ones by how rare they are (`stats.vocabulary`). Most
    words of a language are rare, and nobody can tell from thousands of texts that no rare word was
    exchanged for another: so this is hardly ever "steady" but "unknown", even at a hundred thousand
    texts. `NewWords` and `WordShare` answer sooner, word by word.
    """

    name: ClassVar[str] = "drift.words"
    tolerance: float = 0.10

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for the words of every text that is compared."""
        for column in schema.of(kind=Kind.TEXT):
            if column.role not in {Role.ID, Role.IGNORE}:
                yield (column.name,), Tables

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a text column."""
        for column in history.shared(kind=Kind.TEXT):
            sides = words.compared(history, column)
            if sides is not None:
                yield self._compare(history, column, sides)

    def _compare(self, history: History, column: Column, sides: Compared) -> Finding:
        check = f"{family(column)}.words"
        tolerance = history.tolerance(check, "total_variation", column.name, self.tolerance)
        drawn = category.Compared(sides.before.drawn, sides.now.drawn)
        cells = vocabulary(drawn.reference, drawn.current, tolerance=tolerance)
        effect = _effect(drawn, cells, tolerance)
        if not effect.defined:
            says = f"{drawn.rows.reference:,} and {drawn.rows.current:,} texts"
            return Finding(check, column.name, says, effect, drawn.rows, column=column.name)
        pairs = replace(sides, pairs=True)
        grown = next((each.word for each in sides.moved if each.current > each.reference), None)
        return Finding(
            check,
            column.name,
            _says(effect, sides.moved, cells),
            effect,
            drawn.rows,
            column=column.name,
            evidence=_evidence(cells, sides, pairs),
            shape=_shape(sides, pairs),
            examples=sides.samples.examples(grown) if grown else (),
            next=_steps(column, grown) if grown else (),
            unsure=f"at most {percent(effect.high)} of the words are others now; most are too rare to "
            "tell, and no single word that can be told is behind it",
        )


@dataclass(frozen=True)
class NewWords:
    """The word the reference never had that most texts hold now, as Cohen's h of their share.

    The evidence counts every word that could have been picked. h 0.2 is 0 to 1% of the texts.
    """

    name: ClassVar[str] = "drift.new_words"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `Words` asks for."""
        yield from Words().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a text column that has a new word."""
        yield from _largest(history, "new_words", self.tolerance, new=True)


@dataclass(frozen=True)
class WordShare:
    """The known word whose share of the texts moved most, as Cohen's h; a word that is gone counts.

    The evidence counts every word that could have been picked. h 0.2 is 1 to 4% of the texts, or
    10 to 17%.
    """

    name: ClassVar[str] = "drift.word_share"
    tolerance: float = 0.2

    def needs(self, schema: Schema) -> Iterator[Need]:
        """Ask for what `Words` asks for."""
        yield from Words().needs(schema)

    def __call__(self, history: History) -> Iterator[Finding]:
        """Yield one finding a text column: its known word that moved most."""
        yield from _largest(history, "word_share", self.tolerance, new=False)


def _largest(history: History, what: str, default: float, *, new: bool) -> Iterator[Finding]:
    for column in history.shared(kind=Kind.TEXT):
        sides = words.compared(history, column)
        if sides is None:
            continue
        check = f"{family(column)}.{what}"
        tolerance = history.tolerance(check, "cohens_h", column.name, default)
        some = sides.holders
        spot, effect = largest_change(some, tolerance=tolerance, new=new, floor=sides.floor)
        if spot >= 0:
            yield _one(check, column, sides, _longest(sides, spot), effect, new=new)


def _longest(sides: Compared, spot: int) -> int:
    """Return the longest of the words that moved just as this one: a phrase brings several."""
    some = sides.holders
    same = (some.ours == some.ours[spot]) & (some.theirs == some.theirs[spot])
    equals = np.flatnonzero(same)[:64].tolist()
    if not sides.real[spot] or len(equals) < 2:
        return spot
    names = sides.names(equals)
    return max(names, key=lambda each: (len(names[each]), names[each]), default=spot)


def _one(
    check: str, column: Column, sides: Compared, spot: int, effect: Effect, *, new: bool
) -> Finding:
    """Return the finding on one word; it is named only where its change is real."""
    some = sides.holders
    rows = Rows(some.rows, some.other_rows)
    word = sides.names([spot]).get(spot) if sides.real[spot] else None
    before, now = float(some.ours[spot] / some.rows), float(some.theirs[spot] / some.other_rows)
    evidence: dict[str, Any] = {"words_compared": int(np.count_nonzero(some.ours + some.theirs))}
    finding = Finding(
        check,
        column.name,
        f"no {'new' if new else 'known'} word stands out",
        effect,
        rows,
        column=column.name,
        needs_rows=_share_needs(effect, (some.ours + some.theirs) / (some.rows + some.other_rows)),
        evidence=evidence,
    )
    if word is None:
        return finding
    pairs = replace(sides, pairs=True)
    evidence |= {
        "share": describe.pair(before, now),
        "texts": describe.pair(float(some.ours[spot]), float(some.theirs[spot])),
        **_new_and_gone(sides, pairs),
    }
    others = [m.word for m in sides.moved if m.note == "new" and m.word != word][:3]
    more = f" (also new: {', '.join(repr(other) for other in others)})" if new and others else ""
    called = f" ({sides.note(spot)})" if sides.note(spot) else ""
    return replace(
        finding,
        subject=f"{column.name}={word}",
        value=word,
        says=f"{word!r}{called} {percent(before)} → {percent(now)} of texts{more}",
        evidence=evidence,
        shape=_shape(sides, pairs),
        examples=sides.samples.examples(word) if now > before else (),
        next=_steps(column, word) if now > before else _lost(word),
    )


def _says(effect: Effect, moved: Sequence[Moved], cells: Vocabulary) -> str:
    told = [
        f"{each.word!r}{f' ({each.note})' if each.note else ''} "
        f"{percent(each.reference)} → {percent(each.current)} of texts"
        for each in moved[:2]
    ]
    if not told or abs(cells.once[1] - cells.once[0]) > effect.value / 2:
        before, now = (percent(round(share, 3)) for share in cells.once)
        told = [*told[:1], f"words met only once {before} → {now} of all"]
    return ", ".join(told)


def _steps(column: Column, word: str) -> tuple[str, ...]:
    read = f"Read the texts that hold {word!r}: what do they ask for that is not in the reference?"
    if not column.name.isidentifier() or " " in word:
        return (read,)
    quoted = word.replace("'", "''")
    condition = f"{column.name} ILIKE '%{quoted}%'"
    return (read, f'Compare those rows alone: --current-where "{condition}"')


def _lost(word: str) -> tuple[str, ...]:
    return (f"Read the texts of the reference that hold {word!r}: what is said otherwise now?",)


def _effect(drawn: category.Compared, cells: Vocabulary, tolerance: float) -> Effect:
    """Return the larger of two floors, and the upper limit that covers exchanged rare words."""
    whole = total_variation(drawn.reference, drawn.current, tolerance=tolerance)
    coarse = total_variation(cells.reference, cells.current, tolerance=tolerance)
    return replace(
        whole,
        value=max(whole.value, coarse.value),
        low=max(whole.low, coarse.low),
        p_no_change=min(1.0, 2 * min(whole.p_no_change, coarse.p_no_change)),
        biased_low=True,
    )


def _share_needs(effect: Effect, shares: Any) -> int | None:
    if effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    return rows_that_tell(shares, effect.tolerance)


def _evidence(cells: Vocabulary, sides: Compared, pairs: Compared) -> dict[str, Any]:
    before, now = sides.before, sides.now
    found = describe.divergences(cells.reference, cells.current)
    return {
        "js": found["js"],
        "psi": found["psi"],
        "chi_square": found["chi_square"],
        "chi_square_p": found["chi_square_p"],
        "degrees_of_freedom": found["degrees_of_freedom"],
        "words_a_text": describe.pair(
            before.tokens / max(before.rows, 1), now.tokens / max(now.rows, 1)
        ),
        "distinct_words": describe.pair(before.words.distinct, now.words.distinct),
        "type_token_ratio": describe.pair(
            before.words.distinct / max(before.tokens, 1), now.words.distinct / max(now.tokens, 1)
        ),
        "words_changed": int(np.count_nonzero(sides.real)),
        **_new_and_gone(sides, pairs),
        "common_words": len(cells.common),
        "common_words_share": describe.pair(*cells.covered),
        "met_once_share": describe.pair(*cells.once),
        "counted_in_groups": sides.grouped,
    }


def _new_and_gone(sides: Compared, pairs: Compared) -> dict[str, Any]:
    """Return the new and vanished words and pairs whose change is real, by their share of texts."""
    out: dict[str, Any] = {}
    for what, side in (("words", sides), ("pairs", pairs)):
        for note, called in (("new", "new"), ("gone", "vanished")):
            held = [each for each in _telling(side, sides) if each.note == note]
            held.sort(key=lambda each: (-max(each.reference, each.current), each.word))
            out[f"{called}_{what}"] = {
                each.word: round(max(each.reference, each.current), 6) for each in held[:LISTED]
            }
    return out


def _telling(side: Compared, sides: Compared) -> list[Moved]:
    """Return what moved; of pairs, only those that say more than that one of their words moved."""
    if not side.pairs:
        return list(side.moved)
    moves = {each.word: each.current - each.reference for each in sides.moved}
    told = []
    for each in side.moved:
        most = max((abs(moves.get(word, 0.0)) for word in each.word.split(" ")), default=0.0)
        if abs(each.current - each.reference) > most / 2:
            told.append(each)
    return told


def _shape(sides: Compared, pairs: Compared) -> dict[str, Any] | None:
    """Return what a word shift chart draws: only words whose change is real."""
    rows = [each.row() for each in sides.moved[: CHARTED[0]]]
    rows += [each.row() for each in _telling(pairs, sides)[: CHARTED[1]]]
    return {"form": "words", "rows": rows} if rows else None
