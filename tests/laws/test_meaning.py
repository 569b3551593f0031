"""How far a word's usage moved: unbiased where nothing changed, right where a share was replaced."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats.meaning import Uses, apart, moved, square, steps
from undertow.stats.usage import Use, beside, candidates, pattern, uses, words

WAY = 3.0


def cloud(count: int, share: float = 0.0, *, seed: int = 0, documents: int | None = None) -> Uses:
    """Return vectors around 0, a share of them a way off; with `documents`, each has its own place."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 12))
    rows[: round(share * count), 0] += WAY
    own = np.arange(count) if documents is None else np.arange(count) % documents
    if documents is not None:
        rows += random.normal(size=(documents, 12))[own]
    return Uses(rows.astype(np.float32), own)


def test_no_change_is_hardly_ever_a_finding():
    """On 100 pairs without a change p is even, `watch` is rare, and the interval holds 0."""
    found = [moved(cloud(60, seed=n), cloud(60, seed=1000 + n), WAY).effect for n in range(100)]
    assert 0.35 < np.mean([each.p_no_change for each in found]) < 0.65
    assert np.mean([each.p_no_change <= 0.05 for each in found]) <= 0.11
    assert sum(decide(each, 1) in {Verdict.WATCH, Verdict.CHANGED} for each in found) <= 8
    assert all(decide(each, 1) is not Verdict.CHANGED for each in found)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_planted_share_is_found_and_covered(share):
    """The mean of 30 estimates is the share that was planted, and 95% intervals cover it."""
    found = [
        moved(cloud(150, seed=n), cloud(150, share, seed=500 + n), WAY).effect for n in range(30)
    ]
    assert np.mean([each.value for each in found]) == pytest.approx(share, abs=0.03)
    assert np.mean([each.low <= share <= each.high for each in found]) >= 0.86


def test_uses_of_one_document_are_not_independent():
    """With 12 documents that each have a place of their own, no change is still no change."""
    sides = [
        (cloud(96, seed=n, documents=12), cloud(96, seed=900 + n, documents=12)) for n in range(40)
    ]
    by_document = [apart(*pair).p for pair in sides]
    alone = [apart(*(Uses(each.vectors, np.arange(96)) for each in pair)).p for pair in sides]
    assert np.mean(np.array(by_document) <= 0.05) <= 0.15
    assert np.mean(np.array(alone) <= 0.05) >= 0.9  # what would be said without it


def test_few_documents_never_give_a_small_p():
    """Three documents a side can be dealt in 20 ways: p is never below 1 in 20."""
    one, two = cloud(300, seed=1, documents=3), cloud(300, 1.0, seed=2, documents=3)
    assert apart(one, two).p >= 1 / 20


def test_the_same_uses_on_both_sides_are_steady():
    """A period compared with itself has moved by nothing."""
    one = cloud(300, seed=3)
    effect = moved(one, one, WAY).effect
    assert (effect.value, effect.low) == (0, 0)
    assert decide(effect, 1) is Verdict.STEADY


def test_order_and_sides_do_not_matter():
    """Rows in another order give the same size, and the sides may be swapped."""
    one, two = cloud(80, seed=4), cloud(60, 0.5, seed=5)
    turned = Uses(one.vectors[::-1], one.documents[::-1])
    assert square(turned, two) == pytest.approx(square(one, two), abs=1e-9)
    assert square(two, one) == pytest.approx(square(one, two), abs=1e-9)
    assert moved(one, two, WAY).effect == moved(one, two, WAY).effect


def test_what_cannot_be_compared_is_undefined():
    """No uses, one document, or no way to another word give an undefined effect."""
    one, none = cloud(40), Uses(np.zeros((0, 12), np.float32), np.zeros(0, np.int64))
    for effect in (
        moved(one, none, WAY).effect,
        moved(one, cloud(30, documents=1), WAY).effect,
        moved(one, cloud(30, seed=9), math.nan).effect,
        moved(one, cloud(30, seed=9), 0.0).effect,
    ):
        assert not effect.defined
    with pytest.raises(DataError, match="12 and 3 numbers"):
        apart(one, Uses(np.zeros((4, 3), np.float32), np.arange(4)))
    with pytest.raises(DataError, match="one each"):
        Uses(np.zeros((4, 3), np.float32), np.arange(3))
    with pytest.raises(UsageError, match="tolerance"):
        moved(one, one, WAY, tolerance=0.7)


