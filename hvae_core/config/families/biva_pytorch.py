"""The models of the project biva-pytorch (after Maaloe et al. 2019): BIVA, LVAE and VAE stages."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, final

from pydantic import Field
from pydantic.dataclasses import dataclass

from hvae_core.config.families.biva import pair_names, paired
from hvae_core.config.family import STRICT, ImageShape, ModelConfig, counted, register
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


@register
@final
@dataclass(frozen=True, config=STRICT)
class GatedVAEConfig(GatedConfig):
    """Bottom-up inference through gated blocks with skips, from a checkpoint of biva-pytorch."""

    family: Literal["vae-biva-pytorch"] = "vae-biva-pytorch"
    label: ClassVar[str] = "VAE (biva-pytorch)"
    inference: ClassVar[str] = "inference bottom-up"
    network: ClassVar[str] = "hvae_core.models.families.biva_pytorch:GatedVAE"

    @property
    def ups(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way up of every stage, from the latent below, skips from its features."""
        skips = [None, *self.features] if self.skip_up else [None] * len(self.stages)
        return tuple(
            plan_path(inputs, stage.blocks, RULES, first_is_plain=i == 0, skip=skips[i])
            for i, (stage, inputs) in enumerate(zip(self.stages, self.inputs, strict=True))
        )

    def plan_up(self) -> None:
        """All ways up."""
        _ = self.ups


@register
@final
@dataclass(frozen=True, config=STRICT)
class GatedLVAEConfig(GatedConfig):
    """Top-down inference through gated blocks with skips, from a checkpoint of biva-pytorch."""

    skip_merge: bool = True
    """q(z_i | .) reads the way down beside the way up."""
    family: Literal["lvae-biva-pytorch"] = "lvae-biva-pytorch"
    label: ClassVar[str] = "LVAE (biva-pytorch)"
    inference: ClassVar[str] = "inference top-down"
    network: ClassVar[str] = "hvae_core.models.families.biva_pytorch:GatedLVAE"

    @property
    def ups(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way up of every stage, from the features of the one below, also as skips."""
        below = [self.image_shape, *self.features]
        return tuple(
            plan_path(
                below[i],
                stage.blocks,
                RULES,
                first_is_plain=i == 0,
                skip=below[i] if i and self.skip_up else None,
            )
            for i, stage in enumerate(self.stages)
        )

    @property
    def merges(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """What joins both ways in front of each latent; at the top there is only one."""
        above: list[Map | None] = [*self.ends[1:], None]
        return tuple(
            self.plan_of_one(
                features,
                channels=stage.blocks[-1].channels,
                kernel=stage.blocks[-1].kernel,
                skip=end if self.skip_merge else None,
            )
            for stage, features, end in zip(self.stages, self.features, above, strict=True)
        )

    def plan_up(self) -> None:
        """All ways up, and what joins them with the way down."""
        _ = self.ups, self.merges


@register
@final
@dataclass(frozen=True, config=STRICT)
class GatedBIVAConfig(GatedConfig):
    """Inference both ways through gated blocks with skips, from a checkpoint of biva-pytorch."""

    skip_across: bool = True
    """Blocks of the deterministic way up read the end of the way up through z^BU."""
    skip_merge: bool = True
    """q(z_i^TD | .) reads the way down beside the way up."""
    family: Literal["biva-pytorch"] = "biva-pytorch"
    label: ClassVar[str] = "BIVA (biva-pytorch)"
    inference: ClassVar[str] = "inference both ways with pairs of latents"
    network: ClassVar[str] = "hvae_core.models.families.biva_pytorch:GatedBIVA"

    @property
    def parts(self) -> tuple[int, ...]:
        """A pair below the top."""
        return (*(2,) * (len(self.stages) - 1), 1)

    @property
    def ups(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The way up through z^BU: skips are both ways of the stage below, side by side."""
        joint = [None, *((2 * c, h, w) for c, h, w in self.features)]
        return tuple(
            plan_path(
                inputs,
                stage.blocks,
                RULES,
                first_is_plain=i == 0,
                skip=joint[i] if self.skip_up else None,
            )
            for i, (stage, inputs) in enumerate(zip(self.stages, self.inputs, strict=True))
        )

    @property
    def across(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """The deterministic way up: skips are the end of the way through z^BU of the stage."""
        below = [self.image_shape, *self.features]
        return tuple(
            plan_path(
                below[i],
                stage.blocks,
                RULES,
                first_is_plain=i == 0,
                skip=self.features[i] if self.skip_across else None,
            )
            for i, stage in enumerate(self.stages)
        )

    @property
    def merges(self) -> tuple[tuple[BlockPlan, ...], ...]:
        """What joins both ways in front of each z^TD."""
        below = zip(self.stages[:-1], self.features[:-1], self.ends[1:], strict=True)
        return tuple(
            self.plan_of_one(
                features,
                channels=stage.blocks[0].channels,
                kernel=3,
                skip=end if self.skip_merge else None,
            )
            for stage, features, end in below
        )

    @property
    def top(self) -> tuple[BlockPlan, ...]:
        """What joins both ways up in front of z_L."""
        channels, height, width = self.features[-1]
        last = self.stages[-1].blocks[-1]
        return self.plan_of_one(
            (2 * channels, height, width), channels=last.channels, kernel=last.kernel, skip=None
        )

    def plan_up(self) -> None:
        """Both ways up, and what joins them."""
        _ = self.ups, self.across, self.merges, self.top

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first; both parts of a pair."""
        return paired(self.z_shapes, self.z_shapes)

    @property
    def latent_names(self) -> tuple[str, ...]:
        """z1bu, z1td, z2bu, ..., zL."""
        return pair_names(self.z_names)

    @property
    def levels(self) -> tuple[str, ...]:
        """A pair is one level."""
        return paired(self.z_names, self.z_names)
