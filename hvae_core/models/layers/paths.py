"""Convolutions that keep sizes at any kernel and stride, and paths of residual blocks with skips.

"SAME" padding: of kernel k, stride t and n pixels come ceil(n / t), the input padded by
max(0, (ceil(n / t) - 1) t + k - n) zeros, the odd one right and below. A transposed convolution
gives n t: what is over of (n - 1) t + k is cut, the odd one right and below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from hvae_core.config.paths import Act, BlockPlan
from hvae_core.models.layers.residual import fold

ACTS: dict[Act, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "silu": F.silu,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "selu": F.selu,
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "mish": F.mish,
    "sigmoid": torch.sigmoid,
}


@final
class SameConv(nn.Module):
    """A convolution with SAME padding, weight-normalised or plain."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, normed: bool = True
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        layer = nn.Conv2d(inputs, outputs, kernel, stride)
        self.conv: nn.Module = weight_norm(layer) if normed else layer

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, outputs, ceil(h / stride), ceil(w / stride))."""
        out: Tensor = self.conv(same_padded(x, self.kernel, self.stride))
        return out


@final
class SameTransposed(nn.Module):
    """A transposed convolution that gives ``stride`` times the size; normed along its outputs."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int, normed: bool = True
    ) -> None:
        super().__init__()
        over = kernel - stride
        self.cut = (-(over // 2), -(over - over // 2)) * 2
        layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride)
        self.conv: nn.Module = weight_norm(layer, dim=1) if normed else layer

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, outputs, stride h, stride w)."""
        return F.pad(self.conv(x), self.cut)


def same_padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around (B, C, h, w), as SAME padding has them."""
    pads = []
    for n in (x.shape[-1], x.shape[-2]):
        total = max(0, (-(-n // stride) - 1) * stride + kernel - n)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads) if any(pads) else x


@final
class PathBlock(nn.Module):
    """y = second(act(first(act(h)) + aux(act(a)))), its gate, and h beside it, as a plan says."""

    def __init__(self, plan: BlockPlan, act: Act) -> None:
        super().__init__()
        self.plan = plan
        self.act = ACTS[act]
        block, width = plan.block, plan.block.channels
        self.first = SameConv(plan.inputs[0], width, block.kernel, normed=block.normed)
        self.aux: nn.Module | None = None
        if plan.aux is not None:
            fitted = plan.aux
            kind = SameTransposed if fitted.up else SameConv
            self.aux = kind(
                fitted.channels, width, fitted.kernel, stride=fitted.stride, normed=block.normed
            )
        outputs = 2 * width if block.gated else width
        kind = SameTransposed if plan.up else SameConv
        self.second = kind(width, outputs, block.kernel, stride=block.stride, normed=block.normed)

    def forward(self, h: Tensor, a: Tensor | None = None) -> Tensor:
        """Map (B, C, h, w), and the skip where the block has a use for it, to the plan's output."""
        y = self.first(self.act(h) if self.plan.activated else h)
        if self.aux is not None and a is not None:
            y = y + self.aux(self.act(a))
        y = self.second(self.act(y))
        if self.plan.block.gated:
            y, gate = y.chunk(2, 1)
            y = y * gate.sigmoid()
        return y + self._beside(h) if self.plan.residual else y

    def _beside(self, h: Tensor) -> Tensor:
        """h in the shape of the output: surplus channels cut, missing ones 0, averaged down."""
        channels, *size = self.plan.output
        h = h[:, :channels]
        if h.shape[1] < channels:
            h = F.pad(h, (0, 0, 0, 0, 0, channels - h.shape[1]))
        if list(h.shape[2:]) != size:
            stride = self.plan.block.stride
            h = F.avg_pool2d(same_padded(h, 3, stride), 3, stride)
        return h


@final
class Path(nn.Module):
    """Blocks one after the other, on features (S, B, C, h, w)."""

    def __init__(self, plans: Sequence[BlockPlan], act: Act) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(PathBlock(plan, act) for plan in plans)
        self.reads_skips = any(plan.aux is not None for plan in plans)

    def forward(self, h: Tensor, skip: Tensor | None = None) -> Tensor:
        """The end of the path, every block offered the same skip (1 or S, B, ...)."""
        return self.outputs(h, [] if skip is None else [skip] * len(self.blocks))[-1]

    def outputs(self, h: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """What every block gives: the j-th is offered the j-th skip.

        Once the skips run out, the path's own outputs are, from its first on.
        """
        queue = list(skips)
        out: list[Tensor] = []
        for j, block in enumerate(self.blocks):
            assert isinstance(block, PathBlock)
            h = fold(block, h) if block.aux is None else fold_two(block, h, queue[j])
            queue.append(h)
            out.append(h)
        return out


def fold_two(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Apply a network of single images to two inputs (1 or S, B, ...) and keep the leading axes."""
    x, y = widest(x, y)
    return function(x.flatten(0, 1), y.flatten(0, 1)).unflatten(0, x.shape[:2])


def widest(*parts: Tensor) -> list[Tensor]:
    """Tensors (1 or S, ...) all brought to the most samples that one has."""
    samples = max(len(part) for part in parts)
    return [part.expand(samples, *part.shape[1:]) for part in parts]


@final
class ToNumbers(nn.Module):
    """Two numbers a unit of a latent, from act of a feature map."""

    def __init__(
        self,
        inputs: tuple[int, int, int],
        shape: tuple[int, ...],
        *,
        act: Act,
        kernel: int = 3,
        normed: bool = True,
    ) -> None:
        super().__init__()
        self.act = ACTS[act]
        self.dense = len(shape) == 1
        channels, height, width = inputs
        if self.dense:
            layer = nn.Linear(channels * height * width, 2 * shape[0])
            self.map: nn.Module = weight_norm(layer) if normed else layer
        else:
            self.map = SameConv(channels, 2 * shape[0], kernel, normed=normed)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(S, B, C, h, w) to both halves, (S, B, units) or (S, B, dim, h, w) each."""
        first, second = fold(self._flat, h).chunk(2, 2)
        return first, second

    def _flat(self, h: Tensor) -> Tensor:
        h = self.act(h)
        out: Tensor = self.map(h.flatten(1) if self.dense else h)
        return out


@final
class FromUnits(nn.Module):
    """A dense latent (S, B, units) as a feature map; a convolutional one stays as it is."""

    def __init__(self, units: int, output: tuple[int, int, int], *, dense: bool) -> None:
        super().__init__()
        self.output = output
        channels, height, width = output
        self.map = weight_norm(nn.Linear(units, channels * height * width)) if dense else None

    def forward(self, z: Tensor) -> Tensor:
        """(S, B, *shape) to (S, B, C, h, w)."""
        if self.map is None:
            return z
        return fold(self.map, z).unflatten(-1, self.output)
