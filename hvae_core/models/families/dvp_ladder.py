"""The network of dvp_vae's checkpoints, tensor by tensor under the names of its files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.config.families.dvp_ladder import DVPLadderConfig
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import (
    ClampedBernoulli,
    EvenedGaussian,
    FlooredMixture,
    Gaussian,
    Likelihood,
)
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.families.dvp_ladder_ways import LadderDecoder, LadderEncoder, LadderLayer
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.residual import fold
from hvae_core.models.priors.ladder_pseudo import PseudoBlock
from hvae_core.models.trace import ANCESTRAL, Sampler

_MOST_LOGVAR = 1.0
_CIFAR = (127.5 - 120.63838, 64.16736)


class LadderState(NamedTuple):
    """What is known above the next latent; below z_1 the ``total`` alone counts.

    ``s`` (S, B, channels, r, r) is the state, ``raw`` what p reads of it: mean, log variance, and
    features; ``total`` the sum of the latents so far at the size of the image, or None; ``context``
    the image of u in [-1, 1], or None.
    """

    s: Tensor
    raw: Tensor
    total: Tensor | None
    context: Tensor | None


class _Up(NamedTuple):
    """What the way up leaves: features by group, and the image in [-1, 1] (1, B, C, H, W)."""

    groups: list[Tensor]
    x: Tensor


@final
class DVPLadder(ConfiguredVAE, TopDownVAE):
    """p(x | z) from the sum of z_1 .. z_L, whose priors read u beside the state (DVP 3, 4)."""

    config: DVPLadderConfig

    def __init__(self, config: DVPLadderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = LadderEncoder(config)
        self.decoder = LadderDecoder(config)

    @property
    def _u(self) -> PseudoBlock | None:
        block: Any = self.decoder.decoder_blocks[0]
        return block if self.config.pseudo else None

    def _at(self, index: int) -> LadderLayer:
        block: Any = self.decoder.decoder_blocks[self.n_layers - index]
        return block

    def _place(self, index: int) -> int:
        """Where the layer stands among those of the configuration, the topmost first."""
        return len(self.config.layers) - index

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up, of the blocks of q, and of q(u | x)."""
        yield from self.encoder.parameters()
        for index in range(len(self.config.layers), 0, -1):
            yield from self._at(index).s_to_q.parameters()
        if self._u is not None:
            yield self._u.q_logvar

    # --- pixels -----------------------------------------------------------------------------------

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Grey levels as they are: the encoder reads them, and ``target`` draws binary pixels."""
        return x

    def signed(self, x: Tensor) -> Tensor:
        """Pixels in [-1, 1] as the project has them, by float32, in the model's precision."""
        if self.config.likelihood == "bernoulli":
            signed = 2 * x.float() - 1
        else:
            signed = ((255 * x).float() - 127.5) * (1 / 127.5)
        return signed.to(self.decoder.z_to_features.weight.dtype)

    def target(self, x: Tensor, noise: Noise) -> Tensor:
        """Pixels in [0, 1]; for Bernoulli one binary draw an image, its grey level the chance."""
        grey = (self.signed(x) + 1) / 2
        if self.config.likelihood != "bernoulli":
            return grey
        return (noise.once().uniform("x", 1, x.shape[0], x.shape[1:])[0].to(x) < x).to(grey)

    def pictures_of(self, index: int, z: Tensor) -> Tensor | None:
        """The image that u stands for; other layers stand for none."""
        if self._u is None or index != self.n_layers:
            return None
        return self._u.picture(z)

    # --- the steps of the two ways ----------------------------------------------------------------

    def encode(self, x: Tensor) -> _Up:
        """Features of every group, and the image."""
        signed = self.signed(x[0])
        inputs = signed
        if self.config.standardised:
            inputs = (127.5 * signed + _CIFAR[0]) / _CIFAR[1]
        groups = self.encoder(inputs)
        return _Up([h.unsqueeze(0) for h in groups], signed.unsqueeze(0))

    def start(self, batch: int) -> Any:
        """Nothing above u; without it a state of ones above z_L."""
        return None if self._u is not None else self._begin(batch, None)

    def _begin(self, batch: int, context: Tensor | None) -> LadderState:
        channels, size = self.config.channels[0], self.config.sizes[0]
        s = self.decoder.z_to_features.weight.new_ones(1, batch, channels, size, size)
        return self._above(len(self.config.layers), s, total=None, context=context)

    def _above(
        self, index: int, s: Tensor, *, total: Tensor | None, context: Tensor | None
    ) -> LadderState:
        inputs = s
        if context is not None:
            side = s.shape[-1]
            small = fold(lambda image: F.adaptive_avg_pool2d(image, side), context)
            samples = max(s.shape[0], small.shape[0])
            parts = [part.expand(samples, *part.shape[1:]) for part in (s, small)]
            inputs = torch.cat(parts, 2)
        return LadderState(s, fold(self._at(index).s_to_p, inputs), total, context)

    def _is_u(self, index: int) -> bool:
        return self._u is not None and index == self.n_layers

    def prior(self, index: int, state: Any) -> Any:
        """p(z_i | z_>i, u), and p(u) at the top."""
        if self._u is not None and self._is_u(index):
            return self._u.ctx_prior
        return self._gaussian(state.raw[:, :, : 2 * self.config.width])

    def _gaussian(self, raw: Tensor) -> Gaussian:
        """Means, then log variances, kept within bounds."""
        mean, log_variance = widened(raw).chunk(2, dim=2)
        bounded = log_variance.clamp(self.config.min_logvar, _MOST_LOGVAR)
        return EvenedGaussian(mean, (bounded / 2).exp())

    def log_prior(self, index: int, p: Any, z: Tensor, noise: Noise) -> Tensor:
        """log p(z_i | z_>i, u) in nats (S, B); of u the bound of its diffusion prior."""
        if self._u is not None and self._is_u(index):
            return self._u.ctx_prior.log_prob(z, noise)
        return super().log_prior(index, p, z, noise)

    def posterior(self, index: int, state: Any, prior: Any, features: _Up) -> Gaussian:
        """q(z_i | z_>i, x) from the sum of state and features, and q(u | x) at the top."""
        if self._u is not None and self._is_u(index):
            return self._u.posterior(features.x)
        here = features.groups[self.config.reads[self._place(index)]]
        both = (here + state.s) / math.sqrt(2)
        return self._gaussian(fold(self._at(index).s_to_q, both))

    def absorb(self, index: int, state: Any, z: Tensor) -> LadderState:
        """Add z_i to the state and refine it, at the next latent's size."""
        if self._u is not None and self._is_u(index):
            return self._begin(z.shape[1], 2 * fold(self._u.picture, z) - 1)
        side = self.config.image_shape[1]
        wide = fold(lambda part: _bilinear(part, side), z)
        total = wide if state.total is None else state.total + wide
        if index == 1:
            return LadderState(state.s, state.raw, total, state.context)
        layer = self._at(index)
        assert layer.resnet is not None  # the last layer alone has none
        s = state.s + state.raw[:, :, 2 * self.config.width :]
        s = fold(layer.resnet, s + fold(layer.z_up, z))
        size = self.config.sizes[self._place(index) + 1]
        s = fold(lambda part: _bilinear(part, size), s)
        return self._above(index - 1, s, total=total, context=state.context)

    def ancestor(
        self, index: int, state: Any, *, n: int, noise: Noise, temperature: float = 1.0
    ) -> Tensor:
        """Draw z_i (1, n, *shape) from p(z_i | z_>i, u), and u from its prior."""
        if self._is_u(index):
            return self.sample_top(n, noise=noise, temperature=temperature).unsqueeze(0)
        return super().ancestor(index, state, n=n, noise=noise, temperature=temperature)

    def sample_top(
        self, n: int, *, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw the topmost latent (n, *shape) from its prior."""
        if self._u is None:
            return super().sample_top(n, noise=noise, temperature=temperature, sampler=sampler)
        prior = self._u.ctx_prior
        return prior.sample(n, noise, temperature=temperature, sampler=sampler)[0]

    def emit(self, state: LadderState) -> Likelihood:
        """p(x | z) from the sum of the latents over the root of their number."""
        assert state.total is not None  # a ladder has a latent
        total = state.total / math.sqrt(len(self.config.layers))
        h = fold(self.decoder.z_to_features, total)
        raw = widened(fold(self.decoder.post_process, h))
        if self.config.likelihood == "bernoulli":
            return ClampedBernoulli.from_logits(raw)
        return FlooredMixture.from_raw(raw)


def _bilinear(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
