"""The demo's second story: a product launch, and a sentiment model that grows neutral."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from undertow.surfaces.demo_digits import SEED, Story

_PRODUCTS = ("speaker", "lamp", "thermostat", "camera", "doorbell", "kettle")
_NEW = ("SmartSync", "SmartSync hub", "SmartSync app")
_PARTS = (
    "battery",
    "app",
    "manual",
    "box",
    "cable",
    "screen",
    "sound",
    "setup",
    "delivery",
    "price",
)
_NEW_PARTS = ("pairing", "firmware", "handover", "mesh", "latency", "token")
_GOOD = ("love", "great", "excellent", "perfect", "happy with", "impressed by", "delighted with")
_BAD = ("hate", "terrible", "awful", "broken", "disappointed by", "useless", "angry about")
_NEW_GOOD = ("seamless", "buttery", "rock solid", "instant")
_NEW_BAD = ("bricked", "laggy", "desynced", "stuck in a loop")
_NEUTRAL = (
    "where do I find the {part} of the {product}",
    "the {product} arrived on {day}",
    "I ordered a {product} for the {room}",
    "does the {product} work with the {part}",
    "the {part} of the {product} is {colour}",
    "please tell me about the {part}",
)
_FELT = (
    "I {word} the {part} of my {product}",
    "the {part} is {word}, a fine {product} for the {room}",
    "{word} {product}, the {part} works since {day}",
)
_NEW_LINES = (
    "the {part} of the {product} is {word}",
    "the {product} arrived on {day}, {part} {word}",
    "{part} of my {product} {word} in the {room}",
)
_ROOMS = ("kitchen", "office", "bedroom", "hall", "garage")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_COLOURS = ("white", "black", "grey", "green")
_SHARES = {"negative": 0.31, "neutral": 0.24, "positive": 0.45}
LAUNCHED = 0.3
"""Share of later feedback that is about the new product."""


def feedback(rows: int = 3000) -> Story:
    """Train a sentiment model on generated feedback; launch a product it has never heard of."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    random = np.random.default_rng(SEED)
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=500))
    texts, moods, _ = _written(random, rows, launched=0.0)
    model.fit(texts, moods)

    def logged(launched: float) -> tuple[pa.Table, float, float]:
        texts, moods, lines = _written(random, rows, launched)
        sure = model.predict_proba(texts)
        answers = model.classes_[sure.argmax(axis=1)]
        table = pa.table(
            {
                "feedback": texts,
                "product_line": lines,
                "prediction": answers.tolist(),
                "confidence": sure.max(axis=1),
            }
        )
        return table, float((answers == "neutral").mean()), float((answers == moods).mean())

    reference, before, right = logged(0.0)
    production, after, wrong = logged(LAUNCHED)
    return Story(
        f"a sentiment model trained on {rows:,} comments; it calls {before:.0%} of them neutral",
        f"{rows:,} later comments, {LAUNCHED:.0%} of them about SmartSync, a product launched since, "
        "in words the model has never seen. No exception is raised, and nobody has labelled anything yet",
        reference,
        production,
        {"prediction": "prediction", "score": "confidence", "text": "feedback"},
        f"customers are no more neutral than before; the model's accuracy went from {right:.0%} to "
        f"{wrong:.0%}, and it now calls {after:.0%} neutral",
    )


def _written(
    random: np.random.Generator, rows: int, launched: float
) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.str_]], list[str]]:
    """Return comments, how their writers felt, and the product line of each."""
    moods = random.choice(list(_SHARES), rows, p=list(_SHARES.values()))
    new = random.random(rows) < launched
    texts: list[str] = []
    lines: list[str] = []
    for mood, is_new in zip(moods, new, strict=True):
        product = str(random.choice(_NEW if is_new else _PRODUCTS))
        words = {
            "positive": _NEW_GOOD if is_new else _GOOD,
            "negative": _NEW_BAD if is_new else _BAD,
        }
        lines_for = _NEW_LINES if is_new else _FELT
        line = str(random.choice(_NEUTRAL if mood == "neutral" else lines_for))
        texts.append(
            line.format(
                product=product,
                part=random.choice(_NEW_PARTS if is_new and random.random() < 0.7 else _PARTS),
                word=random.choice(words.get(str(mood), ("",))),
                room=random.choice(_ROOMS),
                day=random.choice(_DAYS),
                colour=random.choice(_COLOURS),
            )
        )
        lines.append("SmartSync" if is_new else product)
    # A few people do not write what they feel.
    odd = random.random(rows) < 0.04
    moods[odd] = random.choice(list(_SHARES), int(odd.sum()))
    return texts, moods, lines
