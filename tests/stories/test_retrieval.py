"""A search beside its golden set: what is planted in the set, the search or the index is told as that."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from golden_samples import ASKS, DOCS, QUERIES, RIGHT, bag

from undertow.adapters.tfidf import Tfidf
from undertow.core.errors import DataError, UsageError
from undertow.core.index import Hits, Stored
from undertow.core.run import Run
from undertow.core.verdict import Verdict
from undertow.stats.neighbours import nearest, unit
from undertow.verbs.retrieval import retrieval


def vectors():
    """Return the vectors of documents and queries, of length 1."""
    return unit(bag(DOCS["text"])), unit(bag(ASKS["query"]))


VECTORS = vectors()


def tell(docs=None, asks=None, right=None, vectors=VECTORS, **options):
    """Run on tables that hold their vectors, which takes no encoder."""
    docs, asks, right = docs or DOCS, asks or ASKS, right or RIGHT
    if vectors is not None:
        docs, asks = (
            {**each, "v": v.tolist()} for each, v in zip((docs, asks), vectors, strict=True)
        )
        options = {"vector": "v"} | options
    return retrieval(
        docs=pa.table(docs), queries=pa.table(asks), judgements=pa.table(right), **options
    )


def noisy(rows, much, some=1.0):
    """Return vectors with noise, on a share of them."""
    random = np.random.default_rng(1)
    here = random.random(len(rows)) < some
    noise = random.normal(size=rows.shape) * here[:, None] * much / np.sqrt(rows.shape[1])
    return unit((rows + noise).astype(np.float32))


def broken(share):
    """Return vectors of which a share of the documents stand under another's id."""
    docs, asks = VECTORS
    some = np.arange(int(share * QUERIES))
    made = docs.copy()
    made[some] = made[np.roll(some, 1)]
    return made, asks


def test_a_run_alone_says_what_is_found_with_intervals():
    """Every metric has its value and limits; the join is steady, nothing fails."""
    report = tell(slices=["topic"])
    assert report.verdict is Verdict.STEADY
    evidence = report["retrieval"].evidence
    for name in ("hit@10", "recall@10", "mrr@10", "ndcg@10"):
        each = evidence[name]
        assert 0.9 < each["low"] <= each["value"] <= each["high"] <= 1
    assert evidence["by_chance"]["ndcg@10"] < 0.1
    assert {each["slice"]: each["queries"] for each in evidence["slices"]} == {
        "topic=paris": 60,
        "topic=rome": 60,
    }
    assert report.notes[0].startswith("hit@10 1.000 (0.9")
    assert Run.from_dict(report["retrieval"].shape).queries[:2] == ("0", "1")


def test_an_encoder_is_run_on_the_texts():
    """By a function or by TF-IDF; a column of vectors beside one is refused."""
    assert tell(vectors=None, encoder=bag)["retrieval"].evidence["hit@10"]["value"] > 0.95
    assert tell(vectors=None, encoder="tfidf")["retrieval"].evidence["hit@10"]["value"] > 0.95
    with pytest.raises(UsageError, match="give one of them"):
        tell(encoder=bag)
    with pytest.raises(UsageError, match="nothing makes vectors of the queries"):
        tell(vectors=None)


def test_judgements_of_other_queries_are_told_with_the_id_that_fits():
    """Joined on the number that is printed, all metrics are chance: the row number is the id."""
    printed = [(7 * n + 3) % QUERIES for n in range(QUERIES)]
    report = tell(asks={**ASKS, "query_id": printed})
    worst = report.findings[0]
    assert (worst.check, worst.verdict) == ("golden.join", Verdict.CHANGED)
    assert worst.says.startswith("the judgements do not belong to these queries: nDCG@10 is 0.0")
    assert "with the row number, from 0 as the query id, not 'query_id', it is 0.9" in worst.says
    assert report["retrieval"].verdict is Verdict.UNKNOWN
    assert worst.evidence["hit@10"] == report["retrieval"].evidence["hit@10"]
    asks = {**ASKS, "printed": printed}
    report = tell(asks=asks, columns={"query_id": "printed"})
    assert "with column 'query_id' as the query id, not 'printed', it is" in report.findings[0].says
    assert "--golden-column query_id=query_id" in report.findings[0].next[0]
    docs = {**DOCS, "key": DOCS["doc_id"], "doc_id": DOCS["doc_id"][::-1]}
    told = tell(docs=docs).findings[0].evidence["better_id"]
    assert (told["of"], told["is"], told["ndcg@10"] > 0.9) == ("documents", "column 'key'", True)


