"""An index through its doors: what goes wrong with it in practice, and what it says then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import undertow.verbs.index as verb
from undertow.core.embeds import fingerprint
from undertow.core.errors import DataError, UsageError
from undertow.index import check, near
from undertow.index.folder import create, open_index
from undertow.repair.bridge import Bridge
from undertow.sides.index_encoder import remembered
from undertow.surfaces import cli
from undertow.surfaces.cli_index import index as command
from undertow.verbs.index_verify import verify_index

WORDS = (
    *("river", "stone", "harvest", "engine", "quiet", "lantern"),
    *("market", "copper", "window", "garden", "signal", "winter"),
)


def text(row):
    """Return a text of its own for each row."""
    return " ".join(WORDS[(row * step + step) % 12] for step in (1, 3, 5, 7)) + f" number {row}"


@pytest.fixture
def docs():
    """Return 60 documents with texts, one of them empty."""
    texts = [text(row) for row in range(60)]
    texts[5] = "  "
    return pa.table({"doc_id": [f"d{row}" for row in range(60)], "text": texts})


@pytest.fixture
def file(docs, tmp_path):
    """Return a file of the documents."""
    pq.write_table(docs, tmp_path / "docs.parquet")
    return str(tmp_path / "docs.parquet")


@pytest.fixture
def folder(tmp_path):
    """Return where the index goes."""
    return str(tmp_path / "index")


@pytest.fixture
def run(capsys):
    """Return a function that runs one command: exit code, standard output, standard error."""
    if "index" not in cli.undertow.commands:
        cli.undertow.add_command(command)

    def command_line(*words):
        code = cli.main(["index", *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command_line


class Spun:
    """An encoder that counts letters, turned by some angle: `name` tells which."""

    def __init__(self, name="letters", seed=0, noise=0.0):
        self.name, self.noise = name, noise
        random = np.random.default_rng(seed)
        self.turn = np.linalg.qr(random.normal(size=(26, 26)))[0]

    def __call__(self, texts):
        rows = [[each.lower().count(chr(97 + n)) + 0.1 for n in range(26)] for each in texts]
        made = np.array(rows) @ self.turn
        return made + self.noise * np.sin(np.arange(26) * 7 + made.sum(axis=1)[:, None] * 99)

    def identity(self):
        return {"name": self.name}


def test_the_whole_story_through_the_command_line(run, folder, file, tmp_path):
    """Build, ask, add, tag, switch, roll back, verify, list, prune."""
    code, out, err = run("build", folder, "--docs", file, "--encoder", "tfidf", "--tag", "prod")
    assert code == 0
    assert out.startswith("v1 answers now: 60 documents")
    assert "1 of 60 documents have no text" in err
    code, out, _ = run("search", folder, text(7), "-k", "3", "--json", "-")
    told = json.loads(out)
    assert (told["version"], told["queries"][0]["hits"][0]["id"]) == ("v1", "d7")
    assert told["queries"][0]["hits"][0]["text"] == text(7)
    pq.write_table(
        pa.table({"id": ["d7", "new"], "text": [text(90), text(91)]}), tmp_path / "m.parquet"
    )
    assert run("add", folder, "--docs", tmp_path / "m.parquet")[1].startswith(
        "v2 answers now: 61 doc"
    )
    assert "  1  cosine  1.000  d7" in run("search", folder, text(90), "-k", "1")[1]
    assert run("switch", folder, "prod")[1] == "v1 answers now (before: v2)\n"
    assert run("switch", folder, "prod")[1] == "v1 answers already\n"
    assert run("rollback", folder)[1] == "v2 answers again (before: v1)\n"
    assert run("tag", folder, "next")[1] == "v2 is next now\n"
    assert run("verify", folder)[0] == 0
    out = run("stats", folder)[1]
    assert "→  v2" in out
    assert "61 documents" in out
    assert json.loads(run("stats", folder, "--json", "-")[1])["tags"] == {
        "next": "v2",
        "prod": "v1",
    }
    assert "nothing to remove" in run("prune", folder, "--keep", "1")[1]


def test_queries_from_a_file(run, folder, file, tmp_path):
    """Their column is found by its usual names, or named."""
    run("build", folder, "--docs", file, "--encoder", "tfidf", "--quiet")
    (tmp_path / "q.csv").write_text(f"query,other\n{text(3)},{text(4)}\n")
    for more, found in (((), "d3"), (("--text", "other"), "d4")):
        code, out, _ = run("search", folder, "--queries", tmp_path / "q.csv", *more, "--json", "-")
        assert code == 0
        assert json.loads(out)["queries"][0]["hits"][0]["id"] == found
    assert (
        "did you mean"
        in run("search", folder, "--queries", tmp_path / "q.csv", "--text", "othr")[2]
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (
            {"doc_id": ["a", "a", "b"], "text": ["x y", "y z", "z"]},
            "1 of 2 ids are there twice: 'a'",
        ),
        ({"doc_id": ["a", None], "text": ["x y", "y z"]}, "1 of 2 ids in 'doc_id' are missing"),
        ({"doc_id": ["a", " "], "text": ["x y", "y z"]}, "1 of 2 ids in 'doc_id' are empty"),
        ({"doc_id": [1.5, 2.0], "text": ["x y", "y z"]}, "decimals (1.5)"),
        ({"doc_id": [True, False], "text": ["x y", "y z"]}, "of type bool"),
        ({"name": ["a"], "text": ["x y"]}, "say which is the id with --id COLUMN"),
        ({"doc_id": ["a"], "words": ["x y"]}, "say which is the text with --text COLUMN"),
        ({"doc_id": pa.array([], pa.string()), "text": pa.array([], pa.string())}, "no documents"),
        ({"doc_id": ["a", "b"], "text": ["", None]}, "no text is there"),
        ({"doc_id": [1, 2], "text": ["x y", "y z"]}, "its ids are whole numbers (1)"),
    ],
)
def test_documents_that_cannot_be_indexed(run, folder, file, tmp_path, table, says):
    """One line, exit code 2, and the version that answered still does."""
    run("build", folder, "--docs", file, "--encoder", "tfidf")
    pq.write_table(pa.table(table), tmp_path / "bad.parquet")
    adds = "whole numbers (1)" in says
    more = () if adds else ("--encoder", "tfidf")
    code, _, err = run(
        "add" if adds else "build", folder, "--docs", tmp_path / "bad.parquet", *more
    )
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    found = check.check(Path(folder))
    assert (found.versions, found.faults, found.leftovers, found.cut_off) == (1, (), (), None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("build", "{file}", "--docs", "{file}", "--encoder", "tfidf"),
            "is a file; an index is a folder",
        ),
        (("build", "{home}", "--docs", "{file}", "--encoder", "tfidf"), "holds other files"),
        (("build", "{folder}", "--docs", "{file}"), "say what makes vectors of the texts"),
        (("build", "{folder}", "--docs", "none.csv", "--encoder", "tfidf"), "none.csv"),
        (("build", "{folder}", "--docs", "{file}", "--encoder", "tfdf"), "did you mean 'tfidf'?"),
        (
            ("build", "{folder}", "--docs", "{file}", "--encoder", "tfidf", "--tag", "v1"),
            "tag 'v1'",
        ),
        (("search", "{folder}", "x"), "no such folder"),
        (("search", "{home}", "x"), "is no index"),
        (("search", "{folder}"), "give a QUERY"),
        (("swich", "{folder}"), "did you mean 'switch'?"),
        (("verify", "{folder}"), "no such folder"),
    ],
)
def test_commands_that_make_no_sense(run, folder, file, tmp_path, words, says):
    """One line that says what to do, exit code 2, and no folder is made."""
    given = {"folder": folder, "file": file, "home": str(tmp_path)}
    code, _, err = run(*(word.format(**given) for word in words))
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert not Path(folder).exists()


def test_vectors_that_are_there_already(folder, tmp_path):
    """Bad ones are kept and counted; without a name of their space that is said."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 3)).tolist()
    rows[1], rows[2], rows[3], rows[4] = None, [1.0], [0.0] * 3, [float("nan"), 1, 1]
    table = pa.table({"id": [1, 2, 3, 4, 5, 6], "v": rows})
    made = verb.build_index(folder, table, vector="v")
    notes = " ".join(made.notes)
    for each in ("1 of 6 vectors are missing", "do not have 3", "all zeros", "NaN", "nobody said"):
        assert each in notes
    index = verb.open_index(folder)
    assert set(index.search(np.ones(3), 6).ids[0]) == {"1", "6", None}
    assert len(index) == 6
    with pytest.raises(UsageError, match="give --encoder"):
        verb.search_index(folder, ["x"])


