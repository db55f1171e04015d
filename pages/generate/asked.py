"""What the views of Generate ask a visitor for: images, and how widely layers are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st

from hvae_core.data.image_set import ImageSet
from pages.shared import controls, current, image_names, ui
from pages.shared.controls import set_and_number
from pages.shared.state import Context
from pages.shared.store import Handle


def temperature(key: str) -> float:
    """How far all draws of a view stray from the means."""
    scales = "How widely all layers are drawn: 0 gives their mean, 1 is the model's own spread."
    return controls.temperature(key, scales)


def pick_row(ctx: Context, *labels: str) -> list[str]:
    """A row of controls that choose images, one a label, at first of the set inside."""
    names = []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for i, label in enumerate(labels):
            keys = (f"g_{'ab'[i]}_set", f"g_{'ab'[i]}_number")
            first, widths = (ctx.in_name, i), (200, 100)
            role = (current.IMAGE, current.PINNED)[i]
            pick = set_and_number(ctx, keys, label=label, first=first, widths=widths, follows=role)
            names.append(image_names.name_of(*pick))
    return names


def each_with_images(ctx: Context, names: Sequence[str]) -> Iterator[tuple[str, Handle, ImageSet]]:
    """Letter, handle and chosen images of each model; an end, and why, where these are not here."""
    for letter, handle in ui.each_model(ctx):
        named, problems = image_names.load(ctx, handle, names)
        ui.not_here(problems)
        if named is None or len(named.names) < len(names):
            st.page_link("pages/image/page.py", label="Upload one image")
            return
        yield letter, handle, named.images


def heat_control(ctx: Context) -> dict[str, float]:
    """One temperature for all levels, or one each."""
    names = list(dict.fromkeys(name for handle in ctx.models for name in handle.level_names))
    if not st.toggle("By level", key="g_each", bind="query-params"):
        return dict.fromkeys(names, temperature("g_temp"))
    return {
        name: st.slider(
            f"Temperature of {name}", 0.0, 2.0, 1.0, 0.1, key=f"g_temp_{name}", bind="query-params"
        )
        for name in reversed(names)
    }
