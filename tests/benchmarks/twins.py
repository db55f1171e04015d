"""How long the small twins of the papers' recipes train on one core: an estimate for each.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.twins [PRESET ...]

A few steps of every twin, or of the presets named, run through the training loop with their own
network, batch, optimiser and running average. Processor seconds of one thread stand for seconds of
the clock: other work on the machine counts for little, and a second core shortens the run. A run is
estimated as the median step times the number of steps, and one validation an epoch.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace

import numpy as np
import torch
from lightning_fabric import Fabric

from hvae_core.config.presets import PRESETS, Preset, get_preset
from hvae_core.training.loop import VALIDATION_IMAGES, train
from tests.small import tiny_set

STEPS = 5
WHOLE = 50_000  # images of an epoch that takes the whole set, roughly
_WARM = 1  # steps that are not counted
_HELD_OUT = 100  # images validated here, of the VALIDATION_IMAGES of a run


def measure(preset: Preset, count: int = STEPS) -> tuple[int, float, float]:
    """Parameters, seconds of a training step, and seconds of a validation."""
    shape, batch = preset.model.image_shape, preset.train.batch_size
    clock: list[float] = []
    run = train(
        preset.model,
        replace(preset.train, epochs=1, epoch_images=count * batch, start=""),
        tiny_set(count * batch, shape),
        validation=tiny_set(_HELD_OUT, shape, seed=1),
        progress=lambda share, text: clock.append(time.process_time()),
        fabric=Fabric(accelerator="cpu", devices=1),
    )
    *steps, validation = np.diff(clock)
    parameters = sum(weight.numel() for weight in run.model.parameters())
    scale = VALIDATION_IMAGES / _HELD_OUT
    return parameters, float(np.median(steps[_WARM - 1 :])), float(validation * scale)


def minutes(preset: Preset, step: float, validation: float) -> float:
    """Of a whole run, from the seconds of a step and of a validation."""
    steps = math.ceil((preset.train.epoch_images or WHOLE) / preset.train.batch_size)
    return preset.train.epochs * (steps * step + validation) / 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("presets", nargs="*", metavar="PRESET")
    names = parser.parse_args().presets
    torch.set_num_threads(1)
    print(f"{'preset':<32}{'parameters':>12}{'epochs':>8}{'ms a step':>11}{'minutes':>9}")
    for name in names or [name for name, preset in PRESETS.items() if preset.twin_of]:
        preset = get_preset(name)
        parameters, step, validation = measure(preset)
        estimate = minutes(preset, step, validation)
        print(
            f"{name:<32}{parameters:>12,}{preset.train.epochs:>8}{step * 1000:>11.0f}"
            f"{estimate:>9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
