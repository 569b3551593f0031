"""The Markdown report: read by a person in a pull request, and never a way into the page."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from undertow.core.finding import Acceptance, Finding, Rows
from undertow.core.report import Report, Source
from undertow.core.verdict import Effect, Verdict
from undertow.surfaces.markdown import render

EFFECT = Effect("cdf_gap", 0.31, 0.27, 0.35, tolerance=0.1, p_no_change=1e-40)
MARKS = "|`*_[]()<>#!~\\&;@:/.-+=\n$ "
WILD = st.text(st.one_of(st.sampled_from(MARKS), st.characters(), st.sampled_from("ab1")))
PIECES = ["<img src=x>", "[a](http://b)", "![a](b)", "`", "``", "|", "<!--", "http://b.c", "@ana"]
PIECES += ["www.b.c", "&lt;", "\\", "**a**", "1. a", "- a", "# a", "_b_", "<http://b>", "\n\n"]
PARTS = st.lists(st.sampled_from([*PIECES, "</sub>", "~~a~~", "```", "$a$"])).map("".join)


def report(*findings, **more):
    """Return a report of these findings."""
    return Report(Source("a.csv", 5), Source("b.csv", 5), findings, **more)


def changed(subject="age", says="moved", **more):
    """Return a changed finding."""
    return Finding(
        "c", subject, says, EFFECT, Rows(5, 5), verdict=Verdict.CHANGED, column=subject, **more
    )


def test_it_says_the_same_in_the_same_order():
    """Verdict, sentence, sides, a table, accepted, next steps and notes follow one another."""
    known = changed("zip")
    found = report(
        changed(next=("Look.",), examples=({"age": "61"},)), known, notes=("3 rows lost",)
    ).accepting([Acceptance(known.key, "2026-12-31", "launch")])
    text = render(found)
    parts = [
        "### ▲ undertow: changed",
        "**age changed: moved**",
        "`b.csv` (5 rows) against `a.csv` (5 rows): 1 changed, 1 accepted.",
        "| ▲ changed | `age` | 31% (27% to 35%) | 10% | moved <sub>",
        "- `zip` until 2026-12-31: launch",
        "- Look.",
        "- 3 rows lost",
        "<details><summary>1 example row of the data</summary>",
        "- `age`: `age`: `61`",
        "undertow accept KEY",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "61" not in render(found.redact())
    assert "Example rows were left out" in render(found.redact())


def test_steady_findings_only_with_all():
    """Steady findings are counted in the sentence, and listed where all is asked for."""
    steady = Finding("c", "tenure", "x", EFFECT, verdict=Verdict.STEADY)
    assert "tenure" not in render(report(changed(), steady))
    assert "| ● steady | `tenure` |" in render(report(changed(), steady), all=True)


def test_a_long_table_is_cut_and_counted():
    """Beyond fifty findings the rest are counted, so that a comment is never too large."""
    text = render(report(*(changed(f"c{i}") for i in range(60))))
    assert text.count("▲ changed |") == 50
    assert "10 more are not listed here." in text


def test_nobody_is_mentioned_and_nothing_is_linked():
    """Names after an @ and addresses do not reach GitHub as mentions and links."""
    text = render(report(changed(says="ask @ana at www.evil.example or https://evil.example")))
    assert "@ana" not in text
    assert "www.evil" not in text
    assert "https://" not in text


@settings(max_examples=200, deadline=None)
@given(st.one_of(WILD, PARTS), st.one_of(WILD, PARTS))
def test_any_text_stays_text(subject, says):
    """No text of the data becomes a link, a picture, HTML, code or another cell of the table."""
    found = report(
        changed(subject, says, next=(says,), examples=({subject: says},)), notes=(says,)
    ).accepting(())
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(render(found))
    kinds = [token.type for token in tokens]
    inline = [each for token in tokens for each in token.children or ()]
    assert kinds.count("td_open") == 5
    assert kinds.count("heading_open") == 1
    assert not {"fence", "code_block", "blockquote_open", "ordered_list_open", "hr"} & set(kinds)
    assert not {"link_open", "image", "em_open", "s_open"} & {each.type for each in inline}
    html = {token.content.strip() for token in (*tokens, *inline) if token.type.startswith("html_")}
    details = "<details><summary>1 example row of the data</summary>"
    assert html == {"<sub>", "</sub>", details, "</details>"}
