"""What a tokenizer makes of two sets of texts, with what was done to the second planted."""

from __future__ import annotations

import html
import json
import sys
import unicodedata

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.adapters.tokenizers import open_tokenizer
from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.sides import tokenised
from undertow.surfaces.cli_tokens import tokens as command
from undertow.verbs.tokens import tokens

WORDS = [
    f"{a}{b}{c}"
    for a in ("bal", "cor", "den", "fil", "gar")
    for b in "aeiou"
    for c in ("t", "n", "m")
]
RARE = [
    f"{a}{b}{c}"
    for a in ("pl", "st", "gr", "br")
    for b in ("aki", "oni", "esu")
    for c in WORDS[:40]
]


def sentences(many: int, seed: int, rare: float = 0.05) -> list[str]:
    """Return made-up sentences of common words, a few of them rare."""
    random = np.random.default_rng(seed)
    return [
        " ".join(
            str(random.choice(RARE if random.random() < rare else WORDS))
            for _ in range(random.integers(4, 12))
        ).capitalize()
        for _ in range(many)
    ]


def jargon(many: int) -> list[str]:
    """Return requests made of words that nobody met before."""
    random = np.random.default_rng(9)
    terms = [
        f"{a}{b}{c}"
        for a in ("qx", "zw", "vk")
        for b in ("ofu", "yji")
        for c in ("zex", "qly", "wub")
    ]
    return [f"Balat {' '.join(random.choice(terms, 4, replace=False))} coran" for _ in range(many)]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return the tokenizer.json of a small WordPiece tokenizer that knows the common words."""
    library = pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, trainers

    made = library.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = list(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789é&;<>#'\".-\u0301"
    )
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[UNK]"], initial_alphabet=letters, show_progress=False
    )
    told = [w for w in WORDS for _ in range(20)] + ["Caf\u00e9", "and"] * 20
    inside = [f"a{letter}" for letter in letters if letter.isalnum() or letter == "\u0301"]
    made.train_from_iterator([*told, *map(str.capitalize, told), *inside], trainer)
    path = tmp_path_factory.mktemp("tokens") / "train.json"
    made.save(str(path))
    return path


def table(texts):
    """Return texts as rows with an id."""
    return pa.table({"text": texts, "id": [f"r{n}" for n in range(len(texts))]})


BEFORE, NOW = sentences(800, 1), sentences(800, 2)


def test_nothing_is_found_where_nothing_changed(file):
    """Two samples of the same traffic are steady in everything that is judged."""
    report = tokens(table(BEFORE), table(NOW), text="text", tokenizer=file, max_length=64)
    assert {each.check: each.verdict.value for each in report} == dict.fromkeys(
        [
            "tokens.fertility",
            "tokens.continuation",
            "tokens.truncated",
            "tokens.unknown",
            "tokens.casing",
            "tokens.new_terms",
            "drift.artefacts",
        ],
        "steady",
    )


def test_new_jargon_at_two_percent_is_found_and_named(file):
    """Sixteen of 800 texts with unseen, split words are told, their terms listed, the averages steady."""
    mixed = NOW[:784] + jargon(16)
    report = tokens(table(BEFORE), table(mixed), text="text", tokenizer=file)
    found = report["text:new terms"]
    assert found.verdict in {Verdict.WATCH, Verdict.CHANGED}
    assert report["text:pieces per word"].verdict is Verdict.STEADY
    listed = [each["term"] for each in found.evidence["terms"][:6]]
    assert all(term[:2] in {"qx", "zw", "vk"} for term in listed)
    assert repr(listed[0]) in found.says
    assert all("Balat" in each["text"] for each in found.examples)
    top = found.evidence["terms"][0]
    assert top["texts"]["reference"] == 0
    assert top["continuing"] >= 2


def test_another_language_shows_in_fertility_and_continuation(file):
    """Texts that the tokenizer was not made for take more pieces a word: the finding says how many."""
    strange = [each.translate(str.maketrans("aeioutnm", "yqxwjzvk")) for each in NOW]
    report = tokens(table(BEFORE), table(strange), text="text", tokenizer=file)
    for name in ("pieces per word", "share of continuing pieces"):
        assert report[f"text:{name}"].verdict is Verdict.CHANGED
    told = report["text:pieces per word"].evidence["fertility"]
    assert told["current"] > 2 * told["reference"]
    assert f"{told['reference']:.2f} → {told['current']:.2f} pieces a word" in (
        report["text:pieces per word"].says
    )


def test_what_is_cut_is_counted(file):
    """Texts longer than the model reads are a finding, with the pieces that are never read."""
    longer = [" ".join([each] * 6) for each in NOW]
    report = tokens(table(BEFORE), table(longer), text="text", tokenizer=file, max_length=20)
    found = report["text:truncated"]
    assert found.verdict is Verdict.CHANGED
    assert found.evidence["share_of_pieces_lost"]["current"] > 0.5
    assert found.evidence["longest"]["current"] > 20
    assert "more than 20 pieces" in found.says


def test_unknown_pieces_are_a_share_of_texts(file):
    """Characters that the vocabulary lacks are told as the texts that hold one."""
    strange = [f"{each} 漢" if n % 5 == 0 else each for n, each in enumerate(NOW)]
    found = tokens(table(BEFORE), table(strange), text="text", tokenizer=file)[
        "text:unknown pieces"
    ]
    assert (found.verdict, found.says) == (
        Verdict.CHANGED,
        "0% → 20% of texts hold an unknown piece",
    )


@pytest.mark.parametrize(
    ("name", "way", "says"),
    [
        ("lower-casing", str.lower, "only the current side lower-cases"),
        (
            "Unicode normalisation (NFD)",
            lambda text: unicodedata.normalize("NFD", text),
            "takes accents apart (NFD)",
        ),
        ("HTML escape", html.escape, "escapes HTML"),
        ("truncation", lambda text: text[:18], "cuts earlier"),
        (
            "whitespace",
            lambda text: text.replace(" ", "  ") + "\n",
            "reference collapses whitespace",
        ),
    ],
)
def test_a_step_between_two_files_is_named_row_by_row(name, way, says):
    """Rows of one id whose text was prepared otherwise have the step as their cause, and a first row."""
    texts = [f"{each} & Café" for each in BEFORE]
    now = table([way(each) for each in texts]).take(pa.array(range(799, -1, -1)))
    report = tokens(table(texts), now, text="text", id="id")
    (found,) = [each for each in report if each.check == "tokens.rows"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, name)
    assert says in found.says
    assert "the first, id r0: " in found.says
    assert found.examples[0]["id"] == "r0"


def test_a_redacted_report_quotes_no_row():
    """Texts, ids and pieces leave every form: what is said, the evidence, the shapes, the examples."""
    texts = [f"Zebra{n} and Quagga" for n in range(100)]
    ids = [f"key-{n}" for n in range(100)]
    one = pa.table({"text": texts, "id": ids})
    two = pa.table({"text": [each.lower() for each in texts], "id": ids})
    report = tokens(
        one, two, text="text", id="id", other_tokenizer=lambda some: [["a"] for _ in some]
    )
    assert {"tokens.rows", "tokens.mismatch"} <= {each.check for each in report}
    assert "ebra0 and" in report.to_json()
    redacted = report.redact()
    assert redacted["text=lower-casing"].says == "only the current side lower-cases: 100% of rows"
    for form in ("json", "text", "markdown", "html", "junit"):
        told = redacted.render(form).lower()
        assert "zebra0 and" not in told
        assert "key-0" not in told
        assert "quagga»" not in told


def test_rows_without_an_id_or_a_text_are_counted():
    """A row that cannot be compared by its id is told, and not taken for one of the other side alone."""
    one = pa.table({"text": ["a b", None, "c d"], "id": ["1", "2", None]})
    notes = tokens(one, one, text="text", id="id").notes
    assert any("2 rows have no 'id' or no text" in each for each in notes)


def test_a_term_of_a_megabyte_is_shown_short():
    """One endless word is a term like any other, and no report repeats it whole."""
    endless = "z" * 1_000_000
    report = tokens(
        table(["a b c"] * 300), table([f"{endless}{n} a" for n in range(3)] * 100), text="text"
    )
    assert len(report.to_json()) < 100_000


def test_lower_casing_is_seen_in_the_raw_texts():
    """Without ids too: the case of the texts is judged though a tokenizer may never see it."""
    found = tokens(table(BEFORE), table([each.lower() for each in NOW]), text="text")["text:case"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, "lower case")
    assert found.says == "lower case: 0% → 100% of texts"


def test_escaped_texts_are_seen_as_damage():
    """Entities in the raw texts are told by the check of damage."""
    plain = [f"{each} <b> & so" for each in NOW]
    escaped = table([html.escape(each) for each in plain])
    clean = table([f"{each} and so" for each in BEFORE])
    (found,) = [e for e in tokens(clean, escaped, text="text") if e.check == "drift.artefacts"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, "HTML")


def test_ids_that_repeat_or_stand_alone_are_noted():
    """The first of each repeated id is compared, and ids of one side alone are counted."""
    two = pa.table({"text": ["a b", "x", "c d"], "id": ["1", "1", "2"]})
    one = pa.table({"text": ["a b", "c d", "e"], "id": ["1", "2", "3"]})
    report = tokens(one, two, text="text", id="id")
    assert "repeat" in " ".join(report.notes)
    assert "2 ids are on both sides, 1 in the reference alone and 0" in " ".join(report.notes)
    with pytest.raises(UsageError, match="no 'id' of"):
        tokens(one, pa.table({"text": ["a"], "id": ["9"]}), text="text", id="id")


def test_more_texts_than_are_tokenised_are_drawn_evenly(monkeypatch):
    """A side beyond the cap is drawn from all its rows, and a note says how many."""
    monkeypatch.setattr(tokenised, "MOST", 300)
    report = tokens(table(BEFORE), table(NOW), text="text")
    assert report["text:case"].rows.reference == 300
    assert sum("300 of 800 texts were tokenised" in note for note in report.notes) == 2


def test_missing_and_empty_texts_count_for_none():
    """They are noted, and no row of them is judged; a side without any text is unknown."""
    holes = pa.table({"text": [*NOW, None, "", "  "]})
    report = tokens(table(BEFORE), holes, text="text")
    assert report["text:case"].rows.current == 800
    assert any("1 missing and 2 empty of 803" in note for note in report.notes)
    empty = tokens(table(BEFORE), pa.table({"text": ["", None]}), text="text")
    assert empty.verdict is Verdict.UNKNOWN


def test_a_huge_text_is_read(file):
    """A text of a megabyte, with spaces or without, is one text among others."""
    huge = [*NOW[:100], "balat " * 170_000, "x" * 1_000_000]
    report = tokens(table(BEFORE[:100]), table(huge), text="text", tokenizer=file, max_length=64)
    assert report["text:truncated"].evidence["longest"]["current"] == 170_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": "txt"}, "no column 'txt'; did you mean 'text'"),
        ({"text": "n"}, "column 'n' holds int64, no text"),
        ({"text": "text", "id": "idd"}, "did you mean 'id'"),
        ({"text": "text", "order": "n"}, "name the document of each row too"),
        ({"text": "text", "tokeniser": "words"}, "no option 'tokeniser'"),
        ({"text": "text", "tolerance": {"cdfgap": 0.1}}, "did you mean 'cdf_gap'"),
        ({"text": "text", "tolerance": 3.0}, "below 0.5"),
        ({"text": "text", "tolerance": float("nan")}, "give a number such as 0.1"),
        ({"text": "text", "max_length": 0}, "at least 1 piece"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, says):
    """Each wrong option and column is one line that says what to do."""
    rows = table(BEFORE[:20]).append_column("n", pa.array(range(20)))
    with pytest.raises(UsageError, match=says):
        tokens(rows, rows, **options)


def test_one_set_alone_needs_another_tokenizer():
    """Without a second set or tokenizer there is nothing to compare, nor are there rows to join."""
    with pytest.raises(UsageError, match="give a second set of texts, or another tokenizer"):
        tokens(table(BEFORE), text="text")
    with pytest.raises(UsageError, match="it compares two sets"):
        tokens(table(BEFORE), text="text", other_tokenizer="words", id="id")
    with pytest.raises(DataError, match="returned 1 lists for"):
        tokens(table(BEFORE), table(NOW), text="text", tokenizer=lambda _: [["a"]])


def test_the_tolerance_decides(file):
    """The same jargon is within a tolerance that was set wider."""
    mixed = table(NOW[:784] + jargon(16))
    report = tokens(table(BEFORE), mixed, text="text", tokenizer=file, tolerance={"cohens_h": 0.5})
    assert report["text:new terms"].verdict is Verdict.STEADY


def test_the_command_writes_the_report_and_leaves_with_its_verdict(tmp_path):
    """One command tells of lower-casing: exit 1 and the JSON; a wrong call is one line and exit 2."""
    for name, texts in (("before", BEFORE), ("now", [each.lower() for each in NOW])):
        pq.write_table(table(texts), tmp_path / f"{name}.parquet")
    run = click.testing.CliRunner().invoke
    paths = [str(tmp_path / "before.parquet"), str(tmp_path / "now.parquet")]
    made = run(
        command,
        [*paths, "--text", "text", "--json", str(tmp_path / "r.json")],
        standalone_mode=False,
    )
    assert (made.return_value, made.exception) == (1, None)
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert found["verdict"] == "changed"
    assert [f["says"] for f in found["findings"] if f["check"] == "tokens.casing"]
    assert "lower case: 0% → 100% of texts" in made.output
    wrong = run(command, [paths[0], "--text", "text"])
    assert (wrong.exit_code, "nothing to compare" in wrong.output) == (2, True)
    auto = run(command, [*paths, "--text", "text", "--tolerance", "auto"])
    assert (auto.exit_code, "give a number" in auto.output) == (2, True)


def test_words_need_no_library():
    """The built-in tokenizer runs without the library tokenizers being imported."""
    script = (
        "import sys, pyarrow as pa; from undertow.verbs.tokens import tokens\n"
        "t = pa.table({'q': ['a b c'] * 50}); tokens(t, t, text='q')\n"
        "assert not {'tokenizers', 'torch', 'transformers'} & set(sys.modules)"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.real
def test_the_state_of_the_union_after_1959(real):
    """Words unseen in 1945-59: 6.7% in the 1960s, 13.1% in the 2000s, within half a point."""
    rows = pq.read_table(real("us_presidential_speeches")).to_pylist()
    rows = [row for row in rows if row["kind"] == "state_of_the_union"]
    before = pa.table({"text": [row["text"] for row in rows if row["year"] < 1960]})
    for decade, share in ((1960, 0.067), (2000, 0.131)):
        some = [row["text"] for row in rows if decade <= row["year"] < decade + 10]
        report = tokens(before, pa.table({"text": some}), text="text")
        found = report["text:new terms"].evidence["unseen_words_against_all"]
        assert found == pytest.approx(share, abs=0.005)


@pytest.mark.real
def test_titles_of_stackoverflow_that_are_escaped_lower_cased_or_cut(real):
    """On 1,500 real titles each step is named, with the share of the titles that it changes."""
    titles = pq.read_table(real("stackoverflow_titles"))["title"].to_pylist()[:1_500]
    many = len(titles)
    for name, way in (
        ("lower-casing", str.lower),
        ("HTML escape", html.escape),
        ("truncation", lambda text: text[:30]),
    ):
        report = tokens(table(titles), table([way(each) for each in titles]), text="text", id="id")
        found = next(each for each in report if each.value == name and each.check == "tokens.rows")
        assert found.verdict is Verdict.CHANGED
        changed = sum(way(each) != each for each in titles)
        # Where the cut takes nothing but the question mark, another step explains it as well.
        assert abs(found.evidence["share"] * many - changed) <= 0.003 * many


@pytest.mark.encoder
@pytest.mark.real
def test_minilm_meets_new_jargon_at_two_percent_of_clinc(real):
    """Twenty of 1,000 requests with terms such as vLLM and tirzepatide are found in 10 of 10 draws."""
    texts = pq.read_table(real("clinc150_oos"))["text"].to_pylist()
    terms = ["vLLM", "tirzepatide", "LoRA", "GGUF", "semaglutide", "QLoRA", "LlamaIndex", "HNSW"]
    random, tokenizer = np.random.default_rng(0), open_tokenizer("minilm")
    found = []
    for _ in range(10):
        order = random.permutation(len(texts))[:1_980]
        drawn = [random.choice(terms, 4, replace=False) for _ in range(20)]
        planted = ["agentic {} workflow with {} on {}, {}".format(*each) for each in drawn]
        sides = [texts[n] for n in order[:1_000]], [texts[n] for n in order[1_000:]] + planted
        report = tokens(*map(table, sides), text="text", tokenizer=tokenizer)
        found.append(report["text:new terms"].verdict)
    assert set(found) <= {Verdict.WATCH, Verdict.CHANGED}
