"""Laws of the battery of vectors: exact without a change, awake to one, deaf to the order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from undertow.core.errors import DataError, UsageError
from undertow.stats import pooled
from undertow.stats.battery import LEAST, MOST, SPLITS, STATISTICS, battery, fit
from undertow.stats.frechet import expanded, frechet, principal
from undertow.stats.neighbours import nearest, unit
from undertow.stats.nested import counts, grow, standing
from undertow.stats.twosample import TESTS, c2st, mmd

TRIALS = 150
few = settings(max_examples=15, deadline=None)


def cloud(random: np.random.Generator, n: int, d: int = 6) -> np.ndarray:
    """Clusters of different sizes, as embeddings have them."""
    centres = 2 * np.random.default_rng(1).standard_normal((6, d))
    which = random.choice(6, size=n, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    return np.asarray(centres[which] + random.standard_normal((n, d)), np.float32)


def repeated(random: np.random.Generator, n: int) -> np.ndarray:
    """Rows most of which are one of eight texts, the commonest a third of all."""
    texts = np.random.default_rng(2).standard_normal((8, 6))
    rows = np.where(
        random.random(n)[:, None] < 0.8,
        texts[np.minimum(random.geometric(0.4, n) - 1, 7)],
        random.standard_normal((n, 6)),
    )
    return np.asarray(rows, np.float32)


@pytest.mark.parametrize("draw", [cloud, repeated], ids=["clusters", "repeats"])
def test_p_is_uniform_without_a_change(draw) -> None:
    """Rejections at 5% and 20%, of the battery and of each statistic, are as many as promised.

    Of so many trials, fewer than 1 in 10,000 runs would stray outside by chance. Statistics that
    tie may reject less, never more.
    """
    joint, parts = [], []
    for trial in range(TRIALS):
        random = np.random.default_rng([trial, 3])
        found = battery(fit(draw(random, 90)), draw(random, 45))
        joint.append(found.p)
        parts.append([p for _, p in found.parts.values()])
    for level in (0.05, 0.2):
        low, high = stats.binom(TRIALS, level).ppf([0.00005, 0.99995])
        assert low <= np.sum(np.array(joint) <= level) <= high
        assert (np.sum(np.array(parts) <= level, axis=0) <= high).all()


def test_each_statistic_sees_what_it_is_for() -> None:
    """A new tight cluster fills a cell, strange rows are novel, a moved cloud lies elsewhere."""
    random = np.random.default_rng(0)
    known = fit(cloud(random, 600, 16))
    tight = cloud(random, 200, 16)
    tight[:14] = 3 * np.eye(16)[0] + 0.2 * random.standard_normal((14, 16))
    strange = cloud(random, 200, 16)
    strange[:16] = 6 * random.standard_normal((16, 16))
    moved = cloud(random, 200, 16) + 0.3
    for name, rows in (("cells", tight), ("novelty", strange), ("frechet", moved)):
        found = battery(known, rows)
        assert found.p <= 0.01, name
        assert found.parts[name][1] <= 0.01, name


def test_a_small_level_is_given_the_splits_it_needs() -> None:
    """A second look resolves the p that the caller asks about; without evidence there is none."""
    random = np.random.default_rng(0)
    known = fit(cloud(random, 100))
    moved = cloud(random, 60) + 3
    assert battery(known, moved).p == 1 / 200
    sharp = battery(known, moved, level=0.001)
    assert (sharp.p, sharp.splits) == (1 / 2000, 1999)
    assert battery(known, moved, level=0.02).splits == SPLITS
    assert battery(known, moved, level=0.005).splits == 799
    assert battery(known, cloud(random, 60), level=0.001).splits == SPLITS


@few
@given(st.integers(0, 2**32), st.integers(30, 80), st.integers(30, 80))
def test_the_same_rows_give_the_same_answer(seed: int, n: int, m: int) -> None:
    """Twice, in any order, and scaled by a power of two: the same bits (but for the unit)."""
    random = np.random.default_rng(seed)
    ours, theirs = cloud(random, n), cloud(random, m)
    first = battery(fit(ours), theirs)
    assert battery(fit(ours), theirs) == first
    assert battery(fit(random.permutation(ours)), random.permutation(theirs)) == first
    assert battery(fit(ours.astype(np.float64)), theirs.tolist()) == first


def test_rotation_and_scale_are_no_change() -> None:
    """Turned or stretched, both sides alike, the values stay and so does the answer."""
    random = np.random.default_rng(4)
    turn = np.linalg.qr(random.standard_normal((6, 6)))[0]
    for shift in (0.0, 0.35):
        ours, theirs = cloud(random, 300), cloud(random, 150) + np.float32(shift)
        first = battery(fit(ours), theirs)
        turned = battery(fit(ours @ turn), theirs @ turn)
        far = battery(fit(ours * 1e15), theirs * 1e15)
        for other, unit_squared in ((turned, 1.0), (far, 1e30)):
            assert (other.p <= 0.05) == (first.p <= 0.05) == (shift > 0)
            value = first.parts["frechet"][0] * unit_squared
            assert other.parts["frechet"][0] == pytest.approx(value, rel=1e-3)
            assert other.parts["novelty"][0] == pytest.approx(first.parts["novelty"][0], rel=1e-2)


def test_roles_swapped() -> None:
    """Seen from the other side the distance is alike; strange rows are novel on their side alone."""
    random = np.random.default_rng(5)
    ours, theirs = cloud(random, 300, 16), cloud(random, 200, 16)
    theirs[:16] = 6 * random.standard_normal((16, 16))
    there, back = battery(fit(ours), theirs), battery(fit(theirs), ours)
    assert there.parts["frechet"][0] == pytest.approx(back.parts["frechet"][0], rel=0.05)
    assert there.parts["novelty"][1] <= 0.01
    assert back.parts["novelty"][1] > 0.2
    assert there.rows == back.rows[::-1]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (np.ones((50, 4)), np.ones((50, 4))),
        (np.zeros((50, 4)), np.zeros((40, 4))),
        (np.eye(64), np.eye(64)),
        (np.arange(80.0)[:, None], np.arange(80.0)[:, None]),
    ],
    ids=["equal", "zero", "the same rows", "one dimension"],
)
def test_degenerate_rows_are_no_alarm(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Where nothing differs, nothing is found, and nothing is nan."""
    found = battery(fit(ours), theirs)
    assert all(math.isfinite(value) for value, _ in found.parts.values())
    assert found.p > 0.05


