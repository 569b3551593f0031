"""An index with one fault planted: the first finding names it, and a clean one is silent."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from undertow.core.embeds import fingerprint
from undertow.core.encode import encode
from undertow.core.errors import DataError, UsageError
from undertow.core.finding import Finding
from undertow.core.index import Stored
from undertow.core.report import Report, Source
from undertow.repair.bridge import Bridge
from undertow.stats.neighbours import unit
from undertow.verbs.integrity import verify

TOPICS, ROWS, WIDTH = 15, 600, 48
WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in "bdglmnrst"]


class Bag:
    """An encoder without a library: a random direction a word, summed; the same on every machine."""

    name = "bag"
    salt = 0
    made: dict[tuple[int, str], np.ndarray]

    def __init__(self):
        self.made = {}

    def word(self, word: str) -> np.ndarray:
        key = (self.salt, word)
        if key not in self.made:
            seed = zlib.crc32(word.encode()) + self.salt
            self.made[key] = np.random.default_rng(seed).normal(size=WIDTH)
        return self.made[key]

    def __call__(self, texts):
        return unit(np.array([sum(self.word(w) for w in t.lower().split()) for t in texts], "f4"))

    def identity(self):
        return {"bag": self.salt}


class Other(Bag):
    """Another model of as many dimensions."""

    name, salt = "other", 7


class Long(Bag):
    """An encoder that does not scale its vectors."""

    name = "long"

    def __call__(self, texts):
        return np.array([sum(self.word(w) for w in t.lower().split()) for t in texts], np.float32)


class Wide(Bag):
    """An encoder of more dimensions."""

    name = "wide"

    def __call__(self, texts):
        return np.hstack([super().__call__(texts)] * 2)


class Broken(Bag):
    """An encoder whose server is gone."""

    name = "broken"

    def __call__(self, _):
        raise RuntimeError("no route to host")


def corpus() -> dict[str, str]:
    """Return documents of 15 topics by id."""
    random = np.random.default_rng(0)
    groups = np.array(WORDS[: TOPICS * 30]).reshape(TOPICS, 30)
    return {
        f"d{row}": " ".join(random.choice(groups[row % TOPICS], 9, replace=False))
        for row in range(ROWS)
    }


DOCUMENTS = corpus()
IDS, TEXTS = list(DOCUMENTS), list(DOCUMENTS.values())
ENCODER = Bag()
ROWS_OF = encode(ENCODER, TEXTS)
SOME = np.random.default_rng(1).permutation(ROWS)[: ROWS // 10]


def held(rows=ROWS_OF, keep=None, texts=TEXTS, **more) -> Stored:
    """Return an index of these vectors."""
    keep = range(ROWS) if keep is None else keep
    names = None if texts is None else [texts[row] for row in keep]
    return Stored.of([IDS[row] for row in keep], rows[list(keep)], texts=names, **more)


def told(stored, encoder=ENCODER, documents=DOCUMENTS, **options) -> tuple[Report, list[str]]:
    """Return the report, as a command would print it."""
    found, notes = verify(stored, encoder, documents, **options)
    return Report.of(Source("documents", ROWS), Source("index", len(stored)), found), notes


def lead(stored, encoder=ENCODER, documents=DOCUMENTS, **options) -> tuple[str, str, Finding]:
    """Return the verdict, the fault that leads, and its finding."""
    report, _ = told(stored, encoder, documents, **options)
    first = report.findings[0]
    return report.verdict.value, first.evidence.get("fault", first.check), first


def changed(**places) -> np.ndarray:
    """Return the vectors with some rows replaced."""
    rows = ROWS_OF.copy()
    for value in places.values():
        rows[SOME] = value
    return rows


def test_a_clean_index_is_silent_whatever_the_draw():
    """Eight probes of a rebuild in another order are steady, and say what could still be wrong."""
    order = np.random.default_rng(2).permutation(ROWS)
    for seed in range(8):
        report, notes = told(held(keep=order), seed=seed)
        assert report.verdict.value == "steady", report.findings[0].says
        assert notes[0].startswith("60 of 600 stored vectors were made again, and 20 more")
        assert "up to 5." in notes[0]


def test_missing_documents_and_missing_topics_have_two_names():
    """30% at random are spread over all topics; topics are named by their words, or by a column."""
    kept = np.sort(np.random.default_rng(4).permutation(ROWS)[180:]).tolist()
    verdict, fault, first = lead(held(keep=kept))
    assert (verdict, fault) == ("changed", "documents missing")
    assert first.says == "180 of 600 documents (30%) have no vector, spread over all topics"
    assert "encode these 180 documents" in first.next[0]
    keep = [n for n in range(ROWS) if n % TOPICS > 1]
    verdict, fault, first = lead(held(keep=keep))
    assert (verdict, fault) == ("changed", "topics missing")
    assert first.says.startswith("80 of 600 documents (13%) have no vector, and whole topics are")
    assert set(first.examples[0]) == {"id", "text", "why"}
    topics = {name: f"topic {row % TOPICS}" for row, name in enumerate(IDS)}
    _, fault, first = lead(held(keep=keep), topics=topics)
    assert fault == "topics missing"
    assert "2 of 15 topics are not indexed ('topic 0', 'topic 1')" in first.says


def test_a_vector_without_a_document_is_still_found():
    """What was deleted and never taken out of the index is counted and named."""
    documents = {name: text for name, text in DOCUMENTS.items() if name not in {"d3", "d77"}}
    verdict, fault, first = lead(held(), documents=documents)
    assert (verdict, fault) == ("changed", "vectors without a document")
    assert first.evidence["ids"] == ["d3", "d77"]
    assert first.says.startswith("2 of 600 vectors (0.33%) belong to no document")


def test_ids_of_another_numbering_are_one_finding():
    """Where nothing joins, that is said, and not that everything is missing and too much."""
    verdict, fault, first = lead(held(), documents=dict(enumerate(TEXTS)))
    assert (verdict, fault) == ("changed", "other ids")
    assert "('0', '1', '2'; the index has 'd0', 'd1', 'd2')" in first.says


def test_ids_may_be_numbers():
    """Documents by number are those that the index knows as text; both at once are refused."""
    named = Stored.of([str(n) for n in range(ROWS)], ROWS_OF, texts=TEXTS)
    assert told(named, documents=dict(enumerate(TEXTS)))[0].verdict.value == "steady"
    with pytest.raises(DataError, match="1 ids of documents are there twice"):
        verify(named, ENCODER, {1: "a b", "1": "a b"})


def test_vectors_of_another_model_are_another_space():
    """A tenth of them are two spaces in one index; all of them are the wrong encoder."""
    verdict, fault, first = lead(held(changed(a=encode(Other(), [TEXTS[n] for n in SOME]))))
    assert (verdict, fault) == ("changed", "another space")
    assert first.says.startswith("two spaces in one index: ")
    assert "documents drawn (" in first.says
    assert {IDS.index(each["id"]) for each in first.examples} <= set(SOME.tolist())
    verdict, fault, first = lead(held(encode(Other(), TEXTS)))
    assert fault == "another space"
    assert first.says.startswith("another space: 60 of 60 documents drawn (100%, 9")


def test_shuffled_ids_are_shuffled_ids():
    """With the vectors alone, and with texts and vectors together, and all of them."""
    verdict, fault, first = lead(held(changed(a=ROWS_OF[np.roll(SOME, 1)])))
    assert (verdict, fault) == ("changed", "ids shuffled")
    assert "its vector stands under 'd" in first.examples[0]["why"]
    texts = list(TEXTS)
    for row, other in zip(SOME, np.roll(SOME, 1), strict=True):
        texts[row] = TEXTS[other]
    verdict, fault, first = lead(held(changed(a=ROWS_OF[np.roll(SOME, 1)]), texts=texts))
    assert (verdict, fault) == ("changed", "ids shuffled")
    assert first.says.startswith("ids are shuffled: 60 of 600 documents (10%) are indexed with")
    assert lead(held(np.roll(ROWS_OF, 1, axis=0)))[1] == "ids shuffled"


def test_lengths_that_are_not_the_encoders():
    """Many lengths are not normalised; one other length keeps the order, and is watched."""
    lengths = np.exp(np.random.default_rng(3).normal(0, 0.4, (ROWS, 1))).astype(np.float32)
    verdict, fault, first = lead(held(ROWS_OF * lengths))
    assert (verdict, fault) == ("changed", "not normalised")
    assert "where plain products rank" in first.says
    assert first.evidence["first_10_that_differ"] > 0.1
    verdict, fault, first = lead(held(ROWS_OF * 5))
    assert (verdict, fault) == ("watch", "other length")
    assert "all 600 stored vectors have a length of 5, and the encoder gives 1" in first.says
    raw = encode(Long(), TEXTS)
    assert told(held(raw), Long())[0].verdict.value == "steady"
    assert told(held(unit(raw)), Long())[0].verdict.value == "steady"
    assert lead(held(raw * lengths), Long())[:2] == ("changed", "not normalised")


def test_zeroed_dimensions_are_counted():
    """In every vector, in some, and never where the encoder itself leaves them at 0."""
    rows = ROWS_OF.copy()
    rows[:, 24:] = 0
    verdict, fault, first = lead(held(unit(rows)))
    assert (verdict, fault) == ("changed", "dimensions zeroed")
    assert first.says.startswith("24 of 48 numbers, numbers 25 to 48 are 0 in every stored vector")
    rows = ROWS_OF.copy()
    rows[SOME, :24] = 0
    verdict, fault, first = lead(held(rows))
    assert fault == "dimensions zeroed"
    assert "are 0 in 60 of 600 vectors (10%)" in first.says

    class Sparse(Bag):
        def __call__(self, texts):
            found = super().__call__(texts)
            found[:, 30:] = 0
            return unit(found)

    assert told(held(encode(Sparse(), TEXTS)), Sparse())[0].verdict.value == "steady"


def test_zeros_nan_and_copies():
    """What nothing can find, and one vector under many ids, are counted over all vectors."""
    assert lead(held(changed(a=0)))[1] == "empty vectors"
    rows = ROWS_OF.copy()
    rows[5, 3] = np.nan
    verdict, fault, first = lead(held(rows))
    assert (verdict, fault) == ("changed", "broken vectors")
    assert first.says.startswith("1 of 600 stored vectors (0.17%) hold NaN")
    rows[5] = np.nan
    assert lead(held(rows))[1] == "documents missing"
    assert lead(held(rows), documents=None)[1] == "documents missing"
    verdict, fault, first = lead(held(changed(a=ROWS_OF[SOME[0]])))
    assert (verdict, fault) == ("changed", "one vector for many")
    assert first.says.startswith("60 of 600 stored vectors (10%) are copies of 1")
    report, _ = told(held(changed(a=ROWS_OF[SOME[0]])))
    assert [each.check for each in report].count("index.wrong") == 0


def test_copies_of_a_text_are_no_fault():
    """Equal texts, and texts that the encoder reads alike, have one vector by right."""
    texts = list(TEXTS)
    for row in SOME:
        texts[row] = TEXTS[SOME[0]].upper() if row % 2 else TEXTS[SOME[0]]
    documents = dict(zip(IDS, texts, strict=True))
    rows = encode(ENCODER, texts)
    assert told(held(rows, texts=texts), documents=documents)[0].verdict.value == "steady"


def test_empty_texts_have_no_vector_and_need_none():
    """An empty text with a row of zeros, or with no row at all, is as it should be."""
    texts = ["" if row in {4, 9} else text for row, text in enumerate(TEXTS)]
    documents = dict(zip(IDS, texts, strict=True))
    rows = encode(ENCODER, texts)
    assert told(held(rows, texts=texts), documents=documents)[0].verdict.value == "steady"
    rows[4] = np.nan
    keep = [row for row in range(ROWS) if row != 9]
    assert told(held(rows, keep, texts), documents=documents)[0].verdict.value == "steady"


def test_a_text_that_changed_is_stale():
    """Old texts and vectors are stale; a new vector beside an old text is watched."""
    texts = [f"{text} bob" if row in SOME else text for row, text in enumerate(TEXTS)]
    spaced = [f" {text.replace(' ', '  ')}" for text in texts]
    verdict, fault, first = lead(held(encode(ENCODER, texts), texts=spaced))
    assert (verdict, fault) == ("changed", "text changed")
    assert first.says.startswith("60 of 600 documents (10%) have changed since they were indexed")
    assert lead(held(texts=texts))[:2] == ("watch", "old texts")


def test_a_coarser_version_of_the_model_is_moved_and_harmless_when_told_so():
    """8-bit vectors are watched with words, steady when allowed, and never wrong."""
    coarse = unit(np.round(ROWS_OF * 24) / 24)
    verdict, fault, first = lead(held(coarse))
    assert (verdict, fault) == ("watch", "moved")
    assert first.says.startswith("moved, harmless?: 60 of 60 documents drawn")
    assert "say that it is allowed" in first.next[0]
    for seed in range(3):
        assert told(held(coarse), allowed=["coarse"], seed=seed)[0].verdict.value == "steady"
    mixed = ROWS_OF.copy()
    mixed[SOME] = coarse[np.roll(SOME, 1)]
    assert lead(held(mixed), allowed=["coarse"])[1] == "ids shuffled"


def test_spaces_are_counted():
    """Two spaces in one index are a fact, as allowed as the user says; so is another encoder's index."""
    names = ["bag"] * 500 + ["bag8"] * 100
    verdict, fault, first = lead(held(space=names))
    assert (verdict, fault) == ("changed", "several spaces")
    assert first.says == "2 spaces in one index: 500 of bag and 100 of bag8"
    assert told(held(space=names), allowed=["bag8"])[0].verdict.value == "steady"
    notes = told(held(space="bag"), allowed=["bog"])[1]
    assert any("allowed 'bog' is no space of this index; did you mean 'bag'?" in n for n in notes)
    verdict, fault, first = lead(held(space=str(fingerprint(Other()))))
    assert (verdict, fault) == ("changed", "other encoder")
    assert "this is bag " in first.says
    assert told(held(space=str(fingerprint(ENCODER))))[0].verdict.value == "steady"


