"""Vectors that are none are told: how many rows, of what kind, and what to look for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from undertow.core.check import History
from undertow.core.errors import DataError
from undertow.core.report import Report, Source
from undertow.core.schema import Column, Kind, Role, Schema
from undertow.core.verdict import Verdict
from undertow.detect.missing import Missing
from undertow.detect.uncompared import Uncompared
from undertow.detect.vector_quality import VectorQuality
from undertow.lenses.vector import Vector
from undertow.observe import measure
from undertow.observe.declare import Declared
from undertow.observe.dimensions import same_dimension
from undertow.sources import open_dataset

CHECK = "quality.vectors"


def unit(rows, size=8, seed=0):
    """Return random vectors of length 1."""
    made = np.random.default_rng(seed).normal(size=(rows, size))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def table(rows, **more):
    """Return vectors, some of them lists or null, as a table with another column."""
    if isinstance(rows, np.ndarray):
        rows = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
    else:
        rows = pa.array(rows, pa.list_(pa.float32()))
    return pa.table({"v": rows, "n": np.arange(len(rows)) % 7, **more})


def quiet(rows):
    """Say nothing of how far the reading is."""


def planned(before, ignore=()):
    """Return the profile of the reference under the checks of this file."""
    declared = Declared(roles=dict.fromkeys(ignore, Role.IGNORE))
    checks, lenses = (VectorQuality(), Missing(), Uncompared()), {"vector": Vector}
    return measure.fit(open_dataset(before), declared, checks, lenses, quiet)


def findings(before, now, ignore=()):
    """Return the judged findings of this file's checks alone, by check."""
    reference = planned(before, ignore)
    current = measure.measure(open_dataset(now), reference, quiet)
    history = History(reference, current)
    checks = VectorQuality(), Missing(), Uncompared()
    sides = (Source(each.source, each.rows, each.digest) for each in (reference, current))
    found: dict[str, list] = {}
    for each in Report.of(*sides, [each for check in checks for each in check(history)]):
        found.setdefault(each.check, []).append(each)
    return found


def told(before, now, ignore=()):
    """Return the findings of the check of vectors by subject."""
    return {each.subject: each for each in findings(before, now, ignore).get(CHECK, [])}


def test_good_vectors_get_no_finding():
    """Nothing wrong on either side: nothing to say, null rows included."""
    listed = unit(600).tolist()
    assert told(table(unit(600)), table(unit(600, seed=1))) == {}
    assert told(table([*listed, None]), table(listed)) == {}


@pytest.mark.parametrize(
    ("value", "bad", "says"),
    [
        ("length", [1.0, 2.0], "are not 8 numbers long"),
        ("length", [], "are not 8 numbers long"),
        ("not finite", [float("nan")] * 8, "hold NaN or infinity"),
        ("not finite", [float("inf")] + [0.0] * 7, "hold NaN or infinity"),
        ("zero", [0.0] * 8, "are zero in every dimension"),
    ],
)
def test_bad_rows_are_told(value, bad, says):
    """10% of another length, with NaN or infinity, or zero: changed, with share, rows and step."""
    before, now = unit(1000).tolist(), unit(1000, seed=1).tolist()
    found = told(table(before), table([*now[:900], *[bad] * 100]))
    (subject,) = found
    assert subject == f"v={value}"
    each = found[subject]
    assert each.verdict is Verdict.CHANGED
    assert each.says == f"10% of the vectors of 'v' {says}, were 0%"
    assert each.effect.name == "cohens_h"
    assert len(each.examples) == 3
    assert len(each.next) == 1
    assert told(table([*before[:900], *[bad] * 100]), table([*now[:900], *[bad] * 100]))[
        subject
    ].verdict in {Verdict.STEADY, Verdict.UNKNOWN}


def test_rows_without_a_vector_are_told_once():
    """Null rows are missing values, which another check tells."""
    now = [*unit(900, seed=1).tolist(), *[None] * 100]
    found = findings(table(unit(1000).tolist()), table(now))
    assert CHECK not in found
    assert found["quality.missing"][0].says == "'v' is missing in 10% of rows, was 0%"


