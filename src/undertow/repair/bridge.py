"""A bridge lays the vectors of a new encoder into the space of an old index, so that it still answers.

It is an orthogonal map fitted on pairs, the same texts by both encoders, and it goes through a gate:
what it recovers of a full re-index is measured on pairs it was not fitted on, or on a golden set. A
bridge that recovers too little is refused with the reason, and is never saved.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.errors import DataError
from undertow.core.verdict import Effect, Verdict, decide
from undertow.stats import rotation
from undertow.stats.bootstrap import Estimate
from undertow.stats.neighbours import Matrix, unit
from undertow.stats.ranking import loss
from undertow.stats.rotation import HeldOut, Rotation

TOLERANCE = 0.05
"""Part of a re-index's quality that a bridge may lose."""
LEAST_PAIRS = 50
FORMAT = 1
HELD_OUT = "held-out pairs"


@dataclass(frozen=True, eq=False)
class Bridge:
    """A map that went through the gate: which spaces it joins, on how many pairs, what it recovers.

    `source` is the space of the vectors it takes, `target` that of the vectors it returns: fingerprints
    of encoders, or names, or empty where nobody knows.

    >>> random = np.random.default_rng(0)
    >>> old = random.normal(size=(200, 8)).astype(np.float32)
    >>> bridge = Bridge.fit(old[:, ::-1], old)
    >>> bridge.recovery.value, bridge.apply(old[:2, ::-1]).shape
    (1.0, (2, 8))
    """

    map: Rotation
    source: str
    target: str
    pairs: int
    recovery: Estimate
    measured_on: str = HELD_OUT

    @classmethod
    def fit(
        cls,
        new: NDArray[np.floating],
        old: NDArray[np.floating],
        *,
        source: str = "",
        target: str = "",
        labels: ArrayLike | None = None,
        tolerance: float = TOLERANCE,
    ) -> Bridge:
        """Return the bridge from `new` (n, d) to `old` (n, e), vectors of the same texts, in any scale.

        Raises DataError with the reason where the gate refuses it: too few pairs, or held-out pairs
        recover less than 1 - `tolerance` of the re-index quality. `labels` (n,) say what is relevant
        to what; without, the neighbours on which both spaces agree do.
        """
        made = attempt(unit(_checked(new)), unit(_checked(old)), labels=labels, tolerance=tolerance)
        return made.bridge(source, target)

    @property
    def dimensions(self) -> tuple[int, int]:
        """How many numbers the vectors have that it takes, and those it returns."""
        return len(self.map.centre), len(self.map.target)

    def apply(self, rows: NDArray[np.floating], *, space: str = "") -> Matrix:
        """Return vectors (n, d) of the new encoder in the old space (n, e), of length 1; zeros stay.

        Raises DataError for vectors of another dimension, not finite, or of another `space` than the
        one it was fitted on, where that is said.
        """
        if space and compare_spaces(space, self.source) is Match.FOREIGN:
            raise DataError(
                f"this bridge takes vectors of {space_label(self.source)}, these are of "
                f"{space_label(space)}: fit another one"
            )
        given = np.asarray(rows)
        if given.ndim == 2 and not np.isfinite(given).all():
            bad = int((~np.isfinite(given).all(axis=1)).sum())
            raise DataError(
                f"{bad:,} of {len(given):,} vectors hold NaN or infinity: leave them out"
            )
        made = self.map(given)
        made[~given.any(axis=1)] = 0.0
        return made

    def about(self) -> dict[str, Any]:
        """Return everything but the numbers of the map, as JSON values."""
        takes, returns = self.dimensions
        return {
            "undertow_bridge": FORMAT,
            "source": self.source,
            "target": self.target,
            "dimensions": [takes, returns],
            "pairs": self.pairs,
            "recovery": self.recovery.to_dict(),
            "measured_on": self.measured_on,
        }

    def to_bytes(self) -> bytes:
        """Return the bridge as an `.npz`: three arrays, and what is known of it as JSON text."""
        told = json.dumps(self.about(), sort_keys=True).encode()
        out = io.BytesIO()
        np.savez(
            out,
            weights=self.map.weights,
            centre=self.map.centre,
            target=self.map.target,
            about=np.frombuffer(told, np.uint8),
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "bridge") -> Self:
        """Return the bridge in these bytes; raise DataError where they are none."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as held:
                weights, centre, target = (
                    np.asarray(held[each], np.float64) for each in ("weights", "centre", "target")
                )
                told = json.loads(held["about"].tobytes())
            recovery = Estimate(*(float(told["recovery"][each]) for each in Estimate._fields))
            made = cls(
                Rotation(weights, centre, target),
                str(told["source"]),
                str(told["target"]),
                int(told["pairs"]),
                recovery,
                str(told["measured_on"]),
            )
            version = int(told["undertow_bridge"])
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{name}: is no bridge, or a damaged one; fit it again") from error
        if version != FORMAT:
            raise DataError(f"{name}: a bridge of format {version}, this undertow reads {FORMAT}")
        if not _sound(made.map):
            raise DataError(f"{name}: its map is not orthogonal, so it is damaged; fit it again")
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bridge to a file, whole or not at all."""
        place = Path(path)
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            part.write_bytes(self.to_bytes())
            part.replace(place)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DataError(f"{place}: cannot be written: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the bridge in a file; raise DataError where there is none or it is damaged."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"{os.fspath(path)}: {error.strerror or error}") from error
        return cls.from_bytes(content, os.fspath(path))


