"""A made-up report with every shape of finding, for tests and benchmarks of how it looks."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from undertow.core.finding import Acceptance, Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role
from undertow.core.verdict import Effect, Verdict

ROWS = Rows(48_210, 12_874)

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\x1b[2J\x1b]0;owned\x07red",
    "[bold red]markup[/] [/nope]",
    "\u202egnp.exe\u202c",
    "nul\x00l and lone \ud800 half",
    "{{ 7 * 7 }}{% raw %}",
    "\"><svg onload=alert(3)> ' --><!--<script>",
    "long " + "x" * 1_000_000,
    "line one\r\nline two\u2028three",
    "javascript:alert(4)",
    "ظهر تعطل في التطبيق",
)


def bell(edges: list[float], centre: float, width: float) -> list[float]:
    """Return the share of a bell curve in each bin."""

    def below(x: float) -> float:
        return 0.5 * (1 + math.erf((x - centre) / (width * math.sqrt(2))))

    return [below(b) - below(a) for a, b in pairwise(edges)]


def histogram(
    start: float,
    stop: float,
    reference: tuple[float, float],
    current: tuple[float, float],
    bins: int = 36,
) -> dict[str, Any]:
    """Return the shape of two bell curves over equal bins, the tails apart."""
    edges = [start + (stop - start) * i / bins for i in range(bins + 1)]

    def tails(centre: float, width: float) -> tuple[float, float]:
        return (
            bell([-1e9, start], centre, width)[0],
            bell([stop, 1e9], centre, width)[0],
        )

    (low_r, high_r), (low_c, high_c) = tails(*reference), tails(*current)
    return {
        "form": "histogram",
        "edges": edges,
        "reference": bell(edges, *reference),
        "current": bell(edges, *current),
        "median": [reference[0], current[0]],
        "below": [low_r, low_c],
        "above": [high_r, high_c],
    }


def numeric_evidence(old: tuple[float, float], new: tuple[float, float]) -> dict[str, Any]:
    """Return evidence as a numeric check gives it."""
    return {
        "mean": {"reference": old[0] * 1.02, "current": new[0] * 1.02},
        "median": {"reference": old[0], "current": new[0]},
        "std": {"reference": old[1], "current": new[1]},
        "p10": {"reference": old[0] - 1.28 * old[1], "current": new[0] - 1.28 * new[1]},
        "p90": {"reference": old[0] + 1.28 * old[1], "current": new[0] + 1.28 * new[1]},
        "ks": 0.3121,
        "ks_p": 1.4e-41,
        "psi": 0.4123,
        "js": 0.1873,
        "kl": 0.2294,
        "wasserstein": abs(new[0] - old[0]),
        "at": old[0] + 3,
    }


def shares(
    *rows: tuple[str, float, float], note: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the shape of a category: share before and after of each value."""
    notes = note or {}
    listed = []
    for value, old, new in rows:
        error = 1.96 * math.sqrt(old * (1 - old) / ROWS.reference + new * (1 - new) / ROWS.current)
        diff = new - old
        listed.append(
            {
                "value": value,
                "reference": old,
                "current": new,
                "low": diff - 3 * error,
                "high": diff + 3 * error,
                "note": notes.get(value, ""),
            }
        )
    return {
        "form": "shares",
        "rows": listed,
        "others": {"count": 212, "reference": 0.034, "current": 0.041},
    }


WORDS = {
    "form": "words",
    "rows": [
        {"word": "smartsync", "reference": 0, "current": 1840, "contribution": 0.31, "note": "new"},
        {"word": "pairing", "reference": 3.1, "current": 612, "contribution": 0.12, "note": ""},
        {"word": "hub", "reference": 22, "current": 540, "contribution": 0.09, "note": ""},
        {"word": "firmware", "reference": 14, "current": 288, "contribution": 0.05, "note": ""},
        {"word": "invoice", "reference": 410, "current": 228, "contribution": 0.03, "note": ""},
        {"word": "fax", "reference": 52, "current": 0, "contribution": 0.02, "note": "gone"},
        {"word": "thanks", "reference": 980, "current": 801, "contribution": 0.012, "note": ""},
    ],
}

CALIBRATION = {
    "form": "calibration",
    "rows": [
        {
            "confidence": 0.1 * i + 0.05,
            "reference": 0.1 * i + 0.06 if i else None,
            "current": max(0.0, 0.1 * i - 0.02 * i),
            "low": max(0.0, 0.1 * i - 0.02 * i - 0.05),
            "high": 0.1 * i - 0.02 * i + 0.05,
            "rows_reference": 100 * i * i,
            "rows_current": 40 * i * i,
        }
        for i in range(10)
    ],
}

