"""How t-SNE and UMAP lay points out: from nearest neighbours, step by step, watched while they run.

The layouts are openTSNE's and umap-learn's. Both begin from the plane of PCA and from exact
neighbours, so that neither approximates more than its own method does, and both can place new
points among those of a finished map. What a function here hears with is ``watch(done, coords)``:
the share of iterations done and the coordinates as they are, which it must not keep.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hvae_core.common.machine import cores
from hvae_core.probes.pca import pca

Watch = Callable[[float, np.ndarray], None]

EVERY = 10  # iterations of t-SNE from one look to the next
EARLY = 4  # t-SNE exaggerates during the first of so many parts of its iterations
EXAGGERATION = 12.0  # by how much then, as van der Maaten (2014)
COARSE = 5_000  # points from which t-SNE's repulsion is summed on a grid, by all cores
CELL = 2  # width of its cells: half the time of 1, for 3 % fewer of the ten nearest neighbours kept
PLACING = 100  # iterations that place new points in a map of t-SNE; a third in one of UMAP
_NEGATIVE = 5  # points that UMAP pushes apart for one pair that it pulls together
_EPOCHS, _EPOCHS_LARGE = 500, 200  # those of umap-learn
_LARGE = 5_000  # points from which UMAP has the fewer epochs; umap-learn waits for 10,000


def tsne_layout(
    points: np.ndarray, perplexity: float, iterations: int, *, seed: int, watch: Watch
) -> np.ndarray:
    """Coordinates (N, 2) float32 by t-SNE, from points (N, D)."""
    start = pca(points, seed).coords.astype(np.float64)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-30)
    layout = _tsne(points, start, perplexity, seed=seed)
    early = iterations // EARLY
    _descend(layout, early, watch=lambda i, z: watch(i / iterations, z), exaggeration=EXAGGERATION)
    _descend(layout, iterations - early, watch=lambda i, z: watch((early + i) / iterations, z))
    return np.asarray(layout, dtype=np.float32)


def tsne_placed(
    points: np.ndarray,
    known: np.ndarray,
    coords: np.ndarray,
    perplexity: float,
    *,
    seed: int,
    watch: Watch,
) -> np.ndarray:
    """Coordinates (M, 2) of points (M, D) in a finished t-SNE map: known (N, D) at (N, 2).

    Each begins at the median of its nearest known points and moves among them by the gradient of
    t-SNE; the map stays (Policar, Strazar & Zupan 2021, "Embedding to reference t-SNE space").
    """
    middle = (coords.max(axis=0) + coords.min(axis=0)) / 2  # openTSNE moves the map to its middle
    layout = _tsne(known, (coords - middle).astype(np.float64), perplexity, seed=seed)
    layout.affinities.knn_index = _Index(known)
    new = layout.prepare_partial(points, initialization="median", k=25, perplexity=5)
    _descend(
        new, PLACING, watch=lambda i, z: watch(i / PLACING, z), learning_rate=0.1,
        exaggeration=1.5, max_grad_norm=0.25, max_step_norm=None,
    )  # fmt: skip
    return (np.asarray(new) + middle).astype(np.float32)


def umap_layout(
    points: np.ndarray,
    count: int,
    min_dist: float,
    metric: str,
    *,
    seed: int,
    watch: Watch,
) -> np.ndarray:
    """Coordinates (N, 2) float32 by UMAP with ``count`` neighbours, from points (N, D)."""
    with quiet():
        from umap import umap_  # some seconds, most of it compiling
    random = np.random.RandomState(seed)
    graph = _umap_graph(points, count, metric, random=random).tocoo()
    epochs = _EPOCHS if len(points) <= _LARGE else _EPOCHS_LARGE
    start = pca(points, seed).coords
    start = umap_.noisy_scale_coords(start / max(float(np.abs(start).max()), 1e-30), random)
    coords = 10.0 * (start - start.min(axis=0)) / np.ptp(start, axis=0)
    return _umap_descent(
        coords, coords, graph, min_dist=min_dist, epochs=epochs, rate=1.0, random=random,
        watch=watch,
    )  # fmt: skip


def umap_placed(
    points: np.ndarray,
    known: np.ndarray,
    coords: np.ndarray,
    count: int,
    min_dist: float,
    *,
    metric: str,
    seed: int,
    watch: Watch,
) -> np.ndarray:
    """Coordinates (M, 2) of points (M, D) in a finished UMAP map: known (N, D) at (N, 2)."""
    with quiet():
        from scipy.sparse import coo_matrix
        from umap import umap_
    near, far = neighbours(points, count, metric, known=known)
    widths, least = umap_.smooth_knn_dist(far, float(count), local_connectivity=0.0)
    rows, columns, weights, _ = umap_.compute_membership_strengths(
        near.astype(np.int32), far, widths, least, bipartite=True
    )
    graph = coo_matrix((weights, (rows, columns)), shape=(len(points), len(known)))
    start = umap_.init_graph_transform(graph.tocsr(), coords.astype(np.float32))
    return _umap_descent(
        start, coords, graph, min_dist=min_dist, epochs=PLACING // 3, rate=0.25,
        random=np.random.RandomState(seed), watch=watch,
    )  # fmt: skip


def neighbours(
    points: np.ndarray, count: int, metric: str, *, known: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and distances (N, count) of each point's nearest among ``known``, nearest first.

    Without ``known`` they are searched among the points themselves, each but itself.
    """
    from sklearn.neighbors import NearestNeighbors

    among = NearestNeighbors(n_neighbors=count, metric=metric, algorithm="brute")
    among.fit(points if known is None else known)
    distances, indices = among.kneighbors(None if known is None else points)
    return indices, distances.astype(np.float32)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence numba's and umap's warnings of their own internals, which nobody here can mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Index:
    """Exact neighbours of new points as openTSNE asks for them."""

    def __init__(self, known: np.ndarray) -> None:
        self._known = known
        self.n_samples = len(known)

    def query(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices and distances (M, k) of the nearest known points."""
        near, far = neighbours(points, k, "euclidean", known=self._known)
        return near, far.astype(np.float64)


def _tsne(points: np.ndarray, start: np.ndarray, perplexity: float, *, seed: int) -> Any:
    """openTSNE's layout of the points at ``start``."""
    from openTSNE import TSNEEmbedding, affinity
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    count = min(len(points) - 1, int(3 * perplexity))
    near, far = neighbours(points, count, "euclidean")
    index = PrecomputedNeighbors(near, far.astype(np.float64))
    many = len(points) > COARSE  # fewer are done sooner than threads have met
    threads = cores() if many else 1
    return TSNEEmbedding(
        start,
        affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=threads),
        negative_gradient_method="fft" if many else "bh",
        ints_in_interval=CELL,
        n_jobs=threads,
        random_state=seed,
    )


