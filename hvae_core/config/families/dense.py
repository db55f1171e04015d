"""A small dense HVAE: the bottom-up hierarchy of HVK 3.2 with one hidden layer a conditional."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, final

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ImageShape, ModelConfig, counted, register

MAX_WEIGHTS = 2**24


@register
@final
@dataclass(frozen=True, config=STRICT)
class DenseConfig(ModelConfig):
    """A few units a layer, dense layers with one hidden layer each: trained in seconds."""

    image_shape: ImageShape
    units: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)]
    """Units of each layer, z_1 (closest to the image) first; at most ten layers."""
    hidden: Annotated[int, Field(ge=0, le=1024)] = 32
    """Width of the hidden layer of each conditional; 0 for none, which leaves affine maps."""
    skip: bool = False
    """Connect z_i with z_{i+2} on both paths, z_0 being x (HVK 3.2, Figure 4)."""
    likelihood: Literal["bernoulli", "gaussian_fixed"] = "bernoulli"
    std: Annotated[float, Field(ge=0.01, le=10)] = 0.1
    """sigma of a Gaussian p(x | z) = N(mu(z), sigma^2 I), in units of the grey range."""
    family: Literal["dense-hvae"] = "dense-hvae"

    label: ClassVar[str] = "dense HVAE"
    network: ClassVar[str] = "hvae_core.models.families.dense:DenseVAE"

    def __post_init__(self) -> None:
        if len(self.units) > 10:
            raise ValueError("more than 10 layers")
        # Two maps for each layer, up and down, of twice the units and those of the layer below.
        ends = (math.prod(self.image_shape), *self.units)
        wide = sum(6 * (a + b) for a, b in pairwise(ends))
        if wide * max(self.hidden, *self.units) > MAX_WEIGHTS:
            raise ValueError(f"more than {MAX_WEIGHTS:,} weights")

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """(units,) of each latent, z_1 first."""
        return tuple((units,) for units in self.units)

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1 .. zL."""
        return tuple(f"z{i}" for i in range(1, len(self.units) + 1))

    @property
    def levels(self) -> tuple[str, ...]:
        """Every layer is a level of its own."""
        return self.latent_names

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Under the top log q - log p of a draw, which may cancel, stands for the KL."""
        return (*(False for _ in self.units[1:]), True)

    @property
    def read_by_draws_alone(self) -> bool:
        """Without skips q(z_i | z_{i-1}) reads nothing else."""
        return not self.skip

    @property
    def pixels_in_words(self) -> str:
        """The standard deviation of a Gaussian."""
        if self.likelihood == "bernoulli":
            return ""
        return f"Gaussian with a fixed standard deviation of {self.std:g} of the grey range"

    def in_words(self) -> str:
        """Layers, units, hidden width, skips."""
        return ", ".join(
            [
                counted(len(self.units), "latent layer"),
                f"{'/'.join(map(str, self.units))} units",
                f"{self.hidden} hidden units a map" if self.hidden else "affine maps",
                "skip connections" if self.skip else "no skip connections",
                f"inference bottom-up ({self.label})",
            ]
        )
