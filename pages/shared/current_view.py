"""The current image in the sidebar: its picture, its name, ways to the next, and one beside it."""

from __future__ import annotations

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.figures.grids import tile
from pages.shared import clickable, current, ui
from pages.shared.current import Spot
from pages.shared.state import Context, colors

SIDE = 64
"""Screen pixels of the picture's longer side, about."""
WAYS = (
    "Previous, next and random go through the current subset if this image is in it, otherwise "
    "through its set. Click any picture or point of a page to make it the current image; Shift and "
    "click pins it beside."
)


def draw(ctx: Context) -> None:
    """The current image, the buttons, and the pinned one."""
    st.html(
        "<style>.st-key-now_ways button, .st-key-subset_ways button "
        "{padding-inline: 0.4rem; min-width: 0}</style>"
    )
    spot, beside = current.now(ctx), current.chosen(ctx, current.PINNED)
    here = _shown(ctx, spot, "Current image")
    with st.container(horizontal=True, gap="xsmall", key="now_ways"):
        for icon, words, act, key in (
            ("chevron_left", "Previous image", -1, "B"),
            ("chevron_right", "Next image", 1, "N"),
        ):
            st.button(
                "", icon=f":material/{icon}:", key=f"now_{act}", on_click=current.step,
                args=(ctx, act), shortcut=key, help=f"{words} (key {key}). {WAYS}",
                disabled=not here,
            )  # fmt: skip
        st.button(
            "", icon=":material/shuffle:", key="now_random", on_click=current.jump, args=(ctx,),
            shortcut="M", help=f"A random image (key M). {WAYS}", disabled=not here,
        )  # fmt: skip
        st.button(
            "", icon=":material/push_pin:", key="now_pin", on_click=current.take,
            args=(spot, current.PINNED), shortcut="V", disabled=not here or spot == beside,
            help="Pin this image beside the current one (key V): it stays here while you go on, "
            "and pages that compare two images take it.",
        )  # fmt: skip
    if beside:
        _shown(ctx, beside, "Pinned beside")
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Swap", icon=":material/swap_vert:", key="now_swap", on_click=current.swap,
                args=(ctx,), type="tertiary",
            )  # fmt: skip
            st.button(
                "Unpin", icon=":material/close:", key="now_unpin", on_click=current.unpin,
                type="tertiary",
            )  # fmt: skip
    with ui.in_place():
        current.check_pixels(ctx, [one for one in (spot, beside) if one and _at_hand(ctx, one)])


def _shown(ctx: Context, spot: Spot, role: str) -> bool:
    """The picture beside its name; whether the image is on this machine."""
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    here = _at_hand(ctx, spot)
    if here:
        with row.container(width="content"):
            _picture(ctx, spot, role)
    name, _, about = clickable.called(ctx, spot).partition(", ")
    text = f":gray[{role}]  \n**{ui.plain(name)}**"
    if about:
        text += f"  \n{ui.plain(about)}"
    if not here:
        text += "  \n:material/image_not_supported: not on this machine"
    row.markdown(text, width="stretch")
    return here


def _at_hand(ctx: Context, spot: Spot) -> bool:
    try:
        return spot[1] < len(ctx.images(spot[0]))
    except HVAEError:
        return False


def _picture(ctx: Context, spot: Spot, role: str) -> None:
    image = ctx.images(spot[0]).take([spot[1]])
    scale = max(1, round(SIDE / max(image.image_shape[1:])))
    pixels = tile(image.images, columns=1, scale=scale, colors=colors())
    alt = f"{role}: {clickable.called(ctx, spot)}"
    clickable.picture(ctx, pixels, alt, key=f"now_{role}".replace(" ", "_"), most=96)
