"""Bottom-up inference: how a trace is made from three conditional distributions (HVK 3.2, App. D).

A family supplies ``posterior``, ``prior`` and ``decode``; everything about k, skipped layers and
samples lives here, once, and is tested on a linear-Gaussian hierarchy whose answers are known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.aggregated import BottomUpWay, ByLevel
from hvae_core.models.inference.lower_bound import lower_bottom_up
from hvae_core.models.inference.memory import remembering
from hvae_core.models.inference.steps import BottomUpSteps
from hvae_core.models.priors.vamp import Prior
from hvae_core.models.trace import Aggregate, Draw, Drawn, Skipped, Trace, Up


class BottomUpVAE(BottomUpSteps):
    """q(z | x) = q(z_1 | x) prod_i q(z_i | z_<i), from the steps of a family."""

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
        """L_>k for every k (HVK Eq. 5): with ``up="sample"`` one way up serves them all.

        With ``up="mean"`` all k share the chain of means, and with it the first stage: what comes
        out of q(z_{k+1} | d_k) depends on the draws only from there on.
        """
        self._check_levels(ks)
        draw = self.draws(noise, samples, x)
        chain = _MeansUp(self, x.unsqueeze(0))
        top: list[Prior] = []  # p(z_L), common to all k
        # Paths differ in how many layers pass their means up: k of them, or none where all draw.
        paths: dict[int, _WayUp] = {}
        with remembering():
            for k in ks:
                by_mean = k if up == "mean" else 0
                if by_mean not in paths:
                    paths[by_mean] = _WayUp(self, chain, by_mean=by_mean, draw=draw, top=top)
            ways = [(k, paths[k if up == "mean" else 0]) for k in ks]
            return self._finish(x, ways, draw=draw, skipped=skipped, heat=temperature)

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Gaussian, ...]:
        """q(z_i | z_<i, x) of every layer, given S draws of what is below, or its means."""
        chain = _MeansUp(self, x.unsqueeze(0))
        with remembering():
            if up == "sample":
                draw = self.draws(noise, samples, x)
                return tuple(_WayUp(self, chain, by_mean=0, draw=draw, top=[]).q)
            return tuple(chain.up_to(self.n_layers))

    def chain_of_means(self, image: Tensor) -> list[Gaussian]:
        """q(z_i | .) of images (1, B, C, H, W) where every layer passes its mean up."""
        with remembering():
            return _MeansUp(self, image).up_to(self.n_layers)

    def sample(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> Likelihood:
        """Ancestral sampling of p(x, z) from z_L down; layers in ``given`` are not drawn."""
        with remembering():
            return self.decode(self.ancestors(n, noise=noise, temperature=temperature, given=given))

    def ancestors(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor]:
        """Draw z_1 .. z_L (1, n, *shape) from p(z), z_L first; those in ``given`` are not drawn."""
        heat = self._heat(temperature)
        above: list[Tensor] = []
        for index in range(self.n_layers, 0, -1):
            if given and index in given:
                z = given[index].unsqueeze(0)
            else:
                p = self.prior(index, above) if above else self.top_prior(n)
                z = self.draw_prior(p, index, n=n, noise=noise, temperature=heat[index - 1])
            above.insert(0, z)
        return above

    def aggregate(self, x: Tensor, *, noise: Noise) -> Aggregate:
        """Every k has a way up of its own: means up to z_k, draws above."""
        draw = self.draws(noise, 1, x)
        return ByLevel([BottomUpWay(self, x, k, draw=draw) for k in range(self.n_levels)])

    def _lower(self, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
        with remembering():
            return lower_bottom_up(self, x, reads, noise=noise)

    def _finish(
        self,
        x: Tensor,
        ways: Sequence[tuple[int, _WayUp]],
        *,
        draw: Draw,
        skipped: Skipped,
        heat: float,
    ) -> list[Trace]:
        """Complete posterior paths downwards: skipped layers from the prior, then the images."""
        # 1. Down: z_k .. z_1 anew from p, given the draws above them, one layer of all k at a time.
        z = [list(path.z) for _, path in ways]
        for index in range(max(k for k, _ in ways), 0, -1):
            below = [n for n, (k, _) in enumerate(ways) if k > index]
            first = [n for n, (k, _) in enumerate(ways) if k == index]
            p = dict(zip(first, (ways[n][1].prior(index) for n in first), strict=True))
            p |= zip(below, self._priors(index, [z[n][index:] for n in below]), strict=True)
            for n, prior in p.items():
                z[n][index - 1] = (
                    prior.mean if skipped == "mean" else prior.sample(draw("p", index), heat)
                )
        # 2. The terms of L_>k.
        likelihoods = together(self.decode, z)
        return [
            self._trace(x, path, k, likelihood=likelihood)
            for (k, path), likelihood in zip(ways, likelihoods, strict=True)
        ]

    def _priors(self, index: int, above: Sequence[Sequence[Tensor]]) -> list[Gaussian]:
        return together(lambda z: self.prior(index, z), above)

    def _trace(self, x: Tensor, path: _WayUp, k: int, *, likelihood: Likelihood) -> Trace:
        # 1. Zero at skipped layers, where q is p.
        top = self.n_layers
        zero = torch.zeros_like(path.log_q[-1])
        log_q = [zero if i <= k else path.log_q[i - 1] for i in range(1, top + 1)]
        log_p = [zero if i <= k else path.log_prior(i) for i in range(1, top + 1)]
        # 2. p(z_i | z_>i) depends on draws made given z_i, so log q - log p is no KL but at the
        #    top, where nothing lies above (HVK App. F); there too where the prior is a mixture.
        kl = [q - p for q, p in zip(log_q, log_p, strict=True)]
        kl[-1] = path.top_kl
        return Trace(
            k=k,
            skip=k,
            log_px=likelihood.log_prob(x).expand_as(zero),
            log_q=torch.stack(log_q),
            log_p=torch.stack(log_p),
            kl=torch.stack(kl),
            z=tuple(None if i < k else q.mean for i, q in enumerate(path.q)),
            likelihood=likelihood,
            drawn=() if k else path.drawn(),
        )


Parameters = TypeVar("Parameters", Gaussian, Likelihood)


def together(
    step: Callable[[Sequence[Tensor]], Parameters], latents: Sequence[Sequence[Tensor]]
) -> list[Parameters]:
    """One step of the way down for the latents of several k, as one batch of all their samples.

    A network of this size is waited for by the call, not by the image.
    """
    if len(latents) < 2:
        return [step(z) for z in latents]
    counts = [max(part.shape[0] for part in z) for z in latents]
    joined = [
        torch.cat([part.expand(n, *part.shape[1:]) for n, part in zip(counts, parts, strict=True)])
        for parts in zip(*latents, strict=True)
    ]
    out: Any = step(joined)
    fields = {
        field.name: value.split(counts)
        for field in dataclasses.fields(out)
        if isinstance(value := getattr(out, field.name), Tensor)
        and value.shape[:1] == (sum(counts),)  # else it is one number for all
    }
    return [
        dataclasses.replace(out, **{name: parts[n] for name, parts in fields.items()})
        for n in range(len(counts))
    ]


class _MeansUp:
    """The way up by means alone, which all k share; climbed as far as one asks."""

    def __init__(self, model: BottomUpSteps, image: Tensor) -> None:
        self.model = model
        self.image = image  # (1, B, C, H, W)
        self._q: list[Gaussian] = []

    def up_to(self, index: int) -> list[Gaussian]:
        """q(z_1 | .) .. q(z_index | .), each given the means of those below it."""
        while len(self._q) < index:
            below = [q.mean for q in self._q]
            self._q.append(self.model.posterior(len(below) + 1, self.image, below))
        return self._q[:index]


class _WayUp:
    """A way up: z_i = posterior mean for the first layers, draws above; priors on request, once."""

    def __init__(
        self, model: BottomUpSteps, chain: _MeansUp, *, by_mean: int, draw: Draw, top: list[Prior]
    ) -> None:
        self.model = model
        # 1. Means, as far as they are passed up. The first layer that is drawn from still reads
        #    means alone: its posterior is part of the chain that all k share.
        self.q = chain.up_to(by_mean + 1)
        self.z: list[Tensor] = [q.mean for q in self.q[:by_mean]]
        self.log_q: list[Tensor] = [z.new_zeros(()) for z in self.z]
        # 2. Draws of the layers above.
        for index in range(by_mean + 1, model.n_layers + 1):
            if index > len(self.q):
                self.q.append(model.posterior(index, chain.image, self.z))
            q = self.q[index - 1]
            z = q.sample(draw("q", index))  # (S, B, ...)
            self.z.append(z)
            self.log_q.append(q.log_prob(z))
        # 3. p(z_L), only now: a VampPrior goes through the same layers as the images, and
        #    data-dependent initialisation sets each layer by what it sees first.
        if not top:
            top.append(model.top_prior(chain.image.shape[1]))
        log_p = top[0].log_prob(self.z[-1])
        self.top = top[0]
        self.top_kl = model.divergence(self.q[-1], top[0], self.log_q[-1] - log_p).expand_as(log_p)
        self._p: dict[int, Gaussian] = {}
        self._log_p = {model.n_layers: log_p}

    def prior(self, index: int) -> Gaussian:
        """p(z_i | z_>i) given the path's own draws above it, i < L."""
        if index not in self._p:
            self._p[index] = self.model.prior(index, self.z[index:])
        return self._p[index]

    def drawn(self) -> tuple[Drawn, ...]:
        """Every layer with its draw, z_1 first."""
        p = [*(self.prior(i) for i in range(1, self.model.n_layers)), self.top]
        return tuple(map(Drawn, self.q, p, self.z))

    def log_prior(self, index: int) -> Tensor:
        """log p(z_i | z_>i) of the path's own draw (S, B)."""
        if index not in self._log_p:
            self._log_p[index] = self.prior(index).log_prob(self.z[index - 1])
        return self._log_p[index]
