"""Tokenizers by name and file: what opens, what it makes of texts, and how it is refused."""

from __future__ import annotations

import importlib.util
import json
import unicodedata

import pytest

from undertow.adapters.tokenizers import Function, Words, open_tokenizer
from undertow.core.errors import DataError, MissingExtra, UsageError
from undertow.core.tokenizes import (
    ANCHORS,
    Normalises,
    TokenizerFingerprint,
    Tokenizes,
    tokenize,
    tokenizer_fingerprint,
)
from undertow.stats.tokens import Tokenised

SENTENCES = [
    f"The {what} {does} the {other} near Hall {n}, naïvely"
    for n, (what, does, other) in enumerate(
        [("choir", "praised", "glacier"), ("nurse", "measured", "harbour")] * 20
    )
]


def trained(kind: str = "wordpiece", *, lower: bool = True, size: int = 160):
    """Return a tiny tokenizer of the library, trained on a few sentences."""
    library = pytest.importorskip("tokenizers")
    from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

    if kind == "wordpiece":
        made = library.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=lower)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        marks = ["[UNK]", "[CLS]", "[SEP]"]
        made.train_from_iterator(
            SENTENCES,
            trainers.WordPieceTrainer(vocab_size=size, special_tokens=marks, show_progress=False),
        )
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        return made
    made = library.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(vocab_size=256 + size, initial_alphabet=alphabet, show_progress=False),
    )
    return made


@pytest.fixture
def file(tmp_path):
    """Return the path of a tokenizer.json of WordPiece that cuts at 12 pieces."""
    made = trained()
    made.enable_truncation(12)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_a_file_and_its_folder_open_as_one_tokenizer(file):
    """A tokenizer.json and the folder that holds it do the same, and show all pieces, uncut."""
    one, two = open_tokenizer(str(file)), open_tokenizer(str(file.parent))
    assert isinstance(one, Tokenizes)
    assert one.max_length == two.max_length == 12
    assert tokenizer_fingerprint(one).code == tokenizer_fingerprint(two).code
    found = tokenize(one, ["the choir " * 20, ""])
    assert found.counts.tolist() == [42, 2]
    assert found.special.sum() == 4
    assert (found.begin[found.special] == -1).all()


def test_the_folder_says_how_much_the_model_reads_and_the_user_may_say_otherwise(file):
    """A model's own settings win over the tokenizer's, and a given number over both."""
    (file.parent / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    assert open_tokenizer(str(file)).max_length == 64
    assert open_tokenizer(str(file), max_length=7).max_length == 7


def test_a_vocabulary_of_word_piece_opens(file):
    """vocab.txt does what the tokenizer.json of the same pieces does; case is read off the pieces."""
    reader = trained()
    listed = sorted(reader.get_vocab(), key=reader.get_vocab().get)
    (file.parent / "vocab.txt").write_text("\n".join(listed), "utf-8")
    vocabulary = open_tokenizer(str(file.parent / "vocab.txt"))
    one, two = (tokenize(t, SENTENCES[:3]) for t in (vocabulary, open_tokenizer(str(file))))
    assert list(one.names) == list(two.names)
    assert vocabulary.identity()["lower_case"] is True
    (file.parent / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert open_tokenizer(str(file.parent / "vocab.txt")).identity()["lower_case"] is False


def test_unknown_pieces_are_marked(file):
    """A character that the vocabulary lacks is an unknown piece, and no special one."""
    found = tokenize(open_tokenizer(str(file)), ["the 漢 choir"])
    assert found.unknown.sum() == 1
    assert found.of(0)[int(found.unknown.argmax())] == "[UNK]"


def test_a_tokenizer_shows_what_its_preparation_leaves(file):
    """The normaliser lower-cases and strips accents; one without a normaliser leaves a text alone."""
    reader = open_tokenizer(str(file))
    assert isinstance(reader, Normalises)
    assert reader.normalised("Zoë SANG") == "zoe sang"
    trained("bpe").save(str(file))
    assert open_tokenizer(str(file)).normalised("Zoë") == "Zoë"


@pytest.mark.parametrize("trim", [True, False])
def test_the_pieces_of_bytes_go_on_what_their_marks_say(tmp_path, trim):
    """In byte-level BPE a piece without the mark of a space goes on its word, after the first."""
    from tokenizers import processors

    made = trained("bpe")
    made.post_processor = processors.ByteLevel(trim_offsets=trim)
    made.save(str(tmp_path / "tokenizer.json"))
    text = "the choirs measuredly praised harbourside"
    found = Tokenised([text], tokenize(open_tokenizer(tmp_path), [text]))
    marked = sum(not name.startswith("\u0120") for name in found.pieces.names) - 1
    assert found.shapes.continued.tolist() == [marked]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", "{not json", "no tokenizer can be read"),
        ("tokenizer.json", "{}", "no tokenizer can be read"),
        ("vocab.txt", "a\nb\n", "no WordPiece vocabulary"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name, content, says):
    """A file that holds no tokenizer gives a line with its name, and no traceback."""
    pytest.importorskip("tokenizers")
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=says) as caught:
        open_tokenizer(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("wrods", "did you mean 'words'"),
        ("there/is/none.json", "no such file or folder"),
        ("nomodule:name", "tokenizer 'nomodule:name': cannot import"),
        (42, "give a name, a file, or a function"),
    ],
)
def test_what_is_no_tokenizer_is_refused(spec, says):
    """A wrong name, a missing file and a number are refused with what to give instead."""
    with pytest.raises(UsageError, match=says):
        open_tokenizer(spec)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    """A folder that holds neither file is named."""
    with pytest.raises(UsageError, match=r"neither tokenizer\.json nor vocab\.txt"):
        open_tokenizer(tmp_path)
    with pytest.raises(UsageError, match="at least 1 piece"):
        open_tokenizer("words", max_length=0)


def test_without_the_library_the_line_says_what_to_install(tmp_path, monkeypatch):
    """A missing library is told by the extra that brings it; "words" needs none."""
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "undertow\[tokens\]"'):
        open_tokenizer(str(tmp_path))
    with pytest.raises(MissingExtra, match="minilm"):
        open_tokenizer("minilm")
    assert tokenize(open_tokenizer("words"), ["a b"]).of(0) == ("a", "b")


def test_a_model_that_is_not_in_the_local_cache_is_refused():
    """Nothing is downloaded: a name of a model that is not there gets a line."""
    pytest.importorskip("tokenizers")
    with pytest.raises(UsageError, match="undertow downloads nothing"):
        open_tokenizer("nobody/nothing")


def test_the_pieces_of_a_function_are_looked_for_in_the_text():
    """Names of pieces stand where the text has them, marks of continuation and case left out."""
    made = Function(lambda _: [["[CLS]", "un", "##seen", "\u2581owls", "[UNK]", "[SEP]"]], "f")
    found = made(["Unseen  OWLS 漢"])
    assert found.begin.tolist() == [-1, 0, 2, 8, -1, -1]
    assert found.special.tolist() == [True, False, False, False, False, True]
    assert found.unknown.tolist() == [False] * 4 + [True, False]


def test_a_function_may_return_numbers_or_places():
    """Numbers are kept as ids without a place, and given places are taken as they are."""
    numbers = Function(lambda _: [[7, 9]], "n")(["ab"])
    assert (numbers.ids.tolist(), numbers.begin.tolist()) == ([7, 9], [-1, -1])
    placed = Function(lambda _: [[("a", 0, 1), ("b", 1, 2)]], "p")(["ab"])
    assert (placed.ids, placed.end.tolist()) == (None, [1, 2])


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda _: [["a"]], "returned 1 lists for 2 texts"),
        (lambda _: "ab", "returned str; it must return one list"),
        (lambda _: None, "returned NoneType"),
        (lambda texts: texts, "returned str for a text"),
        (lambda texts: [[1.5] for _ in texts], "a piece that is float"),
        (lambda _: 1 / 0, r"failed on 2 texts \(ZeroDivisionError"),
        (lambda _: exec("raise SystemExit(3)"), r"failed on 2 texts \(SystemExit: 3\)"),
    ],
)
def test_a_function_that_does_not_tokenize_is_refused(function, says):
    """A wrong count, another type, an exception or an exit is one line with what to do."""
    with pytest.raises(DataError, match=says):
        tokenize(open_tokenizer(function), ["a", "b"])


