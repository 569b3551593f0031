"""Laws of the share of rows that moved, for vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats.moved import REGIONS, moved, rows_needed
from undertow.stats.neighbours import nearest, unit
from undertow.stats.novel import NEAR, places, reach
from undertow.stats.regions import clusters
from undertow.stats.rows import MOST

quick = settings(max_examples=20, deadline=None)


def topics(random: np.random.Generator, rows: int, d: int = 12) -> np.ndarray:
    """Rows of six topics of unequal size."""
    centres = np.random.default_rng(5).normal(size=(6, d))
    topic = random.choice(6, rows, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    return (centres[topic] + random.normal(0, 0.5, (rows, d))).astype(np.float32)


def fresh(random: np.random.Generator, rows: int, d: int = 12) -> np.ndarray:
    """Rows of a topic that `topics` has not."""
    centre = -np.random.default_rng(5).normal(size=(6, d)).sum(axis=0)
    return (centre + random.normal(0, 0.5, (rows, d))).astype(np.float32)


@st.composite
def clouds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two sides of few or many rows, with repeats, of one to eight dimensions."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    d = draw(st.integers(1, 8))
    sides = []
    for _ in range(2):
        rows = random.normal(size=(draw(st.sampled_from([1, 2, 7, 60, 300])), d))
        again = draw(st.sampled_from([0.0, 0.5, 1.0]))
        rows[random.random(len(rows)) < again] = draw(st.sampled_from([0.0, 1.0]))
        sides.append(rows.astype(np.float32))
    return sides[0], sides[1]


@quick
@given(clouds())
def test_the_estimate_lies_in_its_interval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """0 <= low <= value <= high <= 1 for any two sides, and each current row has a finite score."""
    found = moved(*pair)
    assert 0 <= found.effect.low <= found.effect.value <= found.effect.high <= 1
    assert 0 <= found.effect.p_no_change <= 1
    assert found.scores.shape == (len(pair[1]),)
    assert np.isfinite(found.scores).all()


@quick
@given(clouds())
def test_the_same_rows_give_the_same_bits(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Nothing depends on when it is computed."""
    first, second = moved(*pair), moved(*pair)
    assert repr(first.effect) == repr(second.effect)
    assert first.scores.tobytes() == second.scores.tobytes()


