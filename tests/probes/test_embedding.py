"""Maps in the plane: PCA against scikit-learn, t-SNE and UMAP on clusters, bounds, the cache."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from hvae_core.common.errors import ConfigError, DataError
from hvae_core.common.progress import Cancelled
from hvae_core.probes import embedding
from hvae_core.probes.embedding import (
    Params,
    TSNEParams,
    UMAPParams,
    live_map,
    placed,
    stored_map,
    tsne,
    umap,
)
from hvae_core.probes.layouts import neighbours
from hvae_core.probes.pca import pca, projected, reduced


def latents(n: int, d: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    spread = np.linspace(3.0, 0.2, d) + 2.0 * (np.arange(d) < 2) * np.array([2, 1] * d)[:d]
    mixed = draw.standard_normal((n, d)) * spread @ np.linalg.qr(draw.standard_normal((d, d)))[0]
    return (mixed + 5.0).astype(np.float32)


def clusters(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Three clusters (3 n, D) twenty deviations apart, and their labels."""
    draw = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), n)
    centres = 20.0 * np.eye(3, d)
    return (centres[labels] + draw.standard_normal((3 * n, d))).astype(np.float32), labels


def apart(coords: np.ndarray, labels: np.ndarray) -> bool:
    """Whether each point's nearest neighbour in the plane is of its own cluster."""
    distances = np.linalg.norm(coords[:, None] - coords[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    return bool((labels[distances.argmin(axis=1)] == labels).all())


def faithful(points: np.ndarray, coords: np.ndarray) -> bool:
    """Whether what is near in the plane is near in the layer, by scikit-learn; chance is 0.5."""
    return trustworthiness(points, coords, n_neighbors=10) > 0.85


def assert_placed(
    points: np.ndarray, coords: np.ndarray, params: Params, labels: np.ndarray
) -> None:
    """Points placed into their own map come out at their own places, new ones in their cluster."""
    spread = float(coords.std())
    again = placed(points[::3] + np.float32(1e-3), points, coords, params=params)
    off = np.linalg.norm(again - coords[::3], axis=1)
    assert np.median(off) < 0.15 * spread
    assert off.max() < 0.5 * spread
    new = (20.0 * np.eye(3, points.shape[1])).astype(np.float32)  # the middles of the clusters
    there = placed(new, points, coords, params=params)
    near = np.linalg.norm(there[:, None] - coords[None], axis=-1).argmin(axis=1)
    assert (labels[near] == [0, 1, 2]).all()


@pytest.mark.parametrize(("n", "d"), [(300, 20), (40, 100), (2, 5), (1100, 1030)])
def test_pca_equals_scikit_learn(n: int, d: int) -> None:
    points = latents(n, d)
    mine = pca(points)
    model = PCA(2, svd_solver="full" if min(n, d) < 1000 else "arpack", random_state=0)
    theirs = model.fit_transform(points.astype(np.float64))
    significant = model.explained_variance_ratio_ > 1e-6
    for axis in np.flatnonzero(significant):
        sign = np.sign(mine.coords[:, axis] @ theirs[:, axis])
        np.testing.assert_allclose(
            mine.coords[:, axis], sign * theirs[:, axis], atol=2e-3 * np.abs(theirs).max()
        )
    np.testing.assert_allclose(mine.explained, model.explained_variance_ratio_, atol=1e-5)


def test_pca_does_not_depend_on_the_order_of_the_points() -> None:
    points = latents(200, 8)
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_allclose(pca(points[order]).coords, pca(points).coords[order], atol=1e-4)


def test_pca_of_one_unit_and_of_none_alive() -> None:
    line = pca(np.arange(5.0)[:, None])
    np.testing.assert_allclose(np.abs(line.coords), [[2, 0], [1, 0], [0, 0], [1, 0], [2, 0]])
    np.testing.assert_allclose(line.explained, [1, 0])
    dead = pca(np.full((30, 4), 7.0, np.float32))
    assert not dead.coords.any()
    assert not dead.explained.any()


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros((1, 3)), "at least 2 points"),
        (np.zeros(3), "one row of numbers a point"),
        (np.zeros((5, 0)), "one row of numbers a point"),
        (np.array([["a", "b"]] * 5), "one row of numbers a point"),
        (np.array([[0.0, np.nan]] * 5), "not numbers"),
        (np.array([[0.0, np.inf]] * 5), "not numbers"),
    ],
)
def test_pca_says_what_is_wrong(points: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        pca(points)


@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros((9, 3)), "show more images"),
        (np.zeros((20_001, 2), np.float32), "at most 20,000"),
        (np.full((50, 3), np.nan), "not numbers"),
        (np.ones((50, 3)), "collapsed"),
    ],
)
def test_maps_say_what_is_wrong(method: str, points: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        tsne(points, TSNEParams()) if method == "tsne" else umap(points, UMAPParams())


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TSNEParams, {"perplexity": 1.0}),
        (TSNEParams, {"perplexity": float("nan")}),
        (TSNEParams, {"perplexity": "30"}),
        (TSNEParams, {"iterations": 249}),
        (TSNEParams, {"iterations": 300.5}),
        (TSNEParams, {"seed": -1}),
        (UMAPParams, {"neighbours": 1}),
        (UMAPParams, {"neighbours": True}),
        (UMAPParams, {"min_dist": 1.0}),
        (UMAPParams, {"metric": "haversine"}),
    ],
)
def test_parameters_have_bounds(kind: type, values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"must be|is one of"):
        kind(**values)


