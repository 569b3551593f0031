"""An issue is what is wrong with some rows of what was given: how many of how many, said in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """A fault of rows that were read: `kind` names it, `says` is one sentence for a colleague.

    >>> Issue("documents there twice", 1, 90, "1 of 90 documents repeats an id").share
    0.011111111111111112
    """

    kind: str
    count: int
    total: int
    says: str
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Which part of the rows it is, 0 where there are none."""
        return self.count / self.total if self.total else 0.0
