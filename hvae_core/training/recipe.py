"""From a preset and the command line to what training needs: settings, images, model card."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.progress import Progress
from hvae_core.config import ModelCard, TrainConfig, from_json, schedules_over

if TYPE_CHECKING:
    from hvae_core.config.presets import Preset
    from hvae_core.data import ImageSet
    from hvae_core.models import HierarchicalVAE
    from hvae_core.scores.classifier.config import ClassifierPreset
    from hvae_core.training.loop import Run

_OWN_HELD_OUT = 10  # one image in so many of a user's own set validates


@dataclass(frozen=True)
class Data:
    """What to train on: images, held-out images, and what a card says of them."""

    train: ImageSet
    validation: ImageSet
    key: str
    words: str

    @property
    def title(self) -> str:
        """What a checkpoint's title calls them: the world, or an own set without its notes."""
        own = self.key.startswith("own: ")
        return self.train.title if own else self.words.partition(":")[0]


def adjusted(config: TrainConfig, epochs: int | None, seed: int | None, data: str) -> TrainConfig:
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


def find_data(
    args: argparse.Namespace, preset: Preset | ClassifierPreset, progress: Progress
) -> Data:
    """The world's training and validation sets, or the user's own images in two parts."""
    from hvae_core.cli import sources
    from hvae_core.data import worlds

    if args.data:
        return _own_data(args, preset, progress)
    world = worlds()[preset.world]
    if args.download:
        for name in ("train", "validation"):
            sources.fetch(world, name, args.data_root, progress)
    train, validation = (
        world.load(name, args.data_root, progress=progress).fit(preset.model.image_shape)
        for name in ("train", "validation")
    )
    return Data(train, validation, world.key, f"{world.title}: {_noted(train)}")


def _own_data(
    args: argparse.Namespace, preset: Preset | ClassifierPreset, progress: Progress
) -> Data:
    from hvae_core.data import load_source

    shape = preset.model.image_shape
    images = load_source(
        args.data,
        image_shape=shape,
        allow_download=args.download,
        data_root=args.data_root,
        progress=progress,
    ).fit(shape)
    images = images.shuffled()
    held = max(1, len(images) // _OWN_HELD_OUT)
    if len(images) <= held:
        raise DataError(f"{images.title} holds {len(images)} image(s), too few to train on.")
    return Data(
        images.take(range(held, len(images))),
        images.take(held),
        f"own: {images.title}",
        _noted(images),
    )


def _noted(images: ImageSet) -> str:
    """What a card calls a set: its title, and what was done to its images on their way here."""
    return images.title + (f" ({'; '.join(images.notes)})" if images.notes else "")


def starting_weights(config: TrainConfig, folder: Path) -> HierarchicalVAE | None:
    """The model that the recipe starts from: of a run beside this one, else the shipped one.

    Raises ``ConfigError`` where there is neither, with the command that makes it.
    """
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints

    if not config.start:
        return None
    beside = folder.parent / config.start / f"{config.start}.safetensors"
    path = beside if beside.is_file() else shipped_checkpoints().get(config.start)
    if path is None:
        raise ConfigError(
            f"This recipe starts from the weights of {config.start}, which is not here; train it "
            f"first: python -m hvae_core train --preset {config.start}"
        )
    return load_checkpoint(path).model


def card_of(
    preset: Preset,
    config: TrainConfig,
    data: Data,
    result: Run,
    device: str,
    precision: str = "32-true",
) -> ModelCard:
    """The model card of a run after as many epochs as its history has."""
    from hvae_core.common.machine import hardware

    done = len(result.history["seconds"])
    notes = [f"recipe after {preset.source}"]
    if config.start:
        notes.append(f"started from the weights of {config.start}")
    if config.epochs != preset.train.epochs:
        notes.append(f"{config.epochs} epochs where the preset has {preset.train.epochs}")
    if precision != "32-true":
        notes.append(f"trained in {precision}")
    if done < config.epochs:
        notes.append(f"unfinished, {done} of {config.epochs} epochs")
    return ModelCard(
        title=f"{data.title}, {preset.title}",
        preset=preset.name,
        data=f"{data.words}, {len(data.train):,} images; {len(data.validation):,} for validation",
        train_images=len(data.train),
        epochs=done,
        objective=config.objective,
        parameters=sum(weight.numel() for weight in result.model.parameters()),
        seconds=round(result.seconds, 1),
        hardware=hardware(device),
        seed=config.seed,
        created=datetime.now(UTC).date().isoformat(),
        note="; ".join(notes),
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
