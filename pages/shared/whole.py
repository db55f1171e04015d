"""Small pictures whole in a link: whoever opens it sees them, and no server keeps them.

A picture (C, H, W) of bytes stands there as "CxHxW." and its deflated pixels in base64.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from math import prod

import numpy as np

from hvae_core.data.image_set import Pixels

MOST = 6000
"""Signs of a picture in a link: with more of them, servers on the way refuse an address."""
_SIDE = 512
_FORM = re.compile(r"([13])x(\d{1,3})x(\d{1,3})\.([A-Za-z0-9_-]+)")


def to_text(pixels: Pixels, most: int = MOST) -> str:
    """A picture (C, H, W) in at most so many signs; "" for one that is too large for that."""
    packed = base64.urlsafe_b64encode(zlib.compress(pixels.tobytes(), 9)).decode().rstrip("=")
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
    packed = found[4]
    unpacker = zlib.decompressobj()
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True)
        raw = unpacker.decompress(data, prod(shape) + 1)  # never more, whatever the text promises
    except (binascii.Error, ValueError, zlib.error):
        return None
    if len(raw) != prod(shape):
        return None
    return np.frombuffer(raw, np.uint8).reshape(shape).copy()
