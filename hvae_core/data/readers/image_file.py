"""The gate for image files: bytes from anywhere in, a uint8 (C, H, W) array or one sentence out."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hvae_core.common.errors import ImageFileError
from hvae_core.data.image_set import Pixels, from_picture

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
MAX_BYTES = 32 * 2**20
MAX_SIDE = 4096

# Where a file may say which side is up; looked at first because most small images say nothing.
_ORIENTATION_KEYS = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})

# A filter of the process, not catch_warnings: that one is not safe with the server's threads.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
           OverflowError, MemoryError, struct.error, ZeroDivisionError)  # fmt: skip


def open_image(source: bytes | Path | BinaryIO, name: str = "The file") -> Pixels:
    """Return one image file as uint8 (C, H, W), C = 1 grey or 3 colour.

    Order of the checks: size in bytes, format, size in pixels (before anything is decoded),
    structure (`verify`), then the pixels. `name` opens the sentence of an `ImageFileError`.
    """
    data = _read(source, name)
    try:
        picture = _open(data, name)
        picture.verify()
        # verify leaves a picture that cannot be read: open it again.
        picture = _open(data, name)
        return _to_pixels(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ImageFileError(_too_many_pixels(name)) from exc
    except _BROKEN as exc:
        raise ImageFileError(
            f"{name} is damaged or incomplete; save or download it again."
        ) from exc


def is_jpeg(data: bytes) -> bool:
    """Return whether a file's bytes begin as those of a JPEG."""
    return data.startswith(b"\xff\xd8\xff")


def named_jpeg(name: str) -> bool:
    """Return whether a file's name says that it is a JPEG."""
    return name.lower().endswith((".jpg", ".jpeg"))


def _read(source: bytes | Path | BinaryIO, name: str) -> bytes:
    try:
        if isinstance(source, bytes):
            data = source
        elif isinstance(source, Path):
            with source.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = source.read(MAX_BYTES + 1)
    except OSError as exc:
        raise ImageFileError(f"{name} cannot be read: {exc.strerror or exc}.") from exc
    if not data:
        raise ImageFileError(f"{name} is empty; choose a PNG, JPEG, BMP or WebP image.")
    if len(data) > MAX_BYTES:
        raise ImageFileError(
            f"{name} is larger than {MAX_BYTES // 2**20} MiB; save a smaller version of the image."
        )
    return data


def _open(data: bytes, name: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as exc:
        raise ImageFileError(
            f"{name} is not a PNG, JPEG, BMP or WebP image; convert it to PNG first."
        ) from exc
    if max(picture.size) > MAX_SIDE:
        width, height = picture.size
        raise ImageFileError(_too_many_pixels(name, f" ({width} x {height})"))
    return picture


def _too_many_pixels(name: str, size: str = "") -> str:
    return (
        f"{name} has too many pixels{size}; "
        f"scale it down to {MAX_SIDE} x {MAX_SIDE} or smaller first."
    )


def _to_pixels(picture: Image.Image) -> Pixels:
    # Any mode of the four formats to L or RGB, upright.
    picture.load()
    if _ORIENTATION_KEYS & picture.info.keys():
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):
        return _from_16_bit(picture)
    if picture.has_transparency_data:
        return from_picture(_on_background(picture.convert("RGBA"), _is_grey(picture)))
    mode = "L" if _is_grey(picture) else "RGB"
    return from_picture(picture if picture.mode == mode else picture.convert(mode))


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P":
        palette = np.asarray(picture.getpalette("RGB") or [0], dtype=np.uint8)
        triples = palette[: len(palette) // 3 * 3].reshape(-1, 3)
        return bool((triples == triples[:, :1]).all())
    return picture.mode in ("1", "L", "LA", "La")


def _from_16_bit(picture: Image.Image) -> Pixels:
    # convert("L") would clip at 255 and give a white picture.
    wide = np.clip(np.asarray(picture, dtype=np.int64), 0, 65535)
    return np.round(wide / 257).astype(np.uint8)[None]


def _on_background(picture: Image.Image, grey: bool) -> Image.Image:
    # Black under light content, white under dark: dark ink on nothing must not vanish.
    luma, alpha = (
        np.asarray(part, dtype=np.float64) for part in (picture.convert("L"), picture.split()[3])
    )
    visible = alpha.sum()
    is_light = visible == 0 or (luma * alpha).sum() / visible >= 128
    background = Image.new("RGBA", picture.size, (0, 0, 0, 255) if is_light else (255,) * 4)
    return Image.alpha_composite(background, picture).convert("L" if grey else "RGB")
