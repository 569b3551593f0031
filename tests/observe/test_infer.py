"""How columns are read: by type, by name, by value, and always with the reason."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.core.schema import Kind, Role


def read(**columns):
    """Return the schema undertow infers."""
    return ut.infer_schema(pa.table(columns))


@pytest.fixture
def n():
    """Rows enough to tell an identifier from a feature."""
    return 400


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5] * 200, Kind.NUMBER),
        ([True, False] * 200, Kind.BOOL),
        (["red", "blue"] * 200, Kind.CATEGORY),
        ([0, 1] * 200, Kind.CATEGORY),
        ([1, 2, 3, 4] * 100, Kind.NUMBER),
        ([f"{i / 7:.2f}" for i in range(400)], Kind.NUMBER),
        ([f"2024-01-{i % 28 + 1:02d}" for i in range(400)], Kind.TIME),
        ([[0.1, 0.2]] * 400, Kind.VECTOR),
        ([{"a": 1}] * 400, Kind.NUMBER),
        ([f"the parcel number {i} arrived late and wet" for i in range(400)], Kind.TEXT),
    ],
)
def test_kinds(values, kind):
    """Each plain case has its kind, and a reason to show."""
    (column,) = read(x=values)
    assert column.kind is kind
    assert column.why


def test_identifiers_are_left_alone(n):
    """Unique codes, and whole numbers in sequence whose name says so, are not features."""
    schema = read(
        code=[f"A-{i:05d}" for i in range(n)],
        order_id=range(n),
        amount=range(n),
        id=range(n),
    )
    assert schema["code"].role is Role.ID
    assert schema["order_id"].role is Role.ID
    assert schema["id"].role is Role.ID
    assert schema["amount"].role is Role.FEATURE


def test_roles_by_name(n):
    """Names that everybody uses are read, the rest are features."""
    random = np.random.default_rng(0)
    schema = read(
        prediction=random.choice(["a", "b"], n),
        label=random.integers(0, 3, n),
        confidence=random.random(n),
        created_at=pa.array(random.integers(0, 10**9, n), pa.timestamp("s")),
        colour=random.choice(["a", "b"], n),
    )
    assert [column.role for column in schema] == [
        Role.PREDICTION, Role.LABEL, Role.SCORE, Role.TIME, Role.FEATURE,
    ]  # fmt: skip
    assert schema["label"].kind is Kind.CATEGORY
    assert "its name says label" in schema["label"].why


def test_flags_win_over_names_and_values(n):
    """What the user says stands; a second prediction by name does not creep in."""
    table = pa.table({"p": ["a", "b"] * 200, "prediction": ["a", "b"] * 200, "x": [1, 2] * 200})
    schema = ut.infer_schema(table, prediction="p", kinds={"x": "category"})
    assert schema["p"].role is Role.PREDICTION
    assert schema["prediction"].role is Role.FEATURE
    assert schema["x"].kind is Kind.CATEGORY
    assert schema["x"].why == "declared"


def test_a_column_cannot_have_two_roles():
    """The contradiction is named."""
    with pytest.raises(ut.UsageError, match="'x' cannot be both prediction and label"):
        ut.infer_schema(pa.table({"x": [1]}), prediction="x", label="x")


def test_an_unknown_column_is_answered_with_the_closest():
    """A typing mistake costs one line."""
    with pytest.raises(ut.UsageError, match=r"no column 'aeg'.*did you mean 'age'"):
        ut.infer_schema(pa.table({"age": [1]}), ignore="aeg")


def test_a_schema_file_is_read_back(tmp_path, n):
    """What `undertow schema` writes, edited, decides the kinds and roles of a check."""
    from undertow.config import write_schema

    table = pa.table({"stars": [1, 2, 3, 4, 5] * 80, "y": ["a", "b"] * 200})
    schema = ut.infer_schema(table).but("stars", kind=Kind.CATEGORY).but("y", role=Role.LABEL)
    write_schema(schema, tmp_path / "schema.toml")
    report = ut.check(table, table, schema=tmp_path / "schema.toml")
    kinds = {column.name: column.kind for column in report.columns}
    assert kinds["stars"] is Kind.CATEGORY
    assert "label.category" in {each.check for each in report}


def test_the_reading_does_not_depend_on_the_order_of_rows(n):
    """Any order and any batching of the same rows is read the same way."""
    random = np.random.default_rng(3)
    table = pa.table(
        {
            "a": random.choice(["x", "y"], n),
            "b": [f"row {i} of the long list" for i in range(n)],
            "c": random.poisson(2, n),
        }
    )
    mixed = table.take(pa.array(random.permutation(n)))
    assert ut.infer_schema(table) == ut.infer_schema(mixed)
