"""The ladder of AKuzina/dvp_vae as its checkpoints have it, with or without a pseudoinput (DVP)."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, ClassVar, Literal, final

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ImageShape, ModelConfig, counted, register

Channels = Annotated[int, Field(ge=1, le=4096)]
MAX_UNITS = 2**24
MAX_VALUES = 2**26  # numbers in the features of one image, all blocks together


@final
@dataclass(frozen=True, config=STRICT)
class BlockPlan:
    """One residual block: channels inside, and channels that come out."""

    hidden: Channels
    out: Channels


Blocks = Annotated[tuple[BlockPlan, ...], Field(max_length=64)]


@final
@dataclass(frozen=True, config=STRICT)
class GroupPlan:
    """One group of blocks of the way up, the pooling after it, and how many latents read it."""

    blocks: Annotated[tuple[BlockPlan, ...], Field(min_length=1, max_length=64)]
    pool: Annotated[int, Field(ge=1, le=64)]
    latents: Annotated[int, Field(ge=1, le=64)]


@final
@dataclass(frozen=True, config=STRICT)
class LayerPlan:
    """One latent of the way down: channels inside p and q, and the blocks after it."""

    prior: Channels
    posterior: Channels
    blocks: Blocks = ()


@final
@dataclass(frozen=True, config=STRICT)
class UNetPlan:
    """The noise network of the pseudoinput's prior."""

    channels: Annotated[int, Field(ge=16, le=2048, multiple_of=16)]
    mult: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1)] = (1,)
    blocks: Annotated[int, Field(ge=1, le=16)] = 1
    attention: tuple[Annotated[int, Field(ge=1, le=256)], ...] = ()
    """Factors by which a level is smaller than u, at which there is attention."""
    heads: Annotated[int, Field(ge=1, le=64)] = 1

    def __post_init__(self) -> None:
        if len(self.mult) > 6 or len(self.attention) > 16:
            raise ValueError("more than 6 levels, or more than 16 places of attention")
        if any(self.channels * times % self.heads for times in self.mult):
            raise ValueError("the heads of the attention do not divide the channels")


@final
@dataclass(frozen=True, config=STRICT)
class PseudoPlan:
    """The pseudoinput u: size of its corner of cosine coefficients, and its diffusion prior."""

    size: Annotated[int, Field(ge=2, le=128)]
    steps: Annotated[int, Field(ge=1, le=4096)]
    unet: UNetPlan
    continuous: bool = True
    """The cost of noise is that of continuous time, at ``steps`` points; else that of steps."""
    discrete: bool = False
    """u given the least noisy z_0 is one of 256 values rather than Gaussian."""


