"""Text that strangers chose, as it can be shown anywhere: printable, on one line, not too long."""

from __future__ import annotations

import re

_LONG_WORD = re.compile(r"\S{121,}")


def printable(text: object, most: int = 500) -> str:
    """A text on one line: blanks for what breaks lines, � for what cannot be printed.

    Of a text longer than ``most`` the middle is left out.
    """
    line = str(text)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " if c.isspace() else "�" for c in line)
    return _without_middle(line, most)


def plain(text: object, most: int = 120) -> str:
    """A text as a sentence can hold it: ``printable``, and not too long.

    Of a text longer than ``most``, or a word longer than 120 characters, the middle is left out.
    """
    line = printable(text, 10 * most).strip()
    line = _LONG_WORD.sub(lambda word: _without_middle(word[0], 120), line)
    return _without_middle(line, most)


def _without_middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[: most // 2 - 2]}...{text[len(text) - most // 2 + 1 :]}"