METRIC = {
    "form": "metric",
    "reference": {"value": 0.912, "low": 0.906, "high": 0.918},
    "current": {"value": 0.842, "low": 0.829, "high": 0.854},
}


def effect(name: str, value: float, spread: float, tolerance: float, p: float = 1e-40) -> Effect:
    """Return an effect with a symmetrical interval."""
    return Effect(name, value, value - spread, value + spread, tolerance, p)


def telling() -> Iterator[Finding]:
    """Yield the findings that tell the story: a product launch fools a sentiment model."""
    again = ("undertow check train.parquet live.parquet --where \"product = 'SmartSync'\"",)
    yield Finding(
        "outputs.shares",
        "sentiment",
        "predicted 'neutral' went from 24% to 43% of rows",
        effect("total_variation", 0.193, 0.011, 0.1),
        ROWS,
        column="sentiment",
        shape=shares(("neutral", 0.24, 0.43), ("negative", 0.31, 0.22), ("positive", 0.45, 0.35)),
        evidence={
            "chi_square": 1893.2,
            "chi_square_p": 0.0,
            "psi": 0.19,
            "js": 0.031,
            "categories": 3,
        },
        examples=(
            {
                "text": "SmartSync drops the hub every night since the update",
                "sentiment": "neutral",
            },
            {"text": "pairing fails, factory reset did not help at all", "sentiment": "neutral"},
        ),
        causes=("new words: smartsync, pairing, hub",),
        next=("undertow review F-0142 --rows 120", *again),
    )
    old, new = (40.2, 9.0), (52.1, 11.0)
    yield Finding(
        "drift.number",
        "age",
        "half were under 40, now under 52",
        effect("cdf_gap", 0.312, 0.04, 0.1),
        ROWS,
        column="age",
        shape=histogram(18, 75, old, new),
        evidence=numeric_evidence(old, new),
        examples=({"age": "71", "country": "DE"}, {"age": "68", "country": "FR"}),
        next=again,
    )
    yield Finding(
        "drift.category",
        "product",
        "SmartSync is new: 19% of rows",
        effect("total_variation", 0.19, 0.008, 0.1),
        ROWS,
        column="product",
        shape=shares(
            ("SmartSync", 0.0, 0.19),
            ("Legacy", 0.08, 0.06),
            ("Sync", 0.25, 0.22),
            ("Pro", 0.25, 0.20),
            ("Home", 0.42, 0.33),
            note={"SmartSync": "new"},
        ),
        evidence={"chi_square": 9120.0, "psi": 1.48, "js": 0.32, "new_categories": ["SmartSync"]},
    )
    yield Finding(
        "text.words",
        "feedback",
        "'smartsync' is in 18% of texts, from none; 'pairing', 'hub' follow",
        effect("total_variation", 0.41, 0.03, 0.1),
        ROWS,
        column="feedback",
        shape=WORDS,
        evidence={"js": 0.21, "vocabulary": {"reference": 18_204, "current": 15_940}},
        examples=(
            {"feedback": "The SmartSync hub will not pair with my phone, tried three times"},
        ),
    )
    yield Finding(
        "schema.columns",
        "customer_id",
        "column 'customer_id' is gone",
        column="customer_id",
        rows=ROWS,
        verdict=Verdict.CHANGED,
        next=("ask who changed the export",),
    )
    yield Finding(
        "outputs.accuracy",
        "accuracy",
        "91.2% right, now 84.2%",
        effect("difference", 0.07, 0.014, 0.02),
        ROWS,
        column="sentiment",
        shape=METRIC,
        evidence={"labelled_rows": {"reference": 8_000, "current": 1_240}},
    )
    yield Finding(
        "outputs.calibration",
        "confidence",
        "says 90%, is right 74% of the time",
        effect("difference", 0.11, 0.02, 0.02),
        ROWS,
        column="confidence",
        shape=CALIBRATION,
    )
    yield Finding(
        "quality.missing",
        "postcode",
        "missing went from 1% to 7%",
        effect("cohens_h", 0.34, 0.04, 0.2),
        ROWS,
        column="postcode",
        shape=shares(("missing", 0.01, 0.07), ("present", 0.99, 0.93)),
    )
    slow, late = (1.7e9, 4e6), (1.712e9, 4e6)
    stamps = histogram(1.688e9, 1.724e9, slow, late) | {"time": True}
    yield Finding(
        "drift.time",
        "ordered_at",
        "half were before November 2023, now before March 2024",
        effect("cdf_gap", 0.18, 0.02, 0.1),
        ROWS,
        column="ordered_at",
        shape=stamps,
    )
    income = {
        "form": "histogram",
        "edges": [0, 0, 900, 1500, 2100, 2600, 3300, 4200, 5600, 9000, 30000],
        "reference": [0.22, 0.08, 0.08, 0.1, 0.1, 0.1, 0.1, 0.1, 0.06, 0.06],
        "current": [0.34, 0.08, 0.07, 0.08, 0.08, 0.08, 0.08, 0.08, 0.05, 0.06],
        "median": [2300, 1700],
    }
    yield Finding(
        "drift.number",
        "income",
        "zeros went from 22% to 34% of rows",
        effect("cdf_gap", 0.13, 0.05, 0.1),
        ROWS,
        column="income",
        shape=income,
        evidence=numeric_evidence((2300, 800), (1700, 900)),
    )
    yield Finding(
        "drift.number",
        "basket_value",
        "p90 is 12 higher",
        effect("cdf_gap", 0.14, 0.05, 0.1, 1e-9),
        ROWS,
        column="basket_value",
        shape=histogram(0, 200, (80, 30), (92, 34)),
        evidence=numeric_evidence((80, 30), (92, 34)),
    )
    yield Finding(
        "drift.category",
        "store",
        "too few",
        Effect("total_variation", 0.17, 0.0, 0.34, 0.1, 0.4),
        Rows(48_210, 61),
        column="store",
        needs_rows=900,
        shape=shares(("north", 0.4, 0.5), ("south", 0.35, 0.3), ("east", 0.25, 0.2)),
    )
    yield Finding(
        "outputs.accuracy",
        "f1",
        "no labels",
        Effect("difference", math.nan, math.nan, math.nan, 0.02, 1),
        Rows(8_000, 0),
        column="sentiment",
        needs_rows=1_200,
        next=("undertow review --label 200",),
    )


