"""One training loop for every model and objective: resumable, and the same stream after a resume.

All random numbers of an epoch come from a generator seeded by (seed, epoch, rank). A run that was
interrupted continues from its last finished epoch and ends with the weights of one that never was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from hvae_core.checkpoint import History
from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise, Noise, StreamNoise
from hvae_core.common.progress import Progress, Say, silent, unsaid
from hvae_core.config import ModelConfig, TrainConfig
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.collapse import UnitStats, active_units
from hvae_core.models import HierarchicalVAE, model_from_config, prepared
from hvae_core.training.objectives import Objective, free_bits_lambda, warmup_beta
from hvae_core.training.optimiser import Gradients, learning_rate, make_optimizer
from hvae_core.training.state import RunState, load_state, save_state

VALIDATION_IMAGES = 1000


@dataclass
class Run:
    """A finished (or resumed) training: the averaged model, its history, the seconds it took."""

    model: HierarchicalVAE
    history: History
    seconds: float
    planned: tuple[int, ...] = ()
    """Epochs that the run was planned for and finished before it was told to go on."""


def train(
    model_config: ModelConfig,
    config: TrainConfig,
    images: ImageSet,
    validation: ImageSet,
    *,
    start: HierarchicalVAE | None = None,
    state: Path | None = None,
    extend: bool = False,
    on_epoch: Callable[[Run], None] | None = None,
    progress: Progress = silent,
    say: Say = unsaid,
    fabric: Fabric | None = None,
) -> Run:
    """Train a model by its objective (equations in ``objectives``) and return the averaged weights.

    ``start`` gives the starting weights where ``config.start`` names a checkpoint; nothing in it is
    changed. ``state`` is a file that keeps the run after every epoch; if it holds a run of the same
    configuration, training continues from there; with ``extend`` also where that run is finished
    and was planned for fewer epochs, of which ``say`` receives a line. ``on_epoch`` receives the
    run as it stands after every epoch, in the first process only. Raises ``ConfigError`` if it
    holds another or if the loss is no longer a number, ``DataError`` for images that do not fit.
    """
    for given in (images, validation):
        given.require(model_config.image_shape, empty=" to train or validate with")
    # 1. Images stay bytes in memory: a batch at a time becomes numbers, on the device.
    pixels = torch.from_numpy(np.array(images.images))  # uint8 (N, C, H, W)
    held_out = validation.sample(VALIDATION_IMAGES)  # by content: a folder may be sorted by class
    # 2. The same weights in every process, then onto its device.
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    fabric.launch()
    running = _start(model_config, config, pixels, start=start)
    module, optimizer = fabric.setup(running.objective, running.optimizer)
    running.average.to(fabric.device)
    # 3. An interrupted run goes on. After the setup: moments are loaded to where the weights are.
    if state is not None and state.exists():
        load_state(state, running, extend=extend)
        if running.epoch < config.epochs and running.epoch in running.planned:
            say(goes_on(running.epoch, config.epochs))
    # 4. Epoch by epoch. What is shown, kept and returned is the average, never the raw weights.
    while running.epoch < config.epochs:
        started = time.perf_counter()
        row = _train_epoch(
            running, pixels, fabric=fabric, module=module, optimizer=optimizer, progress=progress
        )
        row |= validate(running.average, held_out)
        row["seconds"] = time.perf_counter() - started
        running.record(row)
        if state is not None and fabric.is_global_zero:
            save_state(state, running)
        if on_epoch is not None and fabric.is_global_zero:
            on_epoch(_run(running))
        progress(running.epoch / config.epochs, _summary(running.epoch, row))
    running.average.cpu()
    return _run(running)


def _run(running: RunState) -> Run:
    seconds = float(sum(running.history["seconds"]))
    return Run(running.average, running.history, seconds, planned=running.planned)


def goes_on(planned: int, epochs: int) -> str:
    """What becomes of the schedules where a finished run is told to last longer, in a sentence."""
    return (
        f"a finished run of {planned} epochs goes on to {epochs}: from epoch {planned + 1} on, "
        f"learning rate, warm-up and free bits are where a run of {epochs} epochs has them"
    )


def validate(model: HierarchicalVAE, images: ImageSet, batch_size: int = 250) -> dict:
    """Mean ELBO (nats), KL per layer (nats) and active units (DVP Eq. 23) on held-out images.

    One draw an image: where posterior means depend on other layers' draws, that counts a few units
    too many as active, which an evaluation with more draws does not.
    """
    stats = [UnitStats() for _ in model.latents]
    elbos, kls = [], []
    digests = images.image_digests()
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        with torch.no_grad():
            x = prepared(model, images.images[batch], digests[batch])
            trace = model.trace(x, noise=ImageNoise(digests[batch]))
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


def _start(
    model_config: ModelConfig,
    config: TrainConfig,
    pixels: Tensor,
    *,
    start: HierarchicalVAE | None,
) -> RunState:
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
    with torch.random.fork_rng(devices=[]):  # the caller's stream has no say and is not moved
        torch.manual_seed(config.seed)
        model = model_from_config(model_config)
        average = model_from_config(model_config)
    # What a network takes from data: scales from the first batch, its grey levels from all images.
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(config.seed))
    model.init_from_data(pixels[order[: config.batch_size]].float() / 255, config.seed)
    model.fit_to_data((part.float() / 255 for part in pixels.split(1000)), config.seed)
    if start is not None:
        model.load_state_dict(start.state_dict())
    average.load_state_dict(model.state_dict())
    average.eval().requires_grad_(False)
    return RunState(Objective(model, config), make_optimizer(model, config), average)


def _train_epoch(
    running: RunState,
    pixels: Tensor,
    *,
    fabric: Fabric,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> dict:
    """One pass over the images; returns the epoch's means for the history.

    ``module`` and ``optimizer`` are those of ``running`` as ``fabric`` has set them up.
    """
    config, epoch = running.config, running.epoch
    noise = StreamNoise(_generator(config.seed, epoch, fabric.global_rank))
    batches = _order(len(pixels), running, fabric).split(config.batch_size)
    gradients, steps = Gradients(), []
    for step, batch in enumerate(batches):
        # The learning rate, beta and lambda move within an epoch: ``at`` counts in epochs.
        at = epoch + step / len(batches)
        rate = learning_rate(at, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Loss
        x = (pixels[batch].float() / 255).to(fabric.device)
        if config.mutation:
            x = mutate(x, config.mutation, noise)
        terms = module(x, noise, at)
        if not torch.isfinite(terms.loss):
            raise ConfigError(
                f"The loss is no longer a number in epoch {epoch + 1}; "
                "start again with a lower learning_rate."
            )
        # Step: a wild gradient takes none, and then the average must not count it either.
        optimizer.zero_grad()
        fabric.backward(terms.loss)
        if gradients.step(fabric, module, optimizer, config=config):
            _update_average(running, epoch * len(batches) + step)
        # As numbers: the terms themselves would keep every step's graph alive.
        steps.append([term.tolist() for term in terms])
        progress((at + 1 / len(batches)) / config.epochs, f"epoch {epoch + 1} of {config.epochs}")
    loss, log_px, kl, elbo = (np.mean(term, axis=0).tolist() for term in zip(*steps, strict=True))
    return {
        "train_loss": loss,
        "train_elbo": elbo,
        "train_log_px": log_px,
        "train_kl": kl,
        **gradients.row(epoch, config),
        "learning_rate": rate,
        "beta": warmup_beta(epoch + 1, config.warmup_epochs),
        "free_bits": free_bits_lambda(epoch + 1, config),
    }


def _order(n: int, running: RunState, fabric: Fabric) -> Tensor:
    """The images (their places among n) that this process takes in this epoch, in their order."""
    config, rank, world = running.config, fabric.global_rank, fabric.world_size
    order = torch.randperm(n, generator=_generator(config.seed, running.epoch, -1))
    order = order[: config.epoch_images or n]
    # Every process takes as many images as the others, or one would wait for gradients for ever.
    return order[: max(world, len(order) // world * world)][rank::world]


@torch.no_grad()
def _update_average(running: RunState, step: int) -> None:
    """Exponential moving average, faster in the first steps so that it does not drag the start."""
    ema = running.config.ema
    decay = min(ema, (1 + step) / (10 + step)) if ema else 0.0
    source = running.objective.model.state_dict()
    for name, value in running.average.state_dict().items():
        value.lerp_(source[name].to(value.device), 1 - decay)


def _generator(seed: int, epoch: int, rank: int) -> torch.Generator:
    """The random numbers of one epoch in one process, or (rank -1) those that all share."""
    words = np.random.SeedSequence([seed, epoch, rank + 1]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> 1))  # torch takes 63 bits


def _summary(epoch: int, row: dict) -> str:
    kl = " ".join(f"{value:.2f}" for value in row["valid_kl"])
    return f"epoch {epoch}: validation ELBO {row['valid_elbo']:.1f} nats, KL {kl}"


def mutate(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Grey levels (B, C, H, W) in [0, 1], each replaced by a uniform one of 256 at this rate.

    What images have in common at large is destroyed, and the background of plain pixels stays. A
    pixel of a colour image is replaced in all its channels or in none.
    """
    hit = noise.uniform("mutated", 1, len(x), (1, *x.shape[2:]))[0].to(x.device) < rate
    grey = noise.uniform("mutation", 1, len(x), x.shape[1:])[0].to(x.device)
    return torch.where(hit, (256 * grey).floor().clamp_max(255) / 255, x)
