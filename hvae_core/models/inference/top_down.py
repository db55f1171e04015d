"""Top-down inference: one way down serves every k, with each KL in closed form (Sonderby 2016).

A family supplies the deterministic way up and the steps of the way down; everything about k,
skipped layers and samples lives here, once, and is tested on a linear-Gaussian hierarchy.
``up`` has no meaning here: no latent is passed upwards.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.base import Draw, HierarchicalVAE, Posterior, Skipped, Trace, Up
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.priors.vamp import Prior, divergence

State = Any
"""What a family carries downwards; never changed in place, as several k start from the same."""


class TopDownVAE(HierarchicalVAE):
    """q(z | x) = q(z_L | x) prod_i q(z_i | z_>i, x), p(x, z) = p(x | z) prod_i p(z_i | z_>i)."""

    @abstractmethod
    def encode(self, x: Tensor) -> Any:
        """Deterministic features of images (1, B, C, H, W)."""

    @abstractmethod
    def start(self, batch: int) -> State:
        """The state above z_L."""

    @abstractmethod
    def prior(self, index: int, state: State) -> Prior:
        """p(z_i | z_>i); a mixture at the top alone."""

    @abstractmethod
    def posterior(self, index: int, state: State, prior: Any, features: Any) -> Gaussian:
        """q(z_i | z_>i, x)."""

    def log_prior(self, index: int, p: Any, z: Tensor, noise: Noise) -> Tensor:
        """log p(z_i | z_>i) of a draw z in nats (S, B); a family may need noise to estimate it."""
        log_p: Tensor = p.log_prob(z)
        return log_p

    @abstractmethod
    def absorb(self, index: int, state: State, z: Tensor) -> State:
        """The state below z_i."""

    @abstractmethod
    def emit(self, state: State) -> Likelihood:
        """p(x | z) from the state below z_1."""

    def traces(
        self,
        x: Tensor,
        ks: Sequence[int],
        *,
        noise: Noise,
        samples: int = 1,
        skipped: Skipped = "sample",
        up: Up = "mean",
        temperature: float = 1.0,
    ) -> list[Trace]:
        """L_>k for every k (HVK Eq. 5): one posterior path, one decoding a k."""
        self._check_levels(ks)
        draw = self._draws(noise, samples, x)
        lowest = min(self.skips[k] for k in ks)
        path = _Path(self, x, draw, lowest, noise)
        return [self._finish(x, path, k, draw, skipped, temperature) for k in ks]

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Posterior, ...]:
        """q(z_i | z_>i, x) of every layer, given S draws of what is above."""
        path = _Path(self, x, self._draws(noise, samples, x), 0, noise)
        return tuple(path.q[i] for i in range(1, self.n_layers + 1))

    def sample(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> Likelihood:
        """Ancestral sampling of p(x, z) from z_L down; layers in ``given`` are not drawn."""
        heat = self._heat(temperature)
        state = self.start(n)
        for index in range(self.n_layers, 0, -1):
            if given and index in given:
                z = given[index].unsqueeze(0)
            else:
                z = self._ancestor(self.prior(index, state), index, n, noise, heat[index - 1])
            state = self.absorb(index, state, z)
        return self.emit(state)

    def sample_top(self, n: int, *, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw z_L (n, *shape) from its prior: what ``sample`` draws first."""
        p = self.prior(self.n_layers, self.start(n))
        return self._ancestor(p, self.n_layers, n, noise, temperature)[0]

    def _finish(
        self, x: Tensor, path: _Path, k: int, draw: Draw, skipped: Skipped, temperature: float
    ) -> Trace:
        """From the state below the last layer kept: skipped layers from the prior, the image."""
        skip = self.skips[k]
        state = path.below[skip]
        for index in range(skip, 0, -1):
            # A Gaussian: the top is never skipped. The path knows the first one if it went on.
            known = path.p.get(index) if index == skip else None
            p: Any = self.prior(index, state) if known is None else known
            z = p.mean if skipped == "mean" else p.sample(draw("p", index), temperature)
            state = self.absorb(index, state, z)
        return assemble(k, skip, self.emit(state), x, path)


class Terms(Protocol):
    """What a way down through q has found, by the index of the layer."""

    q: dict[int, Gaussian]
    log_q: dict[int, Tensor]
    log_p: dict[int, Tensor]
    kl: dict[int, Tensor]


def assemble(k: int, skip: int, likelihood: Likelihood, x: Tensor, terms: Terms) -> Trace:
    """The trace of L_>k from terms of all layers above ``skip``, zeros for those below."""
    layers = range(1, max(terms.q) + 1)
    log_px = likelihood.log_prob(x)
    full = torch.broadcast_shapes(log_px.shape, *(term.shape for term in terms.log_q.values()))
    zero = log_px.new_zeros(full)

    def rows(found: Mapping[int, Tensor]) -> Tensor:
        return torch.stack([zero if i <= skip else found[i].expand(full) for i in layers])

    means = tuple(terms.q[i].mean if i > skip else None for i in layers)
    log_q, log_p, kl = rows(terms.log_q), rows(terms.log_p), rows(terms.kl)
    return Trace(k, skip, log_px.expand(full), log_q, log_p, kl, means, likelihood)


class _Path:
    """The way down through q, from z_L to z_{lowest+1}; the state below every level is kept."""

    def __init__(self, model: TopDownVAE, x: Tensor, draw: Draw, lowest: int, noise: Noise) -> None:
        features = model.encode(x.unsqueeze(0))
        state = model.start(x.shape[0])
        self.p: dict[int, Prior] = {}
        self.q: dict[int, Gaussian] = {}
        self.log_q: dict[int, Tensor] = {}
        self.log_p: dict[int, Tensor] = {}
        self.kl: dict[int, Tensor] = {}
        self.below: dict[int, State] = {}
        for index in range(model.n_layers, lowest, -1):
            p = self.p[index] = model.prior(index, state)
            q = model.posterior(index, state, p, features)
            z = q.sample(draw("q", index))  # (S, B, ...)
            self.q[index], self.log_q[index] = q, q.log_prob(z)
            self.log_p[index] = model.log_prior(index, p, z, noise)
            self.kl[index] = divergence(q, p, self.log_q[index] - self.log_p[index])
            state = model.absorb(index, state, z)
            if index - 1 in model.skips:
                self.below[index - 1] = state
