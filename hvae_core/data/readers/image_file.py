"""The gate for image files: bytes from anywhere in, a uint8 (C, H, W) array or one sentence out."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hvae_core.common.errors import ImageFileError
from hvae_core.data.image_set import Pixels, from_picture
from hvae_core.data.readers.look import Decoded, Look
from hvae_core.data.readers.names import KINDS

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
MAX_BYTES = 32 * 2**20
MAX_SIDE = 4096

# Where a file may say which side is up; looked at first because most small images say nothing.
_ORIENTATION_KEYS = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})

# A filter of the process, not catch_warnings: that one is not safe with the server's threads.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# What a TIFF says too much or too little of; the picture itself is checked when it is read.
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")

_BROKEN = (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError,
           OverflowError, MemoryError, struct.error, ZeroDivisionError, AttributeError,
           RuntimeError, AssertionError, NotImplementedError)  # fmt: skip


def open_image(source: bytes | Path | BinaryIO, name: str = "The file") -> Pixels:
    """Return one image file as uint8 (C, H, W), C = 1 grey or 3 colour.

    `name` opens the sentence of an `ImageFileError`.
    """
    decoded = decode(read_bytes(source, name), name)
    return decoded.pixels(Look.of([decoded]))


def decode(data: bytes, name: str) -> Decoded:
    """Return one image file as it has its picture.

    Order of the checks: format, size in pixels (before anything is decoded), structure
    (`verify`), then the pixels.
    """
    try:
        picture = _open(data, name)
        picture.verify()
        # verify leaves a picture that cannot be read: open it again.
        picture = _open(data, name)
        # A phone's JPEG may have a second picture for other purposes.
        moving = picture.format != "MPO" and getattr(picture, "is_animated", False)
        decoded = _decoded(picture)
        return replace(decoded, moving=True) if moving else decoded
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise ImageFileError(_too_many_pixels(name)) from exc
    except _BROKEN as exc:
        raise ImageFileError(
            f"{name} is damaged or incomplete; save or download it again."
        ) from exc


def pages(data: bytes, name: str, most: int) -> int:
    """How many pictures a file holds, ``most`` at most; 1 for a file that cannot be read."""
    count = 1
    try:
        picture = _open(data, name)
        while picture.format == "TIFF" and count < most:
            picture.seek(count)
            count += 1
    except (ImageFileError, *_BROKEN):
        pass  # after the last page, or what is wrong shows when the first is read
    return count


def page_bytes(data: bytes, name: str, page: int) -> bytes:
    """Return one page of a TIFF as a file of its own, with the same numbers."""
    single = io.BytesIO()
    try:
        picture = _open(data, name)
        picture.seek(page)
        _check_size(picture, name)
        picture.save(single, "TIFF", compression="raw")
    except _BROKEN as exc:
        raise ImageFileError(
            f"{name} is damaged or incomplete; save or download it again."
        ) from exc
    return single.getvalue()


def is_jpeg(data: bytes) -> bool:
    """Return whether a file's bytes begin as those of a JPEG."""
    return data.startswith(b"\xff\xd8\xff")


def looks_like_picture(start: bytes) -> bool:
    """Return whether a file begins as one of the formats that are read."""
    return start.startswith(
        (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
    ) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")  # fmt: skip


def read_bytes(source: bytes | Path | BinaryIO, name: str) -> bytes:
    """Return the bytes of a file, refused where they are none or too many."""
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
        raise ImageFileError(f"{name} is empty; choose a {KINDS} image.")
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
            f"{name} is not a {KINDS} image, or is damaged; convert it to PNG or open another."
        ) from exc
    _check_size(picture, name)
    return picture


def _check_size(picture: Image.Image, name: str) -> None:
    if max(picture.size) > MAX_SIDE:
        width, height = picture.size
        raise ImageFileError(_too_many_pixels(name, f" ({width} x {height})"))


def _too_many_pixels(name: str, size: str = "") -> str:
    return (
        f"{name} has too many pixels{size}; "
        f"scale it down to {MAX_SIDE} x {MAX_SIDE} or smaller first."
    )


def _decoded(picture: Image.Image) -> Decoded:
    # Any mode of the formats, upright.
    picture.load()
    if _ORIENTATION_KEYS & picture.info.keys():
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        # convert("L") would clip at 255 and give a white picture.
        return Decoded(_upright(picture, np.asarray(picture).astype(np.uint16))[None])
    if picture.mode in ("I", "F"):
        wide = np.asarray(picture)[None]
        if picture.mode == "I" and picture.format == "PNG":
            wide = np.clip(wide, 0, 65535).astype(np.uint16)
        return Decoded(wide)
    mode = "L" if _is_grey(picture) else "RGB"
    if picture.has_transparency_data:
        whole = picture.convert("RGBA")
        alpha = np.asarray(whole.getchannel("A"), dtype=np.uint8)
        colours = from_picture(whole.convert("RGB").convert(mode))
        return Decoded(colours, alpha if alpha.min(initial=255) < 255 else None)
    return Decoded(from_picture(picture if picture.mode == mode else picture.convert(mode)))


def _upright(picture: Image.Image, wide: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Levels of 16 bits with 0 as black: a TIFF may say that 0 is white."""
    white_is_zero = picture.format == "TIFF" and getattr(picture, "tag_v2", {}).get(262) == 0
    return 65535 - wide if white_is_zero else wide


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P":
        palette = np.asarray(picture.getpalette("RGB") or [0], dtype=np.uint8)
        triples = palette[: len(palette) // 3 * 3].reshape(-1, 3)
        return bool((triples == triples[:, :1]).all())
    return picture.mode in ("1", "L", "LA", "La")
