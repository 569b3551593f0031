"""A system that feeds on itself, with the loop planted: it is told as what it is, and nothing else is."""

from __future__ import annotations

import json

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.stats.neighbours import unit
from undertow.surfaces.cli_feedback import feedback as command
from undertow.verbs.feedback import feedback

ALARM = {Verdict.CHANGED, Verdict.WATCH}
WORDS = [f"word{n}" for n in range(300)]


def popularity(items: int, kind: str, seed: int = 0):
    """Return how often each item is wanted, adding up to 1."""
    made = np.random.default_rng(seed).gamma(4.0, size=items)
    made = 1 / np.arange(1, items + 1) if kind == "zipf" else made
    return made / made.sum()


def loop(items: int, steps: int, seed: int, servings: int = 1_000):
    """Return the servings of each step; a step serves what the last one did, the popular more often."""
    random = np.random.default_rng(seed)
    p, made = popularity(items, "mild", seed), []
    for _ in range(steps):
        made.append(random.choice(items, servings, p=p))
        clicked = np.bincount(made[-1], minlength=items) ** 1.5
        p = 0.95 * clicked / clicked.sum() + 0.05 / items
    return made


def table(served, **columns):
    """Return servings as a table of item names."""
    return pa.table({"item": [f"item {n}" for n in served], **columns})


def texts(count: int, seed: int = 0, words: int = 15):
    """Return random texts."""
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, words)) for _ in range(count)]


@pytest.mark.parametrize("items", [60, 300, 3_000])
@pytest.mark.parametrize("seed", range(4))
def test_a_popularity_loop_is_told_within_two_steps(items, seed):
    """The step before the loop against the second that it shaped, whatever the catalogue."""
    steps = loop(items, 3, seed)
    report = feedback(table(steps[0]), table(steps[2]), item="item")
    assert report.verdict in ALARM
    assert report["feedback"].says.startswith(("a loop: exposure concentrates", "a loop: fewer"))


@pytest.mark.parametrize("kind", ["mild", "zipf"])
@pytest.mark.parametrize("items", [60, 300, 3_000])
def test_the_same_popularity_again_is_no_loop(kind, items):
    """Servings drawn again are no alarm, also where the sides differ in size."""
    p = popularity(items, kind)
    for seed in range(4):
        random = np.random.default_rng(seed)
        sides = [table(random.choice(items, rows, p=p)) for rows in (1_500, 800 + 100 * seed)]
        report = feedback(*sides, item="item")
        assert report.verdict not in ALARM
        assert "loop" in report["feedback"].says


