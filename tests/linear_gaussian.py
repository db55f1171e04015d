"""A hierarchy whose every answer is known: linear-Gaussian layers behind both interfaces.

All layers have n units that do not meet on the way: z_L ~ N(0, I), z_i = a_i z_{i+1} + b_i + s_i e,
x = C z_1 + c + s_0 e with orthogonal columns in C. So the posterior is diagonal, and as z is a
Markov chain it factorises bottom-up as q(z_1|x) q(z_2|z_1) ..., and top-down as q(z_L|x)
q(z_{L-1}|z_L, x) ...: exact inference is in both families.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.models.base import HierarchicalVAE, LatentSpec
from hvae_core.models.distributions import LOG_2PI, Gaussian, Likelihood
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.inference.top_down import TopDownVAE

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class GaussianPixels(Likelihood):
    """Pixels N(mean, std^2) with one std for all."""

    location: Tensor
    std: float

    def log_prob(self, x: Tensor) -> Tensor:
        term = -0.5 * ((x - self.location) / self.std) ** 2 - math.log(self.std) - 0.5 * LOG_2PI
        return term.flatten(2).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.location

    @property
    def mode(self) -> Tensor:
        return self.location

    def sample(self, noise: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass
class Step:
    """One conditional of q: z_i = gain source + shift + std e, unit by unit.

    The source is the layer before on the way; ``pixels`` is the gain of C^T x, where it counts.
    """

    gain: Array
    shift: Array
    std: Array
    pixels: Array | float = 0.0


class Chain(HierarchicalVAE):
    """The generative side, and the moments of bounds, from those of q that a subclass has."""

    steps: list[Step]

    def __init__(self, layers: int = 3, units: int = 3, seed: int = 0, off: float = 0.0) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.shape = (1, 2, units)
        self.a = rng.uniform(0.5, 1.5, (layers - 1, units))
        self.b = rng.normal(size=(layers - 1, units))
        self.s = rng.uniform(0.4, 1.0, (layers - 1, units))
        square = np.linalg.qr(rng.normal(size=(2 * units, units)))[0]
        self.C = square * rng.uniform(0.7, 1.5, units)  # (D, n)
        self.c = rng.normal(size=2 * units)
        self.s0 = 0.8
        self.steps = self._exact()
        for i, step in enumerate(self.steps):
            step.shift = step.shift + off * (-1) ** i * 0.5
            step.std = step.std * (1 + 0.4 * off)
        self.weight = nn.Parameter(torch.zeros(()))  # a model has a device

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        shape = (self.shape[2],)
        return tuple(
            LatentSpec(name=f"z{i + 1}", index=i + 1, shape=shape, group=f"z{i + 1}")
            for i in range(len(self.a) + 1)
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.shape

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        return x

    def inference_weights(self) -> Iterable[nn.Parameter]:
        return ()

    def _conditional(self, index: int, above: Tensor) -> Gaussian:
        """p(z_i | z_{i+1})."""
        i = index - 1
        mean = above * torch.from_numpy(self.a[i]) + torch.from_numpy(self.b[i])
        return Gaussian(mean, torch.from_numpy(self.s[i]).expand_as(mean))

    def _picture(self, z1: Tensor) -> Likelihood:
        """p(x | z_1)."""
        mean = z1 @ torch.from_numpy(self.C.T) + torch.from_numpy(self.c)
        return GaussianPixels(mean.unflatten(-1, self.shape), self.s0)

    def _exact(self) -> list[Step]:
        """The conditionals of the true posterior, z_1's first."""
        raise NotImplementedError

    def _moments(self, x: Array, k: int, up: str) -> tuple[list[Array], list[Array], list[Array]]:
        """Mean (B, n), variance (n,) of every layer under q, and covariance with the next above."""
        raise NotImplementedError

    # What is known of it, in numpy.

    def marginals(self) -> tuple[list[Array], list[Array]]:
        """Prior mean and variance of z_1 .. z_L, each (n,)."""
        mean, variance = [np.zeros(self.shape[2])], [np.ones(self.shape[2])]
        for a, b, s in zip(self.a[::-1], self.b[::-1], self.s[::-1], strict=True):
            mean.insert(0, a * mean[0] + b)
            variance.insert(0, a**2 * variance[0] + s**2)
        return mean, variance

    def log_evidence(self, x: Array) -> Array:
        """log p(x) of images (B, C, H, W), from the joint covariance of the pixels, (B,)."""
        mean, variance = self.marginals()
        cov = self.C * variance[0] @ self.C.T + self.s0**2 * np.eye(len(self.c))
        d = x.reshape(len(x), -1) - (self.C @ mean[0] + self.c)
        inside = (d @ np.linalg.inv(cov) * d).sum(1)
        return -0.5 * (inside + np.linalg.slogdet(cov)[1] + len(self.c) * math.log(2 * math.pi))

    def images(self, n: int, seed: int = 1) -> Tensor:
        """Draws from p(x), (n, C, H, W) float64."""
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(n, self.shape[2]))
        for a, b, s in zip(self.a[::-1], self.b[::-1], self.s[::-1], strict=True):
            z = a * z + b + s * rng.normal(size=z.shape)
        x = z @ self.C.T + self.c + self.s0 * rng.normal(size=(n, len(self.c)))
        return torch.from_numpy(x.reshape(n, *self.shape))

    def expected_bound(self, x: Array, k: int, *, up: str, skipped: str = "sample") -> Array:
        """E[log p(x|z) + log p(z_>k) - log q(z_>k|x)] by moments, without a draw, (B,)."""
        means, variances, both = self._moments(x, k, up)
        total = np.zeros(len(x))
        top = len(self.a)
        for i in range(k, top + 1):
            entropy = 0.5 * (1 + LOG_2PI) + np.log(self.steps[i].std)
            if i == top:
                square, s = means[i] ** 2 + variances[i], np.ones(self.shape[2])
            else:
                d = means[i] - self.a[i] * means[i + 1] - self.b[i]
                v = variances[i] - 2 * self.a[i] * both[i] + self.a[i] ** 2 * variances[i + 1]
                square, s = d**2 + v, self.s[i]
            total += (entropy - 0.5 * LOG_2PI - np.log(s) - 0.5 * square / s**2).sum(-1)
        mean, variance = means[k], variances[k]
        for i in range(k - 1, -1, -1):
            mean = self.a[i] * mean + self.b[i]
            variance = self.a[i] ** 2 * variance
            if skipped == "sample":
                variance = variance + self.s[i] ** 2
        d = x.reshape(len(x), -1) - mean @ self.C.T - self.c
        square = (d**2).sum(1) + (variance * (self.C**2).sum(0)).sum(-1)
        pixels = len(self.c)
        return total - 0.5 * square / self.s0**2 - pixels * (math.log(self.s0) + 0.5 * LOG_2PI)


