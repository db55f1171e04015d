"""q(z_>k | x_j) at draws of other images: what the aggregated posterior is made of (INF Eq. 12).

A density at somebody else's draw is what a trace never needs. It takes one way through q for every
pair of images, so whatever does not depend on x_j is computed once. The N draws stand on the axis
of samples, (N, 1, *shape), and x_j is a batch of one image.

With bottom-up inference q(z_>k | x) is q(z_>k | d_k(x)), the levels below passing their means up
(HVK App. D), as in L_>k under ``up="mean"``: with draws it has no density in closed form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Gaussian
from hvae_core.models.inference.steps import BidirectionalSteps, BottomUpSteps, TopDownSteps
from hvae_core.models.priors.vamp import Prior
from hvae_core.models.trace import Aggregate, Conditional, Draw


def _aside(z: Tensor) -> Tensor:
    """Draws (1, N, *shape) as N samples of one image, (N, 1, *shape)."""
    return z.transpose(0, 1)


class TopDownAggregate(Aggregate):
    """One way down serves every k; what it passes depends on the draws alone, not on x_j."""

    def __init__(self, model: TopDownSteps, x: Tensor, *, draw: Draw, noise: Noise) -> None:
        self.model = model
        # 1. Each image draws along its own way down, all N as one batch.
        conditionals: dict[int, Conditional] = {}
        drawn: dict[int, Tensor] = {}
        log_p: dict[int, Tensor] = {}
        features, state = model.encode(x.unsqueeze(0)), model.start(len(x))
        for index in range(model.n_layers, 0, -1):
            p = model.prior(index, state)
            q = model.posterior(index, state, p, features)
            z = q.sample(draw("q", index))
            conditionals[index], drawn[index] = Conditional(q, p), z
            log_p[index] = model.log_prior(index, p, z, noise)[0]
            state = model.absorb(index, state, z)
        self.conditionals = tuple(conditionals[i] for i in range(1, model.n_layers + 1))
        self.log_p = self._by_level(log_p)
        # 2. The same draws as N samples of one image: states and priors that serve every x_j.
        self.steps = []
        state = model.start(1)
        for index in range(model.n_layers, 0, -1):
            z = _aside(drawn[index])
            self.steps.append((index, state, model.prior(index, state), z))
            state = model.absorb(index, state, z)

    def log_q(self, x: Tensor) -> Tensor:
        """One way through q, at states that are there already."""
        features, log_q = self.model.encode(x.unsqueeze(0)), dict[int, Tensor]()
        for index, state, p, z in self.steps:
            log_q[index] = self.model.posterior(index, state, p, features).log_prob(z)[:, 0]
            if log_q[index].isneginf().all():  # draws of other contexts: the rest cannot mend it
                log_q.update((i, log_q[index]) for i in range(1, index))
                break
        return self._by_level(log_q)

    def _by_level(self, terms: dict[int, Tensor]) -> Tensor:
        """Sums over the layers above each k, (K, N)."""
        layers = range(1, self.model.n_layers + 1)
        below = torch.stack([terms[i] for i in layers]).flip(0).cumsum(0).flip(0)  # (L, N)
        return below[list(self.model.skips)]


class Way(ABC):
    """The draws of one k, where every k has a way up of its own."""

    log_p: Tensor  # (N,)
    conditionals: tuple[Conditional, ...]

    @abstractmethod
    def log_q(self, x: Tensor) -> Tensor:
        """log q(z_>k | x) of all draws, (N,)."""


class ByLevel(Aggregate):
    """The ways of all k."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self.ways = ways
        self.log_p = torch.stack([way.log_p for way in ways])
        self.conditionals = ways[0].conditionals

    def log_q(self, x: Tensor) -> Tensor:
        """That of every way, one a k."""
        return torch.stack([way.log_q(x) for way in self.ways])


