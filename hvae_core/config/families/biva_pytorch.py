"""The models of the project biva-pytorch (after Maaloe et al. 2019): BIVA, LVAE and VAE stages."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.families.biva import pair_names, paired
from hvae_core.config.family import STRICT, register
from hvae_core.config.gated import RULES, GatedConfig
from hvae_core.config.paths import BlockPlan, Map, plan_path


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
