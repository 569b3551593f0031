"""The two stories: what was planted is found, and it is the first thing said."""

from __future__ import annotations

import json

import pytest

import undertow as ut
from undertow.surfaces.cli import main
from undertow.surfaces.demo_digits import digits
from undertow.surfaces.demo_feedback import LAUNCHED, feedback


def test_the_new_scanner_is_found():
    """Accuracy falls, a class swells, and the corner with the smudge is named."""
    story = digits()
    report = ut.check(story.reference, story.production, **story.options)
    changed = {each.subject for each in report.having(ut.Verdict.CHANGED)}
    assert {"scan:contrast", "scan~vector", "lower_left_corner", "prediction"} <= changed
    first = report.findings[0]
    assert first.check == "performance.accuracy"
    assert first.effect.low > 0.2


def test_the_product_launch_is_found():
    """Neutral swells, the new words and the new line are named, and sizes are the planted ones."""
    story = feedback(2000)
    report = ut.check(story.reference, story.production, **story.options)
    assert report.findings[0].subject == "prediction=neutral"
    line = report["product_line=SmartSync"]
    assert line.evidence["share"]["current"] == pytest.approx(LAUNCHED, abs=0.03)
    words = next(each for each in report if each.check == "drift.new_words")
    assert words.verdict is ut.Verdict.CHANGED
    assert "smartsync" in words.says


def test_before_the_launch_there_is_nothing_to_find():
    """Two halves of the same months of feedback say nothing that is not so."""
    rows = feedback(3000).reference
    report = ut.check(rows.slice(0, 1500), rows.slice(1500), prediction="prediction")
    assert not report.having(ut.Verdict.CHANGED)
    assert not report.having(ut.Verdict.WATCH)


@pytest.mark.parametrize("story", ["digits", "feedback"])
def test_the_command_tells_the_story_and_leaves_its_files(story, tmp_path, capsys):
    """`undertow demo` ends with exit code 0, the truth, and where the report lies."""
    assert main(["demo", "--story", story, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "What was planted:" in out
    assert str(tmp_path / "report.html") in out
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["verdict"] == "changed"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_pillow_the_numbers_alone_tell_of_the_scanner(monkeypatch):
    """The demo needs no extra: what a team logs of an image is enough to find it."""
    monkeypatch.setattr("undertow.surfaces.demo_digits.find_spec", lambda _: None)
    story = digits()
    assert "scan" not in story.reference.column_names
    report = ut.check(story.reference, story.production, **story.options)
    changed = {each.subject for each in report.having(ut.Verdict.CHANGED)}
    assert {"contrast", "lower_left_corner", "prediction"} <= changed
