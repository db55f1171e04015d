"""Small pictures whole in a link: whoever opens it sees them, and no server keeps them.

A picture (C, H, W) of bytes stands there as "CxHxW." and its deflated pixels in base64, a file as
"file.", its bytes and its name.
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
"""Signs of a picture in a link: with more of them, servers on the way refuse an address."""
_SIDE = 512
_FORM = re.compile(r"([13])x(\d{1,3})x(\d{1,3})\.([A-Za-z0-9_-]+)")
_FILE = re.compile(r"file\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


def to_text(pixels: Pixels, most: int = MOST) -> str:
    """A picture (C, H, W) in at most so many signs; "" for one that is too large for that."""
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


def file_to_text(data: bytes, name: str) -> str:
    """A file in a link, with its name; "" for one that is too large for that."""
    text = f"file.{_packed(data)}.{title_to_text(name)}" if len(data) < MOST else ""
    return text if len(text) <= MOST else ""


def file_from_text(text: str) -> tuple[bytes, str] | None:
    """Bytes and name of the file that a text stands for; None where it is none of ``to_text``'s."""
    found = _FILE.fullmatch(text) if len(text) <= MOST else None
    if found is None:
        return None
    try:
        return _unpacked(found[1]), title_from_text(found[2])
    except ValueError:
        return None


def title_to_text(title: str) -> str:
    """What a picture is called, in a link."""
    return _packed(title.encode())


def title_from_text(text: str) -> str:
    """What a picture of a link is called; "Picture" where the text is no title."""
    try:
        return plain(_unpacked(text).decode()) or "Picture"
    except ValueError:
        return "Picture"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    """What base64 without its last signs stands for; ``ValueError`` where it is none."""
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
