"""Named sets side by side: random splits stay silent, planted and real skew and leaks are found."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from undertow.core.verdict import Verdict
from undertow.verbs.check import skew


def customers(count: int, seed: int) -> pa.Table:
    """Return customers with a category, dependent numbers and a label."""
    random = np.random.default_rng(seed)
    age = random.gamma(9, 4, count)
    plan = random.choice(["basic", "plus", "pro"], count, p=[0.6, 0.3, 0.1])
    spend = np.exp(random.standard_normal(count) * 0.4 + age / 60)
    left = random.random(count) < 0.2 + 0.2 * (plan == "basic")
    return pa.table({"age": age, "plan": plan, "spend": spend, "left": left})


def test_random_splits_are_silent():
    """Of 12 random splits, none has a finding that changed or is to be watched."""
    loud = 0
    for seed in range(12):
        rows = customers(2000, seed)
        sides = {"train": rows.slice(0, 1200), "test": rows.slice(1200)}
        report = skew(sides, label="left")
        loud += bool(report.having(Verdict.CHANGED) or report.having(Verdict.WATCH))
    assert loud == 0


def test_a_split_by_time_with_a_leak_tells_both():
    """A shifted test set with 2% copied rows: the column is named, and the copies are counted."""
    train, test = customers(2000, 1), customers(1000, 2)
    spend = pa.array(np.asarray(test["spend"]) * 1.6)
    test = test.set_column(2, "spend", spend)
    test = pa.concat_tables([test.slice(20), train.slice(100, 20)])
    report = skew({"train": train, "test": test}, label="left")
    assert report["train→test: shared rows"].evidence["rows_of_second_in_first"] == 20
    assert report["train→test: shared rows"].verdict is Verdict.CHANGED
    assert report["train→test: all columns"].causes[0].startswith("spend:")
    assert report["train→test: spend"].verdict is Verdict.CHANGED
    assert report["train→test: plan"].verdict is Verdict.STEADY


def split(path, column: str, *names: str) -> dict[str, pa.Table]:
    """Return the parts of a data set that a column names, without that column."""
    rows = pq.read_table(path)
    return {name: rows.filter(pc.equal(rows[column], name)).drop([column]) for name in names}


@pytest.mark.real
def test_the_census_was_split_at_random(real):
    """adult_census: train and test cannot be told apart, and repeat each other as train does."""
    sides = split(real("adult_census"), "split", "train", "test")
    report = skew(sides, label="income_over_50k")
    assert not report.having(Verdict.CHANGED)
    rows = report["train→test: shared rows"]
    assert rows.evidence["rows_of_second_in_first"] == 26
    assert rows.verdict is Verdict.STEADY


@pytest.mark.real
def test_out_of_scope_queries_sit_in_the_test_set(real):
    """clinc150: the test set holds 18% queries out of scope, train hardly any; no text leaks."""
    report = skew(
        split(real("clinc150_oos"), "split", "train", "test"), label="intent", text="text"
    )
    assert report["train→test: domain=oos"].verdict is Verdict.CHANGED
    assert report["train→test: all columns"].verdict is Verdict.CHANGED
    assert report["train→test: shared rows"].verdict is Verdict.STEADY
    texts = next(each for each in report if each.check == "skew.text")
    assert texts.evidence["rows_of_second_in_first"] == 2
