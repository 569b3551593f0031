"""The command line as a process: pipes that close, full disks, Ctrl-C, locales, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = """
import sys, types
fake = types.ModuleType("undertow.verbs.check")
def check(reference, current=None, **_):
    {body}
fake.check = check
sys.modules["undertow.verbs.check"] = fake
from undertow.surfaces.cli import main
sys.exit(main())
"""
ANSWER = """
    from undertow.core.report import Report, Source
    from undertow.core.finding import Finding
    from undertow.core.verdict import Verdict
    found = [Finding("c", f"größe{i}", "weg", verdict=Verdict.CHANGED) for i in range(5000)]
    return Report.of(Source("a", 1), Source("b", 1), found)
"""


def command(body, *words):
    """Return the command line that runs the program with a loop of this body."""
    program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    ").strip())
    return [sys.executable, "-c", program, "check", "a", "b", *words]


def test_a_reader_that_leaves_is_no_error():
    """With `| head -1` the exit code is still the verdict's, and nothing is on standard error."""
    for words in (["--all"], ["--json", "-", "--quiet"]):
        with subprocess.Popen(
            command(ANSWER, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as running:
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait(60) == 1


def test_a_full_standard_output_is_one_line():
    """Where standard output is a full disk the run is exit 2 and says so once."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command(ANSWER), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr == b"undertow: cannot write to standard output: no space left on device\n"


def test_ctrl_c_is_exit_130_at_once(tmp_path):
    """A SIGINT in the middle of work ends it within seconds, in one line, and leaves nothing."""
    body = "print('ready', flush=True)\nimport time\ntime.sleep(60)"
    with subprocess.Popen(
        command(body, "--json", "r.json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130
        assert running.stderr.read().decode() == "undertow: stopped\n"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_not_lost_where_python_drops_it():
    """A SIGINT that lands in a callback, or that a library drops, still stops the run."""
    body = """
        import signal, time
        class Callback:
            def __del__(self): signal.raise_signal(signal.SIGINT)
        Callback()
        try: time.sleep(20)
        except BaseException: pass
        time.sleep(20)
    """
    done = subprocess.run(command(body), capture_output=True, check=False, timeout=15)
    assert (done.returncode, done.stderr) == (130, b"undertow: stopped\n")


def test_json_is_utf8_and_text_fits_in_any_locale():
    """In an ASCII locale JSON is still UTF-8, and the terminal report still prints."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(command(ANSWER, "--json", "-"), capture_output=True, env=env, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout.decode("utf-8"))["findings"][0]["subject"].startswith("größe")
    assert b"! changed  gr\\xf6\\xdfe" in done.stderr


def test_help_imports_nothing_slow():
    """`undertow --help` loads neither numpy nor rich nor any other library but click."""
    program = (
        "import sys; from undertow.surfaces.cli import main; main(['--help'])\n"
        "slow = {'numpy', 'pyarrow', 'rich', 'scipy', 'sklearn', 'duckdb', 'jinja2', 'json'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
