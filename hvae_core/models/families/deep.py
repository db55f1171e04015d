"""Deep top-down VAEs (VDVAE-style; DCT App. E, DVP 4): residual paths, many layers a scale."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.config import DeepConfig
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.bottleneck import Bottleneck, Head, resize, scaled
from hvae_core.models.layers.residual import fold
from hvae_core.models.pixels import PixelHead

Context = Any
"""What a family knows above z_L: a pseudoinput, a decoded context, or nothing."""


class DeepState(NamedTuple):
    """What is known above the next layer z_i; below z_1, what p(x | z) is made from.

    ``h`` (S, B, channels, h, w) is h_dec, at the size of z_i's scale; ``raw`` what the block of z_i
    reads from it, here as both p(z_i | z_>i) and the block's output need it; ``total`` the sum of
    all z_l so far at the size of the folded image, None without aggregation.
    """

    h: Tensor
    raw: Tensor
    total: Tensor | None
    context: Context


class TopDownBlock(nn.Module):
    """One stochastic layer z_i: heads of its prior and posterior, and the update of h_dec.

    The prior's head also gives the block's deterministic output, features that are added to h_dec
    whatever z_i is (Child 2021). It starts at zero: N(0, I) to within the floor of its scale, no
    features. With ``updates`` off, h_dec is left as it is; with ``features`` off, z_i alone changes
    it.
    """

    def __init__(
        self, config: DeepConfig, scale: int, *, inputs: int, updates: bool, features: bool
    ) -> None:
        super().__init__()
        c, hidden, dim = config.channels, config.hidden, config.scales[scale].dim
        size, residual = config.sizes[scale], config.blocks == 3
        share = 1 / math.sqrt(len(config.scale_of))
        seen = 2 * c if config.combine == "concat" else c
        self.n_raw = 2 * dim
        self.updates, self.features = updates, updates and features
        self.to_q = Head((seen, hidden, 2 * dim), size, residual=residual)
        outputs = 2 * dim + (c if self.features else 0)
        self.to_p = Head((inputs, hidden, outputs), size, residual=residual, share=0.0)
        if updates:
            self.from_z = scaled(nn.Conv2d(dim, c, 1), share)
            self.update = Bottleneck((c, hidden, c), size, residual=True, share=share)

    def forward(self, h: Tensor, raw: Tensor, z: Tensor) -> Tensor:
        """h_dec below z_i (S, B, channels, h, w) from that above it."""
        if not self.updates:
            return h
        h = h + fold(self.from_z, z)
        if self.features:
            h = h + raw[:, :, self.n_raw :]
        return fold(self.update, h)


class DeepVAE(ConfiguredVAE, TopDownVAE):
    """Residual way up with h_enc a scale; top-down blocks that read and write h_dec (Child 2021).

    h_dec starts, at the top and anew at each scale, from a learned constant, to which that of the
    scale above is added. A family says what is above z_L by ``start``, which calls ``start_from``
    with its context; what conditions on more than the latents overrides ``enter_scale``, and
    ``prior_inputs`` with ``prior_channels``.
    """

    config: DeepConfig

    def __init__(self, config: DeepConfig) -> None:
        super().__init__()
        self.config = config
        self._build_up()
        self.blocks = nn.ModuleList(self._block(i) for i in range(1, len(config.scale_of) + 1))
        self.constants = nn.ParameterList(
            nn.Parameter(torch.zeros(config.channels, *size)) for size in config.sizes
        )
        self._build_output()

    def _build_up(self) -> None:
        """One convolution, then residual blocks at the size of the image and of every scale."""
        config = self.config
        c, n = config.channels, config.encoder_blocks
        shrinks = config.sizes[0] != config.output_size
        wide = config.output_blocks if shrinks else 0
        share = 1 / math.sqrt(wide + n * len(config.sizes))
        self.up_in = nn.Conv2d(config.image_shape[0] * config.stem**2, c, 3, padding=1)
        self.up_wide = self._residuals(wide, config.output_size, share)
        self.up = nn.ModuleList(self._residuals(n, size, share) for size in config.sizes)

    def _residuals(self, n: int, size: tuple[int, int], share: float) -> nn.Sequential:
        c, hidden = self.config.channels, self.config.hidden
        blocks = (Bottleneck((c, hidden, c), size, residual=True, share=share) for _ in range(n))
        return nn.Sequential(*blocks)

    def _block(self, index: int) -> TopDownBlock:
        config = self.config
        # Nothing reads h_dec below z_1 where the image is made from the latents themselves.
        updates = index > 1 or not config.aggregation
        return TopDownBlock(
            config,
            config.scale_of[index - 1],
            inputs=self.prior_channels(),
            updates=updates,
            features=config.features_from_prior,
        )

    def _build_output(self) -> None:
        """NN of DVP Eq. 18 and 22: residual blocks at the size of the folded image."""
        config = self.config
        c, size = config.channels, config.output_size
        self.pixels = PixelHead(config.likelihood, config.image_shape[0], config.stem)
        if config.aggregation:
            self.from_total = nn.Conv2d(config.scales[0].dim, c, 3, padding=1)
        share = 1 / math.sqrt(max(1, config.output_blocks))
        self.out = self._residuals(config.output_blocks, size, share)
        self.to_x = nn.Conv2d(c, self.pixels.raw_channels, 3, padding=1)

    def _at(self, index: int) -> TopDownBlock:
        block: Any = self.blocks[index - 1]  # a ModuleList does not know the type of its items
        return block

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up, and of the blocks' heads of q."""
        for module in (self.up_in, self.up_wide, self.up):
            yield from module.parameters()
        for index in range(1, len(self.blocks) + 1):
            yield from self._at(index).to_q.parameters()

    # --- what families override ------------------------------------------------------------------

    def prior_channels(self) -> int:
        """Channels that ``prior_inputs`` gives."""
        return self.config.channels

    def prior_inputs(self, index: int, h: Tensor, context: Context) -> Tensor:
        """What the parameters of p(z_i | z_>i) are read from: h_dec (S, B, channels, h, w)."""
        return h

    def enter_scale(self, scale: int, h: Tensor, context: Context) -> Tensor:
        """h_dec at the start of a scale (0 is that of z_1), already at its size."""
        return h + self.constants[scale]

    @abstractmethod
    def start(self, batch: int) -> Any:
        """The state above the topmost latent."""

    def start_from(self, batch: int, context: Context) -> DeepState:
        """The state above z_L under a context that the whole way down carries."""
        config = self.config
        blank = torch.zeros((1, batch, config.channels, *config.sizes[-1]), device=self.device)
        h = self.enter_scale(len(config.sizes) - 1, blank, context)
        total = None
        if config.aggregation:
            total = torch.zeros(
                (1, batch, config.scales[0].dim, *config.output_size), device=self.device
            )
        return self._above(len(config.scale_of), h, total=total, context=context)

    # --- the steps of the two ways --------------------------------------------------------------

    def encode(self, x: Tensor) -> list[Tensor]:
        """h_enc (1, B, channels, h, w) of every scale, that of z_1 first (DVP 4.1)."""
        h = self.up_wide(self.up_in(F.pixel_unshuffle(x[0], self.config.stem)))
        out = []
        for blocks, size in zip(self.up, self.config.sizes, strict=True):
            h = blocks(resize(h, size))
            out.append(h.unsqueeze(0))
        return out

    def prior(self, index: int, state: DeepState) -> Gaussian:
        """p(z_i | z_>i), from h_dec."""
        return Gaussian.from_raw(state.raw[:, :, : self._at(index).n_raw], dim=2)

    def posterior(
        self, index: int, state: DeepState, prior: Gaussian, features: list[Tensor]
    ) -> Gaussian:
        """q(z_i | z_>i, x), from h_dec and h_enc side by side (VDVAE) or added (DVP 4.2)."""
        h_enc = features[self.config.scale_of[index - 1]]
        if self.config.combine == "sum":
            both = state.h + h_enc
        else:
            both = torch.cat([state.h, h_enc.expand_as(state.h)], 2)
        return Gaussian.from_raw(fold(self._at(index).to_q, both), dim=2)

    def absorb(self, index: int, state: DeepState, z: Tensor) -> DeepState:
        """Add z_i to h_dec, refine it, and go on to the next layer, at its scale."""
        config, total, context = self.config, state.total, state.context
        if total is not None:
            total = total + fold(lambda t: resize(t, config.output_size), z)
        h = self._at(index)(state.h, state.raw, z)
        if index == 1:
            return DeepState(h=h, raw=state.raw, total=total, context=context)
        here, below = config.scale_of[index - 1], config.scale_of[index - 2]
        if below != here:
            h = fold(lambda t: resize(t, config.sizes[below]), h)
            h = self.enter_scale(below, h, context)
        return self._above(index - 1, h, total=total, context=context)

    def _above(self, index: int, h: Tensor, *, total: Tensor | None, context: Context) -> DeepState:
        """The state above z_i."""
        raw = fold(self._at(index).to_p, self.prior_inputs(index, h, context))
        return DeepState(h=h, raw=raw, total=total, context=context)

    def emit(self, state: DeepState) -> Likelihood:
        """p(x | z): NN((1/sqrt L) sum_l z_l) (DVP Eq. 18), or NN(h_1) (Eq. 22)."""
        if state.total is not None:
            h = fold(self.from_total, state.total / math.sqrt(len(self.config.scale_of)))
        else:
            h = fold(lambda t: resize(t, self.config.output_size), state.h)
        likelihood: Likelihood = self.pixels(fold(lambda t: self.to_x(F.silu(self.out(t))), h))
        return likelihood
