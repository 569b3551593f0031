"""Vectors as a map: two axes fitted on the reference alone, and the few numbers a map is drawn from.

A projection fitted on both sides, or again for every window, moves points that did not move: here
the reference fixes the axes and current rows are placed on them. A shape holds positions on a grid,
codes and counts, never vectors or texts: about ten bytes a point.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.core.errors import DataError
from undertow.core.finding import percent
from undertow.stats.counts import stream
from undertow.stats.neighbours import one_thread

Floats = NDArray[np.float64]
Place = Callable[[NDArray[Any]], Floats]

CAP = 20_000
"""Points of a map: a page of 600 KB, and what an eye can use."""
FITTED = 10_000
"""Rows of the reference that the axes are fitted on, fewer of wide ones; on CLINC150, all of 23,700
rows instead turn an axis by 2.6 degrees."""
NAMED = 12
"""Classes with a name and a colour of their own; the rest are "other"."""
OTHER, NONE = 254, 255
"""Codes of a class without a name, and of no class at all."""
GRID = 65_535
"""Steps of the longer side of a map."""
ID_CHARACTERS = 200_000
"""Room for the ids of a map; longer ones give way to positions."""
SLOTS = 120
"""Steps of a time window at most."""
_STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200]
_STEPS += [86_400 * days for days in (1, 2, 7, 14, 28, 56, 112, 364)]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Two axes: rows (n, d) become points (n, 2); `share` is the variance each axis holds.

    >>> held = Projection(np.zeros(3), np.eye(3)[:2], (0.5, 0.25))
    >>> held(np.array([[1.0, 2.0, 9.0]])).tolist()
    [[1.0, 2.0]]
    >>> held.says
    'PCA, 2 of 3 components, 75% of the variance'
    """

    centre: Floats
    axes: Floats
    share: tuple[float, float]

    @one_thread
    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Return the points (n, 2) of rows (n, d). Raises DataError where d is another one."""
        if rows.ndim != 2 or rows.shape[1] != len(self.centre):
            raise DataError(
                f"the map was fitted on vectors of {len(self.centre)}, these are"
                f" {' x '.join(map(str, rows.shape))}: embed both sides with one model"
            )
        points: Floats = rows @ self.axes.T - self.centre @ self.axes.T
        return points

    @property
    def says(self) -> str:
        """What the axes are, in words."""
        wide = len(self.centre)
        return (
            f"PCA, {min(2, wide)} of {wide} components, {percent(sum(self.share))} of the variance"
        )


@one_thread
def fit(reference: NDArray[Any]) -> Projection:
    """Return the two axes along which the reference (n, d) varies most; rows not finite are skipped.

    The same rows give the same axes: each points to where its largest weight is positive. Of more
    than `FITTED` rows a fixed draw is used. Raises DataError without a single finite row.

    >>> seen = fit(np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [2.0, 1.0, 0.0], [2.0, -1.0, 0.0]]))
    >>> seen.axes.round(3).tolist(), [round(each, 2) for each in seen.share]
    ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.8, 0.2])
    """
    rows = np.asarray(reference)
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError("a map needs vectors: one row of numbers each")
    rows = rows[_drawn(len(rows), min(FITTED, max(2000, 1000 * FITTED // rows.shape[1])))]
    rows = rows[np.isfinite(rows).all(axis=1)].astype(np.float64)
    if not len(rows):
        raise DataError("no reference vector is finite, so no map can be fitted")
    centre = rows.mean(axis=0)
    rows -= centre
    total = float(np.einsum("ij,ij->", rows, rows))
    axes = np.zeros((2, rows.shape[1]))
    held = np.zeros(2)
    few = min(2, rows.shape[1])
    axes[:few], held[:few] = _largest(rows, few)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[[0, 1], largest] < 0, -1.0, 1.0)[:, None]
    share = held / total if total > 0 else held
    return Projection(centre, axes, (float(share[0]), float(share[1])))


def _largest(rows: Floats, few: int) -> tuple[Floats, Floats]:
    """Return the principal axes of centred rows, largest first, and the sum of squares on each."""
    wide = rows.shape[1]
    if wide <= 1024:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        return vectors[:, ::-1][:, :few].T, np.maximum(values[::-1][:few], 0.0)
    from sklearn.utils.extmath import randomized_svd

    _, sizes, axes = randomized_svd(rows, few, n_iter=8, random_state=0)
    return axes, sizes**2


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a map: its vectors (n, d), and what is known of each row, None where nothing is.

    `label` and `cluster` are names; `error` is true where the model was wrong, None where unknown;
    `time` is seconds since 1970 (UTC), nan where unknown. `total` is how many rows these stand for,
    where they are a sample themselves. `ids` name rows: without them rows go by position, and those
    of a sample, whose positions say nothing, have no name.
    """

    vectors: NDArray[Any]
    label: Sequence[Any] | None = None
    cluster: Sequence[Any] | None = None
    error: Sequence[Any] | None = None
    time: ArrayLike | None = None
    ids: Sequence[Any] | None = None
    total: int | None = None


