"""An encoder on a team's own tasks, without mteb: scores, an earlier report, and what cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, MissingExtra, UsageError
from undertow.core.task import Answers
from undertow.core.verdict import Verdict
from undertow.sources.tasks import read_tasks
from undertow.stats.answers import answered
from undertow.stats.graded import graded
from undertow.surfaces.cli_evaluate import evaluate as command
from undertow.verbs.evaluate import evaluate

TOPICS = ["refund", "parcel", "password", "invoice", "meter", "ferry"]
WORDS = ["late", "lost", "new", "old", "again", "today", "please", "broken", "paid", "wrong"]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Cluster fewer texts: the protocol's 16,384 would take most of the time here."""
    monkeypatch.setattr("undertow.stats.answers.DRAWN", 256)


def text(topic: int, number: int) -> str:
    """Return a short text of a topic, unlike every other."""
    return f"{WORDS[number % 10]} {TOPICS[topic]} {WORDS[number // 10 % 10]} case {number}"


def write(path, rows) -> None:
    """Write rows as CSV or Parquet, by the name of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table(rows), path)
        return
    lines = [",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")


def labelled(first: int, many: int):
    """Return texts and their topics."""
    numbers = range(first, first + many)
    return {
        "text": [text(n % 6, n) for n in numbers],
        "label": [TOPICS[n % 6] for n in numbers],
    }


@pytest.fixture
def tasks(tmp_path):
    """A folder with a task of each of the five types."""
    place = tmp_path / "tasks"
    write(place / "intents" / "train.csv", labelled(0, 60))
    write(place / "intents" / "test.csv", labelled(60, 60))
    write(place / "groups" / "rows.parquet", labelled(0, 60))
    documents = {"doc_id": [f"d{n}" for n in range(60)], "text": labelled(0, 60)["text"]}
    queries = {"query_id": [f"q{n}" for n in range(30)], "text": labelled(60, 30)["text"]}
    judged = [(q, d) for q in range(30) for d in range(60) if d % 6 == q % 6]
    write(place / "help" / "docs.csv", documents)
    write(place / "help" / "queries.csv", queries)
    write(
        place / "help" / "judgements.csv",
        {"query_id": [f"q{q}" for q, _ in judged], "doc_id": [f"d{d}" for _, d in judged]},
    )
    write(place / "same" / "pairs.csv", pairs([1 - n % 2 for n in range(40)]))
    write(place / "near" / "pairs.csv", pairs([5 - 3 * (n % 2) + n % 3 for n in range(40)]))
    return place


def pairs(scores):
    """Return pairs of texts, every other one of one topic."""
    numbers = range(len(scores))
    return {
        "text1": [text(n % 6, n) for n in numbers],
        "text2": [text((n + n % 2) % 6, n + 7) for n in numbers],
        "score": scores,
    }


@pytest.fixture
def one_task(tmp_path):
    """A folder that is a task itself: pairs with a score."""
    write(tmp_path / "tasks" / "pairs.csv", pairs([5 - 3 * (n % 2) + n % 3 for n in range(40)]))
    return tmp_path / "tasks"


@dataclass
class Words:
    """An encoder: the topic's word and a little of the others; `deaf` hears no topic in some texts."""

    name: str = "words"
    deaf: float = 0.0
    turned: bool = False

    def __call__(self, texts):
        made = np.array(
            [[each.count(word) for word in (*TOPICS, *WORDS)] for each in texts], np.float32
        )
        made[:, 6:] *= 0.2
        lost = np.array([hash_of(each) < self.deaf for each in texts])
        made[lost, :6] = 0.0
        made += 0.01
        return made[:, ::-1] if self.turned else made

    def identity(self):
        return {"words": 16, "deaf": self.deaf, "turned": self.turned}


def hash_of(each: str) -> float:
    """Return a number between 0 and 1 that a text fixes."""
    return sum(ord(letter) * (place + 7) for place, letter in enumerate(each)) % 101 / 101


def run(encoder, place, **options):
    """Score an encoder without mteb."""
    return evaluate(encoder, place, library="builtin", **options)


def saved(report, tmp_path, name="last.json"):
    """Write a report as JSON, as --json does."""
    path = tmp_path / name
    path.write_text(report.to_json())
    return path


