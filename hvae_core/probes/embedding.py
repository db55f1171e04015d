"""Maps of a layer's latents in two dimensions by t-SNE and UMAP, as jobs and cached.

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
from typing import Any, ClassVar

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.probes.pca import checked_points, reduced

MAX_POINTS = 20_000
MIN_POINTS = 10
REDUCED = 50  # components kept before t-SNE and UMAP, as van der Maaten & Hinton (2008) do
METRICS = ("euclidean", "cosine", "manhattan", "correlation")
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
    return fingerprint.digest(_KIND, latents, params, version(params.library))


def stored_map(latents: np.ndarray, params: Params) -> np.ndarray | None:
    """The coordinates of an earlier ``tsne`` or ``umap`` with these parameters, if kept."""
    return cache.kept(_KIND, embedding_digest(latents, params), unpack=_unpack)


def _unpack(arrays: cache.Arrays) -> np.ndarray:
    return arrays["coords"]


def _cached(latents: np.ndarray, params: Params, progress: Progress) -> np.ndarray:
    points = checked_points(latents, params.title, fewest=params.fewest, most=MAX_POINTS)
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
        coords = model.fit_transform(reduced(points, REDUCED, params.seed))
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
    near = reduced(points, REDUCED, params.seed) if params.metric == "euclidean" else points
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
