"""Confidence and entropy, from whatever form the scores have."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.core.verdict import Verdict
from undertow.lenses.probabilities import Certainty, Probabilities


def vectors(n, seed, sharp, logits=False):
    """Vectors of four class probabilities; the sharper, the surer."""
    random = np.random.default_rng(seed)
    z = random.normal(0, sharp, (n, 4))
    rows = z if logits else np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return pa.table({"probs": pa.array(list(rows))})


@pytest.mark.parametrize("logits", [False, True])
def test_a_model_that_grows_unsure_is_found(findings, logits):
    """Probabilities or logits: both confidence and entropy move, and the classes are named."""
    found = findings(vectors(4000, 0, 3, logits), vectors(4000, 1, 1, logits), score="probs")
    for name in ("output.confidence", "output.entropy"):
        (each,) = found[name]
        assert each.verdict is Verdict.CHANGED
        assert (each.subject, each.column) == ("probs", "probs")
        assert "less sure" in each.says
        assert each.shape["form"] == "histogram"
    evidence = found["output.confidence"][0].evidence
    assert evidence["above_0.9"]["current"] < evidence["above_0.9"]["reference"]
    assert set(evidence["predicted"]) == {"0", "1", "2", "3"}
    assert "no labels" in evidence["note"]
    assert "output.number" not in found


def test_the_same_model_is_steady(findings):
    """Nothing moves where nothing moved."""
    found = findings(vectors(4000, 0, 2), vectors(4000, 1, 2), score="probs")
    assert found["output.confidence"][0].verdict is Verdict.STEADY
    assert found["output.entropy"][0].verdict is Verdict.STEADY
    assert "output.category" in found


def test_vectors_are_judged_against_labels(findings):
    """The class a vector favours is held to the label, and its confidence to accuracy."""
    rows = vectors(4000, 0, 3)
    matrix = np.array(rows.column("probs").to_pylist())
    random = np.random.default_rng(5)
    y = (matrix.cumsum(1) > random.random((4000, 1))).argmax(1)
    rows = rows.append_column("y", pa.array(y))
    found = findings(rows, rows, score="probs", label="y")
    accuracy = found["performance.accuracy"][0].evidence["accuracy"]["current"]
    assert accuracy == pytest.approx((matrix.argmax(1) == y).mean())
    gap = found["output.calibration"][0].evidence["gap_confidence"]["current"]
    assert abs(gap) < 0.03


def test_a_binary_score_gives_the_confidence_of_either_class(findings):
    """A probability that moves to the middle from both ends keeps its median; confidence falls."""
    random = np.random.default_rng(0)
    before = pa.table({"s": random.beta(0.4, 0.4, 5000)})
    now = pa.table({"s": random.beta(2, 2, 5000)})
    found = findings(before, now, score="s")["output.confidence"][0]
    assert found.verdict is Verdict.CHANGED
    assert found.column == "s"


def test_a_confidence_is_not_judged_twice(findings):
    """A score that is a confidence already gets one finding, as any output."""
    random = np.random.default_rng(0)
    rows = pa.table({"s": random.uniform(0.4, 1, 1000)})
    found = findings(rows, rows, score="s")
    assert "output.number" in found
    assert "output.confidence" not in found


def test_odd_vectors_are_missing():
    """Nulls, missing numbers, other lengths and all zeros are null, and nothing raises."""
    column = Column("p", Kind.VECTOR, Role.SCORE)
    cells = pa.array([[0.5, 0.5], None, [0.2], [None, 1.0], [0.0, 0.0], [float("nan"), 0.5]])
    made = Probabilities(2)(Values(column, cells))
    assert [x is None for x in made["p:label"].to_pylist()] == [False, True, True, True, True, True]
    nothing = Survey(
        1, pa.table({"p": pa.array([None], pa.list_(pa.float64()))}), np.ones(1, np.int64)
    )
    assert Probabilities.fit(nothing, column).columns(column) == ()


def test_lenses_come_back_from_their_state():
    """A lens in a profile file is the lens that was fitted."""
    for lens in (Probabilities(3, logits=True), Certainty("margin")):
        assert type(lens).restore(lens.state()) == lens
