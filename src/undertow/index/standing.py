"""How queries of one space stand to an index of another: answered, bridged or refused, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from undertow.core.embeds import Match, compare_spaces, space_label
from undertow.core.index import Lays

_ORDER = (Match.FOREIGN, Match.UNKNOWN, Match.MOVED, Match.SAME)


@dataclass(frozen=True)
class Standing:
    """What becomes of queries: `says` is why, empty where there is nothing to say.

    `bridge` lays them into the space of the index; `refused` where nothing does.
    """

    match: Match
    says: str = ""
    bridge: Lays | None = None
    refused: bool = False


def standing(
    space: str, spaces: Sequence[str], bridge: Lays | None, kept: Callable[[], Sequence[Lays]]
) -> Standing:
    """Return how queries of `space` stand to an index of `spaces`.

    A `bridge` that is given is used where the spaces are not the same; among the `kept` ones, the first
    that leads from the one to the other.

    >>> found = standing("new", ["old"], None, list)
    >>> found.refused, found.says[:42]
    (True, 'the queries are of new and the index of ol')
    """
    found = [compare_spaces(space, own) for own in spaces]
    match = min(found, key=_ORDER.index, default=Match.SAME)
    ours = " and ".join(space_label(own) or "an unnamed space" for own in spaces)
    theirs = space_label(space) or "a space that was not named"
    if match is Match.SAME:
        return Standing(match)
    if bridge is not None and match is not Match.MOVED:
        if not _leads(bridge, space, spaces):
            return Standing(
                match,
                f"the bridge leads from {space_label(bridge.source)} to "
                f"{space_label(bridge.target)}; the queries are of {theirs} and the index of {ours}",
                refused=True,
            )
        return Standing(match, f"queries of {theirs} go over a bridge to {ours}", bridge)
    if match is Match.MOVED:
        return Standing(
            match,
            f"the queries are of {theirs}, the same space as {ours}, moved a little: "
            "neighbours may change places",
        )
    if match is Match.UNKNOWN:
        return Standing(match, f"the queries are of {theirs} and the index of {ours}: not compared")
    for each in kept():
        if _leads(each, space, spaces):
            return Standing(match, f"queries of {theirs} go over a bridge to {ours}", each)
    return Standing(
        match,
        f"the queries are of {theirs} and the index of {ours}: no cosine between them means "
        "anything; use the index's encoder, build a version of the new one, or keep a bridge "
        "(undertow compare-encoders --bridge, undertow index bridge)",
        refused=True,
    )


def _leads(bridge: Lays, space: str, spaces: Sequence[str]) -> bool:
    """Tell whether a bridge takes these queries and returns vectors of this index."""
    away = (Match.FOREIGN,) if not space else (Match.FOREIGN, Match.UNKNOWN)
    if compare_spaces(space, bridge.source) in away:
        return False
    return all(compare_spaces(bridge.target, own) is not Match.FOREIGN for own in spaces)
