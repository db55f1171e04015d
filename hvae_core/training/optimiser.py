"""The optimiser of a run, its learning rate, and steps that a wild gradient cannot spoil."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from hvae_core.common.errors import ConfigError
from hvae_core.config import TrainConfig

_STEPS = 512  # numbers of one epoch in a history: the gate takes no more in one entry
_NUMBERS = 65_536  # of gradient norms in the whole history: half a megabyte of a checkpoint
_LARGEST = 1e38  # that the gate lets pass; stands for a norm that is not finite too


SLOTS = {
    "adam": ("exp_avg", "exp_avg_sq", "step"),
    "adamax": ("exp_avg", "exp_inf", "step"),
    "adamw": ("exp_avg", "exp_avg_sq", "step"),
}
"""What each optimiser keeps of every weight; but for the first, nothing of it is below zero."""


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam (HVK Table 4), Adamax (DVP Table 3) or AdamW (DCT's hyperparameters), by its name."""
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamax": torch.optim.Adamax,
        "adamw": torch.optim.AdamW,
    }
    return kinds[config.optimizer](
        model.parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
    )


def learning_rate(epoch: float, config: TrainConfig) -> float:
    """Half a cosine from ``learning_rate`` to ``final_learning_rate`` over the run."""
    share = 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    return config.final_learning_rate + share * (config.learning_rate - config.final_learning_rate)


@dataclass
class Gradients:
    """Gradient norms of one epoch's steps, before clipping, and what was done about them."""

    norms: list[float] = field(default_factory=list)
    clipped: int = 0
    skipped: int = 0

    def step(
        self,
        fabric: Fabric,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        config: TrainConfig,
    ) -> bool:
        """Clip the gradients and step, unless they are too large; returns whether it stepped.

        Too large is above ``skip_norm`` (Child 2021, who skips where this loop does: before
        clipping), or not finite.
        """
        before_clipping = fabric.clip_gradients(
            module, optimizer, max_norm=config.clip_norm, error_if_nonfinite=False
        )
        norm = 0.0 if before_clipping is None else float(before_clipping)
        self.norms.append(norm)
        taken = math.isfinite(norm) and not 0 < config.skip_norm < norm
        if taken:
            self.clipped += norm > config.clip_norm
        else:
            self.skipped += 1
            # A step without gradients moves nothing, and 16-bit training still adapts its scale.
            optimizer.zero_grad()
        optimizer.step()
        return taken

    def row(self, epoch: int, config: TrainConfig) -> dict:
        """The epoch's entries in the history; raises ``ConfigError`` if no step was taken.

        ``grad_norms`` holds the norm of every step (DVP Figure 7). Where there are more than the
        history has room for, 512 an epoch and 65,536 a run, it holds the largest of each run of
        neighbouring steps, so that no spike is lost.
        """
        if self.skipped == len(self.norms):
            raise ConfigError(
                f"No step of epoch {epoch + 1} was taken: every gradient was above skip_norm = "
                f"{config.skip_norm:g} or no number; "
                "start again with a larger skip_norm or a lower learning_rate."
            )
        finite = [norm for norm in self.norms if math.isfinite(norm)]
        return {
            "grad_norm": min(float(np.mean(finite)), _LARGEST),
            "grad_norms": peaks(self.norms, config.epochs),
            "clipped": self.clipped,
            "skipped": self.skipped,
        }


def peaks(norms: list[float], epochs: int) -> list[float]:
    """Norms of an epoch's steps, four digits each; of many, the largest of each run of them."""
    most = max(1, min(_STEPS, _NUMBERS // epochs))
    kept = np.nan_to_num(norms, nan=_LARGEST).clip(max=_LARGEST)
    runs = min(most, len(norms))
    starts = np.arange(runs) * len(norms) // runs  # evenly spread over the epoch
    return [float(f"{peak:.4g}") for peak in np.maximum.reduceat(kept, starts)]
