"""The guarded call of an encoder: texts in, a checked matrix out, and one line for what went wrong.

Everybody who needs vectors of texts goes through `encode`. It asks for each text once, a batch at a
time, shortest first, and believes nothing: not the count, the dimension, the type or the values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from undertow.core.errors import DataError, UndertowError

Matrix = NDArray[np.float32]

BATCH = 256
"""Texts handed over in one call; an encoder may cut them smaller."""
SECONDS = 300.0
"""What one call may take: a slow model on a busy machine needs about 100 s for 256 passages."""
WIDEST = 65_536
"""Numbers a vector may have; more is a mistake, and would fill the memory."""
PROBED = 8
REPEATS = 1e-3
"""Largest difference of a coordinate, of vectors of length 1, that goes without a word."""
UNSTEADY = 0.99
"""Cosine of a text's vector with its own, made again, below which no comparison means anything."""


@runtime_checkable
class Encodes(Protocol):
    """Anything with a name that returns one vector a text."""

    @property
    def name(self) -> str:
        """What a person calls it: "minilm", "package.module:function", an address."""
        ...

    def __call__(self, texts: Sequence[str], /) -> Any:
        """Return the vectors (n, d) of n texts, in their order."""
        ...


def encode(
    encoder: Encodes,
    texts: Sequence[str | None],
    *,
    tick: Callable[[int], None] | None = None,
    seconds: float | None = SECONDS,
    batch: int = BATCH,
) -> Matrix:
    """Return the vectors (n, d) of texts, float32, in their order.

    A missing text has a row of NaN and an empty one (blanks only) a row of zeros; neither is sent.
    Equal texts are sent once. `tick` is told how many rows each call settled. A call that takes
    longer than `seconds` is given up; None waits for ever. Raises DataError where the encoder fails,
    is too slow, or returns anything but one finite vector of one length a text; an UndertowError of
    the encoder's own passes through.

    >>> class Length:
    ...     name = "length"
    ...     def __call__(self, texts):
    ...         return [[len(text), 1] for text in texts]
    >>> encode(Length(), ["no", "", None, "no"]).tolist()
    [[2.0, 1.0], [0.0, 0.0], [nan, nan], [2.0, 1.0]]
    """
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if text is not None and text.strip():
            rows.setdefault(text, []).append(row)
    different = sorted(rows, key=lambda text: (len(text), text))
    if not different:
        width = _checked(encoder, _within(seconds, encoder, ["a"]), 1, 0, None).shape[1]
        return _blank(texts, width, tick)
    made: Matrix | None = None
    for start in range(0, len(different), batch):
        some = different[start : start + batch]
        width_known = None if made is None else made.shape[1]
        found = _checked(encoder, _within(seconds, encoder, some), len(some), start, width_known)
        if made is None:
            made = _blank(texts, found.shape[1], tick)
        spots = [rows[text] for text in some]
        made[np.concatenate(spots)] = np.repeat(found, [len(spot) for spot in spots], axis=0)
        if tick is not None:
            tick(sum(len(spot) for spot in spots))
    assert made is not None
    return made


def _blank(texts: Sequence[str | None], width: int, tick: Callable[[int], None] | None) -> Matrix:
    """Return rows of zeros, NaN where the text is missing, and count the rows that stay so."""
    out = np.zeros((len(texts), width), np.float32)
    out[[row for row, text in enumerate(texts) if text is None]] = np.nan
    blank = sum(text is None or not text.strip() for text in texts)
    if tick is not None and blank:
        tick(blank)
    return out


class Steadiness(NamedTuple):
    """How far a text's vector differs from itself: made again, and made beside other texts.

    Both are the largest difference of a coordinate, as a part of the vector's length, and the
    smallest cosine over the texts tried.
    """

    again: float
    again_cosine: float
    beside: float
    beside_cosine: float

    def note(self, name: str) -> str | None:
        """Return a line for people where a vector is not the same each time, else None.

        >>> Steadiness(0.0, 1.0, 0.034, 0.981).note("int8.onnx")
        'int8.onnx gives a text another vector beside other texts (cosine 0.981); a difference ...'
        """
        if self.again > REPEATS:
            return (
                f"{name} gives one text two vectors (cosine {self.again_cosine:.3f}); "
                "a difference of that size is no finding"
            )
        if self.beside > REPEATS:
            return (
                f"{name} gives a text another vector beside other texts (cosine "
                f"{self.beside_cosine:.3f}); a difference of that size is no finding"
            )
        return None


