"""Maps of a layer's latents in two dimensions: PCA at once, t-SNE and UMAP as jobs, all cached.

PCA is a few lines of linear algebra here, so that a first picture needs no heavy import.
scikit-learn's t-SNE and umap-learn are imported only when they run. Coordinates are kept in the
cache under a digest of latents, parameters and the library's version.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar, NamedTuple

import numpy as np

from hvae_core.common import cache
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.progress import Progress, silent

MAX_POINTS = 20_000
MIN_POINTS = 10
REDUCED = 50  # components kept before t-SNE and UMAP, as van der Maaten & Hinton (2008) do
METRICS = ("euclidean", "cosine", "manhattan", "correlation")
_EXACT = 1024
_KIND = "embeddings"


@dataclass(frozen=True)
class TSNEParams:
    """Parameters of t-SNE, checked against their bounds."""

    perplexity: float = 30.0
    iterations: int = 1000
    seed: int = 0

    title: ClassVar[str] = "t-SNE"
    library: ClassVar[str] = "scikit-learn"

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value outside its bounds."""
        _within("perplexity", self.perplexity, (2.0, 200.0))
        _within("iterations", self.iterations, (250, 5000))
        _within("seed", self.seed, (0, 2**32 - 1))

    @property
    def fewest(self) -> int:
        """The fewest points that these parameters allow."""
        return max(MIN_POINTS, int(self.perplexity) + 2)


@dataclass(frozen=True)
class UMAPParams:
    """Parameters of UMAP, checked against their bounds."""

    neighbours: int = 15
    min_dist: float = 0.1
    metric: str = "euclidean"
    seed: int = 0

    title: ClassVar[str] = "UMAP"
    library: ClassVar[str] = "umap-learn"

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value outside its bounds."""
        _within("number of neighbours", self.neighbours, (2, 200))
        _within("minimal distance", self.min_dist, (0.0, 0.99))
        _within("seed", self.seed, (0, 2**32 - 1))
        if self.metric not in METRICS:
            raise ConfigError(f"UMAP's metric is one of {', '.join(METRICS)}, not {self.metric!r}.")

    @property
    def fewest(self) -> int:
        """The fewest points that these parameters allow."""
        return max(MIN_POINTS, self.neighbours + 2)


Params = TSNEParams | UMAPParams


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
    centred = _centred(_checked(latents, "PCA", fewest=2))
    coords = np.zeros((len(centred), 2))
    axes = _axes(centred, 2, seed)
    coords[:, : len(axes)] = centred @ axes.T  # a layer of one unit has one axis only
    total = float(np.einsum("nd,nd->d", centred, centred).sum(dtype=np.float64))
    explained = (coords**2).sum(axis=0) / total if total > 0 else np.zeros(2)
    return PCAMap(coords.astype(np.float32), explained)


def tsne(latents: np.ndarray, params: TSNEParams, progress: Progress = silent) -> np.ndarray:
    """Coordinates (N, 2) float32 by t-SNE (van der Maaten & Hinton 2008); cached on disk."""
    return _cached(latents, params, progress)


def umap(latents: np.ndarray, params: UMAPParams, progress: Progress = silent) -> np.ndarray:
    """Coordinates (N, 2) float32 by UMAP (McInnes et al. 2018); cached on disk.

    A seed fixes them on one machine only; the cached coordinates are the ones to keep.
    """
    return _cached(latents, params, progress)


def embedding_digest(latents: np.ndarray, params: Params) -> str:
    """The digest of one map: of the latents, the parameters and the library's version."""
    return cache.digest(_KIND, latents, params, version(params.library))


def stored_map(latents: np.ndarray, params: Params) -> np.ndarray | None:
    """The coordinates of an earlier ``tsne`` or ``umap`` with these parameters, if kept."""
    return cache.kept(_KIND, embedding_digest(latents, params), unpack=_unpack)


def _unpack(arrays: cache.Arrays) -> np.ndarray:
    return arrays["coords"]


