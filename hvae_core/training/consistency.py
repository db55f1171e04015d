"""Consistency of inference: an image and the same a little moved have one posterior (CR-VAE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.config import TrainConfig
from hvae_core.models import HierarchicalVAE
from hvae_core.models.distributions import Gaussian


@final
class Beside(Noise):
    """The numbers of another noise under names of their own: independent of those."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers (S, B, *shape)."""
        return self.noise.normal(f"beside {name}", samples, batch, shape)

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Uniform numbers (S, B, *shape)."""
        return self.noise.uniform(f"beside {name}", samples, batch, shape)


@final
class _Again(Noise):
    """The numbers of another noise, and the same ones again under a name that was asked for."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self._given: dict[str, Tensor] = {}

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers (S, B, *shape)."""
        if name not in self._given:
            self._given[name] = self.noise.normal(name, samples, batch, shape)
        return self._given[name]

    def uniform(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        """Uniform numbers (S, B, *shape)."""
        if name not in self._given:
            self._given[name] = self.noise.uniform(name, samples, batch, shape)
        return self._given[name]


def moved(x: Tensor, config: TrainConfig, noise: Noise) -> Tensor:
    """Return t(x): grey images (B, C, H, W) in [0, 1], each turned, shifted and scaled by chance.

    Uniform within ``move_degrees``, ``move_share`` of a side and ``move_scale``, which are the
    ranges of the authors' public program for CR-VAE. Where the picture ends its edge goes on. The
    result has grey levels k / 255, as every image has.
    """
    by = 2 * noise.uniform("moved", 1, len(x), (4,))[0].to(x.device) - 1
    angle = math.radians(config.move_degrees) * by[:, 0]
    size = 1 + config.move_scale * by[:, 1]
    cos, sin = angle.cos() / size, angle.sin() / size
    # Sides run from -1 to 1 whatever their length: a turn goes by pixels.
    wide = x.shape[3] / x.shape[2]
    across, down = 2 * config.move_share * by[:, 2], 2 * config.move_share * by[:, 3]
    rows = [torch.stack([cos, sin / wide, across], 1), torch.stack([-sin * wide, cos, down], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    there = F.grid_sample(x, grid.to(x.dtype), padding_mode="border", align_corners=False)
    return (255 * there).round().clamp(0, 255) / 255


def consistent(model: HierarchicalVAE, x: Tensor, other: Tensor, *, noise: Noise) -> Tensor:
    """KL(q(z | t(x)) || q(z | x)) in nats, (B,), of prepared images (Sinha and Dieng 2021).

    The direction is that of the authors' public program, which has one layer; their bounds of x and
    of t(x) stand beside it with equal weights (their Eq. 3), here all halved.
    Over all layers by the chain rule: the sum of KL(q(z_i | ., t(x)) || q(z_i | ., x)) in closed
    form, both given the same draws of the layers before, which are those of t(x). ``noise`` makes
    these. A layer whose posterior is certain, as a context, has no finite divergence and is left
    out.
    """
    theirs: dict[int, Any] = {}
    ours: dict[int, Any] = {}

    def note(index: int, q: Any) -> Any:
        theirs[index] = q
        return q

    def follow(index: int, q: Any) -> Any:
        ours[index] = q
        return theirs[index]  # so that what comes next is given the draws of t(x)

    noise = _Again(noise)  # a stream would give the second pass other draws
    model.with_posteriors(note).posteriors(other, noise=noise, up="sample")
    model.with_posteriors(follow).posteriors(x, noise=noise, up="sample")
    terms = [q.kl(ours[index]) for index, q in theirs.items() if isinstance(q, Gaussian)]
    return torch.stack(terms).sum((0, 1))