def steadiness(encoder: Encodes, texts: Sequence[str]) -> Steadiness:
    """Return how steady an encoder is on the first 8 of these texts: each alone twice, then together.

    Weights of 8 bits quantise by what stands in the batch, so `beside` is not 0 for them. Raises
    DataError where the same call gives vectors of a cosine under 0.99.
    """
    some = [text for text in dict.fromkeys(texts) if text.strip()][:PROBED]
    if not some:
        return Steadiness(0.0, 1.0, 0.0, 1.0)
    alone = np.vstack([encode(encoder, [text]) for text in some])
    again = np.vstack([encode(encoder, [text]) for text in some])
    if again.shape != alone.shape:
        raise DataError(f"{encoder.name} returned vectors of several lengths for the same texts")
    one, two = _differ(alone, again), _differ(alone, encode(encoder, some))
    found = Steadiness(*one, *two)
    if found.again_cosine < UNSTEADY:
        raise DataError(
            f"{encoder.name} is not deterministic: one text, encoded twice, gave a cosine of "
            f"{found.again_cosine:.3f}; switch dropout or sampling off"
        )
    return found


def _differ(one: Matrix, other: Matrix) -> tuple[float, float]:
    left, right = one.astype(np.float64), other.astype(np.float64)
    size = np.maximum(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
    size = np.where(size > 0, size, 1.0)
    part = np.abs(left - right).max(axis=1) / size
    both = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine = np.where(both > 0, (left * right).sum(axis=1) / np.where(both > 0, both, 1.0), 1.0)
    return float(part.max()), float(min(cosine.min(), 1.0))


def _within(seconds: float | None, encoder: Encodes, texts: list[str]) -> Any:
    """Call the encoder, on a thread that is left behind where it takes too long."""
    if seconds is None:
        return _called(encoder, texts)
    box: list[Any] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            box.append(_called(encoder, texts))
        except BaseException as error:  # noqa: BLE001  # handed to the thread that waits
            failed.append(error)

    thread = threading.Thread(target=work, name=f"encode by {encoder.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not box:
        raise DataError(
            f"{encoder.name} took longer than {seconds:g} s for {len(texts)} texts; "
            "use smaller batches or a faster encoder"
        )
    return box[0]


def _called(encoder: Encodes, texts: list[str]) -> Any:
    try:
        return encoder(texts)
    except UndertowError:
        raise
    except (Exception, SystemExit) as error:  # a function that leaves would take the report along
        what = str(error).strip().split("\n")[0][:120]
        told = f"{type(error).__name__}: {what}" if what else type(error).__name__
        raise DataError(
            f"{encoder.name} failed on {len(texts)} texts ({told}); try it on one text by itself"
        ) from error


def _checked(encoder: Encodes, found: Any, count: int, start: int, width: int | None) -> Matrix:
    """Return the vectors as float32; raise DataError where they are not `count` finite rows."""
    name = encoder.name
    if hasattr(found, "toarray"):
        raise DataError(f"{name} returned a sparse matrix; return a dense one, as by .toarray()")
    try:
        raw = np.asarray(found)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors with gradients
        raise DataError(
            f"{name} returned no matrix ({_shape_of(found) or type(found).__name__}); "
            "return one vector of one length a text, as a numpy array"
        ) from error
    if raw.dtype.kind not in "fiu":
        raise DataError(f"{name} returned {raw.dtype} values; a vector is made of floats")
    if raw.ndim != 2:
        raise DataError(
            f"{name} returned an array of shape {raw.shape} for {count} texts; it must be "
            f"({count}, dimensions)"
        )
    if len(raw) != count:
        raise DataError(
            f"{name} returned {len(raw)} vectors for {count} texts; it must return one a text, "
            "in their order"
        )
    if not 0 < raw.shape[1] <= WIDEST:
        raise DataError(
            f"{name} returned vectors of {raw.shape[1]} numbers; 1 to {WIDEST} are read"
        )
    if width is not None and raw.shape[1] != width:
        raise DataError(
            f"{name} returned vectors of {width} numbers, then of {raw.shape[1]}; "
            "all must have one length"
        )
    with np.errstate(over="ignore"):
        made = np.asarray(raw, np.float32)
    bad = ~np.isfinite(made).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = made[row][~np.isfinite(made[row])][0]
        raise DataError(
            f"{name} returned {value} in {int(bad.sum())} of {count} vectors (the first for text "
            f"{start + row + 1} by length); see what it does with that text"
        )
    return made


def _shape_of(found: Any) -> str:
    """Return what the lengths of ragged lists are, for people."""
    try:
        sizes = sorted({len(row) for row in found})
    except TypeError:
        return ""
    return "vectors of " + ", ".join(str(size) for size in sizes[:4]) + " numbers"
