"""Cutouts: ten simple outlines filled with patches of photographs, 28x28 grey, made on demand.

A world that needs nothing but scikit-learn, whose two sample photographs fill the outlines. Complex
inside and simple outside, it is to letters and digits what FashionMNIST is to MNIST: a likelihood
rates plain marks above its own images. Training patches come from the left two thirds of each
photograph, those of validation and test from the right third.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Pixels

Points = NDArray[np.float64]

SIDE = 28
_LARGE = 112
"""Outlines are drawn at this size and averaged down, so that their edges are grey."""
_RADIUS = (36.0, 44.0)
"""Half the side of an outline, in pixels of the large drawing, whose half is 56."""
_DARKEST, _LIGHTEST = 60, 255
"""Every patch is stretched to this range of grey; the ground is black."""
SIZES = {"train": 10_000, "validation": 1_000, "test": 1_000}
_SEEDS = {"train": 1, "validation": 2, "test": 3, "dots": 4, "discs": 5, "frames": 6}


@cache
def outlines() -> dict[str, Points]:
    """The ten outlines by name: corners (n, 2), as large as a square of -1 to 1, y downwards."""
    drawn = {
        "disc": _round(lambda t: np.ones_like(t)),
        "square": _regular(4, turn=math.pi / 4),
        "triangle": _regular(3, turn=-math.pi / 2),
        "star": _star(),
        "heart": _heart(),
        "drop": _drop(),
        "hexagon": _regular(6),
        "house": np.array([(0, -1), (0.9, -0.15), (0.65, -0.15), (0.65, 0.75), (-0.65, 0.75),
                           (-0.65, -0.15), (-0.9, -0.15)]),
        "bell": _bell(),
        "shirt": np.array([(-0.3, -0.8), (0.3, -0.8), (0.95, -0.35), (0.7, 0.05), (0.5, -0.1),
                           (0.5, 0.85), (-0.5, 0.85), (-0.5, -0.1), (-0.7, 0.05), (-0.95, -0.35)]),
    }  # fmt: skip
    return {name: _boxed(corners) for name, corners in drawn.items()}


def _boxed(corners: Points) -> Points:
    """In the middle of a square of -1 to 1, which the longer side fills."""
    low, high = corners.min(0), corners.max(0)
    return (2 * corners - low - high) / (high - low).max()


@cache
def photographs() -> tuple[Pixels, ...]:
    """scikit-learn's sample photographs at half their size, grey (H, W)."""
    from sklearn.datasets import load_sample_images

    grey = [Image.fromarray(picture).convert("L") for picture in load_sample_images().images]
    return tuple(np.asarray(picture.reduce(2)) for picture in grey)


def cutouts(split: str, progress: Progress = silent) -> ImageSet:
    """The images of a split, labelled by outline, in a mixed order: always the same ones."""
    rng = np.random.default_rng(_SEEDS[split])
    shapes, count = outlines(), SIZES[split]
    images = np.empty((count, 1, SIDE, SIDE), np.uint8)
    labels = rng.permutation(np.arange(count) % len(shapes))
    corners = list(shapes.values())
    for row, label in enumerate(labels):
        if not row % 500:
            progress(row / count, f"drawing {count:,} cutouts")
        filling = _patch(rng, held_out=split != "train")
        grey = _DARKEST + (_LIGHTEST - _DARKEST) * filling
        images[row, 0] = np.round(_mask(corners[label], rng) * grey).astype(np.uint8)
    return ImageSet(
        name=split, title=f"Cutouts, {split}", images=images, labels=labels,
        class_names=tuple(shapes),
    )  # fmt: skip


def simple(name: str) -> ImageSet:
    """1,000 images of dots, discs or frames: far simpler than the world's own."""
    rng = np.random.default_rng(_SEEDS[name])
    draw = {"dots": _dots, "discs": _disc, "frames": _frame}[name]
    images = np.stack([draw(rng) for _ in range(SIZES["test"])])[:, None]
    return ImageSet(
        name=name, title=name.title(), images=images, labels=np.zeros(len(images), np.int64),
        class_names=(name,),
    )  # fmt: skip


# --- what fills an outline ------------------------------------------------------------------------


