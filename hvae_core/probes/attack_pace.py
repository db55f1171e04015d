"""How long attacks take on this machine, from how long the last ones took: no torch.

A step of a batch is the unit: every step is one pass forward and back, whatever the radius.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.probes.attack_record import AttackSettings

KIND = "paces"
BATCH = 25
"""Images that are attacked at once."""


class Pace(NamedTuple):
    """Seconds a step of a batch of ``images`` took on a processor."""

    seconds: float
    images: int


class Expected(NamedTuple):
    """Seconds that attacks take; ``most`` where they may take less than that."""

    seconds: float
    most: bool


def ticks(images: int, levels: int, settings: AttackSettings, batch_size: int = BATCH) -> int:
    """The steps of batches that attacks on all ``levels`` take."""
    batches = -(-images // batch_size)
    return batches * settings.starts * levels * (settings.steps + 1)


def keep(
    checkpoint: str, seconds: float, *, images: int, levels: int, settings: AttackSettings
) -> None:
    """Note how long attacks took under the weights of this digest, for the next."""
    each = seconds / ticks(images, levels, settings)
    cache.store(KIND, _key(checkpoint), {"pace": np.array([each, min(images, BATCH)])})


def expected(
    checkpoint: str, *, images: int, levels: int, settings: AttackSettings
) -> Expected | None:
    """How long attacks will take; None where none were made here under these weights.

    A step of more images takes at most so many times as long, one of fewer at most as long.
    """
    found = cache.load(KIND, _key(checkpoint))
    if found is None:
        return None
    pace = Pace(float(found["pace"][0]), int(found["pace"][1]))
    batch = min(images, BATCH)
    seconds = ticks(images, levels, settings) * pace.seconds * max(1.0, batch / pace.images)
    return Expected(seconds, batch != pace.images)


def _key(checkpoint: str) -> str:
    return fingerprint.digest("attack-pace", checkpoint)
