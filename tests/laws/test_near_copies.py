"""Near copies: what brute force finds is found, and the share is that of one number of rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.core.verdict import Verdict, decide
from undertow.stats import copies
from undertow.stats.near_copies import contained_pairs, near_pairs, shingles, signatures
from undertow.stats.neighbours import unit
from undertow.stats.returned import HOW, returned

WORDS = [f"word{n}" for n in range(400)]


def texts(count: int, seed: int = 0, words: int = 20, twins: int = 0):
    """Return random texts, the first `twins` of them followed by a copy with one word changed."""
    random = np.random.default_rng(seed)
    made = [list(random.choice(WORDS, words)) for _ in range(count - twins)]
    made += [[*each[:7], "changed", *each[8:]] for each in made[:twins]]
    return [" ".join(each) for each in made]


def brute(rows, least=0.8):
    """Return all pairs by their sets of runs of two words."""
    sets = [set(zip(row.split(), row.split()[1:], strict=False)) for row in rows]
    return {
        (a, b)
        for a, b in combinations(range(len(rows)), 2)
        if len(sets[a] & sets[b]) >= least * len(sets[a] | sets[b])
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_pairs_of_brute_force_are_found_and_no_other(seed):
    """The bands lose 2 pairs in 10,000 of similarity .81, and every pair is measured."""
    rows = texts(300, seed, twins=60)
    found = near_pairs(shingles(rows))
    pairs = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert pairs <= brute(rows)
    assert len(pairs) >= len(brute(rows)) - 1
    across = near_pairs(shingles(rows), split=200)
    wanted = {(a, b) for a, b in pairs if a < 200 <= b}
    assert set(zip(across.left.tolist(), across.right.tolist(), strict=True)) == wanted


def test_signatures_agree_as_often_as_sets_overlap():
    """The share of equal hashes estimates the Jaccard similarity (Broder 1997)."""
    one = " ".join(WORDS[:60])
    for kept in (15, 30, 45):
        made = shingles([one, " ".join([*WORDS[:kept], *WORDS[100 : 160 - kept]])], 1)
        real = kept / (120 - kept)
        same = (np.diff(signatures(made, 2_000).astype(np.int64), axis=0) == 0).mean()
        assert same == pytest.approx(real, abs=4 * np.sqrt(real * (1 - real) / 2_000))


def test_case_space_and_punctuation_do_not_matter():
    """What a person would call the same words is one text; other words are not."""
    made = shingles(["Guten  Tag, Frau Öz!", "guten tag frau öz", "guten tag frau oz"])
    assert made.exact[0] == made.exact[1] != made.exact[2]
    chinese = shingles(["我们明天早上九点在车站见面吧", "我们明天早上九点在车站见面。"])
    assert near_pairs(chinese, 0.7).left.tolist() == [0]


@settings(max_examples=40)
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=12))
def test_any_text_can_be_read(rows):
    """Nothing, blanks, emoji and half letters give no error, and equal texts are near copies."""
    made = shingles([*rows, *rows])
    assert len(made) == 2 * len(rows)
    assert ((made.sizes > 0) == (made.words > 0)).all()
    found = near_pairs(made)
    pairs = set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    few = len(rows) <= 12
    assert all(
        (row, row + len(rows)) in pairs for row in range(len(rows)) if few and made.words[row]
    )


def test_half_a_letter_and_a_huge_text_are_read():
    """What no file can hold is replaced; a very long text is cut, and counted."""
    made = shingles(["\ud800 one two", "word " * 100_000, None, ""])
    assert made.words.tolist() == [2, 10_000, 0, 0]
    assert made.cut == 1


def test_thousands_from_one_mould_stay_cheap():
    """Each gets enough partners to be told, and no more."""
    rows = [
        f"your order {n} has left our house in the town and is on its way" for n in range(3_000)
    ]
    found = near_pairs(shingles(rows), 0.7)
    degree = np.bincount(np.concatenate([found.left, found.right]), minlength=3_000)
    assert degree.min() >= 10
    assert len(found.left) < 20 * 20 * 3_000


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_fewer_rows_are_the_mean_of_many_draws(seed):
    """The share with a copy among some of the rows is what drawing them gives on average."""
    random = np.random.default_rng(seed)
    rows = [WORDS[each] for each in random.integers(0, 60, 90)]
    graph = copies.text_graph(shingles(rows))
    share = copies.copied(graph, 30).value
    told = []
    for _ in range(300):
        some = random.choice(rows, 30, replace=False)
        _, which, count = np.unique(some, return_inverse=True, return_counts=True)
        told.append((count[which] > 1).mean())
    assert share == pytest.approx(np.mean(told), abs=0.04)


def test_a_side_against_itself_is_no_change_at_any_size():
    """Ten times the rows hold many more copies, and the share at one size is the same."""
    random = np.random.default_rng(3)
    pool = texts(2_000, twins=300)
    sides = [shingles(list(random.choice(pool, rows))) for rows in (4_000, 800)]
    found = [copies.copied(copies.text_graph(side), 800) for side in sides]
    effect = copies.share_moved(*found)
    assert decide(effect, 1) is Verdict.STEADY
    whole = copies.copied(copies.text_graph(sides[0]), 4_000)
    assert whole.value > 1.5 * found[0].value


def test_the_same_item_again_is_no_copy():
    """Rows of one item are exposure; the same text under another item is a copy."""
    made = shingles(["a b c", "a b c", "a b c", "d e f"])
    ones = np.ones(4)
    items = np.array([0, 0, 1, 2])
    assert copies.text_graph(made).sums(ones).tolist() == [2, 2, 2, 0]
    assert copies.text_graph(made, items).sums(ones).tolist() == [1, 1, 2, 0]
    rows = unit(np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32))
    assert copies.vector_graph(rows, items).sums(ones).tolist() == [1, 1, 2, 0]


def test_how_alike_vectors_are():
    """The mean cosine is that of all pairs; the Vendi score counts the different ones."""
    rows = unit(np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32))
    cosines = (rows @ rows.T)[np.triu_indices(60, 1)]
    made = copies.mean_cosine(rows)
    assert made.value == pytest.approx(cosines.mean(), abs=1e-6)
    assert made.low < made.value < made.high
    assert copies.vendi(np.repeat(np.eye(5, dtype=np.float32), 7, axis=0)) == pytest.approx(5)
    grouped = copies.mean_cosine(np.repeat(rows, 5, axis=0), np.repeat(np.arange(60), 5))
    assert grouped.high - grouped.low > 0.9 * (made.high - made.low)


def test_own_output_is_found_where_it_was_written_earlier():
    """Exact, changed by a word, or within a longer text; never later, never without a time."""
    said = texts(40, 5)
    rows = [
        said[0].upper(),
        " ".join(["changed", *said[1].split()[1:]]),
        f"as we wrote on Monday {said[2]} and so on",
        said[3],
        said[4],
        "thank you",
    ]
    log, now = shingles(said), shingles(rows)
    found = returned(now, log)
    assert found.output.tolist() == [0, 1, 2, 3, 4, -1]
    assert [HOW[each] for each in found.how] == ["exact", "near", "passage", "exact", "exact", ""]
    times = np.array([9, 9, 9, 9, 9, 9]), np.array([1, 1, 1, 9, 1, *[1] * 35])
    known = np.array([1, 1, 1, 1, 0, 1], bool), np.ones(40, bool)
    late = returned(now, log, times, known)
    assert late.output.tolist() == [0, 1, 2, -1, -1, -1]
    assert late.told.tolist() == [True, True, True, True, False, False]
    twice = returned(now, log + log, (times[0], np.concatenate([times[1], times[1] - 5])))
    assert twice.output[3] == 43
    assert returned(now, shingles([None, ""])).output.tolist() == [-1] * 6
    assert contained_pairs(log + now, len(log)).left.tolist() != []


@pytest.mark.parametrize("least", [0, -1, 1.5])
def test_a_similarity_out_of_range_is_refused(least):
    """A person gets one line."""
    with pytest.raises(UsageError, match="similarity"):
        near_pairs(shingles(["a b"]), least)
    with pytest.raises(UsageError, match="words a shingle"):
        shingles(["a"], 0)
