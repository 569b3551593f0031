"""Laws of the regions: whole, blind to order and side, and the planted one first, by its words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.errors import DataError
from undertow.stats.distinct_words import distinct_words
from undertow.stats.neighbours import unit
from undertow.stats.regions import Region, clusters, regions, rows_by_newness

quick = settings(max_examples=25, deadline=None)
TOPICS = ("river bank water", "money loan rate", "train ticket seat", "bread oven flour")
NEW = "comet orbit telescope"


def space(
    counts: tuple[int, ...], seed: int, width: int = 24, spread: float = 0.15
) -> tuple[np.ndarray, list[str], list[str]]:
    """Unit vectors around one axis a topic, a text for each and the topic's number as its label."""
    random = np.random.default_rng(seed)
    topic = random.permutation(np.repeat(np.arange(len(counts)), counts))
    rows = np.eye(len(counts), width)[topic] + spread * random.standard_normal((len(topic), width))
    words = [(*TOPICS, NEW)[k].split() for k in topic]
    texts = [f"the {random.choice(said)} and a {random.choice(said)}" for said in words]
    return unit(rows.astype(np.float32)), texts, [f"topic {k}" for k in topic]


def same(one: Region, other: Region) -> bool:
    """Tell whether two regions say the same, whatever the positions of their rows."""
    said = [(r.words, r.before, r.after, r.low, r.high, r.p, r.labels_before) for r in (one, other)]
    return said[0] == said[1]


def test_regions_hold_every_row_once_and_their_shares_sum_to_1() -> None:
    """Each position of both sides stands in exactly one region, and its label is counted there."""
    old, now = space((60, 50, 40, 30), 1), space((30, 40, 50, 60), 2)
    found = regions(old[0], now[0], texts=(old[1], now[1]), labels=(old[2], now[2]), count=9)
    assert sorted(np.concatenate([r.in_reference for r in found]).tolist()) == list(range(180))
    assert sorted(np.concatenate([r.in_current for r in found]).tolist()) == list(range(180))
    assert sum(r.before for r in found) == pytest.approx(1)
    assert sum(r.after for r in found) == pytest.approx(1)
    for r in found:
        assert r.low <= r.after - r.before <= r.high
        assert 0 <= r.p <= 1
        assert sum(r.labels_before.values()) == r.rows_before
        assert sum(r.labels_after.values()) == r.rows_after
        assert len(r.examples) <= 5
        assert r.p <= 0.05 or r.low <= 0 <= r.high
    assert [r.p for r in found] == sorted(r.p for r in found)


@quick
@given(st.integers(0, 10**6))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    """The same rows in another order give the same regions."""
    old, now = space((40, 40, 30, 20), seed), space((20, 40, 30, 40), seed + 1)
    order = np.random.default_rng(seed).permutation(130)
    again = [[side[k] for k in order] for side in now[1:]]
    first = regions(old[0], now[0], texts=(old[1], now[1]), labels=(old[2], now[2]))
    second = regions(old[0], now[0][order], texts=(old[1], again[0]), labels=(old[2], again[1]))
    assert len(first) == len(second)
    assert all(same(*pair) for pair in zip(first, second, strict=True))


def test_swapped_sides_swap_before_and_after() -> None:
    """What grew one way shrank the other, with the same words, p and limits."""
    old, now = space((60, 50, 40, 30), 3), space((30, 40, 50, 60), 4)
    there = regions(old[0], now[0], texts=(old[1], now[1]))
    back = regions(now[0], old[0], texts=(now[1], old[1]))
    pairs = {
        (frozenset(r.in_reference.tolist()), frozenset(r.in_current.tolist())): r for r in there
    }
    for r in back:
        twin = pairs[frozenset(r.in_current.tolist()), frozenset(r.in_reference.tolist())]
        assert (r.before, r.after, r.words) == (twin.after, twin.before, twin.words)
        assert (r.low, r.high) == pytest.approx((-twin.high, -twin.low))
        assert r.p == pytest.approx(twin.p)


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_topic_comes_first_and_is_named_by_its_words(seed: int) -> None:
    """A new topic of 4% is the first region, its rows the newest, its words the name."""
    old, now = space((250, 250, 250, 250), seed), space((120, 120, 120, 120, 20), seed + 50)
    found = regions(old[0], now[0], texts=(old[1], now[1]), labels=(old[2], now[2]))
    first = found[0]
    assert first.grew
    assert first.p < 1e-6
    assert first.before == 0
    assert set(first.words) <= set(NEW.split())
    assert first.labels_after == {"topic 4": len(first.in_current)}
    assert first.name == ", ".join(first.words)
    is_new = np.array(now[2]) == "topic 4"
    rows = rows_by_newness(old[0], now[0])
    assert is_new[rows.newest[:20]].all()
    assert is_new[rows.strangest[:20]].mean() > 0.9
    assert np.median(rows.company[is_new]) > 0.9
    assert rows.chance == pytest.approx(499 / 1499)


def test_without_a_change_few_regions_alarm() -> None:
    """The corrected p of the first region is below 0.05 in at most a tenth of 60 draws."""
    alarms = 0
    for seed in range(60):
        rows, _, _ = space((100, 100, 100, 100), seed, spread=0.4)
        alarms += regions(rows[:300], rows[300:])[0].p < 0.05
    assert alarms <= 6


