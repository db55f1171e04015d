"""The glossary: what every word, symbol and abbreviation of app and documents means.

``glossary.toml`` has them. The app opens a term where it stands, ``docs/glossary.md`` lists all::

    python -m hvae_core.common.glossary > docs/glossary.md
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

HEAD = """# Glossary

Words, symbols and abbreviations of the app, of the command line and of these pages. In the app a
word with a dotted line opens its explanation when the mouse rests on it, or on a tap. Made by
`python -m hvae_core.common.glossary`; the words are in `hvae_core/common/glossary.toml`.
"""


@dataclass(frozen=True)
class Term:
    """One entry: ``short`` spells it out within a line, ``says`` explains it."""

    title: str
    group: str
    forms: tuple[str, ...]
    """Regular expressions of how texts write it; none for words that are too common."""
    short: str
    says: str


@dataclass(frozen=True)
class Found:
    """A term where a text first writes it, and how."""

    term: Term
    start: int
    end: int


@cache
def terms() -> tuple[Term, ...]:
    """Every entry, in the order of the file."""
    table = tomllib.loads(Path(__file__).with_name("glossary.toml").read_text("utf-8"))
    return tuple(Term(**row | {"forms": tuple(row["forms"])}) for row in table["term"])


def found(text: str) -> list[Found]:
    """The first place of each term in plain text, from left to right; the longest form wins."""
    places: list[Found] = []
    known: set[str] = set()
    for match in _pattern().finditer(text):
        term = terms()[int(str(match.lastgroup)[1:])]
        if term.title not in known:
            known.add(term.title)
            places.append(Found(term, match.start(), match.end()))
    return places


@cache
def _pattern() -> re.Pattern[str]:
    """One group a form, long forms first; a form stands free of other letters and digits."""
    forms = [(form, i) for i, term in enumerate(terms()) for form in term.forms]
    forms.sort(key=lambda pair: -len(pair[0]))
    groups: dict[int, list[str]] = {}
    for form, i in forms:
        groups.setdefault(i, []).append(form)
    either = "|".join(f"(?P<t{i}>{'|'.join(own)})" for i, own in groups.items())
    return re.compile(rf"(?<![\w-])(?:{either})(?![\w>]|-\w)")


def document(entries: Sequence[Term] | None = None) -> str:
    """The glossary as a page in Markdown."""
    parts = [HEAD]
    for group, members in groupby(entries or terms(), key=lambda term: term.group):
        rows = [f"| **{_cell(term.title)}** | {_cell(term.says)} |" for term in members]
        parts.append("\n".join([f"\n## {group}\n", "| word | meaning |", "| --- | --- |", *rows]))
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("L>k", "L<sub>&gt;k</sub>").replace(
        "LLR>k", "LLR<sub>&gt;k</sub>"
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(document())
