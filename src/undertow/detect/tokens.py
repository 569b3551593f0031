"""What a tokenizer makes of two sets of texts: pieces a word, cuts, unknown pieces, case, new terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect
from undertow.detect.words import shortened
from undertow.stats import describe
from undertow.stats.new_terms import Unseen, Uses, growth, log_odds
from undertow.stats.share import angle, largest_share_change, share_change
from undertow.stats.tokens import CASES, Shapes
from undertow.stats.told import needed, two_shares

FERTILITY, CONTINUATION, UNKNOWN, TRUNCATED, CASING, NEW_TERMS = (
    f"tokens.{name}"
    for name in ("fertility", "continuation", "unknown", "truncated", "casing", "new_terms")
)
NUMBERS = {FERTILITY: "pieces per word", CONTINUATION: "share of continuing pieces"}
"""What is derived as a number a text, by the check that judges it."""
LISTED, NAMED, EXAMPLES, TERM = 20, 4, 5, 80
COMMONER = 2.0
"""Standard errors of the log-odds from which a word that the reference knows is commoner now."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The terms of both sides: how each is written, its pieces, and how many of them go on a word."""

    words: list[str]
    pieces: np.ndarray[Any, np.dtype[np.int64]]
    broken: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Read:
    """One side: its texts, their numbers, and which terms they use."""

    texts: Sequence[str]
    shapes: Shapes
    uses: Uses


def fertility(found: Finding, before: Read, now: Read, column: str) -> Finding:
    """Return the finding on pieces a word, as the check of numbers made it, in words of its own."""
    was, is_ = (_ratio(each.shapes.pieces, each.shapes.words) for each in (before, now))
    middle = [_median(each.shapes.fertility) for each in (before, now)]
    says = (
        f"{was:.2f} → {is_:.2f} pieces a word (the median text {middle[0]:.2f} → {middle[1]:.2f})"
    )
    steps = ("read the new terms below: what is the tokenizer asked to read that is new to it?",)
    return replace(
        found,
        check=FERTILITY,
        says=says,
        evidence={**found.evidence, "fertility": describe.pair(was, is_)},
        examples=_examples(found, column, NUMBERS[FERTILITY]) if is_ > was else (),
        next=steps if is_ > was else (),
    )


def continuation(found: Finding, before: Read, now: Read, column: str) -> Finding:
    """Return the finding on the share of pieces that go on a word, in words of its own."""
    was, is_ = (_ratio(each.shapes.continued, each.shapes.pieces) for each in (before, now))
    middle = [percent(_median(each.shapes.continuation)) for each in (before, now)]
    says = (
        f"{percent(was)} → {percent(is_)} of the pieces go on a word (in the median text {middle[0]} → "
        f"{middle[1]})"
    )
    return replace(
        found,
        check=CONTINUATION,
        says=says,
        evidence={**found.evidence, "continuation": describe.pair(was, is_)},
        examples=_examples(found, column, NUMBERS[CONTINUATION]) if is_ > was else (),
        next=("read the texts: another language, codes, or words the tokenizer never met?",)
        if is_ > was
        else (),
    )


def truncated(before: Read, now: Read, column: str, most: int, tolerance: float) -> Finding:
    """Return the finding on texts of more pieces than the model reads: the rest is cut in silence."""
    long = [np.asarray(each.shapes.read > most) for each in (before, now)]
    lost = [
        int((each.shapes.read - most)[cut].sum())
        for each, cut in zip((before, now), long, strict=True)
    ]
    part = [
        _share(n, int(each.shapes.read.sum())) for n, each in zip(lost, (before, now), strict=True)
    ]
    finding = _share_finding(
        TRUNCATED, f"{column}:truncated", (long[0], long[1]), tolerance, "cut", "read whole"
    )
    cut = np.flatnonzero(long[1])
    worst = cut[np.argsort(-now.shapes.read[cut], kind="stable")[:EXAMPLES]]
    told = _two(finding)
    return replace(
        finding,
        says=f"{told} of texts have more than {most} pieces and are cut: "
        f"{percent(part[0])} → {percent(part[1])} of all pieces are lost",
        evidence={
            **finding.evidence,
            "max_length": most,
            "pieces_lost": describe.pair(float(lost[0]), float(lost[1])),
            "share_of_pieces_lost": describe.pair(*part),
            "longest": describe.pair(*(float(e.shapes.read.max(initial=0)) for e in (before, now))),
        },
        examples=tuple(
            {column: shortened(now.texts[row]), "pieces": f"{now.shapes.read[row]:,}"}
            for row in worst.tolist()
        ),
        next=("split long texts before they are encoded: what is beyond the limit is never read",)
        if cut.size
        else (),
    )


