"""A score is one function from a ``Material``, what it may read, to one number an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores.material import FEWEST, Material, among

Need = Literal[
    "reference",
    "held_out",
    "latents",
    "narrow",
    "white",
    "ensemble",
    "background",
    "labels",
    "gradient",
]
"""What must be at hand beside the bounds; measures are named apart."""
Cost = Literal["none", "seconds", "minutes", "hours"]
"""Time for 1,000 images beside their evaluation, on two processor cores."""
Family = Literal[
    "bound", "ratio", "kl", "lower", "measured", "compared", "held_out", "labels", "own"
]
"""What a score is made of: L_>k, its ratio to L, the KL of one layer, L_<l, a measure of the image,
training images or other checkpoints, held-out images, a classifier, or a function of the user's
own."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score; higher means more out of distribution.

    ``needs`` names what must be at hand beside the table of bounds, ``measures`` the figures an
    image that it reads; both are empty for most scores. ``unit`` is "" where it has none, ``layer``
    names the single layer that it reads, and ``k`` is how many levels its bound L_>k skips.
    """

    key: str
    name: str
    symbol: str  # LaTeX, without dollar signs
    citation: str
    family: Family
    function: Callable[[Material], Floats]
    needs: tuple[Need, ...] = ()
    measures: tuple[str, ...] = ()
    layer: str = ""
    k: int | None = None
    cost: Cost = "none"
    unit: str = "nats"

    def __call__(self, material: Material | BoundTable) -> Floats:
        """Scores of the images, (N,) float64; ScoreError where something it needs is missing.

        A table alone is material enough for the scores of bounds.
        """
        if isinstance(material, BoundTable):
            material = Material(material)
        reason = self.missing(material)
        if reason:
            raise ScoreError(reason)
        return np.asarray(self.function(material), dtype=np.float64)

    def missing(self, material: Material) -> str:
        """Why the material does not suffice, in a sentence; "" where nothing is missing."""
        for need in self.needs:
            if need in REASONS and need != "labels" and not material.has(need, self.layer):
                return self.reason(need)
        if "held_out" in self.needs and len(material.held_out or ()) < FEWEST:
            return self.reason("more held-out images")
        for name in self.measures:
            if name not in material.measures:
                return self.reason("labels" if "labels" in self.needs else "measure", name)
            held_out = material.held_out
            if held_out is not None and "held_out" in self.needs and name not in held_out.measures:
                return self.reason("measure of held-out images", name)
        return ""

    def counted(self, material: Material) -> NDArray[np.bool_]:
        """Which images of a material are a measure of it (N,): not those that it is fitted to.

        p-values and thresholds rest on these: among them a new image is one of many alike.
        """
        if "held_out" not in self.needs or material.held_out is None:
            return np.ones(len(material), dtype=bool)
        return ~among(material.table, material.held_out.table)

    def reason(self, lacking: str, measure: str = "") -> str:
        """Why there is no score where this need, or a measure, is lacking."""
        layer = self.layer or "the latents"
        return REASONS[lacking].format(layer=layer, measure=measure)


REASONS = {
    "held_out": "It compares with held-out images of its world, whose bounds are not here: "
    "evaluate the validation set first.",
    "more held-out images": "It fits a density to half of the held-out images, which takes at "
    f"least {2 * FEWEST} of them; take more images of the validation set.",
    "latents": "It reads the posterior means of {layer}, which are not kept image by image: the "
    "layer has too many units, or these are stored results of a control set.",
    "reference": "It compares with statistics of the training images, which are not here: fit them "
    "once with the training set on this machine.",
    "narrow": "The layer {layer} has too many units for a mixture to be fitted to, or q is certain "
    "there; take the score of another layer.",
    "white": "The prior of {layer} is no Gaussian, so its noise cannot be whitened.",
    "ensemble": "It needs a second checkpoint trained on the same images; name one or more.",
    "background": "It needs a background checkpoint, trained on images with mutated pixels by a "
    "preset whose name ends in -background.",
    "labels": "It needs a classifier of the in-distribution classes, and none is here.",
    "measure": "It reads the measure {measure} of every image, which is not computed yet.",
    "measure of held-out images": "It compares with the measure {measure} of held-out images, "
    "which is not computed yet.",
}
"""Why a score is missing, by what is lacking: the one list, for commands, pages and errors."""


def richest(score: Score, materials: Sequence[Material]) -> Material:
    """The first of several materials that suffices for a score, else the first of all.

    A costly measure may be had of the first images of a set alone, in a material of their own.
    """
    return next((m for m in materials if not score.missing(m)), materials[0])
