"""LVAE, the ladder VAE: inference top-down (Sonderby et al. 2016)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.family import STRICT
from hvae_core.config.layered import LayeredConfig


@final
@dataclass(frozen=True, config=STRICT)
class LVAEConfig(LayeredConfig):
    """A deterministic way up d_i(x); q(z_i | z_>i, x) is the product of N(d_i) and the prior."""

    family: Literal["lvae"] = "lvae"
    label: ClassVar[str] = "LVAE"
    inference: ClassVar[str] = "inference top-down"
    network: ClassVar[str] = "hvae_core.models.families.lvae:LVAE"

    @property
    def exact_kl(self) -> tuple[bool, ...]:
        """All but that of the top from a VampPrior."""
        return (*(True for _ in self.latents[1:]), self.exact_top)
