"""The checks of texts: what they say, what they name, and what they keep silent about."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.core.verdict import Verdict
from undertow.detect.words import shortened
from undertow.stats.holders import Holders, largest_change, rows_that_tell, significant
from undertow.stats.vocabulary import vocabulary
from undertow.summaries import words as tables

RANDOM = np.random.default_rng(3)
BASE = np.array([f"w{n}" for n in range(300)], object)
SHARE = 1 / np.arange(1, 301)
SHARE /= SHARE.sum()


def written(n: int, seed: int, word: str = "", share: float = 0.0) -> pa.Table:
    """Return texts of eight Zipf words, a share of them with one word more."""
    random = np.random.default_rng(seed)
    picked = BASE[random.choice(300, (n, 8), p=SHARE)]
    extra = random.random(n) < share
    made = [
        " ".join(row) + (f" {word}" if add else "") + "."
        for row, add in zip(picked, extra, strict=True)
    ]
    return pa.table({"text": made})


def test_a_new_word_is_named_with_its_rows(findings):
    """The new word is the finding's value; evidence, chart and examples hold it."""
    found = findings(written(1000, 1), written(1000, 2, "aurora", 0.06), text="text")
    (new,) = found["drift.new_words"]
    assert new.verdict is Verdict.CHANGED
    assert (new.value, new.subject) == ("aurora", "text=aurora")
    assert new.evidence["new_words"].keys() == {"aurora"}
    assert all("aurora" in example["text"] for example in new.examples)
    assert len(new.examples) == 3
    assert any("ILIKE '%aurora%'" in step for step in new.next)
    (row,) = [row for row in new.shape["rows"] if row["word"] == "aurora"]
    assert row["note"] == "new"
    assert row["reference"] == 0
    assert row["current"] == pytest.approx(600, abs=250)
    assert found["drift.word_share"][0].verdict is Verdict.STEADY


def test_a_known_word_that_moved_is_named(findings):
    """A word known before that grew, or is gone, is found by the share of texts that hold it."""
    before, now = written(1000, 1, "refund", 0.01), written(1000, 2, "refund", 0.09)
    (grown,) = findings(before, now, text="text")["drift.word_share"]
    assert (grown.verdict, grown.value) == (Verdict.CHANGED, "refund")
    (gone,) = findings(now, written(1000, 4), text="text")["drift.word_share"]
    assert (gone.verdict, gone.value) == (Verdict.CHANGED, "refund")
    assert "(gone)" in gone.says
    assert gone.evidence["vanished_words"].keys() == {"refund"}


def test_pairs_are_named_when_their_words_did_not_move(findings):
    """Two old words that now stand side by side are a change of pairs alone."""
    random = np.random.default_rng(5)
    flips = random.random(2000) < 0.5
    apart = ["red is my car" if flip else "car that is red" for flip in flips]
    beside = ["my red car is" if flip else "that is red car" for flip in flips]
    found = findings(pa.table({"text": apart}), pa.table({"text": beside}), text="text")
    (all_words,) = found["drift.words"]
    assert "red car" in all_words.evidence["new_pairs"]
    assert not all_words.evidence["new_words"]


def test_nothing_noisy_is_named(findings):
    """Without a change no word, pair, chart or example is shown."""
    found = findings(written(800, 11), written(800, 12), text="text")
    for check in ("drift.words", "drift.new_words", "drift.word_share"):
        for each in found.get(check, ()):
            assert each.value is None
            assert each.shape is None
            assert each.examples == ()
            assert each.verdict in {Verdict.STEADY, Verdict.UNKNOWN}


def test_damage_is_named_with_a_next_step(findings):
    """A parser that breaks lines is found, sized and shown."""
    before = written(600, 1)
    broken = [
        text.replace(" w", " wo-\nw", 1) if n % 4 == 0 else text
        for n, text in enumerate(written(600, 2)["text"].to_pylist())
    ]
    (found,) = findings(before, pa.table({"text": broken}), text="text")["drift.artefacts"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, "broken lines")
    assert found.says == "broken lines: 0% → 25% of texts"
    assert all("-\n" in example["text"] for example in found.examples)
    assert "parser" in found.next[0]


def test_clean_texts_carry_no_damage(findings):
    """Where no text carries a mark, the finding is steady and names none."""
    (found,) = findings(written(600, 1), written(600, 2), text="text")["drift.artefacts"]
    assert (found.verdict, found.value) == (Verdict.STEADY, None)


def test_texts_without_rows_are_unknown(findings):
    """A side whose texts are all missing decides nothing, and breaks nothing."""
    empty = pa.table({"text": pa.array([None] * 50, pa.string())})
    for sides in ((written(50, 1), empty), (empty, written(50, 1)), (empty, empty)):
        for each in findings(*sides, text="text").get("drift.words", ()):
            assert each.verdict is Verdict.UNKNOWN