@pytest.mark.parametrize(("n", "m", "d"), [(40, 900, 3), (900, 40, 2), (60, 50, 700), (30, 30, 1)])
def test_every_shape_has_an_answer(n: int, m: int, d: int) -> None:
    """Few against many, few dimensions or more dimensions than rows: a p, and each part's."""
    random = np.random.default_rng([n, m])
    found = battery(fit(random.standard_normal((n, d))), random.standard_normal((m, d)))
    assert 0 < found.p <= 1
    assert tuple(found.parts) == STATISTICS
    assert found.rows == (n, m)


def test_too_few_rows_are_said() -> None:
    """Below LEAST rows there is no p, and the line says which side is short."""
    rows = np.random.default_rng(0).standard_normal((100, 4))
    for n, m in ((LEAST - 1, 100), (100, LEAST - 1), (0, 100), (100, 0)):
        found = battery(fit(rows[:n]), rows[:m])
        assert math.isnan(found.p)
        assert not found.parts
        assert "not enough rows" in found.says


def test_of_many_rows_some_are_drawn_not_the_first() -> None:
    """Beyond MOST rows a draw is compared, the same one whatever the order."""
    random = np.random.default_rng(0)
    many = random.standard_normal((MOST + 500, 3)).astype(np.float32)
    known = fit(many)
    assert known.rows.shape == (MOST, 3)
    assert (fit(many[::-1]).rows == known.rows).all()
    assert known.scale * known.rows.mean() == pytest.approx(many.mean(), abs=0.02)


