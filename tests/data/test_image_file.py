"""The gate for image files: every mode comes out right, every hostile file in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hvae_core.common.errors import ImageFileError
from hvae_core.data import one_image, open_image
from hvae_core.data.readers import image_file

Encode = Callable[..., bytes]


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, raw: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw, 1))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_formats_give_the_pixels(kind: str, pictures: np.ndarray, encode: Encode) -> None:
    assert (open_image(encode(pictures[0], kind))[0] == pictures[0]).all()
    colour = np.stack([pictures[0], pictures[1], pictures[2]], axis=-1)
    assert (open_image(encode(colour, kind)) == colour.transpose(2, 0, 1)).all()


def test_lossy_formats_and_sources_of_all_kinds(tmp_path: Path, encode: Encode) -> None:
    flat = np.full((16, 12, 3), (200, 40, 90), np.uint8)
    for kind in ("JPEG", "WEBP"):
        found = open_image(encode(flat, kind)).astype(int)
        assert found.shape == (3, 16, 12)
        assert np.abs(found - flat.transpose(2, 0, 1)).max() < 8
    path = tmp_path / "a.png"
    path.write_bytes(encode(flat))
    assert (open_image(path) == open_image(io.BytesIO(path.read_bytes()))).all()
    assert one_image(path, "a", "A").images.shape == (1, 3, 16, 12)


def test_sixteen_bits_become_eight() -> None:
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert open_image(saved(Image.fromarray(wide)))[0].tolist() == [[0, 1, 128, 255]]


def test_one_bit_and_palettes() -> None:
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert open_image(saved(bits)).tolist() == [[[0, 255]]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert open_image(saved(palette)).tolist() == [[[10, 40]], [[20, 50]], [[30, 60]]]
    palette.putpalette([7, 7, 7, 90, 90, 90])
    assert open_image(saved(palette)).tolist() == [[[7, 90]]]


def test_what_is_transparent_lies_on_the_ground_that_shows_it() -> None:
    ink = np.array([[[255, 255], [0, 0]]], np.uint8)  # white ink, nothing
    assert open_image(saved(Image.fromarray(ink, "LA"))).tolist() == [[[255, 0]]]
    ink[..., 0] = 0  # dark ink, nothing
    assert open_image(saved(Image.fromarray(ink, "LA"))).tolist() == [[[0, 255]]]
    colour = np.array([[[250, 200, 150, 255], [9, 9, 9, 0]]], np.uint8)
    assert open_image(saved(Image.fromarray(colour))).tolist() == [
        [[250, 0]],
        [[200, 0]],
        [[150, 0]],
    ]
    half = np.array([[[255, 255, 255, 128]]], np.uint8)
    assert open_image(saved(Image.fromarray(half))).tolist() == [[[128]]] * 3


def test_the_camera_s_orientation_is_followed() -> None:
    upright = np.zeros((8, 16), np.uint8)
    upright[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn to the right
    found = open_image(saved(Image.fromarray(upright), exif=exif))
    assert (found[0] == np.rot90(upright, -1)).all()


def test_cmyk_becomes_rgb() -> None:
    found = open_image(saved(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert found.shape == (3, 8, 8)
    assert found.min() > 250


@cache
def hostile() -> dict[str, tuple[bytes, str]]:
    good = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    jpeg, image = saved(Image.fromarray(good), "JPEG"), saved(Image.fromarray(good))
    flipped = bytearray(image)
    flipped[len(image) // 2] ^= 0xFF
    row = b"\0" * (20_000 // 8 + 1)
    return {
        "bomb": (png(20_000, 20_000, 1, 0, row * 20_000), "too many pixels"),
        "warned bomb": (png(10_000, 10_000, 8, 0, b""), "too many pixels"),
        "wide": (png(5_000, 10, 8, 0, b""), "(5000 x 10)"),
        "text": (b"these are no pixels\n" * 9, "not a PNG, JPEG, BMP, WebP or TIFF"),
        "empty": (b"", "empty"),
        "gif": (saved(Image.fromarray(good[..., 0]), "GIF"), "not a PNG, JPEG, BMP, WebP or TIFF"),
        "truncated tiff": (saved(Image.fromarray(good), "TIFF")[:60], ""),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "damaged or incomplete"),
        "truncated png": (image[: len(image) // 2], "damaged or incomplete"),
        "flipped png": (bytes(flipped), "damaged or incomplete"),
        "no rows": (png(9, 9, 8, 0, b""), "damaged or incomplete"),
        "no size": (png(0, 0, 8, 0, b""), ""),
        "header only": (image[:20], ""),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "convert it to PNG"),
        "truncated webp": (saved(Image.fromarray(good), "WEBP")[:60], ""),
        "truncated bmp": (saved(Image.fromarray(good), "BMP")[:60], "damaged or incomplete"),
    }


@pytest.mark.parametrize("kind", hostile())
def test_a_hostile_or_broken_file_gets_one_sentence(kind: str, tmp_path: Path) -> None:
    data, expected = hostile()[kind]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        with pytest.raises(ImageFileError) as caught:
            open_image(source, "photo.png")
        message = str(caught.value)
        assert message.startswith("photo.png ")
        assert expected in message
        assert message.endswith(".")
        assert "\n" not in message
        assert ";" in message, "the sentence says what to do"


def test_size_in_bytes_is_capped(monkeypatch: pytest.MonkeyPatch, encode: Encode) -> None:
    data = encode(np.zeros((64, 64), np.uint8))
    monkeypatch.setattr(image_file, "MAX_BYTES", len(data) - 1)
    with pytest.raises(ImageFileError, match="larger than"):
        open_image(data)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match="cannot be read"):
        open_image(tmp_path / "none.png", "none.png")
    with pytest.raises(ImageFileError, match="cannot be read"):
        open_image(tmp_path, "a folder")


def test_any_damage_is_an_image_file_error_or_an_image(encode: Encode) -> None:
    draw = np.random.default_rng(9)
    picture = draw.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "TIFF"):
        data = encode(picture, kind)
        for _ in range(150):
            broken = bytearray(data)
            for place in draw.integers(0, len(data), 3):
                broken[place] = draw.integers(0, 256)
            try:
                found = open_image(bytes(broken[: draw.integers(1, len(data) + 1)]))
            except ImageFileError:
                continue
            assert found.dtype == np.uint8
