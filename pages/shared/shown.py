"""Pictures of no set as images that every page can show: a drawing, a file, a changed image.

Each is a set of one in the world, named by a digest of its pixels, so that it can be the current
image or the pinned one. Links hold it whole where it is small; a larger one lies on the visitor's
shelf for a day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import streamlit as st

from hvae_core.common import shelf
from hvae_core.common.plain import plain
from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.data.origins import InMemory
from hvae_core.data.worlds import SetSpec, World
from pages.shared import links, store, visitor, whole

KEY = "shown"
"""In the session's state and in links."""
KIND = "shown"
PREFIX = "picture-"
_MISSED = "shown_missed"
"""In the session's state: what stood in a link for pictures that are not here."""
Spot = tuple[str, int]
_MOST = 4
"""Pictures of a link: the current one, the pinned one, and what each was made from."""
_SIGNS = 2**21
"""Of a picture on the shelf."""
LEAST = _MOST * (shelf.LINKED + 1)
"""Signs of the pictures of a link where each stands there by its digest."""
_TITLE = 80


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture that pages show: its set of one, and the image of a set that it was made from."""

    images: ImageSet
    origin: Spot | None = None


def add(pixels: Pixels, title: str, origin: Spot | None = None) -> Spot:
    """Make a picture (C, H, W) an image of this session's world; how it is called there."""
    images = ImageSet("picture", plain(title, _TITLE), pixels[None].copy(), np.full(1, -1))
    images = store.as_text(images)
    name = name_of(pixels, images.title)
    _held()[name] = Shown(images.renamed(name, images.title), origin)
    if missed := st.session_state.get(_MISSED):  # of a link: it may be this one, made anew
        missed.discard(_apart(images)[0][: shelf.LINKED])
        links.absent(KEY, _ABSENT if missed else "")
    return name, 0


def name_of(pixels: Pixels, title: str) -> str:
    """The name of the set of one that a picture (C, H, W) of this title is, in every session."""
    about = f"{title} {pixels.shape}".encode()
    return f"{PREFIX}{hashlib.sha256(about + pixels.tobytes()).hexdigest()[:8]}"


def origin(spot: Spot) -> Spot | None:
    """The image of a set that a picture was made from; None for other images and pictures."""
    held = _held().get(spot[0])
    return None if held is None else held.origin


def is_shown(set_name: str) -> bool:
    """Whether a set is a picture of no set."""
    return set_name.startswith(PREFIX)


def with_pictures(world: World, needed: Collection[str]) -> World:
    """The world with the pictures of a link, and those of this session that are ``needed``.

    Those needed first come first to stand whole in a link.
    """
    held = _held()
    if asked := links.arrived(KEY):
        _take_up(asked)
    else:
        held = {name: held[name] for name in dict.fromkeys(needed) if name in held}
        st.session_state[KEY] = held
    _say()
    for name, each in held.items():
        world = world.with_set(SetSpec(name, each.images.title, "shown", InMemory(each.images)))
    return world


def _say() -> None:
    """Write the pictures into the address: whole as far as there is room, or by their digests."""
    texts = []
    left = links.room(KEY) - (shelf.LINKED + 1) * len(_held())
    for each in _held().values():
        text = _text(each.images, left + shelf.LINKED)
        left -= len(text) - shelf.LINKED
        texts.append(text)
    links.say(KEY, "~".join(texts))


def titles_in_link() -> list[str]:
    """What the pictures are called that stand whole in the address."""
    parts = st.query_params.get(KEY, "").split("~")
    return [found[1] for text in parts if (found := whole.named_from_text(text))]


def _held() -> dict[str, Shown]:
    held: dict[str, Shown] = st.session_state.setdefault(KEY, {})
    return held


def _text(images: ImageSet, most: int) -> str:
    """A picture in a link: in at most so many signs, or the digest under which it is kept."""
    if text := whole.named_to_text(images.images[0], images.title, min(most, whole.MOST)):
        return text
    (digest, data), me = _apart(images), visitor.visitor()
    if data and shelf.find((me,), KIND, digest) is None:
        shelf.keep(me, KIND, shelf.Kept(digest, images.title, me, data))
    return digest[: shelf.LINKED]


def _apart(images: ImageSet) -> tuple[str, bytes]:
    """What is kept of a picture that a link does not hold: its digest, and picture and title.

    Nothing of a picture that is too large for that; its digest is its own all the same.
    """
    pixels = images.images[0]
    data = whole.named_to_text(pixels, images.title, _SIGNS).encode()
    return hashlib.sha256(data or images.title.encode() + pixels.tobytes()).hexdigest(), data


def _take_up(asked: str) -> None:
    """Hold the pictures of a link, or say that they are not here."""
    missed: set[str] = set()
    for asked_for in asked.split("~")[:_MOST]:
        text = asked_for
        if "." not in text:
            kept = shelf.find((visitor.visitor(),), KIND, text)
            text = "" if kept is None else kept.data.decode("ascii", "replace")
        found = whole.named_from_text(text, _SIGNS)
        if found is None:
            missed.add(asked_for)
        else:
            add(*found)
    st.session_state[_MISSED] = missed
    links.absent(KEY, _ABSENT if missed else "")


_ABSENT = (
    "A picture of this link is not here. It is too large for a link, and it was shown in another "
    "browser or more than a day ago, or is too large to be kept. Ask who sent the link for the "
    "file."
)