@register
@final
@dataclass(frozen=True, config=STRICT)
class DVPLadderConfig(ModelConfig):
    """The ladder VAE of dvp_vae: a deep top-down VAE whose image is the sum of its latents."""

    image_shape: ImageShape
    features: Channels
    """Channels of the convolution that reads the image."""
    groups: Annotated[tuple[GroupPlan, ...], Field(min_length=1, max_length=128)]
    """Of the way up, the largest first."""
    layers: Annotated[tuple[LayerPlan, ...], Field(min_length=1, max_length=128)]
    """Of the way down, the topmost latent first."""
    width: Annotated[int, Field(ge=1, le=512)]
    """Channels of every latent."""
    mixed: Channels
    """Channels that the sum of the latents is brought to."""
    likelihood: Literal["bernoulli", "colour_mixture"] = "bernoulli"
    num_mix: Annotated[int, Field(ge=1, le=100)] = 10
    opening: Blocks = ()
    """Blocks before the first group."""
    closing: Blocks = ()
    """Blocks before the convolution that gives the image."""
    min_logvar: Annotated[float, Field(ge=-40, le=0)] = -10.0
    weight_norm: bool = False
    batch_norm: bool = False
    standardised: bool = False
    """The encoder reads pixels on the scale of CIFAR-10."""
    pseudo: PseudoPlan | None = None
    family: Literal["dvp-ladder"] = "dvp-ladder"

    label: ClassVar[str] = "DVP-VAE (dvp_vae)"
    network: ClassVar[str] = "hvae_core.models.families.dvp_ladder:DVPLadder"
    top_name: ClassVar[str] = "u"

    def __post_init__(self) -> None:
        channels, height, width = self.image_shape
        if height != width:
            raise ValueError("images of dvp_vae are square")
        if self.likelihood == "colour_mixture" and channels != 3:
            raise ValueError("the mixture of logistics needs images of three colours")
        if self.standardised and channels != 3:
            raise ValueError("the scale of CIFAR-10 is one of three colours")
        if len(self.reads) != len(self.layers):
            raise ValueError("groups and layers have different numbers of latents")
        if min(self.sizes) < 1:
            raise ValueError("the pooling leaves nothing of the image")
        if self.pseudo is not None:
            if self.pseudo.size > height:
                raise ValueError("the pseudoinput is larger than the image")
            if self.width != channels:
                raise ValueError("under a pseudoinput a latent has the image's channels")
        for i in range(1, len(self.layers)):
            if self._after(i - 1) != self.channels[i]:
                raise ValueError(f"the state above latent {i} has other channels than its features")
        places = sum(c * size**2 for c, size in zip(self.channels, self.sizes, strict=True))
        if places + self.features * height**2 > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values in the features of one image")
        if sum(math.prod(shape) for shape in self.latent_shapes) > MAX_UNITS:
            raise ValueError(f"more than {MAX_UNITS:,} latent units")

    def _after(self, layer: int) -> int:
        """Channels of the state below a latent."""
        blocks = self.layers[layer].blocks
        return blocks[-1].out if blocks else self.channels[layer]

    @property
    def reads(self) -> tuple[int, ...]:
        """The group whose features each latent's posterior reads, the topmost latent first."""
        return tuple(i for i, group in enumerate(self.groups) for _ in range(group.latents))[::-1]

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Side of what each group gives."""
        sizes, size = [], self.image_shape[1]
        for group in self.groups:
            size //= group.pool
            sizes.append(size)
        return tuple(sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Side of each latent, the topmost first."""
        sizes = self.group_sizes
        return tuple(sizes[group] for group in self.reads)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the state above each latent, the topmost first."""
        return tuple(self.groups[group].blocks[-1].out for group in self.reads)

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """(width, r, r) of each latent, z_1 first; (C, d, d) of u last."""
        shapes = tuple((self.width, size, size) for size in reversed(self.sizes))
        top = self.pseudo
        return shapes if top is None else (*shapes, (self.image_shape[0], top.size, top.size))

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1 to zL, then u."""
        names = tuple(f"z{i}" for i in range(1, len(self.layers) + 1))
        return names if self.pseudo is None else (*names, self.top_name)

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent is its scale, as "14x14"; u is one of its own."""
        seen: Counter[int] = Counter()
        names: list[str] = []
        last = 0
        for size in reversed(self.sizes):
            seen[size] += size != last
            last = size
            name = f"{size}x{size}"
            names.append(name if seen[size] == 1 else f"{name}-{seen[size]}")
        return tuple(names) if self.pseudo is None else (*names, self.top_name)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """All are in closed form but that of u, which is log q - log p of a draw."""
        exact = (True,) * len(self.layers)
        return exact if self.pseudo is None else (*exact, False)

    @property
    def pixels_in_words(self) -> str:
        """The mixture, or binary pixels under an encoder that sees grey ones."""
        if self.binary:
            return "Bernoulli, images binarised anew at every look; the encoder reads grey levels"
        return f"mixture of {self.num_mix} discretised logistics, colours in turn"

    def in_words(self) -> str:
        """Layers, widths, blocks, and what is on top."""
        widths = sorted({*self.channels, self.features})
        parts = [
            counted(len(self.latent_shapes), "latent layer"),
            f"{' to '.join(str(n) for n in dict.fromkeys((widths[0], widths[-1])))} channels",
            f"{counted(sum(len(g.blocks) for g in self.groups), 'residual block')} on the way up",
            "image made from the sum of all latents",
        ]
        norms = {"weight normalisation": self.weight_norm, "batch normalisation": self.batch_norm}
        parts += [name for name, there in norms.items() if there]
        if self.pseudo is not None:
            side = self.pseudo.size
            parts.append(f"a pseudoinput of {side}×{side} cosine coefficients with a diffusion "
                         f"prior of {self.pseudo.steps} steps")  # fmt: skip
        return ", ".join(parts)
