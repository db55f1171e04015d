"""What is unlike a model's own pictures in those that someone brings, and which step mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.data.image_set import ImageSet, describe_shape
from hvae_core.data.prepare import Step, drawing, edge_colour
from hvae_core.data.readers.scale import DARK

Ground = Literal["", "dark", "light"]
"""What the drawings of a world stand on; empty where its pictures have no ground of their own."""
_SAMPLE = 64
_SMALL = 0.5  # of a picture's side: a drawing that is smaller would be a few pixels of the model's


@dataclass(frozen=True)
class Hint:
    """A sentence on what is unlike, and the step that brings it nearer."""

    step: Step
    sentence: str


def hints(images: ImageSet, shape: Shape, ground: Ground) -> tuple[Hint, ...]:
    """Return what someone should know before these images are judged by a model of a world.

    ``images`` are as they came, ``shape`` is the model's.
    """
    if not len(images):
        return ()
    some = images.images[np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype(int))]
    found = []
    edges = np.array([edge_colour(image).mean() for image in some])
    light, dark = float((edges >= 160).mean()), float((edges < 96).mean())
    if (ground == "dark" and light > 0.8) or (ground == "light" and dark > 0.8):
        own, other = ("light", "dark") if ground == "dark" else ("dark", "light")
        found.append(
            Hint(
                "invert",
                f"Looks inverted: the ground is {own} here (level {np.median(edges):.0f} of 255), "
                f"and {other} in the images that the model knows.",
            )
        )
    highest, lowest = int(some.max()), int(some.min())
    if highest < DARK or (ground and highest - lowest < DARK):
        found.append(
            Hint(
                "stretch",
                f"Faint: the levels go from {lowest} to {highest} of 255. The model knows images "
                "of full contrast.",
            )
        )
    if ground and _mostly_empty(some):
        found.append(
            Hint(
                "crop",
                "Small: the drawing fills less than half of the picture. Resized whole, it would "
                f"be a few pixels of {describe_shape(shape)}.",
            )
        )
    _, height, width = images.image_shape
    if height * shape[2] != width * shape[1] and "crop" not in [hint.step for hint in found]:
        found.append(
            Hint(
                "pad",
                f"Stretched: {width}x{height} is another aspect ratio than {shape[2]}x{shape[1]}.",
            )
        )
    return tuple(found)


def _mostly_empty(images: np.ndarray) -> bool:
    boxes = [drawing(image) for image in images]
    side = min(images.shape[2:])
    small = [box is not None and max(box[1] - box[0], box[3] - box[2]) < _SMALL * side
             for box in boxes]  # fmt: skip
    return float(np.mean(small)) > 0.8
