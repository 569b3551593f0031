"""Laws of the scores of unfamiliar rows: what each method is, and what its threshold promises."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from undertow.core.errors import DataError, UsageError
from undertow.stats.classify import area
from undertow.stats.unfamiliar import (
    LABELLED,
    METHODS,
    SCORED,
    Unfamiliar,
    apart,
    content_hashes,
    fit,
    held_out,
    least_rows,
    repeated,
)

CENTRES = np.random.default_rng(1).normal(size=(7, 12))
VECTOR_METHODS = [method for method in METHODS if method not in SCORED]


def stream(random: np.random.Generator, rows: int, *, new: bool = False):
    """Return vectors of six classes and their codes, or of a seventh that nobody knows."""
    codes = np.full(rows, 6) if new else random.integers(0, 6, rows)
    return (CENTRES[codes] + random.normal(size=(rows, 12)) * 0.6).astype(np.float32), codes


def made(method: str, random: np.random.Generator, rows: int = 400, rate: float = 0.05):
    """Return a method fitted on a stream; classifiers' methods read the stream as logits."""
    known, codes = stream(random, rows)
    return fit(known, codes if method in LABELLED else None, method=method, rate=rate)


@pytest.mark.parametrize("method", METHODS)
def test_the_stated_rate_of_usual_rows_lies_beyond(method):
    """Over 60 references, the share of new rows of the same kind beyond is the stated 5%."""
    shares = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        found = made(method, random, 300)
        shares.append((found.score(stream(random, 300)[0]) > found.threshold).mean())
    # Held out are 60 rows: the rate is 3 of 61, and a reference is off by 0.028 of its own.
    assert abs(np.mean(shares) - 3 / 61) < 3.5 * 0.031 / math.sqrt(60)


@settings(max_examples=80)
@given(st.integers(19, 500), st.floats(0.01, 0.4))
def test_the_threshold_is_the_smallest_score_that_keeps_its_promise(rows, rate):
    """A row exchangeable with the held-out ones is beyond with at most the rate, and not far less."""
    found = Unfamiliar("knn", rate, 1, np.arange(float(max(rows, math.ceil(1 / rate)))))
    held = len(found.held)
    chance = (found.beyond + 1) / (held + 1)
    assert chance <= rate + 1e-9
    assert chance > rate - 1 / (held + 1) - 1e-9


@settings(max_examples=60)
@given(st.integers(50, 5000), st.floats(0.002, 0.4))
def test_what_is_held_out_is_enough_for_the_rate(rows, rate):
    """Any reference that is large enough holds out enough rows to have a threshold, and keeps half."""
    if rows < least_rows(rate):
        return
    held = held_out(rows, rate)
    assert held <= rows / 2
    assert math.ceil((held + 1) * (1 - rate) - 1e-9) <= held


def test_p_says_how_often_a_usual_row_scores_as_high():
    """A conformal p is small as often as it says, and agrees with the threshold."""
    random = np.random.default_rng(3)
    found = made("local", random, 2000)
    scores = found.score(stream(random, 4000)[0])
    p = found.p(scores)
    for level in (0.02, 0.05, 0.2):
        assert abs((p <= level).mean() - level) < 0.025
    assert ((p <= found.rate) == (scores > found.threshold)).all()


@pytest.mark.parametrize("method", VECTOR_METHODS)
def test_an_unknown_class_scores_higher(method):
    """Rows of a class that the reference lacks score above nearly all others."""
    random = np.random.default_rng(5)
    found = made(method, random, 1500)
    usual, new = found.score(stream(random, 500)[0]), found.score(stream(random, 500, new=True)[0])
    auc, _ = area(np.concatenate([usual, new]), np.arange(1000) >= 500)
    assert auc > 0.95


