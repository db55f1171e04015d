"""From a preset to a checkpoint: settings, images, devices, and the model card."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_fabric import Fabric

from hvae_core.checkpoint import load_checkpoint, save_checkpoint, shipped_checkpoints
from hvae_core.common.errors import ConfigError
from hvae_core.common.files import make_folder, sweep
from hvae_core.common.machine import hardware
from hvae_core.common.places import COMMAND
from hvae_core.common.progress import Progress, Say, silent, unsaid
from hvae_core.config import ModelCard, TrainConfig, from_json, schedules_over
from hvae_core.data.prepare import Step
from hvae_core.data.training_sets import TrainingSets, training_sets
from hvae_core.evaluation.replay import Compile
from hvae_core.training.loop import Run, goes_on, train
from hvae_core.training.processes import Precision, make_fabric

if TYPE_CHECKING:
    from hvae_core.config.presets import Preset
    from hvae_core.models import HierarchicalVAE


def train_preset(
    preset: Preset,
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    source: str | None = None,
    prepare: tuple[Step, ...] = (),
    data_root: str | None = None,
    download: bool = False,
    fabric: Fabric | None = None,
    precision: Precision = "32-true",
    extend: bool = False,
    compiling: Compile = "auto",
    progress: Progress = silent,
    say: Say = unsaid,
) -> Path | None:
    """Train by a recipe into a folder, or continue there; the checkpoint's path.

    The folder keeps the run (state.safetensors) and its checkpoint (PRESET.safetensors), both
    renewed after every epoch, of which ``say`` receives a line. ``epochs`` and ``seed`` are the
    preset's, ``source`` its world, unless told otherwise; ``precision`` is that of ``fabric``, for
    the card. With ``extend`` a finished run of fewer epochs goes on to as many. ``compiling`` is as
    in ``train``. None in every process but the first. Raises ``ConfigError``, ``DataError``.
    """
    make_folder(folder, ConfigError)  # before hours of work whose result has no place
    fabric = fabric or make_fabric(precision=precision)
    data = training_sets(
        preset.world,
        preset.model.image_shape,
        source=source,
        prepare=prepare,
        data_root=data_root,
        download=download,
        progress=progress,
    )
    config = adjusted(preset.train, epochs, seed, data=data.key)
    return run_of(
        preset, config, data, folder=folder, fabric=fabric, precision=precision, extend=extend,
        compiling=compiling, progress=progress, say=say,
    )  # fmt: skip


def run_of(
    preset: Preset,
    config: TrainConfig,
    data: TrainingSets,
    *,
    folder: Path,
    fabric: Fabric | None = None,
    precision: Precision = "32-true",
    extend: bool = False,
    compiling: Compile = "auto",
    note: str = "",
    progress: Progress = silent,
    say: Say = unsaid,
) -> Path | None:
    """As ``train_preset``, with images that were read; ``note`` is one more for the card."""
    make_folder(folder, ConfigError)
    sweep(folder)
    fabric = fabric or make_fabric(precision=precision)
    path = folder / f"{preset.name}.safetensors"
    written = 0

    def export(run: Run) -> None:
        nonlocal written
        card = card_of(
            preset, config, data, result=run, device=str(fabric.device), precision=precision,
            note=note,
        )  # fmt: skip
        save_checkpoint(path, run.model, card=card, history=run.history, train=config)
        if card.epochs > written:
            say(epoch_line(run, config.epochs))
        written = card.epochs

    run = train(
        preset.model,
        config,
        data.train,
        validation=data.validation,
        start=starting_weights(config, folder),
        state=folder / "state.safetensors",
        extend=extend,
        compiling=compiling,
        on_epoch=export,
        progress=progress,
        say=say,
        fabric=fabric,
    )
    if not fabric.is_global_zero:
        return None
    export(run)  # the run may have been finished before, and its checkpoint deleted
    return path


def adjusted(
    config: TrainConfig, epochs: int | None, seed: int | None, *, data: str
) -> TrainConfig:
    """The preset's settings with another seed or length; its schedules shrink or grow with it."""
    length = epochs or config.epochs
    changed = {
        "data": data,
        "seed": config.seed if seed is None else seed,
        "epochs": length,
        **schedules_over(config, length),
    }
    # Through JSON, where a number out of bounds becomes an error that names the field.
    return from_json(TrainConfig, json.dumps(asdict(config) | changed))


def starting_weights(config: TrainConfig, folder: Path) -> HierarchicalVAE | None:
    """The model that the recipe starts from: of a run beside this one, else the shipped one.

    Raises ``ConfigError`` where there is neither, with the command that makes it.
    """
    if not config.start:
        return None
    beside = folder.parent / config.start / f"{config.start}.safetensors"
    path = beside if beside.is_file() else shipped_checkpoints().get(config.start)
    if path is None:
        raise ConfigError(
            f"This recipe starts from the weights of {config.start}, which is not here; train it "
            f"first: {COMMAND} train --preset {config.start}"
        )
    return load_checkpoint(path).model


def card_of(
    preset: Preset,
    config: TrainConfig,
    data: TrainingSets,
    *,
    result: Run,
    device: str,
    precision: str = "32-true",
    note: str = "",
) -> ModelCard:
    """The model card of a run after as many epochs as its history has."""
    done = len(result.history["seconds"])
    notes = [f"recipe after {preset.source}", *([note] if note else [])]
    if config.start:
        notes.append(f"started from the weights of {config.start}")
    if config.epochs != preset.train.epochs:
        notes.append(f"{config.epochs} epochs where the preset has {preset.train.epochs}")
    notes += [goes_on(planned, config.epochs) for planned in result.planned[-1:]]
    if precision != "32-true":
        notes.append(f"trained in {precision}")
    if done < config.epochs:
        notes.append(f"unfinished, {done} of {config.epochs} epochs")
    return ModelCard(
        title=f"{data.title}, {preset.title}",
        preset=preset.name,
        data=data.sizes,
        train_images=len(data.train),
        epochs=done,
        objective=config.objective,
        parameters=sum(weight.numel() for weight in result.model.parameters()),
        seconds=round(result.seconds, 1),
        hardware=hardware(device),
        seed=config.seed,
        created=datetime.now(UTC).date().isoformat(),
        note="; ".join(notes),
        train_digest=data.train.digest,
    )


def epoch_line(result: Run, epochs: int) -> str:
    """One line on the last epoch: bounds in nats, KL and active units by layer, seconds."""
    last = {key: values[-1] for key, values in result.history.items()}
    kl = " ".join(f"{value:.2f}" for value in last["valid_kl"])
    active = " ".join(map(str, last["active_units"]))
    return (
        f"epoch {len(result.history['seconds'])} of {epochs}: ELBO {last['train_elbo']:.1f}, "
        f"validation {last['valid_elbo']:.1f} nats, KL {kl}, active {active}, "
        f"{last['seconds']:.0f} s"
    )
