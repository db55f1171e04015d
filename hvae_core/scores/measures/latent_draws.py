"""What the posteriors of an image look like to the model: whitened noise, and narrow layers' q."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from hvae_core.common.arrays import Floats
from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.evaluation import STORED_UNITS
from hvae_core.models import Conditional, Gaussian, HierarchicalVAE, prepared
from hvae_core.scores.measures.settings import DrawSettings


def latent_noise(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: DrawSettings
) -> np.ndarray:
    """-ln p of two tests of each layer's whitened noise against N(0, 1), (B, 2 L), mean over draws.

    The noise of a layer is e = (z_i - m) / s of all its units, for z ~ q(z | x) and m, s those of
    p(z_i | z_>i); if images are as the model draws them, it is N(0, 1) (after Bomatter et al. 2026,
    who test the noise of a flow). First come the layers' Kolmogorov-Smirnov tests, then those of
    the sum of squares, chi^2 at both ends. NaN where p or q is no Gaussian.
    """
    total: Floats = np.zeros(())
    for conditionals, noise in _ways(model, pixels, digests, settings=settings):
        tests = []
        for index, (q, p) in enumerate(conditionals, start=1):
            if not (isinstance(q, Gaussian) and isinstance(p, Gaussian)):
                tests.append(np.full((2, len(pixels)), np.nan))
                continue
            eps = noise.normal(f"q{index}", 1, len(pixels), q.mean.shape[2:]).to(q.mean)
            e = ((q.sample(eps) - p.mean) / p.std)[0].flatten(1).double().cpu().numpy()
            tests.append(np.stack([smirnov_surprise(e), square_surprise(e)]))
        total = total + np.concatenate(np.stack(tests, axis=1)).T  # (B, 2 L)
    return np.asarray(total) / settings.samples


def narrow_posteriors(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: DrawSettings
) -> np.ndarray:
    """Mean and standard deviation of q(z_i | x, .) of every layer of at most 64 units, (B, ...).

    Given one draw of the layers that q reads. A row begins with the units of each of the L layers,
    0 where they are too many or q is no Gaussian; then come mean and deviation, layer by layer.
    """
    (conditionals, _), *_ = _ways(model, pixels, digests, settings=settings)
    widths, parts = [], []
    for q, _p in conditionals:
        narrow = isinstance(q, Gaussian) and q.mean[0, 0].numel() <= STORED_UNITS
        widths.append(q.mean[0, 0].numel() if narrow else 0)
        if narrow:
            shape = (1, len(pixels), *q.mean.shape[2:])
            parts += [part.expand(shape)[0].flatten(1) for part in (q.mean, q.std)]
    first = np.tile(np.array(widths, dtype=np.float64), (len(pixels), 1))
    return np.concatenate([first, *(part.double().cpu().numpy() for part in parts)], axis=1)


def smirnov_surprise(e: Floats) -> Floats:
    """-ln p of the Kolmogorov-Smirnov test of rows (B, n) against N(0, 1), (B,)."""
    from scipy.special import ndtr
    from scipy.stats import kstwo

    n = e.shape[1]
    u, steps = ndtr(np.sort(e, axis=1)), np.arange(n + 1) / n
    distance = np.maximum(steps[1:] - u, u - steps[:-1]).max(axis=1)
    with np.errstate(divide="ignore"):
        surprise = -np.log(kstwo.sf(distance, n))
    for row in np.flatnonzero(np.isposinf(surprise)):
        surprise[row] = _far_smirnov(float(distance[row]), n)
    return np.asarray(surprise)


def _far_smirnov(distance: float, n: int) -> float:
    """-ln p of a distance D whose p is smaller than a number can hold.

    Twice the exact tail of one side, D sum_j C(n, j) (D + j/n)^(j-1) (1 - D - j/n)^(n-j) over
    j <= n (1 - D) (Birnbaum and Tingey 1951): both sides at once are rarer by far.
    """
    from scipy.special import gammaln, logsumexp, xlogy

    rest = max(1 - distance, np.finfo(np.float64).eps)
    j = np.arange(int(n * rest) + 1)
    terms = (
        gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
        + (j - 1) * np.log(1 - rest + j / n)
        + xlogy(n - j, np.maximum(rest - j / n, 0.0))
    )  # fmt: skip
    return float(-np.log(2 * (1 - rest)) - logsumexp(terms))


def square_surprise(e: Floats) -> Floats:
    """-ln p of sum e^2 against chi^2(n) at both ends, for rows (B, n), (B,)."""
    from scipy.special import gammaln
    from scipy.stats import chi2

    n = e.shape[1]
    total = (e**2).sum(axis=1)
    high, low = chi2.logsf(total, n), chi2.logcdf(total, n)
    # Beyond what a number can hold, the first terms of the incomplete gamma function stand.
    a, x = n / 2, np.maximum(total, np.finfo(np.float64).tiny) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        far_up = a * np.log(x) - x - gammaln(a) - np.log(x - a + 1)
        far_down = a * np.log(x) - x - gammaln(a + 1) - np.log1p(-x / (a + 1))
    high = np.where(np.isneginf(high), far_up, high)
    low = np.where(np.isneginf(low), far_down, low)
    return np.asarray(np.maximum(0.0, -np.log(2) - np.minimum(high, low)))


def _ways(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], *, settings: DrawSettings
) -> Iterator[tuple[Sequence[Conditional], ImageNoise]]:
    """q and p of every layer along one draw from q(z | x), and what drew it, draw by draw."""
    with torch.no_grad():
        x = prepared(model, pixels, digests, seed=settings.seed)
        for sample in range(settings.samples):
            noise = ImageNoise(digests, settings.seed, sample)
            yield model.aggregate(x, noise=noise).conditionals, noise
