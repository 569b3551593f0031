"""The same rows give the same report, however they are cut, ordered, stored or merged."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import undertow as ut
from undertow.core.profile import Profile


@pytest.fixture
def sides(rows):
    """A reference and a shifted current set with every plain kind of column."""
    return rows(3000, 0), rows(2000, 1, shift=0.6)


@pytest.fixture
def rows():
    """Return a maker of mixed rows: heavy tails, atoms, integers, nulls, words, times."""

    def make(n, seed, shift=0.0):
        random = np.random.default_rng(seed)
        nulls = random.random(n) < 0.05
        return pa.table(
            {
                "normal": random.normal(1000 + shift, 1, n),
                "cauchy": random.standard_cauchy(n),
                "inflated": np.where(random.random(n) < 0.6, 0.0, random.lognormal(size=n)),
                "count": random.poisson(3, n),
                "gaps": pa.array(random.normal(size=n), mask=nulls),
                "city": pa.array(random.choice(["Rome", "Oslo", "Bern"], n), mask=nulls),
                "code": random.zipf(1.5, n).astype(str),
                "flag": random.random(n) < 0.3,
                "when": pa.array(random.integers(0, 10**9, n), pa.timestamp("s")),
            }
        )

    return make


def findings(report):
    """Return what a report says, without where the rows came from."""
    return json.dumps([each.to_dict() for each in report], sort_keys=True)


def test_order_and_files_do_not_matter(sides, tmp_path):
    """Rows shuffled and spread over many files of odd sizes give the same bytes."""
    reference, current = sides
    expected = findings(ut.check(reference, current))
    random = np.random.default_rng(5)
    for name, table in zip(("reference", "current"), sides, strict=True):
        (tmp_path / name).mkdir()
        mixed = table.take(pa.array(random.permutation(table.num_rows)))
        cuts = [0, 1, 2, 700, 701, 1500, mixed.num_rows]
        for i, (a, b) in enumerate(itertools.pairwise(cuts)):
            pq.write_table(
                mixed.slice(a, b - a), tmp_path / name / f"{i}.parquet", row_group_size=97
            )
    assert findings(ut.check(tmp_path / "reference", tmp_path / "current")) == expected


def test_profiles_add_up(sides):
    """Hours profiled under one plan and added in any order are the day, bit for bit."""
    reference, current = sides
    plan = ut.profile(reference)
    day = ut.profile(current, like=plan)
    hours = [ut.profile(current.slice(a, 400), like=plan) for a in range(0, 2000, 400)]
    total: Profile = hours[3] + hours[0]
    for hour in (hours[4], hours[1], hours[2]):
        total = total + hour
    assert total.rows == day.rows
    assert findings(ut.check(plan, total)) == findings(ut.check(reference, current))


def test_a_saved_profile_says_the_same(sides, tmp_path):
    """A reference computed once, written and read again gives the same report, and the same file."""
    reference, current = sides
    made = ut.profile(reference)
    ut.save(made, tmp_path / "one.profile")
    again = ut.load(tmp_path / "one.profile")
    ut.save(again, tmp_path / "two.profile")
    assert (tmp_path / "one.profile").read_bytes() == (tmp_path / "two.profile").read_bytes()
    assert findings(ut.check(tmp_path / "one.profile", current)) == findings(
        ut.check(reference, current)
    )


def test_another_plan_is_refused(sides):
    """Profiles of two plans are neither merged nor compared; one line says so."""
    reference, current = sides
    one, other = ut.profile(reference), ut.profile(current)
    with pytest.raises(ut.ProfileError, match="plan"):
        one + other
    with pytest.raises(ut.ProfileError, match="--like"):
        ut.check(one, other)


def test_every_door_says_the_same(sides, tmp_path):
    """pyarrow, pandas, polars, Parquet and Arrow files of the same rows give the same findings."""
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    del pandas
    reference, current = sides
    expected = findings(ut.check(reference, current))
    assert findings(ut.check(polars.from_arrow(reference), polars.from_arrow(current))) == expected
    for table, name in ((reference, "r"), (current, "c")):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert findings(ut.check(tmp_path / "r.parquet", tmp_path / "c.parquet")) == expected
