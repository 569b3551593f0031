"""Categories: the traffic that changed hands, and the one value behind it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.summaries.categories import Categories


def report(before, now, **options):
    """Return the report on two columns of values."""
    return ut.check(pa.table({"c": before}), pa.table({"c": now}), **options)


def of(made, check):
    """Return the finding of one check."""
    return next(each for each in made if each.check == check)


@pytest.fixture
def random():
    """The same draws in every run."""
    return np.random.default_rng(5)


def test_a_share_that_moves_is_found_and_named(random):
    """20 points from one value to another: the whole column, and the value."""
    before = random.choice(["a", "b", "c"], 2000, p=[0.5, 0.3, 0.2])
    made = report(before, random.choice(["a", "b", "c"], 2000, p=[0.3, 0.5, 0.2]))
    whole, one = of(made, "drift.category"), of(made, "drift.share")
    assert whole.verdict is one.verdict is ut.Verdict.CHANGED
    assert whole.effect.low < 0.2 < whole.effect.high
    assert one.value in {"a", "b"}
    assert one.subject == f"c={one.value}"


def test_a_rare_value_is_seen(random):
    """1 → 6% moves 5% of the rows, within the column's tolerance, and is not lost."""
    made = report(["x"] * 1980 + ["y"] * 20, ["x"] * 1880 + ["y"] * 120)
    assert of(made, "drift.category").verdict is ut.Verdict.STEADY
    found = of(made, "drift.share")
    assert found.verdict in {ut.Verdict.CHANGED, ut.Verdict.WATCH}
    assert found.value == "y"


def test_new_and_vanished_values_are_listed(random):
    """Evidence counts what came and what went, with the commonest by name."""
    made = report(["a"] * 900 + ["old"] * 100, ["a"] * 850 + ["new"] * 150)
    evidence = of(made, "drift.category").evidence
    assert evidence["new_values"] == {"count": 1, "share": 0.15, "commonest": {"new": 0.15}}
    assert evidence["vanished_values"]["commonest"] == {"old": 0.1}
    assert "(new)" in of(made, "drift.share").says


def test_thousands_of_values_without_drift_do_not_alarm(random):
    """2,000 even values at 1,000 rows, where a rival's distance averages .67, stay quiet."""
    for seed in range(5):
        draw = np.random.default_rng(seed)
        made = report(*(draw.integers(0, 2000, 1000).astype(str) + np.array("v") for _ in range(2)))
        assert made.verdict is not ut.Verdict.CHANGED


def test_the_order_of_values_does_not_matter(random):
    """Renaming every value on both sides leaves every effect as it was."""
    before, now = random.choice(list("abcdef"), 900), random.choice(list("aabcde"), 900)
    swap = dict(zip("abcdef", "uvwxyz", strict=True))
    renamed = [np.array([swap[v] for v in side]) for side in (before, now)]
    one, other = report(before, now), report(*renamed)
    for check in ("drift.category", "drift.share"):
        assert of(one, check).effect == of(other, check).effect


def test_a_million_distinct_strings_are_counted_within_the_cap():
    """Beyond the cap memory stays bounded, the estimate holds, and what was left out is on record."""
    words = pa.array(np.char.add("user ", np.arange(300_000).astype(str)))
    made = Categories()
    for part in range(0, 300_000, 50_000):
        made = made.observe(Values(Column("c", Kind.CATEGORY), words.slice(part, 50_000)))
    assert len(made.keys) == made.cap
    assert made.distinct == pytest.approx(300_000, rel=0.02)
    assert made.pooled == 300_000 - made.cap
    assert int(made.groups.sum()) == 300_000


def test_booleans_are_categories(random):
    """True and false are compared as two values."""
    made = report(random.random(2000) < 0.9, random.random(2000) < 0.7)
    assert of(made, "drift.share").verdict is ut.Verdict.CHANGED


def test_what_the_model_answers_is_called_output(random):
    """A prediction's findings say so, and stand first."""
    before = pa.table({"p": ["yes", "no"] * 500, "z": ["u", "v"] * 500})
    now = pa.table({"p": ["yes"] * 1000, "z": ["u"] * 1000})
    made = ut.check(before, now, prediction="p")
    assert made.findings[0].check.startswith("output.")
    assert of(made, "drift.category").column == "z"


def test_one_side_of_nothing_is_unknown():
    """A column that is wholly missing on one side is not compared as if it were there."""
    made = report(["a", "b"] * 200, pa.nulls(400, pa.string()))
    kinds = {each.check: each.verdict for each in made}
    assert kinds["drift.category"] is ut.Verdict.UNKNOWN
    assert made.verdict is ut.Verdict.CHANGED  # that it is gone is a fact
