"""Compare two encoders, or what two have left in files, on the same texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from undertow.core.embeds import compare_spaces, space_label
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role
from undertow.core.vectors import STATES
from undertow.core.verdict import Effect, Verdict
from undertow.detect import spaces as told
from undertow.detect.golden import METRIC, Asked
from undertow.options import Progress
from undertow.repair.bridge import Attempt, attempt
from undertow.sides.encoded import Anchors, Side, is_saved, read_anchors, read_side
from undertow.sources.golden import Golden, open_golden
from undertow.stats import rotation, spaces
from undertow.stats.neighbours import Matrix, unit
from undertow.stats.ranking import DEPTH, Scores, loss

ASKED = 2_000
"""Anchors that are looked up among each other, at most."""
TOLERANCES = {"moved_share": 0.02, "relative_change": 0.05}
_STATES = {"null": "missing", "zero": "all zeros", "not finite": "with NaN or infinity"}
BLIND = 0.05
"""A golden set of which a re-index finds less (MRR@10) measures nothing."""


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `label` is a column of the anchors: texts of one label answer each other. `vector` is the column of
    a saved file that holds the vectors, where there are several. `golden_columns` say how columns of
    the golden set are called, as {"doc_text": "abstract"}. `tolerance` is one number for what a search
    may lose, or several by effect: {"moved_share": 0.02, "relative_change": 0.05}.
    """

    label: str | None
    vector: str | None
    golden_columns: Mapping[str, str] | None
    tolerance: float | Mapping[str, float] | None
    where: str | None
    progress: Progress | None


Path_ = str | os.PathLike[str]


