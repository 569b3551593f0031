"""Which rows count where the senses of a word are told, and which calls are refused."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import UsageError
from undertow.core.verdict import Verdict
from undertow.sides import holding
from undertow.verbs.senses import senses


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


def test_a_sense_of_a_few_rows_is_left_out_with_a_note():
    """Three rows of a third sense do not decide about the other two."""
    table = rows(60, 50)
    names = table["sense"].to_pylist()
    names[:4] = ["record label"] * 3 + [None]
    report = told(table.set_column(2, "sense", pa.array(names)), label="sense")
    assert report.verdict is Verdict.STEADY
    assert report["apple"].rows.current == 106
    assert "senses of fewer than 6 texts are left out: 1" in report.notes


def test_copies_count_once_and_a_text_of_two_senses_for_none():
    """Copies are each other's nearest, so a mixed word with all its rows doubled is still mixed."""
    table = rows(40, 40, mixed=True)
    swapped = [
        {"fruit": "company", "company": "fruit"}[each] for each in table["sense"].to_pylist()
    ]
    other = table.set_column(2, "sense", pa.array(swapped)).slice(0, 3)
    report = told(pa.concat_tables([table, table, other]), label="sense")
    assert report.verdict is Verdict.CHANGED
    assert "163 rows hold 'apple': 80 different texts are used" in report.notes
    assert "3 texts stand with several senses, and count for none" in report.notes
    assert report["apple"].rows.current == 77


def test_the_finding_does_not_depend_on_how_the_rows_came(tmp_path):
    """Another order, other files and small batches give the same finding."""
    table = rows(60, 50, mixed=True)
    turned = table.take(pa.array(np.random.default_rng(1).permutation(110)))
    for start in range(0, 110, 40):
        pq.write_table(turned.slice(start, 40), tmp_path / f"{start:03}.parquet", row_group_size=7)
    one, two = (told(each, label="sense") for each in (table, tmp_path))
    assert one["apple"].to_dict() == two["apple"].to_dict()


def test_only_so_many_texts_are_used(monkeypatch):
    """Beyond the limit those of lowest content hash stand for all, in any order."""
    monkeypatch.setattr(holding, "MOST", 50)
    table = rows(200, 200, mixed=True)
    report = told(table, label="sense")
    assert report["apple"].rows.current == 50
    assert "400 rows hold 'apple': 50 different texts are used" in report.notes
    turned = told(table.take(pa.array(np.arange(400)[::-1])), label="sense")
    assert turned["apple"].to_dict() == report["apple"].to_dict()


def test_unusable_vectors_are_counted():
    """Missing, short, infinite and zero vectors leave their rows out, and a note says how many."""
    table = rows(60, 50)
    cells = table["v"].to_pylist()
    cells[0], cells[1], cells[2], cells[3] = None, [1.0], [math.inf] * 12, [0.0] * 12
    report = told(table.set_column(1, "v", pa.array(cells)), label="sense")
    assert "4 of 110 rows with 'apple' have no usable vector" in report.notes
    assert report["apple"].rows.current == 106
    none = told(table.set_column(1, "v", pa.nulls(110, pa.list_(pa.float32()))), label="sense")
    assert none.verdict is Verdict.UNKNOWN


def test_rows_without_the_word_change_nothing():
    """Missing texts, other texts and words that only hold the word are no rows of it."""
    table = rows(60, 50)
    odd = pa.table(
        {
            "text": pa.array([None, "", "pineapple", "apples", "no such thing"]),
            "v": table["v"].slice(0, 5),
            "sense": ["fruit"] * 5,
        }
    )
    one, two = (told(each, label="sense") for each in (table, pa.concat_tables([odd, table])))
    assert one["apple"].to_dict() == two["apple"].to_dict()
    assert two.reference.rows == 115


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"word": "aple"}, "no 'text' holds 'aple'; did you mean 'apple'?"),
        ({"word": "zebra"}, "no 'text' holds 'zebra'; there is "),
        ({"word": " "}, "the word is blank"),
        ({"text": "txt"}, "no column 'txt'; did you mean 'text'?"),
        ({"vector": "w"}, "no column 'w'"),
        ({"vector": "sense"}, "is string, no vector"),
        ({"label": "sens"}, "no column 'sens'; did you mean 'sense'?"),
        ({"encoder": "tfidf"}, "give one of them"),
        ({"vector": None, "encoder": "tfdif"}, "no encoder 'tfdif'; did you mean 'tfidf'?"),
        ({"tolerance": 0.6}, "tolerance 0.6"),
        ({"tolerence": 0.1}, "no option 'tolerence'; did you mean 'tolerance'?"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(given, words):
    """Every option that does not fit is named, with what to do about it."""
    with pytest.raises(UsageError) as refused:
        told(rows(20, 20), **given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_profile_has_no_texts():
    """A profile is refused with a line."""
    from undertow.verbs.profile import profile

    with pytest.raises(UsageError, match="a profile holds no texts"):
        told(profile(rows(20, 20)))
