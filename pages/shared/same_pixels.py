"""Whether images that a link names by set and number are those that its sender saw.

A set of the same name may have other pixels in another data folder. So the address carries, beside
set and number, the start of a digest of each image's pixels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import streamlit as st

from hvae_core.common.words import listed
from pages.shared import links

IMAGES = "pixels"
"""The key in the address for the images of a page."""
_NAME, _PIXELS = 4, 8
"""Hexadecimal digits for an image's name and for its pixels."""
SIGNS = _NAME + _PIXELS
"""Of an image, or of a set's selected ones, in the address."""
_MOST = 64
"""Images of a link that are read."""


def check(digests: Mapping[str, int], key: str = IMAGES) -> None:
    """Say which images a link's sender saw with other pixels, and write the digests of these.

    ``digests`` are 64 bits of each image's pixels, by what the image is called ("Digits 3"). With
    none, as where the images are not on this machine, nothing is said and the address stays.
    """
    if not digests:
        return
    asked = links.arrived(key)
    if asked:
        st.session_state[f"asked_{key}"] = _read(asked)
    wanted: dict[str, str] = st.session_state.get(f"asked_{key}", {})
    marks = {name: _mark(name) for name in digests}
    here = {marks[name]: f"{digest:016x}"[:_PIXELS] for name, digest in digests.items()}
    others = [name for name, mark in marks.items() if wanted.get(mark, here[mark]) != here[mark]]
    links.absent(key, _sentence(others) if others else "")
    # What the link said stays in the address, so that a reload says it again.
    links.say(key, "".join(mark + wanted.get(mark, pixels) for mark, pixels in here.items()))


def _mark(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=_NAME // 2).hexdigest()


def _read(text: str) -> dict[str, str]:
    """Digits of pixels by those of the name; none where the text is no such list."""
    if not re.fullmatch(rf"([0-9a-f]{{{SIGNS}}}){{1,{_MOST}}}", text):
        return {}
    parts = [text[at : at + SIGNS] for at in range(0, len(text), SIGNS)]
    return {part[:_NAME]: part[_NAME:] for part in parts}


def _sentence(names: list[str]) -> str:
    one = len(names) == 1
    return (
        f"{listed(names)} {'is' if one else 'are'} not what the sender of this link saw: the "
        f"{'set has' if one else 'sets have'} other pixels in this data folder. Shown "
        f"{'is the image' if one else 'are the images'} of the same number here."
    )
