"""An index that somebody else made, or that something else wrote into: nothing of it is believed."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from undertow.core.errors import DataError, UsageError
from undertow.index import check, durable, leftovers, lock, near, versions
from undertow.index.folder import create, open_index
from undertow.index.versions import Gone

IDS = ["a", "b", "c"]
ROWS = np.eye(3, dtype=np.float32)


@pytest.fixture
def index(tmp_path):
    """Return an index of three documents, with a version that replaced one of them."""
    made = create(tmp_path / "index")
    made.build(IDS, ROWS, texts=["one", "two", "three"])
    made.add(["b"], ROWS[:1], texts=["new"])
    return made


def forged(folder, **changes):
    """Write the manifest of v2 anew, sealed as its author would seal it."""
    content = (folder / "versions/v2.json").read_bytes()
    told = {**versions.opened(content, "v2"), **changes}
    (folder / "versions/v2.json").write_bytes(versions.sealed(told))


def segment(folder, **changes):
    """Return the segments of v2, the first of them changed."""
    first, *rest = versions.read_version(folder, "v2").segments
    return [{**dataclasses.asdict(first), **changes}, *map(dataclasses.asdict, rest)]


def test_a_name_in_a_manifest_does_not_lead_out_of_the_index(index, tmp_path):
    """Nothing is read or written where such a name points; the line says which file it is."""
    real = segment(index.folder)[0]["name"]
    (tmp_path / "out.parquet").write_bytes((index.folder / f"segments/{real}.parquet").read_bytes())
    for changes in (
        {"segments": segment(index.folder, name="../../out")},
        {"segments": segment(index.folder, name=str(tmp_path / "out"))},
        {"segments": segment(index.folder, name=7)},
        {"gone": dataclasses.asdict(Gone("../../out", 1, "0"))},
        {"name": "../v2"},
    ):
        forged(index.folder, **changes)
        with pytest.raises(DataError, match=r"v2\.json is no manifest"):
            open_index(index.folder)
        assert any("v2.json" in each.file for each in check.check(index.folder).faults)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["index", "out.parquet"]


@pytest.mark.parametrize(
    "changes",
    [
        {"dimension": "3"},
        {"documents": None},
        {"documents": -1},
        {"without_vector": True},
        {"spaces": ["a"]},
        {"spaces": {"": 1e300}},
        {"encoder": "tfidf"},
        {"made": 5},
        {"segments": None},
    ],
)
def test_a_manifest_of_odd_values_is_said_to_be_none(index, changes):
    """Counts are counts and words are words before anything is made of them."""
    forged(index.folder, **changes)
    with pytest.raises(DataError, match=r"v2\.json is no manifest"):
        open_index(index.folder)


def test_a_segment_of_countless_rows_takes_no_memory(index):
    """How many rows a manifest claims is looked at before room is made for them."""
    forged(index.folder, segments=segment(index.folder, rows=2**50))
    with pytest.raises(DataError, match="no manifest"):
        open_index(index.folder)


def test_a_pointer_at_what_is_no_version_is_damaged(index):
    """It names versions, and no paths."""
    for told in ({"version": "../v1", "before": []}, {"version": "v1", "before": ["x"]}):
        path = index.folder / versions.POINTER
        path.write_bytes(versions.sealed({"undertow_index": 1, **told}))
        with pytest.raises(DataError, match=r"undertow index switch .* there is v1, v2"):
            open_index(index.folder)


@pytest.mark.parametrize("content", ['{"undertow_index": Infinity}', "[" * 100_000, "[]", ""])
def test_json_that_is_none_of_an_index_is_damaged(index, content):
    """Whatever stands in a file, one line says so."""
    (index.folder / versions.TAGS).write_text(content)
    with pytest.raises(DataError, match=r"tags\.json is damaged"):
        index.tag("prod")


def test_a_pointer_that_is_gone_says_what_can_answer(index):
    """There are versions: to build again would be a waste."""
    (index.folder / versions.POINTER).unlink()
    with pytest.raises(DataError, match=r"undertow index switch .* there is v1, v2"):
        open_index(index.folder)


def test_a_damaged_search_file_does_not_end_the_process(index):
    """Text that starts beyond the end of the file is not read: the file is made again."""
    path = near.path_of(index.folder, index.version("v1").segments[0])
    content = bytearray(path.read_bytes())
    spot = content.find(np.arange(4, dtype="<i4").tobytes())
    assert spot > 0
    content[spot + 8 : spot + 12] = (2**30).to_bytes(4, "little")
    path.write_bytes(content)
    assert open_index(index.folder).search(ROWS, 1).ids[2, 0] == "c"


def test_a_record_that_lacks_a_column_is_damaged(index):
    """Parquet readers leave out in silence what is not there."""
    first = index.version("v1").segments[0]
    path = index.folder / f"segments/{first.name}.parquet"
    table = pq.read_table(path)
    near.path_of(index.folder, first).unlink()
    odd = table.set_column(2, "vector", pa.array([[1.0], [2.0], [3.0]]))
    for each in (table.drop_columns(["vector"]), table.drop_columns(["space"]), odd):
        pq.write_table(each, path)
        with pytest.raises(DataError, match="is damaged"):
            open_index(index.folder).search(ROWS[:1], 1)
        assert check.check(index.folder).faults


def test_files_of_others_are_never_removed(index, tmp_path):
    """A note among the segments stays, and so does what a folder holds that only looks like one."""
    (index.folder / "segments" / "NOTES.txt").write_text("mine")
    (index.folder / "versions" / "v1.bak").write_text("mine")
    stray = index.folder / "segments" / "v9-abc123.parquet"
    stray.write_bytes(b"PAR1")
    assert leftovers.sweep(index.folder) == [stray]
    audio = tmp_path / "audio"
    (audio / "segments").mkdir(parents=True)
    (audio / "segments" / "one.wav").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        create(audio)
    assert (audio / "segments" / "one.wav").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_the_mark_of_a_writer_is_not_written_through_a_link(index, tmp_path):
    """It is cut to nothing after each change, and so would be what the link leads to."""
    (tmp_path / "letter").write_text("dear reader")
    (index.folder / lock.WRITING).unlink(missing_ok=True)
    (index.folder / lock.WRITING).symlink_to(tmp_path / "letter")
    with pytest.raises(DataError, match="cannot write to"):
        index.tag("prod")
    assert (tmp_path / "letter").read_text() == "dear reader"


def test_damaged_tags_stop_a_tagged_build_before_it_answers(index):
    """Nothing has moved where the line says that nothing did."""
    (index.folder / versions.TAGS).write_text("{")
    with pytest.raises(DataError, match=r"tags\.json"):
        index.build(["z"], ROWS[:1], tag="prod")
    assert index.version().name == "v2"
    assert versions.names(index.folder) == ("v1", "v2")


def test_a_search_goes_on_where_another_process_switched_and_pruned(index, monkeypatch):
    """A file that goes between two steps of a search is no damage: the next version answers."""
    reader = open_index(index.folder)
    opened, done = type(reader)._opened, []

    def late(self, version, segment):
        if not done:
            done.append(True)
            index.build(["z"], ROWS[:1])
            index.prune(1)
        return opened(self, version, segment)

    monkeypatch.setattr(type(reader), "_opened", late)
    assert reader.search(ROWS[:1], 1).ids.tolist() == [["z"]]


def test_a_check_beside_a_prune_raises_no_alarm(index, monkeypatch):
    """Files of versions that were removed while it read are not missed."""
    real, done = durable.digest_of, []

    def late(path: Path, size: int = 16) -> str:
        if not done:
            done.append(True)
            index.build(["z"], ROWS[:1])
            index.prune(1)
        return real(path, size)

    monkeypatch.setattr(durable, "digest_of", late)
    assert not check.check(index.folder).faults
    assert done


def test_a_file_of_an_encoder_that_is_gone_is_a_fault(tmp_path):
    """No query can be encoded without it, however whole the rest is."""
    index = create(tmp_path / "index")
    name = f"{'0' * 32}.npz"
    index.build(IDS, ROWS, encoder={"name": "tfidf", "file": name}, keep={name: b"x"})
    (index.folder / "encoders" / name).unlink()
    (fault,) = check.check(index.folder).faults
    assert (fault.file, fault.versions) == (f"encoders/{name}", ("v1",))
    assert json.loads((index.folder / "versions/v1.json").read_bytes())["encoder"]["file"] == name


def test_places_that_a_library_makes_up_are_left_out(index):
    """Its file carries no digest: a place beyond the last row is none."""
    held = near.open_near(index.folder, index.version("v1").segments[0])
    odd = dataclasses.replace(
        held, finder=lambda queries, _: np.array([[2**40, 1, -1, 0]] * len(queries))
    )
    places, _ = odd.search(ROWS[:1], 2, np.array([True, True, True]))
    assert places.tolist() == [[0, 1]]
