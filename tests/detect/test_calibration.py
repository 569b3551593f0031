"""Calibration: a probability that no longer means what it says is found, and only then."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from undertow.core.verdict import Verdict

ROLES = {"score": "s", "label": "y"}


def binary(n, seed, rate=0.3, sharpen=1.0):
    """Two classes with a calibrated probability, unless it is sharpened or the rate is another."""
    random = np.random.default_rng(seed)
    y = random.random(n) < rate
    z = 1.5 * random.normal(np.where(y, 0.75, -0.75), 1.0) + np.log(3 / 7)
    return pa.table({"y": y.astype(int), "s": 1 / (1 + np.exp(-sharpen * z))})


def test_calibrated_stays_steady(findings):
    """The same calibrated model on new rows is steady."""
    found = findings(binary(20_000, 0), binary(20_000, 1), **ROLES)["output.calibration"][0]
    assert found.verdict is Verdict.STEADY
    assert abs(found.evidence["gap_positive"]["current"]) < 0.02


def test_a_new_base_rate_is_seen(findings):
    """Where the positive class doubles and the score does not know, the gap is told."""
    found = findings(binary(5000, 0), binary(5000, 1, rate=0.6), **ROLES)["output.calibration"][0]
    assert found.verdict is Verdict.CHANGED
    assert "came true in 6" in found.says
    assert found.evidence["brier"]["current"] > found.evidence["brier"]["reference"]


def test_overconfidence_on_both_sides_is_seen(findings):
    """Scores pushed to both ends move their mean little; the gap to accuracy shows it."""
    found = findings(binary(20_000, 0), binary(20_000, 1, sharpen=3.0), **ROLES)
    moved = found["output.calibration"][0]
    assert moved.verdict is Verdict.CHANGED
    assert "overconfident" in moved.says
    assert abs(moved.evidence["gap_positive"]["current"]) < 0.1


def test_the_curve_holds_every_row(findings):
    """The chart's rows add up to the data, and each share lies in its interval."""
    found = findings(binary(3000, 0), binary(2000, 1), **ROLES)["output.calibration"][0]
    rows = found.shape["rows"]
    assert found.shape["form"] == "calibration"
    assert sum(row["rows_reference"] for row in rows) == 3000
    assert sum(row["rows_current"] for row in rows) == 2000
    assert all(row["low"] <= row["current"] <= row["high"] for row in rows if row["rows_current"])


def test_several_classes_use_the_confidence(findings):
    """With more than two classes the confidence in the prediction is held to accuracy."""
    random = np.random.default_rng(0)
    sides = []
    for drop in (0.0, 0.2):
        y, sure = random.integers(0, 5, 8000), random.beta(9, 1, 8000)
        p = np.where(random.random(8000) < sure - drop, y, (y + 1) % 5)
        sides.append(pa.table({"p": p.astype(str), "y": y.astype(str), "s": sure}))
    found = findings(*sides, prediction="p", **ROLES)["output.calibration"][0]
    assert found.verdict is Verdict.CHANGED
    assert found.effect.value == pytest.approx(0.2, abs=0.02)


def test_margins_have_no_calibration(findings):
    """A score that is no probability is not held to one; its ranking still counts."""
    random = np.random.default_rng(0)
    y = random.random(2000) < 0.5
    rows = pa.table({"y": y.astype(int), "s": np.where(y, 1.0, -1.0) + random.normal(size=2000)})
    found = findings(rows, rows, **ROLES)
    assert "output.calibration" not in found
    assert found["performance.accuracy"][0].evidence["auc"]["current"] == pytest.approx(
        0.92, abs=0.02
    )
