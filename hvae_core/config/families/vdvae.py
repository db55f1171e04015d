"""VDVAE: the plain deep top-down VAE (Child 2021; the host of DCT App. E and DVP 4)."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from pydantic.dataclasses import dataclass

from hvae_core.config.deep import DeepConfig
from hvae_core.config.family import STRICT


@final
@dataclass(frozen=True, config=STRICT)
class VDVAEConfig(DeepConfig):
    """Residual way up with h_enc a scale; top-down blocks that read and write h_dec (Child 2021).

    Nothing is known above z_L: the field ``context`` and the field ``pseudo`` are null.
    """

    family: Literal["vdvae"] = "vdvae"
    label: ClassVar[str] = "VDVAE"
    network: ClassVar[str] = "hvae_core.models.families.vdvae:VDVAE"
