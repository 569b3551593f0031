"""Vectors and encoders of texts that are no good: refused in one line, or judged rightly."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import undertow as ut
from undertow.surfaces.cli import main

ROWS, WIDE = 300, 16
CENTRES = np.random.default_rng(0).normal(scale=2, size=(3, WIDE))


def cloud(seed: int, rows: int = ROWS, wide: int = WIDE) -> np.ndarray:
    """Return normalised vectors (rows, wide) around three centres."""
    draw = np.random.default_rng(seed)
    found = (CENTRES[draw.integers(0, 3, rows)] + draw.normal(size=(rows, WIDE)))[:, :wide]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def fixed(vectors: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    """Return vectors as a column of lists of one length."""
    flat = pa.array(vectors.ravel(), kind or pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def table(vectors: np.ndarray) -> pa.Table:
    """Return a table of one vector column."""
    return pa.table({"v": fixed(vectors)})


def found(report: ut.Report, check: str, subject: str = "v") -> Any:
    """Return the one finding of a check on a subject."""
    return next(f for f in report.findings if f.check == check and f.subject == subject)


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command line, which has to refuse; return the one line it says."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert said.startswith("undertow: ")
    assert said.count("\n") == 1
    assert "bug in undertow" not in said
    return said


BEFORE = table(cloud(1))

# ---- vectors ------------------------------------------------------------------------------------


def _spelled(vectors: np.ndarray) -> list[str]:
    return ["[" + ", ".join(f"{x:.6g}" for x in row) + "]" for row in vectors]


FORMS = {
    "fixed-size list": fixed,
    "list": lambda rows: pa.array(rows.tolist(), pa.list_(pa.float32())),
    "float64": lambda rows: fixed(rows, pa.float64()),
    "text": lambda rows: pa.array(_spelled(rows)),
    "ndarray": lambda rows: rows,
    "rows of Fortran order": np.asfortranarray,
    "list of lists": lambda rows: rows.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_vector_gives_one_answer(form: str) -> None:
    """However vectors are spelled, rows without a change have none and a rotation is seen."""
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(WIDE, WIDE)))[0]
    made = {"v": FORMS[form](cloud(2))}
    same, other = (ut.check(BEFORE, each, vector="v") for each in (made, table(cloud(2) @ turned)))
    assert same.verdict in {ut.Verdict.UNKNOWN, ut.Verdict.STEADY}
    assert found(other, "drift.vector").verdict is ut.Verdict.CHANGED
    assert "another model" in found(other, "drift.vector").says


def test_files_of_arrays_and_columns_of_numbers_are_vectors_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A .npy, a .npz, and a pattern of columns are read as vectors."""
    for name, seed in (("a", 1), ("b", 2)):
        rows = cloud(seed).astype(np.float32)
        np.save(tmp_path / f"{name}.npy", rows)
        np.savez(tmp_path / f"{name}.npz", v=rows)
        wide = pa.table({f"e_{n}": rows[:, n] for n in range(WIDE)})
        pq.write_table(wide, tmp_path / f"{name}.parquet")
    for end, flag in ((".npy", "vector"), (".npz", "v"), (".parquet", "e_*")):
        paths = [str(tmp_path / f"{name}{end}") for name in "ab"]
        assert main(["check", *paths, "--vector", flag, "--quiet", "--json", "-"]) in {0, 3}
        findings = json.loads(capsys.readouterr().out)["findings"]
        assert [f["rows"] for f in findings if f["check"] == "drift.vector"] == [
            {"reference": ROWS, "current": ROWS}
        ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x93NUMPY junk", "cannot be read"),
        (np.array([[1, 2], [3]], dtype=object), "a pickle"),
        (np.zeros((4, 3, 2)), "3-dimensional"),
    ],
)
def test_a_file_that_holds_no_vectors_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, words: str
) -> None:
    """A broken file, one of Python objects, and one of too many dimensions."""
    path = tmp_path / "bad.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    assert words in one_line(capsys, "check", str(path), str(path))


