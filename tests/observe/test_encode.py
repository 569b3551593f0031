"""A text column encoded on both sides: its vectors join the sample of rows, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.adapters.tfidf import Tfidf
from undertow.core.embeds import Fingerprint
from undertow.core.errors import DataError, ProfileError, UsageError
from undertow.core.profile import EVERY
from undertow.core.schema import Kind
from undertow.observe.encode import both_encoded, encoded, vector_name
from undertow.summaries.sample import RowSample

SORTS = ("gas", "water", "phone")


class Lengths:
    """An encoder that counts, and remembers how often it was asked."""

    def __init__(self, name="lengths", turn=1.0):
        self.name, self.turn, self.asked = name, turn, 0

    def __call__(self, texts):
        self.asked += len(texts)
        return np.array(
            [[len(t) + 1.0, self.turn * t.count("a"), t.count("e") + 0.5] for t in texts]
        )

    def identity(self):
        return {"turn": self.turn}


class Twice(Lengths):
    """The same encoder, which has come to return vectors of twice the length."""

    def __call__(self, texts):
        return 2.0 * super().__call__(texts)


def rows(count=300, start=0):
    """Return rows of texts, a missing and an empty one among them."""
    texts = [f"how do I pay my {SORTS[n % 3]} bill {n}" for n in range(start, start + count)]
    return pa.table({"q": [*texts, None, " "], "x": list(range(count + 2))})


def sides(**options):
    """Return the profiles of two sets of rows under one plan."""
    before = ut.profile(rows(), text="q", **options)
    return before, ut.profile(rows(200, 250), like=before)


def vectors(profile):
    """Return the encoded rows of a profile by text."""
    kept = profile.get(RowSample, *EVERY).kept
    return dict(zip(kept["q"].to_pylist(), kept["q~vector"].to_pylist(), strict=True))


def test_vectors_join_the_sample_and_nothing_else_moves():
    """Hashes, weights, plan and the other columns stay; the new column says where it comes from."""
    before, now = sides()
    one, other, notes = both_encoded(before, now, "q", Lengths())
    column = one.schema["q~vector"]
    assert (column.kind, column.origin, column.why) == (Kind.VECTOR, "q", "made by lengths of 'q'")
    assert Fingerprint.parse(column.space).name == "lengths"
    assert other.schema["q~vector"].space == column.space
    assert one.schema.names == (*before.schema.names, "q~vector")
    assert one.plan_id == other.plan_id == before.plan_id
    assert one.get(RowSample) == before.get(RowSample)
    assert "q~vector" not in before.schema
    assert notes == ("'q' was encoded by lengths 2d07a6: all 302 rows and all 202 rows",)


def test_a_missing_text_has_no_vector_and_an_empty_one_zeros():
    """The two are told apart in the column too."""
    found = vectors(both_encoded(*sides(), "q", Lengths())[0])
    assert found[None] is None
    assert found[" "] == [0.0, 0.0, 0.0]
    text = "how do I pay my gas bill 0"
    assert found[text] == [27.0, 2.0, 0.5]


def test_tfidf_learns_from_both_sides_alike():
    """Neither side is treated unlike the other: exchanged, they get the same vectors."""
    before, now = sides()
    one, other, _ = both_encoded(before, now, "q", Tfidf())
    second, first, _ = both_encoded(now, before, "q", Tfidf())
    assert one.schema["q~vector"].space == first.schema["q~vector"].space
    assert vectors(one) == vectors(first)
    assert vectors(other) == vectors(second)
    shared = "how do I pay my gas bill 252"
    assert vectors(other)[shared] == vectors(one)[shared]


def test_without_drift_tfidf_puts_neither_side_apart():
    """Rows of the reference are as near to it as rows that it has never seen."""
    rng = np.random.default_rng(11)
    words = np.array([f"w{n}" for n in range(400)])
    share = 1 / np.arange(1, 401)
    texts = [" ".join(rng.choice(words, 12, p=share / share.sum())) for _ in range(1000)]
    before = ut.profile(pa.table({"q": texts[:500]}), text="q")
    now = ut.profile(pa.table({"q": texts[500:]}), like=before)
    one, other, _ = both_encoded(before, now, "q", Tfidf())
    known, fresh = (np.array(list(vectors(side).values()), np.float32) for side in (one, other))
    apart = _novelty(fresh, known) - _novelty(known, known)
    assert abs(apart) < 0.01
    alone = Tfidf().fitted(texts[:500])
    known, fresh = alone(texts[:500]), alone(texts[500:])
    assert abs(_novelty(fresh, known) - _novelty(known, known)) > 3 * abs(apart)


def _novelty(rows, known):
    """Return the mean cosine to the five nearest others."""
    cosine = rows @ known.T
    if rows is known:
        np.fill_diagonal(cosine, -1)
    return float(np.sort(cosine, axis=1)[:, -5:].mean())


def test_vectors_that_tfidf_left_are_made_anew(tmp_path):
    """A saved reference with tfidf's vectors meets new rows: both are encoded again, from its texts."""
    before, now = sides()
    one, _, _ = both_encoded(before, now, "q", Tfidf())
    ut.save(one, tmp_path / "train.profile")
    later = ut.profile(rows(100, 900), like=before)
    again, _, _ = both_encoded(ut.load(tmp_path / "train.profile"), later, "q", Tfidf())
    fresh, _, _ = both_encoded(before, later, "q", Tfidf())
    assert vectors(again) == vectors(fresh)
    assert again.schema == fresh.schema


