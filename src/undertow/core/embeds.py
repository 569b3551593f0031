"""What an encoder of texts is, and its fingerprint: which space its vectors live in.

Two encoders may return vectors of one length that have nothing to do with each other, and nothing
raises an exception. A fingerprint says what the encoder is made of (its weights, its tokenizer, its
pooling, as far as it knows) and what it *does* to 16 fixed texts. Behaviour decides: it is compared
with a tolerance, because two machines differ in the last bits of a float, and a hash of floats would
differ with them.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from undertow.core.encode import Encodes, Matrix, encode
from undertow.core.hashing import mix

Fact = str | int | float | bool
PROJECTIONS = 8
STEP = 1 / 32
"""What one unit of a kept projection stands for: it adds less than 0.0001 to 1 - cosine."""
NEAR = 1e-3
"""Mean of 1 - cosine over the anchors, below which two encoders share a space."""
NEAR_EACH = 5e-3
"""The same for the worst anchor: another maximum length shows in one of them alone."""
FAR = 0.2
"""Mean of 1 - cosine from which a space is foreign; weights of 8 bits measured 0.04."""
NORM = 0.01


_TOPICS = (
    "Depot {n} moved a parcel to shelf {m}.",
    "The choir sang hymn {n} in hall {m}.",
    "Nurse {n} took a pulse of {m} at noon.",
    "A glacier lost {n} metres above camp {m}.",
    "Striker {n} scored in minute {m} of the cup.",
    "The oven roasted {n} peppers for table {m}.",
)


def _long(sentences: int) -> str:
    """Return a text whose topic changes as it goes on, so that its end is not like its start."""
    told = (
        _TOPICS[n // 8 % len(_TOPICS)].format(n=n * 37 % 101, m=n * 53 % 89)
        for n in range(sentences)
    )
    return " ".join(told)


ANCHORS: tuple[str, ...] = (
    "The parcel arrived two days late and the box was open.",
    "How do I change the language of my account?",
    "Not bad at all, though I would not call it good.",
    "WHY WAS I CHARGED TWICE THIS MONTH",
    "Rain is expected along the coast by early evening.",
    "def area(r): return 3.14159 * r ** 2  # square metres",
    "Wo kann ich meine Rechnung für März herunterladen?",
    "Le train de 18 h 04 est annulé à cause de la neige.",
    "明日の会議は何時からですか。",
    "😀 thx!!! see u @ 9:30 #monday",
    "<p>Terms &amp; conditions apply.</p>",
    "order 48213, SKU AX-9, qty 3, EUR 17.50",
    "gene expression in zebrafish larvae under hypoxia",
    "yes",
    _long(16),
    _long(60),
)
"""Texts of many kinds: a long one (over 128 word pieces) and a very long one (over 512) show where
an encoder cuts."""


@runtime_checkable
class Embeds(Encodes, Protocol):
    """An encoder: texts -> vectors, with a name and what it knows of itself."""

    def __call__(self, texts: Sequence[str], /) -> Matrix:
        """Return the vectors (n, d) of n texts, float32, in their order."""
        ...

    def identity(self) -> Mapping[str, Fact]:
        """Return what fixes its vectors, as far as it knows.

        Hashes of weights and tokenizer, pooling, precision, normalisation, maximum length; nothing
        secret, and nothing that varies from run to run.
        """
        ...


@runtime_checkable
class Fits(Protocol):
    """An encoder that has to read texts before it can encode any: TF-IDF learns its words."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def fitted(self, texts: Sequence[str | None]) -> Embeds:
        """Return the encoder that these texts make of it.

        Give it the texts of all rows that will be compared: an encoder fitted on one side treats
        the other unlike it.
        """
        ...


