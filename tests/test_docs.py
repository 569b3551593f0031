"""What the README shows runs, and what it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import undertow as ut

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """Every Python block of the README, in order, on small frames of the names it uses."""
    monkeypatch.chdir(tmp_path)
    Path("training").mkdir()
    table = pa.table({"p": ["yes", "no"] * 300, "age": list(range(600))})
    pq.write_table(table, "training/one.parquet")
    paged = []
    names = {
        "reference_df": table.to_pandas(),
        "current_df": pd.DataFrame({"p": ["yes"] * 600, "age": list(range(600))}),
        "todays_rows": table,
        "page_somebody": paged.append,
    }
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, names)  # our own README
    assert len(paged) == 1
    assert '"changed"' in paged[0]
    assert names["report"].verdict is ut.Verdict.STEADY
    assert "changed" in capsys.readouterr().out


def test_every_link_leads_somewhere():
    """Links between our own pages point at files that are there."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_no_page_names_a_path_of_somebodys_machine():
    """Documentation speaks of the project alone."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(home|root|work|tmp|Users)/", text), page.name
