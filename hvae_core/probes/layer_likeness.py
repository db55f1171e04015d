"""How alike two models represent the same images, layer by layer (HVK Fig. 2): no torch.

Two measures on posterior means: absolute correlations of units, each unit of the smaller layer
paired with one of the other so that their sum is largest, and linear CKA, which asks for no pairs.
The models may differ in layers and in units: every layer of A is held against every layer of B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.probes.shipped_likeness import shipped_arrays

PAIRED_UNITS = 256
"""Units of a layer that are paired at most: those whose means vary most."""
MIN_IMAGES = 10
_STILL = 1e-6
KIND = "likeness"


@dataclass(frozen=True, eq=False)
class Likeness:
    """Layers of A (rows) against layers of B (columns) on one set of images.

    ``correlation`` is the mean |r| of matched units, ``chance`` the same with the images of B
    shuffled, the value of layers that have nothing in common; ``cka`` is linear CKA, NaN where a
    layer says nothing that could be told from noise.
    """

    correlation: Floats
    chance: Floats
    cka: Floats


def correlations(a: ArrayLike, b: ArrayLike) -> Floats:
    """|Pearson r| of every unit of a (N, p) with every one of b (N, q) over the images, (p, q).

    A unit that does not vary correlates with nothing: 0.
    """
    return _products(*map(_standard, _checked(a, b)))


def _products(x: Floats, y: Floats) -> Floats:
    return np.asarray(np.abs(x.T @ y / len(x)).clip(0, 1))


def matched(table: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (rows, columns) of units whose correlations sum up to most (linear assignment)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.asarray(table), maximize=True)
    return rows, columns


def matched_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Mean |r| over the matched units of two layers (N, p) and (N, q), 0 to 1 (HVK Fig. 2)."""
    return _paired(*map(_standard, _checked(a, b)))


def _paired(x: Floats, y: Floats) -> float:
    table = _products(x, y)
    return float(table[matched(table)].mean())


def linear_cka(a: ArrayLike, b: ArrayLike) -> float:
    """Linear CKA of two layers (N, p), (N, q), debiased, at most 1 (Kornblith et al. 2019).

    HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b)) by the unbiased estimator (Song et al. 2012, Eq. 5;
    Nguyen et al. 2021): the plain one says that wide layers are alike whatever they hold. Of layers
    without anything in common it is 0 on average. NaN where a layer is noise or nothing.
    """
    return _cka(*map(_Gram.of, _checked(a, b)))


@dataclass(frozen=True, eq=False)
class _Gram:
    """Products of images over the units of a layer, (N, N) without its diagonal, and its sums."""

    table: Floats
    rows: Floats
    own: float

    @classmethod
    def of(cls, centred: Floats) -> _Gram:
        table = centred @ centred.T
        np.fill_diagonal(table, 0.0)
        alone = cls(table, table.sum(0), 0.0)
        return replace(alone, own=alone.hsic(alone))

    def hsic(self, other: _Gram) -> float:
        """The unbiased estimator of HSIC, N >= 4 (Song et al. 2012, Eq. 5)."""
        n = len(self.table)
        whole = float(np.vdot(self.table, other.table))
        whole += float(self.rows.sum() * other.rows.sum()) / ((n - 1) * (n - 2))
        return (whole - 2 * float(self.rows @ other.rows) / (n - 2)) / (n * (n - 3))


def _cka(a: _Gram, b: _Gram) -> float:
    if min(a.own, b.own) <= _STILL**4:
        return float("nan")
    return a.hsic(b) / float(np.sqrt(a.own * b.own))


def likeness(
    a: Sequence[ArrayLike], b: Sequence[ArrayLike], seed: int = 0, *, progress: Progress = silent
) -> Likeness:
    """Every layer of A against every one of B on the same N images; layers are (N, units) each.

    ``seed`` shuffles the images for the level of chance.
    """
    if not a or not b:
        raise DataError("A model without layers is like no other.")
    # What each layer needs is made once: it meets every layer of the other model.
    layers = [_checked(a[0], layer)[1] for layer in (*a, *b)]
    few = [_standard(_liveliest(layer)) for layer in layers]
    grams = [_Gram.of(layer) for layer in layers]
    order = np.random.default_rng(seed).permutation(len(layers[0]))
    shape = len(a), len(b)
    correlation, chance, cka = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for i in range(len(a)):
        for j in range(len(b)):
            progress((i * len(b) + j) / (len(a) * len(b)), "Comparing layers")
            of_a, of_b = few[i], few[len(a) + j]
            correlation[i, j] = _paired(of_a, of_b)
            chance[i, j] = _paired(of_a, of_b[order])
            cka[i, j] = _cka(grams[i], grams[len(a) + j])
    progress(1.0, "Comparing layers")
    return Likeness(correlation, chance, cka)


