"""A hierarchy of three layers that is inferred from the image upwards, with the marks."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

import hvae_core as hv


def normal(raw: Tensor) -> Normal:
    mean, spread = raw.chunk(2, dim=1)
    return Normal(mean, F.softplus(spread) + 1e-3)


class BottomUpVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q1 = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.SiLU(), nn.Conv2d(8, 4, 3, 1, 1))
        self.to_q2 = nn.Sequential(nn.Flatten(), nn.Linear(32, 20), nn.SiLU(), nn.Linear(20, 12))
        self.to_q3 = nn.Sequential(nn.Linear(6, 20), nn.SiLU(), nn.Linear(20, 8))
        self.to_p2 = nn.Sequential(nn.Linear(4, 20), nn.SiLU(), nn.Linear(20, 12))
        self.to_p1 = nn.Sequential(nn.Linear(6, 20), nn.SiLU(), nn.Linear(20, 64))
        self.to_x = nn.Sequential(nn.ConvTranspose2d(2, 8, 4, 2, 1), nn.SiLU(), nn.Conv2d(8, 1, 1))

    def forward(self, x: Tensor) -> Any:
        z1 = hv.infer("z1", normal(self.to_q1(x)))
        z2 = hv.infer("z2", normal(self.to_q2(z1)))
        z3 = hv.latent("z3", q=normal(self.to_q3(z2)), p=Normal(0.0, 1.0))
        z2 = hv.prior("z2", normal(self.to_p2(z3)))
        z1 = hv.prior("z1", normal(self.to_p1(z2).view(-1, 4, 4, 4)))
        return hv.image(Bernoulli(logits=self.to_x(z1)))