@quick
@given(clouds())
def test_a_side_against_itself_has_not_moved(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """The same rows on both sides give a lower limit of 0."""
    assert moved(pair[0], pair[0]).effect.low == 0


def test_rows_may_come_in_any_order() -> None:
    """The order of the rows of each side changes nothing but the order of the scores."""
    random = np.random.default_rng(1)
    a, b = topics(random, 400), topics(random, 300)
    there, back = random.permutation(400), random.permutation(300)
    one, other = moved(a, b), moved(a[there], b[back])
    assert one.effect.value == pytest.approx(other.effect.value, abs=1e-3)
    assert one.effect.high == pytest.approx(other.effect.high, abs=1e-3)
    assert one.scores[back] == pytest.approx(other.scores, abs=1e-3)


def test_rows_may_have_any_length() -> None:
    """Vectors are compared by direction."""
    random = np.random.default_rng(2)
    a, b = topics(random, 300), topics(random, 200)
    assert moved(a, b).effect == moved(4 * a, 2 * b).effect


def test_what_is_known_already_is_not_computed_again() -> None:
    """Given pooled neighbours and cells, the answer is that of the vectors alone."""
    random = np.random.default_rng(3)
    a, b = topics(random, 300), topics(random, 200)
    both = unit(np.concatenate((a, b)))
    near, cells = nearest(both, both, NEAR, itself=False), clusters(both, REGIONS)[0]
    assert moved(a, b).effect == moved(a, b, neighbours=near, cells=cells).effect


def test_disjoint_sides_moved_whole() -> None:
    """Where no row of one side is near the other, nearly all have moved, and it is seen."""
    random = np.random.default_rng(4)
    found = moved(topics(random, 500), fresh(random, 400))
    assert found.effect.low > 0.9
    assert found.new > 0.95
    assert decide(found.effect, 50) is Verdict.CHANGED


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_planted_rows_are_counted(share: float) -> None:
    """The interval holds the share of a new topic, the estimate is near, its rows rank first."""
    covered, errors, hits = 0, [], []
    for seed in range(8):
        random = np.random.default_rng(seed)
        extra = round(share * 600)
        current = np.concatenate((topics(random, 600 - extra), fresh(random, extra)))
        found = moved(topics(random, 1200), current)
        covered += found.effect.low <= share <= found.effect.high
        errors.append(found.effect.value - share)
        hits.append((np.argsort(-found.scores)[:extra] >= 600 - extra).mean())
    assert covered >= 7
    assert abs(float(np.mean(errors))) < 0.02
    assert float(np.mean(hits)) > 0.9


def test_a_topic_that_went_is_seen() -> None:
    """Rows that the current side lacks moved as much as rows that it has more of."""
    random = np.random.default_rng(6)
    reference = np.concatenate((topics(random, 900), fresh(random, 100)))
    found = moved(reference, topics(random, 800))
    assert found.effect.low > 0.02
    assert found.effect.low <= 0.1 <= found.effect.high
    assert abs(found.gone - 0.1) < 0.03


def test_a_topic_that_grew_is_seen() -> None:
    """Known topics with other shares have moved, though nothing is novel."""
    random = np.random.default_rng(7)
    reference = np.concatenate((topics(random, 1500), fresh(random, 300)))
    current = np.concatenate((topics(random, 1000), fresh(random, 800)))
    found = moved(reference, current)
    true = 800 / 1800 - 300 / 1800
    assert 0.1 < found.effect.low <= true <= found.effect.high


def test_without_a_change_nothing_is_changed() -> None:
    """No draw without a change is `changed`, and the lower limit is above 0 in few."""
    above = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        rows = int(random.choice([40, 100, 250]))
        effect = moved(topics(random, 300), topics(random, rows)).effect
        assert decide(effect, 1) is not Verdict.CHANGED
        above += effect.low > 0
    assert above <= 5


def test_many_copies_of_a_text_are_not_a_change() -> None:
    """A canned text on both sides keeps its share: nothing moved. With a new share it did."""
    random = np.random.default_rng(8)
    canned = np.repeat(topics(random, 1), 500, axis=0)
    a, b = topics(random, 1000), topics(random, 1000)
    same = moved(np.concatenate((a, canned)), np.concatenate((b, canned)))
    assert same.effect.low == 0
    more = moved(np.concatenate((a, canned[:50])), np.concatenate((b, canned)))
    assert more.effect.low > 0.02
    assert more.effect.low <= 1 / 3 - 1 / 21 <= more.effect.high


def test_equal_rows_have_not_moved() -> None:
    """A column of one vector is steady, as a column of one category is."""
    rows = np.ones((1000, 5), np.float32)
    assert decide(moved(rows, rows).effect, 1) is Verdict.STEADY


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_decide_nothing(rows: int) -> None:
    """A handful of rows leaves the interval wide."""
    random = np.random.default_rng(9)
    effect = moved(topics(random, rows), topics(random, 400)).effect
    assert effect.low == 0
    assert effect.high > 0.3


def test_no_rows_have_no_effect() -> None:
    """A side without rows gives an undefined effect, and a score for each current row."""
    some, none = np.ones((3, 2), np.float32), np.empty((0, 2), np.float32)
    assert not moved(some, none).effect.defined
    found = moved(none, some)
    assert math.isnan(found.effect.value)
    assert found.scores.shape == (3,)


def test_wrong_input_is_refused() -> None:
    """Vectors of two lengths, lists of other rows and a tolerance out of range are errors."""
    rows = np.ones((3, 2), np.float32)
    with pytest.raises(DataError, match="shape"):
        moved(rows, np.ones((3, 4), np.float32))
    with pytest.raises(DataError, match="pooled"):
        moved(rows, rows, cells=np.zeros(5, np.int64))
    with pytest.raises(UsageError, match="tolerance"):
        moved(rows, rows, tolerance=0.5)


def test_more_rows_are_needed_for_less() -> None:
    """A smaller tolerance needs more rows, and no number of rows makes up for a tiny other side."""
    assert rows_needed(0.01) > rows_needed(0.02) > rows_needed(0.1)
    assert rows_needed(other_rows=100_000) < rows_needed() < rows_needed(other_rows=1_200)
    assert rows_needed(other_rows=100) == MOST


def test_a_new_topic_larger_than_its_lists_is_still_far() -> None:
    """Novelty does not stop at the end of a list that holds only current rows."""
    random = np.random.default_rng(10)
    both = unit(np.concatenate((topics(random, 400), np.repeat(fresh(random, 1), 200, axis=0))))
    found = places(nearest(both, both, NEAR, itself=False), both, 400)
    assert found.new[400:].min() > found.new[:400].max()
    assert reach(len(both)) == NEAR
