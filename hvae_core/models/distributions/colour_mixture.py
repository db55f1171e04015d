"""The discretised logistic mixture as PixelCNN++ and the field's checkpoints compute it.

On a scale of [-1, 1]: p(x) = sum_k pi_k prod_c P(x_c | mu_kc(x_<c), s_kc) of every pixel, three
colours, mu_k1 = m_k1, mu_k2 = m_k2 + a_k1 x_1, mu_k3 = m_k3 + a_k2 x_1 + a_k3 x_2 (Salimans et al.
2017, as hvae-oodd, vdvae and biva-pytorch have it). It differs from ``MixtureLogistic`` in what a
network's numbers mean, and where a bin holds next to nothing it takes the density in place of the
mass.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.models.distributions.base import PixelLikelihood

COLOURS = 3
NUMBERS = 1 + 3 * COLOURS
"""Raw numbers of one component of one pixel: a weight, and mean, log-scale, slope a colour."""
_LEAST_LOG_SCALE = -7.0
_EDGE = 0.999
"""Beyond this the outermost bins begin, which hold a whole tail."""
_LEAST_FLOORED = 1e-10
_LEAST_MASS = 1e-5
"""A bin with less takes the density at its centre times its width."""


@dataclass(frozen=True)
class ColourLogistics(PixelLikelihood):
    """K components a pixel; ``logits`` (S, B, K, H, W), of the others each is (S, B, 3, K, H, W).

    ``levels`` grey levels lie from -1 to 1: a bin reaches 1 / (levels - 1) to either side. x may
    lie anywhere in [0, 1], on a level or between.
    """

    logits: Tensor
    location: Tensor
    log_scale: Tensor
    slopes: Tensor
    levels: int = 256

    @staticmethod
    def split(raw: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights, means, log-scales and slopes of (S, B, 10 K, H, W), each colour's together."""
        components = raw.shape[2] // NUMBERS
        logits, rest = raw.split([components, raw.shape[2] - components], dim=2)
        location, log_scale, slopes = rest.unflatten(2, (COLOURS, 3, components)).unbind(3)
        return logits, location, log_scale, slopes.tanh()

    def terms(self, x: Tensor) -> Tensor:
        """log P of every pixel in nats (S, B, 1, H, W), x (B, 3, H, W) in [0, 1]."""
        return self.terms_at(2 * x - 1)

    def terms_at(self, pixel: Tensor) -> Tensor:
        """log P of every pixel in nats (S, B, 1, H, W) at values (B, 3, H, W) in [-1, 1]."""
        pixel = pixel.unsqueeze(0).unsqueeze(3)  # (1, B, 3, 1, H, W)
        colours = pixel.unbind(2)
        log_p = F.log_softmax(self.logits, 2)
        for c, colour in enumerate(colours):
            log_p = log_p + self._log_mass(colour, self._location(c, colours[:c]), c)
        return log_p.logsumexp(2).unsqueeze(2)

    @property
    def mean(self) -> Tensor:
        """Components' locations by their weights (S, B, 3, H, W), slopes applied to locations.

        Each is brought into the grey range first, as in the other likelihoods.
        """
        mean: list[Tensor] = []
        for c in range(COLOURS):
            mean.append(self._location(c, mean).clamp(-1, 1))
        weight = self.logits.softmax(2).unsqueeze(2)
        return _unit((weight * torch.stack(mean, 2)).sum(3))

    @property
    def mode(self) -> Tensor:
        """Colour by colour the likeliest level given those before (S, B, 3, H, W)."""
        return self.likeliest([2 * i / (self.levels - 1) - 1 for i in range(self.levels)])

    def likeliest(self, values: Sequence[float]) -> Tensor:
        """Colour by colour the likeliest of the values given those before (S, B, 3, H, W).

        Values are in [-1, 1], the result in [0, 1]. The joint mode would need the cube of their
        number of evaluations; a mixture's peak can lie between components, so all are looked at.
        """
        log_weight = F.log_softmax(self.logits, 2)
        done: list[Tensor] = []  # (S, B, 1, H, W) each
        for c in range(COLOURS):
            location = self._location(c, done)
            top = torch.full_like(log_weight[:, :, :1], -torch.inf)
            best = torch.zeros_like(top)
            for each in values:
                x = torch.full_like(top, each)
                value = (log_weight + self._log_mass(x, location, c)).logsumexp(2, keepdim=True)
                best = torch.where(value > top, x, best)
                top = torch.maximum(value, top)
            log_weight = log_weight + self._log_mass(best, location, c)
            done.append(best)
        return _unit(torch.cat(done, 2))

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, 3, H, W) in [0, 1], on levels, from uniform noise of that shape."""
        steps = self.levels - 1
        return (_unit(self.draw(noise)) * steps).round() / steps

    def draw(self, noise: Tensor) -> Tensor:
        """Draw values (S, B, 3, H, W) in [-1, 1], not rounded, from uniform noise of that shape.

        The first colour's number picks the component; where it fell within that component's share
        of [0, 1) is uniform again, and draws the first colour.
        """
        weight = self.logits.softmax(2)
        ends = weight.cumsum(2)
        ends = ends / ends[:, :, -1:]
        u = noise[:, :, :1]
        component = (u >= ends).sum(2, keepdim=True).clamp_max(weight.shape[2] - 1)
        share = _of(weight, component)
        begin = _of(ends, component) - share
        uniform = torch.cat([((u - begin) / share).clamp(0, 1), noise[:, :, 1:]], 2)
        return self.draw_from(component, uniform)

    def draw_from(self, component: Tensor, uniform: Tensor) -> Tensor:
        """Values in [-1, 1] of the chosen components (S, B, 1, H, W), by uniform numbers.

        Both the numbers and the result are (S, B, 3, H, W).
        """
        done: list[Tensor] = []
        for c, share in enumerate(uniform.split(1, 2)):
            location = _of(self._location(c, done), component)
            log_scale = _of(self.log_scale[:, :, c], component)
            v = share.clamp(1e-5, 1 - 1e-5)
            x = location + log_scale.exp() * (v.log() - torch.log1p(-v))
            done.append(x.clamp(-1, 1))
        return torch.cat(done, 2)

    def _location(self, c: int, before: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
        """mu_kc (S, B, K, H, W) given the colours before, each (S, B, 1 or K, H, W)."""
        location = self.location[:, :, c]
        first = c * (c - 1) // 2  # slopes in the order 21, 31, 32, each in a colour's slot
        for j in range(c):
            location = location + self.slopes[:, :, first + j] * before[j]
        return location

    @abstractmethod
    def _log_mass(self, x: Tensor, location: Tensor, c: int) -> Tensor:
        """log P(x_c | x_<c) of every component (S, B, K, H, W), x in [-1, 1]."""


@final
@dataclass(frozen=True)
class ColourMixture(ColourLogistics):
    """As PixelCNN++, vdvae, hvae-oodd and biva: log-scales from -7, thin bins by density."""

    @staticmethod
    def from_raw(raw: Tensor, levels: int = 256) -> ColourMixture:
        """From a network's numbers (S, B, 10 K, H, W)."""
        logits, location, log_scale, slopes = ColourLogistics.split(raw)
        return ColourMixture(
            logits, location, log_scale.clamp_min(_LEAST_LOG_SCALE), slopes, levels
        )

    def _log_mass(self, x: Tensor, location: Tensor, c: int) -> Tensor:
        """log P(x_c | x_<c) of every component, x in [-1, 1]: a tail at the ends, else a bin."""
        log_scale = self.log_scale[:, :, c]
        half = 1 / (self.levels - 1)
        narrow = (-log_scale).exp()
        centre = narrow * (x - location)
        upper = narrow * (x - location + half)
        lower = narrow * (x - location - half)
        mass = upper.sigmoid() - lower.sigmoid()
        density = centre - log_scale - 2 * F.softplus(centre) - math.log((self.levels - 1) / 2)
        inside = torch.where(
            mass > _LEAST_MASS, mass.clamp_min(_LEAST_MASS).log(), density
        )  # the clamp keeps gradients of the branch that is not taken finite
        inside = torch.where(x > _EDGE, -F.softplus(lower), inside)
        return torch.where(x < -_EDGE, upper - F.softplus(upper), inside)


