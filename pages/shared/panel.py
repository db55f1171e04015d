"""The panels of the present view: what each offers as data and code, and all of them for a report.

Whoever draws a panel says so here. Streamlit runs a page's parts in the order of its calls, and a
fragment alone when one of its controls is turned: what it drew before is then replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import streamlit as st

from hvae_core.common.spreadsheet import csv_bytes
from hvae_core.common.words import capital
from hvae_core.figures.data import figure_table
from pages.shared.program import Code

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL.Image import Image

    Content: TypeAlias = "go.Figure | Image | pd.DataFrame | str"
    Later: TypeAlias = Callable[[], Content | None]

Program: TypeAlias = Code | Callable[[], Code | None]
"""The code of a panel, or what says it when it is asked for; a moving one's changes meanwhile."""

_KEY = "panels"
NOTE = "The camera at the top right of the chart saves the figure as SVG."


@dataclass(frozen=True, eq=False)
class Panel:
    """A chart, a picture, a table or a finding of the page, in words, with the code that makes it.

    What is drawn in the browser alone, or moves there, is made when it is asked for; there may be
    nothing yet.
    """

    name: str
    alt: str
    content: Content | Later
    code: Program | None = None
    letter: str = ""
    """Of the model that the panel is about, where several are compared and it is about one."""
    follows: bool = False
    """Whether it shows what the finding above says, whose heading is that of both."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """How the page writes the numbers of a table's columns, as "%.1f %%"."""

    def made(self) -> Content | None:
        """The chart, picture, table or text."""
        return self.content() if callable(self.content) else self.content

    def written(self) -> Code | None:
        """The code."""
        return self.code() if callable(self.code) else self.code


@dataclass(eq=False)
class View:
    """What stands on the page now: its title, claims and panels, in the order of the calls."""

    title: str = ""
    texts: tuple[str, ...] = ()
    panels: list[tuple[tuple[str, ...], Panel]] = field(default_factory=list)
    """Each with the parts of the page in which it stands, the outermost first."""
    parts: tuple[str, ...] = ()
    place: int | None = None
    url: str = ""
    letter: str = ""
    """Of the model whose panels are being drawn."""
    query: list[tuple[str, str]] = field(default_factory=list)
    """What stands in the address of the page, as it is drawn."""

    def locate(self) -> None:
        """Take note of the address, which the page's controls may have changed."""
        params = st.query_params
        self.url = st.context.url or ""
        self.query = [(key, value) for key in params for value in params.get_all(key)]

    def add(self, panel: Panel) -> None:
        """Take note of a panel, where the part that draws it has its place."""
        entry = (self.parts, replace(panel, letter=self.letter))
        if self.place is None:
            self.panels.append(entry)
        else:
            self.panels.insert(self.place, entry)
            self.place += 1

    @contextmanager
    def under(self, letter: str) -> Iterator[None]:
        """Within, panels are about the model of this letter; a report says so before each."""
        before, self.letter = self.letter, letter
        try:
            yield
        finally:
            self.letter = before

    @contextmanager
    def redrawn(self, part: str) -> Iterator[None]:
        """Within, a part of the page is drawn anew, in the place of what it was before."""
        before = self.parts, self.place
        rows = [i for i, (parts, _) in enumerate(self.panels) if part in parts]
        if rows:
            parts = self.panels[rows[0]][0]
            self.parts = parts[: parts.index(part) + 1]
            self.place = rows[0]
            self.panels = [entry for i, entry in enumerate(self.panels) if i not in set(rows)]
        else:
            self.parts = (*self.parts, part)
        try:
            yield
        finally:
            if rows:
                self.parts, self.place = before
            else:
                self.parts = before[0]


def rem_of_numbers(columns: int) -> int:
    """Least width, in rem, of a chart with so many columns of numbers, so that none touch."""
    return 10 + 3 * columns


def view() -> View:
    """The view of this session."""
    found: View = st.session_state.setdefault(_KEY, View())
    return found


def begin() -> None:
    """Forget the page before: the whole app is drawn."""
    now = view()
    now.title, now.texts, now.panels = "", (), []
    now.parts, now.place, now.letter = (), None, ""


def claimed(title: str, *texts: str) -> None:
    """Take note of the page's title and of the texts that stand with it."""
    now = view()
    now.title, now.texts = title, texts


def shown(
    name: str,
    alt: str,
    content: Content | Later,
    code: Program | None = None,
    *,
    follows: bool = False,
    columns: Mapping[str, Any] | None = None,
) -> None:
    """Take note of a panel, drawn under a name and told in words.

    One that ``follows`` shows what the finding above it says. ``columns`` is the configuration with
    which Streamlit draws a table: numbers stand in a report as on the page.
    """
    view().add(Panel(name, alt, content, code, follows=follows, formats=_formats(columns or {})))


def _formats(columns: Mapping[str, Any]) -> dict[str, str]:
    """The formats of the columns that have one."""
    found = {name: (one.get("type_config") or {}).get("format") for name, one in columns.items()}
    return {name: text for name, text in found.items() if text and "%" in text}


def said(text: str, heading: str = "", *, note: bool = False, code: Program | None = None) -> None:
    """Write a finding in Markdown, or a note on the panel above it, and keep it for a report.

    There it stands under the heading, with the code; without one below what stands before.
    """
    text = capital(text)
    (st.caption if note else st.markdown)(text)
    shown("", heading, text, code)


@st.fragment
def offer(
    name: str,
    code: Program | None = None,
    figure: go.Figure | Callable[[], go.Figure] | None = None,
) -> None:
    """A panel's code, behind a word; of a chart its data too. Filled only when it is opened."""
    label = "Code" if figure is None else "Data and code"
    if code is None and figure is None:
        return
    box = st.popover(
        label if code is not None else "Data", key=f"code-{name}", icon=":material/code:",
        type="tertiary", on_change="rerun",
    )  # fmt: skip
    if not box.open:
        return
    with box:
        if figure is not None:
            st.download_button(
                "Data (CSV)", data=partial(_csv, figure), file_name=f"{name}.csv", mime="text/csv",
                key=f"data-{name}", on_click="ignore", icon=":material/download:", type="tertiary",
            )  # fmt: skip
            st.caption(NOTE)
        written = code() if callable(code) else code
        if written is not None:
            st.code(written.python, language="python")
            if written.command:
                st.caption("The same numbers on the command line:")
                st.code(written.command, language="sh", wrap_lines=True)
        elif figure is None:
            st.caption("There is no code for this yet.")


def _csv(figure: go.Figure | Callable[[], go.Figure]) -> bytes:
    return csv_bytes(figure_table(figure() if callable(figure) else figure))
