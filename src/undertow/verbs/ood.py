"""Score how unfamiliar each row is: out-of-distribution texts, vectors or a classifier's scores."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.config import write_file
from undertow.core.dataset import Dataset
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import steadiness
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.profile import Profile
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind
from undertow.core.vectors import STATES, is_list
from undertow.core.verdict import check_tolerance
from undertow.detect.unfamiliar import Beyond, periods
from undertow.observe.scored import Known, Seen, Side, strings
from undertow.options import Progress
from undertow.sources import both, open_dataset
from undertow.sources.edge import project
from undertow.sources.gathered import gathered
from undertow.stats import unfamiliar
from undertow.stats.unfamiliar import LABELLED, SCORED, Unfamiliar
from undertow.stores import profile_file

_OWN = ("row", "score", "is_ood", "p")

Encoder = str | Callable[[Sequence[str]], Any] | Embeds | Fits
Path_ = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `score` is a column of a classifier's logits or probabilities, a list each; `time` when a row
    happened; `id` a column that is copied into the scores. Conditions are SQL; rows are counted
    after them. `held_out` is one that is true for the reference rows that set the threshold, such as
    those of a validation set; by default it is a fifth of them, drawn by content hash.
    """

    score: str | None
    time: str | None
    id: str | None
    tolerance: float | None
    held_out: str | None
    where: str | None
    reference_where: str | None
    current_where: str | None
    progress: Progress | None


def ood(  # noqa: PLR0913 - what a person says of a run
    reference: Any,
    current: Any,
    *,
    text: str | None = None,
    vector: str | None = None,
    label: str | None = None,
    encoder: Encoder | None = None,
    rate: float = 0.05,
    method: str | None = None,
    scores: Path_ | None = None,
    **options: Unpack[Options],
) -> Report:
    """Score every current row by how unlike the reference it is, and report how many are.

    Each side is rows that `check` reads. Give `text` (encoded by `encoder`, by default TF-IDF fitted
    on the reference's known rows), `vector`, or `score` (a classifier's logits). A row beyond the
    threshold, which `rate` of the reference's held-out rows pass, is out of distribution. With
    `label`, a class of each reference row, the score knows the classes too. `method` is one of
    `undertow.stats.unfamiliar.METHODS`. `scores` is a Parquet file of one line a current row, in
    order: row (its place, from 0), score (higher is less familiar), is_ood, and p (how often a row
    of the reference's kind scores as high); all but row are null where there is nothing to score.

    At most 20,000 rows of the reference are used, those of lowest content hash. Raises UsageError or
    DataError where the data or an option is unusable.

    >>> random = np.random.default_rng(0)
    >>> def rows(count, *centre):
    ...     cells = random.normal(size=(count, 3)) * 0.1 + centre
    ...     return pa.table({"v": pa.array(cells.tolist())})
    >>> known, odd = rows(1000, 1, 0, 0), rows(300, 0, 1, 0)
    >>> report = ood(known, pa.concat_tables([rows(700, 1, 0, 0), odd]), vector="v")
    >>> print(report.verdict, report["v"].says)
    changed 34% of rows are unlike the reference, where 4.5% of its own are
    """
    asked = _asked(text, vector, label, encoder, rate, method, options)
    if reference is current and hasattr(current, "read_next_batch"):
        raise UsageError("both sides are the same stream, which is read only once; give a table")
    target = None if scores is None else _target(scores, (reference, current))
    every = options.get("where")
    only = both(every, options.get("reference_where"))
    before = asked.side(reference, only, asked.label)
    now = asked.side(current, both(every, options.get("current_where")), asked.time, asked.id)
    width = before.width()
    if width is not None and now.width() not in {None, width}:
        raise DataError(
            f"{before.rows.source}: {before.column!r} has vectors of {width} numbers, but of "
            f"{now.width()} in {now.rows.source}; both sides must be made by one encoder"
        )
    before, now = replace(before, dimensions=width), replace(now, dimensions=width)
    whole, aside = before.rows, None
    if (told := options.get("held_out")) is not None:
        aside = replace(before, rows=asked.side(reference, both(only, told)).rows)
        others = asked.side(reference, both(only, f"({told}) IS NOT TRUE"), asked.label)
        before = replace(before, rows=others.rows)
    asked = replace(asked, column=before.column)
    return _run(asked, whole, before, aside, now, target)


