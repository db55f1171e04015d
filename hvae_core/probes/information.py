"""What images and latents know of each other: mutual information, and the KL of single units.

INF App. A.1 splits the KL term of a bound: E_x KL(q(z_>k|x) || p(z_>k)) = I_q(x; z_>k) +
KL(q(z_>k) || p(z_>k)), with the aggregated posterior q(z_>k) = E_x q(z_>k|x). Over N images every
draw is held against every image, N^2 densities, so a few hundred images are taken. Reading results
needs no torch; ``measure_information`` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.progress import Progress, silent
from hvae_core.evaluation.collapse import collapse_levels

if TYPE_CHECKING:
    from torch import Tensor

    from hvae_core.data.image_set import ImageSet
    from hvae_core.models import Conditional, HierarchicalVAE


IMAGES = 200
"""Images that the pages take: log N = 5.3 nats can be told."""
MAX_IMAGES = 1000
DELTAS = (0.01, 0.05, 0.1, 0.2)
"""Shares of images that may exceed eps in a collapsed unit."""
_KIND = "information"
_REACH = 9.0  # standard deviations beyond which a Gaussian counts for nothing
_CHANGE = 1e-5  # nats
_MOST = 2**20  # points of a grid
_TABLE = 2**22  # numbers of one table of points against components
_AT_ONCE = 100 * 28 * 28


@dataclass(frozen=True, eq=False)
class Information:
    """N images under one checkpoint, in nats.

    By level and image, (K, N): ``mutual`` is log q(z_>k|x) - log q(z_>k) and ``rate`` is
    log q(z_>k|x) - log p(z_>k), both of one draw; their means estimate I_q(x; z_>k) and
    E_x KL(q(z_>k|x) || p(z_>k)). ``levels[i]`` (deltas, units) are the ``collapse_levels`` of
    z_{i+1} for every delta in ``DELTAS``, without units where the prior has no density a unit.
    """

    mutual: Floats
    rate: Floats
    levels: tuple[Floats, ...]

    def __len__(self) -> int:
        return int(self.mutual.shape[1])

    @property
    def ceiling(self) -> float:
        """log N, the most that N images can show."""
        return math.log(len(self))

    @property
    def mean(self) -> Floats:
        """I_q(x; z_>k) of these images, (K,)."""
        return np.asarray(self.mutual.mean(1))

    @property
    def error(self) -> Floats:
        """Standard error of ``mean`` over the images, (K,)."""
        return np.asarray(self.mutual.std(1) / math.sqrt(len(self)))

    @property
    def marginal(self) -> Floats:
        """KL(q(z_>k) || p(z_>k)), what is left of the rate, (K,).

        Where ``mean`` is at its ceiling this is too large by what could not be measured.
        """
        return np.asarray((self.rate - self.mutual).mean(1))


def mutual_information(log_q: ArrayLike) -> Floats:
    """log q(z_i|x_i) - log (1/N) sum_j q(z_i|x_j) in nats (N,), for log_q[j, i] = log q(z_i|x_j).

    The mean over i estimates I_q(x; z) where x is one of the N images (INF App. A.1); it is at most
    log N, and on average not above the information over the distribution that they came from.
    """
    table = np.asarray(log_q, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not len(table):
        raise ScoreError(f"Mutual information needs a square table, not the shape {table.shape}.")
    top = table.max(0)
    aggregated = top + np.log(np.exp(table - top).mean(0))  # log q(z_i)
    return np.asarray(np.diagonal(table) - aggregated)


def information_key(checkpoint: str, images: ImageSet, seed: int) -> str:
    """The digest under which the cache keeps the information of a set."""
    return fingerprint.digest("information-3", checkpoint, images.digest, seed)


def stored_information(checkpoint: str, images: ImageSet, seed: int = 0) -> Information | None:
    """The finished figures from the cache, or None: computes nothing."""
    return cache.peek(_KIND, information_key(checkpoint, images, seed), _unpack)


def _unpack(arrays: cache.Arrays) -> Information:
    levels = (arrays[f"levels{i}"] for i in range(1, len(arrays) - 1))
    return Information(arrays["mutual"], arrays["rate"], tuple(map(_wide, levels)))


def measure_information(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    *,
    seed: int = 0,
    progress: Progress = silent,
    at_once: int | None = None,
) -> Information:
    """I_q(x; z_>k) (INF App. A.1) and the KL of every unit, from the cache or computed.

    ``checkpoint`` is the digest of the weights; ``at_once`` the draws that stand in memory. Raises
    ``DataError`` for too many images, or images that do not have the model's shape.
    """
    if not 2 <= len(images) <= MAX_IMAGES or images.image_shape != model.image_shape:
        raise DataError(
            f"Mutual information takes 2 to {MAX_IMAGES:,} images of the model's shape "
            f"{model.image_shape}; {images.title} has {len(images):,} of {images.image_shape}."
        )
    key = information_key(checkpoint, images, seed)
    at_once = at_once or max(1, min(len(images), _AT_ONCE // model.dims))

    def measure() -> cache.Arrays:
        return _measured(model, images, seed, at_once=at_once, progress=progress)

    return cache.kept(_KIND, key, measure, pack=lambda arrays: arrays, unpack=_unpack)


def information_of(
    path: str, images: ImageSet, seed: int, *, progress: Progress = silent
) -> Information:
    """A job: ``measure_information`` of a set under a checkpoint file."""
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    fitted = images.fit(checkpoint.image_shape)
    model, digest = checkpoint.model, checkpoint.digest
    return measure_information(model, digest, fitted, seed=seed, progress=progress)


def _measured(
    model: HierarchicalVAE, images: ImageSet, seed: int, *, at_once: int, progress: Progress
) -> dict[str, np.ndarray]:
    """All figures as the cache keeps them, ``at_once`` draws after another."""
    parts = []
    for start in range(0, len(images), at_once):
        stop = min(start + at_once, len(images))

        def report(done: float, start: int = start, stop: int = stop) -> None:
            progress((start + done * (stop - start)) / len(images), images.title)

        rows = slice(start, stop)
        parts.append(_held_against_all(model, images, rows, seed=seed, report=report))
    log_q, log_p = (np.concatenate([part[i] for part in parts], axis=-1) for i in (0, 1))
    unit_kl = [np.concatenate(layer) for layer in zip(*(part[2] for part in parts), strict=True)]
    own = np.diagonal(log_q, axis1=1, axis2=2)
    arrays = {
        "mutual": np.stack([mutual_information(table) for table in log_q]),
        "rate": own - log_p,
    }
    for i, kl in enumerate(unit_kl, start=1):
        levels = [collapse_levels(kl, delta) for delta in DELTAS]
        arrays[f"levels{i}"] = np.stack(levels).astype(np.float32)
    return arrays


def _wide(values: NDArray[Any]) -> Floats:
    return values.astype(np.float64)


def _held_against_all(
    model: HierarchicalVAE, images: ImageSet, rows: slice, *, seed: int, report: Any
) -> tuple[Floats, Floats, list[NDArray[np.float32]]]:
    """log q(z_i|x_j) (K, N, n) and log p(z_i) (K, n) of the draws of some images, and unit KL."""
    import torch

    from hvae_core.common.noise import ImageNoise
    from hvae_core.models import prepared

    digests = images.image_digests()

    def seen(which: slice) -> Tensor:
        return prepared(model, images.images[which], digests[which], seed=seed)

    with torch.inference_mode():
        # 1. One draw z_i ~ q(z|x_i) of each of these images, with its densities under the prior.
        draws = model.aggregate(seen(rows), noise=ImageNoise(digests[rows], seed))
        log_p = draws.log_p.double().cpu().numpy()
        unit_kl = [_of_units(conditional) for conditional in draws.conditionals]
        # 2. The density of every draw under the posterior of every image of the set, one image
        # after another: a table of all would hold N times the latents.
        columns = []
        for j in range(len(images)):
            columns.append(draws.log_q(seen(slice(j, j + 1))).double().cpu().numpy())
            report((j + 1) / len(images))
    return np.stack(columns, axis=1), log_p, unit_kl


def _of_units(conditional: Conditional) -> NDArray[np.float32]:
    """KL(q(z_i|.) || p(z_i|.)) of each unit in nats, (N, units); no units where there is none."""
    kl = unit_kl(conditional.q, conditional.p)
    if kl is None:
        return np.zeros((conditional.q.mean.shape[1], 0), np.float32)
    return np.asarray(kl[0].flatten(1).cpu().numpy(), np.float32)


def unit_kl(q: Any, p: Any) -> Tensor | None:
    """KL(q || p) of each unit in nats (1, N, ...), None where p has no density of single units.

    In closed form for a Gaussian p; for a mixture against its marginals, by the trapezoidal rule,
    right to 1e-4. q and p are those at one draw of the layers that they depend on.
    """
    from hvae_core.models.distributions import Gaussian
    from hvae_core.models.priors.closed_form import NormalPrior
    from hvae_core.models.priors.vamp import GaussianMixture

    if not isinstance(q, Gaussian):
        return None
    if isinstance(p, NormalPrior):
        p = Gaussian.standard_like(q.mean)
    if isinstance(p, Gaussian):
        return q.kl_by_unit(p)
    return _against_mixture(q, p.mean, p.std) if isinstance(p, GaussianMixture) else None


def _against_mixture(q: Any, means: Tensor, stds: Tensor) -> Tensor:
    """E_q[log q - log (1/K) sum_k N(mean_k, std_k^2)] of each unit, (1, N, ...).

    The first part is minus the entropy of a Gaussian. The second has kinks between components,
    and spikes where these are narrow, so that no fixed rule serves: see ``_mean_log_density``.
    """
    import torch

    flat = [part.flatten(1).double().cpu().numpy() for part in (q.mean[0], q.std[0], means, stds)]
    columns = [
        _mean_log_density(*column)
        for column in zip(*(part.T for part in flat), strict=True)  # a unit at a time
    ]
    entropy = np.log(flat[1]) + 0.5 * math.log(2 * math.pi * math.e)
    kl = torch.from_numpy(-entropy - np.stack(columns, 1)).clamp_min(0.0)
    return kl.to(q.mean).view(q.mean.shape)


def _mean_log_density(mean: Floats, std: Floats, centres: Floats, spreads: Floats) -> Floats:
    """E of log p under N Gaussians (N,), p a mixture of K with equal weights, all of one unit.

    By the trapezoidal rule on one grid for all, from half of the narrowest spread on, halved until
    no value changes by ``_CHANGE``; the rule's error falls fourfold each time.
    """
    low, high = (mean - _REACH * std).min(), (mean + _REACH * std).max()
    finest = min(std.min(), spreads.min()) / 2
    n = min(_MOST, max(64, 2 ** math.ceil(math.log2((high - low) / finest))))

    def sums(z: Floats) -> Floats:
        total = np.zeros(len(mean))
        for part in np.array_split(z, math.ceil(len(z) * max(len(mean), len(centres)) / _TABLE)):
            terms = -0.5 * ((part[:, None] - centres) / spreads) ** 2 - np.log(spreads)
            top = terms.max(1, keepdims=True)
            log_p = top[:, 0] + np.log(np.exp(terms - top).mean(1)) - 0.5 * math.log(2 * math.pi)
            total += (np.exp(-0.5 * ((part - mean[:, None]) / std[:, None]) ** 2) @ log_p) / std
        return total * (high - low) / math.sqrt(2 * math.pi)

    # The ends count for nothing: they lie far outside of every q.
    found = sums(low + (high - low) * np.arange(1, n) / n) / n
    change = np.inf
    while change > _CHANGE and n < _MOST:
        finer = (found + sums(low + (high - low) * (np.arange(n) + 0.5) / n) / n) / 2
        found, change, n = finer, np.abs(finer - found).max(), 2 * n
    return found
