"""One image as it came, and what a visitor does to it before a model sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.data.perturb import Perturbation, perturbed
from hvae_core.data.prepare import NOTES, Step, prepared, turned
from pages.shared.current import Spot
from pages.shared.store import Handle

PLAIN = Perturbation()
Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 1.0, 0.0, 1.0)
"""Left, right, top and bottom of the part that is kept, as shares of the picture."""


@dataclass(frozen=True, eq=False)
class OneImage:
    """The image as it came (a set of one), where it is from for people, and what was done to it.

    ``spot`` is its place in a set of the world, where it has one. First all but the ``window`` is
    cut off; ``by`` is done last, at the shape of a model, with noise of the ``seed``.
    """

    images: ImageSet
    title: str
    spot: Spot | None = None
    window: Window = WHOLE
    steps: tuple[Step, ...] = ()
    quarters: int = 0
    by: Perturbation = PLAIN
    seed: int = 0

    @property
    def changes(self) -> list[str]:
        """What was done to the image here, in words; nothing where it is as it came."""
        done = []
        if self.window != WHOLE:
            left, right, top, bottom = (f"{100 * share:.0f}" for share in self.window)
            done.append(f"cut to {left} to {right} % across and {top} to {bottom} % down")
        done += [NOTES[step] for step in self.steps]
        if self.quarters:
            done.append(f"turned by {90 * self.quarters}° to the right")
        return done + self.by.in_words

    def at(self, handle: Handle) -> ImageSet:
        """The image at the shape of a model, changed, with notes on all that was done."""
        pixels = _cut(self.images.images[0], self.window)
        if self.steps:
            pixels = prepared(pixels, self.steps)
        if self.quarters:
            pixels = turned(pixels, self.quarters)
        fitted = replace(self.images, images=pixels[None]).fit(handle.image_shape)
        if self.by.changes:
            moved = perturbed(fitted.images[0], self.by, seed=self.seed)
            fitted = replace(fitted, images=moved[None])
        return replace(fitted, notes=(*fitted.notes, *self.changes))

    def as_it_came(self) -> OneImage:
        """The image before the changes."""
        return OneImage(self.images, self.title, self.spot)


def _cut(image: Pixels, window: Window) -> Pixels:
    """The part of a picture (C, H, W) within the window, at least one pixel of it."""
    _, height, width = image.shape
    left, right, top, bottom = window

    def kept(low: float, high: float, size: int) -> slice:
        first = min(round(low * size), size - 1)
        return slice(first, max(round(high * size), first + 1))

    return np.ascontiguousarray(image[:, kept(top, bottom, height), kept(left, right, width)])
