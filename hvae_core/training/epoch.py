"""The steps of one epoch: which images each takes, with which noise, and what moves meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from hvae_core.common.errors import ConfigError
from hvae_core.training.objectives import free_bits_lambda, warmup_beta
from hvae_core.training.optimiser import learning_rate
from hvae_core.training.state import RunState


class Batch(NamedTuple):
    """One step's images of this process: their places in the set, and the keys of their noise.

    ``weight`` is their share of the step's images times the number of processes.
    """

    images: Tensor  # (B,)
    keys: Tensor  # (B, 2)
    weight: float


def batches_of(n: int, running: RunState, fabric: Fabric) -> list[Batch]:
    """The steps of this epoch: ``batch_size`` images each over all processes.

    An image's noise follows from its place in the epoch. So a run is the same, but for rounding, on
    one process and on several.
    """
    config, rank, world = running.config, fabric.global_rank, fabric.world_size
    order = torch.randperm(n, generator=_generator(config.seed, running.epoch))
    order = order[: config.epoch_images or n]
    places = torch.arange(len(order))
    keys = torch.stack([places, torch.full_like(places, running.epoch)], 1)
    if config.batch_size < world:
        raise ConfigError(
            f"A batch of {config.batch_size} images cannot be split among {world} processes; "
            f"use at most {config.batch_size} devices."
        )
    batches: list[Batch] = []
    for part in places.split(config.batch_size):
        mine = part[rank::world]
        # Processes without an image would leave the others waiting for their gradients.
        if len(part) >= world or not batches:
            weight = len(mine) * world / len(part)
            batches.append(Batch(order[mine], keys[mine], weight))
    return batches


def schedule_of(batches: Sequence[Batch], running: RunState) -> Tensor:
    """The rows of a ``Stepper`` (steps, 5): all that moves within an epoch, counted in epochs."""
    config, steps = running.config, len(batches)
    rows = []
    for step, batch in enumerate(batches):
        at, taken = running.epoch + step / steps, running.epoch * steps + step
        # The average is faster in the first steps so that it does not drag the start.
        decay = min(config.ema, (1 + taken) / (10 + taken)) if config.ema else 0.0
        beta = config.beta * warmup_beta(at, config.warmup_epochs)
        free_bits = free_bits_lambda(at, config)
        rows.append((learning_rate(at, config), beta, free_bits, 1 - decay, batch.weight))
    return torch.tensor(rows, dtype=torch.float32)


def _generator(seed: int, epoch: int) -> torch.Generator:
    """The order of one epoch, which all processes share."""
    words = np.random.SeedSequence([seed, epoch, 0]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> 1))  # torch takes 63 bits
