"""Every error undertow raises on purpose, and the words it uses: what, with which value, what next.

    UndertowError(ValueError)
      * UsageError      a flag, an option or a name is wrong: the call has to change
        + MissingExtra  an optional library is not installed: the line says which extra brings it
      * DataError       the data cannot be read or compared: the data has to change
      * ProfileError    a profile file is damaged, of another version or of another plan

The command line turns each of them into one line and exit code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UndertowError(ValueError):
    """Something undertow refuses; the message is one line that says what to do next."""


class UsageError(UndertowError):
    """A flag, an option or a name is wrong."""


class MissingExtra(UsageError):
    """An optional library is not installed.

    >>> print(MissingExtra("text", "sentence-transformers", "encoder 'minilm'"))
    encoder 'minilm' needs sentence-transformers: pip install "undertow[text]"
    """

    def __init__(self, extra: str, library: str, who: str) -> None:
        super().__init__(f'{who} needs {library}: pip install "undertow[{extra}]"')


class DataError(UndertowError):
    """The data cannot be read or compared."""


class ProfileError(UndertowError):
    """A profile file is damaged, of another version, or of another plan."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known name, or the names there are.

    >>> did_you_mean("txt", ["text", "age"])
    "; did you mean 'text'?"
    >>> did_you_mean("zzz", ["text", "age"])
    "; there is 'text', 'age'"
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(repr(each) for each in names[:8])
    return f"; there is {shown}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")
