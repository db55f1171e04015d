"""Bounds on log p(x) from traces: L_{>k}, its importance-weighted form, and the table of them.

The functions take one trace (S samples of B images at one k) and give one number an image, in nats.
They use tensor methods only, so this module, and the scores above it, load without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.errors import ScoreError

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


class TraceLike(Protocol):
    """What the bounds read of a trace; the rows of skipped layers are never read."""

    @property
    def k(self) -> int:
        """Number of skipped levels, those whose latents come from the prior."""

    @property
    def skip(self) -> int:
        """Number of skipped layers: those of the k lowest levels."""

    @property
    def log_px(self) -> Tensor:
        """log p(x|z), (S, B)."""

    @property
    def log_q(self) -> Tensor:
        """log q(z_i|.) of the samples, (L, S, B)."""

    @property
    def log_p(self) -> Tensor:
        """log p(z_i|.) of the samples, (L, S, B)."""

    @property
    def kl(self) -> Tensor:
        """KL terms, in closed form where one exists, else log q - log p, (L, S, B)."""


def log_weights(trace: TraceLike) -> Tensor:
    """log p(x|z) + log p(z_{>k}) - log q(z_{>k}|x) of every sample (Havtorn et al. 2021, Eq. 5)."""
    skip = trace.skip
    return trace.log_px + (trace.log_p[skip:] - trace.log_q[skip:]).sum(0)  # (S, B)


def bound(trace: TraceLike) -> Tensor:
    """L_{>k} = mean_s [log p(x|z) - sum_{i>k} KL_i] in nats; the ELBO at k = 0 (Eq. 5), (B,).

    The KL terms are the trace's: in closed form where one exists, log q - log p of the sample
    elsewhere. The expectation is that of the mean log weight, with less variance, and
    ELBO = -nll - sum of kl holds exactly in every table.
    """
    return (trace.log_px - trace.kl[trace.skip :].sum(0)).mean(0)  # (B,)


def iw_bound(trace: TraceLike) -> Tensor:
    """L^S_{>k} = log (1/S) sum_s w_s in nats (Eq. 9, after Burda et al. 2016), (B,)."""
    weights = log_weights(trace)
    # log S is taken from the tensor itself: its dtype and device fit without importing torch
    return weights.logsumexp(0) - weights.new_tensor(float(weights.shape[0])).log()  # (B,)


def nll(trace: TraceLike) -> Tensor:
    """-log p(x|z_{>k}) in nats, the mean over samples, (B,)."""
    return -trace.log_px.mean(0)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of B images at one k over ``samples`` samples, in nats."""

    k: int
    bound: Floats  # (B,)
    iw: Floats  # (B,)
    nll: Floats  # (B,)
    kl: Floats  # (L, B), zero for the skipped layers
    samples: int


class BoundAccumulator:
    """Bounds of one batch at one k, gathered over chunks of samples.

    1000 importance samples do not fit in memory at once: add the traces of the chunks one by one,
    in float64; ``result`` equals the one-shot functions on all samples together.
    """

    def __init__(self) -> None:
        self._total: Bounds | None = None

    def add(self, trace: TraceLike) -> None:
        """Add the S samples of a trace; every trace must be of the same k and the same images."""
        weights = _numpy(log_weights(trace))
        samples = weights.shape[0]
        kl = _numpy(trace.kl).sum(1)  # (L, B)
        kl[: trace.skip] = 0.0
        # sums instead of means, and the unnormalised logsumexp: these add up over chunks
        chunk = Bounds(
            k=trace.k,
            bound=_numpy(bound(trace)) * samples,
            iw=np.logaddexp.reduce(weights, axis=0),
            nll=_numpy(nll(trace)) * samples,
            kl=kl,
            samples=samples,
        )
        self._total = chunk if self._total is None else _added(self._total, chunk)

    def result(self) -> Bounds:
        """Bounds over all samples added so far."""
        total = self._total
        if total is None:
            raise ScoreError("There are no bounds yet: add at least one trace first.")
        n = total.samples
        return Bounds(
            total.k, total.bound / n, total.iw - np.log(n), total.nll / n, total.kl / n, n
        )


