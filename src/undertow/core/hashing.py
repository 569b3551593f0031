"""Stable 64-bit hashes of values: the same on every machine, in every version, for any batching.

They choose samples and find repeats; they are not cryptographic. Changing a constant here changes
every stored profile, so a change is a new profile format.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core import vectors

Hashes = NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_32 = (np.uint64(n) for n in (30, 27, 31, 32))
NULL = np.uint64(0x6E756C6C6E756C6C)
"""The hash of a missing value."""
_LONG = 4096
_BLOCK = 2**19
"""Words hashed at once: as many as a processor's cache holds."""


def mix(keys: Hashes) -> Hashes:
    """Scramble 64-bit keys so that every bit depends on every bit (Steele et al. 2014, SplitMix64).

    >>> hex(int(mix(np.array([1], dtype=np.uint64))[0]))
    '0x5692161d100b05e5'
    """
    out = keys ^ (keys >> _SHIFT_30)
    out *= _MIX_1
    out ^= out >> _SHIFT_27
    out *= _MIX_2
    out ^= out >> _SHIFT_31
    return out


@lru_cache(maxsize=16_384)
def hash_text(text: str) -> int:
    """Return the hash of one string, equal to what `hash_strings` gives for it.

    >>> hash_text("a") == int(hash_strings(pa.array(["a"]))[0])
    True
    """
    return int(hash_strings(pa.array([text.encode("utf-8", "surrogatepass")], pa.binary()))[0])


def hash_floats(numbers: NDArray[np.float64]) -> Hashes:
    """Return the hash of each float; 0.0 and -0.0 are one value, and so is every NaN."""
    canonical = numbers + 0.0
    keys = canonical.view(np.uint64) * _ODD
    keys ^= keys >> _SHIFT_32
    keys *= _MIX_1
    keys ^= keys >> _SHIFT_31
    unordered = np.isnan(canonical)
    if unordered.any():
        keys[unordered] = ~NULL
    return keys


def hash_integers(numbers: NDArray[np.integer[Any]]) -> Hashes:
    """Return the hash of each integer."""
    return mix(numbers.astype(np.int64, copy=False).view(np.uint64) + _ODD)


def hash_strings(strings: pa.Array) -> Hashes:
    """Return the hash of each string or binary value, NULL where missing.

    Eight bytes a step over all strings at once; the few longer than 4,096 bytes go through BLAKE2b.
    """
    wide = pa.types.is_large_string(strings.type) or pa.types.is_large_binary(strings.type)
    if not wide and not (pa.types.is_string(strings.type) or pa.types.is_binary(strings.type)):
        strings = strings.cast(pa.large_binary())
        wide = True
    rows = len(strings)
    if rows == 0:
        return np.empty(0, np.uint64)
    _, offset_buffer, data_buffer = strings.buffers()
    kind = np.int64 if wide else np.int32
    offsets = np.frombuffer(offset_buffer, kind, rows + 1, strings.offset * kind().itemsize)
    first, last = int(offsets[0]), int(offsets[-1])
    padded = np.zeros(last - first + 8, np.uint8)
    if last > first:
        padded[:-8] = np.frombuffer(data_buffer, np.uint8, last - first, first)
    words: NDArray[np.uint64] = np.ndarray((last - first + 1,), "<u8", padded, strides=(1,))
    starts = (offsets[:-1] - first).astype(np.int64)
    lengths = np.diff(offsets).astype(np.int64)
    hashes = (lengths.astype(np.uint64) + np.uint64(1)) * _ODD
    _fold_words(hashes, words, starts, np.where(lengths > _LONG, 0, lengths))
    for row in np.flatnonzero(lengths > _LONG):
        chunk = padded[starts[row] : starts[row] + lengths[row]].tobytes()
        hashes[row] = int.from_bytes(hashlib.blake2b(chunk, digest_size=8).digest(), "little")
    hashes = mix(hashes)
    if strings.null_count:
        hashes[~np.asarray(strings.is_valid())] = NULL
    return hashes


