"""Two tokenizers on the same texts: which texts they read otherwise, and which step explains it.

A tokenizer in training and another in serving raise no exception: the model reads other pieces. Each
text that differs is explained by behaviour where that is possible (the one does to a text what the
other does to the lower-cased text), else by what each leaves of a text before it is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from undertow.core.tokenizes import Normalises, Pieces, Tokenizes, batches, tokenize
from undertow.stats.rewrites import (
    LONG,
    OTHER,
    PREFIX,
    TRUNCATION,
    Cause,
    Step,
    causes,
    single,
    steps,
)

SPECIAL, NUMBERS, VOCABULARY, SPLITTING, UNTOLD = (
    "other special pieces",
    "other numbers of the same pieces",
    "another vocabulary",
    "another way to split",
    "another vocabulary or way to split",
)
PROBED = 100
"""Differing texts that are tried with every step; the others with the steps that explained these."""

PROBED_TWICE = 30
"""The same for two steps together, of which there are many."""
TORN = 8
"""Pieces that a word cut in two may leave at the end of a text."""
LONGEST = 60
"""Characters of a piece that are shown: a tokenizer of words may take a megabyte for one."""

Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What a tokenizer makes of one text: `keys` and `names` of what the model reads.

    `own` are the pieces of the text itself, cut or not, and `special` those that were added. `reach`
    is the character at which the last own piece ends, -1 where that is not known.
    """

    keys: Key
    names: tuple[str, ...]
    own: Key
    own_names: tuple[str, ...]
    special: Key
    cut: bool
    reach: int


@dataclass(frozen=True, slots=True)
class Differing:
    """One text that is read otherwise: its place, both readings, and the steps that explain it."""

    row: int
    reads: tuple[Read, Read]
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Mismatch:
    """How many texts were compared, and those that the two tokenizers read otherwise, in order."""

    texts: int
    differing: tuple[Differing, ...] = field(default=())


def compare_tokenizers(one: Tokenizes, two: Tokenizes, texts: Sequence[str]) -> Mismatch:
    """Return which texts two tokenizers read otherwise, and why; raise DataError as `tokenize` does.

    What is beyond a tokenizer's maximum length is not read. Pieces are compared by number where both
    tokenizers number them, else by name.

    >>> from undertow.core.tokenizes import pieces
    >>> class Split:
    ...     max_length = None
    ...     def __init__(self, name, way): self.name, self.way = name, way
    ...     def __call__(self, texts):
    ...         return pieces([[(w, -1, -1) for w in self.way(t).split()] for t in texts])
    ...     def identity(self): return {}
    >>> train, serve = Split("train", str), Split("serve", str.lower)
    >>> found = compare_tokenizers(train, serve, ["set an alarm", "Set an Alarm"])
    >>> [(each.row, each.causes[0].name, each.causes[0].by) for each in found.differing]
    [(1, 'lower-casing', 1)]
    """
    found: list[tuple[int, Read, Read]] = []
    for some in batches(texts):
        pair = tokenize(one, texts[some]), tokenize(two, texts[some])
        numbered = all(each.ids is not None for each in pair)
        limits = one.max_length, two.max_length
        for row in range(len(pair[0])):
            ours, theirs = (
                _read(each, row, most, numbered=numbered)
                for each, most in zip(pair, limits, strict=True)
            )
            if ours.keys != theirs.keys:
                found.append((some.start + row, ours, theirs))
    explained = _Explained(one, two, texts)
    made = explained.all(found)
    return Mismatch(
        len(texts),
        tuple(Differing(row, (a, b), made[row]) for row, a, b in found),
    )


def first_difference(
    one: Sequence[str], two: Sequence[str], around: int = 3
) -> tuple[int, str, str]:
    """Return the place of the first differing piece, from 0, and both sides with a few pieces round it.

    >>> first_difference(["set", "an", "Al", "##arm"], ["set", "an", "alarm"], 1)
    (2, '… an «Al» ##arm', '… an «alarm»')
    """
    same = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        same += 1
    return same, _shown(one, same, around), _shown(two, same, around)


def _shown(pieces: Sequence[str], at: int, around: int) -> str:
    low, high = max(at - around, 0), at + around + 1
    short = [
        each if len(each) <= LONGEST else f"{each[: LONGEST - 1]}…" for each in pieces[low:high]
    ]
    told = [f"«{each}»" if low + n == at else each for n, each in enumerate(short)]
    told += ["«end»"] if at >= len(pieces) else ["…"] if high < len(pieces) else []
    return " ".join(["…", *told] if low else told)


def _read(pieces: Pieces, row: int, most: int | None, *, numbered: bool) -> Read:
    low, high = int(pieces.starts[row]), int(pieces.starts[row + 1])
    special = pieces.special[low:high]
    names = pieces.names[low:high]
    keys: Sequence[int | str] = names
    if numbered:
        assert pieces.ids is not None
        keys = pieces.ids[low:high].tolist()
    # What is cut is the text's own pieces: the special ones stay.
    kept = np.ones(high - low, np.bool_)
    cut = most is not None and high - low > most
    if cut and most is not None:
        own = np.flatnonzero(~special)
        kept[own[max(most - int(special.sum()), 0) :]] = False
    return Read(
        tuple(compress(keys, kept)),
        tuple(compress(names, kept)),
        tuple(compress(keys, ~special)),
        tuple(compress(names, ~special)),
        tuple(compress(keys, special)),
        cut,
        int(pieces.end[low:high].max(initial=-1)),
    )


