"""What every page offers at its top: its parts, the link and a report of this view, to present it.

A view that is presented has larger type, no sidebar, and arrow keys that turn the steps of the tour
or the pages. ``?present=1`` opens it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.components.v2 import component

from hvae_core.common.words import listed
from hvae_core.data.worlds import OWN
from pages.shared import links, report, selection, shown, ui, uploads
from pages.shared.anew import anew
from pages.shared.state import Context, colors

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.navigation.page import Page

_HERE = Path(__file__).parent
_mount = component(
    "strata_toolbar",
    html='<button type="button" class="parts" aria-expanded="false" hidden>Parts</button>'
    '<nav class="box" aria-label="Parts of this page" hidden></nav>'
    '<button type="button" class="share">Share</button><div class="box link" hidden>'
    '<input readonly aria-label="The link of this view"><p role="status"></p></div>'
    '<div class="box made" role="status" hidden></div>',
    css=(_HERE / "toolbar.css").read_text("utf-8"),
    js=anew((_HERE / "toolbar.js").read_text("utf-8")),
)
PLACE = "toolbar"
_STYLE = """<style>
    .st-key-toolbar {position: fixed; top: .6rem; right: 4.5rem; width: auto; z-index: 999992;
        flex-wrap: nowrap; gap: 1rem; padding: 0 .5rem; border-radius: .25rem;
        background: GROUND}
    .st-key-toolbar > div {width: auto; flex: 0 0 auto}
    [data-testid="stHeader"] {background: GROUND; height: 3rem; min-height: 3rem}
    @media (max-width: 640px) {.st-key-present_begin {display: none}}
    </style>"""
_PRESENTED = """<style>
    html {font-size: 20px !important}
    [data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], .st-key-links_close,
    [data-testid="stHeaderActionElements"] {display: none !important}
    .stMainBlockContainer {max-width: none; padding-top: 3.5rem}
    </style>"""
_KEYS = {
    "ArrowRight": [".st-key-tour_next a", ".st-key-present_next a"],
    "ArrowLeft": [".st-key-tour_back a", ".st-key-present_back a"],
    "Escape": [".st-key-present_leave button"],
}


def begin() -> None:
    """Heed a link that presents, and dress the page for it."""
    if asked := links.arrived(ui.PRESENT):
        st.session_state[ui.PRESENT] = asked == "1"
    links.say(ui.PRESENT, "1" if ui.presented() else "")
    style = _STYLE.replace("GROUND", colors().background)
    st.html(style + (_PRESENTED if ui.presented() else ""))


def place() -> DeltaGenerator:
    """Where the tools stand: beside the menu, over the page."""
    return st.container(key=PLACE, horizontal=True, vertical_alignment="center")


def draw(ctx: Context, page: Page, pages: Sequence[Page], *, touring: bool) -> None:
    """Share, report, and present or the ways through the pages while that is done.

    Where a step of the tour is open, its own ways on stand in its strip.
    """
    presented = ui.presented()
    if presented and not touring:
        at = pages.index(page)
        _way(pages[at - 1] if at else None, "present_back", ":material/arrow_back:")
        _way(pages[at + 1] if at + 1 < len(pages) else None, "present_next", _NEXT)
    uploads.told()
    _mount(
        key="toolbar_share",
        data={
            "page": page.url_path,
            "without": without(ctx, page.url_path),
            "keys": _KEYS if presented else {},
        },
    )
    report.button(ctx, page.url_path)
    label, key = ("Leave (Esc)", "present_leave") if presented else ("Present", "present_begin")
    st.button(label, key=key, on_click=_turn, args=(not presented,), type="tertiary")


_NEXT = ":material/arrow_forward:"


def _way(page: Page | None, key: str, icon: str) -> None:
    if page is not None:
        with st.container(key=key, width="content"):
            st.page_link(page, label=page.title, icon=icon)


def _turn(on: bool) -> None:
    st.session_state[ui.PRESENT] = on
    links.say(ui.PRESENT, "1" if on else "")


def without(ctx: Context, address: str) -> str:
    """What whoever opens this view's link may not see, and what of one's own the link holds."""
    from hvae_core.checkpoint.library import shipped_checkpoints

    said = []
    shipped = {str(path) for path in shipped_checkpoints().values()}
    own = [handle.title for handle in ctx.models if handle.path not in shipped]
    if own:
        said.append(f"{listed(own)} opens only where the same file is.")
    brought = [ctx.title(name) for name in ctx.out_names if name.startswith(OWN)]
    if brought:
        said.append(f"{listed(brought)} shows only where it was brought too.")
    if subset := selection.left_out():
        said.append(f"The subset of {subset:,} images is too large for the link, and not in it.")
    key = uploads.on_page(address)
    titles = [uploads.title_in_link(key)] if key else []
    held = list(dict.fromkeys(title for title in (*titles, *shown.titles_in_link()) if title))
    mine = uploads.only_here(key) if key else ""
    if whole := [title for title in held if title != mine]:
        said.append(f"Whoever has the link gets picture and name of {listed(whole)}.")
    if mine:
        gets = f"Of your file {mine} others get the name and the picture as model A was given it"
        said.append(f"{gets}." if mine in held else f"Your file {mine} is not sent.")
        said.append("The link shows the file itself in this browser alone, for a day.")
        said.append("Tick Keep for links below the file, and others get the file too.")
    if address == "lab":
        said.append("Of the Lab the link holds the preset; knobs turned since are not in it.")
    if address == "many":
        said.append("The folder of scores is found only on a machine that has it.")
    return " ".join(said)
