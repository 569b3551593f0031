"""A word that is used otherwise is told with its new neighbours; one that is not raises no alarm."""

from __future__ import annotations

import json
import zlib

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.surfaces.cli_meaning import meaning as command
from undertow.verbs.meaning import meaning as tell

LISTED = """
fruit ripe juice tree orchard pie sweet harvest basket peel cider seed crate
phone screen battery store update camera laptop charger keyboard launch app cable model
house kitchen roof garden window floor chimney brick ladder paint cellar gate stair
river boat bridge flood fish bank water mill current ferry canal reed shore
music violin choir drum stage singer melody organ concert trumpet chord opera tune
filler we have seen that it was on this day with a very good one there
"""
TOPICS = {each.split()[0]: each.split()[1:] for each in LISTED.strip().splitlines()}
FILLER = TOPICS.pop("filler")


def line(random, topic: str, word: str) -> str:
    """Return a sentence of a topic with a word in it."""
    said = [str(each) for each in random.choice(TOPICS[topic], 5)]
    said += [str(each) for each in random.choice(FILLER, 4)]
    random.shuffle(said)
    return " ".join([*said[:5], word, *said[5:]])


def texts(
    share: float, *, uses: int = 240, seed: int = 0, word: str = "apple", rest: int = 120
) -> pa.Table:
    """Return texts with a word of which a share of the uses is of phones, and texts of other topics."""
    random = np.random.default_rng(seed)
    rows = [line(random, "phone" if n < share * uses else "fruit", word) for n in range(uses)]
    for topic in TOPICS:
        rows += [line(random, topic, "so") for _ in range(rest)]
    return pa.table({"q": rows})


def letters(given):
    """Encode by hashed words: an encoder that anybody could write."""
    made = np.zeros((len(given), 64))
    for row, text in enumerate(given):
        for word in text.lower().split():
            made[row, zlib.crc32(word.encode()) % 64] += 1
    return made


def meaning(one, two, **given):
    """Return the report with an encoder that is quick."""
    return tell(one, two, **({"text": "q", "encoder": letters} | given))


def test_a_word_of_another_use_is_changed_and_told():
    """Half of the uses of apple are now of phones: the share is found, and the words beside it."""
    report = meaning(texts(0), texts(0.5, seed=1), term="Apple")
    found = report["Apple"]
    assert report.verdict is Verdict.CHANGED
    assert found.check == "text.meaning"
    assert 0.3 < found.effect.low <= found.effect.value <= found.effect.high
    now = [each["word"] for each in found.evidence["neighbours_now"]]
    before = [each["word"] for each in found.evidence["neighbours_before"]]
    assert set(now) <= set(TOPICS["phone"])
    assert set(before) <= set(TOPICS["fruit"])
    share = found.evidence["neighbours_now"][0]["share"]
    assert share["current"] > 3 * share["reference"]
    assert found.examples
    for each in found.examples:
        ((period, told),) = each.items()
        assert "[apple]" in told
        topic = TOPICS["phone" if period == "now" else "fruit"]
        assert any(word in told for word in topic)
    assert found.evidence["uses"] == {"reference": 240, "current": 240}


def test_a_word_of_the_same_use_is_steady_and_said_so():
    """No change: steady, and the good news stands in the notes."""
    report = meaning(texts(0.2, uses=500), texts(0.2, uses=500, seed=1), term="apple")
    assert report.verdict is Verdict.STEADY
    assert report.notes[0].startswith("no word is used otherwise")


def test_a_file_against_itself_is_steady_and_says_so():
    """The same rows twice moved by nothing, and the note says that they are the same."""
    table = texts(0.3)
    report = meaning(table, table, term="apple")
    assert report.verdict is Verdict.STEADY
    assert any(
        "100% of the current texts stand in the reference too" in each for each in report.notes
    )
    assert not any("less than 0%" in each for each in report.notes)


def test_several_terms_are_judged_together_in_any_order_of_rows():
    """Terms repeat, a repeated one counts once, and the order of the rows changes nothing."""
    one, two = texts(0), texts(0.5, seed=1)
    report = meaning(one, two, term=["apple", "so", "APPLE"])
    assert [each.subject for each in report] == ["apple", "so"]
    assert report.comparisons == 2
    mixed = np.random.default_rng(3).permutation(two.num_rows)
    again = meaning(one, two.take(pa.array(mixed)), term=["apple", "so"])
    assert [each.to_dict() for each in again] == [each.to_dict() for each in report]


def test_without_a_term_the_words_are_found():
    """The word that changed stands first among those tested, and how many were is told."""
    report = meaning(texts(0, uses=120, rest=50), texts(0.6, uses=120, seed=1, rest=50))
    found = report["apple"]
    assert found.verdict is Verdict.CHANGED
    apart = {*TOPICS["house"], *TOPICS["river"], *TOPICS["music"]}
    assert not apart & {each.subject for each in report.having(Verdict.CHANGED)}
    assert found.evidence["words_tested"] > len(report.findings)
    assert any(each.startswith("words tested: ") for each in report.notes)


