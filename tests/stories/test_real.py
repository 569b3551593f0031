"""Real data sets as a user types them: `undertow check` with conditions, and what it must say."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import undertow as ut
from undertow.core.verdict import Verdict
from undertow.surfaces.cli import main

pytestmark = pytest.mark.real
LOUD = {"changed", "watch"}


@dataclass(frozen=True)
class Said:
    """What one run of the command said: its exit code, its first sentence, its report."""

    code: int
    text: str
    report: dict[str, Any]

    @property
    def first(self) -> str:
        """The sentence at the top."""
        return " ".join(self.text.splitlines()[:2])

    def on(self, column: str, check: str = "") -> dict[str, Any]:
        """Return the worst finding on a column, of checks that start so."""
        return next(
            each
            for each in self.report["findings"]
            if each["column"] == column and each["check"].startswith(check)
        )

    def loud(self) -> set[str]:
        """Return the columns with a finding that changed or is to be watched."""
        return {each["column"] for each in self.report["findings"] if each["verdict"] in LOUD}


@pytest.fixture
def undertow(capsys, tmp_path, monkeypatch):
    """Return a runner of the command line, in a folder without acceptances."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Said:
        code = main([*map(str, words), "--json", "report.json"])
        said = capsys.readouterr()
        assert code in {0, 1}, said.err
        return Said(code, said.out, json.loads((tmp_path / "report.json").read_text()))

    return run


def conditions(reference: str, current: str) -> tuple[str, ...]:
    """Return both conditions as options."""
    return "--reference-where", reference, "--current-where", current


def test_bank_marketing_names_the_label_shift_first(undertow, real):
    """2008 v 2010: ten times as many say yes; the macro columns moved; the year is left out."""
    rows = real("bank_marketing")
    years = conditions("year_inferred = 2008", "year_inferred = 2010")
    said = undertow("check", rows, rows, *years, "--ignore", "duration")
    assert said.code == 1
    assert "y=yes changed ('yes' 4.8% → 52% of rows)" in said.first
    assert said.on("y")["evidence"]["share"]["reference"] == pytest.approx(0.048, abs=5e-4)
    assert said.on("y")["evidence"]["share"]["current"] == pytest.approx(0.521, abs=5e-4)
    euribor = said.on("euribor3m", "drift.number")
    assert euribor["verdict"] == "changed"
    assert euribor["evidence"]["median"]["current"] < euribor["evidence"]["median"]["reference"]
    macro = {"emp_var_rate", "euribor3m", "nr_employed", "cons_price_idx", "cons_conf_idx"}
    assert macro <= said.loud()
    assert "year_inferred" not in said.loud()
    assert any("year_inferred" in note for note in said.report["notes"])


def test_a_next_step_can_be_pasted(undertow, real):
    """The command under "Do next" names the data and keeps the condition: it runs as it stands."""
    rows = real("bank_marketing")
    years = conditions("year_inferred = 2008", "year_inferred = 2010")
    said = undertow("check", rows, rows, *years)
    step = said.on("cons_price_idx", "drift.number")["next"][0].partition(": undertow ")[2]
    again = undertow(*shlex.split(step))
    assert [side["rows"] for side in (again.report["reference"], again.report["current"])]
    assert again.report["reference"]["rows"] + again.report["current"]["rows"] == 2058
    assert "cons_price_idx" not in again.loud()
    assert "cons_price_idx > " in step


def test_pantry_reviews_get_shorter_and_fewer_are_verified(undertow, real):
    """2014 v 2016: `verified` .914 -> .796 is loud; 9% shorter is real and is tolerated."""
    rows = real("amazon_pantry_reviews")
    years = conditions("year(date) = 2014", "year(date) = 2016")
    said = undertow("check", rows, rows, *years, "--ignore", "source_split")
    verified = said.on("verified", "drift.share")
    assert verified["verdict"] == "changed"
    assert verified["value"] == "true"
    assert verified["evidence"]["share"]["reference"] == pytest.approx(0.914, abs=5e-4)
    assert verified["evidence"]["share"]["current"] == pytest.approx(0.796, abs=5e-4)
    shorter = said.on("text:words", "drift.number")
    assert shorter["effect"]["low"] > 0.05
    assert shorter["evidence"]["median"] == {"reference": 11.0, "current": 8.0}  # no punctuation
    assert said.on("text", "drift.words")["effect"]["p_no_change"] < 1e-9
    strict = undertow(
        "check", rows, rows, *years, "--ignore", "source_split", "--tolerance", "text:words=0.05"
    )
    assert strict.on("text:words", "drift.number")["verdict"] == "changed"


