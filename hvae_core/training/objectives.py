"""Training objectives: the ELBO with warm-up and free bits, the informative one, and IWAE."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.config import TrainConfig
from hvae_core.evaluation.bounds import iw_bound
from hvae_core.models import HierarchicalVAE
from hvae_core.training.consistency import Beside, consistent, moved

Whole = Callable[[Tensor], Tensor]
"""The mean over the batch of all processes, without a gradient, from the mean over one's part."""


class LossTerms(NamedTuple):
    """One step: ``loss`` to minimise, and what it is made of, batch means in nats per image.

    ``log_px`` is the reconstruction term as the objective uses it, ``kl`` (L,) the divergence of
    each layer, ``elbo`` the plain bound log p(x|z) - sum KL without any weighting.
    """

    loss: Tensor
    log_px: Tensor
    kl: Tensor
    elbo: Tensor


def warmup_beta(epoch: float, warmup_epochs: float) -> float:
    """The share of the KL's weight: from 0 to 1 linearly over ``warmup_epochs`` (INF App. J)."""
    return min(1.0, epoch / warmup_epochs) if warmup_epochs > 0 else 1.0


def free_bits_lambda(epoch: float, config: TrainConfig) -> float:
    """lambda in nats per layer: held, then falling linearly to 0 (HVK Table 4)."""
    if epoch < config.free_bits_constant:
        return config.free_bits
    if config.free_bits_annealed <= 0:
        return 0.0
    left = 1 - (epoch - config.free_bits_constant) / config.free_bits_annealed
    return config.free_bits * max(0.0, left)


def elbo(
    model: HierarchicalVAE,
    x: Tensor,
    noise: Noise,
    *,
    beta: float | Tensor = 1.0,
    free_bits: float | Tensor = 0.0,
    whole: Whole = torch.detach,
) -> LossTerms:
    """-E_q[log p(x|z)] + beta sum_i max(lambda, KL_i) (HVK Eq. 1, Table 4).

    The maximum is taken on the batch mean of KL_i, as Kingma et al. 2016 define it: for bottom-up
    inference single-image values are samples, and their maximum would be biased upwards. Where a
    batch is split among processes, ``whole`` gives its mean from that of this one's part.
    """
    trace = model.trace(x, noise=noise)
    kl = trace.kl.mean((1, 2))  # (L,)
    log_px = trace.log_px.mean()
    held = kl
    if isinstance(free_bits, Tensor) or free_bits > 0:
        # Where lambda has fallen to 0 as it is: a sample of a divergence may be negative.
        held = torch.where((whole(kl) < free_bits) & (free_bits > 0), free_bits, kl)
    loss = beta * held.sum() - log_px
    return LossTerms(loss=loss, log_px=log_px, kl=kl, elbo=log_px - kl.sum())


def informative(model: HierarchicalVAE, x: Tensor, noise: Noise) -> LossTerms:
    """-(1/K) sum_k E[log p(x | z_>k)] + sum_i KL_i (INF Eq. 10), sharing one inference pass."""
    traces = model.traces(x, range(model.n_levels), noise=noise, up="sample")
    kl = traces[0].kl.mean((1, 2))  # (L,)
    log_px = torch.stack([trace.log_px.mean() for trace in traces]).mean()
    elbo = traces[0].log_px.mean() - kl.sum()
    return LossTerms(loss=kl.sum() - log_px, log_px=log_px, kl=kl, elbo=elbo)


def iwae(model: HierarchicalVAE, x: Tensor, noise: Noise, samples: int) -> LossTerms:
    """-log (1/S) sum_s p(x, z^s) / q(z^s | x) (HVK Eq. 9, after Burda et al. 2016).

    With one sample it is the ELBO with every KL term as log q - log p of the draw. Gradients are
    those of the reparameterised bound as it is; for the inference network their signal falls
    against their noise as S grows (Rainforth et al. 2018). The other terms are means over samples.
    """
    trace = model.trace(x, noise=noise, samples=samples)
    kl = trace.kl.mean((1, 2))  # (L,)
    log_px = trace.log_px.mean()
    loss = -iw_bound(trace).mean()
    return LossTerms(loss=loss, log_px=log_px, kl=kl, elbo=log_px - kl.sum())


class Objective(nn.Module):
    """A model with its objective as ``forward``, so that one wrapper serves all devices."""

    def __init__(self, model: HierarchicalVAE, config: TrainConfig) -> None:
        super().__init__()
        model.check_objective(config.objective)
        self.model = model
        self.config = config

    def forward(
        self,
        x: Tensor,
        noise: Noise,
        *,
        beta: float | Tensor = 1.0,
        free_bits: float | Tensor = 0.0,
        whole: Whole = torch.detach,
    ) -> LossTerms:
        """Loss of grey images (B, C, H, W) in [0, 1] with beta and lambda as they stand now.

        ``whole`` is as in ``elbo``.
        """
        grey, x = x, self.model.prepare(x, noise)
        if self.config.objective == "informative":
            return informative(self.model, x, noise)
        if self.config.objective == "iwae":
            return iwae(self.model, x, noise, samples=self.config.samples)
        if not self.config.free_bits:
            free_bits = 0.0
        terms = elbo(self.model, x, noise, beta=beta, free_bits=free_bits, whole=whole)
        if not self.config.beside:
            return terms
        # The bound of x and that of t(x), as a mean: still a loss of nats an image.
        noise = Beside(noise)
        seen = self.model.prepare(moved(grey, self.config, noise), noise)
        other = elbo(self.model, seen, noise, beta=beta, free_bits=free_bits, whole=whole)
        loss = (terms.loss + other.loss) / 2
        if self.config.consistency:
            apart = consistent(self.model, x, seen, noise=noise).mean()
            loss = loss + self.config.consistency / 2 * apart
        return terms._replace(loss=loss)
