"""A map's axes come from the reference alone, its points are bounded, and its shape is plain JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError
from undertow.stats import projection
from undertow.stats.projection import Side, fit, shape


def rows(count: int = 200, wide: int = 6, seed: int = 0) -> Any:
    """Return rows that vary most along their first column, then along their second."""
    spread = np.array([5.0, 3.0, *[1.0] * (wide - 2)])[:wide]
    return np.random.default_rng(seed).normal(size=(count, wide)) * spread


def codes(packed: str, kind: str = "u1") -> Any:
    """Return packed numbers."""
    return np.frombuffer(base64.b64decode(packed), kind)


def gaps(packed: str) -> list[int]:
    """Return the positions that gaps stand for."""
    made, gap, shift, at = [], 0, 0, 0
    for byte in base64.b64decode(packed):
        gap |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            at += gap
            made.append(at)
            gap, shift = 0, 0
    return made


def test_axes_are_those_of_the_reference() -> None:
    """Whatever the current side holds, reference rows stand where they stood."""
    old = rows()
    alone = fit(old)(old)
    assert np.allclose(alone, fit(old)(np.concatenate([old, rows(seed=1) + 50]))[: len(old)])
    one, other = shape(old, rows(seed=1)), shape(old, rows(50, seed=2))
    for axis in "xy":
        spots = [codes(each[axis], "<u2")[:200].astype(float) for each in (one, other)]
        assert np.corrcoef(*spots)[0, 1] > 0.9999


@pytest.mark.parametrize("wide", [2, 6, 1500])
def test_axes_are_principal_and_their_sign_is_fixed(wide: int) -> None:
    """The axes are orthonormal, hold the most variance, and do not flip with the order of rows."""
    old = rows(300, wide)
    old[:, :2] *= wide / 2  # far above what noise alone would make of so many columns
    held = fit(old)
    assert np.allclose(held.axes @ held.axes.T, np.eye(2), atol=1e-6)
    centred = old - old.mean(axis=0)
    most = np.linalg.svd(centred, compute_uv=False)[:2] ** 2 / (centred**2).sum()
    assert held.share == pytest.approx(tuple(most), rel=0.02)
    again = fit(old[::-1])
    assert np.allclose(held.axes, again.axes, atol=1e-4)
    assert (held.axes[[0, 1], np.abs(held.axes).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize(
    "old",
    [np.ones((5, 3)), np.zeros((1, 3)), np.arange(4.0)[:, None], rows(40).astype(np.float16)],
    ids=["constant", "one row", "one column", "half"],
)
def test_poor_references_have_a_map(old: Any) -> None:
    """Rows that do not vary, one row, one column and half precision are drawn."""
    made = shape(old, old)
    assert made["drawn"] == {"reference": len(old), "current": len(old)}
    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.full((4, 3), np.nan), np.zeros(3)])
def test_no_reference_no_map(bad: Any) -> None:
    """Without one finite row of the reference nothing can be fitted, and it says so."""
    with pytest.raises(DataError):
        fit(bad)


def test_another_width_is_refused() -> None:
    """Vectors of another model's width are refused in words."""
    with pytest.raises(DataError, match="fitted on vectors of 6, these are 9 x 4"):
        shape(rows(), rows(9, 4))


def test_rows_that_are_not_finite_are_left_out() -> None:
    """A vector with nan or inf is counted among the rows and not drawn."""
    new = rows(10, seed=1)
    new[2, 0], new[5, 1] = np.nan, np.inf
    made = shape(rows(), new)
    assert made["rows"]["current"] == 10
    assert made["drawn"]["current"] == 8
    assert gaps(made["ids"]["current"]) == [0, 1, 3, 4, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("old", "new", "drawn"),
    [(900, 90, (410, 90)), (900, 900, (250, 250)), (30, 40, (30, 40)), (60, 9_000, (60, 440))],
)
def test_a_cap_is_shared(old: int, new: int, drawn: tuple[int, int]) -> None:
    """Each side has half of the cap if it needs it, and what the other leaves; the draw is fixed."""
    made = shape(rows(old), rows(new, seed=1), cap=500)
    assert tuple(made["drawn"].values()) == drawn
    assert tuple(made["rows"].values()) == (old, new)
    assert made == shape(rows(old), rows(new, seed=1), cap=500)
    if old > drawn[0]:
        listed = gaps(made["ids"]["reference"])
        assert len(listed) == drawn[0]
        assert listed == sorted(set(listed))
        assert listed[-1] < old