def test_a_saved_profile_is_used_as_it_is(tmp_path):
    """Vectors that were saved are not made again, and both sides carry the saved fingerprint."""
    before, now = sides()
    one, _, _ = both_encoded(before, now, "q", Lengths())
    ut.save(one, tmp_path / "train.profile")
    loaded = ut.load(tmp_path / "train.profile")
    encoder = Lengths()
    kept, other, _ = both_encoded(loaded, now, "q", encoder)
    assert kept is loaded
    assert vectors(kept) == vectors(one)
    assert other.schema["q~vector"].space == one.schema["q~vector"].space
    assert encoder.asked < 17 + 24 + 202


def test_vectors_of_another_space_are_refused(tmp_path):
    """A saved profile never meets another encoder in silence; the line names both."""
    before, now = sides()
    one, _, _ = both_encoded(before, now, "q", Lengths())
    ut.save(one, tmp_path / "train.profile")
    loaded = ut.load(tmp_path / "train.profile")
    with pytest.raises(
        ProfileError, match=r"by lengths \w{6}, now by tfidf \w{6} \(foreign space\)"
    ):
        both_encoded(loaded, now, "q", Tfidf())
    with pytest.raises(
        ProfileError, match=r"lengths \w{6}, which has changed since \(moved space\)"
    ):
        both_encoded(loaded, now, "q", Twice())


def test_rows_that_joined_since_are_encoded():
    """A profile that grew has vectors for its new rows alone."""
    before, now = sides()
    one, _, _ = both_encoded(before, now, "q", Lengths())
    grown = one + now
    encoder = Lengths()
    space = one.schema["q~vector"].space
    full = encoded(grown, "q", encoder, space=space)
    assert encoder.asked == 200
    assert sum(vector is None for vector in vectors(full).values()) == 1
    assert vectors(full) == vectors(encoded(before + now, "q", Lengths()))
    assert full.schema["q~vector"].space == space


def test_a_large_set_costs_what_its_sample_costs():
    """At most 4,096 rows a side are encoded, and the note says of how many."""
    before = ut.profile(rows(20_000), text="q")
    ticks: list[int] = []
    one, other, notes = both_encoded(before, before, "q", Lengths(), tick=ticks.append)
    assert sum(ticks) == 2 * 4096
    assert one.get(RowSample).kept.num_rows == 4096
    assert vectors(one) == vectors(other)
    assert "4,096 of 20,002 rows, drawn by hash" in notes[0]


def test_what_cannot_be_encoded_is_refused():
    """No such column, a column of numbers, a name that is taken: one line each."""
    before, now = sides()
    with pytest.raises(UsageError, match="no column 'p'"):
        encoded(before, "p", Lengths())
    with pytest.raises(UsageError, match="column 'x' holds no text to encode: it is int64"):
        both_encoded(before, now, "x", Lengths())
    taken = ut.profile(rows().append_column("q~vector", pa.array([[1.0, 2.0]] * 302)), text="q")
    with pytest.raises(UsageError, match="has a column 'q~vector' of its own"):
        encoded(taken, "q", Lengths())
    nothing = ut.profile(pa.table({"q": pa.array([None, None], pa.string())}), text="q")
    with pytest.raises(DataError, match="no text is there"):
        both_encoded(nothing, nothing, "q", Tfidf())


def test_a_current_side_without_the_column_is_left_to_the_check_of_columns():
    """Nothing is encoded and the note says why."""
    before = ut.profile(rows(), text="q")
    now = ut.profile(rows().select(["x"]), like=before)
    one, other, notes = both_encoded(before, now, "q", Lengths())
    assert one is before
    assert other is now
    assert notes == ("'q' was not encoded: the current rows have no such column",)
    assert vector_name("q") == "q~vector"


def test_a_side_without_texts_has_a_column_without_vectors():
    """Missing texts everywhere, and dictionaries of strings, make no difference."""
    before, _ = sides()
    gone = pa.table({"q": pa.array([None] * 9, pa.string()), "x": list(range(9))})
    _, other, _ = both_encoded(before, ut.profile(gone, like=before), "q", Lengths())
    assert other.get(RowSample).kept["q~vector"].null_count == 9
    packed = rows().set_column(0, "q", rows()["q"].combine_chunks().dictionary_encode())
    one, _, _ = both_encoded(ut.profile(packed, text="q"), before, "q", Lengths())
    assert len(vectors(one)) == 302


def test_an_unsteady_encoder_leaves_a_note():
    """A vector that depends on the batch is told with the size of the difference."""

    class Beside(Lengths):
        def __call__(self, texts):
            return super().__call__(texts) + 0.05 * len(texts)

    _, _, notes = both_encoded(*sides(), "q", Beside())
    assert "another vector beside other texts" in notes[1]
