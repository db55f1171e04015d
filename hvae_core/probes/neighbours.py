"""How far a set lies from the in-distribution set in a layer, by nearest neighbours alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.detection.metrics import auroc

_BLOCK = 512
Vectors = NDArray[np.floating]


def neighbour_distances(points: Vectors, reference: Vectors) -> Floats:
    """Euclidean distance of each of the points (N, D) to the nearest row of reference (M, D)."""
    return _nearest(*_fitting(points, reference), leave_out=False)


def nearest(points: Vectors, reference: Vectors, count: int) -> tuple[NDArray[np.int64], Floats]:
    """Rows of reference (M, D) nearest to each of the points (N, D), nearest first.

    Their numbers and Euclidean distances, each (N, min(count, M)); the first wins a tie.
    """
    from scipy.spatial.distance import cdist

    distances = cdist(*_fitting(points, reference))
    order = distances.argsort(axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(distances, order, axis=1)


def own_distances(reference: Vectors) -> Floats:
    """Distance of each row of reference (M, D), M >= 2, to the nearest other row, (M,)."""
    rows, _ = _fitting(reference, reference)
    if len(rows) < 2:
        raise DataError("Neighbours need at least two in-distribution images; show more.")
    return _nearest(rows, rows, leave_out=True)


def separation(inside: Vectors, outside: Vectors) -> float:
    """AUROC of the distance to the nearest in-distribution neighbour (as Sun et al. 2022, k = 1).

    1: every outsider lies farther from its neighbours than the set's own images do from theirs;
    0.5: no telling; 0: outsiders lie deeper among them. Own images leave themselves out.
    """
    return auroc(own_distances(inside), neighbour_distances(outside, inside))


def _fitting(points: Vectors, reference: Vectors) -> tuple[Floats, Floats]:
    """Both about the mean of the reference, where squares lose the fewest digits."""
    rows, others = (np.asarray(x, dtype=np.float64) for x in (points, reference))
    fits = rows.ndim == others.ndim == 2 and rows.shape[1] == others.shape[1]
    if not fits or not rows.size or not others.size:
        raise DataError(
            f"Vectors of shapes {rows.shape} and {others.shape} cannot be compared; "
            "take both from the same layer."
        )
    if not (np.isfinite(rows).all() and np.isfinite(others).all()):
        raise DataError(
            "Some latents are not numbers, so the checkpoint is damaged or its training diverged."
        )
    centre = others.mean(axis=0)
    return rows - centre, others - centre


def _nearest(rows: Floats, others: Floats, *, leave_out: bool) -> Floats:
    lengths = np.einsum("md,md->m", others, others)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        gaps = lengths - 2 * block @ others.T  # (B, M), without the block's own squares
        if leave_out:
            at = np.arange(len(block))
            gaps[at, start + at] = np.inf
        nearest[start : start + _BLOCK] = gaps.min(axis=1) + np.einsum("bd,bd->b", block, block)
    return np.asarray(np.sqrt(np.maximum(nearest, 0)))
