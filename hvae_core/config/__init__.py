"""Frozen configurations that travel with the weights: dataclasses to JSON and back, with bounds.

A configuration read from a file is untrusted: the bounds are checked before any tensor is
allocated, so a hostile file cannot ask for a gigantic model.
"""

from hvae_core.config.models import (
    MAX_UNITS,
    HVAEConfig,
    LatentConfig,
    LikelihoodName,
    ModelConfig,
    level_starts,
)
from hvae_core.config.text import from_json, to_json
from hvae_core.config.training import ModelCard, TrainConfig

__all__ = [
    "MAX_UNITS",
    "HVAEConfig",
    "LatentConfig",
    "LikelihoodName",
    "ModelCard",
    "ModelConfig",
    "TrainConfig",
    "from_json",
    "level_starts",
    "to_json",
]
