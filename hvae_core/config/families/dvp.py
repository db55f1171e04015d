"""DVP-VAE: a deep top-down VAE under a noisy pseudoinput with a prior of its own (DVP 3, 4)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.deep import DeepConfig
from hvae_core.config.family import STRICT


@final
@dataclass(frozen=True, config=STRICT)
class DVPConfig(DeepConfig):
    """VDVAE whose priors see a pseudoinput, which has a diffusion prior of its own (DVP 3, 4)."""

    features_from_prior: bool = False
    """Off, p(x | z) does not depend on u but through the latents (DVP Eq. 12). The authors' code
    has it on, with a pseudoinput and without."""
    family: Literal["dvp-vae"] = "dvp-vae"
    label: ClassVar[str] = "DVP-VAE"
    network: ClassVar[str] = "hvae_core.models.families.dvp:DVPVAE"
    top_name: ClassVar[str] = "u"
