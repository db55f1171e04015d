"""Sets made of what a box took: images that are in no set become one of the visitor's own.

Such a set is kept as long as the current subset, its history, a saved subset, the current image or
the pinned one names it. Only what is shown now is in the world.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import SetSpec
from pages.shared import current, selection, shown, store

_HELD, _PLACED = "boxed", "boxed_placed"
_MARK = 8
"""Signs of the digest in a title."""


def add(images: ImageSet) -> str:
    """Make images a set of this session and return its name; other pixels or files, another name.

    The digest stands in the title, of which a link that is opened makes the name again.
    """
    mark = fingerprint.digest(images.digest, images.files)[:_MARK]
    images = replace(images, title=f"{images.title} ({mark})")
    name = store.add_own_set(images, "out", images.title)
    held()[name] = store.own_sets()[name]
    _placed().add(name)
    return name


def held() -> dict[str, tuple[SetSpec, ImageSet]]:
    """The sets that boxes made, by name, in the world or not."""
    found: dict[str, tuple[SetSpec, ImageSet]] = st.session_state.setdefault(_HELD, {})
    return found


def settle() -> None:
    """Before a run builds its world: put in what is shown, and forget what nothing names.

    A set that the visitor removed in the sidebar is not put back.
    """
    own, placed = store.own_sets(), _placed()
    spots = [st.session_state.get(key) for key in (current.IMAGE, current.PINNED)]
    spots += [shown.origin(spot) for spot in spots if spot]
    here = {pick[0] for pick in (*selection.picked(), *filter(None, spots))}
    named = here | selection.named()
    for name, each in list(held().items()):
        if name not in named or (name in placed and name not in own):
            del held()[name]
        if name in here and name in held():
            own[name] = each
            placed.add(name)
        elif name in placed:
            own.pop(name, None)
            placed.remove(name)


def _placed() -> set[str]:
    """Those that the last run found in the world."""
    found: set[str] = st.session_state.setdefault(_PLACED, set())
    return found
