"""The models of the project biva-pytorch (after Maaloe et al. 2019), as its checkpoints have them.

All are stages of gated residual paths (``layers/paths``); they differ in what q(z | x) reads. KL
terms are log q - log p of the draw, at the top too, as in the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, final

import torch
from torch import Tensor, nn

from hvae_core.config.families.biva_pytorch import (
    GatedBIVAConfig,
    GatedLVAEConfig,
    GatedVAEConfig,
)
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.gated import ACT, GatedStages
from hvae_core.models.inference.both_ways import BidirectionalVAE
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.inference.memory import remembered
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.paths import Path, widest


@final
class GatedVAE(GatedStages, BottomUpVAE):
    """h_i from z_{i-1} (x for i = 1) and h_{i-1}; q(z_i | .) reads h_i."""

    config: GatedVAEConfig

    def build_up(self) -> None:
        """The way up, from one latent to the next."""
        self.up = nn.ModuleList(Path(plans, ACT) for plans in self.config.ups)
        self.to_q = self.numbers(self.config.features)
        self.from_up = self.upward()

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up."""
        modules = (self.up, self.to_q, self.from_up)
        return chain.from_iterable(module.parameters() for module in modules)

    @property
    def reach(self) -> int:
        """All layers below, through the features, or without skips the one below."""
        return self.n_layers if self.config.skip_up else 1

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_<i, x) from h_i."""
        return self.gaussian(self.to_q, index - 1, self._rise(index, x, below[: index - 1]))

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_>i) from the features of stage i + 1."""
        return self.gaussian(self.to_p, index - 1, self._down(index, above)[-1])

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z)."""
        return self.picture(self._down(0, z)[-1])

    def _rise(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Tensor:
        """h_index, from x and z_1 .. z_{index-1}."""

        def compute() -> Tensor:
            inputs = self.from_up[index - 2](below[-1]) if below else self.pixels(x)
            reads = bool(below) and self.config.skip_up
            h: Tensor = self.up[index - 1](
                inputs, self._rise(index - 1, x, below[:-1]) if reads else None
            )
            return h

        return remembered((id(self), "up", index), (x, *below), compute)

    def _down(self, index: int, above: Sequence[Tensor]) -> list[Tensor]:
        """What the blocks of the stage above z_index give on the way down, from all of z_>index."""

        def compute() -> list[Tensor]:
            reads = len(above) > 1 and self.config.skip_down
            outputs = self._down(index + 1, above[1:]) if reads else []
            return self.descend(index, above[0], outputs)

        return remembered((id(self), "down", index), above, compute)


@final
class GatedLVAE(GatedStages, TopDownVAE):
    """A deterministic way up h_i; q(z_i | z_>i, x) reads h_i merged with the way down."""

    config: GatedLVAEConfig

    def build_up(self) -> None:
        """The way up, and what merges it with the way down."""
        self.up = nn.ModuleList(Path(plans, ACT) for plans in self.config.ups)
        self.merge = nn.ModuleList(Path(plans, ACT) for plans in self.config.merges)
        self.to_q = self.numbers([plans[-1].output for plans in self.config.merges])

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up and of the merging."""
        modules = (self.up, self.merge, self.to_q)
        return chain.from_iterable(module.parameters() for module in modules)

    def encode(self, x: Tensor) -> list[Tensor]:
        """h_1 .. h_L of images (1, B, C, H, W)."""
        out: list[Tensor] = []
        for path in self.up:
            out.append(path(out[-1], out[-1]) if out else path(self.pixels(x)))
        return out

    def start(self, batch: int) -> tuple[int, list[Tensor]]:
        """Nothing is above z_L but the number of images."""
        return batch, []

    def prior(self, index: int, state: tuple[int, list[Tensor]]) -> Gaussian:
        """p(z_i | z_>i) from the features above, p(z_L) at the top."""
        batch, above = state
        return self.gaussian(self.to_p, index - 1, above[-1]) if above else self.top_prior(batch)

    def posterior(
        self, index: int, state: tuple[int, list[Tensor]], prior: Any, features: Sequence[Tensor]
    ) -> Gaussian:
        """q(z_i | z_>i, x) from h_i and the features above."""
        _, above = state
        merged = self.merge[index - 1](features[index - 1], above[-1] if above else None)
        return self.gaussian(self.to_q, index - 1, merged)

    def absorb(
        self, index: int, state: tuple[int, list[Tensor]], z: Tensor
    ) -> tuple[int, list[Tensor]]:
        """What the blocks of stage i give."""
        batch, above = state
        return batch, self.descend(index - 1, z, above)

    def emit(self, state: tuple[int, list[Tensor]]) -> Likelihood:
        """p(x | z) from the lowest features."""
        return self.picture(state[1][-1])


