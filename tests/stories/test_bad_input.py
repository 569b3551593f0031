"""Bad input is refused in one line, or judged rightly: never a traceback, never a lost row."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.core.profile import EVERY
from undertow.summaries.moments import Moments
from undertow.summaries.sample import RowSample

ROWS = 400


@pytest.fixture
def rows() -> pa.Table:
    """A table of a number, a category and a whole number."""
    draw = np.random.default_rng(0)
    return pa.table(
        {
            "x": draw.normal(size=ROWS),
            "c": draw.choice(["a", "b"], ROWS),
            "k": draw.integers(0, 9, ROWS),
        }
    )


_FAR = {
    "normal": np.random.default_rng(1).normal(size=ROWS),
    "huge": np.array([1.7e308, -1.7e308] * (ROWS // 2)),
    "one huge value": np.full(ROWS, 1.7e308),
    "the whole range": np.linspace(-1, 1, ROWS) * sys.float_info.max,
    "normal and one huge": np.append(np.random.default_rng(2).normal(size=ROWS - 1), 1e308),
    "tiny": np.full(ROWS, 5e-324),
    "large whole numbers": 2.0**63 - np.arange(ROWS) * 4096,
}


@pytest.mark.parametrize("before", _FAR)
@pytest.mark.parametrize("now", _FAR)
def test_numbers_at_the_ends_of_what_a_float_holds_are_judged_without_a_warning(
    before: str, now: str
) -> None:
    """No pair of extreme columns overflows, warns, or writes a number that JSON does not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = ut.check({"x": _FAR[before]}, {"x": _FAR[now]})
        written = report.render("json")
        report.render("html")
    assert "NaN" not in written
    assert "Infinity" not in written
    if before == now:
        assert report.verdict != ut.Verdict.CHANGED


def test_the_mean_and_spread_of_numbers_that_no_float_can_sum_are_right() -> None:
    """The moments stay finite and exact where their sums exceed every float."""
    values = pa.array([sys.float_info.max, -sys.float_info.max] * 10)
    report = ut.check({"x": pa.array(np.arange(20.0))}, {"x": values})
    evidence = next(each.evidence for each in report.findings if each.check == "drift.number")
    assert evidence["mean"]["current"] == 0
    assert evidence["std"]["current"] == pytest.approx(sys.float_info.max)
    assert Moments(rows=3, total=10**400, squares=10**900).mean == sys.float_info.max


def test_a_misspelt_option_is_refused_and_not_left_out(rows: pa.Table) -> None:
    """A keyword that is no option names the closest one."""
    with pytest.raises(ut.UndertowError, match="no option 'predction'; did you mean 'prediction'"):
        ut.check(rows, rows, predction="c")  # type: ignore[call-arg]


def test_an_option_that_is_none_says_nothing(rows: pa.Table) -> None:
    """None is the same as leaving the option out."""
    nothing = dict.fromkeys(("text", "vector", "label", "kinds", "schema", "tolerance"))
    report = ut.check(rows, rows, **nothing)  # type: ignore[arg-type]
    assert report.verdict == ut.check(rows, rows).verdict


@pytest.mark.parametrize("option", ["text", "vector", "prediction", "label", "ignore", "time"])
@pytest.mark.parametrize("given", [3, ["c", 0]])
def test_an_option_that_names_no_column_is_refused(
    rows: pa.Table, option: str, given: object
) -> None:
    """A number where a column's name belongs is a usage error, not a TypeError."""
    with pytest.raises(ut.UndertowError, match=f"{option} .: give the name of a column"):
        ut.check(rows, rows, **{option: given})  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [object(), [], True, 0.5, "abc", float("nan")])
def test_a_tolerance_that_is_none_is_refused(rows: pa.Table, given: object) -> None:
    """Whatever is given as a tolerance is a number in range, or a line that says so."""
    with pytest.raises(ut.UndertowError, match="tolerance"):
        ut.check(rows, rows, tolerance=given)  # type: ignore[arg-type]


def test_one_stream_for_both_sides_is_refused(rows: pa.Table) -> None:
    """A stream is read once: the second side would have no rows."""
    stream = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
    with pytest.raises(ut.UndertowError, match="the same stream"):
        ut.check(stream, stream)


def test_two_streams_lose_no_row(rows: pa.Table) -> None:
    """Both sides may be streams, each read once."""
    one, other = (pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(7)) for _ in "ab")
    report = ut.check(one, other)
    assert (report.reference.rows, report.current.rows) == (ROWS, ROWS)
    assert report.verdict == ut.Verdict.STEADY


def test_a_query_that_fails_while_it_runs_is_refused_in_one_line(rows: pa.Table) -> None:
    """What DuckDB raises in the middle of a relation comes as a line of ours."""
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        broken = connection.sql("SELECT x, ('a' || c)::int AS c FROM rows")
        with pytest.raises(ut.UndertowError, match="Could not convert") as refused:
            ut.check(broken, rows)
    assert "\n" not in str(refused.value)


def test_a_path_that_no_system_takes_is_refused(rows: pa.Table) -> None:
    """A NUL in a path is a path that is not there."""
    with pytest.raises(ut.UndertowError, match="no such file"):
        ut.check("a\0b", rows)


def test_what_is_no_frame_is_refused(rows: pa.Table) -> None:
    """The class of a frame is not a frame."""
    with pytest.raises(ut.UndertowError, match="cannot read rows from type"):
        ut.check(pa.Table, rows)


def test_sparse_numbers_are_numbers(rows: pa.Table) -> None:
    """A sparse pandas column is read as the numbers it holds."""
    pandas = pytest.importorskip("pandas")
    frame = rows.to_pandas()
    sparse = frame.assign(k=pandas.arrays.SparseArray(frame["k"]))
    assert ut.check(sparse, frame).verdict == ut.Verdict.STEADY


def test_a_column_called_star_is_a_column_like_any_other(rows: pa.Table) -> None:
    """No column can be taken for the summaries of whole rows."""
    named = rows.rename_columns(["*", "c", "k"])
    profile = ut.profile(named)
    assert profile.get(RowSample, *EVERY) is not None
    assert "*" not in EVERY
    report = ut.check(profile, named)
    assert report.verdict == ut.Verdict.STEADY
    assert {"*", "c", "k"} <= {each.column for each in report.findings}
