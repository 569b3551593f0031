"""Two tokenizers on the same texts: every difference is named by its cause, with its first text."""

from __future__ import annotations

import html
import json

import numpy as np
import pyarrow as pa
import pytest

from undertow.adapters.tokenizers import Function, open_tokenizer
from undertow.core.errors import UsageError
from undertow.core.verdict import Verdict
from undertow.verbs.tokens import tokens

WORDS = [
    f"{a}{b}{c}"
    for a in ("bal", "cor", "den", "fil", "gar")
    for b in "aeiou"
    for c in ("t", "n", "m")
]
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789é&;<>#'\".-\u0301")


def sentences(many: int) -> list[str]:
    """Return made-up sentences that begin with a capital."""
    random = np.random.default_rng(1)
    drawn = (random.choice(WORDS, random.integers(4, 12)) for _ in range(many))
    return [" ".join(each).capitalize() for each in drawn]


BEFORE = sentences(400)


def table(texts):
    """Return texts as rows."""
    return pa.table({"text": texts})


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return the tokenizer.json of a small WordPiece tokenizer that knows the common words."""
    library = pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, trainers

    made = library.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[UNK]"], initial_alphabet=LETTERS, show_progress=False
    )
    told = [w for w in WORDS for _ in range(20)] + ["Caf\u00e9", "and"] * 20
    inside = [f"a{letter}" for letter in LETTERS if letter.isalnum() or letter == "\u0301"]
    made.train_from_iterator([*told, *map(str.capitalize, told), *inside], trainer)
    path = tmp_path_factory.mktemp("tokens") / "train.json"
    made.save(str(path))
    return path


def normalised(file, name, normaliser):
    """Save the same tokenizer with another preparation of the text, and return its path."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(file))
    made.normalizer = normaliser
    made.save(str(file.parent / name))
    return str(file.parent / name)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("lower-casing", lambda n: n.Lowercase()),
        ("Unicode normalisation (NFD)", lambda n: n.NFD()),
        ("accents stripped", lambda n: n.Sequence([n.NFD(), n.StripAccents()])),
    ],
)
def test_a_serving_tokenizer_with_another_preparation_is_named(file, name, make):
    """The cause, the share of texts and the first text with both tokenisations are told."""
    from tokenizers import normalizers

    serve = normalised(file, "serve.json", make(normalizers))
    texts = [f"{each} Café" if n % 2 else each.lower() for n, each in enumerate(BEFORE)]
    report = tokens(table(texts), text="text", tokenizer=str(file), other_tokenizer=serve)
    (found,) = [each for each in report if each.check == "tokens.mismatch"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, name)
    assert found.evidence["share"] == 0.5
    assert found.examples[0]["text"] == texts[1]
    assert repr(texts[1])[:20] in found.says
    assert found.evidence["anchors_apart"]
    assert "only serve.json" in found.says
    assert set(found.examples[0]) == {"text", "train.json", "serve.json"}
    assert "«" in found.examples[0]["serve.json"]


def test_a_piece_of_a_megabyte_is_shown_short():
    """A tokenizer of words may take a megabyte for one piece: no report repeats it whole."""
    texts = table([("x" * 1_000_000) + str(n) for n in range(2)])
    report = tokens(
        texts, text="text", tokenizer="words", other_tokenizer=lambda some: [[e[:5]] for e in some]
    )
    (found,) = [each for each in report if each.check == "tokens.mismatch"]
    assert len(found.says) < 400
    assert len(report.to_json()) < 100_000


def test_no_text_to_compare_on_is_said():
    """Without a text the tokenizers are compared on other texts alone, and the report says so."""
    report = tokens(
        pa.table({"text": pa.array([None, ""], pa.string())}),
        text="text",
        other_tokenizer=lambda some: [list(each) for each in some],
    )
    assert report["text:tokenizers"].says.startswith(
        "no text to compare the tokenizers on, but they"
    )


