"""An image that the world holds: of a set, of the current subset, or a picture of a link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data import describe_shape
from pages.image import changes
from pages.image.one_image import OneImage
from pages.shared import current, image_names, links, same_pixels, shown, ui
from pages.shared.controls import set_and_number, within
from pages.shared.state import Context

DONE = "i_done"
"""In the session's state: the digest of a link's file, whose picture has the changes already."""
ASIDE = "i_aside"
"""In the session's state and in links: the digest of a link's file that is not here, and the link's
changes, which are made again on the file once it is opened."""
_OF_LINK = "i_of_link"
"""In the session's state: the picture that a link holds in place of its file, which is not here,
and the file's digest as it stands there."""


def from_set(ctx: Context, given: current.Spot | None) -> OneImage | None:
    """An image by set and number, or the picture that another page gave.

    This page's own pictures are no choice here: each is made anew from its drawing or file.
    """
    first = ((*ctx.out_names, ctx.in_name)[0], 0)
    keys = (f"i_set_{ctx.world.key}", "i_id")
    theirs = given[0] if given else str(st.session_state.get(keys[0]) or _linked(ctx, keys[0]))
    name, index = set_and_number(ctx, keys, first=first, pictures=[theirs])
    image = _taken(ctx, image_names.name_of(name, index))
    if image is None:
        st.caption("Or upload an image of your own: choose *upload* above.")
    return image


def from_selection(ctx: Context) -> OneImage | None:
    """One image of the current subset, or None after saying how to make one."""
    names = image_names.from_selection(ctx)
    if not names:
        st.info("Nothing is selected: draw a lasso on the page Latent space first.")
        return None
    last = len(names) - 1
    within("i_pick", last)
    pick = 0
    if last:
        pick = st.number_input(f"Which of {last + 1}", 0, last, key="i_pick", bind="query-params")
    return _taken(ctx, names[pick])


def in_place_of_file(ctx: Context, asked: str) -> OneImage | None:
    """The picture that a link holds beside the file ``asked`` for, or None where it holds none.

    So its sender's model A was given the file, with all changes: none is made again.
    """
    before, spot = st.session_state.get(_OF_LINK, ("", None))
    if before != asked:
        now = current.chosen(ctx)
        spot = now if now and shown.is_shown(now[0]) else None
        st.session_state[_OF_LINK] = asked, spot
    if spot is None or spot[0] not in {spec.name for spec in ctx.world.sets}:
        return None
    image = _taken(ctx, image_names.name_of(*spot))
    if image is not None:
        if before != asked:
            st.session_state[DONE] = asked
        kept = aside()
        others = any(handle.image_shape != ctx.a.image_shape for handle in ctx.models)
        st.info(
            "Judged is the picture that the link itself holds: what its sender's model A was given "
            f"of the file, changes included, {describe_shape(image.images.image_shape)}."
            + (
                " They are made again on the file once you open it."
                if kept and kept[0] == asked
                else ""
            )
            + (" A model of another shape has it from there, not from the file." if others else ""),
            icon=":material/link:",
        )
    return image


def aside() -> tuple[str, Mapping[str, Any]] | None:
    """What is kept for a file that is not here, by a link too, as after a reload."""
    if asked := links.arrived(ASIDE):
        digest, _, text = asked.partition(" ")
        st.session_state[ASIDE] = digest, changes.from_text(text)
    kept: tuple[str, Mapping[str, Any]] | None = st.session_state.get(ASIDE)
    return kept


def say_aside(digest: str) -> None:
    """Write into the address what is kept for the file ``digest``, which is not here; "" for none.

    A reload keeps it so, and whoever gets the link from there has it too.
    """
    kept = aside()
    waits = kept is not None and digest and kept[0] == digest
    links.say(ASIDE, f"{digest} {changes.to_text(kept[1])}" if kept and waits else "")


def _linked(ctx: Context, key: str) -> str:
    """The picture of no set that a link says was chosen here, by its title; "" where it says none.

    The current image goes before others of the same title.
    """
    spot, titles = current.chosen(ctx), st.query_params.get_all(key)
    named = [spec.name for spec in ctx.world.with_role("shown") if spec.title in titles]
    return min(named, key=lambda name: spot is None or name != spot[0], default="")


def _taken(ctx: Context, image_name: str) -> OneImage | None:
    """The image of a name, or None after saying why it cannot be had."""
    try:
        name, index = image_names.parse(ctx, image_name)
        image = ctx.images(name).take([index])
    except HVAEError as error:
        ui.not_here([str(error)], st.info)
        return None
    same_pixels.check(image_names.digest_of(ctx, name, index))
    label = int(image.labels[0])
    of = f", class {image.class_names[label]}" if label >= 0 else ""
    file = f", {image.file(0)}" if image.file(0) else ""
    number = "" if shown.is_shown(name) else f" {index}"
    return OneImage(image, f"{ctx.title(name)}{number}{of}{file}", (name, index))