def edited(path, change) -> None:
    """Change a saved report in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_baseline_has_every_score_with_an_interval(tasks):
    """Without an earlier report nothing is steady, and each score says what its interval rests on."""
    report = run(Words(), tasks)
    assert report.verdict is Verdict.UNKNOWN
    for name, metric in {
        "help": "ndcg@10",
        "intents": "accuracy",
        "groups": "v_measure",
        "near": "cosine_spearman",
        "same": "cosine_ap",
    }.items():
        evidence = report[name].evidence
        score = evidence[metric]
        assert -1 <= score["low"] <= score["value"] <= score["high"] <= 1
        assert evidence["scores"][metric] == score["value"]
        assert "over" in evidence["interval_rests_on"]
    assert report["help"].evidence["ndcg@10"]["value"] > 0.8
    assert "nothing to compare with: kept as a baseline" in report["help"].says


def test_the_same_encoder_again_is_steady(tasks, tmp_path):
    """A second run finds no difference at all, however few the items are."""
    last = saved(run(Words(), tasks), tmp_path)
    report = run(Words(), tasks, reference=last)
    assert report.verdict is Verdict.STEADY
    assert len(report.findings) == 5
    assert all(each.effect.value == 0 for each in report.findings)


def test_a_worse_encoder_is_found_and_the_texts_that_lost(tasks, tmp_path):
    """Half of the texts lose their topic: the scores fall, and the queries that lost are shown."""
    last = saved(run(Words(), tasks), tmp_path)
    report = run(Words(deaf=0.5), tasks, reference=last)
    assert report.verdict is Verdict.CHANGED
    worst = report["intents"]
    assert worst.verdict is Verdict.CHANGED
    assert "fell by" in worst.says
    assert worst.effect.low > worst.effect.tolerance
    asked = {each.asked for each in read_tasks(tasks) if each.name == "intents"}.pop()
    assert worst.examples[0]["text"] in asked
    assert hash_of(worst.examples[0]["text"]) < 0.5
    assert worst.evidence["scores"]["accuracy"]["reference"] > 0.9


def test_a_better_encoder_is_told_and_is_no_alarm(tasks, tmp_path):
    """What rises fails no run, and the line says so."""
    place = tasks / "intents"
    last = saved(run(Words("words", deaf=0.5), place), tmp_path)
    report = run(Words("other"), place, reference=last)
    assert report.having(Verdict.CHANGED) == ()
    assert "accuracy rose by" in report.notes[-1]
    assert "no alarm" in report.notes[-1]


def test_another_encoder_of_the_same_name_is_a_finding(one_task, tmp_path):
    """The scores are the same and the vectors are not: an index of the earlier ones is lost."""
    last = saved(run(Words(), one_task), tmp_path)
    report = run(Words(turned=True), one_task, reference=last)
    assert report["encoder"].verdict is Verdict.CHANGED
    assert "is another one: words" in report["encoder"].says
    other = run(Words("other", turned=True), one_task, reference=last)
    assert {each.check for each in other} == {"evaluation.score"}
    assert "the encoder is another one: words" in other.notes[-1]


def test_a_task_gone_new_or_changed_is_told(tasks, tmp_path):
    """What cannot be compared is never green: gone is changed, new and edited are unknown."""
    last = saved(run(Words(), tasks), tmp_path)
    (tasks / "near").rename(tasks / "nearer")
    write(tasks / "groups" / "rows.parquet", labelled(5, 60))
    report = run(Words(), tasks, reference=last)
    assert report["near"].verdict is Verdict.CHANGED
    assert "the task is gone" in report["near"].says
    assert report["nearer"].verdict is report["groups"].verdict is Verdict.UNKNOWN
    assert "others than those that scored" in report["groups"].says
    assert report["help"].verdict is Verdict.STEADY


def test_the_command_leaves_0_for_a_baseline_and_1_for_a_fall(tasks, tmp_path, monkeypatch):
    """The JSON of one run is the reference of the next, through the command alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scored_by.py").write_text(
        "import numpy as np\n"
        f"WORDS = {(*TOPICS, *WORDS)!r}\n"
        "def good(texts):\n"
        "    return np.array([[t.count(w) + 0.01 for w in WORDS] for t in texts], 'f4')\n"
        "def deaf(texts):\n"
        "    return good([t[len(t) // 2:] for t in texts])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    call = click.testing.CliRunner().invoke
    shared = ["--tasks", str(tasks / "intents"), "--library", "builtin"]
    first = call(command, ["scored_by:good", *shared, "--json", "last.json"], standalone_mode=False)
    assert first.return_value == 0, first.output
    assert "kept as a baseline" in first.output
    again = call(
        command,
        ["scored_by:good", *shared, "--reference", "last.json", "--json", "this.json"],
        standalone_mode=False,
    )
    assert again.return_value == 0, again.output
    assert json.loads((tmp_path / "this.json").read_text())["verdict"] == "steady"
    worse = call(
        command, ["scored_by:deaf", *shared, "--reference", "this.json"], standalone_mode=False
    )
    assert worse.return_value == 1, worse.output


@dataclass(frozen=True)
class Fake:
    """A library that answers as the built-in one does, in any version, or wrongly."""

    name: str = "mteb 2.0"
    wrong: float = 0.0

    def __call__(self, task, embed):
        made = answered(task, embed)
        score = graded(task, made).score + self.wrong
        return Answers(made.given, made.drawn, {task.metric: score, "other": 0.5})


def test_a_library_of_another_version_is_noted_and_another_library_refused(one_task, tmp_path):
    """Its own scores are reported under their names, and two libraries are never compared."""
    first = evaluate(Words(), one_task, library=Fake())
    assert first.findings[0].evidence["scores"]["other"] == 0.5
    last = saved(first, tmp_path)
    report = evaluate(Words(), one_task, library=Fake("mteb 2.1"), reference=last)
    assert report.verdict is Verdict.STEADY
    assert report.notes == ("scored by mteb 2.1, before by mteb 2.0",)
    with pytest.raises(UsageError, match=r"scored by mteb, this run by builtin; give --library"):
        run(Words(), one_task, reference=last)


