"""Frozen configurations that travel with the weights: dataclasses to JSON and back, with bounds.

A configuration read from a file is untrusted: the bounds are checked before any tensor is
allocated, so a hostile file cannot ask for a gigantic model.
"""

from typing import Annotated

from pydantic import Field

from hvae_core.config.as_json import from_json, to_json
from hvae_core.config.context import (
    ContextConfig,
    DenoiserConfig,
    PseudoConfig,
    check_context,
)
from hvae_core.config.deep import DeepConfig, ScaleConfig
from hvae_core.config.layered import (
    MAX_UNITS,
    HVAEConfig,
    LatentConfig,
    LikelihoodName,
    level_starts,
)
from hvae_core.config.training import ModelCard, TrainConfig, schedules_over

ModelConfig = Annotated[HVAEConfig | DeepConfig, Field(discriminator="family")]
"""A configuration of any family; in a file, ``family`` says of which."""

__all__ = [
    "MAX_UNITS",
    "ContextConfig",
    "DeepConfig",
    "DenoiserConfig",
    "HVAEConfig",
    "LatentConfig",
    "LikelihoodName",
    "ModelCard",
    "ModelConfig",
    "PseudoConfig",
    "ScaleConfig",
    "TrainConfig",
    "check_context",
    "from_json",
    "level_starts",
    "schedules_over",
    "to_json",
]
