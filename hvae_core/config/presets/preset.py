"""What a preset is, and the schedule that the small ones share."""

from __future__ import annotations

from dataclasses import dataclass

from hvae_core.config import ModelConfig, TrainConfig


@dataclass(frozen=True)
class Preset:
    """One recipe: the world it is trained on, network, schedule, and where it comes from."""

    name: str
    title: str
    world: str
    model: ModelConfig
    train: TrainConfig
    source: str
    twin_of: str = ""
    """The recipe of a paper that this one makes small; empty for every other."""


GREY = (1, 28, 28)
SHORT = TrainConfig(
    data="fashion",
    epochs=14,
    epoch_images=10_000,
    batch_size=64,
    learning_rate=1e-3,
    final_learning_rate=5e-5,
    ema=0.998,
)
"""For two processor cores: epochs are counted in images."""
