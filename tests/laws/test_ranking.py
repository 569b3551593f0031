"""Metrics of retrieval: as trec_eval has them, with intervals that hold, and a drop that is paired."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.adapters import ir
from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats.judgements import Belonging, by_chance, by_vectors, by_words, stretch
from undertow.stats.neighbours import unit
from undertow.stats.paired import change, drop, mean_of, sign_flip
from undertow.stats.ranking import Judged


def judgements(random, queries, documents, grades=(1,)):
    """Return random judgements: a few documents a query, some queries with none."""
    rows = [
        (query, document, random.choice(grades))
        for query in range(queries)
        for document in random.choice(documents, random.integers(0, 14), replace=False)
    ]
    rows = rows or [(0, 0, 1)]
    return Judged(*(np.array(each) for each in zip(*rows, strict=True)))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([(1,), (1, 2, 3), (1, 5)]))
def test_our_metrics_are_those_of_trec_eval(seed, k, grades):
    """Hit, recall, MRR and nDCG agree query by query, grades and missing places included."""
    random = np.random.default_rng(seed)
    judged = judgements(random, 15, 40, grades)
    found = np.array([random.permutation(40)[:k] for _ in range(15)])
    found[random.random(found.shape) < 0.1] = -1
    gains = judged.gains(found, 40)
    ours, theirs = gains.measures(), ir.measured(gains)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], atol=1e-9, err_msg=name)


def test_equal_scores_stay_in_the_order_they_were_found():
    """A tie is ranked as the search returned it, by ours and by trec_eval, whatever ids are called."""
    judged = Judged(np.zeros(1, int), np.array([2]), np.ones(1))
    for spot in range(3):
        found = np.array([np.roll([2, 0, 1], spot)])
        gains = judged.gains(found, 3)
        assert gains.measures()["mrr@3"] == ir.measured(gains)["mrr@3"] == 1 / (spot + 1)


def test_gains_that_are_no_whole_numbers_are_ours_alone():
    """trec_eval would cut 0.5 to 0; it is refused there and counted here."""
    gains = Judged(np.zeros(2, int), np.arange(2), np.array([0.5, 1.0])).gains(
        np.array([[0, 1]]), 2
    )
    assert gains.measures()["ndcg@2"][0] == pytest.approx(0.8597, abs=1e-4)
    assert not ir.whole(gains)
    with pytest.raises(DataError, match="whole gains alone"):
        ir.measured(gains)


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=1, max_size=60))
def test_an_interval_holds_its_mean_and_stays_between_0_and_1(values):
    """Also where every number is the same."""
    made = mean_of(values)
    assert 0 <= made.low <= made.value <= made.high <= 1
    assert made.value == pytest.approx(np.mean(values))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.3, 1.0]))))
def test_a_change_and_its_reverse_are_mirror_images(pairs):
    """Which run is called earlier changes the sign and nothing else."""
    one, other = ([float(p[at]) for p in pairs] for at in (0, 1))
    there, back = change(one, other), change(other, one)
    if not pairs:
        assert math.isnan(there.value)
        return
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_the_intervals_hold_the_truth():
    """Over 300 draws of 225 queries, 93% or more of means and of drops are inside."""
    random = np.random.default_rng(0)
    values = np.where(random.random(20_000) < 0.1, 0, random.beta(1.5, 1.5, 20_000))
    lost = np.where(random.random(20_000) < 0.08, random.beta(2, 2, 20_000), 0)
    held = []
    for _ in range(300):
        drawn = random.integers(20_000, size=225)
        made, fell = mean_of(values[drawn]), drop(lost[drawn], np.zeros(225))
        held.append((made.low <= values.mean() <= made.high, fell.low <= lost.mean() <= fell.high))
    assert np.mean(held, axis=0).min() >= 0.93


def test_what_rose_has_not_fallen():
    """A gain is no drop: size 0, nothing against no change, and steady with queries enough."""
    effect = drop([0.4] * 225, [0.6] * 225)
    assert (effect.value, effect.p_no_change) == (0.0, 1.0)
    assert decide(effect, 5) is Verdict.STEADY
    assert change([0.4] * 225, [0.6] * 225).low > 0.1


def test_no_change_and_a_plain_drop_are_told_apart():
    """The same run twice is steady at 225 queries; every tenth query lost is changed."""
    values = np.tile([0.0, 0.5, 1.0], 75)
    assert decide(drop(values, values), 10) is Verdict.STEADY
    worse = values.copy()
    worse[2::6] = 0.0
    assert decide(drop(values, worse), 10) is Verdict.CHANGED


def test_few_queries_are_undefined_and_wrong_calls_refused():
    """Nine queries tell nothing; lengths and tolerances are checked."""
    assert not drop([1.0] * 9, [0.0] * 9).defined
    with pytest.raises(DataError, match="2 numbers beside 1"):
        drop([1, 0], [1])
    with pytest.raises(UsageError, match=r"tolerance 0\.6"):
        drop([1.0], [1.0], tolerance=0.6)
    assert math.isnan(mean_of([]).value)


@pytest.mark.parametrize("count", [9, 30, 300])
@pytest.mark.parametrize("size", [0.3, 1.5, 2.5])
def test_the_sign_flip_p_is_what_flipping_gives(count, size):
    """Counted for a few and by a saddlepoint for many, it agrees with 20,000 random flips."""
    random = np.random.default_rng(count)
    rows = random.normal(size=count) * random.random(count)
    rows += size * math.sqrt(float((rows**2).sum())) / count - rows.mean()
    flips = random.integers(0, 2, (20_000, count)) * 2 - 1
    told = (np.abs(flips @ np.abs(rows)) >= abs(rows.sum()) - 1e-12).mean()
    assert sign_flip(rows) == pytest.approx(told, rel=0.15, abs=0.004)


def test_the_sign_flip_p_of_equal_sizes_is_the_binomial_one():
    """No surer than counting heads, and exact where every sign is the same."""
    from scipy.stats import binomtest

    for up, down in ((30, 10), (25, 15), (200, 150)):
        told = sign_flip([0.5] * up + [-0.5] * down)
        assert told == pytest.approx(binomtest(down, up + down).pvalue, rel=0.1)
    assert sign_flip([0.1] * 40) == pytest.approx(2**-39)
    assert sign_flip([0.0] * 40) == 1.0


def clumps(queries, random):
    """Return documents in as many clumps as there are queries, and a query near each."""
    centres = random.normal(size=(queries, 16))
    documents = np.repeat(centres, 3, axis=0) + 0.4 * random.normal(size=(3 * queries, 16))
    asks = centres + 0.4 * random.normal(size=centres.shape)
    rows = np.repeat(np.arange(queries), 3)
    judged = Judged(rows, np.arange(3 * queries), np.ones(3 * queries))
    return unit(asks.astype(np.float32)), unit(documents.astype(np.float32)), judged


def test_judgements_belong_until_they_are_dealt_out_anew():
    """Near 0 as they are, all of them where permuted, a part where a part is."""
    random = np.random.default_rng(3)
    asks, documents, judged = clumps(120, random)
    clean = by_vectors(asks, documents, judged)
    assert clean.mean_rank < 0.05
    assert decide(clean.effect(), 5) is Verdict.STEADY
    dealt = Judged(random.permutation(120)[judged.query], judged.document, judged.gain)
    wrong = by_vectors(asks, documents, dealt)
    assert wrong.share.low > 0.5
    assert decide(wrong.effect(), 5) is Verdict.CHANGED
    some = np.arange(120)
    some[:40] = np.roll(some[:40], 7)
    part = by_vectors(asks, documents, Judged(some[judged.query], judged.document, judged.gain))
    assert 0.2 < part.share.value < 0.45
    found = np.arange(120)[:, None]
    assert by_chance(judged, found, 360)["hit@1"] < 0.1


@pytest.mark.parametrize("step", [1, -2])
def test_a_row_lost_in_the_middle_is_found(step):
    """Judgements shifted from some row on: the stretch, and by how many rows."""
    asks, documents, judged = clumps(120, np.random.default_rng(4))
    shifted = np.where(judged.query >= 60, (judged.query + step) % 120, judged.query)
    found = stretch(by_vectors(asks, documents, Judged(shifted, judged.document, judged.gain)))
    assert found is not None
    assert abs(found.first - 60) <= 4
    assert found.last >= 115
    assert (found.shift, found.p < 1e-6) == (step, True)


def test_words_tell_without_an_encoder_and_say_nothing_without_words():
    """Rare words count; texts without a word, and one set of documents for all, have no rank."""
    texts = [f"about thing{n} and thing{n + 1}" for n in range(40)]
    own = Judged(np.arange(40), np.arange(40), np.ones(40))
    assert by_words(texts, texts, own).mean_rank < 0.05
    assert math.isnan(by_words(["?"] * 40, ["!"] * 40, own).mean_rank)
    same = Judged(np.arange(40), np.zeros(40, int), np.ones(40))
    assert not by_words(texts, texts, same).known.any()
    assert not by_words(texts, texts, same).effect().defined
    none = Judged(*(np.zeros(0, int),) * 2, np.zeros(0))
    assert math.isnan(
        by_vectors(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), none).mean_rank
    )
    assert isinstance(by_words([], [], none), Belonging)
