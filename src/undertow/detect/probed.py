"""What became of the documents of an index whose texts were encoded again: which are not their own.

A vector that is not that of its text is a fact for the documents that were probed; for all of them it
is a share with an interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.core.finding import Finding, Rows, percent
from undertow.core.verdict import Effect, Verdict
from undertow.detect.integrity import EXAMPLES, LEADS, Example, finding, of
from undertow.stats.probe import Kind
from undertow.stats.score import limits

WHOLE = 0.9
"""Share of the probed from which it is not some vectors but the index."""


@dataclass(frozen=True)
class Tally:
    """How many vectors of one kind were found: among the drawn ones, and among those that looked odd."""

    kind: Kind
    drawn: int
    of_drawn: int
    odd: int
    of_odd: int
    examples: Sequence[Example] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """How many of how many, the share and its interval."""
        if not self.drawn:
            return f"{self.odd:,} of the {self.of_odd:,} documents that looked odd"
        low, high = (float(each) for each in limits(self.drawn, self.of_drawn))
        share = f"{percent(self.drawn / self.of_drawn)}, {percent(low)} to {percent(high)}"
        return f"{self.drawn:,} of {self.of_drawn:,} documents drawn ({share})"

    @property
    def holding(self) -> str:
        """The same, with a verb."""
        return f"{self.told} {'holds' if max(self.drawn, self.odd) == 1 else 'hold'}"

    @property
    def whole(self) -> bool:
        """Whether it is nearly all of them."""
        return self.drawn >= WHOLE * self.of_drawn > 0


_WRONG: Mapping[Kind, tuple[str, str, str, str]] = {
    Kind.SWAPPED: (
        "ids shuffled",
        "ids of vectors",
        "ids are shuffled: {} the vector of another document",
        "build the index again, and see where vectors are joined to ids",
    ),
    Kind.FOREIGN: (
        "another space",
        "space of vectors",
        "two spaces in one index: {} a vector of another encoder",
        "encode them again, all by one encoder; `undertow encoders` tells which vectors it is",
    ),
    Kind.COPIED: (
        "one vector for many",
        "copied vectors",
        "one vector for many: {} a vector that other ids hold too",
        "encode these documents again: a batch may have been written twice",
    ),
    Kind.CUT: (
        "dimensions zeroed",
        "dimensions",
        "part of the numbers is lost: {} a vector with zeros in place of numbers",
        "encode these documents again: what is lost cannot be restored",
    ),
    Kind.OTHER: (
        "another text",
        "texts of vectors",
        "{} a vector of some other text: theirs has changed since, or it never was theirs",
        "encode these documents again",
    ),
}
_ALL_FOREIGN = "another space: {} a vector that this encoder does not make"


def wrong(tallies: Sequence[Tally], rows: Rows) -> Iterator[Finding]:
    """Yield a finding a kind of wrong vector, the commonest first."""
    order = sorted(tallies, key=lambda each: (-each.drawn, -each.odd))
    for place, each in enumerate(order):
        fault, subject, says, step = _WRONG[each.kind]
        if each.kind is Kind.FOREIGN and each.whole:
            says = _ALL_FOREIGN
        yield finding(
            "wrong",
            fault,
            says.format(each.holding),
            rows=rows,
            subject=subject,
            evidence=_counted(each),
            examples=tuple(each.examples[:EXAMPLES]),
            next=(step,),
            place=place,
        )


def moved(tally: Tally, cosine: float, overlap: float, rows: Rows) -> Finding:
    """Return the finding on vectors that lie near those of now, and not on them."""
    near = f"mean cosine {cosine:.3f}, {percent(overlap)} of the 10 nearest the same"
    says = f"moved, harmless?: {tally.holding} a vector near the one made now ({near})"
    if tally.whole:
        step = "if it is the same model (8-bit weights, another library), say that it is allowed"
    else:
        step = "see whether their texts were edited since, or whether another precision made them"
    return finding(
        "moved",
        "moved",
        says,
        rows=rows,
        verdict=Verdict.WATCH,
        subject="vectors near their place",
        evidence={**_counted(tally), "cosine": round(cosine, 6), "overlap": round(overlap, 4)},
        examples=tuple(tally.examples[:EXAMPLES]),
        next=(step,),
    )


def share(
    effect: Effect, wrong_: int, drawn: int, rows: Rows, evidence: Mapping[str, Any]
) -> Finding:
    """Return the finding on the share of all vectors that are wrong."""
    says = f"{of(wrong_, drawn, 'vectors drawn')} are not those of their texts" if drawn else ""
    return Finding(
        "index.probe",
        "wrong vectors",
        says or "no stored vector could be made again",
        effect,
        Rows(drawn, drawn),
        evidence={**evidence, "stored": rows.current},
        needs_rows=None if effect.defined and effect.high < 2 * effect.tolerance else 2 * drawn,
        precedence=10 * LEADS.index("probe"),
    )


def unprobed(why: str, rows: Rows) -> Finding:
    """Return the finding where no text could be encoded again."""
    return finding(
        "probe",
        "not probed",
        f"no vector was held against its text: {why}",
        rows=rows,
        verdict=Verdict.UNKNOWN,
        subject="wrong vectors",
    )


def _counted(each: Tally) -> dict[str, Any]:
    return {
        "drawn": each.drawn,
        "of_drawn": each.of_drawn,
        "odd": each.odd,
        "of_odd": each.of_odd,
        **each.evidence,
    }


def scaled(
    count: int,
    drawn: int,
    scale: NDArray[np.float64],
    examples: Sequence[Example],
    rows: Rows,
) -> Finding:
    """Return the finding on drawn vectors that are not as long as the encoder makes them."""
    low, high = (float(each) for each in limits(count, drawn))
    share_ = f"{percent(count / drawn)}, {percent(low)} to {percent(high)}"
    span = f"{scale.min():.3g} to {scale.max():.3g}"
    return finding(
        "length",
        "not normalised",
        f"{count:,} of {drawn:,} documents drawn ({share_}) have a vector {span} times as long as "
        "the encoder makes it",
        rows=rows,
        subject="lengths of vectors",
        evidence={"drawn": count, "of_drawn": drawn},
        examples=tuple(examples[:EXAMPLES]),
        next=("scale the stored vectors to the length that the encoder gives, or rank by cosine",),
    )
