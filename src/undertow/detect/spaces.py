"""Two encoders on the same texts: what is found, and the verdict in words.

A fact carries the words: same space; moved, harmless; mixed; bridgeable; incompatible. Beside it stand
what they rest on, each with an interval and a tolerance: the share of vectors of another space, what a
search loses where new queries meet old vectors, and what it loses through a bridge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict, decide
from undertow.stats.counts import Floats
from undertow.stats.score import Z
from undertow.stats.spaces import TOP, Agreement, Place

SPACE, PLACE, RETRIEVAL, BRIDGE = (
    f"encoders.{name}" for name in ("space", "place", "retrieval", "bridge")
)
LEAST = 50
"""Anchors below which nothing is told."""
EXAMPLES = 5
SHOWN = 200
MOST = 0.9
"""Share of texts from which it is all of them: one in twenty looks in place by chance."""
TURNED = 0.95
"""Share of neighbours, and correlation of pair cosines, from which two spaces are one, turned."""


@dataclass(frozen=True)
class Search:
    """What a search loses without a re-index, and on which questions: golden ones, or the anchors.

    `effect` is None where old vectors and new queries cannot meet: they differ in length. `metric` is
    what was measured ("MRR@10"), `evidence` all metrics of every way to search. `rest` is the loss
    among the rows that are in place, None where that is all of them.
    """

    on: str
    metric: str
    queries: int
    effect: Effect | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    rest: Effect | None = None


@dataclass(frozen=True)
class Crossing:
    """What a bridge gives back: its loss, and why the gate refuses it ("" where it does not)."""

    loss: Effect
    refusal: str
    pairs: int
    needs: int
    on: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def few(self) -> bool:
        """Tell whether there are too few pairs to fit a map at all."""
        return self.pairs < self.needs

    @property
    def recovers(self) -> str:
        """The part of a re-index's quality that comes back, with its interval."""
        back = f"recovers {1 - self.loss.value:.2f} of the retrieval quality of a re-index"
        return f"{back}, {1 - self.loss.high:.2f} to {1 - self.loss.low:.2f}"


