"""Nearest neighbours against scikit-learn, and what the separation must say in plain cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from hvae_core.common.errors import DataError
from hvae_core.detection.metrics import auroc
from hvae_core.probes.neighbours import nearest, neighbour_distances, own_distances, separation

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("n", "m", "d"), [(700, 40, 3), (5, 600, 1), (30, 1100, 64)])
def test_distances_equal_those_of_scikit_learn(n: int, m: int, d: int) -> None:
    points, reference = RNG.normal(50, 1, (n, d)), RNG.normal(50, 2, (m, d))
    found, _ = NearestNeighbors(n_neighbors=1).fit(reference).kneighbors(points)
    assert neighbour_distances(points, reference) == pytest.approx(found[:, 0], abs=1e-6)
    own, _ = NearestNeighbors(n_neighbors=2).fit(reference).kneighbors(reference)
    assert own_distances(reference) == pytest.approx(own[:, 1], abs=1e-6)


def test_the_nearest_are_those_of_scikit_learn_in_their_order() -> None:
    points, reference = RNG.normal(50, 1, (7, 3)), RNG.normal(50, 2, (40, 3))
    far, which = NearestNeighbors(n_neighbors=5).fit(reference).kneighbors(points)
    found, distances = nearest(points, reference, 5)
    assert np.array_equal(found, which)
    assert distances == pytest.approx(far, abs=1e-9)
    assert nearest(points[:1], reference[:2], 5)[0].shape == (1, 2)


def test_separation_is_one_far_away_a_half_among_themselves_and_zero_at_the_centres() -> None:
    inside = RNG.normal(0, 1, (400, 4)).astype(np.float32)
    assert separation(inside, inside[:50] + 100) == 1.0
    assert separation(inside, RNG.normal(0, 1, (400, 4))) == pytest.approx(0.5, abs=0.05)
    assert separation(inside, inside[:100] + 1e-4) == 0.0


def test_separation_is_the_area_of_the_distances() -> None:
    inside, outside = RNG.normal(0, 1, (60, 2)), RNG.normal(0.7, 1, (30, 2))
    by_hand = [(np.linalg.norm(point - inside, axis=1)).min() for point in outside]
    own = [
        np.linalg.norm(point - np.delete(inside, i, 0), axis=1).min()
        for i, point in enumerate(inside)
    ]
    assert separation(inside, outside) == pytest.approx(auroc(own, by_hand))


def test_a_collapsed_layer_tells_nothing_apart() -> None:
    assert separation(np.zeros((20, 3)), np.zeros((10, 3))) == 0.5


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2))),
        (np.zeros((4, 3)), np.zeros((0, 3))),
        (np.zeros((4, 3)), np.full((4, 3), np.nan)),
        (np.zeros((1, 3)), np.zeros((4, 3))),
        (np.zeros(4), np.zeros((4, 3))),
    ],
)
def test_what_cannot_be_compared_is_said(inside: np.ndarray, outside: np.ndarray) -> None:
    with pytest.raises(DataError):
        separation(inside, outside)
