"""The VAE of the project hvae-oodd: bottom-up inference, residual paths (Havtorn et al. 2021)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, final

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ImageShape, ModelConfig, counted, register
from hvae_core.config.paths import (
    Act,
    BlockPlan,
    Map,
    Rules,
    StageConfig,
    check_skips,
    check_stages,
    climb,
    plan_path,
)

RULES = Rules(widening=True, same_is_dropped=True)


@register
@final
@dataclass(frozen=True, config=STRICT)
class OoddConfig(ModelConfig):
    """The network of hvae-oodd's checkpoints: bottom-up inference, skips beside the latents.

    Stage i has its blocks, from below, and z_i on top of them. Its way down is the same list
    reversed, each block offered the output of its fellow in the stage above.
    """

    image_shape: ImageShape
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1, max_length=32)]
    """z_1 (closest to the image) first."""
    likelihood: Literal["bernoulli", "colour_mixture"] = "bernoulli"
    act: Act = "relu"
    skip: bool = True
    """Blocks of the way down read those of the stage above, beside the latent."""
    skip_up: bool = True
    """Blocks of the way up read the features of the stage below, where shapes differ."""
    padded: (
        tuple[Annotated[int, Field(ge=4, le=512)], Annotated[int, Field(ge=4, le=512)]] | None
    ) = None
    """Height and width to which images are filled up with zeros, before the first stage."""
    learned_top: bool = False
    """Mean and scale of p(z_L) are weights."""
    family: Literal["hvae-oodd"] = "hvae-oodd"

    label: ClassVar[str] = "VAE (hvae-oodd)"
    network: ClassVar[str] = "hvae_core.models.families.oodd:OoddVAE"

    def __post_init__(self) -> None:
        if self.likelihood == "colour_mixture" and self.image_shape[0] != 3:
            raise ValueError("the likelihood colour_mixture needs images of three colours")
        _, height, width = self.image_shape
        padded = self.padded_size
        if min(padded[0] - height, padded[1] - width) < 0:
            raise ValueError("the padded size is smaller than the image")
        if (padded[0] - height) % 2 or (padded[1] - width) % 2:
            raise ValueError("the padding is not the same on both sides")
        check_stages(self.features, padded, self.downs, latents=self.latent_shapes)
        for i, plans in enumerate(self.downs[:-1]):
            check_skips(plans, self.downs[i + 1], where=f"stage {i + 1}")

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width that the first stage sees."""
        return self.padded or self.image_shape[1:]

    @property
    def features(self) -> tuple[Map, ...]:
        """The feature map below each latent, z_1 first."""
        out: list[Map] = []
        size = self.padded_size
        for stage in self.stages:
            out.append(climb(size, stage.blocks))
            size = out[-1][1:]
        return tuple(out)

    @property
    def ups(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way up of every stage: from the padded image, then from the latent below."""
        out = []
        inputs: Map = (self.image_shape[0], *self.padded_size)
        skip: Map | None = None
        for i, (stage, features) in enumerate(zip(self.stages, self.features, strict=True)):
            out.append(plan_path(inputs, stage.blocks, RULES, first_is_plain=i == 0, skip=skip))
            inputs, skip = stage.latent.feeds(features), features if self.skip_up else None
        return tuple(out)

    @property
    def downs(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way down of every stage, from its latent."""
        top = len(self.stages) - 1
        return tuple(
            plan_path(
                stage.latent.feeds(features),
                stage.blocks[::-1],
                RULES,
                down=True,
                first_is_plain=True,
                skip=features if self.skip and i < top else None,
            )
            for i, (stage, features) in enumerate(zip(self.stages, self.features, strict=True))
        )

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,)."""
        return tuple(
            stage.latent.shape(features)
            for stage, features in zip(self.stages, self.features, strict=True)
        )

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1 .. zL."""
        return tuple(f"z{i}" for i in range(1, len(self.stages) + 1))

    @property
    def levels(self) -> tuple[str, ...]:
        """Every layer is a level of its own."""
        return self.latent_names

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """None: the project takes log q - log p of the draw at every layer."""
        return (False,) * len(self.stages)

    @property
    def read_by_draws_alone(self) -> bool:
        """Where no block of the way up reads more than the latent below."""
        return all(plan.aux is None for plans in self.ups for plan in plans)

    @property
    def pixels_in_words(self) -> str:
        """A mixture over dequantised values, other than the project's own mixture."""
        if self.binary:
            return super().pixels_in_words
        return "mixture of 10 discretised logistics, colours in turn, of dequantised grey levels"

    def in_words(self) -> str:
        """Layers, widths, blocks, and what is unlike the usual."""
        blocks = [block for stage in self.stages for block in stage.blocks]
        widths = sorted({block.channels for block in blocks})
        parts = [
            f"{len(self.stages)} latent layers",
            f"{' to '.join(str(n) for n in dict.fromkeys((widths[0], widths[-1])))} channels",
            counted(len(blocks), "residual block") + " each way",
            "skip connections" if self.skip else "no skip connections",
            f"inference bottom-up ({self.label})",
        ]
        if self.padded:
            parts.append(f"images padded to {self.padded[0]}×{self.padded[1]}")
        if self.learned_top:
            parts.append("a learned Gaussian over the top layer")
        return ", ".join(parts)
