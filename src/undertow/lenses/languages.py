"""Which script a text is in, and for Latin letters which language its commonest words speak for.

A vote of stop words, not a model: it tells ten European languages apart in texts of five words or
more, and says "latin, other" where no vote is clear.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from undertow.core import hashing
from undertow.summaries import letters
from undertow.summaries.letters import HAN, KANA, SCRIPTS
from undertow.summaries.tokens import Ints, Texts, Tokens, per_row

ENOUGH = 5
"""Words a text needs for a vote."""
DOMINANT = 0.8
"""Share of the letters that one script must hold."""

STOP_WORDS: dict[str, str] = {
    "en": "the and is it to of that this was for you with not are but have they my on be at as "
    "he we so if your can will just had were would been their from an what there when all "
    "i it's don't i'm me very has or by how do does please where",
    "de": "der die das und ist nicht ich sie es ein eine einen mit auf für den dem zu im von "
    "sich auch wie war aber habe haben sind wir er noch nur bei nach wenn kann mir mich "
    "wird oder sehr",
    "fr": "le la les et est une des je il elle nous vous pas que qui dans pour sur ce cette "
    "avec mais au aux du ne se sont être très plus mon c'est j'ai d'un d'une n'est qu'il "
    "sa son",
    "es": "el la los las y es una que no en un por con para se lo del pero muy más mi yo como "
    "está son su me al ha fue este esta le hay sin también cuando todo",
    "it": "il lo la gli è un una che non di per con sono ma mi ho della del più questo questa "
    "nel anche come molto si da ha al le i e l'ho alla dei",
    "pt": "o a os as é um uma que não de em por com para se do da no na mas muito mais meu "
    "minha eu foi são como está ao dos das também já",
    "nl": "de het een en is niet ik je dat van op met voor zijn maar ze er aan dit ook als heb "
    "heeft wat bij naar was door nog wel geen mijn ben worden",
    "sv": "och att det är som en på för jag inte av med den till har ett han men om var de så "
    "kan från vi mycket när mig också eller bara",
    "pl": "i w na nie się że jest to z do jak ale po co za tak od już tylko ma czy być bardzo "
    "są przez dla może mnie ten",
    "tr": "bir ve bu da de için çok ne ama gibi daha var mi değil ben o ile kadar sonra olan "
    "olarak en ki her şey",
}
LANGUAGES = tuple(STOP_WORDS)


@cache
def _ballot() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of all stop words, ascending, and for which languages each votes."""
    votes: dict[str, int] = {}
    for place, words in enumerate(STOP_WORDS.values()):
        for word in words.split():
            votes[word] = votes.get(word, 0) | 1 << place
    hashes = hashing.hash_strings(pa.array(list(votes), pa.large_string()))
    order = np.argsort(hashes)
    return hashes[order], np.array(list(votes.values()), np.int64)[order]


def language(some: Texts, letters_of: Ints) -> pa.Array:
    """Return the language or script of each text; `letters_of` counts its letters.

    >>> from undertow.core.schema import Column, Kind
    >>> from undertow.core.values import Values
    >>> from undertow.summaries.tokens import texts
    >>> cells = ["das ist nicht gut für mich", "where is my parcel please", "ok", "привет", "42"]
    >>> (some,) = texts(Values(Column("text", Kind.TEXT), pa.array(cells)))
    >>> language(some, np.array([21, 21, 2, 6, 0])).to_pylist()
    ['de', 'en', 'latin, short', 'cyrillic', 'none']
    """
    names = (*SCRIPTS, "mixed", "japanese", "latin, short", "latin, other", *LANGUAGES)
    code = np.where(letters_of > 0, names.index("latin"), 0)
    if len(some.wide):
        code[some.wide] = _script(some)
    latin = code == names.index("latin")
    spoken, clear = _vote(some.tokens)
    long = some.tokens.counts >= ENOUGH
    code[latin & ~long] = names.index("latin, short")
    code[latin & long] = names.index("latin, other")
    voted = latin & long & clear
    code[voted] = names.index(LANGUAGES[0]) + spoken[voted]
    indices = pa.array(code.astype(np.int32), mask=some.missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _script(some: Texts) -> Ints:
    """Return the script of each row that is not ASCII."""
    points, rows = some.points, len(some.wide)
    script = letters.scripts()[points.points].astype(np.int64)
    held = script > 0
    wide = len(SCRIPTS)
    counts = np.bincount(points.rows[held] * wide + script[held], minlength=rows * wide)
    counts = counts.reshape(rows, wide)
    kana = counts[:, KANA] > 0
    japanese = wide + 1
    counts[kana, KANA] += counts[kana, HAN]
    counts[kana, HAN] = 0
    total, best = counts.sum(axis=1), counts.argmax(axis=1)
    most = counts[np.arange(rows), best]
    best = np.where(kana & (best == KANA), japanese, best)
    best = np.where(most < DOMINANT * total, wide, best)
    return np.where(total > 0, best, 0)


def _vote(tokens: Tokens) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the language most stop words of each row speak for, and whether that is clear."""
    hashes, votes = _ballot()
    spots = np.minimum(np.searchsorted(hashes, tokens.hashes), len(hashes) - 1)
    ballots = np.where(hashes[spots] == tokens.hashes, votes[spots], 0)[tokens.codes]
    bits = ((ballots >> place & 1) > 0 for place in range(len(LANGUAGES)))
    counts = np.stack([per_row(bit, tokens.starts) for bit in bits])
    best = counts.argmax(axis=0)
    top = counts.max(axis=0)
    second = np.partition(counts, -2, axis=0)[-2] if len(tokens.counts) else top
    return best, (top > second) & (top * 12 >= tokens.counts)
