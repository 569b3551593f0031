"""Two versions of an encoder, with what was done to the second planted: the words are the right ones."""

from __future__ import annotations

import json
import re

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.repair.bridge import Bridge
from undertow.stats.neighbours import unit
from undertow.surfaces.cli_encoders import compare_encoders as command
from undertow.verbs.encoders import compare_encoders

TOPICS = ["refund", "parcel", "password", "invoice", "meter", "ferry", "ticket", "garden", "salary"]
TEXTS = [f"{topic} question number {n}" for n in range(34) for topic in TOPICS][:300]


def texts(rows: int = 300):
    """Return anchors: a text and its topic."""
    labels = [text.split()[0] for text in TEXTS[:rows]]
    return pa.table({"text": TEXTS[:rows], "topic": labels})


def old(dimensions: int = 16):
    """Return what the old encoder makes of the texts: a direction a topic, and much else."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(len(TOPICS), dimensions))
    made = np.tile(centres, (34, 1))[:300] + 0.6 * random.normal(size=(300, dimensions))
    return unit(made.astype(np.float32))


def turned(rows):
    """Return the rows in another space of as many dimensions."""
    random = np.random.default_rng(1)
    return unit(rows @ np.linalg.qr(random.normal(size=(rows.shape[1],) * 2))[0].astype(np.float32))


def noisy(rows, much: float):
    """Return the rows with noise of this length."""
    noise = np.random.default_rng(2).normal(size=rows.shape) / np.sqrt(rows.shape[1])
    return unit((rows + much * noise).astype(np.float32))


def mixed(rows, other, share: float = 0.2):
    """Return the rows, a share of them another's."""
    foreign = np.random.default_rng(3).random(len(rows)) < share
    return np.where(foreign[:, None], other, rows)


def told(a, b, **options):
    """Return the verdict, and the words of the first finding."""
    report = compare_encoders(a, b, anchors=texts(len(a)), text="text", **options)
    return report.verdict, report["encoder"].says, report


def test_a_second_run_is_the_same_space():
    """What differs in the last bits alone is steady, and so are all findings."""
    verdict, says, report = told(old(), noisy(old(), 1e-6))
    assert verdict is Verdict.STEADY
    assert says.startswith("same space: ")
    assert {finding.verdict for finding in report} == {Verdict.STEADY}


def test_rounded_vectors_have_moved_and_do_no_harm():
    """Coarser numbers move every vector, and the run does not fail."""
    coarse = unit(np.round(old() * 12) / 12)
    verdict, says, report = told(old(), coarse)
    assert verdict is Verdict.STEADY
    assert says.startswith("moved, harmless: mean cosine 0.99")
    assert report["encoder"].examples[0]["text"] in TEXTS


def test_a_rotation_is_bridgeable_and_a_foreign_space_is_not():
    """Old vectors are not found in both; the map brings them back in one."""
    verdict, says, _ = told(old(), turned(old()))
    assert verdict is Verdict.CHANGED
    assert says.startswith(
        "bridgeable by an orthogonal map (recovers 1.00 of the retrieval quality"
    )
    verdict, says, _ = told(
        old(), unit(np.random.default_rng(5).normal(size=(300, 16)).astype("f4"))
    )
    assert verdict is Verdict.CHANGED
    assert says.startswith("incompatible: re-index; new vectors of all texts are not where")