def ordinary(count: int, seed: int = 7) -> Iterator[Finding]:
    """Yield three findings for each of `count` columns, nearly all steady."""
    chance = random.Random(seed)
    for i in range(count):
        name = f"{chance.choice(('order', 'session', 'device', 'account', 'page'))}_{i:02d}"
        value = chance.choice([0.012, 0.03, 0.045, 0.02, 0.21 if i % 6 == 0 else 0.06])
        change = effect("cdf_gap", value, 0.02, 0.1, 1e-30 if value > 0.1 else 0.3)
        if i % 2:
            old, new = (50, 12), (50 + 40 * value, 12)
            yield Finding(
                "drift.number",
                name,
                f"half were under 50, now under {new[0]:.0f}",
                change,
                ROWS,
                column=name,
                shape=histogram(10, 95, old, new, 32),
                evidence=numeric_evidence(old, new),
            )
        else:
            yield Finding(
                "drift.category",
                name,
                f"'web' went from 45% to {45 + 100 * value:.0f}%",
                effect("total_variation", value, 0.02, 0.1, 1e-30 if value > 0.1 else 0.3),
                ROWS,
                column=name,
                evidence={"chi_square": 22.1, "psi": 0.01, "js": 0.002},
                shape=shares(
                    ("web", 0.45, 0.45 + value), ("ios", 0.35, 0.35 - value), ("android", 0.2, 0.2)
                ),
            )
        yield Finding(
            "quality.missing",
            name,
            "missing went from 1.2% to 1.4%",
            effect("cohens_h", 0.02, 0.015, 0.2, 0.1),
            ROWS,
            column=name,
            shape=shares(("missing", 0.012, 0.014), ("present", 0.988, 0.986)),
        )
        yield Finding(
            "quality.range",
            name,
            "0.1% lie outside the reference's range",
            effect("cohens_h", 0.01, 0.01, 0.2, 0.5),
            ROWS,
            column=name,
        )


def columns(findings: tuple[Finding, ...]) -> tuple[Column, ...]:
    """Return a schema for the columns that findings speak of."""
    names = dict.fromkeys(each.column for each in findings if each.column)
    kinds = [(Kind.NUMBER, "double, 3,212 distinct values"), (Kind.CATEGORY, "3 distinct values")]
    return tuple(
        Column(name, *(kinds[i % 2][:1]), Role.FEATURE, kinds[i % 2][1], "double")
        for i, name in enumerate(names)
    )