def _patch(rng: np.random.Generator, *, held_out: bool) -> NDArray[np.float64]:
    """28x28 pixels of a photograph, turned by quarters, stretched to 0..1."""
    photograph = photographs()[rng.integers(len(photographs()))]
    height, width = photograph.shape
    cut = 2 * width // 3
    left, right = (cut, width) if held_out else (0, cut)
    while True:
        y = rng.integers(height - SIDE + 1)
        x = rng.integers(left, right - SIDE + 1)
        patch = photograph[y : y + SIDE, x : x + SIDE].astype(np.float64)
        low, high = patch.min(), patch.max()
        if high > low:  # a patch of one grey cannot be stretched
            return np.rot90((patch - low) / (high - low), int(rng.integers(4)))


def _mask(corners: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    """An outline, warped a little at random, as shares (28, 28) of the pixels that it covers."""
    angle, shear = rng.normal(0, math.radians(6)), rng.normal(0, 0.08)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = np.diag(rng.uniform(*_RADIUS) * rng.uniform(0.92, 1.08, 2))
    warp = turn @ np.array([[1.0, shear], [0.0, 1.0]]) @ stretch
    middle = _LARGE / 2 + rng.uniform(-4, 4, 2)
    return _filled([corners @ warp.T + middle])


def _filled(polygons: list[Points]) -> NDArray[np.float64]:
    """Polygons in pixels of the large drawing, averaged down, in 0..1."""
    large = Image.new("L", (_LARGE, _LARGE))
    for corners in polygons:
        ImageDraw.Draw(large).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    return np.asarray(large.reduce(_LARGE // SIDE), np.float64) / 255


# --- outlines -------------------------------------------------------------------------------------


def _round(radius: Callable[[Points], Points], points: int = 72) -> Points:
    t = np.linspace(0, 2 * math.pi, points, endpoint=False)
    return radius(t)[:, None] * np.stack([np.cos(t), np.sin(t)], 1)


def _regular(corners: int, turn: float = 0.0) -> Points:
    t = np.arange(corners) * 2 * math.pi / corners + turn
    return np.stack([np.cos(t), np.sin(t)], 1)


def _star() -> Points:
    t = np.arange(10) * math.pi / 5 - math.pi / 2
    return np.where(np.arange(10) % 2, 0.45, 1.0)[:, None] * np.stack([np.cos(t), np.sin(t)], 1)


def _heart() -> Points:
    t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], 1) / 17


def _drop() -> Points:
    """A disc below, with two sides that meet in a point above."""
    t = np.linspace(-math.pi / 5, math.pi + math.pi / 5, 48)
    arc = 0.62 * np.stack([np.cos(t), np.sin(t)], 1) + (0.0, 0.35)
    return np.vstack([arc, [(0.0, -1.0)]])


def _bell() -> Points:
    """A round top that widens to a brim."""
    y = np.linspace(-0.85, 0.6, 30)
    half = (
        0.18 + 0.3 * np.sqrt(np.clip((y + 0.85) / 0.5, 0, 1)) + 0.32 * np.clip(y + 0.1, 0, 1) ** 2
    )
    right = np.stack([half, y], 1)
    brim = np.array([(0.85, 0.7), (0.85, 0.85), (-0.85, 0.85), (-0.85, 0.7)])
    return np.vstack([right, brim, (right * (-1, 1))[::-1]])


# --- simpler than the world's own -----------------------------------------------------------------


def _dots(rng: np.random.Generator) -> Pixels:
    """One to five small white dots."""
    dot = outlines()["disc"]
    places = [dot * rng.uniform(4, 9) + rng.uniform(20, 92, 2) for _ in range(rng.integers(1, 6))]
    return np.round(255 * _filled(places)).astype(np.uint8)


def _disc(rng: np.random.Generator) -> Pixels:
    """One white disc."""
    return np.round(255 * _mask(outlines()["disc"], rng)).astype(np.uint8)


def _frame(rng: np.random.Generator) -> Pixels:
    """White lines along some of the sides and middles of a square, as boxes are drawn."""
    thick, far = rng.uniform(3, 6), rng.uniform(28, 40)
    lines = [
        np.array([(-far, at - thick), (far, at - thick), (far, at + thick), (-far, at + thick)])
        for at in rng.choice((-far, 0.0, far), rng.integers(1, 3), replace=False)
    ]
    sides = [
        np.array([(at - thick, -far), (at + thick, -far), (at + thick, far), (at - thick, far)])
        for at in rng.choice((-far, 0.0, far), rng.integers(1, 3), replace=False)
    ]
    return np.round(255 * _filled([p + _LARGE / 2 for p in lines + sides])).astype(np.uint8)