def test_the_verdict_names_what_took_over_and_what_is_gone():
    """The sentence holds both numbers of both sides; movers stand with their shares."""
    even = np.arange(2_000) % 100
    narrow = np.where(np.arange(2_000) % 2, 7, np.arange(2_000) // 2 % 93)
    report = feedback(table(even), table(narrow), item="item")
    assert report["feedback"].says == (
        "a loop: exposure concentrates on fewer items (Gini 0.00 → 0.54; 100% → 93% of all items "
        "seen served)"
    )
    found = report["exposure of item"]
    assert found.evidence["took_over"][0] == {
        "item": "item 7",
        "reference": 0.01,
        "current": 0.5055,
    }
    assert found.evidence["no_longer_served"] == 7
    assert found.examples[0] == {"item": "item 7", "share before": "1%", "share now": "51%"}
    assert {"item": "item 98", "share before": "1%", "share now": "none"} in found.examples
    assert found.shape["form"] == "lorenz"


def test_exposure_that_spreads_is_a_change_and_no_loop():
    """The other direction fails the run, and is not called a loop."""
    even, narrow = np.arange(2_000) % 100, np.arange(2_000) % 30
    report = feedback(table(narrow), table(even), item="item")
    assert report["exposure of item"].verdict is Verdict.CHANGED
    assert report["feedback"].verdict is Verdict.STEADY
    assert report["feedback"].says.startswith("no loop")


def test_one_set_is_cut_by_its_time():
    """The last part is compared with what came before, and the steps are listed."""
    steps = loop(80, 6, 1, servings=400)
    served = np.concatenate(steps)
    days = np.repeat([f"2026-03-0{n}" for n in range(1, 7)], 400)
    report = feedback(table(served, day=days), item="item", time="day")
    assert report.verdict is Verdict.CHANGED
    over = report["exposure of item"].evidence["steps"]
    assert len(over) == 6
    assert over[0]["gini"] < over[-1]["gini"]
    assert any(note.startswith("Gini of item over 6 steps") for note in report.notes)


def test_a_catalogue_counts_what_is_never_served():
    """Ids listed twice or served unlisted are told; coverage is of the whole catalogue."""
    catalog = pa.table({"id": [f"item {n}" for n in range(400)] + ["item 1", None]})
    even = np.arange(2_000) % 200
    strange = np.where(even == 5, 999, even)
    report = feedback(table(even), table(strange), item="item", catalog=catalog)
    evidence = report["exposure of item"].evidence
    assert evidence["items"] == 401
    assert evidence["catalogue_coverage"]["reference"] == pytest.approx(200 / 401, abs=1e-4)
    assert any("2 ids of the catalogue are blank or there twice" in each for each in report.notes)
    assert any(
        "1 served item is not in the catalogue (10 servings)" in each for each in report.notes
    )


def test_ids_are_compared_as_texts():
    """Numbers on one side and their spelling on the other are the same items."""
    served = np.arange(1_000) % 50
    spelled = pa.table({"item": pa.array([str(n) for n in served])})
    floats = pa.table({"item": pa.array(served.astype(float))})
    for one, two in ((pa.table({"item": served}), spelled), (spelled, floats)):
        report = feedback(one, two, item="item")
        assert report.verdict is Verdict.STEADY
        assert report["exposure of item"].evidence["items"] == 50
    foreign = feedback(spelled, table(served), item="item")
    assert any(note.startswith("no item of") for note in foreign.notes)


def test_texts_that_repeat_one_another_are_told():
    """A generator that says one thing in many words: near copies rise, with pairs side by side."""
    fresh, moulds = texts(600), texts(40, 9)
    stale = [f"{moulds[n % 40]} {WORDS[n % 300]}" for n in range(300)] + texts(300, 3)
    report = feedback(pa.table({"t": fresh}), pa.table({"t": stale}), text="t")
    found = report["near copies in t"]
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["share_of_rows"]["current"] == pytest.approx(0.5, abs=0.02)
    assert set(found.examples[0]) == {"text", "near copy", "copies"}
    assert report["feedback"].says.startswith("a loop: 0% → 50% of rows are near copies")
    again = feedback(pa.table({"t": fresh}), pa.table({"t": texts(900, 5)}), text="t")
    assert again.verdict is Verdict.STEADY


def test_vectors_that_draw_together_are_told():
    """Near copies by vector and the mean cosine rise; the Vendi score stands beside them."""
    random = np.random.default_rng(0)
    wide = unit(random.normal(size=(500, 12)).astype(np.float32))
    centres = wide[:5][random.integers(0, 5, 500)]
    narrow = unit(centres + 0.02 * random.normal(size=(500, 12)).astype(np.float32))
    sides = [pa.table({"v": each.tolist()}) for each in (wide, narrow)]
    report = feedback(*sides, vector="v")
    assert report["near copies by v"].verdict is Verdict.CHANGED
    similar = report["similarity by v"]
    assert similar.verdict is Verdict.CHANGED
    assert similar.evidence["vendi_score"]["reference"] > similar.evidence["vendi_score"]["current"]
    assert feedback(sides[0], sides[0], vector="v").verdict is Verdict.STEADY
    columns = {f"v_{n}": wide[:, n] for n in range(12)}
    assert feedback(pa.table(columns), pa.table(columns), vector="v_*").verdict is Verdict.STEADY


def test_an_encoder_makes_the_vectors():
    """Texts of one mould are alike to an encoder too."""
    one, two = texts(300), [f"{WORDS[0]} {WORDS[1]} {WORDS[n % 3]}" for n in range(300)]
    report = feedback(pa.table({"t": one}), pa.table({"t": two}), text="t", encoder="tfidf")
    assert report["similarity by t"].verdict is Verdict.CHANGED


def test_own_output_that_comes_back_is_told_beside_what_it_copies():
    """Only outputs written before the row count, where both have times."""
    outputs, fresh = texts(400, 1), texts(900, 2)
    back = [f"{text.upper()} ." for text in outputs[:150]] + fresh[600:]
    log = pa.table({"said": outputs, "at": [f"2026-01-{1 + n % 28:02d}" for n in range(400)]})
    before = pa.table({"t": fresh[:450], "at": ["2025-12-01"] * 450})
    now = pa.table({"t": back, "at": ["2026-02-01"] * 450})
    given = {"text": "t", "time": "at", "outputs": log, "output_text": "said", "output_time": "at"}
    report = feedback(before, now, **given)
    found = report["own output in t"]
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["rows_by_how"]["exact"] == {"reference": 0, "current": 150}
    assert found.examples[0]["text"].rstrip(" .").lower() == found.examples[0]["own output"]
    assert report["feedback"].says.startswith("a loop: own output comes back: 0% → 33% of rows")
    early = now.set_column(1, "at", pa.array(["2025-12-31"] * 450))
    assert feedback(before, early, **given)["own output in t"].verdict is Verdict.STEADY
    timeless = feedback(
        before.select(["t"]), now.select(["t"]), text="t", outputs=log, output_text="said"
    )
    assert timeless["own output in t"].verdict is Verdict.CHANGED
    assert any("wherever it copies an output" in each for each in timeless.notes)
    unnamed = log.rename_columns(["t", "at"])
    assert feedback(before, now, outputs=unnamed, output_text="t").verdict is Verdict.CHANGED


def test_sessions_make_few_rows_of_many():
    """Ten visits of a hundred servings each are no proof of anything."""
    random = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        visits = np.repeat(random.integers(0, 20, 10), 100)
        sides.append(table(visits, visit=np.arange(1_000) // 100))
    assert feedback(*sides, item="item", session="visit").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to look at"),
        ({"item": "itm"}, "no column 'itm'; did you mean 'item'"),
        ({"text": "nope"}, "no column 'nope'"),
        ({"item": "item", "time": "when"}, "no column 'when'"),
        ({"item": "slate"}, "holds lists"),
        ({"vector": "item"}, "no vector"),
        ({"item": "item", "tolerance": 0.5}, "tolerance 0.5"),
        ({"item": "item", "tolerance": -1}, "tolerance -1"),
        ({"item": "item", "tolerance": {"ginni": 0.1}}, "did you mean 'gini'"),
        ({"item": "item", "tolerance": {"gini": "x"}}, "must be a number"),
        ({"item": "item", "catalogue": 1}, "did you mean 'catalog'"),
        ({"text": "text", "catalog": pa.table({"item": [1]})}, "--item"),
        ({"item": "item", "encoder": "tfidf"}, "name --text"),
        ({"text": "text", "output_time": "at"}, "add --outputs"),
        ({"outputs": pa.table({"said": ["a b c d"]})}, "with --text"),
        ({"text": "text", "outputs": pa.table({"said": ["a b c d"]})}, "no column 'text'"),
        ({"text": "text", "outputs": pa.table({"text": pa.array([], pa.string())})}, "no rows"),
        ({"text": "text", "outputs": pa.table({"text": [None, " "]})}, "holds no text"),
        ({"item": "item", "catalog": pa.table({"a": [1], "b": [2]})}, "no column 'item'"),
        ({"item": "item", "catalog": pa.table({"item": pa.array([], pa.int64())})}, "holds no ids"),
    ],
)
def test_a_wrong_call_gets_one_line(options, words):
    """What is wrong, with which value, and what to do."""
    rows = pa.table({"item": ["a"] * 60, "text": ["a b c d e"] * 60, "slate": [["a", "b"]] * 60})
    with pytest.raises((UsageError, DataError), match=words) as told:
        feedback(rows, rows, **options)
    assert "\n" not in str(told.value)


def test_one_set_without_a_time_is_refused():
    """There is nothing to compare with."""
    with pytest.raises(UsageError, match="give CURRENT, or --time"):
        feedback(table([1] * 60), item="item")
    with pytest.raises(UsageError, match="needs two sets"):
        feedback(table([1] * 60, t=[1] * 60), item="item", time="t", current_where="t > 3")


def test_times_of_two_kinds_are_refused():
    """Dates cannot be compared with plain numbers of steps."""
    rows = pa.table({"t": texts(60), "at": ["2026-01-01"] * 60})
    log = pa.table({"t": texts(60), "at": list(range(60))})
    with pytest.raises(DataError, match="dates on one side and plain numbers"):
        feedback(rows, rows, text="t", time="at", outputs=log, output_time="at")


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_too_few_rows_are_unknown(rows):
    """An empty side, one row, twenty: nothing is told, and nothing fails."""
    some = pa.table(
        {
            "item": pa.array(["a", "b"] * 10, pa.string())[:rows],
            "text": pa.array(texts(20), pa.string())[:rows],
            "v": pa.array(np.eye(20, 4).tolist(), pa.list_(pa.float64()))[:rows],
        }
    )
    for one, two in ((some, some), (some, pa.concat_tables([some] * 3))):
        report = feedback(
            one, two, item="item", text="text", vector="v", outputs=pa.table({"text": texts(9)})
        )
        assert report.verdict is Verdict.UNKNOWN
        told = report.to_json()
        assert "NaN" not in told
        assert json.loads(told)["verdict"] == "unknown"


def test_one_item_alone_cannot_concentrate():
    """The report says so, instead of asking for more rows."""
    report = feedback(table([1] * 300), table([1] * 300), item="item")
    assert report["exposure of item"].verdict is Verdict.UNKNOWN
    assert report["exposure of item"].summary.startswith(
        "cannot tell: one item is all that is served"
    )
    many = feedback(table(np.arange(300) % 30), table([1] * 300), item="item")
    assert many.verdict is Verdict.CHANGED


def test_odd_rows_are_counted_and_not_lost():
    """Missing ids, blank and huge texts, vectors with holes: each is named with its number."""
    rows = 200
    odd = pa.table(
        {
            "item": pa.array([None, "", *[f"i{n % 9}" for n in range(rows - 2)]]),
            "text": pa.array([None, " ", "huge " * 20_000, *texts(rows - 3)]),
            "v": pa.array([None, [1.0], [0.0, 0.0], *[[1.0, n] for n in range(rows - 3)]]),
        }
    )
    report = feedback(odd, odd, item="item", text="text", vector="v")
    told = " ".join(report.notes)
    for words in (
        "2 of 200 rows name no item",
        "2 of 200 rows have no text",
        "1 very long",
        "3 of 200",
    ):
        assert words in told
    assert report.verdict is not Verdict.CHANGED


def test_the_command_writes_the_same_report(tmp_path):
    """Files, mixed types and options by name: the exit code and the JSON."""
    steps = loop(60, 3, 0)
    pq.write_table(pa.table({"item": steps[0]}), tmp_path / "before.parquet")
    csv.write_csv(pa.table({"item": steps[2]}), tmp_path / "now.csv")
    out = tmp_path / "report.json"
    runner = click.testing.CliRunner()
    given = [str(tmp_path / name) for name in ("before.parquet", "now.csv")]
    made = runner.invoke(
        command,
        [*given, "--item", "item", "--tolerance", "gini=0.02", "--json", str(out), "--quiet"],
        standalone_mode=False,
    )
    assert made.return_value == 1, made.output
    told = json.loads(out.read_text())
    exposure = next(each for each in told["findings"] if each["check"] == "feedback.exposure")
    assert exposure["effect"]["tolerance"] == 0.02
    assert exposure["evidence"]["items"] == 60
    wrong = runner.invoke(command, [*given, "--item", "item", "--tolerance", "auto"])
    assert wrong.exit_code == 2
    assert "auto" in wrong.output


def test_every_form_of_the_report_can_be_written():
    """HTML, Markdown and JUnit draw the Lorenz curve and the movers without complaint."""
    steps = loop(60, 3, 0)
    sides = [
        table(step, text=[f"song <{n}> of the night" for n in step])
        for step in (steps[0], steps[2])
    ]
    report = feedback(*sides, item="item", text="text")
    assert "of servings" in report.to_html()
    assert report["exposure of item"].examples[0]["text"].startswith("song <")
    assert report.redact()["exposure of item"].examples == ()
    for form in (report.to_text(), report.to_markdown(), report.to_junit()):
        assert "loop" in form


@pytest.mark.real
def test_a_loop_on_real_texts_is_told_within_two_steps(real):
    """CLINC150: intents are served; the third step is no longer the first, and a redraw is."""
    names = pq.read_table(real("clinc150_oos"))["intent"].to_numpy(zero_copy_only=False)
    intents, counts = np.unique(names.astype(str), return_counts=True)
    steps = loop(len(intents), 3, 0)
    report = feedback(table(steps[0]), table(steps[2]), item="item")
    assert report.verdict in ALARM
    random = np.random.default_rng(0)
    p = counts / counts.sum()
    quiet = [table(random.choice(len(intents), 1_000, p=p)) for _ in range(2)]
    assert feedback(*quiet, item="item").verdict not in ALARM


def test_emoji_alone_are_no_copies_of_one_another():
    """The invisible selector behind an emoji is no word: different emoji are different texts."""
    random = np.random.default_rng(0)
    drawn = [chr(0x1F600 + n) for n in range(60)] + ["❤️", "☺️"]
    emoji = pa.table({"t": ["".join(random.choice(drawn, 8)) + "❤️" for _ in range(400)]})
    report = feedback(pa.table({"t": texts(400)}), emoji, text="t")
    assert report["near copies in t"].verdict is Verdict.STEADY
    same = pa.table({"t": ["❤️"] * 400})
    assert feedback(emoji, same, text="t")["near copies in t"].verdict is Verdict.CHANGED


def test_too_few_sessions_are_said_and_not_too_few_rows():
    """Four hundred rows of one visit are one visit: more rows of it would not tell."""
    one = pa.table({"t": texts(400), "item": range(400), "visit": [n // 4 for n in range(400)]})
    two = one.set_column(2, "visit", pa.array([0] * 400))
    report = feedback(one, two, text="t", item="item", session="visit")
    found = report["near copies in t"], report["exposure of item"]
    assert all("1 session on a side" in each.summary for each in found)


def test_own_output_of_one_visit_is_no_proof():
    """Rows of one session are not independent: one visitor who repeats an answer is one case."""
    outputs, fresh = texts(50, 1), texts(800, 2)
    before = pa.table({"t": fresh[:400], "visit": [f"a{n // 8}" for n in range(400)]})
    now = pa.table(
        {"t": [outputs[n] if n < 40 else fresh[n + 400] for n in range(400)]}
        | {"visit": ["one" if n < 40 else f"b{n // 8}" for n in range(400)]}
    )
    given = {"text": "t", "outputs": pa.table({"t": outputs})}
    assert feedback(before, now, **given)["own output in t"].verdict is Verdict.CHANGED
    told = feedback(before, now, session="visit", **given)["own output in t"]
    assert told.verdict is not Verdict.CHANGED
