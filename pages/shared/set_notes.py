"""What was done to the images of a page's sets, below every page that uses them."""

from __future__ import annotations

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data.image_set import shared_note
from pages.shared import store, ui
from pages.shared.state import Context


def draw(ctx: Context) -> None:
    """Notes of the chosen sets: a visitor's own in sight, those of the world in a panel."""
    own: list[tuple[str, tuple[str, ...]]] = []
    others: list[tuple[str, tuple[str, ...]]] = []
    for name in dict.fromkeys((ctx.in_name, *ctx.out_names)):
        brought = name in store.own_sets()
        try:
            notes = ctx.sets.identity(ctx.a, name).notes
            if brought or ctx.in_name in store.own_sets():
                notes = (*notes, *_shared(ctx, name))
        except HVAEError:
            continue  # the page says what is missing
        if notes:
            (own if brought else others).append((ctx.title(name), notes))
    if own or others:
        st.divider()
    for title, notes in own:
        st.markdown(f"**{ui.plain(title)}**, as the models read it:")
        ui.notes(notes)
    if others:
        with st.expander("What was done to the images"):
            for title, notes in others:
                st.markdown(f"**{ui.plain(title)}**")
                ui.notes(notes)


def _shared(ctx: Context, name: str) -> tuple[str, ...]:
    if name == ctx.in_name:
        return ()
    inside, outside = ctx.images(ctx.in_name, ctx.a), ctx.images(name, ctx.a)
    return shared_note(outside, inside)
