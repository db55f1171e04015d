"""One training loop for every model and objective: resumable, and the same stream after a resume.

All random numbers of an epoch come from a generator seeded by (seed, epoch, rank). A run that was
interrupted continues from its last finished epoch and ends with the weights of one that never was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.noise import ImageNoise, Noise, StreamNoise
from hvae_core.common.progress import Progress, silent
from hvae_core.config import ModelConfig, TrainConfig
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.collapse import UnitStats, active_units
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.training.objectives import Objective, free_bits_lambda, warmup_beta
from hvae_core.training.optimiser import Gradients, learning_rate, make_optimizer
from hvae_core.training.state import load_state, save_state

History = dict[str, list]
VALIDATION_IMAGES = 1000


@dataclass
class Run:
    """A finished (or resumed) training: the averaged model, its history, the seconds it took."""

    model: HierarchicalVAE
    history: History
    seconds: float


@dataclass
class _Running:
    """Everything that changes while training, in one place, so that a resume restores all of it."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    average: HierarchicalVAE
    epoch: int = 0
    history: History = field(default_factory=dict)


def train(
    model_config: ModelConfig,
    config: TrainConfig,
    images: ImageSet,
    validation: ImageSet,
    *,
    start: HierarchicalVAE | None = None,
    state: Path | None = None,
    on_epoch: Callable[[Run], None] | None = None,
    progress: Progress = silent,
    fabric: Fabric | None = None,
) -> Run:
    """Train a model by its objective (equations in ``objectives``) and return the averaged weights.

    ``start`` gives the starting weights where ``config.start`` names a checkpoint; nothing in it is
    changed. ``state`` is a file that keeps the run after every epoch; if it holds a run of the same
    configuration, training continues from there. ``on_epoch`` receives the run as it stands after
    every epoch, in the first process only. Raises ``ConfigError`` if it holds another or if
    the loss is no longer a number, ``DataError`` for images that do not fit the model.
    """
    for given in (images, validation):
        _check(given, model_config)
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    fabric.launch()
    pixels = torch.from_numpy(np.array(images.images))  # uint8 (N, C, H, W)
    running = _start(model_config, config, pixels, start)
    held_out = validation.sample(VALIDATION_IMAGES)  # by content: a folder may be sorted by class
    wrapped, optimizer = fabric.setup(running.objective, running.optimizer)
    running.average.to(fabric.device)
    if state is not None and state.exists():  # after the setup: moments go where the weights are
        load_state(state, model_config, config, running)
    for epoch in range(running.epoch, config.epochs):
        started = time.perf_counter()
        row = _train_epoch(fabric, wrapped, optimizer, running, pixels, config, epoch, progress)
        row |= validate(running.average, held_out)
        row["seconds"] = time.perf_counter() - started
        for key, value in row.items():
            # A quantity that a resumed run did not record from its start has no epochs to count by.
            if len(running.history.get(key, [])) == epoch:
                running.history.setdefault(key, []).append(value)
        running.epoch = epoch + 1
        if state is not None and fabric.is_global_zero:
            save_state(state, model_config, config, running)
        if on_epoch is not None and fabric.is_global_zero:
            on_epoch(_run(running))
        progress(running.epoch / config.epochs, _summary(epoch, row))
    running.average.cpu()
    return _run(running)


def _run(running: _Running) -> Run:
    return Run(running.average, running.history, float(sum(running.history["seconds"])))


def validate(model: HierarchicalVAE, images: ImageSet, batch_size: int = 250) -> dict:
    """Mean ELBO (nats), KL per layer (nats) and active units (DVP Eq. 23) on held-out images.

    One draw an image: where posterior means depend on other layers' draws, that counts a few units
    too many as active, which an evaluation with more draws does not.
    """
    stats = [UnitStats() for _ in model.latents]
    elbos, kls = [], []
    digests = images.image_digests()
    for start in range(0, len(images), batch_size):
        chunk = torch.from_numpy(images.images[start : start + batch_size].copy())
        noise = ImageNoise(digests[start : start + batch_size])
        with torch.no_grad():
            x = model.prepare(chunk.to(model.device).float() / 255, noise)
            trace = model.trace(x, noise=noise)
        elbos.append(bound(trace).cpu())
        kls.append(trace.kl.mean(1).cpu())
        for stat, mean in zip(stats, trace.z, strict=True):
            if mean is not None:
                stat.add(mean.mean(0).flatten(1).cpu().numpy())
    return {
        "valid_elbo": float(torch.cat(elbos).mean()),
        "valid_kl": torch.cat(kls, 1).mean(1).tolist(),
        "active_units": [int(active_units(stat.variance)) for stat in stats],
    }


def _check(images: ImageSet, model_config: ModelConfig) -> None:
    if not len(images):
        raise DataError(f"{images.title} holds no images to train or validate with.")
    if images.image_shape != model_config.image_shape:
        raise DataError(
            f"{images.title} has images of shape {images.image_shape}, the model wants "
            f"{model_config.image_shape}; resize the set first."
        )


