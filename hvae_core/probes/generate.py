"""New images from a model: draws from the prior, redrawn details, paths between and along latents.

All functions return the likelihood's mean picture (N, C, H, W) in [0, 1]. Latents come from
``encode``; random numbers from one seed, so the same call gives the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hvae_core.common.errors import ConfigError
from hvae_core.common.noise import StillNoise, StreamNoise
from hvae_core.models import HierarchicalVAE, prepared

Latents = tuple[Tensor, ...]
"""z_1 .. z_L of N images, each (N, *shape)."""


def encode(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], *, seed: int = 0
) -> Latents:
    """One joint state of all layers for uint8 images (N, C, H, W): every layer passes its mean on.

    So each z_i is the posterior mean given the means of the layers that it is read with, which is
    what the way down then meets. ``seed`` is that of the binary pixels.
    """
    with torch.inference_mode():
        x = prepared(model, pixels, digests, seed=seed)
        return model.posterior_means(x, noise=StillNoise(), up="sample")


def prior_samples(
    model: HierarchicalVAE,
    n: int,
    *,
    seed: int = 0,
    temperature: float | Sequence[float] = 1.0,
) -> np.ndarray:
    """Draw z from p(z), layer by layer from the top; ``temperature`` one number or one a layer."""
    return _pictures(model, n, {}, seed=seed, temperature=temperature)


def redraws(
    model: HierarchicalVAE, z: Latents, k: int, *, n: int, seed: int = 0, temperature: float = 1.0
) -> np.ndarray:
    """Keep z_>k of one image and draw the k lowest levels n times from p(z_<=k | z_>k)."""
    skip = _skip(model, k)
    given = {i: _repeat(z[i - 1], n) for i in range(skip + 1, model.n_layers + 1)}
    return _pictures(model, n, given, seed=seed, temperature=temperature)


def interpolation(
    model: HierarchicalVAE, z: Latents, k: int, *, steps: int, temperature: float = 0.0
) -> np.ndarray:
    """Walk in a straight line from z_>k of the first image to that of the second.

    The k lowest levels follow from the prior, by default its means, so that what moves is what
    z_>k says. Raises ``ConfigError`` for fewer than two steps.
    """
    if steps < 2:
        raise ConfigError(f"A path between two images has at least 2 steps, not {steps}.")
    share = torch.linspace(0, 1, steps, device=model.device)
    given = {}
    for i in range(_skip(model, k) + 1, model.n_layers + 1):
        first, last = z[i - 1][0], z[i - 1][1]
        weight = share.view(-1, *[1] * first.dim())
        given[i] = first + weight * (last - first)
    return _pictures(model, steps, given, temperature=temperature, alike=True)


def traversal(
    model: HierarchicalVAE,
    z: Latents,
    layer: int,
    unit: int,
    values: Sequence[float],
    *,
    temperature: float = 0.0,
) -> np.ndarray:
    """Set one unit of z_layer of one image to each value; the layers below follow from the prior.

    ``layer`` counts from 1, ``unit`` within the flattened layer. Raises ``ConfigError`` for a layer
    or unit that the model does not have.
    """
    if not 1 <= layer <= model.n_layers:
        raise ConfigError(f"The model has layers 1 to {model.n_layers}, not {layer}.")
    spec = model.latents[layer - 1]
    if not 0 <= unit < spec.units:
        raise ConfigError(f"{spec.name} has units 0 to {spec.units - 1}, not {unit}.")
    n = len(values)
    given = {i: _repeat(z[i - 1], n) for i in range(layer, model.n_layers + 1)}
    moved = given[layer].flatten(1).clone()
    moved[:, unit] = torch.as_tensor(list(values), dtype=moved.dtype, device=moved.device)
    given[layer] = moved.view(n, *spec.shape)
    return _pictures(model, n, given, temperature=temperature, alike=True)


@dataclass(frozen=True, eq=False)
class FromPictures:
    """What a model makes of R pictures that stand at its top: mean picture and n draws of each.

    ``pictures`` and ``means`` (R, C, H, W), ``draws`` (R, n, C, H, W), all in [0, 1].
    """

    pictures: np.ndarray
    means: np.ndarray
    draws: np.ndarray


def picture_on_top(model: HierarchicalVAE) -> Literal["latent", "prior"] | None:
    """Whether the topmost latent is a picture (DVP 4, DCT App. E), or its prior is made of some."""
    with torch.inference_mode():
        blank = torch.zeros(1, *model.latents[-1].shape, device=model.device)
        if model.pictures_of(model.n_layers, blank) is not None:
            return "latent"
        return None if model.prior_images() is None else "prior"


def learned_images(model: HierarchicalVAE) -> int:
    """How many learned images the prior is made of; 0 where it is made of none."""
    images = model.prior_images()
    return 0 if images is None else len(images[0])


def from_top(
    model: HierarchicalVAE, top: Tensor, n: int, *, seed: int = 0, temperature: float = 1.0
) -> FromPictures:
    """Keep each z_L of ``top`` (R, *shape) and draw the rest n times given it (DVP Fig. 3).

    Raises ``ConfigError`` where z_L is no picture.
    """
    with torch.inference_mode():
        pictures = model.pictures_of(model.n_layers, top)
    if pictures is None:
        raise ConfigError("The topmost latent of this model is not a picture.")
    draws = top.repeat_interleave(n, 0)
    return _from_pictures(
        model, pictures, means=top, draws=draws, seed=seed, temperature=temperature
    )


def drawn_tops(
    model: HierarchicalVAE, n: int, *, seed: int = 0, temperature: float = 1.0
) -> Tensor:
    """Draw z_L (n, *shape) from its prior."""
    noise = StreamNoise(torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return model.sample_top(n, noise=noise, temperature=temperature)


def from_prior_images(
    model: HierarchicalVAE,
    which: Sequence[int],
    n: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
) -> FromPictures:
    """Draw z_L n times from q(z_L | u_k) of the k-th learned image, and the rest given it.

    These are the components of a VampPrior (DVP Eq. 7): together they are the model's own samples.
    Raises ``ConfigError`` where there are none.
    """
    with torch.inference_mode():
        learned = model.prior_images()
        if learned is None:
            raise ConfigError("The prior of this model is not made of learned images.")
        images, q = learned
        picks = torch.as_tensor(list(which), device=images.device)
        if len(picks) and not 0 <= int(picks.min()) <= int(picks.max()) < len(images):
            raise ConfigError(f"The prior has images 0 to {len(images) - 1}.")
        mean, std = q.mean[picks], q.std[picks].repeat_interleave(n, 0)
        eps = StreamNoise(torch.Generator().manual_seed(seed)).normal("top", 1, *_batch(std))[0]
        draws = mean.repeat_interleave(n, 0) + temperature * std * eps.to(std)
        return _from_pictures(
            model, images[picks], means=mean, draws=draws, seed=seed, temperature=temperature
        )


def _batch(values: Tensor) -> tuple[int, tuple[int, ...]]:
    return values.shape[0], tuple(values.shape[1:])


def _from_pictures(
    model: HierarchicalVAE,
    pictures: Tensor,
    *,
    means: Tensor,
    draws: Tensor,
    seed: int,
    temperature: float,
) -> FromPictures:
    """The image at the prior means under z_L = ``means``, and drawn anew under ``draws``."""
    top, n = model.n_layers, len(draws) // max(len(means), 1)
    drawn = _pictures(model, len(draws), {top: draws}, seed=seed, temperature=temperature)
    return FromPictures(
        pictures=pictures.float().cpu().numpy(),
        means=_pictures(model, len(means), {top: means}, temperature=0.0),
        draws=drawn.reshape(len(means), n, *model.image_shape),
    )


def _skip(model: HierarchicalVAE, k: int) -> int:
    if not 0 <= k < model.n_levels:
        raise ConfigError(f"k must lie between 0 and {model.n_levels - 1}, not {k}.")
    return model.skips[k]


def _repeat(z: Tensor, n: int) -> Tensor:
    return z[:1].expand(n, *z.shape[1:])


class _Alike(StreamNoise):
    """The same draw for every picture, so that along a path only the path changes."""

    def normal(self, name: str, samples: int, batch: int, shape: Sequence[int]) -> Tensor:
        return super().normal(name, samples, 1, shape).expand(samples, batch, *shape)


def _pictures(
    model: HierarchicalVAE,
    n: int,
    given: dict[int, Tensor],
    *,
    temperature: float | Sequence[float],
    seed: int = 0,
    alike: bool = False,
) -> np.ndarray:
    """n mean pictures, the layers not ``given`` (by number) drawn from the prior."""
    generator = torch.Generator().manual_seed(seed)
    noise = _Alike(generator) if alike else StreamNoise(generator)
    with torch.inference_mode():
        likelihood = model.sample(n, noise=noise, temperature=temperature, given=given)
        return likelihood.mean[0].expand(n, -1, -1, -1).float().cpu().numpy()
