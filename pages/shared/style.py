"""What the app's style adds to Streamlit's: less air, charts that wrap, one sheet of settings."""

from __future__ import annotations

import re

import streamlit as st

from pages.shared import in_sight, words
from pages.shared.state import colors

_STYLE = """
.stMainBlockContainer {padding: 3rem 2rem; max-width: 96rem}
h1 {text-wrap: balance}
:has(> .stLogo) {display: flex; align-items: center; gap: 0.6rem}
:has(> .stLogo)::after {content: "Strata"; font-size: 1.35rem; font-weight: 600}
[data-testid="stNavSectionHeader"] {font-weight: 600}
[data-testid="stSidebarNavLinkContainer"] {margin-block: 0}
[class*="st-key-scroll_"] {overflow-x: auto; container-type: scroll-state}
[class*="st-key-offered_"] {flex-wrap: nowrap !important; width: max-content !important}
@container scroll-state(scrollable: right) {
    [class*="st-key-scroll_"]::before {content: "More to the right: scroll sideways →";
        position: sticky; left: 0; align-self: flex-start; flex: 0 0 auto; width: 100%;
        font-size: 0.875rem; color: MUTED}
}
/* a table that goes on to the right fades at its edge, until it is scrolled to its end */
[data-testid="stDataFrame"] .dvn-scroll-inner::after {content: ""; visibility: visible;
    position: sticky; right: 0; flex: 0 0 2.5rem; margin-left: -2.5rem; pointer-events: none;
    background: linear-gradient(to right, transparent, GROUND); opacity: 0;
    animation: goes-on linear; animation-timeline: scroll(nearest inline)}
@keyframes goes-on {0%, 97% {opacity: 1}}
[class*="st-key-scroll_"] img {max-width: none !important; border-radius: 0;
    image-rendering: pixelated}
/* the width of a chart stays the same to the last digit: sent.py */
[data-testid="stFullScreenFrame"] {width: round(down, 100%, 1px)}
/* the menu of a field in the sidebar is as wide as the names of models need */
[data-testid="stSelectboxVirtualDropdown"] {min-width: min(26rem, 88vw)}
[data-testid="stSelectboxVirtualDropdown"] [role="listbox"] {width: 100% !important}
/* a chart that is not near the window waits: in_sight.py */
.st-key-in_sight {position: absolute; width: 0 !important}
html[data-in-sight] .stPrintGraphic:not([data-in-sight])
    > [data-testid="stFullScreenFrame"]:empty {display: none}
/* handles of an outline in a chart, which stay behind where the chart is drawn anew */
.outline-controllers {display: none}
/* a chart narrower than this shows nothing: its column goes below instead */
[data-testid="stColumn"]:has(.stPlotlyChart) {min-width: min(100%, 20rem)}
/* the primary colour carries white text; as text on the dark ground it is too faint */
[data-testid="stButtonGroup"] button[data-selected="true"],
[data-testid="stSliderThumbValue"] {color: inherit !important}
[data-testid="stButtonGroup"] button[data-selected="true"] {font-weight: 600}
.sheet {display: none}
:has(> div > .sheet) {display: none}
@media (max-width: 640px) {
    .stMainBlockContainer {padding: 3.5rem 1rem 5rem}
    /* columns that stand below each other */
    [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {row-gap: 1rem}
    .st-key-settings {position: fixed; left: 0; bottom: 0; width: 100% !important; z-index: 99;
        padding: 0 1rem; max-height: 3rem; overflow: hidden; background: GROUND;
        border-top: 1px solid GRID; box-shadow: 0 -2px 8px rgba(0, 0, 0, 0.12)}
    .st-key-settings:has(.sheet input:checked) {max-height: 70vh; overflow-y: auto;
        padding-bottom: 1rem}
    :has(> div > .sheet) {display: block; flex: 0 0 100%; max-width: 100%}
    .words span.short {display: none}
    /* room for a table's tools, which else lie on the line above */
    [data-testid="stElementContainer"]:has(> * > [data-testid="stDataFrame"])
        {margin-top: 1.5rem}
    .sheet {display: block; padding: 0.7rem 0; font-weight: 600; cursor: pointer}
    .sheet::after {content: "▲"; float: right; font-size: 0.8rem}
    .sheet:has(input:checked)::after {content: "▼"}
    .sheet input {position: absolute; opacity: 0}
    .sheet:has(input:focus-visible) {outline: 2px solid MUTED}
}
"""


def draw() -> None:
    """Put the style on the page, in the colours of the reader's theme."""
    look = colors()
    named = {"MUTED": look.muted, "GRID": look.grid, "PANEL": look.panel, "TEXT": look.text,
             "GROUND": look.background}  # fmt: skip
    css = re.sub("|".join(named), lambda match: named[match[0]], _STYLE + words.STYLE)
    st.html(f"<style>{css}</style>")
    in_sight.draw()
