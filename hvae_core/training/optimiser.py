"""The optimiser of a run, its learning rate, and steps that a wild gradient cannot spoil."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from hvae_core.common.errors import ConfigError
from hvae_core.config import TrainConfig
from hvae_core.training.processes import whole

_STEPS = 512  # numbers of one epoch in a history: the gate takes no more in one entry
_NUMBERS = 65_536  # of gradient norms in the whole history: half a megabyte of a checkpoint
_LARGEST = 1e38  # that the gate lets pass; stands for a norm that is not finite too


SLOTS = {
    "adam": ("exp_avg", "exp_avg_sq", "step"),
    "adamax": ("exp_avg", "exp_inf", "step"),
    "adamw": ("exp_avg", "exp_avg_sq", "step"),
}
"""What each optimiser keeps of every weight; but for the first, nothing of it is below zero."""


FUSED = {"adam", "adamw"}
"""Those with one kernel for all weights, which also clips and skips (see ``Gradients``)."""


def make_optimizer(
    model: nn.Module, config: TrainConfig, *, device: str = "cpu", scaled: bool = False
) -> torch.optim.Optimizer:
    """Adam (HVK Table 4), Adamax (DVP Table 3) or AdamW (DCT's hyperparameters), by its name.

    ``device`` is the kind that the weights will be on; ``scaled`` says that the loss is multiplied
    up, as 16 bits need it, and that the gradients are brought back before the step.
    """
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamax": torch.optim.Adamax,
        "adamw": torch.optim.AdamW,
    }
    fused = config.optimizer in FUSED and device in ("cpu", "cuda") and not scaled
    how = {"fused": True} if fused else {}
    how["capturable"] = device == "cuda" and not scaled
    return kinds[config.optimizer](
        model.parameters(),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        **how,
    )


def learning_rate(epoch: float, config: TrainConfig) -> float:
    """Half a cosine from ``learning_rate`` to ``final_learning_rate`` over the run."""
    share = 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    return config.final_learning_rate + share * (config.learning_rate - config.final_learning_rate)


@final
class Gradients:
    """Steps along gradients that are clipped, or left out where they are too large.

    Too large is above ``skip_norm`` (Child 2021, who skips where this does: before clipping), or
    not finite. The choice is made on the device: with a fused optimiser in the kernel itself, with
    another that can be recorded by putting back what the step changed.
    """

    def __init__(
        self, fabric: Fabric, module: nn.Module, optimizer: Any, *, config: TrainConfig
    ) -> None:
        """``module`` and ``optimizer`` are as ``fabric`` has set them up."""
        self.fabric, self.module, self.optimizer, self.config = fabric, module, optimizer, config
        group = optimizer.param_groups[0]
        self._fused = bool(group.get("fused"))
        self.on_device = self._fused or (bool(group["capturable"]) and fabric.world_size == 1)

    def step(self, rate: Tensor) -> tuple[Tensor, Tensor]:
        """Step at a learning rate; the gradient's norm before clipping, and 1 or 0: whether taken.

        A step that is not taken moves neither weights nor moments.
        """
        if not self.on_device:
            return self._by_host(float(rate))
        optimizer = self.optimizer.optimizer
        on_card = rate.device.type == "cuda"
        for group in optimizer.param_groups:
            group["lr"] = rate if on_card else float(rate)
        found = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norm = whole(nn.utils.get_total_norm([grad for grad in found if grad is not None]))
        skip = self._too_large(norm)
        scale = ((norm + 1e-6) / self.config.clip_norm).clamp_min(1.0)
        if self._fused:
            # What the kernel divides by, and whether it rests: made for 16-bit training.
            optimizer.grad_scale, optimizer.found_inf = scale, skip.float()
            optimizer.step()
        else:
            self._step_or_stay(optimizer, [grad for grad in found if grad is not None], scale, skip)
        return norm, (~skip).float()

    @torch.no_grad()
    def _step_or_stay(
        self, optimizer: torch.optim.Optimizer, grads: Sequence[Tensor], scale: Tensor, skip: Tensor
    ) -> None:
        """Step along gradients divided by ``scale``, and take it back where ``skip`` is true."""
        for grad in grads:
            grad.div_(scale)
        before = {id(tensor): tensor.clone() for tensor in _moved(optimizer)}
        optimizer.step()
        for tensor in _moved(optimizer):  # moments are there from the first step on, as zeros
            old = before.get(id(tensor), torch.zeros_like(tensor))
            tensor.copy_(torch.where(skip, old, tensor))

    def _by_host(self, rate: float) -> tuple[Tensor, Tensor]:
        """The same with a branch here: for optimisers of several kernels, and for scaled losses."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = self.fabric.clip_gradients(
            self.module,
            self.optimizer,
            max_norm=self.config.clip_norm,
            error_if_nonfinite=False,
        )
        assert isinstance(norm, Tensor)
        norm = whole(norm)
        skip = self._too_large(norm)
        if skip:
            # A step without gradients moves nothing, and 16-bit training still adapts its scale.
            self.optimizer.zero_grad()
        self.optimizer.step()
        return norm, (~skip).float()

    def _too_large(self, norm: Tensor) -> Tensor:
        wild = ~torch.isfinite(norm)
        return wild | (norm > self.config.skip_norm) if self.config.skip_norm else wild


def _moved(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """All that a step changes: weights, and what the optimiser keeps of each."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            yield weight
            yield from (kept for kept in optimizer.state[weight].values() if torch.is_tensor(kept))


def gradient_row(
    norms: Sequence[float], taken: Sequence[bool], epoch: int, *, config: TrainConfig
) -> dict:
    """An epoch's entries in the history; raises ``ConfigError`` if no step was taken.

    ``grad_norms`` holds the norm of every step before clipping (DVP Figure 7). Where there are more
    than the history has room for, 512 an epoch and 65,536 a run, it holds the largest of each run
    of neighbouring steps, so that no spike is lost.
    """
    if not any(taken):
        raise ConfigError(
            f"No step of epoch {epoch + 1} was taken: every gradient was above skip_norm = "
            f"{config.skip_norm:g} or no number; "
            "start again with a larger skip_norm or a lower learning_rate."
        )
    finite = [norm for norm in norms if math.isfinite(norm)]
    clipped = [norm > config.clip_norm for norm, step in zip(norms, taken, strict=True) if step]
    return {
        "grad_norm": min(float(np.mean(finite)), _LARGEST),
        "grad_norms": peaks(norms, config.epochs),
        "clipped": sum(clipped),
        "skipped": len(norms) - len(clipped),
    }


def peaks(norms: Sequence[float], epochs: int) -> list[float]:
    """Norms of an epoch's steps, four digits each; of many, the largest of each run of them."""
    most = max(1, min(_STEPS, _NUMBERS // epochs))
    kept = np.nan_to_num(norms, nan=_LARGEST).clip(max=_LARGEST)
    runs = min(most, len(norms))
    starts = np.arange(runs) * len(norms) // runs  # evenly spread over the epoch
    return [float(f"{peak:.4g}") for peak in np.maximum.reduceat(kept, starts)]
