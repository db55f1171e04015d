"""Pictures of many small images: pixel-exact, as one PIL image, with captions where wanted."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hvae_core.common.places import ASSETS
from hvae_core.common.words import fmt
from hvae_core.figures.inks import channels
from hvae_core.figures.theme import Palette

FONTS = ASSETS / "fonts"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels of a picture."""
TEXT, GAP, HEAD_HEIGHT = 15, 14, 30


@dataclass(frozen=True, eq=False)
class StripRow:
    """One image's row: pictures (C, H, W) by column, and the loss in nats under each.

    A column without a loss (the original) has None. ``out`` colours the label as in- or
    out-of-distribution; None for rows that are neither.
    """

    label: str
    images: Sequence[NDArray[Any]]
    losses: Sequence[float | None]
    out: bool | None = False


def tile(
    images: NDArray[Any],
    *,
    columns: int,
    scale: int = 2,
    gap: int = 4,
    colors: Palette,
) -> Image.Image:
    """Images (N, C, H, W), bytes or floats in [0, 1], in rows of ``columns``, enlarged exactly."""
    pixels = _enlarged(as_bytes(images), scale)  # (N, H, W, 3)
    count, height, width = pixels.shape[:3]
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    canvas = np.empty((max(size[0], 1), max(size[1], 1), 3), np.uint8)
    canvas[:] = channels(colors.background)
    for i, picture in enumerate(pixels):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        canvas[top : top + height, left : left + width] = picture
    return Image.fromarray(canvas)