def layer_pairs(
    likeness: Likeness, names_a: Sequence[str], names_b: Sequence[str]
) -> list[tuple[int, int]]:
    """Which layer of A stands beside which of B, by place from 0, in the order of A's layers.

    Layers of the same names go by name; else each layer of the shallower model goes with one of the
    other, so that their correlations, less those of chance, sum up to most.
    """
    if tuple(names_a) == tuple(names_b):
        return [(i, i) for i in range(len(names_a))]
    rows, columns = matched(likeness.correlation - likeness.chance)
    return sorted((int(i), int(j)) for i, j in zip(rows, columns, strict=True))


def likeness_key(checkpoints: tuple[str, str], images: tuple[str, str], seed: int) -> str:
    """The digest by which the likeness of two checkpoints on a set is kept.

    ``images`` are the digests of the same ones at the shape of either model.
    """
    return fingerprint.digest("likeness-2", checkpoints, [*images], seed)


def stored_likeness(key: str) -> Likeness | None:
    """The finished comparison, shipped or from the cache, or None: computes nothing."""
    ships = shipped_arrays(key)
    return unpack(ships) if ships is not None else cache.peek(KIND, key, unpack)


def pack(likeness: Likeness) -> dict[str, np.ndarray]:
    """As arrays, for the cache."""
    return dict(vars(likeness))


def unpack(arrays: cache.Arrays) -> Likeness:
    """Read back what ``pack`` wrote."""
    return Likeness(arrays["correlation"], arrays["chance"], arrays["cka"])


def likeness_of_sets(
    path_a: str, path_b: str, sets: Sequence[ImageSet], seed: int, *, progress: Progress = silent
) -> list[Likeness]:
    """A job: every layer of A against every one of B on each set (HVK Fig. 2), as cached."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.evaluation.latents import encoded

    models = [load_checkpoint(path) for path in (path_a, path_b)]
    digests = (models[0].digest, models[1].digest)

    def compare(fitted: Sequence[ImageSet], whole: Progress) -> Likeness:
        a, b = (
            encoded(checkpoint, images, seed, progress=part(whole, which, 3))
            for which, (checkpoint, images) in enumerate(zip(models, fitted, strict=True))
        )
        return likeness(a, b, seed, progress=part(whole, 2, 3))

    compared = []
    for done, images in enumerate(sets):
        fitted = [images.fit(checkpoint.image_shape) for checkpoint in models]
        key = likeness_key(digests, (fitted[0].digest, fitted[1].digest), seed)
        work = partial(compare, fitted, part(progress, done, len(sets)))
        compared.append(cache.kept(KIND, key, work, pack=pack, unpack=unpack))
    return compared


def _liveliest(layer: Floats) -> Floats:
    """The units that vary most, so that pairing them stays a matter of a moment."""
    if layer.shape[1] <= PAIRED_UNITS:
        return layer
    picks = np.argsort(-layer.var(0), kind="stable")[:PAIRED_UNITS]
    return np.asarray(layer[:, np.sort(picks)])


def _standard(values: Floats) -> Floats:
    """Units of mean 0 and variance 1 over the images; those that stand still are 0."""
    spread = values.std(0)
    return np.asarray(np.where(spread > _STILL, values / np.where(spread > _STILL, spread, 1), 0.0))


def _checked(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Both layers, centred over the images."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    fits = x.ndim == y.ndim == 2 and len(x) == len(y) and x.shape[1] and y.shape[1]
    if not fits or len(x) < MIN_IMAGES:
        raise DataError(
            f"Two layers are compared by the units of the same images, {MIN_IMAGES} or more; these "
            f"have the shapes {x.shape} and {y.shape}."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError(
            "Some latents are not numbers, so a checkpoint is damaged or its training diverged."
        )
    return x - x.mean(0), y - y.mean(0)


@dataclass(frozen=True)
class Agreement:
    """One score of the same N images under A and under B, in the score's unit.

    ``mean`` is that of A - B with its standard ``error``, ``correlation`` Pearson's r, NaN where a
    score does not vary.
    """

    mean: float
    error: float
    correlation: float


def agreement(a: ArrayLike, b: ArrayLike) -> Agreement:
    """How far two models agree on the images of a set, by one score (N,) each."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise DataError(
            f"Two models agree or not on the same images, two or more; these have the shapes "
            f"{x.shape} and {y.shape}."
        )
    d = x - y
    spread = x.std() * y.std()
    r = float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else float("nan")
    return Agreement(float(d.mean()), float(d.std(ddof=1) / np.sqrt(len(d))), r)


def most_different(
    a: ArrayLike, b: ArrayLike, usual: float, *, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Images whose A - B lies farthest above and farthest below the ``usual`` difference.

    At most ``count`` to each side, the farthest first; an image on the other side is not taken.
    """
    d = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64) - usual
    order = np.argsort(-d, kind="stable")
    above, below = order[:count], order[::-1][:count]
    return above[d[above] > 0], below[d[below] < 0]
