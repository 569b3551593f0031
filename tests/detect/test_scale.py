"""Another unit is named with its cause, honest growth is not, and what is not sure is not said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from undertow import plugins
from undertow.core.check import History
from undertow.core.finding import Finding
from undertow.core.report import Report, Source
from undertow.core.verdict import Verdict
from undertow.detect.scale import Scale
from undertow.observe import measure
from undertow.observe.declare import Declared, roles
from undertow.sources import open_dataset
from undertow.stats import units

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.lognormal(1, 0.4, 3000)
CELSIUS = RANDOM.normal(15, 8, 3000)


def judged(before: Any, now: Any) -> list[Finding]:
    """Return what the check of scale finds in one column."""
    tables = [open_dataset({"x": side, "row": RANDOM.random(len(side))}) for side in (before, now)]
    declared = Declared(roles=roles(ignore="row"))
    reference = measure.fit(tables[0], declared, [Scale()], plugins.lenses(), lambda _: None)
    current = measure.measure(tables[1], reference, lambda _: None)
    found = Scale()(History(reference, current))
    return list(Report.of(Source("a", reference.rows), Source("b", current.rows), found))


def power(base: float) -> Callable[[Any], Any]:
    """Return the function that raises a base to its argument."""
    return lambda x: np.power(base, x)


@pytest.mark.parametrize(
    ("before", "convert", "cause"),
    [
        (WEIGHTS, lambda x: 1000 * x, "kilo-units to units (kg to g, s to ms)"),
        (WEIGHTS, lambda x: x / 1000, "units to kilo-units (g to kg, ms to s)"),
        (WEIGHTS, lambda x: 100 * x, "shares to percent, or units to cents"),
        (WEIGHTS, lambda x: 60 * x, "minutes to seconds, or hours to minutes"),
        (WEIGHTS, lambda x: 3600 * x, "hours to seconds"),
        (WEIGHTS, lambda x: 10 * x, "a decimal point one place to the right"),
        (WEIGHTS, lambda x: 2.54 * x, "inches to centimetres"),
        (WEIGHTS, lambda x: x / 1.609344, "kilometres to miles"),
        (WEIGHTS, lambda x: 2.2046226 * x, "kilograms to pounds"),
        (WEIGHTS, np.log, "the logarithm is taken now"),
        (WEIGHTS, np.log1p, "log(1 + value) is taken now"),
        (np.log(WEIGHTS), np.exp, "the logarithm is no longer taken"),
        (WEIGHTS, lambda x: -x, "the sign turned"),
        (CELSIUS, lambda x: 1.8 * x + 32, "Celsius to Fahrenheit"),
        (1.8 * CELSIUS + 32, lambda x: (x - 32) / 1.8, "Fahrenheit to Celsius"),
        (CELSIUS, lambda x: x + 273.15, "Celsius to Kelvin"),
        (CELSIUS, lambda x: (x - 15) / 8, "standardised values"),
        (RANDOM.integers(1, 6, 3000), lambda x: 2 * x, "ratings of 1 to 5 on a scale of 1 to 10"),
        (RANDOM.integers(1, 11, 3000), lambda x: (x + 1) // 2,
         "ratings of 1 to 10 on a scale of 1 to 5"),
        (RANDOM.integers(1, 500, 3000), lambda x: 1000 * x,
         "kilo-units to units (kg to g, s to ms)"),
    ],
)  # fmt: skip
def test_a_change_of_unit_is_named(before: Any, convert: Callable[[Any], Any], cause: str) -> None:
    """Every usual factor and formula is recognised on fresh rows, and the gap left is small."""
    (found,) = judged(before[:1500], convert(before[1500:]))
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["looks_like"] == cause
    assert found.evidence["gap_once_undone"] < 0.1
    assert found.causes == (f"a change of unit: {cause}",)
    assert found.shape is not None
    assert found.shape["form"] == "histogram"


@pytest.mark.parametrize("growth", [1.05, 1.1, 1.3, 2.0, 5.0, 0.7])
def test_honest_growth_is_no_change_of_unit(growth: float) -> None:
    """Growth by a factor that no unit has stays the business of `drift.number`."""
    assert judged(WEIGHTS[:1500], growth * WEIGHTS[1500:]) == []


@pytest.mark.parametrize("growth", [1.8, 3, 7, 12, 10])
def test_growth_of_counts_is_no_change_of_unit(growth: float) -> None:
    """Counts that grow seven times are not weeks turned into days: they are not multiples of 7."""
    before, now = RANDOM.poisson(4, 1500), RANDOM.poisson(4 * growth, 1500)
    assert judged(before, now) == []


def test_nothing_changed_and_other_shapes_say_nothing() -> None:
    """Silence without a change, for another shape, for constants and for few rows."""
    assert judged(WEIGHTS[:1500], WEIGHTS[1500:]) == []
    assert judged(RANDOM.random(1500), RANDOM.normal(500, 20, 1500)) == []
    assert judged(np.full(500, 2.0), np.full(500, 2000.0)) == []
    assert judged(WEIGHTS[:20], 1000 * WEIGHTS[20:40]) == []
    assert judged(WEIGHTS[:200], [None] * 200) == []


def test_a_unit_that_changed_in_some_rows_is_explained() -> None:
    """A fifth of the rows in grams is found among rows in kilograms, and where to look."""
    now = WEIGHTS[1500:].copy()
    now[::5] *= 1000
    (found,) = judged(WEIGHTS[:1500], now)
    assert found.verdict is Verdict.CHANGED
    assert "about 1,000 times larger in 20% of rows" in found.says
    assert found.examples
    assert "above" in found.next[0]
    now = WEIGHTS[1500:].copy()
    now[::5] *= -1
    (found,) = judged(WEIGHTS[:1500], now)
    assert found.evidence["looks_like"] == "the sign turned"
    assert "below" in found.next[0]


def test_rows_far_outside_that_no_unit_explains_say_nothing() -> None:
    """A constant far outside is no converted value."""
    now = WEIGHTS[1500:].copy()
    now[::5] = 99999.0
    assert judged(WEIGHTS[:1500], now) == []


def test_two_units_that_rows_cannot_tell_apart_give_the_commoner() -> None:
    """1000 and 1024 fit a wide distribution alike with few rows: the first in the list is told."""
    wide = RANDOM.lognormal(0, 2, 400)
    fit = units.likeliest(wide[:200], np.ones(200), 1010 * wide[200:], np.ones(200), 1.0)
    assert fit is not None
    assert fit.unit.factor == 1000
