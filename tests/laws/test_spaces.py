"""What is told of two spaces: what cannot change it does not, and what is planted is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats import rotation, spaces
from undertow.stats.bootstrap import jackknife, left_out, mean, ratio
from undertow.stats.neighbours import unit
from undertow.stats.ranking import Judged, loss, scored


def points(rows: int, dimensions: int, seed: int = 0):
    """Return random directions in a few clumps, as texts lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(rows // 12, 2), dimensions))
    made = centres[random.integers(len(centres), size=rows)]
    return unit((made + 0.5 * random.normal(size=made.shape)).astype(np.float32))


def turn(dimensions: int, seed: int = 1):
    """Return a random rotation."""
    random = np.random.default_rng(seed)
    return np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0].astype(np.float32)


@settings(max_examples=10)
@given(st.integers(60, 120), st.integers(4, 16), st.integers(0, 20))
def test_a_rotation_keeps_how_texts_lie_to_each_other(rows, dimensions, seed):
    """Neighbours, pair cosines and CKA do not see a rotation; cosine and place do."""
    a = points(rows, dimensions, seed)
    b = unit(a @ turn(dimensions, seed + 1))
    found = spaces.agreement(a, b)
    assert found.overlap.value > 0.99
    assert found.rsa.value == pytest.approx(1, abs=1e-4)
    assert found.cka.value == pytest.approx(1, abs=1e-4)
    before, now = found.pair_cosine
    assert before.value == pytest.approx(now.value, abs=1e-5)
    assert rotation.held_out(b, a).recovery.value > 0.99


@settings(max_examples=10)
@given(st.integers(60, 120), st.integers(2, 16), st.integers(0, 20))
def test_the_same_vectors_are_one_space(rows, dimensions, seed):
    """Nothing is out of place, whatever the rows; the order of the texts does not matter."""
    a = points(rows, dimensions, seed)
    order = np.random.default_rng(seed).permutation(rows)
    found, other = spaces.place(a, a), spaces.place(a[order], a[order])
    assert not found.out.any()
    assert found.share == other.share
    assert (found.share.value, found.share.p_no_change) == (0.0, 1.0)
    assert spaces.agreement(a, a).same


def test_unrelated_spaces_agree_by_chance_alone():
    """Nearly all rows are out of place, corrected for chance; CKA is near 0 with few rows."""
    shares, ckas = [], []
    for seed in range(6):
        a, b = points(200, 96, seed), points(200, 96, seed + 100)
        shares.append(spaces.place(a, b).share.value)
        ckas.append(spaces.agreement(a, b).cka.value)
    assert np.mean(shares) == pytest.approx(1, abs=0.03)
    assert abs(np.mean(ckas)) < 0.04


def test_the_share_of_another_space_is_covered_by_its_interval():
    """Of 20% planted rows, the 95% interval tells the truth about as often as it says."""
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        a = points(200, 32, seed)
        b = unit(a @ turn(32, seed))
        foreign = random.random(200) < 0.2
        found = spaces.place(a, np.where(foreign[:, None], b, a)).share
        held += found.low <= 0.2 <= found.high
        assert decide(found, 4) is Verdict.CHANGED
    assert held >= 90


def test_place_and_agreement_refuse_what_is_no_pair():
    """Other shapes, too few rows and tolerances out of range are refused."""
    a = points(40, 4)
    for wrong in (a[:, :3], a[:30]):
        with pytest.raises(DataError, match="same texts"):
            spaces.place(a, wrong)
    with pytest.raises(DataError, match="same texts"):
        spaces.agreement(a, a[:30])
    with pytest.raises(UsageError, match="tolerance"):
        spaces.place(a, a, tolerance=0.0)
    assert not spaces.place(a[:1], a[:1]).share.defined


def test_agreement_takes_vectors_of_two_lengths():
    """Cosine and place need one length; everything else does not."""
    a = points(200, 12)
    found = spaces.agreement(a, a[:, :8])
    assert found.cosine is None
    assert not found.same
    assert found.overlap.low < found.overlap.value < found.overlap.high
    assert "cosine" not in found.to_dict()