def test_ids_that_a_table_turned_into_decimals_still_join(folder):
    """Pandas writes 17 as 17.0 beside a missing cell: it is read as 17 again, and that is said."""
    verb.build_index(
        folder, pa.table({"id": [17, 18], "v": [[1.0, 0], [0, 1.0]]}), vector="v", space="s"
    )
    again = pa.table({"id": [17.0], "v": [[0.6, 0.8]]})
    made = verb.add_to_index(folder, again, vector="v", space="s")
    assert "read as whole numbers" in made.notes[0]
    assert len(verb.open_index(folder)) == 2


def test_a_query_of_another_encoder_is_never_answered_in_silence(folder, docs, tmp_path):
    """Foreign: refused; moved a little: answered and said; over a bridge: answered and said."""
    old, new = Spun("old", 1), Spun("new", 2)
    verb.build_index(folder, docs, encoder=old)
    assert verb.search_index(folder, [text(9)], encoder=old).notes == ()
    with pytest.raises(DataError, match="no cosine between them means anything"):
        verb.search_index(folder, [text(9)], encoder=new)
    with pytest.raises(DataError, match="a mixed index finds nothing right"):
        verb.add_to_index(folder, docs, encoder=new)
    moved = verb.search_index(folder, [text(9)], encoder=Spun("int8", 1, 0.15))
    assert "moved a little" in moved.notes[0]
    assert moved.hits[0][0]["id"] == "d9"
    texts = [
        text(row) * (row % 3 + 1) + "abcdefghijklmnopqrstuvwxyz"[row % 26] * 3 for row in range(400)
    ]
    spaces = (str(fingerprint(new)), str(fingerprint(old)))
    bridge = Bridge.fit(new(texts), old(texts), source=spaces[0], target=spaces[1])
    bridge.save(tmp_path / "new-to-old.npz")
    over = verb.search_index(folder, [text(9)], encoder=new, bridge=tmp_path / "new-to-old.npz")
    assert over.hits[0][0]["id"] == "d9"
    assert "over a bridge" in over.notes[0]
    verb.keep_bridge(folder, tmp_path / "new-to-old.npz")
    assert verb.search_index(folder, [text(9)], encoder=new).hits[0][0]["id"] == "d9"
    with pytest.raises(DataError, match="no cosine"):
        verb.search_index(folder, [text(9)], encoder=Spun("third", 3))
    other = str(tmp_path / "other")
    verb.build_index(other, docs, encoder=new)
    with pytest.raises(DataError, match="no query would go over it"):
        verb.keep_bridge(other, tmp_path / "new-to-old.npz")


