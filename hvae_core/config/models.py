"""Configurations of the model families; their bounds keep a hostile file from a gigantic model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)

MAX_UNITS = 65_536  # latent units in all layers together


@dataclass(frozen=True, config=STRICT)
class LatentConfig:
    """One stochastic layer z_i: its size and the deterministic stage that leads to it (HVK B.1)."""

    dim: Annotated[int, Field(ge=1, le=512)]
    """Channels of a convolutional latent, units of a dense one."""
    kind: Literal["conv", "dense"] = "conv"
    stride: Annotated[int, Field(ge=1, le=2)] = 1
    """Stride of the last residual block of the stage below this latent."""
    kernel: Literal[1, 3, 5, 7] = 3


LikelihoodName = Literal[
    "bernoulli",
    "gaussian_fixed",
    "gaussian",
    "oversmooth",
    "discretised_logistic",
    "mixture_logistic",
]
ImageShape = tuple[
    Annotated[int, Field(ge=1, le=4)],
    Annotated[int, Field(ge=4, le=256)],
    Annotated[int, Field(ge=4, le=256)],
]


@dataclass(frozen=True, config=STRICT)
class HVAEConfig:
    """A hierarchy of single layers: HVAE (HVK 3.2, App. B.1), LVAE or BIVA (App. B.2).

    ``hvae`` infers bottom-up, ``lvae`` top-down by the precision-weighted product (Sonderby 2016),
    ``biva`` both ways with two latents a layer (Maaloe 2019). The generative path is the same.
    """

    image_shape: ImageShape
    latents: Annotated[tuple[LatentConfig, ...], Field(min_length=2, max_length=10)]
    """z_1 (closest to the image) first."""
    channels: Annotated[int, Field(ge=1, le=512)] = 64
    blocks: Annotated[int, Field(ge=1, le=6)] = 3
    """Residual blocks in each deterministic stage."""
    stem: Literal[1, 2, 4] = 1
    """Side of the pixel squares folded into channels before the first stage: 1 is the paper's
    network, 2 runs the widest stages on a quarter of the positions (for training without a GPU)."""
    likelihood: LikelihoodName = "bernoulli"
    skip: bool = True
    """Connect z_i with z_{i+2} on both paths, z_0 being x (HVK 3.2, Figure 4)."""
    pseudoinputs: Annotated[int, Field(ge=0, le=1000)] = 0
    """K learnable pseudoinputs of a VampPrior over z_L (DVP Eq. 7); 0 for the standard normal."""
    family: Literal["hvae", "lvae", "biva"] = "hvae"

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

    @property
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first."""
        return tuple(f"z{i}" for i in range(1, len(self.latents) + 1))

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent: k counts levels, from the lowest; here each is its own."""
        return self.latent_names


ModelConfig = HVAEConfig


def level_starts(groups: Sequence[str]) -> tuple[int, ...]:
    """Layers skipped at k = 0, 1, ...: the index of the first layer of every run of equal names."""
    return tuple(i for i, name in enumerate(groups) if i == 0 or name != groups[i - 1])
