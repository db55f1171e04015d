"""Bottom-up inference: how a trace is made from three conditional distributions (HVK 3.2, App. D).

A family supplies ``posterior``, ``prior`` and ``decode``; everything about k, skipped layers and
samples lives here, once, and is tested on a linear-Gaussian hierarchy whose answers are known.
Tensors carry leading (S, B); an S of 1 stands for "the same for all samples" and broadcasts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.base import Draw, HierarchicalVAE, Skipped, Trace, Up
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.priors.vamp import Prior, divergence


class BottomUpVAE(HierarchicalVAE):
    """q(z | x) = q(z_1 | x) prod_i q(z_i | z_<i), p(x, z) = p(x | z) prod_i p(z_i | z_>i)."""

    @abstractmethod
    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_<i, x): ``x`` (1, B, C, H, W), ``below`` is z_1 .. z_{i-1}."""

    @abstractmethod
    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_>i) for i < L: ``above`` is z_{i+1} .. z_L."""

    @abstractmethod
    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z) from z_1 .. z_L."""

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
        draw = self._draws(noise, samples, x)
        chain = _Chain(self, x.unsqueeze(0))
        top: list[Prior] = []  # p(z_L), common to all k
        paths: dict[int, _Path] = {}  # by the number of layers that pass their means up
        out = []
        for k in ks:
            by_mean = k if up == "mean" else 0
            if by_mean not in paths:
                paths[by_mean] = _Path(self, chain, by_mean, draw, top)
            out.append(self._finish(x, paths[by_mean], k, draw, skipped, temperature))
        return out

    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Gaussian, ...]:
        """q(z_i | z_<i, x) of every layer, given S draws of what is below, or its means."""
        chain = _Chain(self, x.unsqueeze(0))
        if up == "sample":
            return tuple(_Path(self, chain, 0, self._draws(noise, samples, x), []).q)
        return tuple(chain.up_to(self.n_layers))

    def chain_of_means(self, image: Tensor) -> list[Gaussian]:
        """q(z_i | .) of images (1, B, C, H, W) where every layer passes its mean up."""
        return _Chain(self, image).up_to(self.n_layers)

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
        above: list[Tensor] = []
        for index in range(self.n_layers, 0, -1):
            if given and index in given:
                z = given[index].unsqueeze(0)
            else:
                p = self.prior(index, above) if above else self.top_prior(n)
                z = self._ancestor(p, index, n, noise, heat[index - 1])
            above.insert(0, z)
        return self.decode(above)

    def _finish(
        self, x: Tensor, path: _Path, k: int, draw: Draw, skipped: Skipped, temperature: float
    ) -> Trace:
        """Complete a posterior path downwards: skipped layers from the prior, then the image."""
        z = list(path.z)
        for index in range(k, 0, -1):
            p = path.prior(k) if index == k else self.prior(index, z[index:])
            if skipped == "mean":
                z[index - 1] = p.mean
            else:
                z[index - 1] = p.sample(draw("p", index), temperature)
        likelihood = self.decode(z)
        top = self.n_layers
        zero = torch.zeros_like(path.log_q[-1])
        log_q = [zero if i <= k else path.log_q[i - 1] for i in range(1, top + 1)]
        log_p = [zero if i <= k else path.log_prior(i) for i in range(1, top + 1)]
        kl = [q - p for q, p in zip(log_q, log_p, strict=True)]
        kl[-1] = (
            path.top_kl
        )  # the only strict KL of bottom-up inference (HVK App. F), unless sampled
        means = tuple(None if i < k else q.mean for i, q in enumerate(path.q))
        log_px = likelihood.log_prob(x).expand_as(zero)
        return Trace(
            k, k, log_px, torch.stack(log_q), torch.stack(log_p), torch.stack(kl), means, likelihood
        )


class _Chain:
    """The way up by means alone, which all k share; climbed as far as one asks."""

    def __init__(self, model: BottomUpVAE, image: Tensor) -> None:
        self.model = model
        self.image = image  # (1, B, C, H, W)
        self._q: list[Gaussian] = []

    def up_to(self, index: int) -> list[Gaussian]:
        """q(z_1 | .) .. q(z_index | .), each given the means of those below it."""
        while len(self._q) < index:
            below = [q.mean for q in self._q]
            self._q.append(self.model.posterior(len(below) + 1, self.image, below))
        return self._q[:index]


class _Path:
    """A way up: z_i = posterior mean for the first layers, draws above; priors on request, once."""

    def __init__(
        self, model: BottomUpVAE, chain: _Chain, by_mean: int, draw: Draw, top: list[Prior]
    ) -> None:
        self.model = model
        self.q = chain.up_to(by_mean + 1)  # the first that is drawn from still knows means alone
        self.z: list[Tensor] = [q.mean for q in self.q[:by_mean]]
        self.log_q: list[Tensor] = [z.new_zeros(()) for z in self.z]
        for index in range(by_mean + 1, model.n_layers + 1):
            if index > len(self.q):
                self.q.append(model.posterior(index, chain.image, self.z))
            q = self.q[index - 1]
            z = q.sample(draw("q", index))  # (S, B, ...)
            self.z.append(z)
            self.log_q.append(q.log_prob(z))
        if not top:  # only now: data-dependent initialisation looks at the images first
            top.append(model.top_prior(chain.image.shape[1]))
        log_p = top[0].log_prob(self.z[-1])
        self.top_kl = divergence(self.q[-1], top[0], self.log_q[-1] - log_p).expand_as(log_p)
        self._p: dict[int, Gaussian] = {}
        self._log_p = {model.n_layers: log_p}

    def prior(self, index: int) -> Gaussian:
        """p(z_i | z_>i) given the path's own draws above it, i < L."""
        if index not in self._p:
            self._p[index] = self.model.prior(index, self.z[index:])
        return self._p[index]

    def log_prior(self, index: int) -> Tensor:
        """log p(z_i | z_>i) of the path's own draw (S, B)."""
        if index not in self._log_p:
            self._log_p[index] = self.prior(index).log_prob(self.z[index - 1])
        return self._log_p[index]