def _descend(
    layout: Any, iterations: int, *, watch: Callable[[int, np.ndarray], None], **settings: Any
) -> None:
    """Move a layout of openTSNE by so many iterations, in place."""

    def heard(iteration: int, error: float, coords: np.ndarray) -> bool:
        watch(iteration, np.asarray(coords))
        return False

    layout.optimize(
        iterations, inplace=True, momentum=0.8, callbacks=heard, callbacks_every_iters=EVERY,
        use_callbacks=True, **settings,
    )  # fmt: skip


def _umap_graph(points: np.ndarray, count: int, metric: str, *, random: Any) -> Any:
    """The fuzzy graph of UMAP, a sparse (N, N) of memberships."""
    from umap import umap_

    near, far = neighbours(points, count - 1, metric)
    # UMAP counts each point as the first of its own neighbours.
    near = np.hstack([np.arange(len(points))[:, None], near]).astype(np.int32)
    far = np.pad(far, ((0, 0), (1, 0)))
    return umap_.fuzzy_simplicial_set(
        points, count, random, metric, knn_indices=near, knn_dists=far
    )[0]


def _umap_descent(
    start: np.ndarray,
    known: np.ndarray,
    graph: Any,
    *,
    min_dist: float,
    epochs: int,
    rate: float,
    random: Any,
    watch: Watch,
) -> np.ndarray:
    """Pull together what the graph joins and push other points apart; ``known`` may be ``start``.

    ``start`` moves; ``known`` too where it is the same, else it stays.
    """
    from umap import umap_
    from umap.layouts import optimize_layout_euclidean

    own = known is start
    coords = np.array(start, dtype=np.float32, order="C")
    graph.sum_duplicates()
    graph.data[graph.data < graph.data.max() / epochs] = 0.0
    graph.eliminate_zeros()
    a, b = umap_.find_ab_params(1.0, min_dist)
    ear = _Ear(lambda done: watch(done / epochs, coords))
    with quiet():
        optimize_layout_euclidean(
            coords,
            coords if own else known.astype(np.float32, order="C"),
            graph.row,
            graph.col,
            epochs,
            graph.shape[1],
            umap_.make_epochs_per_sample(graph.data, epochs),
            a,
            b,
            random.randint(-(2**31) + 1, 2**31 - 1, 3).astype(np.int64),
            initial_alpha=rate,
            negative_sample_rate=_NEGATIVE,
            move_other=own,
            tqdm_kwds={
                "file": ear,
                "disable": False,
                "bar_format": "{n_fmt} of {total_fmt}",
                "mininterval": 0.2,
            },
        )
    return coords


class _Ear(io.TextIOBase):
    """A stream that hears umap-learn's "50 of 200", the only sign of life that it gives.

    Cancelling works as anywhere: what ``heard`` raises goes up through the library's ``write``.
    """

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard

    def write(self, text: str) -> int:
        """Pass on the epoch that ``text`` names, if any."""
        match = re.match(r"\s*(\d+) of \d+", text)
        if match:
            self._heard(int(match[1]))
        return len(text)