def test_an_object_that_returns_no_pieces_is_refused():
    """What is built like a tokenizer still has to return pieces, as many as texts."""

    class Wrong:
        name, max_length, made = "wrong", None, None

        def __call__(self, _):
            return self.made

        def identity(self):
            return {}

    wrong = Wrong()
    assert open_tokenizer(wrong) is wrong
    with pytest.raises(DataError, match="returned NoneType; it must return the pieces"):
        tokenize(wrong, ["a"])
    wrong.made = Words()(["a", "b"])
    with pytest.raises(DataError, match="the pieces of 2 texts for 1"):
        tokenize(wrong, ["a"])


def test_fingerprints_say_on_which_kinds_of_text_two_tokenizers_part(file):
    """The same file has one fingerprint; lower-casing shows on capitals, a longer limit on long texts."""
    reader = open_tokenizer(str(file))
    made = tokenizer_fingerprint(reader)
    assert TokenizerFingerprint.parse(str(made)) == made
    assert TokenizerFingerprint.parse("no fingerprint") is None
    assert made.apart(tokenizer_fingerprint(open_tokenizer(str(file.parent)))) == ()
    longer = tokenizer_fingerprint(open_tokenizer(str(file), max_length=256))
    assert {"over 128 pieces", "over 512 pieces"} <= set(made.apart(longer))
    assert longer.id != made.id
    kept = trained(lower=False)
    kept.save(str(file))
    assert "capitals" in made.apart(tokenizer_fingerprint(open_tokenizer(str(file))))


def test_the_anchors_hold_what_they_are_called():
    """Composed accents are composed, taken-apart ones are not, and every text is another."""
    normal = unicodedata.normalize
    assert normal("NFC", ANCHORS["composed accents"]) == ANCHORS["composed accents"]
    assert normal("NFD", ANCHORS["decomposed accents"]) == ANCHORS["decomposed accents"]
    assert len(set(ANCHORS.values())) == len(ANCHORS)


@pytest.mark.encoder
def test_the_packaged_minilm_opens_without_torch():
    """The packaged tokenizer reads 256 pieces and splits "agentic" as its model does."""
    found = open_tokenizer("minilm")
    assert found.max_length == 256
    assert tokenize(found, ["agentic"]).of(0) == ("[CLS]", "agent", "##ic", "[SEP]")