def test_a_rotation_with_few_pairs_says_how_many_it_takes():
    """200 anchors cannot fit a map of 200 numbers, and show that the space is only turned."""
    rows = unit(np.random.default_rng(7).normal(size=(200, 200)).astype(np.float32))
    verdict, says, report = told(rows, turned(rows))
    assert verdict is Verdict.CHANGED
    assert says.startswith("bridgeable by an orthogonal map, once there are 260 anchors")
    assert report["bridge on held-out pairs"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("other", [turned(old()), np.roll(old(), 7, axis=0)])
def test_a_mix_names_the_share_and_the_texts(other):
    """A fifth of rows of another space is no other space, and those rows are named."""
    verdict, says, report = told(old(), mixed(old(), other))
    assert verdict is Verdict.CHANGED
    assert says.startswith(("mixed: the vectors of 1", "mixed: the vectors of 2"))
    share = report["vectors of another space"].effect
    assert share.low < 0.2 < share.high
    foreign = np.random.default_rng(3).random(300) < 0.2
    named = [TEXTS.index(row["text"]) for row in report["vectors of another space"].examples]
    assert foreign[named].all()


def test_noise_that_costs_answers_is_no_harmless_move():
    """Texts that stay near their place and lose their neighbours fail the run."""
    verdict, says, _ = told(old(), noisy(old(), 1.2))
    assert verdict is not Verdict.STEADY
    assert "incompatible" in says or "mixed" in says


def test_vectors_of_another_length_never_meet_the_old_index():
    """Another dimension is a fact, and a bridge is tried all the same."""
    verdict, says, report = told(old(), old()[:, :12])
    assert verdict is Verdict.CHANGED
    assert "16 numbers a vector, now 12" in says
    assert report["vectors of another space"].effect is None


def test_few_anchors_tell_nothing():
    """Below 50 usable anchors nothing is told, and it is said how many there should be."""
    verdict, says, report = told(old()[:30], turned(old())[:30])
    assert verdict is Verdict.UNKNOWN
    assert says.startswith("cannot tell: 30 usable anchors, and at least 50 are needed")
    assert report["encoder"].needs_rows == 200


def test_labels_decide_what_is_relevant():
    """With a label, texts of one topic answer each other."""
    _, _, report = told(old(), noisy(old(), 0.3), label="topic")
    assert report["retrieval on anchors by label"].verdict is Verdict.STEADY


def test_bad_rows_are_left_out_with_a_note():
    """Zeros, NaN, repeated and missing texts are counted and never compared."""
    a, b = old(), old()
    a[3], b[5, 2] = 0, np.nan
    named = [*TEXTS[:298], TEXTS[0], None]
    report = compare_encoders(a, b, anchors=pa.table({"text": named}), text="text")
    assert report.reference.rows == 296
    notes = " ".join(report.notes)
    assert "of 300 vectors, 1 all zeros were left out" in notes
    assert "1 with NaN or infinity" in notes
    assert "1 rows repeat a text" in notes
    assert report.verdict is Verdict.STEADY


def test_vectors_that_are_no_longer_normalised_are_noted():
    """Directions alike, lengths not: the space is the same, and the index may rank otherwise."""
    verdict, _, report = told(old(), old() * 5)
    assert verdict is Verdict.STEADY
    assert "a length of 1, now 5" in report.notes[1]
    assert report.notes[0] == report["encoder"].says


def letters(words):
    """Encode by counting letters: an encoder without a library."""
    return np.array(
        [[text.count(letter) for letter in "abcdefghiklmnopqrstuvwxyz"] for text in words]
    )


def backwards(words):
    """The same encoder in another space."""
    return letters(words)[:, ::-1]


def golden(folder, **changed):
    """Write a golden set of animals and what they eat."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcdefghiklmnopqrstuvwxyz"), 9)) for _ in range(240)]
    documents = [" ".join(random.choice(words, 12)) for _ in range(120)]
    queries = [" ".join(random.permutation(each.split())[:9]) for each in documents[:100]]
    tables = {
        "docs": {"doc_id": [f"d{n}" for n in range(120)], "text": documents},
        "queries": {"query_id": list(range(100)), "query": queries},
        "qrels": {"query_id": list(range(100)), "doc_id": [f"d{n}" for n in range(100)]},
    }
    folder.mkdir(exist_ok=True)
    for name, columns in (tables | changed).items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder, documents


def test_a_golden_set_says_what_it_does_to_answers(tmp_path):
    """Encoders are run on its texts: nothing done loses, a bridge gives it back."""
    folder, documents = golden(tmp_path / "golden")
    path = tmp_path / "bridge.npz"
    report = compare_encoders(
        letters, backwards, anchors={"t": documents}, text="t", golden=folder, bridge=path
    )
    assert report["encoder"].says.startswith("bridgeable by an orthogonal map (recovers 1.00")
    evidence = report["retrieval on golden set"].evidence
    assert evidence["re_index"]["mrr@10"] > 0.9
    assert evidence["nothing_done"]["mrr@10"] < 0.5
    assert report["bridge on golden set"].evidence["through_bridge"]["ndcg@10"] > 0.9
    assert f"bridge written to {path}" in report.notes[-1]
    bridge = Bridge.load(path)
    assert bridge.measured_on == "golden set"
    assert "backwards" in bridge.source


def test_a_golden_set_that_joins_nothing_is_refused(tmp_path):
    """Ids of another numbering, relevance of nothing, a missing file or column: one line each."""
    _, documents = golden(tmp_path)

    def refused(match, **changed):
        columns = changed.pop("columns", None)
        folder, _ = golden(tmp_path / "g", **changed)
        with pytest.raises((DataError, UsageError), match=match):
            compare_encoders(
                *(letters, backwards),
                anchors={"t": documents},
                text="t",
                golden=folder,
                golden_columns=columns,
            )

    ids = {"query_id": [0, 1], "doc_id": ["x", "y"]}
    refused("none of its 2 judgements joins: 2 query ids and 0 document ids are known", qrels=ids)
    nothing = {"query_id": [0], "doc_id": ["d0"], "relevance": [0]}
    refused("no judgement has a relevance above 0", qrels=nothing)
    refused("say which: --golden-column judged_doc=COLUMN", qrels={"query_id": [0], "d": ["d0"]})
    wrong = [f"d{(n + 50) % 100}" for n in range(100)]
    refused(
        "neither encoder finds its answers", qrels={"query_id": list(range(100)), "doc_id": wrong}
    )
    refused("no column 'txt'; did you mean 'text'", columns={"doc_text": "txt"})
    refused("golden column 'docs': no such part", columns={"docs": "text"})
    with pytest.raises(UsageError, match="no file of documents"):
        compare_encoders(
            letters, backwards, anchors={"t": documents}, text="t", golden=_empty(tmp_path)
        )


def test_a_mix_is_a_mix_beside_a_golden_set_too(tmp_path):
    """The golden set measures the loss, the anchors tell that it is some rows alone."""
    folder, documents = golden(tmp_path / "golden")
    queries = pq.read_table(folder / "queries.parquet")["query"].to_pylist()
    every = documents + queries
    a = unit(letters(every).astype(np.float32))
    b = a.copy()
    b[:40] = a[:40, ::-1]
    report = compare_encoders(a, b, anchors={"t": every}, text="t", golden=folder)
    assert report["encoder"].says.startswith("mixed: the vectors of 1")
    assert report["retrieval on golden set"].effect.defined


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def test_saved_vectors_answer_golden_texts_only_if_they_have_them(tmp_path):
    """A file knows the vectors of the anchors: golden texts among them are found, others refused."""
    folder, documents = golden(tmp_path / "golden")
    queries = pq.read_table(folder / "queries.parquet")["query"].to_pylist()
    every = documents + queries
    a, b = (unit(each(every).astype(np.float32)) for each in (letters, backwards))
    report = compare_encoders(a, b, anchors={"t": every}, text="t", golden=folder)
    assert report["encoder"].says.startswith("bridgeable")
    with pytest.raises(UsageError, match="100 of 100 golden queries are not among them"):
        compare_encoders(a[:120], b[:120], anchors={"t": documents}, text="t", golden=folder)


@pytest.fixture
def files(tmp_path):
    """Return a folder with anchors and saved vectors in several forms."""
    pq.write_table(texts(), tmp_path / "anchors.parquet")
    np.save(tmp_path / "old.npy", old())
    np.savez(tmp_path / "turned.npz", v=turned(old()))
    pq.write_table(
        pa.table({"id": list(range(300)), "v": old().tolist()}), tmp_path / "old.parquet"
    )
    np.save(tmp_path / "short.npy", old()[:100])
    return tmp_path


def run(*words):
    """Run the command and return its exit code and what it printed."""
    made = click.testing.CliRunner().invoke(
        command, [str(each) for each in words], standalone_mode=False
    )
    return made.return_value if made.exception is None else made.exception, made.output


def test_the_command_writes_a_report_and_a_bridge(files):
    """Saved files in, version 1 JSON out, exit code 1 for what needs a bridge and 0 for the same."""
    anchors = ["--anchors", files / "anchors.parquet", "--text", "text", "--quiet"]
    code, out = run(
        files / "old.npy",
        files / "turned.npz",
        *anchors,
        "--json",
        "-",
        "--bridge",
        files / "b.npz",
    )
    report = json.loads(out)
    assert (code, report["verdict"], report["schema"]) == (1, "changed", 1)
    assert report["findings"][0]["says"].startswith("bridgeable by an orthogonal map")
    assert report["findings"][0]["evidence"]["overlap"]["value"] == 1.0
    back = Bridge.load(files / "b.npz").apply(turned(old()))
    assert back == pytest.approx(old(), abs=1e-4)
    code, out = run(files / "old.npy", files / "old.parquet", *anchors, "--json", "-")
    assert (code, json.loads(out)["verdict"]) == (0, "steady")


def test_the_command_refuses_in_one_line(files):
    """Row counts that differ, one file twice, a wrong column or option: what, and what next."""
    anchors = ["--anchors", files / "anchors.parquet", "--text", "text"]
    cases = {
        (
            "old.npy",
            "short.npy",
        ): "holds 100 vectors and .* 300 texts: give one vector for each row",
        ("old.npy", "old.npy"): "A and B are one file",
        ("old.npy", "none.npy"): "there is no such file",
        ("old.npy", "anchors.parquet"): "holds no column of vectors; name one with --vector",
    }
    for (a, b), match in cases.items():
        error, _ = run(files / a, files / b, *anchors)
        assert re.search(match, str(error)), error
    pair = [files / "old.npy", files / "turned.npz"]
    for words, match in {
        ("--text", "txt"): "no column 'txt'; did you mean 'text'",
        ("--tolerance", "0.8"): "above 0 and below 0.5",
        ("--tolerance", "auto"): "give a number",
        ("--tolerance", "overlap=0.1"): "no such effect",
        ("--golden-column", "x"): "write it as WHAT=COLUMN",
        ("--label", "topc"): "did you mean 'topic'",
        ("--vector", "w"): "no column 'w'",
        ("--bridge", str(files / "old.npy")): "would overwrite",
    }.items():
        error, _ = run(*pair, *anchors, *words)
        assert match in str(error), (words, error)


@pytest.mark.real
def test_a_cranfield_golden_set_is_read_as_it_lies(real):
    """The folder of the real data holds one: 1,400 documents, 225 queries, 1,837 judgements."""
    from undertow.sources.golden import open_golden

    found = open_golden(real("cranfield_docs").parent)
    assert (len(found.documents), len(found.queries), len(found.judged.gain)) == (1400, 225, 1837)


def test_copies_do_not_make_a_difference():
    """Many texts of one vector have no order among them; a space of one vector alone is the same."""
    few = np.repeat(old()[:20], 15, axis=0)
    verdict, says, _ = told(few, noisy(few, 1e-6))
    assert (verdict is Verdict.CHANGED, says[:10]) == (False, "same space")
    ones = np.ones((300, 4), np.float32)
    assert told(ones, ones + 0)[1].startswith("same space")


def test_an_encoder_that_reads_the_texts_first_is_fitted_on_the_anchors():
    """TF-IDF beside a function: names, not files; empty texts are left out."""
    named = [*TEXTS[:120], "", None]
    report = compare_encoders("tfidf", letters, anchors={"t": named}, text="t")
    assert report.reference.source == "tfidf"
    assert report.reference.rows == 120
    assert report["encoder"].says.startswith("incompatible: re-index; ")
    assert report["encoder"].evidence["fingerprints"] == "foreign"
    with pytest.raises(UsageError, match="no encoder 'tfdif'; did you mean 'tfidf'"):
        compare_encoders("tfdif", letters, anchors={"t": named}, text="t")