def test_knn_is_the_mean_distance_to_the_five_nearest():
    """`knn` is what Sun et al. write, with cosines; `local` takes off what is usual there."""
    random = np.random.default_rng(7)
    found, queries = made("local", random), stream(random, 20)[0]
    known = found.near.rows.astype(np.float64)
    queries64 = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    cosine, own = queries64 @ known.T, known @ known.T
    np.fill_diagonal(own, -np.inf)
    usual = 1 - np.sort(own, axis=1)[:, -5:].mean(axis=1)
    near = np.argsort(-cosine, axis=1)[:, :5]
    knn = 1 - np.take_along_axis(cosine, near, axis=1).mean(axis=1)
    assert found.score(queries) == pytest.approx(knn - 0.3 * usual[near].mean(axis=1), abs=3e-6)
    plain = Unfamiliar("knn", 0.05, 12, found.held, found.near)
    assert plain.score(queries) == pytest.approx(knn, abs=3e-6)


def test_mahalanobis_is_relative_to_all_rows():
    """`mahalanobis` is what Ren et al. write, with both covariances shrunk by the same ridge."""
    random = np.random.default_rng(9)
    found, queries = made("mahalanobis", random), stream(random, 20)[0].astype(np.float64)
    classes = found.classes
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    within = np.linalg.inv(classes.within @ classes.within.T)
    total = np.linalg.inv(classes.total @ classes.total.T)
    assert np.linalg.eigvalsh(total - within).min() > -1e-3  # a class is narrower than all rows
    here = queries - classes.middle
    to_all = np.einsum("ij,jk,ik->i", here, np.linalg.inv(total), here)
    gaps = here[:, None, :] - classes.centres
    to_class = np.einsum("icj,jk,ick->ic", gaps, np.linalg.inv(within), gaps).min(axis=1)
    assert found.score(queries.astype(np.float32)) == pytest.approx(to_class - to_all, abs=1e-3)


def test_energy_and_max_logit_read_logits():
    """Energy is minus the log-sum-exp of the logits, at any size of them; max-logit minus the largest."""
    logits = np.random.default_rng(2).normal(size=(300, 4)).astype(np.float32) * 50
    energy, highest = fit(logits, method="energy"), fit(logits, method="max-logit")
    assert energy.score(logits) == pytest.approx(-logsumexp(logits, axis=1), abs=1e-4)
    assert highest.score(logits) == pytest.approx(-logits.max(axis=1), abs=1e-5)
    assert energy.known == 0


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_reference_does_not_matter(method):
    """The same rows in another order give the same bits, repeated rows among them."""
    random = np.random.default_rng(11)
    rows, codes = stream(random, 300)
    rows[250:] = rows[:50]
    codes[250:] = codes[:50]
    order = random.permutation(300)
    given = (codes, codes[order]) if method in LABELLED else (None, None)
    one, two = fit(rows, given[0], method=method), fit(rows[order], given[1], method=method)
    assert one.held.tobytes() == two.held.tobytes()
    queries = stream(random, 50)[0]
    assert one.score(queries).tobytes() == two.score(queries).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_rows_may_be_scored_in_parts(method):
    """Scores do not depend on the other rows of a call."""
    random = np.random.default_rng(13)
    found, queries = made(method, random), stream(random, 90)[0]
    parts = np.concatenate([found.score(queries[:7]), found.score(queries[7:])])
    assert parts == pytest.approx(found.score(queries), abs=3e-6)


