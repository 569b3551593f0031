"""The page: its size, its policy, its order, and that no value can act on who reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import samples

from undertow.core.finding import Acceptance, Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces import evidence, html, story

PLAIN = Source("a.csv", 1000), Source("b.csv", 1000)


class Reader(HTMLParser):
    """Collects elements, attributes and text as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def script_of(page: str, kind: str) -> str:
    """Return what stands in a script element."""
    found = re.search(rf"<script{kind}>(.*?)</script>", page, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def page() -> str:
    """Render the report once."""
    return html.render(samples.report())


def test_small(page: str) -> None:
    """Fifty columns fit in 400 KB, even where everything has changed."""
    assert len(page.encode()) <= 400_000
    assert len(html.render(samples.loud()).encode()) <= 400_000


def test_same_bytes(page: str) -> None:
    """The same report gives the same bytes; no clock is read."""
    assert html.render(samples.report()) == page


def test_policy_allows_only_what_is_inside(page: str) -> None:
    """The policy names the hashes of the one style and the one script, and nothing else."""
    policy = (
        next(a["content"] for t, a in Reader(page).tags if t == "meta" and "http-equiv" in a) or ""
    )
    assert policy.startswith("default-src 'none'")
    for inside in (script_of(page, ""), re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]):
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_nothing_from_outside(page: str) -> None:
    """No element points outside the page, and none carries a style or a handler."""
    for _, attributes in Reader(page).tags:
        for name, value in attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            if name in {"src", "href"}:
                assert (value or "").startswith(("#", "data:"))