def test_a_look_that_is_blind_is_named_in_a_whole_sentence():
    """Where neither words nor vectors know the judgements, the line says so of each."""
    other = {**RIGHT, "query_id": [*RIGHT["query_id"][60:], *RIGHT["query_id"][:60]]}
    says = tell(right=other)["judgements and queries"].says
    assert " nor " in says
    assert says.endswith("can read these texts")


def test_a_row_lost_from_the_middle_of_the_judgements_is_told():
    """From query 70 on each has the judgements of the next: where, and by how many rows."""
    shifted = [n if n < 70 else n + 1 for n in range(QUERIES - 1)]
    finding = tell(
        right={"query_id": list(range(QUERIES - 1)), "doc_id": [f"d{n}" for n in shifted]}
    )["judgements and queries"]
    assert finding.verdict is Verdict.CHANGED
    assert (
        "to 119 of the queries, and the judgements 1 row further up would fit them" in finding.says
    )


def test_some_judgements_of_others_are_told_as_far_as_they_show():
    """Scattered: to watch, for hard queries look alike. In a block: changed, with the rows."""
    random = np.random.default_rng(2)
    some = random.choice(QUERIES, 36, replace=False)
    dealt = np.arange(QUERIES)
    dealt[some] = np.roll(some, 1)
    right = {**RIGHT, "doc_id": [f"d{n}" for n in dealt]}
    found = tell(right=right)["judgements and queries"]
    assert (found.verdict, found.effect) == (Verdict.WATCH, None)
    assert "they belong to others, or these queries are hard to tell apart" in found.says
    assert 0.2 < found.evidence["share_out_of_place"]["value"] < 0.4
    block = [n if n < 80 else 80 + (n - 80 + 17) % 40 for n in range(QUERIES)]
    found = tell(right={**RIGHT, "doc_id": [f"d{n}" for n in block]})["judgements and queries"]
    assert found.verdict is Verdict.CHANGED
    assert found.says.endswith("to 120 of the queries")


def test_judgements_of_one_document_have_no_others_to_be_unlike():
    """All queries answered by the same one: the join cannot be seen, and nothing is said of it."""
    right = {"query_id": list(range(QUERIES)), "doc_id": ["d0"] * QUERIES}
    report = tell(right=right)
    assert "judgements and queries" not in {each.subject for each in report}
    assert report["retrieval"].evidence["queries"] == QUERIES


def test_a_search_at_chance_is_not_the_judgements_fault():
    """The words agree with the judgements, the vectors do not: the search is to blame."""
    random = np.random.default_rng(5)
    documents = random.permutation(VECTORS[0])
    report = tell(vectors=(documents, VECTORS[1]))
    assert report["judgements and queries"].verdict is Verdict.STEADY
    assert report["retrieval"].verdict is Verdict.CHANGED
    assert report["retrieval"].says.startswith("the search finds no more than chance")


def test_nothing_found_is_an_error_where_nothing_else_tells():
    """Judgements of other documents, a few queries: one line, not a table of zeros."""
    few = {name: values[:6] for name, values in ASKS.items()}
    wrong = {"query_id": list(range(6)), "doc_id": [f"d{200 + n}" for n in range(6)]}
    asks = VECTORS[1][:6]
    with pytest.raises(DataError, match="nothing is found: none of 6 queries has a relevant"):
        tell(asks=few, right=wrong, vectors=(VECTORS[0], asks))


def test_few_queries_are_not_judged():
    """Twelve queries: unknown, and how many would tell."""
    few = {name: values[:12] for name, values in ASKS.items()}
    right = {name: values[:12] for name, values in RIGHT.items()}
    report = tell(asks=few, right=right, vectors=(VECTORS[0], VECTORS[1][:12]))
    found = report["retrieval"]
    assert (found.verdict, found.needs_rows) == (Verdict.UNKNOWN, 50)
    assert found.says.startswith("cannot tell from 12 queries: hit@10 1.000")


