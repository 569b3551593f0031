"""Facts about columns: gone, new, retyped, reordered, and spelled another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.schema import Role
from undertow.core.verdict import Verdict
from undertow.detect.schema import Columns, meaning
from undertow.detect.spelling import Spelling
from undertow.observe import measure
from undertow.observe.declare import Declared, roles
from undertow.sources import open_dataset


def judged(check: Any, before: Any, now: Any, declared: Declared | None = None) -> list[Finding]:
    """Return what one check finds, judged as a report of its own."""
    tables = [open_dataset(side) for side in (before, now)]
    said = declared or Declared()
    reference = measure.fit(tables[0], said, [check], plugins.lenses(), lambda _: None)
    current = measure.measure(tables[1], reference, lambda _: None)
    found = check(History(reference, current))
    return list(Report.of(Source("a", reference.rows), Source("b", current.rows), found))


def told(before: Any, now: Any, **said: Any) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts on the columns by check and subject."""
    found = judged(Columns(), before, now, Declared(roles=roles(**said)))
    return {(each.check, each.subject): each.verdict for each in found}


TABLE = pa.table({"age": [31, 42, 57], "city": ["Rome", "Oslo", "Bern"], "paid": [1.5, 2.0, 3.5]})


def test_nothing_differs_is_one_steady_line() -> None:
    """Equal schemas give one finding, and it names the number of columns."""
    (found,) = judged(Columns(), TABLE, TABLE)
    assert found.verdict is Verdict.STEADY
    assert found.summary == "all 3 columns are there, of the same types, in the same order"


def test_a_column_that_is_gone_is_changed_and_names_its_twin() -> None:
    """A renamed column is changed under its old name, watch under its new one, with the cause."""
    found = judged(Columns(), TABLE, TABLE.rename_columns(["Age", "city", "paid"]))
    assert [(each.subject, each.verdict.value) for each in found] == [
        ("age", "changed"),
        ("Age", "watch"),
    ]
    assert found[0].says == "column 'age' is gone; the new 'Age' looks like it"
    assert found[0].causes == ("renamed to 'Age'",)
    assert next(iter(found[1].examples[0])) == "Age"


def test_a_gone_column_of_another_type_has_no_twin() -> None:
    """A close name is no twin where the type differs."""
    now = TABLE.drop_columns(["age"]).append_column("ages", pa.array(["a", "b", "c"]))
    (gone,) = [each for each in judged(Columns(), TABLE, now) if each.subject == "age"]
    assert gone.causes == ()


def test_labels_may_be_late_and_ignored_columns_are_nobodys_business() -> None:
    """A label that is gone is unknown; an ignored column is not looked at."""
    now = TABLE.drop_columns(["paid", "age"])
    assert told(TABLE, now, label="paid", ignore="age") == {
        ("schema.columns", "paid"): Verdict.UNKNOWN
    }


def test_another_order_is_watch() -> None:
    """The same columns in another order matter only to who reads by position."""
    found = judged(Columns(), TABLE, TABLE.select(["city", "age", "paid"]))
    (order,) = [each for each in found if each.check == "schema.order"]
    assert order.verdict is Verdict.WATCH
    assert "'city' stands where 'age' stood" in order.says


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        (pa.array([1, 2]), pa.array([1, 2], pa.int8())),
        (pa.array(["a", "b"]), pa.array(["a", "b"]).dictionary_encode()),
        (pa.array(["a", "b"]), pa.array(["a", "b"], pa.large_string())),
        (pa.array([1, 2], pa.timestamp("us")), pa.array([1, 2], pa.timestamp("ns"))),
        (pa.array([1.5, 2.0]), pa.array([1.5, 2.0], pa.float32())),
        (pa.array([1.5, 2.0]), pa.array([None, None])),
    ],
)
def test_how_a_column_is_stored_is_no_difference(was: pa.Array, is_: pa.Array) -> None:
    """Bits, dictionaries, long strings, time units and a column of nothing are no other type."""
    assert told(pa.table({"x": was}), pa.table({"x": is_})) == {
        ("schema.columns", "columns"): Verdict.STEADY
    }


