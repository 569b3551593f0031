"""The forecast before a re-index, as a user meets it: a worse encoder, a better one, and bad input."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.surfaces.cli_forecast import forecast as command
from undertow.verbs.forecast import forecast

DOCS, WORDS = 400, 6


def texts(count, seed):
    """Return texts of six words out of 300."""
    random = np.random.default_rng(seed)
    return [" ".join(f"w{each}" for each in random.integers(300, size=WORDS)) for _ in range(count)]


def vector(word):
    """Return a fixed direction for a word."""
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big")
    return np.random.default_rng(seed).normal(size=24)


def good(given):
    """Embed a text as the sum of its words."""
    return np.array([sum(vector(word) for word in each.split()) for each in given])


def turned(given):
    """Embed as `good` does, in a turned space."""
    return good(given)[:, ::-1]


def poor(given):
    """Embed a text by its first two words alone."""
    return np.array([sum(vector(word) for word in each.split()[:2]) for each in given])


def broken(given):
    """Fail on everything."""
    raise RuntimeError("no weights")


@pytest.fixture(scope="module")
def golden():
    """Return documents, and 100 queries that repeat four words of one of them."""
    body = texts(DOCS, 0)
    asks = [" ".join(each.split()[2:]) for each in body[:100]]
    return {
        "docs": pa.table({"doc_id": [f"d{row}" for row in range(DOCS)], "text": body}),
        "queries": pa.table({"query_id": list(range(100)), "query": asks}),
        "judgements": pa.table(
            {"query_id": list(range(100)), "doc_id": [f"d{row}" for row in range(100)]}
        ),
    }


def test_a_worse_encoder_is_told_before_the_re_index(golden):
    """A fall of nDCG@10 is `changed`, and the documents that fall out are named with their ranks."""
    report = forecast(**golden, old=good, encoder=poor, sample=100)
    found = report.findings[0]
    assert report.verdict is Verdict.CHANGED
    assert found.says.startswith("nDCG@10 will fall from ")
    told = found.evidence["forecast"]["ndcg@10"]
    assert told["low"] <= told["then"] <= told["high"] < told["now"]
    assert found.evidence["embedded"]["judged_documents"] == 100
    risk = found.evidence["at_risk"][0]
    assert risk["rank"] <= 10 < risk["expected_rank"]
    assert found.examples[0]["document"].startswith("d")


def test_a_better_encoder_is_no_alarm(golden):
    """A rise is told in a note and is steady."""
    report = forecast(**golden, old=poor, encoder=good, sample=100)
    assert report.verdict is Verdict.STEADY
    assert report.notes[0].startswith("after a re-index: nDCG@10 0.")


def test_a_turned_space_is_steady(golden):
    """Another space with the same neighbours changes nothing."""
    report = forecast(**golden, old=good, encoder=turned, sample=50)
    assert report.verdict is Verdict.STEADY
    assert report.findings[0].evidence["at_risk"] == []


def test_a_sample_of_more_than_there_is_counts_everything(golden):
    """A sample larger than the index is all of it, and the forecast is the measurement."""
    found = forecast(**golden, old=good, encoder=poor, sample=9_999).findings[0]
    told = found.evidence["forecast"]["ndcg@10"]
    assert told["low"] == pytest.approx(told["high"])
    assert found.evidence["embedded"]["others"] == DOCS - 100


def test_without_judgements_only_what_is_replaced_is_told(golden):
    """No judgements: the same neighbours are steady, others are unknown and never an alarm."""
    rest = {name: golden[name] for name in ("docs", "queries")}
    same = forecast(**rest, old=good, encoder=turned, sample=100)
    assert same.verdict is Verdict.STEADY
    other = forecast(**rest, old=good, encoder=poor, sample=100)
    assert other.verdict is Verdict.UNKNOWN
    assert other.findings[0].evidence["top_10_overlap"]["value"] < 0.6
    assert "better or worse" in other.findings[0].summary


def test_the_same_call_gives_the_same_report(golden):
    """The sample is drawn from a fixed seed."""
    made = [forecast(**golden, old=good, encoder=poor, sample=60).to_json() for _ in range(2)]
    assert made[0] == made[1]


def test_too_few_queries_cannot_tell(golden):
    """Under 20 queries with an answer nothing is told."""
    few = {**golden, "judgements": golden["judgements"].slice(0, 5)}
    found = forecast(**few, old=good, encoder=poor).findings[0]
    assert found.verdict is Verdict.UNKNOWN
    assert "5 queries have an answer" in found.says


def test_judgements_that_do_not_count_are_told(golden):
    """Those without a number, infinity too, or of queries that are not there are a note each."""
    grades = [float("nan"), float("inf"), *[1.0] * 98]
    right = golden["judgements"].append_column("relevance", pa.array(grades))
    given = {**golden, "judgements": right, "queries": golden["queries"].slice(0, 99)}
    notes = " ".join(forecast(**given, old=good, encoder=turned).notes)
    assert "2 of 100 judgements have a relevance that is no number" in notes
    assert "1 of 100 judgements are of queries that are not there" in notes


def test_bad_input_is_one_line(golden):
    """What cannot be told is said with what to do next."""
    with pytest.raises(DataError, match="no weights"):
        forecast(**golden, old=good, encoder=broken)
    with pytest.raises(UsageError, match="sample 0"):
        forecast(**golden, old=good, encoder=poor, sample=0)
    with pytest.raises(UsageError, match="no documents"):
        forecast(queries=golden["queries"], judgements=golden["judgements"], encoder=poor)
    with pytest.raises(UsageError, match="--from ENCODER"):
        forecast(**golden, encoder=poor)
    with pytest.raises(UsageError, match="did you mean 'sample'"):
        forecast(**golden, old=good, encoder=poor, sampel=3)
    with pytest.raises(UsageError, match="tolerance"):
        forecast(**golden, old=good, encoder=poor, tolerance=0.7)


def test_an_index_is_forecast_from_its_own_texts(golden, tmp_path):
    """An index that keeps its texts and its encoder needs nothing but the queries and judgements."""
    build = pytest.importorskip("undertow.verbs.index").build_index
    build(tmp_path / "index", golden["docs"], encoder="tfidf")
    asked = {name: golden[name] for name in ("queries", "judgements")}
    report = forecast(tmp_path / "index", **asked, encoder=poor, sample=50)
    assert report.findings[0].evidence["embedded"]["of"] == DOCS
    assert report.verdict is Verdict.CHANGED
    with pytest.raises(UsageError, match="makes 24"):
        forecast(tmp_path / "index", **asked, old=good, encoder=poor)


def test_the_command_names_what_lacks():
    """Neither an index nor an encoder of today is a usage error."""
    done = CliRunner().invoke(command, ["--encoder", "tfidf", "--queries", "q.csv"])
    assert done.exit_code == 2
    assert "--from ENCODER" in done.output
