"""Words: document frequencies that merge bit for bit, and one word a document."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core import hashing
from undertow.core.schema import Column, Kind
from undertow.core.values import Values
from undertow.summaries import tokens
from undertow.summaries.categories import Categories
from undertow.summaries.tokens import texts
from undertow.summaries.words import GROUPS, NO_WORDS, Table, Words, group_of
from undertow.testing import batches, check_summary

COLUMN = Column("t", Kind.TEXT)
WORDS = ["a", "b", "ab", "don't", "été", "日本", "x\u0301", "12", "123456", "👍"]
some_texts = st.lists(
    st.one_of(
        st.none(),
        st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
        st.text(max_size=12),
    ),
    min_size=1,
    max_size=60,
).map(lambda listed: [t if t is None else t.encode("utf-8", "replace").decode() for t in listed])


def words_of(text: str) -> list[str]:
    """Return the words of one text, in order."""
    (some,) = texts(Values(COLUMN, pa.array([text])))
    return [str(some.tokens.words[int(code)].as_py()) for code in some.tokens.codes]


def small() -> Words:
    """Return an empty summary whose caps bite at once."""
    return Words(Table(5), Table(7, named=False), Categories(cap=4))


@given(some_texts, st.integers(1, 5), st.integers(0, 99))
def test_words_keep_the_laws(cells, cuts, seed):
    """Any texts merge exactly in any order, with and without caps that bite."""
    pieces = batches([COLUMN], pa.table({"t": pa.array(cells, pa.string())}), cuts, seed)
    check_summary(Words(), pieces)
    check_summary(small(), pieces)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 999))
def test_many_texts_keep_the_laws(seed):
    """Thousands of texts, tiny slices and caps in the middle of the work change no bit."""
    random = np.random.default_rng(seed)
    cells = [" ".join(map(str, row)) for row in random.zipf(1.3, (3000, 8))]
    pieces = batches([COLUMN], pa.table({"t": cells}), 4, seed)
    made = check_summary(Words(Table(900), Table(2000, named=False)), pieces)
    assert made.words.groups is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "SLICE", 500)
        sliced = Words(Table(900), Table(2000, named=False))
        for part in pieces:
            if len(part[0]):
                sliced = sliced.observe(Values(COLUMN, part[0].array))
    assert sliced == made


@given(some_texts)
def test_counts_agree_with_a_plain_loop(cells):
    """Document frequencies are what a Python loop over sets of words counts."""
    made = Words().observe(Values(COLUMN, pa.array(cells, pa.string())))
    held = [words_of(cell) for cell in cells if cell is not None]
    expected = Counter(word for words in held for word in set(words))
    assert dict(made.common(10_000)) == dict(expected)
    assert made.rows == len(held)
    assert made.tokens == sum(map(len, held))
    pairs = Counter(p for w in held for p in set(pairwise(w)))
    assert sorted(made.pairs.counts.tolist()) == sorted(pairs.values())


@given(some_texts)
def test_one_word_of_each_document(cells):
    """Each document gives exactly one word of its own, "(no words)" where it has none."""
    for cell in cells:
        made = Words().observe(Values(COLUMN, pa.array([cell], pa.string())))
        drawn = [name for name, _ in made.drawn.common(5)]
        if cell is None:
            assert drawn == []
        else:
            assert len(drawn) == 1
            assert drawn[0] in (words_of(cell) or [NO_WORDS])


def test_drawn_words_follow_the_words_of_the_documents():
    """Over many documents each of their words is drawn about equally often."""
    cells = [f"a{i} one two three" for i in range(8000)]
    made = Words().observe(Values(COLUMN, pa.array(cells)))
    counts = dict(made.drawn.common(3))
    assert set(counts) == {"one", "two", "three"}
    assert all(abs(count - 2000) < 5 * np.sqrt(1500) for count in counts.values())


def test_groups_count_every_word_once_a_cap_is_passed():
    """Beyond the cap the groups hold what the words left out would have had."""
    cells = [f"w{i} w{i % 7} common" for i in range(500)]
    values = Values(COLUMN, pa.array(cells))
    exact, capped = Words().observe(values), Words(Table(20)).observe(values)
    assert exact.words.groups is None
    assert capped.words.groups is not None
    assert len(capped.words.hashes) == 20
    assert np.array_equal(capped.words.groups, exact.words.grouped())
    common = np.array([hashing.hash_text("common")], np.uint64)
    assert capped.words.groups[group_of(common)[0]] >= 500
    assert capped.words.groups.shape == (GROUPS,)
    assert capped.words.distinct == pytest.approx(exact.words.distinct, rel=0.8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't PANIC, 'don't'!", ["don't", "panic", "don't"]),
        ("it\u2019s 'quoted' rock'n'roll", ["it's", "quoted", "rock'n'roll"]),
        ("Straße STRASSE ÉCOLE", ["strasse", "strasse", "école"]),
        ("日本語 text中文", ["日", "本", "語", "text", "中", "文"]),
        ("👍🏽ok❤️", ["👍", "ok", "❤"]),
        ("order 1234 and 12345678", ["order", "1234", "and", "#####"]),
        ("a\x00b\u200bc", ["a", "b", "c"]),
        ("می\u200cروم", ["میروم"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("https://x.io/a?b=1", ["https", "x", "io", "a", "b", "1"]),
        ("...", []),
    ],
)
def test_words_are_what_a_reader_calls_words(text, words):
    """Case, accents, apostrophes, scripts without spaces, emoji, numbers and joiners."""
    assert words_of(text) == words


def test_a_row_never_borrows_from_its_neighbour():
    """Apostrophes, marks and words at the edge of a row stay in their row."""
    cells = ["a'", "b", "c", "\u0301d", "日", "本", "e\u2019", "f"]
    made = Words().observe(Values(COLUMN, pa.array(cells)))
    assert {word for word, _ in made.common(20)} == {"a", "b", "c", "\u0301d", "日", "本", "e", "f"}
    assert len(made.pairs.hashes) == 0


def test_a_damaged_state_is_refused():
    """Counts above the documents, unsorted hashes or missing names are no words."""
    state = dict(Words().observe(Values(COLUMN, pa.array(["a b", "b c"]))).state())
    for damage in (
        {"words.counts": state["words.counts"] + 9},
        {"words.hashes": state["words.hashes"][::-1]},
        {"words.names": []},
        {"words.groups": np.zeros(3, np.int64)},
    ):
        with pytest.raises(ValueError, match=r"word|group"):
            Words.restore({**state, **damage})