class Match(enum.StrEnum):
    """How two spaces compare: the same, the same one moved a little, foreign, or not known."""

    SAME = "same"
    MOVED = "moved"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fingerprint:
    """Which space an encoder's vectors live in; its text form is what `Column.space` holds.

    `id` is a hash of the identity (12 hex digits), `norm` the mean length of the anchors' vectors,
    and `code` 8 random projections of each anchor's direction, in steps of 1/32 (128 bytes).

    >>> class Letters:
    ...     name = "letters"
    ...     def __call__(self, texts):
    ...         return [[t.count(c) + 0.1 for c in "aeiou"] for t in texts]
    ...     def identity(self):
    ...         return {"letters": "aeiou"}
    >>> made = fingerprint(Letters())
    >>> Fingerprint.parse(str(made)) == made, made.label
    (True, 'letters 14c23a')
    """

    name: str
    id: str
    dimension: int
    norm: float
    code: bytes

    def __str__(self) -> str:
        """Return the fingerprint as one line that `parse` reads."""
        code = base64.urlsafe_b64encode(self.code).decode().rstrip("=")
        return f"{self.id} {self.dimension} {self.norm:.4g} {code} {self.name}"

    @property
    def label(self) -> str:
        """The name and the first digits of the id, for people."""
        return f"{self.name} {self.id[:6]}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the fingerprint of a text form, or None where the text is none."""
        found = _FORM.match(text)
        if found is None:
            return None
        code = base64.urlsafe_b64decode(found["code"] + "=" * (-len(found["code"]) % 4))
        if len(code) != len(ANCHORS) * PROJECTIONS:
            return None
        return cls(found["name"], found["id"], int(found["d"]), float(found["norm"]), code)

    def compare(self, other: Fingerprint) -> Match:
        """Tell whether the vectors of both may stand beside each other, by what both do to the anchors.

        1 - cosine is estimated from random projections, with the anchors' common part taken out: an
        encoder whose vectors all point one way is judged by the rest. Its relative error is about
        12% over all anchors.
        """
        if self.dimension != other.dimension:
            return Match.FOREIGN
        apart = self._apart(other)
        if float(apart.mean()) >= FAR:
            return Match.FOREIGN
        larger = max(self.norm, other.norm)
        same_length = abs(self.norm - other.norm) <= NORM * larger
        if same_length and float(apart.mean()) <= NEAR and float(apart.max()) <= NEAR_EACH:
            return Match.SAME
        return Match.MOVED

    def _apart(self, other: Fingerprint) -> NDArray[np.float64]:
        """Return 1 - cosine of each anchor (16), estimated."""
        one, two = self._projected, other._projected
        spread = one.var(axis=0).mean() + two.var(axis=0).mean()
        if spread <= 0:  # an encoder that gives every text one direction
            spread = 2.0
        return np.asarray(((one - two) ** 2).mean(axis=1) / spread)

    @property
    def _projected(self) -> NDArray[np.float64]:
        code = np.frombuffer(self.code, np.int8).astype(np.float64) * STEP
        return code.reshape(len(ANCHORS), PROJECTIONS)

    def to_dict(self) -> dict[str, Any]:
        """Return the fingerprint as JSON values."""
        return {
            "name": self.name,
            "id": self.id,
            "dimension": self.dimension,
            "norm": float(f"{self.norm:.4g}"),
            "space": str(self),
        }


_FORM = re.compile(
    r"(?P<id>[0-9a-f]{12}) (?P<d>[1-9]\d{0,5}) (?P<norm>[0-9.e+-]+) (?P<code>[\w-]{171}) (?P<name>.*)"
)


def fingerprint(encoder: Embeds) -> Fingerprint:
    """Return the fingerprint of an encoder: 17 short calls of it.

    The anchors are encoded one at a time, so that nobody's batch size shows in it. Raises DataError
    as `encode` does.
    """
    vectors = np.vstack([encode(encoder, [text]) for text in ANCHORS]).astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    units = vectors / np.where(norms > 0, norms, 1.0)[:, None]
    steps = np.rint(units @ _signs(vectors.shape[1]) / STEP)
    code = np.clip(steps, -127, 127).astype(np.int8).tobytes()
    norm = float(f"{norms.mean():.4g}")
    return Fingerprint(encoder.name, _digest(encoder.identity()), vectors.shape[1], norm, code)


def compare_spaces(one: str, other: str) -> Match:
    """Compare what `Column.space` holds on two sides: fingerprints, or names that users gave.

    >>> compare_spaces("model-2", "model-3"), compare_spaces("", "model-3")
    (<Match.FOREIGN: 'foreign'>, <Match.UNKNOWN: 'unknown'>)
    """
    if not one or not other:
        return Match.UNKNOWN
    if one == other:
        return Match.SAME
    left, right = Fingerprint.parse(one), Fingerprint.parse(other)
    if left is None or right is None:
        return Match.FOREIGN
    return left.compare(right)


def space_label(space: str) -> str:
    """Return what `Column.space` holds in words: name and short id, or the name a user gave."""
    found = Fingerprint.parse(space)
    return found.label if found is not None else space


def _digest(identity: Mapping[str, Fact]) -> str:
    text = json.dumps(dict(identity), sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _signs(dimension: int) -> NDArray[np.float64]:
    """Return fixed random signs (d, 8): the same on every machine and in every numpy."""
    keys = mix(np.arange(dimension * PROJECTIONS, dtype=np.uint64) + np.uint64(0x616E63686F72))
    bits = (keys >> np.uint64(63)).astype(np.float64)
    return np.asarray((2 * bits - 1).reshape(dimension, PROJECTIONS))