def tile_boxes(
    count: int, size: tuple[int, int], *, columns: int, scale: int = 2, gap: int = 4
) -> list[Box]:
    """Where ``tile`` puts each of ``count`` images of a size (H, W): left, top, width, height."""
    height, width = (side * scale for side in size)
    columns = max(1, min(columns, count))
    return [
        (i % columns * (width + gap), i // columns * (height + gap), width, height)
        for i in range(count)
    ]


def strip_boxes(
    rows: Sequence[StripRow], heads: Sequence[str], *, scale: int = 3, unit: str = "nats"
) -> list[Box]:
    """Where ``strip`` puts each row, label and pictures: left, top, width, height in pixels."""
    plan = _Plan.of(rows, heads, scale=scale, unit=unit)
    return [
        (0, HEAD_HEIGHT + i * plan.row_height, plan.size[0], plan.picture_height)
        for i in range(len(rows))
    ]


def strip_cells(
    rows: Sequence[StripRow], heads: Sequence[str], *, scale: int = 3, unit: str = "nats"
) -> list[list[Box]]:
    """Where ``strip`` puts each picture, row by row: left, top, width, height in pixels."""
    plan = _Plan.of(rows, heads, scale=scale, unit=unit)
    cells = []
    for i, row in enumerate(rows):
        top = HEAD_HEIGHT + i * plan.row_height
        sizes = [(scale * one.shape[-1], scale * one.shape[-2]) for one in row.images]
        cells.append(
            [
                (plan.middle(column) - width // 2, top, width, height)
                for column, (width, height) in enumerate(sizes)
            ]
        )
    return cells


def strip(
    rows: Sequence[StripRow],
    heads: Sequence[str],
    *,
    highlight: int | Collection[int] | None = None,
    scale: int = 3,
    unit: str = "nats",
    underlined: bool = True,
    colors: Palette,
) -> Image.Image:
    """Rows of pictures under column heads, the loss below each and each row's largest underlined.

    ``underlined`` off leaves out the line, as where the numbers are no losses. The first loss of a
    row names the unit. ``highlight`` names columns with a band behind them.
    """
    plan = _Plan.of(rows, heads, scale=scale, unit=unit)
    image = Image.new("RGB", plan.size, colors.background)
    draw = ImageDraw.Draw(image)
    named = {highlight} if isinstance(highlight, int) else {*(highlight or ())}
    for column in named & {*range(len(heads))}:
        left = plan.left(column) - GAP // 2 + 1
        box = (left, 0, left + plan.widths[column] + GAP - 3, plan.size[1] - 1)
        draw.rounded_rectangle(box, radius=6, fill=colors.grid)
    for column, head in enumerate(heads):
        weight = "Semibold" if column in named else "Regular"
        place = (plan.middle(column), HEAD_HEIGHT // 2)
        draw.text(place, head, fill=colors.text, font=font(weight, TEXT), anchor="mm")
    for i, row in enumerate(rows):
        top = HEAD_HEIGHT + i * plan.row_height
        _draw_row(image, plan, row, top=top, unit=unit, underlined=underlined, colors=colors)
    return image


def png_bytes(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images (..., C, H, W) as bytes (..., H, W, 3); floats are taken as [0, 1] and clipped."""
    array = np.asarray(images)
    if array.dtype != np.uint8:
        array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    array = np.moveaxis(array, -3, -1)
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array


@lru_cache(maxsize=32)
def font(weight: str, size: int) -> Font:
    """Source Sans, whose figures are tabular, at a size in pixels."""
    path = FONTS / f"SourceSans3-{weight}.woff2"
    try:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        # A Pillow built without Brotli cannot open WOFF2; its own font still labels the picture.
        return ImageFont.load_default(size)


@dataclass(frozen=True)
class _Plan:
    """Where everything of a strip goes, in pixels."""

    scale: int
    label_width: int
    picture_height: int
    row_height: int
    widths: tuple[int, ...]
    rows: int

    @classmethod
    def of(cls, rows: Sequence[StripRow], heads: Sequence[str], *, scale: int, unit: str) -> _Plan:
        """Columns wide enough for their pictures, captions and head."""
        measure = font("Semibold", TEXT).getlength
        widths = [int(measure(head)) + 4 for head in heads]
        tallest = 0
        for row in rows:
            cells = zip(row.images, _captions(row, unit), strict=True)
            for i, (picture, text) in enumerate(cells):
                tallest = max(tallest, picture.shape[-2] * scale)
                widths[i] = max(widths[i], picture.shape[-1] * scale, int(measure(text)) + 4)
        labels = max((int(measure(row.label)) for row in rows), default=0)
        captions = TEXT + 7 if any(loss is not None for r in rows for loss in r.losses) else 0
        return cls(
            scale=scale,
            label_width=labels + GAP if labels else 0,
            picture_height=tallest,
            row_height=tallest + captions + 8,
            widths=tuple(widths),
            rows=len(rows),
        )

    @property
    def size(self) -> tuple[int, int]:
        width = self.label_width + sum(self.widths) + GAP * len(self.widths)
        return max(width, 1), HEAD_HEIGHT + self.rows * self.row_height

    def left(self, column: int) -> int:
        """Left edge of a column's content."""
        return self.label_width + GAP // 2 + sum(self.widths[:column]) + GAP * column

    def middle(self, column: int) -> int:
        """Middle of a column."""
        return self.left(column) + self.widths[column] // 2


def _draw_row(
    image: Image.Image, plan: _Plan, row: StripRow, *,
    top: int, unit: str, underlined: bool, colors: Palette,
) -> None:  # fmt: skip
    """Label, pictures and captions of one row."""
    draw = ImageDraw.Draw(image)
    middle = top + plan.picture_height // 2
    color = {None: colors.text, True: colors.out_mark(0).color, False: colors.in_color}[row.out]
    draw.text((0, middle), row.label, fill=color, font=font("Semibold", TEXT), anchor="lm")
    worst = _largest(row.losses) if underlined else None
    for column, (picture, text) in enumerate(zip(row.images, _captions(row, unit), strict=True)):
        small = Image.fromarray(as_bytes(picture))
        size = (small.width * plan.scale, small.height * plan.scale)
        pixels = small.resize(size, Image.Resampling.NEAREST)
        image.paste(pixels, (plan.middle(column) - pixels.width // 2, top))
        place = (plan.middle(column), top + plan.picture_height + 4)
        ink, face = colors.text, font("Regular", TEXT)
        draw.text(place, text, fill=ink, font=face, anchor="ma")
        if column == worst:
            half = int(face.getlength(text)) // 2
            line = place[1] + TEXT + 3
            draw.line((place[0] - half, line, place[0] + half, line), fill=ink, width=2)


def _captions(row: StripRow, unit: str) -> list[str]:
    """The losses as text; the first one names the unit."""
    texts, named = [], False
    for loss in row.losses:
        texts.append("" if loss is None else fmt(loss, "" if named else unit))
        named = named or loss is not None
    return texts


def _largest(losses: Sequence[float | None]) -> int | None:
    """The column of the largest loss, where there is something to compare it with."""
    numbers = [(loss, i) for i, loss in enumerate(losses) if loss is not None and loss == loss]
    return max(numbers)[1] if len(numbers) > 1 else None


def _enlarged(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Every pixel of (..., H, W, 3) as a square of ``scale`` pixels: nearest neighbour."""
    return pixels.repeat(scale, axis=-3).repeat(scale, axis=-2)
