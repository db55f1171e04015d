"""A ladder VAE as it stands in many repositories: BatchNorm, dropout, a loss that forward returns.

``fault`` puts in what goes wrong in such code.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

import hvae_core as hv


def merged(a: Normal, b: Normal) -> Normal:
    """The precision-weighted product of two Gaussians."""
    pa, pb = a.variance.reciprocal(), b.variance.reciprocal()
    return Normal((a.mean * pa + b.mean * pb) / (pa + pb), (pa + pb).rsqrt())


class Widened(Normal):
    """A distribution whose density is not that of its draws."""

    def log_prob(self, value: Tensor) -> Tensor:
        return Normal(self.loc, 3 * self.scale).log_prob(value)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return super().rsample(sample_shape)


class Rung(nn.Module):
    def __init__(self, n_in: int, n_hidden: int, n_z: int, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.fc = nn.Linear(n_in, n_hidden)
        self.bn = nn.BatchNorm1d(n_hidden, track_running_stats=fault != "batch")
        self.drop = nn.Dropout(0.2)
        self.mean, self.std = nn.Linear(n_hidden, n_z), nn.Linear(n_hidden, n_z)

    def forward(self, x: Tensor) -> tuple[Tensor, Normal]:
        h = self.drop(F.leaky_relu(self.bn(self.fc(x)), 0.1))
        if self.fault == "seed":
            h = F.dropout(h, 0.2)
        return h, Normal(self.mean(h), F.softplus(self.std(h)) + 1e-3)


class LadderVAE(nn.Module):
    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.up1, self.up2 = Rung(64, 16, 6, fault), Rung(16, 12, 4, fault)
        self.down = Rung(4, 12, 6, fault)
        self.dec = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 64))
        self.seen = 0.0

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(x.size(0), -1)
        d1, hat1 = self.up1(x)
        _, q2 = self.up2(d1)
        if self.fault == "finite":
            q2 = Normal(q2.mean, q2.stddev * (x.mean(1, keepdim=True) > 0.3))
        p2 = Normal(torch.zeros_like(q2.mean), torch.ones_like(q2.stddev))
        z2 = hv.latent("z2", q=q2, p=p2)
        _, p1 = self.down(z2)
        q1 = merged(hat1, p1)
        if self.fault == "elbo":
            q1 = Widened(q1.loc, q1.scale)
        if self.fault == "order":
            self.seen, shift = float(x[0].sum()), self.seen
            q1 = Normal(q1.loc + 0.1 * shift, q1.scale)
        z1 = hv.latent("z1", q=q1, p=p1)
        logits = self.dec(z1)
        if self.fault == "prior":
            logits = logits + d1.mean(1, keepdim=True)
        p_x = hv.image(Bernoulli(logits=logits))
        kl = kl_divergence(q1, p1).sum(1) + kl_divergence(q2, p2).sum(1)
        return (kl - p_x.log_prob(x.round()).sum(1)).mean()
