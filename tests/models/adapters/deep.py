"""A deep top-down network: five layers at two sizes write into one residual state."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

import hvae_core as hv
from hvae_core.models.distributions import DiscretisedLogistic

WIDTH, DIM = 6, 2


def normal(raw: Tensor) -> Normal:
    mean, spread = raw.chunk(2, dim=1)
    return Normal(mean, F.softplus(spread) + 1e-3)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(1, WIDTH, 3, 1, 1)
        self.coarse = nn.Conv2d(WIDTH, WIDTH, 4, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        fine = F.silu(self.fine(x))
        return [fine, F.silu(self.coarse(fine))]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_p = nn.Conv2d(WIDTH, 2 * DIM + WIDTH, 3, 1, 1)
        self.to_q = nn.Conv2d(2 * WIDTH, 2 * DIM, 3, 1, 1)
        self.from_z = nn.Conv2d(DIM, WIDTH, 1)
        self.refine = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)

    def laws(self, h: Tensor, seen: Tensor) -> tuple[Normal, Normal, Tensor]:
        p, features = self.to_p(F.silu(h)).split([2 * DIM, WIDTH], dim=1)
        return normal(self.to_q(torch.cat([h, seen], 1))), normal(p), features

    def update(self, h: Tensor, features: Tensor, z: Tensor) -> Tensor:
        h = h + features + self.from_z(z)
        return h + self.refine(F.silu(h))


class DeepVAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.start = nn.Parameter(torch.randn(1, WIDTH, 4, 4))
        self.blocks = nn.ModuleList(Block() for _ in range(5))
        self.to_x = nn.Conv2d(WIDTH, 2, 3, 1, 1)

    def forward(self, x: Tensor) -> Any:
        fine, coarse = self.encoder(x)
        h = self.start.expand(len(x), -1, -1, -1)
        for i, block in enumerate(self.blocks):
            if i == 2:
                h = F.interpolate(h, scale_factor=2)
            seen = coarse if i < 2 else fine
            q, p, features = block.laws(h, seen)
            z = hv.latent(f"{h.shape[-1]}x{h.shape[-1]}/z{5 - i}", q=q, p=p)
            h = block.update(h, features, z)
        return hv.image(DiscretisedLogistic.from_raw(self.to_x(h).unsqueeze(0)))