@pytest.mark.parametrize(
    ("was", "is_", "verdict", "word"),
    [
        (pa.array([1, 2]), pa.array(["1", "x"]), "changed", "50% of rows no longer read"),
        (pa.array([1, 2]), pa.array(["1", "2"]), "changed", "every value reads"),
        (pa.array([1, 2]), pa.array([1.0, 2.5]), "changed", "fractions now, such as 2.5"),
        (pa.array([1.5, 2]), pa.array([1, 2]), "changed", "fractions such as 1.5 are gone"),
        (pa.array([1, 2]), pa.array([1.0, 2.0]), "steady", "the values compare equal"),
        (pa.array([1, 2]), pa.array([1, 2], pa.decimal128(8, 2)), "steady", "compare equal"),
        (pa.array([1.5, 2]), pa.array([1, 2], pa.decimal128(8, 2)), "steady", "compare equal"),
        (pa.array([1, 2], pa.timestamp("us")), pa.array([1, 2], pa.timestamp("us", "UTC")),
         "changed", "time without zone, now time with zone"),
        (pa.array([1, 2], pa.date32()), pa.array([86400, 172800], pa.timestamp("s")), "steady",
         "every time is midnight"),
        (pa.array([1, 2], pa.date32()), pa.array([86401, 172800], pa.timestamp("s")), "changed",
         "date, now time without zone"),
        (pa.array([True, False]), pa.array([1, 0]), "changed", "true or false, now whole number"),
    ],
)  # fmt: skip
def test_another_type_says_what_became_of_the_values(
    was: pa.Array, is_: pa.Array, verdict: str, word: str
) -> None:
    """A type is changed, unless every sampled value compares equal; the sentence says which."""
    found = judged(Columns(), pa.table({"x": was}), pa.table({"x": is_}))
    (typed,) = [each for each in found if each.check == "schema.types"]
    assert (typed.verdict.value, word in typed.says) == (verdict, True), typed.says


def test_pandas_turns_whole_numbers_with_a_gap_into_fractions() -> None:
    """Integers that became floats because some are missing are steady, and it says why."""
    before = pd.DataFrame({"age": [1, 2, 3]})
    now = pd.DataFrame({"age": [1, None, 3]})
    found = {each.check: each for each in judged(Columns(), before, now)}
    assert found["schema.types"].verdict is Verdict.STEADY
    assert "pandas stores whole numbers so" in found["schema.types"].says
    assert found["schema.columns"].summary == "the one column is there"


def test_types_are_read_as_people_say_them() -> None:
    """Nested, fixed-size and unknown types have words of their own."""
    assert meaning("list<item: double>") == "list of number"
    assert meaning("large_list<element: string not null>") == "list of text"
    assert meaning("struct<a: int64>") == "struct<a: int64>"
    assert meaning("fixed_size_list<item: float>[3]") != meaning("fixed_size_list<item: float>[4]")


def spelled(before: list[Any], now: list[Any]) -> list[Finding]:
    """Return the findings on how the values of a category are spelled."""
    return judged(Spelling(), pa.table({"x": before}), pa.table({"x": now}))


@pytest.mark.parametrize(
    ("before", "now", "way"),
    [
        (["New York", "Rome"], ["new york ", "ROME"], "case and spaces"),
        (["New York", "Rome"], ["new_york", "rome."], "separators and full stops"),
        ([">50K", "<=50K"], [">50K.", "<=50K."], "separators and full stops"),
        (["1", "2"], ["1.0", "2.0"], "numbers"),
        (["True", "False"], ["1", "0"], "yes and no"),
        ([True, False], ["Yes", "No"], "yes and no"),
    ],
)
def test_the_same_values_in_another_spelling_are_changed(
    before: list[Any], now: list[Any], way: str
) -> None:
    """Case, separators, number formats and words for yes and no are seen through."""
    (found,) = spelled(before * 200, now * 200)
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["differs_in"] == way
    assert found.evidence["respelled_share"] == 1.0
    assert len(found.examples) > 0


def test_new_values_and_rare_spellings_are_no_other_spelling() -> None:
    """A new word is none of the old ones; a handful of typing errors stays below the tolerance."""
    assert spelled(["a", "b"] * 300, ["c", "d"] * 300) == []
    assert spelled(["Rome", "Oslo"] * 300, ["Rome", "Oslo"] * 299 + ["rome", "oslo"]) == []


def test_a_reference_that_uses_both_spellings_is_left_alone() -> None:
    """Where the reference itself tells "a" from "A", case is no way of spelling."""
    assert spelled(["a", "A"] * 300, ["ａ", "Ａ"] * 300) == []  # noqa: RUF001 - full-width letters


def test_other_roles_than_ignore_are_compared() -> None:
    """An identifier that is gone is changed like any other column."""
    assert Role.ID in {each.role for each in Declared(roles=roles(id="age")).over(
        measure.infer.by_type(TABLE.schema))}  # fmt: skip
    assert (
        told(TABLE, TABLE.drop_columns(["age"]), id="age")["schema.columns", "age"]
        is Verdict.CHANGED
    )


def test_no_saved_type_is_no_change() -> None:
    """A profile that does not know a column's type says nothing about it."""
    said = open_dataset(TABLE)
    reference = measure.fit(said, Declared(), [Columns()], {}, lambda _: None)
    bare = replace(reference, schema=reference.schema.but("age", arrow=""))
    found = list(Columns()(History(bare, reference)))
    assert [each.check for each in found] == ["schema.columns"]
    assert np.all([each.verdict is Verdict.STEADY for each in found])
