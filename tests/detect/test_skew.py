"""Rows that two sets share, and what a classifier tells apart."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.core.schema import Column, Kind, Role
from undertow.core.values import Values
from undertow.core.verdict import Verdict
from undertow.loop import Loop
from undertow.stats.classify import area, told_apart
from undertow.summaries.overlap import Contents, Texts
from undertow.testing import batches, check_summary
from undertow.verbs.check import skew

COLUMNS = [
    Column("x", Kind.NUMBER),
    Column("w", Kind.CATEGORY),
    Column("y", Kind.CATEGORY, Role.LABEL),
    Column("n", Kind.NUMBER, Role.ID),
]
rows = st.lists(
    st.tuples(st.integers(0, 9) | st.none(), st.sampled_from("ab"), st.sampled_from("yn")),
    min_size=1,
    max_size=80,
)


def table(listed) -> pa.Table:
    """Return rows of a number, a word, a label and a number of its own."""
    x, w, y = zip(*listed, strict=True)
    return pa.table({"x": pa.array(x, pa.float64()), "w": w, "y": y, "n": range(len(x))})


def contents(listed, cap: int = 2**20) -> Contents:
    """Return the contents of rows."""
    data = table(listed)
    return Contents(("x", "w"), ("y",), cap).observe(
        *(Values(column, data[column.name]) for column in COLUMNS)
    )


@given(rows, st.integers(1, 6), st.integers(0, 99), st.sampled_from([5, 2**20]))
def test_contents_keep_the_laws(listed, cuts, seed, cap):
    """Contents merge exactly in any order, with and without a cap that bites."""
    check_summary(Contents(("x", "w"), ("y",), cap), batches(COLUMNS, table(listed), cuts, seed))


@given(st.lists(st.text(max_size=6) | st.none(), min_size=1, max_size=60), st.integers(1, 6))
def test_texts_keep_the_laws(texts, cuts):
    """Normalised texts merge exactly in any order."""
    clean = [t if t is None else t.encode("utf-8", "replace").decode() for t in texts]
    column = Column("t", Kind.TEXT)
    check_summary(
        Texts(("t",)), batches([column], pa.table({"t": pa.array(clean, pa.string())}), cuts)
    )


@given(rows, rows)
def test_shared_rows_are_counted_exactly(one, other):
    """The counts are those of comparing every row with every row, labels apart."""
    found = contents(one).shared(contents(other))
    inputs, pairs = {row[:2] for row in one}, set(one)
    assert found.exact
    assert found.rows_now == sum(row[:2] in inputs for row in other)
    assert found.rows_reference == sum(row[:2] in {r[:2] for r in other} for row in one)
    assert found.relabelled == sum(row[:2] in inputs and row not in pairs for row in other)
    seen = [row[:2] for row in one]
    assert found.repeats == sum(seen.count(row) > 1 for row in seen)


def test_beyond_the_cap_the_share_is_estimated_with_an_interval():
    """95% intervals from a coordinated sample hold the true share in at least 90 of 100 tries."""
    column = Column("x", Kind.NUMBER)
    held = 0
    for seed in range(100):
        start = seed * 100_000
        one = Contents(("x",), cap=500).observe(
            Values(column, pa.array(np.arange(start, start + 4000.0)))
        )
        two = Contents(("x",), cap=500).observe(
            Values(column, pa.array(np.arange(start + 3600.0, start + 7600.0)))
        )
        found = one.shared(two)
        assert not found.exact
        assert found.held_now < 1000
        low, high = found.interval
        held += low <= 0.1 <= high
    assert held >= 90


def frame(seed: int, count: int = 1500, **shift: float) -> pa.Table:
    """Return rows of three numbers, a category, a label and an id, some of them shifted."""
    random = np.random.default_rng(seed)
    numbers = {name: random.standard_normal(count) + shift.get(name, 0.0) for name in "abc"}
    city = random.choice(["x", "y", "z"], count)
    label = random.choice(["yes", "no"], count)
    return pa.table(
        {**numbers, "city": city, "label": label, "id": np.arange(count) + seed * 10**6}
    )


def test_a_planted_leak_is_counted_exactly_whatever_its_label_and_id():
    """Of 30 test rows copied from train under new ids, 30 are found, 10 with another label."""
    train, test = frame(1), frame(2)
    copied = train.slice(0, 30)
    other = ["no" if label == "yes" else "yes" for label in copied["label"].to_pylist()[:10]]
    copied = copied.set_column(4, "label", pa.array([*other, *copied["label"].to_pylist()[10:]]))
    copied = copied.set_column(5, "id", test["id"].slice(0, 30))
    test = pa.concat_tables([copied, test.slice(30)])
    finding = skew({"train": train, "test": test}, label="label", id="id")[
        "train→test: shared rows"
    ]
    assert finding.verdict is Verdict.CHANGED
    assert finding.effect is None
    assert finding.evidence["rows_of_second_in_first"] == 30
    assert finding.evidence["same_input_other_label"] == 10
    assert finding.evidence["share"] == 0.02
    assert finding.says.startswith("30 of 1,500 rows of test (2%) are also in train")
    leaked = set(copied["a"].to_pylist())
    assert finding.examples
    assert all(float(example["a"]) in leaked for example in finding.examples)


def test_identifiers_in_common_are_found():
    """The same customer in both sets is a leak even where every other cell differs."""
    train, test = frame(1), frame(2)
    test = test.set_column(
        5, "id", pa.chunked_array([train["id"].chunk(0).slice(0, 9), test["id"].chunk(0).slice(9)])
    )
    finding = skew({"train": train, "test": test}, id="id")["train→test: id"]
    assert finding.verdict is Verdict.CHANGED
    assert finding.evidence["rows_of_second_in_first"] == 9


def test_texts_that_differ_in_case_and_white_space_are_the_same():
    """A copied text is found after its case and its spaces changed; the rows are not the same."""
    random = np.random.default_rng(0)
    words = list("abcdefghijkl")
    texts = [" ".join(f"word{letter}" for letter in random.choice(words, 12)) for _ in range(400)]
    train, test = texts[:200], [f"  {text.upper()}\n" for text in texts[:8]] + texts[200:]
    sides = {"train": pa.table({"text": train}), "test": pa.table({"text": test})}
    report = skew(sides, text="text")
    finding = report["train→test: text"]
    found = next(each for each in report if each.check == "skew.text")
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["rows_of_second_in_first"] == 8
    assert finding.column == "text"


def test_a_coarse_table_repeats_and_does_not_leak():
    """Two draws of a table with few different rows share nearly all of them, which is no leak."""
    random = np.random.default_rng(0)
    made = [
        pa.table({"a": random.choice(list("abc"), 500), "b": random.choice(list("de"), 500)})
        for _ in range(2)
    ]
    finding = skew({"train": made[0], "test": made[1]})["train→test: shared rows"]
    assert finding.verdict is Verdict.STEADY
    assert "as often as they repeat inside it" in finding.says


def test_numbers_are_the_same_in_any_type():
    """A whole number leaks from a float column into an integer one."""
    train = pa.table({"a": pa.array(range(300), pa.float64())})
    test = pa.table({"a": pa.array(range(200, 500), pa.int32())})
    finding = skew({"train": train, "test": test})["train→test: shared rows"]
    assert finding.evidence["rows_of_second_in_first"] == 100


def test_every_pair_is_compared_and_named():
    """Three sets make three pairs, each with keys of its own, judged among all comparisons."""
    report = skew({"train": frame(1), "val": frame(2), "test": frame(3)}, id="id", label="label")
    pairs = {finding.subject.split(":")[0] for finding in report}
    assert pairs == {"train→val", "train→test", "val→test"}
    assert len({finding.key for finding in report}) == len(report.findings)
    assert report.comparisons == sum(finding.effect is not None for finding in report)
    assert report.reference.source.startswith("train=")


def test_a_planted_skew_is_told_apart_and_its_column_named():
    """A shift in one column is found by the classifier, which names it first."""
    report = skew({"train": frame(1), "test": frame(2, b=0.8)}, id="id")
    finding = report["train→test: all columns"]
    assert finding.verdict is Verdict.CHANGED
    assert finding.causes[0].startswith("b:")
    assert finding.effect.low > 0.1
    assert finding.evidence["auc"] > 0.6


def test_columns_that_stand_still_but_move_together_are_told_apart():
    """A correlation that appears between two columns, each unchanged, is seen by the classifier."""
    random = np.random.default_rng(5)
    x, y, z = random.standard_normal((3, 3000))
    train, test = pa.table({"x": x, "y": y}), pa.table({"x": z, "y": 0.8 * z + 0.6 * y[::-1]})
    report = skew({"train": train, "test": test})
    assert all(report[f"train→test: {name}"].verdict is Verdict.STEADY for name in "xy")
    assert report["train→test: all columns"].verdict is Verdict.CHANGED


def test_the_classifier_covers_the_truth():
    """What is told apart of two normals a known distance apart stays below the true variation."""
    random = np.random.default_rng(3)
    numbers = np.concatenate([random.standard_normal(2000), random.standard_normal(2000) + 1])
    side = np.repeat([False, True], 2000)
    found = told_apart(numbers[:, None], side, {"x": [0]})
    assert found.effect.low < 0.383 < found.effect.high + 0.05
    assert found.auc == pytest.approx(0.76, abs=0.03)
    assert area(np.zeros(4), np.array([True, False, True, False]))[0] == 0.5


def test_the_order_of_the_rows_changes_nothing():
    """The same sets in another order and other batches give the same findings."""
    sides = {"train": frame(1), "test": frame(2, b=0.5)}
    order = pa.array(np.random.default_rng(0).permutation(1500))
    mixed = {
        name: pa.Table.from_batches(data.take(order).to_batches(max_chunksize=333))
        for name, data in sides.items()
    }
    one, two = skew(sides, id="id"), skew(mixed, id="id")
    assert one.to_dict()["findings"] == two.to_dict()["findings"]


def test_what_cannot_be_compared_is_refused_in_one_line():
    """One set, a saved profile, and learned tolerances are refused."""
    with pytest.raises(UsageError, match="give two or more"):
        skew({"train": frame(1)})
    with pytest.raises(UsageError, match="holds no rows"):
        skew({"train": frame(1), "test": Loop().profile(frame(1))})
    with pytest.raises(UsageError, match="give skew a number"):
        skew({"train": frame(1), "test": frame(2)}, tolerance="auto")


def test_a_set_cannot_be_told_from_itself():
    """Rows that are all shared are a leak, and nothing that a classifier tells apart."""
    report = skew({"train": frame(1), "test": frame(1)})
    assert report["train→test: shared rows"].verdict is Verdict.CHANGED
    told = report["train→test: all columns"]
    assert told.verdict is not Verdict.CHANGED
    assert told.verdict is not Verdict.WATCH