def test_vectors_of_another_length_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Vectors of two lengths are of two models, also where the reference is a saved profile."""
    pq.write_table(BEFORE, tmp_path / "a.parquet")
    pq.write_table(table(cloud(2, wide=8)), tmp_path / "b.parquet")
    before, now, kept = (str(tmp_path / each) for each in ("a.parquet", "b.parquet", "a.profile"))
    assert "8 numbers" in one_line(capsys, "check", before, now)
    assert main(["profile", before, "--vector", "v", "-o", kept]) == 0
    capsys.readouterr()
    assert "8 numbers" in one_line(capsys, "check", kept, now)


def _with(rows: np.ndarray, which: slice, value: float) -> np.ndarray:
    out = rows.copy()
    out[which] = value
    return out


@pytest.mark.parametrize(
    ("now", "subject", "words"),
    [
        (_with(cloud(2), slice(0, 30), np.nan), "v=not finite", "hold NaN or infinity"),
        (_with(cloud(2), slice(0, 30), np.inf), "v=not finite", "hold NaN or infinity"),
        (_with(cloud(2), slice(0, ROWS), np.nan), "v=not finite", "100%"),
        (_with(cloud(2), slice(0, 30), 0.0), "v=zero", "zero in every dimension"),
        (cloud(2) * 7, "v=norm", "100% are not now, they are 7 long"),
        (np.repeat(cloud(2)[:1], ROWS, 0), "v=same", "one vector stands in 100%"),
    ],
    ids=["nan", "infinity", "all nan", "zero", "not normalised", "one vector"],
)
def test_vectors_that_are_none_are_told_and_never_hide_the_rest(
    now: np.ndarray, subject: str, words: str
) -> None:
    """Each of them is `changed`, by its own name; no row of them enters the comparison."""
    report = ut.check(BEFORE, table(now), vector="v")
    told = found(report, "quality.vectors", subject)
    assert told.verdict is ut.Verdict.CHANGED
    assert words in told.says
    fine = np.isfinite(now).all(axis=1) & now.any(axis=1)
    compared = [f.rows for f in report.findings if f.check == "drift.vector"]
    assert [each.current for each in compared] == [int(fine.sum())]


def test_a_few_vectors_of_another_length_are_counted_and_not_refused() -> None:
    """Two rows of 300 are told as two rows."""
    rows = cloud(2).tolist()
    rows[0], rows[1] = rows[0][:-1], [*rows[1], 0.0]
    now = pa.table({"v": pa.array(rows, pa.list_(pa.float32()))})
    report = ut.check(BEFORE, now, vector="v")
    assert found(report, "quality.vectors", "v=length").rows.current == ROWS
    assert found(report, "drift.vector").rows.current == ROWS - 2


def test_half_precision_is_watched_and_does_no_harm() -> None:
    """Float16 moves no row."""
    now = pa.table({"v": fixed(cloud(2).astype(np.float16), pa.float16())})
    report = ut.check(BEFORE, now, vector="v")
    assert found(report, "quality.vectors", "v=precision").verdict is ut.Verdict.WATCH
    assert found(report, "drift.vector").verdict in {ut.Verdict.UNKNOWN, ut.Verdict.STEADY}


@pytest.mark.parametrize("rows", [1, 5, 29])
def test_too_few_vectors_are_unknown_and_say_how_many_would_tell(rows: int) -> None:
    """Neither one row nor a few are called steady or changed."""
    told = found(
        ut.check(table(cloud(1)[:rows]), table(cloud(2)[:rows]), vector="v"), "drift.vector"
    )
    assert told.verdict is ut.Verdict.UNKNOWN
    assert "about 1,700 a side would tell" in told.summary


def test_a_tolerance_that_no_number_of_rows_decides_says_so() -> None:
    """More rows than are compared would be needed: asking for them would be no help."""
    told = found(
        ut.check(BEFORE, table(cloud(2)), vector="v", tolerance={"v": 0.01}), "drift.vector"
    )
    assert told.verdict is ut.Verdict.UNKNOWN
    assert "4,096 rows a side are compared at most, too few for a limit of 1%" in told.summary


def test_one_vector_for_every_row_is_no_other_model() -> None:
    """An encoder that broke is not told as an encoder that was swapped."""
    told = found(
        ut.check(BEFORE, table(np.repeat(cloud(2)[:1], ROWS, 0)), vector="v"), "drift.vector"
    )
    assert told.says == "every row has the same vector now"
    assert not told.causes
    assert not any("compare-encoders" in step for step in told.next)


def test_a_single_unlike_row_is_not_told_as_every_row() -> None:
    """One row is one row."""
    told = found(ut.check(BEFORE, table(-cloud(2)[:1]), vector="v"), "drift.vector")
    assert told.verdict is not ut.Verdict.CHANGED
    assert "every row" not in told.says


def test_a_difference_that_is_not_shown_is_not_spoken_of() -> None:
    """Where neither the size nor the battery tells of anything, no sentence claims a difference."""
    told = found(ut.check(BEFORE, table(cloud(2)), vector="v"), "drift.vector")
    assert told.says == "no difference of the vectors is shown"


def test_the_whole_stands_before_its_parts() -> None:
    """A segment's finding never speaks for the column."""
    far = np.vstack([cloud(2, 240), -cloud(3, 60)])
    draw = np.random.default_rng(0)
    sides = [
        pa.table({"v": fixed(each), "land": draw.choice(["FR", "DE"], ROWS)})
        for each in (cloud(1), far[draw.permutation(ROWS)])
    ]
    report = ut.check(*sides, vector="v", segment="land")
    shown = [f.subject for f in report.findings if f.check == "drift.vector"]
    assert shown[0] == "v"
    assert set(shown[1:]) == {"v [land=FR]", "v [land=DE]"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vector": "w"}, "no column 'w'"),
        ({"vector": "w_*"}, "no column matches 'w_*'"),
        ({"vector": "v", "by": "v"}, "no values to compare within"),
        ({"vector": "v", "by": "w"}, "no column 'w'"),
        ({"vector": "v", "evidence": "mdm"}, "did you mean 'mmd'"),
        ({"vector": "v", "tolerance": {"v": 0.9}}, "below 0.5"),
        ({"text": "v", "encoder": "tfidf"}, "holds no text"),
        ({"image": "v"}, "holds no images"),
        ({"image": "w"}, "no column 'w'"),
        ({"image_encoder": "math:sqrt"}, "there is none; give --image"),
    ],
)
def test_an_option_that_does_not_fit_the_vectors_is_refused(options: Any, words: str) -> None:
    """What was meant is said in the message."""
    with pytest.raises(ut.UndertowError) as refused:
        ut.check(BEFORE, table(cloud(2)), **options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_order_of_the_rows_and_the_door_change_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line, files, tables and shuffled rows give the same findings."""
    far = np.vstack([cloud(2, 240), -cloud(3, 60)])
    names = [f"{n % 7} apples of {n}" for n in range(ROWS)]
    now = pa.table({"v": fixed(far), "t": names, "y": [n[0] for n in names]})
    before = pa.table({"v": fixed(cloud(1)), "t": names, "y": [n[0] for n in names]})
    paths = [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    for rows, path in zip((before, now), paths, strict=True):
        pq.write_table(rows, path)
    main(
        ["check", *paths, "--vector", "v", "--text", "t", "--label", "y", "--quiet", "--json", "-"]
    )
    seen = [json.loads(capsys.readouterr().out)["findings"]]
    shuffled = now.take(np.random.default_rng(0).permutation(ROWS))
    for one, other in ((paths[0], paths[1]), (before, now), (before, shuffled)):
        report = ut.check(one, other, vector="v", text="t", label="y")
        seen.append(json.loads(report.render("json"))["findings"])
    for findings in seen:
        for each in findings:
            each.pop("next")  # it holds the names of the files
    assert all(each == seen[0] for each in seen)


# ---- encoders -----------------------------------------------------------------------------------

TEXTS = pa.table({"text": [f"{'a' * (n % 9 + 1)} {n} text" for n in range(60)]})


def _plain(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(text), text.count("a"), 1.0] for text in texts])


def _raises(texts: Sequence[str]) -> np.ndarray:
    message = "out of memory\nsecond line"
    raise RuntimeError(message)


ENCODERS = {
    "too few": (lambda texts: _plain(texts)[:-1], "it must return one a text"),
    "too many": (lambda texts: np.vstack([_plain(texts)] * 2), "it must return one a text"),
    "random": (
        lambda texts: np.random.default_rng().normal(size=(len(texts), 8)),
        "is not deterministic",
    ),
    "raising": (_raises, "RuntimeError: out of memory"),
    "nan": (lambda texts: _plain(texts) * np.nan, "returned nan"),
    "words": (lambda texts: ["x"] * len(texts), "made of floats"),
    "nothing": (lambda _: None, "made of floats"),
    "flat": (lambda texts: _plain(texts)[:, 0], "of shape"),
    "no numbers": (lambda texts: np.zeros((len(texts), 0)), "vectors of 0 numbers"),
    "ragged": (lambda texts: [[1.0] * (1 + n % 2) for n, _ in enumerate(texts)], "no matrix"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_that_does_not_do_its_work_is_refused_in_one_line(name: str) -> None:
    """Whatever a function returns or raises, it is told as the encoder's."""
    encoder, words = ENCODERS[name]
    with pytest.raises(ut.UndertowError) as refused:
        ut.check(TEXTS, TEXTS, text="text", encoder=encoder)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tfdif", "did you mean 'tfidf'"),
        ("", "there is 'tfidf'"),
        ("math:sqr", "did you mean 'sqrt'"),
        ("no_such_module:x", "cannot import"),
        ("./no/path", "no such file"),
        ("http://127.0.0.1:9/v1", "say which model"),
    ],
)
def test_an_encoder_that_is_none_is_refused(name: str, words: str) -> None:
    """A misspelt name, a module that is not there, an address without a model."""
    with pytest.raises(ut.UndertowError) as refused:
        ut.check(TEXTS, TEXTS, text="text", encoder=name)
    assert words in str(refused.value)


