"""Verify an index: count what is wrong with all it holds, and encode a few texts again to be sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from undertow.core.embeds import (
    Embeds,
    Fingerprint,
    Match,
    compare_spaces,
    fingerprint,
    space_label,
)
from undertow.core.errors import DataError, UndertowError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.index import Lays, Stored
from undertow.core.verdict import Verdict, check_tolerance
from undertow.detect import integrity as told
from undertow.detect import probed
from undertow.options import Progress
from undertow.sides.indexed import Asked, Held, is_named, unusable
from undertow.sides.probed import Probe
from undertow.stats.gone import gone, gone_by
from undertow.stats.stored import facts

DRAWN = 60


def verify(  # noqa: PLR0913 - what a person can say of an index
    stored: Stored,
    encoder: Embeds,
    documents: Mapping[str, str] | None,
    *,
    m: int = DRAWN,
    bridge: Lays | None = None,
    allowed: Sequence[str] = (),
    progress: Progress | None = None,
    seed: int = 0,
    topics: Mapping[str, str | None] | None = None,
    tolerance: float = 0.05,
) -> tuple[list[Finding], list[str]]:
    """Return what is wrong with an index, and what a reader should know; the first finding leads.

    `documents` are the texts that should be in it, by id; None where the index's own texts are all
    there is, and then nothing can be said of documents that are missing. `m` documents are drawn by
    the hash of their id and `seed`, and encoded again; a third as many more are, because their vectors
    are not what their words foretell, and what is wrong is followed up with 40 texts at most.
    `bridge` leads from the encoder's space to that of the index. `allowed` are spaces (fingerprints,
    or names of encoders) that may stand beside another, such as weights of 8 bits: their vectors need
    only be in their place. `topics` gives each document a topic, for those that are missing.
    `tolerance` is the share of wrong vectors that is judged: 60 documents show 5%.

    Raises UsageError for an `m`, `tolerance` or `allowed` that makes no sense.

    >>> from undertow.core.encode import encode
    >>> class Letters:
    ...     name = "letters"
    ...     def __call__(self, texts):
    ...         return [[text.count(each) + 0.1 for each in "aeiou"] for text in texts]
    ...     def identity(self):
    ...         return {"letters": "aeiou"}
    >>> texts = {str(n): "aeiou" * n + "aei" * (n % 7) + "o" for n in range(40)}
    >>> held = Stored.of(list(texts)[:30], encode(Letters(), list(texts.values())[:30]))
    >>> found, notes = verify(held, Letters(), texts)
    >>> print(found[0].says)
    10 of 40 documents (25%) have no vector, ...
    """
    if m < 1:
        raise UsageError(f"m {m}: give the number of documents to encode again, 1 or more")
    check_tolerance("moved_share", tolerance)
    wanted = _texts(documents)
    held = Held(stored, facts(stored.vectors), wanted)
    asked = Asked(encoder, m, seed, tolerance, bridge, tuple(allowed), progress)
    notes: list[str] = []
    if not len(stored):
        if not wanted:
            return [probed.unprobed("the index holds no document", held.rows)], notes
        return list(_census(held, topics)), notes
    found = [*_census(held, topics), *_spaces(held, asked, notes)]
    try:
        found += Probe(held, asked).findings(notes)
    except UndertowError as error:
        found += unusable(held)
        found.append(probed.unprobed(str(error), held.rows))
    if wanted is None:
        notes.append("documents that are missing cannot be told: give the documents to be indexed")
    found.sort(key=lambda each: (-each.verdict.severity, each.effect is not None, each.precedence))
    return found, notes


def _texts(documents: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return the documents by id as text, which is what an index calls them."""
    if documents is None:
        return None
    made = {str(name): text or "" for name, text in documents.items()}
    if len(made) < len(documents):
        twice = len(documents) - len(made)
        raise DataError(f"{twice:,} ids of documents are there twice, as a number and as text")
    return made


def _census(held: Held, topics: Mapping[str, str | None] | None) -> list[Finding]:
    """Return what the ids and texts alone tell: documents without vectors, vectors without any.

    Without a list of documents, those of the index that have no vector are all that can be missing.
    """
    ids, absent = held.stored.ids, held.facts.absent
    if held.wanted is None:
        if not absent.any():
            return []
        wanted = {name: held.text(row) or "" for row, name in enumerate(ids)}
    else:
        wanted = held.wanted
    names = list(wanted)
    full = {name for row, name in enumerate(ids) if not absent[row]}
    # An empty text has no vector, and should have none.
    lost = np.array([name not in full and bool(wanted[name].strip()) for name in names], np.bool_)
    orphans = [name for name in ids if name not in wanted]
    if names and len(orphans) == len(ids) > 0:
        return [told.unjoined(names, ids, held.rows)]
    found = []
    if lost.any():
        if topics is not None:
            among = {str(name): each for name, each in topics.items()}
            lie = gone_by([among.get(name) for name in names], lost)
        else:
            lie = gone(names, list(wanted.values()), lost)
        first = [names[each.example] for each in lie.groups]
        missing = [name for name, each in zip(names, lost.tolist(), strict=True) if each]
        ordered = list(dict.fromkeys([*first, *missing]))
        found.append(told.missing(ordered, wanted, len(names), lie, held.rows))
    if orphans:
        texts = {name: held.text(held.places[name]) for name in orphans[: told.EXAMPLES]}
        found.append(told.orphans(orphans, texts, held.rows))
    return found


def _spaces(held: Held, asked: Asked, notes: list[str]) -> list[Finding]:
    """Return what the index itself says of the spaces of its vectors, beside the encoder's own."""
    counts = {space: count for space, count in held.stored.counts.items() if count}
    known = [space for space in counts if space]
    here = ""
    if any(Fingerprint.parse(space) for space in (*known, *asked.allowed)):
        try:
            here = str(fingerprint(asked.encoder))
        except UndertowError:
            here = ""
    for each in asked.allowed:
        if (
            not any(is_named(space, (each,)) for space in (*known, here, asked.name))
            and "" not in counts
        ):
            labels = [space_label(space) for space in known]
            notes.append(f"allowed {each!r} is no space of this index{did_you_mean(each, labels)}")
    labelled = {space_label(space): count for space, count in counts.items()}
    if len(counts) > 1:
        first = here or known[0]
        others = [space for space in counts if space != first]
        return [told.spaces(labelled, _judged(first, others, asked), None, held.rows)]
    if known and here and asked.bridge is None:
        verdict = _judged(here, known, asked)
        if verdict is not Verdict.STEADY:
            return [told.spaces(labelled, verdict, space_label(here), held.rows)]
    return []


def _judged(here: str, others: Sequence[str], asked: Asked) -> Verdict:
    """Return the worst of what spaces are beside the one that is taken to be right."""
    worst = Verdict.STEADY
    for space in others:
        match = compare_spaces(here, space)
        if match is Match.SAME or is_named(space, asked.allowed) or is_named(here, asked.allowed):
            continue
        verdict = Verdict.CHANGED if match is Match.FOREIGN else Verdict.WATCH
        worst = max(worst, verdict, key=lambda each: each.severity)
    return worst
