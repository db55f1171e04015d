"""What both diffusion priors share: noise levels, the walk down them, the bound, the samplers.

A diffusion prior adds noise to u in levels, y_i = alpha_i u + sigma_i e with alpha^2 + sigma^2 = 1
(DVP Eq. 25, DCT Eq. 11), and learns to undo it level by level. Its bound has three parts
(DVP Eq. 31): reconstruction L_0, prior L_1, diffusion L_T; each is a cost, -log p(u) <= their sum.

In ``eval`` a path y_n, y_{n-1}, ... is drawn down through the exact q(y_s | y_t, u). Every step has
its KL in closed form, whose sum is the bound, and the path has the weight p(u, y) / q(y | u). The
log weight has the same expectation as the bound, its exponential has the expectation p(u), and for
a good network it is the less noisy of the two, as it becomes log p(u) for a perfect one: so it is
what ``log_prob`` gives. In ``train`` one level an image is drawn at random, times the number of
levels (Kingma et al. 2021): one call of the network, unbiased for the gradient, too noisy for a
score.

The network gives v (Salimans and Ho 2022), u = alpha y - sigma v: v = 0 is the exact denoiser of
standard normal data, where training starts, and no level divides by a small alpha or sigma.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import Noise
from hvae_core.config import DenoiserConfig
from hvae_core.models.distributions import Gaussian
from hvae_core.models.priors.base import UPrior
from hvae_core.models.priors.denoiser import Denoiser
from hvae_core.models.trace import ANCESTRAL, Sampler


class BoundTerms(NamedTuple):
    """The parts of -log p(u) <= L_0 + L_1 + L_T in nats (S, B), and the log weight of the path."""

    reconstruction: Tensor
    prior: Tensor
    diffusion: Tensor
    weight: Tensor

    @property
    def bound(self) -> Tensor:
        """L_vlb = -(L_0 + L_1 + L_T), at most log p(u) in expectation (DVP Eq. 31)."""
        return -(self.reconstruction + self.prior + self.diffusion)


@dataclass(frozen=True)
class Levels:
    """Noise levels 0 (least) to n (most), each tensor (n + 1,).

    q(y_i | u) = N(alpha u, sigma^2); from level i to i - 1,
    q(y_{i-1} | y_i, u) = N(keep y_i + pull u, std^2) (DVP Eq. 26-28). ``widest`` is the log of the
    variance that one step of noise adds. Below level 0 is u itself: its keep and pull are 0, and
    the last step of the discrete prior spreads between ``std`` = sigma_0 / 10 and sigma_0.
    """

    time: Tensor
    alpha: Tensor
    sigma: Tensor
    keep: Tensor
    pull: Tensor
    std: Tensor
    widest: Tensor

    @staticmethod
    def of(time: Tensor, gamma: Tensor, like: Tensor) -> Levels:
        """Levels of times and negative log SNR (n + 1,) in float64, for tensors like ``like``."""
        alpha2, sigma2 = torch.sigmoid(-gamma), torch.sigmoid(gamma)
        ratio = alpha2[1:] / alpha2[:-1]  # (alpha_t / alpha_s)^2
        # 1 - ratio = -expm1(log ratio): steps may be tiny
        added = -torch.expm1(ratio.log())
        zero = gamma.new_zeros(1)
        parts = (
            time,
            alpha2.sqrt(),
            sigma2.sqrt(),
            torch.cat([zero, ratio.sqrt() * sigma2[:-1] / sigma2[1:]]),
            torch.cat([zero, alpha2[:-1].sqrt() * added / sigma2[1:]]),
            torch.cat([sigma2[:1].sqrt() / 10, (added * sigma2[:-1] / sigma2[1:]).sqrt()]),
            torch.cat([sigma2[:1].log(), added.log()]),
        )
        return Levels(*(part.to(like) for part in parts))

    def at(self, index: Tensor, rank: int) -> Levels:
        """The levels of a tensor of indices (S, B), with axes to broadcast against y."""
        shape = (*index.shape, *[1] * (rank - index.dim()))
        parts = (self.alpha, self.sigma, self.keep, self.pull, self.std, self.widest)
        return Levels(self.time[index], *(part[index].view(shape) for part in parts))


class DiffusionPrior(UPrior):
    """p(u) by undoing noise; subclasses say which levels there are and how the last step ends."""

    lowest = 1
    """The lowest level at which the network is asked."""

    def __init__(self, shape: Shape, steps: int, denoiser: DenoiserConfig, parts: int = 1) -> None:
        super().__init__(shape)
        self.n = steps  # highest level
        self.denoiser = Denoiser(shape, denoiser, parts)
        self._known: dict[tuple[int, torch.device, torch.dtype], Levels] = {}

    @abstractmethod
    def gamma(self, time: Tensor) -> Tensor:
        """Negative log SNR at times in [0, 1], rising; float64 in and out."""

    @abstractmethod
    def last_step(self, y: Tensor, level: Levels) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the Gaussian that p(u | y_0) is made of, y at level 0."""

    @abstractmethod
    def log_last(self, u: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """log p(u | y_0) in nats (S, B)."""

    @abstractmethod
    def finish(self, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
        """Draw u given y_0 by standard normal noise."""

    def reconstruction(self, log_last: Tensor, level: Levels) -> Tensor:
        """L_0 in nats (S, B) from log p(u | y_0) of the path, at level 0."""
        return -log_last

    def spread(self, raw: tuple[Tensor, ...], level: Levels) -> Tensor:
        """Standard deviation of p(y_{i-1} | y_i) from the network's output; here that of q."""
        return level.std

    def levels(self, like: Tensor, steps: int | None = None) -> Levels:
        """The noise levels of training, or ``steps`` of them spread over the same times.

        They come from the host, so they are made once: what a graphics card replays may not wait.
        """
        key = (steps or self.n, like.device, like.dtype)
        if key not in self._known:
            with torch.inference_mode(False):  # else no gradient could pass through them later
                time = torch.linspace(0, 1, key[0] + 1, dtype=torch.float64, device="cpu")
                self._known[key] = Levels.of(time, self.gamma(time), like)
        return self._known[key]

    def predict(self, y: Tensor, levels: Levels) -> tuple[Tensor, Tensor]:
        """The network's u (S, B, *shape) at each y's own level, and the spread of its step down."""
        time = levels.time.expand(y.shape[:2]).flatten()
        raw = tuple(r.unflatten(0, y.shape[:2]) for r in self.denoiser(y.flatten(0, 1), time))
        return levels.alpha * y - levels.sigma * raw[0], self.spread(raw[1:], levels)

    def log_prob(self, u: Tensor, noise: Noise) -> Tensor:
        """The log weight of a path in nats (S, B); in training the bound from one level."""
        return self.terms(u, noise).weight

    def terms(self, u: Tensor, noise: Noise) -> BoundTerms:
        """The parts of the bound for u (S, B, *shape): on the whole path, or on one level."""
        return self._one_level(u, noise) if self.training else self._path(u, noise)

    def _path(self, u: Tensor, noise: Noise) -> BoundTerms:
        """All levels, down one path of q: for scores, which want little noise."""
        # 1. L_1: from u to y_n in one step of noise, which should leave N(0, I).
        levels = self.levels(u)
        start = self._at(levels, self.n, u)
        y, prior, weight = self._start(u, start, self._draw(noise, f"u_{self.n}", u))
        # 2. L_T: each step down knows u in q and guesses it in p. The bound takes their KL; the
        #    weight takes log p - log q of the draw, so that its exponential has the mean p(u).
        diffusion = torch.zeros_like(prior)
        for i in range(self.n, 0, -1):
            level = self._at(levels, i, u)
            guess, spread = self.predict(y, level)
            q = Gaussian(level.keep * y + level.pull * u, level.std.expand_as(y))
            p = Gaussian(level.keep * y + level.pull * guess, spread.expand_as(y))
            y = q.sample(self._draw(noise, f"u_{i - 1}", u))
            diffusion = diffusion + q.kl(p)
            weight = weight + p.log_prob(y) - q.log_prob(y)
        # 3. L_0: from the least noise to u itself.
        bottom = self._at(levels, 0, u)
        log_p = self.log_last(u, *self.last_step(y, bottom))
        return BoundTerms(
            reconstruction=self.reconstruction(log_p, bottom),
            prior=prior,
            diffusion=diffusion,
            weight=weight + log_p,
        )

    def _one_level(self, u: Tensor, noise: Noise) -> BoundTerms:
        """One level an image, times their number: for training, one call of the network a step."""
        # 1. A level for each image, and y straight from u: no path is needed for one level.
        levels, count = self.levels(u), self.n + 1 - self.lowest
        drawn = noise.uniform("u_level", u.shape[0], u.shape[1], ()).to(u.device)
        index = (drawn * count).long().clamp(max=count - 1) + self.lowest  # (S, B)
        level = levels.at(index, u.dim())
        eps = self._draw(noise, "u", u)
        y = level.alpha * u + level.sigma * eps
        # 2. The KL of its step stands for all: a sum is the number of terms times their mean.
        guess, spread = self.predict(y, level)
        q = Gaussian(level.keep * y + level.pull * u, level.std.expand_as(y))
        p = Gaussian(level.keep * y + level.pull * guess, spread.expand_as(y))
        above = index > 0  # a step from level 0 ends at u and belongs to L_0
        diffusion = count * torch.where(above, q.kl(p), 0.0)
        # 3. L_1 and L_0 as on a path; where levels begin at 0, L_0 is among the terms drawn from.
        _, prior, _ = self._start(u, self._at(levels, self.n, u), eps)
        log_p = self.log_last(u, guess, spread.expand_as(u))
        reconstruction = self.reconstruction(log_p, self._at(levels, 0, u))
        if self.lowest == 0:
            reconstruction = count * torch.where(above, 0.0, reconstruction)
        return BoundTerms(
            reconstruction=reconstruction,
            prior=prior,
            diffusion=diffusion,
            weight=-(reconstruction + prior + diffusion),
        )

    def sample(
        self, n: int, noise: Noise, *, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Ancestral sampling of Eq. 29 (DVP), or the deterministic DDIM (Song et al. 2021 Eq. 12).

        Any number of steps; the default is that of training. A deterministic ``sampler`` makes
        only the first draw at random, which makes few steps enough.
        """
        like = next(self.parameters()).new_empty(1, n, *self.shape)
        count = sampler.steps or self.n
        levels = self.levels(like, count)
        y = temperature * self._draw(noise, "pu", like)
        for i in range(count, 0, -1):
            level = self._at(levels, i, like)
            guess, spread = self.predict(y, level)
            if sampler.deterministic:
                # The noise that the guess of u implies, put back at the next level's share.
                eps = (y - level.alpha * guess) / level.sigma
                below = self._at(levels, i - 1, like)
                y = below.alpha * guess + below.sigma * eps
            else:
                eps = self._draw(noise, f"pu_{i}", like)
                y = level.keep * y + level.pull * guess + temperature * spread * eps
        scale = 0.0 if sampler.deterministic else temperature
        mean, std = self.last_step(y, self._at(levels, 0, like))
        return self.finish(mean, std, scale * self._draw(noise, "pu_0", like))

    def samplers(self, steps: Sequence[int]) -> list[tuple[str, Sampler | None]]:
        """Ancestral and deterministic, with so many steps each."""
        ancestral = [(f"ancestral, {t} steps", Sampler(t)) for t in steps]
        return [*ancestral, *((f"deterministic, {t} steps", Sampler(t, True)) for t in steps)]

    def check_objective(self, objective: str) -> None:
        """In training the bound is estimated at one level, which is no weight."""
        if objective == "iwae":
            raise ConfigError(
                "The iwae objective cannot train a diffusion prior: it is estimated at one random "
                "noise level, which importance weights would turn into a bias. Choose the elbo "
                "objective."
            )

    def _start(self, u: Tensor, top: Levels, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y_n ~ q(y_n | u), the cost L_1 = KL(q || N(0, I)), and log p(y_n) - log q(y_n | u)."""
        q = Gaussian(top.alpha * u, top.sigma.expand_as(u))
        y = q.sample(eps)
        p = Gaussian.standard_like(u)
        return y, q.kl(p), p.log_prob(y) - q.log_prob(y)

    def _at(self, levels: Levels, index: int, like: Tensor) -> Levels:
        """One level for all of (S, B, *shape)."""
        return levels.at(torch.full((1, 1), index, device=like.device), like.dim())

    def _draw(self, noise: Noise, name: str, like: Tensor) -> Tensor:
        return noise.normal(name, like.shape[0], like.shape[1], self.shape).to(like)
