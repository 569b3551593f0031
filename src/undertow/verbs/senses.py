"""Tell whether vectors keep the senses of one word apart (Apple, apple), and which rows they mix."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.dataset import Dataset
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import DataError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.hashing import hash_strings
from undertow.core.profile import Profile
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role
from undertow.core.values import to_text
from undertow.core.vectors import Matrix, is_list, matrix
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect.senses import LEAST, WordSenses, grouped, usable
from undertow.options import Encoder, Progress
from undertow.sources import gathered, open_dataset
from undertow.sources.edge import project
from undertow.stats import senses as stats
from undertow.stats.neighbours import one_thread, unit
from undertow.stores import profile_file
from undertow.verbs.encoded import _tick

MOST = 20_000
"""Different texts with the word that are used, those of lowest content hash."""
COMMON = 2_000
ALIKE = 1e-3
"""Distance of two vectors of length 1 below which the capital is not seen."""


class Options(TypedDict, total=False):
    """What else can be said of a run; `where` is SQL, and rows are counted after it."""

    tolerance: float | None
    where: str | None
    progress: Progress | None


def senses(
    data: Any,
    *,
    text: str,
    word: str,
    vector: str | None = None,
    encoder: Encoder | None = None,
    label: str | None = None,
    **options: Unpack[Options],
) -> Report:
    """Tell whether the nearest texts of a text with `word` are of its own sense, against chance.

    The vectors are those of the column `vector`, or made of the column `text` by `encoder` (by
    default TF-IDF, fitted on these texts). `label` is a column with the sense of each row; without it
    the capital stands for the sense (Apple or apple, not at the start of a sentence), and the report
    also tells the two groups that the texts fall into, by their words. Each different text counts
    once. The effect is the share of wrong neighbours as a part of what chance gives: 0 is apart, 1
    is mixed.

    At most 20,000 different texts with the word are used, those of lowest content hash. Raises
    UsageError or DataError where the data or an option is unusable, or no text holds the word.

    >>> def rows(sense, count, *centre):
    ...     cells = np.random.default_rng(count).normal(size=(count, 2)) * 0.1 + centre
    ...     told = [f"{sense} {n} of an apple" for n in range(count)]
    ...     return pa.table({"text": told, "v": cells.tolist(), "sense": [sense] * count})
    >>> table = pa.concat_tables([rows("fruit", 60, 1, 0), rows("company", 50, 0, 1)])
    >>> senses(table, text="text", word="apple", vector="v", label="sense").verdict
    <Verdict.STEADY: 'steady'>
    """
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    if not word.strip():
        raise UsageError("the word is blank; give one that texts hold, such as --word apple")
    if vector is not None and encoder is not None:
        raise UsageError("both a column of vectors and an encoder: give one of the two")
    told = options.get("tolerance")
    check = WordSenses(check_tolerance("difference", WordSenses.tolerance if told is None else told))
    held = _read(data, text, word.strip(), vector, label, options)
    return _judged(held, check, encoder, options.get("progress"))


@dataclass(frozen=True, eq=False)
class _Held:
    """The different texts with the word, their senses where a column gives them, and vectors."""

    rows: Dataset
    columns: tuple[Column, ...]
    word: str
    read: int
    texts: list[str]
    given: list[str | None] | None
    vectors: Matrix | None
    notes: list[str]


@dataclass(eq=False)
class _Kept:
    """Texts, each with its vector and the senses it was given; no more than twice MOST at a time."""

    labels: dict[str, set[str]]
    vectors: dict[str, Matrix]

    def cut(self) -> list[str]:
        """Keep the texts of lowest content hash, and return them in its order."""
        names = list(self.labels)
        order = np.argsort(hash_strings(pa.array(names, pa.string())), kind="stable")[:MOST]
        kept = [names[spot] for spot in order.tolist()]
        self.labels = {name: self.labels[name] for name in kept}
        self.vectors = {name: self.vectors[name] for name in kept if name in self.vectors}
        return kept


def _read(
    data: Any, text: str, word: str, vector: str | None, label: str | None, options: Options
) -> _Held:
    """Read the rows once and return those with the word; raise UsageError where there are none."""
    saved = isinstance(data, str | os.PathLike) and profile_file.is_profile(data)
    if saved or isinstance(data, Profile):
        raise UsageError("a profile holds no rows with the word; give the data")
    rows = open_dataset(data, where=options.get("where"))
    if vector is not None:
        rows, (vector,) = gathered(rows, [vector])
    columns = _columns(rows, text, vector, label)
    kept, tick = _Kept({}, {}), options.get("progress")
    width, read, found, bad, others = None, 0, 0, 0, list[str | None]()
    for batch in rows.batches([each.name for each in columns]):
        texts = to_text(batch.column(text))
        read += batch.num_rows
        if not found and len(others) < MOST:
            others += texts.drop_null().to_pylist()
        spots = pc.indices_nonzero(pc.match_substring(texts, word, ignore_case=True))
        spots = spots.take(pa.array(stats.spellings(texts.take(spots).to_pylist(), word)[0]))
        found += len(spots)
        some = texts.take(spots).to_pylist()
        given = [None] * len(some)
        if label is not None:
            given = to_text(batch.column(label)).take(spots).to_pylist()
        cells = None
        if vector is not None:
            cells = matrix(batch.column(vector).take(spots), width)
            width = width or cells.dimensions or None
        for row, (each, sense) in enumerate(zip(some, given, strict=True)):
            if cells is not None and not cells.fine[row]:
                bad += 1
                continue
            labels = kept.labels.setdefault(each, set())
            if sense is not None and sense.strip():
                labels.add(sense.strip())
            if cells is not None and each not in kept.vectors:
                kept.vectors[each] = cells.rows[row].copy()
        if len(kept.labels) > 2 * MOST:
            kept.cut()
        if tick is not None:
            tick("rows", read, None)
    if not found and any(each and each.strip() for each in others):
        raise UsageError(f"{rows.source}: no {text!r} holds {word!r}{_meant(word, others)}")
    names = kept.cut()
    senses_ = [kept.labels[name] for name in names]
    notes = [f"{bad:,} of {found:,} rows with {word!r} have no usable vector"] if bad else []
    if (several := sum(len(each) > 1 for each in senses_)) > 0:
        notes.append(f"{several:,} texts stand with several senses, and count for none")
    if len(names) < found - bad:
        notes.append(f"{found - bad:,} rows hold {word!r}; {len(names):,} different texts are used")
    told = [each.copy().pop() if len(each) == 1 else None for each in senses_]
    cells_ = np.array([kept.vectors[name] for name in names], np.float32) if vector else None
    return _Held(rows, columns, word, read, names, told if label else None, cells_, notes)


def _columns(
    rows: Dataset, text: str, vector: str | None, label: str | None
) -> tuple[Column, ...]:
    """Return the columns that are read; raise UsageError where one is not there, or is no vector."""
    wanted = {text: Kind.TEXT}
    wanted |= {} if vector is None else {vector: Kind.VECTOR}
    wanted |= {} if label is None or label in wanted else {label: Kind.CATEGORY}
    project(rows.arrow.names, list(wanted), rows.source)
    kinds = {name: rows.arrow.field(name).type for name in wanted}
    if vector is not None and not is_list(kinds[vector]):
        raise UsageError(f"{rows.source}: column {vector!r} is {kinds[vector]}, no list of numbers")
    return tuple(
        Column(name, kind, Role.LABEL if name == label else Role.FEATURE, arrow=str(kinds[name]))
        for name, kind in wanted.items()
    )