def _sound(made: Rotation) -> bool:
    weights, centre, target = made.weights, made.centre, made.target
    if weights.ndim != 2 or weights.shape != (centre.size, target.size) or not weights.size:
        return False
    if not all(np.isfinite(each).all() for each in (weights, centre, target)):
        return False
    narrow = weights if weights.shape[0] <= weights.shape[1] else weights.T
    return bool(np.abs(narrow @ narrow.T - np.eye(len(narrow))).max() < 1e-6)


@dataclass(frozen=True, eq=False)
class Attempt:
    """A map fitted on pairs, before the gate: what it loses of a re-index, and where that was measured.

    `needs` is how many pairs a map of these vectors needs at the least.
    """

    map: Rotation
    pairs: int
    needs: int
    loss: Effect
    held: HeldOut
    measured_on: str = HELD_OUT

    def judged_on(self, loss: Effect, name: str) -> Attempt:
        """Return the attempt with a loss measured elsewhere: on a golden set."""
        return replace(self, loss=loss, measured_on=name)

    @property
    def recovery(self) -> Estimate:
        """Part of the re-index quality that the map gives back."""
        return Estimate(1 - self.loss.value, 1 - self.loss.high, 1 - self.loss.low)

    @property
    def refusal(self) -> str:
        """Why the gate refuses the map; empty where it lets it through."""
        if self.pairs < self.needs:
            return f"{self.pairs:,} pairs are too few to fit one: give {self.needs:,} or more"
        if not self.loss.defined:
            return f"the two spaces have no neighbours in common ({self.measured_on})"
        if decide(self.loss, 1) is Verdict.STEADY:
            return ""
        least = 1 - self.loss.tolerance
        return (
            f"it recovers {told(self.recovery)} of the re-index quality on {self.measured_on}, "
            f"and {least:.2f} is needed (fitted on {self.pairs:,} pairs)"
        )

    def bridge(self, source: str = "", target: str = "") -> Bridge:
        """Return the bridge, or raise DataError with the reason where the gate refuses it."""
        if self.refusal:
            raise DataError(f"no bridge: {self.refusal}")
        return Bridge(self.map, source, target, self.pairs, self.recovery, self.measured_on)


def told(recovery: Estimate) -> str:
    """Return a recovery as people read it.

    >>> told(Estimate(0.9634, 0.951, 0.975))
    '0.96 (0.95 to 0.97)'
    """
    return f"{recovery.value:.2f} ({recovery.low:.2f} to {recovery.high:.2f})"


def attempt(
    new: Matrix, old: Matrix, *, labels: ArrayLike | None = None, tolerance: float = TOLERANCE
) -> Attempt:
    """Return the map from `new` (n, d) to `old` (n, e), rows of length 1, and what it loses, held out.

    Raises DataError where the rows are no pairs or fewer than 50, UsageError for a tolerance out of
    range.
    """
    if len(new) != len(old) or len(new) < LEAST_PAIRS:
        raise DataError(
            f"no bridge: {len(new):,} and {len(old):,} vectors; give the same texts twice, "
            f"at least {LEAST_PAIRS} and 1.3 for each dimension"
        )
    held = rotation.held_out(new, old, labels)
    lost = loss(held.through, held.fresh, tolerance=tolerance)
    return Attempt(rotation.fit(new, old), len(new), rotation.needed(new), lost, held)


def _checked(rows: NDArray[np.floating]) -> Matrix:
    made = np.asarray(rows, np.float32)
    if made.ndim != 2 or not np.isfinite(made).all() or not made.any(axis=1).all():
        raise DataError("a bridge is fitted on a matrix of finite vectors, none of them zero")
    return made
