"""One training loop for every model and objective: resumable, and the same stream after a resume.

All random numbers of an epoch follow from the seed, the epoch and an image's place in it. A run
that was interrupted continues from its last finished epoch and ends with the weights of one that
never was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from hvae_core.checkpoint import History
from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import ImageNoise
from hvae_core.common.progress import Progress, Say, silent, unsaid
from hvae_core.config import ModelConfig, TrainConfig
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import bound
from hvae_core.evaluation.collapse import UnitStats, active_units
from hvae_core.evaluation.replay import Compile
from hvae_core.models import HierarchicalVAE, model_from_config, prepared
from hvae_core.training.epoch import batches_of, schedule_of
from hvae_core.training.objectives import Objective, free_bits_lambda, warmup_beta
from hvae_core.training.optimiser import gradient_row, learning_rate, make_optimizer
from hvae_core.training.processes import agreed, meet
from hvae_core.training.state import RunState, load_state, save_state, tensors_of
from hvae_core.training.step import Stepper

OnStep = Callable[[RunState, Tensor], None]
"""Called after every step with the run and the step's figures (``Stepper.out``).

It may change the settings of the steps to come (``RunState.change``), wait, or raise to stop.
"""
VALIDATION_IMAGES = 1000
_LOOK = 50
"""Steps between two looks at the loss, for each of which the device is waited for."""
_RESIDENT = 2**31
"""Bytes of images that are kept on the device throughout; more come batch by batch."""


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
    on_step: OnStep | None = None,
    progress: Progress = silent,
    say: Say = unsaid,
    fabric: Fabric | None = None,
    compiling: Compile = "auto",
) -> Run:
    """Train a model by its objective (equations in ``objectives``) and return the averaged weights.

    ``start`` gives the starting weights where ``config.start`` names a checkpoint; nothing in it is
    changed. ``state`` is a file that keeps the run after every epoch; if it holds a run of the same
    configuration, training continues from there; with ``extend`` also where that run is finished
    and was planned for fewer epochs, of which ``say`` receives a line. ``on_epoch`` receives the
    run as it stands after every epoch, in the first process only; ``on_step`` is called in every
    one. ``compiling`` lets a graphics
    card replay compiled steps where that can be done (``step``); it changes figures by rounding
    alone. Raises ``ConfigError`` if the state holds another run or if the loss is no longer a
    number, ``DataError`` for images that do not fit.
    """
    for given in (images, validation):
        given.require(model_config.image_shape, empty=" to train or validate with")
    # 1. Images stay bytes in memory: a batch at a time becomes numbers, on the device.
    pixels = torch.from_numpy(np.array(images.images))  # uint8 (N, C, H, W)
    held_out = validation.sample(VALIDATION_IMAGES)  # by content: a folder may be sorted by class
    # 2. The same weights in every process, then onto its device.
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    meet(fabric)
    running = _start(model_config, config, pixels, start=start, fabric=fabric)
    running.images = images.digest
    stepper = Stepper(running, fabric, compiling=compiling)
    # 3. An interrupted run goes on. After the setup: moments are loaded to where the weights are.
    agreed(fabric, lambda: _resumed(state, running, extend=extend))
    if running.epoch < config.epochs and running.epoch in running.planned:
        say(goes_on(running.epoch, config.epochs))
    # 4. Epoch by epoch. What is shown, kept and returned is the average, never the raw weights.
    while running.epoch < config.epochs:
        started = time.perf_counter()
        row = _train_epoch(stepper, pixels, on_step=on_step, progress=progress)
        stepper.gather()
        row |= validate(running.average, held_out)
        row["seconds"] = time.perf_counter() - started
        running.record(row)
        if state is not None:
            tensors = tensors_of(running)
            if fabric.is_global_zero:
                save_state(state, running, tensors)
        if on_epoch is not None and fabric.is_global_zero:
            on_epoch(_run(running))
        progress(running.epoch / config.epochs, _summary(running.epoch, row))
    running.average.cpu()
    return _run(running)


def _resumed(state: Path | None, running: RunState, *, extend: bool) -> int:
    """The epoch at which a run goes on: that of its file, or the first."""
    if state is not None and state.exists():
        load_state(state, running, extend=extend)
    return running.epoch


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
    fabric: Fabric,
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
    scaled = fabric.strategy.precision.precision == "16-mixed"
    optimizer = make_optimizer(model, config, device=fabric.device.type, scaled=scaled)
    return RunState(Objective(model, config), optimizer, average)


def _train_epoch(
    stepper: Stepper, pixels: Tensor, *, on_step: OnStep | None, progress: Progress
) -> dict:
    """One pass over the images; returns the epoch's means for the history."""
    running, fabric = stepper.running, stepper.fabric
    config, epoch = running.config, running.epoch
    # 1. All that is known beforehand goes to the device at once: places, and the schedule.
    batches = batches_of(len(pixels), running, fabric)
    schedule = schedule_of(batches, running).to(fabric.device)
    record = torch.zeros(len(batches), len(stepper.out), device=fabric.device)
    held = pixels.to(fabric.device) if pixels.numel() <= _RESIDENT else pixels
    # 2. Steps. Nothing is asked of the device but now and then: an answer would keep it waiting.
    for step, batch in enumerate(batches):
        stepper.row.copy_(schedule[step])
        chosen = held[batch.images.to(held.device)]
        stepper.step(chosen.to(fabric.device), batch.keys.to(fabric.device))
        record[step].copy_(stepper.out)
        if fabric.device.type == "cpu" or step % _LOOK == 0 or step + 1 == len(batches):
            _check(record[: step + 1, 0], epoch)
        if on_step is not None:
            on_step(running, stepper.out)
            if running.config is not config:
                config = running.config
                schedule = schedule_of(batches, running).to(fabric.device)
        at = epoch + (step + 1) / len(batches)
        progress(at / config.epochs, f"epoch {epoch + 1} of {config.epochs}")
    # 3. The epoch's figures.
    if fabric.world_size > 1:
        record = fabric.all_reduce(record * schedule[:, 4:], reduce_op="mean")  # type: ignore[assignment]
    numbers = record.double().cpu()
    loss, log_px, elbo = numbers[:, :3].mean(0).tolist()
    return {
        "train_loss": loss,
        "train_elbo": elbo,
        "train_log_px": log_px,
        "train_kl": numbers[:, 5:].mean(0).tolist(),
        **gradient_row(numbers[:, 3].tolist(), numbers[:, 4].bool().tolist(), epoch, config=config),
        "learning_rate": learning_rate(epoch + (len(batches) - 1) / len(batches), config),
        "beta": config.beta * warmup_beta(epoch + 1, config.warmup_epochs),
        "free_bits": free_bits_lambda(epoch + 1, config),
    }


def _check(losses: Tensor, epoch: int) -> None:
    if not torch.isfinite(losses).all():
        raise ConfigError(
            f"The loss is no longer a number in epoch {epoch + 1}; "
            "start again with a lower learning_rate."
        )


def _summary(epoch: int, row: dict) -> str:
    kl = " ".join(f"{value:.2f}" for value in row["valid_kl"])
    return f"epoch {epoch}: validation ELBO {row['valid_elbo']:.1f} nats, KL {kl}"
