"""What scores may read of the images of a set, and of the training images beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import Evaluation

FEWEST = 20
"""Images that a density is fitted to, at least."""
_KEPT_TO = 4e-3
_FLOAT = 1e-5
"""Nats, and share of a number, by which the terms of one image differ where they were kept."""


def fitted_half(held_out: BoundTable) -> NDArray[np.bool_]:
    """Which held-out images densities are fitted to (N,); p-values rest on the others.

    Every second one in the order of the digests, so that the order of the set says nothing and
    equal images stand on one side. Shipped results have no digests: there it is every second one
    as they lie in their file, which never changes.
    """
    if held_out.digests is not None:
        return half_of(held_out.digests)
    return np.arange(len(held_out)) % 2 == 0


def half_of(digests: ArrayLike) -> NDArray[np.bool_]:
    """``fitted_half`` by the digests (N,) of the images alone, before these are evaluated."""
    places = np.unique(np.asarray(digests, dtype=np.uint64), return_inverse=True)[1]
    return np.asarray(places % 2 == 0)


def by_digest(images: BoundTable) -> NDArray[np.intp]:
    """The places (N,) of images in the order of their digests; where there are none, as they lie.

    What draws or starts by place gives the same for the same images in this order.
    """
    if images.digests is None:
        return np.arange(len(images))
    return np.argsort(np.asarray(images.digests, dtype=np.uint64), kind="stable")


def among(images: BoundTable, others: BoundTable) -> NDArray[np.bool_]:
    """Which images stand in another table of the same model too (N,).

    By the digests of their pixels. Shipped results have none: there by the terms of the bounds,
    which are those of the same pixels under the same draws, to the rounding of what is kept.
    """
    if images.digests is not None and others.digests is not None:
        return np.isin(images.digests, others.digests)
    alike = images.bound.shape[1] == others.bound.shape[1] and (
        images.kl.shape[1] == others.kl.shape[1]
    )
    if not alike or not len(others):
        return np.zeros(len(images), dtype=bool)
    new, known = (
        np.concatenate([table.bound, table.nll, table.kl], axis=1) for table in (images, others)
    )
    known = known[np.argsort(known[:, 0])]
    near = _KEPT_TO + _FLOAT * np.abs(new)
    first = np.searchsorted(known[:, 0], new[:, 0] - near[:, 0], side="left")
    last = np.searchsorted(known[:, 0], new[:, 0] + near[:, 0], side="right")
    found = np.zeros(len(new), dtype=bool)
    for row in np.flatnonzero(last > first):
        away = np.abs(known[first[row] : last[row]] - new[row])
        found[row] = (away <= near[row]).all(axis=1).any()
    return found


@dataclass(frozen=True, eq=False)
class ClassGaussians:
    """Gaussians of C classes (one where there are no labels) with one covariance, of U units."""

    means: Floats  # (C, U)
    precision: Floats  # (U, U)


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of *training* images under one checkpoint, for scores that compare with them.

    ``mean`` is the mean of -L in nats over ``images`` images; ``layers[i]`` describes the posterior
    means of z_{i+1}, None where they are too many to be kept.
    """

    mean: float
    layers: tuple[ClassGaussians | None, ...]
    images: int


@dataclass(frozen=True, eq=False)
class Material:
    """What scores may read of N images under one checkpoint.

    ``latents[i]`` are posterior means (N, units) of z_{i+1}, (N, 0) where they are not kept.
    ``ensemble`` holds the same images under other checkpoints, ``background`` those under the
    background checkpoint. ``measures`` are further figures an image by name, (N,) or (N, m).
    ``names`` are those of the layers, where they are known. ``held_out`` is the material of
    the held-out in-distribution images that densities are fitted to, ``fitted_half`` of their set.
    """

    table: BoundTable
    latents: tuple[NDArray[Any], ...] = ()
    reference: Reference | None = None
    ensemble: tuple[BoundTable, ...] = ()
    background: BoundTable | None = None
    measures: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    held_out: Material | None = None

    def __post_init__(self) -> None:
        n = len(self.table)
        counts = [len(rows) for rows in (*self.latents, *self.measures.values())]
        counts += [len(table) for table in (*self.ensemble, self.background or self.table)]
        if any(count != n for count in counts):
            raise ScoreError(
                f"What a score reads must be of the same images; the bounds are of {n}. "
                "Compute the other figures for these images again."
            )

    @classmethod
    def of(cls, evaluation: Evaluation, reference: Reference | None = None) -> Material:
        """What an evaluation holds itself, with a reference."""
        return cls(evaluation.table, evaluation.latents, reference, names=evaluation.names)

    def has(self, need: str, layer: str = "") -> bool:
        """Whether what a score needs is here, of a layer if one is named."""
        if need == "latents" and layer in self.names:
            return self.latents[self.names.index(layer)].shape[1] > 0
        if need in ("narrow", "white"):
            return self._layer_has(need, layer)
        return bool(getattr(self, need))

    def _layer_has(self, need: str, layer: str) -> bool:
        """What only a measure knows of a layer, True as long as it is not computed."""
        name = {"narrow": "posteriors", "white": "noise"}[need]
        if layer not in self.names or not len(self.measures.get(name, ())):
            return True
        values = self.measures[name][:, self.names.index(layer)]
        return bool(values[0] > 0 if need == "narrow" else not np.isnan(values).all())

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: NDArray[Any] | slice) -> Material:
        """The material of some of the images: by indices, a boolean mask, or a slice."""
        return replace(
            self,
            table=self.table.take(rows),
            latents=tuple(z[rows] for z in self.latents),
            ensemble=tuple(table.take(rows) for table in self.ensemble),
            background=None if self.background is None else self.background.take(rows),
            measures={name: values[rows] for name, values in self.measures.items()},
        )