def unknown(before: Read, now: Read, column: str, tolerance: float) -> Finding:
    """Return the finding on texts with a piece that stands for what the vocabulary lacks."""
    held = [np.asarray(each.shapes.unknown > 0) for each in (before, now)]
    finding = _share_finding(
        UNKNOWN, f"{column}:unknown pieces", (held[0], held[1]), tolerance, "unknown", "known"
    )
    rows = np.flatnonzero(held[1])[:EXAMPLES].tolist()
    parts = [_ratio(each.shapes.unknown, each.shapes.pieces) for each in (before, now)]
    return replace(
        finding,
        says=f"{_two(finding)} of texts hold an unknown piece",
        evidence={**finding.evidence, "share_of_pieces": describe.pair(*parts)},
        examples=tuple({column: shortened(now.texts[row])} for row in rows),
        next=("see which characters the vocabulary lacks: an alphabet, an encoding, emoji",)
        if rows
        else (),
    )


def casing(before: Read, now: Read, column: str, tolerance: float) -> Finding:
    """Return the finding on the case of the raw texts, which a tokenizer that lower-cases never sees."""
    sides = [np.bincount(each.shapes.cases, minlength=len(CASES)) for each in (before, now)]
    shares = [side / max(int(side.sum()), 1) for side in sides]
    spot, effect = largest_share_change(sides[0], sides[1], tolerance=tolerance)
    moved = angle(shares[1]) - angle(shares[0])
    spot = int(np.where(np.abs(moved) > 0.99 * abs(moved[spot]), moved, -np.inf).argmax())
    held = [np.asarray(each.shapes.cases == spot) for each in (before, now)]
    name = CASES[spot]
    finding = _share_finding(
        CASING, f"{column}:case", (held[0], held[1]), tolerance, name, "otherwise"
    )
    grown = shares[1][spot] > shares[0][spot]
    return replace(
        finding,
        effect=effect,
        value=name,
        says=f"{name}: {_two(finding)} of texts",
        evidence={
            "shares": {
                case: describe.pair(float(a), float(b))
                for case, a, b in zip(CASES, *shares, strict=True)
            }
        },
        examples=tuple(
            {column: shortened(now.texts[row])}
            for row in np.flatnonzero(held[1])[:EXAMPLES].tolist()
        )
        if grown
        else (),
        next=(
            "find which step changes the case: a model trained on the other case reads other pieces",
        ),
    )


def new_terms(
    before: Read, now: Read, column: str, lexicon: Lexicon, found: Unseen, tolerance: float
) -> Finding:
    """Return the finding on texts that unseen words break to pieces, and the terms behind it."""
    at, effect = growth(*found.made, tolerance=tolerance)
    rows = Rows(len(found.made[0]), len(found.made[1]))
    counted = [int((side >= at).sum()) if at else 0 for side in found.made]
    shares = [_share(hits, len(side)) for hits, side in zip(counted, found.made, strict=True)]
    flagged = found.made[1] >= at if at else np.zeros(rows.current, np.bool_)
    real = effect.detected
    terms = _terms(before, now, lexicon, np.asarray(flagged) if real else None)
    what = f"unseen words that make {at}" if found.splits else f"{at}"
    what += " pieces or more" if found.splits else " unseen words or more"
    told = ", ".join(
        f"{each['term']!r} ({each['pieces']} pieces)" if found.splits else repr(each["term"])
        for each in terms[:NAMED]
    )
    spots = np.flatnonzero(flagged)[:EXAMPLES].tolist() if real else []
    return Finding(
        NEW_TERMS,
        f"{column}:new terms",
        f"{percent(shares[0])} → {percent(shares[1])} of texts hold {what}: {told}"
        if at
        else "no text holds an unseen word that is split",
        effect,
        rows,
        column=f"{column}:new terms",
        needs_rows=needed(effect, sum(counted) / max(sum((rows.reference, rows.current)), 1)),
        evidence={
            "pieces": at,
            "share_of_texts": describe.pair(*shares),
            "unseen_words": describe.pair(*found.share),
            "unseen_words_against_all": round(found.foreign, 6),
            "terms": terms,
        },
        shape=two_shares(
            "broken by new words", "not", (counted[0], counted[1]), (rows.reference, rows.current)
        ),
        examples=tuple({column: shortened(now.texts[row])} for row in spots),
        next=(
            f"read the texts: does the model know what {terms[0]['term']!r} is?",
            "add such texts to the golden set or the training data: a split word says little",
        )
        if terms and real
        else (),
    )


