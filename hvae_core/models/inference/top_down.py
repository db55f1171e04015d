"""Top-down inference: one way down serves every k, with each KL in closed form (Sonderby 2016).

A family supplies the deterministic way up and the steps of the way down; everything about k,
skipped layers and samples lives here, once, and is tested on a linear-Gaussian hierarchy.
``up`` has no meaning here: no latent is passed upwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.aggregated import TopDownAggregate
from hvae_core.models.inference.lower_bound import lower_top_down
from hvae_core.models.inference.steps import State, TopDownSteps
from hvae_core.models.priors.vamp import Prior
from hvae_core.models.trace import (
    ANCESTRAL,
    Aggregate,
    Draw,
    Drawn,
    Posterior,
    Sampler,
    Skipped,
    Trace,
    Up,
)


class TopDownVAE(TopDownSteps):
    """q(z | x) = q(z_L | x) prod_i q(z_i | z_>i, x), from the steps of a family."""

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
        draw = self.draws(noise, samples, x)
        lowest = min(self.skips[k] for k in ks)
        path = _WayDown(self, x, draw=draw, lowest=lowest, noise=noise)
        x = self.target(x, noise)
        return [self._finish(x, path, k, draw=draw, skipped=skipped, heat=temperature) for k in ks]

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Posterior, ...]:
        """q(z_i | z_>i, x) of every layer, given S draws of what is above."""
        path = _WayDown(self, x, draw=self.draws(noise, samples, x), lowest=0, noise=noise)
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
                z = self.ancestor(index, state, n=n, noise=noise, temperature=heat[index - 1])
            state = self.absorb(index, state, z)
        return self.emit(state)

    def sample_top(
        self, n: int, *, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw z_L (n, *shape) from its prior: what ``sample`` draws first."""
        top, state = self.n_layers, self.start(n)
        return self.ancestor(top, state, n=n, noise=noise, temperature=temperature)[0]

    def aggregate(self, x: Tensor, *, noise: Noise) -> Aggregate:
        """One way down serves every k."""
        return TopDownAggregate(self, x, draw=self.draws(noise, 1, x), noise=noise)

    def _lower(self, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
        return lower_top_down(self, x, reads, noise=noise)

    def _finish(
        self, x: Tensor, path: _WayDown, k: int, *, draw: Draw, skipped: Skipped, heat: float
    ) -> Trace:
        """From the state below the last layer kept: skipped layers from the prior, the image."""
        skip = self.skips[k]
        state = path.below[skip]
        for index in range(skip, 0, -1):
            # The path has the prior of the first one where it went on below it, for a smaller k.
            # It is a Gaussian: the top alone may have another, and is never skipped.
            p: Any = path.p.get(index) if index == skip else None
            p = p or self.prior(index, state)
            z = p.mean if skipped == "mean" else p.sample(draw("p", index), heat)
            state = self.absorb(index, state, z)
        return assemble(x, self.emit(state), path, k=k, skip=skip)


class LayerTerms(Protocol):
    """What a way down through q has found, by the index of the layer."""

    q: dict[int, Gaussian]
    log_q: dict[int, Tensor]
    log_p: dict[int, Tensor]
    kl: dict[int, Tensor]
    drawn: dict[int, Drawn]


def assemble(x: Tensor, likelihood: Likelihood, terms: LayerTerms, *, k: int, skip: int) -> Trace:
    """The trace of L_>k from terms of all layers above ``skip``, zeros for those below."""
    layers = range(1, max(terms.q) + 1)
    log_px = likelihood.log_prob(x)
    # Terms of a certain q have one sample where others have S: all are brought to (S, B).
    full = torch.broadcast_shapes(log_px.shape, *(term.shape for term in terms.log_q.values()))
    zero = log_px.new_zeros(full)

    def rows(of: Mapping[int, Tensor]) -> Tensor:
        return torch.stack([zero if i <= skip else of[i].expand(full) for i in layers])

    return Trace(
        k=k,
        skip=skip,
        log_px=log_px.expand(full),
        log_q=rows(terms.log_q),
        log_p=rows(terms.log_p),
        kl=rows(terms.kl),
        z=tuple(terms.q[i].mean if i > skip else None for i in layers),
        likelihood=likelihood,
        drawn=() if k else tuple(terms.drawn[i] for i in layers),
    )


class _WayDown:
    """The way down through q, from z_L to z_{lowest+1}; the state below every level is kept."""

    def __init__(
        self, model: TopDownSteps, x: Tensor, *, draw: Draw, lowest: int, noise: Noise
    ) -> None:
        features = model.encode(x.unsqueeze(0))
        state = model.start(x.shape[0])
        self.p: dict[int, Prior] = {}
        self.q: dict[int, Gaussian] = {}
        self.log_q: dict[int, Tensor] = {}
        self.log_p: dict[int, Tensor] = {}
        self.kl: dict[int, Tensor] = {}
        self.drawn: dict[int, Drawn] = {}
        self.below: dict[int, State] = {}
        for index in range(model.n_layers, lowest, -1):
            p = self.p[index] = model.prior(index, state)
            q = self.q[index] = model.posterior(index, state, p, features)
            z = q.sample(draw("q", index))  # (S, B, ...)
            self.drawn[index] = Drawn(q, p, z)
            self.log_q[index] = q.log_prob(z)
            self.log_p[index] = model.log_prior(index, p, z, noise)
            # Both read the same draws above, so the KL has a closed form where p is Gaussian.
            self.kl[index] = model.divergence(q, p, self.log_q[index] - self.log_p[index])
            state = model.absorb(index, state, z)
            if index - 1 in model.skips:  # where a k may take over from the prior
                self.below[index - 1] = state
