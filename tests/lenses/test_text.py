"""The text lens: plain columns of a text, whatever the text is."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.core.schema import Column, Kind
from undertow.core.summary import Survey
from undertow.core.values import Values
from undertow.lenses.text import Text

COLUMN = Column("q", Kind.TEXT)
HOSTILE = [
    "\x00",
    "a\x00b",
    "\u202eevil\u202c",
    "\ufeffbom",
    "x" * 1_000_000,
    "é" * 300_000,
    "👨\u200d👩\u200d👧",
    "\u0301",
    "'",
    "''''",
    "\n" * 5000,
    "<" * 5000,
    "( " * 5000,
    "",
    " ",
    "\ud7ff",
]


def derive(*texts: str | None) -> dict[str, list]:
    """Return the derived columns of these texts, without the column's own name."""
    made = Text()(Values(COLUMN, pa.array(texts, pa.string())))
    return {name.removeprefix("q:"): array.to_pylist() for name, array in made.items()}


def test_derives_what_it_announces():
    """The columns derived are the columns announced, in number, name and kind."""
    announced = Text().columns(COLUMN)
    made = Text()(Values(COLUMN, pa.array(["a b", None])))
    assert [column.name for column in announced] == list(made)
    assert all(column.origin == "q" for column in announced)
    assert len(announced) == 5
    assert list(Text()(Values(COLUMN, pa.array([], pa.string())))) == list(made)


def test_accents_count_once_however_they_are_written():
    """A letter and its combining accent are one character and the same word in NFC and NFD."""
    text = "Ångström café naïve 각하"
    made = derive(text, unicodedata.normalize("NFD", text))
    assert made["characters"][0] == made["characters"][1] == len(text)
    assert made["words"] == [4, 4]
    assert made["marks"] == ["clean", "decomposed accents"]


def test_scripts_without_spaces_have_many_words():
    """Chinese, Japanese and Thai sentences are not one giant word."""
    made = derive("我想退货因为质量不好", "これはとても良い商品です", "สินค้าชำรุดเสียหาย")
    assert made["words"] == [10, 12, 14]
    assert made["language"] == ["han", "japanese", "thai"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "I would like to return this because it is broken"),
        ("de", "Ich möchte das zurückgeben, weil es nicht funktioniert"),
        ("fr", "Je voudrais un remboursement parce que le produit est cassé"),
        ("es", "Quiero devolver el producto porque no funciona muy bien"),
        ("it", "Vorrei restituire il prodotto perché non funziona più"),
        ("pt", "Eu quero devolver o produto porque não funciona muito bem"),
        ("nl", "Ik wil het product terugsturen want het werkt niet"),
        ("cyrillic", "Товар пришёл сломанным, верните деньги"),
        ("arabic", "المنتج لا يعمل وأريد استرداد المال"),
        ("latin, short", "Great stuff"),
        ("latin, other", "Zamówienie dostarczono uszkodzone prosimy zwrócić pieniądze"),
        ("mixed", "Привет hello"),
        ("none", "12 345 !!!"),
    ],
)
def test_languages(code, text):
    """Ten European languages are told by their stop words, the others by their script."""
    assert derive(text)["language"] == [code]


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("clean", "A usual sentence, with a dash - and a 3 < 4 & so on.\nAnd another."),
        ("broken lines", "the parser broke this sen-\ntence in two."),
        ("broken lines", "the parser broke this\nline in two."),
        ("bad encoding", "CafÃ© au lait"),
        ("bad encoding", "lost \ufffd character"),
        ("bad encoding", "itâ€™s broken"),
        ("HTML", "a <br/> b"),
        ("HTML", "fish &amp; chips"),
        ("markup", "# Title\nText."),
        ("markup", "this is **bold** talk"),
        ("page furniture", "Page 3 of 12\nThe text."),
        ("page furniture", "ACME Report\nOne.\nACME Report\nTwo."),
        ("control characters", "bell\x07"),
        ("control characters", "soft\u00adhyphen"),
        ("cut off", "x" * 255),
        ("JSON", '{"text": "hello"}'),
        ("broken lines + HTML", "a con-\nnection <b>lost</b>"),
    ],
)
def test_marks(mark, text):
    """Each kind of damage is named, and plain punctuation is none."""
    assert derive(text)["marks"] == [mark]


def test_real_languages_are_not_damage():
    """Accents, quotes and emoji of ordinary texts carry no mark."""
    made = derive(
        "Ângela já não está à vista", "« Ça va ? » \u2013 oui…", "“It\u2019s fine” 👍🏽", "Ñandú ÂÃ"
    )
    assert made["marks"] == ["clean"] * 4


def test_the_longest_length_of_the_reference_is_a_limit():
    """A reference cut at 77 characters teaches the lens that texts of 77 without an end are cut."""
    cells = pa.array([*("y" * 77 for _ in range(3)), "short"])
    survey = Survey(4, pa.table({"q": cells}), np.ones(4, np.int64))
    lens = Text.fit(survey, COLUMN)
    assert 77 in lens.limits
    assert Text.restore(lens.state()) == lens
    assert lens(Values(COLUMN, cells))["q:marks"].to_pylist() == ["cut off"] * 3 + ["clean"]


def test_hostile_texts_do_no_harm():
    """NUL, bidi, a megabyte in one cell, lone marks: every row has its five values."""
    made = derive(*HOSTILE)
    assert all(None not in column and len(column) == len(HOSTILE) for column in made.values())


def test_bytes_that_are_no_text_are_read_all_the_same():
    """Lone surrogates and broken UTF-8 in a binary column become U+FFFD, and are marked."""
    cells = pa.array([b"ok then", b"bad \xff\xfe", "\ud800".encode("utf-8", "surrogatepass"), None])
    made = Text()(Values(COLUMN, cells))
    assert made["q:marks"].to_pylist() == ["clean", "bad encoding", "bad encoding", None]


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=30), st.sampled_from(HOSTILE[:4])), max_size=30)
)
def test_each_row_alone(texts):
    """What is derived of a row does not depend on the rows beside it."""
    texts = [None if t is None else t.encode("utf-8", "replace").decode() for t in texts]
    together = derive(*texts)
    alone = [derive(text) for text in texts]
    for name, column in together.items():
        assert column == [each[name][0] for each in alone]


def test_dictionaries_and_slices_are_text_too():
    """Dictionary-encoded and sliced arrays give what plain ones give."""
    cells = pa.array(["one two", "été", None, "one two", "x <b>y</b>"])
    plain = Text()(Values(COLUMN, cells.slice(1)))
    coded = Text()(Values(COLUMN, cells.dictionary_encode().slice(1)))
    large = Text()(Values(COLUMN, cells.cast(pa.large_string()).slice(1)))
    assert all(plain[k].to_pylist() == coded[k].to_pylist() == large[k].to_pylist() for k in plain)
