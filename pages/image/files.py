"""Pictures of a visitor's own: a file, a drawing, what the clipboard or the camera has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.data import one_image
from hvae_core.data.hints import hints
from hvae_core.data.image_set import Pixels, to_picture
from hvae_core.data.prepare import STEPS, WORDS, Step
from hvae_core.data.readers.names import KINDS
from hvae_core.figures import png_bytes
from pages.image import changes, easel
from pages.image.one_image import OneImage
from pages.shared import ui, uploads, whole
from pages.shared.apart import opened
from pages.shared.state import Context


@dataclass(frozen=True, eq=False)
class _File:
    """A file that was brought, and the picture in it as it came."""

    digest: str
    data: bytes
    name: str
    image: OneImage
    pixels: Pixels | None
    """The picture (C, H, W) where it may stand for the file in a link."""


def upload(ctx: Context) -> OneImage | None:
    """An uploaded file through the gate."""
    file = uploads.uploaded(
        f"A {KINDS} image", "i_file", _opened, anew=changes.undo,
        help="It is brought to the model's shape; what was done to it is written below it.",
    )  # fmt: skip
    return _prepared_as_asked(file)


def camera(ctx: Context) -> OneImage | None:
    """A photograph by the camera of this device."""
    file = uploads.uploaded(
        "A photograph", "i_photo", _opened, field=st.camera_input, anew=changes.undo,
        help="The browser asks whether the camera may be used. Crop or pad the picture below.",
    )  # fmt: skip
    return _prepared_as_asked(file)


def clipboard(ctx: Context) -> OneImage | None:
    """A picture from the clipboard."""
    easel.paste(_pasted)
    return _prepared_as_asked(uploads.brought("i_pasted", _opened))


def _pasted(data: bytes) -> None:
    uploads.received("i_pasted", data, "Pasted picture", _opened)
    changes.undo()


def drawing(ctx: Context) -> OneImage | None:
    """A picture drawn on a canvas of the model's shape."""
    place = st.container(key="i_canvas")
    file = uploads.brought("i_drawn", _opened)
    with place:
        easel.draw(
            ctx.a.image_shape,
            None if file is None else file.image.at(ctx.a).images[0],
            light=ctx.world.ground == "light",
            on_drawn=_drawn,
            on_cleared=lambda: uploads.emptied("i_drawn"),
        )
    if file is None:
        st.caption("Draw, and it is judged after each stroke.")
        return None
    return file.image


def draw_on(image: Pixels) -> None:
    """Take an image (C, H, W) to the canvas, and what was done to it is not done again there."""
    _drawn(image)
    changes.undo()
    st.session_state["i_from"] = "draw"


def _drawn(image: Pixels) -> None:
    data = png_bytes(to_picture(image))
    uploads.received("i_drawn", data, "Drawing", _opened)


KEYS = {"upload": "i_file", "paste": "i_pasted", "camera": "i_photo"}
"""By source, the key of the file that was brought; their own controls have the steps (``changes``),
since a file is read again for them."""
SOURCES: dict[str, Callable[[Context], OneImage | None]] = {
    "upload": upload,
    "draw": drawing,
    "paste": clipboard,
    "camera": camera,
}
"""By the words of the control that chooses among them."""


def _prepared_as_asked(file: _File | None) -> OneImage | None:
    """The picture after the steps that its visitor wants."""
    if file is None:
        return None
    steps = changes.steps_asked(STEPS)
    return file.image if not steps else _prepared(file.digest, file.name, steps, file)


def hinted(ctx: Context, image: OneImage) -> None:
    """What is unlike the model's own images in a file that was brought, and the step against it.

    This stands with the verdict, which it puts in doubt.
    """
    if image.spot is not None or st.session_state.get("i_from") not in KEYS:
        return
    for hint in hints(image.images, ctx.a.image_shape, ctx.world.ground):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/lightbulb: {ui.plain(hint.sentence)}", width="content")
            st.button(
                WORDS[hint.step], key=f"i_do_{hint.step}", on_click=_prepare, args=(hint.step,)
            )


def _prepare(step: Step) -> None:
    st.session_state["i_prepare"] = [*(st.session_state.get("i_prepare") or []), step]


def _opened(data: bytes, name: str) -> _File:
    image = OneImage(opened(one_image, data, "upload", name), name)
    came = image.images.images[0]
    pixels = came if whole.to_text(came) and _stands_for(data, came) else None
    return _File(hashlib.sha256(data).hexdigest(), data, name, image, pixels)


def _stands_for(data: bytes, pixels: Pixels) -> bool:
    """Whether a file of the pixels alone becomes by every step what the file with them becomes.

    The levels of a file may be finer than bytes, or its ground transparent.
    """
    alone = png_bytes(to_picture(pixels))
    if alone == data:
        return True
    ways: tuple[tuple[Step, ...], ...] = ((), ("invert",), STEPS)
    for steps in ways:
        one, other = (
            opened(one_image, file, "upload", "", prepare=steps).images for file in (data, alone)
        )
        if not np.array_equal(one, other):
            return False
    return True


@st.cache_resource(max_entries=16, show_spinner=False)
def _prepared(digest: str, name: str, steps: tuple[Step, ...], _file: Any) -> OneImage:
    return OneImage(opened(one_image, _file.data, "upload", _file.name, prepare=steps), _file.name)
