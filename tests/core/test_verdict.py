"""Exactly one verdict applies, and the holes between the rules are closed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.core.errors import UsageError
from undertow.core.verdict import Effect, Verdict, check_tolerance, decide

share = st.floats(0, 1)


def effect(value=0.0, low=0.0, high=0.0, tolerance=0.1, p=1.0, **more):
    """Return an effect with the parts a case is about."""
    return Effect("cdf_gap", value, low, high, tolerance=tolerance, p_no_change=p, **more)


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (effect(0.3, 0.2, 0.4, p=1e-9), Verdict.CHANGED),
        (effect(0.3, 0.2, 0.4, p=0.04), Verdict.UNKNOWN),  # large, but nothing rejects "no change"
        (effect(0.15, 0.05, 0.3, p=1e-9), Verdict.WATCH),
        (effect(0.1, 0.1, 0.1, p=1e-9), Verdict.STEADY),  # exactly the tolerance is within it
        (
            effect(0.2, 0.1, 0.3, p=1e-9),
            Verdict.WATCH,
        ),  # low equal to the tolerance is not beyond it
        (effect(0.02, 0.0, 0.09), Verdict.STEADY),
        (effect(0.05, 0.0, 0.15), Verdict.STEADY),  # "moved by less than 15%"
        (effect(0.05, 0.0, 0.15, biased_low=True), Verdict.UNKNOWN),
        (
            effect(0.05, 0.0, 0.20),
            Verdict.UNKNOWN,
        ),  # high equal to twice the tolerance is not below it
        (effect(0.05, 0.03, 0.5, p=1e-9), Verdict.UNKNOWN),  # real but unsized
        (effect(math.nan, math.nan, math.nan), Verdict.UNKNOWN),
        (None, Verdict.CHANGED),
    ],
)
def test_each_rule(case, verdict):
    """Each row of the table of verdicts, and the cases at its edges."""
    assert decide(case, 10) is verdict


@given(share, share, share, st.floats(1e-6, 0.49), st.floats(0, 1), st.integers(1, 10_000))
def test_estimate_lies_in_its_interval(value, low, high, tolerance, p, comparisons):
    """Whatever a method returns, readers see 0 <= low <= value <= high, and one verdict."""
    made = effect(value, low, high, tolerance, p)
    assert 0 <= made.low <= made.value <= made.high
    assert decide(made, comparisons) in set(Verdict)


@given(share, share, st.floats(0, 1), st.integers(1, 1000))
def test_more_comparisons_never_make_an_alarm(low, high, p, comparisons):
    """The number of comparisons can only calm a verdict, never sharpen it."""
    made = effect((low + high) / 2, low, high, 0.1, p)
    calm, sharp = decide(made, comparisons + 50), decide(made, comparisons)
    if calm in {Verdict.CHANGED, Verdict.WATCH}:
        assert sharp.severity >= calm.severity


@given(share, share, st.integers(1, 1000))
def test_changed_means_beyond_the_tolerance(value, low, comparisons):
    """No verdict `changed` without an interval beyond the tolerance and evidence against chance."""
    made = effect(value, low, 1.0, 0.1, 0.0)
    assert (decide(made, comparisons) is Verdict.CHANGED) == (made.low > 0.1)


@pytest.mark.parametrize("tolerance", [0, -0.1, 0.5, 0.7, math.nan])
def test_a_tolerance_that_cannot_be_exceeded_twice_is_refused(tolerance):
    """0 < tolerance < half the effect's maximum, or a clear refusal."""
    with pytest.raises(UsageError, match="tolerance"):
        check_tolerance("cdf_gap", tolerance)
