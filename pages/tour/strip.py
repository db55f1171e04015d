"""The strip of the tour at the top of a page: what to look at, the equation, a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data.worlds import worlds
from pages.shared import current, links, ui, words
from pages.shared.state import Context, colors
from pages.tour import look
from pages.tour import steps as tour
from pages.tour.steps import KEY, Step

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

END = "end"
"""In links, in place of a step's number: the page that closes the tour."""
_ALONE = {KEY, ui.PRESENT}
"""Keys of an address that choose nothing of a step's page."""
OUTSIDERS = "tour_set"
"""Key of the strip's own choice of a set, which a step has that names it among what is seen."""
ENDED = "tour_ended"
"""In the session's state, while the page that closes the tour is open: "back" where the visitor's
own choices of before the tour are back."""
_LAST, _BEFORE, _BACK, _SWITCHED = "tour_last", "tour_before", "tour_back", "tour_switched"
"""In the session's state: the page of the last run, the view before the tour, the page to go back
to, and the step that switched the world with the world that it left."""


def arrive(page: st.Page) -> None:
    """Open the step that a link names, as ``?tour=3``, on its page and with its choices.

    A link with choices of its own, as of a shared view, keeps them. After the tour the page is the
    one on which it began.
    """
    back = st.session_state.pop(_BACK, None)
    if back is not None and back != page.url_path:
        st.switch_page(f"pages/{back or 'start'}/page.py", query_params={})  # none, bound or not
    before = st.session_state.get(_LAST)
    st.session_state[_LAST] = page.url_path
    asked = links.arrived(KEY)
    if not asked:
        return
    last = len(tour.steps())
    if asked == END:
        _close(page)
        return
    if not asked.isdecimal() or len(asked) > 3 or not 1 <= int(asked) <= last:
        links.absent(KEY, f"There is no step {asked[:20]} of the tour: it has steps 1 to {last}.")
        links.say(KEY, "")
        return
    links.absent(KEY, "")
    links.say(KEY, asked)
    number = int(asked)
    step = tour.steps()[number - 1]
    if before is not None:  # the controls are there, and heed no address any more
        if not opened():
            _remember(before)
        if (world := st.session_state.get("world")) != step.world:
            st.session_state[_SWITCHED] = (number, world)
        st.session_state.update(tour.choices(number))
        if spot := tour.image(number):
            st.session_state[current.IMAGE] = spot
    st.session_state[KEY] = number
    st.session_state.pop(ENDED, None)
    if page.url_path != step.address or (before is None and set(st.query_params) <= _ALONE):
        query = tour.query(number) if before is None else tour.link(number)
        if ui.PRESENT in st.query_params:
            query[ui.PRESENT] = st.query_params[ui.PRESENT]
        st.switch_page(f"pages/{step.page}/page.py", query_params=query)


def _close(page: st.Page) -> None:
    """Show the page that closes the tour; the visitor's own choices are back."""
    links.absent(KEY, "")
    st.session_state[ENDED] = "back" if _BEFORE in st.session_state else "here"
    leave(stay=True)
    links.say(KEY, END)
    if page.url_path != "tour":
        st.switch_page("pages/tour/page.py", query_params={KEY: END})


class Places(NamedTuple):
    """What the strip leaves open until the sidebar's choices are known."""

    turned: DeltaGenerator
    asked: DeltaGenerator


def draw(page: st.Page) -> Places | None:
    """The strip but for its question and its own control, and the places of these.

    None where no step of the tour is open here.
    """
    number = opened()
    st.session_state[ui.TOURING], st.session_state[ui.FIRST] = False, ""
    if not number:
        if page.url_path != "tour" and st.session_state.pop(ENDED, None):
            links.say(KEY, "")
        return None
    step = tour.steps()[number - 1]
    if page.url_path != step.address:
        links.say(KEY, "")
        if page.url_path == "tour":  # which lists every step
            return None
        with st.container(key="tour_paused", horizontal=True, vertical_alignment="center"):
            st.markdown(f"The tour waits at step {number} of {len(tour.steps())}: **{step.title}**")
            _way(number, "Go on with it", key="tour_on")
            leave_button(stay=True)
        return None
    links.say(KEY, str(number))
    st.session_state[ui.TOURING], st.session_state[ui.FIRST] = True, step.first
    look.draw(step, number / len(tour.steps()), veiled=_waits(number))
    with st.container(key="tour_strip", border=True, gap="small"):
        _bar(number, step)
        if absent := step.absent():
            st.warning(ui.plain(absent), icon=":material/info:")
        if switched := _switched(number, step):
            st.caption(f":material/swap_horiz: {switched}")
        left, right = st.columns(2, gap="large", vertical_alignment="center")
        with left:
            st.markdown(f"{step.look}\n\n**Try:** {step.try_}")
            turned = st.container()
        with right, st.container(gap="small"):
            st.latex(tour.coloured(step, colors()))
            return Places(turned, st.container(gap="xsmall"))


