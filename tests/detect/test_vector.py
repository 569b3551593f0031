"""Vectors through the whole product: what is planted is found, named and shown; clean data is quiet."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import undertow as ut
from undertow.core.errors import DataError, UsageError
from undertow.core.verdict import Verdict
from undertow.detect.mixed import MixedClasses
from undertow.detect.vector import Vector

TOPICS = ("card", "loan", "rain", "train", "music", "pizza")


def vectors(random, topics, dimensions=24, spread=0.35):
    """Return vectors round the centres of topics, of length 1."""
    centres = np.random.default_rng(99).normal(size=(20, dimensions))
    rows = centres[topics] / np.sqrt(dimensions) + spread * random.normal(
        size=(len(topics), dimensions)
    ) / np.sqrt(dimensions)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def table(seed, rows, new=0, **more):
    """Return texts about five topics with their vectors, `new` of them about a sixth."""
    random = np.random.default_rng(seed)
    topics = random.integers(0, 5, rows)
    topics[:new] = 5
    random.shuffle(topics)
    words = [f"{TOPICS[t]} {random.choice(['please', 'now', 'help', 'thanks'])}" for t in topics]
    cells = vectors(random, topics)
    columns = {
        "text": [f"{text} {n % 89}" for n, text in enumerate(words)],
        "v": pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel()), cells.shape[1]),
        "topic": [TOPICS[t] for t in topics],
        "country": np.where(random.random(rows) < 0.5, "at", "de"),
    }
    return pa.table({name: columns[name] for name in ("text", "v", *more)} | more)


def finding(report, check="drift.vector", subject="v"):
    """Finding."""
    return next(f for f in report.findings if f.check == check and f.subject == subject)


def test_a_new_topic_is_found_sized_named_and_shown():
    """A new topic is found sized named and shown."""
    report = ut.check(table(1, 1500), table(2, 1000, new=120), vector="v", text="text")
    found = finding(report)
    assert found.verdict is Verdict.CHANGED
    assert found.effect.low <= 0.12 <= found.effect.high
    assert "pizza" in found.says
    assert any("pizza" in cause for cause in found.causes)
    new = [each["text"] for each in found.examples if each["why"] == "new here"]
    assert new
    assert all("pizza" in text for text in new)
    region = found.evidence["regions"][0]
    assert region["share"]["current"] > region["share"]["reference"]
    assert found.shape["form"] == "map"
    json.loads(report.to_json())


def test_clean_vectors_stay_silent_and_show_no_rows():
    """Clean vectors stay silent and show no rows."""
    quiet = 0
    for seed in range(12):
        report = ut.check(table(100 + seed, 700), table(200 + seed, 700), vector="v", ignore="text")
        found = finding(report)
        assert found.verdict is not Verdict.CHANGED
        quiet += found.verdict is not Verdict.WATCH
    assert quiet >= 11  # each may fire with a chance of 5% divided by the comparisons


def test_too_few_vectors_are_unknown_and_never_green():
    """Too few vectors are unknown and never green."""
    found = finding(ut.check(table(1, 20), table(2, 20), vector="v", ignore="text"))
    assert found.verdict is Verdict.UNKNOWN


def test_vectors_of_another_model_are_told_as_such():
    """Vectors of another model are told as such."""
    now = table(2, 800)
    turned, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(24, 24)))
    cells = np.asarray(now["v"].combine_chunks().flatten(), np.float32).reshape(-1, 24) @ turned
    other = pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel().astype(np.float32)), 24)
    report = ut.check(table(1, 800), now.set_column(1, "v", other), vector="v", ignore="text")
    found = finding(report)
    assert found.verdict is Verdict.CHANGED
    assert "another model" in found.causes[0]
    assert "compare-encoders" in found.next[0]


def test_another_dimension_is_refused_in_one_line():
    """Another dimension is refused in one line."""
    short = pa.table({"v": pa.array([[1.0, 2.0]] * 50)})
    with pytest.raises(DataError, match=r"'v' have 2 numbers, .* 24"):
        ut.check(table(1, 100), short, vector="v", ignore="text")


def test_vectors_of_two_named_spaces_are_refused():
    """Vectors of two named spaces are refused."""

    def made(seed, space):
        rows = table(seed, 100)
        field = rows.schema.field("v").with_metadata({"undertow.space": space})
        return rows.cast(rows.schema.set(1, field))

    with pytest.raises(DataError, match="model-1 in the reference and by model-2"):
        ut.check(made(1, "model-1"), made(2, "model-2"), ignore="text")
    assert finding(ut.check(made(1, "model-1"), made(2, "model-1"), ignore="text"))


def test_within_a_segment_the_value_that_moved_is_named():
    """Within a segment the value that moved is named."""
    before, now = table(1, 1500), table(2, 1500)
    moved = table(3, 1500, new=400)
    country = np.array(["at", "de"])[np.arange(1500) % 2]
    cells = [(moved if where == "at" else now)["v"][n].as_py() for n, where in enumerate(country)]
    kind = before.schema.field("v").type
    now = pa.table({"v": pa.array(cells, kind), "country": country})
    before = pa.table({"v": before["v"], "country": country})
    report = ut.check(before, now, segment="country")
    assert finding(report, subject="v [country=at]").verdict is Verdict.CHANGED
    assert finding(report, subject="v [country=de]").verdict is not Verdict.CHANGED
    again = ut.check(before, now, by="country")
    assert finding(again, subject="v [country=at]").verdict is Verdict.CHANGED


def test_evidence_is_measured_by_name_and_decides_nothing():
    """Evidence is measured by name and decides nothing."""
    sides = table(1, 300), table(2, 300)
    plain = ut.check(*sides, vector="v", ignore="text")
    more = ut.check(*sides, vector="v", ignore="text", evidence=["mmd", "c2st"])
    assert {"mmd", "c2st"} <= set(finding(more).evidence)
    assert finding(more).verdict is finding(plain).verdict
    with pytest.raises(UsageError, match="did you mean 'mmd'"):
        ut.check(*sides, vector="v", evidence="mdd")


def test_a_saved_profile_gives_the_same_finding(tmp_path):
    """A saved profile gives the same finding."""
    before, now = table(1, 600), table(2, 600, new=80)
    direct = finding(ut.check(before, now, vector="v", ignore="text"))
    ut.save(ut.profile(before, vector="v", ignore="text"), tmp_path / "r.profile")
    saved = finding(ut.check(tmp_path / "r.profile", now))
    assert (saved.effect, saved.evidence) == (direct.effect, direct.evidence)


def test_the_plain_columns_of_a_vector_are_remembered_and_not_judged():
    """The plain columns of a vector are remembered and not judged."""
    report = ut.check(table(1, 400), table(2, 400), vector="v", ignore="text")
    assert not [f for f in report.findings if f.subject.startswith("v:")]
    assert {"norm", "anchor", "known"} <= set(finding(report).evidence)


def test_texts_are_encoded_and_the_topic_is_named():
    """Texts are encoded and the topic is named."""
    report = ut.check(
        table(1, 900).select(["text"]), table(2, 900, new=150).select(["text"]), encoder="tfidf"
    )
    found = finding(report, subject="text~vector")
    assert found.verdict in {Verdict.CHANGED, Verdict.WATCH}
    assert "pizza" in str(found.evidence["regions"][0]["name"])
    assert any("encoded by tfidf" in note for note in report.notes)


def test_an_encoder_needs_one_text_column():
    """An encoder needs one text column."""
    with pytest.raises(UsageError, match="give --text"):
        ut.check(pa.table({"n": [1.0, 2.0]}), pa.table({"n": [1.0, 2.0]}), encoder="tfidf")


def test_classes_that_came_to_sit_inside_one_another_are_told():
    """Classes that came to sit inside one another are told."""

    def labelled(seed, mixed):
        rows = table(seed, 1200)
        topics = np.array([text.split()[0] for text in rows["text"].to_pylist()])
        if mixed:  # rows near "loan" are now labelled "card"
            swap = np.random.default_rng(seed).random(1200) < 0.5
            topics = np.where((topics == "loan") & swap, "card", topics)
        return rows.append_column("label", pa.array(topics))

    same = ut.check(labelled(1, mixed=False), labelled(2, mixed=False), text="text", label="label")
    quiet = finding(same, MixedClasses.name, "v~label")
    assert quiet.verdict in {Verdict.STEADY, Verdict.UNKNOWN}
    report = ut.check(labelled(1, mixed=False), labelled(2, mixed=True), text="text", label="label")
    found = finding(report, MixedClasses.name, "v~label")
    assert found.verdict is Verdict.CHANGED
    assert {"card", "loan"} == set(found.evidence["pair"])


def test_a_check_of_vectors_has_declared_settings():
    """A check of vectors has declared settings."""
    assert (Vector().tolerance, Vector.name) == (0.02, "drift.vector")


def test_vectors_that_a_file_spells_are_read_as_vectors(tmp_path):
    """A CSV of "[0.1, 0.2]" is no free text, on either side, whether or not anybody said so."""

    def written(name, shift):
        random = np.random.default_rng(int(shift))
        cells = [str((random.normal(size=4) + shift).round(3).tolist()) for _ in range(200)]
        path = tmp_path / name
        path.write_text("v\n" + "".join(f'"{cell}"\n' for cell in cells), encoding="utf-8")
        return path

    moved = finding(ut.check(written("a.csv", 0), written("b.csv", 3)))
    assert moved.verdict is Verdict.CHANGED
    lists = pa.table({"v": [[float(n), 1.0, 2.0, 3.0] for n in range(200)]})
    report = ut.check(lists, tmp_path / "b.csv")
    assert finding(report)
    assert not [each for each in report.findings if each.check == "schema.types"]
