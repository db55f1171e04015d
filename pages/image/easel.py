"""A canvas to draw an image on, and a field to paste one: two small scripts of the browser's.

What they send is bytes of a stranger's: of the one exactly as many pixels as the canvas has, of
the other a file that goes through the same gate as every upload.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from hvae_core.common.arrays import Shape
from hvae_core.common.deployment import upload_limit
from hvae_core.data.image_set import Pixels
from pages.shared.anew import anew

MOST_PASTED = 16 * 2**20
"""Bytes of a pasted picture."""
_HERE = Path(__file__).parent
_CSS = (_HERE / "easel.css").read_text("utf-8")
_NARROW = """<style>@media (max-width: 640px) {
    .st-key-i_row:has(.st-key-i_canvas) {flex-flow: column; gap: 1rem}
    .st-key-i_row:has(.st-key-i_canvas) :is(.st-key-i_left, .st-key-i_column),
    .st-key-i_row:has(.st-key-i_canvas) > * {display: contents}
    .st-key-i_left > :has(> .st-key-i_canvas) ~ * {order: 2}
    .st-key-i_column > * {order: 3}
    .st-key-i_column > :has(.st-key-i_verdict) {order: 1}
}</style>"""
"""On a narrow screen the verdict of a drawing comes right below its canvas (page.py)."""
_canvas = component("strata_draw", js=(_HERE / "draw.js").read_text("utf-8"), css=_CSS)
_field = component("strata_paste", js=anew((_HERE / "paste.js").read_text("utf-8")), css=_CSS)


def draw(
    shape: Shape,
    start: Pixels | None,
    *,
    light: bool,
    on_drawn: Callable[[Pixels], None],
    on_cleared: Callable[[], None],
) -> None:
    """A canvas of (C, H, W), first with ``start``; ``on_drawn`` gets its pixels after every stroke.

    ``light`` says whether the ground is white, and the pen black. ``start`` that the browser itself
    sent changes nothing there.
    """

    def told() -> None:
        state = st.session_state.get("i_easel") or {}
        pixels = pixels_of(state.get("drawn"), shape)
        if pixels is not None:
            on_drawn(pixels)
        elif state.get("drawn") == "":
            on_cleared()

    st.html(_NARROW)
    _canvas(
        key="i_easel",
        data={
            "shape": list(shape),
            "ground": "#ffffff" if light else "#000000",
            "pen": "#000000" if light else "#ffffff",
            "start": "" if start is None else base64.b64encode(start.tobytes()).decode(),
        },
        on_drawn_change=told,
    )


def pixels_of(told: Any, shape: Shape) -> Pixels | None:
    """The pixels (C, H, W) that a browser says were drawn; None for anything else."""
    if not isinstance(told, str) or not told:
        return None
    raw = _bytes_of(told, int(np.prod(shape)))
    if raw is None or len(raw) != np.prod(shape):
        return None
    return np.frombuffer(raw, np.uint8).reshape(shape).copy()


def paste(on_pasted: Callable[[bytes], None]) -> None:
    """A field that takes a picture from the clipboard; ``on_pasted`` gets the file's bytes."""
    most = min(MOST_PASTED, upload_limit())

    def told() -> None:
        data = _bytes_of((st.session_state.get("i_clipboard") or {}).get("pasted"), most)
        if data:
            on_pasted(data)

    _field(key="i_clipboard", data={"most": most}, on_pasted_change=told)


def _bytes_of(told: Any, most: int) -> bytes | None:
    """What base64 text stands for; None for other things and for more than ``most`` bytes."""
    if not isinstance(told, str) or len(told) > 4 * (most // 3 + 1):
        return None
    try:
        return base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        return None
