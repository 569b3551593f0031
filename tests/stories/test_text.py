"""Failures planted in texts are found and named; clean streams stay silent; so does real data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from undertow.core.verdict import Verdict
from undertow.loop import Loop

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
ENGLISH = [
    "the parcel was late and nobody told me",
    "I love this app, it works very well for me",
    "please help with my account, the password is not right",
    "the price is good but the order is wrong",
    "thank you for the quick reply to my question",
    "my card was charged twice for this order",
    "it is not what I have ordered and I want a refund",
    "where is my order, it was due on Monday",
    "the new version is slow and it stops all the time",
    "can you send the bill to my other address",
]
GERMAN = [
    "das Paket ist zu spät und ich habe nichts gehört",
    "die App ist sehr gut und ich mag sie",
    "bitte helfen Sie mir mit dem Konto, es ist nicht richtig",
    "wo ist die Bestellung, ich warte noch",
]


def feedback(n: int, seed: int) -> list[str]:
    """Return customer feedback: some sentences with words left out."""
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(n):
        words = " ".join(random.choice(ENGLISH, random.integers(1, 4))).split()
        kept = [word for word in words if random.random() > 0.2] or words
        text = " ".join(kept)
        texts.append(text[:1].upper() + text[1:] + ".")
    return texts


def some(texts: list[str], share: float, seed: int, change) -> list[str]:
    """Return the texts, a share of them changed."""
    random = np.random.default_rng(seed)
    return [change(text) if random.random() < share else text for text in texts]


def report(before: list[str], now: list[str]):
    """Return the whole report on two lists of texts."""
    sides = (pa.table({"text": texts}) for texts in (before, now))
    return Loop.of(text="text").check(*sides)


def changed(found) -> set[tuple[str, str]]:
    """Return the check and subject of everything that changed."""
    return {(each.check, each.subject) for each in found.having(Verdict.CHANGED)}


def test_a_product_launch_brings_new_words():
    """5% of the feedback speaks of a product nobody had heard of."""
    now = some(feedback(1500, 2), 0.05, 3, lambda text: text + " Aurora X2.")
    found = report(feedback(1500, 1), now)
    assert ("drift.new_words", "text=aurora") in changed(found)
    launched = found["text=aurora"]
    assert "aurora x2" in launched.evidence["new_pairs"]
    assert launched.examples


def test_a_new_parser_breaks_lines():
    """A parser that hyphenates at line ends in a fifth of the texts is found as such."""
    now = some(
        feedback(1000, 2),
        0.2,
        3,
        lambda t: t.replace(" order", " or-\nder").replace(" is ", " is\n"),
    )
    assert ("drift.artefacts", "text=broken lines") in changed(report(feedback(1000, 1), now))


def test_a_tenth_of_the_traffic_changes_its_language():
    """10% German in English traffic is found by language, and by words."""
    random = np.random.default_rng(5)
    now = some(feedback(1500, 2), 0.1, 3, lambda _: str(random.choice(GERMAN)))
    found = report(feedback(1500, 1), now)
    assert ("drift.share", "text:language=de") in changed(found)
    assert any(check == "drift.new_words" for check, _ in changed(found))


def test_texts_are_suddenly_lower_case():
    """A pipeline that lower-cases moves the share of capitals, and no word."""
    found = report(feedback(1000, 1), [text.lower() for text in feedback(1000, 2)])
    assert ("drift.number", "text:capitals") in changed(found)
    assert all(subject == "text:capitals" for _, subject in changed(found))


def test_entities_are_no_longer_decoded():
    """HTML entities in every text with an apostrophe or comma are found as HTML."""
    now = [text.replace(",", "&#44;").replace("and", "&amp;") for text in feedback(1000, 2)]
    assert ("drift.artefacts", "text=HTML") in changed(report(feedback(1000, 1), now))


def test_texts_are_cut_off():
    """A column that holds 140 characters cuts the longer texts."""
    before, now = (
        [f"{a} {b} {c}" for a, b, c in zip(*(feedback(800, s) for s in seeds), strict=True)]
        for seeds in ((1, 2, 3), (4, 5, 6))
    )
    found = changed(report(before, [text[:140] for text in now]))
    assert ("drift.artefacts", "text=cut off") in found
    assert ("drift.number", "text:characters") in found


@pytest.mark.parametrize("n", [30, 300, 2000])
def test_clean_feedback_is_silent(n):
    """Feedback against feedback: nothing changed, nothing to watch, in 8 reports of each size."""
    for seed in range(8):
        found = report(feedback(n, 100 + 2 * seed), feedback(n, 101 + 2 * seed))
        loud = [f for f in found if f.verdict in {Verdict.CHANGED, Verdict.WATCH}]
        assert loud == []


def real(name: str, columns: list[str]) -> pa.Table:
    """Return columns of a real data set, or skip the test with a line."""
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not here; set UNDERTOW_DATA to the folder with the real data")
    return pq.read_table(path, columns=columns)


def halves(table: pa.Table, seed: int) -> tuple[pa.Table, pa.Table]:
    """Return two random halves of the rows."""
    order = np.random.default_rng(seed).permutation(table.num_rows)
    cut = table.num_rows // 2
    return table.take(pa.array(order[:cut])), table.take(pa.array(order[cut:]))


@pytest.mark.real
def test_reviews_get_shorter():
    """Reviews of 2016 are shorter than those of 2014: 9% of them, which the default tolerates."""
    reviews = real("amazon_pantry_reviews", ["date", "text"])
    year = pc.year(reviews["date"])
    before, now = (reviews.filter(pc.equal(year, y)).select(["text"]) for y in (2014, 2016))
    found = Loop.of(text="text").check(before, now)
    words = next(f for f in found if (f.check, f.subject) == ("drift.number", "text:words"))
    assert words.verdict is Verdict.STEADY
    found = Loop.of(text="text", tolerance={"text:words": 0.05}).check(before, now)
    words = next(f for f in found if (f.check, f.subject) == ("drift.number", "text:words"))
    assert words.verdict is Verdict.CHANGED
    assert words.evidence["median"]["current"] < words.evidence["median"]["reference"]


@pytest.mark.real
def test_another_airline_is_another_text():
    """Tweets to one airline against tweets to another: its name is the word that moved most."""
    tweets = real("airline_tweets", ["airline", "text"])
    united, delta = (
        tweets.filter(pc.equal(tweets["airline"], name)).select(["text"])
        for name in ("United", "US Airways")
    )
    found = Loop.of(text="text").check(united, delta)
    assert {"drift.word_share", "drift.new_words"} & {check for check, _ in changed(found)}
    assert any(f.value in {"united", "usairways"} for f in found.having(Verdict.CHANGED))


@pytest.mark.real
def test_out_of_scope_questions_are_found():
    """Training questions against out-of-scope ones: words moved."""
    rows = real("clinc150_oos", ["text", "split", "is_oos"])
    train = rows.filter(pc.and_(pc.equal(rows["split"], "train"), pc.invert(rows["is_oos"])))
    strange = rows.filter(rows["is_oos"])
    found = Loop.of(text="text").check(train.select(["text"]), strange.select(["text"]))
    assert any(f.check == "drift.word_share" for f in found.having(Verdict.CHANGED))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("amazon_pantry_reviews", "text"),
        ("airline_tweets", "text"),
        ("clinc150_oos", "text"),
        ("sarcasm_headlines", "headline"),
        ("stackoverflow_titles", "title"),
        ("halueval_general", "chatgpt_response"),
        ("us_presidential_speeches", "text"),
    ],
)
def test_a_random_half_is_like_the_other(name, column):
    """Random halves of real texts: silence."""
    table = real(name, [column])
    for seed in range(2):
        found = Loop.of(text=column).check(*halves(table, seed))
        loud = [f for f in found if f.verdict in {Verdict.CHANGED, Verdict.WATCH}]
        assert [(f.check, f.subject, f.says) for f in loud] == []
