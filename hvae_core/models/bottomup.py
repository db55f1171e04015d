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

from hvae_core.distributions import Gaussian, Likelihood
from hvae_core.models.base import Draw, HierarchicalVAE, Skipped, Trace, Up
from hvae_core.models.vamp import Prior, divergence
from hvae_core.noise import Noise


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
        """L_>k for every k (HVK Eq. 5): with ``up="sample"`` one way up serves them all."""
        self._check_levels(ks)
        draw = self._draws(noise, samples, x)
        image = x.unsqueeze(0)  # (1, B, C, H, W)
        top: list[Prior] = []  # p(z_L), common to all k
        sampled: _Path | None = None
        means: list[Gaussian] = []
        out = []
        for k in ks:
            if k == 0 or up == "sample":
                # One inference pass and one set of priors serve every k.
                if sampled is None:
                    sampled = _Path(self, image, [], draw, top)
                path = sampled
            else:
                while len(means) < k:  # the chain of means d_k is common to all k
                    below = [q.mean for q in means]
                    means.append(self.posterior(len(means) + 1, image, below))
                path = _Path(self, image, means[:k], draw, top)
            out.append(self._finish(x, path, k, draw, skipped, temperature))
        return out

    def posterior_means(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Tensor, ...]:
        """E[z_i | x] for every layer, (B, *shape): the mean of q over S draws of what is below."""
        image = x.unsqueeze(0)
        if up == "sample":
            qs = _Path(self, image, [], self._draws(noise, samples, x), []).q
        else:
            qs = self.chain_of_means(image)
        return tuple(q.mean.mean(0) for q in qs)

    def chain_of_means(self, image: Tensor) -> list[Gaussian]:
        """q(z_i | .) of images (1, B, C, H, W) where every layer passes its mean up."""
        qs: list[Gaussian] = []
        for index in range(1, self.n_layers + 1):
            qs.append(self.posterior(index, image, [q.mean for q in qs]))
        return qs

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
            p = self.prior(index, z[index:])
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


class _Path:
    """A way up: z_i = posterior mean for the first layers, draws above; priors on request, once."""

    def __init__(
        self,
        model: BottomUpVAE,
        image: Tensor,
        means: Sequence[Gaussian],
        draw: Draw,
        top: list[Prior],
    ) -> None:
        self.model = model
        self.q = list(means)
        self.z: list[Tensor] = [q.mean for q in means]
        self.log_q: list[Tensor] = [q.mean.new_zeros(()) for q in means]
        for index in range(len(means) + 1, model.n_layers + 1):
            q = model.posterior(index, image, self.z)
            z = q.sample(draw("q", index))  # (S, B, ...)
            self.q.append(q)
            self.z.append(z)
            self.log_q.append(q.log_prob(z))
        if not top:  # only now: data-dependent initialisation looks at the images first
            top.append(model.top_prior(image.shape[1]))
        log_p = top[0].log_prob(self.z[-1])
        self.top_kl = divergence(self.q[-1], top[0], self.log_q[-1] - log_p).expand_as(log_p)
        self._log_p = {model.n_layers: log_p}

    def log_prior(self, index: int) -> Tensor:
        """log p(z_i | z_>i) of the path's own draw (S, B)."""
        if index not in self._log_p:
            prior = self.model.prior(index, self.z[index:])
            self._log_p[index] = prior.log_prob(self.z[index - 1])
        return self._log_p[index]
