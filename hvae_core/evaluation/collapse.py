"""Which layers carry information: KL per dimension, collapsed layers, active units, bits.

A layer counts as collapsed when its KL term is within the threshold of zero, 0.01 nats per latent
dimension unless told otherwise. The size is compared, not the sign: under bottom-up inference only
the top term is a KL divergence in the strict sense, and a term far below zero is no collapse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.thresholds import ACTIVE_THRESHOLD, COLLAPSE_THRESHOLD
from hvae_core.common.words import fmt

SILENT_NATS = 0.1  # a layer that says less than this of an image in all says nothing


def kl_per_dim(kl: ArrayLike, units: Sequence[int]) -> Floats:
    """KL_i / units_i in nats per latent dimension, for kl (..., L) (Li et al. 2022, Table 14)."""
    values, sizes = np.asarray(kl, dtype=np.float64), np.asarray(units, dtype=np.float64)
    if values.ndim < 1 or values.shape[-1] != len(sizes) or (sizes < 1).any():
        raise ScoreError(
            f"KL terms of shape {values.shape} do not fit layers of {list(units)} units."
        )
    return np.asarray(values / sizes)


def collapsed_layers(
    kl_mean: ArrayLike, units: Sequence[int], threshold: float = COLLAPSE_THRESHOLD
) -> tuple[int, ...]:
    """Numbers i of the collapsed layers z_i (from 1), given the mean KL in nats of each, (L,)."""
    flat = np.abs(kl_per_dim(kl_mean, units)) < threshold
    return tuple(int(i) + 1 for i in np.flatnonzero(flat))


def silent_layers(
    kl_mean: ArrayLike,
    units: Sequence[int],
    active: Sequence[int],
    *,
    exact: Sequence[bool],
    threshold: float = COLLAPSE_THRESHOLD,
) -> tuple[int, ...]:
    """Numbers i of the collapsed layers z_i that say nothing, the others being thin per unit.

    A layer without an active unit says nothing. Under top-down inference the posterior mean follows
    the layers above even where it is the prior's, so there, where the KL term is ``exact``, under
    0.1 nats in all say nothing whatever the activity.
    """
    kl = np.asarray(kl_mean, dtype=np.float64)
    return tuple(
        i
        for i in collapsed_layers(kl, units, threshold)
        if active[i - 1] == 0 or (exact[i - 1] and abs(kl[i - 1]) < SILENT_NATS)
    )


def layer_in_words(name: str, units: int, nats_per_unit: float) -> str:
    """One layer and its KL term, as "z3 (8 units): 0.0004 nats a unit"."""
    return f"{name} ({units} unit{'s' if units != 1 else ''}): {amount(nats_per_unit)} nats a unit"


def amount(nats_per_unit: float) -> str:
    """A KL term a unit: three significant digits, four decimals below 0.01."""
    size = abs(nats_per_unit)
    if size < 0.00005:
        return "under 0.0001"
    return fmt(nats_per_unit) if size >= 0.01 else f"{nats_per_unit:.4f}"


def collapsed_since(
    history_kl: ArrayLike, units: Sequence[int], threshold: float = COLLAPSE_THRESHOLD
) -> tuple[int | None, ...]:
    """For each layer the epoch (from 1) since which it stayed collapsed to the end, else None.

    ``history_kl`` holds the mean KL terms in nats of every epoch, (epochs, L).
    """
    history = np.asarray(history_kl, dtype=np.float64)
    if history.ndim != 2:
        raise ScoreError(
            f"The history of KL terms must be a table (epochs, layers), not of shape "
            f"{history.shape}."
        )
    alive = np.abs(kl_per_dim(history, units)) >= threshold  # (epochs, L)
    # NaN compares as not collapsed here as it does in collapsed_layers
    alive |= np.isnan(history)
    since = [int(np.flatnonzero(column)[-1]) + 2 if column.any() else 1 for column in alive.T]
    return tuple(epoch if epoch <= len(history) else None for epoch in since)


def bits_per_dim(nats: ArrayLike, dims: int) -> Floats:
    """nats / (D ln 2), for nats of any shape and images of D = C*H*W values."""
    if dims < 1:
        raise ScoreError(f"An image has at least one value, not {dims}.")
    return np.asarray(np.asarray(nats, dtype=np.float64) / (dims * np.log(2)))


def active_units(variance: ArrayLike, threshold: float = ACTIVE_THRESHOLD) -> int:
    """Number of units with Var_x(E[z_i|x]) > threshold (Kuzina and Tomczak 2024, Eq. 23, 24)."""
    return int((np.asarray(variance, dtype=np.float64) > threshold).sum())


def active_curve(variance: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Share of units with Var_x(E[z_i|x]) above each threshold (DVP Eq. 23, 24), (T,)."""
    return 1 - _share(variance, thresholds, "right")


