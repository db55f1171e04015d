"""Maps of a layer's latents in two dimensions by t-SNE and UMAP, as jobs and cached.

Layouts are in ``layouts.py``; openTSNE and umap-learn are imported only when they run. Coordinates
are kept in the cache under a digest of latents, parameters and the library's version; while a map
is made, so is how it looks by now. New points are placed into a finished map without moving it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.probes import layouts
from hvae_core.probes.pca import checked_points, projected, reduced

MAX_POINTS = 20_000
MOST_PLACED = 200_000
MIN_POINTS = 10
REDUCED = 50  # components kept before t-SNE and UMAP, as van der Maaten & Hinton (2008) do
METRICS = ("euclidean", "cosine", "manhattan", "correlation")
_KIND, _PLACED, _LIVE = "embeddings", "embeddings-placed", "embeddings-live"
_LAYOUT = "exact neighbours, from PCA"  # in every digest: maps of other layouts are not these
_LOOK_SECONDS = 0.5  # from one look at a running map to the next


@dataclass(frozen=True)
class TSNEParams:
    """Parameters of t-SNE, checked against their bounds."""

    perplexity: float = 30.0
    iterations: int = 500
    seed: int = 0

    title: ClassVar[str] = "t-SNE"
    library: ClassVar[str] = "openTSNE"

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


def placed(
    latents: np.ndarray,
    known: np.ndarray,
    coords: np.ndarray,
    *,
    params: Params,
    progress: Progress = silent,
) -> np.ndarray:
    """Coordinates (M, 2) float32 of new latents (M, D) in the finished map of known ones; cached.

    ``known`` (N, D) lie at ``coords`` (N, 2), made with ``params``; they stay where they are. Each
    new point goes among its nearest known ones, by the gradient of the map's own method.
    """
    base = checked_points(known, params.title, fewest=params.fewest, most=MAX_POINTS)
    points = checked_points(latents, params.title, fewest=1, most=MOST_PLACED)
    if points.shape[1] != base.shape[1] or coords.shape != (len(base), 2):
        raise DataError(
            f"The new points have {points.shape[1]} units and the map was made of "
            f"{base.shape[1]}: choose the same layer of the same model."
        )
    found = cache.kept(
        _PLACED,
        placed_digest(latents, known, coords, params=params),
        lambda: _put(points, base, coords, params=params, progress=progress),
        pack=lambda coords: {"coords": coords},
        unpack=_unpack,
    )
    progress(1.0, "The new points are placed")
    return found


def embedding_digest(latents: np.ndarray, params: Params) -> str:
    """The digest of one map: of the latents, the parameters and the library's version."""
    return fingerprint.digest(_KIND, latents, params, version(params.library), _LAYOUT)


def placed_digest(
    latents: np.ndarray, known: np.ndarray, coords: np.ndarray, *, params: Params
) -> str:
    """The digest of new points placed into a finished map."""
    return fingerprint.digest(_PLACED, latents, coords, embedding_digest(known, params))


def stored_map(latents: np.ndarray, params: Params) -> np.ndarray | None:
    """The coordinates of an earlier ``tsne`` or ``umap`` with these parameters, if kept."""
    return cache.kept(_KIND, embedding_digest(latents, params), unpack=_unpack)


def stored_placed(digest: str) -> np.ndarray | None:
    """The coordinates of an earlier ``placed``, by their digest, if kept."""
    return cache.kept(_PLACED, digest, unpack=_unpack)


def live_map(digest: str) -> np.ndarray | None:
    """A map as it looks while it is made, by its digest; None before the first look at it."""
    return cache.kept(_LIVE, digest, unpack=_unpack)


def _unpack(arrays: cache.Arrays) -> np.ndarray:
    return arrays["coords"]


def _cached(latents: np.ndarray, params: Params, progress: Progress) -> np.ndarray:
    points = checked_points(latents, params.title, fewest=params.fewest, most=MAX_POINTS)
    key = embedding_digest(latents, params)
    coords = cache.kept(
        _KIND,
        key,
        lambda: _mapped(points, params, key, progress=progress),
        pack=lambda coords: {"coords": coords},
        unpack=_unpack,
    )
    progress(1.0, f"{params.title} is ready")
    return coords


def _mapped(points: np.ndarray, params: Params, key: str, *, progress: Progress) -> np.ndarray:
    if not np.ptp(points, axis=0).any():
        raise DataError(
            f"{params.title} needs points that differ, and these are all the same: "
            "the layer has collapsed. Choose another layer."
        )
    progress(0.0, f"Loading {params.title} and finding neighbours")
    look = _Look(params.title, key, progress)
    # Only Euclidean distances survive the rotation and centring of PCA.
    near = reduced(points, REDUCED, params.seed) if _euclidean(params) else points
    try:
        if isinstance(params, TSNEParams):
            coords = layouts.tsne_layout(
                near, params.perplexity, params.iterations, seed=params.seed, watch=look
            )
        else:
            coords = layouts.umap_layout(
                near,
                params.neighbours,
                params.min_dist,
                params.metric,
                seed=params.seed,
                watch=look,
            )
    finally:
        cache.forget(_LIVE, key)
    return _finite(coords, params)


def _put(
    points: np.ndarray, base: np.ndarray, coords: np.ndarray, *, params: Params, progress: Progress
) -> np.ndarray:
    progress(0.0, f"Loading {params.title} and finding neighbours")
    look = _Look(params.title, "", progress)
    if _euclidean(params):
        points, base = projected(points, base, REDUCED, params.seed)
    if isinstance(params, TSNEParams):
        found = layouts.tsne_placed(
            points, base, coords, params.perplexity, seed=params.seed, watch=look
        )
    else:
        found = layouts.umap_placed(
            points, base, coords, params.neighbours, params.min_dist,
            metric=params.metric, seed=params.seed, watch=look,
        )  # fmt: skip
    return _finite(found, params)


def _euclidean(params: Params) -> bool:
    return isinstance(params, TSNEParams) or params.metric == "euclidean"


def _finite(coords: np.ndarray, params: Params) -> np.ndarray:
    if not np.isfinite(coords).all():
        raise DataError(f"{params.title} did not converge; try other parameters.")
    return coords


class _Look:
    """Reports how far a map is, and twice a second keeps how it looks under its digest, if any."""

    def __init__(self, title: str, key: str, progress: Progress) -> None:
        self._title, self._key, self._progress = title, key, progress
        self._last = 0.0

    def __call__(self, done: float, coords: np.ndarray) -> None:
        """Report the share of iterations done; a cancelled job raises here."""
        self._progress(min(done, 1.0), f"{self._title}: {done:.0%} of the iterations")
        now = time.monotonic()
        if self._key and now - self._last >= _LOOK_SECONDS:
            self._last = now
            cache.store(_LIVE, self._key, {"coords": coords.astype(np.float32)})


def _within(name: str, value: Any, bounds: tuple[float, float]) -> None:
    """Raise ``ConfigError`` unless value is within the bounds, and whole where they are."""
    low, high = bounds
    kinds = int if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        whole = "a whole number" if kinds is int else "a number"
        raise ConfigError(f"The {name} must be {whole} from {low} to {high}, not {value!r}.")
