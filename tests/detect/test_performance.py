"""Performance: what is found, what is told, and what is not claimed."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from undertow.core.check import History
from undertow.core.errors import UsageError
from undertow.core.verdict import Verdict
from undertow.detect.performance import Performance, registered
from undertow.stats import metrics
from undertow.stats.metrics import metric
from undertow.stats.outcomes import tables

SEVEN = 7


def classes(n, seed, right=0.95, of_seven=0.95, labelled=1.0):
    """Ten classes; class 7 may be predicted worse, and some labels may be missing."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 10, n)
    sure = np.where(y == SEVEN, of_seven, right)
    p = np.where(random.random(n) < sure, y, np.where(y == SEVEN, 1, (y + 1) % 10))
    mask = random.random(n) >= labelled
    return pa.table(
        {"p": p.astype(str), "y": pa.array(y.astype(str), mask=mask), "x": random.normal(size=n)}
    )


def numbers(n, seed, noise=5.0, shift=0.0):
    """A regression whose error has this spread."""
    random = np.random.default_rng(seed)
    y = random.normal(100, 30, n)
    return pa.table({"p": y + random.normal(shift, noise, n), "y": y})


ROLES = {"prediction": "p", "label": "y"}


def test_the_worst_class_is_named(findings):
    """A class that collapses is found, named, and said to be confused with what."""
    found = findings(classes(20_000, 0), classes(20_000, 1, of_seven=0.5), **ROLES)
    accuracy, recall = found["performance.accuracy"][0], found["performance.class_recall"][0]
    assert accuracy.verdict is recall.verdict is Verdict.CHANGED
    assert accuracy.says.startswith("accuracy 95")
    assert "class '7': recall" in accuracy.says
    assert (recall.subject, recall.value) == ("p=7", "7")
    assert "now called '1'" in recall.says
    assert accuracy.shape["form"] == "metric"
    assert accuracy.shape["current"]["low"] < accuracy.shape["current"]["value"]
    assert accuracy.evidence["macro_f1"]["current"] < accuracy.evidence["macro_f1"]["reference"]
    example = accuracy.examples[0]
    assert example["p"] != example["y"]
    json.dumps([each.to_dict() for each in (accuracy, recall)], allow_nan=False)


def test_nothing_is_steady_where_nothing_moved(findings):
    """Two halves of one stream are steady, with the metrics of both sides as evidence."""
    found = findings(classes(20_000, 0), classes(20_000, 1), **ROLES)
    assert found["performance.accuracy"][0].verdict is Verdict.STEADY
    assert found["performance.class_recall"][0].verdict is Verdict.STEADY
    assert "performance.labels" not in found


def test_few_rows_are_unknown_and_say_how_many_would_tell(findings):
    """At 100 rows accuracy is unknown, and needs_rows is of the right size."""
    found = findings(classes(100, 0), classes(100, 1), **ROLES)["performance.accuracy"][0]
    assert found.verdict is Verdict.UNKNOWN
    assert 500 < found.needs_rows < 5_000


def test_no_labels_now_is_an_unknown_fact(findings):
    """Without a label among the current rows nothing is called fine."""
    found = findings(classes(2000, 0), classes(2000, 1, labelled=0), **ROLES)
    labels = found["performance.labels"][0]
    assert (labels.verdict, labels.effect) == (Verdict.UNKNOWN, None)
    assert "concept drift cannot be excluded" in labels.says
    assert "2,000" in labels.says
    assert "performance.accuracy" not in found


@pytest.mark.parametrize("empty", ["p", "y"])
def test_an_empty_column_of_the_reference_is_named(findings, empty):
    """A reference without any label or prediction teaches nothing, and that is said."""
    rows = classes(200, 0)
    spot = rows.column_names.index(empty)
    bare = rows.set_column(spot, empty, pa.nulls(200))
    labels = findings(bare, rows, **ROLES)["performance.labels"][0]
    assert labels.verdict is Verdict.UNKNOWN
    assert "no row of the reference has both 'y' and 'p'" in labels.says


def test_exact_predictions_have_no_relative_error(findings):
    """A mean absolute error of 0 is no unit to measure a change in: unknown, not steady."""
    rows = pa.table({"p": [1.5, 2.5, 3.5] * 9, "y": [1.5, 2.5, 3.5] * 9})
    assert findings(rows, rows, **ROLES)["performance.mae"][0].verdict is Verdict.UNKNOWN


def test_a_label_column_that_is_gone_is_named(findings):
    """Where the column is not there at all, the finding says which."""
    found = findings(classes(2000, 0), classes(2000, 1).drop_columns(["y"]), **ROLES)
    assert "column 'y' is gone" in found["performance.labels"][0].says


def test_late_labels_are_counted_and_cautioned(findings):
    """Only labelled rows count, how many they are is said, and what that leaves open."""
    found = findings(classes(20_000, 0), classes(20_000, 1, right=0.8, labelled=0.3), **ROLES)
    accuracy = found["performance.accuracy"][0]
    assert accuracy.verdict is Verdict.CHANGED
    assert "of 20,000 rows, those with 'y'" in accuracy.says
    assert accuracy.rows.current == pytest.approx(6000, rel=0.05)
    assert accuracy.evidence["labelled"]["current"] == pytest.approx(0.3, abs=0.02)
    assert "cannot be excluded" in accuracy.evidence["note"]


