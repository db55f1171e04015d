"""The network of a diffusion prior: a small residual network that knows the time.

The papers take a UNet of residual blocks (DCT Table 6). Ours has the same plan without attention,
which 6 x 6 values do not need, and adds a learned bias a position, because neighbouring DCT
coefficients do not mean the same. Its last layer starts at zero.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.arrays import Shape
from hvae_core.config import DenoiserConfig


class Denoiser(nn.Module):
    """Map noisy y (N, C, d, d) and time t (N,) in [0, 1] to ``parts`` tensors like y."""

    def __init__(self, shape: Shape, config: DenoiserConfig, parts: int = 1) -> None:
        super().__init__()
        self.parts = parts
        self.width = config.channels
        self.time = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, config.channels),
            nn.SiLU(),
            nn.Linear(config.channels, config.channels),
        )
        self.net = (_MLP if config.network == "mlp" else _UNet)(shape, config, parts)

    def forward(self, y: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        """``parts`` tensors (N, C, d, d)."""
        out: Tensor = self.net(y, self.time(embed_time(t)))
        return out.chunk(self.parts, 1)


_FREQUENCIES = 16


def embed_time(t: Tensor) -> Tensor:
    """Sines and cosines of t in [0, 1] at wavelengths from 4 down to 4/1000, (N, 32)."""
    steps = torch.linspace(0, math.log(1000), _FREQUENCIES, device=t.device, dtype=t.dtype)
    angle = t[:, None] * steps.exp() * (math.pi / 2)
    return torch.cat([angle.sin(), angle.cos()], 1)


class _Block(nn.Module):
    """h + W2 Act(W1 Act(Norm h) + time), W being 3x3 convolutions or dense layers."""

    def __init__(self, width: int, *, dense: bool) -> None:
        super().__init__()

        def layer() -> nn.Module:
            return nn.Linear(width, width) if dense else nn.Conv2d(width, width, 3, padding=1)

        self.norm = nn.GroupNorm(1, width)
        self.time = nn.Linear(width, width)
        self.first, self.second = layer(), layer()

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        shift: Tensor = self.time(time)
        shift = shift.view(*shift.shape, *[1] * (h.dim() - 2))
        inner = F.silu(self.first(F.silu(self.norm(h))) + shift)
        out: Tensor = h + self.second(inner)
        return out


class _MLP(nn.Module):
    """Residual blocks on all values at once."""

    def __init__(self, shape: Shape, config: DenoiserConfig, parts: int) -> None:
        super().__init__()
        self.shape = shape
        units = math.prod(shape)
        self.inward = nn.Linear(units, config.channels)
        self.blocks = nn.ModuleList(
            _Block(config.channels, dense=True) for _ in range(config.blocks)
        )
        self.outward = nn.Linear(config.channels, parts * units)
        _zero(self.outward)

    def forward(self, y: Tensor, time: Tensor) -> Tensor:
        h = self.inward(y.flatten(1))
        for block in self.blocks:
            h = block(h, time)
        out: Tensor = self.outward(F.silu(h))
        return out.unflatten(1, (-1, *self.shape[1:]))


class _UNet(nn.Module):
    """Residual blocks at every scale, halved by averaging, with a skip from each scale down."""

    def __init__(self, shape: Shape, config: DenoiserConfig, parts: int) -> None:
        super().__init__()
        width = config.channels

        def stage() -> nn.ModuleList:
            return nn.ModuleList(_Block(width, dense=False) for _ in range(config.blocks))

        self.position = nn.Parameter(torch.zeros(width, *shape[1:]))
        self.inward = nn.Conv2d(shape[0], width, 3, padding=1)
        self.down = nn.ModuleList(stage() for _ in range(config.scales))
        self.middle = _Block(width, dense=False)
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for _ in range(config.scales))
        self.up = nn.ModuleList(stage() for _ in range(config.scales))
        self.outward = nn.Conv2d(width, parts * shape[0], 3, padding=1)
        _zero(self.outward)

    def forward(self, y: Tensor, time: Tensor) -> Tensor:
        h = self.inward(y) + self.position
        kept = []
        for i, stage in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in stage:  # type: ignore[attr-defined]
                h = block(h, time)
            kept.append(h)
        h = self.middle(h, time)
        for join, stage, skip in zip(self.join, self.up, reversed(kept), strict=True):
            if h.shape[-1] != skip.shape[-1]:
                h = F.interpolate(h, size=skip.shape[-2:], mode="nearest")
            h = join(torch.cat([h, skip], 1))
            for block in stage:  # type: ignore[attr-defined]
                h = block(h, time)
        out: Tensor = self.outward(F.silu(h))
        return out


def _zero(layer: nn.Conv2d | nn.Linear) -> None:
    """Start at zero, where the reverse process is that of standard normal data."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
