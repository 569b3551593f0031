"""What of two sides' rows is a copy: of another row by its text or vector, or of an own output."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import DataError
from undertow.core.finding import Rows
from undertow.core.verdict import Effect
from undertow.detect import feedback as told
from undertow.options import Encoder, Progress
from undertow.sides import served
from undertow.sides.served import Side, Spots, Wanted
from undertow.stats import copies
from undertow.stats.concentration import Pair
from undertow.stats.near_copies import Shingles, shingles
from undertow.stats.neighbours import unit
from undertow.stats.returned import FEW, HOW, Returned, returned
from undertow.stats.share import share_change
from undertow.stats.spaces import drawn

VECTORS = 4_000
"""Vectors a side that are compared each with each."""
LOGGED = 1_000_000
"""Own outputs that rows are compared with."""
TRIED = 200
"""Rows with most copies among which examples are sought."""


@dataclass(frozen=True, eq=False)
class Both:
    """Both sides, and the item of each row as a number (-1 where it names none), if there are items."""

    before: Side
    now: Side
    items: tuple[Spots, Spots] | None = None

    def __iter__(self) -> Iterator[Side]:
        """Iterate over the reference and the current side."""
        return iter((self.before, self.now))

    def owners(self, which: int, places: Spots) -> Spots | None:
        """Return the items of some rows of a side; a row that names none is an item of its own."""
        if self.items is None:
            return None
        codes = self.items[which][places]
        alone = np.flatnonzero(codes < 0)
        codes[alone] = int(codes.max(initial=0)) + 1 + np.arange(len(alone))
        return codes


def shingled(sides: Both, column: str, notes: list[str]) -> tuple[Shingles, Shingles]:
    """Return the shingles of both sides' texts, and say how many rows have none."""
    found = []
    for side in sides:
        assert side.texts is not None
        made = shingles(side.texts)
        if blank := int((made.words == 0).sum()):
            notes.append(f"{side.source}: {blank:,} of {len(made):,} rows have no {column}")
        if made.cut:
            notes.append(
                f"{side.source}: of {made.cut:,} very long texts the beginning is compared"
            )
        found.append(made)
    return found[0], found[1]


def by_text(
    sides: Both, column: str, pair: tuple[Shingles, Shingles], tolerance: float
) -> told.Shared:
    """Return the share of rows whose text is a near copy of another row's."""
    usable = [np.flatnonzero(made.words > 0) for made in pair]
    rows = min(map(len, usable))
    found: list[copies.Share] = []
    examples: told.Examples = ()
    visits: list[Spots | None] = []
    for which, (side, made, fine) in enumerate(zip(sides, pair, usable, strict=True)):
        some = fine[drawn(len(fine), 4 * rows)]
        graph = copies.text_graph(made.only(some), sides.owners(which, side.drawn[some]))
        visits.append(side.sessions_of(side.drawn[some]))
        found.append(copies.copied(graph, rows, visits[-1]))
        examples = _twins(side, graph, some)
    made_of = _shared(told.COPIES, column, found, usable, tolerance, examples)
    return replace(made_of, sessions=_fewest(visits))


def _fewest(sessions: list[Spots | None]) -> int | None:
    """Return the number of sessions of the side that has fewer, None where there are none."""
    known = [len(np.unique(each)) for each in sessions if each is not None]
    return min(known) if len(known) == len(sessions) else None


def _shared(
    check: str,
    column: str,
    found: list[copies.Share],
    usable: list[Spots],
    tolerance: float,
    examples: told.Examples = (),
) -> told.Shared:
    before, now = found
    sizes = [len(each) for each in usable]
    rows = min(sizes)
    effect = copies.share_moved(before, now, tolerance=tolerance)
    if rows < copies.LEAST:
        effect = _undefined("cohens_h", tolerance)
    worth = {
        name: round(each.worth) if math.isfinite(each.worth) else None
        for name, each in (("reference", before), ("current", now))
    }
    return told.Shared(
        check,
        column,
        effect,
        Pair(before.value, now.value),
        Rows(*sizes),
        rows,
        examples,
        {"independent_rows": worth},
    )


def _undefined(name: str, tolerance: float) -> Effect:
    return Effect(name, math.nan, math.nan, math.nan, tolerance, 1.0)


