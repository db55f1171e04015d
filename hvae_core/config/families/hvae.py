"""HVAE: inference bottom-up (HVK 3.2, App. B.1)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT
from hvae_core.config.layered import LayeredConfig, SkipsDown

_DOWN = {
    "none": "no skip connections on the way down",
    "latent": "skip connections on the way down",
    "deterministic": "the features of the stage above beside the latent on the way down",
}


@final
@dataclass(frozen=True, config=STRICT)
class HVAEConfig(LayeredConfig):
    """Bottom-up inference with skips from z_{i-2}, top-down generation with skips from z_{i+2}."""

    skips_up: Literal["none", "latent"] = "latent"
    """What q(z_i | z_{i-1}) reads besides, where there is ``skip``: z_{i-2} (HVK 3.2, Figure 4), or
    nothing, as in the networks of HVK's code."""
    skips_down: SkipsDown = "latent"
    """What p(z_i | z_{i+1}) reads besides, where there is ``skip``: z_{i+2} (HVK 3.2, Figure 4),
    or the features that p(z_{i+1} | .) was read from, as in HVK's code, or nothing."""
    family: Literal["hvae"] = "hvae"
    label: ClassVar[str] = "HVAE"
    inference: ClassVar[str] = "inference bottom-up"
    network: ClassVar[str] = "hvae_core.models.families.hvae:HVAE"

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = (self.skips_up, self.skips_down)
        if self.skip and kinds == ("none", "none"):
            raise ValueError("a network without skips on either way has skip = false")
        if not self.skip and kinds != ("latent", "latent"):
            raise ValueError("skips_up and skips_down have no effect where skip = false")

    @property
    def up_skips(self) -> Literal["none", "latent"]:
        """What q(z_i | .) reads of the layers below z_{i-1}."""
        return self.skips_up if self.skip else "none"

    @property
    def down_skips(self) -> SkipsDown:
        """What p(z_i | .) reads of the layers above z_{i+1}."""
        return self.skips_down if self.skip else "none"

    @property
    def skips_in_words(self) -> str:
        """What there is besides the neighbours on both ways."""
        if (self.skips_up, self.skips_down) == ("latent", "latent"):
            return super().skips_in_words
        up = "no skip connections" if self.skips_up == "none" else "skip connections"
        return f"{up} on the way up, {_DOWN[self.skips_down]}"

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Under the top log q - log p of a draw, which may cancel, stands for the KL."""
        return (*(False for _ in self.latents[1:]), self.exact_top)

    @property
    def read_by_draws_alone(self) -> bool:
        """Without skips q(z_i | z_{i-1}) reads nothing else."""
        return self.up_skips == "none"
