"""One image after all that a visitor of the app does to it: cut, prepared, turned, moved away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.data.perturb import Perturbation, perturbed
from hvae_core.data.prepare import Step, prepared, turned

Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 1.0, 0.0, 1.0)
"""Left, right, top and bottom of the part that is kept, as shares of the picture."""

UNMOVED = Perturbation()


def changed(
    images: ImageSet,
    shape: tuple[int, int, int],
    *,
    window: Window = WHOLE,
    steps: Sequence[Step] = (),
    quarters: int = 0,
    by: Perturbation = UNMOVED,
    seed: int = 0,
) -> ImageSet:
    """The first image of a set at a shape (C, H, W), as a set of one.

    First all but the ``window`` is cut off, then come the steps and ``quarters`` of a circle to the
    right; ``by`` is done last, at the shape, with noise of the ``seed``.
    """
    pixels = _cut(images.images[0], window)
    if steps:
        pixels = prepared(pixels, tuple(steps))
    if quarters:
        pixels = turned(pixels, quarters)
    fitted = replace(images.take(1), images=pixels[None]).fit(shape)
    if by.changes:
        fitted = replace(fitted, images=perturbed(fitted.images[0], by, seed=seed)[None])
    return fitted


def _cut(image: Pixels, window: Window) -> Pixels:
    """The part of a picture (C, H, W) within the window, at least one pixel of it."""
    _, height, width = image.shape
    left, right, top, bottom = window

    def kept(low: float, high: float, size: int) -> slice:
        first = min(round(low * size), size - 1)
        return slice(first, max(round(high * size), first + 1))

    return np.ascontiguousarray(image[:, kept(top, bottom, height), kept(left, right, width)])