def test_uses_without_any_difference_have_no_p():
    """Contexts that are all the same are no evidence of anything."""
    one = Uses(np.ones((30, 4), np.float32), np.arange(30))
    assert apart(one, one).p == 1.0
    assert moved(one, one, 1.0).effect.high == 0


def test_scores_tell_the_uses_that_moved():
    """The replaced uses look most like the current period."""
    one, two = cloud(150, seed=6), cloud(150, 0.2, seed=7)
    scores = moved(one, two, WAY).scores
    top = np.argsort(-scores[150:])[:20]
    assert (top < 30).mean() > 0.8


def test_the_way_to_other_words_is_their_distance():
    """Two clouds a way apart are that way apart, and a word with one document has no way."""
    far = steps(cloud(400, seed=8), [cloud(400, 1.0, seed=9), cloud(50, documents=1)])
    assert far[0] == pytest.approx(WAY, rel=0.05)
    assert math.isnan(far[1])


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("apple", "An Apple, apples, pineapple and APPLE.", ["Apple", "APPLE"]),
        (
            "machine learning",
            "Machine  learning and machine\nlearning",
            ["Machine  learning", "machine\nlearning"],
        ),
        ("c++", "C++ or c+", ["C++"]),
        ("café", "the cafe\u0301 is shut", ["café"]),
        ("学习", "我们学习机器学习。", ["学习", "学习"]),
        ("яблоко", "Яблоко и яблоком", ["Яблоко"]),
        ("हिन्दी", "हिन्दी और हिन्दीभाषी", ["हिन्दी"]),
        ("don't", "I DON'T know", ["DON'T"]),
    ],
)
def test_a_term_is_found_as_a_whole_word(term, text, found):
    """Of any case, script and spelling of accents; a part of a longer word is another word."""
    assert [each.word for each in uses(text, pattern(term), 5)] == found


def test_case_is_kept_where_asked():
    """With `case`, Apple is not apple."""
    assert len(uses("Apple apple", pattern("Apple", case=True), 3)) == 1


def test_a_window_is_counted_in_words():
    """Two words on either side, punctuation kept, and none where there is none."""
    (use,) = uses("one two three four X five, six. seven", pattern("x"), 2)
    assert use == Use("three four", "X", "five, six.")
    assert use.context == "three four five, six."
    assert uses("X", pattern("x"), 2)[0].context == ""
    (chinese,) = uses("今天我们学习很多东西", pattern("学习"), 2)
    assert (chinese.before, chinese.after) == ("我们", "很多")


def test_a_long_text_gives_few_uses_spread_over_it():
    """Of 5,000 uses in a megabyte, 50 are read, from the first to the last."""
    text = " ".join(f"w{n} apple" + " filler" * 25 for n in range(5_000))
    found = uses(text, pattern("apple"), 3)
    assert len(text) > 900_000
    assert len(found) == 50
    assert found[0].before == "w0"
    assert found[-1].before.endswith("w4999")


def test_words_and_candidates():
    """Numbers and short words are left out; grammar is, unless it is asked for."""
    assert words("Ab 12 the-end naïve") == ["the", "end", "naïve"]
    counts = Counter({"the": 60, "apple": 30, "rare": 2} | {f"w{n}x": 30 for n in range(300)})
    assert "the" not in candidates(counts, counts, 3)
    assert candidates(counts, counts, 3, grammar=True)[0] == "the"
    assert "rare" not in candidates(counts, counts, 3)


def test_no_contexts_have_no_words_beside_them():
    """Empty sides give no words and no error."""
    assert beside([], []) == ([], [])
