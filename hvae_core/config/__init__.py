"""Frozen configurations that travel with the weights: dataclasses to JSON and back, with bounds.

A configuration read from a file is untrusted: the bounds are checked before any tensor is
allocated, so a hostile file cannot ask for a gigantic model.
"""

from hvae_core.config.as_json import from_json, to_json
from hvae_core.config.context import (
    ContextConfig,
    DenoiserConfig,
    PseudoConfig,
    check_context,
)
from hvae_core.config.deep import MAX_LAYERS, DeepConfig, ScaleConfig
from hvae_core.config.families import (
    BIVAConfig,
    DCTConfig,
    DVPConfig,
    HVAEConfig,
    LVAEConfig,
    VDVAEConfig,
)
from hvae_core.config.family import (
    FAMILIES,
    STRICT,
    AnyLikelihood,
    ImageShape,
    LikelihoodName,
    ModelConfig,
    level_starts,
    register,
)
from hvae_core.config.layered import LatentConfig, LayeredConfig
from hvae_core.config.training import ModelCard, TrainConfig, schedules_over

__all__ = [
    "FAMILIES",
    "MAX_LAYERS",
    "STRICT",
    "AnyLikelihood",
    "BIVAConfig",
    "ContextConfig",
    "DCTConfig",
    "DVPConfig",
    "DeepConfig",
    "DenoiserConfig",
    "HVAEConfig",
    "ImageShape",
    "LVAEConfig",
    "LatentConfig",
    "LayeredConfig",
    "LikelihoodName",
    "ModelCard",
    "ModelConfig",
    "PseudoConfig",
    "ScaleConfig",
    "TrainConfig",
    "VDVAEConfig",
    "check_context",
    "from_json",
    "level_starts",
    "register",
    "schedules_over",
    "to_json",
]
