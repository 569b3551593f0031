"""A golden set of invented words: documents, queries of some of their words, who answers whom."""

from __future__ import annotations

import numpy as np

QUERIES = 120


def words(random, count, much):
    """Return invented words, the first of them much commoner than the last."""
    letters = list("abcdefghiklmnopqrstuvwxyz")
    named = ["".join(random.choice(letters, 7)) for _ in range(400)]
    return [" ".join(random.choice(named, much)) for _ in range(count)]


def golden(queries=QUERIES):
    """Return documents, queries made of some of their words, and who answers whom, as tables."""
    random = np.random.default_rng(0)
    texts = words(random, 2 * queries, 14)
    asks = [" ".join(random.permutation(texts[n].split())[:6]) for n in range(queries)]
    docs = {"doc_id": [f"d{n}" for n in range(2 * queries)], "text": texts}
    right = {"query_id": list(range(queries)), "doc_id": [f"d{n}" for n in range(queries)]}
    topic = ["paris", "rome"] * (queries // 2)
    return docs, {"query_id": list(range(queries)), "query": asks, "topic": topic}, right


DOCS, ASKS, RIGHT = golden()


def bag(texts):
    """Encode texts by the words they hold: letters hashed to 64 places."""
    out = np.zeros((len(texts), 64), np.float32)
    for row, text in enumerate(texts):
        for word in text.split():
            place = np.random.default_rng([ord(each) for each in word]).normal(size=64)
            out[row] += place.astype(np.float32)
    return out
