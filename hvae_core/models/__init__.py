"""Model families behind one interface; a configuration names its family."""

from hvae_core.config import ModelConfig
from hvae_core.models.base import HierarchicalVAE, LatentSpec, Skipped, Trace, Up
from hvae_core.models.families.biva import BIVA
from hvae_core.models.families.dct import DCTVAE
from hvae_core.models.families.dvp import DVPVAE
from hvae_core.models.families.hvae import HVAE
from hvae_core.models.families.lvae import LVAE
from hvae_core.models.families.vdvae import VDVAE

__all__ = [
    "BIVA",
    "DCTVAE",
    "DVPVAE",
    "HVAE",
    "LVAE",
    "VDVAE",
    "HierarchicalVAE",
    "LatentSpec",
    "Skipped",
    "Trace",
    "Up",
    "model_from_config",
]

FAMILIES: dict[str, type[HierarchicalVAE]] = {
    "hvae": HVAE,
    "lvae": LVAE,
    "biva": BIVA,
    "vdvae": VDVAE,
    "dct-vae": DCTVAE,
    "dvp-vae": DVPVAE,
}


def model_from_config(config: ModelConfig) -> HierarchicalVAE:
    """Build an untrained model of the configuration's family."""
    return FAMILIES[config.family](config)