@final
@dataclass(frozen=True)
class FlooredMixture(ColourLogistics):
    """As dvp_vae: log-scales from -8 to 1, and no bin holds less than 1e-10."""

    @staticmethod
    def from_raw(raw: Tensor, levels: int = 256) -> FlooredMixture:
        """From a network's numbers (S, B, 10 K, H, W)."""
        logits, location, log_scale, slopes = ColourLogistics.split(raw)
        return FlooredMixture(logits, location, log_scale.clamp(-8, 1), slopes, levels)

    def _log_mass(self, x: Tensor, location: Tensor, c: int) -> Tensor:
        """log P(x_c | x_<c) of every component, x in [-1, 1]: a tail at the ends, else a bin."""
        half = 1 / (self.levels - 1)
        narrow = (-self.log_scale[:, :, c]).exp()
        upper = narrow * (x - location + half)
        lower = narrow * (x - location - half)
        inside = (upper.sigmoid() - lower.sigmoid()).clamp_min(_LEAST_FLOORED).log()
        inside = torch.where(x >= 1 - half, -F.softplus(lower), inside)
        return torch.where(x <= half - 1, upper - F.softplus(upper), inside)


def _unit(x: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1]."""
    return (x + 1) / 2


def _of(values: Tensor, component: Tensor) -> Tensor:
    """What belongs to the chosen component: (S, B, 1, H, W) from (1 or S, B, K, H, W)."""
    return values.expand(*component.shape[:2], *values.shape[2:]).gather(2, component)
