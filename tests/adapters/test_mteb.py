"""The mteb library on local tasks: the same scores as without it, offline, and nothing left behind."""

from __future__ import annotations

import logging
import os
import random
import socket
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from undertow.adapters.mteb import opened
from undertow.core.encode import encode
from undertow.core.errors import DataError
from undertow.core.task import (
    Classification,
    Clustering,
    PairClassification,
    Retrieval,
    Similarity,
)
from undertow.stats.answers import answered
from undertow.stats.graded import graded
from undertow.verbs.evaluate import evaluate

pytestmark = [
    pytest.mark.mteb,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
RANDOM = np.random.default_rng(0)
SIZE = 12


def words(many: int):
    """Return texts of a group's word and others, and their groups."""
    group = np.arange(many) % 4
    said = [" ".join(f"w{n}" for n in RANDOM.integers(0, 40, 6)) for _ in range(many)]
    return tuple(f"g{g} {each}" for g, each in zip(group, said, strict=True)), group


class Hashed:
    """An encoder that needs nothing: a random direction a word, summed."""

    name = "hashed"

    def __call__(self, texts):
        def of(word):
            return np.random.default_rng(int.from_bytes(word.encode(), "little")).normal(size=SIZE)

        return np.array([sum(of(word) for word in each.split()) for each in texts], np.float32)

    def identity(self):
        return {"size": SIZE}


def tasks():
    """Return a task of each type."""
    texts, group = words(120)
    names = ("a", "b", "c", "d")
    judged = [(q, d) for q in range(20) for d in range(60) if (q + d) % 4 == 0 and d % 3 < 2]
    query, document = (np.array(each, np.int64) for each in zip(*judged, strict=True))
    gain = 1.0 + (document % 2)
    one, other = texts[:60], texts[60:]
    near = (np.arange(60) % 5).astype(float)
    same = (np.arange(60) % 2).astype(float)
    return [
        Retrieval("help", "", texts[:60], texts[60:80], query, document, gain),
        Classification("kinds", "", texts[:80], texts[80:], group[:80], group[80:], names),
        Clustering("groups", "", texts, group, names),
        Similarity("near", "", one, other, near),
        PairClassification("same", "", one, other, same),
    ]


@pytest.fixture
def no_network(monkeypatch):
    """Refuse every connection and every look-up of a name."""

    def refused(*_, **__):
        raise AssertionError("something reached for the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket, "create_connection", refused)


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.sort)
def test_mteb_and_we_say_the_same_number(task, no_network):
    """Its main score is ours from the same vectors, and its answers add up to it; ties included."""

    def embed(texts):
        return encode(Hashed(), texts)

    theirs = opened()(task, embed)
    again = graded(task, theirs)
    ours = graded(task, answered(task, embed))
    # trec_eval's single precision, and mteb rounds what it reports of retrieval to five digits
    assert theirs.scores[task.metric] == pytest.approx(again.score, abs=1e-5)
    assert ours.score == pytest.approx(again.score, abs=1e-5)
    assert ours.items == pytest.approx(again.items, abs=1e-4)
    if task.sort == "retrieval":
        for name in ("mrr@10", "recall@10", "hit@10"):
            assert theirs.scores[name] == pytest.approx(ours.scores[name], abs=1e-5)


def test_nothing_is_left_behind(capfd, no_network, monkeypatch, tmp_path):
    """No word on the screen, no file, and generators, log levels and variables as before."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = Path.home() / ".cache" / "mteb"
    files = set(home.rglob("*")) if home.exists() else set()
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ)  # noqa: NPY002
    level = logging.getLogger("datasets").level
    seen = []
    runner = opened()
    given = tasks()[:3]
    for task in given:
        runner(task, lambda texts: seen.extend(texts) or encode(Hashed(), texts))
    assert (random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ)) == before  # noqa: NPY002
    assert logging.getLogger("datasets").level == level
    assert not list(tmp_path.iterdir())
    assert (set(home.rglob("*")) if home.exists() else set()) == files
    assert capfd.readouterr() == ("", "")
    assert set(given[0].queries) <= set(seen)


def test_an_encoder_that_fails_says_so_itself():
    """What went wrong in the encoder comes through, and not as a fault of mteb's."""

    def broken(texts):
        raise DataError("the endpoint is gone")

    with pytest.raises(DataError, match=r"^the endpoint is gone$"):
        opened()(tasks()[3], broken)

    def odd(texts):
        return np.zeros((1, 2), np.float32)

    with pytest.raises(DataError, match=r"mteb [0-9.]+ failed on task 'near'"):
        opened()(tasks()[3], odd)


def test_a_gain_that_is_no_whole_number_is_refused():
    """trec_eval would cut it down to a whole one in silence."""
    task = tasks()[0]
    half = Retrieval(
        "help", "", task.documents, task.queries, task.query, task.document, task.gain / 4
    )
    with pytest.raises(DataError, match=r"whole numbers, and one is 0\.5; --library builtin"):
        opened()(half, lambda texts: encode(Hashed(), texts))


def folders(real, place):
    """Write three tasks of real data: 300 documents of cranfield, 20 intents, 600 titles."""
    (place / "cranfield").mkdir(parents=True)
    parts = {
        name: pq.read_table(real(f"cranfield_{name}")) for name in ("docs", "queries", "qrels")
    }
    judged = parts["qrels"].filter(pc.greater(parts["qrels"]["relevant"], 0))
    some = pa.array(sorted(set(judged["doc_id"].to_pylist()), key=int)[:300])
    judged = judged.filter(pc.is_in(judged["doc_id"], value_set=some))
    docs = parts["docs"].filter(pc.is_in(parts["docs"]["doc_id"], value_set=some))
    asked = pc.unique(judged["query_id"])
    queries = parts["queries"].filter(pc.is_in(parts["queries"]["query_id"], value_set=asked))
    for name, table in (("docs", docs), ("queries", queries), ("qrels", judged)):
        pq.write_table(table, place / "cranfield" / f"{name}.parquet")
    intents = pq.read_table(real("clinc150_oos"))
    known = sorted(set(intents["intent"].to_pylist()) - {"oos"})[:20]
    intents = intents.filter(pc.is_in(intents["intent"], value_set=pa.array(known)))
    (place / "clinc150").mkdir()
    pq.write_table(intents.select(["text", "intent", "split"]), place / "clinc150" / "rows.parquet")
    titles = pq.read_table(real("stackoverflow_titles"))
    rows = np.random.default_rng(0).permutation(len(titles))[:600]
    (place / "stackoverflow").mkdir()
    pq.write_table(
        titles.take(rows).select(["title", "tag"]), place / "stackoverflow" / "t.parquet"
    )
    return place


@pytest.mark.real
def test_tfidf_falls_behind_minilm_on_real_tasks(real, tmp_path, no_network):
    """Search, intents and topics: each score is near what was measured, and the fall is found."""
    place = folders(real, tmp_path / "tasks")
    first = evaluate("minilm", place)
    last = tmp_path / "last.json"
    last.write_text(first.to_json())
    report = evaluate("tfidf", place, reference=last)
    measured = {"cranfield": ("ndcg@10", 0.546), "clinc150": ("accuracy", 0.966)}
    measured["stackoverflow"] = ("v_measure", 0.69)
    for name, (metric, score) in measured.items():
        assert first[name].evidence[metric]["value"] == pytest.approx(score, abs=0.03)
        assert "fell by" in report[name].says
        assert report[name].effect.low > 0
    assert report["clinc150"].verdict.value == "changed"
    assert any("the encoder is another one: minilm" in note for note in report.notes)