def test_one_airline_against_another(undertow, real):
    """Twice as many tweets are negative: said first; the airline itself is no finding."""
    rows = real("airline_tweets")
    sides = conditions("airline = 'Virgin America'", "airline = 'US Airways'")
    said = undertow("check", rows, rows, *sides)
    assert "label=negative changed ('negative' 36% → 78% of rows)" in said.first
    assert said.on("text", "drift.word_share")["verdict"] == "changed"
    assert "airline" not in said.loud()


def test_a_constant_where_electricity_data_is_missing(undertow, real):
    """Three columns hold one value for a year: each is named with it, and first."""
    rows = real("elec2")
    day = "TIMESTAMP '1997-05-05'"
    said = undertow("check", rows, rows, *conditions(f"timestamp < {day}", f"timestamp >= {day}"))
    values = {"vicdemand": "0.422915", "vicprice": "0.003467", "transfer": "0.414912"}
    first = list(dict.fromkeys(each["column"] for each in said.report["findings"]))[:3]
    assert set(first) == set(values)
    for column, value in values.items():
        assert said.on(column, "quality.repeated")["value"] == value
    assert "17,424" in said.first


@pytest.mark.parametrize("rows", [24_421, 500])
def test_random_halves_of_the_census_are_silent(real, rows):
    """Ten random splits, whole and of 500 rows a side: nothing changed, nothing to watch."""
    table = pq.read_table(real("adult_census")).drop(["split"])
    for seed in range(10):
        order = pa.array(np.random.default_rng(seed).permutation(table.num_rows)[: 2 * rows])
        mixed = table.take(order)
        report = ut.check(mixed.slice(0, rows), mixed.slice(rows))
        loud = report.having(Verdict.CHANGED) + report.having(Verdict.WATCH)
        assert [(each.subject, each.says) for each in loud] == []
        assert rows < 1000 or report.verdict is Verdict.STEADY


def test_the_census_test_set_is_like_its_training_set(undertow, real):
    """By conditions on `split`, which is left out: exit 0 and one calm sentence."""
    rows = real("adult_census")
    said = undertow("check", rows, rows, *conditions("split = 'train'", "split = 'test'"))
    assert said.code == 0
    assert said.text.startswith("● Steady")


def test_bicycles_a_year_later(undertow, real):
    """January to January: the growth is said first, weather never `changed`, the year left out."""
    rows = real("bike_sharing_hour")
    sides = conditions("yr = 0 AND mnth = 1", "yr = 1 AND mnth = 1")
    said = undertow("check", rows, rows, *sides)
    assert "cnt changed (half were under 47, now under 103)" in said.first
    for column in ("windspeed", "weathersit"):
        assert said.on(column)["verdict"] == "steady"
    # Hours in a row are alike: 741 of humidity are worth about 30, and `watch` is too sure.
    assert said.on("hum")["verdict"] != "changed"
    assert not {"yr", "mnth"} & said.loud()


def test_bicycles_in_july(undertow, real):
    """January to July: nearly every row is warmer, and the months are not the news."""
    rows = real("bike_sharing_hour")
    said = undertow("check", rows, rows, *conditions("yr = 0 AND mnth = 1", "yr = 0 AND mnth = 7"))
    assert said.on("temp", "drift.number")["effect"]["low"] > 0.9
    assert "temp changed" in said.first
    assert said.on("weathersit")["says"] == "60% → 86% of rows at or below 1"


def test_two_years_of_bicycles_cannot_teach_their_season(undertow, real):
    """With learned tolerances the last month's season is unknown, and the report says why."""
    rows = real("bike_sharing_hour")
    said = undertow(
        *("check", rows, rows, *conditions("dteday < '2012-12-01'", "dteday >= '2012-12-01'")),
        *("--time", "dteday", "--tolerance", "auto"),
    )
    for column in ("temp", "atemp", "season"):
        assert said.on(column)["verdict"] == "unknown"
        assert "years cannot teach a yearly season" in said.on(column)["says"]
    assert "missing data" not in said.text