def _outsiders(ctx: Context) -> None:
    """The set held against the model's own: the sidebar has it below the screen, or is away."""
    key = f"out_{ctx.world.key}"
    titles = {spec.name: spec.title for spec in ctx.world.with_role("out")}
    st.session_state[OUTSIDERS] = next((name for name in ctx.out_names if name in titles), None)

    def turn() -> None:
        st.session_state[key] = [st.session_state[OUTSIDERS]]

    st.selectbox(
        "Out-of-distribution set", list(titles), format_func=titles.__getitem__, key=OUTSIDERS,
        on_change=turn, label_visibility="collapsed", width=280,
    )  # fmt: skip


def question(places: Places | None, ctx: Context) -> None:
    """The open step's question, answered from what the page shows; its title waits for that."""
    number = opened() if places is not None else 0
    st.session_state[ui.VEILED] = bool(number) and _waits(number)
    if places is not None:
        step = tour.steps()[number - 1]
        if OUTSIDERS in step.seen:
            with places.turned:
                _outsiders(ctx)
        with places.asked:
            _ask(number, step, ctx)


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
        _freed().add(number)
        _unveil()
        return
    text = ui.plain(found.because)
    shown = f"tour_shown_{number}"
    if picked in [step.choices[right] for right in (found.right, *found.too)]:
        st.success(f"Right. {text}", icon=":material/check:")
        answered()[number] = found.because
        _unveil()
    elif st.session_state.get(shown) == picked:
        right = ui.plain(step.choices[found.right])
        st.info(f"The answer: **{right}**. {text}", icon=":material/visibility:")
        answered()[number] = found.because
        _unveil()
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning("Not right: look again, and choose another.", icon=":material/close:")
            st.button(
                "Show the answer", key=f"tour_show_{number}", type="tertiary",
                on_click=lambda: st.session_state.update({shown: picked}),
            )  # fmt: skip


def answered() -> dict[int, str]:
    """What the figures said to each question that was answered, by the number of its step."""
    said: dict[int, str] = st.session_state.setdefault("tour_answered", {})
    return said


def _waits(number: int) -> bool:
    """Whether the page's title waits for the answer to a step's question."""
    return number not in {*answered(), *_freed()}


def _freed() -> set[int]:
    """The steps whose question the figures could not answer: their titles wait for no answer."""
    freed: set[int] = st.session_state.setdefault("tour_freed", set())
    return freed


def _unveil() -> None:
    """Let the page say what its title says."""
    if st.session_state.get(ui.VEILED):
        st.session_state[ui.VEILED] = False
        st.rerun()


def opened() -> int:
    """The number of the step that is open, 0 where the tour is not."""
    return int(st.session_state.get(KEY, 0))


def _bar(number: int, step: Step) -> None:
    """Title, the words that are explained, and the ways on."""
    last = len(tour.steps())
    with st.container(horizontal=True, vertical_alignment="center", key="tour_bar"):
        st.markdown(f"**{number} of {last} · {step.title}**", width="content")
        with st.container(key="tour_words"):
            words.draw(step.written, step.spelled)
        if number > 1:
            _way(number - 1, "Back", key="tour_back", icon=":material/arrow_back:")
        if number < last:
            _way(number + 1, "Next", key="tour_next", icon=":material/arrow_forward:")
        else:
            with st.container(key="tour_next", width="content"):
                st.page_link(
                    "pages/tour/page.py", label="To the end", icon=":material/flag:",
                    query_params={KEY: END},
                )  # fmt: skip
        leave_button()


def _way(number: int, label: str, *, key: str, icon: str | None = None) -> None:
    page = f"pages/{tour.steps()[number - 1].page}/page.py"
    with st.container(key=key, width="content"):
        st.page_link(page, label=label, icon=icon, query_params=tour.link(number))


def leave_button(*, stay: bool = False) -> None:
    """The way out; with ``stay`` the visitor went to a page of the own accord, and stays there."""
    what = "the world, models, sets and image that you had before it"
    st.button(
        "Leave the tour", key="tour_leave", on_click=leave, args=(stay,), type="tertiary",
        help=f"Brings back {what}; this page stays." if stay else f"Brings back the page, {what}.",
    )  # fmt: skip


def leave(stay: bool = False) -> None:
    """Close the tour; choices are as they were before, and unless ``stay`` so is the page."""
    state = st.session_state
    for key in (KEY, _SWITCHED):
        state.pop(key, None)
    links.say(KEY, "")
    if (before := state.pop(_BEFORE, None)) is None:
        return
    page, choices = before
    if not stay:
        state[_BACK] = page
    for key in tour.touched():
        if key in choices:
            state[key] = choices[key]
        elif key in state:
            del state[key]


def _remember(page: str) -> None:
    """Keep what the visitor has chosen of all that the tour changes, and on which page."""
    kept = {key: st.session_state[key] for key in tour.touched() if key in st.session_state}
    st.session_state[_BEFORE] = (page, kept)


def _switched(number: int, step: Step) -> str:
    """A sentence on the world, where this step is in another one than the page before; or ""."""
    at, world = st.session_state.get(_SWITCHED, (0, ""))
    known = worlds()
    if at != number or world not in known or step.world not in known:
        return ""
    back = " Leaving the tour brings your own view back." if _BEFORE in st.session_state else ""
    here, there = (ui.plain(known[key].title) for key in (step.world, world))
    return f"The tour has switched from the world {there} to {here}.{back}"
