"""What configurations of deep top-down families share: many layers a scale, one level a scale."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.context import ContextConfig, PseudoConfig, check_context
from hvae_core.config.family import STRICT, ImageShape, LikelihoodName, ModelConfig, counted
from hvae_core.config.layered import stem_in_words

MAX_LAYERS = 64
MAX_DEEP_UNITS = 2**17  # latent units in all layers together: DCT Table 6 has 105,460
MAX_FEATURES = 2**22  # values of one image's features at all scales together


@dataclass(frozen=True, config=STRICT)
class ScaleConfig:
    """Neighbouring stochastic layers of one height and width: a scale (DVP 4)."""

    layers: Annotated[int, Field(ge=1, le=MAX_LAYERS)]
    dim: Annotated[int, Field(ge=1, le=128)]
    """Channels of each latent z_l (DCT Table 6: latent width)."""
    stride: Literal[1, 2, 4, 8] = 2
    """How many times smaller than the scale below, or than the folded image; sizes round up."""


@dataclass(frozen=True, config=STRICT)
class DeepConfig(ModelConfig):
    """A residual top-down VAE as VDVAE (Child 2021), with the choices of DCT App. E and DVP 4.

    Files of all these families name both ``context`` and ``pseudo``, null where there is none.
    """

    image_shape: ImageShape
    scales: Annotated[tuple[ScaleConfig, ...], Field(min_length=1, max_length=9)]
    """The scale of z_1 (closest to the image) first."""
    channels: Annotated[int, Field(ge=1, le=512)] = 32
    """Width of h_enc and h_dec (DCT Table 6: input channels)."""
    hidden: Annotated[int, Field(ge=1, le=512)] = 40
    """Width inside a block (DCT Table 6: hidden channels)."""
    blocks: Literal[1, 3] = 1
    """Residual blocks in a top-down block: 1, the update of h_dec alone (VDVAE), or 3, those that
    lead to the prior and to the posterior too (DVP 4.2)."""
    encoder_blocks: Annotated[int, Field(ge=1, le=12)] = 2
    """Residual blocks of the way up at each scale (DVP 4.1: N_enc)."""
    output_blocks: Annotated[int, Field(ge=0, le=6)] = 1
    """Residual blocks at the size of the folded image: in NN of DVP Eq. 18 and 22, and at the
    start of the way up where the first scale is smaller than that."""
    combine: Literal["concat", "sum"] = "concat"
    """How q(z_i | z_>i, x) sees h_dec and h_enc: side by side (VDVAE), or their sum (DVP 4.2)."""
    aggregation: bool = False
    """p(x | z) from NN((1/sqrt L) sum_l z_l) (DVP Eq. 18) rather than from NN(h_1) (Eq. 22)."""
    features_from_prior: bool = True
    """Whether the head of a prior gives features to h_dec too, whatever z_i is (Child 2021)."""
    stem: Literal[1, 2, 4] = 1
    """Side of the pixel squares folded into channels before anything else."""
    likelihood: LikelihoodName = "bernoulli"
    context: ContextConfig | None = None
    """The discrete context on top of a ``dct-vae``."""
    pseudo: PseudoConfig | None = None
    """The pseudoinput on top of a ``dvp-vae``."""

    def __post_init__(self) -> None:
        parts = {"context": self.context, "u": self.pseudo}
        if any((part is not None) != (name == self.top_name) for name, part in parts.items()):
            raise ValueError("a dct-vae has a context, a dvp-vae a pseudo, and no other has either")
        if self.on_top is not None:
            check_context(self.on_top, self.image_shape)
        _, height, width = self.image_shape
        if height % self.stem or width % self.stem:
            raise ValueError(f"image side must be a multiple of stem = {self.stem}")
        layers = sum(scale.layers for scale in self.scales)
        if not 2 <= layers <= MAX_LAYERS:
            raise ValueError(f"{layers} latent layers where 2 to {MAX_LAYERS} are allowed")
        if sum(math.prod(shape) for shape in self.latent_shapes) > MAX_DEEP_UNITS:
            raise ValueError(f"more than {MAX_DEEP_UNITS:,} latent units")
        places = math.prod(self.output_size) + sum(math.prod(size) for size in self.sizes)
        if self.channels * places > MAX_FEATURES:
            raise ValueError(f"more than {MAX_FEATURES:,} values in the features of one image")
        if self.aggregation and len({scale.dim for scale in self.scales}) > 1:
            raise ValueError("latents that are added up need the same dim at every scale")

    @property
    def on_top(self) -> ContextConfig | PseudoConfig | None:
        """What is known of the latent above z_L, where there is one."""
        return self.context or self.pseudo

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the folded image."""
        _, height, width = self.image_shape
        return height // self.stem, width // self.stem

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each scale, that of z_1 first."""
        height, width = self.output_size
        sizes = []
        for scale in self.scales:
            height, width = -(-height // scale.stride), -(-width // scale.stride)
            sizes.append((height, width))
        return tuple(sizes)

    @property
    def scale_of(self) -> tuple[int, ...]:
        """The scale of each layer, z_1 first, counted from 0."""
        return tuple(i for i, scale in enumerate(self.scales) for _ in range(scale.layers))

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """(dim, H, W) of each latent, z_1 first, a context or pseudoinput last."""
        shapes = tuple((self.scales[i].dim, *self.sizes[i]) for i in self.scale_of)
        top = self.on_top
        return shapes if top is None else (*shapes, (self.image_shape[0], top.size, top.size))

    @property
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first."""
        return (*(f"z{i}" for i in range(1, len(self.scale_of) + 1)), *self._top_name)

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Whether each KL term is a divergence in the strict sense: all but that of u are.

        Of a context or pseudoinput it is log q - log p of a draw, or an estimate of a bound.
        """
        return (True,) * len(self.scale_of) + (False,) * len(self._top_name)

    @property
    def levels(self) -> tuple[str, ...]:
        """The level of each latent is its scale, as "14x14"; a second one of a size, "14x14-2".

        A context or pseudoinput is a level of its own, by its name.
        """
        seen: Counter[tuple[int, int]] = Counter()
        names = []
        for size in self.sizes:
            seen[size] += 1
            name = f"{size[0]}x{size[1]}"
            names.append(name if seen[size] == 1 else f"{name}-{seen[size]}")
        return (*(names[i] for i in self.scale_of), *self._top_name)

    @property
    def _top_name(self) -> tuple[str, ...]:
        return (self.top_name,) if self.top_name else ()

    def in_words(self) -> str:
        """Widths and blocks, how features meet, what makes the image, and what is on top."""
        combined = "added up" if self.combine == "sum" else "side by side"
        source = "the sum of all latents" if self.aggregation else "the decoder's features"
        parts = [
            f"{len(self.latent_shapes)} latent layers",
            f"{self.channels} channels",
            f"{self.hidden} inside a block",
            f"{counted(self.encoder_blocks, 'residual block')} a scale on the way up and "
            f"{self.blocks} a layer on the way down",
            f"encoder and decoder features {combined}",
            f"image made from {source}",
            *self._features_in_words(),
        ]
        if self.on_top is not None:
            what, prior = self.on_top.in_words(self.latent_shapes[-1])
            parts += [f"{what} ({self.label})", prior]
        return ", ".join([*parts, *stem_in_words(self.stem)])

    def _features_in_words(self) -> list[str]:
        """What is other than usual in the family."""
        if self.features_from_prior == type(self).features_from_prior:
            return []
        verb = "give" if self.features_from_prior else "give no"
        return [f"priors {verb} features to the decoder"]

    def narrowed(self) -> Self:
        """Half the widths, one residual block a scale on the way up, on folded pixels.

        The blocks of the way down keep their plan. A first stride of 2 falls to the folding, so
        every latent keeps its shape; without one, in the networks of colour, every size halves: at
        the paper's sizes, 45 layers would see 30,000 images in an hour of one core.
        """
        first, *others = self.scales
        return replace(
            self,
            scales=(replace(first, stride=1), *others),
            channels=min(self.channels // 2, 32),
            hidden=min(self.hidden // 2, 16),
            encoder_blocks=1,
            stem=2,
            context=self.context and self.context.narrowed(),
            pseudo=self.pseudo and self.pseudo.narrowed(),
        )
