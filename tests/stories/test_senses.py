"""One word with two senses: kept apart is steady, mixed is changed, and no sense is taken for granted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError
from undertow.core.verdict import Verdict
from undertow.surfaces.cli_senses import senses as command
from undertow.verbs.senses import senses

LINES = (Path(__file__).parents[1] / "laws" / "apples.txt").read_text("utf-8").splitlines()
APPLES = pa.table(
    {
        "sense": [line.split("\t")[0] for line in LINES],
        "text": [line.split("\t")[1] for line in LINES],
    }
)


def rows(fruit: int, company: int, *, mixed: bool = False, seed: int = 0) -> pa.Table:
    """Return texts of two senses and a vector each; `mixed` puts both senses in one place."""
    random = np.random.default_rng(seed)
    sense = random.permutation(np.repeat([0, 1], [fruit, company]))
    centre = np.eye(2, 12)[0 if mixed else sense]
    cells = centre + 0.15 * random.standard_normal((len(sense), 12))
    said = [("an apple tree bears", "the shares of Apple")[each] for each in sense]
    return pa.table(
        {
            "text": [f"{each} {n}" for n, each in enumerate(said)],
            "v": pa.FixedSizeListArray.from_arrays(pa.array(cells.astype(np.float32).ravel()), 12),
            "sense": [("fruit", "company")[each] for each in sense],
        }
    )


def told(table: pa.Table, **given: object):
    """Return the report on the word apple by the vectors of a table."""
    return senses(table, **({"text": "text", "word": "apple", "vector": "v"} | given))


@pytest.mark.parametrize("label", ["sense", None])
def test_senses_kept_apart_are_steady_and_said_so(label):
    """Few wrong neighbours: steady, and the good news stands in the notes."""
    report = told(rows(60, 50), label=label)
    found = report["apple"]
    assert (report.verdict, found.check, found.column) == (Verdict.STEADY, "vector.senses", "text")
    assert found.effect.high < 0.3
    assert report.notes[0] == found.says
    assert (report.reference.rows, report.current.rows) == (110, 110)


@pytest.mark.parametrize("label", ["sense", None])
def test_mixed_senses_are_changed_and_their_rows_are_shown(label):
    """Both senses in one place: as mixed as chance, and each example stands beside a wrong one."""
    table = rows(60, 50, mixed=True)
    report = told(table, label=label)
    found = report["apple"]
    assert report.verdict is Verdict.CHANGED
    assert 0.7 < found.effect.value <= found.effect.high <= 1
    assert found.evidence["by_chance"] == pytest.approx(1 - (60 * 59 + 50 * 49) / (110 * 109))
    assert len(found.examples) == 5
    for each in found.examples:
        assert each["text"] in table["text"].to_pylist()
        assert not each["beside"].startswith(each["sense"])
        assert int(each["nearest"][0]) >= 3
    assert "try another encoder" in found.next[0]


def test_a_rare_sense_counts_as_much_as_a_common_one():
    """20 rows of 400 lost among the others are few wrong neighbours, and a change all the same."""
    found = told(rows(380, 20, mixed=True), label="sense")["apple"]
    assert found.evidence["wrong_neighbours"] < 0.12
    assert found.verdict is Verdict.CHANGED
    assert told(rows(380, 20), label="sense").verdict is Verdict.STEADY


def test_neither_kind_is_taken_for_the_other():
    """Over 30 draws of 100 rows: never changed where they are apart, always where they are mixed."""
    for seed in range(30):
        assert told(rows(50, 50, seed=seed), label="sense").verdict is Verdict.STEADY
        mixed = told(rows(50, 50, mixed=True, seed=seed), label="sense")
        assert mixed.verdict is Verdict.CHANGED


def test_too_few_rows_are_unknown_and_say_how_many_would_do():
    """Under two senses of six texts there is no verdict; with few, the rows needed are named."""
    report = told(rows(5, 60), label="sense")
    found = report["apple"]
    assert (report.verdict, found.effect, found.needs_rows) == (Verdict.UNKNOWN, None, 12)
    assert "(fruit" not in found.says
    assert "company 60, fruit 5): two senses of 6 texts each are needed" in found.summary
    few = told(rows(7, 7), label="sense")["apple"]
    assert few.verdict is Verdict.UNKNOWN
    assert few.needs_rows > 14
    assert f"about {few.needs_rows:,} texts would tell" in few.summary
    assert told(rows(3, 3)).verdict is Verdict.UNKNOWN
    assert told(rows(3, 3).slice(0, 0)).verdict is Verdict.UNKNOWN


def test_without_senses_the_two_groups_are_named():
    """One spelling tells nothing: unknown, with the two groups by their words, and what to do."""
    table = rows(60, 50)
    low = [text.lower() for text in table["text"].to_pylist()]
    report = told(table.set_column(0, "text", pa.array(low)))
    found = report["apple"]
    assert report.verdict is Verdict.UNKNOWN
    assert "its capital tells no two senses apart" in found.summary
    assert "--label" in found.next[0]
    groups = {each["rows"]: set(each["words"]) for each in found.evidence["groups"]}
    assert "tree" in groups[60]
    assert "shares" in groups[50]
    assert any("fall into two groups: " in note for note in report.notes)
    assert "groups" not in told(rows(60, 50), label="sense")["apple"].evidence


def test_texts_are_encoded_with_nothing_to_download():
    """TF-IDF by default, said so; it does not see the capital, and its name is with the column."""
    report = senses(APPLES, text="text", word="APPLE", label="sense")
    assert report.columns[0].space.endswith("tfidf")
    assert any("name your own with --encoder" in note for note in report.notes)
    assert any(
        "one vector of a text, whether 'APPLE' has a capital or not" in n for n in report.notes
    )
    assert report["APPLE"].effect.value < 0.5
    assert report["APPLE"].evidence["told_apart_p"] <= 0.01


def test_an_encoder_that_reads_the_capital_keeps_senses_apart():
    """A function of texts that sees the case is no blind one; its vectors of zeros are left out."""

    def cased(texts):
        places = {"A": [3.0, 0.1], "a": [0.1, 3.0]}
        ends = ["A" if "Apple" in text else "a" for text in texts]
        spread = [[len(text) / 100, sum(map(ord, text)) % 97 / 97] for text in texts]
        return np.array(
            [
                [0] * 4 if "17" in text else [*places[end], *each]
                for text, end, each in zip(texts, ends, spread, strict=True)
            ]
        )

    report = senses(rows(60, 50), text="text", word="apple", encoder=cased)
    assert report.verdict is Verdict.STEADY
    assert not any("has a capital or not" in note for note in report.notes)
    assert "1 texts have a vector of zeros, and count for none" in report.notes
    assert report.current.rows == 109
    with pytest.raises(DataError, match="it must return one a text"):
        senses(APPLES, text="text", word="apple", encoder=lambda _: np.ones((1, 2)))


def test_every_form_of_the_report_can_be_made():
    """Text, JSON, HTML, Markdown and JUnit tell the share of wrong neighbours."""
    report = told(rows(60, 50, mixed=True), label="sense")
    for form in ("text", "json", "html", "markdown", "junit", "notebook"):
        assert "of what is nearest to a text with" in report.render(form)


def run(*words: object) -> int:
    """Run the command and return its exit code."""
    with command.make_context("senses", [*map(str, words)]) as context:
        return command.invoke(context)


def test_the_command_leaves_with_a_verdict(tmp_path, capsys, monkeypatch):
    """0 apart, 1 mixed, 3 where nothing can be told; JSON on standard output stands alone."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(rows(60, 50), "apart.parquet")
    pq.write_table(rows(60, 50, mixed=True), "mixed.parquet")
    words = ("--text", "text", "--word", "apple", "--vector", "v", "--label", "sense")
    assert run("apart.parquet", *words, "--quiet") == 0
    assert run("mixed.parquet", *words, "--json", "-") == 1
    report = json.loads(capsys.readouterr().out)
    finding = report["findings"][0]
    assert (report["schema"], finding["check"], finding["value"]) == (1, "vector.senses", "apple")
    assert finding["effect"]["name"] == "difference"
    assert finding["effect"]["tolerance"] == 0.2
    assert run("mixed.parquet", *words, "--fail-on", "never", "--quiet") == 0
    assert run("mixed.parquet", *words, "--where", "sense = 'fruit'", "--quiet") == 3
    assert run("mixed.parquet", *words, "--redact", "--json", "r.json", "--quiet") == 1
    assert json.loads(Path("r.json").read_text())["findings"][0]["examples"] == []
    with pytest.raises(click.UsageError, match="auto"):
        run("mixed.parquet", *words, "--tolerance", "auto")


def encoded(real, name: str) -> pa.Table:
    """Return a real data set with its vectors, or skip."""
    path = real(name)
    saved = Path(os.environ.get("UNDERTOW_VECTORS", "")) / f"{name}.fp32.npy"
    if not saved.is_file():
        pytest.skip(f"no {saved.name} in UNDERTOW_VECTORS")
    cells = np.load(saved)
    column = pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel()), cells.shape[1])
    return pq.read_table(path).append_column("v", column)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "columns", "word", "verdict"),
    [
        ("clinc150_oos", ("text", "domain"), "transfer", Verdict.STEADY),
        ("clinc150_oos", ("text", "domain"), "date", Verdict.STEADY),
        ("clinc150_oos", ("text", "domain"), "play", Verdict.CHANGED),
        ("stackoverflow_titles", ("title", "tag"), "form", Verdict.CHANGED),
    ],
)
def test_words_of_several_trades(real, name, columns, word, verdict):
    """A sentence encoder keeps a transfer of money from one at work; a form is much like a form."""
    report = senses(encoded(real, name), text=columns[0], word=word, vector="v", label=columns[1])
    assert report.verdict is verdict
