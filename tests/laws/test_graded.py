"""What an item adds to a score is what the score loses without it, for scores that are no means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, v_measure_score

from undertow.core.errors import DataError
from undertow.core.task import Answers, Clustering, PairClassification, Similarity
from undertow.stats.graded import graded
from undertow.stats.itemised import fall, interval

RANDOM = np.random.default_rng(0)
NEAR, TRUE = RANDOM.normal(size=40).round(1), RANDOM.integers(0, 4, 40).astype(float)
TEXTS = ("a",) * 40


def leaving_out(score):
    """Return a statistic of 40 rows without each of them, from a function of the rows kept."""
    return np.array([score(np.delete(np.arange(40), row)) for row in range(40)])


def test_spearman_counts_ranks_anew_without_each_pair():
    """Ties are shared ranks: exactly what scipy says of the other pairs."""
    made = graded(Similarity("s", "", TEXTS, TEXTS, TRUE), Answers(NEAR))
    without = leaving_out(lambda rows: spearmanr(NEAR[rows], TRUE[rows])[0])
    assert made.score == pytest.approx(spearmanr(NEAR, TRUE)[0])
    assert made.items == pytest.approx(made.score + 39 * (without.mean() - without))


def test_average_precision_counts_anew_without_each_pair():
    """Exactly what scikit-learn says of the other pairs, ties and positives included."""
    same = (TRUE > 1).astype(float)
    made = graded(PairClassification("p", "", TEXTS, TEXTS, same), Answers(NEAR))
    without = leaving_out(lambda rows: average_precision_score(same[rows], NEAR[rows]))
    assert made.score == pytest.approx(average_precision_score(same, NEAR))
    assert made.items == pytest.approx(made.score + 39 * (without.mean() - without))


def test_v_measure_counts_anew_without_each_text():
    """A text drawn several times is left out as often."""
    label, cluster = RANDOM.integers(0, 3, 40), RANDOM.integers(0, 3, 40)
    drawn = RANDOM.integers(0, 40, (1, 300))
    task = Clustering("c", "", TEXTS, label, ("x", "y", "z"))
    made = graded(task, Answers(cluster[drawn], drawn))

    def score(rows):
        kept = drawn[0][np.isin(drawn[0], rows)]
        return v_measure_score(label[kept], cluster[kept])

    without = leaving_out(score)
    assert made.score == pytest.approx(v_measure_score(label[drawn[0]], cluster[drawn[0]]))
    assert made.items == pytest.approx(made.score + 39 * (without.mean() - without))


def test_answers_too_many_or_to_others_are_refused():
    """A score of other items than were asked is no score."""
    with pytest.raises(DataError, match="39 answers to 40 pairs"):
        graded(Similarity("s", "", TEXTS, TEXTS, TRUE), Answers(NEAR[:39]))
    task = Clustering("c", "", TEXTS, np.zeros(40, np.int64), ("x",))
    with pytest.raises(DataError, match="clusters of other texts than were drawn"):
        graded(task, Answers(np.zeros((1, 9), np.int32), np.zeros((1, 8), np.int64)))


def test_an_interval_stays_on_its_scale_and_is_wider_for_few():
    """Near an end of the scale it stands further from the near end; at the end it is not a point."""
    near_one = interval([1.0] * 48 + [0.0] * 2)
    assert 0.84 < near_one.low < near_one.value == 0.96 < near_one.high < 0.995
    assert interval([0.0] * 30).high == pytest.approx(0.1135, abs=1e-3)
    negative = interval(np.linspace(-1.4, -0.2, 40), least=-1.0)
    assert -1 < negative.low < negative.value < negative.high < 0
    assert np.isnan(interval([0.5] * 9).low)


def test_experiments_widen_what_items_say():
    """What another draw of training texts would change is part of what is not known."""
    items = RANDOM.random(100)
    alone = interval(items)
    both = interval(items, [0.4, 0.6] * 5)
    assert both.high - both.low > 1.1 * (alone.high - alone.low)


def test_noise_alone_is_seldom_a_fall():
    """Of 400 pairs of answers that differ by chance alone, about one in forty excludes no fall."""
    random = np.random.default_rng(5)
    found = [fall((random.random(30), ()), (random.random(30), ())).p_no_change for _ in range(400)]
    assert 0.005 <= np.mean(np.array(found) <= 0.05) <= 0.05
    assert np.mean(np.array(found) <= 0.002) <= 0.01
