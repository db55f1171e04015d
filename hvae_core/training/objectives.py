"""Training objectives: the ELBO with warm-up and free bits, the informative one, and IWAE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import Noise
from hvae_core.config import TrainConfig
from hvae_core.config.training import FreeBitsScope
from hvae_core.evaluation.bounds import iw_bound
from hvae_core.models import HierarchicalVAE
from hvae_core.models.distributions import Gaussian
from hvae_core.models.trace import Trace
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
    scope: FreeBitsScope = "layer",
    whole: Whole = torch.detach,
) -> LossTerms:
    """-E_q[log p(x|z)] + beta sum_i max(lambda, KL_i) (HVK Eq. 1, Table 4).

    With the ``scope`` "layer" the maximum is taken on the batch mean of KL_i, as Kingma et al. 2016
    define it: for bottom-up inference single-image values are samples, and their maximum is biased
    upwards. Where a batch is split among processes, ``whole`` gives its mean from that of this
    one's part. With "element" it is taken on every unit of every image (``held_by_unit``).
    """
    trace = model.trace(x, noise=noise)
    kl = trace.kl.mean((1, 2))  # (L,)
    log_px = trace.log_px.mean()
    held = kl
    if isinstance(free_bits, Tensor) or free_bits > 0:
        if scope == "element":
            held = held_by_unit(trace, free_bits, model.config.exact_kl)
        else:
            held = _at_least(free_bits, kl, whole(kl))
    loss = beta * held.sum() - log_px
    return LossTerms(loss=loss, log_px=log_px, kl=kl, elbo=log_px - kl.sum())


def held_by_unit(trace: Trace, free_bits: float | Tensor, exact: Sequence[bool]) -> Tensor:
    """sum_j max(lambda / C, KL_ij) of every layer, mean over the batch in nats, (L,).

    KL_ij is that of unit j of z_i: in closed form where that of z_i is ``exact``, else log q -
    log p of the draw. C is the channels of a convolutional z_i and the units of a dense one, so
    that a map of h x w places has h w lambda nats free: so the code of HVK shares lambda. Raises
    ``ConfigError`` where a layer's terms cannot be told apart by unit.
    """
    if not trace.drawn or not all(isinstance(part.p, Gaussian) for part in trace.drawn):
        raise ConfigError(
            "Free bits for each element need Gaussians in every layer, which this model does not "
            'have: set free_bits_scope to "layer".'
        )
    held = []
    for (q, p, z), closed in zip(trace.drawn, exact, strict=True):
        kl = q.kl_by_unit(p) if closed else q.log_prob_by_unit(z) - p.log_prob_by_unit(z)
        floor = free_bits / kl.shape[2]  # (S, B, C, ...)
        held.append(_at_least(floor, kl, kl).flatten(2).sum(-1).mean())
    return torch.stack(held)


def _at_least(floor: float | Tensor, kl: Tensor, known: Tensor) -> Tensor:
    """KL, or the floor where what is ``known`` of it is below; no floor where that is 0.

    At 0 a KL is left as it is: a sample of a divergence may be negative.
    """
    return torch.where((known < floor) & (floor > 0), floor, kl)


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
        scope = self.config.free_bits_scope
        of = partial(elbo, self.model, beta=beta, free_bits=free_bits, scope=scope, whole=whole)
        terms = of(x, noise)
        if not self.config.beside:
            return terms
        # The bound of x and that of t(x), as a mean: still a loss of nats an image.
        noise = Beside(noise)
        seen = self.model.prepare(moved(grey, self.config, noise), noise)
        other = of(seen, noise)
        loss = (terms.loss + other.loss) / 2
        if self.config.consistency:
            apart = consistent(self.model, x, seen, noise=noise).mean()
            loss = loss + self.config.consistency / 2 * apart
        return terms._replace(loss=loss)
