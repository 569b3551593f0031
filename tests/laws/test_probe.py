"""What the probe of an index says of planted faults, and that a clean vector is never called wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.core.encode import Steadiness
from undertow.core.errors import UsageError
from undertow.stats import probe as probing
from undertow.stats.gone import gone, gone_by
from undertow.stats.neighbours import unit
from undertow.stats.probe import Kind, drawn, first_look, limit, probe, wrong_share
from undertow.stats.stored import facts, foretold, worded

TOPICS = 12


def space(rows: int = 400, width: int = 32, seed: int = 0) -> np.ndarray:
    """Return vectors of length 1 in a few topics."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(TOPICS, width))
    made = centres[np.arange(rows) % TOPICS] + 0.8 * random.normal(size=(rows, width))
    return unit(made.astype(np.float32))


def looked(stored, fresh, rows, same=probing.SAME, lenient=None):
    """Return what became of some rows, and their kinds at first look."""
    lengths = facts(stored).length
    found = probe(stored, lengths, rows, fresh[rows])
    lenient = np.zeros(len(rows), bool) if lenient is None else lenient
    return found, first_look(found, len(stored), same, lenient=lenient)


def test_a_clean_vector_is_fine_whatever_its_length():
    """The last bits, another length and float16 make no vector wrong."""
    fresh = space()
    rows = np.arange(0, 400, 7)
    random = np.random.default_rng(1)
    noise = random.normal(size=fresh.shape).astype(np.float32) * 1e-6
    for stored in (fresh, fresh + noise, fresh * 7, fresh.astype(np.float16).astype(np.float32)):
        found, kinds = looked(np.asarray(stored, np.float32), fresh, rows)
        assert set(kinds) == {Kind.FINE}
        assert (found.nearer <= 1).all()
    assert looked(fresh * 7, fresh, rows)[0].scale == pytest.approx(7, rel=1e-5)


def test_the_blocks_of_a_large_index_change_nothing(monkeypatch):
    """Read a few rows at a time, the probe finds the same neighbours and counts."""
    fresh = space()
    stored = fresh.copy()
    stored[:40] = fresh[np.roll(np.arange(40), 1)]
    rows = np.arange(0, 400, 5)
    whole, _ = looked(stored, fresh, rows)
    monkeypatch.setattr(probing, "BLOCK", 80 * 33)
    parts, _ = looked(stored, fresh, rows)
    for name in ("nearer", "best", "kin", "overlap"):
        assert (getattr(whole, name) == getattr(parts, name)).all(), name
    assert parts.best_cosine == pytest.approx(whole.best_cosine, abs=1e-6)


def test_rows_that_cannot_be_searched_are_never_neighbours():
    """Zeros and NaN among the stored vectors are nobody's nearest."""
    fresh = space(100)
    stored = fresh.copy()
    stored[5:20] = 0
    stored[20:30] = np.nan
    found, kinds = looked(stored, fresh, np.arange(30, 100))
    assert set(kinds) == {Kind.FINE}
    assert not np.isin(found.best, np.arange(5, 30)).any()
    assert not np.isin(found.kin, np.arange(5, 30)).any()


def test_a_vector_with_lost_numbers_is_cut_and_a_coarse_one_has_moved():
    """Zeros in place of numbers are told from a vector that lies near its place."""
    fresh = space()
    rows = np.arange(60)
    cut = fresh.copy()
    cut[:, 20:] = 0
    assert set(looked(unit(cut), fresh, rows)[1]) == {Kind.CUT}
    coarse = unit(np.round(fresh * 8) / 8 + 1e-4)
    assert set(looked(coarse, fresh, rows)[1]) == {Kind.MOVED}
    allowed = np.ones(len(rows), bool)
    assert set(looked(coarse, fresh, rows, lenient=allowed)[1]) == {Kind.FINE}


def test_what_is_allowed_to_move_may_not_be_another_vector():
    """A swapped or foreign vector is not in its place, allowed or not."""
    fresh = space()
    swapped = fresh[np.roll(np.arange(400), 1)]
    kinds = looked(swapped, fresh, np.arange(60), lenient=np.ones(60, bool))[1]
    assert Kind.FINE not in kinds


@given(st.permutations([f"id{n}" for n in range(30)]), st.integers(0, 5))
def test_the_draw_does_not_depend_on_the_order(ids, seed):
    """The same documents are drawn however the index lists them, and m beyond all draws all."""
    first = {f"id{n}" for n in drawn([f"id{n}" for n in range(30)], 7, seed=seed)}
    assert {f"id{ids[row][2:]}" for row in drawn(ids, 7, seed=seed)} == first
    assert sorted(drawn(ids, 99, seed=seed)) == list(range(30))


