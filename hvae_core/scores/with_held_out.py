"""Scores that hold an image against a density fitted to held-out in-distribution images.

The density is fitted to one half of the held-out images (``fitted_half``); p-values and thresholds
rest on the other half (``Score.counted``), which keeps them honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores.material import Material
from hvae_core.scores.score import Score

_LPATH = (
    "Huang et al. 2024, Rethinking Test-time Likelihood: The Likelihood Path Principle and Its "
    "Application to OOD Detection"
)
_ROUNDING = 2e-3
"""Nats to which tables are kept: a spread below it is none."""
_EVEN = 1e-12
"""Share of a column's largest number below which its spread is rounding."""


def path_statistics(table: BoundTable, k: int | None = None) -> Floats:
    """(NLL_k, KL_1 .. KL_L) in nats, (N, 1 + L); of all k without one, (N, K + L)."""
    nll = table.nll if k is None else table.nll[:, k : k + 1]
    return np.concatenate([nll, table.kl], axis=1)


def path_density(material: Material, k: int | None = None) -> Floats:
    """-log N(s; m, C) in nats of the path statistics s of level k, or of all (Huang 2024), (N,).

    They take |x - mean of p(x|z)| and the norms of mean and scale of q(z|x) and of the scale of
    p(x|z), at the mean of q; here the terms of the bounds stand for these, level by level:
    s = (NLL_k, KL_1 .. KL_L). m and C are mean and covariance over held-out images, theirs over
    training images, with the tables' rounding added to every variance. Images are ranked as by
    their Mahalanobis distance.
    """
    known, new = _path(material, k)
    return gaussian_surprise(known, new, floor=_ROUNDING)


def path_copod(material: Material) -> Floats:
    """COPOD of the path statistics of all levels (Huang 2024, after Li et al. 2020), (N,).

    Each image is held against the held-out images alone, so no other image moves its score; the
    authors' library counts tails and skewness among all images that are scored together.
    """
    return copod(*_path(material, None))


def gaussian_surprise(known: Floats, new: Floats, floor: float) -> Floats:
    """-log N(x; m, C) in nats of rows (N, D) under the Gaussian of known rows (M, D), (N,).

    C is the covariance of the known rows (divided by M), ``floor`` squared added to its diagonal.
    Raises ``ScoreError`` where that is no covariance.
    """
    mean, root = _gaussian(known, floor)
    constant = np.log(np.diag(root)).sum() + 0.5 * len(root) * np.log(2 * np.pi)
    # Term by term, not by a product of matrices, which rounds by how many rows stand beside a row.
    away, squares = (new - mean).T, np.zeros(len(new))
    for row in np.linalg.inv(root):
        white = np.zeros(len(new))
        for weight, each in zip(row, away, strict=True):
            white += weight * each
        squares += white**2
    return np.asarray(constant + 0.5 * squares)


def conditional_deviations(known: Floats, new: Floats, floor: float) -> Floats:
    """How far each x_j lies from what the others lead to expect, in standard deviations, (N, D).

    Under the Gaussian of ``gaussian_surprise`` with precision P: (P (x - m))_j / sqrt(P_jj), which
    is (x_j - E[x_j | others]) / sd(x_j | others).
    """
    mean, root = _gaussian(known, floor)
    white = np.linalg.inv(root)
    precision = white.T @ white
    return np.asarray((new - mean) @ precision / np.sqrt(np.diag(precision)))


def path_outlier(held_out: BoundTable, table: BoundTable) -> tuple[int, bool]:
    """Which path statistic of a table's first image is farthest from where the others put it.

    Its column in ``path_statistics`` of all k, and whether it is too large; ``held_out`` is the
    half to which the density was fitted.
    """
    known, new = path_statistics(held_out), path_statistics(table.take([0]))
    away = conditional_deviations(known, new, floor=_ROUNDING)[0]
    place = int(np.abs(away).argmax())
    return place, bool(away[place] > 0)


def _gaussian(known: Floats, floor: float) -> tuple[Floats, Floats]:
    """Mean (D,) and Cholesky factor (D, D) of the covariance of rows (M, D)."""
    with np.errstate(all="ignore"):
        mean = known.mean(axis=0)
        away = known - mean
        covariance = away.T @ away / len(known) + floor**2 * np.eye(known.shape[1])
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        root = np.full_like(covariance, np.nan)
    if not np.isfinite(root).all():
        raise ScoreError(
            "No density can be fitted to the held-out images: the model gives some of them numbers "
            "that are not finite, or that differ by too much. Choose another model or other images."
        )
    return mean, root


def copod(known: Floats, new: Floats) -> Floats:
    """Copula-based outlier score of rows (N, D) against known rows (M, D), (N,) (Li et al. 2020).

    Per column, with tails counted among the known rows and the row itself,
    l = -log P(X <= x), r = -log P(X >= x), and c = l where the column leans left, r where it leans
    right, l + r where neither; the score is the sum over columns of max(c, (l + r) / 2).
    """
    ordered, n = np.sort(known, axis=0), len(known)
    total = np.zeros(len(new))
    for column, values in zip(ordered.T, new.T, strict=True):
        below = -np.log((1 + np.searchsorted(column, values, "right")) / (1 + n))
        above = -np.log((1 + n - np.searchsorted(column, values, "left")) / (1 + n))
        away = column - column.mean()
        even = np.ptp(column) <= _EVEN * np.abs(column).max(initial=0.0)
        leans = 0.0 if even else np.sign((away**3).mean())
        corrected = below * (leans <= 0) + above * (leans >= 0)
        total += np.maximum(corrected, (below + above) / 2)
    return total


def held_out_scores(n_levels: int, layers: Sequence[str]) -> tuple[Score, ...]:
    """The path through the levels: of all k, by COPOD, and of every single k."""
    return (
        Score(
            key="path",
            name="path through the levels",
            symbol=r"\mathrm{path}",
            citation=_LPATH,
            family="held_out",
            function=path_density,
            needs=("held_out",),
        ),
        Score(
            key="path_copod",
            name="path through the levels, by its tails (COPOD)",
            symbol=r"\mathrm{COPOD}",
            citation=_LPATH,
            family="held_out",
            function=path_copod,
            needs=("held_out",),
        ),
        *(
            Score(
                key=f"path_{k}",
                name=f"path through the levels, of k = {k} alone",
                symbol=rf"\mathrm{{path}}_{{>{k}}}",
                citation=_LPATH,
                family="held_out",
                function=partial(path_density, k=k),
                needs=("held_out",),
                k=k,
            )
            for k in range(n_levels)
        ),
    )


def _path(material: Material, k: int | None) -> tuple[Floats, Floats]:
    known = material.held_out
    assert known is not None  # as ``needs`` says
    if known.table.kl.shape[1] != material.table.kl.shape[1]:
        raise ScoreError("The held-out images were evaluated under another model; evaluate anew.")
    return path_statistics(known.table, k), path_statistics(material.table, k)