def shape(
    reference: Side | NDArray[Any],
    current: Side | NDArray[Any],
    place: Place | None = None,
    *,
    cap: int = CAP,
) -> dict[str, Any]:
    """Return what a map of both sides is drawn from: the `shape` of a finding, ready for JSON.

    `place` turns rows (n, d) into points (n, 2), and may have `says`; by default it is `fit` on the
    reference. At most `cap` points are drawn, a fixed draw, half of them for either side if it has
    as many; counts are of all rows. Up to `NAMED` classes a field keep their names. The few points
    far outside of the rest stand at the edge and are counted. Raises DataError where a field does
    not have one value a row.

    >>> old = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    >>> new = np.concatenate([old[:80], old[:20] + 6])
    >>> made = shape(
    ...     Side(old, label=["late"] * 300, time=np.arange(300) * 86_400.0),
    ...     Side(new, label=["late"] * 80 + ["pairing"] * 20, error=[False] * 80 + [True] * 20),
    ... )
    >>> made["projection"][:23], made["rows"], made["drawn"] == made["rows"]
    ('PCA, 2 of 8 components,', {'reference': 300, 'current': 100}, True)
    >>> [(each["field"], each["values"], each["current"]) for each in made["classes"]]
    [('label', ['pairing', 'late'], [20, 80, 0, 0]), ('error', ['right', 'wrong'], [80, 20, 0, 0])]
    >>> len(made["x"]), made["time"]["step"], made["ids"]
    (1068, 604800, {'reference': None, 'current': None})
    """
    sides = [
        each if isinstance(each, Side) else Side(np.asarray(each)) for each in (reference, current)
    ]
    rows = [len(side.vectors) for side in sides]
    place = fit(sides[0].vectors) if place is None else place
    points = [np.asarray(place(side.vectors), np.float64).reshape(-1, 2) for side in sides]
    finite = [np.flatnonzero(np.isfinite(each).all(axis=1)) for each in points]
    quota = [max(cap // 2, cap - len(other)) for other in reversed(finite)]
    drawn = [held[_drawn(len(held), most)] for held, most in zip(finite, quota, strict=True)]
    grid, size, outside = _grid(points, finite)
    both = np.concatenate([held[some] for held, some in zip(grid, drawn, strict=True)])
    made: dict[str, Any] = {
        "form": "map",
        "projection": str(getattr(place, "says", "a projection fitted on the reference")),
        "rows": _pair(n if s.total is None else s.total for n, s in zip(rows, sides, strict=True)),
        "drawn": _pair(len(each) for each in drawn),
        "outside": outside,
        "size": size,
        "x": _packed(both[:, 0], "<u2"),
        "y": _packed(both[:, 1], "<u2"),
        "classes": [],
        "ids": _ids(sides, drawn),
    }
    for name in ("label", "cluster", "error"):
        found = [_names(side, name) for side in sides]
        if any(each is not None for each in found):
            made["classes"].append(_classes(name, found, both, drawn, rows))
    moments = [_moments(side) for side in sides]
    if np.isfinite(np.concatenate(moments)).any():
        made["time"] = _slots(moments, drawn)
    return made


def _pair(values: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(("reference", "current"), values, strict=True))


def _drawn(rows: int, most: int) -> NDArray[np.intp]:
    """Return the positions of at most so many rows, in order: the same ones every time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(stream().choice(rows, size=most, replace=False)).astype(np.intp)


def _grid(
    points: list[Floats], finite: list[NDArray[np.intp]]
) -> tuple[list[NDArray[np.int64]], list[int], int]:
    """Return points as steps of one grid, equal along both axes, its size, and how many were moved.

    A handful of points far away would leave the rest a dot: beyond a third of what holds 99.8% of
    a side, they stand at the edge.
    """
    held = [each[some] for each, some in zip(points, finite, strict=True) if len(some)]
    if not held:
        return [np.zeros((len(each), 2), np.int64) for each in points], [GRID, GRID], 0
    inner = np.stack([np.quantile(each, (0.001, 0.999), axis=0) for each in held])
    low, high = inner[:, 0].min(axis=0), inner[:, 1].max(axis=0)
    room = (high - low) / 3
    low = np.maximum(low - room, np.min([each.min(axis=0) for each in held], axis=0))
    high = np.minimum(high + room, np.max([each.max(axis=0) for each in held], axis=0))
    step = GRID / (float((high - low).max()) or 1.0)
    moved = sum(int(((each < low) | (each > high)).any(axis=1).sum()) for each in held)
    made = [np.nan_to_num(np.clip(each, low, high) - low, nan=0.0) * step for each in points]
    return [each.round().astype(np.int64) for each in made], _whole((high - low) * step), moved


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode("ascii")


def _whole(values: NDArray[Any]) -> list[int]:
    return [int(each) for each in values.round()]


def _names(side: Side, name: str) -> list[str | None] | None:
    """Return the name of each row's class, None where it has none."""
    given = getattr(side, name)
    if given is None:
        return None
    found = _listed(given, len(side.vectors), name)
    if name == "error":
        return [None if each is None else "wrong" if each else "right" for each in found]
    return [None if each is None else str(each)[:80] for each in found]


def _listed(given: Any, rows: int, name: str) -> list[Any]:
    """Return values as a list, None for nan, one for each row."""
    found = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(found) != rows:
        raise DataError(f"{len(found)} values of {name!r} for {rows} vectors: give one each")
    return [None if each is None or each != each else each for each in found]  # noqa: PLR0124


def _classes(
    name: str,
    found: list[list[str | None] | None],
    both: NDArray[np.int64],
    drawn: list[NDArray[np.intp]],
    rows: list[int],
) -> dict[str, Any]:
    """Return a field's classes: names, a code for each drawn row, all rows counted, and middles.

    The last two counts of a side are of the other classes, and of no class.
    """
    sides = [each if each is not None else [None] * rows[i] for i, each in enumerate(found)]
    known = ["right", "wrong"]
    values = known if name == "error" else _commonest([Counter(side) for side in sides])
    code: dict[str | None, int] = {value: place for place, value in enumerate(values)}
    code[None] = NONE
    codes = [np.array([code.get(each, OTHER) for each in side], np.int64) for side in sides]
    last = len(values)
    tallies = []
    for side in codes:
        tally = np.bincount(side, minlength=256)
        tallies.append(_whole(np.append(tally[:last], tally[[OTHER, NONE]])))
    made: dict[str, Any] = {"field": name, "values": values, **_pair(tallies)}
    some = np.concatenate([side[which] for side, which in zip(codes, drawn, strict=True)])
    if name != "error":
        spots = [both[some == place] for place in range(last)]
        made["at"] = [_whole(np.median(each, axis=0)) if len(each) else None for each in spots]
    made["codes"] = _packed(some, "u1")
    return made


def _commonest(counts: list[Counter[str | None]]) -> list[str]:
    """Return the classes with the largest share of a side's rows, those that moved most first."""
    shares = [{each: n / side.total() for each, n in side.items()} for side in counts]
    names = {each: None for side in counts for each in side if each is not None}
    pairs = {each: [side.get(each, 0.0) for side in shares] for each in names}
    named = sorted(pairs, key=lambda each: (-max(pairs[each]), each))[:NAMED]
    return sorted(named, key=lambda each: (-abs(pairs[each][0] - pairs[each][1]), each))


def _moments(side: Side) -> Floats:
    if side.time is None:
        return np.full(len(side.vectors), np.nan)
    found = np.asarray(side.time, np.float64)
    if found.shape != (len(side.vectors),):
        raise DataError(f"{found.size} times for {len(side.vectors)} vectors: give one each")
    return found


def _slots(moments: list[Floats], drawn: list[NDArray[np.intp]]) -> dict[str, Any]:
    """Return times as steps of a calendar, a code for each drawn row, and all rows of each step."""
    every = np.concatenate(moments)
    every = every[np.isfinite(every)]
    low, high = float(every.min()), float(every.max())
    steps = [each for each in _STEPS if high - low < (SLOTS - 1) * each]
    step = steps[0] if steps else math.ceil((high - low) / (SLOTS - 1))
    start = math.floor(low / step) * step
    count = math.floor((high - start) / step) + 1
    codes = [
        np.where(np.isfinite(each), (np.nan_to_num(each) - start) // step, NONE).astype(np.int64)
        for each in moments
    ]
    tallies = [_whole(np.bincount(each, minlength=256)[:count]) for each in codes]
    some = [side[which] for side, which in zip(codes, drawn, strict=True)]
    packed = _packed(np.concatenate(some), "u1")
    return {"start": start, "step": step, "slots": count, **_pair(tallies), "codes": packed}


def _ids(sides: list[Side], drawn: list[NDArray[np.intp]]) -> dict[str, Any] | None:
    """Return what names each drawn row: ids, or positions as gaps; None where all rows are drawn.

    Rows of a sample without ids have no name at all: then there is nothing to return.
    """
    if all(side.ids is not None for side in sides):
        found = [_listed(side.ids, len(side.vectors), "ids") for side in sides]
        some = [
            ["" if names[i] is None else str(names[i]) for i in which.tolist()]
            for names, which in zip(found, drawn, strict=True)
        ]
        if sum(len(each) + 3 for names in some for each in names) <= ID_CHARACTERS:
            return _pair(some)
    if any(side.total is not None for side in sides):
        return None
    return _pair(
        None if len(which) == len(side.vectors) else _gaps(which)
        for side, which in zip(sides, drawn, strict=True)
    )


def _gaps(positions: NDArray[np.intp]) -> str:
    """Return rising positions as their differences, seven bits a byte, the lowest first (LEB128)."""
    made = bytearray()
    for gap in np.diff(positions, prepend=0).tolist():
        left = gap
        while left > 127:
            made.append(left & 127 | 128)
            left >>= 7
        made.append(left)
    return base64.b64encode(made).decode("ascii")
