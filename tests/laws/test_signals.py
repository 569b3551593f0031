"""Signals without judgements: right by hand, silent where nothing moved, awake where something did."""

from __future__ import annotations

import math

import numpy as np
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats.neighbours import unit
from undertow.stats.signals import (
    Listed,
    churn,
    lost_share,
    mean_share,
    of_scores,
    paired_shift,
    shift,
    signals,
)


def test_coherence_is_the_mean_cosine_of_two_documents_found():
    """The sum over all pairs, by hand; missing and empty documents are left out."""
    random = np.random.default_rng(0)
    near = unit(random.normal(size=(40, 6)).astype(np.float32)).reshape(5, 8, 6)
    asked = near[:, 0]
    scores = np.sort(random.random((5, 8)))[:, ::-1]
    made = signals(asked, near, scores)
    pairs = [(near[row] @ near[row].T)[np.triu_indices(8, 1)].mean() for row in range(5)]
    assert made["coherence"] == pytest.approx(pairs, abs=1e-6)
    assert made["top1"] == pytest.approx(scores[:, 0])
    assert made["mean"] == pytest.approx(scores.mean(axis=1))
    fewer = np.concatenate([near, np.full((5, 2, 6), np.nan)], axis=1)
    short = np.concatenate([scores, np.full((5, 2), np.nan)], axis=1)
    again = signals(asked, fewer, short)
    for name, values in made.items():
        assert again[name] == pytest.approx(values, abs=1e-6)


def test_nothing_found_is_no_number():
    """A query that found nothing has no signal; wrong shapes are refused in one line."""
    made = signals(np.ones((1, 3)), np.full((1, 4, 3), np.nan), np.full((1, 4), np.nan))
    assert all(np.isnan(each).all() for each in made.values())
    with pytest.raises(DataError, match="give"):
        signals(np.ones((2, 3)), np.ones((1, 4, 3)), np.ones((1, 4)))
    assert math.isnan(of_scores([()])[0])


def test_the_same_run_has_not_moved():
    """Two rebuilds that differ in the last bits are steady, with 60 queries as with 1,000."""
    random = np.random.default_rng(1)
    for rows in (60, 225, 1000):
        old = random.normal(0.6, 0.1, rows)
        found = paired_shift(old, old + random.normal(0, 1e-7, rows))
        assert decide(found, 4) is Verdict.STEADY
        assert found.p_no_change == 1


def test_noise_never_alarms_and_pairs_see_what_samples_do_not():
    """Of 200 pairs of noisy runs none is changed; a fifth of queries that fell is seen in pairs."""
    random = np.random.default_rng(2)
    verdicts, seen = [], []
    for _ in range(200):
        old = random.normal(0.6, 0.1, 300)
        jitter = old + random.normal(0, 0.02, 300)
        verdicts.append(decide(paired_shift(old, jitter), 4))
        fell = np.where(random.random(300) < 0.4, old - 0.15, old)
        seen.append(decide(paired_shift(old, fell), 4))
    assert Verdict.CHANGED not in verdicts
    assert verdicts.count(Verdict.WATCH) <= 4
    assert (np.array(seen) == Verdict.CHANGED).mean() > 0.9


def test_the_paired_interval_holds_the_truth():
    """In at least 93 of 100 draws the interval holds the gap of very many queries."""
    random = np.random.default_rng(3)

    def both(rows):
        old = random.normal(0.6, 0.1, rows)
        return old, np.where(random.random(rows) < 0.5, old - 0.08, old)

    truth = paired_shift(*both(400_000)).value
    found = [paired_shift(*both(300)) for _ in range(200)]
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.93


def test_shift_of_other_queries_is_a_gap_of_two_samples():
    """Two halves of one crowd are not changed; a crowd that fell is; nothing is undefined."""
    random = np.random.default_rng(4)
    assert decide(shift(random.random(500), random.random(500)), 4) is not Verdict.CHANGED
    assert decide(shift(random.random(500), 0.6 * random.random(500)), 4) is Verdict.CHANGED
    assert not shift([], [0.5]).defined
    assert not paired_shift([math.nan], [0.5]).defined
    with pytest.raises(DataError, match="same ones twice"):
        paired_shift([0.5], [0.5, 0.6])
    with pytest.raises(UsageError, match="tolerance"):
        paired_shift([0.5], [0.5], tolerance=2)


def test_churn_takes_ties_and_new_documents_off():
    """Documents of one cosine are one; a new one pushes one out, and one that is gone lets one in."""
    old = Listed([["a", "b", "c"]], [[0.9, 0.8, 0.7]])
    tied = Listed([["a", "b", "d"]], [[0.9, 0.8, 0.7]])
    assert churn(old, tied).changed.tolist() == [0]
    other = Listed([["a", "x", "y"]], [[0.9, 0.85, 0.82]])
    assert churn(old, other).rest[0] == pytest.approx(2 / 3)
    held = {"a", "b", "c", "d"}
    made = churn(old, other, held_before=held, held_now=held | {"x", "y"})
    assert (made.by_new[0], made.rest[0]) == pytest.approx((2 / 3, 0))
    without = Listed([["b", "c", "d"]], [[0.8, 0.7, 0.6]])
    made = churn(old, without, held_before=held, held_now=held - {"a"})
    assert (made.by_gone[0], made.rest[0]) == pytest.approx((1 / 3, 0))
    assert churn(old, without, held_before=held, held_now=held).rest[0] == pytest.approx(1 / 3)
    assert churn(Listed([[]], [[]]), Listed([[]], [[]])).changed.tolist() == [0]
    with pytest.raises(DataError, match="queries"):
        churn(old, Listed([], []))


def test_shares_of_nothing_and_of_all():
    """No change among 225 queries is steady at a tenth; no query is undefined."""
    none = mean_share(np.zeros(225), tolerance=0.1)
    assert decide(none, 4) is Verdict.STEADY
    assert decide(mean_share(np.full(225, 0.4), tolerance=0.1), 4) is Verdict.CHANGED
    assert not mean_share(np.zeros(0), tolerance=0.1).defined
    assert decide(lost_share(300, 800, 225, tolerance=0.1), 4) is Verdict.CHANGED
    assert not lost_share(0, 0, 10, tolerance=0.1).defined
