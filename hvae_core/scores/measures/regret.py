"""Likelihood regret: the weights of the inference network are refitted to each image."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from hvae_core.common.noise import Noise
from hvae_core.evaluation.bounds import bound
from hvae_core.models import HierarchicalVAE, prepared
from hvae_core.models.layers.residual import without_weight_norm
from hvae_core.scores.measures.refit import Parameters, refit, with_posteriors
from hvae_core.scores.measures.settings import RegretSettings

_NUMBERS = 2**25
"""Weights of all images at once: they, their moments and gradients must fit in memory."""


def regret(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: RegretSettings
) -> np.ndarray:
    """Gain of L in nats by refitting the inference network to the image (Xiao et al. 2020), (B,).

    Every image has a copy of the weights, those of weight-normalised layers as they come out of the
    normalisation; a VampPrior stays what it was, and so does the transform behind a context or
    pseudoinput, which the way down shares.
    """
    x = prepared(model, pixels, digests, seed=settings.seed)
    model = _plain(model)
    weights = model.inference_parameters()
    at_once = max(1, _NUMBERS // sum(w.numel() for w in weights.values()))
    parts = []
    for start in range(0, len(x), at_once):
        rows = slice(start, start + at_once)
        parts.append(_regret(model, weights, x[rows], digests=digests[rows], settings=settings))
    return torch.cat(parts).double().cpu().numpy()


def _regret(
    model: HierarchicalVAE,
    weights: dict[str, Tensor],
    x: Tensor,
    *,
    digests: Sequence[int],
    settings: RegretSettings,
) -> Tensor:
    # vmap runs one image's bound for all images at once, each with weights of its own. Under it
    # nothing can be drawn: which draws a trace asks for is learnt first, and then they are given.
    bounded = _Bound(with_posteriors(model, lambda _index, q: q))
    asked = bounded.ask(x[:1])

    def bound_of_one(values: Parameters, image: Tensor, draws: dict[str, Tensor]) -> Tensor:
        named = {f"model.{name}": value for name, value in values.items()}
        value: Tensor = functional_call(bounded, named, (image.unsqueeze(0), draws))
        return value

    of_all, slopes = _quiet(vmap(bound_of_one)), _quiet(vmap(grad(bound_of_one)))

    def bounds(values: Parameters, rows: Tensor, noise: Noise, samples: int) -> Tensor:
        with torch.no_grad():
            each: Tensor = of_all(values, x[rows], asked.draw(noise, samples, x[rows]))
        return each

    def gradients(values: Parameters, rows: Tensor, noise: Noise) -> Parameters:
        each: Parameters = slopes(values, x[rows], asked.draw(noise, 1, x[rows]))
        return each

    start = {name: w.expand(len(x), *w.shape) for name, w in weights.items()}
    return refit(start, bounds, gradients, digests=digests, settings=settings)


def _plain(model: HierarchicalVAE) -> HierarchicalVAE:
    """A copy without weight normalisation, for which vmap has no rule: the same function."""
    return without_weight_norm(copy.deepcopy(model)).eval().requires_grad_(False)


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Without the remark that vmap runs some operation of a prior image by image."""

    def run(*args: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
            return function(*args)

    return run


class _Bound(nn.Module):
    """L of one image as a module, so that its weights can be exchanged."""

    def __init__(self, model: HierarchicalVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, draws: dict[str, Tensor]) -> Tensor:
        """L of the image x (1, C, H, W), a single number; draws by name, (S, *shape) each."""
        samples = next(len(d) for name, d in draws.items() if name.startswith("q"))
        return bound(self.model.trace(x, noise=_Given(draws), samples=samples))[0]

    def ask(self, x: Tensor) -> _Asked:
        """Learn which draws a trace of one image asks for."""
        asked = _Asked()
        with torch.no_grad():
            self.model.trace(x, noise=asked)
        return asked


class _Asked(Noise):
    """Remembers what it was asked for, and draws the same for many images from another source."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[bool, tuple[int, ...]]] = {}

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Zeros (S, B, *shape)."""
        self.asked[name] = (True, tuple(shape))
        return torch.zeros(samples, batch, *shape)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Zeros (S, B, *shape)."""
        self.asked[name] = (False, tuple(shape))
        return torch.zeros(samples, batch, *shape)

    def draw(self, noise: Noise, samples: int, like: Tensor) -> dict[str, Tensor]:
        """The draws of every image by name, (B, S, *shape)."""
        draws: dict[str, Any] = {}
        for name, (normal, shape) in self.asked.items():
            source = noise.normal if normal else noise.uniform
            draws[name] = source(name, samples, len(like), shape).transpose(0, 1).to(like)
        return draws


class _Given(Noise):
    """Draws of one image that are already made, (S, *shape) by name."""

    def __init__(self, draws: dict[str, Tensor]) -> None:
        self.draws = draws

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """The draws of that name, (S, 1, *shape)."""
        return self.draws[name][:samples].unsqueeze(1)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """The draws of that name, (S, 1, *shape)."""
        return self.draws[name][:samples].unsqueeze(1)
