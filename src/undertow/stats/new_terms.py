"""Terms that are new, or much commoner now, and the share of texts that unseen words break to pieces.

An average over texts hides new jargon at 2% of the traffic, so what counts is the share of texts of
which unseen words make many pieces. A growing vocabulary is no alarm: a reference text is asked which
of its words the *other* texts of the reference lack, and a current text is asked the same (one fold of
the reference is left out for both), so without a change both sides have one share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from undertow.core.hashing import Hashes
from undertow.core.verdict import Effect, check_tolerance
from undertow.stats.counts import Counts, Floats, stream
from undertow.stats.exact import log_least, log_tail
from undertow.stats.score import SEEN, limits
from undertow.stats.share import angle

FOLDS = 10
SPLITS = 6
BROKEN = 2
"""Pieces that go on an unseen word which a text needs to count: one, as in an -s, is nothing."""
DEEPEST = 32
"""Pieces of unseen words from which it is all the same how many."""
PRIOR = 500.0
"""Words that the prior of the log-odds counts for, spread as the words of both sides together are."""

Ints = Counts


@dataclass(frozen=True, eq=False)
class Uses:
    """Which of n texts uses which term, each pair once: `rows[i]` the term `terms[i]`.

    `times[i]` says how often, `broken[i]` how many pieces go on a word in it. `keys` (n,) are hashes
    of the texts, the same for the same text.
    """

    texts: int
    keys: Hashes
    rows: Ints
    terms: Ints
    times: Ints
    broken: Ints

    def holders(self, terms: int) -> Counts:
        """Return how many texts use each of so many terms."""
        return np.bincount(self.terms, minlength=terms).astype(np.int64)

    def counts(self, terms: int) -> Counts:
        """Return how often each of so many terms is used."""
        return np.bincount(self.terms, self.times, minlength=terms).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Unseen:
    """What the texts of each side hold of words that the rest of the reference lacks.

    `made` are the pieces a text (n,) that such words make, 0 where fewer than two of them go on a
    word: new words that stay whole are no jargon to this tokenizer. Where it splits no word at all,
    `made` counts the words. `share` is the share of all words that are such; `foreign` that of the
    current words that no text of the reference holds.
    """

    made: tuple[Ints, Ints]
    share: tuple[float, float]
    foreign: float
    splits: bool


def unseen(reference: Uses, current: Uses) -> Unseen:
    """Return what is unseen on both sides, one fold of the reference left out for each text.

    A text's fold is that of its hash, on both sides: copies of one text never vouch for its words.

    >>> one, keys = np.ones(3, int), np.array([0, 1], np.uint64)
    >>> ours = Uses(2, keys, np.array([0, 0, 1]), np.array([0, 1, 0]), one, np.array([0, 2, 0]))
    >>> theirs = Uses(1, keys[:1], np.array([0, 0]), np.array([0, 2]), one[:2], np.array([0, 3]))
    >>> found = unseen(ours, theirs)
    >>> found.made[0].tolist(), found.made[1].tolist()
    ([3, 0], [4])
    """
    terms = int(max(reference.terms.max(initial=-1), current.terms.max(initial=-1))) + 1
    folds = max(min(FOLDS, reference.texts), 1)
    first, second = (
        (side.keys % np.uint64(folds)).astype(np.int64) for side in (reference, current)
    )
    low, high = np.full(terms, folds), np.full(terms, -1)
    np.minimum.at(low, reference.terms, first[reference.rows])
    np.maximum.at(high, reference.terms, first[reference.rows])
    only = np.where(low == high, low, np.where(high < 0, -1, -2))  # -1 nowhere, -2 in several
    splits = bool(reference.broken.any() or current.broken.any())
    made, share = [], []
    for side, fold in ((reference, first), (current, second)):
        new = (only[side.terms] == -1) | (only[side.terms] == fold[side.rows])
        rows, broken = side.rows[new], side.broken[new]
        found = np.bincount(rows, 1 + broken, minlength=side.texts).astype(np.int64)
        if splits:
            found[np.bincount(rows, broken, minlength=side.texts) < BROKEN] = 0
        made.append(np.minimum(found, DEEPEST))
        share.append(float(side.times[new].sum() / max(int(side.times.sum()), 1)))
    foreign = float(current.times[only[current.terms] == -1].sum())
    foreign /= max(int(current.times.sum()), 1)
    return Unseen((made[0], made[1]), (share[0], share[1]), foreign, splits)


def growth(reference: Ints, current: Ints, *, tolerance: float = 0.2) -> tuple[int, Effect]:
    """Return from how many pieces on the share of texts grew most, and how far (Cohen's h).

    `reference` (n,) and `current` (m,) say how many pieces of each text are of unseen words. The
    evidence counts every number that could have been picked (Tarone 1990); the lower limit picks on
    one half of the texts and measures on the other. A share that fell is no growth. The number is 0
    where no text has any. Raises UsageError for a tolerance out of range.

    >>> at, grown = growth(np.repeat([0, 1], [950, 50]), np.repeat([0, 1, 9], [930, 50, 20]))
    >>> 2 <= at <= 9, round(grown.value, 2), grown.p_no_change < 1e-4
    (True, 0.28, True)
    """
    check_tolerance("cohens_h", tolerance)
    rows, other = len(reference), len(current)
    if not rows or not other:
        return 0, Effect("cohens_h", math.nan, math.nan, math.nan, tolerance, 1.0)
    cuts = np.union1d(reference, current)
    cuts = cuts[cuts > 0]
    if not cuts.size:
        return 0, Effect("cohens_h", 0.0, 0.0, _arm(0, rows, 0, other)[1], tolerance, 1.0)
    ours, theirs = _at_least(reference, cuts), _at_least(current, cuts)
    moved = angle(theirs / other) - angle(ours / rows)
    spot = int(np.round(moved, 12).argmax())
    tails = np.where(moved > 0, log_tail(theirs, ours + theirs, other, rows), 0.0)
    able = np.count_nonzero(log_least(ours + theirs, rows, other) <= tails.min() + 1e-9)
    p = min(1.0, math.exp(float(tails.min())) * max(int(able), 1))
    beneath, above = _arm(int(ours[spot]), rows, int(theirs[spot]), other)
    value = max(float(moved[spot]), 0.0)
    low = _cross_fitted(reference, current, cuts) - beneath if p <= SEEN else 0.0
    return int(cuts[spot]), Effect("cohens_h", value, low, value + above, tolerance, p)


def _at_least(made: Ints, cuts: Ints) -> Counts:
    """Return how many texts have at least each of the cuts, on the last axis."""
    return np.asarray((made[..., None] >= cuts).sum(axis=-2), np.int64)


def _arm(ours: int, rows: int, theirs: int, other: int) -> tuple[float, float]:
    """Return how far below and above angle(theirs) - angle(ours) its 95% limits lie."""
    before, now = angle(ours / rows), angle(theirs / other)
    low, high = limits(ours, rows)
    now_low, now_high = limits(theirs, other)
    below = np.hypot(now - angle(now_low), angle(high) - before)
    above = np.hypot(angle(now_high) - now, before - angle(low))
    return float(below), float(above)


def _cross_fitted(reference: Ints, current: Ints, cuts: Ints) -> float:
    """Return the mean growth at cuts picked on one half of the texts, measured on the other."""
    random = stream()
    found: list[float] = []
    for _ in range(SPLITS):
        parts = []
        for side in (reference, current):
            order = random.permutation(len(side))
            halves = order[: len(side) // 2], order[len(side) // 2 :]
            parts.append(
                [angle(_at_least(side[half], cuts) / max(len(half), 1)) for half in halves]
            )
        moves = [now - before for before, now in zip(*parts, strict=True)]
        found += [float(moves[1 - half][moves[half].argmax()]) for half in (0, 1)]
    return float(np.mean(found))


def log_odds(reference: Counts, current: Counts) -> Floats:
    """Return for each word how many standard errors commoner it is now, by its log-odds.

    `reference` and `current` count each word's uses. The prior stands for 500 words, spread as the
    words of both sides together are, so that a rare word needs more to stand out. Monroe, Colaresi
    and Quinn (2008), Fightin' words, section 3.5.1 (informative Dirichlet prior).

    >>> log_odds(np.array([50, 50, 0]), np.array([50, 50, 20])).round(1).tolist()
    [-0.7, -0.7, 1.9]
    """
    both = reference + current
    prior = PRIOR * both / max(int(both.sum()), 1)
    sides = []
    for counts in (reference, current):
        total = float(counts.sum()) + PRIOR
        held = np.maximum(counts + prior, 1e-300)
        sides.append((np.log(held) - np.log(np.maximum(total - held, 1e-300)), held))
    (before, one), (now, two) = sides
    return np.asarray((now - before) / np.sqrt(1 / one + 1 / two))