def _twins(side: Side, graph: copies.TextGraph, places: Spots) -> told.Examples:
    """Return the texts with most copies, each beside one of them."""
    assert side.texts is not None
    degree = np.rint(graph.sums(np.ones(len(graph)))).astype(np.int64)
    made: list[Mapping[str, str]] = []
    seen: set[int] = set()
    for row in np.argsort(-degree, kind="stable")[:TRIED].tolist():
        own = int(graph.text[row])
        if degree[row] == 0 or len(made) == told.EXAMPLES:
            break
        if own in seen:
            continue
        near = graph.near[[own]].indices
        seen |= {own, *near.tolist()}
        others = np.flatnonzero(np.isin(graph.text, near) if len(near) else graph.text == own)
        other = next((each for each in others.tolist() if each != row), row)
        one, two = side.texts.take(pa.array(places[[row, other]])).to_pylist()
        shown = {"text": one[: told.SHOWN], "near copy": two[: told.SHOWN]}
        made.append(shown | {"copies": f"{int(degree[row]):,}"})
    return tuple(made)


def by_vectors(
    sides: Both, column: str, tolerances: Mapping[str, float]
) -> tuple[told.Shared, told.Alike]:
    """Return the share of rows whose vector is almost another row's, and how alike rows are."""
    vectors, usable = [], []
    for side in sides:
        assert side.vectors is not None
        assert side.fine is not None
        vectors.append(side.vectors)
        usable.append(np.flatnonzero(side.fine))
    sizes = [len(fine) for fine in usable]
    widths = [each.shape[1] for each in vectors]
    if min(sizes) and widths[0] != widths[1]:
        raise DataError(
            f"{column!r} has vectors of {widths[0]} numbers, now of {widths[1]}; both sides must be "
            "made by one encoder"
        )
    rows = min(VECTORS, *sizes)
    found, cosine, vendi = [], [], []
    compared: list[Spots] = []
    for which, (side, fine, cells) in enumerate(zip(sides, usable, vectors, strict=True)):
        some = fine[drawn(len(fine), min(VECTORS, 4 * rows))]
        graph = copies.vector_graph(cells[some], sides.owners(which, side.drawn[some]))
        found.append(copies.copied(graph, rows, side.sessions_of(side.drawn[some])))
        cosine.append(copies.mean_cosine(cells[fine], side.sessions_of(side.drawn[fine])))
        vendi.append(copies.vendi(cells[fine[drawn(len(fine), rows)]]))
        compared.append(some)
    near = _shared(told.VECTOR_COPIES, column, found, compared, tolerances["copies"])
    moved = copies.cosine_moved(cosine[0], cosine[1], tolerance=tolerances["similarity"])
    if rows < copies.LEAST:
        moved = _undefined("difference", tolerances["similarity"])
    alike = told.Alike(column, moved, (cosine[0], cosine[1]), Pair(*vendi), rows, Rows(*sizes))
    return near, alike


def encoded(
    sides: Both, spec: Encoder, progress: Progress | None, notes: list[str]
) -> tuple[Both, str]:
    """Return both sides with vectors made of their texts, and the encoder's fingerprint."""
    assert sides.before.texts is not None
    known = sides.before.texts.to_pylist()
    opened = open_encoder(spec)
    encoder: Embeds = opened.fitted(known) if isinstance(opened, Fits) else opened
    notes += filter(
        None, [steadiness(encoder, [each for each in known if each]).note(encoder.name)]
    )
    made = []
    for side in sides:
        assert side.texts is not None
        if progress is not None:
            progress(encoder.name, 0, len(side.texts))
        vectors = unit(np.nan_to_num(encode(encoder, side.texts.to_pylist())))
        made.append(replace(side, vectors=vectors, fine=np.asarray(vectors.any(axis=1))))
    return Both(made[0], made[1], sides.items), str(fingerprint(encoder))


@dataclass(frozen=True, eq=False)
class Log:
    """The log of own outputs: their texts, and when each was written, where that is known."""

    side: Side
    texts: pa.Array
    made: Shingles

    @property
    def times(self) -> tuple[Spots, NDArray[np.bool_]] | None:
        """When each output was written, and whether that is known."""
        return _times(self.side)


