"""Distributions of the user's own as the bounds read them: N rows, drawn from Strata's own noise.

A network sees N = R B rows: B images, R times each (samples, and values of k). Here they get the
leading axes (R, B) that every density of the project has. A diagonal Gaussian becomes ``Gaussian``;
every other distribution is a ``Law``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    kl_divergence,
)
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical

from hvae_core.common.errors import ModelError
from hvae_core.models.adapted import one_by_one
from hvae_core.models.adapted.marks import Given, check_law, unable
from hvae_core.models.distributions import Gaussian
from hvae_core.models.distributions.gaussian import widened

Lead = tuple[int, int]
"""(R, B): R rows of each of B images."""


@dataclass(frozen=True)
class Law:
    """A distribution of N = R B rows that is no diagonal Gaussian, with the leading axes (R, B)."""

    dist: Distribution
    shape: tuple[int, ...]
    """Of one draw."""
    lead: Lead

    @property
    def mean(self) -> Tensor:
        """Where the distribution stands (R, B, *shape): its mean, or what ``centre`` takes."""
        return self._led(centre(self.dist))

    @property
    def std(self) -> Tensor:
        """Standard deviations (R, B, *shape); NaN where they have no closed form."""
        try:
            return self._led(self.dist.stddev)
        except NotImplementedError:
            return torch.full_like(self.mean, math.nan)

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw z (R, B, *shape) from standard normal noise; ``temperature`` scales its spread."""
        rows = noise.expand(*self.lead, *self.shape).flatten(0, 1)
        z = self._led(shaped(self.dist, rows))
        return z if temperature == 1 else self.mean + temperature * (z - self.mean)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats (R, B) of z (R, B, *shape)."""
        rows = z.expand(*self.lead, *self.shape).flatten(0, 1)
        return self._summed(self.dist.log_prob(rows))

    @property
    def weights(self) -> Tensor | None:
        """Weights of the components (..., K) where it is a mixture."""
        found = bare(self.dist)
        return found.mixture_distribution.probs if isinstance(found, MixtureSameFamily) else None

    def component(self, u: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw z (R, B, *shape) of a mixture; uniform u (R, B, ...) picks a component each."""
        mixture: Any = bare(self.dist)
        laws, event = mixture.component_distribution, len(mixture.event_shape)
        # 1. A draw of every component from the same noise: the mixture's axis is before the event.
        rows = noise.expand(*self.lead, *self.shape).flatten(0, 1)
        axis = rows.dim() - event
        weights = mixture.mixture_distribution.probs
        picks = u.expand(*self.lead, *u.shape[2:]).flatten(0, 1).unsqueeze(-1)
        wide = rows.unsqueeze(axis).expand(
            *rows.shape[:axis], weights.shape[-1], *rows.shape[axis:]
        )
        z = shaped(laws, wide)
        if temperature != 1:
            at = centre(laws)
            z = at + temperature * (z - at)
        # 2. The one that u picks.
        which = (weights.cumsum(-1) < picks).sum(-1).clamp_max(weights.shape[-1] - 1)
        index = which.reshape(*rows.shape[:axis], 1, *[1] * event).expand(
            *rows.shape[:axis], 1, *rows.shape[axis:]
        )
        return self._led(z.gather(axis, index).squeeze(axis))

    def mixed_over(self) -> tuple[int, ...]:
        """Axes of one draw that choose a component each."""
        event = len(bare(self.dist).event_shape)
        return self.shape[: len(self.shape) - event]

    def _led(self, rows: Tensor) -> Tensor:
        full = math.prod(self.lead)
        return rows.expand(full, *self.shape).unflatten(0, self.lead)

    def _summed(self, nats: Tensor) -> Tensor:
        """Per image: everything but the first axis is summed."""
        return nats.reshape(math.prod(self.lead), -1).sum(1).unflatten(0, self.lead)


def read(
    name: str, given: Given, *, lead: Lead, shape: tuple[int, ...] | None = None
) -> Gaussian | Law:
    """The distribution that a mark was given, (R, B, *shape); ``shape`` is known of a prior.

    Raises ``ModelError`` where it is none, does not have the images on its first axis, or cannot be
    drawn from Strata's noise.
    """
    check_law(name, given)
    base = bare(given)
    rows = math.prod(lead)
    full = tuple(given.mean.shape) if isinstance(given, Gaussian) else _shape(given)
    of_q = shape is None
    if shape is None:
        if not full or full[0] != rows:
            raise ModelError(
                f"q of the latent {name} has the shape {full} for {rows} images; its first axis "
                "must be the images" + (", and q= comes before p=." if not full else ".")
            )
        shape = full[1:]
    elif not _fits(full, (rows, *shape)):
        raise ModelError(
            f"p of the latent {name} has the shape {full}, its q has {(rows, *shape)}; both must "
            "be of one shape, or p must broadcast to that of q."
        )
    # What is derived from Normal may have a density of its own.
    if isinstance(base, Gaussian) or type(base) is Normal:
        mean, std = (base.mean, base.std if isinstance(base, Gaussian) else base.stddev)
        return Gaussian(*(widened(t).expand(rows, *shape).unflatten(0, lead) for t in (mean, std)))
    if not drawable(base) or (of_q and not base.has_rsample):
        raise ModelError(undrawable(name, base))
    return Law(unchecked(given), shape, lead)


