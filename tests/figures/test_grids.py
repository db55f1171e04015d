"""Tiled pictures, pixel by pixel."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hvae_core.figures import (
    LIGHT,
    StripRow,
    png_bytes,
    strip,
    strip_boxes,
    strip_cells,
    tile,
    tile_boxes,
)
from hvae_core.figures.grids import FONTS, font
from hvae_core.figures.inks import channels
from hvae_core.figures.theme import DARK


def test_tiles_are_pixel_exact() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 4, 6), dtype=np.uint8)
    picture = np.asarray(tile(images, columns=3, scale=3, gap=2, colors=DARK))
    assert picture.shape == (2 * 12 + 2, 3 * 18 + 2 * 2, 3)
    for i, image in enumerate(images):
        top, left = i // 3 * 14, i % 3 * 20
        block = picture[top : top + 12, left : left + 18]
        expected = image[0].repeat(3, axis=0).repeat(3, axis=1)
        np.testing.assert_array_equal(block, expected[..., None].repeat(3, axis=2))
    np.testing.assert_array_equal(picture[0, 18], channels(DARK.background))
    np.testing.assert_array_equal(picture[20, 45], channels(DARK.background))


def test_a_box_holds_its_image_and_nothing_else() -> None:
    tones = [40 * (i + 1) for i in range(5)]
    images = np.stack([np.full((1, 3, 4), tone, np.uint8) for tone in tones])
    laid = {"columns": 2, "scale": 2, "gap": 3}
    picture = np.asarray(tile(images, **laid, colors=LIGHT))
    rows = [StripRow(str(i), [image, image], [None, 1.0]) for i, image in enumerate(images)]
    band = np.asarray(strip(rows, ["x", "y"], scale=2, colors=LIGHT))
    found = zip(tile_boxes(5, (3, 4), **laid), strip_boxes(rows, ["x", "y"], scale=2), strict=True)
    for tone, cells in zip(tones, strip_cells(rows, ["x", "y"], scale=2), strict=True):
        for left, top, width, height in cells:
            assert (width, height) == (8, 6)
            assert (band[top : top + height, left : left + width] == tone).all()
    for tone, ((left, top, width, height), row) in zip(tones, found, strict=True):
        assert (picture[top : top + height, left : left + width] == tone).all()
        left, top, width, height = row
        cut = band[top : top + height, left : left + width, 0]
        assert (cut == tone).sum() >= 2 * 6 * 8
        others = [other for other in tones if other != tone]
        assert not np.isin(cut, others).all(axis=0).any()


def test_floats_colours_and_odd_values() -> None:
    images = np.zeros((1, 3, 1, 4), np.float32)
    images[0, 0] = [[0.5, 1.0, 7.0, np.nan]]
    picture = np.asarray(tile(images, columns=8, scale=1, colors=LIGHT))
    np.testing.assert_array_equal(picture[0, :, 0], [128, 255, 255, 0])
    assert (picture[..., 1:] == 0).all()


def test_no_images_are_no_error() -> None:
    assert tile(np.zeros((0, 1, 4, 4)), columns=4, colors=LIGHT).size[0] >= 1
    assert strip([], ["x"], colors=LIGHT).size[1] >= 1


def rows(images: np.ndarray) -> list[StripRow]:
    return [
        StripRow("Coat", list(images), [None, 85.04, 103.2, 141.0]),
        StripRow("MNIST 7", list(images), [None, 201.0, 103.2, 99.0], out=True),
    ]


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_strip_shows_exact_pixels_and_underlines_the_largest_loss(colors: object) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 1, 28, 28), dtype=np.uint8)
    heads = ["x", "k = 0", "k = 1", "k = 2"]
    picture = np.asarray(strip(rows(images), heads, scale=3, colors=colors))  # type: ignore[arg-type]
    for image in images:
        big = image[0].repeat(3, axis=0).repeat(3, axis=1)
        assert sum(_found(picture, big)) == 2
    ink = (picture == channels(colors.text)).all(axis=2)  # type: ignore[attr-defined]
    # An underline is the only run of twenty pixels of ink in a row outside the pictures.
    lines = [y for y in range(len(ink)) if _longest_run(ink[y]) >= 20]
    assert len(lines) == 4
    first, second = _middle(ink[lines[0]]), _middle(ink[lines[2]])
    assert first > second


def test_highlight_is_a_band_behind_one_column() -> None:
    images = np.zeros((4, 1, 8, 8), np.uint8)
    plain = np.asarray(strip(rows(images), ["x", "a", "b", "c"], colors=LIGHT))
    banded = np.asarray(strip(rows(images), ["x", "a", "b", "c"], highlight=2, colors=LIGHT))
    changed = np.flatnonzero((plain != banded).any(axis=(0, 2)))
    assert 20 < np.ptp(changed) < plain.shape[1] / 3
    assert (banded[-2, changed[20]] == channels(LIGHT.grid)).all()


def test_a_caption_widens_its_column() -> None:
    tiny = np.zeros((2, 1, 2, 2), np.uint8)
    row = StripRow("", list(tiny), [None, 12345678.0])
    width = strip([row], ["x", "k"], scale=1, colors=LIGHT).size[0]
    assert width > font("Regular", 15).getlength("12300000 nats")


def test_png_round_trip() -> None:
    image = tile(np.eye(4)[None, None], columns=1, scale=2, colors=LIGHT)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(image)))), image)


def test_fonts_ship_with_their_licence_and_have_tabular_figures() -> None:
    assert "SIL Open Font License" in (FONTS / "LICENSE.md").read_text()
    for weight in ("Regular", "Semibold"):
        face = font(weight, 15)
        assert face.getname()[0] == "Source Sans 3"  # type: ignore[union-attr]
        assert len({face.getlength(digit) for digit in "0123456789"}) == 1


def test_without_the_font_pictures_are_still_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    font.cache_clear()
    with monkeypatch.context() as patch:
        from PIL import ImageFont

        real = ImageFont.truetype

        def without_woff2(path: object, *args: Any, **kwargs: Any) -> Any:
            if str(path).endswith("woff2"):
                raise OSError("cannot open resource")
            return real(path, *args, **kwargs)  # type: ignore[arg-type]

        patch.setattr("hvae_core.figures.grids.ImageFont.truetype", without_woff2)
        assert font("Regular", 15).getlength("85 nats") > 10
    font.cache_clear()


def _found(picture: np.ndarray, block: np.ndarray) -> list[bool]:
    """Whether the block stands at each place where its first row could begin."""
    grey = picture[..., 0]
    height, width = block.shape
    windows = np.lib.stride_tricks.sliding_window_view(grey, (1, width))[:, :, 0]
    starts = np.argwhere((windows[..., :width] == block[0]).all(axis=-1))
    tops = {(y, x) for y, x in starts if (y - 1, x) not in {(b, a) for b, a in starts}}
    return [
        bool((grey[y : y + height, x : x + width] == block).all())
        for y, x in tops
        if y + height <= grey.shape[0]
    ]


def _longest_run(flags: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _middle(flags: np.ndarray) -> float:
    return float(np.flatnonzero(flags).mean())