def _start(
    model_config: ModelConfig, config: TrainConfig, pixels: Tensor, start: HierarchicalVAE | None
) -> _Running:
    """A model with its optimiser and running average: fresh from the first batch, or ``start``."""
    if bool(config.start) != (start is not None):
        raise ConfigError(
            f"The recipe starts from the weights of {config.start or 'nothing'}; "
            "give exactly those."
        )
    if start is not None and start.config != model_config:
        raise ConfigError(
            f"{config.start} is a model of another shape than this recipe's; start from one of the "
            "same network."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = model_from_config(model_config)
        average = model_from_config(model_config)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(config.seed))
    model.init_from_data(pixels[order[: config.batch_size]].float() / 255, config.seed)
    model.fit_to_data((part.float() / 255 for part in pixels.split(1000)), config.seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    average.load_state_dict(model.state_dict())
    average.eval().requires_grad_(False)
    return _Running(Objective(model, config), make_optimizer(model, config), average)


def _train_epoch(
    fabric: Fabric,
    wrapped: nn.Module,
    optimizer: torch.optim.Optimizer,
    running: _Running,
    pixels: Tensor,
    config: TrainConfig,
    epoch: int,
    progress: Progress,
) -> dict:
    """One pass over the images; returns the epoch's means for the history."""
    rank, world = fabric.global_rank, fabric.world_size
    shared = torch.Generator().manual_seed(_epoch_seed(config.seed, epoch, -1))
    order = torch.randperm(len(pixels), generator=shared)
    order = order[: config.epoch_images or len(order)]
    # Every process takes as many images as the others, or one would wait for gradients for ever.
    order = order[: max(world, len(order) // world * world)][rank::world]
    noise = StreamNoise(torch.Generator().manual_seed(_epoch_seed(config.seed, epoch, rank)))
    steps = max(1, math.ceil(len(order) / config.batch_size))
    total: list[tuple[float, float, float, list[float]]] = []
    gradients = Gradients()
    for step in range(steps):
        at = epoch + step / steps
        rate = learning_rate(at, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = order[step * config.batch_size : (step + 1) * config.batch_size]
        x = (pixels[batch].float() / 255).to(fabric.device)
        if config.mutation:
            x = mutate(x, config.mutation, noise)
        terms = wrapped(x, noise, at)
        if not torch.isfinite(terms.loss):
            raise ConfigError(
                f"The loss is no longer a number in epoch {epoch + 1}; "
                "start again with a lower learning_rate."
            )
        optimizer.zero_grad()
        fabric.backward(terms.loss)
        if gradients.step(fabric, wrapped, optimizer, config):
            _update_average(running, config, epoch * steps + step)
        scalars = (float(value.detach()) for value in (terms.loss, terms.elbo, terms.log_px))
        total.append((*scalars, terms.kl.detach().tolist()))
        progress((at + 1 / steps) / config.epochs, f"epoch {epoch + 1} of {config.epochs}")
    return {
        "train_loss": float(np.mean([row[0] for row in total])),
        "train_elbo": float(np.mean([row[1] for row in total])),
        "train_log_px": float(np.mean([row[2] for row in total])),
        "train_kl": np.mean([row[3] for row in total], axis=0).tolist(),
        **gradients.row(epoch, config),
        "learning_rate": rate,
        "beta": warmup_beta(epoch + 1, config.warmup_epochs),
        "free_bits": free_bits_lambda(epoch + 1, config),
    }


@torch.no_grad()
def _update_average(running: _Running, config: TrainConfig, step: int) -> None:
    """Exponential moving average, faster in the first steps so that it does not drag the start."""
    decay = min(config.ema, (1 + step) / (10 + step)) if config.ema else 0.0
    source = running.objective.model.state_dict()
    for name, value in running.average.state_dict().items():
        value.lerp_(source[name].to(value.device), 1 - decay)


def _epoch_seed(seed: int, epoch: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, rank + 1]).generate_state(1, np.uint64)[0] >> 1)


def _summary(epoch: int, row: dict) -> str:
    kl = " ".join(f"{value:.2f}" for value in row["valid_kl"])
    return f"epoch {epoch + 1}: validation ELBO {row['valid_elbo']:.1f} nats, KL {kl}"


def mutate(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Grey levels (B, C, H, W) in [0, 1], each replaced by a uniform one of 256 at this rate.

    What images have in common at large is destroyed, and the background of plain pixels stays. A
    pixel of a colour image is replaced in all its channels or in none.
    """
    hit = noise.uniform("mutated", 1, len(x), (1, *x.shape[2:]))[0].to(x.device) < rate
    grey = noise.uniform("mutation", 1, len(x), x.shape[1:])[0].to(x.device)
    return torch.where(hit, (256 * grey).floor().clamp_max(255) / 255, x)