def unchecked(dist: Any) -> Any:
    """A copy without torch's checks of values and parameters, which raise where a bound is NaN.

    Parameters in half precision become float32: sums over pixels and units need it.
    """
    twin = copy.copy(dist)
    twin._validate_args = False
    for name, inner in vars(twin).items():
        if isinstance(inner, Distribution):
            vars(twin)[name] = unchecked(inner)
        elif isinstance(inner, Tensor) and inner.is_floating_point():
            vars(twin)[name] = widened(inner)
    return twin


def dtype_of(given: Any) -> torch.dtype:
    """The type of the numbers that a draw of a distribution has in torch."""
    found = None
    for value in vars(bare(given)).values():
        if isinstance(value, Tensor) and value.is_floating_point():
            own = value.dtype
        elif isinstance(value, Distribution):
            own = dtype_of(value)
        else:
            continue
        found = own if found is None else torch.promote_types(found, own)
    return found or torch.get_default_dtype()


def bare(given: Any) -> Any:
    """The distribution inside ``Independent``, which only says what is summed."""
    while isinstance(given, Independent):
        given = given.base_dist
    return given


def _shape(dist: Distribution) -> tuple[int, ...]:
    return (*dist.batch_shape, *dist.event_shape)


def _fits(small: Sequence[int], large: Sequence[int]) -> bool:
    """Whether a shape broadcasts to another."""
    pairs = zip(reversed(small), reversed(large), strict=False)
    return len(small) <= len(large) and all(a in (1, b) for a, b in pairs)


def drawable(dist: Any) -> bool:
    """Whether ``shaped`` can draw from a distribution."""
    base = bare(dist)
    if isinstance(base, MixtureSameFamily):
        return drawable(base.component_distribution)
    if isinstance(base, TransformedDistribution):
        return drawable(base.base_dist)
    known = (Normal, MultivariateNormal, LowRankMultivariateNormal)
    if isinstance(base, (*known, LogitRelaxedBernoulli, ExpRelaxedCategorical)):
        return True
    if type(base).icdf is not Distribution.icdf:
        return bool(base.has_rsample)
    return bool(base.has_rsample) and one_by_one.can_be_cut(base)


def undrawable(name: str, dist: Any) -> str:
    """Why a latent cannot be drawn from Strata's noise, which depends on the image alone."""
    if not dist.has_rsample:
        return unable(name, dist)
    return (
        f"The latent {name} has the distribution {type(dist).__name__}, which cannot be drawn from "
        "a given noise; take one of torch's own, such as Normal, Laplace, MultivariateNormal, a "
        "relaxed one, a mixture or a transform of these."
    )


def shaped(dist: Any, noise: Tensor) -> Tensor:
    """A draw from standard normal noise of the shape of a draw."""
    base = bare(dist)
    if isinstance(base, TransformedDistribution):
        z = shaped(base.base_dist, noise)
        for transform in base.transforms:
            z = transform(z)
        return z
    if isinstance(base, Normal):
        return base.loc + base.scale * noise
    if isinstance(base, MultivariateNormal | LowRankMultivariateNormal):
        root = torch.linalg.cholesky(base.covariance_matrix)
        drawn: Tensor = base.loc + (root @ noise.unsqueeze(-1)).squeeze(-1)
        return drawn
    if type(base).icdf is Distribution.icdf and not isinstance(
        base, LogitRelaxedBernoulli | ExpRelaxedCategorical
    ):
        return one_by_one.drawn(base, noise)
    # The noise at its own quantile is uniform; its ends are kept off 0 and 1.
    u = torch.special.ndtr(noise.double()).clamp(1e-12, 1 - 1e-12)
    if isinstance(base, LogitRelaxedBernoulli):
        logit = (u.log() - torch.log1p(-u)).to(noise.dtype)
        relaxed: Tensor = (base.logits + logit) / base.temperature
        return relaxed
    if isinstance(base, ExpRelaxedCategorical):
        gumbel = -(-u.log()).log().to(noise.dtype)
        scores = (base.logits + gumbel) / base.temperature
        return scores - scores.logsumexp(-1, keepdim=True)
    quantile: Tensor = base.icdf(u.to(noise.dtype))
    return quantile


def centre(dist: Any) -> Tensor:
    """The mean of a distribution; of a transformed one without, what its base's mean becomes."""
    base = bare(dist)
    try:
        mean: Tensor = base.mean
        return mean
    except NotImplementedError:
        pass
    if isinstance(base, TransformedDistribution):
        z = centre(base.base_dist)
        for transform in base.transforms:
            z = transform(z)
        return z
    if isinstance(base, LogitRelaxedBernoulli | ExpRelaxedCategorical):
        at: Tensor = base.logits
        return at
    like = next(value for value in vars(base).values() if isinstance(value, Tensor))
    return shaped(base, like.new_zeros(_shape(base)))


def divergence(q: Gaussian | Law, p: Gaussian | Law) -> Tensor | None:
    """KL(q || p) in nats (R, B), None where neither we nor torch have it in closed form."""
    if isinstance(q, Gaussian) and isinstance(p, Gaussian):
        return q.kl(p)
    lead = q.lead if isinstance(q, Law) else q.mean.shape[:2]
    try:
        nats = kl_divergence(_plain(q), _plain(p))
    except NotImplementedError:
        return None
    return nats.reshape(math.prod(lead), -1).sum(1).unflatten(0, lead)


def _plain(law: Gaussian | Law) -> Any:
    """The distribution of N rows as torch has it."""
    if isinstance(law, Law):
        return bare(law.dist)
    return Normal(law.mean.flatten(0, 1), law.std.flatten(0, 1), validate_args=False)