def collapse_levels(unit_kl: ArrayLike, delta: float) -> Floats:
    """The eps above which each unit is collapsed: P_x(KL_i(x) < eps) >= 1 - delta, (units,).

    ``unit_kl`` holds KL terms in nats (N, units) (Lucas et al. 2019). The level is the smallest KL
    that at least a share 1 - delta of the images do not exceed.
    """
    kl = np.asarray(unit_kl, dtype=np.float64)
    if kl.ndim != 2 or not len(kl) or not 0 <= delta < 1:
        raise ScoreError(
            f"Collapse levels need KL terms (images, units) and a delta from 0 to below 1, not "
            f"the shape {kl.shape} and {delta:g}."
        )
    # 0.9 * 10 is a little more than 9 in floating point
    needed = int(np.ceil((1 - delta) * len(kl) - 1e-9))
    return np.asarray(np.partition(kl, needed - 1, axis=0)[needed - 1])


def collapsed_curve(levels: ArrayLike, eps: ArrayLike) -> Floats:
    """Share of units whose ``collapse_levels`` lie below each eps (Lucas et al. 2019), (E,)."""
    return _share(levels, eps, "left")


def _share(values: ArrayLike, limits: ArrayLike, side: Literal["left", "right"]) -> Floats:
    """Share of values below each limit, or up to it."""
    ranked = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not ranked.size:
        raise ScoreError("A layer without units has no share of them.")
    return np.asarray(np.searchsorted(ranked, np.asarray(limits), side) / ranked.size)


class UnitStats:
    """Mean and variance over images of one layer's posterior means, streamed in batches.

    Moments of batches are merged by Chan et al. 1983 in float64, which loses no digits where the
    sum of squares would: the result does not depend on how the images are cut into batches.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Floats = np.zeros(0)
        self._squares: Floats = np.zeros(0)  # sum of squared deviations from the mean

    def add(self, means: ArrayLike) -> None:
        """Add the posterior means of a batch, (B, ...); all but the first axis are the units."""
        values = np.asarray(means, dtype=np.float64)
        if values.ndim < 1 or not len(values):
            return
        values = values.reshape(len(values), -1)  # (B, units)
        mean = values.mean(axis=0)
        self._merge(len(values), mean, ((values - mean) ** 2).sum(axis=0))

    @property
    def state(self) -> Floats:
        """All that it knows as one array, (1 + 2 units,): what ``of`` reads."""
        return np.concatenate([[float(self.count)], self._mean, self._squares])

    @classmethod
    def of(cls, state: ArrayLike) -> UnitStats:
        """The accumulator whose ``state`` this is."""
        values = np.asarray(state, dtype=np.float64)
        stats = cls()
        stats.count = int(values[0])
        stats._mean, stats._squares = np.split(values[1:], 2)
        return stats

    def merge(self, other: UnitStats) -> None:
        """Add the images that another accumulator of the same layer has seen."""
        if other.count:
            self._merge(other.count, other._mean, other._squares)

    @property
    def mean(self) -> Floats:
        """Mean over images of each unit's posterior mean, (units,)."""
        return self._seen(self._mean)

    @property
    def variance(self) -> Floats:
        """Var_x(E[z_i|x]) of each unit, the mean squared deviation over the images, (units,)."""
        return self._seen(self._squares) / self.count

    def _merge(self, count: int, mean: Floats, squares: Floats) -> None:
        if not self.count:
            self.count, self._mean, self._squares = count, mean.copy(), squares.copy()
            return
        if mean.shape != self._mean.shape:
            raise ScoreError(
                f"A layer of {len(self._mean)} units cannot take the means of {len(mean)} units."
            )
        # Chan et al. 1983, Eq. 2.1: the deviations of both, and of their means from each other.
        total = self.count + count
        delta = mean - self._mean
        self._mean = self._mean + delta * (count / total)
        self._squares = self._squares + squares + delta**2 * (self.count * count / total)
        self.count = total

    def _seen(self, values: Floats) -> Floats:
        if not self.count:
            raise ScoreError("The statistics of the units need at least one image.")
        return values.copy()
