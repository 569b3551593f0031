"""The encoder that needs nothing: it learns its words from the reference, the same ones each time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from undertow.adapters.tfidf import LONGEST, FittedTfidf, Tfidf
from undertow.core.embeds import Fits, Match, fingerprint
from undertow.core.encode import encode
from undertow.core.errors import DataError
from undertow.core.summary import equal_states

THINGS = ("card", "loan", "gate", "meter", "ferry", "parcel", "orchard", "ledger")
TOWNS = ("Ulm", "Bath", "Nice", "Oslo", "Turin", "Gent", "Lodz", "Cork", "Brno", "Faro")


def many(count=900):
    """Return different short texts."""
    return [
        f"please block my {THINGS[n % 8]} in {TOWNS[n % 10]} on day {n} {'at once' * (n % 2)}"
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 40, 900])
def test_any_number_of_texts_is_enough(count):
    """From one text to many, vectors are finite and of length 1."""
    made = Tfidf().fitted(many(count))
    found = encode(made, many(count))
    assert found.shape[1] <= min(256, count)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("count", [40, 900])
def test_order_repeats_and_missing_texts_make_no_difference(count):
    """The encoder is a function of the set of texts, bit for bit."""
    texts = many(count)
    one = Tfidf().fitted(texts)
    other = Tfidf().fitted([*texts[::-1], *texts[:7], None, "", "  "])
    assert equal_states(one.state(), other.state())
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("count", [40, 900])
def test_a_text_is_the_same_alone_and_beside_others(count):
    """No batch shows in a vector."""
    made = Tfidf().fitted(many(count))
    together = made(many(30))
    alone = np.vstack([made([text]) for text in many(30)])
    assert together.tobytes() == alone.tobytes()


def test_texts_that_share_words_are_near():
    """Like texts have a higher cosine than unlike ones; a misspelt one stays near."""
    made = Tfidf().fitted(many())
    one, two, typo, other = made(
        [
            "block my card in Ulm",
            "my card must be blocked, Ulm",
            "block my crad in Ulm",
            "ferry Oslo",
        ]
    )
    assert one @ two > 0.5 > one @ other
    assert one @ typo > one @ other


def test_a_text_of_unknown_letters_has_zeros():
    """Nothing known is no direction."""
    made = Tfidf().fitted(["a red door", "a blue door"])
    assert made(["漢字", ""]).tolist() == [[0.0] * 2] * 2


def test_no_text_is_refused():
    """Without a text there is nothing to learn from, and the line says so."""
    for texts in ([], [None, "", " "]):
        with pytest.raises(DataError, match="no text is there"):
            Tfidf().fitted(texts)


@pytest.mark.parametrize("texts", [["!!", "??"], ["a"], ["漢字かな交じり文"], ["😀"]])
def test_texts_without_words_are_encoded_by_their_letters(texts):
    """Marks, one letter, other scripts: a vector, or a line, never a traceback."""
    made = Tfidf().fitted(texts)
    assert np.isfinite(made(texts)).all()


def test_a_state_of_arrays_and_json_brings_it_back():
    """What is kept holds no pickle and gives the same vectors."""
    made = Tfidf().fitted(many(40))
    state = made.state()
    rest = json.loads(json.dumps({k: v for k, v in state.items() if isinstance(v, list)}))
    again = FittedTfidf.restore({**state, **rest})
    assert again(many(9)).tobytes() == made(many(9)).tobytes()
    assert fingerprint(again) == fingerprint(made)
    with pytest.raises(ValueError, match="one weight"):
        FittedTfidf.restore({**state, "words": []})
    with pytest.raises(ValueError, match="finite"):
        FittedTfidf.restore({**state, "weights": state["weights"] * np.nan})


def test_another_reference_is_another_space():
    """Encoders fitted on different texts never share vectors."""
    assert isinstance(Tfidf(), Fits)
    one, other = Tfidf().fitted(many()), Tfidf().fitted([text[::-1] for text in many()])
    assert fingerprint(one).compare(fingerprint(other)) is Match.FOREIGN


def test_only_the_start_of_a_very_long_text_is_read():
    """The cost of a text has a limit."""
    made = Tfidf().fitted([*many(30), "x" * 10**6])
    head = "block my card " * 1000
    assert made([head]).tobytes() == made([head[:LONGEST]]).tobytes()