@pytest.mark.parametrize("scale", [1e-42, 1e-20, 1e18, 1e38], ids=str)
def test_no_size_is_too_small_or_large(scale: float) -> None:
    """At the ends of float32 nothing overflows, and nothing is found where nothing changed."""
    random = np.random.default_rng(1)
    ours, theirs = (np.tanh(cloud(random, n)) * np.float32(scale) for n in (100, 60))
    assert battery(fit(ours), theirs).p > 0.05
    assert battery(fit(np.ones((50, 6)) * min(1 / scale, 1e37)), theirs).p <= 0.05


def test_what_cannot_be_compared_is_refused() -> None:
    """Nan, another dimension, no matrix, no level: an error in one line."""
    rows = np.random.default_rng(0).standard_normal((50, 4))
    known = fit(rows)
    with pytest.raises(DataError, match="5 dimensions, the reference has 4"):
        battery(known, np.ones((50, 5)))
    with pytest.raises(DataError, match="nan or infinity"):
        battery(known, np.where(rows > 2, np.nan, rows))
    with pytest.raises(DataError, match=r"shape \(4,\)"):
        fit(rows[0])
    with pytest.raises(UsageError, match="level"):
        battery(known, rows, level=0)


def test_the_joined_graph_is_that_of_all_rows() -> None:
    """Stepping into lists of the old rows gives what all rows at once give."""
    random = np.random.default_rng(6)
    rows = unit(random.standard_normal((700, 8)).astype(np.float32))
    old = pooled.graph(rows[:500], random)
    joined = pooled.joined(old, rows[:500], rows[500:], random)
    straight = nearest(rows, rows, pooled.LISTED, itself=False)
    away = pooled.distances(joined)
    assert np.abs(np.sort(away, axis=1) - (1 - straight.cosine)).max() < 2 * pooled.LOT
    same = [len(set(a) & set(b)) for a, b in zip(joined.which, straight.which, strict=True)]
    assert np.mean(same) > 0.99 * pooled.LISTED


def test_equal_neighbours_come_in_no_order_of_sides() -> None:
    """Among copies of one row, known and new ones are listed in proportion to their number."""
    rows = np.ones((400, 3), np.float32) / np.float32(math.sqrt(3))
    random = np.random.default_rng(7)
    joined = pooled.joined(pooled.graph(rows[:200], random), rows[:200], rows[200:], random)
    for part in (joined.which[:200], joined.which[200:]):
        assert 0.25 < (part < 200).mean() < 0.75


def test_copies_are_one_cell_whatever_their_side() -> None:
    """The same few texts in the same shares: no cell holds one side's copies alone."""
    random = np.random.default_rng(8)
    texts = random.standard_normal((7, 96)).astype(np.float32)
    found = battery(fit(texts[np.arange(700) % 7]), texts[np.arange(350) % 7])
    assert found.parts["cells"][0] < 0.01
    assert found.p > 0.05


def test_novelty_takes_the_nearest_outside_the_set() -> None:
    """By hand: with few listed neighbours all of those outside count, else the first five."""
    which = np.array([[1, 2, 3], [0, 2, 3], [3, 1, 0], [2, 1, 0]], np.int32)
    away = np.array(
        [[0.1, 0.2, 0.4], [0.1, 0.3, 0.5], [0.1, 0.2, 0.3], [0.1, 0.5, 0.4]], np.float32
    )
    inside = np.array([[True, True, False, False]])
    found = pooled.novelty(which, away, inside)
    assert found[0] == pytest.approx((0.3**2 + 0.4**2) / 2)