class LinearGaussian(Chain, BottomUpVAE):
    """The hierarchy with exact bottom-up inference, or inference ``off`` by shift and scale."""

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        step = self.steps[index - 1]
        source = x.flatten(2) @ torch.from_numpy(self.C) if index == 1 else below[-1]
        mean = source * torch.from_numpy(step.gain) + torch.from_numpy(step.shift)
        return Gaussian(mean, torch.from_numpy(step.std).expand_as(mean))

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        return self._conditional(index, above[0])

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        return self._picture(z[0])

    def _exact(self) -> list[Step]:
        """p(z_1 | x) and p(z_i | z_{i-1}) by Bayes' rule for one unit at a time."""
        mean, variance = self.marginals()
        square = (self.C**2).sum(0)  # C^T C is diagonal
        v = 1 / (1 / variance[0] + square / self.s0**2)
        # a function of C^T x: one number a unit
        shift = v * (mean[0] / variance[0] - self.C.T @ self.c / self.s0**2)
        steps = [Step(v / self.s0**2, shift, np.sqrt(v))]
        for i in range(len(self.a)):
            v = 1 / (1 / variance[i + 1] + self.a[i] ** 2 / self.s[i] ** 2)
            gain = v * self.a[i] / self.s[i] ** 2
            shift = v * (mean[i + 1] / variance[i + 1] - self.a[i] * self.b[i] / self.s[i] ** 2)
            steps.append(Step(gain, shift, np.sqrt(v)))
        return steps

    def _moments(self, x: Array, k: int, up: str) -> tuple[list[Array], list[Array], list[Array]]:
        """By way of means below k, or of draws."""
        means, variances = [], []
        source, v = x.reshape(len(x), -1) @ self.C, np.zeros(self.shape[2])
        for i, step in enumerate(self.steps):
            source = source * step.gain + step.shift
            v = step.gain**2 * v + (0 if up == "mean" and i < k else step.std**2)
            means.append(source)
            variances.append(v)
        both = [step.gain * v for step, v in zip(self.steps[1:], variances, strict=False)]
        return means, variances, both