def test_vectors_that_are_no_longer_normalised():
    """All of length 1 before, half of them not now: a fact, with the lengths."""
    now = unit(1000, seed=1)
    now[500:] *= np.float32(2.5)
    (found,) = told(table(unit(1000)), table(now)).values()
    assert (found.subject, found.verdict) == ("v=norm", Verdict.CHANGED)
    assert "were all of length 1; 50% are not now, they are 1 to 2.5 long" in found.says
    assert found.effect is None
    (back,) = told(table(now), table(unit(1000))).values()
    assert back.verdict is Verdict.WATCH
    assert "are all of length 1 now, 1 to 2.5 before" in back.says
    assert told(table(now), table(now)) == {}


@pytest.mark.parametrize(("kind", "verdict"), [("f2", Verdict.WATCH), ("f8", Verdict.STEADY)])
def test_another_precision_is_told(kind, verdict):
    """Float16 rounds where it shows: watch; float64 compares equal."""
    found = told(table(unit(500)), table(unit(500, seed=1).astype(kind)))
    assert found["v=precision"].verdict is verdict
    assert "were float32, now float" in found["v=precision"].says
    assert set(found) == {"v=precision"}


@pytest.mark.parametrize("rows", [1000, 9000])
def test_one_vector_for_everything(rows):
    """A tenth of the rows share one vector: seen in few rows, and in more than the sample holds."""
    now = unit(rows, size=24, seed=1)
    now[: rows // 10] = now[0]
    found = told(table(unit(rows, size=24)), table(now))["v=same"]
    assert found.verdict is Verdict.CHANGED
    assert found.effect.value == pytest.approx(0.64, abs=0.1)
    assert found.says.startswith("one vector stands in 10% of the rows of 'v', was 0.")


def test_what_differs_by_nature_is_left_alone():
    """An ignored vector, and a reference without any vector, have nothing to compare."""
    now = [*unit(300).tolist(), *[[0.0] * 8] * 300]
    assert told(table(unit(600)), table(now), ignore=["v"]) == {}
    assert told(table([None] * 600), table(now)) == {}
    assert told(table(unit(600)), table([None] * 600)) == {}


def test_it_asks_for_the_vectors_alone():
    """No other column is read for this check."""
    schema = Schema((Column("v", Kind.VECTOR), Column("n", Kind.NUMBER)))
    assert [columns for columns, _ in VectorQuality().needs(schema)] == [("v",)]


def test_vectors_of_two_lengths_are_refused():
    """384 against 383: which column, both lengths, and what next; a few odd rows are no reason."""
    plan = planned(table(unit(200, size=384)))
    short = open_dataset(table(unit(50, size=383)))
    with pytest.raises(DataError) as caught:
        same_dimension(plan, short)
    assert "'v' have 383 numbers, those of the reference 384" in str(caught.value)
    assert "compare-encoders" in str(caught.value)
    rows = unit(50, size=384).tolist()
    for fine in ([*rows, [1.0]], [None] * 3, [None, *rows]):
        same_dimension(plan, open_dataset(table(fine)))
    with pytest.raises(DataError, match="have 2 numbers"):
        same_dimension(plan, open_dataset(table([None, [1.0, 2.0]])))
    same_dimension(plan, open_dataset(pa.table({"n": [1]})))


def test_lists_of_many_lengths_are_no_vectors():
    """Lists of floats without one common length are read as lists, and said to be uncompared."""
    random = np.random.default_rng(0)
    rows = [random.normal(size=size).tolist() for size in random.integers(1, 20, 300)]
    found = findings(table(rows), table(rows))
    assert CHECK not in found
    assert found["schema.uncompared"][0].evidence["columns"] == ["v"]


def test_vectors_are_no_longer_uncompared():
    """A lens reads vectors; what nothing reads is still said, as is a reference without one."""
    words = {"tags": [["a"]] * 600}
    found = findings(table(unit(600), **words), table(unit(600), **words))
    assert found["schema.uncompared"][0].evidence["columns"] == ["tags"]
    nothing = table([None] * 600, tags=[["a"]] * 600)
    found = findings(nothing, table(unit(600), **words))
    assert found["schema.uncompared"][0].evidence["columns"] == ["v", "tags"]
