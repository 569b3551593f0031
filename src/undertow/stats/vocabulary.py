"""Cells for a vocabulary: the common words alone, the rare ones by how rare they are.

Most words of any language are rare, so most cells of a table of words say nothing: whether a
tenth of the rows changed drowns in them. Here the commonest words stand alone, as many as leave
the noise small against the tolerance, and all others share three cells: met once, met two or
three times, met more often. Every choice is made on the counts of both sides together, so without
a change no cell favours a side; with one, the total variation of the cells is at most that of the
words (a word met once says which side it came from with a chance that depends on the other rows
alone). Words of another language, or names nobody used before, fill the cell of the words met
once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.stats.counts import Counts, paired

NOISE = 0.4
"""Noise of the common words together, as a share of the tolerance."""
STANDS = 10
"""Rows of both sides that a word needs to stand alone."""
CLASSES = ((1, 1), (2, 3), (4, None))
"""How often the words of each shared cell were met, on both sides together."""


@dataclass(frozen=True)
class Vocabulary:
    """Rows of each cell on both sides: the words at `common` of the counts, then three more."""

    common: npt.NDArray[np.int64]
    reference: Counts
    current: Counts

    @property
    def covered(self) -> tuple[float, float]:
        """The share of either side's rows that the common words hold."""
        k = len(self.common)
        return (
            float(self.reference[:k].sum() / max(int(self.reference.sum()), 1)),
            float(self.current[:k].sum() / max(int(self.current.sum()), 1)),
        )

    @property
    def once(self) -> tuple[float, float]:
        """The share of either side's rows whose word was met only once on both sides together."""
        k = len(self.common)
        return (
            float(self.reference[k] / max(int(self.reference.sum()), 1)),
            float(self.current[k] / max(int(self.current.sum()), 1)),
        )


def vocabulary(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, tolerance: float = 0.10
) -> Vocabulary:
    """Return the cells in which to compare the words of two sides.

    Raises DataError where the counts are none.

    >>> made = vocabulary([5000, 4000, 1, 0, 2], [4500, 4500, 0, 1, 5])
    >>> made.common.tolist(), made.reference.tolist(), made.current.tolist()
    ([0, 1], [5000, 4000, 1, 0, 2], [4500, 4500, 1, 0, 5])
    """
    ours, theirs = paired(reference, current)
    rows, other_rows = max(int(ours.sum()), 1), max(int(theirs.sum()), 1)
    both = ours + theirs
    share = both / (rows + other_rows)
    noise = np.sqrt(share * (1 - share) * (1 / rows + 1 / other_rows)) / 2
    order = np.argsort(-both, kind="stable")
    most = int(np.searchsorted(np.cumsum(noise[order]), NOISE * tolerance))
    common = order[: min(most, int(np.count_nonzero(both >= STANDS)))]
    rest = both.copy()
    rest[common] = 0
    sides: list[list[int]] = [[], []]
    for low, high in CLASSES:
        held = (rest >= low) & (rest <= (high or rest.max(initial=0)))
        for side, counts in zip(sides, (ours, theirs), strict=True):
            side.append(int(counts[held].sum()))
    return Vocabulary(
        common,
        np.append(ours[common], sides[0]).astype(np.int64),
        np.append(theirs[common], sides[1]).astype(np.int64),
    )
