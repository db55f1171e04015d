"""Model families behind one interface; a configuration names its family."""

from hvae_core.config import HVAEConfig
from hvae_core.models.base import HierarchicalVAE, LatentSpec, Skipped, Trace, Up
from hvae_core.models.hvae import HVAE

__all__ = ["HVAE", "HierarchicalVAE", "LatentSpec", "Skipped", "Trace", "Up", "model_from_config"]

FAMILIES: dict[str, type[HVAE]] = {"hvae": HVAE}


def model_from_config(config: HVAEConfig) -> HierarchicalVAE:
    """Build an untrained model of the configuration's family."""
    return FAMILIES[config.family](config)
