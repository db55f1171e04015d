"""How long a recipe trains on one core, from a few of its steps on images of noise."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from lightning_fabric import Fabric

from hvae_core.config.presets import Preset
from hvae_core.data.image_set import ImageSet
from hvae_core.models.threads import one_thread
from hvae_core.training.loop import VALIDATION_IMAGES, train
from hvae_core.training.processes import Precision

WHOLE = 55_000  # images of an epoch that takes the whole set, about
_HELD_OUT = 100  # images validated here, of the VALIDATION_IMAGES of a run


class Timed(NamedTuple):
    """Weights, processor seconds of a step and of a validation, and steps of an epoch."""

    parameters: int
    step: float
    validation: float
    steps: int

    @property
    def epoch(self) -> float:
        """Processor seconds of an epoch."""
        return self.steps * self.step + self.validation


def timed(preset: Preset, count: int = 5, *, precision: Precision = "32-true") -> Timed:
    """Time ``count`` steps by the training loop, with the recipe's network, batch and optimiser.

    Processor seconds of one thread stand for seconds of the clock: other work on the machine counts
    for little, and a second core shortens the run. The step is the median of those after the first.
    """
    shape, config = preset.model.image_shape, preset.train
    clock: list[float] = []
    with one_thread():
        run = train(
            preset.model,
            replace(config, epochs=1, epoch_images=count * config.batch_size, start=""),
            _noise(count * config.batch_size, shape, 0),
            validation=_noise(_HELD_OUT, shape, 1),
            progress=lambda share, text: clock.append(time.process_time()),
            fabric=Fabric(accelerator="cpu", devices=1, precision=precision),
        )
    *steps, validation = np.diff(clock)
    return Timed(
        parameters=sum(weight.numel() for weight in run.model.parameters()),
        step=float(np.median(steps)),
        validation=float(validation * VALIDATION_IMAGES / _HELD_OUT),
        steps=math.ceil((config.epoch_images or WHOLE) / config.batch_size),
    )


def _noise(n: int, shape: tuple[int, int, int], seed: int) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)
    return ImageSet("noise", "Noise", pixels, labels=np.full(n, -1))
