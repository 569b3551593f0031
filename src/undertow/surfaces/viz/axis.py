"""Numbers and dates as an axis shows them: round ticks, short words, no more digits than tell."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

MINUS = "\u2212"


def number(value: object) -> float | None:
    """Return a finite number, or None for anything else.

    >>> number(3), number("3"), number(float("nan")), number(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) and abs(as_float) < 1e300 else None


def short(value: float) -> str:
    """Return a number in at most about six characters.

    >>> [short(x).replace(MINUS, '-') for x in (1234.5, 0.04213, 12_345_678, -3.0, 2.5e-9)]
    ['1,234', '0.0421', '12.3M', '-3', '2.5e-09']
    """
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        text = f"{value:.3g}"
    elif size >= 1e4:
        power = min(int(math.log10(size) // 3), 4)
        text = f"{value / 1000**power:.3g}{' kMBT'[power]}"
        if "e" in text:  # 999,999 rounds to 1e+03k
            text = f"{value / 1000**power:.0f}{' kMBT'[power]}"
    elif size >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", MINUS)


def ticks(low: float, high: float, about: int = 5) -> tuple[list[float], list[str]]:
    """Return round positions between two numbers, and how each is written.

    >>> ticks(0, 0.43, 3)
    ([0.0, 0.2, 0.4], ['0', '0.2', '0.4'])
    """
    span = high - low
    if not math.isfinite(span) or span <= max(1e-12 * max(abs(low), abs(high)), 1e-280):
        return [low], [short(low)]
    rough = span / max(about, 1)
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * each for each in (1, 2, 2.5, 5, 10) if base * each >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = [0.0 if each == 0 else each * step for each in range(first, last + 1)]
    if max(abs(low), abs(high)) < 1e4 and step >= 1e-4:
        digits = max(0, math.ceil(-math.log10(step) - 1e-9))
        digits += not math.isclose(round(step, digits), step)
        words = [f"{place:,.{digits}f}".replace("-", MINUS) for place in places]
    else:
        words = [short(place) for place in places]
    return places, [
        f"{place:g}" if place == 0 else word for place, word in zip(places, words, strict=True)
    ]


_STEPS = [60.0 * each for each in (1, 5, 15, 30, 60, 180, 360, 720)] + [
    86_400.0 * each for each in (1, 2, 7, 14)
]
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000)


def date_ticks(low: float, high: float, about: int = 4) -> tuple[list[float], list[str]]:
    """Return round moments (UTC) between two epoch seconds, and how each is written.

    >>> date_ticks(1.688e9, 1.724e9)[1]
    ['2023-07', '2024-01', '2024-07']
    """
    span = high - low
    try:
        start = datetime.fromtimestamp(low, UTC)
        datetime.fromtimestamp(high, UTC)
    except (OverflowError, ValueError, OSError):
        return ticks(low, high, about)
    for step in _STEPS:
        if span / step <= about:
            first = math.ceil(low / step)
            places = [each * step for each in range(first, math.floor(high / step) + 1)]
            pattern = "%m-%d" if step >= 86_400 else "%H:%M" if span < 86_400 else "%m-%d %H:%M"
            break
    else:
        month = 30.44 * 86_400
        months = next((each for each in _MONTHS if span / (each * month) <= about), _MONTHS[-1])
        places = [each for each in _every(start, months, high) if low <= each <= high]
        pattern = "%Y" if months >= 12 else "%Y-%m"
    return places, [f"{datetime.fromtimestamp(each, UTC):{pattern}}" for each in places]


def _every(start: datetime, months: int, until: float) -> Iterator[float]:
    """Yield the first of every `months`-th month from before a moment, as epoch seconds."""
    index = (start.year * 12 + start.month - 1) // months * months
    while 12 <= index < 9999 * 12:
        moment = datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp()
        if moment > until:
            return
        yield moment
        index += months


def moment(seconds: float) -> str:
    """Return epoch seconds as a date.

    >>> moment(1.7e9)
    '2023-11-14'
    """
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d}"
    except OverflowError:
        return short(seconds)


def extent(text: str, size: float = 12) -> float:
    """Return about how many pixels a text takes in a sans-serif font, rather more than fewer.

    >>> extent("abc") < extent("\u6771\u4eac\u90fd")
    True
    """
    return sum(_width(each) for each in text) * size


def _width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56


def fit(text: str, pixels: float, size: float = 12) -> str:
    """Return text cut with an ellipsis to about so many pixels of a sans-serif font.

    >>> fit("a very long name of a category", 100)
    'a very long n…'
    """
    used = 0.0
    for place, letter in enumerate(text):
        used += _width(letter) * size
        if used > pixels:
            return text[: max(place - 1, 1)].rstrip() + "…"
    return text
