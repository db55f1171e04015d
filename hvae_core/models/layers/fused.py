"""Offsets, activations and sums of residual blocks in one pass over a feature map each.

A graphics card adds a convolution's offset in a pass of its own, takes the activation in another
and the sum with the block's input in a third; each reads and writes the whole map, and together
they take as long as the convolutions. torch.compile makes one kernel of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.errors import ConfigError
from hvae_core.models.layers.bottleneck import Bottleneck, resize
from hvae_core.models.layers.residual import Residual

Make = Callable[[Callable[..., Tensor]], Callable[..., Tensor]]
"""Makes one kernel of a function."""


def _relu(h: Tensor, offset: Tensor) -> Tensor:
    return F.relu(h + offset.view(-1, 1, 1))


def _silu(h: Tensor, offset: Tensor) -> Tensor:
    return F.silu(h + offset.view(-1, 1, 1))


def _sum(x: Tensor, h: Tensor, offset: Tensor) -> Tensor:
    return x + (h + offset.view(-1, 1, 1))


@lru_cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    made: Any = torch.compile(function, dynamic=True, fullgraph=True)
    return made


def compiled_for(device: torch.device) -> Make:
    """Kernels for maps of any size on ``device``; making them takes seconds, once.

    Raises ``ConfigError`` where torch finds nothing to make them with.
    """
    h, offset = torch.zeros(2, 3, 4, 4, device=device), torch.zeros(3, device=device)
    try:
        for one in (_relu, _silu):
            _compiled(one)(h, offset)
        _compiled(_sum)(h, h, offset)
    except Exception as exc:  # of torch's compiler, of Triton or of the C compiler that it calls
        raise ConfigError(
            "Kernels cannot be made on this machine, which takes a C compiler, and Triton for a "
            "graphics card; leave out --compile full."
        ) from exc
    return _compiled


def fuse(model: nn.Module, make: Make) -> nn.Module:
    """Put blocks that run in fewer passes in place of a model's plain ones, and return it.

    Weights are shared and numbers equal but for rounding. For evaluation alone: layers must be
    without weight normalisation.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is Residual:
                setattr(parent, name, _Residual(child, make))
            elif type(child) is Bottleneck:
                setattr(parent, name, _Bottleneck(child, make))
    return model


class _Residual(nn.Module):
    """``Residual``; a change of size comes before the offset, which it leaves as it is."""

    def __init__(self, plain: Residual, make: Make) -> None:
        super().__init__()
        self.plain = plain
        self._relu, self._sum = make(_relu), make(_sum)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, *size)."""
        first, second = self.plain.first, self.plain.second
        h = _without_offset(first, F.relu(x))
        if self.plain.resize:
            h, x = resize(h, self.plain.size), resize(x, self.plain.size)
        h = _without_offset(second, self._relu(h, first.bias))
        return self._sum(x, h, second.bias)


class _Bottleneck(nn.Module):
    """``Bottleneck``."""

    def __init__(self, plain: Bottleneck, make: Make) -> None:
        super().__init__()
        self.plain = plain
        self._silu, self._sum = make(_silu), make(_sum)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        first, *between, last = self.plain.convs
        h, before = _without_offset(first, F.silu(x)), first
        for conv in between:
            h, before = _without_offset(conv, self._silu(h, before.bias)), conv
        h = self._silu(h, before.bias)
        if not self.plain.residual:
            out: Tensor = last(h)
            return out
        return self._sum(x, _without_offset(last, h), last.bias)


def _without_offset(conv: Any, x: Tensor) -> Tensor:
    return F.conv2d(x, conv.weight, None, conv.stride, conv.padding)
