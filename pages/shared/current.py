"""The current image, one through all pages, and the one pinned beside it; both stand in links.

An image is its set and its number there. Whoever shows one calls ``take`` or ``settle``; the
sidebar shows it (``current_view``), and a page's own controls of set and number follow it
(``controls``). A picture of no set, as a drawing, is a set of one (``shown``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.data.worlds import World
from pages.shared import image_names, links, same_pixels, selection, shown, ui
from pages.shared.state import Context

Spot = tuple[str, int]
"""An image: the name of its set, and its number there."""
IMAGE, PINNED = "image", "pinned"
"""In the session's state and in links."""
CALLED = {IMAGE: "current image", PINNED: "pinned image"}
_DRAWN = "image_drawn"
_TAKEN = "image_taken"
_MISSED = "image_missed"
"""In the session's state: what a link named that is not here."""


def chosen(ctx: Context, key: str = IMAGE) -> Spot | None:
    """The image that was chosen, by a link too; None where none was, or none of this world."""
    asked = links.arrived(key)
    if asked:
        try:
            st.session_state[key] = image_names.parse(ctx, asked)
            links.absent(key, "")
        except HVAEError:
            st.session_state[_MISSED] = asked
            links.absent(
                key,
                f"The {CALLED[key]} of this link ({asked[:60]}) is not here: its set is of another "
                "world, or somebody brought it.",
            )
    spot: Spot | None = st.session_state.get(key)
    here = spot if spot and spot[0] in {spec.name for spec in ctx.world.sets} else None
    links.say(key, image_names.name_of(*here) if here else "")
    return here


def now(ctx: Context) -> Spot:
    """The current image: the first outsider until another one is chosen."""
    return chosen(ctx) or ((*ctx.out_names, ctx.in_name)[0], 0)


def take(spot: Spot, key: str = IMAGE) -> None:
    """Make an image the current or the pinned one, for every page."""
    if st.session_state.get(key) != spot:
        st.session_state[key] = spot
        if key == IMAGE:
            st.session_state[_TAKEN] = spot
        ui.redraw_all()


def given(ctx: Context, asker: str, *, by_link: bool = False) -> Spot | None:
    """A picture of no set that another page made the current image in this session, or None.

    ``by_link``: or that a link names, where ``asker`` is drawn for the first time. Asked before
    ``moved``, after which ``asker`` has seen it.
    """
    spot, seen = chosen(ctx), st.session_state.get("image_seen", {})
    taken = st.session_state.get(_TAKEN) == spot or (by_link and asker not in seen)
    theirs = spot is not None and taken and spot != seen.get(asker)
    return spot if theirs and spot and shown.is_shown(spot[0]) else None


def settle(spot: Spot, asker: str) -> bool:
    """Make what ``asker`` shows the current image; whether it was another one.

    The asker is not told of its own choice (``moved``).
    """
    seen: dict[str, Spot | None] = st.session_state.setdefault("image_seen", {})
    seen[asker] = spot
    if st.session_state.get(_MISSED) == image_names.name_of(*spot):  # it is here after all
        links.absent(IMAGE, "")
    other = st.session_state.get(IMAGE) != spot
    take(spot)
    return other


def with_pictures(world: World) -> World:
    """The world with the current and the pinned picture of no set, and what they were made from."""
    spots = [spot for key in (IMAGE, PINNED) if (spot := st.session_state.get(key))]
    spots += [made_from for spot in spots if (made_from := shown.origin(spot))]
    return shown.with_pictures(world, [spot[0] for spot in spots])


def unpin() -> None:
    """Take the pinned image away."""
    st.session_state.pop(PINNED, None)


def swap(ctx: Context) -> None:
    """The pinned image becomes the current one, and the other way round."""
    beside = chosen(ctx, PINNED)
    if beside:
        st.session_state[IMAGE], st.session_state[PINNED] = beside, now(ctx)
        st.session_state[_TAKEN] = beside


def walked(ctx: Context) -> Sequence[Spot]:
    """What previous and next walk through: the current subset if the image is in it, or its set.

    Of a changed image that of the image as it was; the image alone where its set is not on this
    machine.
    """
    spot, subset = _stands(ctx), selection.current(ctx)
    if spot in subset:
        return subset
    try:
        return [(spot[0], number) for number in range(len(ctx.images(spot[0])))]
    except HVAEError:
        return [spot]


def _stands(ctx: Context) -> Spot:
    """Where the current image stands in its set; of a changed one, where it stood before."""
    spot = now(ctx)
    return shown.origin(spot) or spot


def step(ctx: Context, by: int) -> None:
    """Go so many images on, round and round."""
    line, spot = walked(ctx), _stands(ctx)
    take(line[(line.index(spot) + by) % len(line)] if spot in line else line[0])


def jump(ctx: Context) -> None:
    """Go to another image by the seed and the count of draws so far."""
    line, spot = walked(ctx), _stands(ctx)
    count = st.session_state[_DRAWN] = int(st.session_state.get(_DRAWN, 0)) + 1
    others = [one for one in line if one != spot] or line
    take(others[int(np.random.default_rng([ctx.seed, count]).integers(len(others)))])


def moved(ctx: Context, asker: str) -> bool:
    """Whether another image was chosen since ``asker`` last asked; the first time it was not."""
    seen: dict[str, Spot | None] = st.session_state.setdefault("image_seen", {})
    spot = chosen(ctx)
    before = seen.get(asker, spot)
    seen[asker] = spot
    return before != spot


def check_pixels(ctx: Context, spots: Sequence[Spot]) -> None:
    """Say where a link's sender saw other pixels under these sets and numbers."""
    digests: dict[str, int] = {}
    for spot in spots:
        digests |= image_names.digest_of(ctx, *spot)
    same_pixels.check(digests, f"{IMAGE}_{same_pixels.IMAGES}")
