"""What configurations of hierarchies of few layers share: sizes, stages, the prior of the top."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ImageShape, LikelihoodName, ModelConfig, counted

MAX_UNITS = 65_536  # latent units in all layers together
MAX_PSEUDO = 2**24  # pixels of all pseudoinputs together
MAX_FEATURES = 2**27  # numbers in the widest feature map of all pseudoinputs together

SkipsDown = Literal["none", "latent", "deterministic"]


@dataclass(frozen=True, config=STRICT)
class LatentConfig:
    """One stochastic layer z_i: its size and the deterministic stage that leads to it (HVK B.1)."""

    dim: Annotated[int, Field(ge=1, le=512)]
    """Channels of a convolutional latent, units of a dense one."""
    kind: Literal["conv", "dense"] = "conv"
    stride: Annotated[int, Field(ge=1, le=2)] = 1
    """Stride of the last residual block of the stage below this latent."""
    kernel: Literal[1, 3, 5, 7] = 3


@dataclass(frozen=True, config=STRICT)
class LayeredConfig(ModelConfig):
    """A hierarchy of few layers, each with a deterministic stage (HVK 3.2, App. B)."""

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

    offers: ClassVar[str] = "take a VampPrior over z_L, with K learned pseudoinputs (DVP Eq. 7)"
    inference: ClassVar[str]
    """The way of inference, as "inference bottom-up"."""

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
    def down_skips(self) -> SkipsDown:
        """What p(z_i | .) reads of the layers above z_{i+1}."""
        return "latent" if self.skip else "none"

    @property
    def skips_in_words(self) -> str:
        """Whether layers see past their neighbours."""
        return "skip connections" if self.skip else "no skip connections"

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
    def part_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one entry of ``latents`` each, z_1 first: (dim, H, W) or (dim,)."""
        return tuple(
            (latent.dim, *size) if latent.kind == "conv" else (latent.dim,)
            for latent, size in zip(self.latents, self.stage_sizes[1:], strict=True)
        )

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,)."""
        return self.part_shapes

    @property
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first."""
        return self.z_names

    @property
    def levels(self) -> tuple[str, ...]:
        """Every layer is a level of its own."""
        return self.z_names

    @property
    def z_names(self) -> tuple[str, ...]:
        """z1 .. zL, one name an entry of ``latents``."""
        return tuple(f"z{i}" for i in range(1, len(self.latents) + 1))

    @property
    def exact_top(self) -> bool:
        """Whether the KL of z_L has a closed form: not that from a VampPrior."""
        return self.pseudoinputs == 0

    def in_words(self) -> str:
        """Sizes, skips, inference, and what stands above the top layer where that is no N(0, I)."""
        parts = [
            f"{len(self.latent_shapes)} latent layers",
            f"{self.channels} channels",
            f"{counted(self.blocks, 'residual block')} a stage",
            *stem_in_words(self.stem),
            self.skips_in_words,
            f"{self.inference} ({self.label})",
        ]
        if self.pseudoinputs:
            parts.append(
                f"VampPrior of {counted(self.pseudoinputs, 'pseudoinput')} over the top layer"
            )
        return ", ".join(parts)

    def narrowed(self) -> Self:
        """Half the width, one block a stage, on folded pixels.

        A first stride of 2 falls to the folding, so every latent keeps its shape; a kernel of 3
        sees as much of folded pixels as one of 5 did.
        """
        first, *others = self.latents
        return replace(
            self,
            latents=(replace(first, stride=1, kernel=3), *others),
            channels=min(self.channels // 2, 32),
            blocks=1,
            stem=2,
        )


def stem_in_words(stem: int) -> list[str]:
    """How pixels are folded before anything else, where they are."""
    return [f"pixels folded {stem}×{stem} into channels first"] if stem > 1 else []