def hash_rows(words: NDArray[Any]) -> Hashes:
    """Return the hash of each row of a matrix; the number of columns is part of it.

    Floats are hashed by their bits, 0.0 and -0.0 being one value and so every NaN; two float32 make
    one word, so the same numbers as float64 hash otherwise. Integers are hashed as 64 bits.

    >>> one, other = hash_rows(np.array([[1.0, 2.0], [2.0, 1.0]], np.float32))
    >>> bool(one == other)
    False
    """
    rows, columns = words.shape
    hashes = np.full(rows, columns + 1, np.uint64) * _ODD
    if columns == 0:
        return mix(hashes)
    step = max(16, _BLOCK // columns)
    for start in range(0, rows, step):
        state = hashes[start : start + step]
        shifted = np.empty_like(state)
        for word in _columns(words[start : start + step]):
            state ^= word
            state *= _MIX_1
            np.right_shift(state, _SHIFT_32, out=shifted)
            state ^= shifted
    return mix(hashes)


def hash_lists(lists: pa.Array) -> Hashes:
    """Return the hash of each list, NULL where missing: the same for every type of list.

    They go by their items, all lists of one length at once; a null item is NaN among floats. The
    items are of a type that `by_items` says yes to.
    """
    hashes = np.full(len(lists), NULL, np.uint64)
    sizes = vectors.lengths(lists)
    valid = np.asarray(lists.is_valid())
    for size in np.unique(sizes[valid]).tolist():
        here = valid & (sizes == size)
        some = lists if here.all() else lists.filter(pa.array(here))
        cells = _item_words(vectors.items(some)).reshape(len(some), size)
        hashes[here] = hash_rows(cells)
    return hashes


def by_items(kind: pa.DataType) -> bool:
    """Tell whether lists of this type can be hashed by their items: floats, integers, strings."""
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def _item_words(items: pa.Array) -> NDArray[Any]:
    """Return the items of lists as numbers whose bits stand for them."""
    kind = items.type
    if pa.types.is_floating(kind):
        if items.null_count:
            items = pc.fill_null(items, pa.scalar(float("nan")).cast(kind))
        numbers = np.asarray(items)
        return numbers.astype(np.float32) if pa.types.is_float16(kind) else numbers
    if pa.types.is_integer(kind):
        if items.null_count:
            found = hash_integers(np.asarray(pc.fill_null(items, 0)))
            found[~np.asarray(items.is_valid())] = NULL
            return found
        return np.asarray(items)
    return hash_strings(items)


def _columns(block: NDArray[Any]) -> Hashes:
    """Return a block's columns as rows of 64-bit words, floats made canonical."""
    if block.dtype.kind != "f":
        return np.ascontiguousarray(block.T).astype(np.int64, copy=False).view(np.uint64)
    canonical = block + block.dtype.type(0)
    unordered = np.isnan(canonical)
    if unordered.any():
        canonical[unordered] = np.nan
    if block.dtype == np.float32:
        if block.shape[1] % 2:
            canonical = np.hstack([canonical, np.zeros((len(block), 1), np.float32)])
        return np.ascontiguousarray(canonical.view("<u8").T)
    return np.ascontiguousarray(canonical.astype(np.float64, copy=False).view(np.uint64).T)


def _fold_words(
    hashes: Hashes, words: Hashes, starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> None:
    """Fold each string's bytes into its hash, eight bytes a step, in place."""
    active = np.flatnonzero(lengths > 0)
    step = 0
    while len(active):
        left = lengths[active] - 8 * step
        word = words[starts[active] + 8 * step]
        short = left < 8
        if short.any():
            keep = (np.uint64(1) << (left[short] * 8).astype(np.uint64)) - np.uint64(1)
            word[short] &= keep
        state = (hashes[active] ^ word) * _MIX_1
        state ^= state >> _SHIFT_32
        hashes[active] = state
        active = active[left > 8]
        step += 1