def test_through_a_bridge_the_index_is_in_place():
    """A new encoder's vectors are laid into the old space; what is wrong there is still wrong."""
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(WIDTH, WIDTH)))[0].astype("f4")

    class Turned(Bag):
        name = "turned"

        def __call__(self, texts):
            return super().__call__(texts) @ turn

    bridge = Bridge.fit(ROWS_OF @ turn, ROWS_OF)
    assert told(held(), Turned())[0].verdict.value == "changed"
    assert told(held(), Turned(), bridge=bridge)[0].verdict.value == "steady"
    swapped = held(changed(a=ROWS_OF[np.roll(SOME, 1)]))
    assert lead(swapped, Turned(), bridge=bridge)[1] == "ids shuffled"


def test_an_unsteady_encoder_is_not_held_to_the_last_bits():
    """Vectors that depend on their batch, as 8-bit weights make them, are no fault of the index."""

    class Unsteady(Bag):
        name = "unsteady"

        def __call__(self, texts):
            salt = zlib.crc32(" ".join(texts).encode())
            noise = np.random.default_rng(salt).normal(size=(len(texts), WIDTH))
            alone = 0.0 if len(texts) == 1 else 0.012
            return unit((super().__call__(texts) + alone * noise).astype(np.float32))

    encoder = Unsteady()
    rows = np.concatenate([encoder(TEXTS[at : at + 32]) for at in range(0, ROWS, 32)])
    report, notes = told(held(rows), encoder)
    assert report.verdict.value == "steady"
    assert any("another vector beside other texts" in note for note in notes)
    rows[SOME] = rows[np.roll(SOME, 1)]
    assert lead(held(rows), encoder)[1] == "ids shuffled"


