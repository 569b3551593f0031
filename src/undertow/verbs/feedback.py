"""Tell whether a system feeds on itself: exposure that concentrates, copies, own output that returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa

from undertow.core.dataset import Dataset
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect import feedback as told
from undertow.options import Encoder, Progress
from undertow.sides import copied, served
from undertow.sides.copied import Both
from undertow.sides.served import Spots, Wanted
from undertow.sources import both, open_dataset, split_by_time
from undertow.stats.concentration import REACH_TOLERANCE, TOLERANCE, concentration, steps

TOLERANCES = {
    "gini": TOLERANCE,
    "coverage": REACH_TOLERANCE,
    "copies": 0.2,
    "own_output": 0.2,
    "similarity": 0.05,
}
_EFFECTS = {"copies": "cohens_h", "own_output": "cohens_h"}
_BOTH = ("gini", "coverage")
"""What a tolerance without a name is for."""


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `catalog` is a file or frame with the ids of all items that could be served. `session` is a column
    that names the visit or user of a serving: rows of one session are not independent. `output_time`
    is when an output was written. `tolerance` is one number for gini and coverage, or several by name:
    {"gini": 0.08, "coverage": 0.1, "copies": 0.2, "own_output": 0.2, "similarity": 0.05}; those of
    copies and own_output are in Cohen's h. Conditions are SQL; rows are counted after them.
    """

    catalog: Any
    session: str | None
    encoder: Encoder | None
    output_time: str | None
    tolerance: float | Mapping[str, float] | None
    where: str | None
    reference_where: str | None
    current_where: str | None
    progress: Progress | None


def feedback(
    reference: Any,
    current: Any = None,
    *,
    item: str | None = None,
    text: str | None = None,
    vector: str | None = None,
    time: str | None = None,
    outputs: Any = None,
    output_text: str | None = None,
    **options: Unpack[Options],
) -> Report:
    """Tell whether a system's own output shapes its next input, from what it served before and now.

    Each side is rows that `check` reads, a row a serving; with one side and `time`, its last part is
    compared with what came before. `item` is the id of what was served: its exposure is compared by
    Gini and by the different items served. `text` and `vector` are looked through for rows that are
    near copies of another row (of another item, where there is `item`). `outputs` are the texts
    `output_text` that the system wrote itself: which rows copy an earlier one.

    Raises UsageError or DataError where the data or an option is unusable.

    >>> before = pa.table({"item": [f"song {n % 100}" for n in range(1000)]})
    >>> now = pa.table({"item": [f"song {n % 100 if n % 3 else n % 9}" for n in range(1000)]})
    >>> report = feedback(before, now, item="item")
    >>> print(report.verdict, report["feedback"].says)
    changed a loop: exposure concentrates on fewer items (Gini 0.00 → 0.34; 100% → 100% of ...)
    """
    tolerances = _tolerances(options)
    if item is None and text is None and vector is None and outputs is None:
        raise UsageError(
            "nothing to look at: name a column with --item or --text, or give --outputs"
        )
    if options.get("catalog") is not None and item is None:
        raise UsageError("a catalogue lists items: name the column of what is served with --item")
    if options.get("encoder") is not None and (text is None or vector is not None):
        raise UsageError("an encoder makes vectors of texts: name --text, and no --vector")
    if outputs is None and (output_text or options.get("output_time")):
        raise UsageError(
            "a column of the outputs is named, and no outputs are given: add --outputs"
        )
    if text is None and outputs is not None:
        if output_text is None:
            raise UsageError("outputs are compared with texts: name their column with --text")
        text = output_text
    wanted = Wanted(item, text, vector, time, options.get("session"))
    sides, notes = _sides(reference, current, wanted, options)
    log = None
    if outputs is not None:
        progress, written = options.get("progress"), options.get("output_time")
        log = copied.read_log(outputs, output_text or text or "", written, progress, notes)
    return _report(sides, wanted, log, tolerances, options, notes)


def _tolerances(options: Options) -> dict[str, float]:
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    given = options.get("tolerance")
    if given is None:
        return TOLERANCES
    listed = dict(given) if isinstance(given, Mapping) else dict.fromkeys(_BOTH, given)
    if "*" in listed:
        plain = listed.pop("*")
        listed = dict.fromkeys(_BOTH, plain) | listed
    for name, each in listed.items():
        if name not in TOLERANCES:
            hint = did_you_mean(name, TOLERANCES)
            raise UsageError(f"tolerance for {name!r}: no such measure{hint}")
        if isinstance(each, bool) or not isinstance(each, int | float):
            raise UsageError(f"tolerance {each!r} for {name}: it must be a number")
        check_tolerance(_EFFECTS.get(name, "difference"), each)
    return TOLERANCES | listed


