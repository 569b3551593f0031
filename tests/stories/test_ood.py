"""Out of distribution: an unknown kind of row is told, usual rows pass at the rate, no row is lost."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UndertowError, UsageError
from undertow.core.verdict import Verdict
from undertow.observe import scored
from undertow.stats import unfamiliar
from undertow.surfaces.cli_ood import ood as command
from undertow.verbs.ood import ood

CENTRES = np.random.default_rng(1).normal(size=(9, 16))
TOPICS = {
    "card": "my card was declined at the shop please unblock the card today",
    "parcel": "where is my parcel the courier did not bring the parcel to my door",
    "refund": "i want a refund for the order you sent money back to the account",
    "login": "i forgot the password and cannot log in to the web page",
}
ODD = "which moon of jupiter has volcanoes and what do whales dream of in winter"


def vectors(cells: np.ndarray) -> pa.Array:
    """Return rows of a matrix as an Arrow column of vectors."""
    return pa.FixedSizeListArray.from_arrays(pa.array(cells.astype(np.float32).ravel()), 16)


def rows(count: int, seed: int, *, odd: float = 0.0) -> pa.Table:
    """Return vectors of eight classes, a share of them of a ninth that is unknown."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 8, count)
    codes[: round(odd * count)] = 8
    codes = codes[random.permutation(count)]
    cells = CENTRES[codes] + random.normal(size=(count, 16)) * 0.5
    return pa.table({"v": vectors(cells), "class": [f"c{code}" for code in codes]})


def texts(count: int, seed: int, *, odd: float = 0.0) -> pa.Table:
    """Return texts of four topics, each a few words of one sentence; some of nobody's topic."""
    random = np.random.default_rng(seed)
    out = []
    for row in range(count):
        line = ODD if row < odd * count else random.choice(list(TOPICS.values()))
        words = np.array(line.split())
        start = random.integers(0, len(words) - 5)
        out.append(" ".join(words[start : start + random.integers(4, 7)]))
    return pa.table({"text": out})


def test_a_clean_stream_is_not_loud_and_passes_at_the_rate():
    """Over 25 clean streams the share beyond is the stated 5% but for noise, and none changed."""
    shares, verdicts = [], []
    for seed in range(25):
        found = ood(rows(2000, seed), rows(1000, 1000 + seed), vector="v")["v"]
        shares.append(found.evidence["share"]["current"])
        verdicts.append(found.verdict)
    noise = math.sqrt(0.05 * 0.95 * (1 / 1000 + 1 / 400))
    assert abs(np.mean(shares) - 0.05) < 4 * noise / 5
    assert all(abs(share - 0.05) < 4 * noise for share in shares)
    assert Verdict.CHANGED not in verdicts
    assert verdicts.count(Verdict.WATCH) <= 2


@pytest.mark.parametrize("label", [None, "class"])
def test_an_unknown_class_is_counted_and_told_apart(tmp_path, label):
    """8% of an unknown class: changed, by about that share; its rows are the ones beyond."""
    now = rows(2000, 2, odd=0.08)
    out = tmp_path / "scores.parquet"
    report = ood(rows(3000, 1), now, vector="v", label=label, scores=out)
    found = report["v"]
    assert (report.verdict, found.check, found.column) == (Verdict.CHANGED, "ood.share", "v")
    assert 0.04 < found.effect.low < 0.95 * 0.08 < found.effect.high < 0.12
    scores = pq.read_table(out)
    assert scores.column_names == ["row", "score", "is_ood", "p"]
    assert scores["row"].to_pylist() == list(range(2000))
    new = np.asarray(now["class"]) == "c8"
    beyond = np.asarray(scores["is_ood"])
    assert beyond[new].mean() > 0.9
    assert abs(beyond[~new].mean() - 0.05) < 0.02
    assert (np.asarray(scores["score"]) > found.evidence["threshold"]).tolist() == beyond.tolist()
    assert found.evidence["method"] == ("local" if label is None else "blend")
    assert new[int(found.examples[0]["row"])]


def test_copies_of_the_reference_are_too_familiar():
    """Current rows that the reference holds are beyond far less often, and that is told."""
    known = rows(3000, 1)
    found = ood(known, known, vector="v", rate=0.2)["v"]
    assert found.verdict is Verdict.CHANGED
    assert found.says.startswith("only ")
    assert "copies of the reference" in found.next[0]


