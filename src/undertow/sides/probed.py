"""Encode some texts of an index again, and see what became of their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from undertow.core.embeds import Fingerprint
from undertow.core.encode import Matrix, steadiness
from undertow.core.finding import Finding, percent
from undertow.detect import integrity as counted
from undertow.detect import probed as told
from undertow.sides.indexed import Asked, Held, is_named, unusable
from undertow.stats import probe as probing
from undertow.stats.neighbours import nearest, one_thread, unit
from undertow.stats.probe import Kind, Probed
from undertow.stats.stored import BLANK, FITTED, foretold

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

ODD = 3
"""Documents drawn for one that is looked at because it looks odd."""
ENOUGH = 200
"""Texts from which words foretell anything."""
FOLLOWED = 12
"""Wrong vectors that are followed up: where theirs went, and in which company they are."""
TRIED = 10
GROUPS = 20
"""Groups of copies that are looked at."""
LOOKED = 4_096
"""Vectors with zeros whose places are compared."""
WHOLLY = 0.8
"""Share of those in which a number is 0 that was lost with others."""
COUNTED = {Kind.CUT: "index.dimensions", Kind.COPIED: "index.copies"}
RANKED = 50


@dataclass(eq=False)
class Probe:
    """One probe: which documents are encoded again, and what became of them."""

    held: Held
    asked: Asked
    same: float = probing.SAME
    known: dict[int, Kind] = field(default_factory=dict)
    fresh: dict[int, Matrix] = field(default_factory=dict)
    blank_texts: int = 0

    def findings(self, notes: list[str]) -> list[Finding]:
        """Return what the probe finds; raise an UndertowError where the encoder cannot be used."""
        held, asked = self.held, self.asked
        texts = [held.text(row) for row in range(len(held.stored))]
        there = np.array([bool(each and each.strip()) for each in texts], np.bool_)
        if not there.any():
            why = "the index keeps no texts, and no documents were given"
            return [*unusable(held), told.unprobed(why, held.rows)]
        self._begin([each for each in texts if each], notes)
        width = held.stored.vectors.shape[1]
        made = self._encoded([int(np.flatnonzero(there)[0])])
        if made.shape[1] != width:
            return [counted.dimension(width, made.shape[1], asked.name, held.rows)]
        able = np.flatnonzero(there & held.facts.fine)
        names = [held.stored.ids[row] for row in able.tolist()]
        drawn = able[probing.drawn(names, asked.m, seed=asked.seed)]
        odd = self._odd(able, texts, drawn)
        looked = np.concatenate([drawn, odd])
        found, kinds = self._looked_at(looked)
        split = len(drawn)
        out = [*self._unmade(), *self._cut(), *self._copies(texts)]
        out += [*self._lengths(found, kinds, split), *self._changed_texts()]
        known = {each.check for each in out}
        out += self._told(found, kinds, split, known)
        wrong = sum(each.wrong for each in kinds[:split])
        effect = probing.wrong_share(wrong, split, len(able), tolerance=asked.tolerance)
        evidence = {
            "found_first": round(float((found.nearer[:split] == 0).mean()), 4) if split else None,
            "cosine": [round(float(each), 6) for each in _spread(found.own[:split])],
            "looked_odd": len(odd),
            "encoded_again": len(self.fresh),
        }
        out.append(told.share(effect, wrong, split, held.rows, evidence))
        if not any(each.wrong for each in kinds) and split:
            notes.insert(0, self._good_news(split, len(odd), effect.high))
        return out

    def _good_news(self, drawn: int, odd: int, high: float) -> str:
        count = len(self.held.stored)
        if drawn == count:
            return f"all {count:,} stored vectors were made again: each is that of its text"
        also = f", and {odd:,} more that looked odd" if odd else ""
        return (
            f"{drawn:,} of {count:,} stored vectors were made again{also}: each is that of its text; "
            f"up to {percent(high)} of the others could still be wrong"
        )

    def _begin(self, texts: Sequence[str], notes: list[str]) -> None:
        """Learn how steady the encoder is, on texts from all over the index."""
        some = [texts[row] for row in np.linspace(0, len(texts) - 1, 8).astype(int).tolist()]
        steady = steadiness(self.asked.encoder, some)
        self.same = probing.limit(steady)
        if (note := steady.note(self.asked.name)) is not None:
            notes.append(note)

    def _encoded(self, rows: Sequence[int]) -> Matrix:
        """Return the fresh vectors of rows, in the space of the index, each text encoded once."""
        new = [row for row in rows if row not in self.fresh]
        if new:
            made = self._made([self.held.text(row) or "" for row in new])
            self.fresh.update(zip(new, made, strict=True))
        return np.stack([self.fresh[row] for row in rows])

    def _made(self, texts: Sequence[str]) -> Matrix:
        made = self.asked.encode(texts)
        bridge = self.asked.bridge
        return made if bridge is None else bridge.apply(made)

    def _odd(self, able: Ints, texts: Sequence[str | None], drawn: Ints) -> Ints:
        """Return the rows whose vector is least like what the words of its text foretell."""
        if len(able) < ENOUGH:
            return np.empty(0, np.int64)
        names = [self.held.stored.ids[row] for row in able.tolist()]
        some = able[probing.drawn(names, FITTED)]
        rows = unit(self.held.stored.vectors[some])
        like = foretold([texts[row] for row in some.tolist()], rows)
        order = some[np.argsort(np.where(np.isnan(like), np.inf, like), kind="stable")]
        return order[~np.isin(order, drawn)][: self.asked.m // ODD]

    def _lenient(self, rows: Ints) -> Flags:
        """Return for which rows it is enough to be in their place."""
        asked, stored = self.asked, self.held.stored
        if asked.bridge is not None:
            return np.ones(len(rows), np.bool_)
        if not asked.allowed:
            return np.zeros(len(rows), np.bool_)
        own = is_named(asked.name, asked.allowed)
        for each in asked.allowed:
            parsed = Fingerprint.parse(each)
            own = own or (parsed is not None and parsed.name == asked.name)
        each_space = np.array([own or not s or is_named(s, asked.allowed) for s in stored.spaces])
        return np.asarray(each_space[stored.space[rows]], np.bool_)

    def _probed(self, rows: Ints) -> tuple[Probed, list[Kind]]:
        held = self.held
        made = self._encoded(rows.tolist())
        found = probing.probe(held.stored.vectors, held.facts.length, rows, made)
        kinds = probing.first_look(found, len(held.stored), self.same, lenient=self._lenient(rows))
        # A copy of a text has a vector of its own that is no nearer than that of the text.
        self.known.update(zip(rows.tolist(), kinds, strict=True))
        return found, kinds

    def _looked_at(self, rows: Ints) -> tuple[Probed, list[Kind]]:
        """Return what became of rows, once those are looked at that explain them."""
        found, kinds = self._probed(rows)
        more = probing.needed(found, kinds, FOLLOWED)
        usable = [row for row in more.tolist() if (self.held.text(row) or "").strip()]
        if usable:
            self._probed(np.array(usable, np.int64))
        copied = np.zeros(len(self.held.stored), np.bool_)
        for group in self.held.facts.twins:
            copied[group] = True
        kinds = probing.explained(found, kinds, self.known, copied)
        return found, kinds

    def _unmade(self) -> list[Finding]:
        """Return the vectors that are zeros or no numbers, where the encoder makes something of them."""
        out = []
        for each in unusable(self.held):
            if each.check == "index.empty":
                rows = np.flatnonzero(self.held.facts.empty)
                some = [row for row in rows.tolist() if (self.held.text(row) or "").strip()][:TRIED]
                if some and not self._encoded(some).any():
                    continue  # a text without a known word has no vector in some encoders
            out.append(each)
        return out

    def _cut(self) -> list[Finding]:
        """Return the numbers that are 0 in stored vectors, and filled as encoded."""
        made = np.stack(list(self.fresh.values()))
        made = made[made.any(axis=1)]
        if not len(made):
            return []
        filled = (made != 0).mean(axis=0) > 1 - BLANK
        width, count = made.shape[1], len(self.held.stored)
        lost = self.held.facts.dead[filled[self.held.facts.dead]]
        if len(lost):
            return [counted.dimensions(lost, width, count, self.held.rows)]
        if filled.mean() < 1 - BLANK / 2:  # an encoder of few words leaves numbers at 0 by itself
            return []
        which = np.flatnonzero(self.held.facts.fine & (self.held.facts.blank >= BLANK))
        if not len(which):
            return []
        zeros = (self.held.stored.vectors[which[:LOOKED]] == 0).mean(axis=0) > WHOLLY
        lost = np.flatnonzero(zeros & filled)
        if not len(lost):
            return []
        return [counted.dimensions(lost, width, len(which), self.held.rows)]

    def _lengths(self, found: Probed, kinds: Sequence[Kind], split: int) -> list[Finding]:
        """Return the vectors that are not of the length that the encoder gives."""
        made = np.stack(list(self.fresh.values())).astype(np.float64)
        sizes = np.linalg.norm(made, axis=1)
        sizes = sizes[sizes > 0]
        usable = self.held.facts.length[self.held.facts.fine]
        scaled = bool((np.abs(usable - 1) <= probing.LENGTH).all())
        if self.asked.bridge is not None or not len(sizes) or scaled:
            return []  # an index may well scale all it is given to length 1
        expected = float(np.median(sizes))
        if float(np.ptp(sizes)) > probing.LENGTH * expected:
            return self._scaled(found, kinds, split)
        facts_ = self.held.facts
        # Numbers that were lost have shortened the vector, and are told by themselves.
        usable = facts_.fine & (facts_.blank - np.median(1 - (made != 0).mean(axis=1)) < BLANK)
        off = usable & (np.abs(facts_.length / expected - 1) > probing.LENGTH)
        if not off.any():
            return []
        far = np.where(off, np.abs(np.log(np.where(off, facts_.length, 1.0) / expected)), -1.0)
        rows = np.argsort(-far, kind="stable")[: counted.EXAMPLES].tolist()
        examples = [
            self.held.example(row, f"length {facts_.length[row]:.3g}") for row in rows if off[row]
        ]
        others = _ranked_otherwise(self.held, list(self.fresh.values()))
        return [counted.length(facts_.length, off, expected, others, examples, self.held.rows)]

    def _scaled(self, found: Probed, kinds: Sequence[Kind], split: int) -> list[Finding]:
        """Return the drawn vectors whose length is not that of their text's, for many lengths."""
        off = np.abs(found.scale[:split] - 1) > probing.LENGTH
        off &= np.array([not each.wrong for each in kinds[:split]], np.bool_)
        if not off.any():
            return []
        rows = np.flatnonzero(off)[: counted.EXAMPLES].tolist()
        examples = [
            self.held.example(int(found.rows[row]), f"{found.scale[row]:.3g} times as long")
            for row in rows
        ]
        return [
            told.scaled(int(off.sum()), split, found.scale[:split][off], examples, self.held.rows)
        ]

    def _copies(self, texts: Sequence[str | None]) -> list[Finding]:
        """Return the vectors that stand under many ids, where their texts have vectors of their own."""
        groups = []
        for group in self.held.facts.twins:
            said = {" ".join((texts[row] or "").lower().split()): row for row in group.tolist()}
            said.pop("", None)
            if len(said) > 1:
                groups.append((group, list(said.values())))
        wrong, ids, examples = 0, 0, []
        for group, rows in groups[:GROUPS]:
            some = [rows[0], rows[-1]]
            made = unit(self._encoded(some))
            if float(made[0] @ made[1]) >= self.same:
                continue
            wrong, ids = wrong + 1, ids + len(group)
            other = self.held.stored.ids[some[0]]
            examples.append(self.held.example(some[1], f"the vector of {other!r} too"))
        if not wrong:
            return []
        tried = min(len(groups), GROUPS)
        return [counted.copies(wrong, ids, tried, len(groups), examples, self.held.rows)]

    def _changed_texts(self) -> list[Finding]:
        """Return the documents whose text is not the one that was indexed."""
        held = self.held
        if held.wanted is None or held.stored.texts is None:
            return []
        pairs = [
            (row, " ".join(old.split()), " ".join(held.wanted[name].split()))
            for row, (name, old) in enumerate(zip(held.stored.ids, held.stored.texts, strict=True))
            if old is not None and name in held.wanted
        ]
        rows = [row for row, old, new in pairs if old != new]
        if not rows:
            return []
        every = {new for _, _, new in pairs if new}
        swapped = sum(old in every for _, old, new in pairs if old != new)
        some = [row for row in rows if (held.now(row) or "").strip() and held.facts.fine[row]][
            :TRIED
        ]
        updated = 0
        if some:
            new = unit(self._made([held.now(row) or "" for row in some]))
            if new.shape[1] == held.stored.vectors.shape[1]:
                own = np.einsum("ij,ij->i", new, unit(held.stored.vectors[some]))
                updated = int((own >= self.same).sum())
        made = counted.Texts(
            len(pairs), [held.stored.ids[row] for row in rows], swapped, len(some), updated
        )
        examples = [
            counted.shown(held.stored.ids[row], held.now(row), f"indexed as: {held.text(row)}"[:80])
            for row in rows[: counted.EXAMPLES]
        ]
        return [counted.texts(made, examples, held.rows)]

    def _told(
        self, found: Probed, kinds: Sequence[Kind], split: int, known: AbstractSet[str]
    ) -> list[Finding]:
        """Return a finding a kind of what was probed, but for what was counted over all vectors."""
        out: list[Finding] = []
        tallies = []
        for kind in dict.fromkeys(kinds):
            which = [row for row, each in enumerate(kinds) if each is kind]
            tally = told.Tally(
                kind,
                sum(row < split for row in which),
                split,
                sum(row >= split for row in which),
                len(kinds) - split,
                [self._example(found, row, kind) for row in which[: counted.EXAMPLES]],
            )
            if kind is Kind.MOVED and tally.drawn:
                near = [row for row in which if row < split]
                cosine, overlap = float(found.own[near].mean()), float(found.overlap[near].mean())
                out.append(told.moved(tally, cosine, overlap, self.held.rows))
            elif kind.wrong and COUNTED.get(kind) not in known:
                tallies.append(tally)
        return [*told.wrong(tallies, self.held.rows), *out]

    def _example(self, found: Probed, row: int, kind: Kind) -> dict[str, str]:
        place, own = int(found.rows[row]), f"cosine with its own {found.own[row]:.3f}"
        if kind is Kind.SWAPPED:
            other = self.held.stored.ids[int(found.best[row])]
            own = f"its vector stands under {other!r} ({own})"
        if kind is Kind.CUT:
            own = f"{percent(float(found.blank[row]))} of its numbers are 0"
        return self.held.example(place, own)


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(values, [0, 0.05, 0.5, 1]) if len(values) else np.empty(0)


@one_thread
def _ranked_otherwise(held: Held, fresh: Sequence[Matrix]) -> float:
    """Return the share of the first 10 by plain products that are not among the first by cosine."""
    some = unit(np.stack(fresh[:RANKED]))
    rows = np.flatnonzero(held.facts.fine)
    plain = held.stored.vectors[rows]
    k = min(probing.NEAR, len(rows))
    ours, theirs = nearest(some, unit(plain), k).which, nearest(some, plain, k).which
    return float(1 - (ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean())
