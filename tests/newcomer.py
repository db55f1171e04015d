"""A family as a stranger would add it, in one file: its configuration, its network, its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Annotated, ClassVar, Literal, final

import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from hvae_core.config import STRICT, ImageShape, ModelConfig, register
from hvae_core.models import ConfiguredVAE, Gaussian
from hvae_core.models.distributions import Bernoulli, Likelihood
from hvae_core.models.inference.bottom_up import BottomUpVAE


@register
@final
@dataclass(frozen=True, config=STRICT)
class PlainConfig(ModelConfig):
    """Two dense layers without a hidden one, as plain as a hierarchy can be."""

    image_shape: ImageShape
    units: tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]] = (5, 3)
    """Of the lower latent and of the upper one."""
    likelihood: Literal["bernoulli"] = "bernoulli"
    family: Literal["plain"] = "plain"

    label: ClassVar[str] = "plain"
    network: ClassVar[str] = "tests.newcomer:PlainVAE"

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple((n,) for n in self.units)

    @property
    def latent_names(self) -> tuple[str, ...]:
        return ("strokes", "shape")

    @property
    def levels(self) -> tuple[str, ...]:
        return self.latent_names

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        return (False, True)

    @property
    def read_by_draws_alone(self) -> bool:
        return True

    def in_words(self) -> str:
        return f"two dense layers of {self.units[0]} and {self.units[1]} units"


@final
class PlainVAE(ConfiguredVAE, BottomUpVAE):
    """q(z_1 | x), q(z_2 | z_1), p(z_1 | z_2) and p(x | z_1), each one dense layer."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.config = config
        pixels, (low, high) = math.prod(config.image_shape), config.units
        self.to_strokes = nn.Linear(pixels, 2 * low)
        self.to_shape = nn.Linear(low, 2 * high)
        self.from_shape = nn.Linear(high, 2 * low)
        self.from_strokes = nn.Linear(low, pixels)

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        raw = self.to_strokes(x.flatten(2)) if index == 1 else self.to_shape(F.silu(below[0]))
        return Gaussian.from_raw(raw, dim=2)

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        return Gaussian.from_raw(self.from_shape(F.silu(above[0])), dim=2)

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        return Bernoulli(self.from_strokes(F.silu(z[0])).unflatten(2, self.image_shape))

    def inference_weights(self) -> Iterable[nn.Parameter]:
        return chain(self.to_strokes.parameters(), self.to_shape.parameters())
