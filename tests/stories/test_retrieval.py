"""A search beside its golden set: what is planted in the set, the search or the index is told as that."""

from __future__ import annotations

import json

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.adapters.tfidf import Tfidf
from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.core.index import Hits, Stored
from undertow.core.run import Run
from undertow.core.verdict import Verdict
from undertow.sources.saved_run import CHECK
from undertow.stats.neighbours import nearest, unit
from undertow.surfaces.cli_retrieval import retrieval as command
from undertow.verbs.index import build_index
from undertow.verbs.retrieval import retrieval

QUERIES = 120


def words(random, count, much):
    """Return invented words, the first of them much commoner than the last."""
    letters = list("abcdefghiklmnopqrstuvwxyz")
    named = ["".join(random.choice(letters, 7)) for _ in range(400)]
    return [" ".join(random.choice(named, much)) for _ in range(count)]


def golden(queries=QUERIES):
    """Return documents, queries made of some of their words, and who answers whom, as tables."""
    random = np.random.default_rng(0)
    texts = words(random, 2 * queries, 14)
    asks = [" ".join(random.permutation(texts[n].split())[:6]) for n in range(queries)]
    docs = {"doc_id": [f"d{n}" for n in range(2 * queries)], "text": texts}
    right = {"query_id": list(range(queries)), "doc_id": [f"d{n}" for n in range(queries)]}
    topic = ["paris", "rome"] * (queries // 2)
    return docs, {"query_id": list(range(queries)), "query": asks, "topic": topic}, right


DOCS, ASKS, RIGHT = golden()


def bag(texts):
    """Encode texts by the words they hold: letters hashed to 64 places."""
    out = np.zeros((len(texts), 64), np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            place = np.random.default_rng([ord(each) for each in word]).normal(size=64)
            out[row] += place.astype(np.float32)
    return out


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


@pytest.fixture
def files(tmp_path):
    """Return a folder with a golden set in files."""
    for name, columns in (("docs", DOCS), ("queries", ASKS), ("qrels", RIGHT)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    return tmp_path


def run(*given):
    """Run the command and return its exit code, or what it raised, and what it printed."""
    made = click.testing.CliRunner().invoke(
        command, [str(each) for each in given], standalone_mode=False
    )
    return made.return_value if made.exception is None else made.exception, made.output


def test_the_command_keeps_a_run_and_compares_the_next(files):
    """JSON out, the same JSON as reference in; exit 0 for the same, 1 for a drop, hashes written."""
    parts = ["--encoder", "tfidf", "--golden", files, "--json"]
    code, shown = run(*parts, files / "run.json", "--write-hashes", files / "hashed.csv")
    assert (code, "nDCG@10" in shown) == (0, True)
    told = json.loads((files / "run.json").read_text())
    assert told["findings"][0]["evidence"]["hit@10"].keys() == {"value", "low", "high"}
    again = ["--docs", files / "docs.parquet", "--queries", files / "queries.parquet"]
    again += ["--judgements", files / "hashed.csv", "--encoder", "tfidf", "--slice", "topic"]
    code, _ = run(*again, "--reference", files / "run.json", "--html", files / "a.html", "--quiet")
    assert (code, (files / "a.html").stat().st_size > 10_000) == (0, True)
    docs = {**DOCS, "text": [*DOCS["text"][1:], DOCS["text"][0]]}
    pq.write_table(pa.table(docs), files / "docs.parquet")
    code, shown = run(*again, "--reference", files / "run.json")
    assert code == 1
    assert "judgements of a changed text" in shown


def test_a_redacted_run_is_a_reference_still(files):
    """Without examples, and without the queries' texts where the report takes them out."""
    parts = ["--encoder", "tfidf", "--golden", files]
    assert run(*parts, "--json", files / "run.json", "--redact", "--quiet")[0] == 0
    told = json.loads((files / "run.json").read_text())
    shape = next(each["shape"] for each in told["findings"] if each["shape"])
    shape["texts"] = None
    (files / "run.json").write_text(json.dumps(told))
    assert run(*parts, "--reference", files / "run.json", "--quiet")[0] == 0


def test_a_reference_that_is_none_is_refused(files):
    """Another command's report, broken or cut JSON, no file, another k: one line each."""
    parts = ["--encoder", "tfidf", "--golden", files]
    assert run(*parts, "--json", files / "run.json", "--quiet")[0] == 0
    whole = (files / "run.json").read_text()
    cut = json.loads(whole)
    shape = next(each["shape"] for each in cut["findings"] if each["shape"])
    shape["texts"] = shape["texts"][:-1]
    for text, match in {
        '{"schema": 1, "findings": [{"check": "drift.number"}]}': "(it tells of drift.number)",
        '{"schema": 1, "findings": []}': "(it has no findings)",
        '{"a": 1}': "is no report of undertow; give a file",
        "[1]": "is no report of undertow; give a file",
        "[" * 100_000: "is no JSON, or a part of it",
        whole[:500]: "is no JSON, or a part of it",
        json.dumps(cut): "a saved run with an entry too many or too few",
    }.items():
        (files / "other.json").write_text(text)
        error, _ = run(*parts, "--reference", files / "other.json")
        assert isinstance(error, UndertowError), (text[:40], error)
        assert match in str(error)
    (files / "other.json").write_bytes(b"\xff\xfe\x00")
    assert "is no JSON" in str(run(*parts, "--reference", files / "other.json")[0])
    assert "there is no such file" in str(run(*parts, "--reference", files / "none.json")[0])
    error, _ = run(*parts, "--reference", files / "run.json", "--k", "5")
    assert "made with k 10, this run with 5" in str(error)


def test_wrong_words_are_refused_in_one_line(files):
    """What is missing, given twice or out of range."""
    parts = {
        (): "no queries; give docs",
        ("--golden", files, "--docs", files / "docs.parquet"): "both a golden folder and files",
        ("--queries", files / "queries.parquet"): "no docs; give",
        ("--golden", files, "--k", "0"): "k 0: it is a whole number from 1",
        ("--golden", files, "--tolerance", "0.6"): "tolerance 0.6 for difference",
        ("--golden", files, "--tolerance", "drop=0.1"): "tolerance for 'drop': no such effect",
        ("--golden", files, "--tolerance", "auto"): "--tolerance auto learns",
        ("--golden", files, "--golden-column", "x"): "write it as WHAT=COLUMN",
        (
            "--golden",
            files,
            "--write-hashes",
            files / "docs.parquet",
            "--docs",
            files / "docs.parquet",
        ): "would overwrite another file",
        ("--golden", files / "none"): "is no folder",
    }
    for words_, match in parts.items():
        error, _ = run("--encoder", "tfidf", *words_)
        assert match in str(error), (words_, error)
    both = ["--queries", files / "queries.parquet", "--judgements", files / "qrels.parquet"]
    assert "no docs; give the documents" in str(run("--encoder", "tfidf", *both)[0])
    with pytest.raises(UsageError, match="no option 'depth'"):
        tell(depth=3)
    with pytest.raises(UsageError, match="give a number such as"):
        tell(tolerance={"difference": "much"})
    with pytest.raises(UsageError, match="reference 3: give the JSON file"):
        tell(reference=3)


def test_an_index_in_a_folder_remembers_its_encoder(files):
    """Built once, it is searched and verified without documents or an encoder; what is lost is named."""
    shelf = files / "index"
    build_index(shelf, files / "docs.parquet", encoder="tfidf")
    parts = ["--index", shelf, "--queries", files / "queries.parquet"]
    parts += ["--judgements", files / "qrels.parquet", "--quiet"]
    code, shown = run(*parts, "--json", files / "run.json")
    assert code == 0, shown
    told = json.loads((files / "run.json").read_text())
    assert {each["subject"] for each in told["findings"]} >= {"retrieval", "wrong vectors"}
    shape = next(each["shape"] for each in told["findings"] if each["check"] == CHECK)
    assert (set(shape["signals"]), len(shape["about"]["held"])) == (
        {"top1", "mean", "coherence"},
        2 * QUERIES,
    )
    docs = {name: values[40:] for name, values in DOCS.items()}
    pq.write_table(pa.table(docs), files / "fewer.parquet")
    build_index(shelf, files / "fewer.parquet", encoder="tfidf")
    parts += ["--docs", files / "docs.parquet", "--reference", files / "run.json"]
    code, _ = run(*parts, "--json", files / "next.json")
    found = {
        each["subject"]: each for each in json.loads((files / "next.json").read_text())["findings"]
    }
    assert code == 1
    assert found["documents without a vector"]["evidence"]
    assert any("40 of 240 documents" in each for each in found["retrieval"]["causes"])
    assert found["retrieval"]["verdict"] == "changed"


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


def test_without_judgements_what_needs_none_is_told(files):
    """A run nobody judged is kept, and another one is held against it; hashes need judgements."""
    parts = ["--docs", files / "docs.parquet", "--queries", files / "queries.parquet"]
    parts += ["--encoder", "tfidf", "--quiet"]
    first = files / "first.json"
    assert run(*parts, "--json", first)[0] in {0, 3}
    code, _ = run(*parts, "--reference", first, "--json", files / "next.json")
    told = json.loads((files / "next.json").read_text())
    checks = {each["check"] for each in told["findings"]}
    assert code == 0
    assert {"performance.retrieval", "retrieval.churn", "retrieval.similarity"} <= checks
    assert told["verdict"] == "steady"
    error, _ = run(*parts, "--write-hashes", files / "hashed.parquet")
    assert "there are none" in str(error)
