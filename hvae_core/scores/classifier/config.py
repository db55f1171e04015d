"""What a classifier is and how it is trained; the bounds keep a hostile file small."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config import STRICT, ImageShape

MAX_PIXELS = 2**18


@dataclass(frozen=True, config=STRICT)
class ClassifierConfig:
    """A small convolutional classifier p(y | x)."""

    image_shape: ImageShape
    classes: Annotated[int, Field(ge=2, le=1000)]
    channels: Annotated[int, Field(ge=1, le=128)] = 16
    """Of the first convolution; the two after it have twice as many."""
    features: Annotated[int, Field(ge=1, le=512)] = 48
    """Width of the last layer before the classes, which Mahalanobis distances are taken in."""

    def __post_init__(self) -> None:
        if math.prod(self.image_shape) > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS:,} numbers in an image")


@dataclass(frozen=True, config=STRICT)
class ClassifierTraining:
    """How a classifier is trained: cross-entropy with AdamW, the rate falling by half a cosine."""

    data: str
    """World and in-distribution set, e.g. ``glyphs``."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 10
    epoch_images: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Images in one epoch, drawn anew each time without replacement; 0 for the whole set."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


@dataclass(frozen=True, config=STRICT)
class OdinSettings:
    """T and epsilon of ODIN: the fixed ones of Liang et al. 2018, chosen on no image of ours.

    ``epsilon`` is in units of pixels from 0 to 1.
    """

    temperature: Annotated[float, Field(gt=0)] = 1000.0
    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0014


@dataclass(frozen=True)
class ClassifierPreset:
    """One recipe: the world it is trained on, network, schedule."""

    name: str
    title: str
    world: str
    model: ClassifierConfig
    train: ClassifierTraining
    source: str = "label baselines of HVK Table 2"


_GREY = ClassifierConfig((1, 28, 28), classes=10)

_ALL = (
    ClassifierPreset(
        name="glyphs-classifier",
        title="classifier of the letters A-J",
        world="glyphs",
        model=_GREY,
        train=ClassifierTraining("glyphs", epochs=5),
    ),
    ClassifierPreset(
        name="fashion-classifier",
        title="classifier of the ten clothes",
        world="fashion",
        model=_GREY,
        train=ClassifierTraining("fashion", epochs=12, epoch_images=15_000),
    ),
)
PRESETS = {preset.name: preset for preset in _ALL}
