"""The network of openai/vdvae's checkpoints, tensor by tensor under the names of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.config.families.openai_vdvae import OpenAIVDVAEConfig, Step
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import ColourMixture, Gaussian, Likelihood, PixelLikelihood
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.residual import fold

_SHIFTS = {
    "cifar10": (-120.63838, 1.0 / 64.16736),
    "imagenet32": (-116.2373, 1.0 / 69.37404),
    "imagenet64": (-115.92961967, 1.0 / 69.37404),
    "ffhq_256": (-112.8666757481, 1.0 / 69.84780273),
    "ffhq_1024": (-0.4387, 1.0 / 0.2743),  # of pixels from 0 to 1
}
"""What is added to pixels from 0 to 255 before the way up, and what they are multiplied by then."""
_COARSE = 8
"""Neighbouring grey levels that are one in 5 bits a colour."""


@final
@dataclass(frozen=True)
class VDVAEPixels(PixelLikelihood):
    """A ``ColourMixture`` over pixels on the scale of one data set, or of 5 bits a colour."""

    mixture: ColourMixture
    dataset: str

    def terms(self, x: Tensor) -> Tensor:
        """log P of every pixel in nats (S, B, 1, H, W), x (B, 3, H, W) a multiple of 1/255."""
        return self.mixture.terms_at(target(x, self.dataset).to(self.mixture.logits.dtype))

    @property
    def mean(self) -> Tensor:
        """Components' locations by their weights (S, B, 3, H, W) in [0, 1]."""
        return self.mixture.mean

    @property
    def mode(self) -> Tensor:
        """Colour by colour the likeliest value that data could have (S, B, 3, H, W)."""
        coarse = _COARSE if self.dataset == "ffhq_256" else 1
        return self.mixture.likeliest([level / 127.5 - 1 for level in range(0, 256, coarse)])

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, 3, H, W) of 256 grey levels, rounded down as the project does."""
        return (self.mixture.draw(noise) + 1).mul(127.5).floor().div(255)


def target(x: Tensor, dataset: str) -> Tensor:
    """Pixels (B, 3, H, W) in [0, 1] as the likelihood reads them, in [-1, 1], by float32.

    The project rounds to float32 on the way; whoever computes in float64 gets the same numbers.
    """
    if dataset == "ffhq_1024":
        return x.float() * 2 - 1
    v = (255 * x).float()
    if dataset == "ffhq_256":
        v = (v / _COARSE).floor() * _COARSE
    return (v - 127.5) * (1 / 127.5)


class Block(nn.Module):
    """Four convolutions, each after a Gaussian error linear unit: 1, 3, 3, 1, or 1 throughout."""

    def __init__(self, inputs: int, middle: int, outputs: int, size: int) -> None:
        super().__init__()
        kernel = 3 if size > 2 else 1
        self.c1 = nn.Conv2d(inputs, middle, 1)
        self.c2 = nn.Conv2d(middle, middle, kernel, padding=kernel // 2)
        self.c3 = nn.Conv2d(middle, middle, kernel, padding=kernel // 2)
        self.c4 = nn.Conv2d(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, r, r) to (B, outputs, r, r)."""
        for conv in (self.c1, self.c2, self.c3, self.c4):
            x = conv(F.gelu(x))
        return x


