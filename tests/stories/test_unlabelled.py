"""Two runs of a search without judgements: a rebuild is silent, and a planted change is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from undertow.adapters.tfidf import Tfidf
from undertow.core.encode import encode
from undertow.core.errors import DataError, UsageError
from undertow.core.index import Hits, Stored
from undertow.core.report import Report, Source
from undertow.core.run import Run
from undertow.core.verdict import Verdict
from undertow.stats.neighbours import nearest, unit
from undertow.stats.signals import signals
from undertow.verbs.unlabelled import ann_recall, unlabelled

ROWS, QUERIES, WIDTH, TOPICS = 900, 300, 32, 30
ENGLISH = "where is the parcel that was sent to me with the invoice for my order number"
GERMAN = "wo ist das Paket das mir mit der Rechnung für die Bestellung nicht gesendet wurde"


def space(rows: int, seed: int) -> np.ndarray:
    """Return vectors of length 1 in a few topics."""
    centres = np.random.default_rng(0).normal(size=(TOPICS, WIDTH))
    random = np.random.default_rng(seed)
    made = centres[np.arange(rows) % TOPICS] + 0.7 * random.normal(size=(rows, WIDTH))
    return unit(made.astype(np.float32))


DOCUMENTS, ASKED = space(ROWS, 1), space(QUERIES, 2)


def held(rows=DOCUMENTS, keep=None) -> Stored:
    """Return an index of some of these vectors."""
    keep = np.arange(len(rows)) if keep is None else keep
    texts = [f"{ENGLISH} {row}" for row in keep]
    return Stored.of([f"d{row}" for row in keep], rows[keep], texts=texts)


def searched(stored=None, asked=ASKED, text=ENGLISH, prefix="q") -> Run:
    """Return what the queries find."""
    stored = held() if stored is None else stored
    found = nearest(asked, stored.vectors, 10)
    names = tuple(tuple(stored.ids[spot] for spot in row) for row in found.which.tolist())
    scores = tuple(tuple(map(float, row)) for row in found.cosine)
    texts = tuple(f"{text} {row}" for row in range(len(asked)))
    made = signals(asked, stored.vectors[found.which], found.cosine)
    queries = tuple(f"{prefix}{row}" for row in range(len(asked)))
    return Run(queries, texts, names, scores, {}, made)


BEFORE = searched()


def told(now, before=BEFORE, **options) -> Report:
    """Return the report of two runs."""
    return Report.of(Source("before", 1), Source("now", 1), unlabelled(now, before, **options))


def verdicts(report) -> dict[str, str]:
    """Return the verdict of each check."""
    return {each.check.removeprefix("retrieval."): each.verdict.value for each in report}


def test_a_rebuild_is_silent():
    """Other order, last bits, or a reference read back from JSON: all is steady."""
    random = np.random.default_rng(3)
    again = Run.from_dict(BEFORE.to_dict())
    for _ in range(5):
        turn = random.permutation(ROWS)
        noise = random.normal(size=DOCUMENTS.shape).astype(np.float32) * 1e-7
        rebuilt = held(unit(DOCUMENTS + noise), turn)
        report = told(searched(rebuilt), again, corpus=rebuilt, held_before=held().ids)
        assert verdicts(report) == dict.fromkeys(
            ("similarity", "churn", "radius", "language"), "steady"
        )


def test_copies_of_a_document_may_change_places():
    """Documents of one vector are one to a query, in whatever order they stand."""
    rows = DOCUMENTS.copy()
    rows[ROWS // 2 :] = rows[: ROWS // 2]
    before = searched(held(rows))
    now = searched(held(rows, np.arange(ROWS)[::-1]))
    assert set(verdicts(told(now, before)).values()) == {"steady"}


def test_another_space_among_them_is_seen_query_by_query():
    """A fifth of vectors of another model: documents that were found are found by none."""
    some = np.random.default_rng(4).permutation(ROWS)[: ROWS // 5]
    rows = DOCUMENTS.copy()
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(WIDTH, WIDTH)))[0]
    rows[some] = rows[some] @ turn.astype(np.float32)
    report = told(searched(held(rows)), corpus=held(rows), held_before=held().ids)
    found = verdicts(report)
    assert found["churn"] == "changed"
    assert found["radius"] in {"changed", "watch"}
    radius = report["documents out of reach"]
    assert "; 0 of them are no longer in the index" in radius.says
    assert set(radius.examples[0]) == {"id", "text", "why"}
    assert "queries found it before" in radius.examples[0]["why"]


def test_zeroed_numbers_move_the_similarity():
    """The best document is less similar, and the coherence is told as a trend."""
    rows = DOCUMENTS.copy()
    rows[:, 16:] = 0
    report = told(searched(held(rows)))
    similarity = report["similarity of the best document"]
    assert similarity.verdict is Verdict.CHANGED
    assert similarity.says.startswith("the best document of a query is less similar: median cosine")
    assert {"mean_trend", "coherence_trend", "same_queries"} <= set(similarity.evidence)
    assert similarity.examples[0]["why"].startswith("cosine 0.")


def test_new_documents_explain_what_they_push_out():
    """A tenth more documents change what is found, and no more than they explain."""
    few = held(keep=np.arange(ROWS - 200))
    report = told(searched(), searched(few), corpus=held(), held_before=few.ids)
    churn = report["documents found"]
    assert churn.verdict is Verdict.STEADY
    assert churn.effect.value == 0
    assert churn.evidence["by_new"] > 0.15
    assert "are new in the index" in churn.says
    blind = told(searched(), searched(few))["documents found"]
    assert blind.verdict is Verdict.CHANGED
    assert blind.effect.value == pytest.approx(churn.evidence["by_new"], abs=1e-6)


def test_documents_that_left_the_index_are_told_apart():
    """What is found no more because it is gone is said to be gone."""
    rest = held(keep=np.arange(0, ROWS, 2))
    report = told(searched(rest), corpus=rest, held_before=held().ids)
    assert report["documents found"].effect.value == 0
    radius = report["documents out of reach"]
    assert radius.verdict is Verdict.CHANGED
    lost = int(radius.says.split()[0].replace(",", ""))
    assert f"; {lost:,} of them are no longer in the index" in radius.says


def test_other_queries_are_two_samples():
    """Runs of other queries are compared as samples: no churn, and no alarm."""
    for seed in range(5):
        report = told(searched(asked=space(QUERIES, 10 + seed), prefix="x"))
        found = verdicts(report)
        assert "churn" not in found
        assert not {"changed", "watch"} & set(found.values())
    edited = replace(BEFORE, texts=tuple(f"other {text}" for text in BEFORE.texts))
    assert "churn" not in verdicts(told(edited))
    redacted = replace(BEFORE, texts=("",) * QUERIES)
    assert verdicts(told(redacted))["churn"] == "steady"


def test_queries_far_from_the_documents_are_counted():
    """A third of questions on something else: a share with its interval, and the strangest first."""
    random = np.random.default_rng(6)
    odd = ASKED.copy()
    odd[:100] = unit(random.normal(size=(100, WIDTH)).astype(np.float32))
    now = searched(asked=odd, prefix="x")
    far = told(now)["queries far from the documents"]
    assert far.verdict is Verdict.CHANGED
    assert far.evidence["low"] < 1 / 3 < far.evidence["high"] + 0.1
    assert all(int(each["id"][1:]) < 100 for each in far.examples)
    (alone,) = [
        each
        for each in unlabelled(now, None, corpus=held(), queries=odd)
        if each.check == "retrieval.far_queries"
    ]
    assert alone.verdict is Verdict.STEADY
    assert alone.evidence["share"] > 0.2


def test_another_language_is_named():
    """Queries in German among English documents are counted, with and without an earlier run."""
    texts = tuple(GERMAN if row < 90 else ENGLISH for row in range(QUERIES))
    now = replace(searched(prefix="x"), texts=texts)
    finding = told(now, corpus=held())["language of queries"]
    assert finding.verdict is Verdict.CHANGED
    assert finding.evidence["languages"] == {"de": 90}
    assert "are in another language than en" in finding.says
    assert "0% before" in finding.says
    (alone,) = [
        each for each in unlabelled(now, None, corpus=held()) if each.check == "retrieval.language"
    ]
    assert alone.verdict is Verdict.WATCH
    assert verdicts(told(BEFORE, None, corpus=held()))["language"] == "steady"


def test_a_redacted_reference_says_nothing_of_languages():
    """Its texts are left out: German queries that were there before are no news."""
    texts = tuple(GERMAN if row < 90 else ENGLISH for row in range(QUERIES))
    now = replace(searched(prefix="x"), texts=texts)
    redacted = replace(now, texts=("",) * QUERIES)
    assert told(now, now, corpus=held())["language of queries"].verdict is Verdict.STEADY
    finding = told(now, redacted, corpus=held())["language of queries"]
    assert finding.verdict is Verdict.WATCH
    assert finding.effect is None


def test_little_or_nothing_to_compare():
    """Empty runs, runs of nothing found, and few queries tell nothing, in silence."""
    empty = Run((), (), (), ())
    assert unlabelled(empty, None) == []
    assert unlabelled(empty, BEFORE) == []
    nothing = replace(BEFORE, found=((),) * QUERIES, scores=((),) * QUERIES, signals={})
    report = told(nothing)
    assert report["similarity of the best document"].verdict is Verdict.UNKNOWN
    assert report["documents found"].verdict is Verdict.CHANGED
    few = searched(asked=ASKED[:12])
    assert "churn" not in verdicts(told(few, few))
    with pytest.raises(UsageError, match="no such part; did you mean 'churn'"):
        unlabelled(BEFORE, BEFORE, tolerance={"chrun": 0.1})
    with pytest.raises(DataError, match="not of one encoder"):
        unlabelled(BEFORE, None, corpus=held(), queries=ASKED[:, :5])


class Index:
    """A search that skips some of the documents, or answers with strange ids."""

    def __init__(self, stored, skipped=0, name=str):
        self.stored, self.skipped, self.name = stored, skipped, name

    def search(self, queries, k=10, **_):
        rows = self.stored.vectors.copy()
        rows[: self.skipped] = 0
        found = nearest(unit(queries), rows, k)
        ids = np.array([[self.name(self.stored.ids[spot]) for spot in row] for row in found.which])
        return Hits(ids.astype(object), found.cosine)


def test_an_approximate_search_is_held_against_the_exact_one():
    """All found is steady, a tenth missed is changed, and unknown ids are not found at all."""
    exact = ann_recall(Index(held()), held(), ASKED)
    judged = Report.of(Source("a", 1), Source("b", 1), [exact])
    assert (judged.verdict, exact.evidence) == (Verdict.STEADY, {"recall@10": 1.0})
    poor = ann_recall(Index(held(), skipped=90), held(), ASKED)
    judged = Report.of(Source("a", 1), Source("b", 1), [poor])
    assert judged.verdict is Verdict.CHANGED
    assert 0.85 < poor.evidence["recall@10"] < 0.95
    assert poor.rows.current == 200
    assert ann_recall(Index(held(), name="x{}".format), held(), ASKED).evidence["recall@10"] == 0
    with pytest.raises(DataError, match="not of one encoder"):
        ann_recall(Index(held()), held(), ASKED[:, :4])
    with pytest.raises(DataError, match="both sides need some"):
        ann_recall(Index(held()), held(), np.zeros((3, WIDTH), np.float32))


def test_more_documents_than_there_are():
    """An index of fewer than k documents is searched as far as it goes."""
    small = held(keep=np.arange(4))
    assert ann_recall(Index(small), small, ASKED, k=10).evidence["recall@10"] == 1


@pytest.mark.real
def test_cranfield_rebuilt_is_silent_and_half_of_it_is_not(real):
    """225 real queries on 500 abstracts: a rebuild is steady, half the documents gone is seen."""
    rows = [row for row in pq.read_table(real("cranfield_docs")).to_pylist() if row["text"].strip()]
    texts = [row["text"] for row in rows[:500]]
    asked = pq.read_table(real("cranfield_queries"))["query"].to_pylist()
    encoder = Tfidf(64).fitted(texts)
    documents, queries = encode(encoder, texts), encode(encoder, asked)

    def run(keep):
        stored = Stored.of([str(k) for k in keep], documents[keep], texts=[texts[k] for k in keep])
        return replace(searched(stored, queries), texts=tuple(asked)), stored

    before, whole = run(np.arange(500))
    now, corpus = run(np.random.default_rng(0).permutation(500))
    report = told(now, before, corpus=corpus, held_before=whole.ids)
    assert set(verdicts(report).values()) == {"steady"}
    now, corpus = run(np.arange(0, 500, 2))
    report = told(now, before, corpus=corpus, held_before=whole.ids)
    assert verdicts(report)["radius"] == "changed"