@dataclass(frozen=True)
class _Asked:
    """One column to score and how, and the columns that stand beside it."""

    column: str
    kind: Kind
    label: str | None
    encoder: Encoder
    rate: float
    method: str | None
    said: bool
    tolerance: float
    time: str | None
    id: str | None
    progress: Progress | None

    def side(self, data: Any, where: str | None, *others: str | None) -> Side:
        """Return how a side is read; raise UsageError where a column is not there or no vector."""
        saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
        if saved or isinstance(data, Profile):
            raise UsageError("a profile holds no rows to score or to learn from; give the data")
        rows, column = open_dataset(data, where=where), self.column
        if self.kind is Kind.VECTOR:
            rows, (column,) = gathered(rows, [self.column])
        beside = tuple(name for name in others if name is not None)
        project(rows.arrow.names, [column, *beside], rows.source)
        kind = rows.arrow.field(column).type
        if self.kind is Kind.VECTOR and not is_list(kind):
            raise UsageError(
                f"{rows.source}: column {column!r} is {kind}, no vector; a vector is a list of "
                "numbers of one length"
            )
        return Side(rows, column, self.kind, beside, self.said, progress=self.progress)


def _asked(
    text: str | None,
    vector: str | None,
    label: str | None,
    encoder: Encoder | None,
    rate: float,
    method: str | None,
    options: Options,
) -> _Asked:
    """Return what is asked for; raise UsageError for what does not fit together."""
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    told = options.get("score")
    given = [name for name in (text, vector, told) if name is not None]
    if len(given) != 1:
        what = f"{len(given)} columns to score" if given else "nothing to score"
        raise UsageError(f"{what}: give one column, as --text, --vector or --score")
    if method is not None:
        unfamiliar.check_method(method)
        if method in SCORED and text is not None:
            raise UsageError(f"{method} reads a classifier's logits: give them with --score")
        if method not in SCORED and told is not None:
            raise UsageError(f"{method} reads vectors: give them with --vector, not --score")
        if method in LABELLED and label is None:
            raise UsageError(f"{method} needs a class of each reference row: give --label")
    if encoder is not None and text is None:
        raise UsageError("an encoder reads texts: name their column with --text")
    unfamiliar.least_rows(rate)
    tolerance = options.get("tolerance")
    if options.get("id") in _OWN:
        raise UsageError(f"id {options['id']!r} is a column of the scores; rename it in the data")
    said = told is not None or method in SCORED
    return _Asked(
        given[0],
        Kind.VECTOR if text is None else Kind.TEXT,
        None if said else label,
        "tfidf" if encoder is None else encoder,
        rate,
        method,
        said,
        check_tolerance("moved_share", Beyond.tolerance if tolerance is None else tolerance),
        options.get("time"),
        options.get("id"),
        options.get("progress"),
    )


def _run(
    asked: _Asked, whole: Dataset, before: Side, aside: Side | None, now: Side, target: str | None
) -> Report:
    known = Known.of(before, asked.label)
    held = None if aside is None else Known.of(replace(aside, others=()), None)
    fitted, notes, space = None, list[str](), ""
    if not _short(asked, known, held):
        if asked.kind is Kind.TEXT:
            texts = strings(asked.column, known.cells).to_pylist()
            # An encoder knows the texts it learned from by heart: held-out rows must be none of them.
            apart = 0 if held is not None else unfamiliar.held_out(len(texts), asked.rate)
            encoder = _encoder(asked.encoder, texts[apart:])
            before, now = replace(before, encoder=encoder), replace(now, encoder=encoder)
            space = str(fingerprint(encoder))
            notes += filter(None, [steadiness(encoder, texts).note(encoder.name)])
        fitted, told = _fitted(asked, before, known, held)
        notes += told
    seen = Seen.of(now, fitted, time=asked.time, name=asked.id)
    states = known.states if held is None else known.states + held.states
    notes += before.left_out("reference", states) + now.left_out("current", seen.states)
    if target is not None:
        write_file(target, _parquet(seen, fitted, asked.id))
    kind = str(before.rows.arrow.field(asked.column).type)
    rows = known.rows + (0 if held is None else held.rows)
    return Report.of(
        Source(whole.source, rows, whole.digest()),
        Source(now.rows.source, len(seen.scores), now.rows.digest()),
        [_finding(asked, known, held, seen, fitted, now)],
        columns=[Column(asked.column, asked.kind, arrow=kind, space=space)],
        notes=notes,
    )