@pytest.mark.parametrize("method", VECTOR_METHODS)
def test_only_the_direction_of_a_vector_counts(method):
    """Vectors that are not of length 1 score as the same ones that are."""
    random = np.random.default_rng(17)
    found, queries = made(method, random), stream(random, 60)[0]
    assert found.score(queries * 7) == pytest.approx(found.score(queries), abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_state_is_arrays_and_json(method):
    """What a method is goes into a file without pickle and comes back the same."""
    found = made(method, np.random.default_rng(19))
    state = found.state()
    arrays = {name: each for name, each in state.items() if isinstance(each, np.ndarray)}
    plain = {name: each for name, each in state.items() if name not in arrays}
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as held:
        again = Unfamiliar.restore({**json.loads(json.dumps(plain)), **held})
    queries = stream(np.random.default_rng(23), 40)[0]
    assert again.threshold == found.threshold
    assert again.score(queries).tobytes() == found.score(queries).tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("held", np.array([2.0, 1.0])),
        ("held", np.array([np.nan])),
        ("held", np.empty(0)),
        ("dimensions", 3),
        ("usual", np.zeros(3)),
        ("within", np.eye(3)),
        ("method", "knm"),
        ("rows", None),
        ("centres", None),
    ],
)
def test_a_damaged_state_is_refused(name, value):
    """A state whose parts disagree does not come back as a method."""
    state = made("blend", np.random.default_rng(19)).state()
    if value is None:
        del state[name]
    else:
        state[name] = value
    with pytest.raises(ValueError, match=r"\w"):
        Unfamiliar.restore(state)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), max_size=40), st.randoms(use_true_random=False))
def test_repeats_have_places_of_their_own_in_any_order(content, random):
    """Equal rows get different keys, and the set of keys does not depend on the order."""
    rows = np.array(content, np.float32).reshape(-1, 1) + 1
    keys = apart(content_hashes(rows)) if len(rows) else np.empty(0, np.uint64)
    shuffled = list(content)
    random.shuffle(shuffled)
    again = np.array(shuffled, np.float32).reshape(-1, 1) + 1
    others = apart(content_hashes(again)) if len(again) else np.empty(0, np.uint64)
    assert len(set(keys.tolist())) == len(rows)
    assert sorted(keys.tolist()) == sorted(others.tolist())


def test_equal_rows_leave_nothing_beyond_but_others():
    """Where every known row is the same, that row is usual and any other is beyond."""
    rows = np.ones((200, 6), np.float32) / 3
    for method in ("knn", "local", "blend"):
        codes = np.arange(200) % 2 if method in LABELLED else None
        found = fit(rows, codes, method=method)
        other = np.array([[1, 0, 0, 0, 0, 0]], np.float32)
        assert found.score(rows[:1])[0] <= found.threshold < found.score(other)[0]


def test_a_class_of_one_row_is_no_class():
    """Rows with a label of their own are known rows, but make no class; some class there must be."""
    random = np.random.default_rng(29)
    rows, codes = stream(random, 300)
    lone = np.where(np.arange(300) % 10 == 0, 100 + np.arange(300), codes)
    found = fit(rows, lone, method="mahalanobis")
    assert len(found.classes.centres) == 6
    with pytest.raises(DataError, match="no label is on two rows or more"):
        fit(rows, np.arange(300), method="blend")
    with pytest.raises(DataError, match="1 label is on two rows or more"):
        repeated(np.array([1, 1, -1, -1, 2]))


def test_held_out_rows_may_be_given():
    """Given held-out rows set the threshold, and all others are known."""
    random = np.random.default_rng(31)
    rows, held = stream(random, 200)[0], stream(random, 120)[0]
    found = fit(rows, held=held)
    assert (found.known, len(found.held)) == (200, 120)
    with pytest.raises(DataError, match="10 held-out rows"):
        fit(rows, held=held[:10])


def test_what_cannot_be_fitted_is_refused():
    """Too few rows, no classes, an unknown method, a rate that is none, another dimension."""
    rows = stream(np.random.default_rng(37), 200)[0]
    with pytest.raises(DataError, match=r"30 rows of reference: a rate of 0\.05 needs 50"):
        fit(rows[:30])
    with pytest.raises(DataError, match="needs a label"):
        fit(rows, method="mahalanobis")
    with pytest.raises(UsageError, match="did you mean 'max-logit'"):
        fit(rows, method="max-logits")
    for rate in (0.0, 0.5, -1.0, math.nan):
        with pytest.raises(UsageError, match="rate"):
            fit(rows, rate=rate)
    with pytest.raises(DataError, match="rows of 5 numbers, but the reference has 12"):
        fit(rows).score(rows[:, :5])
