"""JPEG at a rate: what a picture costs there, and what is left of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, partial

from PIL import Image

from hvae_core.data.image_set import Pixels, from_picture, to_picture

WORST, BEST = 1, 100
_AROUND = 2
_START_OF_SCAN = 0xDA


@dataclass(frozen=True, eq=False)
class Jpeg:
    """A picture as JPEG codes it at a quality.

    ``bits`` are those of the coded pixels alone. What stands before them in the file, ``header``
    bytes, is not counted: its tables are the standard ones of a quality, which both sides know, as
    they know a model's weights.
    """

    quality: int
    bits: int
    header: int
    picture: Pixels


def encoded(picture: Pixels, quality: int) -> Jpeg:
    """A picture (C, H, W) through baseline JPEG: standard tables, colours at half resolution."""
    buffer = io.BytesIO()
    to_picture(picture).save(
        buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=False, progressive=False
    )
    data = buffer.getvalue()
    start = _scan_start(data)
    scan = len(data) - start - 2  # without the marker of the end
    with Image.open(buffer, formats=("JPEG",)) as decoded:
        return Jpeg(quality, bits=8 * scan, header=start, picture=from_picture(decoded))


def nearest_rate(picture: Pixels, bits: float) -> Jpeg:
    """JPEG at the quality whose bits come nearest to these, found by bisection.

    The bits rise with the quality, from 1 to 100, but for some bytes here and there: so the
    neighbours of where the bisection ends are tried as well. Below quality 1 there is nothing: then
    that is the nearest, with more bits than asked for.
    """
    at = cache(partial(encoded, picture))
    low, high = WORST, BEST
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle).bits < bits:
            low = middle
        else:
            high = middle
    near = range(max(WORST, low - _AROUND), min(BEST, high + _AROUND) + 1)
    return min(map(at, near), key=lambda jpeg: abs(jpeg.bits - bits))


def _scan_start(data: bytes) -> int:
    """Where the coded pixels begin: after the header of the one scan."""
    place = 2
    while True:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        place += 2 + length
        if marker == _START_OF_SCAN:
            return place
