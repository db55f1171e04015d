"""Configurations of the model families; their bounds keep a hostile file from a gigantic model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)

MAX_UNITS = 65_536  # latent units in all layers together
MAX_PSEUDO = 2**24  # pixels of all pseudoinputs together
MAX_FEATURES = 2**27  # numbers in the widest feature map of all pseudoinputs together

T = TypeVar("T")


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
    """A hierarchy of few layers: HVAE (HVK 3.2, App. B.1), LVAE or BIVA (App. B.2).

    ``hvae`` infers bottom-up, ``lvae`` top-down by the precision-weighted product (Sonderby 2016),
    with one generative path. ``biva`` infers both ways, with a pair of latents (z_i^BU, z_i^TD),
    each of the size given, in every layer but the top (Maaloe 2019).
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
    """Connect z_i with z_{i+2} on both paths, z_0 being x (HVK 3.2, Figure 4); in BIVA, z_i with
    all others through deterministic features."""
    pseudoinputs: Annotated[int, Field(ge=0, le=1000)] = 0
    """K learnable pseudoinputs of a VampPrior over z_L (DVP Eq. 7); 0 for the standard normal."""
    family: Literal["hvae", "lvae", "biva"] = "hvae"

    def __post_init__(self) -> None:
        _, height, width = self.image_shape
        if height % self.stem or width % self.stem:
            raise ValueError(f"image side must be a multiple of stem = {self.stem}")
        if sum(math.prod(shape) for shape in self.latent_shapes) > MAX_UNITS:
            raise ValueError(f"more than {MAX_UNITS:,} latent units")
        if self.pseudoinputs * math.prod(self.image_shape) > MAX_PSEUDO:
            raise ValueError(f"more than {MAX_PSEUDO:,} pixels in all pseudoinputs together")
        if self.pseudoinputs * self.channels * math.prod(self.stage_sizes[0]) > MAX_FEATURES:
            raise ValueError(f"more than {MAX_FEATURES:,} features of all pseudoinputs together")
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
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,); both parts of a pair."""
        return self._paired(self.part_shapes, self.part_shapes)

    @property
    def part_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one entry of ``latents`` each: of z_i, or of either part of a pair."""
        return tuple(
            (latent.dim, *size) if latent.kind == "conv" else (latent.dim,)
            for latent, size in zip(self.latents, self.stage_sizes[1:], strict=True)
        )

    @property
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first; of a pair, the bottom-up part before the top-down one."""
        if self.family != "biva":
            return self._z
        bottom_up = tuple(f"{z}bu" for z in self._z)
        top_down = (*(f"{z}td" for z in self._z[:-1]), self._z[-1])
        return self._paired(bottom_up, top_down)

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent: k counts levels, from the lowest; a pair is one level."""
        return self._paired(self._z, self._z)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Whether each KL term is a divergence in the strict sense, never below 0 (HVK App. F).

        Bottom-up latents under the top, and the top under a VampPrior, have log q - log p of a draw
        instead, which may cancel.
        """
        below = (self.family == "lvae",) * (len(self.latents) - 1)
        top = self.pseudoinputs == 0
        return self._paired((*below, top), (True,) * (len(self.latents) - 1) + (top,))

    @property
    def _z(self) -> tuple[str, ...]:
        return tuple(f"z{i}" for i in range(1, len(self.latents) + 1))

    def _paired(self, bottom_up: tuple[T, ...], top_down: tuple[T, ...]) -> tuple[T, ...]:
        """One value a latent from one a layer: in BIVA all but the top layer hold two."""
        if self.family != "biva":
            return bottom_up
        pairs = zip(bottom_up[:-1], top_down[:-1], strict=True)
        return (*(value for pair in pairs for value in pair), top_down[-1])


def level_starts(groups: Sequence[str]) -> tuple[int, ...]:
    """Layers skipped at k = 0, 1, ...: the index of the first layer of every run of equal names."""
    return tuple(i for i, name in enumerate(groups) if i == 0 or name != groups[i - 1])
