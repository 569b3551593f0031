"""Text -> how long it is, how loud, in which language, and what damage it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from undertow.core.schema import Column, Kind
from undertow.core.summary import State, Survey
from undertow.core.values import Values
from undertow.lenses.languages import language
from undertow.lenses.marks import LIMITS, marks
from undertow.summaries.letters import LETTER, MARK, UPPER
from undertow.summaries.sample import LONGEST
from undertow.summaries.tokens import Ints, Texts, per_row, texts

_UPPER = np.array([chr(n).isupper() and n < 128 for n in range(256)])
_LETTER = np.array([chr(n).isalpha() and n < 128 for n in range(256)])


@dataclass(frozen=True)
class Text:
    """Five plain columns of a text column, each a pure function of the row.

    `characters` (accents and their letter are one) and `words` are numbers, `capitals` the share of
    the letters that are upper case, `language` the language or script, `marks` the damage a parser
    or an encoding left. `limits` are lengths at which a text without an end counts as cut off.

    >>> made = Text()(Values(Column("q", Kind.TEXT), pa.array(["Where is it?", None])))
    >>> {name: array.to_pylist() for name, array in made.items()}
    {'q:characters': [12, None], 'q:words': [3, None], 'q:capitals': [0.1111111111111111, None],
     'q:language': ['latin, short', None], 'q:marks': ['clean', None]}
    """

    tag: ClassVar[str] = "text"
    kind: ClassVar[Kind] = Kind.TEXT

    limits: tuple[int, ...] = LIMITS

    @classmethod
    def fit(cls, survey: Survey, column: Column) -> Self:
        """Return the lens; it knows the reference's longest length too, if several rows have it."""
        if survey.sample.schema.get_field_index(column.name) < 0:
            return cls()
        cells = Values(column, survey.sample.column(column.name))
        length = np.concatenate(
            [_shape(some)[0] for some in texts(cells)] or [np.empty(0, np.int64)]
        )
        longest = int(length.max()) if len(length) else 0
        common = longest >= 40 and longest < LONGEST and int((length == longest).sum()) >= 3
        return cls(tuple(sorted({*LIMITS, longest}))) if common else cls()

    def columns(self, column: Column) -> tuple[Column, ...]:
        """Return the five columns; marks are read by `drift.artefacts` alone."""
        kinds = {
            "characters": Kind.NUMBER,
            "words": Kind.NUMBER,
            "capitals": Kind.NUMBER,
            "language": Kind.CATEGORY,
            "marks": Kind.OTHER,
        }
        return tuple(
            Column(
                f"{column.name}:{what}",
                kind,
                column.role,
                why="derived from the text",
                arrow=_ARROW[kind],
                origin=column.name,
            )
            for what, kind in kinds.items()
        )

    def __call__(self, values: Values) -> Mapping[str, pa.Array]:
        """Return the five columns of one batch; a missing text has none of them."""
        parts = [self._derived(some) for some in values.made(texts)]
        name = values.column.name
        if not parts:
            return {c.name: pa.nulls(0, _TYPES[c.kind]) for c in self.columns(values.column)}
        whats = ("characters", "words", "capitals", "language", "marks")
        return {
            f"{name}:{what}": _joined([part[place] for part in parts])
            for place, what in enumerate(whats)
        }

    def _derived(self, some: Texts) -> tuple[pa.Array, ...]:
        characters, letters, upper = _shape(some)
        missing = some.missing
        capitals = upper / np.maximum(letters, 1)
        return (
            pa.array(characters, mask=missing),
            pa.array(some.tokens.counts, mask=missing),
            pa.array(capitals, mask=missing),
            language(some, letters),
            marks(some, characters, frozenset(self.limits)),
        )

    def state(self) -> State:
        """Return the lengths at which texts are cut."""
        return {"limits": list(self.limits)}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Return the lens of a state."""
        return cls(tuple(int(limit) for limit in state["limits"]))


_ARROW = {Kind.NUMBER: "double", Kind.CATEGORY: "string", Kind.OTHER: "string"}
_TYPES = {Kind.NUMBER: pa.float64(), Kind.CATEGORY: pa.string(), Kind.OTHER: pa.string()}


def _joined(arrays: list[pa.Array]) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0]
    return pa.chunked_array(arrays).unify_dictionaries().combine_chunks()


def _shape(some: Texts) -> tuple[Ints, Ints, Ints]:
    """Return the characters, letters and capital letters of each row."""
    data, starts = some.bytes
    characters = np.asarray(pc.utf8_length(some.array)).astype(np.int64)
    letters, upper = per_row(_LETTER[data], starts), per_row(_UPPER[data], starts)
    if len(some.wide):
        points = some.points
        characters[some.wide] -= points.count((points.flags & MARK) != 0)
        letters[some.wide] = points.count((points.flags & LETTER) != 0)
        upper[some.wide] = points.count((points.flags & UPPER) != 0)
    return characters, letters, upper