def test_the_same_run_twice_is_steady_and_a_rise_no_alarm():
    """Against itself nothing falls; what is better than before is told in a note."""
    worse = tell(vectors=broken(0.5))
    report = tell(reference=worse, slices=["topic"])
    assert report.verdict is Verdict.STEADY, report.to_text()
    assert any(each.startswith("nDCG@10 rose by 0.") for each in report.notes)
    again = tell(reference=tell())
    assert again.verdict is Verdict.STEADY
    assert again["retrieval"].effect.value == 0


def test_a_drop_is_a_finding_with_the_queries_lost_side_by_side():
    """A tenth of the documents under another's id: an interval, counts and examples."""
    report = tell(vectors=broken(0.2), reference=tell(), slices=["topic"])
    lead = report.findings[0]
    assert (lead.subject, lead.verdict) == ("retrieval", Verdict.CHANGED)
    assert lead.effect.low > 0.02
    assert lead.evidence["queries_lost"] >= 15
    assert lead.evidence["queries_gained"] == 0
    assert lead.evidence["before"]["ndcg@10"] > 0.95
    example = lead.examples[0]
    assert set(example) == {"query", "nDCG@10", "before", "now", "relevant"}
    assert example["relevant"] in example["before"]
    assert example["relevant"] not in example["now"].split(", ")
    assert {each.subject for each in report.having(Verdict.CHANGED)} >= {"MRR@10", "recall@10"}
    assert report["topic=rome"].column == "topic"


def test_noise_is_no_drop():
    """Vectors with a little noise, ten times: nothing changed."""
    before = tell()
    random = np.random.default_rng(9)
    for _ in range(10):
        noise = random.normal(size=VECTORS[0].shape) / 40
        made = unit((VECTORS[0] + noise).astype(np.float32)), VECTORS[1]
        assert tell(vectors=made, reference=before).verdict is Verdict.STEADY


def test_a_metric_that_stayed_has_fallen_by_nothing():
    """No "-0" stands in any form of the report."""
    report = tell(reference=tell())
    assert f"{report['retrieval'].effect.value}" == "0.0"


def test_a_slice_of_many_values_keeps_each_ones_queries():
    """A column of ids as a slice is one small slice a query; values stand with their own queries."""
    asks = {**ASKS, "own": ASKS["query_id"], "half": [f"h{n % 2}" for n in range(QUERIES)]}
    asks["half"][0] = None
    report = tell(asks=asks, slices=("own", "half"), reference=tell(asks=asks))
    assert report["half=h0"].rows.current == QUERIES // 2 - 1
    assert report["half=h1"].rows.current == QUERIES // 2
    assert any(f"and {QUERIES - 3} more" in each for each in report.notes)


def test_queries_without_a_text_are_refused_by_the_name_of_their_file(tmp_path):
    """The line names the queries, and not the judgements."""
    place = tmp_path / "asked.parquet"
    pq.write_table(pa.table({**ASKS, "query": [""] * QUERIES}), place)
    with pytest.raises(DataError, match=r"asked\.parquet: not one query has a text"):
        retrieval(docs=pa.table(DOCS), queries=place, judgements=pa.table(RIGHT), encoder=bag)


def test_documents_of_one_text_are_not_the_judgements_fault():
    """Where nothing tells one document from another, that is said, and what was lost since."""
    docs = {**DOCS, "text": ["the same words"] * len(DOCS["text"])}
    with pytest.raises(DataError, match=r"nothing is found.*all documents have the same text"):
        tell(docs=docs, vectors=None, encoder=bag)
    before = tell(vectors=None, encoder=bag)
    report = tell(docs=docs, vectors=None, encoder=bag, reference=before)
    assert "judgements and queries" not in {each.subject for each in report}
    assert report["retrieval"].verdict is Verdict.CHANGED


def test_documents_that_are_gone_count_as_not_found():
    """A fifth of the documents lost: told as that, and the metrics fall with it."""
    keep = range(int(0.2 * QUERIES), 2 * QUERIES)
    docs = {name: [values[n] for n in keep] for name, values in DOCS.items()}
    report = tell(docs=docs, vectors=(VECTORS[0][keep], VECTORS[1]), reference=tell())
    gone = report["judgements of documents that are gone"]
    assert (gone.verdict, gone.evidence) == (Verdict.CHANGED, {"rows": 24, "of": 120})
    assert report["retrieval"].verdict is Verdict.CHANGED
    assert "240 documents were searched, now 216" in report.notes


