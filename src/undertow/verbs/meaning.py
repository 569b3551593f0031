"""Tell whether words are used otherwise than before: how much of their usage moved, and to where."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict, Unpack

import numpy as np

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.finding import Finding, Rows
from undertow.core.profile import Profile
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect.meaning import DOCUMENTS, LEAST, Meaning, Term, whole
from undertow.options import Encoder, Progress, ticker
from undertow.sides.holding import _meant
from undertow.sides.used import Kept, Reader, Side, read_side
from undertow.stats.meaning import EFFECT, Uses, moved, square, steps
from undertow.stats.neighbours import Matrix, unit
from undertow.stores import profile_file

WINDOW = 10
TESTED, LISTED = 60, 20
"""Words looked at where none is named, the most used ones, and those of them that are listed."""
USES = 1_000
FEWER_USES = 300
"""Uses of a word that are looked at on each side: of one that was named, and of one that was not."""
OTHERS, OTHER_USES = 20, 50
"""Other words that give the distance to another word, and how many uses of each on each side."""
LEAST_OTHERS = 3
FITTED = 5_000
"""Contexts that an encoder which has to learn its words learns them from."""
WIDEST = 200


class Options(TypedDict, total=False):
    """What else can be said of a run; `where` is SQL, and rows are counted after it.

    `window` is how many words before and after a use are its context, `min_count` the uses on each side
    below which nothing is told, `case` tells Apple from apple, `document` a column of what rows belong
    together (a user, a thread: their uses are not independent), and `tolerance` the share of uses that
    matters.
    """

    window: int
    min_count: int
    case: bool
    document: str | None
    tolerance: float | None
    where: str | None
    progress: Progress | None


def meaning(
    reference: Any,
    current: Any,
    *,
    text: str,
    term: str | Iterable[str] | None = None,
    encoder: Encoder | None = None,
    **options: Unpack[Options],
) -> Report:
    """Tell whether terms in the column `text` are used otherwise in the current rows.

    A term's contexts, the words around its uses without the term itself, are made vectors of by
    `encoder` (by default TF-IDF, fitted on the contexts of both sides). The effect is how far their mean
    moved, as a share of the usual way to another word's: 0.2 is as if a fifth of the uses were now of
    another word. `term` is one word or several, of one part or more ("machine learning"); without it
    the 60 most used words are looked at, and the 20 with the strongest evidence are told, corrected for
    all 60. Texts are documents: those that are alike, or of one value of `document`, are one.

    Raises UsageError or DataError where the data or an option is unusable, or no text has the term.

    >>> import pyarrow as pa
    >>> others = "door lamp table chair garden window kitchen ladder".split()
    >>> def rows(*beside):
    ...     told = [f"a {each} apple {each} {n}" for n in range(60) for each in beside]
    ...     more = [f"the {each} near the {each}s side {n}" for n in range(40) for each in others]
    ...     return pa.table({"q": told + more})
    >>> report = meaning(rows("red", "ripe"), rows("red", "shiny phone"), text="q", term="apple")
    >>> print(report.verdict, report["apple"].evidence["neighbours_now"][0]["word"])
    changed phone
    """
    asked = _asked(text, term, options)
    if reference is current and hasattr(current, "read_next_batch"):
        raise UsageError("both sides are the same stream, which is read only once; give a table")
    sides = (_read(reference, asked), _read(current, asked))
    for each in asked.terms:
        _found_somewhere(each, sides)
    return _Run(asked, sides, encoder).report()


@dataclass(frozen=True)
class _Asked:
    """What is looked for, and how."""

    text: str
    terms: tuple[str, ...]
    window: int
    least: int
    case: bool
    document: str | None
    tolerance: float
    where: str | None
    progress: Progress | None

    @property
    def reader(self) -> Reader:
        """How the texts of a side are read."""
        return Reader(self.text, self.terms, self.window, self.case, self.document, USES)


def _asked(text: str, term: str | Iterable[str] | None, options: Options) -> _Asked:
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    given = [] if term is None else [term] if isinstance(term, str) else list(term)
    terms: dict[str, str] = {}
    for each in given:
        if not isinstance(each, str) or not each.strip():
            raise UsageError(
                f"the term {each!r} is blank; give one that the texts hold: --term apple"
            )
        clean = " ".join(each.split())
        terms.setdefault(clean if options.get("case") else clean.lower(), clean)
    if term is not None and not terms:
        raise UsageError("no term is given; name one, or leave it out to have the words chosen")
    told = options.get("tolerance")
    tolerance = check_tolerance(EFFECT, Meaning.tolerance if told is None else told)
    return _Asked(
        text,
        tuple(terms.values()),
        _whole("window", options.get("window", WINDOW), 1, WIDEST),
        _whole("min_count", options.get("min_count", LEAST), 2, USES),
        bool(options.get("case", False)),
        options.get("document"),
        tolerance,
        options.get("where"),
        options.get("progress"),
    )


def _whole(name: str, given: object, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise UsageError(f"{name} is {given!r}; give a whole number from {least} to {most:,}")
    return given


def _read(data: Any, asked: _Asked) -> Side:
    saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    if saved or isinstance(data, Profile):
        raise UsageError("a profile holds no texts; give the data")
    return read_side(data, asked.reader, where=asked.where, progress=asked.progress)


def _found_somewhere(term: str, sides: Sequence[Side]) -> None:
    """Raise UsageError where there are texts, and none of either side has the term."""
    texts = [each for side in sides for each in side.texts]
    if texts and not any(side.terms[term].holding for side in sides):
        source = sides[1].rows.source
        raise UsageError(f"{source}: no text of either side has {term!r}{_meant(term, texts)}")


@dataclass(frozen=True, eq=False)
class _Run:
    """One comparison: the two sides as read, and the words that are looked at."""

    asked: _Asked
    sides: tuple[Side, Side]
    spec: Encoder | None

    @cached_property
    def content(self) -> list[str]:
        """Words that both sides have often enough, the most used first."""
        before, now = self.sides
        return before.candidates(now, LEAST, without=self.asked.terms)

    @cached_property
    def tested(self) -> list[str]:
        """The words that are looked at: those named, or the most used."""
        if self.asked.terms:
            return list(self.asked.terms)
        before, now = self.sides
        content = before.candidates(now, self.asked.least)
        # Where few words are in use, each is a large part of them all.
        return (content or before.candidates(now, self.asked.least, grammar=True))[:TESTED]

    def report(self) -> Report:
        """Return the report."""
        before, now = self.sides
        notes = [*before.notes("reference"), *now.notes("current")]
        listed = min(len(self.tested), LISTED) if not self.asked.terms else len(self.tested)
        check = Meaning(self.asked.tolerance, self.asked.least, len(self.tested), max(listed, 1))
        terms = {each: self._kept(each) for each in self.tested}
        enough = [each for each, pair in terms.items() if self._enough(pair)]
        found, space, more = self._judged(check, terms, enough) if enough else ({}, "", [])
        findings = list(found.values())
        findings += [
            check.untold(self._term(each, terms[each]))
            for each in self.asked.terms
            if each not in found
        ]
        if not self.asked.terms:
            findings.sort(key=_evidence)
            findings = findings[:LISTED]
            notes.append(
                f"words tested: {len(self.tested):,}, the most used; listed: {len(findings):,}"
                if self.tested
                else f"no word has {self.asked.least:,} uses on both sides: nothing was compared"
            )
        report = Report.of(
            Source(before.rows.source, before.read, before.rows.digest()),
            Source(now.rows.source, now.read, now.rows.digest()),
            findings,
            columns=[Column(self.asked.text, Kind.TEXT, why="declared", space=space)],
            notes=[*notes, *more, *self._alike()],
        )
        if report.verdict is not Verdict.STEADY:
            return report
        # Good news stands where it is read without asking.
        return Report(**{**vars(report), "notes": (_good_news(report), *report.notes)})

    def _kept(self, term: str) -> tuple[Kept, Kept]:
        before, now = self.sides
        if term in before.terms:
            return before.terms[term], now.terms[term]
        return before.of_sample(term, FEWER_USES), now.of_sample(term, FEWER_USES)

    def _enough(self, pair: tuple[Kept, Kept]) -> bool:
        return all(
            len(side.uses) >= self.asked.least and side.documents >= DOCUMENTS for side in pair
        )

    def _term(self, term: str, pair: tuple[Kept, Kept]) -> Term:
        before, now = pair
        return Term(
            term,
            (before.uses, now.uses),
            Rows(before.documents, now.documents),
            Rows(before.count, now.count),
            Rows(before.holding, now.holding),
            Rows(*(side.read - side.blank for side in self.sides)),
        )

    def _judged(
        self, check: Meaning, terms: dict[str, tuple[Kept, Kept]], enough: list[str]
    ) -> tuple[dict[str, Finding], str, list[str]]:
        """Return a finding for each term with uses enough, the encoder's space, and notes."""
        before, now = self.sides
        # By hash: which words are other words depends on no side and no order.
        others = [each for each in self.content if each not in self.tested] or self.content
        if len(others) < OTHERS:
            others = before.candidates(now, LEAST, without=self.asked.terms, grammar=True)
        others = before.drawn(others, OTHERS)
        pairs = {
            each: (before.of_sample(each, OTHER_USES), now.of_sample(each, OTHER_USES))
            for each in others
        }
        contexts = [
            use.context
            for pair in (*(terms[each] for each in enough), *pairs.values())
            for side in pair
            for use in side.uses
        ]
        vectors, space, notes = _vectors(contexts, self.spec, self.asked.progress)
        spot = 0

        def taken(pair: tuple[Kept, Kept]) -> tuple[Uses, Uses]:
            nonlocal spot
            made = []
            for side in pair:
                made.append(Uses(vectors[spot : spot + len(side.uses)], side.codes))
                spot += len(side.uses)
            return made[0], made[1]

        used = {each: taken(terms[each]) for each in enough}
        beside = {each: taken(pair) for each, pair in pairs.items()}
        findings, background = {}, list[float]()
        for each, (one, two) in used.items():
            rest = [pair for name, pair in beside.items() if name != each]
            way = steps(_joined(one, two), [_joined(*pair) for pair in rest])
            known = way[~np.isnan(way)]
            step = float(np.median(known)) if len(known) >= LEAST_OTHERS else math.nan
            result = moved(one, two, step, tolerance=self.asked.tolerance)
            background.append(_others(rest, step))
            told = self._term(each, terms[each])
            findings[each] = check(told, result, background[-1], _own(one, two, rest, step))
        notes += filter(None, [whole(float(np.median(background)), self.asked.tolerance)])
        if len(others) < LEAST_OTHERS:
            notes.append(
                f"only {len(others)} other words have {LEAST} uses on both sides, and {LEAST_OTHERS} are "
                "needed to say how far a word moved: give more texts"
            )
        return findings, space, notes

    def _alike(self) -> list[str]:
        """Return a note where texts of the current side stand in the reference too."""
        before, now = (set(side.texts) for side in self.sides)
        both = len(before & now)
        if not now or both < 0.05 * len(now):
            return []
        share = both / len(now)
        return [
            f"{share:.0%} of the current texts stand in the reference too: what is new is diluted"
        ]


