"""The progress bar: only on a terminal, only when work is slow, and gone afterwards."""

from __future__ import annotations

import io

import pytest

from undertow.surfaces.progress import PATIENCE, Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


def work(stream, seconds, **more):
    """Report three steps of work that took that long."""
    clock = Clock()
    with Progress(stream, clock=clock, **more) as progress:
        progress("reading", 10, 100)
        clock.now = seconds
        progress("reading \x1b[2J[bold]", 50, 100)
        progress("reading \x1b[2J[bold]", 100, None)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """Take away what the terminal of whoever runs the tests says."""
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def test_slow_work_on_a_terminal_shows_a_bar():
    """After two seconds the stage and the rows are shown, and the stage's text does not act."""
    shown = work(Terminal(), PATIENCE + 0.1)
    assert "reading" in shown
    assert "100 rows" in shown
    assert "[bold]" in shown
    assert "\x1b[2J" not in shown


def test_quick_work_shows_nothing():
    """Work under two seconds leaves the terminal as it was."""
    assert work(Terminal(), PATIENCE - 0.1) == ""


def test_no_bar_where_nobody_looks(monkeypatch):
    """A log, a quiet run and a dumb terminal stay empty, however slow the work is."""
    assert work(io.StringIO(), 60) == ""
    assert work(Terminal(), 60, quiet=True) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert work(Terminal(), 60) == ""


def test_the_bar_goes_when_work_fails():
    """An error and Ctrl-C pass through, and a later call draws nothing."""
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock=clock)

    def fail():
        with progress:
            clock.now = 5
            progress("reading", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    after = stream.getvalue()
    progress("reading", 2, 2)
    assert stream.getvalue() == after
