"""What holds of pieces, words and causes whatever the texts are."""

from __future__ import annotations

import html
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.adapters.tokenizers import Function, Words
from undertow.core.tokenizes import batches, pieces
from undertow.core.verdict import Verdict, decide
from undertow.stats.mismatch import compare_tokenizers
from undertow.stats.new_terms import Uses, growth, log_odds, unseen
from undertow.stats.rewrites import OTHER, REWRITES, TRUNCATION, all_causes, causes
from undertow.stats.tokens import CASES, Shapes, Tokenised

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"])
    | st.sampled_from("ab É é\u0301 &<>-'\n"),
    max_size=40,
)


def by_letters(texts):
    """Return every character that is no space as a piece."""
    found = [[(c, n, n + 1) for n, c in enumerate(text) if not c.isspace()] for text in texts]
    return pieces(found)


@settings(max_examples=40)
@given(st.lists(TEXT, max_size=6))
def test_every_text_has_its_own_numbers(texts):
    """Texts measured together have the numbers that each has alone; words are those between spaces."""
    together = Tokenised(texts, by_letters(texts)).shapes
    alone = Shapes.joined([Tokenised([each], by_letters([each])).shapes for each in texts])
    for name in ("words", "pieces", "continued", "unknown", "read", "cases"):
        assert getattr(together, name).tolist() == getattr(alone, name).tolist()
    assert together.words.tolist() == [len(each.split()) for each in texts]
    assert (together.continued <= together.pieces).all()


@settings(max_examples=40)
@given(st.lists(TEXT, max_size=6))
def test_terms_are_parts_of_their_texts(texts):
    """A term stands in its text, has a letter, and is split no more than it is long."""
    made = Tokenised(texts, by_letters(texts)).terms
    for row, word, count, broken in zip(
        made.rows.tolist(), made.words, made.pieces.tolist(), made.continued.tolist(), strict=True
    ):
        assert word in texts[row]
        assert any(unicodedata.category(c)[0] == "L" for c in word)
        assert 3 <= len(word) <= 40
        assert 0 <= broken < count <= len(word)


@settings(max_examples=40)
@given(st.lists(TEXT, max_size=6))
def test_whole_words_go_on_nothing(texts):
    """A tokenizer of words alone has no piece that goes on a word, whatever the alphabet."""
    shapes = Tokenised(texts, Words()(texts)).shapes
    assert shapes.continued.sum() == 0


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("", 0),
        ("12 !", 0),
        ("abc 1", 1),
        ("ABC DEF", 2),
        ("Abc", 3),
        ("A", 3),
        ("ÉÀ", 2),
        ("漢字 é", 1),
        ("漢字", 0),
    ],
)
def test_the_case_of_a_text(text, case):
    """Texts are told apart by their capitals; a single one is no shouting."""
    found = Tokenised([text], Words()([text])).shapes.cases[0]
    assert CASES[found] == CASES[case]


def test_continuation_is_read_from_places_not_from_marks():
    """Punctuation and words after a space go on nothing; bytes of one character and inner pieces do."""
    text = "don't über-cool 😀"
    spans = [("don", 0, 3), ("'", 3, 4), ("t", 4, 5), (" ü", 5, 7), ("ber", 7, 10), ("-", 10, 11)]
    spans += [("co", 11, 13), ("ol", 13, 15), (" x1", 15, 17), ("x2", 16, 17)]
    shapes = Tokenised([text], pieces([spans])).shapes
    assert shapes.continued.tolist() == [3]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 300_000), max_size=30))
def test_batches_hold_every_text_once(sizes):
    """Slices follow one another from the first text to the last, each with one text at least."""
    some = ["a" * size for size in sizes]
    cuts = list(batches(some))
    assert [n for each in cuts for n in range(each.start, each.stop)] == list(range(len(some)))
    assert all(each.stop > each.start for each in cuts)


WAYS = {
    "lower-casing": str.lower,
    "Unicode normalisation (NFD)": lambda text: unicodedata.normalize("NFD", text),
    "HTML escape": html.escape,
    "whitespace": lambda text: " ".join(text.split()),
    "upper-casing": str.upper,
}


@pytest.mark.parametrize("name", WAYS)
def test_a_step_is_named_in_both_directions(name):
    """A text after a step, and before it, has that step as its cause, and the side that takes it."""
    text = '  Où est  Zoë? "R&D" <b>'
    one, two = causes(text, WAYS[name](text)), causes(WAYS[name](text), text)
    assert {each.name.replace("NFC", "NFD") for each in (*one, *two)} == {name}
    # Accents are put together or taken apart: a step of its own either way.
    assert [each.by for each in (*one, *two)] == ([1, 1] if "NFD" in name else [1, 0])


def test_two_steps_together_are_both_named():
    """A text that is lower-cased and escaped, or stripped and cut, has both causes."""
    text = 'Say "Bonjour à tous" to R&D every day'
    assert [c.name for c in causes(text, html.escape(text.lower()))] == [
        "lower-casing",
        "HTML escape",
    ]
    assert [c.name for c in causes(text, text[:20].lower())] == ["lower-casing", TRUNCATION]
    assert [c.name for c in causes(text, text[:20] + "...")] == [TRUNCATION]
    assert [c.name for c in causes(text, "query: " + text)] == ["a prefix"]


def test_many_pairs_have_the_causes_of_each_pair():
    """Beyond the first 500 pairs, steps of two that were met before are still found."""
    texts = [f"Say <b> number {n} to Zo\u00eb" for n in range(700)]
    pairs = [(each, html.escape(each.lower())) for each in texts]
    assert all_causes(pairs) == [causes(*pair) for pair in pairs]
    assert all_causes([("a", "a")] * 501) == [()] * 501