class _Explained:
    """Finds the steps that explain why two tokenizers differ on some texts."""

    def __init__(self, one: Tokenizes, two: Tokenizes, texts: Sequence[str]) -> None:
        self.sides = one, two
        self.texts = texts
        words = [each.identity().get("vocabulary") for each in self.sides]
        self.same_words = words[0] == words[1] if None not in words else None
        self.numbered = all(tokenize(each, ["a"]).ids is not None for each in self.sides)

    def all(self, found: Sequence[tuple[int, Read, Read]]) -> dict[int, tuple[Cause, ...]]:
        """Return the causes by row."""
        made: dict[int, tuple[Cause, ...]] = {}
        left: dict[int, tuple[Read, Read]] = {}
        for row, ours, theirs in found:
            told = _plain(ours, theirs, self.texts[row])
            if told:
                made[row] = told
            else:
                left[row] = ours, theirs
        rows = list(left)
        seen = self._tried(rows[:PROBED], left, single(), made)
        if not all(isinstance(side, Normalises) for side in self.sides):
            # What cannot show its preparation may take two steps.
            short = [row for row in rows[:PROBED] if len(self.texts[row]) <= LONG]
            some = [row for row in short if row not in made][:PROBED_TWICE]
            seen += self._tried(some, left, steps()[len(single()) :], made)
        if seen:
            self._tried(rows, left, seen, made)
            self._tried(rows[PROBED:], left, single(), made)
        for row in left:
            if row not in made:
                made[row] = self._by_preparation(row)
        for row, ours, theirs in found:
            if ours.special != theirs.special and SPECIAL not in (each.name for each in made[row]):
                made[row] = (*made[row], Cause(SPECIAL, 1))
        return made

    def _tried(
        self,
        rows: Sequence[int],
        left: dict[int, tuple[Read, Read]],
        ways: Sequence[Step],
        made: dict[int, tuple[Cause, ...]],
    ) -> list[Step]:
        """Explain rows by these steps, and return the steps that explained any."""
        useful: list[Step] = []
        for names, way in ways:
            told = [(row, way(self.texts[row])) for row in rows if row not in made]
            told = [(row, text) for row, text in told if text != self.texts[row]]
            if not told:
                continue
            before = len(made)
            for by, side in enumerate(reversed(self.sides)):
                again = [pair for pair in told if pair[0] not in made]
                for (row, _), read in zip(
                    again, self._own(side, [text for _, text in again]), strict=True
                ):
                    # One tokenizer makes of the prepared text what the other makes of the plain one.
                    if read == left[row][by].own:
                        made[row] = tuple(Cause(name, by) for name in names)
            if len(made) > before:
                useful.append((names, way))
        return useful

    def _own(self, side: Tokenizes, texts: Sequence[str]) -> list[Key]:
        out: list[Key] = []
        for some in batches(texts):
            found = tokenize(side, texts[some])
            out += [_read(found, n, None, numbered=self.numbered).own for n in range(len(found))]
        return out

    def _by_preparation(self, row: int) -> tuple[Cause, ...]:
        """Return the steps between what each leaves of a text before it is split, else the vocabulary."""
        left = [
            side.normalised(self.texts[row]) for side in self.sides if isinstance(side, Normalises)
        ]
        told: tuple[Cause, ...] = ()
        if len(left) == 2:
            told = tuple(each for each in causes(*left) if each.name != OTHER)
        if self.same_words is None:
            return told or (Cause(UNTOLD, 1),)
        if not self.same_words:
            return (*told, Cause(VOCABULARY, 1))
        return told or (Cause(SPLITTING, 1),)


def _plain(one: Read, two: Read, text: str) -> tuple[Cause, ...]:
    """Return the causes that show in the pieces alone: cut, other special pieces, other numbers."""
    if one.own == two.own:
        if one.special != two.special:
            return (Cause(SPECIAL, 1),)
        return (Cause(TRUNCATION, int(len(two.keys) < len(one.keys))),)
    if one.own_names == two.own_names:
        return (Cause(NUMBERS, 1),)
    for by, (whole, part) in enumerate(((two, one), (one, two))):
        if _ends_early(whole, part, text):
            return (Cause(TRUNCATION, by),)
        if 0 < len(whole.own) < len(part.own) and part.own[-len(whole.own) :] == whole.own:
            return (Cause(PREFIX, by),)
    return ()


def _ends_early(whole: Read, part: Read, text: str) -> bool:
    """Tell whether a reading is the beginning of another; a word cut in two ends in other pieces."""
    if not part.own or not whole.own:
        return False
    if whole.own[: len(part.own)] == part.own or part.own[: len(whole.own)] == whole.own:
        return len(part.own) < len(whole.own)
    pairs = zip(whole.own, part.own, strict=False)
    same = next(at for at, (left, right) in enumerate(pairs) if left != right)
    lost = text[part.reach : whole.reach] if 0 <= part.reach < whole.reach else ""
    return same > 0 and len(part.own) - same <= TORN and any(map(str.isalnum, lost))
