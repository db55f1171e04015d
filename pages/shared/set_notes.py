"""What was done to the images of a page's sets, below every page that uses them."""

from __future__ import annotations

import streamlit as st

from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import shared_note
from pages.shared import store, ui
from pages.shared.state import Context


def draw(ctx: Context) -> None:
    """Notes of the chosen sets: a visitor's own in sight, those of the world in a panel."""
    own: list[tuple[str, tuple[str, ...]]] = []
    others: list[tuple[str, tuple[str, ...]]] = []
    for name in dict.fromkeys((ctx.in_name, *ctx.out_names)):
        brought = name in store.own_sets()
        # Of the world's own sets what is known: to read them all would hold up every page.
        if brought:
            notes = (*ctx.images(name, ctx.a).notes, *_shared(ctx, name))
        else:
            found = ctx.sets.known(ctx.a, name)
            notes = () if found is None else found.notes
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
    try:
        inside = ctx.images(ctx.in_name, ctx.a)
    except MissingImages:
        return ()  # the page says so
    return shared_note(ctx.images(name, ctx.a), inside)