def test_predictions_that_are_texts_are_outputs(findings):
    """A text column that is the prediction is checked as output."""
    before, now = (
        t.rename_columns(["p"]) for t in (written(500, 1), written(500, 2, "sorry", 0.3))
    )
    found = findings(before, now, text="p", prediction="p")
    assert found["output.new_words"][0].value == "sorry"


def test_words_are_found_beyond_the_cap(findings, monkeypatch):
    """With a cap far too small words are compared in groups, and the moved one is still named."""
    before, now = written(1500, 1, "refund", 0.01), written(1500, 2, "refund", 0.10)
    tiny = tables.Words(tables.Table(40), tables.Table(40, named=False))
    monkeypatch.setattr(tables.Words, "fit", lambda *_: tiny)
    found = findings(before, now, text="text")
    assert found["drift.words"][0].evidence["counted_in_groups"]
    (grown,) = found["drift.word_share"]
    assert (grown.verdict, grown.value) == (Verdict.CHANGED, "refund")


@pytest.mark.parametrize(
    "hostile", ["\x00" * 50, "x" * 200_000, "\u202e<script>", "'); DROP TABLE"]
)
def test_hostile_texts_change_nothing_but_their_rows(findings, hostile):
    """Hostile cells are counted like any other, with no error and short examples."""
    now = [hostile if n % 10 == 0 else t for n, t in enumerate(written(300, 2)["text"].to_pylist())]
    found = findings(written(300, 1), pa.table({"text": now}), text="text")
    shown = [e for listed in found.values() for each in listed for e in each.examples]
    assert all(
        len(cell) < 300 for example in shown for cell in example.values() if "text" in example
    )


def test_the_hash_of_the_document_draws_the_same_word_for_the_same_text(findings):
    """Identical texts on both sides have no effect at all."""
    found = findings(written(1000, 1), written(1000, 1), text="text")
    assert found["drift.words"][0].effect.value == 0
    assert found["drift.word_share"][0].effect.value == 0


# The statistics behind the checks.


def test_the_picked_word_pays_for_being_picked():
    """Of thousands of words without a change, p below 1% comes up in at most about 1% of trials."""
    rows, alarms = 500, 0
    shares = np.minimum(0.5, 3 / np.arange(1, 1001))
    for _ in range(100):
        some = Holders(RANDOM.binomial(rows, shares), rows, RANDOM.binomial(rows, shares), rows)
        alarms += any(largest_change(some, new=new)[1].p_no_change < 0.01 for new in (True, False))
        assert significant(some).sum() <= 3
    assert alarms <= 5


def test_limits_cover_the_picked_words_change():
    """The 95% interval holds the true change of the word that moved in at least 94% of trials."""
    rows, held = 1000, 0
    before = np.minimum(0.5, 2 / np.arange(1, 1001))
    now = before.copy()
    now[200] = 0.08
    truth = 2 * np.arcsin(np.sqrt(now[200])) - 2 * np.arcsin(np.sqrt(before[200]))
    for _ in range(100):
        some = Holders(RANDOM.binomial(rows, before), rows, RANDOM.binomial(rows, now), rows)
        _, effect = largest_change(some)
        held += effect.low <= truth <= effect.high
    assert held >= 90


def test_two_words_are_two_comparisons():
    """Overlapping shares do not share their evidence as the two halves of one whole do."""
    one = Holders(np.array([10, 0]), 100, np.array([30, 0]), 100)
    two = Holders(np.array([10, 20]), 100, np.array([30, 21]), 100)
    assert largest_change(two)[1].p_no_change == pytest.approx(
        2 * largest_change(one)[1].p_no_change
    )


def test_no_words_give_no_index():
    """Without words or rows there is nothing to pick."""
    nothing = np.empty(0, np.int64)
    assert largest_change(Holders(nothing, 5, nothing, 5))[0] == -1
    assert largest_change(Holders(np.array([1]), 1, np.array([0]), 0))[0] == -1
    assert significant(Holders(nothing, 5, nothing, 5)).size == 0
    assert rows_that_tell([], 0.2) > 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=80))
def test_vocabulary_keeps_every_row(counts):
    """The cells hold every row once, whichever order the words come in."""
    ours, theirs = (np.array(side, np.int64) for side in zip(*counts, strict=True))
    made = vocabulary(ours, theirs)
    assert made.reference.sum() == ours.sum()
    assert made.current.sum() == theirs.sum()
    back = vocabulary(theirs, ours)
    assert back.reference.tolist() == made.current.tolist()


def test_examples_are_cut_around_the_word():
    """Long texts are shown around the word, short ones whole."""
    assert shortened("short") == "short"
    long = shortened("x" * 5000 + " needle " + "y" * 5000, "needle")
    assert "needle" in long
    assert len(long) < 230
