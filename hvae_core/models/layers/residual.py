"""Weight-normalised layers and the residual stage of HVK App. B.1."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from hvae_core.models.layers.bottleneck import resize

_QUIET = 0.1
"""Spread of the raw scales of latents at the start."""


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    """Same-padded convolution with weight normalisation."""
    return weight_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2))


def linear(inputs: int, outputs: int) -> nn.Module:
    """Dense layer with weight normalisation."""
    return weight_norm(nn.Linear(inputs, outputs))


Module = TypeVar("Module", bound=nn.Module)


def without_weight_norm(module: Module) -> Module:
    """Put plain layers with the weights of now in place of weight-normalised ones, and return it.

    torch's own ``remove_parametrizations`` changes the class of the layer, which its copies share.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if parametrize.is_parametrized(child):
                setattr(parent, name, _plain(child))
    return module


def _plain(layer: nn.Module) -> nn.Module:
    """The layer with its weights as they are, without what makes them."""
    kind: Any = type(layer).__bases__[0]  # nn.Conv2d of ParametrizedConv2d
    plain: nn.Module = kind.__new__(kind)
    plain.__dict__.update(layer.__dict__)
    plain._modules = dict(layer._modules)
    made: Any = plain._modules.pop("parametrizations")
    weights = {name: nn.Parameter(getattr(layer, name).detach()) for name in made}
    plain._parameters = {**weights, **layer._parameters}
    return plain


class Residual(nn.Module):
    """y = Conv(Act(Conv_s(Act(x)))) + x, down- or upsampling in the second half (HVK App. B.1)."""

    def __init__(self, *, channels: int, kernel: int, size: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.size = size  # of the output
        self.resize = stride != 1
        self.first = conv(channels, channels, kernel)
        self.second = conv(channels, channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, *size)."""
        h = self.first(F.relu(x))
        if self.resize:
            h, x = resize(h, self.size), resize(x, self.size)
        return x + self.second(F.relu(h))


class Stage(nn.Module):
    """A deterministic transformation: residual blocks, the last of which changes the size."""

    def __init__(
        self, *, channels: int, kernel: int, blocks: int, size: tuple[int, int], stride: int
    ) -> None:
        super().__init__()
        strides = [1] * (blocks - 1) + [stride]
        self.blocks = nn.Sequential(
            *(Residual(channels=channels, kernel=kernel, size=size, stride=s) for s in strides)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, *size)."""
        out: Tensor = self.blocks(x)
        return out


class FromLatent(nn.Module):
    """Bring a latent to a feature map of ``channels`` at ``size``."""

    def __init__(
        self, shape: tuple[int, ...], channels: int, size: tuple[int, int], kernel: int = 3
    ) -> None:
        super().__init__()
        self.out = (channels, *size)
        self.dense = len(shape) == 1
        if self.dense:
            self.map = linear(shape[0], channels * size[0] * size[1])
        else:
            self.map = conv(shape[0], channels, kernel)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, units) or (B, dim, h, w) to (B, channels, *size), channels last in memory."""
        if self.dense:
            h: Tensor = self.map(z)
            return channels_last(h.unflatten(-1, self.out))
        return resize(channels_last(self.map(channels_last(z))), self.out[1:])


class ToLatent(nn.Module):
    """Mean and raw scale of a latent from a feature map (C, H, W), in float32 under autocast too.

    Of all layers these are the ones whose rounding to bfloat16 moves an AUROC most.
    """

    def __init__(self, channels: int, size: tuple[int, int], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.dense = len(shape) == 1
        self.scales = shape[0]  # outputs, the last ones
        if self.dense:
            self.map = linear(channels * size[0] * size[1], 2 * shape[0])
        else:
            self.map = conv(channels, 2 * shape[0], 3)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, 2 units) or (B, 2 dim, h, w)."""
        with without_autocast(h.device):
            h = F.relu(h if h.dtype == torch.float64 else h.float())
            out: Tensor = self.map(h.flatten(1) if self.dense else h)
        return out


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Where numbers keep their format; some kinds of device know no other."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def channels_last(x: Tensor) -> Tensor:
    """The same numbers (B, C, h, w), laid out as convolutions read and pass them on fastest."""
    try:
        return x.contiguous(memory_format=torch.channels_last)
    except RuntimeError:  # under torch.func.vmap, which has no rule for it
        return x


def fold(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a network of single images to (S, B, ...) and keep the leading axes."""
    return function(x.flatten(0, 1)).unflatten(0, x.shape[:2])


@torch.no_grad()
def data_dependent_init(model: nn.Module, run: Callable[[], object]) -> None:
    """Scale every weight-normalised layer so that its outputs start at mean 0, variance 1.

    (Salimans and Kingma 2016.) ``run`` sends one batch through the model; layers are set in the
    order in which they are first called, each seeing inputs from layers already set. Raw scales of
    latents start at a spread of 0.1: with 1, the first steps drive some prior's scale to its floor,
    where an ELBO is of the size of -10^10.
    """
    done: set[nn.Module] = set()
    quiet = {part.map: part.scales for part in model.modules() if isinstance(part, ToLatent)}

    def hook(layer: nn.Module, _inputs: object, out: Tensor) -> Tensor:
        # A layer may be called again, for another sample or another k: the first call counts.
        if layer in done:
            return out
        done.add(layer)
        # 1. What each channel, or unit, gives over images and places.
        axes = [axis for axis in range(out.dim()) if axis != 1]
        mean = out.mean(axes)
        # The spread of one number is unknown: a dense layer that saw one image keeps its scale.
        alone = out.numel() == out.shape[1]
        std = torch.ones_like(mean) if alone else out.std(axes).clamp_min(1e-2)
        std[len(std) - quiet.get(layer, 0) :] /= _QUIET
        # 2. Its gain g and offset b, such that (g v/|v|) x + b has mean 0 and that variance.
        gain = layer.get_parameter("parametrizations.weight.original0")
        gain.div_(std.view_as(gain))  # along whichever axis its outputs lie
        layer.get_parameter("bias").sub_(mean).div_(std)
        # 3. The output as the new weights would give it, so that layers above see such inputs.
        shape = [1, -1] + [1] * (out.dim() - 2)
        return (out - mean.view(shape)) / std.view(shape)

    handles = [
        layer.register_forward_hook(hook)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        and hasattr(layer, "parametrizations")
    ]
    run()
    for handle in handles:
        handle.remove()