class Encoder(nn.Module):
    """The way up: residual blocks, some of which pool; features are kept at each resolution."""

    def __init__(self, config: OpenAIVDVAEConfig) -> None:
        super().__init__()
        self.steps = config.ups
        self.widths = {size: config.width_at(size) for size in config.read_sizes}
        self.in_conv = nn.Conv2d(config.image_shape[0], config.width, 3, padding=1)
        self.enc_blocks = nn.ModuleList(self._block(config, step) for step in self.steps)

    @staticmethod
    def _block(config: OpenAIVDVAEConfig, step: Step) -> Block:
        width = config.width_at(step.size)
        return Block(width, int(width * config.bottleneck_multiple), width, step.size)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Features (B, width, r, r) by resolution: the last that have it."""
        x = self.in_conv(x)
        found = {x.shape[-1]: x}
        for step, block in zip(self.steps, self.enc_blocks, strict=True):
            x = x + block(x)
            if step.other:
                x = F.avg_pool2d(x, step.other, step.other)
                more = self.widths[x.shape[-1]] - x.shape[1]
                x = F.pad(x, (0, 0, 0, 0, 0, more))
            found[x.shape[-1]] = x
        return found


class DecBlock(nn.Module):
    """One stochastic layer: blocks of q and p, and the update of the state."""

    def __init__(self, config: OpenAIVDVAEConfig, step: Step) -> None:
        super().__init__()
        size, other = step
        width, zdim = config.width_at(size), config.zdim
        middle = int(width * config.bottleneck_multiple)
        self.size, self.mixin, self.width, self.zdim = size, other, width, zdim
        self.enc = Block(2 * width, middle, 2 * zdim, size)
        self.prior = Block(width, middle, 2 * zdim + width, size)
        self.z_proj = nn.Conv2d(zdim, width, 1)
        self.resnet = Block(width, middle, width, size)

    def forward(self, x: Tensor, raw: Tensor, z: Tensor) -> Tensor:
        """The state (S, B, width, r, r) below z from that above it."""
        x = x + raw[:, :, 2 * self.zdim :]
        x = x + fold(self.z_proj, z)
        return x + fold(self.resnet, x)


class Decoder(nn.Module):
    """The way down: its blocks, the constants it starts from, and the output."""

    def __init__(self, config: OpenAIVDVAEConfig) -> None:
        super().__init__()
        self.dec_blocks = nn.ModuleList(DecBlock(config, step) for step in config.downs)
        self.bias_xs = nn.ParameterList(
            nn.Parameter(torch.zeros(1, config.width_at(size), size, size))
            for size in config.biased
        )
        self.gain = nn.Parameter(torch.ones(1, config.width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, config.width, 1, 1))
        self.out_net = nn.Module()
        self.out_net.out_conv = nn.Conv2d(config.width, 10 * config.num_mixtures, 1)


class DownState(NamedTuple):
    """What is known above the next latent: states by resolution, and what its block reads of them.

    ``x`` is the state of the next block's resolution with the mixed-in one, ``raw`` its prior's
    output: mean, log standard deviation, and features. Below z_1 both are those of the image.
    """

    xs: Mapping[int, Tensor]
    x: Tensor
    raw: Tensor


@final
class OpenAIVDVAE(ConfiguredVAE, TopDownVAE):
    """Residual way up; top-down blocks that continue one state a resolution (Child 2021)."""

    config: OpenAIVDVAEConfig

    def __init__(self, config: OpenAIVDVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """The pixels as they are: nothing is drawn, and both scales follow from them."""
        return x

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up, and of the blocks of q."""
        yield from self.encoder.parameters()
        for index in range(self.n_layers, 0, -1):
            yield from self._at(index).enc.parameters()

    def _at(self, index: int) -> DecBlock:
        block: Any = self.decoder.dec_blocks[self.n_layers - index]
        return block

    def encode(self, x: Tensor) -> dict[int, Tensor]:
        """Features (1, B, width, r, r) by resolution, from pixels on the data set's scale."""
        shift, scale = _SHIFTS[self.config.dataset]
        v = x[0].float() if self.config.dataset == "ffhq_1024" else (255 * x[0]).float()
        # By float32, as in ``target``.
        pixels = ((v + shift) * scale).to(self.decoder.gain.dtype)
        return {size: h.unsqueeze(0) for size, h in self.encoder(pixels).items()}

    def start(self, batch: int) -> DownState:
        """The state above z_L: learned constants, and zero at the larger resolutions."""
        gain = self.decoder.gain
        xs: dict[int, Tensor] = {
            step.size: gain.new_zeros(
                1, batch, self.config.width_at(step.size), step.size, step.size
            )
            for step in self.config.downs
        }
        for size, bias in zip(self.config.biased, self.decoder.bias_xs, strict=True):
            xs[size] = bias.expand(batch, -1, -1, -1).unsqueeze(0)
        return self._above(self.n_layers, xs)

    def _above(self, index: int, xs: Mapping[int, Tensor]) -> DownState:
        """What the block of z_i reads of the states by resolution."""
        block = self._at(index)
        x = xs[block.size]
        if block.mixin:
            wide = fold(
                lambda h: F.interpolate(h, scale_factor=block.size // block.mixin),
                xs[block.mixin][:, :, : block.width],
            )
            x = x + wide
        return DownState(xs, x, fold(block.prior, x))

    def prior(self, index: int, state: DownState) -> Gaussian:
        """p(z_i | z_>i), from the state with what is mixed in."""
        return self._gaussian(state.raw[:, :, : 2 * self.config.zdim])

    def posterior(
        self, index: int, state: DownState, prior: Any, features: dict[int, Tensor]
    ) -> Gaussian:
        """q(z_i | z_>i, x), from the state and the features of its resolution, in this order."""
        block = self._at(index)
        here = features[block.size].expand(*state.x.shape[:2], -1, -1, -1)
        return self._gaussian(fold(block.enc, torch.cat([state.x, here], 2)))

    @staticmethod
    def _gaussian(raw: Tensor) -> Gaussian:
        """Means, then log standard deviations."""
        mean, log_std = widened(raw).chunk(2, dim=2)
        return Gaussian(mean, log_std.exp())

    def absorb(self, index: int, state: DownState, z: Tensor) -> DownState:
        """The state below z_i, at its resolution alone."""
        block = self._at(index)
        x = block(state.x, state.raw, z)
        xs = {**state.xs, block.size: x}
        if index > 1:
            return self._above(index - 1, xs)
        return DownState(xs, xs[self.config.image_shape[1]], state.raw)

    def emit(self, state: DownState) -> Likelihood:
        """p(x | z) from the state of the image's resolution."""
        decoder = self.decoder
        h = state.x * decoder.gain + decoder.bias
        conv: Any = decoder.out_net.out_conv
        levels = 32 if self.config.dataset == "ffhq_256" else 256
        mixture = ColourMixture.from_raw(widened(fold(conv, h)), levels)
        return VDVAEPixels(mixture, self.config.dataset)