def _evidence(finding: Finding) -> tuple[float, float, str]:
    effect = finding.effect
    if effect is None or not effect.defined:
        return (2.0, 0.0, finding.subject)
    return (effect.p_no_change, -effect.value, finding.subject)


def _good_news(report: Report) -> str:
    moved_most = max((each.effect.high for each in report if each.effect is not None), default=0.0)
    return f"no word is used otherwise: each moved by less than {max(moved_most, 0.01):.0%}"


def _joined(one: Uses, two: Uses) -> Uses:
    return Uses(
        np.concatenate((one.vectors, two.vectors)), np.concatenate((one.documents, two.documents))
    )


def _others(pairs: Sequence[tuple[Uses, Uses]], step: float) -> float:
    """Return how far other words moved between the periods, at the median; nan where none is known."""
    squares = np.array([square(*pair) for pair in pairs])
    squares = squares[~np.isnan(squares)]
    if not len(squares) or not step > 0:
        return math.nan
    return min(math.sqrt(max(float(np.median(squares)), 0.0)) / step, 1.0)


def _own(one: Uses, two: Uses, pairs: Sequence[tuple[Uses, Uses]], step: float) -> float:
    """Return how far the word moved where what other words moved in common is taken out."""
    ways = [
        after.vectors.mean(axis=0) - before.vectors.mean(axis=0)
        for before, after in pairs
        if len(before) and len(after)
    ]
    if not ways or not step > 0:
        return math.nan
    shifted = Uses(two.vectors - np.mean(ways, axis=0), two.documents)
    return min(math.sqrt(max(square(one, shifted), 0.0)) / step, 1.0)


def _vectors(
    contexts: list[str], spec: Encoder | None, progress: Progress | None
) -> tuple[Matrix, str, list[str]]:
    """Return the vectors of contexts, of length 1, the encoder's fingerprint, and notes."""
    opened = open_encoder("tfidf" if spec is None else spec)
    encoder: Embeds = opened.fitted(_some(contexts)) if isinstance(opened, Fits) else opened
    notes = [*filter(None, [steadiness(encoder, contexts).note(encoder.name)])]
    if spec is None:
        notes.append("contexts are compared by their words (tfidf); name another with --encoder")
    tick: Callable[[int], None] | None = ticker(progress, encoder.name, len(contexts))
    made = encode(encoder, contexts, tick=tick)
    return unit(made), str(fingerprint(encoder)), notes


def _some(contexts: list[str]) -> list[str]:
    different = sorted(set(contexts))
    step = max(len(different) / FITTED, 1.0)
    return [different[int(spot * step)] for spot in range(min(len(different), FITTED))]