def test_a_region_that_shrank_is_named_by_what_left() -> None:
    """The words and examples are those of the side that has more of it."""
    old, now = space((50, 50, 50, 50), 7), space((50, 50, 50, 5), 8)
    first = regions(old[0], now[0], texts=(old[1], now[1]), count=4)[0]
    assert not first.grew
    assert set(first.words) <= set(TOPICS[3].split())
    assert first.high < 0
    assert {old[2][k] for k in first.examples} == {"topic 3"}


def test_without_words_a_region_is_named_by_its_nearest_row() -> None:
    """Where there are no texts the position, where they hold no words the text itself."""
    old, now = np.eye(2, dtype=np.float32)[[0, 0, 0]], np.eye(2, dtype=np.float32)[[1, 1, 1]]
    plain = {r.name for r in regions(old, now, count=2)}
    assert plain == {"around current row 0", "around reference row 0"}
    said = regions(old, now, count=2, texts=([":-)"] * 3, ["1" * 90, None, None]))
    assert {r.name for r in said} == {":-)", "1" * 59 + "…"}
    none = regions(old, now, count=2, texts=([None] * 3, [""] * 3))
    assert {r.name for r in none} == plain


def test_a_company_of_twins_and_single_rows_do_no_harm() -> None:
    """Equal rows, zero rows, one row a side, and more cells than rows all come through."""
    one = np.eye(3, dtype=np.float32)[:1]
    assert len(regions(one, one)) == 1
    assert rows_by_newness(one, one).company.tolist() == [0]
    twins = np.repeat(one, 50, axis=0)
    assert [r.p for r in regions(twins, twins)] == [1.0]
    assert np.ptp(rows_by_newness(twins, twins).new_here) == pytest.approx(0, abs=1e-6)
    nothing = np.zeros((3, 3), np.float32)
    assert sum(r.rows_after for r in regions(twins, nothing)) == 3
    cell, _ = clusters(np.eye(3, dtype=np.float32), 10)
    assert sorted(cell.tolist()) == [0, 1, 2]


def test_what_does_not_fit_is_refused() -> None:
    """Another width, a side without rows, texts or labels too few: one clear line."""
    rows = np.eye(3, dtype=np.float32)
    with pytest.raises(DataError, match="one width"):
        regions(rows, rows[:, :2])
    with pytest.raises(DataError, match="both sides need some"):
        rows_by_newness(rows, rows[:0])
    with pytest.raises(DataError, match="2 and 3 texts for 3 and 3 rows"):
        regions(rows, rows, texts=(["a", "b"], ["a", "b", "c"]))
    with pytest.raises(DataError, match="2 and 3 labels"):
        regions(rows, rows, labels=([0, 1], [0, 1, 2]))
    with pytest.raises(DataError, match="give one each"):
        distinct_words(["a"], [0, 1])


def test_names_leave_out_what_everybody_says() -> None:
    """No list of stop words: what all groups use names none, in any language."""
    texts = ["il gatto e la casa", "il gatto e il cane", "il pane e la pasta", "la pasta e il sale"]
    assert distinct_words(texts, [0, 0, 1, 1], words=1) == (("gatto",), ("pasta",))
    assert distinct_words(["猫が好き", "猫です", "車が好き", "車です"], [0, 0, 1, 1], words=1) == (
        ("猫",),
        ("車",),
    )
    assert distinct_words(["the the", "the", "the"], [0, 0, 1]) == (("the",), ("the",))


def test_names_hold_a_word_once_and_words_of_several_texts_first() -> None:
    """One form of a word, no numbers, no letters alone, no word of one text before shared ones."""
    texts = ["tire 2024 tires", "tires zebra", "tire x", "other thing", None, ""]
    named = distinct_words(pa.array(texts), [0, 0, 0, 1, 2, 2], words=3)
    assert named == (("tire", "zebra"), ("other", "thing"), ())
    assert distinct_words([], []) == ()
    assert distinct_words(["word"], [-1]) == ()


@quick
@given(st.permutations(range(8)))
def test_names_do_not_depend_on_the_order_of_the_texts(order: list[int]) -> None:
    """The same texts in the same groups have the same words."""
    texts = ["red fox", "red hen", "blue sea", "blue sky", "old map", "old hat", "red map", "a sea"]
    groups = [0, 0, 1, 1, 2, 2, 0, 1]
    again = distinct_words([texts[k] for k in order], [groups[k] for k in order])
    assert again == distinct_words(texts, groups)


@pytest.mark.real
def test_a_new_domain_is_named_on_real_texts(real) -> None:
    """Banking, new at 10%, in vectors of words: the first region's name holds a word of it."""
    import pyarrow.parquet as pq
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = pq.read_table(real("clinc150_oos"), columns=["text", "intent", "domain"]).to_pylist()
    random = np.random.default_rng(0)
    held = [r["text"] for r in table if r["domain"] == "banking"]
    known = [r["text"] for r in table if r["domain"] not in {"banking", "oos"}]
    drawn = [known[k] for k in random.permutation(len(known))[:4_996]]
    texts = drawn + [held[k] for k in random.permutation(len(held))[:100]]
    terms = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts)
    made = TruncatedSVD(100, random_state=0).fit_transform(terms)
    rows = unit(np.asarray(made, np.float32))
    first = regions(rows[:4_096], rows[4_096:], texts=(texts[:4_096], texts[4_096:]))[0]
    assert first.p < 0.001
    assert {"account", "bank", "bill", "checks", "transfer"} & set(first.words)