class BottomUpWay(Way):
    """Bottom-up: means up to z_k, draws above, each density given x_j and the layers below."""

    def __init__(self, model: BottomUpSteps, x: Tensor, k: int, *, draw: Draw) -> None:
        self.model, self.k, self.reach = model, k, model.reach
        image = x.unsqueeze(0)
        below = self._means(image)
        qs: list[Gaussian] = []
        for index in range(k + 1, model.n_layers + 1):
            qs.append(model.posterior(index, image, below))
            below.append(qs[-1].sample(draw("q", index)))
        ps: list[Prior] = [model.prior(i, below[i:]) for i in range(k + 1, model.n_layers)]
        ps.append(model.top_prior(len(x)))
        self.conditionals = tuple(Conditional(q, p) for q, p in zip(qs, ps, strict=True))
        self.log_p = torch.stack(
            [p.log_prob(z)[0] for p, z in zip(ps, below[k:], strict=True)]
        ).sum(0)
        self.z = [_aside(z) for z in below[k:]]
        self.own = [q.log_prob(z)[0] for q, z in zip(qs, below[k:], strict=True)]

    def log_q(self, x: Tensor) -> Tensor:
        """Of each layer that reads x_j, if only through others; elsewhere its own density."""
        image, below = x.unsqueeze(0), self._means(x.unsqueeze(0))
        terms = []
        for index, (z, own) in enumerate(zip(self.z, self.own, strict=True), start=self.k + 1):
            if index - self.reach > self.k:  # it reads draws alone, the same for every x_j
                terms.append(own)
            else:
                terms.append(self.model.posterior(index, image, below).log_prob(z)[:, 0])
            below.append(z)
        return torch.stack(terms).sum(0)

    def _means(self, image: Tensor) -> list[Tensor]:
        """The posterior means of z_1 .. z_k, (1, B, *shape)."""
        below: list[Tensor] = []
        for index in range(1, self.k + 1):
            below.append(self.model.posterior(index, image, below).mean)
        return below


class BothWaysWay(Way):
    """Both ways: z^BU drawn upwards above level k, then z^TD and z_L downwards (Maaloe 2019)."""

    def __init__(self, model: BidirectionalSteps, x: Tensor, k: int, *, draw: Draw) -> None:
        self.model, self.k = model, k
        drawn: dict[int, Tensor] = {}
        conditionals: dict[int, Conditional] = {}
        d: dict[int, Tensor] = {}
        qs: dict[int, Gaussian] = {}
        # 1. Up: means to level k, draws of z^BU above it.
        up = self._below(x.unsqueeze(0))
        for level in range(k + 1, model.n_levels + 1):
            d[level] = model.features(level, up)
            if level < model.n_levels:
                first = model.indices(level)[0]
                qs[first] = model.posterior_up(level, d[level])
                drawn[first] = qs[first].sample(draw("q", first))
                up = model.rise(level, d[level], drawn[first])
        # 2. Down: draws of z_L and z^TD, and the priors of both parts.
        state, log_p = model.start(len(x)), []
        for level in range(model.n_levels, k, -1):
            indices, priors = model.indices(level), model.priors_of(level, state, len(x))
            last = indices[-1]
            qs[last] = model.posterior_down(level, state, d[level])
            drawn[last] = qs[last].sample(draw("q", last))
            for index, p in zip(indices, priors, strict=True):
                conditionals[index] = Conditional(qs[index], p)
                log_p.append(p.log_prob(drawn[index])[0])
            state = model.absorb(level, state, [drawn[i] for i in indices])
        self.log_p = torch.stack(log_p).sum(0)
        self.conditionals = tuple(conditionals[i] for i in sorted(conditionals))
        # 3. The same draws as N samples of one image: states that serve every x_j.
        self.z = {index: _aside(z) for index, z in drawn.items()}
        self.states = self._way_down()

    def log_q(self, x: Tensor) -> Tensor:
        """Up and down at once: the states of the way down are there already."""
        model, terms = self.model, []
        up = self._below(x.unsqueeze(0))
        for level in range(self.k + 1, model.n_levels + 1):
            d, indices = model.features(level, up), model.indices(level)
            q = model.posterior_down(level, self.states[level], d)
            terms.append(q.log_prob(self.z[indices[-1]])[:, 0])
            if level < model.n_levels:
                z = self.z[indices[0]]
                terms.append(model.posterior_up(level, d).log_prob(z)[:, 0])
                up = model.rise(level, d, z)
        return torch.stack(terms).sum(0)

    def _below(self, image: Tensor) -> Any:
        """The state above level k where every z^BU passes its mean up."""
        state = self.model.enter(image)
        for level in range(1, self.k + 1):
            d = self.model.features(level, state)
            state = self.model.rise(level, d, self.model.posterior_up(level, d).mean)
        return state

    def _way_down(self) -> dict[int, Any]:
        """The state above each level, which depends on the draws alone."""
        model = self.model
        states = {model.n_levels: model.start(1)}
        for level in range(model.n_levels, self.k + 1, -1):
            parts = [self.z[i] for i in model.indices(level)]
            states[level - 1] = model.absorb(level, states[level], parts)
        return states
