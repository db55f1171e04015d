"""Training a classifier: cross-entropy, and the class Gaussians of its features at the end."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.checkpoint.contents import History
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.machine import hardware
from hvae_core.common.progress import Progress, silent
from hvae_core.config import ModelCard, from_json
from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import Step
from hvae_core.data.training_sets import TrainingSets, training_sets
from hvae_core.scores.classifier.config import (
    ClassifierConfig,
    ClassifierPreset,
    ClassifierTraining,
)
from hvae_core.scores.classifier.file import ClassifierFile, rounded, save_classifier
from hvae_core.scores.classifier.network import Classifier

_BATCH = 500


@dataclass
class ClassifierRun:
    """A finished training; the weights are those that a file keeps."""

    model: Classifier
    history: History
    seconds: float


def train_classifier_preset(
    preset: ClassifierPreset,
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    source: str | None = None,
    prepare: tuple[Step, ...] = (),
    data_root: str | None = None,
    download: bool = False,
    progress: Progress = silent,
) -> ClassifierFile:
    """Train by a recipe and write FOLDER/PRESET-SEED.safetensors; the file as it was written.

    ``epochs`` and ``seed`` are the preset's, ``source`` its world, unless told otherwise; images of
    the user's own say how many classes there are.
    """
    data = training_sets(
        preset.world,
        preset.model.image_shape,
        source=source,
        prepare=prepare,
        data_root=data_root,
        download=download,
        progress=progress,
    )
    config = _adjusted(preset.train, epochs=epochs, seed=seed, data=data.key)
    model = preset.model
    if source:
        model = replace(model, classes=max(2, len(data.train.class_names)))
    run = train_classifier(model, config, data.train, validation=data.validation, progress=progress)
    return save_classifier(
        folder / f"{preset.name}-{config.seed}.safetensors",
        run.model,
        card=_card(preset, config, data, run=run),
        history=run.history,
        train=config,
    )


def _adjusted(
    config: ClassifierTraining, *, epochs: int | None, seed: int | None, data: str
) -> ClassifierTraining:
    changed = {
        "data": data,
        "seed": config.seed if seed is None else seed,
        "epochs": epochs or config.epochs,
    }
    # Through JSON, where a number out of bounds becomes an error that names the field.
    return from_json(ClassifierTraining, json.dumps(asdict(config) | changed))


def _card(
    preset: ClassifierPreset, config: ClassifierTraining, data: TrainingSets, *, run: ClassifierRun
) -> ModelCard:
    return ModelCard(
        title=f"{data.title}, classifier",
        preset=preset.name,
        data=data.sizes,
        train_images=len(data.train),
        epochs=config.epochs,
        objective="cross-entropy",
        parameters=sum(weight.numel() for weight in run.model.parameters()),
        seconds=round(run.seconds, 1),
        hardware=hardware("cpu"),
        seed=config.seed,
        created=datetime.now(UTC).date().isoformat(),
        note=preset.source,
    )


def train_classifier(
    model_config: ClassifierConfig,
    config: ClassifierTraining,
    images: ImageSet,
    *,
    validation: ImageSet,
    progress: Progress = silent,
) -> ClassifierRun:
    """Train on labelled images by cross-entropy; everything random comes from ``config.seed``.

    Raises ``DataError`` where images have no labels or another shape, ``ConfigError`` where the
    loss is no longer a number.
    """
    for given in (images, validation):
        _check(given, model_config)
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Classifier(model_config)
    pixels, labels = torch.from_numpy(np.array(images.images)), torch.from_numpy(images.labels + 0)
    draws = torch.Generator().manual_seed(config.seed)
    drawn = min(config.epoch_images or len(labels), len(labels))
    steps = -(-drawn // config.batch_size) * config.epochs
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    history: History = {"train_loss": [], "valid_accuracy": []}
    for epoch in range(config.epochs):
        losses = []
        for batch in torch.randperm(len(labels), generator=draws)[:drawn].split(config.batch_size):
            loss = F.cross_entropy(model(pixels[batch].float() / 255), labels[batch])
            if not torch.isfinite(loss):
                raise ConfigError(
                    f"The loss is no longer a number in epoch {epoch + 1}; "
                    "start again with a lower learning_rate."
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            progress(schedule.last_epoch / steps, f"epoch {epoch + 1} of {config.epochs}")
        history["train_loss"].append(float(np.mean(losses)))
        history["valid_accuracy"].append(accuracy(model, validation))
    rounded(model).eval().requires_grad_(False)
    model.fit_gaussians(_features(model, pixels), labels)
    return ClassifierRun(model, history, time.perf_counter() - started)


@torch.no_grad()
def accuracy(model: Classifier, images: ImageSet) -> float:
    """Share of labelled images whose largest logit is that of their class."""
    right = 0
    for start in range(0, len(images), _BATCH):
        x = torch.from_numpy(np.array(images.images[start : start + _BATCH])).float() / 255
        right += int((model(x).argmax(1).numpy() == images.labels[start : start + _BATCH]).sum())
    return right / len(images)


@torch.no_grad()
def _features(model: Classifier, pixels: Tensor) -> Tensor:
    return torch.cat([model.features(part.float() / 255) for part in pixels.split(_BATCH)])


def _check(images: ImageSet, config: ClassifierConfig) -> None:
    images.require(config.image_shape, "the classifier", empty=" to train or validate with")
    if images.labels.min() < 0 or images.labels.max() >= config.classes:
        raise DataError(
            f"A classifier needs a label of 0 to {config.classes - 1} for every image, which "
            f"{images.title} does not give; choose a labelled set of {config.classes} classes."
        )
