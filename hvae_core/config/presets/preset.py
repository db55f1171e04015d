"""What a preset is."""

from __future__ import annotations

from dataclasses import dataclass

from hvae_core.config import STRICT, ModelConfig, TrainConfig


@dataclass(frozen=True)
class Preset:
    """One recipe: the world it is trained on, network, schedule, and where it comes from."""

    __pydantic_config__ = STRICT

    name: str
    title: str
    world: str
    model: ModelConfig
    train: TrainConfig
    source: str
    twin_of: str = ""
    """The recipe of a paper that this one makes small; empty for every other."""
    paper: bool = False
    """Whether this is the recipe of a paper, in its size; each of these has a small twin."""
