"""A report on a terminal: a sentence to repeat, what is not steady, what to do next, the exit code.

A state is always a glyph, a word and a place, never colour alone. Text out of the data is made safe
and is never read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undertow.core.finding import Finding, size
from undertow.core.report import Report
from undertow.core.verdict import Verdict
from undertow.surfaces.headline import counts, headline
from undertow.surfaces.safe import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    Verdict.CHANGED: "bold #ee6a3c",
    Verdict.WATCH: "#d9b83f",
    Verdict.UNKNOWN: "bold",
    Verdict.STEADY: "#8b929e",
}
MOST = 25
"""Findings of one verdict listed without --all; the rest are counted."""
WIDE = 104
"""From this many columns on, a line also carries the interval."""
MEANING = {1: "exit 1: this run fails", 3: "exit 3: nothing could be told"}
_ASCII = str.maketrans(
    {
        "▲": "!",
        "◆": "*",
        "●": ".",
        "█": "#",
        "…": "...",
        "→": "->",
        "·": "|",
        "\u00d7": "x",
        "±": "+-",
    }
    | {"≤": "<=", "≥": ">=", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
_FOLDERS = re.compile(r"[^\s=,]*/(?=[^/\s])")
_EIGHTHS = " ▏▎▍▌▋▊▉"


def render(report: Report, *, width: int = 100, all: bool = False) -> str:  # noqa: A002
    """Return the report as plain text, as the terminal shows it without colour."""
    page = _Page(report, width=width, full=all)
    return "\n".join(line.plain.rstrip() for line in page.lines()) + "\n"


def show(
    report: Report,
    console: Console,
    *,
    all: bool = False,  # noqa: A002
    written: Sequence[str] = (),
    exit_code: int | None = None,
) -> None:
    """Print the report to a rich console, in ASCII where the console is not UTF-8."""
    encoding = console.encoding
    plain = "utf" not in encoding.lower()
    page = _Page(
        report,
        width=console.width,
        full=all,
        written=written,
        exit_code=exit_code,
        encoding=encoding if plain else None,
    )
    for line in page.lines():
        line.rstrip()
        console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def defused(line: str) -> str:
    """Return a line that the runner behind a CI's log takes for no command to itself.

    >>> defused("  ::stop-commands::x"), defused("a ##[add-mask]b")
    ('  : :stop-commands::x', 'a ## [add-mask]b')
    """
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line.replace("##[", "## [")


@dataclass(frozen=True)
class _Page:
    """The lines of one report at one width."""

    report: Report
    width: int
    full: bool = False
    written: Sequence[str] = ()
    exit_code: int | None = None
    encoding: str | None = None

    def lines(self) -> Iterator[Text]:
        """Yield every line of the page, none wider than the page."""
        report = self.report
        yield from self._headline()
        yield from self._table()
        steady = report.having(Verdict.STEADY)
        if steady and not self.full:
            if not self._shown()[0]:
                yield self._text(("", ""))
            yield self._text((f"{'':11}{len(steady):,} steady (show with --all)", "dim"))
        yield from self._accepted()
        if self.full:
            yield from self._columns()
        yield from self._block("Note", [safe(note, 300) for note in report.notes])
        yield from self._block("Do next", self._next(), style="")
        yield from self._keys()
        yield from self._ending()

    def _headline(self) -> Iterator[Text]:
        report = self.report
        mark, style = report.verdict.mark, STYLES[report.verdict]
        for number, line in enumerate(self._fold(headline(report), self.width - 2, 4)):
            yield self._text((f"{mark} " if number == 0 else "  ", style), (line, "bold"))
        sides = [
            f"{self._source(safe(side.source, 400))} ({side.rows:,} rows)"
            for side in (report.current, report.reference)
        ]
        about = f"{sides[0]} against {sides[1]}: {counts(report)}"
        for line in self._fold(about, self.width - 2, 3):
            yield self._text((f"  {line}", "dim"))

    def _source(self, source: str) -> str:
        """Return where rows came from, short of its folders where it is long."""
        room = max(24, self.width // 2)
        if self._len(source) <= room:
            return source
        path, where, condition = source.partition(" where ")
        return self._cut(_FOLDERS.sub("", path) + where + condition, room)

    def _shown(self) -> tuple[list[Finding], dict[Verdict, int]]:
        """Return the findings to list, and how many of each verdict were left out."""
        shown: list[Finding] = []
        left: dict[Verdict, int] = {}
        for verdict in Verdict:
            if verdict is Verdict.STEADY and not self.full:
                continue
            groups = self.report.leads(verdict)
            if self.full:
                shown += [each for group in groups for each in group]
                continue
            shown += [group[0] for group in groups[:MOST]]
            if len(groups) > MOST:
                left[verdict] = len(groups) - MOST
        return shown, left

    def _also(self, finding: Finding) -> str:
        """Return what else was found on the same column with the same verdict, in a word each."""
        if self.full:
            return ""
        group = next((g for g in self.report.leads(finding.verdict) if g[0] is finding), (finding,))
        words = dict.fromkeys(each.check.rpartition(".")[2].replace("_", " ") for each in group[1:])
        return f" (also: {', '.join(words)})" if words else ""

    def _table(self) -> Iterator[Text]:
        shown, left = self._shown()
        if not shown:
            return
        cells = [self._cells(finding) for finding in shown]
        widths = [max(self._len(row[i]) for row in cells) for i in range(3)]
        wide = self.width >= WIDE
        widths[0] = min(max(widths[0], 4), self.width // 4 if wide else min(18, self.width // 4))
        gap = "  " if wide else " "
        yield self._text(("", ""))
        if widths[1]:  # facts alone have no size
            widths[1:] = max(widths[1], 5), max(widths[2], 5)
            head = f"{'what':{widths[0]}}{gap}{'moved':>{widths[1]}}{gap}{'limit':>{widths[2]}}"
            yield self._text((f"{'':11}{head}", "dim"))
        longest = self._scale(shown)
        for number, (finding, row) in enumerate(zip(shown, cells, strict=True)):
            yield from self._row(finding, row, widths, gap, longest)
            last = number + 1 == len(shown) or shown[number + 1].verdict is not finding.verdict
            if last and finding.verdict in left:
                more = f"{left[finding.verdict]:,} more {finding.verdict.value} (show with --all)"
                yield self._text((f"{'':11}{more}", "dim"))

    def _row(
        self,
        finding: Finding,
        cells: tuple[str, str, str],
        widths: Sequence[int],
        gap: str,
        longest: float,
    ) -> Iterator[Text]:
        """Yield the lines of one finding; a fact's sentence takes the room of the sizes."""
        name, moved, limit = cells
        style = STYLES[finding.verdict]
        parts = [(f"{finding.verdict.mark} {finding.verdict.value:8} ", style)]
        parts.append((self._pad(self._cut(name, widths[0]), widths[0]) + gap, "bold"))
        if moved:
            cells_ = 2 * len(gap) + 3
            bar = self._pad(self._bar(finding, longest, cells_), cells_)
            parts.append((f"{moved:>{widths[1]}}{gap}", ""))
            parts.append((f"{limit:>{widths[2]}}{gap}", "dim"))
            parts.append((bar + gap, style.removeprefix("bold ")))
        taken = sum(self._len(text) for text, _ in parts)
        told = safe(finding.summary, 600) + self._also(finding)
        says = self._fold(told, self.width - taken, 3)
        yield self._text(*parts, (says[0], ""))
        yield from (self._text((" " * taken + line, "")) for line in says[1:])
        if self.full:
            yield from self._examples(finding)

    def _cells(self, finding: Finding) -> tuple[str, str, str]:
        name, effect = self._ascii(safe(finding.subject, 120)), finding.effect
        if effect is None:
            return name, "", ""
        limit = size(effect.name, effect.tolerance)
        if not effect.defined or finding.verdict is Verdict.UNKNOWN:
            return name, "?", limit
        moved = size(effect.name, effect.value)
        if self.width >= WIDE:
            low, high = (size(effect.name, x).removeprefix("h ") for x in (effect.low, effect.high))
            moved += f" ({low.removesuffix('%') if high.endswith('%') else low}-{high})"
        return name, moved, limit

    def _scale(self, shown: Sequence[Finding]) -> float:
        """Return how many tolerances the longest bar stands for."""
        return min(max([2.0, *(_ratio(finding) for finding in shown)]), 8.0)

    def _bar(self, finding: Finding, longest: float, cells: int) -> str:
        if finding.verdict is Verdict.UNKNOWN:
            return ""
        eighths = round(min(_ratio(finding) / longest, 1.0) * cells * 8)
        if self.encoding is not None:
            return "#" * ((eighths + 4) // 8)
        return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()

    def _examples(self, finding: Finding) -> Iterator[Text]:
        for example in finding.examples[:3]:
            row = ", ".join(f"{safe(k, 40)}: {safe(v, 80)}" for k, v in example.items())
            for line in self._fold(f"for example {row}", self.width - 11, 2):
                yield self._text((f"{'':11}{line}", "dim"))

    def _accepted(self) -> Iterator[Text]:
        for finding in self.report.findings:
            known = finding.accepted
            if known is None:
                continue
            why = f"until {safe(known.until, 10)}: {safe(known.reason, 200)}"
            line = f"{finding.verdict.mark} accepted {safe(finding.subject, 60)}, {why}"
            yield self._text((self._cut(self._ascii(line), self.width), "dim"))

    def _columns(self) -> Iterator[Text]:
        rows = [c for c in self.report.columns if not c.origin]
        told = [f"{safe(c.name, 60)}: {c.kind.value}, {c.role.value} ({safe(c.why)})" for c in rows]
        yield from self._block("Read as", told)

    def _next(self) -> list[str]:
        shown = self.report.having(Verdict.CHANGED) + self.report.having(Verdict.WATCH)
        steps = list(dict.fromkeys(safe(step, 900) for finding in shown for step in finding.next))
        if self.full or len(steps) <= 4:
            return steps
        first = self._different()
        return [*first, f"{len(steps) - len(first)} more (show with --all)"]

    def _different(self) -> list[str]:
        """Return three steps that differ in more than the column they name, worst first."""
        leads = self.report.leads(Verdict.CHANGED) + self.report.leads(Verdict.WATCH)
        steps = [safe(step, 900) for group in leads for step in group[0].next]
        steps += [safe(step, 900) for group in leads for each in group[1:] for step in each.next]
        kinds: dict[str, str] = {}
        for step in steps:
            kinds.setdefault(step.partition(": undertow ")[0], step)
        return list(dict.fromkeys([*kinds.values(), *steps]))[:3]

    def _keys(self) -> Iterator[Text]:
        found = self.report.having(Verdict.CHANGED) or self.report.having(Verdict.WATCH)
        if not found:
            return
        take = found if self.full else found[:3]
        steps = [f"undertow accept {found[0].key} --until DATE --reason TEXT"]
        if len(found) > 1:
            keys = ", ".join(f"{each.key} for {safe(each.subject, 40)}" for each in take)
            rest = "; the other keys with --all" if len(found) > len(take) else ""
            steps = ["undertow accept KEY --until DATE --reason TEXT", f"KEY is {keys}{rest}"]
        yield from self._block("Accept", steps)

    def _ending(self) -> Iterator[Text]:
        told = [f"wrote {', '.join(safe(path, None) for path in self.written)}"]
        told = told if self.written else []
        if self.exit_code is not None:
            told.append(MEANING.get(self.exit_code, f"exit {self.exit_code}"))
        if told:
            yield self._text(("", ""))
            for line in self._fold("; ".join(told), self.width, 20):
                yield self._text((line, "dim"))

    def _block(self, title: str, entries: Sequence[str], style: str = "dim") -> Iterator[Text]:
        if not entries:
            return
        yield self._text(("", ""))
        for number, entry in enumerate(entries):
            for index, line in enumerate(self._fold(entry, self.width - 11, 6)):
                label = title if number == 0 and index == 0 else ""
                indent = "  " if index else ""
                yield self._text((f"{label:9}", style or "bold"), (indent + line, style))

    def _text(self, *parts: tuple[str, str]) -> Text:
        from rich.text import Text

        spans = [(defused(self._ascii(text)), style) for text, style in parts]
        return Text.assemble(*spans, no_wrap=True)

    def _ascii(self, text: str) -> str:
        if self.encoding is None:
            return text
        plain = text.translate(_ASCII)
        return plain.encode(self.encoding, "backslashreplace").decode(self.encoding)

    @staticmethod
    def _len(text: str) -> int:
        from rich.cells import cell_len

        return cell_len(text)

    def _pad(self, text: str, width: int) -> str:
        return text + " " * (width - self._len(text))

    def _cut(self, text: str, width: int) -> str:
        """Return the text in that many cells, its middle left out where it is longer."""
        if self._len(text) <= width:
            return text
        dots = "…" if self.encoding is None else "..."
        room = width - len(dots)
        tail = room // 3
        head = self._take(text, room - tail)
        return head + dots + self._take(text[::-1], tail)[::-1]

    def _take(self, text: str, width: int) -> str:
        while self._len(text) > width:
            text = text[:width] if len(text) > width else text[:-1]
        return text

    def _fold(self, text: str, width: int, most: int) -> list[str]:
        """Return the text in lines of at most that many cells; what does not fit is cut."""
        width = max(width, 12)
        lines, line = [], ""
        for word in self._ascii(text).split(" "):
            joined = f"{line} {word}" if line else word
            if self._len(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            line = word
            while self._len(line) > width:
                head = self._take(line, width)
                lines.append(head)
                line = line[len(head) :]
        lines.append(line)
        if len(lines) <= most:
            return lines
        dots = "…" if self.encoding is None else "..."
        return [*lines[: most - 1], self._take(lines[most - 1], width - len(dots)) + dots]


def _ratio(finding: Finding) -> float:
    effect = finding.effect
    return effect.value / effect.tolerance if effect is not None and effect.defined else 0.0