def _terms(before: Read, now: Read, lexicon: Lexicon, flagged: Any) -> list[dict[str, Any]]:
    """Return the terms that are new or commoner, by their traffic and how badly they split."""
    many = len(lexicon.words)
    ours, theirs = before.uses.holders(many), now.uses.holders(many)
    odds = log_odds(before.uses.counts(many), now.uses.counts(many))
    was, is_ = ours / max(before.uses.texts, 1), theirs / max(now.uses.texts, 1)
    able = (is_ > was) & ((ours == 0) | (odds >= COMMONER))
    weight = (is_ - was) * lexicon.broken
    if not lexicon.broken.any():
        weight = is_ - was
    if flagged is not None:  # the words of the texts that the finding is on come first
        inside = np.bincount(now.uses.terms[flagged[now.uses.rows]], minlength=many)
        weight = weight + np.where(able & (lexicon.broken > 0), inside / max(now.uses.texts, 1), 0)
    able &= weight > 0
    spots = np.flatnonzero(able)
    order = spots[np.lexsort((spots, -odds[spots], -weight[spots]))[:LISTED]]
    return [
        {
            "term": shortened(lexicon.words[spot], most=TERM),
            "texts": describe.pair(float(ours[spot]), float(theirs[spot])),
            "share": describe.pair(float(was[spot]), float(is_[spot])),
            "pieces": int(lexicon.pieces[spot]),
            "continuing": int(lexicon.broken[spot]),
            "log_odds_z": round(float(odds[spot]), 2),
        }
        for spot in order.tolist()
    ]


def _examples(found: Finding, column: str, what: str) -> tuple[Mapping[str, str], ...]:
    """Return the examples of a check of numbers with the text first, and the one number it is on."""
    return tuple(
        {column: shortened(each.get(column, "")), what: each.get(f"{column}:{what}", "")}
        for each in found.examples
    )


def _share_finding(
    check: str,
    subject: str,
    held: tuple[Any, Any],
    tolerance: float,
    name: str,
    rest: str,
) -> Finding:
    """Return the finding on one share of the texts, its words left to the caller."""
    hits, sizes = [int(side.sum()) for side in held], [len(side) for side in held]
    effect: Effect = share_change(hits[0], sizes[0], hits[1], sizes[1], tolerance=tolerance)
    shares = [_share(hit, size) for hit, size in zip(hits, sizes, strict=True)]
    return Finding(
        check,
        subject,
        "",
        effect,
        Rows(sizes[0], sizes[1]),
        column=subject,
        needs_rows=needed(effect, sum(hits) / max(sum(sizes), 1)),
        evidence={"share": describe.pair(*shares)},
        shape=two_shares(name, rest, (hits[0], hits[1]), (sizes[0], sizes[1])),
    )


def _two(finding: Finding) -> str:
    share: Mapping[str, float] = finding.evidence["share"]
    return f"{percent(share['reference'])} → {percent(share['current'])}"


def _ratio(part: Any, whole: Any) -> float:
    """Return a share or a mean over all texts, those left out of which it is not known."""
    known = np.asarray(part >= 0)
    return float(part[known].sum() / max(int(whole[known].sum()), 1))


def _median(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def _share(hits: int, rows: int) -> float:
    return hits / rows if rows else 0.0
