"""One glyph of one face as a 28x28 grey picture: white ink on black, like MNIST."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from faces import Face
from PIL import Image, ImageDraw, ImageFont

SIDE = 28
EM = 160  # size at which outlines are drawn, before they are brought down to SIDE
OVER = 4  # oversampling of the final picture
CAP = 18.5  # height of a capital in the final picture
BOX = 22.0  # no glyph is larger than this, whatever the face's scale
NOT_A_CHARACTER = "\U0010ffff"  # in no font: shows the face's .notdef box


@dataclass(frozen=True)
class Warp:
    """A mild affine variation: degrees, shear, factor, and shift in pixels."""

    angle: float = 0.0
    shear: float = 0.0
    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Warp:
        """A random variation, the same distribution for every set."""
        return cls(
            float(np.clip(rng.normal(0, 3.0), -7, 7)),
            float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
            float(rng.uniform(0.88, 1.08)),
            float(rng.uniform(-1.2, 1.2)),
            float(rng.uniform(-1.2, 1.2)),
        )


@lru_cache(maxsize=64)
def _font(path: str, index: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, EM, index=index, layout_engine=ImageFont.Layout.BASIC)


def outline(face: Face, character: str) -> np.ndarray | None:
    """The character drawn large and cropped to its ink, or None where there is none."""
    font = _font(face.path, face.index)
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    width, height = int(right - left) + 4, int(bottom - top) + 4
    if width < 5 or height < 5 or max(width, height) > 8 * EM:
        return None
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), character, fill=255, font=font, anchor="ls")
    box = canvas.getbbox()
    return None if box is None else np.asarray(canvas.crop(box))


@lru_cache(maxsize=4096)
def fallback(face: Face) -> bytes:
    """Digest of the face's .notdef picture, to tell a missing glyph from a drawn one."""
    drawn = outline(face, NOT_A_CHARACTER)
    return b"" if drawn is None else drawn.tobytes()


@lru_cache(maxsize=4096)
def face_scale(face: Face) -> float:
    """Factor that brings the median capital of the face to CAP pixels (an em to 1.4 CAP)."""
    drawn = [outline(face, c) for c in "ABCDEFGHIJ" if face.covers(c)]
    heights = [d.shape[0] for d in drawn if d is not None]
    return CAP / (float(np.median(heights)) if heights else EM / 1.4)


def glyph(face: Face, character: str) -> np.ndarray | None:
    """Outline of a glyph that the face truly has: None for an empty one or a .notdef box."""
    if not face.covers(character):
        return None
    drawn = outline(face, character)
    if drawn is None or drawn.tobytes() == fallback(face):
        return None
    return drawn


def picture(drawn: np.ndarray, scale: float, warp: Warp) -> np.ndarray | None:
    """The outline on SIDE x SIDE pixels, centred and warped; None if it cannot clear the border."""
    height, width = drawn.shape
    factor = min(scale, BOX / height, BOX / width) * warp.scale
    angle = math.radians(warp.angle)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for attempt in range(4):
        size = factor * OVER * 0.93**attempt
        inverse = np.linalg.inv(size * rotation @ np.array([[1.0, warp.shear], [0.0, 1.0]]))
        middle = SIDE * OVER / 2 + OVER * np.array([warp.dx, warp.dy])
        shift = np.array([width / 2, height / 2]) - inverse @ middle
        data = (*inverse[0], shift[0], *inverse[1], shift[1])
        large = Image.fromarray(drawn).transform(
            (SIDE * OVER, SIDE * OVER), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
        )
        small = np.asarray(large.reduce(OVER))
        if not (small[[0, -1]].any() or small[:, [0, -1]].any()):
            return small
    return None


def fitted(drawn: np.ndarray) -> np.ndarray:
    """The outline stretched to 20x20 in [0, 1], aspect kept: shapes compared without size."""
    height, width = drawn.shape
    size = max(height, width)
    canvas = Image.new("L", (size, size))
    canvas.paste(Image.fromarray(drawn), ((size - width) // 2, (size - height) // 2))
    return np.asarray(canvas.resize((20, 20), Image.Resampling.BOX), np.float32) / 255
