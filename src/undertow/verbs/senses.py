"""Tell whether vectors keep the senses of one word apart (Apple, apple), and which rows they mix."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import numpy as np

from undertow.adapters.encoders import open_encoder
from undertow.core.embeds import Embeds, Fits, fingerprint
from undertow.core.encode import encode, steadiness
from undertow.core.errors import UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.schema import Kind
from undertow.core.vectors import Matrix
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect.senses import LEAST, WordSenses, grouped, usable
from undertow.options import Encoder, Progress, ticker
from undertow.sides.holding import Held, read_holding
from undertow.stats import senses as stats
from undertow.stats.neighbours import one_thread, unit

ALIKE = 1e-3
"""Distance of two vectors of length 1 below which the capital is not seen."""
TRIED = 8


class Options(TypedDict, total=False):
    """What else can be said of a run; `where` is SQL, and rows are counted after it.

    `tolerance` is the mix that matters, as a part of what chance gives.
    """

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
    default TF-IDF, fitted on the texts with the word). `label` is a column with the sense of each
    row; without it the capital stands for the sense (Apple or apple, not at the start of a sentence),
    and the two groups that the texts fall into are told by their words. Each different text counts
    once. The effect is the share of wrong neighbours as a part of what chance gives: 0 is apart, 1
    mixed.

    At most 20,000 different texts with the word are used, those of lowest content hash. Raises
    UsageError or DataError where the data or an option is unusable, or no text holds the word.

    >>> import pyarrow as pa
    >>> def rows(sense, count, *centre):
    ...     cells = np.random.default_rng(count).normal(size=(count, 2)) * 0.1 + centre
    ...     told = [f"{sense} {n} of an apple" for n in range(count)]
    ...     return pa.table({"text": told, "v": cells.tolist(), "sense": [sense] * count})
    >>> table = pa.concat_tables([rows("fruit", 60, 1, 0), rows("company", 50, 0, 1)])
    >>> report = senses(table, text="text", word="apple", vector="v", label="sense")
    >>> print(report.verdict, report["apple"].says)
    steady of what is nearest to a text with 'apple', 0% is of another sense (chance gives 50%)
    """
    for name in options:
        if name not in Options.__annotations__:
            raise UsageError(f"no option {name!r}{did_you_mean(name, Options.__annotations__)}")
    word = word.strip()
    if not word:
        raise UsageError("the word is blank; give one that the texts hold, as --word apple")
    if vector is not None and encoder is not None:
        raise UsageError("both a column of vectors and an encoder are given; give one of them")
    told = options.get("tolerance")
    check = WordSenses(
        check_tolerance("difference", WordSenses.tolerance if told is None else told)
    )
    progress = options.get("progress")
    held = read_holding(
        data, text, word, vector=vector, label=label, where=options.get("where"), progress=progress
    )
    if len(held.texts) < 2 * LEAST:
        return _report(held, [check.untold(text, word, _given(held), declared=label is not None)])
    space = ""
    if held.vectors is None:
        held, space = _encoded(held, encoder, progress)
    return _judged(held, check, space)


def _given(held: Held) -> list[str | None]:
    """Return the sense of each text: as declared, else by its capital."""
    return stats.spellings(held.texts, held.word)[1] if held.given is None else held.given


def _judged(held: Held, check: WordSenses, space: str) -> Report:
    """Return the report on texts that all have a vector."""
    assert held.vectors is not None
    column, word, vectors = held.columns[0].name, held.word, unit(held.vectors)
    given, declared = _given(held), held.given is not None
    known = usable(given)
    notes, rare = list(held.notes), len(set(given) - set(known))
    if rare:
        notes.append(f"senses of fewer than {LEAST} texts are left out: {rare:,}")
    found = one_thread(stats.senses)(vectors, held.texts, word, known)
    if found.pairs:
        finding = check(column, found, held.texts, known, vectors)
    else:
        finding = check.untold(column, word, given, declared=declared)
    if not declared:
        evidence, told = grouped(found, held.texts)
        finding = replace(finding, evidence={**finding.evidence, **evidence})
        notes += filter(None, [told])
    report = _report(replace(held, notes=notes), [finding], space)
    if report.verdict is not Verdict.STEADY:
        return report
    # Good news stands where it is read without asking.
    return replace(report, notes=(finding.says, *report.notes))


def _report(held: Held, findings: list[Finding], space: str = "") -> Report:
    digest, source = held.rows.digest(), held.rows.source
    first, *others = held.columns
    by_column = any(each.kind is Kind.VECTOR for each in others)
    return Report.of(
        Source(source, held.read, digest),
        Source(f"{source}: texts with {held.word!r}", len(held.texts), digest),
        findings,
        columns=[first if by_column else replace(first, space=space), *others],
        notes=held.notes,
    )


def _encoded(held: Held, spec: Encoder | None, progress: Progress | None) -> tuple[Held, str]:
    """Return the texts that have a vector, and the fingerprint of the encoder that made them."""
    opened = open_encoder("tfidf" if spec is None else spec)
    encoder: Embeds = opened.fitted(held.texts) if isinstance(opened, Fits) else opened
    notes = [*held.notes]
    notes += filter(None, [steadiness(encoder, held.texts).note(encoder.name)])
    if spec is None:
        notes.append("the vectors are of words (tfidf); name your own with --encoder or --vector")
    if _blind(encoder, held):
        notes.append(
            f"{encoder.name} makes one vector of a text, whether {held.word!r} has a capital or not: "
            "only the words beside it can tell its senses apart"
        )
    tick = ticker(progress, encoder.name, len(held.texts))
    made: Matrix = encode(encoder, held.texts, tick=tick)
    fine = np.asarray(made.any(axis=1))
    if not fine.all():
        notes.append(f"{int((~fine).sum()):,} texts have a vector of zeros, and count for none")
    return held.only(fine, made, notes), str(fingerprint(encoder))


def _blind(encoder: Embeds, held: Held) -> bool:
    """Tell whether a few texts keep their vectors where the word's first letter changes its case."""
    first = re.compile(rf"(?<!\w){re.escape(held.word)}(?!\w)", re.IGNORECASE)

    def turned(text: str) -> str:
        return first.sub(lambda at: at.group()[:1].swapcase() + at.group()[1:], text)

    pairs = zip(held.texts, _given(held), strict=True)
    known = [text for text, sense in pairs if sense is not None]
    some = (known or held.texts)[:TRIED]
    other = [turned(text) for text in some]
    if some == other:
        return False
    one, two = unit(encode(encoder, some)), unit(encode(encoder, other))
    return bool(np.abs(one - two).max() < ALIKE)