def compare_encoders(
    a: Any,
    b: Any,
    *,
    anchors: Any,
    text: str,
    golden: Path_ | None = None,
    bridge: Path_ | None = None,
    **options: Unpack[Options],
) -> Report:
    """Compare encoder `a` (old) with `b` (new) on the same texts, and say what to do in words.

    Each is the name of an encoder, a function, a file of saved vectors (a row for each row of the
    anchors), or vectors in memory. `anchors` are rows with a column `text`. The first finding says one
    of: same space; moved, harmless; mixed; bridgeable by an orthogonal map; incompatible. What a search
    loses is measured on the `golden` set, a folder of documents, queries and judgements, or else on
    the anchors. `bridge` is where the map from `b` to `a` is saved, if its gate lets it through.

    Raises UsageError or DataError where the data or an option is unusable.

    >>> import pyarrow as pa
    >>> random = np.random.default_rng(0)
    >>> old = random.normal(size=(300, 8)).astype(np.float32)
    >>> texts = pa.table({"q": [f"text {n}" for n in range(300)]})
    >>> report = compare_encoders(old, old[:, ::-1], anchors=texts, text="q")
    >>> report.verdict, report["encoder"].says[:30]
    (<Verdict.CHANGED: 'changed'>, 'bridgeable by an orthogonal ma')
    """
    _different(a, b)
    tolerances = _tolerances(options.get("tolerance"))
    rows = read_anchors(
        anchors,
        text,
        label=options.get("label"),
        where=options.get("where"),
        progress=options.get("progress"),
    )
    sides = tuple(read_side(each, rows, options.get("vector")) for each in (a, b))
    questions = None if golden is None else open_golden(golden, options.get("golden_columns"))
    pair = _pair(rows, sides, questions)
    found: list[Finding] = []
    notes = list(pair.notes)
    if len(pair.texts) < told.LEAST:
        found.append(told.too_few(len(pair.texts)))
        if bridge is not None:
            notes.append("no bridge was written: too few anchors")
    else:
        made, tried = _compared(pair, tolerances, wanted=bridge is not None)
        found += told.findings(made)
        if found[0].verdict is Verdict.STEADY:  # good news stands where it is read without asking
            notes.insert(0, found[0].says)
        if bridge is not None:
            notes.append(_saved(tried, sides, bridge))
    used = len(pair.texts)
    column = Column(text, Kind.TEXT, Role.FEATURE, why="declared")
    first, second = (Source(side.name, used, side.digest) for side in sides)
    return Report.of(
        first,
        second,
        found,
        columns=[column],
        notes=[*notes, *(note for side in sides for note in side.notes)],
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """The vectors of texts that both sides have, of length 1, and the golden set."""

    texts: list[str]
    old: Matrix
    new: Matrix
    labels: NDArray[np.str_] | None
    sides: tuple[Side, ...]
    golden: Golden | None
    notes: tuple[str, ...]


def _different(a: Any, b: Any) -> None:
    paths = [each for each in (a, b) if isinstance(each, str | os.PathLike) and is_saved(each)]
    if len(paths) == 2 and os.path.realpath(paths[0]) == os.path.realpath(paths[1]):
        raise UsageError(f"A and B are one file, {os.fspath(a)}; give the vectors of two encoders")


def _tolerances(given: float | Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return TOLERANCES
    listed = dict(given) if isinstance(given, Mapping) else {"relative_change": given}
    listed = {("relative_change" if name == "*" else name): each for name, each in listed.items()}
    for name, each in listed.items():
        if name not in TOLERANCES:
            raise UsageError(
                f"tolerance for {name!r}: no such effect{did_you_mean(name, TOLERANCES)}"
            )
        if not isinstance(each, int | float) or not 0 < each < 0.5:
            raise UsageError(f"tolerance {each!r} for {name}: it must be above 0 and below 0.5")
    return TOLERANCES | listed


def _pair(rows: Anchors, sides: tuple[Side, ...], golden: Golden | None) -> _Pair:
    """Return the texts that both sides have a vector of, each once, and a note on the others."""
    notes: list[str] = []
    for side in sides:
        bad = [
            f"{count:,} {_STATES.get(state, state)}"
            for state, count in zip(STATES[1:], side.vectors.counts[1:].tolist(), strict=True)
            if count
        ]
        if bad:
            notes.append(
                f"{side.name}: of {len(side.vectors):,} vectors, {' and '.join(bad)} were left out"
            )
    fine = sides[0].vectors.fine & sides[1].vectors.fine
    first: dict[str, int] = {}
    usable = 0
    for row in np.flatnonzero(fine).tolist():
        each = rows.texts[row]
        if each is not None and each.strip():
            usable += 1
            first.setdefault(each, row)
    if usable > len(first):
        notes.append(f"{usable - len(first):,} rows repeat a text; each text is compared once")
    kept = list(first.values())
    lengths = [float(np.median(side.vectors.norms[kept])) if kept else 1.0 for side in sides]
    if max(lengths) > 1.05 * min(lengths):
        notes.append(
            f"vectors have a length of {lengths[0]:.3g}, now {lengths[1]:.3g}: directions are compared, "
            "and an index that ranks by plain products ranks otherwise"
        )
    labels = None
    if rows.labels is not None:
        # A missing label answers nobody: each stands alone.
        labels = np.array([rows.labels[row] or f"\0{row}" for row in kept])
    old, new = (unit(side.vectors.rows[kept]) for side in sides)
    if golden is not None:
        notes += golden.notes
    return _Pair(list(first), old, new, labels, sides, golden, tuple(notes))


def _compared(
    pair: _Pair, tolerances: Mapping[str, float], *, wanted: bool
) -> tuple[told.Encodings, Attempt | None]:
    """Return what there is to tell, and the map that was tried: where it is needed, or wanted."""
    width = pair.old.shape[1], pair.new.shape[1]
    alike = width[0] == width[1]
    place = None
    if alike:
        place = spaces.place(pair.old, pair.new, tolerance=tolerances["moved_share"])
    limit = tolerances["relative_change"]
    asked: Asked | None = None
    if pair.golden is None:
        search = _on_anchors(pair, place, limit)
    else:
        asked, fresh, search = _on_golden(pair, limit)
    far = 1 - np.einsum("ij,ij->i", pair.old, pair.new, dtype=np.float64) if alike else None
    made = told.Encodings(
        texts=pair.texts,
        dimensions=width,
        agreement=spaces.agreement(pair.old, pair.new),
        place=place,
        search=replace(search, rest=_in_place(pair, place, limit)),
        crossing=None,
        far=np.zeros(len(pair.texts)) if far is None else far,
        evidence=_identities(pair),
    )
    needed = told.wants_bridge(made)
    kept = _pairs_for_a_map(pair)
    # Where a map can be fitted, its residual is told even if nobody needs it.
    worth = needed or wanted or rotation.needed(pair.new[kept]) <= len(kept)
    if not worth or len(kept) < told.LEAST:
        return made, None
    labels = None if pair.labels is None else pair.labels[kept]
    tried = attempt(pair.new[kept], pair.old[kept], labels=labels, tolerance=limit)
    evidence: dict[str, Any] = {"procrustes_residual": tried.held.residual.to_dict()}
    if asked is not None:
        if tried.loss.defined:
            evidence["recovery_on_held_out_pairs"] = tried.recovery.to_dict()
        lost, more = asked.through(tried.map(asked.new_asked), fresh)
        tried, evidence = tried.judged_on(lost, "golden set"), {**evidence, **more}
    if not needed:
        return replace(made, evidence={**made.evidence, **evidence}), tried
    far = np.zeros(len(pair.texts))
    far[kept] = 1 - tried.held.cosine
    crossing = told.Crossing(
        tried.loss, tried.refusal, tried.pairs, tried.needs, tried.measured_on, evidence
    )
    return replace(made, crossing=crossing, far=far), tried


def _pairs_for_a_map(pair: _Pair) -> NDArray[np.intp]:
    """Return the texts to fit a map on: not the golden queries, which tell what it is worth."""
    asked = set() if pair.golden is None else set(pair.golden.queries)
    return np.array([row for row, each in enumerate(pair.texts) if each not in asked], np.intp)


def _on_anchors(pair: _Pair, place: spaces.Place | None, limit: float) -> told.Search:
    """Return what a search among the anchors loses, new queries on old vectors."""
    on = "anchors" if pair.labels is None else "anchors by label"
    metric = f"nDCG@{DEPTH}"
    if place is None:
        return told.Search(on, metric, 0, None)
    some = spaces.drawn(len(pair.texts), ASKED)
    old, new = pair.old[some], pair.new[some]
    labels = None if pair.labels is None else pair.labels[some]
    now, fresh = rotation.agreed(old, new, new, labels)
    effect = loss(now, fresh, tolerance=limit)
    truth = "texts of one label" if labels is not None else "neighbours that both spaces agree on"
    evidence = {
        "relevant": truth,
        metric.lower(): {"nothing_done": _mean(now), "re_index": _mean(fresh)},
    }
    return told.Search(on, metric, len(now), effect, evidence)


def _in_place(pair: _Pair, place: spaces.Place | None, limit: float) -> Effect | None:
    """Return what a search loses among the anchors that are in place, where some are not."""
    if place is None:
        return None
    some = spaces.drawn(len(pair.texts), ASKED)
    stay = some[~place.out[some]]
    if not told.LEAST <= len(stay) < len(some):
        return None
    old, new = pair.old[stay], pair.new[stay]
    labels = None if pair.labels is None else pair.labels[stay]
    return loss(*rotation.agreed(old, new, new, labels), tolerance=limit)


def _mean(values: NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _on_golden(pair: _Pair, limit: float) -> tuple[Asked, Scores, told.Search]:
    """Encode the golden set by both, and return what a re-index finds and what is lost without."""
    assert pair.golden is not None
    golden = pair.golden
    (old, old_asked), (new, asked) = (
        (side.embed(golden.documents, "documents"), side.embed(golden.queries, "queries"))
        for side in pair.sides
    )
    made = Asked(golden.judged, old, old_asked, new, asked, limit)
    fresh, before = made.fresh, made.before
    if max(fresh.mrr.mean(), before.mrr.mean()) < BLIND:
        raise DataError(
            f"{golden.source}: neither encoder finds its answers ({METRIC} {fresh.mrr.mean():.3f}); "
            "see whether the judgements' ids are those of the queries and documents"
        )
    return made, fresh, made.search(fresh, before)


def _identities(pair: _Pair) -> dict[str, Any]:
    """Return which encoders these are, as far as they can be asked."""
    names = [space_label(side.space) if side.space else side.name for side in pair.sides]
    made: dict[str, Any] = {"encoders": {"reference": names[0], "current": names[1]}}
    if all(side.space for side in pair.sides):
        made["fingerprints"] = compare_spaces(pair.sides[0].space, pair.sides[1].space).value
    made["dimensions"] = {"reference": pair.old.shape[1], "current": pair.new.shape[1]}
    return made


def _saved(tried: Attempt | None, sides: Sequence[Side], path: Path_) -> str:
    """Save the bridge if its gate lets it through, and say which."""
    if tried is None or tried.refusal:
        why = "too few anchors beside the golden queries" if tried is None else tried.refusal
        return f"no bridge was written: {why}"
    old, new = (side.space or side.name for side in sides)
    tried.bridge(new, old).save(path)
    return f"bridge written to {os.fspath(path)}, fitted on {tried.pairs:,} pairs"