def report(count: int = 40) -> Report:
    """Return a report of about `count` + 10 columns with every shape and verdict."""
    findings = (*telling(), *ordinary(count))
    made = Report.of(
        Source("train.parquet", ROWS.reference, "xxh3:91f0c2d7a4"),
        Source("live/2026-11-*.parquet", ROWS.current, "xxh3:07be11c9aa"),
        findings,
        columns=columns(findings),
        notes=("14 rows of live/2026-11-03.parquet could not be read and were left out",),
    )
    known = Acceptance(made["basket_value"].key, "2026-12-31", "price rise agreed with finance")
    return made.accepting([known])


def loud(count: int = 150) -> Report:
    """Return a report in which everything has changed, with all the evidence there can be."""
    findings = []
    for i in range(count):
        shape = [
            histogram(18, 75, (40 + i / 9, 9.0), (52.1, 11.0), 40),
            WORDS,
            CALIBRATION,
            shares(*((f"a longer value {j}", 0.1, 0.02 + 0.02 * j) for j in range(9))),
        ][i % 4]
        findings.append(
            Finding(
                f"drift.check{i % 3}",
                f"column_{i // 3:02d}",
                "half were under 40.2, now under 52.1 years",
                effect("cdf_gap", 0.2 + i / 400, 0.02, 0.1),
                ROWS,
                column=f"column_{i // 3:02d}",
                shape=shape,
                evidence=numeric_evidence((40, 9), (52, 11)),
                examples=tuple(
                    {"text": f"row {j} of a text that is rather long " * 4} for j in range(5)
                ),
                next=('undertow check train.parquet live.parquet --where "age > 52"',),
            )
        )
    return Report.of(
        Source("a.csv", 1), Source("b.csv", 1), findings, columns=columns(tuple(findings))
    )


def hostile() -> Report:
    """Return a report whose every text is an attack."""
    findings = []
    for i, text in enumerate(HOSTILE):
        shape: dict[str, Any] | None = [
            shares((text, 0.2, 0.5), ("b", 0.8, 0.5), note={text: "new"}),
            {
                "form": "words",
                "rows": [{"word": text, "reference": 1, "current": 9, "contribution": 0.5}],
            },
            {"form": text, "rows": [text]},
            METRIC | {text: text},
        ][i % 4]
        findings.append(
            Finding(
                f"check.{text}",
                text,
                text,
                effect("total_variation", 0.4, 0.05, 0.1),
                ROWS,
                column=text,
                value=text,
                shape=shape,
                evidence={text: text, "list": [text, 1], "deep": {text: {text: 1}}},
                examples=({text: text},),
                causes=(text,),
                next=(text,),
            )
        )
    findings.append(Finding("x", "gone", HOSTILE[1], rows=ROWS, verdict=Verdict.CHANGED))
    listed = tuple(findings)
    made = Report.of(
        Source(HOSTILE[0], 1, HOSTILE[1]),
        Source(HOSTILE[2], 1),
        listed,
        columns=[Column(text, Kind.TEXT, why=text) for text in HOSTILE],
        notes=HOSTILE,
    )
    return made.accepting([Acceptance(listed[0].key, HOSTILE[0], HOSTILE[1])])


#: Shapes that are broken in one way each: nothing is drawn, nothing is raised.
BROKEN: tuple[Any, ...] = (
    None,
    {},
    {"form": None},
    {"form": "unknown"},
    {"form": "histogram"},
    {"form": "histogram", "edges": [0, 1], "reference": [], "current": []},
    {"form": "histogram", "edges": [0, 1], "reference": ["a"], "current": [None]},
    {"form": "histogram", "edges": [math.nan, 1], "reference": [1], "current": [1]},
    {"form": "histogram", "edges": [3, 3], "reference": [1], "current": [1]},
    {"form": "histogram", "edges": [2, 1], "reference": [1], "current": [1]},
    {"form": "histogram", "edges": [-1e308, 1e308], "reference": [1], "current": [1]},
    {"form": "histogram", "edges": [0, 1], "reference": [0], "current": [0], "median": [None, "x"]},
    {"form": "shares"},
    {"form": "shares", "rows": []},
    {"form": "shares", "rows": [None, 3, {}]},
    {"form": "shares", "rows": {"a": 1}},
    {"form": "shares", "rows": "abc"},
    {"form": "shares", "rows": [{"value": None, "reference": math.inf, "current": 2}]},
    {"form": "words", "rows": [{"word": "a"}]},
    {"form": "words", "rows": [{"contribution": "x"}]},
    {"form": "calibration", "rows": []},
    {"form": "calibration", "rows": [{"confidence": None}]},
    {"form": "metric"},
    {"form": "metric", "reference": {}, "current": {"value": None}},
    {"form": "metric", "reference": {"value": 1}, "current": {"value": 1}},
    {"form": ["histogram"], "edges": 3},
)
