"""What a network of the user's own is given of an image, and its p(x | z) as the bounds read it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from hvae_core.common.errors import ModelError
from hvae_core.models.adapted.laws import Lead, bare, centre, unchecked
from hvae_core.models.adapted.running import short
from hvae_core.models.distributions import Likelihood
from hvae_core.models.distributions.gaussian import widened

Prepare = Callable[[Tensor], Tensor]
"""From images (B, C, H, W) in [0, 1] to what the network takes, (B, ...)."""


@dataclass(frozen=True)
class Seen:
    """The user's own step from pictures (B, C, H, W) in [0, 1] to what their network takes."""

    step: Prepare | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """What the network takes, (B, ...). Raises ``ModelError`` where the step fails."""
        if self.step is None:
            return x
        try:
            seen = self.step(x)
        except Exception as error:
            raise ModelError(
                f"prepare= failed on images {tuple(x.shape)}: {short(error)}."
            ) from error
        if not isinstance(seen, Tensor) or not seen.dim() or len(seen) != len(x):
            got = tuple(seen.shape) if isinstance(seen, Tensor) else type(seen).__name__
            raise ModelError(
                f"prepare= must give a tensor with the {len(x)} images that it was given on its "
                f"first axis, not {got}."
            )
        return seen.to(x.dtype) if seen.dtype is torch.bool else seen

    def back(self, seen: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """Pictures (N, C, H, W) in [0, 1] of what the network gave, (N, ...).

        By the straight line between what black and white become under the step.
        """
        pictures = seen.reshape(len(seen), *shape)
        if self.step is None:
            return pictures.clamp(0, 1)
        ends = pictures.new_tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, *shape)
        black, white = self(ends).reshape(2, *shape).to(pictures)
        line = (white - black).abs() > 0
        straight = (pictures - black) / torch.where(line, white - black, 1)
        straight = torch.where(line & straight.isfinite(), straight, pictures)
        return straight.clamp(0, 1)


@dataclass(frozen=True)
class OwnLikelihood(Likelihood):
    """A torch distribution over what the network takes of an image; N = R B rows.

    Log-probabilities are those of the distribution itself: grey levels where it is discrete, its
    own unit of x where it is a density.
    """

    dist: Distribution
    seen: Seen
    lead: Lead
    shape: tuple[int, int, int]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (R, B) of images x (B, C, H, W)."""
        return self._nats(self.dist, x).sum(1).unflatten(0, self.lead)

    def pixels(self, x: Tensor) -> Tensor | None:
        """log p of every pixel (R, B, H, W), where the distribution has as many terms."""
        nats, (channels, height, width) = self._nats(bare(self.dist), x), self.shape
        if nats.shape[1] not in (height * width, channels * height * width):
            return None
        return nats.unflatten(1, (-1, height, width)).sum(1).unflatten(0, self.lead)

    def _nats(self, dist: Distribution, x: Tensor) -> Tensor:
        """The terms (R B, ...) whose sum is log p, as the distribution has them."""
        value = self.seen(x.to(self._like))
        if (top := self._levels) and self.seen.step is None:
            value = (value * top).round()
        rows = value.unsqueeze(0).expand(self.lead[0], *value.shape).flatten(0, 1)
        return dist.log_prob(rows.reshape(self._full)).reshape(len(rows), -1)

    @property
    def mean(self) -> Tensor:
        """What is expected, as pictures (R, B, C, H, W) in [0, 1]."""
        base = bare(self.dist)
        if top := self._levels:
            levels = torch.arange(top + 1, device=base.probs.device, dtype=base.probs.dtype)
            expected = (base.probs * levels).sum(-1)
            return self._pictures(expected / (1 if self.seen.step else top))
        return self._pictures(centre(self.dist))

    @property
    def mode(self) -> Tensor:
        """The likeliest image (R, B, C, H, W); where the distribution does not tell, its mean."""
        try:
            likeliest = self.dist.mode
        except NotImplementedError:
            return self.mean
        if top := self._levels:
            likeliest = likeliest.to(self._like) / (1 if self.seen.step else top)
        # torch calls the mode of a fair coin NaN
        return self._pictures(torch.where(likeliest.isnan(), 1.0, likeliest))

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (R, B, C, H, W) from uniform noise; the mean where torch has no quantiles."""
        base = bare(self.dist)
        u = noise.flatten(0, 1).reshape(self._full)
        if self._levels:
            drawn = (base.probs.cumsum(-1) < u.unsqueeze(-1)).sum(-1).to(base.probs)
            return self._pictures(drawn / (1 if self.seen.step else self._levels))
        if isinstance(base, torch.distributions.Bernoulli):
            return self._pictures((u < base.probs).to(base.probs))
        try:
            return self._pictures(base.icdf(u.clamp(1e-6, 1 - 1e-6)))
        except NotImplementedError:
            return self.mean

    @property
    def _full(self) -> tuple[int, ...]:
        return (*self.dist.batch_shape, *self.dist.event_shape)

    @property
    def _levels(self) -> int:
        """The highest grey level of a distribution over levels, 0 for any other."""
        base = bare(self.dist)
        return base.probs.shape[-1] - 1 if isinstance(base, Categorical) else 0

    @property
    def _like(self) -> Any:
        values = vars(bare(self.dist)).values()
        return next(value for value in values if isinstance(value, Tensor))

    def _pictures(self, rows: Tensor) -> Tensor:
        return self.seen.back(rows, self.shape).unflatten(0, self.lead)


