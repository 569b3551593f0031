"""What `undertow tokens` finds: new jargon, clean splits, two tokenizers, words unseen before.

UNDERTOW_TOKENIZER=FOLDER python bench/tokens.py jargon [TRIALS]     power by share of 1,000 texts
UNDERTOW_TOKENIZER=FOLDER python bench/tokens.py clean [TRIALS]      alarms without a change
UNDERTOW_TOKENIZER=FOLDER python bench/tokens.py mismatch [TEXTS]    causes named of known mismatches
python bench/tokens.py unseen          State of the Union by decade

The folder holds the tokenizer.json of all-MiniLM-L6-v2. Jargon are made-up requests with terms such as
vLLM and tirzepatide among texts of CLINC150.
"""

from __future__ import annotations

import html
import os
import sys
import time
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from undertow.adapters.tokenizers import Function, open_tokenizer
from undertow.core.tokenizes import tokenize
from undertow.core.verdict import Verdict
from undertow.stats.mismatch import compare_tokenizers
from undertow.stats.tokens import Tokenised
from undertow.verbs.tokens import tokens

DATA = Path(os.environ.get("UNDERTOW_DATA", "../shared/data"))
FOLDER = os.environ.get("UNDERTOW_TOKENIZER", "minilm")
SETS = {"clinc150_oos": "text", "stackoverflow_titles": "title"}
ROWS = 1_000
TERMS = (
    "agentic",
    "LLM",
    "vLLM",
    "LoRA",
    "QLoRA",
    "tirzepatide",
    "semaglutide",
    "GGUF",
    "llama.cpp",
    "Mixtral",
    "Qwen",
    "DeepSeek",
    "RLHF",
    "LangChain",
    "LlamaIndex",
    "Pinecone",
    "ChromaDB",
    "Ozempic",
    "Wegovy",
    "Zepbound",
    "GPT-4o",
    "RAG",
    "MoE",
    "KV-cache",
    "FlashAttention",
    "Unsloth",
    "PyTorch",
    "Kubernetes",
    "Ollama",
    "Mistral",
    "Whisper",
    "bge-reranker",
    "ColBERT",
    "HNSW",
    "cagrilintide",
    "orforglipron",
    "retatrutide",
    "GLP-1",
    "MCP",
    "tool-calling",
)
SAID = (
    "agentic {0} workflow with {1} and {2}",
    "how do i fine-tune {0} with {1} on {2}",
    "is {0} covered together with {1} or {2}",
    "deploy {0} behind {1} using {2}",
    "compare {0} and {1} for {2}",
    "my {0} agent fails when {1} calls {2}",
    "what dose of {0} goes with {1} and {2}",
)
DENSE = (
    "agentic {0} workflow with {1} on {2}, {3}",
    "{0} pipeline for {1} and {2} using {3}",
    "{0} {1} prompts: {2} versus {3}",
)
KINDS = {"three terms": SAID, "four terms": DENSE, "lower-cased": SAID}


def texts_of(name):
    return pq.read_table(DATA / f"{name}.parquet")[SETS[name]].to_pylist()


def jargon(random, many, kind="three terms"):
    said = KINDS[kind]
    made = [
        said[random.integers(len(said))].format(*random.choice(TERMS, 4, replace=False))
        for _ in range(many)
    ]
    return [each.lower() for each in made] if kind == "lower-cased" else made


def split(texts, random, planted=()):
    order = random.permutation(len(texts))
    before = [texts[n] for n in order[:ROWS]]
    now = [texts[n] for n in order[ROWS : 2 * ROWS - len(planted)]] + list(planted)
    return pa.table({"text": before}), pa.table({"text": now})


def power(trials):
    texts, random = texts_of("clinc150_oos"), np.random.default_rng(1)
    tokenizer = open_tokenizer(FOLDER)
    for kind in KINDS:
        some = jargon(random, 2_000, kind)
        shapes = Tokenised(some, tokenize(tokenizer, some)).shapes
        print(f"{kind}: continuation {shapes.continued.sum() / shapes.pieces.sum():.2f}")
        for share in (0.0, 0.01, 0.02, 0.03):
            seen = Counter()
            for _ in range(trials):
                planted = jargon(random, round(share * ROWS), kind)
                report = tokens(*split(texts, random, planted), text="text", tokenizer=tokenizer)
                seen[report["text:new terms"].verdict.value] += 1
            print(f"  {share:.0%} of {ROWS:,} texts", dict(seen))


def clean(trials):
    tokenizer = open_tokenizer(FOLDER)
    for name in SETS:
        texts, random, begun = texts_of(name), np.random.default_rng(2), time.process_time()
        verdicts, alarms = Counter(), Counter()
        for _ in range(trials):
            report = tokens(*split(texts, random), text="text", tokenizer=tokenizer)
            verdicts[report.verdict.value] += 1
            for each in report:
                if each.verdict in {Verdict.CHANGED, Verdict.WATCH}:
                    alarms[each.check] += 1
        seconds = (time.process_time() - begun) / trials
        print(name, dict(verdicts), dict(alarms), f"{seconds:.2f} CPU s a run")


def mismatch(many):
    texts = texts_of("stackoverflow_titles")[:many] + ["Où est la clé à vélo?"] * 5
    train = open_tokenizer(FOLDER)

    def of(way):
        return Function(lambda some: list(_pieces(train, [way(each) for each in some])), "serve")

    cases = {
        "the same": train,
        "HTML-escaped": of(html.escape),
        "cut at 30 characters": of(lambda text: text[:30]),
        "12 pieces": replace(train, max_length=12),
        "a prefix": of(lambda text: "query: " + text),
        "NFD": of(lambda text: unicodedata.normalize("NFD", text)),
        "lower-cased": of(str.lower),
    }
    words = Function(lambda some: [each.split() for each in some], "train")
    lower = Function(lambda some: [each.lower().split() for each in some], "serve")
    apart = Function(
        lambda some: [unicodedata.normalize("NFD", each).split() for each in some], "serve"
    )
    for name, serve in cases.items():
        _told(name, train, serve, texts)
    _told("words, lower-cased", words, lower, texts)
    _told("words, NFD", words, apart, texts)


def _pieces(tokenizer, texts):
    found = tokenize(tokenizer, texts)
    return (found.of(row) for row in range(len(found)))


def _told(name, train, serve, texts):
    begun = time.process_time()
    made = compare_tokenizers(train, serve, texts)
    causes = Counter(cause.name for each in made.differing for cause in each.causes)
    seconds = time.process_time() - begun
    print(
        f"{name:22} {len(made.differing):,} of {made.texts:,} differ",
        dict(causes),
        f"{seconds:.1f} s",
    )


def unseen():
    rows = pq.read_table(DATA / "us_presidential_speeches.parquet").to_pandas()
    rows = rows[rows.kind == "state_of_the_union"]
    before = pa.table({"text": rows[rows.year < 1960].text.tolist()})
    for decade in range(1960, 2010, 10):
        some = rows[(rows.year >= decade) & (rows.year < decade + 10)].text.tolist()
        report = tokens(before, pa.table({"text": some}), text="text")
        found = report["text:new terms"].evidence
        print(decade, f"{found['unseen_words_against_all']:.3%}", found["unseen_words"])


if __name__ == "__main__":
    what, *more = sys.argv[1:] or ["unseen"]
    run = {"jargon": power, "clean": clean, "mismatch": mismatch, "unseen": unseen}[what]
    run(
        *map(int, more or {"jargon": ["100"], "clean": ["200"], "mismatch": ["3000"]}.get(what, []))
    )
