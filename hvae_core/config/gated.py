"""What the stages of gated residual blocks of biva-pytorch have in common, as a configuration."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT, ImageShape, ModelConfig, counted
from hvae_core.config.paths import (
    BlockConfig,
    BlockPlan,
    Map,
    Rules,
    StageConfig,
    check_skips,
    check_stages,
    climb,
    plan_path,
)

RULES = Rules(widening=False, same_is_dropped=False)
LogVariance = Literal["softplus", "tanh", "identity"]


@dataclass(frozen=True, config=STRICT)
class GatedConfig(ModelConfig):
    """Stages of gated residual blocks, the way down the same list reversed, as the project has it.

    Which of the skips there are is four switches: a block without its skip has one convolution
    fewer.
    """

    image_shape: ImageShape
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1, max_length=32)]
    """z_1 (closest to the image) first."""
    likelihood: Literal["bernoulli", "colour_mixture"] = "bernoulli"
    components: Annotated[int, Field(ge=1, le=100)] = 10
    """Of the mixture of a pixel."""
    log_variance: LogVariance = "softplus"
    """What the log-variance of a latent is of a network's number."""
    skip_up: bool = True
    """Blocks of the way up read the features of the stage below."""
    skip_down: bool = True
    """Blocks of the way down read those of the stage above."""

    inference: ClassVar[str]
    """The way of inference, as "inference bottom-up"."""

    def __post_init__(self) -> None:
        if self.likelihood == "colour_mixture" and self.image_shape[0] != 3:
            raise ValueError("the likelihood colour_mixture needs images of three colours")
        blocks = [block for stage in self.stages for block in stage.blocks]
        if not all(block.gated and block.normed for block in blocks) or not all(
            stage.latent.normed for stage in self.stages
        ):
            raise ValueError("all layers are gated and weight-normalised in this family")
        check_stages(self.features, self.image_shape[1:], self.downs, latents=self.latent_shapes)
        for i, plans in enumerate(self.downs[:-1]):
            check_skips(plans, self.downs[i + 1], where=f"stage {i + 1}")
        self.plan_up()

    @abstractmethod
    def plan_up(self) -> None:
        """Plan all ways up, so that what fits nowhere raises."""

    @property
    def features(self) -> tuple[Map, ...]:
        """The feature map below each latent, z_1 first."""
        out: list[Map] = []
        size = self.image_shape[1:]
        for stage in self.stages:
            out.append(climb(size, stage.blocks))
            size = out[-1][1:]
        return tuple(out)

    @property
    def inputs(self) -> tuple[Map, ...]:
        """What each stage reads on its way up where it is the latent below: the image first."""
        below = [
            stage.latent.feeds(features)
            for stage, features in zip(self.stages, self.features, strict=True)
        ]
        return (self.image_shape, *below[:-1])

    @property
    def parts(self) -> tuple[int, ...]:
        """How many latents each stage has."""
        return (1,) * len(self.stages)

    @property
    def downs(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way down of every stage, from its latents."""
        top = len(self.stages) - 1
        rows = zip(self.stages, self.features, self.parts, strict=True)
        return tuple(
            plan_path(
                stage.latent.feeds(features, parts),
                stage.blocks[::-1],
                RULES,
                down=True,
                first_is_plain=True,
                skip=features if self.skip_down and i < top else None,
            )
            for i, (stage, features, parts) in enumerate(rows)
        )

    @property
    def ends(self) -> tuple[Map, ...]:
        """The features at the lower end of each way down."""
        return tuple(plans[-1].output for plans in self.downs)

    @property
    def z_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of a latent of each stage: (dim, H, W) or (dim,)."""
        return tuple(
            stage.latent.shape(features)
            for stage, features in zip(self.stages, self.features, strict=True)
        )

    @property
    def z_names(self) -> tuple[str, ...]:
        """z1 .. zL."""
        return tuple(f"z{i}" for i in range(1, len(self.stages) + 1))

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first: (dim, H, W) or (dim,)."""
        return self.z_shapes

    @property
    def latent_names(self) -> tuple[str, ...]:
        """Name of each latent, z_1 first."""
        return self.z_names

    @property
    def levels(self) -> tuple[str, ...]:
        """Every layer is a level of its own."""
        return self.z_names

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """None: the project takes log q - log p of the draw at every layer."""
        return (False,) * len(self.latent_names)

    @property
    def pixels_in_words(self) -> str:
        """Binary pixels are not drawn here; a mixture may have other than 10 components."""
        if self.binary:
            return "Bernoulli, pixels white from the middle grey (128) on"
        return (
            f"mixture of {self.components} discretised logistics over 256 levels, colours in turn"
        )

    def in_words(self) -> str:
        """Layers, widths, blocks, inference."""
        blocks = [block for stage in self.stages for block in stage.blocks]
        widths = sorted({block.channels for block in blocks})
        skips = self.skip_up and self.skip_down
        return ", ".join(
            [
                f"{len(self.latent_names)} latent layers",
                f"{' to '.join(str(n) for n in dict.fromkeys((widths[0], widths[-1])))} channels",
                counted(len(blocks), "gated residual block") + " each way",
                "skip connections" if skips else "fewer skip connections",
                f"{self.inference} ({self.label})",
            ]
        )

    def plan_of_one(
        self, inputs: Map, *, channels: int, kernel: int, skip: Map | None
    ) -> tuple[BlockPlan, ...]:
        """A single block of stride 1 that joins two feature maps."""
        return plan_path(inputs, [BlockConfig(channels, kernel)], RULES, skip=skip)
