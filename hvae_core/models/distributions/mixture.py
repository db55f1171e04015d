"""Mixture of discretised logistics, channels autoregressive in their means (Salimans et al. 2017).

p(x_1, .., x_C) = sum_k pi_k prod_c P(x_c | mu_kc(x_<c), s_kc) for every pixel, where the component
is common to the channels of a pixel and mu_kc = m_kc + sum_{j<c} a_kcj (x_j - 1/2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.models.distributions.base import PixelLikelihood
from hvae_core.models.distributions.logistic import LEVELS, draw_level, location_and_scale, log_mass


def numbers_a_pixel(components: int, colours: int) -> int:
    """Raw numbers of a pixel: K weights, 2 K C locations and scales, K C (C - 1) / 2 slopes."""
    return components * (1 + 2 * colours + colours * (colours - 1) // 2)


@dataclass(frozen=True)
class MixtureLogistic(PixelLikelihood):
    """K components a pixel; ``logits`` (S, B, K, H, W), of the others each is (S, B, K, C, H, W).

    ``slopes`` is (S, B, K, C (C - 1) / 2, H, W): a_21, a_31, a_32, a_41, ... One channel has none,
    two have one, three have the three of the original, four six. Grey-range units.
    """

    logits: Tensor
    location: Tensor
    scale: Tensor
    slopes: Tensor

    @staticmethod
    def from_raw(raw: Tensor, components: int, colours: int) -> MixtureLogistic:
        """Split (S, B, numbers_a_pixel, H, W); slopes go through tanh, as in the original."""
        pairs = colours * (colours - 1) // 2
        sizes = [components * n for n in (1, colours, colours, pairs)]
        logits, *rest = raw.split(sizes, dim=2)
        shapes = ((components, n) for n in (colours, colours, pairs))
        location, scale, slopes = (
            part.unflatten(2, shape) for part, shape in zip(rest, shapes, strict=True)
        )
        return MixtureLogistic(logits, *location_and_scale(location, scale), slopes.tanh())

    @property
    def colours(self) -> int:
        """C, the number of channels."""
        return self.location.shape[3]

    def terms(self, x: Tensor) -> Tensor:
        """log P of every pixel in nats (S, B, 1, H, W), x a multiple of 1/255 in [0, 1]."""
        pixel = x.unsqueeze(0).unsqueeze(2)  # (1, B, 1, C, H, W)
        log_p = F.log_softmax(self.logits, 2)
        for c in range(self.colours):
            log_p = log_p + self._channel(c, pixel[:, :, :, c], pixel)
        return log_p.logsumexp(2).unsqueeze(2)

    @property
    def mean(self) -> Tensor:
        """Components' locations by their weights (S, B, C, H, W), slopes applied to locations.

        Each location is brought into the grey range first, as in the other likelihoods: the mean of
        a logistic cut off at black and white, of which the next channel depends, has no closed
        form.
        """
        mean: list[Tensor] = []
        for c in range(self.colours):
            mean.append(self._location(c, mean).clamp(0, 1))
        weight = self.logits.softmax(2).unsqueeze(3)
        return (weight * torch.stack(mean, 3)).sum(2)

    @property
    def mode(self) -> Tensor:
        """Channel by channel the likeliest grey level given those before (S, B, C, H, W).

        With one channel it is the mode; the joint mode of several would need 256^C evaluations.
        The peak of a mixture can lie between its components: all 256 levels are looked at.
        """
        log_weight = F.log_softmax(self.logits, 2)
        done: list[Tensor] = []  # (S, B, 1, H, W) each
        for c in range(self.colours):
            location = self._location(c, done)
            top = torch.full_like(log_weight[:, :, :1], -torch.inf)
            best = torch.zeros_like(top)
            for level in range(LEVELS):
                x = torch.full_like(top, level / (LEVELS - 1))
                mass = log_weight + log_mass(x, location, self.scale[:, :, :, c])
                value = mass.logsumexp(2, keepdim=True)
                best = torch.where(value > top, x, best)
                top = torch.maximum(value, top)
            log_weight = log_weight + log_mass(best, location, self.scale[:, :, :, c])
            done.append(best)
        return torch.cat(done, 2)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images of 256 grey levels (S, B, C, H, W) from uniform noise of that shape.

        The first channel's number picks the component; where it fell within that component's
        share of [0, 1) is uniform again, and draws the first channel.
        """
        weight = self.logits.softmax(2)
        ends = weight.cumsum(2)
        ends = ends / ends[:, :, -1:]  # so that no number below 1 falls behind the last component
        u = noise[:, :, :1]
        component = (u >= ends).sum(2, keepdim=True).clamp_max(weight.shape[2] - 1)
        share = _of(weight, component)
        begin = _of(ends, component) - share
        uniform = [((u - begin) / share).clamp(0, 1), *noise[:, :, 1:].split(1, 2)]
        done: list[Tensor] = []
        for c in range(self.colours):
            location = _of(self._location(c, done), component)
            done.append(draw_level(uniform[c], location, _of(self.scale[:, :, :, c], component)))
        return torch.cat(done, 2)

    def _location(self, c: int, before: list[Tensor]) -> Tensor:
        """mu_kc (S, B, K, H, W) given the channels before, each (S, B, 1 or K, H, W)."""
        location = self.location[:, :, :, c]
        first = c * (c - 1) // 2
        for j in range(c):
            location = location + self.slopes[:, :, :, first + j] * (before[j] - 0.5)
        return location

    def _channel(self, c: int, x: Tensor, pixel: Tensor) -> Tensor:
        """log P(x_c | x_<c) of every component (S, B, K, H, W)."""
        before = [pixel[:, :, :, j] for j in range(c)]
        return log_mass(x, self._location(c, before), self.scale[:, :, :, c])


def _of(values: Tensor, component: Tensor) -> Tensor:
    """What belongs to the chosen component: (S, B, 1, H, W) from (1 or S, B, K, H, W)."""
    return values.expand(*component.shape[:2], *values.shape[2:]).gather(2, component)
