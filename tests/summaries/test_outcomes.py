"""What was said against what was true: exact in any order, and honest about classes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.core.schema import Column, Kind, Role
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.summaries.errors import Errors
from undertow.summaries.outcomes import Outcomes
from undertow.summaries.scores import CONFIDENCE, MARGIN, NOTHING, POSITIVE
from undertow.testing import batches, check_summary

P = Column("p", Kind.CATEGORY, Role.PREDICTION)
Y = Column("y", Kind.CATEGORY, Role.LABEL)
S = Column("s", Kind.NUMBER, Role.SCORE)
PN = Column("p", Kind.NUMBER, Role.PREDICTION, arrow="double")
YN = Column("y", Kind.NUMBER, Role.LABEL, arrow="double")

names = st.one_of(
    st.none(), st.sampled_from(["a", "b", "A", " b", "1", "1.0", "true", ""]), st.text(max_size=3)
)
scores = st.one_of(st.none(), st.floats(), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
triples = st.lists(st.tuples(names, names, scores), min_size=1, max_size=80)
floats = st.one_of(st.none(), st.floats(), st.floats(-5, 5), st.sampled_from([1e300, -1e300]))
pairs = st.lists(st.tuples(floats, floats), min_size=1, max_size=80)


def survey(table):
    """Return a survey of all the rows."""
    return Survey(table.num_rows, table, np.ones(table.num_rows, np.int64))


def made(*columns, **rows):
    """Fit on these rows and observe them."""
    table = pa.table(rows)
    return Outcomes.fit(survey(table), *columns).observe(
        *(Values(column, table.column(column.name)) for column in columns)
    )


@settings(deadline=None, max_examples=50)
@given(triples, st.integers(1, 5), st.integers(0, 99))
def test_outcomes_keep_the_laws(rows, cuts, seed):
    """Prediction, label and score in any order and partition give the same table, capped or not."""
    clean = [
        [None if x is None else x.encode("utf-8", "replace").decode() for x in r[:2]] for r in rows
    ]
    table = pa.table(
        {
            "p": pa.array([r[0] for r in clean], pa.string()),
            "y": pa.array([r[1] for r in clean], pa.string()),
            "s": pa.array([r[2] for r in rows], pa.float64()),
        }
    )
    pieces = batches([P, Y, S], table, cuts, seed)
    whole = check_summary(Outcomes.fit(survey(table), P, Y, S), pieces)
    capped = check_summary(Outcomes(cap=2, fold=False), pieces)
    assert whole.judged + whole.unlabelled + whole.unpredicted == len(rows) == capped.rows
    assert len(capped.keys) <= 2
    two = batches([Y, S], table, cuts, seed)
    check_summary(Outcomes.fit(survey(table), Y, S), two)


@settings(deadline=None, max_examples=50)
@given(pairs, st.integers(1, 5), st.integers(0, 99))
def test_errors_keep_the_laws(rows, cuts, seed):
    """Sums and counts of errors of any floats are the same in any order and partition."""
    table = pa.table(
        {
            "p": pa.array([r[0] for r in rows], pa.float64()),
            "y": pa.array([r[1] for r in rows], pa.float64()),
        }
    )
    whole = check_summary(Errors.fit(survey(table), PN, YN), batches([PN, YN], table, cuts, seed))
    assert whole.rows == len(rows)


@pytest.mark.parametrize(
    ("said", "true"),
    [
        (pa.array([1, 0, 1]), pa.array(["1", "0", "0"])),
        (pa.array([1.0, 0.0, 1.0]), pa.array([1, 0, 0])),
        (pa.array([True, False, True]), pa.array([1, 0, 0])),
        (pa.array(["Yes", "no", "Yes "]), pa.array(["yes", "No", "No"])),
        (
            pa.array(["a", "b", "a"]).dictionary_encode(),
            pa.array(["a", "b", "b"], pa.large_string()),
        ),
    ],
)
def test_classes_are_compared_as_text(said, true):
    """Integers, floats, booleans, case, blanks and dictionaries do not make two classes of one."""
    table = made(P, Y, p=said, y=true)
    assert (table.judged, table.right, len(table.keys)) == (3, 2, 2)


def test_case_tells_classes_apart_where_one_column_says_so():
    """A model of letters that knows both "a" and "A" keeps them apart."""
    table = made(P, Y, p=["a", "A", "a"], y=["a", "a", "A"])
    assert (table.right, len(table.keys)) == (1, 2)


def test_right_survives_the_cap():
    """A class beyond the cap that was predicted right still counts as right."""
    values = pa.array([str(n) for n in range(50)] * 2)
    table = Outcomes(cap=10).observe(Values(P, values), Values(Y, values))
    assert (table.right, table.capped, len(table.classes)) == (100, True, 10)


def test_only_rows_with_both_names_count():
    """Missing labels and missing predictions are counted apart and enter no cell."""
    table = made(P, Y, p=["a", None, "b", None], y=["a", "a", None, None])
    assert (table.judged, table.unlabelled, table.unpredicted) == (1, 2, 1)


@pytest.mark.parametrize(
    ("said", "true", "score", "meaning", "positive"),
    [
        (["0", "1", "0", "1"], ["0", "1", "1", "1"], [0.1, 0.9, 0.4, 0.6], POSITIVE, "1"),
        (["0", "1", "0", "1"], ["0", "1", "1", "1"], [0.9, 0.9, 0.6, 0.6], CONFIDENCE, "1"),
        (
            ["no", "yes", "no", "yes"],
            ["no", "yes", "no", "yes"],
            [-3.0, 2.0, -0.4, 7.0],
            MARGIN,
            "yes",
        ),
        (["a", "b", "c", "a"], ["a", "b", "c", "b"], [0.4, 0.9, 0.8, 0.7], CONFIDENCE, ""),
        (["a", "b", "c", "a"], ["a", "b", "c", "b"], [4.0, 9.0, -8.0, 7.0], NOTHING, ""),
        (["n", "x", "n", "x"], ["n", "x", "n", "x"], [0.9, 0.1, 0.8, 0.2], POSITIVE, "n"),
    ],
)
def test_a_score_is_read_as_what_it_is(said, true, score, meaning, positive):
    """Probability of the positive class, confidence of the prediction, or a margin."""
    found = made(P, Y, S, p=said, y=true, s=score).scores
    assert (found.meaning, found.positive) == (meaning, positive)


@pytest.mark.parametrize("score", [[0.2, 0.8, 0.5, None], [-3.0, 4.0, 0.0, None]])
def test_a_score_alone_decides_at_its_threshold(score):
    """Without predictions a probability decides at 0.5, a margin at 0, a missing score never."""
    table = made(Y, S, y=["0", "1", "0", "1"], s=score)
    assert (table.judged, table.right, table.unpredicted) == (3, 2, 1)


def test_scores_beyond_0_and_1_are_counted():
    """A probability that leaves its scale later is clipped, and said."""
    fitted = made(P, Y, S, p=["0", "1"], y=["0", "1"], s=[0.1, 0.9]).empty()
    later = fitted.observe(
        Values(P, pa.array(["1"])), Values(Y, pa.array(["1"])), Values(S, pa.array([90.0]))
    )
    assert (later.outside, later.right) == (1, 1)


@pytest.mark.parametrize(
    "broken",
    [
        {"names": []},
        {"counts": np.array([0, 1])},
        {"rows": 99},
        {"hashes": np.array([2, 1], np.uint64)},
        {"scores": {"meaning": "x", "edges": []}},
        {"label": np.array([1], np.uint64)},
    ],
)
def test_a_broken_state_is_refused(broken):
    """A table whose parts disagree is a ValueError, never a wrong count."""
    state = dict(made(P, Y, p=["a", "b"], y=["a", "b"]).state())
    with pytest.raises(ValueError, match=r"outcomes|score|zip|argument|length"):
        Outcomes.restore(state | broken)


def test_sums_of_errors_are_those_of_numpy():
    """Mean, absolute mean and spread of the errors agree with floats to the grid's precision."""
    random = np.random.default_rng(0)
    true, error = random.normal(50, 20, 5000), random.normal(1, 5, 5000)
    table = pa.table({"p": true + error, "y": true})
    found = Errors.fit(survey(table), PN, YN).observe(
        Values(PN, table.column("p")), Values(YN, table.column("y"))
    )
    assert found.error.mean == pytest.approx(error.mean(), abs=1e-3)
    assert found.absolute.mean == pytest.approx(np.abs(error).mean(), abs=1e-3)
    assert found.spread == pytest.approx(true.var() * 5000, rel=1e-5)
    assert found.table.sum() == found.judged == 5000


def test_probabilities_of_a_binary_label_are_no_regression():
    """A number in [0, 1] against 0 and 1 is left to the table of classes."""
    table = pa.table({"p": [0.1, 0.9, 0.5], "y": [0.0, 1.0, 1.0]})
    assert not Errors.fit(survey(table), PN, YN).usable
