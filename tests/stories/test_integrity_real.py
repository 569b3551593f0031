"""Index faults planted in real abstracts: each has its name."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from undertow.adapters.tfidf import Tfidf
from undertow.core.encode import encode
from undertow.core.index import Stored
from undertow.core.report import Report, Source
from undertow.stats.neighbours import unit
from undertow.verbs.integrity import verify


@pytest.mark.real
def test_cranfield_faults_have_their_names(real):
    """On 500 real abstracts each of the six faults leads with its name, and a clean index with none."""
    rows = pq.read_table(real("cranfield_docs")).to_pylist()
    rows = [row for row in rows if row["text"].strip()][:500]
    documents = {str(row["doc_id"]): row["text"] for row in rows}
    ids, texts = list(documents), list(documents.values())
    encoder = Tfidf(64).fitted(texts)
    clean = encode(encoder, texts)
    n = len(ids)
    random = np.random.default_rng(0)
    some = random.permutation(n)[: n // 10]
    turn = np.linalg.qr(random.normal(size=(64, 64)))[0].astype(np.float32)

    def named(vectors, keep=None):
        keep = np.arange(n) if keep is None else keep
        kept = Stored.of([ids[k] for k in keep], vectors[keep], texts=[texts[k] for k in keep])
        found, _ = verify(kept, encoder, documents)
        report = Report.of(Source("documents", n), Source("index", len(kept)), found)
        first = report.findings[0]
        return report.verdict.value, first.evidence.get("fault", first.check)

    assert named(clean) == ("steady", "index.probe")
    assert named(clean, np.flatnonzero(random.random(n) > 0.3)) == ("changed", "documents missing")
    shock = np.array(["shock" not in text for text in texts])
    assert named(clean, np.flatnonzero(shock)) == ("changed", "topics missing")
    other, swapped, cut = clean.copy(), clean.copy(), clean.copy()
    other[some], swapped[some] = clean[some] @ turn, clean[np.roll(some, 1)]
    cut[:, 32:] = 0
    assert named(other) == ("changed", "another space")
    assert named(swapped) == ("changed", "ids shuffled")
    assert named(unit(cut)) == ("changed", "dimensions zeroed")
    lengths = np.exp(random.normal(0, 0.3, (n, 1))).astype(np.float32)
    assert named(clean * lengths) == ("changed", "not normalised")
