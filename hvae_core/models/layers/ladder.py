"""Residual blocks of dvp_vae's ladders, their tensors under the names of its files."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class FixedNorm(nn.Module):
    """Batch normalisation by the statistics that the file has; they stay what they are."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class _Step(nn.Module):
    """One convolution with what stands before or after it, as the list ``net`` of the files."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


def _conv(inputs: int, outputs: int, kernel: int, normed: bool) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return weight_norm(conv) if normed else conv


class LadderBlock(nn.Module):
    """skip(x) + beta net(x): convolutions of 1, 3, 3, 1; skip is 1x1 where channels change.

    On the way up a silu goes before each convolution; on the way down one follows each of the first
    three, and the last stands bare. Batch norms go before a silu, and on the way down one stands at
    either end as well. Weight normalisation spares the bare convolution and the skip.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        *,
        down: bool,
        weight_norm: bool = False,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        shapes = (
            (inputs, hidden, 1),
            (hidden, hidden, 3),
            (hidden, hidden, 3),
            (hidden, outputs, 1),
        )
        layers: list[nn.Module] = []
        for i, (a, b, kernel) in enumerate(shapes):
            bare = down and i == 3
            conv = _conv(a, b, kernel, weight_norm and not bare)
            norm = [FixedNorm(b if down else a)] if batch_norm else []
            if bare:
                layers += [conv, *norm]
            else:
                order = [conv, *norm, nn.SiLU()] if down else [*norm, nn.SiLU(), conv]
                layers.append(_Step(order))
        if down and batch_norm:
            layers.insert(0, FixedNorm(inputs))
        self.net = nn.Sequential(*layers)
        self.beta = nn.Parameter(torch.ones(1))
        if inputs != outputs:
            self.skip = nn.Conv2d(inputs, outputs, 1)
        self.has_skip = inputs != outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        out: Tensor = (self.skip(x) if self.has_skip else x) + self.beta * self.net(x)
        return out