@settings(max_examples=40)
@given(TEXT, TEXT)
def test_causes_are_none_for_equal_texts_alone(one, two):
    """Two different texts always have a cause, a known step or "other text"; equal ones have none."""
    found = causes(one, two)
    assert bool(found) == (one != two)
    known = {*REWRITES, TRUNCATION, "a prefix", OTHER}
    assert all(each.name in known and each.by in {0, 1} for each in found)


@settings(max_examples=40)
@given(st.lists(TEXT, max_size=5))
def test_a_tokenizer_is_never_another_than_itself(texts):
    """No text is read otherwise by the same tokenizer; by a cut one, every longer text is."""
    words = Words()
    assert compare_tokenizers(words, words, texts).differing == ()
    found = compare_tokenizers(words, Words(max_length=1), texts)
    assert [each.row for each in found.differing] == [
        row for row, count in enumerate(words(texts).counts.tolist()) if count > 1
    ]
    assert all(cause.name == TRUNCATION for each in found.differing for cause in each.causes)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("lower-casing", str.lower),
        ("HTML escape", html.escape),
        ("Unicode normalisation (NFD)", lambda text: unicodedata.normalize("NFD", text)),
        (TRUNCATION, lambda text: text[:14]),
        ("a prefix", lambda text: "passage: " + text),
    ],
)
def test_a_step_before_one_tokenizer_is_named(name, way):
    """Whatever is done to the texts before the second tokenizer is the cause of every difference."""
    texts = [f'Zoë & Ann said "Hello" {n} times in Hall {n}' for n in range(150)]
    train = Function(lambda some: [list(each) for each in some], "train")
    serve = Function(lambda some: [list(way(each)) for each in some], "serve")
    found = compare_tokenizers(train, serve, texts)
    assert len(found.differing) == len(texts)
    assert {(c.name, c.by) for each in found.differing for c in each.causes} == {(name, 1)}


def uses(rows, texts):
    """Return the uses of random terms: each text has three of a thousand."""
    terms = np.sort(rows.zipf(1.5, (texts, 3)) % 1_000, axis=1).ravel()
    keys = rows.integers(0, 2**63, texts).astype(np.uint64)
    return Uses(
        texts,
        keys,
        np.repeat(np.arange(texts), 3),
        terms,
        np.ones(terms.size, int),
        (terms % 4 == 0) * 2,
    )


def test_a_growing_vocabulary_is_no_alarm():
    """In 100 pairs of samples of one source nothing grew by the tolerance, and the shares agree."""
    random = np.random.default_rng(0)
    verdicts, apart = [], []
    for _ in range(100):
        found = unseen(uses(random, 300), uses(random, 300))
        verdicts.append(decide(growth(*found.made)[1], 7))
        apart.append(found.share[1] - found.share[0])
    assert sum(each in {Verdict.CHANGED, Verdict.WATCH} for each in verdicts) <= 2
    assert abs(np.mean(apart)) < 3 * np.std(apart) / np.sqrt(len(apart))


def test_copies_of_a_text_do_not_vouch_for_its_words():
    """Where each text of both sides stands there twice, the shares agree as if it stood there once."""
    random = np.random.default_rng(1)
    apart = []
    for _ in range(60):
        sides = [uses(random, 300) for _ in range(2)]
        twice = [
            Uses(
                600,
                np.tile(each.keys, 2),
                np.concatenate([each.rows, each.rows + 300]),
                *(np.tile(part, 2) for part in (each.terms, each.times, each.broken)),
            )
            for each in sides
        ]
        found = unseen(*twice)
        assert found.share == unseen(*sides).share
        apart.append(found.share[1] - found.share[0])
    assert abs(np.mean(apart)) < 3 * np.std(apart) / np.sqrt(len(apart))


def test_growth_has_its_edges():
    """No rows are undefined, no unseen word is steady, a share that fell is no growth."""
    none = np.zeros(1_000, int)
    assert not growth(none[:0], none)[1].defined
    at, effect = growth(none, none)
    assert (at, decide(effect, 1)) == (0, Verdict.STEADY)
    fell = growth(np.repeat([0, 5], [900, 100]), none)[1]
    assert (fell.value, fell.low, fell.p_no_change) == (0, 0, 1)
    grew = growth(none, np.repeat([0, 9], [900, 100]))
    assert (grew[0], decide(grew[1], 10)) == (9, Verdict.CHANGED)


def test_whole_words_count_where_a_tokenizer_splits_none():
    """Without any split the unseen words themselves are counted."""
    one, many = np.ones(3, int), np.zeros(3, int)
    keys = np.array([0, 1], np.uint64)
    ours = Uses(2, keys, np.array([0, 1, 1]), np.array([0, 0, 1]), one, many)
    theirs = Uses(1, keys[:1], np.zeros(3, int), np.array([0, 2, 3]), one, many)
    found = unseen(ours, theirs)
    assert (found.splits, found.made[1].tolist(), found.foreign) == (False, [2], 2 / 3)


def test_log_odds_are_zero_for_what_has_not_moved_and_turn_with_the_sides():
    """The measure of Monroe et al. is antisymmetric, 0 for equal counts, and shrinks rare words."""
    ours, theirs = np.array([100, 5, 1, 0]), np.array([100, 50, 2, 1])
    assert np.allclose(log_odds(ours, theirs), -log_odds(theirs, ours))
    assert np.allclose(log_odds(ours, ours), 0)
    found = log_odds(ours, theirs)
    assert found[1] > found[2] > 0