def test_too_few_uses_are_unknown_and_say_how_many_are_needed():
    """With 12 uses nothing is told; the finding asks for 20."""
    found = meaning(texts(0, uses=12), texts(0, seed=1), term="apple")["apple"]
    assert (found.verdict, found.needs_rows) == (Verdict.UNKNOWN, 20)
    assert "12 uses before and 240 now" in found.says


def test_a_new_word_is_told_as_new():
    """No use before and many now: nothing to compare, but worth a look; two uses may be chance."""
    report = meaning(texts(0, word="pear"), texts(0, seed=1), term=["apple", "pear"])
    assert {each.verdict for each in report} == {Verdict.WATCH}
    assert report["apple"].says.startswith("'apple' is new: no use before, 240 now")
    assert report["pear"].says.startswith("'pear' is gone: no use now, 240 before")
    few = meaning(texts(0, word="pear"), texts(0, uses=2, seed=1), term="apple")
    assert few["apple"].verdict is Verdict.UNKNOWN


def test_uses_of_few_documents_are_not_told():
    """All uses of one side stand in three documents: no interval over them means anything."""
    two = texts(0.5, seed=1)
    two = two.append_column("thread", pa.array([str(n % 3) for n in range(two.num_rows)]))
    one = texts(0)
    one = one.append_column("thread", pa.array([str(n) for n in range(one.num_rows)]))
    found = meaning(one, two, term="apple", document="thread")["apple"]
    assert found.verdict is Verdict.UNKNOWN
    assert "10 on each side are needed" in found.says


def test_texts_that_changed_as_a_whole_are_told():
    """All words stand among others now: the note says that this word is nothing special."""
    random = np.random.default_rng(5)
    one = pa.table(
        {"q": [line(random, "fruit", w) for w in ("apple", "so", "thus", "hence", "pear") * 60]}
    )
    two = pa.table(
        {"q": [line(random, "phone", w) for w in ("apple", "so", "thus", "hence", "pear") * 60]}
    )
    report = meaning(one, two, term="apple")
    assert report.verdict is Verdict.CHANGED
    assert any("changed as a whole" in each for each in report.notes)
    assert "other words moved by" in report["apple"].says


def test_terms_of_two_words_and_of_other_scripts():
    """A term may have a blank, or no blanks around it at all."""
    table = texts(0, word="apple tree")
    report = meaning(table, texts(0.6, seed=1, word="Apple  tree"), term="apple tree")
    assert report["apple tree"].evidence["uses"]["current"] == 240
    assert report.verdict is Verdict.CHANGED
    chinese = pa.table({"q": [f"第{n}天我们学习很多东西和音乐" for n in range(60)]})
    found = meaning(chinese, chinese, term="学习")["学习"]
    assert found.evidence["uses"] == {"reference": 60, "current": 60}
    assert found.verdict in {Verdict.UNKNOWN, Verdict.STEADY}


def test_empty_and_missing_texts_are_counted():
    """Empty rows are told and lose nothing else; a side without texts is unknown."""
    one = texts(0)
    holes = pa.concat_tables(
        [texts(0, seed=1), pa.table({"q": pa.array([None, "", "  "], pa.string())})]
    )
    report = meaning(one, holes, term="apple")
    assert any("3 of 843 texts are missing or empty" in each for each in report.notes)
    assert report.current.rows == 843
    empty = pa.table({"q": pa.array([None, ""], pa.string())})
    found = meaning(one, empty, term="apple")["apple"]
    assert found.verdict is Verdict.UNKNOWN
    assert meaning(empty, empty).verdict is Verdict.UNKNOWN
    bare = meaning(one, pa.table({"q": ["apple"] * 40}), term="apple")
    assert any("have no words around them" in each for each in bare.notes)
    assert bare["apple"].verdict is not Verdict.CHANGED


def test_a_text_of_a_megabyte_is_read():
    """One huge text beside others counts as one document."""
    huge = "apple pie and so on " * 60_000
    report = meaning(
        texts(0),
        pa.concat_tables([texts(0, seed=1), pa.table({"q": [huge]})]),
        text="q",
        term="apple",
    )
    assert report["apple"].evidence["documents"]["current"] == 241
    assert report["apple"].verdict is not Verdict.CHANGED


def test_any_encoder_serves():
    """A function is an encoder, and its name stands in the column's space."""
    report = meaning(texts(0), texts(0.6, seed=1), term="apple")
    assert report.verdict is Verdict.CHANGED
    assert report.columns[0].space.endswith("letters")


def fails(given):
    """Fail, as a model that is gone."""
    raise RuntimeError("no model here")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"term": " "}, UsageError, "is blank"),
        ({"term": []}, UsageError, "no term is given"),
        ({"term": "aple"}, UsageError, "no text of either side has 'aple'; did you mean 'apple'"),
        ({"text": "p"}, UsageError, "p"),
        ({"document": "user"}, UsageError, "user"),
        ({"window": 0}, UsageError, "window is 0"),
        ({"min_count": 1}, UsageError, "min_count is 1"),
        ({"tolerance": 0.6}, UsageError, "tolerance 0.6"),
        ({"windows": 5}, UsageError, "did you mean 'window'"),
        ({"encoder": fails}, DataError, "no model here"),
        ({"encoder": "tfdf"}, UsageError, "did you mean 'tfidf'"),
    ],
)
def test_bad_input_is_one_line(given, error, words):
    """What is wrong, with which value, and what next."""
    asked = {"term": "apple"} | given
    with pytest.raises(error, match=words) as told:
        meaning(texts(0), texts(0, seed=1), **asked)
    assert "\n" not in str(told.value)


