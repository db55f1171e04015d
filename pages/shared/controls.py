"""Controls that several pages have: a choice of few, k, a draw, an image by number.

All stand in the URL. Streamlit keeps what a control says under its key, also when
another world or model leaves it fewer options: ``within`` and ``among`` come first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared import current, links, store, ui
from pages.shared.state import Context

T = TypeVar("T")
Width = int | Literal["stretch"]
NEXT = "_next"
"""What the key of a button that draws anew has after that of its number."""
STEP = 0.1
"""Of the temperature."""
SEED_STEP = 1_000_000
"""Every redraw takes noise far from that of any seed of the sidebar."""


def within(key: str, high: int) -> None:
    """Bring a control's number within reach of another model's fewer layers or images."""
    if isinstance(st.session_state.get(key), int) and st.session_state[key] > high:
        st.session_state[key] = high


def among(key: str, options: Collection[Any]) -> None:
    """Forget a control's choice that is not among the options of another world or model."""
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]


def head_row() -> DeltaGenerator:
    """A row with a heading at its left end and controls at its right one."""
    return st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    )


def one_of(label: str, options: Sequence[T], default: T, *, key: str, **more: Any) -> T:
    """A choice of few, side by side: one of them always holds."""
    links.check(label.lower(), key, [str(option) for option in options], str(default))
    choice: T = st.segmented_control(
        label, options, default=default, key=key, bind="query-params", required=True, **more
    )
    return choice


def select(label: str, titles: Mapping[str, str], *, key: str, first: str = "", **more: Any) -> str:
    """A choice by name from a list that shows titles; ``first`` holds until another is chosen."""
    names = list(titles)
    index = names.index(first) if first in titles else 0
    links.check(label.lower(), key, titles.values(), titles[names[index]] if names else "")
    more = {"format_func": titles.__getitem__, "key": key, "bind": "query-params", **more}
    return str(st.selectbox(label, names, index, **more) or "")


def k_slider(ctx: Context, key: str, **more: Any) -> int:
    """k, the levels that are skipped, up to what the deeper model has; 0 where there is but one."""
    top = max(handle.n_levels for handle in ctx.models) - 1
    within(key, top)
    if not top:
        return 0
    label = f"k, {store.counted(ctx.models)} skipped"
    return st.slider(label, 0, top, min(1, top), key=key, bind="query-params", **more)


def temperature(key: str, scales: str, idle: str = "") -> float:
    """How far draws stray from the means; ``scales`` is what its help says of it.

    ``idle`` says why no picture depends on it as things are: then it cannot be moved.
    """
    value = st.slider(
        "Temperature", 0.0, 2.0, 1.0, STEP, key=key, bind="query-params", help=scales,
        disabled=bool(idle),
    )  # fmt: skip
    if idle:
        st.caption(idle)
    return value


def warmer(heat: float) -> list[float]:
    """The temperatures one step up and down, as far as the control has them."""
    steps = (round(heat + step, 1) for step in (STEP, -STEP))
    return [other for other in steps if 0 <= other <= 2]


def draw_seed(ctx: Context, key: str, **more: Any) -> int:
    """Which draw, with a button for the next; with the seed it makes the picture again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        draw = st.number_input("Draw", 0, 9999, key=key, bind="query-params", width=120, **more)
        st.button(
            "Redraw", key=f"{key}{NEXT}", on_click=_redraw, args=(key,), icon=":material/casino:"
        )
    return ctx.seed + SEED_STEP * draw


def next_seed(ctx: Context, key: str) -> int:
    """What ``draw_seed`` of this key gives after one more press of its button."""
    return ctx.seed + SEED_STEP * _next_draw(key)


def _redraw(key: str) -> None:
    st.session_state[key] = _next_draw(key)


def _next_draw(key: str) -> int:
    return (int(st.session_state.get(key) or 0) + 1) % 10_000


def set_titles(ctx: Context) -> dict[str, str]:
    """The sets whose images can be shown, by name."""
    return {spec.name: spec.title for spec in ctx.world.with_role("in", "out", "control")}


def set_and_number(
    ctx: Context,
    keys: tuple[str, str],
    *,
    label: str = "Set",
    first: tuple[str, int] | None = None,
    widths: tuple[Width, Width] = ("stretch", "stretch"),
    follows: str = current.IMAGE,
    pictures: Collection[str] | None = None,
) -> tuple[str, int]:
    """One image by its set and its number there; ``keys`` and ``widths`` are of the two.

    The two controls follow the current image, or the pinned one, and what is chosen by them is it.
    Pictures of no set, as a drawing, can be chosen too; with ``pictures`` those of these names.
    """
    titles = set_titles(ctx)
    titles |= {
        spec.name: spec.title
        for spec in ctx.world.with_role("shown")
        if pictures is None or spec.name in pictures
    }
    name, number = first or (ctx.in_name, 0)
    among(keys[0], titles)
    followed: dict[str, tuple[current.Spot | None, current.Spot]]
    followed = st.session_state.setdefault("followed", {})
    spot, (before, shown) = current.chosen(ctx, follows), followed.get(keys[1], (None, None))
    absent = keys[0] not in st.session_state or keys[1] not in st.session_state
    linked = absent and any(key in st.query_params for key in keys)
    if spot and not linked and (spot != before or absent) and spot[0] in titles:
        st.session_state[keys[0]], st.session_state[keys[1]] = spot
    name = select(label, titles, key=keys[0], first=name, width=widths[0])
    number = st.number_input(
        "Number", 0, store.SHOWN_LIMIT - 1, number, key=keys[1], bind="query-params",
        width=widths[1],
    )  # fmt: skip
    picked = (name, number)
    followed[keys[1]] = (spot, picked)
    if picked != spot and (linked or (shown not in (None, picked) and spot == before)):
        followed[keys[1]] = (picked, picked)
        current.take(picked, follows)
        st.rerun()
    return picked


@dataclass(frozen=True)
class View:
    """One of a page's views: what to look for, and the title where there is no claim yet.

    ``draw`` puts its controls into the column that it gets and returns its claim, or "".
    """

    draw: Callable[[DeltaGenerator], str]
    look_for: str
    title: str = "Nothing to draw yet"


def show_view(views: Mapping[str, View], key: str) -> None:
    """A page that has views: the claim, the chosen view, and beside it its controls."""
    head = st.container()
    pictured, beside = st.columns([5, 2], gap="large")
    sheet = ui.settings(place=beside)
    with sheet:
        among(key, views)
        view = views[st.radio("Show", list(views), key=key, bind="query-params")]
    claim = ""
    with pictured, ui.in_place():
        claim = view.draw(sheet)
    with head:
        ui.header(ui.plain(claim) or view.title, view.look_for)