@final
class GatedBIVA(GatedStages, BidirectionalVAE):
    """Two ways up, b_i through z^BU and t_i beside it; q(z_i^TD | .) reads t_i and the way down."""

    config: GatedBIVAConfig

    def build_up(self) -> None:
        """Both ways up, and what merges them with each other and with the way down."""
        config = self.config
        self.up = nn.ModuleList(Path(plans, ACT) for plans in config.ups)
        self.across = nn.ModuleList(Path(plans, ACT) for plans in config.across)
        self.to_q_up = self.numbers(config.features[:-1])
        self.from_up = self.upward()
        self.merge = nn.ModuleList(Path(plans, ACT) for plans in config.merges)
        self.top = Path(config.top, ACT)
        self.to_q = self.numbers([plans[-1].output for plans in (*config.merges, config.top)])
        self.to_p_up = self.numbers(config.ends[1:])

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of both ways up and of the merging."""
        modules = (self.up, self.across, self.to_q_up, self.from_up)
        modules += (self.merge, self.top, self.to_q)  # type: ignore[assignment]
        return chain.from_iterable(module.parameters() for module in modules)

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The image on both ways, and no skip."""
        pixels = self.pixels(x)
        return pixels, pixels, None

    def features(self, level: int, state: tuple[Tensor, Tensor, Tensor | None]) -> Tensor:
        """b_i and t_i side by side, which the stage above has for a skip."""
        through, beside, skip = state
        b = self.up[level - 1](through, skip)
        t = self.across[level - 1](beside, b)
        return torch.cat(widest(b, t), 2)

    def posterior_up(self, level: int, d: Tensor) -> Gaussian:
        """q(z_i^BU | x, z_<i^BU) from b_i."""
        return self.gaussian(self.to_q_up, level - 1, d.chunk(2, 2)[0])

    def rise(self, level: int, d: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z_i^BU, t_i, and both as a skip."""
        return self.from_up[level - 1](z), d.chunk(2, 2)[1], d

    def start(self, batch: int) -> list[Tensor]:
        """Nothing is above z_L."""
        return []

    def priors(self, level: int, state: list[Tensor]) -> tuple[Gaussian, Gaussian]:
        """p(z_i^BU | z_>i) and p(z_i^TD | z_>i), both from the features above."""
        return (
            self.gaussian(self.to_p_up, level - 1, state[-1]),
            self.gaussian(self.to_p, level - 1, state[-1]),
        )

    def posterior_down(self, level: int, state: list[Tensor], d: Tensor) -> Gaussian:
        """q(z_i^TD | .) from t_i and the features above, q(z_L | .) from both ways up."""
        if level == self.n_levels:
            merged = self.top(d)
        else:
            merged = self.merge[level - 1](d.chunk(2, 2)[1], state[-1])
        return self.gaussian(self.to_q, level - 1, merged)

    def absorb(self, level: int, state: list[Tensor], parts: Sequence[Tensor]) -> list[Tensor]:
        """What the blocks of stage i give, from z^TD and z^BU side by side."""
        z = torch.cat(widest(*reversed(parts)), 2)
        return self.descend(level - 1, z, state)

    def emit(self, state: list[Tensor]) -> Likelihood:
        """p(x | z) from the lowest features."""
        return self.picture(state[-1])
