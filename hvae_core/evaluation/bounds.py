"""Bounds on log p(x) from traces: L_{>k}, its importance-weighted form, and the table of them.

The functions take one trace (S samples of B images at one k) and give one number an image, in nats.
They use tensor methods only, so this module, and the scores above it, load without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.standard_errors import iw_error, iw_value, mean_error, ratio_error

if TYPE_CHECKING:
    from torch import Tensor


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


def bound_terms(trace: TraceLike) -> Tensor:
    """log p(x|z) - sum_{i>k} KL_i of every sample, the terms whose mean is L_{>k}, (S, B).

    The KL terms are the trace's: in closed form where one exists, log q - log p of the sample
    elsewhere. The expectation is that of the log weight, with less variance, and
    ELBO = -nll - sum of kl holds exactly in every table.
    """
    return trace.log_px - trace.kl[trace.skip :].sum(0)


def bound(trace: TraceLike) -> Tensor:
    """L_{>k} = mean_s [log p(x|z) - sum_{i>k} KL_i] in nats; the ELBO at k = 0 (Eq. 5), (B,)."""
    return bound_terms(trace).mean(0)


def iw_bound(trace: TraceLike) -> Tensor:
    """L^S_{>k} = log (1/S) sum_s w_s in nats (Eq. 9, after Burda et al. 2016), (B,)."""
    weights = log_weights(trace)
    return weights.logsumexp(0) - math.log(weights.shape[0])  # (B,)


def nll(trace: TraceLike) -> Tensor:
    """-log p(x|z_{>k}) in nats, the mean over samples, (B,)."""
    return -trace.log_px.mean(0)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of B images at one k over ``samples`` samples, in nats, with the draws behind them.

    ``terms`` are those of L_{>k}, ``weights`` the log weights, ``log_px`` log p(x|z), each (S, B).
    """

    k: int
    bound: Floats  # (B,)
    iw: Floats  # (B,)
    nll: Floats  # (B,)
    kl: Floats  # (L, B), zero for the skipped layers
    terms: Floats  # (S, B)
    weights: Floats  # (S, B)
    log_px: Floats  # (S, B)

    @property
    def samples(self) -> int:
        """S."""
        return len(self.terms)

    @classmethod
    def of(cls, k: int, kl: Floats, *, terms: Floats, weights: Floats, log_px: Floats) -> Bounds:
        """The bounds that these draws make."""
        return cls(
            k=k,
            bound=terms.mean(axis=0),
            iw=iw_value(weights),
            nll=-log_px.mean(axis=0),
            kl=kl,
            terms=terms,
            weights=weights,
            log_px=log_px,
        )

    def first(self, samples: int) -> Bounds:
        """The bounds by the first of the samples alone; the KL terms stay those of all."""
        if not 1 <= samples <= self.samples:
            raise ScoreError(f"These bounds have {self.samples} samples, so not {samples}.")
        return Bounds.of(
            self.k,
            self.kl,
            terms=self.terms[:samples],
            weights=self.weights[:samples],
            log_px=self.log_px[:samples],
        )


class BoundAccumulator:
    """Bounds of one batch at one k, gathered over chunks of samples.

    1000 importance samples do not fit in memory at once: add the traces of the chunks one by one,
    in float64; ``result`` equals the one-shot functions on all samples together. Three numbers of
    each sample and image are kept.
    """

    def __init__(self) -> None:
        self._kl: Floats | None = None
        self._k = 0
        self._draws: list[tuple[Floats, Floats, Floats]] = []

    def add(self, trace: TraceLike) -> None:
        """Add the S samples of a trace; every trace must be of the same k and the same images."""
        self.add_terms(
            trace.k, _numpy(trace.kl), _numpy(bound_terms(trace)),
            weights=_numpy(log_weights(trace)),
            log_px=_numpy(trace.log_px), skip=trace.skip,
        )  # fmt: skip

    def add_terms(
        self, k: int, kl: Floats, terms: Floats, *, weights: Floats, log_px: Floats, skip: int
    ) -> None:
        """As ``add``, of what a trace holds: KL terms (L, S, B), and three of the draws (S, B)."""
        # KL terms are summed at once; of the draws every one is kept, as their spread gives the
        # standard errors and L^S needs the largest weight before it can sum.
        summed = np.asarray(kl, dtype=np.float64).sum(1)  # (L, B)
        summed[:skip] = 0.0
        if self._kl is None:
            self._k, self._kl = k, np.zeros_like(summed)
        if self._k != k or self._kl.shape != summed.shape:
            raise ScoreError(
                f"Samples of different traces cannot be added: k = {self._k} and {k}, "
                f"(layers, images) = {self._kl.shape} and {summed.shape}. Use one accumulator for "
                "each k and batch."
            )
        self._kl += summed
        draws = (np.array(part, dtype=np.float64) for part in (terms, weights, log_px))
        self._draws.append(tuple(draws))  # type: ignore[arg-type]

    def result(self) -> Bounds:
        """Bounds over all samples added so far."""
        if self._kl is None:
            raise ScoreError("There are no bounds yet: add at least one trace first.")
        terms, weights, log_px = map(np.concatenate, zip(*self._draws, strict=True))
        kl = self._kl / len(terms)
        return Bounds.of(self._k, kl, terms=terms, weights=weights, log_px=log_px)