def test_texts_are_scored_with_no_encoder_to_download():
    """Texts of an unknown topic are the examples; blank and missing ones have no score."""
    now = texts(600, 2, odd=0.1)["text"].to_pylist()
    now[100], now[200], now[300] = None, "  ", "xyzzy qwfp"
    found = ood(texts(1500, 1), pa.table({"text": now}), text="text")
    assert found.verdict is Verdict.CHANGED
    words = set(ODD.split()) | {"xyzzy", "qwfp"}
    assert all(set(each["text"].split()) <= words for each in found["text"].examples)
    assert len({each["text"] for each in found["text"].examples}) == len(found["text"].examples)
    assert found.notes == ("2 of 600 current rows have nothing to score: 1 missing, 1 blank",)
    assert found.columns[0].space.endswith("tfidf")


def test_any_function_of_texts_is_an_encoder():
    """A callable makes the vectors of both sides, and one that returns too few is refused."""

    def letters(lines):
        return np.array([[1 + line.count(each) for each in "aeioutnrs"] for line in lines])

    found = ood(texts(300, 1), texts(200, 2), text="text", encoder=letters)
    assert found["text"].effect.defined
    assert "letters" in found.columns[0].space
    with pytest.raises(DataError, match="it must return one a text"):
        ood(texts(300, 1), texts(200, 2), text="text", encoder=lambda lines: letters([*lines, "x"]))


def test_every_form_of_the_report_can_be_made():
    """Text, JSON, HTML, Markdown and JUnit tell the share, with times and without."""
    now = rows(600, 2, odd=0.1)
    days = pa.array([f"2024-05-{1 + n // 60:02}" for n in range(600)])
    for given in ({}, {"time": "at"}):
        report = ood(rows(900, 1), now.append_column("at", days), vector="v", **given)
        for form in ("text", "json", "html", "markdown", "junit", "notebook"):
            assert "of rows are unlike the reference" in report.render(form)
        assert "<svg" in report.to_html()


def test_the_share_over_time_is_told_and_bounded():
    """A share that rises in March is told by day, its last day as a number, in 36 periods at most."""
    start = dt.datetime(2024, 2, 15, tzinfo=dt.UTC)
    early, late = rows(1500, 3), rows(1500, 4, odd=0.3)
    now = pa.concat_tables([early, late])
    days = [start + dt.timedelta(days=n * 30 / 3000) for n in range(3000)]
    now = now.append_column("at", pa.array(days, pa.timestamp("us", "UTC")))
    found = ood(rows(2000, 1), now, vector="v", time="at")["v"]
    told = found.evidence["over_time"]
    assert 30 <= len(told) <= 36
    assert list(told) == sorted(told)
    shares = [each["current"] for each in told.values()]
    assert np.mean(shares[:14]) < 0.08
    assert np.mean(shares[-14:]) > 0.25
    assert found.evidence["latest"]["current"] == shares[-1]
    assert sum(found.evidence["rows_over_time"]) == 3000
    assert found.shape["form"] == "shares"
    assert len(found.shape["rows"]) == 12
    counted = now.set_column(2, "at", pa.array(np.arange(3000)))
    undated = ood(rows(2000, 1), counted, vector="v", time="at")["v"].evidence["over_time"]
    assert len(undated) == 12


def test_scores_do_not_depend_on_how_the_rows_came(tmp_path):
    """Files, batches and the reference's order change no score, and the finding is the same."""
    known, now = rows(900, 1), rows(400, 2, odd=0.1)
    order = np.random.default_rng(5).permutation(900)
    parts = tmp_path / "parts"
    parts.mkdir()
    for start in range(0, 900, 250):
        pq.write_table(
            known.take(pa.array(order[start : start + 250])), parts / f"{start:03}.parquet"
        )
    pq.write_table(now, tmp_path / "now.parquet", row_group_size=70)
    one = ood(known, now, vector="v", label="class", scores=tmp_path / "a.parquet")
    two = ood(
        parts, tmp_path / "now.parquet", vector="v", label="class", scores=tmp_path / "b.parquet"
    )
    assert one["v"].to_dict() == two["v"].to_dict()
    a, b = (pq.read_table(tmp_path / f"{name}.parquet") for name in "ab")
    assert np.asarray(a["score"]) == pytest.approx(np.asarray(b["score"]), abs=3e-6)
    assert a["is_ood"].equals(b["is_ood"])


