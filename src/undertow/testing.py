"""The laws that every summary keeps, for our own tests and for whoever writes another.

from undertow.testing import batches, check_summary

check_summary(MySummary(), batches(column, array, parts=5))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa

from undertow.core.schema import Column
from undertow.core.summary import Summary, equal_states
from undertow.core.values import Values

Part = tuple[Values, ...]


def batches(columns: Sequence[Column], table: pa.Table, parts: int, seed: int = 0) -> list[Part]:
    """Cut a table at random places into parts, and return the columns of each.

    >>> from undertow.core.schema import Kind
    >>> made = batches([Column("x", Kind.NUMBER)], pa.table({"x": [1, 2, 3]}), parts=2)
    >>> sum(len(part[0]) for part in made)
    3
    """
    random = np.random.default_rng(seed)
    cuts = sorted(random.integers(0, table.num_rows + 1, parts - 1).tolist())
    edges = [0, *cuts, table.num_rows]
    return [
        tuple(Values(column, table.column(column.name).slice(a, b - a)) for column in columns)
        for a, b in itertools.pairwise(edges)
    ]


def check_summary(empty: Summary, parts: Sequence[Part]) -> Summary:
    """Hold a summary to the laws on these parts of some rows; return the summary of all of them.

    Raises AssertionError with the law that broke.
    """
    each = [empty.observe(*part) for part in parts if len(part[0])] or [empty]
    whole = reduce(lambda one, other: one + other, each)
    _same("e + s == s", empty + whole, whole)
    _same("s + e == s", whole + empty, whole)
    backwards = reduce(lambda one, other: one + other, reversed(each))
    _same("s + t == t + s, in any order", backwards, whole)
    nested = reduce(lambda one, other: other + one, each)
    _same("(s + t) + u == s + (t + u)", nested, whole)
    together = [
        Values(column.column, pa.concat_arrays([part[i].array for part in parts]))
        for i, column in enumerate(parts[0])
    ]
    if len(together[0]):
        _same("e.observe(a ++ b) == e.observe(a) + e.observe(b)", empty.observe(*together), whole)
        order = np.random.default_rng(1).permutation(len(together[0]))
        mixed = [Values(v.column, v.array.take(pa.array(order))) for v in together]
        _same("rows in any order", empty.observe(*mixed), whole)
    running = empty
    for part in parts:
        if len(part[0]):
            running = running.observe(*part)
    _same("observe one after the other", running, whole)
    _same("empty() forgets the rows and keeps the settings", whole.empty(), empty)
    _same("restore(state()) == s", type(whole).restore(whole.state()), whole)
    return whole


def _same(law: str, one: Summary, other: Summary) -> None:
    if not equal_states(one.state(), other.state()):
        raise AssertionError(f"{type(one).__name__} breaks the law {law!r}")