def _cached(latents: np.ndarray, params: Params, progress: Progress) -> np.ndarray:
    points = _checked(latents, params.title, fewest=params.fewest, most=MAX_POINTS)
    coords = cache.kept(
        _KIND,
        embedding_digest(latents, params),
        lambda: _mapped(points, params, progress),
        pack=lambda coords: {"coords": coords},
        unpack=_unpack,
    )
    progress(1.0, f"{params.title} is ready")
    return coords


def _mapped(points: np.ndarray, params: Params, progress: Progress) -> np.ndarray:
    if not np.ptp(points, axis=0).any():
        raise DataError(
            f"{params.title} needs points that differ, and these are all the same: "
            "the layer has collapsed. Choose another layer."
        )
    coords = (
        _run_tsne(points, params, progress)
        if isinstance(params, TSNEParams)
        else _run_umap(points, params, progress)
    )
    if not np.isfinite(coords).all():
        raise DataError(f"{params.title} did not converge; try other parameters.")
    return coords


def _run_tsne(points: np.ndarray, params: TSNEParams, progress: Progress) -> np.ndarray:
    progress(0.0, "Loading t-SNE")
    from sklearn.manifold import TSNE  # 1.5 s, and only wanted here

    progress(0.0, "Finding neighbours")
    model = TSNE(
        perplexity=params.perplexity,
        max_iter=params.iterations,
        init="pca",
        random_state=params.seed,
        verbose=2,  # the only way to hear how far it is: a line every 50 iterations
    )
    listener = _Listener(
        r"Iteration (\d+)", total=params.iterations, title="t-SNE", progress=progress
    )
    with contextlib.redirect_stdout(listener):
        coords = model.fit_transform(_reduced(points, params.seed))
    return np.asarray(coords, dtype=np.float32)


def _run_umap(points: np.ndarray, params: UMAPParams, progress: Progress) -> np.ndarray:
    # Compiling takes a minute, once a process, and says nothing of how far it is.
    progress(0.0, "Preparing UMAP: about a minute the first time, then seconds")
    with _quiet():
        from umap import UMAP  # up to 20 s, most of it compiling

    listener = _Listener(r"^\s*(\d+) of \d+", total=None, title="UMAP", progress=progress)
    model = UMAP(
        n_neighbors=params.neighbours,
        min_dist=params.min_dist,
        metric=params.metric,
        random_state=params.seed,
        n_jobs=1,  # what a seed makes it anyway, with a warning
        tqdm_kwds={
            "file": listener,
            "disable": False,
            "bar_format": "{n_fmt} of {total_fmt}",
            "mininterval": 0.2,
        },
    )
    # Only Euclidean distances survive the rotation and centring of PCA.
    near = _reduced(points, params.seed) if params.metric == "euclidean" else points
    with _quiet():
        return np.asarray(model.fit_transform(near), dtype=np.float32)


class _Listener(io.TextIOBase):
    """A text stream that turns a library's own "iteration 50 of 200" into progress.

    Cancelling works as anywhere: ``progress`` raises inside the library's call of ``write``.
    """

    def __init__(self, pattern: str, *, total: int | None, title: str, progress: Progress) -> None:
        self._pattern = re.compile(pattern)
        self._total = total
        self._title = title
        self._progress = progress

    def write(self, text: str) -> int:
        """Report the iteration that ``text`` names, if any."""
        match = self._pattern.search(text)
        if match:
            done = int(match[1])
            total = self._total or int(text.split()[-1])
            message = f"{self._title}: iteration {done} of {total}"
            self._progress(min(done / max(total, 1), 1.0), message)
        return len(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # numba and umap warn of their own internals, about which nobody here can do anything.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _within(name: str, value: Any, bounds: tuple[float, float]) -> None:
    """Raise ``ConfigError`` unless value is within the bounds, and whole where they are."""
    low, high = bounds
    kinds = int if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        whole = "a whole number" if kinds is int else "a number"
        raise ConfigError(f"The {name} must be {whole} from {low} to {high}, not {value!r}.")


def _checked(
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


def _reduced(points: np.ndarray, seed: int) -> np.ndarray:
    if points.shape[1] <= REDUCED:
        return points.astype(np.float32)
    centred = _centred(points)
    return (centred @ _axes(centred, REDUCED, seed).T).astype(np.float32)


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
