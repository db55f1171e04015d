"""Small pictures whole in a link: whoever opens it sees them, and no server keeps them.

A picture (C, H, W) of bytes stands there as "CxHxW." and its deflated pixels in base64, and with
its name after another dot. What else its file says stays out, as where a photograph was made.
"""

from __future__ import annotations

import base64
import re
import zlib
from math import prod

import numpy as np

from hvae_core.common.plain import plain
from hvae_core.data.image_set import Pixels

MOST = 6000
"""Signs of a whole address: with many more of them, servers on the way refuse it."""
_SIDE = 512
_FORM = re.compile(r"([13])x(\d{1,3})x(\d{1,3})\.([A-Za-z0-9_-]+)")


def to_text(pixels: Pixels, most: int = MOST) -> str:
    """A picture (C, H, W) in at most so many signs; "" for one that is too large for that."""
    if max(pixels.shape) > _SIDE:
        return ""
    packed = _packed(zlib.compress(pixels.tobytes(), 9))
    text = f"{'x'.join(map(str, pixels.shape))}.{packed}"
    return text if len(text) <= most and _FORM.fullmatch(text) else ""


def from_text(text: str, most: int = MOST) -> Pixels | None:
    """The picture (C, H, W) that a text stands for; None where it is none of ``to_text``."""
    found = _FORM.fullmatch(text) if len(text) <= most else None
    if found is None:
        return None
    shape = tuple(map(int, found.groups()[:3]))
    if not all(shape) or max(shape) > _SIDE:
        return None
    unpacker = zlib.decompressobj()
    try:
        # Never more, whatever the text promises.
        raw = unpacker.decompress(_unpacked(found[4]), prod(shape) + 1)
    except (ValueError, zlib.error):
        return None
    if len(raw) != prod(shape):
        return None
    return np.frombuffer(raw, np.uint8).reshape(shape).copy()


def named_to_text(pixels: Pixels, title: str, most: int = MOST) -> str:
    """A picture (C, H, W) and its name in at most so many signs; "" where they do not fit."""
    named = _packed(title.encode())
    text = to_text(pixels, most - len(named) - 1)
    return f"{text}.{named}" if text else ""


def named_from_text(text: str, most: int = MOST) -> tuple[Pixels, str] | None:
    """Picture and name that a text stands for; None where it is none of ``named_to_text``.

    A picture without a readable name is called "Picture".
    """
    packed, _, named = text.rpartition(".")
    pixels = from_text(packed, most)
    if pixels is None:
        return None
    try:
        return pixels, plain(_unpacked(named).decode()) or "Picture"
    except ValueError:
        return pixels, "Picture"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    """What base64 without its last signs stands for; ``ValueError`` where it is none."""
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
