"""What is known of a model's layers on a set: which are collapsed, how, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.thresholds import ACTIVE_THRESHOLD, COLLAPSE_THRESHOLD
from hvae_core.config import ModelConfig
from hvae_core.evaluation.collapse import (
    active_units,
    collapsed_layers,
    collapsed_since,
    kl_per_dim,
    silent_layers,
)
from hvae_core.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class LayersFound:
    """Layers z_1 .. z_L of one model on one set; collapsed layers by their numbers, from 1."""

    names: tuple[str, ...]
    levels: tuple[str, ...]
    units: tuple[int, ...]
    kl: tuple[float, ...]
    """Mean KL terms in nats."""
    active: tuple[int, ...]
    collapsed: tuple[int, ...]
    silent: tuple[int, ...]
    """Collapsed layers that say nothing, the others being thin."""
    since: tuple[int | None, ...]
    """The epoch since which a layer has been collapsed to the end of training."""
    kept: bool
    """Whether the file has a history to tell that by."""

    @property
    def n_layers(self) -> int:
        """L."""
        return len(self.names)

    @property
    def kl_per_dim(self) -> tuple[float, ...]:
        """KL terms in nats a unit."""
        return tuple(kl_per_dim(self.kl, self.units).tolist())

    @property
    def thin(self) -> tuple[int, ...]:
        """Collapsed layers that say something, spread over many units."""
        return tuple(i for i in self.collapsed if i not in self.silent)

    @property
    def followers(self) -> tuple[int, ...]:
        """Layers that say nothing though units count as active: these follow the layers above."""
        return tuple(i for i in self.silent if self.active[i - 1])


def layers_found(
    config: ModelConfig,
    evaluation: Evaluation,
    history: Floats | None,
    *,
    below: float = COLLAPSE_THRESHOLD,
    above: float = ACTIVE_THRESHOLD,
) -> LayersFound:
    """The layers of a model on an evaluated set; ``history`` are its KL terms (epochs, L), nats.

    A layer is collapsed under ``below`` nats a unit, a unit active over ``above`` of variance.
    """
    kl = tuple(evaluation.table.kl.mean(axis=0).tolist())
    units = tuple(len(variance) for variance in evaluation.unit_variance)
    active = tuple(active_units(variance, above) for variance in evaluation.unit_variance)
    return LayersFound(
        evaluation.names, evaluation.levels, units, kl, active,
        collapsed=collapsed_layers(kl, units, below),
        silent=silent_layers(kl, units, active, exact=config.exact_kl, threshold=below),
        since=(None,) * len(kl) if history is None else collapsed_since(history, units, below),
        kept=history is not None,
    )  # fmt: skip


def kl_history(history: Mapping[str, Sequence[Any]], series: str, layers: int) -> Floats | None:
    """KL terms of every epoch in nats (epochs, L), or None where a file has no such series.

    The gate made sure that these are numbers, not that they belong to this model's layers.
    """
    rows = history.get(series, [])
    if not rows or any(not isinstance(row, list) or len(row) != layers for row in rows):
        return None
    return np.asarray(rows, dtype=np.float64)
