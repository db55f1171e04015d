"""HVAE: inference bottom-up (HVK 3.2, App. B.1)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT
from hvae_core.config.layered import LayeredConfig


@final
@dataclass(frozen=True, config=STRICT)
class HVAEConfig(LayeredConfig):
    """Bottom-up inference with skips from z_{i-2}, top-down generation with skips from z_{i+2}."""

    family: Literal["hvae"] = "hvae"
    label: ClassVar[str] = "HVAE"
    inference: ClassVar[str] = "inference bottom-up"
    network: ClassVar[str] = "hvae_core.models.families.hvae:HVAE"

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """Under the top log q - log p of a draw, which may cancel, stands for the KL."""
        return (*(False for _ in self.latents[1:]), self.exact_top)

    @property
    def read_by_draws_alone(self) -> bool:
        """Without skips q(z_i | z_{i-1}) reads nothing else."""
        return not self.skip
