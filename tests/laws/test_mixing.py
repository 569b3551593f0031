"""Laws of mixing: chance where labels mean nothing, one class inside another where it is planted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError
from undertow.stats.mixing import mixing, mixing_change
from undertow.stats.neighbours import unit
from undertow.stats.senses import senses, spellings, two_groups

quick = settings(max_examples=25, deadline=None)
APPLES = Path(__file__).with_name("apples.txt")
CLASSES = np.array(["joy", "sorrow", "irony"])


def space(counts: tuple[int, int, int], *, inside: bool, seed: int) -> tuple[np.ndarray, list[str]]:
    """Joy and sorrow apart; irony in a place of its own, or in the midst of joy."""
    random = np.random.default_rng(seed)
    kind = random.permutation(np.repeat(np.arange(3), counts))
    centre = np.eye(3, 12)
    if inside:
        centre[2] = centre[0]
    rows = centre[kind] + 0.25 * random.standard_normal((len(kind), 12))
    return unit(rows.astype(np.float32)), CLASSES[kind].tolist()


@quick
@given(st.integers(0, 10**6), st.booleans())
def test_shares_are_whole_and_lie_in_their_limits(seed: int, own: bool) -> None:
    """Of a class's neighbours no more than all are others', all of them where its own are left out."""
    rows, labels = space((30, 20, 10), inside=True, seed=seed)
    found = mixing(rows, labels, near=5, own=own)
    assert len(found) == 6
    for name in CLASSES:
        total = sum(p.share for p in found if p.label == name)
        assert total <= 1 + 1e-9
        assert own or total == pytest.approx(1)
        chances = sum(p.chance for p in found if p.label == name)
        assert own or chances == pytest.approx(1)
    for pair in found:
        assert 0 <= pair.low <= pair.share <= pair.high <= 1
        assert 0 <= pair.p <= 1
        assert pair.lift == pytest.approx(pair.share / pair.chance)
        assert {labels[k] for k in pair.inside} <= {pair.label}


def test_labels_dealt_at_random_mix_as_chance_says() -> None:
    """The mean share is the chance, and few of 100 deals have a pair with p below 0.05."""
    rows, labels = space((80, 60, 30), inside=False, seed=1)
    random = np.random.default_rng(2)
    for own in (True, False):
        deals = [mixing(rows, random.permutation(labels).tolist(), own=own) for _ in range(100)]
        assert sum(min(pair.p for pair in deal) < 0.05 for deal in deals) <= 12
        for label, other in (("joy", "irony"), ("irony", "joy")):
            pairs = [p for deal in deals for p in deal if (p.label, p.other) == (label, other)]
            assert np.mean([p.share for p in pairs]) == pytest.approx(pairs[0].chance, abs=0.02)


def test_the_limits_cover_the_mean_of_many_samples() -> None:
    """95% limits hold the mean share of 150 samples in 90% of them or more."""
    found = [
        {(p.label, p.other): p for p in mixing(*space((60, 60, 40), inside=True, seed=seed))}
        for seed in range(150)
    ]
    for key in (("irony", "joy"), ("joy", "irony")):
        mean = np.mean([each[key].share for each in found])
        assert np.mean([each[key].low <= mean <= each[key].high for each in found]) >= 0.9


def test_a_class_inside_another_is_found_with_its_deepest_rows() -> None:
    """Irony planted in joy comes first, far above chance; apart, no pair is above chance."""
    rows, labels = space((100, 100, 30), inside=True, seed=3)
    first = mixing(rows, labels)[0]
    assert {first.label, first.other} == {"irony", "joy"}
    assert first.low > first.chance
    assert first.p < 1e-6
    (irony,) = (p for p in mixing(rows, labels) if (p.label, p.other) == ("irony", "joy"))
    assert irony.share > 0.6
    assert len(irony.inside) == 10
    assert irony.rows == 30
    assert irony.other_rows == 100
    apart = mixing(*space((100, 100, 30), inside=False, seed=3))
    assert all(pair.share < pair.chance for pair in apart)


def test_a_class_apart_still_has_a_nearest_other() -> None:
    """With its own rows left out, a class lies by the one that it leans to."""
    random = np.random.default_rng(0)
    centres = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0, 1.0]])
    kind = np.repeat(np.arange(3), 50)
    rows = unit((centres[kind] + 0.1 * random.standard_normal((150, 3))).astype(np.float32))
    found = {(p.label, p.other): p for p in mixing(rows, CLASSES[kind].tolist(), own=False)}
    assert found["irony", "joy"].share > 0.9
    assert found["irony", "joy"].chance == pytest.approx(0.5)


@quick
@given(st.integers(0, 10**6))
def test_the_order_of_the_rows_and_the_names_change_nothing(seed: int) -> None:
    """The same rows in another order mix the same, and by other names of the same order too."""
    rows, labels = space((30, 20, 10), inside=True, seed=seed)
    order = np.random.default_rng(seed).permutation(60)
    first = {(p.label, p.other): (p.share, p.p) for p in mixing(rows, labels, near=5)}
    again = mixing(rows[order], [labels[k] for k in order], near=5)
    for pair in again:
        share, p = first[pair.label, pair.other]
        assert pair.share == pytest.approx(share)
        assert pair.p == pytest.approx(p)


def test_a_change_is_seen_and_sizes_are_none() -> None:
    """Irony that moved into joy is the first change; more rows of joy alone are no change."""
    apart, inside = (
        space((100, 100, 60), inside=False, seed=4),
        space((80, 90, 60), inside=True, seed=5),
    )
    first = mixing_change(apart, inside)[0]
    assert {first.before.label, first.before.other} == {"irony", "joy"}
    assert first.p < 1e-6
    assert 0 < first.low <= first.difference <= first.high
    assert {inside[1][k] for k in first.after.inside} == {first.after.label}
    more = space((400, 100, 60), inside=True, seed=6)
    for change in mixing_change(inside, more):
        assert change.p > 0.01
        assert change.before.chance == pytest.approx(change.after.chance)


def test_classes_of_one_side_only_are_left_out() -> None:
    """A class that only one sample has is in no pair; with one class left there is none."""
    rows, labels = space((30, 30, 30), inside=False, seed=7)
    two = [k for k, label in enumerate(labels) if label != "irony"]
    found = mixing_change((rows, labels), (rows[two], [labels[k] for k in two]))
    assert {(c.before.label, c.before.other) for c in found} == {
        ("joy", "sorrow"),
        ("sorrow", "joy"),
    }
    assert mixing(rows, ["one"] * 90) == ()
    assert mixing(rows, ["one"] * 90, own=False) == ()
    assert mixing_change((rows, labels), (rows, ["other"] * 90)) == ()


def test_what_does_not_fit_is_refused_and_few_rows_do_no_harm() -> None:
    """Labels for each row; two rows of two classes are each other's neighbours, and prove nothing."""
    rows = np.eye(2, dtype=np.float32)
    with pytest.raises(DataError, match="1 labels"):
        mixing(rows, ["a"])
    with pytest.raises(DataError, match="1 texts"):
        senses(rows, ["a"], "apple")
    with pytest.raises(DataError, match="2 and 1 texts and senses"):
        senses(rows, ["a", "b"], "apple", ["fruit"])
    for own in (True, False):
        assert [(p.share, p.p) for p in mixing(rows, ["a", "b"], own=own)] == [(1, 1), (1, 1)]
    assert mixing(rows[:0], []) == ()


