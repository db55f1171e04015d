"""How the strip of the tour looks, and what of its page gives way to it."""

from __future__ import annotations

import streamlit as st

from pages.shared import ui
from pages.shared.state import colors
from pages.tour.steps import Step

_LOW = """@media (max-height: 1000px) {html {font-size: 18px !important}
    .stMainBlockContainer {padding-top: 2.5rem !important}}"""


_WORDS = ".stElementContainer:not(.st-key-tour_strip *)"
"""What holds a line of words, on the page and not in the strip."""


def _docked(step: Step) -> str:
    """On a narrow screen the controls that a step asks to turn stand alone in an open sheet."""
    asked = ", ".join(f".st-key-{key}" for key in step.seen)
    sheet = f".st-key-settings:has({asked})"
    return f"""@media (max-width: 640px) {{
        {sheet} {{max-height: none; overflow: visible; padding-block: .5rem}}
        {sheet} :is(.stElementContainer, [data-testid="stLayoutWrapper"]):not(
            {asked}, :has({asked}), :is({asked}) *) {{display: none}} }}"""


def draw(step: Step, done: float, *, veiled: bool) -> None:
    """How the strip looks; along its upper edge runs how far the tour is.

    What the page itself says to look for, with its glossary, gives way to the strip's words, so
    that the figure they speak of stands on the screen. So does a title that waits, with its
    sentence (only eyes miss it), and what the step hides. A low screen that presents has type that
    is a little smaller.
    """
    parts = [":has(+ .stElementContainer > .stHtml > .words)", ":has(> .stHtml > .words)"]
    parts += [":has(h1) + .stElementContainer"] * veiled
    hidden = ", ".join(f'[data-testid="stMain"] {_WORDS}{part}' for part in parts)
    hidden += "".join(f", .st-key-{key}" for key in step.hides)
    waits = (
        '[data-testid="stMain"] .stElementContainer:has(h1) {position: absolute; width: 1px; '
        "height: 1px; overflow: hidden; clip-path: inset(50%)}"
    )
    st.html(
        f"""<style>
        .st-key-tour_strip {{position: relative; padding: .25rem 1rem .75rem}}
        .st-key-tour_strip::before {{content: ""; position: absolute; top: -1px; left: -1px;
            height: 3px; width: {100 * done:.1f}%; background: {colors().primary}}}
        .st-key-tour_strip .katex-display {{margin: 0; overflow-x: auto; overflow-y: hidden;
            padding: .25rem 0}}
        .st-key-tour_strip .katex {{font-size: 1.1em}}
        .st-key-tour_strip p {{line-height: 1.45}}
        [data-testid="stMain"] h1 {{font-size: 1.75rem; padding: .25rem 0}}
        {hidden} {{display: none}}
        {waits * veiled}
        .st-key-tour_strip [data-testid="stAlertContainer"] {{padding: .5rem .75rem}}
        .st-key-tour_strip .words span.short {{display: none}}
        {_LOW * ui.presented()}
        {_docked(step)}
        @media (max-width: 640px) {{
            .st-key-tour_bar > :has(> .st-key-tour_words) {{order: 1; flex-basis: 100%}} }}
        @media (max-width: 1200px) {{
            .st-key-tour_strip [data-testid="stColumn"] {{min-width: 100%}}
            .st-key-tour_strip .katex {{font-size: 1em}} }}
        </style>"""
    )
