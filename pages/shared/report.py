"""A report of the present view: one HTML file with its title, panels, code, settings and link.

It is made when it is asked for, of what the page drew last, in the colours in which the reader sees
the page. It opens offline and loads nothing.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

import hvae_core
from hvae_core.common.words import LETTERS, capital, unbroken
from hvae_core.config.describe import card_rows
from hvae_core.figures import Palette, fmt, png_bytes, symbol_text
from hvae_core.figures.document import chart_of, data_url, document
from pages.shared import links, panel, store
from pages.shared.panel import Panel, View
from pages.shared.state import Context, colors

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MOST_ROWS = 200
"""Rows of a table in a report."""
_CARD = ("Data", "Objective", "Network", "Parameters", "SHA-256")
_OF_THIS_MACHINE = ("m_folder", "m_reference", "lab_run")
"""Controls that hold a path of the reader's machine: they stand in no report."""
_PATH = re.compile(r"(file:/*)?(~|[A-Za-z]:|)[/\\].*[/\\][^/\\]+")
_LONGEST = 200
_TOLD = ("world", "seed", "present")
HELP = (
    "One HTML file of about 5 MB, which opens without a network: title, settings, link, every "
    "chart, picture and table of this view, and the code of each."
)


@dataclass(frozen=True)
class Facts:
    """What stands at the head of a report: the choices of the sidebar, and the reader's colours."""

    choices: tuple[tuple[str, str], ...]
    own_keys: tuple[str, ...]
    """Controls of the sidebar, which ``choices`` say in words."""
    palette: Palette


def button(ctx: Context, address: str) -> None:
    """Offer the report of the page that is being drawn, packed only when asked for."""
    now = panel.view()
    name = f"strata-{address or 'start'}"
    st.download_button(
        "Report", data=partial(made, now, facts(ctx)), file_name=f"{name}.html", mime="text/html",
        key="toolbar_report", on_click="ignore", type="tertiary", help=HELP,
    )  # fmt: skip


def facts(ctx: Context) -> Facts:
    """The choices of the sidebar in words."""
    own = [f"out_{ctx.world.key}"]
    own += [links.model_key(letter.lower(), ctx.choices or ctx.world) for letter in LETTERS]
    rows = [("World", ctx.world.title), ("In-distribution set", ctx.title(ctx.in_name))]
    if ctx.out_names:
        rows.append(("Held against it", ", ".join(map(ctx.title, ctx.out_names))))
    for letter, handle in ctx.lettered:
        known = dict(card_rows(store.info(handle)))
        said = "; ".join(f"{name}: {known[name]}" for name in _CARD if name in known)
        rows.append((f"Model {letter}", f"{handle.title}. {said}"))
    rows.append(("Seed", str(ctx.seed)))
    return Facts(tuple(rows), (*own, *_TOLD), colors())


def made(view: View, known: Facts) -> bytes:
    """The report of a view as the bytes of an HTML file."""
    panels = [one for _, one in list(view.panels)]
    charts: dict[str, object] = {}
    sections = []
    for number, one in enumerate(panels, start=1):
        content = one.made()
        if content is None:
            continue
        section: dict[str, Any] = dict.fromkeys(("chart", "picture", "table", "lines"), "")
        section |= {"alt": heading(one), "follows": one.follows, "python": "", "command": ""}
        section |= _content(one, content, f"chart-{number}", charts=charts)
        if code := one.written():
            section |= {"python": code.python, "command": code.command}
        sections.append(section)
    controls = [(key, value) for key, value in view.query if key not in _OF_THIS_MACHINE]
    told = [
        (_words(key), value)
        for key, value in controls
        if key not in known.own_keys
        and not key.endswith("pixels")  # a digest is no word, nor is a picture written whole
        and len(value) <= _LONGEST
    ]
    look = known.palette
    page = document(
        Path(__file__).with_name("report.html"),
        charts,
        {"light": look, "dark": look},
        scheme=look.theme,
        panel=look.panel,
        title=plain(view.title) or "Strata",
        texts=[line["text"] for text in view.texts for line in lines(text)],
        settings=[(name, unbroken(value)) for name, value in (*known.choices, *told)],
        link=f"{view.url}?{urlencode(controls)}" if view.url and controls else view.url,
        sections=sections,
        made=_versions(),
    )
    return page.encode()


