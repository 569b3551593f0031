"""Models that went wrong in public data: what the output checks must say of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from undertow.core.verdict import Verdict
from undertow.loop import Loop

pytestmark = pytest.mark.real
DATA = Path(os.environ.get("UNDERTOW_DATA", Path(__file__).parents[3] / "shared" / "data"))


def read(name):
    """Return a data set as a pandas frame; skip where it is absent."""
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no {path}: set UNDERTOW_DATA to the folder of the data sets")
    return pytest.importorskip("pandas").read_parquet(path)


def compare(reference, current, **options):
    """Return {check: finding} of the output checks; the worst of each."""
    found = {}
    for each in Loop.of(**options).check(reference, current):
        found.setdefault(each.check, each)
    return found


@pytest.fixture(scope="module")
def loans():
    """The car loans: reference against the second half of analysis, where the data shift."""
    rows = read("nannyml_synthetic_car_loan")
    later = rows[rows.period == "analysis"]
    return rows[rows.period == "reference"], later.iloc[len(later) // 2 :]


ROLES = {
    "prediction": "y_pred",
    "score": "y_pred_proba",
    "id": "id",
    "ignore": ["period", "timestamp"],
}


def test_car_loans_fall_in_ranking_and_confidence(loans):
    """AUC 0.971 -> 0.960 as published; accuracy falls beyond its tolerance, and confidence."""
    found = compare(*loans, label="repaid", **ROLES)
    accuracy = found["performance.accuracy"]
    assert accuracy.verdict is Verdict.CHANGED
    assert accuracy.evidence["auc"]["reference"] == pytest.approx(0.971, abs=0.001)
    assert accuracy.evidence["auc"]["current"] == pytest.approx(0.960, abs=0.001)
    assert found["output.confidence"].verdict is Verdict.CHANGED
    assert found["output.category"].verdict is Verdict.STEADY
    assert found["label.category"].verdict is Verdict.STEADY


def test_car_loans_without_labels_are_never_fine(loans):
    """Where the labels have not come, confidence still tells, and performance is unknown."""
    found = compare(loans[0], loans[1].assign(repaid=np.nan), label="repaid", **ROLES)
    assert found["performance.labels"].verdict is Verdict.UNKNOWN
    assert found["output.confidence"].verdict is Verdict.CHANGED
    assert "performance.accuracy" not in found


def test_car_loans_are_steady_before_the_shift(loans):
    """The first half of the reference against its second half: nothing changed or to watch."""
    rows = loans[0]
    found = compare(rows.iloc[:25_000], rows.iloc[25_000:], label="repaid", **ROLES)
    bad = {Verdict.CHANGED, Verdict.WATCH}
    loud = {name for name, each in found.items() if each.verdict in bad}
    assert not {name for name in loud if name.startswith(("performance", "output", "label"))}
    assert found["performance.accuracy"].verdict is Verdict.STEADY


def test_bank_marketing_loses_its_calibration():
    """A model of 2008 promises 9% in 2010 and half say yes: Brier .04 -> .45."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    rows = read("bank_marketing").sort_values("row_order")
    inputs = rows.drop(columns=["y", "duration", "row_order", "year_inferred"])
    words = inputs.select_dtypes(exclude="number").columns
    inputs[words] = OrdinalEncoder().fit_transform(inputs[words].astype(str))
    yes, year = (rows.y.astype(str) == "yes").to_numpy(), rows.year_inferred.astype(int).to_numpy()
    first = np.flatnonzero(year == 2008)
    np.random.default_rng(0).shuffle(first)
    train, kept = np.split(first, [len(first) * 7 // 10])
    model = HistGradientBoostingClassifier(random_state=0, max_iter=40)
    model.fit(inputs.iloc[train].to_numpy(), yes[train])
    judged = rows.assign(p=model.predict_proba(inputs.to_numpy())[:, 1])[["y", "p"]]
    found = compare(judged.iloc[np.sort(kept)], judged.iloc[year == 2010], score="p", label="y")
    moved = found["output.calibration"]
    assert moved.verdict is Verdict.CHANGED
    assert moved.evidence["brier"]["reference"] == pytest.approx(0.042, abs=0.006)
    assert moved.evidence["brier"]["current"] == pytest.approx(0.451, abs=0.01)
    assert "'yes' is given" in moved.says
    assert "came true in 52%" in moved.says
    accuracy = found["performance.accuracy"]
    ranking = accuracy.evidence["auc"]
    assert ranking["reference"] - ranking["current"] < 0.15
    assert "mostly because rows labelled 'yes' went 5% → 52%" in accuracy.says


def test_gpt4_flipped_its_answers_on_primes():
    """March to June 2023: accuracy 0.840 -> 0.502, and it calls nearly nothing prime."""
    rows = read("llmdrift_prime")
    rows = rows[rows.model_family == "gpt-4"]
    said = rows.answer.str.extract(r"\[(Yes|No)\]", expand=False).fillna("none")
    rows = rows.assign(said=said)[["model_version", "said", "ref_answer"]]
    march, june = (rows[rows.model_version == v] for v in ("0314", "0613"))
    found = compare(march, june, prediction="said", label="ref_answer", ignore="model_version")
    accuracy = found["performance.accuracy"]
    assert accuracy.verdict is Verdict.CHANGED
    assert accuracy.evidence["accuracy"]["reference"] == pytest.approx(0.840, abs=5e-4)
    assert accuracy.evidence["accuracy"]["current"] == pytest.approx(0.502, abs=5e-4)
    worst = found["performance.class_recall"]
    assert worst.value.lower() == "yes"
    assert "now called" in worst.says
    assert found["output.category"].verdict is Verdict.CHANGED


@pytest.mark.parametrize(
    ("family", "before", "now"), [("gpt-4", 0.21, 0.05), ("gpt-3.5-turbo", 0.02, 0.08)]
)
def test_a_hundred_answers_are_told_honestly(family, before, now):
    """100 questions: answers 21 -> 5% are at least watched, 2 -> 8% unknown, none steady."""
    rows = read("llmdrift_sensitive")
    rows = rows[rows.model_family == family]
    rows = rows.assign(answered=rows.response_rate.astype(int))[["model_version", "answered"]]
    march, june = (rows[rows.model_version == v] for v in sorted(rows.model_version.unique()))
    share = compare(march, june, prediction="answered", ignore="model_version")["output.share"]
    assert share.evidence["share"] == {"reference": before, "current": now}
    loud = {Verdict.CHANGED, Verdict.WATCH}
    assert share.verdict in (loud if family == "gpt-4" else {Verdict.UNKNOWN})
