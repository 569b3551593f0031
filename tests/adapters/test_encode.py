"""The guarded call: what an encoder returns is checked, and each failure is one line."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from undertow.core.encode import encode, steadiness
from undertow.core.errors import DataError, UsageError


class Fake:
    """An encoder made of a function, which remembers what it was asked."""

    name = "fake"

    def __init__(self, function) -> None:
        self.function = function
        self.asked: list[list[str]] = []

    def __call__(self, texts):
        self.asked.append(list(texts))
        return self.function(texts)


def lengths(texts):
    """Return two numbers a text."""
    return np.array([[len(text), 1.0] for text in texts])


def test_missing_empty_and_equal_texts_are_told_apart_and_asked_once():
    """A missing text is a row of NaN, an empty one of zeros, and equal ones are sent once."""
    fake, ticks = Fake(lengths), []
    found = encode(fake, ["bb", None, "", "a", " \n", "bb"], tick=ticks.append)
    assert fake.asked == [["a", "bb"]]
    assert found.dtype == np.float32
    assert np.isnan(found[1]).all()
    assert found[[2, 4]].tolist() == [[0, 0], [0, 0]]
    assert found[[0, 3, 5], 0].tolist() == [2, 1, 2]
    assert sum(ticks) == 6


def test_nothing_to_encode_still_has_the_encoders_dimension():
    """Rows without any text get zeros or NaN of the right width; no rows at all get no row."""
    ticks: list[int] = []
    found = encode(Fake(lengths), [None, ""], tick=ticks.append)
    assert found.shape == (2, 2)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [0, 0]
    assert sum(ticks) == 2
    assert encode(Fake(lengths), []).shape == (0, 2)


def test_batches_are_bounded_and_hold_texts_of_like_length():
    """No call holds more texts than a batch, and the shortest go first."""
    fake = Fake(lengths)
    texts = ["x" * (n % 37 + 1) + str(n) for n in range(100)]
    found = encode(fake, texts, batch=32)
    assert [len(some) for some in fake.asked] == [32, 32, 32, 4]
    assert found[:, 0].tolist() == [len(text) for text in texts]
    sizes = [len(text) for some in fake.asked for text in some]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda texts: lengths(texts)[1:], "returned 2 vectors for 3 texts"),
        (lambda texts: lengths(texts)[0], r"an array of shape \(2,\) for 3 texts"),
        (lambda _: np.array([["a", "b"]] * 3), "returned <U1 values"),
        (lambda _: np.ones((3, 2), complex), "complex128 values"),
        (lambda _: None, "returned object values"),
        (lambda _: [[1.0], [1.0, 2.0], [3.0]], "vectors of 1, 2 numbers"),
        (lambda _: np.ones((3, 0)), "vectors of 0 numbers"),
        (lambda _: np.full((3, 2), np.nan), "returned nan in 3 of 3 vectors"),
        (lambda _: np.full((3, 2), 1e39), "returned inf in 3 of 3 vectors"),
        (lambda _: np.broadcast_to(np.float32(1), (3, 10**6)), "1000000 numbers"),
        (lambda _: 1 / 0, r"failed on 3 texts \(ZeroDivisionError: division by zero\)"),
        (lambda _: next(iter(())), r"failed on 3 texts \(StopIteration\)"),
    ],
)
def test_what_is_no_matrix_of_one_vector_a_text_is_refused(function, told):
    """A wrong count, shape, type, length or value, and an exception, are one line each."""
    with pytest.raises(DataError, match=told) as caught:
        encode(Fake(function), ["one", "two", "three"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("fake ")


def test_a_sparse_matrix_is_refused_with_the_way_out():
    """What TF-IDF of scikit-learn returns says how to make it dense."""
    from scipy import sparse

    with pytest.raises(DataError, match="toarray"):
        encode(Fake(lambda texts: sparse.csr_matrix(lengths(texts))), ["one"])


def test_a_dimension_that_varies_between_calls_is_refused():
    """Vectors of another length in a later batch are an error, not a broken matrix."""
    fake = Fake(lambda texts: np.ones((len(texts), len(texts))))
    with pytest.raises(DataError, match="vectors of 2 numbers, then of 1"):
        encode(fake, ["one", "two", "three"], batch=2)


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8])
def test_any_numbers_become_float32(kind):
    """Half, double and whole numbers are read."""
    found = encode(Fake(lambda texts: lengths(texts).astype(kind)), ["one"])
    assert found.dtype == np.float32
    assert found.tolist() == [[3, 1]]


def test_an_encoder_that_takes_too_long_is_given_up():
    """The call returns with a line although the encoder never does."""
    never = threading.Event()
    try:
        with pytest.raises(DataError, match=r"took longer than 0\.05 s for 2 texts"):
            encode(Fake(lambda _: never.wait(60)), ["one", "two"], seconds=0.05)
    finally:
        never.set()


def test_without_a_limit_the_call_stays_on_its_own_thread():
    """Encoders that are bound to a thread can be waited for."""
    here = threading.get_ident()
    seen: list[int] = []

    def told(texts):
        seen.append(threading.get_ident())
        return lengths(texts)

    encode(Fake(told), ["one"], seconds=None)
    assert seen == [here]


def test_an_encoders_own_refusal_passes_through():
    """An error that already says what to do next is not wrapped."""

    def refuse(texts):
        raise UsageError("give a key")

    with pytest.raises(UsageError, match=r"^give a key$"):
        encode(Fake(refuse), ["one"])


def test_steadiness_is_zero_for_a_function_of_the_text():
    """The same vector each time and beside anything has nothing to note."""
    found = steadiness(Fake(lengths), ["one", "three", "", "one"])
    assert found == pytest.approx((0.0, 1.0, 0.0, 1.0))
    assert found.note("fake") is None
    assert steadiness(Fake(lengths), ["", " "]) == (0.0, 1.0, 0.0, 1.0)


def test_an_encoder_with_dropout_left_on_is_refused():
    """One text with two vectors that differ much makes every comparison meaningless."""
    rng = np.random.default_rng(0)
    fake = Fake(lambda texts: rng.normal(size=(len(texts), 8)))
    with pytest.raises(DataError, match=r"not deterministic.*switch dropout"):
        steadiness(fake, ["one", "two"])


def test_an_encoder_that_wobbles_or_looks_at_the_batch_is_noted():
    """Small differences pass, with a line that gives their size."""
    rng = np.random.default_rng(0)
    wobbles = steadiness(
        Fake(lambda texts: lengths(texts) + rng.normal(size=(len(texts), 2)) * 0.01), ["one", "two"]
    )
    assert "gives one text two vectors (cosine" in wobbles.note("fake")
    beside = steadiness(
        Fake(lambda texts: lengths(texts) + np.array([0, 0.1 * len(texts)])),
        ["one", "two", "three"],
    )
    assert beside.again == 0.0
    assert "another vector beside other texts (cosine" in beside.note("fake")


def test_an_encoder_of_changing_dimension_is_refused_by_the_probe():
    """A second answer of another length is named."""
    fake = Fake(None)
    fake.function = lambda texts: np.ones((len(texts), len(fake.asked)))
    with pytest.raises(DataError, match="several lengths"):
        steadiness(fake, ["one"])