def test_a_version_of_the_next_encoder_is_built_beside(folder, docs):
    """An upgrade is a version that does not answer yet, a switch, and a way back."""
    old, new = Spun("old", 1), Spun("new", 2)
    verb.build_index(folder, docs, encoder=old)
    verb.build_index(folder, docs, encoder=new, switch=False, tag="next")
    assert verb.search_index(folder, [text(9)], encoder=old).version == "v1"
    assert verb.switch_index(folder, "next") == ("v1", "v2")
    assert verb.search_index(folder, [text(9)], encoder=new).hits[0][0]["id"] == "d9"
    with pytest.raises(DataError, match="no cosine"):
        verb.search_index(folder, [text(9)], encoder=old)
    verb.open_index(folder).rollback()
    assert verb.search_index(folder, [text(9)], encoder=old).version == "v1"


def test_code_named_by_an_index_is_not_run(folder, docs, tmp_path, monkeypatch):
    """An index may come from anybody: functions and addresses are used only where the user names them."""
    (tmp_path / "indexed_by.py").write_text(
        "import pathlib\n"
        "def embed(texts):\n"
        "    return [[each.count(c) + 1.0 for c in 'aeiou'] for each in texts]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    verb.build_index(folder, docs, encoder="indexed_by:embed")
    with pytest.raises(UsageError, match="as --encoder indexed_by:embed"):
        verb.search_index(folder, ["x"])
    assert verb.search_index(folder, [text(1)], encoder="indexed_by:embed").hits[0]


def test_a_file_of_weights_is_found_from_anywhere_or_said_to_be_gone(folder, docs, tmp_path):
    """What is remembered is the whole path."""
    (tmp_path / "model.onnx").write_bytes(b"weights")
    told, files = remembered(tmp_path / "model.onnx", Spun())
    assert (told["name"], files) == (str((tmp_path / "model.onnx").resolve()), {})
    told, _ = remembered("https://me:secret@host#model", Spun("model"))
    assert told["name"] == "model"
    ids, texts = docs["doc_id"].to_pylist(), docs["text"].to_pylist()
    gone = {"name": str(tmp_path / "gone.onnx"), "file": None}
    create(folder).build(ids, Spun()(texts), texts=texts, encoder=gone)
    with pytest.raises(UsageError, match=r"gone.onnx, which is not there: give --encoder PATH"):
        verb.search_index(folder, ["x"])


def test_a_tfidf_encoder_comes_back_from_the_index(folder, docs):
    """Its words are kept beside the index, as arrays: another process asks with the same encoder."""
    verb.build_index(folder, docs, encoder="tfidf")
    found = verb.search_index(folder, [text(11), "  ", "qqqq"], k=1)
    assert found.hits[0][0]["id"] == "d11"
    assert found.hits[1] == ()
    assert "queries have no vector" in found.notes[0]
    held = next(Path(folder, "encoders").glob("*.npz"))
    held.write_bytes(held.read_bytes()[:100])
    with pytest.raises(DataError, match="damaged"):
        verb.search_index(folder, ["x"])
    report = verify_index(folder)
    assert report.verdict.value == "changed"
    assert report[f"encoders/{held.name}"].verdict.value == "changed"


def test_verify_finds_what_no_search_tells(folder, docs):
    """A byte turned on the disk is named with its document; vectors of other texts are found."""
    verb.build_index(folder, docs, encoder="tfidf")
    assert verify_index(folder).verdict.value == "steady"
    held = verb.open_index(folder).stored()
    random = np.random.default_rng(0)
    rows = held.vectors.copy()
    rows[10:40] = rows[random.permutation(np.arange(10, 40))]
    index = verb.open_index(folder)
    index.add(held.ids, rows, texts=held.texts, space=held.spaces[0])
    assert verify_index(folder).verdict.value == "changed"
    index.rollback()
    path = next(Path(folder, "segments").glob("v1-*"))
    content = bytearray(path.read_bytes())
    content[content.find(rows[3].tobytes()) + 2] ^= 1
    path.write_bytes(content)
    report = verify_index(folder)
    assert report[f"segments/{path.name}"].evidence["documents"] == ["d3"]
    assert "rollback" in report[f"segments/{path.name}"].next[0]


def test_a_cut_off_change_is_said_until_a_verify(folder, docs, run):
    """What a dead writer left is told by every command, stays told after more writes, and goes."""
    verb.build_index(folder, docs, encoder="tfidf")
    mark = {"pid": 4242, "host": "h", "what": "add", "since": "2026-01-02T03:04:05+00:00"}
    Path(folder, "writing.json").write_text(json.dumps(mark))
    Path(folder, "segments", ".v2-abc.parquet.1234.part").write_bytes(b"PAR1")
    Path(folder, "segments", "v2-abc123.parquet").write_bytes(b"PAR1")
    code, _, err = run("search", folder, text(3))
    assert code == 0
    assert "add was cut off (process 4242, 2026-01-02T03:04:05+00:00): run `undertow index" in err
    verb.add_to_index(folder, docs.slice(0, 2))
    assert verb.open_index(folder).cut_off is not None
    assert not Path(folder, "segments", "v2-abc123.parquet").exists()
    path = next(Path(folder, "segments").glob("v1-*"))
    content = path.read_bytes()
    path.write_bytes(content[:200] + b"?" + content[201:])
    with pytest.raises(DataError, match=r"add was cut off .* damaged"):
        verb.open_index(folder)
    path.write_bytes(content)
    report = verify_index(folder)
    assert "the version that answers is whole" in report["last change"].says
    assert verb.open_index(folder).cut_off is None
    Path(folder, ".answers.json.77.part").write_bytes(b"{")
    assert "half written" in verb.open_index(folder).cut_off
    verify_index(folder)
    assert verb.open_index(folder).cut_off is None


def test_a_search_file_of_another_record_is_not_believed(folder):
    """It carries the digest of the record it was made of."""
    index = create(folder)
    index.build(["a", "b"], np.eye(2, dtype=np.float32))
    index.build(["a", "b"], np.eye(2, dtype=np.float32)[::-1])
    one, two = (next(Path(folder, "search").glob(f"{name}-*")) for name in ("v1", "v2"))
    two.write_bytes(one.read_bytes())
    assert open_index(folder).search(np.array([1.0, 0]), 1).ids.tolist() == [["b"]]
    assert near.FORM == 1
