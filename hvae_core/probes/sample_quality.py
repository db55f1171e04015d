"""How good samples are, and how long they take: measured by another model, without labels.

A judge, a model trained apart from that which drew the samples, reads samples and real images
alike. Three figures: what the samples cost under it, how far the two clouds of its latents lie
apart, and how far each sample is from its nearest real image.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.noise import StreamNoise
from hvae_core.common.progress import Progress, silent
from hvae_core.evaluation.evaluation import STORED_UNITS, EvalSettings
from hvae_core.evaluation.scorer import Scorer
from hvae_core.models import HierarchicalVAE, Sampler


@dataclass(frozen=True)
class Quality:
    """``nll`` is the mean -L under the judge in nats; ``frechet`` and ``nearest`` in its latents.

    Real images held against other real images give what the best samples could reach.
    """

    nll: float
    frechet: float
    nearest: float


@dataclass(frozen=True, eq=False)
class JudgedPictures:
    """What a judge makes of N pictures: the mean -L in nats, and its latents (N, d)."""

    nll: float
    latents: Floats


def judged(
    judge: HierarchicalVAE, pixels: NDArray[np.uint8], *, progress: Progress = silent
) -> JudgedPictures:
    """-L (nats) and E[z | x] of the layers of at most 64 units, for pictures (N, C, H, W)."""
    nll, rows = [], []
    scorer = Scorer(judge, EvalSettings(1, 1), rows=100)
    for start in range(0, len(pixels), 100):
        part = pixels[start : start + 100]
        # Noise by place, not by content: two equal samples are two samples.
        places = range(start, start + len(part))
        bounds, means = scorer(part, places)
        nll.append(-bounds[0].bound)
        kept = [
            m for m, spec in zip(means, judge.latents, strict=True) if spec.units <= STORED_UNITS
        ]
        rows.append(np.concatenate(kept, axis=1))
        progress(min(1.0, (start + 100) / len(pixels)), "judging")
    return JudgedPictures(float(np.concatenate(nll).mean()), np.concatenate(rows))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples as bytes (n, C, H, W), with seconds for u alone (None without one) and in all."""

    pixels: NDArray[np.uint8]
    seconds_u: float | None
    seconds: float


def draw(model: HierarchicalVAE, n: int, seed: int, sampler: Sampler | None = None) -> Drawn:
    """n samples of the prior, and the time that they took.

    Grey levels are drawn. Of binary pixels the probabilities are kept: the judge draws from them
    as it does from the grey levels of real images.
    """
    begun = time.perf_counter()
    seconds_u = None
    with torch.inference_mode():
        given = {}
        stream = StreamNoise(torch.Generator().manual_seed(seed))
        if sampler is not None:
            given[model.n_layers] = model.sample_top(n, noise=stream, sampler=sampler)
            seconds_u = time.perf_counter() - begun
        parts = []
        for start in range(0, n, 100):
            kept = {i: z[start : start + 100] for i, z in given.items()}
            drawn = model.sample(min(100, n - start), noise=stream, given=kept)
            picture = drawn.mean
            if not model.config.binary:
                noise_x = stream.uniform("x", 1, picture.shape[1], picture.shape[2:])
                picture = drawn.sample(noise_x.to(picture))
            parts.append(picture[0].cpu().numpy())
    seconds = time.perf_counter() - begun
    pixels = np.rint(np.concatenate(parts).clip(0, 1) * 255).astype(np.uint8)
    return Drawn(pixels, seconds_u, seconds)


def quality(samples: JudgedPictures, real: JudgedPictures) -> Quality:
    """Samples held against real images, both as the same judge reads them.

    NaN for distances of what the judge has no finite numbers for.
    """
    if not all(np.isfinite(held.latents).all() for held in (samples, real)):
        return Quality(samples.nll, math.nan, math.nan)
    return Quality(
        samples.nll,
        frechet_distance(samples.latents, real.latents),
        nearest_distance(samples.latents, real.latents),
    )


def frechet_distance(a: NDArray, b: NDArray) -> float:
    """|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2) of two clouds (N, d) (Heusel et al. 2017).

    The squared Wasserstein-2 distance of the Gaussians with their moments. Raises ``ScoreError``
    for fewer points than dimensions, whose covariance would say nothing.
    """
    a, b = _cloud(a), _cloud(b)
    if a.shape[1] != b.shape[1]:
        raise ScoreError(f"Clouds of {a.shape[1]} and {b.shape[1]} dimensions do not compare.")
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    # tr (C_a C_b)^1/2 = sum of the roots of the eigenvalues of C_a^1/2 C_b C_a^1/2, all real.
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return float(max(0.0, shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))


def nearest_distance(samples: NDArray, real: NDArray) -> float:
    """Mean distance of each sample (N, d) to its nearest real point (M, d)."""
    from scipy.spatial import cKDTree

    return float(cKDTree(_cloud(real)).query(_cloud(samples))[0].mean())


def _cloud(points: NDArray) -> Floats:
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or len(values) <= values.shape[1]:
        raise ScoreError(
            f"A cloud needs more points than dimensions, not an array of shape {values.shape}; "
            "take more samples."
        )
    return values
