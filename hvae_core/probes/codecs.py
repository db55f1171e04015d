"""JPEG and WebP beside a model: a picture at a quality, and at the PSNR of another copy of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache as once

import numpy as np
from PIL import Image

from hvae_core.common import cache, fingerprint
from hvae_core.data.image_set import Pixels, from_picture, to_picture
from hvae_core.probes import jpeg
from hvae_core.probes.compression import CURVE, Rating, jpeg_curve, rated, ratings_of, table_of
from hvae_core.probes.picture_quality import psnr

Coded = tuple[int, Pixels]
"""Bits, and the picture that is decoded from them."""
_WORST, _BEST = 1, 100
_AROUND = 2


def by_jpeg(picture: Pixels, quality: int) -> Coded:
    """Baseline JPEG; the bits are those of the coded pixels, without header and tables."""
    found = jpeg.encoded(picture, quality)
    return found.bits, found.picture


def by_webp(picture: Pixels, quality: int) -> Coded:
    """Lossy WebP at its slowest setting; the bits are those of the whole file."""
    buffer = io.BytesIO()
    to_picture(picture).save(buffer, "WEBP", quality=quality, method=6)
    with Image.open(buffer, formats=("WEBP",)) as decoded:
        copy = from_picture(decoded.convert("L" if len(picture) == 1 else "RGB"))
    return 8 * len(buffer.getvalue()), copy


CODECS: dict[str, Callable[[Pixels, int], Coded]] = {"JPEG": by_jpeg, "WebP": by_webp}


def curve(codec: str, picture: Pixels) -> tuple[Rating, ...]:
    """What a codec leaves of a picture (C, H, W) at each quality of ``CURVE``; kept."""
    if codec == "JPEG":
        return jpeg_curve(picture)
    return cache.kept(
        "codec",
        fingerprint.digest("codec-curve-1", codec, picture, CURVE),
        lambda: tuple(_rated(codec, picture, quality) for quality in CURVE),
        pack=lambda ratings: {"curve": table_of(ratings)},
        unpack=lambda arrays: ratings_of(arrays["curve"]),
    )


def at_psnr(codec: str, picture: Pixels, wanted: float) -> Rating:
    """A codec at the quality whose PSNR comes nearest to this one, found by bisection; kept.

    PSNR rises with the quality, but for a little here and there: so the neighbours of where the
    bisection ends are tried as well. Below quality 1 and above 100 there is nothing: a PSNR beyond
    them is answered with the last one.
    """

    @once
    def near(quality: int) -> float:
        return psnr(picture, CODECS[codec](picture, quality)[1])

    def find() -> tuple[Rating, ...]:
        low, high = _WORST, _BEST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if near(middle) < wanted else (low, middle)
        tried = range(max(_WORST, low - _AROUND), min(_BEST, high + _AROUND) + 1)
        return (_rated(codec, picture, min(tried, key=lambda q: abs(near(q) - wanted))),)

    return cache.kept(
        "codec",
        fingerprint.digest("codec-psnr-1", codec, picture, float(np.round(wanted, 6))),
        find,
        pack=lambda ratings: {"curve": table_of(ratings)},
        unpack=lambda arrays: ratings_of(arrays["curve"]),
    )[0]


def _rated(codec: str, picture: Pixels, quality: int) -> Rating:
    bits, copy = CODECS[codec](picture, quality)
    return rated(picture, copy, bits, quality=quality)