class TopDownGaussian(Chain, TopDownVAE):
    """The hierarchy with exact top-down inference, or inference ``off`` by shift and scale."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(2) @ torch.from_numpy(self.C)  # (1, B, n)

    def start(self, batch: int) -> Tensor:
        """Zeros above z_L, which nothing depends on."""
        return torch.zeros(1, batch, self.shape[2], dtype=torch.float64)

    def prior(self, index: int, state: Tensor) -> Gaussian:
        top = index == self.n_layers
        return Gaussian.standard_like(state) if top else self._conditional(index, state)

    def posterior(self, index: int, state: Tensor, prior: Gaussian, features: Any) -> Gaussian:
        step = self.steps[index - 1]
        gain, pixels = torch.from_numpy(step.gain), torch.as_tensor(step.pixels)
        mean = state * gain + features * pixels + torch.from_numpy(step.shift)
        return Gaussian(mean, torch.from_numpy(step.std).expand_as(mean))

    def absorb(self, index: int, state: Tensor, z: Tensor) -> Tensor:
        return z

    def emit(self, state: Tensor) -> Likelihood:
        return self._picture(state)

    def _exact(self) -> list[Step]:
        """p(z_i | z_{i+1}, x) by messages: x says of z_i what N(z_i; m, v) says, m linear in C^T x.

        One step up, N(m; a z + b, s^2 + v) as a function of z: m -> (m - b)/a, v -> (s^2 + v)/a^2.
        """
        square = (self.C**2).sum(0)
        v, gain, shift = self.s0**2 / square, 1 / square, -self.C.T @ self.c / square
        steps = []
        for i in range(len(self.a) + 1):
            top = i == len(self.a)
            # z_i ~ N(a z_{i+1} + b, s^2), with a = b = 0 and s = 1 at the top
            a, b, s = (
                (np.zeros(self.shape[2]), 0.0, 1.0) if top else (self.a[i], self.b[i], self.s[i])
            )
            both = 1 / (1 / s**2 + 1 / v)
            steps.append(
                Step(both * a / s**2, both * (b / s**2 + shift / v), np.sqrt(both), both * gain / v)
            )
            if not top:
                v, gain, shift = (s**2 + v) / a**2, gain / a, (shift - b) / a
        return steps

    def _moments(self, x: Array, k: int, up: str) -> tuple[list[Array], list[Array], list[Array]]:
        """From the top downwards; nothing is passed up."""
        means, variances, both = [], [], []
        pixels = x.reshape(len(x), -1) @ self.C
        mean, v = np.zeros_like(pixels), np.zeros(self.shape[2])
        for step in self.steps[::-1]:
            both.insert(0, step.gain * v)
            mean = step.gain * mean + step.pixels * pixels + step.shift
            v = step.gain**2 * v + step.std**2
            means.insert(0, mean)
            variances.insert(0, v)
        return means, variances, both
