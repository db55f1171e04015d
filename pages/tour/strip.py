"""The strip of the tour at the top of a page: what to look at, the equation, a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from hvae_core.common.errors import HVAEError
from pages.shared import current, links, ui
from pages.shared.state import Context, colors
from pages.tour import steps as tour
from pages.tour.steps import KEY, Step

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_ALONE = {KEY, ui.PRESENT}
"""Keys of an address that choose nothing of a step's page."""


def arrive(page: st.Page) -> None:
    """Open the step that a link names, as ``?tour=3``, on its page and with its choices.

    A link with choices of its own, as of a shared view, keeps them.
    """
    asked = links.arrived(KEY)
    if not asked:
        return
    last = len(tour.steps())
    if not asked.isdecimal() or len(asked) > 3 or not 1 <= int(asked) <= last:
        links.absent(KEY, f"There is no step {asked[:20]} of the tour: it has steps 1 to {last}.")
        links.say(KEY, "")
        return
    links.absent(KEY, "")
    links.say(KEY, asked)
    number = int(asked)
    st.session_state[KEY] = number
    step = tour.steps()[number - 1]
    if "world" in st.session_state:  # its controls are there, and heed no address any more
        st.session_state.update(tour.choices(number))
        if spot := tour.image(number):
            st.session_state[current.IMAGE] = spot
    if page.url_path != step.address or set(st.query_params) <= _ALONE:
        st.switch_page(f"pages/{step.page}/page.py", query_params=tour.query(number))


def draw(page: st.Page) -> DeltaGenerator | None:
    """The strip but for its question, and the place of that, which needs the sidebar's choices.

    None where no step of the tour is open here.
    """
    number = opened()
    if not number:
        return None
    step = tour.steps()[number - 1]
    if page.url_path != step.address:
        links.say(KEY, "")
        if page.url_path == "tour":  # which lists every step
            return None
        with st.container(key="tour_paused", horizontal=True, vertical_alignment="center"):
            st.markdown(f"The tour waits at step {number} of {len(tour.steps())}: **{step.title}**")
            _way(number, "Go on with it", key="tour_on")
            _leave()
        return None
    links.say(KEY, str(number))
    _style(number / len(tour.steps()))
    with st.container(key="tour_strip", border=True, gap="small"):
        _bar(number, step)
        if absent := step.absent():
            st.warning(ui.plain(absent), icon=":material/info:")
        left, right = st.columns(2, gap="large", vertical_alignment="center")
        with left:
            st.markdown(f"{step.look}\n\n**Try:** {step.try_}")
        with right:
            st.latex(tour.coloured(step, colors()))
        return st.container(gap="small")


def question(place: DeltaGenerator | None, ctx: Context) -> None:
    """The open step's question, answered from what the page shows."""
    if place is not None:
        number = opened()
        with place:
            _ask(number, tour.steps()[number - 1], ctx)


@ui.fragment
def _ask(number: int, step: Step, ctx: Context) -> None:
    picked = st.radio(
        f"**{step.question}**", step.choices, None, key=f"tour_answer_{number}", horizontal=True
    )
    if picked is None:
        return
    from pages.tour.answers import answer

    try:
        found = answer(step, ctx)
    except HVAEError as error:
        st.info(ui.plain(str(error)))
        return
    text = ui.plain(found.because)
    if step.choices[found.right] == picked:
        st.success(f"Yes. {text}", icon=":material/check:")
    else:
        right = ui.plain(step.choices[found.right])
        st.info(f"Look again: **{right}**. {text}", icon=":material/visibility:")


def _style(done: float) -> None:
    """How the strip looks; along its upper edge runs how far the tour is."""
    st.html(
        f"""<style>
        .st-key-tour_strip {{position: relative; padding: .25rem 1rem .75rem}}
        .st-key-tour_strip::before {{content: ""; position: absolute; top: -1px; left: -1px;
            height: 3px; width: {100 * done:.1f}%; background: {colors().primary}}}
        .st-key-tour_strip .katex-display {{margin: 0; overflow-x: auto; overflow-y: hidden;
            padding: .25rem 0}}
        .st-key-tour_strip .katex {{font-size: 1.1em}}
        .st-key-tour_strip [data-testid="stAlertContainer"] {{padding: .5rem .75rem}}
        @media (max-width: 1200px) {{
            .st-key-tour_strip [data-testid="stColumn"] {{min-width: 100%}}
            .st-key-tour_strip .katex {{font-size: 1em}} }}
        </style>"""
    )


def opened() -> int:
    """The number of the step that is open, 0 where the tour is not."""
    return int(st.session_state.get(KEY, 0))


def _bar(number: int, step: Step) -> None:
    """Title, and the ways on."""
    last = len(tour.steps())
    with st.container(horizontal=True, vertical_alignment="center", key="tour_bar"):
        st.markdown(f"**{number} of {last} · {step.title}**", width="stretch")
        if number > 1:
            _way(number - 1, "Back", key="tour_back", icon=":material/arrow_back:")
        if number < last:
            _way(number + 1, "Next", key="tour_next", icon=":material/arrow_forward:")
        else:
            with st.container(key="tour_next", width="content"):
                st.page_link("pages/tour/page.py", label="To the end", icon=":material/flag:")
        _leave()


def _way(number: int, label: str, *, key: str, icon: str | None = None) -> None:
    page = f"pages/{tour.steps()[number - 1].page}/page.py"
    with st.container(key=key, width="content"):
        st.page_link(page, label=label, icon=icon, query_params=tour.query(number))


def _leave() -> None:
    st.button("Leave the tour", key="tour_leave", on_click=leave, type="tertiary")


def leave() -> None:
    """Close the tour; the page stays as it is."""
    st.session_state.pop(KEY, None)
    links.say(KEY, "")
