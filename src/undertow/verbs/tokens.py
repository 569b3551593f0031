"""Compare what a tokenizer makes of two sets of texts, and two tokenizers on the same texts."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from undertow.adapters.tokenizers import open_tokenizer
from undertow.core.check import Check, History
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role
from undertow.core.tokenizes import TokenizerFingerprint, Tokenizes, tokenizer_fingerprint
from undertow.core.verdict import EFFECT_MAXIMUM, check_tolerance
from undertow.detect import chunks as cut
from undertow.detect import tokenizers as two
from undertow.detect import tokens as told
from undertow.detect.artefacts import Artefacts
from undertow.detect.number import Number
from undertow.lenses.text import Text
from undertow.observe import measure
from undertow.observe.declare import Declared
from undertow.options import Progress
from undertow.sides.tokenised import Book, Side, chosen, read_side, tokenised
from undertow.sources import open_dataset
from undertow.stats.chunks import chunks
from undertow.stats.mismatch import compare_tokenizers
from undertow.stats.new_terms import unseen

Tokenizer = str | os.PathLike[str] | Callable[[Sequence[str]], Any] | Tokenizes
TOLERANCES = {"cdf_gap": 0.10, "cohens_h": 0.2, "moved_share": 0.02}
COMPARED = 10_000
"""Texts on which two tokenizers are compared, at most."""


class Options(TypedDict, total=False):
    """What else can be said of a run.

    `id` is the column that names a row: texts of one id are then compared row by row. `document` is
    the column with the document of each row, which makes a row a chunk, and `order` the column of a
    chunk's place in it. `max_length` is how many pieces the model reads, instead of what the
    tokenizer says, and `other_max_length` the same in serving. `tolerance` is one number for shares
    of rows, or several by effect.
    """

    id: str | None
    document: str | None
    order: str | None
    max_length: int | None
    other_max_length: int | None
    tolerance: float | Mapping[str, float] | None
    where: str | None
    progress: Progress | None


def tokens(
    reference: Any,
    current: Any = None,
    *,
    text: str,
    tokenizer: Tokenizer = "words",
    other_tokenizer: Tokenizer | None = None,
    **options: Unpack[Options],
) -> Report:
    """Tell what changed in what a model reads: the pieces that a tokenizer makes of the texts.

    Compares current with reference: pieces a word, pieces that go on a word, texts that are cut,
    unknown pieces, the case and the damage of the raw texts, and texts that new words break to
    pieces. With `other_tokenizer` (serving), says on which texts it reads otherwise than `tokenizer`
    (training), and why; `current` may then be left out. Raises UsageError or DataError where the
    data or an option is unusable.

    >>> import pyarrow as pa
    >>> before = pa.table({"q": [f"play song {n}" for n in range(600)]})
    >>> now = pa.table({"q": [f"PLAY SONG {n}" for n in range(600)]})
    >>> report = tokens(before, now, text="q")
    >>> print(report.verdict, report["q:case"].says)
    changed ALL CAPITALS: 0% → 100% of texts
    """
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    if current is None and other_tokenizer is None:
        raise UsageError("give a second set of texts, or another tokenizer to compare with")
    for name in ("id", "document"):
        if current is None and options.get(name) is not None:
            raise UsageError(f"{name} {options.get(name)!r}: it compares two sets; give the second")
    if options.get("order") is not None and options.get("document") is None:
        raise UsageError(f"order {options.get('order')!r}: name the document of each row too")
    limits = _tolerances(options.get("tolerance"))
    most, progress = options.get("max_length"), options.get("progress")
    train = open_tokenizer(tokenizer, max_length=most)
    served = options.get("other_max_length") or most
    serve = None if other_tokenizer is None else open_tokenizer(other_tokenizer, max_length=served)
    if serve is None and options.get("other_max_length") is not None:
        raise UsageError("other max length: name the other tokenizer, which may be the same one")
    others = [options.get(name) for name in ("id", "document", "order")]
    wanted = [each for each in others if isinstance(each, str)]
    sides = [
        read_side(data, text, wanted, where=options.get("where"), progress=progress, stage=stage)
        for data, stage in ((reference, "reference"), (current, "current"))
        if data is not None
    ]
    run = _Run(text, train, serve, limits, progress)
    found = list(run.findings(sides, options))
    print_ = tokenizer_fingerprint(train)
    run.notes.insert(0, _read_by(train, print_))
    first, second = sides[0], sides[-1]
    return Report.of(
        Source(first.source, first.rows, first.digest),
        Source(second.source, second.rows, second.digest),
        found,
        columns=[Column(text, Kind.TEXT, Role.FEATURE, why="declared", space=str(print_))],
        notes=run.notes,
    )


def _read_by(tokenizer: Tokenizes, made: TokenizerFingerprint) -> str:
    most = tokenizer.max_length
    limit = "does not say where it cuts" if most is None else f"reads {most:,} pieces of a text"
    return f"tokenizer {two.short_name(made.name)}, fingerprint {made.behaviour}, {limit}"


def _tolerances(given: float | Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return TOLERANCES
    listed = dict(given) if isinstance(given, Mapping) else {"cdf_gap": given}
    listed = {("cdf_gap" if name == "*" else name): each for name, each in listed.items()}
    for name, each in listed.items():
        if name not in TOLERANCES:
            raise UsageError(
                f"tolerance for {name!r}: no such effect{did_you_mean(name, TOLERANCES)}"
            )
        if not isinstance(each, int | float) or not math.isfinite(each):
            raise UsageError(f"tolerance {each!r} for {name}: give a number such as 0.1")
        check_tolerance(name, each)
    assert set(TOLERANCES) <= set(EFFECT_MAXIMUM)
    return TOLERANCES | listed


class _Run:
    """One run: what is compared, by what, and the notes it leaves."""

    def __init__(
        self,
        column: str,
        train: Tokenizes,
        serve: Tokenizes | None,
        limits: Mapping[str, float],
        progress: Progress | None,
    ) -> None:
        self.column, self.train, self.serve = column, train, serve
        self.limits, self.progress = limits, progress
        self.notes: list[str] = []

    def findings(self, sides: Sequence[Side], options: Options) -> Iterator[Finding]:
        """Yield everything that is found."""
        texts = []
        for side in sides:
            some, notes = chosen(side)
            texts.append(some)
            self.notes += notes
        if len(sides) == 2 and options.get("id") is not None:
            yield from self._row_by_row(sides, str(options["id"]))
        if self.serve is not None:
            yield from self._two_tokenizers(texts[-1], sides[-1].source)
        if len(sides) == 2:
            yield from self._two_sides(texts)
            if options.get("document") is not None:
                yield from self._chunks(sides, str(options["document"]), options.get("order"))

    def _two_sides(self, texts: Sequence[list[str]]) -> Iterator[Finding]:
        book = Book()
        before, now = (tokenised(self.train, some, book, self.progress) for some in texts)
        found = unseen(before.uses, now.uses)
        # Where pieces stand may not be known; a tokenizer of whole words has nothing to count.
        counts = found.splits or bool((now.shapes.continued < 0).any())
        yield from self._numbers(before, now, counts=counts)
        share, column = self.limits["cohens_h"], self.column
        if self.train.max_length is not None:
            yield told.truncated(before, now, column, self.train.max_length, share)
        if counts or before.shapes.unknown.any() or now.shapes.unknown.any():
            yield told.unknown(before, now, column, share)
        yield told.casing(before, now, column, share)
        own, foreign = (f"{100 * each:.1f}%" for each in (found.share[0], found.foreign))
        if len(before.uses.rows) and len(now.uses.rows):
            self.notes.append(
                f"unseen words (of 3 letters or more): {foreign} of the current words are in no text of "
                f"the reference; of a tenth of the reference, {own} are in none of the rest"
            )
        yield told.new_terms(before, now, column, book.lexicon, found, share)

    def _numbers(self, before: told.Read, now: told.Read, *, counts: bool) -> Iterator[Finding]:
        """Yield what the checks of numbers and of damage say of the columns made of the texts.

        A tokenizer that splits no word has no number that says anything.
        """
        splits = counts and not np.isnan(before.shapes.continuation).all()
        names = {f"{self.column}:{what}": check for check, what in told.NUMBERS.items()}
        tables = [_derived(self.column, each) for each in (before, now)]
        if not all(table.num_rows for table in tables):
            return
        lenses = {"text": Text}
        asked = Number(self.limits["cdf_gap"]), Artefacts(self.limits["cohens_h"])
        for found in compared_columns(tables, {self.column: Kind.TEXT}, asked, lenses):
            check = names.get(found.subject)
            if check == told.FERTILITY and counts:
                yield told.fertility(found, before, now, self.column)
            elif check == told.CONTINUATION and splits:
                yield told.continuation(found, before, now, self.column)
            elif found.check == Artefacts.name:
                yield found

    def _chunks(self, sides: Sequence[Side], document: str, order: str | None) -> Iterator[Finding]:
        before, now = (
            chunks(
                side.texts.to_pylist(),
                side.columns[document],
                None if order is None else side.columns[order],
            )
            for side in sides
        )
        for side, made in zip(sides, (before, now), strict=True):
            if len(made.rows) < side.rows:
                self.notes.append(
                    f"{side.source}: {side.rows - len(made.rows):,} of {side.rows:,} rows have no "
                    f"{document!r} and are of no document"
                )
        if not (before.names and now.names):
            return
        for check, (what, _) in cut.NUMBERS.items():
            name = f"{self.column}:{what}"
            values = [pa.table({name: cut.values(check, each)}) for each in (before, now)]
            if all(table.num_rows for table in values):
                for found in compared_columns(values, {}, [Number(self.limits["cdf_gap"])], {}):
                    yield cut.number(found, check, before, now)
        yield cut.headers(before, now, self.column, self.limits["cohens_h"])
        for each in cut.documents(before, now, self.column, self.limits["moved_share"]):
            if isinstance(each, str):
                self.notes.append(each)
            else:
                yield each

    def _two_tokenizers(self, texts: Sequence[str], source: str) -> Iterator[Finding]:
        assert self.serve is not None
        some = list(texts[:: max(math.ceil(len(texts) / COMPARED), 1)])
        if len(some) < len(texts):
            self.notes.append(f"{source}: {len(some):,} texts were given to both tokenizers")
        prints = tokenizer_fingerprint(self.train), tokenizer_fingerprint(self.serve)
        self.notes.append(_read_by(self.serve, prints[1]))
        pair = two.Pair((self.train.name, self.serve.name), prints)
        made = compare_tokenizers(self.train, self.serve, some)
        yield from two.mismatches(made, pair, some, self.column, self.limits["moved_share"])

    def _row_by_row(self, sides: Sequence[Side], name: str) -> Iterator[Finding]:
        tables = []
        for side in sides:
            pairs = zip(side.columns[name], side.texts.to_pylist(), strict=True)
            held: dict[str, str] = {}
            again = without = 0
            for key, each in pairs:
                if key is None or each is None:
                    without += 1
                    continue
                again += key in held
                held.setdefault(key, each)
            if without:
                self.notes.append(
                    f"{side.source}: {without:,} rows have no {name!r} or no text and are not compared "
                    "row by row"
                )
            if again:
                self.notes.append(
                    f"{side.source}: {again:,} rows repeat a value of {name!r}; the first of each is "
                    "compared"
                )
            tables.append(held)
        ids = [key for key in tables[0] if key in tables[1]]
        alone = [len(held) - len(ids) for held in tables]
        if any(alone):
            self.notes.append(
                f"{len(ids):,} ids are on both sides, {alone[0]:,} in the reference alone and "
                f"{alone[1]:,} in the current set alone"
            )
        if not ids:
            raise UsageError(
                f"no {name!r} of {sides[0].source} is in {sides[1].source}; name a column that both "
                "share, or leave --id out"
            )
        both = [[held[key] for key in ids] for held in tables]
        limit = self.limits["moved_share"]
        yield from two.row_by_row(ids, both[0], both[1], self.column, limit)


def _derived(column: str, read: told.Read) -> pa.Table:
    """Return the texts and the numbers made of each; what is not known is missing."""
    made = read.shapes.fertility, read.shapes.continuation
    names = [f"{column}:{what}" for what in told.NUMBERS.values()]
    arrays = [pa.array(each, mask=np.isnan(each)) for each in made]
    return pa.table([pa.array(read.texts, pa.large_string()), *arrays], names=[column, *names])


def compared_columns(
    tables: Sequence[pa.Table],
    kinds: Mapping[str, Kind],
    checks: Sequence[Check],
    lenses: Mapping[str, Any],
) -> Iterator[Finding]:
    """Yield what some checks say of two tables of the same columns, under the first one's plan.

    Both tables have rows.
    """
    names = tables[0].column_names
    declared = Declared({name: kinds.get(name, Kind.NUMBER) for name in names})
    rows = [open_dataset(table) for table in tables]
    with threadpool_limits(1):
        plan = measure.fit(rows[0], declared, checks, lenses, lambda _: None)
        now = measure.measure(rows[1], plan, lambda _: None)
    history = History(plan, now)
    for check in checks:
        for found in check(history):
            # What is derived is not in the data, where the steps would look for it.
            yield replace(found, next=()) if found.subject in names else found
