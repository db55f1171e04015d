"""The pseudoinput of dvp_vae's checkpoints: cosine coefficients, q(u | x), and its prior."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from hvae_core.config.families.dvp_ladder import PseudoPlan
from hvae_core.models.distributions import EvenedGaussian, Gaussian
from hvae_core.models.priors.ladder_diffusion import LadderDiffusion

_LOGVAR = (-12.0, -5.0)


@final
class Cosines(nn.Module):
    """The two-dimensional cosine transform by the tables of the file, type II and orthonormal."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        steps = torch.arange(side, dtype=torch.float64)
        table = torch.cos(math.pi * (steps + 0.5) * steps[:, None] / side).float()
        for axis in "wh":
            self.register_buffer(f"basis_function_{axis}", table.clone())
            self.register_buffer(f"reverse_function_{axis}", table[1:].T.clone())

    def forward(self, x: Tensor, size: int) -> Tensor:
        """The lowest size x size coefficients (B, C, size, size) of images (B, C, n, n)."""
        rows, columns = self._table("h", size), self._table("w", size)
        return rows @ x @ columns.T

    def inverse(self, y: Tensor) -> Tensor:
        """The image (B, C, n, n) whose lowest coefficients are y, the others zero."""
        rows, columns = (self._back(axis, y.shape[-1]) for axis in "hw")
        return rows @ y @ columns.T

    def _table(self, axis: str, size: int) -> Tensor:
        table: Tensor = getattr(self, f"basis_function_{axis}")[:size]
        return table * self._weights(table, size)[:, None]

    def _back(self, axis: str, size: int) -> Tensor:
        table: Tensor = getattr(self, f"reverse_function_{axis}")[:, : size - 1]
        return torch.cat([torch.ones_like(table[:, :1]), table], 1) * self._weights(table, size)

    def _weights(self, like: Tensor, size: int) -> Tensor:
        weights = [1 / math.sqrt(self.side)] + [math.sqrt(2 / self.side)] * (size - 1)
        return like.new_tensor(weights)


@final
class PseudoBlock(nn.Module):
    """u: what q(u | x) is, and its prior."""

    dct_scale: Tensor

    def __init__(self, colours: int, side: int, plan: PseudoPlan) -> None:
        super().__init__()
        shape = (colours, plan.size, plan.size)
        self.size = plan.size
        self.q_logvar = nn.Parameter(torch.full((1, *shape), -8.0))
        self.register_buffer("dct_scale", torch.ones(1, *shape))
        self.dct = Cosines(side)
        self.ctx_prior = LadderDiffusion(shape, plan)

    def posterior(self, x: Tensor) -> Gaussian:
        """q(u | x) of images (1, B, C, H, W) in [-1, 1].

        The authors' code takes images as they are where the whole batch has nothing below 0, in
        which u would depend on the batch; here they are brought to [0, 1] always.
        """
        y = self.dct((x[0] + 1) / 2, self.size)
        mean = (y / self.dct_scale).clamp(-1, 1).unsqueeze(0)
        return EvenedGaussian(mean, (self.q_logvar.clamp(*_LOGVAR) / 2).exp().expand_as(mean))

    def picture(self, u: Tensor) -> Tensor:
        """The image (B, C, H, W) in [0, 1] that u (B, C, d, d) stands for."""
        return self.dct.inverse(u * self.dct_scale).clamp(0, 1)
