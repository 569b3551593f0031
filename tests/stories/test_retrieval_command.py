"""`undertow retrieval` at its door: a run is kept and compared, wrong words are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click.testing
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from golden_samples import ASKS, DOCS, QUERIES, RIGHT

from undertow.core.errors import UndertowError
from undertow.sources.saved_run import CHECK
from undertow.surfaces.cli_retrieval import retrieval as command
from undertow.verbs.index import build_index


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


def test_without_judgements_what_needs_none_is_told(files):
    """A run nobody judged is kept, and another one is held against it; hashes need judgements."""
    parts = ["--docs", files / "docs.parquet", "--queries", files / "queries.parquet"]
    parts += ["--encoder", "tfidf", "--quiet"]
    first = files / "first.json"
    assert run(*parts, "--json", first)[0] == 0
    code, _ = run(*parts, "--reference", first, "--json", files / "next.json")
    told = json.loads((files / "next.json").read_text())
    checks = {each["check"] for each in told["findings"]}
    assert code == 0
    assert {"performance.retrieval", "retrieval.churn", "retrieval.similarity"} <= checks
    assert told["verdict"] == "steady"
    error, _ = run(*parts, "--write-hashes", files / "hashed.parquet")
    assert "there are none" in str(error)