def _sides(
    reference: Any, current: Any, wanted: Wanted, options: Options
) -> tuple[Both, list[str]]:
    """Return both sides, read, and what a reader should know of them."""
    every, progress = options.get("where"), options.get("progress")
    notes: list[str] = []
    if current is None:
        if wanted.time is None:
            raise UsageError(
                "nothing to compare with: give CURRENT, or --time COLUMN to compare the last part of "
                "one set with the rest"
            )
        for name in ("reference_where", "current_where"):
            if options.get(name):
                raise UsageError(f"--{name.replace('_', '-')} needs two sets; use --where")
        rows, found = served.opened(reference, wanted, every)
        assert found.time is not None
        earlier, later, sentence = split_by_time(rows, found.time)
        notes.append(sentence)
        pair: list[tuple[Dataset, Wanted]] = [(earlier, found), (later, found)]
    else:
        if reference is current and hasattr(current, "read_next_batch"):
            raise UsageError(
                "both sides are the same stream, which is read only once; give a table"
            )
        own = options.get("reference_where"), options.get("current_where")
        pair = [
            served.opened(data, wanted, both(every, only))
            for data, only in zip((reference, current), own, strict=True)
        ]
    before, now = (
        served.read(rows, columns, stage, progress)
        for (rows, columns), stage in zip(pair, ("reference", "current"), strict=True)
    )
    return Both(before, now), [*notes, *before.notes, *now.notes]


def _report(
    sides: Both,
    wanted: Wanted,
    log: copied.Log | None,
    tolerances: Mapping[str, float],
    options: Options,
    notes: list[str],
) -> Report:
    exposure, alike, space = None, None, ""
    shared: list[told.Shared] = []
    if wanted.item is not None:
        names, codes = _items(sides, wanted.item, options.get("catalog"), notes)
        sides = Both(sides.before, sides.now, codes)
        listed = options.get("catalog") is not None
        exposure = _exposed(sides, wanted, names, tolerances, listed=listed)
        if len(exposure.steps) > 2:
            ginis = ", ".join(f"{step['gini']:.2f}" for step in exposure.steps)
            notes.append(f"Gini of {wanted.item} over {len(exposure.steps)} steps of time: {ginis}")
    if wanted.text is not None:
        pair = copied.shingled(sides, wanted.text, notes)
        if log is not None:
            limit = tolerances["own_output"]
            shared.append(copied.by_outputs(sides, wanted.text, pair, log, limit, notes))
        shared.append(copied.by_text(sides, wanted.text, pair, tolerances["copies"]))
    encoder = options.get("encoder")
    if encoder is not None:
        sides, space = copied.encoded(sides, encoder, options.get("progress"), notes)
    if sides.before.vectors is not None:
        near, alike = copied.by_vectors(sides, wanted.vector or wanted.text or "", tolerances)
        shared.append(near)
    before, now = sides
    made = told.Measured(exposure, tuple(shared), alike, Rows(before.rows, now.rows))
    found: list[Finding] = list(told.findings(made))
    if found[0].verdict is Verdict.STEADY:  # good news stands where it is read without asking
        notes.insert(0, found[0].says)
    return Report.of(
        Source(before.source, before.rows, before.digest),
        Source(now.source, now.rows, now.digest),
        found,
        columns=_columns(wanted, space),
        notes=notes,
    )


def _columns(wanted: Wanted, space: str) -> list[Column]:
    listed = (
        (wanted.item, Kind.CATEGORY, Role.FEATURE),
        (wanted.text, Kind.TEXT, Role.FEATURE),
        (wanted.vector, Kind.VECTOR, Role.FEATURE),
        (wanted.time, Kind.TIME, Role.TIME),
        (wanted.session, Kind.CATEGORY, Role.SEGMENT),
    )
    made: dict[str, Column] = {}
    for name, kind, role in listed:
        if name is not None:
            by = space if kind is Kind.TEXT else ""
            made.setdefault(name, Column(name, kind, role, space=by))
    return list(made.values())