def test_no_row_is_lost_whatever_is_in_it(tmp_path):
    """Missing, short, infinite, NaN and zero vectors have a line without a score, and are counted."""
    cells = rows(200, 2)["v"].to_pylist()
    cells[3], cells[5] = None, [1.0]
    cells[7], cells[9], cells[11] = [math.inf] * 16, [math.nan] * 16, [0.0] * 16
    now = pa.table(
        {"v": pa.array(cells, pa.list_(pa.float64())), "name": [f"r{n}" for n in range(200)]}
    )
    known = rows(400, 1)["v"].to_pylist()
    known[0] = [0.0] * 16
    report = ood(pa.table({"v": known}), now, vector="v", id="name", scores=tmp_path / "s.parquet")
    scores = pq.read_table(tmp_path / "s.parquet")
    assert scores["row"].to_pylist() == list(range(200))
    assert scores["name"].to_pylist() == now["name"].to_pylist()
    for name in ("score", "is_ood", "p"):
        gone = [row for row, cell in enumerate(scores[name].to_pylist()) if cell is None]
        assert gone == [3, 5, 7, 9, 11]
    assert report["v"].rows.current == 195
    what = "1 missing, 1 of another length, 2 with NaN or infinity, 1 zero"
    assert report.notes == (
        "1 of 400 reference rows have nothing to score: 1 zero",
        f"5 of 200 current rows have nothing to score: {what}",
    )


def test_too_short_a_reference_is_unknown_and_says_how_many_rows_it_needs(tmp_path):
    """Under 50 rows, or too few for the rate, nothing is scored, and every row has its line."""
    report = ood(rows(49, 1), rows(30, 2), vector="v", scores=tmp_path / "s.parquet")
    assert (report.verdict, report["v"].needs_rows) == (Verdict.UNKNOWN, 50)
    assert pq.read_table(tmp_path / "s.parquet")["score"].null_count == 30
    found = ood(rows(500, 1), rows(30, 2), vector="v", rate=0.001)["v"]
    assert found.needs_rows == 1998
    assert ood(rows(50, 1), rows(300, 2), vector="v")["v"].effect.defined
    none = rows(30, 2).slice(0, 0)
    gone = pa.table({"v": pa.nulls(60, pa.list_(pa.float32()))})
    for sides in ((rows(500, 1), none), (none, rows(30, 2)), (rows(500, 1), gone), (gone, none)):
        assert ood(*sides, vector="v", scores=tmp_path / "s.parquet").verdict is Verdict.UNKNOWN
        scores = pq.read_table(tmp_path / "s.parquet")
        assert (scores.num_rows, scores["is_ood"].null_count) == (len(sides[1]), len(sides[1]))
    blank = pa.table({"text": [None, " "] * 40})
    assert ood(blank, blank, text="text").verdict is Verdict.UNKNOWN
    assert ood(texts(80, 1), blank, text="text").verdict is Verdict.UNKNOWN


def test_a_validation_set_can_set_the_threshold():
    """Rows named by a condition are held out, the others known, and all of them counted."""
    parts = pa.array(["train"] * 700 + ["val"] * 200 + [None] * 100)
    known = rows(1000, 1).append_column("part", parts)
    report = ood(known, rows(500, 2), vector="v", held_out="part = 'val'")
    assert report["v"].rows.reference == 200
    assert report["v"].evidence["known_rows"] == 800
    assert report.reference.rows == 1000
    odd = rows(500, 2, odd=0.06)
    hint = "set the threshold by rows kept out of training"
    assert hint in ood(known, odd, vector="v")["v"].next[-1]
    assert hint not in ood(known, odd, vector="v", held_out="part = 'val'")["v"].next[-1]
    short = ood(known, rows(500, 2), vector="v", held_out="part = 'test'")
    assert short.verdict is Verdict.UNKNOWN


def test_a_long_reference_is_cut_by_content(monkeypatch):
    """Only so many rows are used, the same ones in any order, and the report says so."""
    monkeypatch.setattr(unfamiliar, "MOST", 300)
    known = rows(1000, 1)
    report = ood(known, rows(200, 2), vector="v")
    assert report.notes == ("300 of 1,000 usable rows of the reference are used, by content hash",)
    assert report["v"].evidence["known_rows"] == 240
    turned = known.take(pa.array(np.arange(1000)[::-1]))
    assert ood(turned, rows(200, 2), vector="v")["v"].to_dict() == report["v"].to_dict()