def test_other_seeds_draw_other_documents():
    """A second probe looks elsewhere."""
    ids = [str(n) for n in range(1000)]
    draws = [set(drawn(ids, 60, seed=seed).tolist()) for seed in range(5)]
    assert all(len(one & two) < 20 for one in draws for two in draws if one is not two)


def test_sixty_documents_find_five_percent_in_95_of_100_draws():
    """The chance that no wrong vector is drawn is what it should be, over 300 draws of 1,000."""
    ids = [f"d{n}" for n in range(1000)]
    wrong = np.random.default_rng(3).permutation(1000)[:50]
    met = [np.isin(drawn(ids, 60, seed=seed), wrong).any() for seed in range(300)]
    assert np.mean(met) > 0.93


def test_an_unsteady_encoder_widens_the_limit():
    """What an encoder does to its own vectors is no fault of the index."""
    assert limit(Steadiness(0, 1.0, 0, 1.0)) == probing.SAME
    assert limit(Steadiness(0.03, 1.0, 0.03, 0.98)) == pytest.approx(0.92)


@given(st.integers(1, 80), st.integers(0, 80), st.integers(80, 5000))
def test_the_share_holds_together(probed, wrong, stored):
    """The interval holds the estimate, and is exact where all were probed."""
    wrong = min(wrong, probed)
    found = wrong_share(wrong, probed, stored)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (found.p_no_change == 1) == (wrong == 0)
    whole = wrong_share(wrong, probed, probed)
    assert whole.low == whole.high == wrong / probed


def test_no_probe_is_no_share():
    """Nothing probed is undefined, and a tolerance out of range is refused."""
    assert not wrong_share(0, 0, 100).defined
    with pytest.raises(UsageError, match="tolerance"):
        wrong_share(0, 60, 100, tolerance=0.7)


def test_facts_of_stored_vectors():
    """Lengths, zeros, absent and broken vectors, dead dimensions and copies are counted."""
    rows = space(50)
    rows[:, 3] = 0
    rows[1] = rows[0]
    rows[2], rows[4] = 0, np.nan
    rows[5, 1] = np.inf
    found = facts(rows)
    assert found.dead.tolist() == [3]
    assert (found.empty.nonzero()[0].tolist(), found.absent.nonzero()[0].tolist()) == ([2], [4])
    assert found.broken.nonzero()[0].tolist() == [5]
    assert [group.tolist() for group in found.twins] == [[0, 1]]
    assert facts(np.zeros((3, 4), np.float32)).dead.tolist() == []
    assert facts(np.zeros((0, 4), np.float32)).fine.tolist() == []


def sentences(rows: int = 600, seed: int = 0) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return texts of some topics, their vectors, which their words make, and topics."""
    random = np.random.default_rng(seed)
    meaning = random.normal(size=(TOPICS * 12, 24))
    topics = np.arange(rows) % TOPICS
    words = random.integers(0, 12, size=(rows, 6)) + 12 * topics[:, None]
    texts = [" ".join(f"w{code:03d}x" for code in each) for each in words]
    return texts, unit(meaning[words].sum(axis=1).astype(np.float32)), topics


def test_words_foretell_which_vectors_are_odd():
    """Of the 20 oddest vectors nearly all are swapped or foreign ones, planted at 5%."""
    texts, rows, _ = sentences()
    some = np.random.default_rng(1).permutation(600)[:30]
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(24, 24)))[0].astype(np.float32)
    for wrong in (rows[np.roll(some, 1)], rows[some] @ turn):
        bad = rows.copy()
        bad[some] = wrong
        odd = np.argsort(foretold(texts, bad))[:20]
        assert np.isin(odd, some).mean() > 0.7
    assert np.isnan(foretold(["", None, "one word"] * 9, rows[:27])[[0, 1]]).all()
    assert worded([]).shape == (0, 1024)


def test_missing_topics_are_told_from_missing_documents():
    """Neighbours of a missing document are missing too where topics are, and by chance otherwise."""
    texts, _, topics = sentences()
    ids = [str(n) for n in range(600)]
    whole = gone(ids, texts, topics < 2)
    assert len(whole.groups) >= 1
    assert whole.together > 0.5
    for seed in range(5):
        spread = gone(ids, texts, np.random.default_rng(seed).random(600) < 0.3)
        assert spread.spread
        assert not spread.groups
    assert not gone(ids[:3], texts[:3], np.array([True, False, False])).groups


def test_given_topics_are_counted():
    """A topic that is not indexed is named; one that lost documents by chance is not."""
    names = [f"t{n % 10}" for n in range(500)]
    lost = np.array([name in {"t3", "t7"} for name in names])
    found = gone_by(names, lost)
    assert [(each.name, each.missing) for each in found.groups] == [("t3", 50), ("t7", 50)]
    assert gone_by(names, np.random.default_rng(0).random(500) < 0.5).groups == ()
    assert gone_by([None] * 500, lost).groups == ()
