"""Model families behind one interface; a configuration names its network.

Networks are imported when they are built: ``model_from_config`` loads one family alone.
"""

from importlib import import_module

from hvae_core.config import ModelConfig
from hvae_core.models.base import HierarchicalVAE
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Gaussian
from hvae_core.models.pixels import prepared
from hvae_core.models.priors.vamp import GaussianMixture
from hvae_core.models.trace import (
    Aggregate,
    Conditional,
    LatentSpec,
    Posterior,
    Sampler,
    Skipped,
    Trace,
    Up,
)

__all__ = [
    "Aggregate",
    "Conditional",
    "ConfiguredVAE",
    "Gaussian",
    "GaussianMixture",
    "HierarchicalVAE",
    "LatentSpec",
    "Posterior",
    "Sampler",
    "Skipped",
    "Trace",
    "Up",
    "model_from_config",
    "network_class",
    "prepared",
]


def network_class(config: ModelConfig) -> type[HierarchicalVAE]:
    """The class of the configuration's network, imported on first use."""
    module, _, name = config.network.partition(":")
    network: type[HierarchicalVAE] = getattr(import_module(module), name)
    return network


def model_from_config(config: ModelConfig) -> HierarchicalVAE:
    """Build an untrained model of the configuration's family."""
    return network_class(config)(config)