def test_a_reference_made_with_an_encoder_is_no_column_gone_without_it(tmp_path: Path) -> None:
    """The current data never held the vectors: nothing changed, and the report says what to name."""
    kept = tmp_path / "r.profile"
    ut.save(ut.profile(TEXTS, text="text", encoder=_plain), kept)
    report = ut.check(kept, TEXTS, text="text")
    assert report.verdict is not ut.Verdict.CHANGED
    assert any("--encoder" in note for note in report.notes)
    again = ut.check(kept, TEXTS, text="text", encoder=_plain)
    assert any(f.subject == "text~vector" for f in again.findings)
    with pytest.raises(ut.UndertowError, match="encode both sides by one encoder"):
        ut.check(kept, TEXTS, text="text", encoder=lambda texts: _plain(texts)[:, ::-1])


# ---- redaction ----------------------------------------------------------------------------------


def _picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["json", "html", "markdown", "junit"])
def test_a_redacted_report_shows_no_row(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No text, name or picture of a row stands in a redacted report; without it, some do."""
    pictures = {False: [_picture(n) for n in range(ROWS)], True: [_picture(n) for n in range(ROWS)]}
    secrets = [f"customer{n} wrote this" for n in range(ROWS)]
    for name, rows in (("a", cloud(1)), ("b", np.vstack([cloud(2, 240), -cloud(3, 60)]))):
        held = {"v": fixed(rows), "text": secrets, "name": [f"row-name-{n}" for n in range(ROWS)]}
        held["img"] = pa.array(pictures[name == "b"], pa.binary())
        pq.write_table(pa.table(held), tmp_path / f"{name}.parquet")
    command = ["check", *(str(tmp_path / f"{n}.parquet") for n in "ab"), "--quiet", "--redact"]
    columns = ["--vector", "v", "--text", "text", "--id", "name", "--image", "img"]
    assert main([*command, *columns, f"--{form}", "-"]) == 1
    written = capsys.readouterr().out
    assert len(written) > 200
    for secret in ("customer", "row-name-", "data:image/jpeg", "data:image/png", "iVBORw0KG"):
        assert secret not in written
    main([*(each for each in command if each != "--redact"), *columns, "--json", "-"])
    assert "customer" in capsys.readouterr().out