def test_car_loans_by_their_period(undertow, real):
    """Reference v the shifted half: the model first, AUC .971 -> .96, and which inputs moved."""
    rows = real("nannyml_synthetic_car_loan")
    sides = conditions("period = 'reference'", "period = 'analysis' AND id >= 75000")
    said = undertow("check", rows, rows, *sides, "--label", "repaid")
    accuracy = said.on("y_pred", "performance.accuracy")
    assert accuracy["evidence"]["auc"]["reference"] == pytest.approx(0.971, abs=1e-3)
    assert accuracy["evidence"]["auc"]["current"] == pytest.approx(0.960, abs=1e-3)
    assert "accuracy 94.4% → 91.6%" in said.first
    assert {"car_value", "loan_length", "salary_range", "y_pred_proba"} <= said.loud()
    assert not {"period", "id", "repaid"} & said.loud()


@pytest.mark.parametrize("family", ["gpt-4", "gpt-3.5-turbo"])
def test_answers_of_march_and_june(undertow, real, family):
    """The answers of both families changed; GPT-4's went from 638 characters to 4."""
    rows = real("llmdrift_prime")
    both = f"model_family = '{family}'"
    march = f"{both} AND model_version IN ('0301', '0314')"
    sides = conditions(march, f"{both} AND model_version = '0613'")
    said = undertow("check", rows, rows, *sides, "--ignore", "model")
    length = said.on("answer:characters", "drift.number")
    assert length["verdict"] == "changed"
    assert "model_version" not in said.loud()
    assert "query" not in said.loud()
    if family == "gpt-4":
        assert length["says"] == "half were under 527, now under 4"
        assert length["evidence"]["mean"]["reference"] == pytest.approx(638, abs=1)
        assert length["evidence"]["mean"]["current"] == pytest.approx(4, abs=0.2)


def test_yes_and_no_out_of_the_answers_by_sql(undertow, real):
    """What was answered, read by SQL: yes nearly vanished, and accuracy fell .840 -> .502."""
    path = real("llmdrift_prime")
    sql = (
        "SELECT regexp_extract(answer, '\\[(Yes|No)\\]', 1) AS said, "
        f"upper(ref_answer[1]) || lower(ref_answer[2:]) AS truth FROM '{path}' "
        "WHERE model_family = 'gpt-4' AND model_version = '{}'"
    )
    roles = ("--prediction", "said", "--label", "truth")
    said = undertow("check", sql.format("0314"), sql.format("0613"), *roles)
    accuracy = said.on("said", "performance.accuracy")["evidence"]["accuracy"]
    assert accuracy["reference"] == pytest.approx(0.840, abs=5e-4)
    assert accuracy["current"] == pytest.approx(0.502, abs=5e-4)
    assert said.on("said", "output.share")["verdict"] == "changed"
    assert "accuracy 84" in said.first


def test_refusals_of_june(undertow, real):
    """A hundred questions: the answers got shorter, and they refuse in other words."""
    rows = real("llmdrift_sensitive")
    both = "model_family = 'gpt-4'"
    sides = conditions(f"{both} AND model_version = '0314'", f"{both} AND model_version = '0613'")
    said = undertow("check", rows, rows, *sides, "--ignore", "model")
    assert said.on("answer:characters", "drift.number")["verdict"] == "changed"
    assert said.on("answer", "drift")["verdict"] == "changed"
    assert said.on("response_rate", "drift.share")["verdict"] in {"watch", "unknown"}
    assert said.on("query")["verdict"] not in LOUD


def test_out_of_scope_questions_and_their_splits(undertow, real, tmp_path):
    """Train v out-of-scope is loud in words; between the splits the test set holds more of it."""
    path = real("clinc150_oos")
    sides = conditions("split = 'train' AND NOT is_oos", "is_oos")
    said = undertow("check", path, path, *sides, "--ignore", "intent", "--ignore", "domain")
    assert said.on("text", "drift.words")["verdict"] == "changed"
    assert "text changed" in said.first
    table = pq.read_table(path)
    sets = []
    for name in ("train", "val", "test"):
        part = table.filter(pc.equal(table["split"], name)).drop(["split"])
        pq.write_table(part, tmp_path / f"{name}.parquet")
        sets.append(f"{name}={tmp_path / name}.parquet")
    said = undertow("skew", *sets, "--label", "intent")
    verdicts = {each["subject"]: each["verdict"] for each in said.report["findings"]}
    assert verdicts["train→test: is_oos=true"] == "changed"
    assert verdicts["train→test: all columns"] == "changed"
    assert verdicts["train→val: all columns"] == "steady"
