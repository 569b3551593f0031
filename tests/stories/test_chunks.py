"""The chunks of a pipeline: another splitter, no overlap, a header in each, a document cut short."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.core.verdict import Verdict
from undertow.stats.chunks import chunks, overlap
from undertow.verbs.tokens import tokens

WORDS = [f"{a}{b}{c}" for a in "bcdfgl" for b in "aeiou" for c in ("nt", "m", "rk", "st")]


def documents(many: int = 40, seed: int = 0) -> dict[str, list[str]]:
    """Return the words of some documents by name."""
    random = np.random.default_rng(seed)
    return {
        f"doc {n}": random.choice(WORDS, random.integers(300, 600)).tolist() for n in range(many)
    }


def split(made, size: int = 60, shared: int = 10, head: str = "") -> pa.Table:
    """Return the chunks of documents: so many words each, some shared with the one before."""
    rows = [
        (name, place, head.format(name) + " ".join(words[at : at + size]))
        for name, words in made.items()
        for place, at in enumerate(range(0, max(len(words) - shared, 1), size - shared))
    ]
    return pa.table(
        {
            key: list(each)
            for key, each in zip(("doc", "place", "text"), zip(*rows, strict=True), strict=True)
        }
    )


DOCUMENTS = documents()
BEFORE = split(DOCUMENTS)


def told(now, **options):
    """Return the findings on chunks by their check, and the report."""
    report = tokens(BEFORE, now, text="text", document="doc", **options)
    return {each.check: each for each in report if each.check.startswith("chunks.")}, report


def test_the_same_chunks_are_steady():
    """Chunks that were made alike are steady in their length, number and overlap; nothing is gone."""
    found, _ = told(BEFORE)
    assert {name: each.verdict for name, each in found.items()} == {
        "chunks.length": Verdict.STEADY,
        "chunks.per_document": found["chunks.per_document"].verdict,
        "chunks.overlap": Verdict.STEADY,
        "chunks.headers": Verdict.STEADY,
        "chunks.documents": Verdict.STEADY,
        "chunks.lost_text": Verdict.STEADY,
    }
    assert found["chunks.per_document"].verdict in {Verdict.STEADY, Verdict.UNKNOWN}


def test_another_splitter_shows_in_length_number_and_overlap():
    """Half the length and no overlap are told in words a chunk, chunks a document, words shared."""
    found, _ = told(split(DOCUMENTS, 30, 0))
    for check, says in (
        ("chunks.length", "60 → 30 words a chunk"),
        ("chunks.overlap", "10 → 0 words of overlap"),
        ("chunks.per_document", "chunks a document"),
    ):
        assert found[check].verdict is Verdict.CHANGED
        assert says in found[check].says
    assert found["chunks.lost_text"].verdict is Verdict.STEADY


def test_a_header_in_every_chunk_is_named():
    """A page header that a parser left is told with its words; an overlap alone is no header."""
    found, _ = told(split(DOCUMENTS, head="Annual report of {}\n"))
    assert found["chunks.headers"].verdict is Verdict.CHANGED
    assert "0% → 100% of chunks" in found["chunks.headers"].says
    assert "'Annual report of doc" in found["chunks.headers"].says


def test_documents_that_are_gone_or_cut_short_are_facts():
    """Five documents gone and four that lost half their words are told by name."""
    kept = {name: words for n, (name, words) in enumerate(DOCUMENTS.items()) if n >= 5}
    kept |= {f"doc {n}": DOCUMENTS[f"doc {n}"][:150] for n in range(5, 9)}
    found, report = told(split(kept))
    assert report.verdict is Verdict.CHANGED
    gone, lost = found["chunks.documents"], found["chunks.lost_text"]
    assert gone.says == "5 of 40 documents are gone, 0 are new"
    assert {each["document"] for each in gone.examples} == {f"doc {n}" for n in range(5)}
    assert lost.says.startswith("4 of 35 documents lost more than 5% of their words")
    assert {each["document"] for each in lost.examples} == {f"doc {n}" for n in range(5, 9)}
    assert (gone.effect, gone.verdict, lost.verdict) == (None, Verdict.CHANGED, Verdict.CHANGED)


def test_one_document_gone_of_many_is_watched():
    """A share within the tolerance is no failure, and still told."""
    many = documents(100, 1)
    before, now = split(many), split({name: many[name] for name in list(many)[1:]})
    report = tokens(before, now, text="text", document="doc")
    assert report["text:documents"].verdict is Verdict.WATCH


def test_other_documents_are_not_called_gone():
    """A set of other documents is compared in its chunks, and a note says why no more is told."""
    other = {f"new {name}": words for name, words in documents(40, 7).items()}
    found, report = told(split(other))
    assert not {"chunks.documents", "chunks.lost_text"} & set(found)
    assert any("0 of 40 documents of the reference are on both sides" in n for n in report.notes)


def test_the_order_of_chunks_may_be_given():
    """Shuffled rows are put in order by a column of places, as numbers and not as text."""
    shuffled = BEFORE.take(pa.array(np.random.default_rng(0).permutation(len(BEFORE))))
    found = tokens(BEFORE, shuffled, text="text", document="doc", order="place")
    assert found["text:words shared with the chunk before"].verdict is Verdict.STEADY
    without = tokens(BEFORE, shuffled, text="text", document="doc")
    assert without["text:words shared with the chunk before"].verdict is Verdict.CHANGED


def test_rows_of_no_document_are_noted():
    """Rows without a document count for none, and where no row has one nothing is told of chunks."""
    holed = BEFORE.set_column(0, "doc", pa.array([None, " ", *BEFORE["doc"].to_pylist()[2:]]))
    _, report = told(holed)
    assert any("2 of" in note and "have no 'doc'" in note for note in report.notes)
    none = BEFORE.set_column(0, "doc", pa.nulls(len(BEFORE)))
    assert not told(none)[0]
    with pytest.raises(UsageError, match="no column 'docs'; did you mean 'doc'"):
        tokens(BEFORE, BEFORE, text="text", document="docs")


def test_what_a_parser_leaves_in_chunks_is_named():
    """Lines broken inside sentences are told by the check of damage, with the mark's name."""
    broken = [each.replace(" ", "\n", 9) for each in BEFORE["text"].to_pylist()]
    report = tokens(
        BEFORE, BEFORE.set_column(2, "text", pa.array(broken)), text="text", document="doc"
    )
    (found,) = [each for each in report if each.check == "drift.artefacts"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, "broken lines")