def heading(one: Panel) -> str:
    """What stands above a panel, with the letter of the model that the panel is about."""
    words = plain(one.alt)
    return f"{one.letter}: {words}" if one.letter and words else words


def _content(
    one: Panel, content: Any, chart: str, *, charts: dict[str, object]
) -> Mapping[str, Any]:
    """What a panel shows, as the template takes it; a chart goes into ``charts``."""
    if isinstance(content, str):
        return {"lines": lines(content)}
    if hasattr(content, "to_plotly_json"):
        charts[chart] = chart_of(one.name, only=content)
        return {"chart": chart, "rem": _rem(content)}
    if hasattr(content, "columns"):
        return {"table": table(content, one.formats)}
    return {"picture": data_url(png_bytes(content), "image/png")}


def _rem(figure: go.Figure) -> int:
    """The least width of a chart in rem: that of its columns of numbers, or 0 without any."""
    written = (trace for trace in figure.data if trace.type == "heatmap" and trace.texttemplate)
    columns = max((len(trace.z[0]) for trace in written), default=0)
    return panel.rem_of_numbers(columns) if columns else 0


def lines(markdown: str) -> list[dict[str, Any]]:
    """A text's lines without their marks, and whether each is an item of a list."""
    return [
        {"text": plain(line.removeprefix("- ")), "item": line.startswith("- ")}
        for line in map(str.strip, markdown.splitlines())
        if line
    ]


def table(frame: pd.DataFrame, formats: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Heads and cells of a table; numbers as the page writes them, or as people read them."""
    shown = frame.head(MOST_ROWS)
    heads = [str(head) for head in frame.columns]
    ways = [formats.get(head, "") for head in heads]
    rows: list[list[dict[str, Any]]] = [
        [_cell(value, way) for value, way in zip(row, ways, strict=True)]
        for row in shown.itertuples(index=False, name=None)
    ]
    if frame.index.dtype == object:  # words before each row
        heads = ["", *heads]
        rows = [[_cell(name), *row] for name, row in zip(shown.index, rows, strict=True)]
    return {"heads": heads, "rows": rows, "more": max(0, len(frame) - MOST_ROWS)}


def _cell(value: Any, way: str = "") -> dict[str, Any]:
    if isinstance(value, bool) or value is None:
        return {"text": {True: "yes", False: "no", None: ""}[value], "number": False}
    if isinstance(value, float):
        written = way % value if way else fmt(value)
        return {"text": "" if value != value else unbroken(written), "number": True}
    return {"text": unbroken(nameless(str(value))), "number": isinstance(value, int)}


def nameless(text: str) -> str:
    """A path of this machine as the name of its file alone; any other text as it is."""
    if not _PATH.fullmatch(text.strip()):
        return text
    return PureWindowsPath(PurePosixPath(text.strip()).name).name


def plain(markdown: str) -> str:
    """What the app writes as Markdown, without its marks."""
    text = re.sub(r"\$([^$]+)\$", lambda match: symbol_text(match[1]), markdown)
    text = re.sub(r":\w+\[([^\]]*)\]", r"\1", text)
    text = re.sub(r"(?<!\\)(\*\*|\*|`)", "", text)
    return unbroken(re.sub(r"\\([^\w\s])", r"\1", text).replace("\N{WORD JOINER}", ""))


def _words(key: str) -> str:
    """The key of a control in links, for people: "r_skipped" is "Skipped"."""
    words = re.sub(r"^[a-z]_", "", key).replace("_", " ")
    return capital(words)


def _versions() -> str:
    found = ", ".join(f"{name} {version(name)}" for name in ("torch", "streamlit", "plotly"))
    return (
        f"Made by Strata {hvae_core.__version__} with Python {platform.python_version()}, {found}."
    )
