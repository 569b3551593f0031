"""Laws of the forecast: exact where all is embedded, unmoved where nothing moves, near in between."""

import numpy as np
import pytest

from undertow.core.errors import DataError
from undertow.stats.forecast import choose, forecast
from undertow.stats.neighbours import nearest, unit
from undertow.stats.outrank import standing
from undertow.stats.ranking import Judged

TOPICS, DOCS, QUERIES = 40, 1_500, 100


@pytest.fixture(scope="module")
def corpus():
    """Texts of 60 topics as vectors, a blurred copy of them, and 150 queries with five answers each."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(TOPICS, 32))
    topic, asked = (random.integers(TOPICS, size=size) for size in (DOCS, QUERIES))
    rows, queries = (centres[each] + random.normal(size=(len(each), 32)) for each in (topic, asked))
    blur = random.normal(size=(32, 32)) * 0.12
    spaces = {
        "sharp": (rows, queries),
        "blurred": tuple(
            each + each @ blur + random.normal(size=each.shape) * 0.7 for each in (rows, queries)
        ),
    }
    made = {
        name: tuple(unit(each.astype(np.float32)) for each in pair) for name, pair in spaces.items()
    }
    turn = np.linalg.qr(random.normal(size=(32, 32)))[0].astype(np.float32)
    made["turned"] = tuple(unit(each @ turn) for each in made["sharp"])
    answers = [random.choice(np.flatnonzero(topic == each), 5, replace=False) for each in asked]
    judged = Judged(np.repeat(np.arange(QUERIES), 5), np.concatenate(answers), np.ones(5 * QUERIES))
    return made, judged


def told(corpus, one, other, sample, seed=0, **more):
    """Return the forecast of one space from another."""
    made, judged = corpus
    random = np.random.default_rng(seed)
    some = choose(judged, DOCS, sample=sample, random=random, **more)
    (old, asked), (new, now) = made[one], made[other]
    return forecast(old, asked, new[some.which], now, judged, some, random=random)


def true(corpus, name):
    """Return what a full re-index finds."""
    made, judged = corpus
    found = judged.score(nearest(made[name][1], made[name][0], 10).which, DOCS)
    return [float(each.mean()) for each in (found.ndcg, found.mrr, found.recall)]


def test_a_sample_of_everything_is_exact(corpus):
    """With every document embedded the forecast is the measurement, and only queries are uncertain."""
    for each, value in zip(
        told(corpus, "sharp", "blurred", DOCS), true(corpus, "blurred"), strict=True
    ):
        assert each.new == pytest.approx(value, abs=1e-6)
        assert each.golden == pytest.approx((value, value), abs=1e-6)
        assert each.high > each.low


def test_a_turned_space_changes_nothing(corpus):
    """A rotation moves no cosine: the forecast is what there is, with no error."""
    for each in told(corpus, "sharp", "turned", 100):
        assert each.change == pytest.approx(0, abs=1e-6)
        assert each.golden[1] - each.golden[0] < 1e-6


def test_a_fall_and_a_rise_are_foretold_within_three_points(corpus):
    """From a tenth of the documents nDCG@10 is told within .03, and the interval holds the truth."""
    for one, other in (("sharp", "blurred"), ("blurred", "sharp")):
        value = true(corpus, other)[0]
        made = [told(corpus, one, other, 300, seed)[0] for seed in range(5)]
        assert max(abs(each.new - value) for each in made) < 0.03
        assert all(each.golden[0] <= value <= each.golden[1] for each in made)


def test_the_plain_sample_would_be_far_off(corpus):
    """The search among the sample alone looks much better: the correction is needed."""
    made, judged = corpus
    some = choose(judged, DOCS, sample=300, random=np.random.default_rng(0))
    new, now = made["blurred"]
    spot = np.full(DOCS, -1)
    spot[some.which] = np.arange(len(some.which))
    among = Judged(judged.query, spot[judged.document], judged.gain)
    plain = among.score(nearest(now, new[some.which], 10).which, len(some.which)).ndcg.mean()
    assert plain - true(corpus, "blurred")[0] > 0.05


def test_many_judged_documents_are_thinned_and_stand_for_the_rest(corpus):
    """Above the limit judged documents are sampled, their weights add up, and the answer stays near."""
    _, judged = corpus
    some = choose(judged, DOCS, sample=300, random=np.random.default_rng(0), most=200)
    assert some.judged.sum() == 200
    assert some.weight.sum() == pytest.approx(DOCS)
    assert len(set(some.which.tolist())) == len(some.which)
    assert abs(told(corpus, "sharp", "turned", 300, most=200)[0].change) < 1e-6


def test_a_larger_sample_is_surer(corpus):
    """What the draw of the documents leaves shrinks as the sample grows."""
    errors = [told(corpus, "sharp", "blurred", sample)[0] for sample in (50, 300, 1_500)]
    assert errors[0].sample + errors[0].own > errors[1].sample + errors[1].own
    assert errors[1].sample + errors[1].own > errors[2].sample + errors[2].own


def test_what_stays_in_the_first_ten_is_told(corpus):
    """The mean chance to stay is near the share that does, and it ranks those that fall out."""
    made, judged = corpus
    (old, asked), (new, now) = made["sharp"], made["blurred"]
    first, then = nearest(asked, old, 10).which, nearest(now, new, 10).which
    random = np.random.default_rng(0)
    query, document = np.repeat(np.arange(QUERIES), 10), first.ravel().astype(np.int64)
    some = choose(Judged(query, document, np.ones(len(query))), DOCS, sample=300, random=random)
    there = np.isin(document, some.which)
    pairs = query[there], document[there]
    found = standing(old, asked, new[some.which], now, pairs, some)
    stay = (then[pairs[0]] == pairs[1][:, None]).any(axis=1)
    assert abs(found.stays.mean() - stay.mean()) < 0.08
    assert found.stays[stay].mean() > found.stays[~stay].mean() + 0.2
    assert (found.old <= 10).all()
    assert judged.query.max() < QUERIES


def test_no_judged_document_is_an_error():
    """Without a judged document there is nothing to forecast."""
    nobody = Judged(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    with pytest.raises(DataError, match="no judged document"):
        choose(nobody, 10, sample=5, random=np.random.default_rng(0))