def test_one_stream_twice_is_refused():
    """A stream is read once."""
    stream = texts(0).to_reader()
    with pytest.raises(UsageError, match="read only once"):
        meaning(stream, stream, term="apple")


def test_too_few_other_words_are_said():
    """Texts of one word have no way to another word: unknown, and a note that says why."""
    one = pa.table({"q": [f"apple {n}" for n in range(40)]})
    report = meaning(one, one, term="apple")
    assert report.verdict is Verdict.UNKNOWN
    assert any("other words" in each for each in report.notes)


def test_the_command_tells_what_the_function_does(tmp_path):
    """The same findings by the command, and exit code 1."""
    for name, table in (("a", texts(0)), ("b", texts(0.5, seed=1))):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    out = tmp_path / "out.json"
    sides = [str(tmp_path / f"{name}.parquet") for name in "ab"]
    code = command(
        [
            *sides,
            "--text",
            "q",
            "--term",
            "apple",
            "--min-count",
            "30",
            "--json",
            str(out),
            "--quiet",
        ],
        standalone_mode=False,
    )
    told = json.loads(out.read_text("utf-8"))
    same = tell(*sides, text="q", term="apple", min_count=30)
    assert code == 1
    assert told["findings"] == json.loads(same.to_json())["findings"]
    with pytest.raises(click.UsageError):
        command([*sides, "--text", "q", "--tolerance", "auto"], standalone_mode=False)


@pytest.mark.real
def test_real_reviews_split_at_random_raise_no_alarm(real):
    """Reviews dealt to two sides at random: no word is told to be changed."""
    rows = pq.read_table(real("amazon_pantry_reviews"), columns=["text"]).slice(0, 16_000)
    side = np.random.default_rng(0).permutation(rows.num_rows) < rows.num_rows // 2
    one, two = rows.filter(pa.array(side)), rows.filter(pa.array(~side))
    report = tell(one, two, text="text", term=["coffee", "chips", "shampoo"])
    assert report.verdict is not Verdict.CHANGED


@pytest.mark.real
def test_real_planted_word_is_changed(real):
    """A word of two products: 40% of its uses move from food to care, and both are named."""
    rows = pq.read_table(real("amazon_pantry_reviews"), columns=["text"])["text"].combine_chunks()
    food = rows.filter(pc.match_substring_regex(rows, r"\b(chips|cereal|soup|coffee)\b"))[:800]
    care = rows.filter(pc.match_substring_regex(rows, r"\b(scent|skin|hair|laundry)\b"))[:200]
    others = rows[:12_000]

    def planted(*parts):
        said = pa.concat_arrays([part.cast(pa.string()) for part in parts])
        return pa.table(
            {
                "text": pa.concat_arrays(
                    [
                        pc.replace_substring_regex(
                            said, r"\b(chips|cereal|soup|coffee|scent|skin|hair|laundry)\b", "gizmo"
                        ),
                        others.cast(pa.string()),
                    ]
                )
            }
        )

    report = tell(
        planted(food[:400]), planted(food[400:640], care[:160]), text="text", term="gizmo"
    )
    effect = report["gizmo"].effect
    assert report.verdict in {Verdict.CHANGED, Verdict.WATCH}
    assert effect.low < 0.45
    assert effect.high > 0.35


def test_a_side_without_texts_makes_no_word_new():
    """No use among no texts says nothing: the term is unknown, not new."""
    none = pa.table({"q": pa.array([None] * 900, pa.string())})
    assert meaning(none, texts(0), term="apple")["apple"].verdict is Verdict.UNKNOWN


def test_a_column_that_holds_no_text_is_refused():
    """Numbers and lists are named for what they are."""
    for cells in (list(range(40)), [["a"]] * 40):
        with pytest.raises(UsageError, match="no text; name the column of the texts"):
            meaning(texts(0), pa.table({"q": cells}), term="apple")


def test_a_term_that_always_stands_alone_is_found():
    """A text that is the term alone has no context, and the term is there all the same."""
    bare = pa.table({"q": ["apple"] * 40})
    report = meaning(bare, bare, term="apple")
    assert report["apple"].verdict is Verdict.UNKNOWN
    assert any("no words around them" in each for each in report.notes)


def test_a_move_that_cannot_be_sized_is_said_so():
    """Words drawn at random stand among all others alike: there is no way to another word's use."""
    random = np.random.default_rng(3)
    names = ["door", "lamp", "table", "chair", "garden", "apple"]
    one = pa.table({"q": [" ".join(random.choice(names, 8)) for _ in range(200)]})
    two = pa.table({"q": [" ".join(random.choice(names, 8)) for _ in range(200)]})
    for each in meaning(one, two):
        assert "nothing to compare" not in each.summary
