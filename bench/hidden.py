"""What hit@10, MRR@10 and nDCG@10 show of each index fault: what a dashboard would have seen.

    UNDERTOW_VECTORS=DIR python bench/hidden.py

1,500 test queries of CLINC150 over its 15,000 training texts, by MiniLM, ranked by plain products as an
index ranks them; a document is right where it has the query's intent, wherever it is. Data and faults
are those of bench/faults.py.
"""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from faults import DATA, clinc, faults


def main():
    data = clinc()
    rows = pq.read_table(DATA / "clinc150_oos.parquet").to_pandas()
    scope = ~rows["is_oos"].astype(bool)
    asked = np.flatnonzero((rows["split"] == "test") & scope)
    asked = np.sort(np.random.default_rng(0).permutation(asked)[:1_500])  # as clinc() draws them
    intents, queries = rows["intent"].to_numpy()[asked], data.queries[1]
    topics = dict(zip(data.ids, data.topics, strict=True))
    total = {name: int((data.topics == name).sum()) for name in np.unique(data.topics)}
    ideal = np.cumsum(1 / np.log2(np.arange(2, 12)))
    best = ideal[np.array([min(total[name], 10) for name in intents]) - 1]
    print(f"{'fault':44s}  hit@10  MRR@10  nDCG@10")
    for name, held, _ in faults(data, "minilm", 0):
        top = np.argsort(-(queries @ held.vectors.T), axis=1, kind="stable")[:, :10]
        of = np.array([topics[each] for each in held.ids])
        right = of[top] == intents[:, None]
        first = np.where(right.any(axis=1), 1 / (right.argmax(axis=1) + 1.0), 0.0)
        gain = (right / np.log2(np.arange(2, 12))).sum(axis=1) / best
        hit = right.any(axis=1).mean()
        print(f"{name:44s}  {hit:.3f}   {first.mean():.3f}   {gain.mean():.3f}", flush=True)


if __name__ == "__main__":
    main()
