"""What a tokenizer is, and its fingerprint: which pieces it makes of which text.

A model reads pieces, not text. A tokenizer that is served otherwise than it was trained with raises no
exception: the model reads other pieces. A fingerprint says what the tokenizer is made of, as far as it
knows, and what it *does* to fixed texts. Pieces are discrete, so unlike an encoder's vectors what it
does can be hashed, text by text: two fingerprints say on which kinds of text they part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from undertow.core.embeds import Fact
from undertow.core.errors import DataError, UndertowError

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BATCH = 400_000
"""Characters that a tokenizer is given at once, unless one text has more."""
BATCH_TEXTS = 2_000


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of n texts, one after the other: text i has those from `starts[i]` to `starts[i + 1]`.

    `names` (p,) say which pieces, `ids` their numbers, None where the tokenizer has none; `begin` and
    `end` (p,) say which characters of its text each stands for, -1 where that is not known. `unknown`
    marks what stands for something the vocabulary lacks, `special` what the tokenizer added: [CLS].
    """

    starts: Ints
    names: Sequence[str]
    ids: Ints | None
    begin: Ints
    end: Ints
    unknown: Flags
    special: Flags

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.starts) - 1

    @property
    def counts(self) -> Ints:
        """How many pieces each text has, special ones included."""
        return np.diff(self.starts)

    def of(self, text: int) -> tuple[str, ...]:
        """Return the pieces of one text by name."""
        return tuple(self.names[self.starts[text] : self.starts[text + 1]])


@runtime_checkable
class Tokenizes(Protocol):
    """A tokenizer: texts -> pieces, with a name, the most it reads, and what it knows of itself."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def max_length(self) -> int | None:
        """The most pieces of a text that the model reads, special ones included; None: not known."""
        ...

    def __call__(self, texts: Sequence[str], /) -> Pieces:
        """Return all pieces of n texts, in their order; nothing is cut."""
        ...

    def identity(self) -> Mapping[str, Fact]:
        """Return what fixes its pieces, as far as it knows: hashes, settings; nothing that varies."""
        ...


@runtime_checkable
class Normalises(Protocol):
    """A tokenizer that can show what is left of a text before it is split."""

    def normalised(self, text: str, /) -> str:
        """Return the text as the tokenizer's own preparation leaves it."""
        ...


def tokenize(tokenizer: Tokenizes, texts: Sequence[str]) -> Pieces:
    """Return the pieces of texts; raise DataError where the tokenizer fails, or returns another count.

    >>> class Letters:
    ...     name, max_length = "letters", None
    ...     def __call__(self, texts):
    ...         return pieces([[(c, n, n + 1) for n, c in enumerate(t)] for t in texts])
    ...     def identity(self):
    ...         return {}
    >>> tokenize(Letters(), ["ab", "", "c"]).counts.tolist()
    [2, 0, 1]
    """
    try:
        found = tokenizer(texts)
    except UndertowError:
        raise
    except (Exception, SystemExit) as error:
        what = str(error).strip().split("\n")[0][:120]
        told = f"{type(error).__name__}: {what}" if what else type(error).__name__
        raise DataError(
            f"tokenizer {tokenizer.name} failed on {len(texts)} texts ({told}); "
            "try it on one text by itself"
        ) from error
    if not isinstance(found, Pieces):
        raise DataError(
            f"tokenizer {tokenizer.name} returned {type(found).__name__}; it must return the pieces"
        )
    if len(found) != len(texts):
        raise DataError(
            f"tokenizer {tokenizer.name} returned the pieces of {len(found)} texts for {len(texts)}; "
            "it must return one list of pieces a text, in their order"
        )
    return found


def pieces(found: Sequence[Sequence[tuple[str, int, int]]]) -> Pieces:
    """Return pieces from their names and characters, a list a text.

    >>> pieces([[("un", 0, 2), ("tie", 2, 5)]]).of(0)
    ('un', 'tie')
    """
    counts = [len(each) for each in found]
    flat = [piece for each in found for piece in each]
    places = np.array([piece[1:] for piece in flat], np.int64).reshape(len(flat), 2)
    none = np.zeros(len(flat), np.bool_)
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    names = [piece[0] for piece in flat]
    return Pieces(starts, names, None, places[:, 0], places[:, 1], none, none)


def batches(texts: Sequence[str]) -> Iterator[slice]:
    """Yield the texts in slices that a tokenizer can be given at once.

    >>> [(some.start, some.stop) for some in batches(["a" * 300_000] * 2 + ["b"] * 3)]
    [(0, 1), (1, 5)]
    """
    start, held = 0, 0
    for row, text in enumerate(texts):
        full = held + len(text) > BATCH or row - start >= BATCH_TEXTS
        if full and row > start:
            yield slice(start, row)
            start, held = row, 0
        held += len(text)
    if start < len(texts):
        yield slice(start, len(texts))


_SOME = ("parcel", "choir", "nurse", "glacier", "striker", "oven", "harbour", "ledger", "violin")


