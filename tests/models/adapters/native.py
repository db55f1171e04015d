"""Families of the house as a stranger would have them: their steps in one forward, and marks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributions import Normal

import hvae_core as hv
from hvae_core.models import Gaussian


def normal(law: Any) -> Normal:
    """One of the house's Gaussians (1, N, *shape) as torch has it."""
    return Normal(law.mean[0], law.std[0])


class BottomUp(nn.Module):
    """Up by ``infer``, down by ``prior``."""

    def __init__(self, family: Any) -> None:
        super().__init__()
        self.family = family

    def forward(self, x: Tensor) -> Any:
        family, below, above = self.family, [], []
        for i in range(1, family.n_layers + 1):
            below.append(hv.infer(f"z{i}", normal(family.posterior(i, x[None], below)))[None])
        for i in range(family.n_layers, 0, -1):
            p = family.prior(i, above) if above else family.top_prior(len(x))
            above.insert(0, hv.prior(f"z{i}", normal(p))[None])
        return hv.image(family.decode(above))


class TopDown(nn.Module):
    """Features of the image first, then down by ``latent``."""

    def __init__(self, family: Any) -> None:
        super().__init__()
        self.family = family

    def forward(self, x: Tensor) -> Any:
        family = self.family
        features = [self._law(*each) for each in self.encode(x)]
        state = family.start(len(x))
        for spec in reversed(family.latents):
            p = family.prior(spec.index, state)
            q = family.posterior(spec.index, state, p, features)
            z = hv.latent(f"{spec.group}/{spec.name}", q=normal(q), p=normal(p))
            state = family.absorb(spec.index, state, z[None])
        return hv.image(family.emit(state))

    def encode(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        """The features without the axis of samples, Gaussians by mean and std."""
        found = self.family.encode(x[None])
        return [
            (each.mean[0], each.std[0]) if isinstance(each, Gaussian) else (each[0],)
            for each in found
        ]

    def _law(self, *parts: Tensor) -> Any:
        if len(parts) == 1:
            return parts[0][None]
        return Gaussian(parts[0][None], parts[1][None])


class BothWays(nn.Module):
    """z^BU by ``infer`` and ``prior``, z^TD and z_L by ``latent``."""

    def __init__(self, family: Any) -> None:
        super().__init__()
        self.family = family

    def forward(self, x: Tensor) -> Any:
        family, d = self.family, {}
        up, top = family.enter(x[None]), family.n_levels
        for level in range(1, top + 1):
            d[level] = family.features(level, up)
            if level < top:
                q = family.posterior_up(level, d[level])
                up = family.rise(level, d[level], hv.infer(f"{level}/up", normal(q))[None])
        state = family.start(len(x))
        for level in range(top, 0, -1):
            priors = family.priors_of(level, state, len(x))
            q = family.posterior_down(level, state, d[level])
            z = hv.latent(f"{level}/down", q=normal(q), p=normal(priors[-1]))[None]
            parts = [z]
            if level < top:
                parts.insert(0, hv.prior(f"{level}/up", normal(priors[0]))[None])
            state = family.absorb(level, state, parts)
        return hv.image(family.emit(state))