@dataclass(frozen=True)
class Through(Likelihood):
    """A likelihood of Strata's over what the user's own step makes of an image."""

    inner: Likelihood
    seen: Seen

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (R, B) for images x (B, C, H, W)."""
        return self.inner.log_prob(self.seen(x))

    def pixels(self, x: Tensor) -> Tensor | None:
        """log p of every pixel (R, B, H, W), where the inner likelihood has it."""
        return self.inner.pixels(self.seen(x))

    @property
    def mean(self) -> Tensor:
        """What is expected (R, B, C, H, W), in [0, 1]."""
        return self._pictures(self.inner.mean)

    @property
    def mode(self) -> Tensor:
        """The likeliest image (R, B, C, H, W), in [0, 1]."""
        return self._pictures(self.inner.mode)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (R, B, C, H, W) in [0, 1] from uniform noise of that shape."""
        return self._pictures(self.inner.sample(noise))

    def _pictures(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        return self.seen.back(rows, tuple(x.shape[2:])).unflatten(0, x.shape[:2])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Whole:
    """A likelihood of rows of several k, whose pictures are made once for all."""

    likelihood: Likelihood

    @cached_property
    def mean(self) -> Tensor:
        """What is expected, of all rows (R, B, C, H, W)."""
        return self.likelihood.mean


@dataclass(frozen=True)
class Rows(Likelihood):
    """Some of the R rows of each image of a likelihood."""

    whole: Whole
    rows: slice

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats of these rows."""
        return self.whole.likelihood.log_prob(x)[self.rows]

    def pixels(self, x: Tensor) -> Tensor | None:
        """log p of every pixel, of these rows."""
        nats = self.whole.likelihood.pixels(x)
        return None if nats is None else nats[self.rows]

    @property
    def mean(self) -> Tensor:
        """What is expected, of these rows."""
        return self.whole.mean[self.rows]

    @property
    def mode(self) -> Tensor:
        """The likeliest images, of these rows."""
        return self.whole.likelihood.mode[self.rows]

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images from uniform noise for these rows."""
        every = noise.new_full(self.whole.mean.shape, 0.5)
        every[self.rows] = noise
        return self.whole.likelihood.sample(every)[self.rows]


def likelihood_of(given: Any, seen: Seen, *, lead: Lead, shape: tuple[int, int, int]) -> Likelihood:
    """p(x | z) as the bounds read it, with the leading axes (R, B).

    Raises ``ModelError`` for what is no likelihood of one image a row.
    """
    rows = math.prod(lead)
    if isinstance(given, Likelihood):
        led = _led(given, lead)
        return led if seen.step is None else Through(led, seen)
    if not isinstance(given, Distribution):
        raise ModelError(
            f"hv.image is given a {type(given).__name__}; give it p(x | z) itself: one of "
            "torch.distributions over the pixels, such as Bernoulli(logits=...)."
        )
    full = (*given.batch_shape, *given.event_shape)
    if not full or full[0] != rows:
        raise ModelError(
            f"p(x | z) has the shape {full} for {rows} images; its first axis must be the images."
        )
    if math.prod(full[1:]) != math.prod(shape):
        raise ModelError(
            f"p(x | z) has the shape {full[1:]} an image and the images have {shape}: it must be a "
            "distribution over every pixel of every channel, and shape= that of the images."
        )
    return OwnLikelihood(unchecked(given), seen, lead, shape)


def _led(given: Likelihood, lead: Lead) -> Likelihood:
    """One of Strata's likelihoods with the axes (R, B) where it had (1, N) or (N)."""
    values: Any = given
    rows, picture = math.prod(lead), given.mean
    one = picture.dim() == 5

    def led(tensor: Tensor) -> Tensor:
        tensor = widened(tensor) if tensor.is_floating_point() else tensor
        if one and tensor.dim() >= 5 and tensor.shape[:2] == (1, rows):
            return tensor[0].unflatten(0, lead)
        if not one and tensor.dim() >= 4:
            return tensor.expand(rows, *tensor.shape[1:]).unflatten(0, lead)
        return tensor

    if picture.shape[one] != rows:
        raise ModelError(
            f"p(x | z) has the shape {tuple(picture.shape)} for {rows} images; its first axis "
            "must be the images."
        )
    return replace(
        values,
        **{
            field.name: led(value)
            for field in fields(values)
            if isinstance(value := getattr(values, field.name), Tensor)
        },
    )