def _short(asked: _Asked, known: Known, held: Known | None) -> int:
    """Return how many rows a reference must have for a threshold, 0 where it has them."""
    least = unfamiliar.least_rows(asked.rate)
    if held is None:
        return least if known.usable < least else 0
    enough = known.usable >= unfamiliar.LEAST // 2 and held.usable >= least // 2
    return 0 if enough else least


def _finding(
    asked: _Asked,
    known: Known,
    held: Known | None,
    seen: Seen,
    fitted: Unfamiliar | None,
    now: Side,
) -> Finding:
    check = Beyond(asked.tolerance)
    if fitted is None:
        count = int(seen.states[now.scorable(np.arange(len(STATES), dtype=np.int8))].sum())
        usable = known.usable + (0 if held is None else held.usable)
        return check.too_few(asked.column, usable, count, _short(asked, known, held))
    told = periods(seen.times, seen.timed, seen.scores, fitted.threshold, dated=seen.dated)
    return check(
        asked.column,
        fitted,
        seen.scores,
        periods=told,
        examples=seen.examples,
        chosen=held is not None,
    )


def _fitted(
    asked: _Asked, before: Side, known: Known, held: Known | None
) -> tuple[Unfamiliar, list[str]]:
    """Return the method fitted on the reference, and what a reader should know of it."""
    notes, method = [], asked.method
    rows = before.vectors(known.cells)[0]
    if known.usable > len(rows):
        notes.append(
            f"{len(rows):,} of {known.usable:,} usable rows of the reference are used, by content hash"
        )
    if asked.said:
        likely = unfamiliar.probabilities(rows)
        if likely and method == "energy":
            raise UsageError(
                f"{asked.column!r} holds probabilities, and energy needs logits; take max-logit"
            )
        method = method or ("max-logit" if likely else "energy")
    if known.codes is not None:
        alone = int((unfamiliar.repeated(known.codes) < 0).sum())
        if alone:
            notes.append(f"{alone:,} rows of the reference have no label, or one of their own")
    if not np.ptp(rows, axis=0).any():
        notes.append("all rows of the reference are equal: any other row is unfamiliar")
    fitted = unfamiliar.fit(
        rows,
        known.codes,
        method=method,
        rate=asked.rate,
        keys=np.arange(len(rows), dtype=np.uint64),
        held=None if held is None else before.vectors(held.cells)[0],
    )
    return fitted, notes


def _parquet(seen: Seen, fitted: Unfamiliar | None, name: str | None) -> bytes:
    """Return the scores as a Parquet file, one line a current row."""
    rows, gone = len(seen.scores), np.isnan(seen.scores)
    beyond, p = np.zeros(rows, np.bool_), np.ones(rows)
    if fitted is not None:
        beyond, p = seen.scores > fitted.threshold, fitted.p(seen.scores)
    columns = {
        "row": pa.array(np.arange(rows, dtype=np.int64)),
        "score": pa.array(seen.scores, mask=gone),
        "is_ood": pa.array(beyond, mask=gone),
        "p": pa.array(p, mask=gone),
    }
    if name is not None and seen.ids is not None:
        columns[name] = seen.ids
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return bytes(sink.getvalue())


def _encoder(spec: Encoder, texts: list[str | None]) -> Embeds:
    from undertow.adapters.encoders import open_encoder

    opened = open_encoder(spec)
    return opened.fitted(texts) if isinstance(opened, Fits) else opened


def _target(scores: Path_, inputs: Sequence[Any]) -> str:
    """Return where the scores go; raise UsageError where that cannot be or holds what is read."""
    path = os.fspath(scores)
    try:
        target = Path(path)
        if target.is_dir():
            raise UsageError(f"scores {path}: is a folder; give the name of a file")
        if not target.absolute().parent.is_dir():
            raise UsageError(f"scores {path}: there is no folder {str(target.parent)!r}")
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"scores {path!r}: {error}") from None
    real = os.path.realpath(path)
    for each in inputs:
        if not isinstance(each, str | os.PathLike):
            continue
        read = os.path.realpath(os.fspath(each))
        if real == read or real.startswith(read + os.sep) or fnmatch.fnmatchcase(real, read):
            raise UsageError(f"scores {path} would lie on or among the rows that are read")
    return path
