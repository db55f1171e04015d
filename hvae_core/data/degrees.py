"""A set moved away from itself by degrees: every image turned, blurred, noisy or faint alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hvae_core.common.ladders import LADDERS, ChangeName
from hvae_core.data.image_set import ImageSet
from hvae_core.data.perturb import Perturbation, perturbed


def by_degree(images: ImageSet, change: ChangeName, degree: float) -> ImageSet:
    """Return the images after a change of this degree; the noise of each follows from its pixels.

    Neither the order of the images nor what else is in the set has a say. The pattern of an image's
    noise is the same at every degree. Raises ``DataError`` for a degree out of bounds.
    """
    ladder = LADDERS[change]
    by = replace(Perturbation(), **{change: ladder.start + ladder.scale * degree})
    if not by.changes:
        return images
    pixels = np.empty_like(images.images)
    for row, image, digest in zip(pixels, images.images, images.image_digests(), strict=True):
        row[...] = perturbed(image, by, seed=digest)
    note = f"{ladder.axis.partition(' (')[0]} {degree:g}"
    return replace(images, images=pixels, notes=(*images.notes, note))