def test_isoscore_is_1_where_all_directions_are_alike_and_0_on_a_line():
    """A round cloud has an IsoScore near 1, a line 0; too few rows have none."""
    round_ = unit(np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32))
    line = np.zeros((100, 8), np.float32)
    line[:, 0] = np.linspace(0.5, 1, 100)
    found = spaces.agreement(round_, round_).isoscore[0]
    assert found > 0.95
    assert spaces.agreement(line, line).isoscore[0] == pytest.approx(0, abs=0.02)
    assert np.isnan(spaces.agreement(round_[:8], round_[:8]).isoscore[0])


def test_metrics_are_those_of_the_field():
    """MRR, recall and nDCG at 10 by hand, with gains; missing documents count."""
    found = scored([[0, 2, 0, 1]], [[3, 2, 1, 0]], [3])
    assert found.mrr.tolist() == [0.5]
    assert found.recall.tolist() == [pytest.approx(2 / 3)]
    ideal = 3 + 2 / np.log2(3) + 1 / 2
    assert found.ndcg.tolist() == [pytest.approx((2 / np.log2(3) + 1 / np.log2(5)) / ideal)]
    with pytest.raises(DataError, match="gains"):
        scored([[1, 0]], [[1]], [1])


@given(st.integers(0, 50))
def test_judgements_are_scored_like_a_dictionary_would(seed):
    """The fast look-up gives what a plain loop gives."""
    random = np.random.default_rng(seed)
    queries, documents, k = 6, 15, 4
    pairs = {
        (int(random.integers(queries)), int(random.integers(documents))): float(
            random.integers(1, 4)
        )
        for _ in range(20)
    }
    keys = np.array(list(pairs))
    judged = Judged(keys[:, 0], keys[:, 1], np.array(list(pairs.values())))
    which = np.stack([random.permutation(documents)[:k] for _ in range(queries)])
    made = judged.score(which, documents)
    for place, query in enumerate(sorted({query for query, _ in pairs})):
        mine = sorted((gain for (q, _), gain in pairs.items() if q == query), reverse=True)
        gains = [pairs.get((query, doc), 0.0) for doc in which[query].tolist()]
        discount = 1 / np.log2(np.arange(2, k + 2))
        best = np.array((mine + [0.0] * k)[:k]) @ discount
        assert made.ndcg[place] == pytest.approx(np.array(gains) @ discount / best)
        assert made.recall[place] == pytest.approx(sum(g > 0 for g in gains) / len(mine))


def test_a_loss_is_paired_and_never_surer_than_its_queries():
    """No loss of 200 queries has a limit of 2%; more than a re-index is no loss; nothing is unknown."""
    ones = np.ones(200)
    assert decide(loss(ones, ones), 3) is Verdict.STEADY
    assert loss(ones[:20], ones[:20]).high > 0.1
    assert loss(ones, ones * 0.9).value == 0
    assert not loss(np.zeros(50), np.zeros(50)).defined
    assert loss(ones * 0.5, ones).low == pytest.approx(0.5)
    with pytest.raises(DataError, match="one of each"):
        ratio([1.0], [1.0, 2.0])


def test_intervals_of_means_cover():
    """The bootstrap of a mean and the jackknife of pairs cover in about 95% of draws."""
    hits = both = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        found = mean(random.exponential(size=120))
        hits += found.low <= 1 <= found.high
        pairs = random.normal(size=120)
        table = pairs[:, None] * pairs[None, :]
        np.fill_diagonal(table, 0.0)
        weights = left_out(120)
        kept = weights.sum(axis=0)
        made = jackknife(
            ((table @ weights) * weights).sum(axis=0) / (kept * (kept - 1)) + pairs[0] * 0
        )
        both += made.low <= 0 <= made.high
    assert hits >= 51
    assert both >= 51