def read_log(
    data: Any, column: str, time: str | None, progress: Progress | None, notes: list[str]
) -> Log:
    """Return the log of outputs; raise DataError where it holds no text."""
    rows, wanted = served.opened(data, Wanted(text=column, time=time), None)
    side = served.read(rows, wanted, "outputs", progress, most=LOGGED)
    assert side.texts is not None
    notes += side.notes
    if not side.rows:
        raise DataError(f"{side.source}: the log of outputs holds no rows; leave out --outputs")
    made = shingles(side.texts)
    if not (made.words > 0).any():
        raise DataError(f"{side.source}: column {column!r} holds no text; name another")
    return Log(side, side.texts, made)


def _times(side: Side) -> tuple[Spots, NDArray[np.bool_]] | None:
    if side.times is None or side.timed is None:
        return None
    return side.times[side.drawn], side.timed[side.drawn]


def by_outputs(
    sides: Both,
    column: str,
    pair: tuple[Shingles, Shingles],
    log: Log,
    tolerance: float,
    notes: list[str],
) -> told.Shared:
    """Return the share of rows that copy an own output, and some of them beside it."""
    when = [_times(side) for side in sides]
    since = log.times
    ordered = since is not None and None not in [each if each is None else 0 for each in when]
    if ordered and not log.side.dated == sides.before.dated == sides.now.dated:
        raise DataError(
            "times of rows and of outputs are dates on one side and plain numbers on the other; write "
            "both alike"
        )
    if not ordered:
        notes.append(
            "a row counts wherever it copies an output: give --time and --output-time to count "
            "earlier outputs alone"
        )
    found: list[Returned] = []
    for side, made, time in zip(sides, pair, when, strict=True):
        if ordered and time is not None and since is not None:
            each = returned(made, log.made, (time[0], since[0]), (time[1], since[1]))
        else:
            each = returned(made, log.made)
        if out := int((~each.told & (made.words > 0)).sum()):
            why = f"under {FEW} words, or no time" if ordered else f"under {FEW} words"
            notes.append(f"{side.source}: {out:,} rows are not looked up among the outputs ({why})")
        found.append(each)
    visits = [
        side.sessions_of(side.drawn[each.told]) for side, each in zip(sides, found, strict=True)
    ]
    hits = [int((each.output >= 0).sum()) for each in found]
    rows = [int(each.told.sum()) for each in found]
    how = {
        name: {
            "reference": int((found[0].how == code).sum()),
            "current": int((found[1].how == code).sum()),
        }
        for code, name in enumerate(HOW)
        if name
    }
    effect = share_change(hits[0], rows[0], hits[1], rows[1], tolerance=tolerance)
    if visits[0] is not None and visits[1] is not None:  # rows of one session are not independent
        parts = (each.output[each.told] >= 0 for each in found)
        before, now = (
            copies.shared(part, visit)
            for part, visit in zip(parts, visits, strict=True)
            if visit is not None
        )
        effect = copies.share_moved(before, now, tolerance=tolerance)
    return told.Shared(
        told.OWN,
        column,
        effect,
        Pair(*(hit / each if each else math.nan for hit, each in zip(hits, rows, strict=True))),
        Rows(*rows),
        min(rows),
        _beside(sides.now, found[1], log),
        {"rows_by_how": how, "outputs": len(log.made), "earlier_outputs_only": ordered},
        _fewest(visits),
    )


def _beside(side: Side, found: Returned, log: Log) -> told.Examples:
    """Return rows beside the output that each copies, the least alike first: they say most."""
    assert side.texts is not None
    rows = np.flatnonzero(found.output >= 0)
    _, first = np.unique(found.output[rows], return_index=True)
    rows = rows[np.sort(first)]
    rows = rows[np.argsort(found.alike[rows], kind="stable")][: told.EXAMPLES]
    texts = side.texts.take(pa.array(rows)).to_pylist()
    outputs = log.texts.take(pa.array(found.output[rows])).to_pylist()
    return tuple(
        {"text": text[: told.SHOWN], "own output": output[: told.SHOWN], "copy": HOW[how]}
        for text, output, how in zip(texts, outputs, found.how[rows].tolist(), strict=True)
    )