@dataclass(frozen=True)
class Encodings:
    """What was measured of two encoders on the same texts, an entry a text, by row of the anchors.

    `far` (n,) says how far each text moved: 1 - cosine with itself, through the best map where the
    spaces differ. `place` is None where the vectors have two lengths.
    """

    texts: Sequence[str]
    dimensions: tuple[int, int]
    agreement: Agreement
    place: Place | None
    search: Search
    crossing: Crossing | None
    far: Floats
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        """How many texts were compared."""
        return Rows(len(self.texts), len(self.texts))

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every effect that is judged, in the order of the findings."""
        place = None if self.place is None else self.place.share
        tried = self.crossing is not None and not self.crossing.few
        bridge = self.crossing.loss if self.crossing is not None and tried else None
        return tuple(each for each in (place, self.search.effect, bridge) if each is not None)


def too_few(anchors: int) -> Finding:
    """Return the one finding where there are fewer than 50 usable anchors.

    >>> print(too_few(12).says)
    cannot tell: 12 usable anchors, and at least 50 are needed (200 tell a mix of 10%)
    """
    says = f"cannot tell: {anchors:,} usable anchors, and at least {LEAST} are needed"
    return Finding(
        SPACE,
        "encoder",
        f"{says} (200 tell a mix of 10%)",
        rows=Rows(anchors, anchors),
        verdict=Verdict.UNKNOWN,
        needs_rows=200,
        next=(
            "give more texts in --anchors FILE: 200 tell a wrong space, 1.3 a dimension fit a bridge",
        ),
    )


def wants_bridge(made: Encodings) -> bool:
    """Tell whether new queries do not find old vectors, and it is no mere mix: then a bridge is tried."""
    return _words(made)[1] == "incompatible"


def findings(made: Encodings) -> Iterator[Finding]:
    """Yield the fact with the verdict in words, and what it rests on."""
    verdict, word, says, steps = _words(made)
    yield Finding(
        SPACE,
        "encoder",
        says,
        rows=made.rows,
        verdict=verdict,
        evidence={"verdict_in_words": word, **made.evidence, **made.agreement.to_dict()},
        examples=_moved_most(made),
        next=steps,
    )
    yield _placed(made)
    if made.search.effect is not None:
        yield _searched(made, made.search.effect)
    if made.crossing is not None:
        yield _crossed(made, made.crossing)


def _words(made: Encodings) -> tuple[Verdict, str, str, tuple[str, ...]]:
    """Return the verdict, its word, its sentence and what to do."""
    verdicts = [decide(each, len(made.effects)) for each in made.effects]
    if made.place is None:
        return _elsewhere(
            made, Verdict.CHANGED, "{} numbers a vector, now {}".format(*made.dimensions)
        )
    placed = verdicts[0]
    searched = verdicts[1] if made.search.effect is not None else Verdict.STEADY
    share = made.place.share
    if placed in {Verdict.CHANGED, Verdict.WATCH}:
        told = f"{percent(share.value)} of texts ({_span(share)})"
        if made.search.rest is not None and decide(made.search.rest, 1) is Verdict.STEADY:
            says = f"mixed: the vectors of {told} are of another space, the rest are in place"
            return placed, "mixed", says, ("encode those texts again, all with one encoder",)
        if share.low >= MOST:
            told = "all texts"
        why = f"new vectors of {told} are not where the old ones are"
        return _elsewhere(made, placed, why)
    if placed is Verdict.STEADY and made.agreement.same:
        assert made.agreement.least_cosine is not None
        least = math.floor(made.agreement.least_cosine * 1e4) / 1e4
        says = (
            f"same space: the cosine of a text with itself is at least {least:.4g} for 99% of texts"
        )
        return Verdict.STEADY, "same space", says, ()
    if searched in {Verdict.CHANGED, Verdict.WATCH}:
        assert made.search.effect is not None
        lost = made.search.effect
        why = f"the texts are in place, but {made.search.metric} falls by {_amount(lost)}"
        return _elsewhere(made, searched, why)
    if Verdict.UNKNOWN in {placed, searched}:
        says = f"nothing found, and too few texts to be sure: {_moved(made)}"
        steps = ("give more anchors with --anchors FILE, or golden queries with --golden DIR",)
        return Verdict.UNKNOWN, "unknown", says, steps
    return Verdict.STEADY, "moved, harmless", f"moved, harmless: {_moved(made)}", ()


def _elsewhere(
    made: Encodings, verdict: Verdict, why: str
) -> tuple[Verdict, str, str, tuple[str, ...]]:
    """Return the words where new queries do not find old vectors: a bridge, or a re-index."""
    crossing, agreed = made.crossing, made.agreement
    reindex = "embed every document again with the new encoder before its first query"
    if crossing is None:
        return verdict, "incompatible", f"incompatible: re-index; {why}", (reindex,)
    if not crossing.refusal:
        save = "save the bridge with --bridge FILE.npz, and lay new queries over it"
        word = "bridgeable by an orthogonal map"
        return verdict, word, f"{word} ({crossing.recovers}); without it, {why}", (save, reindex)
    few = crossing.few
    steps: tuple[str, ...] = (reindex,)
    if few:
        steps = (reindex, f"give {crossing.needs:,} anchors to fit and measure a bridge")
    if few and agreed.rsa.low >= TURNED and agreed.overlap.low >= TURNED:
        word = "bridgeable by an orthogonal map"
        once = f"once there are {crossing.needs:,} anchors to fit it"
        return verdict, word, f"{word}, {once}: the space is turned, and {why}", steps[::-1]
    says = f"incompatible: re-index; {why}. No bridge: {crossing.refusal}"
    return verdict, "incompatible", says, steps


def _moved(made: Encodings) -> str:
    agreed, lost = made.agreement, made.search.effect
    mean = "" if agreed.cosine is None else f"mean cosine {agreed.cosine.value:.3f}, "
    same = f"{mean}{percent(agreed.overlap.value)} of neighbours the same"
    if lost is None or not lost.defined:
        return same
    return f"{same}; {made.search.metric} on {made.search.on} falls by {_amount(lost)}"


def _amount(lost: Effect) -> str:
    return f"{percent(lost.value)} ({_span(lost)})"


def _span(effect: Effect) -> str:
    return f"{percent(effect.low)} to {percent(effect.high)}"


def _placed(made: Encodings) -> Finding:
    subject = "vectors of another space"
    if made.place is None:
        before, now = made.dimensions
        says = f"{before:,} numbers a vector, now {now:,}: no vector fits the old index"
        return Finding(PLACE, subject, says, rows=made.rows, verdict=Verdict.CHANGED)
    share, out = made.place.share, int(made.place.out.sum())
    says = (
        f"{out:,} of {len(made.texts):,} new vectors have over {percent(TOP)} of other texts' old "
        "vectors nearer than their own"
    )
    # So many that not one of them out of place excludes twice the tolerance, and a tenth more.
    needs = math.ceil(1.1 * Z * Z * (1 / (2 * share.tolerance * (1 - TOP)) - 1))
    return Finding(
        PLACE,
        subject,
        says,
        share,
        made.rows,
        needs_rows=max(needs, LEAST),
        examples=_out_of_place(made),
    )


def _searched(made: Encodings, effect: Effect) -> Finding:
    search = made.search
    less = percent(effect.value)
    says = f"new queries on old vectors find {less} less than after a re-index ({search.metric})"
    return Finding(
        RETRIEVAL,
        f"retrieval on {search.on}",
        says,
        effect,
        Rows(search.queries, search.queries),
        needs_rows=_needs(effect, search.queries),
        evidence=search.evidence,
    )


def _crossed(made: Encodings, crossing: Crossing) -> Finding:
    evidence = {"pairs": crossing.pairs, "pairs_needed": crossing.needs, **crossing.evidence}
    subject = f"bridge on {crossing.on}"
    if crossing.few:
        return Finding(
            BRIDGE,
            subject,
            crossing.refusal,
            rows=made.rows,
            needs_rows=crossing.needs,
            evidence=evidence,
        )
    says = f"through an orthogonal map, {percent(crossing.loss.value)} of a re-index is lost"
    return Finding(
        BRIDGE,
        subject,
        f"{says}: {crossing.refusal}" if crossing.refusal else says,
        crossing.loss,
        made.rows,
        needs_rows=_needs(crossing.loss, len(made.texts)),
        evidence=evidence,
        unsure=crossing.refusal,
    )


def _needs(effect: Effect, rows: int) -> int | None:
    """Return how many queries would tell, as far as the interval shrinks with their root."""
    if not effect.defined or effect.high <= effect.tolerance or effect.low > effect.tolerance:
        return None
    arm = (effect.high - effect.low) / 2
    gap = max(abs(effect.value - effect.tolerance), effect.tolerance / 2)
    return math.ceil(rows * max((arm / gap) ** 2, 1.1))


def _moved_most(made: Encodings) -> tuple[dict[str, str], ...]:
    if made.agreement.same:
        return ()
    rows = np.argsort(-made.far, kind="stable")[:EXAMPLES]
    return tuple(
        {"text": made.texts[row][:SHOWN], "cosine with itself": f"{1 - made.far[row]:.3f}"}
        for row in rows.tolist()
    )


def _out_of_place(made: Encodings) -> tuple[dict[str, str], ...]:
    assert made.place is not None
    out = np.flatnonzero(made.place.out)
    rows = out[np.argsort(-made.place.rank[out], kind="stable")][:EXAMPLES]
    return tuple(
        {"text": made.texts[row][:SHOWN], "texts nearer": percent(float(made.place.rank[row]))}
        for row in rows.tolist()
    )
