"""The same three networks as families of the house: steps of ``BottomUpSteps``, ``TopDownSteps``.

Each has the weights of its adapter and runs none of its ``forward``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.models import Gaussian, HierarchicalVAE, LatentSpec
from hvae_core.models.distributions import Bernoulli, DiscretisedLogistic, Likelihood
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.residual import fold
from hvae_core.models.pixels import binarise
from tests.models.adapters import bottom_up, deep, flat


class _Twin(HierarchicalVAE):
    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[str, ...]

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        named = enumerate(zip(self.shapes, self.groups, strict=True), start=1)
        return tuple(LatentSpec(f"z{i}", i, shape, group) for i, (shape, group) in named)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (1, 8, 8)

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        return binarise(x, noise)

    def inference_weights(self) -> Iterable[nn.Parameter]:
        return ()


def _gaussian(raw: Tensor) -> Gaussian:
    mean, spread = raw.chunk(2, dim=2)
    return Gaussian(mean, F.softplus(spread) + 1e-3)


class Flat(_Twin, BottomUpVAE):
    shapes, groups = ((6,),), ("z",)
    kind = flat.FlatVAE

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        mean, log_std = fold(self.net.encoder, x).chunk(2, dim=2)
        return Gaussian(mean, log_std.exp())

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        raise AssertionError("one layer has the top's prior alone")

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        return Bernoulli(fold(self.net.decoder, z[0]).unflatten(2, (1, 8, 8)))


class BottomUp(_Twin, BottomUpVAE):
    shapes, groups = ((2, 4, 4), (6,), (4,)), ("z1", "z2", "z3")
    kind = bottom_up.BottomUpVAE

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        net = (self.net.to_q1, self.net.to_q2, self.net.to_q3)[index - 1]
        return _gaussian(fold(net, x if index == 1 else below[-1]))

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        raw = fold((self.net.to_p1, self.net.to_p2)[index - 1], above[0])
        return _gaussian(raw.unflatten(2, (4, 4, 4)) if index == 1 else raw)

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        return Bernoulli(fold(self.net.to_x, z[0]))


class Deep(_Twin, TopDownVAE):
    shapes = ((2, 8, 8),) * 3 + ((2, 4, 4),) * 2
    groups = ("8x8",) * 3 + ("4x4",) * 2
    kind = deep.DeepVAE

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        return x

    def encode(self, x: Tensor) -> list[Tensor]:
        return [each.unsqueeze(0) for each in self.net.encoder(x[0])]

    def start(self, batch: int) -> Tensor:
        return self.net.start.expand(batch, -1, -1, -1).unsqueeze(0)

    def prior(self, index: int, state: Tensor) -> Gaussian:
        return _gaussian(self._raw(index, state)[:, :, : 2 * deep.DIM])

    def posterior(self, index: int, state: Tensor, prior: Any, features: Any) -> Gaussian:
        seen = features[int(index > 3)].expand(*state.shape[:2], -1, -1, -1)
        return _gaussian(fold(self._block(index).to_q, torch.cat([state, seen], 2)))

    def absorb(self, index: int, state: Tensor, z: Tensor) -> Tensor:
        block = self._block(index)
        h = state + self._raw(index, state)[:, :, 2 * deep.DIM :] + fold(block.from_z, z)
        h = h + fold(lambda t: block.refine(F.silu(t)), h)
        return fold(lambda t: F.interpolate(t, scale_factor=2), h) if index == 4 else h

    def emit(self, state: Tensor) -> Likelihood:
        return DiscretisedLogistic.from_raw(fold(self.net.to_x, state))

    def _block(self, index: int) -> Any:
        return self.net.blocks[5 - index]

    def _raw(self, index: int, state: Tensor) -> Tensor:
        return fold(lambda t: self._block(index).to_p(F.silu(t)), state)
