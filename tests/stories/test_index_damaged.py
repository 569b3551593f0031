"""The commands of an index on the worst night: what is damaged, typed wrongly, and what helps."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import undertow.verbs.index as verb
from undertow.core.errors import DataError, UsageError
from undertow.surfaces import cli
from undertow.verbs.index_verify import verify_index

TEXTS = ["a red door", "the open sea", "rain on the hills", "bread and butter"]


@pytest.fixture
def docs():
    """Return four documents."""
    return pa.table({"id": ["a", "b", "c", "d"], "text": TEXTS})


@pytest.fixture
def folder(tmp_path, docs):
    """Return an index with two versions."""
    made = str(tmp_path / "an index")
    verb.build_index(made, docs, encoder="tfidf")
    verb.add_to_index(made, docs.slice(0, 1))
    return made


@pytest.fixture
def run(capsys):
    """Return a function that runs one command: exit code, standard output, standard error."""

    def command_line(*words):
        code = cli.main(["index", *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command_line


def test_a_rollback_leaves_a_version_whose_manifest_is_damaged(run, folder):
    """Nothing can be searched, and one command makes the version before answer."""
    Path(folder, "versions", "v2.json").write_text("{")
    code, _, err = run("search", folder, "red")
    assert (code, err.count("\n")) == (2, 1)
    assert f"`undertow index rollback {folder}` lets the version before answer" in err
    code, out, _ = run("rollback", folder)
    assert (code, out) == (0, "v1 answers again (before: v2)\n")
    code, out, _ = run("search", folder, "red")
    assert code == 0
    assert "a red door" in out


def test_a_rollback_leaves_a_version_that_a_cut_off_change_damaged(run, folder):
    """The index refuses to open, and says why; what its line tells people to do works."""
    path = next(Path(folder, "segments").glob("v2-*"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    mark = {"pid": 4242, "host": "h", "what": "add", "since": "2026-01-02T03:04:05+00:00"}
    Path(folder, "writing.json").write_text(json.dumps(mark))
    assert run("search", folder, "red")[0] == 2
    assert run("rollback", folder)[0] == 0
    code, out, err = run("search", folder, "red")
    assert code == 0
    assert "a red door" in out
    assert "undertow index verify" in err


def test_verify_tells_a_wrong_command_from_a_wrong_index(run, folder, docs, tmp_path):
    """A file that is not there, a column, a number: exit 2, and no report that nothing was found."""
    good, twice = tmp_path / "docs.parquet", tmp_path / "twice.parquet"
    pq.write_table(docs, good)
    pq.write_table(pa.concat_tables([docs, docs.slice(0, 1)]), twice)
    for words, says in (
        (("--docs", tmp_path / "none.parquet"), "no such file"),
        (("--docs", good, "--id", "nam"), "no column 'nam'"),
        (("--docs", twice), "1 of 4 ids are there twice: 'a'"),
        (("-m", "0"), "m 0: give the number"),
        (("--encoder", "minilmm"), "no encoder 'minilmm'; did you mean 'minilm'?"),
        (("--bridge", tmp_path / "none.npz"), "none.npz"),
    ):
        code, out, err = run("verify", folder, *words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert says in err
    with pytest.raises(UsageError, match="tolerance"):
        verify_index(folder, tolerance=2.0)
    with pytest.raises(DataError, match="twice"):
        verify_index(folder, documents=twice)
    assert run("verify", folder, "--docs", good)[0] == 0


def test_verify_names_an_encoder_that_is_gone(run, folder):
    """Half of an index was copied: that is a change, and not something that could not be told."""
    (gone,) = Path(folder, "encoders").iterdir()
    gone.unlink()
    code, out, _ = run("verify", folder)
    assert code == 1
    assert "changed  encoders/" in out


def test_more_hits_than_there_are_documents_take_no_memory(run, folder):
    """A k beyond all reason is as many as there are."""
    code, out, _ = run("search", folder, "red", "-k", 2_000_000_000)
    assert code == 0
    assert out.count("cosine") == 4


def test_one_number_is_not_numbers(run, tmp_path):
    """A document of one word has a vector of one number."""
    one = tmp_path / "one.parquet"
    pq.write_table(pa.table({"id": ["a"], "text": ["door"]}), one)
    code, out, _ = run("build", tmp_path / "one", "--docs", one, "--encoder", "tfidf")
    assert (code, out) == (0, "v1 answers now: 1 document, 1 number a vector\n")
    assert "1 document, 1 number a vector" in run("stats", tmp_path / "one")[1]


def test_tags_of_somebody_else_do_not_act_on_a_terminal(run, folder):
    """What a file of tags holds is shown, and not obeyed."""
    from undertow.index import versions

    versions.write_tags(Path(folder), {"\x1b[2Jprod": "v1"})
    code, out, _ = run("stats", folder)
    assert code == 0
    assert "prod" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        (pa.array([1.0, 2.0**53 + 2], pa.float64()), "9007199254740994"),
        (pa.array([1.0, 2.0**24 + 2], pa.float32()), "16777218"),
        (pa.array([1.0, 1e300], pa.float64()), "1.0000000000000001e+300"),
    ],
)
def test_ids_that_decimals_cannot_hold_are_refused(tmp_path, numbers, says):
    """A table turned long numbers into decimals: what they were is lost, and is not guessed."""
    docs = pa.table({"id": numbers, "text": TEXTS[:2]})
    with pytest.raises(DataError, match="exactly") as told:
        verb.build_index(tmp_path / "index", docs, encoder="tfidf")
    assert says in str(told.value)
    fine = pa.table({"id": pa.array([1.0, 2.0**24]), "text": TEXTS[:2]})
    assert verb.build_index(tmp_path / "index", fine, encoder="tfidf").documents == 2


def test_a_switch_in_the_middle_of_a_search_is_answered_by_one_version(folder, docs, monkeypatch):
    """Hits, their texts and the version's name are of the same version."""
    index = verb.open_index(folder)
    other = pa.table({"id": ["a"], "text": ["a red boat"]})
    texts, done = type(index).texts, []

    def late(self, ids):
        if not done:
            done.append(True)
            verb.build_index(folder, other, encoder="tfidf")
        return texts(self, ids)

    monkeypatch.setattr(type(index), "texts", late)
    found = verb.search_index(index, ["red"])
    assert found.version == "v3"
    assert [hit["text"] for hit in found.hits[0]] == ["a red boat"]
