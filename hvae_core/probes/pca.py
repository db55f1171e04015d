"""Principal components of latents: a map at once, without a heavy import, and fewer dimensions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvae_core.common.errors import DataError

_EXACT = 1024


class PCAMap(NamedTuple):
    """PCA in the plane: coords (N, 2) float32; explained (2,) is each axis's share of variance."""

    coords: np.ndarray
    explained: np.ndarray


def pca(latents: np.ndarray, seed: int = 0) -> PCAMap:
    """Project latents (N, D), N >= 2, on their two principal components.

    Beyond 1024 points and units by Lanczos iterations that start from ``seed``, which changes no
    digit that one could see. The sign of an axis is that of its largest loading. Latents without
    any variance, as of a collapsed layer, all fall on the origin.
    """
    centred = _centred(checked_points(latents, "PCA", fewest=2))
    coords = np.zeros((len(centred), 2))
    axes = _axes(centred, 2, seed)
    coords[:, : len(axes)] = centred @ axes.T  # a layer of one unit has one axis only
    total = float(np.einsum("nd,nd->d", centred, centred).sum(dtype=np.float64))
    explained = (coords**2).sum(axis=0) / total if total > 0 else np.zeros(2)
    return PCAMap(coords.astype(np.float32), explained)


def reduced(points: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Points (N, D) as float32, by their first ``most`` principal components where D is more."""
    if points.shape[1] <= most:
        return points.astype(np.float32)
    centred = _centred(points)
    return (centred @ _axes(centred, most, seed).T).astype(np.float32)


def projected(
    points: np.ndarray, known: np.ndarray, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points (M, D) and known ones (N, D) as ``reduced`` has the known ones alone."""
    if known.shape[1] <= most:
        return points.astype(np.float32), known.astype(np.float32)
    centred = _centred(known)
    axes = _axes(centred, most, seed).T
    moved = points.astype(centred.dtype) - known.astype(centred.dtype).mean(axis=0)
    return (moved @ axes).astype(np.float32), (centred @ axes).astype(np.float32)


def checked_points(
    latents: np.ndarray, title: str, *, fewest: int, most: int | None = None
) -> np.ndarray:
    """Latents (N, D) as they are, or a ``DataError`` that says what is wrong with them."""
    points = np.asarray(latents)
    if points.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] == 0:
        raise DataError(f"{title} needs one row of numbers a point, not the shape {points.shape}.")
    if len(points) < fewest:
        raise DataError(
            f"{title} needs at least {fewest} points with these settings, and there are "
            f"{len(points)}: show more images, or choose a smaller neighbourhood."
        )
    if most is not None and len(points) > most:
        raise DataError(
            f"{title} takes at most {most:,} points, and there are {len(points):,}: "
            "show fewer images."
        )
    if not np.isfinite(points).all():
        raise DataError(
            f"{title} cannot be drawn: some latents are not numbers, so the checkpoint is "
            "damaged or its training diverged."
        )
    return points


def _centred(points: np.ndarray) -> np.ndarray:
    # Squares of 64 bits where they are affordable, which is where the covariance is formed.
    precision = np.float64 if min(points.shape) <= _EXACT else np.float32
    wide = points.astype(precision)
    return wide - wide.mean(axis=0)


def _axes(centred: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The first ``count`` principal axes (or as many as there are) as rows (count, D)."""
    n, d = centred.shape
    # The axes are eigenvectors of X^T X: found there, or from those of the smaller X X^T (an
    # eigenvector v of it gives X^T v), or where both are large by iteration.
    if min(n, d) > _EXACT:
        from scipy.sparse.linalg import svds  # Lanczos: a few products instead of all axes

        start = np.random.default_rng(seed).standard_normal(min(n, d)).astype(centred.dtype)
        axes = svds(centred, k=count, v0=start, return_singular_vectors="vh")[2][::-1]
    elif d <= n:
        axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1][:count]
    else:
        axes = np.linalg.eigh(centred @ centred.T)[1].T[::-1][:count] @ centred
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        # A direction without variance has no axis: rounding alone would point anywhere.
        real = lengths > 1e-6 * lengths.max()
        axes = np.where(real, axes / np.where(real, lengths, 1.0), 0.0)
    # An axis and its negative are the same: a rule decides, or maps would flip between runs.
    largest = np.abs(axes).argmax(axis=1)
    signs = np.sign(axes[np.arange(len(axes)), largest])
    return np.asarray(axes * np.where(signs == 0, 1.0, signs)[:, None])