def test_a_spelling_says_something_only_inside_a_sentence() -> None:
    """A capital at the start of a sentence, all capitals, or both spellings say nothing."""
    texts = [
        "Pie of apple.",
        "News: Apple fell.",
        "Why? Apple fell.",
        "I hold Apple stock",
        "APPLE, an APPLE",
        "apple",
        "an apple from Apple",
        "Apple sells what Apple makes",
        "pineapple and apples",
        None,
    ]
    rows, forms = spellings(texts, "APPLE")
    assert rows.tolist() == list(range(8))
    assert forms == ["apple", None, None, "Apple", None, "apple", None, "Apple"]


@pytest.fixture
def apples() -> tuple[np.ndarray, list[str], list[str]]:
    """Vectors of words, the sentences on apple and Apple, and the sense of each."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    lines = [line.split("\t") for line in APPLES.read_text(encoding="utf-8").splitlines()]
    given, texts = [line[0] for line in lines], [line[1] for line in lines]
    terms = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    made = TruncatedSVD(16, random_state=0).fit_transform(terms)
    return unit(np.asarray(made, np.float32)), texts, given


def test_fruit_and_company_are_told_apart(apples) -> None:
    """Far fewer wrong neighbours than chance, whether senses are given or told by the capital."""
    rows, texts, given = apples
    for found in (senses(rows, texts, "apple", given), senses(rows, texts, "apple")):
        assert len(found.rows) == 36
        assert found.chance == pytest.approx(1 - 34 / 70)
        assert found.wrong < 0.3
        assert found.p <= 0.01
        assert len(found.misplaced) <= 4
        assert all(pair.high < 0.5 for pair in found.pairs)


def test_senses_dealt_at_random_are_not_told_apart(apples) -> None:
    """With senses that mean nothing p is below 0.05 in few of 40 deals."""
    rows, texts, given = apples
    random = np.random.default_rng(0)
    found = [senses(rows, texts, "apple", random.permutation(given).tolist()) for _ in range(40)]
    assert sum(each.p < 0.05 for each in found) <= 5
    assert np.mean([each.wrong for each in found]) == pytest.approx(found[0].chance, abs=0.05)


def test_a_word_of_one_sense_or_none(apples) -> None:
    """One sense, or no row with the word: no share of wrong neighbours, and p is 1."""
    rows, texts, given = apples
    for found in (senses(rows, texts, "apple", ["fruit"] * 36), senses(rows, texts, "banjo")):
        assert math.isnan(found.wrong)
        assert found.p == 1
        assert not len(found.misplaced)
    some = senses(rows, texts, "apple", [None if g == "company" else g for g in given])
    assert math.isnan(some.wrong)


def test_two_groups_are_found_where_there_are_two() -> None:
    """Two clouds are split row by row; equal rows and few rows are one group."""
    random = np.random.default_rng(0)
    side = random.permutation(np.repeat([0, 1], [450, 150]))
    rows = (np.eye(2, 8)[side] + 0.1 * random.standard_normal((600, 8))).astype(np.float32)
    groups, left, p = two_groups(rows)
    assert left < 0.1
    assert p < 0.01
    assert max((groups == side).mean(), (groups != side).mean()) > 0.99
    assert two_groups(np.ones((20, 3), np.float32))[1:] == (1.0, 1.0)
    assert two_groups(rows[:5])[0].tolist() == [0] * 5


@pytest.mark.real
def test_tags_that_people_confuse_are_named(real) -> None:
    """Stack Overflow's titles in vectors of words: hibernate and spring lie by one another."""
    import pyarrow.parquet as pq
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = pq.read_table(real("stackoverflow_titles"), columns=["title", "tag"])
    drawn = np.random.default_rng(0).permutation(len(table))[:3_000]
    titles = np.array(table["title"].to_pylist(), object)[drawn]
    tags = np.array(table["tag"].to_pylist(), object)[drawn]
    terms = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(titles)
    made = TruncatedSVD(50, random_state=0).fit_transform(terms)
    found = mixing(unit(np.asarray(made, np.float32)), tags.tolist(), own=False)
    surest = {(pair.label, pair.other) for pair in found[:40]}
    assert {("haskell", "scala"), ("osx", "cocoa"), ("cocoa", "osx")} & surest
    assert found[0].low > found[0].chance