def test_a_library_whose_score_does_not_add_up_is_refused(one_task):
    """A score that the answers do not bear out has no interval, and is not reported."""
    with pytest.raises(DataError, match="its answers add up to"):
        evaluate(Words(), one_task, library=Fake(wrong=0.01))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(schema=2), "is a report of version 2, and 1 is read"),
        (lambda d: d.pop("findings"), "is no report of undertow"),
        (
            lambda d: d.update(findings=[{"check": "drift.number"}]),
            "holds findings of drift.number",
        ),
        (lambda d: d.update(findings=[]), "is no report of `undertow evaluate`"),
        (lambda d: d["findings"][0]["shape"]["saved"].update(version=9), "scored by protocol 9"),
        (lambda d: d["findings"][0]["shape"]["saved"].pop("items"), "a score in it is damaged"),
        (lambda d: d["findings"][0]["shape"]["saved"].update(items=[None]), "are damaged"),
        (lambda d: d["findings"][0]["shape"]["saved"].update(items=[0.5]), "cannot be paired"),
    ],
)
def test_an_earlier_report_that_cannot_be_used_is_one_line(one_task, tmp_path, change, says):
    """Another version, another command, or a damaged file: refused before a verdict."""
    last = saved(run(Words(), one_task), tmp_path)
    edited(last, change)
    with pytest.raises(DataError, match=says):
        run(Words(), one_task, reference=last)


def test_an_earlier_report_that_is_no_report(one_task, tmp_path):
    """Half a file, a file that is not there and a folder are told apart from a report."""
    half = tmp_path / "half.json"
    half.write_text('{"findings": [')
    with pytest.raises(DataError, match="is no JSON, or a part of it"):
        run(Words(), one_task, reference=half)
    with pytest.raises(UsageError, match="there is no such file"):
        run(Words(), one_task, reference=tmp_path / "none.json")
    with pytest.raises(UsageError, match="there is no such file"):
        run(Words(), one_task, reference=tmp_path)


def test_too_few_items_have_a_score_and_no_verdict(tmp_path):
    """Under ten items there is no interval, and a second run cannot tell."""
    rows = {"text1": list("abcd"), "text2": list("abxy"), "score": [3, 3, 1, 2]}
    write(tmp_path / "tasks" / "few.csv", rows)

    def letters(texts):
        return [[each.count(letter) + 0.1 for letter in "abcdxy"] for each in texts]

    report = run(letters, tmp_path / "tasks")
    score = report.findings[0].evidence["cosine_spearman"]
    assert score["low"] is None
    assert "unknown: 4 pairs, and 10 are needed" in str(report.findings[0].evidence)
    again = run(letters, tmp_path / "tasks", reference=saved(report, tmp_path))
    assert again.verdict is Verdict.UNKNOWN
    assert again.findings[0].needs_rows == 100


def test_an_encoder_that_fails_is_one_line(one_task):
    """What the encoder raised is named, and no score is made up."""

    def broken(texts):
        raise RuntimeError("out of memory")

    with pytest.raises(DataError, match=r"failed on .* texts \(RuntimeError: out of memory\)"):
        run(broken, one_task)


def test_without_mteb_the_line_names_the_extra(one_task, monkeypatch):
    """The default library is mteb; where it is missing nothing else is run in its place."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'builtin, needs mteb: pip install "undertow\[mteb\]"'):
        evaluate(Words(), one_task)


def test_an_encoder_that_gives_all_texts_one_vector_scores_and_warns_nobody(tasks):
    """The worst encoder there is has scores too, and none of them is a perfect one."""
    report = run(lambda texts: [[1.0, 2.0]] * len(texts), tasks)
    for each in report:
        score = each.evidence["scores"]
        assert score[next(iter(score))] < 0.8


def test_a_library_without_a_score_says_where_to_look(one_task):
    """Correlations of what never varies are no numbers: the line says what to look at."""

    class Silent(Fake):
        def __call__(self, task, embed):
            return Answers(answered(task, embed).given, scores={"other": 0.5})

    with pytest.raises(DataError, match="gives no cosine_spearman; see whether words gives every"):
        evaluate(Words(), one_task, library=Silent())


def test_options_that_are_no_options(one_task):
    """A library, an option or a tolerance that is not known is refused before any work."""
    with pytest.raises(UsageError, match="no library 'mtab'; did you mean 'mteb'"):
        evaluate(Words(), one_task, library="mtab")
    with pytest.raises(UsageError, match="no option 'tolerence'; did you mean 'tolerance'"):
        run(Words(), one_task, tolerence=0.1)
    with pytest.raises(UsageError, match=r"tolerance 0\.9 for difference"):
        run(Words(), one_task, tolerance=0.9)
    call = click.testing.CliRunner().invoke
    told = call(command, ["tfidf", "--tasks", str(one_task), "--tolerance", "much"])
    assert "--tolerance 'much' is not a number" in told.output
