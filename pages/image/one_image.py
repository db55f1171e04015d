"""One image as it came, and what a visitor does to it before a model sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hvae_core.data.changed import UNMOVED, WHOLE, Window, changed
from hvae_core.data.image_set import ImageSet
from hvae_core.data.perturb import Perturbation
from hvae_core.data.prepare import NOTES, Step
from pages.shared.current import Spot
from pages.shared.store import Handle


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
    by: Perturbation = UNMOVED
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
        fitted = changed(
            self.images, handle.image_shape, window=self.window, steps=self.steps,
            quarters=self.quarters, by=self.by, seed=self.seed,
        )  # fmt: skip
        return replace(fitted, notes=(*fitted.notes, *self.changes))

    def as_it_came(self) -> OneImage:
        """The image before the changes."""
        return OneImage(self.images, self.title, self.spot)