def test_a_few_points_far_away_stand_at_the_edge() -> None:
    """Two rows a thousand units off do not shrink the rest to a dot, and are counted."""
    new = rows(2_000, seed=1)
    new[:2, 0] = 5_000
    made = shape(rows(2_000), new)
    assert made["outside"] == 2
    spots = codes(made["x"], "<u2")[:2_000]
    assert spots.max() - spots.min() > 20_000


def test_classes_are_counted_over_all_rows() -> None:
    """Counts are of all rows, the rest is other, no class is none; those that moved stand first."""
    names = [f"c{i:02d}" for i in range(20)]
    old = [names[i % 20] for i in range(1_000)]
    new = ["fresh"] * 300 + [None, float("nan")] + [names[i % 20] for i in range(698)]
    made = shape(Side(rows(1_000), cluster=old), Side(rows(1_000, seed=1), cluster=new), cap=400)
    field = made["classes"][0]
    assert field["values"][0] == "fresh"
    assert len(field["values"]) == projection.NAMED
    assert sum(field["reference"]) == sum(field["current"]) == 1_000
    assert field["current"][0] == 300
    assert field["current"][-1] == 2
    assert field["reference"][-2] == 1_000 - 11 * 50
    assert len(codes(field["codes"])) == 400
    assert len(field["at"]) == projection.NAMED


def test_errors_may_be_unknown() -> None:
    """An error is right, wrong or not known, whatever a side can tell."""
    made = shape(rows(), Side(rows(3), error=[True, 0, None]))
    field = made["classes"][0]
    assert field["values"] == ["right", "wrong"]
    assert field["reference"] == [0, 0, 0, 200]
    assert field["current"] == [1, 1, 0, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e10, 1e11) | st.just(float("nan")), min_size=1, max_size=30))
def test_any_times_become_steps(times: list[float]) -> None:
    """Whatever span is given, there are at most as many steps as a code can tell, none lost."""
    made = shape(rows(), Side(rows(len(times)), time=times))
    known = [each for each in times if each == each]  # noqa: PLR0124
    if not known:
        assert "time" not in made
        return
    time = made["time"]
    assert 1 <= time["slots"] <= projection.SLOTS
    assert len(time["current"]) == time["slots"]
    assert sum(time["current"]) == len(known)
    found = codes(time["codes"])[200:]
    for each, slot in zip(times, found.tolist(), strict=True):
        if each == each:  # noqa: PLR0124
            start = time["start"] + slot * time["step"]
            assert start - 1e-4 <= each <= start + time["step"] + 1e-4
        else:
            assert slot == projection.NONE


def test_long_ids_give_way_to_positions() -> None:
    """Ids are kept while they fit; then rows go by position."""
    old = rows(50)
    short = shape(Side(old, ids=range(50)), Side(old, ids=[f"n{i}" for i in range(50)]))
    assert short["ids"]["reference"][:2] == ["0", "1"]
    long = shape(Side(old, ids=["x" * 9_000] * 50), Side(old, ids=[""] * 50))
    assert long["ids"] == {"reference": None, "current": None}


@pytest.mark.parametrize("field", ["label", "cluster", "error", "time", "ids"])
def test_a_field_has_one_value_a_row(field: str) -> None:
    """A field of another length is refused with both numbers."""
    with pytest.raises(DataError, match=r"(2 (values|times)).*200 vectors"):
        shape(Side(rows(), **{field: [1, 2]}), Side(rows(), ids=[0] * 200))


def test_a_sample_says_what_it_stands_for() -> None:
    """A sample's total is what it stands for, and its rows are named by ids or not at all."""
    made = shape(Side(rows(), total=1_000_000), rows(20))
    assert made["rows"] == {"reference": 1_000_000, "current": 20}
    assert made["drawn"] == {"reference": 200, "current": 20}
    assert made["ids"] is None
    named = shape(Side(rows(), total=1_000_000, ids=range(200)), Side(rows(20), ids=range(20)))
    assert named["ids"]["current"][:2] == ["0", "1"]