@few
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_the_expansion_is_the_distance_between_neighbours(seed: int, d: int) -> None:
    """Halves of one sample: the true Frechet distance, up to terms of third order."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((4000, d)) * random.uniform(0.5, 2, d)
    rows = (rows - rows.mean(axis=0)).astype(np.float32)
    variances, axes = principal((rows.T @ rows / len(rows)).astype(np.float64), d, random)
    scores = (rows @ axes).astype(np.float32)
    inside = np.zeros((1, 4000), np.float32)
    inside[0, 3000:] = 1
    near = expanded(scores, variances, np.arange(3000, 4000)[None, :], inside)[0]
    assert near == pytest.approx(frechet(rows[:3000], rows[3000:]), rel=0.15)


def test_wide_vectors_take_their_largest_components() -> None:
    """Above the dimensions that are decomposed whole, the largest variances are found all the same."""
    random = np.random.default_rng(8)
    falling = 1 / np.arange(1, 651) ** 1.5
    turn = np.linalg.qr(random.standard_normal((650, 650)))[0]
    variances, axes = principal((turn * falling) @ turn.T, 20, random)
    assert variances == pytest.approx(falling[:20], rel=1e-3)
    assert axes.shape == (650, 20)


def test_a_tree_counts_every_row_at_every_scale() -> None:
    """The two cells below the whole hold all rows, and a set's count lies within each cell's."""
    random = np.random.default_rng(9)
    rows = cloud(random, 300)
    tree = grow(rows, 16, random)
    inside = (random.random((5, 300)) < 0.3).astype(np.float32)
    size, held = counts(tree, inside)
    last = tree.joins[-1]
    assert size[last].sum() == 300
    assert (held[last].sum(axis=0) == inside.sum(axis=1)).all()
    assert ((held >= 0) & (held <= size[:, None])).all()
    spread = standing(size, held, 90, 300)
    assert np.isfinite(spread).all()


def test_a_standing_is_the_hypergeometric_one() -> None:
    """Mean and variance are scipy's."""
    law = stats.hypergeom(200, 50, 80)
    expected = (30 - law.mean()) / law.std()
    assert standing(np.array([50.0]), np.array([[30.0]]), 80, 200)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(TESTS))
def test_named_evidence_is_valid_and_sees_a_gross_change(name: str) -> None:
    """At most the promised share of false alarms; a shift of a whole deviation is never missed."""
    alarms = 0
    for trial in range(50):
        random = np.random.default_rng([trial, 11])
        alarms += TESTS[name](cloud(random, 60), cloud(random, 60)).p <= 0.05
    assert alarms <= stats.binom(50, 0.05).ppf(0.9999)
    random = np.random.default_rng(12)
    assert TESTS[name](cloud(random, 200), cloud(random, 200) + 1).p <= 0.01
    assert TESTS[name](np.ones((40, 3)), np.ones((40, 3))).p == 1


def test_named_evidence_refuses_what_it_cannot_compare() -> None:
    """Too few rows, nan and other shapes are errors, as everywhere."""
    rows = np.random.default_rng(0).standard_normal((20, 3))
    for test in (mmd, c2st):
        with pytest.raises(DataError, match="each side needs"):
            test(rows[:1], rows)
        with pytest.raises(DataError, match="shape"):
            test(rows, rows[:, :2])
        with pytest.raises(DataError, match="nan"):
            test(rows, rows * np.nan)
    with pytest.raises(DataError, match="2 on each side"):
        frechet(rows[:1], rows)
    with pytest.raises(DataError, match="shape"):
        frechet(rows, rows[:, :2])


def test_frechet_is_that_of_the_formula() -> None:
    """Moved by a vector the distance is its squared length; for one dimension it is known in full."""
    random = np.random.default_rng(13)
    rows = random.standard_normal((300, 5))
    assert frechet(rows, rows + np.array([3, 4, 0, 0, 0])) == pytest.approx(25)
    narrow, wide = random.standard_normal((400, 1)), 3 * random.standard_normal((500, 1)) + 1
    expected = (narrow.mean() - wide.mean()) ** 2 + (narrow.std() - wide.std()) ** 2
    assert frechet(narrow, wide) == pytest.approx(expected)


@pytest.mark.real
def test_known_texts_that_grow_and_new_ones_are_seen(real) -> None:
    """Words as vectors of counts: a new domain in a tenth of the window is seen, none is quiet."""
    import pyarrow.parquet as pq
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = pq.read_table(real("clinc150_oos")).to_pandas()
    table = table[~table["is_oos"]].sample(6000, random_state=0)
    words = TfidfVectorizer(sublinear_tf=True).fit_transform(table["text"])
    vectors = TruncatedSVD(100, random_state=0).fit_transform(words)
    new = (table["domain"] == "travel").to_numpy()
    old, travel = vectors[~new], vectors[new]
    known = fit(old[:2500])
    assert battery(known, old[2500:3500]).p > 0.05
    assert battery(known, np.concatenate((old[2500:3400], travel[:100]))).p <= 0.05
