"""The glossary in the app: what a title's symbols and abbreviations mean, and the list of all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from itertools import groupby

import streamlit as st

from hvae_core.common.glossary import Term, found, terms

STYLE = """
.words {position: relative; font-size: 0.875rem; line-height: 1.6; color: MUTED}
.words dfn {font-style: normal; font-weight: 600; cursor: help;
    text-decoration: underline dotted; text-underline-offset: 0.2em}
.words dfn > span {display: none; position: absolute; z-index: 100; left: 0; top: 100%;
    max-width: min(100%, 44rem); padding: 0.6rem 0.8rem; border: 1px solid GRID;
    border-radius: 0.25rem; background: PANEL; color: TEXT; font-weight: 400; cursor: auto}
.words dfn:is(:hover, :focus) > span {display: block}
.words dfn:focus {outline-offset: 2px}
"""
"""Of a line of words: an explanation lies below the line, as wide as that, so it is never cut."""


def line(text: str, *more: str) -> str:
    """HTML that spells out the terms of plain text and those named in ``more``; "" if none."""
    named: dict[str, tuple[str, Term]] = {}
    for place in found(text):
        named[place.term.title] = (text[place.start : place.end], place.term)
    for extra in more:
        for place in found(extra):
            named.setdefault(place.term.title, (extra, place.term))
    if not named:
        return ""
    parts = [
        f'<dfn tabindex="0">{escape(written)}<span role="tooltip">{escape(term.says)}</span></dfn>'
        f'<span class="short">: {escape(_of(written, term.short))}</span>'
        for written, term in named.values()
    ]
    return f'<div class="words">{" · ".join(parts)}</div>'


def _of(written: str, short: str) -> str:
    """The words for a number of levels or a layer, as LLR>1, where they say k."""
    number = re.search(r">(\d)", written)
    return short.replace(">k", f">{number[1]}") if number else short


def draw(text: str, more: Iterable[str] = ()) -> None:
    """Spell out what a page's first lines and charts abbreviate."""
    if html := line(text, *more):
        st.html(html)


def all_of_them() -> None:
    """The whole glossary, behind a button of the sidebar."""
    with st.popover("Glossary", icon=":material/menu_book:", width="stretch"):
        for group, members in groupby(terms(), key=lambda term: term.group):
            rows = "".join(
                f"<dt><b>{escape(term.title)}</b></dt><dd>{escape(term.says)}</dd>"
                for term in members
            )
            st.html(f"<h4>{escape(group)}</h4><dl>{rows}</dl>")
