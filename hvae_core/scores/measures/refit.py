"""Likelihood regret (Xiao et al. 2020): how much L gains when q is refitted to one image alone.

All images of a batch are refitted at once, each with parameters, Adam moments, draws and an end of
its own, so that the result of one does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.models import Gaussian, HierarchicalVAE
from hvae_core.scores.measures.settings import RegretSettings

Parameters = dict[str, Tensor]
"""What is refitted, one row an image: (B, ...)."""
BoundFunction = Callable[[Parameters, Tensor, Noise, int], Tensor]
"""L (b,) under the parameters of the images ``rows`` (b,), with so many draws of the noise."""
GradientFunction = Callable[[Parameters, Tensor, Noise], Parameters]
"""The gradient of each image's own L with respect to its own parameters, by one draw."""

_BETAS = (0.9, 0.999)


def refit(
    start: Parameters,
    bounds: BoundFunction,
    gradients: GradientFunction,
    *,
    digests: Sequence[int],
    settings: RegretSettings,
) -> Tensor:
    """max over the parameters of L, minus L at the start, in nats, (B,), never below zero.

    L is measured with the draws of an evaluation of the same seed; steps use later draws, so that
    the parameters cannot fit the draws that judge them.
    """

    def noise(rows: Tensor, first: int) -> Noise:
        return ImageNoise([digests[i] for i in rows.tolist()], settings.seed, first)

    def measure(values: Parameters, rows: Tensor) -> Tensor:
        return bounds(values, rows, noise(rows, 0), settings.samples)

    # 1. L before anything is fitted. ``rows`` are the images that are still being fitted.
    device = next(iter(start.values())).device
    rows = torch.arange(len(digests), device=device)
    first = measure(start, rows)
    best, stale = first.clone(), torch.zeros_like(rows)
    adam = Adam(start, settings.learning_rate, settings.epsilon)
    for step in range(1, settings.steps + 1):
        # 2. Up the gradient, by draws that no measurement uses.
        adam.ascend(gradients(adam.values, rows, noise(rows, settings.samples + step)))
        if step % settings.check and step < settings.steps:
            continue
        # 3. Now and then L again, by the same draws each time: only the parameters differ. The
        # best is kept, so that a step too far costs nothing.
        now = measure(adam.values, rows)
        gained = now > best[rows] + settings.gain
        best[rows] = torch.where(now > best[rows], now, best[rows])  # false where it is not finite
        # 4. An image that no longer gains leaves the batch, and the others go on faster.
        stale[rows] = torch.where(gained, 0, stale[rows] + 1)
        going = stale[rows] < settings.patience
        rows = rows[going]
        if not len(rows):
            break
        adam.take(going)
    return best - first


class Adam:
    """Adam (Kingma and Ba 2015) on parameters of several images, each an optimiser of its own."""

    def __init__(self, start: Mapping[str, Tensor], rate: float, epsilon: float) -> None:
        self.values = {name: value.clone() for name, value in start.items()}
        self._mean = {name: torch.zeros_like(value) for name, value in start.items()}
        self._square = {name: torch.zeros_like(value) for name, value in start.items()}
        self._rate, self._epsilon, self._step = rate, epsilon, 0

    def ascend(self, gradients: Mapping[str, Tensor]) -> None:
        """One step up the gradients."""
        self._step += 1
        slow, slower = _BETAS
        for name, gradient in gradients.items():
            gradient = torch.nan_to_num(gradient, 0.0, 0.0, 0.0)  # an image that is lost stays put
            mean = self._mean[name].lerp_(gradient, 1 - slow)
            square = self._square[name].lerp_(gradient**2, 1 - slower)
            scale = (square / (1 - slower**self._step)).sqrt_().add_(self._epsilon)
            step = self._rate / (1 - slow**self._step)
            self.values[name] = self.values[name] + step * mean / scale

    def take(self, rows: Tensor) -> None:
        """Go on with some of the images, by a mask."""
        for held in (self.values, self._mean, self._square):
            held.update({name: value[rows] for name, value in held.items()})


class Landing(Gaussian):
    """A posterior whose log-density has no gradient but through the draw (Roeder et al. 2017).

    The part left out is zero in expectation and nothing but noise: where q is p already, as in a
    collapsed layer, the gradient is then exactly zero, and its units do not wander.
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats of z (S, B, ...), (S, B)."""
        return Gaussian(self.mean.detach(), self.std.detach()).log_prob(z)


GaussianChange = Callable[[int, Gaussian], Gaussian]
"""What becomes of the posterior of a layer (by its index), which is given as the model has it."""


def with_posteriors(model: HierarchicalVAE, change: GaussianChange) -> HierarchicalVAE:
    """A view of the model with other posteriors, which land; the model itself is left alone.

    A layer whose q is certain (a discrete context) stays as it is.
    """

    def landed(index: int, q: Any) -> Any:
        if not isinstance(q, Gaussian):
            return q
        q = change(index, q)
        return Landing(q.mean, q.std)

    return model.with_posteriors(landed)
