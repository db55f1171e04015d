"""Frozen configurations that travel with the weights: dataclasses to JSON and back, with bounds.

A configuration read from a file is untrusted: the bounds here are checked before any tensor is
allocated, so a hostile file cannot ask for a gigantic model.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hvae_core.errors import ConfigError

T = TypeVar("T")
_STRICT = ConfigDict(extra="forbid", strict=True)

MAX_UNITS = 65_536  # latent units in all layers together


@dataclass(frozen=True, config=_STRICT)
class LatentConfig:
    """One stochastic layer z_i: its size and the deterministic stage that leads to it (HVK B.1)."""

    dim: Annotated[int, Field(ge=1, le=512)]
    """Channels of a convolutional latent, units of a dense one."""
    kind: Literal["conv", "dense"] = "conv"
    stride: Annotated[int, Field(ge=1, le=2)] = 1
    """Stride of the last residual block of the stage below this latent."""
    kernel: Literal[1, 3, 5, 7] = 3


@dataclass(frozen=True, config=_STRICT)
class HVAEConfig:
    """A bottom-up hierarchical VAE with skip connections (HVK 3.2, App. B.1)."""

    image_shape: tuple[
        Annotated[int, Field(ge=1, le=4)],
        Annotated[int, Field(ge=4, le=256)],
        Annotated[int, Field(ge=4, le=256)],
    ]
    latents: Annotated[tuple[LatentConfig, ...], Field(min_length=2, max_length=5)]
    """z_1 (closest to the image) first."""
    channels: Annotated[int, Field(ge=1, le=512)] = 64
    blocks: Annotated[int, Field(ge=1, le=6)] = 3
    """Residual blocks in each deterministic stage."""
    stem: Literal[1, 2, 4] = 1
    """Side of the pixel squares folded into channels before the first stage: 1 is the paper's
    network, 2 runs the widest stages on a quarter of the positions (for training without a GPU)."""
    likelihood: Literal["bernoulli", "discretised_logistic"] = "bernoulli"
    skip: bool = True
    """Connect z_i with z_{i+2} on both paths, z_0 being x (HVK 3.2, Figure 4)."""
    family: Literal["hvae"] = "hvae"

    def __post_init__(self) -> None:
        _, height, width = self.image_shape
        if height % self.stem or width % self.stem:
            raise ValueError(f"image side must be a multiple of stem = {self.stem}")
        if sum(math.prod(shape) for shape in self.latent_shapes) > MAX_UNITS:
            raise ValueError(f"more than {MAX_UNITS:,} latent units")
        kinds = [latent.kind for latent in self.latents]
        if sorted(kinds) != kinds:  # "conv" sorts before "dense"
            raise ValueError("a convolutional latent cannot lie above a dense one")

    @property
    def stage_sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width after each deterministic stage, from the stem upwards."""
        size = (self.image_shape[1] // self.stem, self.image_shape[2] // self.stem)
        sizes = [size]
        for latent in self.latents:
            size = (-(-size[0] // latent.stride), -(-size[1] // latent.stride))
            sizes.append(size)
        return tuple(sizes)

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,)."""
        return tuple(
            (latent.dim, *size) if latent.kind == "conv" else (latent.dim,)
            for latent, size in zip(self.latents, self.stage_sizes[1:], strict=True)
        )


@dataclass(frozen=True, config=_STRICT)
class TrainConfig:
    """How a checkpoint is trained: objective, data, optimiser, random seed."""

    data: str
    """World and in-distribution set, e.g. ``glyphs``."""
    objective: Literal["elbo", "informative"] = "elbo"
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 128
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 3e-4
    """Reached by half a cosine over the run; equal to ``learning_rate`` for a constant one."""
    warmup_epochs: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Epochs over which beta rises linearly from 0 to 1."""
    free_bits: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """lambda in nats per layer z_i, shared across its dimensions (HVK Table 4: 2)."""
    free_bits_constant: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    free_bits_annealed: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """Epochs with lambda held, and epochs over which it then falls linearly to 0."""
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] = 100.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the running average of the weights, which is saved and evaluated; 0 for none."""
    epoch_images: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Images in one epoch, drawn anew each time without replacement; 0 for the whole set."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        if self.free_bits and not (self.free_bits_constant or self.free_bits_annealed):
            raise ValueError("free_bits without epochs to hold or anneal them has no effect")
        if self.objective == "informative" and (self.free_bits or self.warmup_epochs):
            raise ValueError("the informative objective takes no warm-up and no free bits")


@dataclass(frozen=True, config=_STRICT)
class ModelCard:
    """What a reader must know of a checkpoint before believing a figure made with it."""

    title: str
    preset: str = ""
    data: str = ""
    train_images: int = 0
    epochs: int = 0
    objective: str = ""
    parameters: int = 0
    seconds: float = 0.0
    hardware: str = ""
    seed: int = 0
    created: str = ""
    note: str = ""


def to_json(value: Any) -> str:
    """Write a configuration as one line of JSON; equal configurations give equal text."""
    return json.dumps(dataclasses.asdict(value), sort_keys=True)


def from_json(kind: type[T], text: str | bytes) -> T:
    """Read a configuration of ``kind`` from JSON.

    Raises ``ConfigError`` naming the first field that is missing, unknown or out of bounds.
    """
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole text"
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"The configuration is not valid at {where}: {what}.") from exc
