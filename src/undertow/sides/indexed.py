"""An index that is to be verified, with the documents that should be in it, and how it is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from undertow.core.embeds import Embeds, Fingerprint
from undertow.core.encode import Matrix, encode
from undertow.core.finding import Finding, Rows
from undertow.core.index import Lays, Stored
from undertow.detect import integrity as counted
from undertow.options import Progress, ticker
from undertow.stats.stored import Facts


@dataclass(frozen=True, eq=False)
class Held:
    """What is stored, what is known of it, and the documents that should be."""

    stored: Stored
    facts: Facts
    wanted: dict[str, str] | None
    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places.update({name: row for row, name in enumerate(self.stored.ids)})

    @property
    def rows(self) -> Rows:
        """How many documents there should be, and how many vectors there are."""
        count = len(self.stored)
        return Rows(count if self.wanted is None else len(self.wanted), count)

    def text(self, row: int) -> str | None:
        """Return the text that a vector was made of, or else that of its document."""
        kept = None if self.stored.texts is None else self.stored.texts[row]
        return self.now(row) if kept is None else kept

    def now(self, row: int) -> str | None:
        """Return the text of the document as it is now, or else the one that was indexed."""
        name = self.stored.ids[row]
        if self.wanted is not None and name in self.wanted:
            return self.wanted[name]
        return None if self.stored.texts is None else self.stored.texts[row]

    def wants_vector(self, row: int) -> bool:
        """Tell whether a row should have a vector: it has a text, or nobody knows of one."""
        text = self.text(row)
        return text is None or bool(text.strip())

    def example(self, row: int, why: str) -> dict[str, str]:
        """Return a row as an example."""
        return counted.shown(self.stored.ids[row], self.text(row), why)


@dataclass(frozen=True, eq=False)
class Asked:
    """How the index is to be probed."""

    encoder: Embeds
    m: int
    seed: int
    tolerance: float
    bridge: Lays | None
    allowed: tuple[str, ...]
    progress: Progress | None

    @property
    def name(self) -> str:
        """What a person calls the encoder."""
        return self.encoder.name

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of texts as the encoder makes them."""
        return encode(self.encoder, texts, tick=ticker(self.progress, self.name, len(texts)))


def is_named(space: str, names: Sequence[str]) -> bool:
    """Tell whether a space is one of those named: by its fingerprint, label, id or encoder's name."""
    found = Fingerprint.parse(space)
    own = {space} if found is None else {space, found.label, found.name, found.id}
    return any(each in own for each in names if each)


def unusable(held: Held) -> list[Finding]:
    """Return what is surely wrong even where nothing can be encoded again."""
    found = []
    for check, which in (("broken", held.facts.broken), ("empty", held.facts.empty)):
        rows = [row for row in np.flatnonzero(which).tolist() if held.wants_vector(row)]
        if rows:
            why = "zeros" if check == "empty" else "not numbers"
            examples = [held.example(row, why) for row in rows[: counted.EXAMPLES]]
            found.append(counted.unusable(check, len(rows), examples, held.rows))
    return found
