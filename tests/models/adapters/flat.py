"""A plain VAE of one latent, as anyone writes it, with the marks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal

import hvae_core as hv


class FlatVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 12))
        self.decoder = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 64))

    def forward(self, x: Tensor) -> Any:
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        q = Independent(Normal(mean, log_std.exp()), 1)
        p = Independent(Normal(torch.zeros(6).to(x), torch.ones(6).to(x)), 1)
        z = hv.latent("z", q=q, p=p)
        return hv.image(Bernoulli(logits=self.decoder(z).view(-1, 1, 8, 8)))
