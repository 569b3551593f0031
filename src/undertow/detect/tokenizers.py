"""Two tokenizers on the same texts, or two texts of each row: what differs, named by its cause."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from undertow.core.finding import Finding, Rows, percent
from undertow.core.tokenizes import TokenizerFingerprint
from undertow.core.verdict import Effect, Verdict, check_tolerance
from undertow.detect.words import shortened
from undertow.stats.mismatch import SPECIAL, Differing, Mismatch, first_difference
from undertow.stats.rewrites import OTHER, REWRITES, TRUNCATION, Cause, all_causes
from undertow.stats.score import limits

MISMATCH, FINGERPRINT, ROWS = "tokens.mismatch", "tokens.fingerprint", "tokens.rows"
EXAMPLES, SHOWN = 5, 32
LEAST = 1e-9

_TAKES = {
    "lower-casing": "lower-cases",
    "upper-casing": "upper-cases",
    "Unicode normalisation (NFC)": "composes accents (NFC)",
    "Unicode normalisation (NFD)": "takes accents apart (NFD)",
    "Unicode normalisation (NFKC)": "replaces compatibility forms (NFKC)",
    "HTML escape": "escapes HTML",
    "HTML unescape": "unescapes HTML",
    "whitespace": "collapses whitespace",
    "accents stripped": "strips accents",
    "tags stripped": "strips tags",
    "punctuation stripped": "strips punctuation",
    "bad encoding": "reads UTF-8 as another encoding",
    TRUNCATION: "cuts earlier",
    "a prefix": "puts a prefix before the text",
}
"""What a side does that the other does not."""


@dataclass(frozen=True)
class Pair:
    """What the two sides are called, and what their fingerprints say."""

    names: tuple[str, str]
    prints: tuple[TokenizerFingerprint, TokenizerFingerprint]

    @property
    def labels(self) -> tuple[str, str]:
        """The names as short as tells them apart."""
        if self.names[0] == self.names[1]:
            return "training", "serving"
        one, two = (short_name(each) for each in self.names)
        return (one, two) if one != two else self.names


def mismatches(
    made: Mismatch, pair: Pair, texts: Sequence[str], column: str, tolerance: float
) -> Iterator[Finding]:
    """Yield one finding a cause, the commonest first; one that says so where no text differs."""
    evidence = {
        "tokenizers": {"reference": pair.prints[0].to_dict(), "current": pair.prints[1].to_dict()},
        "anchors_apart": list(pair.prints[0].apart(pair.prints[1])),
        "texts_that_differ": len(made.differing),
    }
    rows = Rows(made.texts, made.texts)
    if not made.differing:
        says = (
            f"both tokenizers make the same pieces of all {made.texts:,} texts"
            if made.texts
            else "no text to compare the tokenizers on"
        )
        effect = _effect(0, made.texts, tolerance)
        yield Finding(MISMATCH, f"{column}:pieces", says, effect, rows, evidence=evidence)
        if evidence["anchors_apart"]:
            kinds = ", ".join(pair.prints[0].apart(pair.prints[1]))
            yield Finding(
                FINGERPRINT,
                f"{column}:tokenizers",
                f"{says}, but they differ on other kinds of text: {kinds}",
                verdict=Verdict.WATCH,
                rows=rows,
                evidence=evidence,
                next=("serve the tokenizer that the model was trained with, the same file",),
            )
        return
    for name, by, held in _by_cause([(each, each.causes) for each in made.differing]):
        first = held[0]
        place, *sides = _difference(first, name, around=1)
        labels = pair.labels
        told = f"{_who(name, labels[by])}: {percent(len(held) / made.texts)} of texts; the first"
        yield Finding(
            MISMATCH,
            f"{column}={name}",
            f"{told}, {_begun(texts[first.row])!r}, from piece {place + 1} on: {sides[0]} | {sides[1]}",
            _effect(len(held), made.texts, tolerance),
            rows,
            value=name,
            evidence={
                **evidence,
                "column": column,
                "cause": name,
                "share": len(held) / made.texts,
                "first_piece": place + 1,
            },
            examples=tuple(
                {column: shortened(texts[each.row]), **_readings(each, name, labels)}
                for each in held[:EXAMPLES]
            ),
            next=("serve the tokenizer and the preparation that the model was trained with",),
            bare=f"{told} from piece {place + 1} on",
        )


def _by_cause(found: Sequence[tuple[Any, Sequence[Cause]]]) -> Iterator[tuple[str, int, list[Any]]]:
    """Yield each cause, which side takes the step, and what has it in order, the commonest first."""
    held: dict[str, list[Any]] = {}
    sides: dict[str, Counter[int]] = {}
    for each, named in found:
        for cause in dict.fromkeys(named):
            held.setdefault(cause.name, []).append(each)
            sides.setdefault(cause.name, Counter())[cause.by] += 1
    for name in sorted(held, key=lambda name: (-len(held[name]), name)):
        yield name, sides[name].most_common(1)[0][0], held[name]


def _who(name: str, label: str) -> str:
    does = _TAKES.get(name)
    return name if does is None else f"only {label} {does}"


def _begun(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN - 1]}…"


def _difference(each: Differing, cause: str, around: int = 3) -> tuple[int, str, str]:
    """Return the first piece that differs: of the text itself, unless the cause lies beside it."""
    one, two = each.reads
    if one.own_names != two.own_names and cause not in {SPECIAL, TRUNCATION}:
        return first_difference(one.own_names, two.own_names, around)
    return first_difference(one.names, two.names, around)


def _readings(each: Differing, cause: str, labels: tuple[str, str]) -> dict[str, str]:
    _, *sides = _difference(each, cause)
    return dict(zip(labels, sides, strict=True))


def short_name(name: str) -> str:
    """Return what a tokenizer is called: of a path the last part, or two where the last says nothing.

    >>> short_name("models/minilm/tokenizer.json"), short_name("serve.json")
    ('minilm/tokenizer.json', 'serve.json')
    """
    parts = PurePath(name).parts
    plain = {"tokenizer.json", "vocab.txt", "model", "tokenizer"}
    return "/".join(parts[-2:] if parts and parts[-1] in plain else parts[-1:]) or name


def _effect(hits: int, rows: int, tolerance: float) -> Effect:
    """Return the share of texts that differ: without a change no text does, so one refutes it."""
    check_tolerance("moved_share", tolerance)
    if not rows:
        return Effect("moved_share", math.nan, math.nan, math.nan, tolerance, 1.0)
    low, high = (float(each) for each in limits(hits, rows))
    return Effect(
        "moved_share",
        hits / rows,
        max(low, LEAST) if hits else 0.0,
        high,
        tolerance,
        0.0 if hits else 1.0,
        told="{} of texts differ",
    )


def row_by_row(
    ids: Sequence[str], before: Sequence[str], now: Sequence[str], column: str, tolerance: float
) -> Iterator[Finding]:
    """Yield one finding a cause for rows whose text is another on the two sides, by their ids."""
    apart = [each for each in zip(ids, before, now, strict=True) if each[1] != each[2]]
    explained = list(zip(apart, all_causes([each[1:] for each in apart]), strict=True))
    many = len(ids)
    rows = Rows(many, many)
    if not explained:
        yield Finding(
            ROWS,
            f"{column}:row by row",
            f"all {many:,} rows of one id have the same text",
            _effect(0, many, tolerance),
            rows,
            needs_rows=_enough(tolerance),
            evidence={"rows_that_differ": 0},
        )
        return
    for name, by, held in _by_cause(explained):
        key, one, two = held[0]
        side = ("the reference", "the current side")[by]
        left, right = _apart(one, two)
        told = f"{_who(name, side)}: {percent(len(held) / many)} of rows"
        shown = tuple(
            {"id": who, "reference": shortened(first), "current": shortened(second)}
            for who, first, second in held[:EXAMPLES]
        )
        yield Finding(
            ROWS,
            f"{column}={name}",
            f"{told}; the first, id {shortened(key, most=SHOWN)}: {left!r}, now {right!r}",
            _effect(len(held), many, tolerance),
            rows,
            value=name,
            needs_rows=_enough(tolerance),
            evidence={
                "column": column,
                "cause": name,
                "share": len(held) / many,
                "rows_that_differ": len(apart),
            },
            examples=shown,
            next=_step(name),
            bare=told,
        )


def _apart(one: str, two: str) -> tuple[str, str]:
    """Return both texts cut to the part round their first difference."""
    pairs = zip(one, two, strict=False)
    at = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))
    low = max(at - SHOWN // 2, 0)
    return tuple(  # type: ignore[return-value]  # two in, two out
        ("…" if low else "") + each[low : low + SHOWN] + ("…" if low + SHOWN < len(each) else "")
        for each in (one, two)
    )


def _step(name: str) -> tuple[str, ...]:
    if name == OTHER:
        return ("read the pairs: were the ids given anew, or the texts edited?",)
    if name in REWRITES or name == TRUNCATION:
        return ("take this step in both pipelines, or in neither",)
    return ()


def _enough(tolerance: float) -> int:
    """Return the rows that tell "no row differs" from the tolerance."""
    return int(np.ceil(4 / tolerance))