def test_two_normal_forms_in_one_vocabulary_are_told_apart(file):
    """NFC in training and NFD in serving differ though each normalises whatever it gets."""
    from tokenizers import normalizers

    one = normalised(file, "nfc.json", normalizers.NFC())
    two = normalised(file, "nfd.json", normalizers.NFD())
    texts = table([f"{each} Café" for each in BEFORE])
    report = tokens(texts, text="text", tokenizer=one, other_tokenizer=two)
    (found,) = [each for each in report if each.check == "tokens.mismatch"]
    assert found.value.startswith("Unicode normalisation")


def test_escape_truncation_and_both_are_named(file):
    """A serving function that escapes, or a smaller maximum length, is the cause of each difference."""
    train = open_tokenizer(str(file))
    texts = [f"{each} R&D" for each in BEFORE]

    def escaping(some):
        made = train([html.escape(each).lower() for each in some])
        return [made.of(row) for row in range(len(made))]

    report = tokens(
        table(texts), text="text", tokenizer=train, other_tokenizer=Function(escaping, "serve")
    )
    found = {each.value for each in report if each.check == "tokens.mismatch"}
    assert found == {"HTML escape", "lower-casing"}
    short = open_tokenizer(str(file), max_length=5)
    report = tokens(table(texts), text="text", tokenizer=train, other_tokenizer=short)
    (found,) = [each for each in report if each.check == "tokens.mismatch"]
    assert (found.verdict, found.value) == (Verdict.CHANGED, "truncation")
    assert "piece 6" in found.says
    report = tokens(
        table(texts), text="text", tokenizer=file, other_tokenizer=file, other_max_length=4
    )
    (found,) = [each for each in report if each.check == "tokens.mismatch"]
    assert found.says.startswith("only serving cuts earlier: 100% of texts")
    with pytest.raises(UsageError, match="name the other tokenizer"):
        tokens(table(texts), table(texts), text="text", other_max_length=4)


def test_another_vocabulary_and_other_numbers_are_told(file):
    """Pieces that differ for no step are another vocabulary; the same pieces may have other numbers."""
    from tokenizers import Tokenizer

    told = json.loads(file.read_text("utf-8"))
    words = told["model"]["vocab"]
    ordered = sorted(words, key=words.get)
    told["model"]["vocab"] = {w: n for n, w in enumerate([ordered[0], *ordered[:0:-1]])}
    (file.parent / "turned.json").write_text(json.dumps(told), "utf-8")
    # The common words are others there, under the same numbers.
    told["model"]["vocab"] = {
        w if len(w) < 4 or w[0] in "[#" else w[::-1]: n for w, n in words.items()
    }
    Tokenizer.from_str(json.dumps(told)).save(str(file.parent / "less.json"))
    for name, cause in (
        ("turned.json", "other numbers of the same pieces"),
        ("less.json", "another vocabulary"),
    ):
        report = tokens(
            table(BEFORE), text="text", tokenizer=file, other_tokenizer=file.parent / name
        )
        held = [each for each in report if each.check == "tokens.mismatch"]
        assert max(held, key=lambda each: each.evidence["share"]).value == cause


def test_the_same_tokenizer_is_steady_and_one_that_differs_elsewhere_is_watched(file):
    """No text differs: steady; where fixed texts of other kinds do, that is said too."""
    from tokenizers import normalizers

    same = tokens(table(BEFORE), text="text", tokenizer=file, other_tokenizer=file)
    assert same.verdict is Verdict.STEADY
    plain = table([each.lower() for each in BEFORE])
    serve = normalised(file, "lower.json", normalizers.Lowercase())
    report = tokens(plain, text="text", tokenizer=file, other_tokenizer=serve)
    found = report["text:tokenizers"]
    assert (found.check, found.verdict) == ("tokens.fingerprint", Verdict.WATCH)
    assert "capitals" in found.says