def test_a_change_of_the_labels_is_told_from_a_change_of_the_model(findings):
    """Where accuracy fell because another class is common now, the sentence says so."""
    random = np.random.default_rng(0)
    sides = []
    for share in (0.05, 0.5):
        y = random.random(5000) < share
        p = y & (random.random(5000) < 0.2)
        sides.append(pa.table({"p": p.astype(int).astype(str), "y": y.astype(int).astype(str)}))
    accuracy = findings(*sides, **ROLES)["performance.accuracy"][0]
    assert "mostly because rows labelled" in accuracy.says


def test_regression_is_measured_against_its_own_error(findings):
    """Errors that grow by 60% change MAE; the scale of the label does not matter."""
    found = findings(numbers(4000, 0), numbers(4000, 1, noise=8.0), **ROLES)["performance.mae"][0]
    assert found.verdict is Verdict.CHANGED
    assert found.effect.name == "relative_change"
    assert found.effect.value == pytest.approx(0.6, abs=0.08)
    assert {"rmse", "bias", "r2"} <= set(found.evidence)
    assert "mean absolute error" in found.says
    steady = findings(numbers(4000, 0), numbers(4000, 1), **ROLES)["performance.mae"][0]
    assert steady.verdict is Verdict.STEADY


def test_a_probability_as_prediction_is_read_as_one(findings):
    """--prediction on a probability of a binary label gives accuracy at 0.5, not regression."""
    random = np.random.default_rng(0)
    y = random.random(3000) < 0.4
    p = np.clip(np.where(y, 0.8, 0.2) + random.normal(0, 0.2, 3000), 0, 1)
    rows = pa.table({"p": p, "y": y})
    found = findings(rows, rows, **ROLES)
    assert "performance.mae" not in found
    assert found["performance.accuracy"][0].evidence["auc"]["current"] > 0.9


def test_metrics_are_those_of_scikit_learn(findings):
    """Every metric of classes and numbers agrees with scikit-learn on the same rows."""
    from sklearn import metrics as sk

    random = np.random.default_rng(3)
    y = random.random(4000) < 0.3
    s = np.clip(0.3 + 0.25 * y + random.normal(0, 0.2, 4000), 0.001, 0.999)
    p = s >= 0.5
    rows = pa.table({"p": p.astype(int), "y": y.astype(int), "s": s})
    seen = findings(rows, rows, score="s", **ROLES)["performance.accuracy"][0].evidence
    expected = {
        "accuracy": sk.accuracy_score(y, p),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p),
        "macro_f1": sk.f1_score(y, p, average="macro"),
        "f1": sk.f1_score(y, p),
        "precision": sk.precision_score(y, p),
        "recall": sk.recall_score(y, p),
        "auc": sk.roc_auc_score(y, s),
        "brier": sk.brier_score_loss(y, s),
        "log_loss": sk.log_loss(y, s),
    }
    for name, value in expected.items():
        assert seen[name]["current"] == pytest.approx(value, abs=2e-3), name
    rows = numbers(3000, 1)
    seen = findings(rows, rows, **ROLES)["performance.mae"][0].evidence
    true, said = rows.column("y").to_numpy(), rows.column("p").to_numpy()
    assert seen["mae"]["current"] == pytest.approx(sk.mean_absolute_error(true, said), rel=1e-3)
    assert seen["rmse"]["current"] == pytest.approx(
        sk.mean_squared_error(true, said) ** 0.5, rel=1e-3
    )
    assert seen["r2"]["current"] == pytest.approx(sk.r2_score(true, said), abs=1e-3)
    assert seen["bias"]["current"] == pytest.approx((said - true).mean(), abs=1e-2)


def profiles(*sides, **options):
    """Both sides as profiles of one plan."""
    from undertow.loop import Loop

    loop = Loop.of(**options)
    before = loop.profile(sides[0])
    return before, loop.profile(sides[1], like=before)


def test_metrics_are_chosen():
    """Only the chosen metrics are judged; an unknown one, or one that noise moves, is refused."""
    sides = profiles(classes(3000, 0), classes(3000, 1), **ROLES)
    found = [each.check for each in Performance(metrics=("macro_f1",))(History(*sides))]
    assert found == ["performance.macro_f1"]
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        Performance(metrics=("acuracy",))
    with pytest.raises(UsageError, match="evidence only"):
        Performance(metrics=("ece",))


def test_a_metric_is_one_function():
    """A function of the table with a decorator is a metric, with an interval, and nothing else."""

    @metric()
    def error_rate(table):
        return 1 - metrics.accuracy.value(table)

    sides = profiles(classes(3000, 0), classes(3000, 1, right=0.8), **ROLES)
    key = (("p", "y"), next(k[1] for k in sides[0].parts if k[1].tag == "outcomes"))
    both = [side.collapsed() for side in tables(sides[0].parts[key], sides[1].parts[key])]
    ends = [metrics.measured(error_rate, side, side.drawn()) for side in both]
    moved = metrics.change(error_rate, *ends, 0.02, tuple(both))
    assert moved.low < 0.135 < moved.high
    assert "accuracy" in registered()


def test_the_order_of_the_rows_changes_nothing():
    """Shuffled rows and merged parts give the same findings, bit for bit."""
    now = classes(5000, 1, of_seven=0.6)
    mixed = now.take(pa.array(np.random.default_rng(0).permutation(5000)))
    before, one = profiles(classes(5000, 0), now, **ROLES)
    _, other = profiles(classes(5000, 0), mixed, **ROLES)
    key = next(k for k in before.parts if k[1].tag == "outcomes")
    assert one.parts[key] == other.parts[key]
    both = [
        [each.to_dict()["effect"] for each in Performance()(History(before, now))]
        for now in (one, other)
    ]
    assert both[0] == both[1]
