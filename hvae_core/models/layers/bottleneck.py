"""Blocks of the deep top-down families (VDVAE; DCT App. E; DVP 4): bottlenecks, without norms.

Sigmoid linear units throughout (DCT Table 6). A residual block's last convolution starts smaller
by 1/sqrt(N), N being the number of blocks that add to one path, so that the path's variance at the
start does not grow with depth (Child 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]


def resize(x: Tensor, size: Size) -> Tensor:
    """Bring (B, C, h, w) to (B, C, *size): average down to ceil(h / stride), or repeat up.

    No weights, and no checkerboard as a strided pair would leave.
    """
    height, width = x.shape[-2:]
    if (height, width) == size:
        return x
    if size[0] < height or size[1] < width:
        kernel = (-(-height // size[0]), -(-width // size[1]))
        return F.avg_pool2d(x, kernel, ceil_mode=True, count_include_pad=False)
    if (-(-size[0] // 2), -(-size[1] // 2)) != (height, width):
        return F.interpolate(x, size=size, mode="nearest")
    # Twice as large is every row and column two times, channels last; its gradient is a plain sum.
    rows = x.permute(0, 2, 3, 1)
    wide = torch.stack([rows, rows], 3).flatten(2, 3)
    twice = torch.stack([wide, wide], 2).flatten(1, 2)
    return twice.permute(0, 3, 1, 2)[..., : size[0], : size[1]]


class Bottleneck(nn.Module):
    """Convolutions of 1, 3, 3, 1 with an activation before each, plus x if ``residual``.

    Maps of at most 2 x 2 take kernels of 1 throughout, as a wider one would see padding only.
    ``share`` multiplies the weights of the last convolution at the start.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        size: Size,
        *,
        residual: bool = False,
        share: float = 1.0,
    ) -> None:
        super().__init__()
        inputs, hidden, outputs = channels
        kernel = 3 if max(size) > 2 else 1
        self.residual = residual
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(inputs, hidden, 1),
                nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2),
                nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2),
                scaled(nn.Conv2d(hidden, outputs, 1), share),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        h = x
        for conv in self.convs:
            h = conv(F.silu(h))
        return x + h if self.residual else h


class Head(nn.Module):
    """Features to parameters: one bottleneck, or a residual one and a convolution of 1 (DVP 4.2).

    ``share`` multiplies the weights of the last convolution at the start, and its offset; 0 gives
    a head whose output starts at zero.
    """

    def __init__(
        self, channels: tuple[int, int, int], size: Size, *, residual: bool, share: float = 1.0
    ) -> None:
        super().__init__()
        inputs, hidden, outputs = channels
        self.body: nn.Module
        if residual:
            last = scaled(nn.Conv2d(inputs, outputs, 1), share)
            block = Bottleneck((inputs, hidden, inputs), size, residual=True)
            self.body = nn.Sequential(block, nn.SiLU(), last)
        else:
            self.body = Bottleneck(channels, size, share=share)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        out: Tensor = self.body(x)
        return out


def scaled(conv: nn.Conv2d, share: float) -> nn.Conv2d:
    """The convolution with its starting weights and offset multiplied by ``share``."""
    with torch.no_grad():
        for value in conv.parameters():
            value.mul_(share)
    return conv
