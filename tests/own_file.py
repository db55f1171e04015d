"""A Python file with a model of a user's own, as ``--model FILE.py:NAME`` takes it."""

from __future__ import annotations

from pathlib import Path

TEXT = """
from torch import nn
from torch.distributions import Bernoulli, Normal

import hvae_core as hv


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 12))
        self.up, self.down = nn.Linear(6, 8), nn.Linear(4, 12)
        self.decoder = nn.Linear(6, SIDE**2)
        self.least = 0.1

    def forward(self, x):
        z1 = hv.infer("z1", self.law(self.encoder(x)))
        z2 = hv.latent("z2", q=self.law(self.up(z1)), p=Normal(0.0, 1.0))
        z1 = hv.prior("z1", self.law(self.down(z2)))
        return hv.image(Bernoulli(logits=self.decoder(z1)))

    def law(self, raw):
        mean, spread = raw.chunk(2, dim=1)
        return Normal(mean, nn.functional.softplus(spread) + self.least)


def make():
    return hv.adapt(Mine(), shape=(1, SIDE, SIDE), prepare="binarise", encode="encoder")


model = make()
bare = Mine()
number = 3


def broken():
    return 1 / 0
"""


def own_file(folder: Path, side: int = 8) -> Path:
    """Write the file for images of a side, and return its path."""
    path = folder / "mine.py"
    path.write_text(TEXT.replace("SIDE", str(side)), "utf-8")
    return path