def _items(
    sides: Both, column: str, catalog: Any, notes: list[str]
) -> tuple[list[str], tuple[Spots, Spots]]:
    """Return the names of all items, and which of them each row served; note what is odd."""
    before, now = sides
    assert before.items is not None
    assert now.items is not None
    listed = pa.nulls(0, pa.large_string())
    if catalog is not None:
        listed = _catalog(catalog, column, notes)
    whole = pa.chunked_array([listed, before.items, now.items]).combine_chunks()
    coded = whole.dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1), np.int64)
    ours, theirs = np.split(codes[len(listed) :].copy(), [before.rows])
    for side, found in ((before, ours), (now, theirs)):
        if missing := int((found < 0).sum()):
            notes.append(f"{side.source}: {missing:,} of {side.rows:,} rows name no {column}")
    if catalog is not None:
        beyond = codes[len(listed) :] >= len(listed)  # each id of a catalogue is there once
        if unknown := len(coded.dictionary) - len(listed):
            are = "item is" if unknown == 1 else "items are"
            notes.append(
                f"{unknown:,} served {are} not in the catalogue ({int(beyond.sum()):,} servings), and "
                "counted beside it"
            )
    elif (theirs >= 0).any() and (ours >= 0).any() and not np.isin(theirs[theirs >= 0], ours).any():
        notes.append(
            f"no {column} of {now.source} is in {before.source}: see whether both write ids alike"
        )
    return coded.dictionary.to_pylist(), (ours, theirs)


def _catalog(catalog: Any, column: str, notes: list[str]) -> pa.Array:
    """Return the ids of a catalogue, each once; raise DataError where there are none."""
    rows = open_dataset(catalog)
    names = rows.arrow.names
    name = column if column in names else names[0] if len(names) == 1 else None
    if name is None:
        raise UsageError(
            f"{rows.source}: no column {column!r}{did_you_mean(column, names)}; call the ids of the "
            "catalogue as those served, or give one column"
        )
    parts = [served.identities(batch.column(0)) for batch in rows.batches([name])]
    ids = pa.chunked_array(parts, pa.large_string()).drop_null()
    if not len(ids):
        raise DataError(f"{rows.source}: the catalogue holds no ids; leave it out, or name another")
    once = ids.unique()
    if len(once) < sum(map(len, parts)):
        left = sum(map(len, parts)) - len(once)
        notes.append(f"{rows.source}: {left:,} ids of the catalogue are blank or there twice")
    return once


def _exposed(
    sides: Both,
    wanted: Wanted,
    names: list[str],
    tolerances: Mapping[str, float],
    *,
    listed: bool,
) -> told.Served:
    """Return how unevenly both sides serve the items, and step by step where there are times."""
    assert sides.items is not None
    before, now = sides
    fine = [codes >= 0 for codes in sides.items]
    pair = [codes[each] for codes, each in zip(sides.items, fine, strict=True)]
    sessions = None
    if before.sessions is not None and now.sessions is not None:
        sessions = before.sessions[fine[0]], now.sessions[fine[1]]
    found = concentration(
        pair[0],
        pair[1],
        len(names),
        tolerance=tolerances["gini"],
        reach_tolerance=tolerances["coverage"],
        sessions=sessions,
    )
    reference, current = (np.bincount(codes, minlength=len(names)) for codes in pair)
    return told.Served(
        wanted.item or "",
        found,
        names,
        reference,
        current,
        listed,
        Rows(len(pair[0]), len(pair[1])),
        _over_time(sides, len(names)),
        {} if wanted.text in {None, wanted.item} else _texts_of(sides),
    )


def _over_time(sides: Both, items: int) -> list[dict[str, float]]:
    assert sides.items is not None
    codes, times = [], []
    for side, found in zip(sides, sides.items, strict=True):
        if side.times is None or side.timed is None or side.dated is not sides.now.dated:
            return []
        usable = side.timed & (found >= 0)
        codes.append(found[usable])
        times.append(side.times[usable])
    return steps(np.concatenate(codes), np.concatenate(times), items)


def _texts_of(sides: Both) -> dict[int, str]:
    """Return a text of each item, the first that is at hand."""
    assert sides.items is not None
    made: dict[int, str] = {}
    for side, codes in zip(sides, sides.items, strict=True):
        assert side.texts is not None
        there, first = np.unique(codes[side.drawn], return_index=True)
        texts = side.texts.take(pa.array(first)).to_pylist()
        for code, text in zip(there.tolist(), texts, strict=True):
            if code >= 0 and text:
                made.setdefault(code, text)
    return made
