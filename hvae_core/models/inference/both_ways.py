"""Inference both ways (Maaloe et al. 2019): how a trace is made where each level is a pair.

q(z | x) = q(z_L | x, z^BU) prod_{i<L} q(z_i^BU | x, z_<i^BU) q(z_i^TD | x, z_<i^BU, z_>i),
p(x, z) = p(x | z) p(z_L) prod_{i<L} p(z_i^BU | z_>i) p(z_i^TD | z_>i), where z_>i has both parts.

A level is a pair, so L_>k takes both parts of z_1 .. z_k from the prior. Their bottom-up posteriors
reach the rest only by what ``up`` lets them pass upwards: the mean (HVK App. D) or a draw. KL terms
of z^TD and z_L are in closed form, those of z^BU are sampled: p(z_i^BU | z_>i) depends on z_>i^BU,
which is drawn given z_i^BU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.aggregated import BothWaysWay, ByLevel
from hvae_core.models.inference.lower_bound import lower_both_ways
from hvae_core.models.inference.steps import BidirectionalSteps, State
from hvae_core.models.inference.top_down import assemble
from hvae_core.models.priors.vamp import Prior
from hvae_core.models.trace import Aggregate, Draw, Drawn, Skipped, Trace, Up


class BidirectionalVAE(BidirectionalSteps):
    """Pairs of latents inferred upwards and downwards, from the steps of a family."""

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
        """L_>k for every k (HVK Eq. 5): with ``up="sample"`` one way up and down serves all."""
        self._check_levels(ks)
        draw = self.draws(noise, samples, x)
        chain = _MeansRise(self, x.unsqueeze(0))
        top: list[Prior] = []  # p(z_L), common to all k
        # Paths differ in how many levels pass their means up: k of them, or none where all draw.
        # That of one k ends at level k + 1; one that serves all goes as far down as any k asks.
        paths: dict[int, _UpAndDown] = {}
        traces = []
        for k in ks:
            by_mean = k if up == "mean" else 0
            if by_mean not in paths:
                lowest = k if up == "mean" else min(ks)
                paths[by_mean] = _UpAndDown(
                    self, chain, by_mean=by_mean, lowest=lowest, draw=draw, top=top
                )
            path = paths[by_mean]
            traces.append(self._finish(x, path, k, draw=draw, skipped=skipped, heat=temperature))
        return traces

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Gaussian, ...]:
        """q(z_i | x, .) of every layer, given S draws of the rest.

        With ``up="mean"`` every z_i^BU stands at its posterior mean, upwards and downwards.
        """
        by_mean = self.n_levels - 1 if up == "mean" else 0
        chain, draw = _MeansRise(self, x.unsqueeze(0)), self.draws(noise, samples, x)
        path = _UpAndDown(self, chain, by_mean=by_mean, lowest=0, draw=draw, top=[])
        return tuple(path.q[i] for i in range(1, self.n_layers + 1))

    def top_by_means(self, u: Tensor) -> Gaussian:
        """q(z_L | u) for images (1, K, C, H, W), where every z_i^BU passes its mean up."""
        d = _MeansRise(self, u).features(self.n_levels)
        return self.posterior_down(self.n_levels, self.start(u.shape[1]), d)

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
        for level in range(self.n_levels, 0, -1):
            priors = self.priors_of(level, state, n)
            parts = []
            for index, p in zip(self.indices(level), priors, strict=True):
                if given and index in given:
                    z = given[index].unsqueeze(0)
                else:
                    z = self.draw_prior(p, index, n=n, noise=noise, temperature=heat[index - 1])
                parts.append(z)
            state = self.absorb(level, state, parts)
        return self.emit(state)

    def aggregate(self, x: Tensor, *, noise: Noise) -> Aggregate:
        """Every k has a way up of its own, and one down."""
        draw = self.draws(noise, 1, x)
        return ByLevel([BothWaysWay(self, x, k, draw=draw) for k in range(self.n_levels)])

    def _lower(self, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
        return lower_both_ways(self, x, reads, noise=noise)

    def _finish(
        self, x: Tensor, path: _UpAndDown, k: int, *, draw: Draw, skipped: Skipped, heat: float
    ) -> Trace:
        """From the state below the last level kept: both parts from the prior, then the image."""
        state = path.below[k]
        for level in range(k, 0, -1):
            # The path has the priors of level k where it went on below it, for a smaller k.
            priors: Sequence[Any] | None = path.p.get(level) if level == k else None
            parts = [
                p.mean if skipped == "mean" else p.sample(draw("p", index), heat)
                for index, p in zip(
                    self.indices(level), priors or self.priors(level, state), strict=True
                )
            ]
            state = self.absorb(level, state, parts)
        return assemble(x, self.emit(state), path, k=k, skip=self.skips[k])


class _MeansRise:
    """The way up by means alone, which all k share; climbed as far as one asks."""

    def __init__(self, model: BidirectionalSteps, image: Tensor) -> None:
        self.model = model
        self._states = [model.enter(image)]
        self._d: list[Tensor] = []
        self._q: list[Gaussian] = []

    def features(self, level: int) -> Tensor:
        """d_level, where every z^BU below it passes its mean up."""
        while len(self._d) < level:
            i = len(self._d)
            if i:
                mean = self.posterior_up(i).mean
                self._states.append(self.model.rise(i, self._d[-1], mean))
            self._d.append(self.model.features(i + 1, self._states[-1]))
        return self._d[level - 1]

    def posterior_up(self, level: int) -> Gaussian:
        """q(z_level^BU | d_level)."""
        while len(self._q) < level:
            i = len(self._q) + 1
            self._q.append(self.model.posterior_up(i, self.features(i)))
        return self._q[level - 1]


class _UpAndDown:
    """A way up and the way down through q to level ``lowest`` + 1; every state below is kept."""

    def __init__(
        self,
        model: BidirectionalSteps,
        chain: _MeansRise,
        *,
        by_mean: int,
        lowest: int,
        draw: Draw,
        top: list[Prior],
    ) -> None:
        self.model = model
        self.p: dict[int, Sequence[Prior]] = {}  # by level
        self.q: dict[int, Gaussian] = {}
        self.z: dict[int, Tensor] = {}
        self.log_q: dict[int, Tensor] = {}
        self.log_p: dict[int, Tensor] = {}
        self.kl: dict[int, Tensor] = {}
        self.drawn: dict[int, Drawn] = {}
        self.d: dict[int, Tensor] = {}
        self._up(chain, by_mean=by_mean, lowest=lowest, draw=draw)
        state = model.start(self.d[model.n_levels].shape[1])
        # p(z_L), only now: a VampPrior goes through the same layers as the images, and
        # data-dependent initialisation sets each layer by what it sees first.
        if not top:
            top.append(model.top_prior(self.d[model.n_levels].shape[1]))
        state = self._down(model.n_levels, state, priors=[top[0]], draw=draw)
        self.below = {model.n_levels - 1: state}
        for level in range(model.n_levels - 1, lowest, -1):
            priors = self.p[level] = model.priors(level, state)
            state = self._down(level, state, priors=priors, draw=draw)
            self.below[level - 1] = state

    def _up(self, chain: _MeansRise, *, by_mean: int, lowest: int, draw: Draw) -> None:
        """The features of every level above ``lowest``, and the draws of z^BU.

        Levels up to ``by_mean`` pass their means on. Where ``lowest`` is below that, their means
        stand for the draws on the way down too.
        """
        state: State = None
        for level in range(min(by_mean, lowest) + 1, self.model.n_levels + 1):
            # Means alone have passed up so far: all k share what comes of them.
            shared = level <= by_mean + 1
            d = self.d[level] = (
                chain.features(level) if shared else self.model.features(level, state)
            )
            if level == self.model.n_levels:
                return
            index = self.model.indices(level)[0]
            q = chain.posterior_up(level) if shared else self.model.posterior_up(level, d)
            z = q.mean if level <= by_mean else q.sample(draw("q", index))  # (S, B, ...)
            self.q[index], self.z[index] = q, z
            if level > by_mean:
                state = self.model.rise(level, d, z)

    def _down(self, level: int, state: State, *, priors: Sequence[Prior], draw: Draw) -> State:
        """One level of the way down: the terms of its part or parts, and the state below it."""
        indices = self.model.indices(level)
        last = indices[-1]  # z_L or z_i^TD
        q = self.q[last] = self.model.posterior_down(level, state, self.d[level])
        self.z[last] = q.sample(draw("q", last))
        for index, p in zip(indices, priors, strict=True):
            z = self.z[index]
            self.drawn[index] = Drawn(self.q[index], p, z)
            self.log_q[index] = self.q[index].log_prob(z)
            self.log_p[index] = p.log_prob(z)
            self.kl[index] = self.log_q[index] - self.log_p[index]
        # z_i^TD is drawn given all that its prior reads, so its KL has a closed form; z_i^BU was
        # drawn before z_>i^BU, which its prior reads.
        self.kl[last] = self.model.divergence(q, priors[-1], self.kl[last])
        return self.model.absorb(level, state, [self.z[index] for index in indices])
