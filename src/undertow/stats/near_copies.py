"""Texts that are near copies: MinHash of word shingles finds the pairs, their shingles prove them.

Two texts are alike as their sets of shingles (runs of words) overlap: Jaccard similarity, Broder 1997,
On the resemblance and containment of documents. Of each set only the lowest of 100 hashes are compared,
in 20 bands of 5 (Leskovec, Rajaraman, Ullman, Mining of massive datasets, section 3.4): two texts of a
similarity of .8 share no band 4 times in 10,000. Every pair that shares one is measured exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from undertow.core.errors import UsageError
from undertow.core.hashing import Hashes, hash_strings, mix
from undertow.stats.counts import stream

WORDS = 2
"""Words of a shingle: one changed word of twenty leaves 17 of 21 shingles, a similarity of .81."""
ALIKE = 0.8
BANDS, ROWS = 20, 5
LONGEST = 50_000
"""Characters of a text that are looked at."""
PARTNERS = 16
"""Rows of a band that one is compared with, where very many fall together."""
WITHIN = 0.9
"""Part of the smaller text that lies within the larger one, of a passage."""
SHARED = 8
"""Shingles that a passage within another text must share with it: a run of nine words."""
RARE = 64
"""Texts that hold a shingle, at most, for it to lead from one text to another."""
_BLOCK = 2**20
_ODD = np.uint64(0x9E3779B97F4A7C15)
_APART = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"
_BETWEEN = r"[^\p{L}\p{N}\p{M}]+"

Spots = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shingles:
    """The different shingles of each text, as hashes: those of text i lie at starts[i] to starts[i + 1].

    `exact` (n,) is a hash of the text's words, `words` (n,) how many it has: 0 where it is missing or
    blank. `cut` counts texts that were longer than is looked at.
    """

    starts: Spots
    hashes: Hashes
    exact: Hashes
    words: Spots
    cut: int = 0

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.words)

    @cached_property
    def sizes(self) -> Spots:
        """How many different shingles each text has."""
        return np.diff(self.starts)

    def only(self, which: Spots) -> Shingles:
        """Return these texts, in this order."""
        sizes = self.sizes[which]
        starts = np.concatenate(([0], np.cumsum(sizes)))
        spots = np.repeat(self.starts[which] - starts[:-1], sizes) + np.arange(starts[-1])
        return Shingles(
            starts, self.hashes[spots], self.exact[which], self.words[which], cut=self.cut
        )

    def __add__(self, other: Shingles) -> Shingles:
        """Return the texts of both, one after the other."""
        return Shingles(
            np.concatenate([self.starts, other.starts[1:] + self.starts[-1]]),
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.exact, other.exact]),
            np.concatenate([self.words, other.words]),
            self.cut + other.cut,
        )


class Pairs(NamedTuple):
    """Pairs of texts: their places, left < right, and how alike they are (0 to 1)."""

    left: Spots
    right: Spots
    alike: NDArray[np.float64]


def shingles(texts: Sequence[str | None] | pa.Array, words: int = WORDS) -> Shingles:
    """Return the shingles of texts: runs of so many words, without case or punctuation.

    A text of fewer words is one shingle, and so is one of no words at all, such as "?!". In scripts
    without spaces every character counts as a word. Of a text longer than 50,000 characters the
    beginning is taken.

    >>> made = shingles(["To be, or not to be", "to be  OR not to be!", None])
    >>> made.words.tolist(), made.sizes.tolist(), bool(made.exact[0] == made.exact[1])
    ([6, 6, 0], [4, 4, 0], True)
    """
    if words < 1:
        raise UsageError(f"{words} words a shingle: give 1 or more")
    array = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else _strings(texts)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    array = pc.fill_null(array.cast(pa.large_string()), "")
    cut = int(pc.sum(pc.greater(pc.utf8_length(array), LONGEST)).as_py() or 0)
    if cut:
        array = pc.utf8_slice_codeunits(array, 0, LONGEST)
    plain = pc.utf8_trim_whitespace(pc.utf8_lower(array))
    spaced = pc.replace_substring_regex(plain, _APART, r" \1 ")
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(spaced, _BETWEEN, " "))
    # What has no letter and no digit is a word of its own, as it stands: a mark alone, such as the
    # selector behind an emoji, would make all of them one text.
    told = pc.match_substring_regex(spaced, r"[\p{L}\p{N}]")
    spaced = pc.if_else(told, spaced, pc.replace_substring_regex(plain, r"\s+", ""))
    lists = pc.split_pattern(spaced, " ")
    count = np.asarray(pc.list_value_length(lists), np.int64)
    blank = np.asarray(pc.equal(spaced, ""), np.bool_)
    tokens = hash_strings(lists.flatten())
    ends = np.cumsum(count)
    first = ends - count
    runs, owner = _runs(tokens, first, count, words)
    kept = ~blank[owner]
    runs, owner = runs[kept], owner[kept]
    order = np.lexsort((runs, owner))
    runs, owner = runs[order], owner[order]
    new = np.concatenate(([True], (np.diff(owner) != 0) | (runs[1:] != runs[:-1])))[: len(runs)]
    runs, owner = runs[new], owner[new]
    starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(array)))))
    return Shingles(starts, runs, hash_strings(spaced), np.where(blank, 0, count), cut)


def _strings(texts: Sequence[str | None]) -> pa.Array:
    """Return texts as an Arrow array; half a surrogate pair cannot be written and is replaced."""
    try:
        return pa.array(texts, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        fine = [
            None if each is None else each.encode("utf-8", "replace").decode() for each in texts
        ]
        return pa.array(fine, pa.large_string())


def _runs(tokens: Hashes, first: Spots, count: Spots, words: int) -> tuple[Hashes, Spots]:
    """Return the hash of every run of words, and the text it is of."""
    length = np.maximum(count - words + 1, 1)
    owner = np.repeat(np.arange(len(count)), length)
    ends = np.cumsum(length)
    at = np.repeat(first - (ends - length), length) + np.arange(int(ends[-1]) if len(ends) else 0)
    last = (first + count)[owner]
    runs = np.zeros(len(at), np.uint64)
    for step in range(words):
        inside = at + step < last
        runs[inside] = mix(runs[inside] * _ODD + tokens[(at + step)[inside]])
    return runs, owner


def signatures(made: Shingles, hashes: int = BANDS * ROWS) -> NDArray[np.uint32]:
    """Return the lowest of each of so many hashes over a text's shingles; shape (n, hashes).

    A random multiple with a random shift, the upper half of 64 bits (Dietzfelbinger 1996). Rows of
    texts without shingles are all 2^32 - 1.

    >>> one, other = signatures(shingles(["a b c d", "A b  c d"]))
    >>> bool((one == other).all())
    True
    """
    random = stream()
    factors = random.integers(0, 2**63, hashes, np.uint64) * np.uint64(2) + np.uint64(1)
    shifts = random.integers(0, 2**63, hashes, np.uint64) * np.uint64(2)
    lowest = np.full((len(made), hashes), 2**32 - 1, np.uint32)
    full = np.flatnonzero(made.sizes)
    if not len(full):
        return lowest
    cells = np.empty((hashes, len(full)), np.uint32)
    heads = made.starts[full]
    scrambled = np.empty_like(made.hashes)
    for place in range(hashes):
        np.multiply(made.hashes, factors[place], out=scrambled)
        np.add(scrambled, shifts[place], out=scrambled)
        # Little end first: the upper half of each word, without a shift.
        upper = scrambled.view("<u4")[1::2]
        cells[place] = np.minimum.reduceat(upper, heads)
    lowest[full] = cells.T
    return lowest


def near_pairs(
    made: Shingles, least: float = ALIKE, *, split: int | None = None, bands: int = BANDS
) -> Pairs:
    """Return the pairs of texts of a similarity of at least `least`.

    With `split`, only pairs of a text before that place and one from it on. Where more than 32 texts
    share a band, each is compared with the 16 that follow it (with `split`, with the first 16 of the
    other side): texts of one mould by the thousand are told by enough partners, not by all. Raises
    UsageError where `least` is not above 0 and at most 1.

    >>> made = shingles(["the train to Graz leaves at nine today", "the train to Graz leaves at nine",
    ...     "a ticket to Linz, please"])
    >>> found = near_pairs(made)
    >>> found.left.tolist(), found.right.tolist(), found.alike.round(2).tolist()
    ([0], [1], [0.86])
    """
    if not 0 < least <= 1:
        raise UsageError(f"a similarity of {least!r}: give one above 0 and at most 1")
    cells = signatures(made, bands * ROWS)
    full = np.flatnonzero(made.sizes)
    found = []
    for band in range(bands):
        columns = np.ascontiguousarray(cells[full, band * ROWS : (band + 1) * ROWS])
        keys = np.zeros(len(full), np.uint64)
        for column in columns.T:
            keys = mix(keys * _ODD + column.astype(np.uint64))
        found.append(_together(keys, full, split, len(made)))
    codes = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    left, right = np.divmod(codes, max(len(made), 1))
    return measured(made, left, right, least)


def _together(keys: Hashes, rows: Spots, split: int | None, texts: int) -> Spots:
    """Return pairs of rows with one key, each as one number: left * texts + right."""
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    new = np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)]
    heads = np.flatnonzero(new)
    sizes = np.diff(np.append(heads, len(keys)))
    several = sizes > 1
    heads, sizes = heads[several], sizes[several]
    at = np.repeat(heads - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    head, size = np.repeat(heads, sizes), np.repeat(sizes, sizes)
    found = [np.empty(0, np.int64)]
    if split is None:
        most = np.where(size <= 2 * PARTNERS, size, PARTNERS + 1)
        for step in range(1, int(most.max(initial=1))):
            active = (step < most) & (at + step < head + size)
            at, head, size, most = at[active], head[active], size[active], most[active]
            found.append(rows[at] * texts + rows[at + step])
        return np.concatenate(found)
    first = np.add.reduceat(rows[at] < split, np.cumsum(sizes) - sizes) if len(at) else sizes
    first = np.repeat(first, sizes)  # rows of a group before the split: they lie first
    active = rows[at] >= split
    at, head, first = at[active], head[active], np.minimum(first[active], PARTNERS)
    for step in range(int(first.max(initial=0))):
        active = step < first
        found.append(rows[head[active] + step] * texts + rows[at[active]])
    return np.concatenate(found)


def measured(made: Shingles, left: Spots, right: Spots, least: float) -> Pairs:
    """Return those of the pairs whose sets of shingles overlap by at least `least`.

    >>> made = shingles(["a b c d", "a b c e"])
    >>> measured(made, np.array([0]), np.array([1]), 0.5).alike.tolist()
    [0.5]
    """
    both = common(made, left, right)
    union = made.sizes[left] + made.sizes[right] - both
    alike = both / np.maximum(union, 1)
    kept = alike >= least - 1e-12
    return Pairs(left[kept], right[kept], alike[kept])


def common(made: Shingles, left: Spots, right: Spots) -> Spots:
    """Return how many shingles the texts of each pair share; shape (pairs,).

    >>> common(shingles(["a b c d", "b c d e"]), np.array([0]), np.array([1])).tolist()
    [2]
    """
    from scipy.sparse import csr_array

    if not len(left):
        return np.empty(0, np.int64)
    used = np.unique(np.concatenate([left, right]))
    some = made.only(used)
    names, columns = np.unique(some.hashes, return_inverse=True)
    table = csr_array(
        (np.ones(len(columns), np.int32), columns, some.starts), shape=(len(used), len(names))
    )
    left, right = np.searchsorted(used, left), np.searchsorted(used, right)
    step = max(1, _BLOCK // max(int(some.sizes.max()), 1))
    return np.concatenate(
        [
            np.asarray(
                table[left[start : start + step]]
                .multiply(table[right[start : start + step]])
                .sum(1)
            )
            for start in range(0, len(left), step)
        ]
    ).astype(np.int64)


def contained_pairs(made: Shingles, split: int, least: float = WITHIN) -> Pairs:
    """Return pairs of a text before `split` and one from it on, where one lies within the other.

    Containment is the part of the smaller set of shingles that the larger one holds too (Broder 1997);
    at least 8 shingles are shared. Candidates share 3 shingles that no more than 64 of the texts before
    `split` hold.

    >>> said = "the parcel will be with you on Monday before ten in the morning"
    >>> made = shingles([said, f"Hello Eva, as we wrote: {said}. Yours, the team"])
    >>> contained_pairs(made, 1).alike.tolist()
    [1.0]
    """
    end = int(made.starts[split])
    names, held = np.unique(made.hashes[:end], return_counts=True)
    names = names[held <= RARE]
    order = np.argsort(made.hashes[:end], kind="stable")
    sorted_hashes = made.hashes[:end][order]
    owner = np.repeat(np.arange(len(made)), made.sizes)
    sources = owner[:end][order]
    known = np.isin(made.hashes[end:], names)
    wanted, rows = made.hashes[end:][known], owner[end:][known]
    begin = np.searchsorted(sorted_hashes, wanted, "left")
    count = np.searchsorted(sorted_hashes, wanted, "right") - begin
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    # A text's shingles stay together, so that those it shares are counted in one block.
    bounds = np.searchsorted(np.cumsum(count), np.arange(0, int(count.sum()), 4 * _BLOCK))
    edges = np.unique(np.append(np.searchsorted(rows, rows[bounds]), len(rows)))
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        some = count[start:stop]
        at = np.repeat(begin[start:stop] - np.cumsum(some) + some, some) + np.arange(some.sum())
        codes = sources[at] * len(made) + np.repeat(rows[start:stop], some)
        codes, times = np.unique(codes, return_counts=True)
        one, other = np.divmod(codes[times >= 3], len(made))
        left.append(one)
        right.append(other)
    one, other = np.concatenate(left), np.concatenate(right)
    both = common(made, one, other)
    within = both / np.maximum(np.minimum(made.sizes[one], made.sizes[other]), 1)
    kept = (within >= least - 1e-12) & (both >= SHARED)
    return Pairs(one[kept], other[kept], within[kept])