def test_tsne_keeps_clusters_apart_reports_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = clusters(25, 60)  # more than 50 units: reduced first
    params = TSNEParams(perplexity=10.0, iterations=300)
    reports: list[tuple[float, str]] = []
    assert stored_map(points, params) is None
    coords = tsne(points, params, lambda *report: reports.append(report))
    assert coords.shape == (75, 2)
    assert coords.dtype == np.float32
    assert apart(coords, labels)
    assert faithful(points, coords)
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert "t-SNE: 10% of the iterations" in [message for _, message in reports]
    assert sum(0 < fraction < 1 for fraction in fractions) > 20
    assert reports[-1] == (1.0, "t-SNE is ready")

    def never(*args: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(embedding.layouts, "tsne_layout", never)
    np.testing.assert_array_equal(tsne(points, params), coords)
    kept = stored_map(points, params)
    assert kept is not None
    np.testing.assert_array_equal(kept, coords)
    assert stored_map(points + 1, params) is None
    assert stored_map(points, TSNEParams(perplexity=10.0, iterations=300, seed=1)) is None


def test_tsne_places_new_points_and_shows_itself_while_it_runs() -> None:
    points, labels = clusters(25, 60)
    params = TSNEParams(perplexity=8.0, iterations=300)
    key = embedding.embedding_digest(points, params)
    looks: list[np.ndarray | None] = []
    coords = tsne(points, params, lambda *_: looks.append(live_map(key)))
    seen = [look for look in looks if look is not None]
    assert seen and all(look.shape == (75, 2) for look in seen)
    assert live_map(key) is None  # what is finished is no longer under way
    assert_placed(points, coords, params, labels)
    with pytest.raises(DataError, match="same layer"):
        placed(points[:, :5], points, coords, params=params)


def test_new_points_are_reduced_as_the_known_ones() -> None:
    points = latents(80, 60)
    moved, known = projected(points[:7], points, 50, 0)
    np.testing.assert_allclose(known, reduced(points, 50, 0), atol=1e-5)
    np.testing.assert_allclose(moved, known[:7], atol=1e-4)


def test_neighbours_are_the_nearest_but_not_the_point_itself() -> None:
    points = np.repeat(latents(20, 4), 2, axis=0)  # each twice
    near, far = neighbours(points, 3, "euclidean")
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_allclose(far, np.sort(distances, axis=1)[:, :3], atol=1e-5)
    assert (near != np.arange(40)[:, None]).all()


def test_tsne_can_be_cancelled_between_its_iterations() -> None:
    points, _ = clusters(25, 5)

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        tsne(points, TSNEParams(perplexity=10.0, iterations=300), stop)
    assert stored_map(points, TSNEParams(perplexity=10.0, iterations=300)) is None


@pytest.mark.slow
def test_umap_keeps_clusters_apart_reports_and_can_be_cancelled() -> None:
    points, labels = clusters(25, 60)
    params = UMAPParams(neighbours=8)
    reports: list[tuple[float, str]] = []
    coords = umap(points, params, lambda *report: reports.append(report))
    assert coords.shape == (75, 2)
    assert apart(coords, labels)
    assert faithful(points, coords)
    assert_placed(points, coords, params, labels)
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert any(message == "UMAP: 100% of the iterations" for _, message in reports)
    kept = stored_map(points, params)
    assert kept is not None
    np.testing.assert_array_equal(kept, coords)

    def stop(fraction: float, message: str) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        umap(points, UMAPParams(neighbours=9), stop)