def test_faults_of_few_rows_are_told_and_fail_nothing():
    """One row in 120 is a note, two a watch, many fail; queries without judgements are a note."""
    docs = {**DOCS, "text": [*DOCS["text"][:-1], ""]}
    report = tell(docs=docs, vectors=None, encoder=bag)
    assert report.verdict is Verdict.STEADY
    assert "1 of 240 documents have an empty text, and are never found" in report.notes
    right = {name: [*values, values[0], values[1]] for name, values in RIGHT.items()}
    assert tell(right=right)["judgements there twice"].verdict is Verdict.WATCH
    half = {name: values[:60] for name, values in RIGHT.items()}
    report = tell(right=half)
    assert report.verdict is Verdict.STEADY
    assert "60 of 120 queries have no judgement, and count for no metric" in report.notes


def test_an_empty_query_counts_for_nothing():
    """It has no metric, finds nothing, and is told."""
    asks = {**ASKS, "query": ["", *ASKS["query"][1:]]}
    report = tell(asks=asks, vectors=None, encoder=bag)
    assert report["retrieval"].evidence["queries"] == QUERIES - 1
    run = Run.from_dict(report["retrieval"].shape)
    assert run.found[0] == ()
    assert np.isnan(run.metrics["ndcg@10"][0])


def test_the_queries_that_both_runs_asked_are_compared():
    """New, gone and reworded queries are left out and told; none in common is refused."""
    before = tell()
    asks = {name: [*values[10:]] for name, values in ASKS.items()}
    asks["query"] = ["another question", *asks["query"][1:]]
    right = {name: values[10:] for name, values in RIGHT.items()}
    report = tell(asks=asks, right=right, vectors=(VECTORS[0], VECTORS[1][10:]), reference=before)
    assert report["retrieval"].evidence["queries_compared"] == 109
    told = " ".join(report.notes)
    assert "1 queries have another text" in told or "1 query has another text" in told
    assert "10 queries of the reference are gone and 0 are new" in told
    other = {**ASKS, "query_id": [f"x{n}" for n in range(QUERIES)]}
    strange = {**RIGHT, "query_id": [f"x{n}" for n in range(QUERIES)]}
    with pytest.raises(DataError, match="asked none of these queries"):
        tell(asks=other, right=strange, reference=before)
    docs = {**DOCS, "doc_id": [f"e{n}" for n in range(2 * QUERIES)]}
    moved = {**RIGHT, "doc_id": [f"e{n}" for n in range(QUERIES)]}
    with pytest.raises(DataError, match="it is of other documents"):
        tell(docs=docs, right=moved, reference=before)


def test_a_run_without_the_texts_hashes_is_believed():
    """What an older run did not keep is no reason to leave its queries out."""
    shape = dict(tell()["retrieval"].shape)
    for asked in (None, [], ["x"], {"a": 1}):
        shape["about"] = {"k": 10, "asked": asked}
        report = tell(reference=Run.from_dict(shape))
        assert report["retrieval"].evidence["queries_compared"] == QUERIES


def test_other_judgements_score_both_runs():
    """The earlier run is scored again with today's judgements, so nothing falls by them."""
    before = tell()
    right = {
        **RIGHT,
        "doc_id": [f"d{(n + 1) % QUERIES}" if n < 6 else f"d{n}" for n in range(QUERIES)],
    }
    report = tell(right=right, reference=before)
    assert report.verdict is Verdict.STEADY
    assert report["retrieval"].effect.value == 0
    assert any("the judgements have changed for 6 queries" in each for each in report.notes)


def test_another_encoder_is_named():
    """A foreign space is no fault by itself; it is said, and stands beside the drop as its cause."""
    before = tell(vectors=None, encoder=bag)

    def backwards(texts):
        return bag([" ".join(word[::-1] for word in text.split()) for text in texts])

    report = tell(vectors=None, encoder=backwards, reference=before)
    told = next(each for each in report.notes if each.startswith("the encoder is another one: "))
    assert ("bag " in told, "backwards " in told) == (True, True)
    report = tell(reference=before)
    assert any("bag, now of the vectors given" in each for each in report.notes)


