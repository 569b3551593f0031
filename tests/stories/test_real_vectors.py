"""Known answers on real text and photographs: what moved is found and named, what did not is quiet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import undertow as ut
from undertow.core.verdict import Verdict

pytestmark = pytest.mark.real
BANKING = {
    "account",
    "bank",
    "bill",
    "bills",
    "pay",
    "transfer",
    "balance",
    "card",
    "check",
    "fees",
}


def finding(report, check):
    """Return the finding of one check."""
    return next(each for each in report.findings if each.check == check)


def banking(real, rows, planted, seed=0):
    """Return queries without the domain of banking, and others with some of it."""
    table = pq.read_table(real("clinc150_oos")).select(["text", "domain", "is_oos"])
    random = np.random.default_rng(seed)
    domain, odd = np.array(table["domain"].to_pylist()), np.array(table["is_oos"].to_pylist())
    known = random.permutation(np.flatnonzero(~odd & (domain != "banking")))
    new = random.permutation(np.flatnonzero(domain == "banking"))[:planted]
    current = np.concatenate([known[rows : rows + 1000 - planted], new])
    sides = known[:rows], random.permutation(current)
    return tuple(table.select(["text"]).take(pa.array(side)) for side in sides)


def test_a_new_domain_of_queries_is_found_by_words_alone(real):
    """Ten in a hundred queries are about banking, which no query of the reference was."""
    report = ut.check(*banking(real, 3000, 100), text="text", encoder="tfidf")
    found = finding(report, "drift.vector")
    assert found.verdict in {Verdict.CHANGED, Verdict.WATCH}
    assert found.effect.low <= 0.10 <= found.effect.high
    grew = [each for each in found.evidence["regions"] if each["p"] < 0.05]
    assert BANKING & {word.strip() for each in grew for word in each["name"].split(",")}


def test_queries_of_the_same_domains_are_quiet(real):
    """Two draws of the same queries change nothing."""
    found = finding(
        ut.check(*banking(real, 3000, 0, seed=1), text="text", encoder="tfidf"), "drift.vector"
    )
    assert found.verdict in {Verdict.STEADY, Verdict.UNKNOWN}


def test_a_sentiment_model_is_sure_on_sarcasm_and_the_vectors_are_not_fooled(real):
    """Its confidence says nothing of sarcastic headlines; where they lie does."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    reviews = pq.read_table(real("sst2_sentences"))
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=500))
    model.fit(reviews["text"].to_pylist(), reviews["label"].to_pylist())
    headlines = pq.read_table(real("sarcasm_headlines"))
    sarcastic = np.array(headlines["is_sarcastic"].to_pylist()) == 1

    def logged(which):
        texts = headlines["headline"].take(pa.array(np.flatnonzero(which)[:1500])).to_pylist()
        sure = model.predict_proba(texts)
        return pa.table({"text": texts, "p": sure[:, 1]})

    report = ut.check(
        logged(~sarcastic), logged(sarcastic), text="text", score="p", encoder="tfidf"
    )
    assert finding(report, "output.number").verdict is Verdict.STEADY
    assert finding(report, "drift.vector").verdict in {Verdict.CHANGED, Verdict.WATCH}


@pytest.mark.encoder
def test_a_new_domain_is_sized_by_a_sentence_encoder(real):
    """All-MiniLM-L6-v2 finds the planted tenth, and quiet halves quiet."""
    found = finding(
        ut.check(*banking(real, 2500, 100), text="text", encoder="minilm"), "drift.vector"
    )
    assert found.verdict is Verdict.CHANGED
    assert found.effect.low <= 0.10 <= found.effect.high
    assert found.effect.value == pytest.approx(0.10, abs=0.04)
    grew = [each for each in found.evidence["regions"] if each["p"] < 0.05]
    assert BANKING & {word.strip() for each in grew for word in each["name"].split(",")}


@pytest.mark.encoder
def test_out_of_scope_queries_are_told_by_a_sentence_encoder(real):
    """Of queries out of scope far more lie beyond the threshold than of those in scope."""
    table = pq.read_table(real("clinc150_oos"))
    random = np.random.default_rng(3)
    odd = np.array(table["is_oos"].to_pylist())
    known = random.permutation(np.flatnonzero(~odd))
    out = random.permutation(np.flatnonzero(odd))[:300]
    sides = [table.take(pa.array(rows)) for rows in (known[:2500], out, known[2500:2800])]
    beyond = ut.ood(sides[0], sides[1], text="text", encoder="minilm")["text"]
    inside = ut.ood(sides[0], sides[2], text="text", encoder="minilm")["text"]
    assert beyond.verdict is Verdict.CHANGED
    assert beyond.evidence["share"]["current"] > 5 * inside.evidence["share"]["current"]