def _long(words: int) -> str:
    return " ".join(_SOME[n * 7 % len(_SOME)] for n in range(words))


ANCHORS: Mapping[str, str] = {
    "plain words": "the parcel arrived two days late and the box was open",
    "capitals": "WHY was Anna charged TWICE this month",
    "composed accents": "caf\u00e9 f\u00fcr M\u00e4rz, \u00e0 c\u00f4t\u00e9 de l'h\u00f4tel",
    "decomposed accents": "cafe\u0301 fu\u0308r Ma\u0308rz, a\u0300 co\u0302te\u0301 de l'ho\u0302tel",
    "HTML": '<p>Terms &amp; conditions apply: "R&D" &lt; &#39;A&#39;</p>',
    "raw & < > quotes": "R&D < \"sales\" > 'others'",
    "whitespace": "  two  spaces,\ta tab\r\nand\u00a0lines \n",
    "compatibility forms": "\ufb01ne of\ufb01ce \uff21\uff22\uff23 \u2460 x\u00b2 \u2026",
    "quotes and dashes": "\u201cquoted\u201d \u2018so\u2019 \u2013 don\u2019t \u2014 don't",
    "numbers": "order 48213, EUR 17.50, 1,000,000, 3.14159",
    "code": "def area(r): return PI * r ** 2  # square_metres -> float",
    "rare words": "tirzepatide vLLM agentic pneumonoultramicroscopic zqxj",
    "Cyrillic and Greek": "Привет, мир! Καλημέρα",
    "Chinese and Japanese": "明日の会議は何時からですか。我们开会",
    "emoji": "😀 thx!!! 👩‍👩‍👧 see u @ 9:30 #monday",
    "control characters": "soft\u00adhyphen zero\u200bwidth bell\u0007",
    "markers in the text": "[CLS] <s> [MASK] <|endoftext|> </s> ##ing \u2581so \u0120so",
    "over 128 pieces": _long(150),
    "over 512 pieces": _long(600),
}
"""Texts by what they show of a tokenizer."""
DIGITS = 4


@dataclass(frozen=True)
class TokenizerFingerprint:
    """What a tokenizer is made of (`id`, 12 hex digits) and does to each anchor (4 hex digits each).

    >>> class Words:
    ...     name, max_length = "words", None
    ...     def __call__(self, texts):
    ...         return pieces([[(w, -1, -1) for w in t.split()] for t in texts])
    ...     def identity(self):
    ...         return {"split": "whitespace"}
    >>> made = tokenizer_fingerprint(Words())
    >>> TokenizerFingerprint.parse(str(made)) == made, made.apart(made)
    (True, ())
    """

    name: str
    id: str
    code: str

    def __str__(self) -> str:
        """Return the fingerprint as one line that `parse` reads."""
        return f"{self.id} {self.code} {self.name}"

    @property
    def behaviour(self) -> str:
        """What it does to all anchors in 6 hex digits, for people."""
        return hashlib.blake2b(self.code.encode(), digest_size=3).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the fingerprint of a text form, or None where the text is none."""
        found = _FORM.match(text)
        return None if found is None else cls(found["name"], found["id"], found["code"])

    def apart(self, other: TokenizerFingerprint) -> tuple[str, ...]:
        """Return the kinds of text that the two tokenize otherwise, by the anchors."""
        ours, theirs = (
            [each.code[at : at + DIGITS] for at in range(0, len(each.code), DIGITS)]
            for each in (self, other)
        )
        pairs = zip(ANCHORS, ours, theirs, strict=True)
        return tuple(kind for kind, one, two in pairs if one != two)

    def to_dict(self) -> dict[str, Any]:
        """Return the fingerprint as JSON values."""
        return {"name": self.name, "id": self.id, "fingerprint": str(self)}


_FORM = re.compile(
    rf"(?P<id>[0-9a-f]{{12}}) (?P<code>[0-9a-f]{{{DIGITS * len(ANCHORS)}}}) (?P<name>.*)"
)


def tokenizer_fingerprint(tokenizer: Tokenizes) -> TokenizerFingerprint:
    """Return the fingerprint of a tokenizer: one short call of it.

    What it reads of the long anchors counts, so another maximum length shows. Raises DataError as
    `tokenize` does.
    """
    found = tokenize(tokenizer, list(ANCHORS.values()))
    code = "".join(_code(found, row, tokenizer.max_length) for row in range(len(found)))
    facts = {**tokenizer.identity(), "max_length": tokenizer.max_length}
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    made = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return TokenizerFingerprint(tokenizer.name, made, code)


def _code(found: Pieces, row: int, most: int | None) -> str:
    low, high = int(found.starts[row]), int(found.starts[row + 1])
    read = min(high - low, most if most is not None else high - low)
    told = [*found.names[low : low + read]]
    numbers = [] if found.ids is None else found.ids[low : low + read].tolist()
    text = json.dumps([high - low > read, told, numbers], ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=DIGITS // 2).hexdigest()