def test_what_cannot_be_probed_is_said():
    """No texts at all, another dimension, an encoder that fails, an empty index: one line each."""
    report, notes = told(held(texts=None), documents=None)
    assert report.verdict.value == "unknown"
    assert "the index keeps no texts, and no documents were given" in report.findings[0].says
    assert any("give the documents to be indexed" in note for note in notes)
    assert told(held(texts=None))[0].verdict.value == "steady"
    verdict, fault, first = lead(held(), Wide())
    assert (verdict, fault) == ("changed", "other dimension")
    assert first.says.startswith("the index holds vectors of 48 numbers, and wide makes 96")
    report, _ = told(held(changed(a=0)), Broken())
    assert [each.evidence.get("fault") for each in report] == ["empty vectors", "not probed"]
    assert "no route to host" in report.findings[1].says
    nothing = Stored.of([], np.zeros((0, WIDTH), np.float32))
    assert lead(nothing)[1] == "documents missing"
    assert lead(nothing, documents=None)[:2] == ("unknown", "not probed")


def test_a_small_index_is_probed_whole():
    """With fewer documents than are to be drawn, all are made again and nothing is left to chance."""
    report, notes = told(held(keep=range(20)), documents=None)
    assert report.verdict.value == "steady"
    assert notes[0] == "all 20 stored vectors were made again: each is that of its text"
    assert report.findings[0].effect.high == 0


def test_options_that_make_no_sense_are_refused():
    """No document to draw, or a tolerance that is no share."""
    with pytest.raises(UsageError, match="m 0"):
        verify(held(), ENCODER, None, m=0)
    with pytest.raises(UsageError, match=r"tolerance 0\.9"):
        verify(held(), ENCODER, None, tolerance=0.9)


def test_progress_is_told():
    """A slow encoder is seen to move."""
    seen = []
    verify(held(), ENCODER, None, progress=lambda *each: seen.append(each))
    assert seen
    assert all(done <= total for _, done, total in seen)