def test_a_classifiers_scores_are_read_too():
    """Logits by energy, probabilities by the largest one; a row of zeros is a score like any other."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(800, 16)) + 8 * np.eye(16)[random.integers(0, 16, 800)]
    flat = random.normal(size=(100, 16))
    flat[0] = 0
    chances = [np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in (logits, flat)]
    said = ood(*(pa.table({"s": vectors(each)}) for each in (logits, flat)), score="s")
    assert (said["s"].evidence["method"], said.verdict) == ("energy", Verdict.CHANGED)
    assert said["s"].rows.current == 100
    tables = [pa.table({"s": vectors(each)}) for each in chances]
    sure = ood(*tables, score="s")
    assert (sure["s"].evidence["method"], sure.verdict) == ("max-logit", Verdict.CHANGED)
    with pytest.raises(UsageError, match="holds probabilities, and energy needs logits"):
        ood(*tables, score="s", method="energy")


def test_nearly_every_row_far_asks_for_the_encoder():
    """Vectors of another space are told as such first."""
    random = np.random.default_rng(4)
    turn = np.linalg.qr(random.normal(size=(16, 16)))[0]
    cells = np.stack(rows(300, 2)["v"].to_pylist()) @ turn
    found = ood(rows(900, 1), pa.table({"v": vectors(cells)}), vector="v")["v"]
    assert found.evidence["share"]["current"] > 0.9
    assert "one encoder" in found.next[0]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, UsageError, "nothing to score: give one column"),
        ({"vector": "v", "score": "v"}, UsageError, "2 columns to score"),
        ({"vector": "w"}, UsageError, "no column 'w'"),
        ({"vector": "class"}, UsageError, "is string, no vector"),
        ({"vector": "v", "label": "clas"}, UsageError, "no column 'clas'; did you mean 'class'"),
        ({"vector": "v", "label": "one"}, DataError, "1 label is on two rows or more"),
        ({"vector": "v", "label": "each"}, DataError, "no label is on two rows or more"),
        ({"vector": "v", "method": "kn"}, UsageError, "no method 'kn'; did you mean 'knn'"),
        ({"vector": "v", "method": "blend"}, UsageError, "blend needs a class"),
        ({"score": "v", "method": "knn"}, UsageError, "knn reads vectors"),
        ({"text": "class", "method": "energy"}, UsageError, "energy reads a classifier's logits"),
        ({"vector": "v", "encoder": "tfidf"}, UsageError, "an encoder reads texts"),
        ({"text": "class", "encoder": "tfdif"}, UsageError, "did you mean 'tfidf'"),
        ({"vector": "v", "rate": 0}, UsageError, "rate 0: it must be above 0"),
        ({"vector": "v", "tolerance": 2.0}, UsageError, "tolerance 2.0"),
        ({"vector": "v", "tim": "at"}, UsageError, "no option 'tim'; did you mean 'time'"),
        ({"vector": "v", "id": "score"}, UsageError, "is a column of the scores"),
        ({"vector": "v", "time": "at"}, UsageError, "no column 'at'"),
        ({"vector": "v", "held_out": "nonsense ("}, UndertowError, "nonsense"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(given, error, words):
    """Every option that does not fit is named, with what to do about it."""
    known = rows(100, 1)
    known = known.append_column("one", pa.array(["x"] * 100))
    known = known.append_column("each", pa.array([f"x{n}" for n in range(100)]))
    with pytest.raises(error) as refused:
        ood(known, rows(100, 2), **given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_lengths_of_vectors_are_refused_by_name():
    """384 against 768 numbers is no comparison."""
    now = pa.table({"v": [[1.0, 2.0, 3.0]] * 60})
    with pytest.raises(DataError, match="vectors of 16 numbers, but of 3 in"):
        ood(rows(100, 1), now, vector="v")


def test_scores_never_overwrite_what_is_read(tmp_path):
    """The scores' file may not be an input, nor lie in a folder that is read, nor be a folder."""
    known = tmp_path / "known.parquet"
    pq.write_table(rows(100, 1), known)
    before = known.read_bytes()
    for side, name in ((known, known), (tmp_path, tmp_path / "s.parquet"), (known, tmp_path)):
        with pytest.raises(UsageError, match=r"would lie on|is a folder"):
            ood(side, known, vector="v", scores=name)
    with pytest.raises(UsageError, match="would lie on"):
        ood(f"{tmp_path}/*.parquet", known, vector="v", scores=tmp_path / "s.parquet")
    with pytest.raises(UsageError, match="there is no folder"):
        ood(known, known, vector="v", scores=tmp_path / "no" / "s.parquet")
    assert known.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["known.parquet"]


def run(*words: object) -> int:
    """Run the command and return its exit code."""
    with command.make_context("ood", [*map(str, words)]) as context:
        return command.invoke(context)