class Shelf:
    """An index that keeps vectors in memory, and refuses another space."""

    def __init__(self, ids, vectors, texts=None, space=""):
        self.held = Stored.of(ids, vectors, texts=texts, space=space)

    def search(self, queries, k=10, *, space=""):
        if self.held.spaces[0] and space != self.held.spaces[0]:
            raise DataError("the index holds vectors of another space; build it again")
        made = nearest(unit(queries), unit(self.held.vectors), k)
        ids = np.full((len(queries), k), None, object)
        scores = np.full((len(queries), k), np.nan, np.float32)
        ids[:, : made.which.shape[1]] = np.array(self.held.ids, object)[made.which]
        scores[:, : made.which.shape[1]] = made.cosine
        return Hits(ids, scores)

    def stored(self, _version=None):
        return self.held

    def add(self, *_, **__):
        raise NotImplementedError

    tag = switch = rollback = stats = add


def test_an_index_is_searched_as_it_is_stored():
    """What the index holds is what is found, also without documents, and less where some are missing."""
    shelf = Shelf(DOCS["doc_id"], VECTORS[0], DOCS["text"])
    report = tell(vectors=None, encoder=bag, index=shelf)
    assert report["retrieval"].evidence["hit@10"]["value"] > 0.95
    asks, right = pa.table(ASKS), pa.table(RIGHT)
    alone = retrieval(queries=asks, judgements=right, encoder=bag, index=shelf)
    assert alone["retrieval"].evidence["hit@10"] == report["retrieval"].evidence["hit@10"]
    half = Shelf(DOCS["doc_id"][60:], VECTORS[0][60:])
    less = tell(vectors=None, encoder=bag, index=half, reference=report)
    assert less["retrieval"].verdict is Verdict.CHANGED
    assert less["judgements and queries"].verdict is Verdict.STEADY
    assert "240 documents were searched, now 180" in less.notes
    with pytest.raises(UsageError, match="the index keeps no texts"):
        retrieval(queries=asks, judgements=right, encoder=bag, index=half)


def test_a_space_that_the_index_refuses_is_refused():
    """The index's own line goes through."""
    shelf = Shelf(DOCS["doc_id"], VECTORS[0], space="model-9")
    with pytest.raises(DataError, match="of another space; build it again"):
        tell(vectors=None, encoder=bag, index=shelf)


@pytest.mark.parametrize("much", [3, 400])
def test_fewer_documents_than_places_are_no_trouble(much):
    """A k above the number of documents: empty places count as nothing."""
    report = tell(k=much) if much < 10 else tell(k=300)
    assert 0.9 < report["retrieval"].evidence[f"ndcg@{3 if much < 10 else 300}"]["value"] <= 1


def test_options_that_make_no_sense_are_refused():
    """A wrong name, a wrong number, a reference that is none."""
    with pytest.raises(UsageError, match="no option 'depth'"):
        tell(depth=3)
    with pytest.raises(UsageError, match="give a number such as"):
        tell(tolerance={"difference": "much"})
    with pytest.raises(UsageError, match="reference 3: give the JSON file"):
        tell(reference=3)


CRANFIELD = ("cranfield_docs", "cranfield_queries", "cranfield_qrels")


@pytest.mark.real
def test_cranfield_is_found_and_its_printed_number_is_no_id(real):
    """hit@10 about .95 and nDCG@10 about .50 joined by position; by the printed number, chance."""
    docs, asks, right = (real(name) for name in CRANFIELD)
    encoder = Tfidf().fitted(pq.read_table(docs)["text"].to_pylist())
    parts = {"docs": docs, "queries": asks, "judgements": right, "encoder": encoder}
    report = retrieval(**parts)
    assert report.verdict is Verdict.STEADY
    evidence = report["retrieval"].evidence
    assert evidence["hit@10"]["value"] == pytest.approx(0.95, abs=0.03)
    assert evidence["ndcg@10"]["value"] == pytest.approx(0.50, abs=0.03)
    assert "2 of 1,400 documents have an empty text, and are never found" in report.notes
    report = retrieval(**parts, columns={"query_id": "printed_num"})
    assert report["retrieval"].evidence["hit@10"]["value"] < 0.1
    worst = report.findings[0]
    assert worst.check == "golden.join"
    assert worst.evidence["better_id"]["is"] in {"column 'query_id'", "the row number, from 1"}
    assert worst.evidence["better_id"]["ndcg@10"] == pytest.approx(0.50, abs=0.03)
