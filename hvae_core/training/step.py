"""One step of training, without a word between host and device, so that a graph can replay it.

What changes from step to step lies in tensors on the device: pixels, keys of the noise, and a row
of the schedule. Loss, gradients, clipping, the optimiser and the running average follow from these
by kernels alone, in the same code on every kind of device. On a graphics card the whole is recorded
once, as a CUDA graph, and replayed: one launch a step in place of some thousand, which is what
networks of this size otherwise wait for.
"""

from __future__ import annotations

from typing import cast, final

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from hvae_core.common.noise import CountedNoise, Noise, Plan
from hvae_core.evaluation.replay import Compile, Replay
from hvae_core.training.objectives import LossTerms, Objective, Whole
from hvae_core.training.optimiser import Gradients
from hvae_core.training.processes import gather, local, set_up, shared_as
from hvae_core.training.state import RunState

_SALT = 0x5354_5250  # sets the noise of training apart from that of an evaluation


class Batch(nn.Module):
    """The objective from bytes: grey levels, their mutation, and noise by the images' keys."""

    now: Tensor
    """beta and lambda (2,), in float32 whatever the precision of the step."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.plan = Plan()
        self.whole: Whole = torch.detach
        self.register_buffer("now", torch.ones(2), persistent=False)

    def forward(self, pixels: Tensor, keys: Tensor) -> LossTerms:
        """Loss of uint8 images (B, C, H, W) with two key words each, (B, 2)."""
        config = self.objective.config
        noise = CountedNoise(keys, config.seed ^ _SALT, plan=self.plan)
        x = pixels.float() / 255
        if config.mutation:
            x = mutate(x, config.mutation, noise)
        beta, free_bits = self.now
        return self.objective(x, noise, beta=beta, free_bits=free_bits, whole=self.whole)


def mutate(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Grey levels (B, C, H, W) in [0, 1], each replaced by a uniform one of 256 at this rate.

    What images have in common at large is destroyed, and the background of plain pixels stays. A
    pixel of a colour image is replaced in all its channels or in none.
    """
    hit = noise.uniform("mutated", 1, len(x), (1, *x.shape[2:]))[0].to(x.device) < rate
    grey = noise.uniform("mutation", 1, len(x), x.shape[1:])[0].to(x.device)
    return torch.where(hit, (256 * grey).floor().clamp_max(255) / 255, x)


@final
class Stepper:
    """Takes the steps of a run; ``row`` and ``out`` are what goes in and out of each.

    ``row`` (5,) holds learning rate, beta, lambda, the share of the average that becomes new, and
    the weight of the loss. ``out`` (5 + L,) receives loss, log p(x|z), ELBO, the gradient's norm,
    whether the step was taken, and the KL of every layer.
    """

    def __init__(self, running: RunState, fabric: Fabric, *, compiling: Compile = "auto") -> None:
        self.fabric, self.running = fabric, running
        self.batch = Batch(running.objective)
        self.module, self.optimizer = set_up(
            fabric, self.batch, running.objective.model, optimizer=running.optimizer
        )
        running.average.to(fabric.device)
        self.gradients = Gradients(fabric, self.module, self.optimizer, config=running.config)
        self.row = torch.zeros(5, device=fabric.device)
        self.out = torch.zeros(5 + running.objective.model.n_layers, device=fabric.device)
        self._averaged: tuple[list[Tensor], list[Tensor]] | None = None
        if fabric.world_size > 1:
            self.batch.whole = lambda mean: self.whole(mean.detach())
        self._replayed = Replay(self._once, on=compiling == "auto" and self._can_replay())

    def step(self, pixels: Tensor, keys: Tensor) -> None:
        """Take one step with uint8 images (B, C, H, W) and their key words (B, 2)."""
        self._replayed(pixels, keys)

    def whole(self, part: Tensor) -> Tensor:
        """Means over the whole batch from those over this process's part of it."""
        mean = self.fabric.all_reduce(part * self.row[4], reduce_op="mean")
        return cast(Tensor, mean)

    def _can_replay(self) -> bool:
        one = self.fabric.device.type == "cuda" and self.fabric.world_size == 1
        return one and self.gradients.on_device

    def _once(self, pixels: Tensor, keys: Tensor) -> Tensor:
        # Loss
        self.optimizer.zero_grad()
        self.batch.now.copy_(self.row[1:3])
        terms = self.module(pixels, keys)
        self.fabric.backward(terms.loss * self.row[4])
        # Step: a wild gradient takes none, and then the average must not count it either.
        norm, taken = self.gradients.step(self.row[0])
        self._update_average(taken)
        # As numbers: the terms themselves would keep every step's graph alive.
        with torch.no_grad():
            numbers = [terms.loss, terms.log_px, terms.elbo, norm, taken]
            self.out.copy_(torch.cat([torch.stack([n.float() for n in numbers]), terms.kl]))
        return self.out

    @torch.no_grad()
    def _update_average(self, taken: Tensor) -> None:
        """Exponential moving average: ``row[3]`` of it is new, nothing where a step was skipped."""
        source, average = self._averages()
        if not self.running.config.ema:
            torch._foreach_copy_(average, source)
            return
        change = torch._foreach_sub(source, average)
        torch._foreach_mul_(change, self.row[3] * taken)
        torch._foreach_add_(average, change)

    def _averages(self) -> tuple[list[Tensor], list[Tensor]]:
        """This process's share of all weights, and of their average, in the same order."""
        if self._averaged is None:
            weights = self.running.objective.model.state_dict()
            mine = self.running.average.state_dict()
            self._averaged = (
                [local(weights[name]) for name in mine],
                [local(shared_as(value, weights[name])) for name, value in mine.items()],
            )
        return self._averaged

    @torch.no_grad()
    def gather(self) -> None:
        """Put together the average of which processes keep shares, at the end of an epoch."""
        weights = self.running.objective.model.state_dict()
        mine = self.running.average.state_dict()
        for (name, value), share in zip(mine.items(), self._averages()[1], strict=True):
            if isinstance(weights[name], DTensor):
                value.copy_(gather(share, weights[name]))