def _numpy(values: Tensor) -> Floats:
    """Tensor to float64 array; by way of the CPU, as some accelerators have no float64."""
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64).copy()


@dataclass(frozen=True, eq=False)
class BoundTable:
    """Bounds of N images for every k = 0..K-1, in nats; K <= L is the number of levels.

    ``kl`` holds the KL terms of the full trace (k = 0), ``dims`` is D = C*H*W of the images, and
    ``samples`` the number of importance samples S of k = 0. The ``_error`` columns are Monte-Carlo
    standard errors: of L_{>k}, of L^S_{>k}, and of L^S - L_{>k}; NaN after one draw, None where
    they were not recorded. ``digests`` are those of the images' pixels, None where they are not
    known. Raises ScoreError when the shapes do not belong together.
    """

    bound: Floats  # (N, K)
    iw: Floats  # (N, K)
    nll: Floats  # (N, K)
    kl: Floats  # (N, L)
    dims: int
    samples: int
    bound_error: Floats | None = None  # (N, K)
    iw_error: Floats | None = None  # (N, K)
    ratio_error: Floats | None = None  # (N, K)
    digests: NDArray[np.uint64] | None = None  # (N,)

    def __post_init__(self) -> None:
        for name in (*COLUMNS, *self.errors):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shapes = {name: getattr(self, name).shape for name in COLUMNS}
        levels = {shapes[name] for name in ("bound", "iw", "nll")}
        fits = len(levels) == 1 and self.bound.ndim == 2 and self.kl.ndim == 2
        if not fits or not 0 < self.n_levels <= self.n_layers or len(self.kl) != len(self):
            raise ScoreError(
                f"A table of bounds needs arrays (images, levels) and as many or more layers in "
                f"kl, not {shapes}. Evaluate the images again."
            )
        wrong = [name for name, values in self.errors.items() if values.shape != self.bound.shape]
        if wrong:
            raise ScoreError(
                f"The standard errors {', '.join(wrong)} need the shape {self.bound.shape} of the "
                "bounds. Evaluate the images again."
            )
        if self.dims < 1 or self.samples < 1:
            raise ScoreError(
                f"A table of bounds needs positive dims and samples, not dims = {self.dims} and "
                f"samples = {self.samples}. Evaluate the images again."
            )

    def __len__(self) -> int:
        return int(self.bound.shape[0])

    @property
    def errors(self) -> dict[str, Floats]:
        """The standard errors that were recorded, by name."""
        columns = {name: getattr(self, name) for name in ERRORS}
        return {name: values for name, values in columns.items() if values is not None}

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
            bound_error=_columns([mean_error(b.terms) for b in bounds]),
            iw_error=_columns([iw_error(b.weights) for b in bounds]),
            ratio_error=_columns([ratio_error(bounds[0].weights, b.terms) for b in bounds]),
        )

    def take(self, indices: ArrayLike | slice) -> BoundTable:
        """Rows of the table: by indices, a boolean mask, or a slice."""
        rows = indices if isinstance(indices, slice) else np.asarray(indices)
        if isinstance(rows, np.ndarray) and rows.size == 0:
            rows = rows.astype(np.int64)  # an empty list has a float dtype
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        columns |= {name: values[rows] for name, values in self.errors.items()}
        digests = None if self.digests is None else self.digests[rows]
        return replace(self, **columns, digests=digests)

    @classmethod
    def concat(cls, tables: Sequence[BoundTable]) -> BoundTable:
        """One table of the rows of several, which must agree in layers, dims and samples."""
        kinds = sorted({(t.n_layers, t.n_levels, t.dims, t.samples) for t in tables})
        if len(kinds) != 1:
            raise ScoreError(
                "Tables can be joined when they agree in (layers, levels, dims, samples); these "
                f"have {kinds}."
            )
        names = (*COLUMNS, *(n for n in ERRORS if all(n in table.errors for table in tables)))
        columns = {n: np.concatenate([getattr(table, n) for table in tables]) for n in names}
        return cls(**columns, dims=tables[0].dims, samples=tables[0].samples)


COLUMNS = ("bound", "iw", "nll", "kl")
"""The arrays that every table has."""
ERRORS = ("bound_error", "iw_error", "ratio_error")
"""The arrays that a table has where standard errors were recorded."""


def _columns(values: list[Floats]) -> Floats:
    """Arrays (B,) of every k side by side, (B, K)."""
    if len({v.shape for v in values}) != 1:
        raise ScoreError("A table needs the bounds of the same images for every k.")
    return np.stack(values, axis=1)
