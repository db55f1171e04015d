"""The current subset in the sidebar: count, pictures, undo and redo, and the saved ones."""

from __future__ import annotations

import numpy as np
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.figures.grids import tile, tile_boxes
from pages.shared import clickable, selection
from pages.shared.selection import Selection
from pages.shared.state import Context, colors

SHOWN = 12
"""Pictures in the strip."""
MOST = 50
"""Saved subsets."""
HOW = (
    "Draw a lasso on the page Latent space, take the flagged images on the page OOD detection, or "
    "take a class here. Reconstructions and One image take their images from the subset; "
    "OOD detection gives its AUROC."
)


def draw(ctx: Context) -> None:
    """The subset, what can be done with it, and where another one comes from."""
    picks = selection.current(ctx)
    # First, so that the open box neither closes nor moves when the subset below it changes.
    with st.container(horizontal=True, gap="xsmall", key="subset_ways"):
        with st.popover("Subset", icon=":material/select_all:"):  # a tip would cover its buttons
            st.caption(HOW)
            _classes(ctx)
            _saved(picks)
        if picks or selection.can_undo() or selection.can_redo():
            _ways(bool(picks))
    if picks:
        of = selection.total()
        st.markdown(f"**{len(picks):,}{f' of {of:,}' if of else ''}** images in the subset")
        _strip(ctx, picks)


def _ways(taken: bool) -> None:
    """Undo, redo and clear."""
    for icon, words, act, possible in (
        ("undo", "Undo", selection.undo, selection.can_undo()),
        ("redo", "Redo", selection.redo, selection.can_redo()),
        ("close", "Clear", _clear, taken),
    ):
        st.button(
            "", icon=f":material/{icon}:", key=f"subset_{icon}", on_click=act,
            disabled=not possible, help=f"{words}: the current subset",
        )  # fmt: skip


def _clear() -> None:
    selection.keep([])


def _strip(ctx: Context, picks: Selection) -> None:
    """A few of the images, from every set and class in turn, at the world's shape."""
    pixels: list[np.ndarray] = []
    shown: Selection = []
    for name, index in selection.spread(picks, SHOWN, selection.class_names(ctx)):
        try:
            image = ctx.images(name).take([index]).images[0]
        except HVAEError:
            continue
        if not pixels or image.shape == pixels[0].shape:
            pixels.append(image)
            shown.append((name, index))
    if not pixels:
        st.caption("Their images are not on this machine.")
        return
    stack = np.stack(pixels)
    size = (stack.shape[2], stack.shape[3])
    columns, scale = 6, max(1, round(36 / size[0]))
    clickable.picture(
        ctx,
        tile(stack, columns=columns, scale=scale, gap=3, colors=colors()),
        f"{len(shown)} images of the subset",
        key="now_subset",
        spots=shown,
        boxes=tile_boxes(len(shown), size, columns=columns, scale=scale, gap=3),
        most=240,
    )


def _classes(ctx: Context) -> None:
    """A class of a set as the subset."""
    titles = {name: ctx.title(name) for name in dict.fromkeys((ctx.in_name, *ctx.out_names))}
    if st.session_state.get("subset_set") not in (None, *titles):
        del st.session_state["subset_set"]
    name = st.selectbox("Set", list(titles), format_func=titles.__getitem__, key="subset_set")
    try:
        images = ctx.images(name)
    except HVAEError:
        st.caption("The images of this set are not on this machine.")
        return
    numbers = [int(label) for label in np.unique(images.labels) if label >= 0]
    label = st.selectbox(
        "Class", [-1, *numbers], key=f"subset_class_{name}",
        format_func=lambda one: "all images" if one < 0 else images.class_names[one],
    )  # fmt: skip
    rows = np.flatnonzero((images.labels == label) | (label < 0))
    st.button(
        f"Take these {len(rows):,} images", key="subset_take", on_click=selection.keep,
        args=([(name, int(row)) for row in rows], len(images)),
    )  # fmt: skip


def _saved(picks: Selection) -> None:
    """Save the subset by a name, and take or remove a saved one."""
    known = selection.saved()
    if picks:
        st.text_input("Save as", key="subset_name", placeholder="A name", max_chars=40)
        st.button(
            "Save", key="subset_save", icon=":material/save:", on_click=_save, args=(picks,),
            disabled=len(known) >= MOST,
        )  # fmt: skip
    if not known:
        return
    if st.session_state.get("subset_saved") not in (None, *known):
        del st.session_state["subset_saved"]
    name = st.selectbox(
        "Saved in this tab", list(known), key="subset_saved",
        format_func=lambda one: f"{one} ({len(known[one]):,})" if one in known else one,
    )  # fmt: skip
    with st.container(horizontal=True):
        st.button("Take", key="subset_open", on_click=selection.keep, args=(known[name],))
        st.button("Remove", key="subset_remove", on_click=_remove, args=(name,))


def _remove(name: str) -> None:
    selection.saved().pop(name, None)


def _save(picks: Selection) -> None:
    name = str(st.session_state.get("subset_name") or "").strip()
    known = selection.saved()
    known[name or f"Subset {len(known) + 1}"] = list(picks)
