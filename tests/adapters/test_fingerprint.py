"""A fingerprint holds still for the same encoder on another day, and moves for another one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from undertow.core.embeds import (
    ANCHORS,
    Embeds,
    Fingerprint,
    Fits,
    Match,
    compare_spaces,
    fingerprint,
    space_label,
)


class Words:
    """An encoder of our own: each word has a random vector, a text their mean, of length 1."""

    def __init__(self, after=lambda vectors: vectors, *, longest=10_000, name="words", **facts):
        self.after, self.longest, self.name, self.facts = after, longest, name, facts

    def __call__(self, texts):
        rows = np.array([self._mean(text.split()[: self.longest]) for text in texts])
        return self.after(rows / np.linalg.norm(rows, axis=1)[:, None])

    def identity(self):
        return self.facts

    def _mean(self, words):
        return np.mean([self._word(word) for word in words], axis=0)

    def _word(self, word):
        seed = hashlib.sha256(word.encode()).digest() * 2
        return np.frombuffer(seed, np.uint8).astype(np.float64) - 127.5


def noisy(size):
    """Return a function that adds noise of that size to each number, another one each time."""
    rng = np.random.default_rng(5)
    return lambda vectors: vectors + rng.normal(size=vectors.shape) * size


def int8(vectors):
    """Return vectors as 3 bits a number would keep them."""
    step = 0.12
    return np.rint(vectors / step) * step


def rotated(vectors):
    """Return the vectors under a fixed rotation."""
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 64)))[0]
    return vectors @ turn


def test_our_encoders_are_encoders():
    """The protocols tell an encoder from one that must read texts first."""
    assert isinstance(Words(), Embeds)
    assert not isinstance(Words(), Fits)
    assert not isinstance(len, Embeds)


def test_the_form_that_profiles_keep_never_changes():
    """Stored fingerprints stay comparable: anchors, signs and steps are part of the format."""
    made = fingerprint(Words(weights="abc", max_length=3))
    assert len(ANCHORS) == 16
    assert made.id == "3edd747b0276"
    assert hashlib.sha256(made.code).hexdigest()[:12] == "f1bc5b79d2e6"


def test_a_fingerprint_is_read_back_from_its_line():
    """The line that a column carries is the whole fingerprint, names with spaces included."""
    made = fingerprint(Words(name="our own: v2 #1"))
    assert Fingerprint.parse(str(made)) == made
    assert made.to_dict()["space"] == str(made)
    assert len(str(made)) < 250
    for broken in ("", "model-2", str(made)[1:], str(made).replace(" 64 ", " x ")):
        assert Fingerprint.parse(broken) is None


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e-4])
def test_noise_of_floats_is_the_same_space(size):
    """Another machine, another batch size, another order of summation: the same space."""
    plain = fingerprint(Words())
    assert plain.compare(fingerprint(Words(noisy(size)))) is Match.SAME
    assert plain.compare(fingerprint(Words(lambda v: v.astype(np.float16)))) is Match.SAME


@pytest.mark.parametrize(
    ("after", "match"),
    [
        (int8, Match.MOVED),
        (noisy(0.02), Match.MOVED),
        (lambda vectors: vectors * 2, Match.MOVED),
        (rotated, Match.FOREIGN),
        (lambda vectors: -vectors, Match.FOREIGN),
        (lambda vectors: vectors[:, ::-1], Match.FOREIGN),
        (lambda vectors: vectors[:, :32], Match.FOREIGN),
    ],
)
def test_what_moves_the_vectors_is_told(after, match):
    """Fewer bits and another scale move a space; a rotation, a flip and a cut make it foreign."""
    one, other = fingerprint(Words()), fingerprint(Words(after))
    assert one.compare(other) is match
    assert other.compare(one) is match


@pytest.mark.parametrize("longest", [60, 400])
def test_another_maximum_length_is_seen(longest):
    """The long anchors show where an encoder cuts."""
    assert fingerprint(Words()).compare(fingerprint(Words(longest=longest))) is Match.MOVED


def test_a_common_direction_does_not_hide_a_change():
    """Where every vector points one way, the rest of it is compared."""
    common = np.zeros(64)
    common[0] = 8.0
    one = fingerprint(Words(lambda vectors: vectors + common))
    assert one.compare(fingerprint(Words(lambda vectors: vectors + common))) is Match.SAME
    assert one.compare(fingerprint(Words(lambda v: rotated(v) + common))) is Match.FOREIGN


def test_behaviour_decides_and_the_identity_names():
    """Equal files that act in another way are not the same; other files that act alike are."""
    one = fingerprint(Words(weights="a"))
    assert fingerprint(Words(weights="a")) == one
    assert fingerprint(Words(weights="b")).id != one.id
    assert fingerprint(Words(weights="b")).compare(one) is Match.SAME
    assert fingerprint(Words(rotated, weights="a")).id == one.id
    assert fingerprint(Words(rotated, weights="a")).compare(one) is Match.FOREIGN


def test_an_encoder_that_gives_every_text_one_vector_has_a_fingerprint():
    """A constant encoder is the same as itself and foreign to the others."""
    constant = fingerprint(Words(np.ones_like))
    assert constant.compare(fingerprint(Words(np.ones_like))) is Match.SAME
    assert constant.compare(fingerprint(Words())) is Match.FOREIGN


def test_an_encoder_of_zeros_has_a_fingerprint():
    """A length of nothing divides by nothing."""
    nothing = fingerprint(Words(np.zeros_like))
    assert nothing.norm == 0
    assert nothing.compare(nothing) is Match.SAME
    assert replace(nothing, norm=1.0).compare(nothing) is Match.MOVED


def test_spaces_compare_as_columns_carry_them():
    """Fingerprints by behaviour, names by their letters, and nothing said is not known."""
    one, other = str(fingerprint(Words())), str(fingerprint(Words(noisy(1e-3), name="again")))
    assert one != other
    assert compare_spaces(one, other) is Match.SAME
    assert compare_spaces(one, one) is Match.SAME
    assert compare_spaces("ada-2", "ada-2") is Match.SAME
    assert compare_spaces("ada-2", one) is Match.FOREIGN
    assert compare_spaces("", one) is Match.UNKNOWN
    assert space_label(one).startswith("words ")
    assert space_label("ada-2") == "ada-2"
