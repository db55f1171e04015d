"""DCT-VAE: a deep top-down VAE under a discrete context (DCT App. C, E, F)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.deep import DeepConfig
from hvae_core.config.family import STRICT


@final
@dataclass(frozen=True, config=STRICT)
class DCTConfig(DeepConfig):
    """VDVAE under a discrete context, a quantised transform of x (DCT App. C, E, F)."""

    family: Literal["dct-vae"] = "dct-vae"
    label: ClassVar[str] = "DCT-VAE"
    network: ClassVar[str] = "hvae_core.models.families.dct:DCTVAE"
    top_name: ClassVar[str] = "context"