def test_the_command_writes_scores_and_a_report(tmp_path, capsys, monkeypatch):
    """`undertow ood` leaves with 1 for a change, and its JSON and scores say the same."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(rows(1000, 1), "known.parquet")
    pq.write_table(rows(500, 2, odd=0.2), "now.parquet")
    words = ("known.parquet", "now.parquet", "--vector", "v", "--scores", "s.parquet")
    assert run(*words, "--label", "class", "--json", "-", "--rate", "0.1") == 1
    report = json.loads(capsys.readouterr().out)
    finding = report["findings"][0]
    assert (report["schema"], finding["check"]) == (1, "ood.share")
    assert finding["effect"]["name"] == "moved_share"
    scores = pq.read_table("s.parquet")
    share = np.asarray(scores["is_ood"]).mean()
    assert finding["evidence"]["share"]["current"] == pytest.approx(share)
    assert run(*words, "--fail-on", "never", "--tolerance", "0.4", "--quiet") == 0
    assert run(*words, "--where", "class = 'none'", "--quiet") == 3
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("out", ["-", "known.parquet", "no/s.parquet", "report.json"])
def test_the_command_refuses_a_file_of_scores_it_cannot_write(tmp_path, monkeypatch, out):
    """A pipe, an input, a folder that is not there and a form's own file hold no scores."""
    import click

    monkeypatch.chdir(tmp_path)
    pq.write_table(rows(100, 1), "known.parquet")
    words = ("known.parquet", "known.parquet", "--vector", "v", "--json", "report.json")
    with pytest.raises(click.UsageError, match="--scores"):
        run(*words, "--scores", out)
    assert not Path("report.json").exists()


def test_examples_can_be_left_out(tmp_path, monkeypatch):
    """Redacted, no text of any row is in the report."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(texts(300, 1), "known.parquet")
    pq.write_table(texts(200, 2, odd=0.3), "now.parquet")
    words = ("known.parquet", "now.parquet", "--text", "text", "--quiet", "--json", "r.json")
    run(*words)
    assert "jupiter" in Path("r.json").read_text()
    run(*words, "--redact")
    assert "jupiter" not in Path("r.json").read_text()


def test_examples_are_bounded():
    """Few rows and few letters of each are shown, however many and long there are."""
    now = pa.table({"text": [f"{ODD} {n} " * 50 for n in range(300)]})
    found = ood(texts(300, 1), now, text="text")["text"]
    assert len(found.examples) == scored.EXAMPLES
    assert all(len(each["text"]) <= scored.SHOWN for each in found.examples)


CLINC = {"reference_where": "not is_oos and split <> 'test'", "current_where": "split = 'test'"}


@pytest.mark.real
def test_out_of_scope_queries_by_words_alone(real, tmp_path):
    """clinc150_oos by TF-IDF: in-scope rows pass at 5 +- 1%, out-of-scope ones score higher."""
    path = str(real("clinc150_oos"))
    out = tmp_path / "s.parquet"
    report = ood(
        path, path, text="text", label="intent", held_out="split = 'val'", scores=out, **CLINC
    )
    auc, _, rate = told(path, out)
    assert report.verdict is Verdict.CHANGED
    assert auc > 0.90
    assert abs(rate - 0.05) <= 0.01


@pytest.mark.real
@pytest.mark.parametrize(
    ("label", "auroc", "accepted"), [(None, 0.965, 0.168), ("intent", 0.972, 0.116)]
)
def test_out_of_scope_queries_by_meaning(real, tmp_path, label, auroc, accepted):
    """clinc150_oos by a frozen sentence encoder reaches the best published of its kind."""
    path = real("clinc150_oos")
    saved = Path(os.environ.get("UNDERTOW_VECTORS", "")) / "clinc150_oos.fp32.npy"
    if not saved.is_file():
        pytest.skip("no clinc150_oos.fp32.npy in UNDERTOW_VECTORS")
    cells = np.load(saved)
    column = pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel()), cells.shape[1])
    table = pq.read_table(path).append_column("v", column)
    out = tmp_path / "s.parquet"
    report = ood(
        table, table, vector="v", label=label, held_out="split = 'val'", scores=out, **CLINC
    )
    auc, let_in, rate = told(path, out)
    assert report.verdict is Verdict.CHANGED
    assert auc >= auroc
    assert let_in <= accepted
    assert abs(rate - 0.05) <= 0.01


def told(path, out) -> tuple[float, float, float]:
    """Return the AUROC, the out-of-scope share accepted at 95% in-scope, and the in-scope rate."""
    from undertow.stats.classify import area

    new = np.asarray(pq.read_table(path, filters=[("split", "=", "test")])["is_oos"])
    found = pq.read_table(out)
    scores, beyond = np.asarray(found["score"]), np.asarray(found["is_ood"])
    let_in = (scores[new] <= np.quantile(scores[~new], 0.95)).mean()
    return area(scores, new)[0], float(let_in), float(beyond[~new].mean())