def test_links_have_targets_and_ids_are_unique(page: str) -> None:
    """Each link inside the page leads somewhere, and no id is used twice."""
    tags = Reader(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {(a["href"] or "")[1:] for t, a in tags if t == "a"}
    assert links <= set(ids)


def test_order(page: str) -> None:
    """The sentence comes first, then the answers, the table, each finding, and what is folded."""
    marks = [
        "<h1",
        'class="answers"',
        'class="legend"',
        'id="what"',
        "One by one",
        'id="steady"',
        "How each column was read",
        "Notes on this run",
        "How a verdict is made",
    ]
    places = [page.index(mark) for mark in marks]
    assert places == sorted(places)


def test_parts_of_a_finding(page: str) -> None:
    """A finding shows its chart, size, tolerance, rows, evidence, examples and what to do next."""
    section = page[page.index(">half were under 40, now under 52</bdi>") :]
    section = section[: section.index("</section>")]
    for part in (
        "<svg",
        "31% of rows moved",
        "27% to 35%, tolerance 10%",
        "48,210 reference",
        "PSI",
        "Standard",
        "Affected rows",
        "undertow check train.parquet",
        "less than 1 in 10,000",
    ):
        assert part in section


def test_accepted_are_listed_apart(page: str) -> None:
    """A finding that a team knows of stands with its date and reason, not among the others."""
    assert "2026-12-31: price rise agreed with finance" in page
    assert page.count(">basket_value<") == 2  # there, and among the columns


def test_redacted_shows_no_rows() -> None:
    """A redacted report holds no example, and says so."""
    page = html.render(samples.report().redact())
    assert "drops the hub" not in page
    assert "Redacted" in page
    assert "holds 5 example rows" in html.render(samples.report())


def test_hostile_values_are_text() -> None:
    """Every attack ends as text: no element, attribute or script comes of it."""
    page = html.render(samples.hostile())
    page.encode("utf-8")
    reader = Reader(page)
    tags = {tag for tag, _ in reader.tags}
    assert not {"img", "iframe", "object", "embed"} & tags
    assert sum(tag == "script" for tag, _ in reader.tags) == 2
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    assert len(page) < 400_000
    assert "<script>alert(1)</script>" in "".join(reader.text)
    assert "{{ 7 * 7 }}" in "".join(reader.text)


def test_json_inside_is_json() -> None:
    """The data for copying is JSON whatever it holds, and cannot end its element."""
    data = script_of(html.render(samples.hostile()), ' type="application/json" id="findings"')
    assert "<" not in data
    rows = json.loads(data)
    assert {row["verdict"] for row in rows.values()} == {"changed"}
    nan = Finding(
        "a", "b", "c", samples.effect("cdf_gap", 0.4, 0.1, 0.1), evidence={"x": float("nan")}
    )
    page = html.render(Report.of(*PLAIN, [nan]))
    assert json.loads(script_of(page, ' type="application/json" id="findings"'))[nan.key][
        "evidence"
    ] == {"x": None}


def test_the_same_finding_twice() -> None:
    """A report that holds one finding twice has no id twice."""
    finding = Finding("a", "b", "c", samples.effect("cdf_gap", 0.4, 0.1, 0.1))
    page = html.render(Report.of(*PLAIN, [finding, finding]))
    assert page.count("<section") == 1


def finding(verdict: Verdict, says: str = "moved a lot") -> Finding:
    """Return a finding with no effect and this verdict."""
    return Finding("x", "age", says, rows=Rows(9, 9), verdict=verdict, column="age")


@pytest.mark.parametrize(
    ("found", "start"),
    [
        ([], "Nothing was compared"),
        ([finding(Verdict.CHANGED)], "age changed: moved a lot"),
        ([finding(Verdict.CHANGED, "column 'age' is gone")], "Column 'age' is gone"),
        ([finding(Verdict.WATCH)], "Nothing changed for certain, but watch age"),
        ([finding(Verdict.UNKNOWN)], "No change found, but age could not be told"),
        ([finding(Verdict.STEADY)], "Nothing was measured"),
    ],
)
def test_headline(found: list[Finding], start: str) -> None:
    """Every verdict has its sentence, and its page."""
    report = Report.of(*PLAIN, found)
    assert story.headline(report).startswith(start)
    assert start.replace("'", "&#39;") in html.render(report)


def test_everything_accepted() -> None:
    """A report whose findings are all known says that there is nothing new."""
    report = Report.of(*PLAIN, [finding(Verdict.CHANGED)])
    report = report.accepting([Acceptance(report.findings[0].key, "2027-01-01", "known")])
    assert story.headline(report).startswith("Nothing new")
    assert "2027-01-01: known" in html.render(report)


def test_many_columns_are_counted_not_listed() -> None:
    """Of thousands of findings the worst are listed and the rest are counted."""
    effect = Effect("cdf_gap", 0.3, 0.2, 0.4, 0.1, 0.0)
    many = [Finding("d", f"c{i}", "moved", effect, Rows(9, 9), column=f"c{i}") for i in range(3000)]
    page = html.render(Report.of(*PLAIN, many))
    assert "2,800 more findings not listed here" in page
    quiet = [replace(each, effect=replace(effect, value=0.01, low=0.0, high=0.02)) for each in many]
    page = html.render(Report.of(*PLAIN, quiet))
    assert "2,800 more steady findings" in page


def test_evidence_tables() -> None:
    """Pairs stand apart from single numbers; lists, flags and nested groups are readable."""
    found = evidence.tables(
        {
            "p90": {"reference": 10_250.4, "current": None},
            "same": True,
            "many": list(range(20)),
            "group": {"inner": {"js": 0.25}},
            "ks_p": 0.0,
            "big": 10**400,
            "huge": 1e300,
            "deep": {"a": {"b": {"c": {"d": 1}}}},
        }
    )
    assert found.pairs == [("90th percentile", "10,250", "-")]
    assert dict(found.singles) == {
        "Same": "yes",
        "Many": "0, 1, 2, 3, 4, 5, 6, 7 and 12 more",
        "Group · Inner · Jensen-Shannon": "0.25",
        "Kolmogorov-Smirnov p": "under 1e-300",
        "Big": "about 1e400",
        "Huge": "1e+300",
    }


def test_slow_libraries_wait() -> None:
    """Importing the page does not import jinja2: a run that writes no page does not pay for it."""
    script = "import sys, undertow.surfaces.html; print('jinja2' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
