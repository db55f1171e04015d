"""Steps that bring a person's own pictures nearer to those a model knows: recorded, reversible.

The files stay as they are: a set is read again without a step to take it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import Pixels

Step = Literal["stretch", "invert", "crop", "pad"]
STEPS: tuple[Step, ...] = get_args(Step)
WORDS: dict[Step, str] = {
    "stretch": "Stretch contrast",
    "invert": "Invert",
    "crop": "Crop",
    "pad": "Pad instead of stretch",
}
HELP: dict[Step, str] = {
    "stretch": "The darkest value of the set becomes black, the brightest white.",
    "invert": "Dark and light are exchanged: 255 - x.",
    "crop": "To the drawing with a margin, as MNIST has 20 of 28 pixels; without an even ground, "
    "to the square in the middle.",
    "pad": "To a square on the colour of the edge, so that nothing is stretched.",
}
NOTES: dict[Step, str] = {
    "invert": "inverted",
    "crop": "cropped to the drawing, or to the square in the middle",
    "pad": "padded to a square",
}
"""What was done, in words; stretching is noted with its range where the values are read."""
_EVEN = 40
"""Levels that a pixel of an even ground is away from the edge's median at most."""


def parse_steps(text: str) -> tuple[Step, ...]:
    """Return the steps of a text such as "invert,pad"; ``DataError`` for another word."""
    steps: list[Step] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        step = next((step for step in STEPS if step == word.casefold()), None)
        if step is None:
            raise DataError(f"{word} is no step of preparation; write some of {', '.join(STEPS)}.")
        if step not in steps:
            steps.append(step)
    return tuple(steps)


def prepared(image: Pixels, steps: tuple[Step, ...]) -> Pixels:
    """Return one picture (C, H, W) after the steps, one after another."""
    for step in steps:
        if step in _CHANGES:
            image = _CHANGES[step](image)
    return image


def turned(image: Pixels, quarters: int) -> Pixels:
    """Return one picture (C, H, W) turned to the right by so many quarters of a circle."""
    return np.ascontiguousarray(np.rot90(image, -quarters, axes=(1, 2)))


def edge_colour(image: Pixels) -> Pixels:
    """Return the median of a picture's outermost pixels, (C, 1, 1)."""
    return np.median(_edge(image), axis=1).astype(np.uint8)[:, None, None]


def _edge(image: Pixels) -> Pixels:
    return np.concatenate(
        [image[:, 0], image[:, -1], image[:, 1:-1, 0], image[:, 1:-1, -1]], axis=1
    )


def _inverted(image: Pixels) -> Pixels:
    return 255 - image


def drawing(image: Pixels) -> tuple[int, int, int, int] | None:
    """Where the drawing is: first and last row, first and last column, the last ones excluded.

    None where it stands on no even ground, or there is none.
    """
    ground = edge_colour(image)
    away = np.abs(image.astype(np.int16) - ground).max(axis=0)
    even = (np.abs(_edge(image).astype(np.int16) - ground[:, :, 0]).max(axis=0) <= _EVEN).mean()
    if even < 0.9 or away.max() <= _EVEN:
        return None
    drawn = away > 0.4 * away.max()
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _cropped(image: Pixels) -> Pixels:
    box = drawing(image)
    if box is None:
        return _middle(image)
    top, bottom, left, right = box
    side = round(max(bottom - top, right - left) * 28 / 20)
    corner = (top + bottom - side) // 2, (left + right - side) // 2
    return _window(image, corner, side, ground=edge_colour(image))


def _middle(image: Pixels) -> Pixels:
    side = min(image.shape[1:])
    top, left = ((length - side) // 2 for length in image.shape[1:])
    return np.ascontiguousarray(image[:, top : top + side, left : left + side])


def _padded(image: Pixels) -> Pixels:
    _, height, width = image.shape
    side = max(height, width)
    corner = (height - side) // 2, (width - side) // 2
    return _window(image, corner, side, ground=edge_colour(image))


def _window(image: Pixels, corner: tuple[int, int], side: int, *, ground: Pixels) -> Pixels:
    """A square that may reach beyond the picture, where it shows the ground."""
    (top, left), (_, height, width) = corner, image.shape
    window = np.broadcast_to(ground, (len(image), side, side)).copy()
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    window[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
        image[:, rows, columns]
    )
    return window


_CHANGES: dict[Step, Callable[[Pixels], Pixels]] = {
    "invert": _inverted,
    "crop": _cropped,
    "pad": _padded,
}