@settings(max_examples=60)
@given(
    st.text("ab ", max_size=30),
    st.text("abc", min_size=12, max_size=30),
    st.text("ab ", max_size=30),
)
def test_an_overlap_is_found_and_is_one(before, shared, after):
    """What is found is the end of one text and the beginning of the next, at least what was planted."""
    one, two = before + shared, shared + after
    found = overlap(one, two)
    assert found >= len(shared)
    assert one[len(one) - found :] == two[:found]


def test_words_of_documents_count_what_neighbours_share_once():
    """However a document is split, it has the words that it has."""
    for size, shared in ((60, 10), (30, 0), (50, 25)):
        rows = split(DOCUMENTS, size, shared)
        made = chunks(rows["text"].to_pylist(), rows["doc"].to_pylist())
        words = dict(zip(made.names, made.words_of_documents.tolist(), strict=True))
        assert words == {name: len(each) for name, each in DOCUMENTS.items()}


def test_chunks_without_spaces_are_measured_in_characters():
    """In Chinese a chunk of half the length is seen: every character counts as a word."""
    random = np.random.default_rng(0)
    some = ["".join(random.choice(list("我你他们银行河水"), 60)) for _ in range(400)]
    names = [f"doc {n // 4}" for n in range(400)]
    whole = pa.table({"text": some, "doc": names})
    half = pa.table({"text": [each[:30] for each in some], "doc": names})
    report = tokens(whole, half, text="text", document="doc")
    assert report["text:words per chunk"].verdict is Verdict.CHANGED
    assert report["text:lost text"].verdict is Verdict.CHANGED
    assert tokens(whole, whole, text="text", document="doc").verdict is Verdict.STEADY


def test_a_redacted_report_quotes_no_header():
    """The line that returns is a row's text: a redacted report says only how often it returns."""
    now = split(DOCUMENTS, head="Annual report of {}\n")
    found, report = told(now)
    assert "Annual report" in found["chunks.headers"].says
    redacted = report.redact()
    assert "Annual report" not in redacted.to_json()
    assert "0% → 100% of chunks" in redacted["text:repeated lines"].says