def _added(a: Bounds, b: Bounds) -> Bounds:
    """Sums of two chunks of samples."""
    if a.k != b.k or a.kl.shape != b.kl.shape:
        raise ScoreError(
            f"Samples of different traces cannot be added: k = {a.k} and {b.k}, "
            f"(layers, images) = {a.kl.shape} and {b.kl.shape}. Use one accumulator for each k "
            "and batch."
        )
    return Bounds(
        k=a.k,
        bound=a.bound + b.bound,
        iw=np.logaddexp(a.iw, b.iw),
        nll=a.nll + b.nll,
        kl=a.kl + b.kl,
        samples=a.samples + b.samples,
    )


def _numpy(values: Tensor) -> Floats:
    """Tensor to float64 array; by way of the CPU, as some accelerators have no float64."""
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64).copy()


@dataclass(frozen=True, eq=False)
class BoundTable:
    """Bounds of N images for every k = 0..K-1, in nats; K <= L is the number of levels.

    ``kl`` holds the KL terms of the full trace (k = 0), ``dims`` is D = C*H*W of the images, and
    ``samples`` the number of importance samples S of k = 0. Raises ScoreError when the
    shapes do not belong together.
    """

    bound: Floats  # (N, K)
    iw: Floats  # (N, K)
    nll: Floats  # (N, K)
    kl: Floats  # (N, L)
    dims: int
    samples: int

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
        shapes = {name: getattr(self, name).shape for name in _COLUMNS}
        levels = {shapes[name] for name in ("bound", "iw", "nll")}
        fits = len(levels) == 1 and self.bound.ndim == 2 and self.kl.ndim == 2
        if not fits or not 0 < self.n_levels <= self.n_layers or len(self.kl) != len(self):
            raise ScoreError(
                f"A table of bounds needs arrays (images, levels) and as many or more layers in "
                f"kl, not {shapes}. Evaluate the images again."
            )
        if self.dims < 1 or self.samples < 1:
            raise ScoreError(
                f"A table of bounds needs positive dims and samples, not dims = {self.dims} and "
                f"samples = {self.samples}. Evaluate the images again."
            )

    def __len__(self) -> int:
        return int(self.bound.shape[0])

    @property
    def n_layers(self) -> int:
        """L, the number of latent layers."""
        return int(self.kl.shape[1])

    @property
    def n_levels(self) -> int:
        """K, the number of levels: k runs from 0 to K-1."""
        return int(self.bound.shape[1])

    @classmethod
    def from_bounds(cls, bounds: Sequence[Bounds], dims: int) -> BoundTable:
        """Table of one batch from its bounds for k = 0..K-1, in that order."""
        ks = [b.k for b in bounds]
        if not bounds or ks != list(range(len(bounds))):
            raise ScoreError(f"A table needs the bounds of every k from 0 on, not of k = {ks}.")
        return cls(
            bound=_columns([b.bound for b in bounds]),
            iw=_columns([b.iw for b in bounds]),
            nll=_columns([b.nll for b in bounds]),
            kl=bounds[0].kl.T,
            dims=dims,
            samples=bounds[0].samples,
        )

    def take(self, indices: ArrayLike | slice) -> BoundTable:
        """Rows of the table: by indices, a boolean mask, or a slice."""
        rows = indices if isinstance(indices, slice) else np.asarray(indices)
        if isinstance(rows, np.ndarray) and rows.size == 0:
            rows = rows.astype(np.int64)  # an empty list has a float dtype
        return BoundTable(
            bound=self.bound[rows],
            iw=self.iw[rows],
            nll=self.nll[rows],
            kl=self.kl[rows],
            dims=self.dims,
            samples=self.samples,
        )

    @classmethod
    def concat(cls, tables: Sequence[BoundTable]) -> BoundTable:
        """One table of the rows of several, which must agree in layers, dims and samples."""
        kinds = sorted({(t.n_layers, t.n_levels, t.dims, t.samples) for t in tables})
        if len(kinds) != 1:
            raise ScoreError(
                "Tables can be joined when they agree in (layers, levels, dims, samples); these "
                f"have {kinds}."
            )
        return cls(
            bound=np.concatenate([t.bound for t in tables]),
            iw=np.concatenate([t.iw for t in tables]),
            nll=np.concatenate([t.nll for t in tables]),
            kl=np.concatenate([t.kl for t in tables]),
            dims=tables[0].dims,
            samples=tables[0].samples,
        )


_COLUMNS = ("bound", "iw", "nll", "kl")


def _columns(values: list[Floats]) -> Floats:
    """Arrays (B,) of every k side by side, (B, K)."""
    if len({v.shape for v in values}) != 1:
        raise ScoreError("A table needs the bounds of the same images for every k.")
    return np.stack(values, axis=1)
