"""Images that stand where they should not: trained on and calibrated with, or fitted and judged."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import cache
from hvae_core.common.errors import DataError
from hvae_core.data.identity import key_of
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.worlds import world_key
from hvae_core.scores.reference import training_set

if TYPE_CHECKING:
    from hvae_core.detection.judging import Judging


def overlaps(images: ImageSet, others: Collection[int], what: str) -> tuple[str, ...]:
    """A sentence on images whose digests are among ``others``, where there are any."""
    if not others:
        return ()
    count = sum(digest in others for digest in images.image_digests())
    if not count:
        return ()
    return (f"{count:,} of {len(images):,} images are among {what}",)


def training_digests(known: Judging, given: ImageSet | None) -> frozenset[int]:
    """Digests of the images that a model was trained on, as far as they are known here.

    Those that were ``given``, else those that training noted beside the checkpoint, else those of
    the world of a checkpoint, where its training set is on this machine.
    """
    if given is not None:
        return frozenset(given.image_digests())
    held_out = known.held_out()
    if held_out is not None:
        return frozenset(held_out.training.tolist())
    return frozenset(_of_world(known).tolist())


def _of_world(known: Judging) -> np.ndarray:
    """Digests of a world's training images at the model's shape: kept, as they are many."""
    from hvae_core.data import worlds

    key = world_key(known.checkpoint)
    if key is None:
        return np.zeros(0, np.uint64)
    world = worlds()[key]
    name = training_set(world)
    if name is None or not world.available(name):
        return np.zeros(0, np.uint64)

    def read() -> np.ndarray:
        try:
            images = world.load(name).fit(known.image_shape)
        except DataError:
            return np.zeros(0, np.uint64)
        return np.array(images.image_digests(), dtype=np.uint64)

    entry = key_of(world, name, known.image_shape, limit=None)
    if entry is None:
        return read()
    return cache.kept(
        "training-digests", entry, read, pack=lambda rows: {"digests": rows},
        unpack=lambda arrays: arrays["digests"],
    )  # fmt: skip
