"""Densities fitted to held-out images: twins in scipy, COPOD image by image, what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, skew

from hvae_core.common.errors import ScoreError
from hvae_core.detection.verdict import readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material, Score, all_scores, get_score
from hvae_core.scores.material import FITTED
from hvae_core.scores.with_held_out import copod, path_statistics


def table(n: int, seed: int = 0, layers: int = 3) -> BoundTable:
    """Terms of bounds that hang together; the top layer is empty."""
    rng = np.random.default_rng(seed)
    kl = np.abs(rng.normal(5, 1, (n, layers)))
    kl[:, -1] = 0
    nll = 90 + kl[:, :1] + rng.gamma(2, 3, (n, layers)).cumsum(1)
    bound = -nll - kl[:, ::-1].cumsum(1)[:, ::-1]
    return BoundTable(bound, bound, nll, kl, dims=64, samples=1)


def material(n: int = 9) -> Material:
    return Material(table(n, seed=1), held_out=Material(table(60)))


def score(key: str) -> Score:
    return get_score(key, 3)


@pytest.mark.parametrize(("key", "k"), [("path", None), ("path_0", 0), ("path_2", 2)])
def test_path_density_is_that_of_scipy(key: str, k: int | None) -> None:
    given = material()
    assert given.held_out
    known, new = path_statistics(given.held_out.table, k), path_statistics(given.table, k)
    assert new.shape == (9, 6 if k is None else 4)
    spread = np.cov(known.T, bias=True) + 4e-6 * np.eye(known.shape[1])  # the top's is all rounding
    twin = multivariate_normal(known.mean(0), spread)
    np.testing.assert_allclose(score(key)(given), -twin.logpdf(new), rtol=1e-6)


def test_copod_by_the_formula_image_by_image() -> None:
    """Each image joins the known ones alone; ties and a symmetric column are among them."""
    rng = np.random.default_rng(2)
    known = np.column_stack([rng.gamma(1, 1, 8), -rng.gamma(1, 1, 8), [-3, -2, -1, 0, 0, 1, 2, 3]])
    new = np.vstack([known[:2], rng.normal(size=(4, 3))])
    expected = []
    for row in new:
        joint, total = np.vstack([known, row]), 0.0
        for j, value in enumerate(row):
            left = -np.log(np.mean(joint[:, j] <= value))
            right = -np.log(np.mean(joint[:, j] >= value))
            lean = np.sign(round(skew(known[:, j]), 12))
            corrected = {-1.0: left, 1.0: right, 0.0: left + right}[lean]
            total += max(corrected, (left + right) / 2)
        expected.append(total)
    np.testing.assert_allclose(copod(known, new), expected)


@pytest.mark.parametrize("key", ["path", "path_copod"])
def test_no_other_image_moves_a_score(key: str) -> None:
    given = material()
    together = score(key)(given)
    for i in range(len(given)):
        np.testing.assert_allclose(score(key)(given.take([i])), together[[i]], rtol=1e-12)
    turned = score(key)(given.take(slice(None, None, -1)))
    np.testing.assert_allclose(turned, together[::-1], rtol=1e-12)


def test_p_values_rest_on_images_that_the_density_has_not_seen() -> None:
    held_out = Material(table(80))
    reference = replace(held_out, held_out=held_out.take(FITTED))
    image = replace(material(1), held_out=reference.held_out)
    (read,) = readings(image, reference, [score("path")])
    assert read.reference is not None and read.value is not None
    np.testing.assert_array_equal(read.reference, score("path")(reference)[1::2])
    assert read.p_value == (1 + (read.reference >= read.value).sum()) / 41
    (plain,) = readings(image, reference, [score("elbo")])
    assert plain.reference is not None and len(plain.reference) == 80


def test_what_is_missing_is_told() -> None:
    known = [one for one in all_scores(3) if "held_out" in one.needs]
    assert {"path", "path_copod", "path_0"} <= {one.key for one in known}
    for one in known:
        with pytest.raises(ScoreError, match="evaluate the validation set first"):
            one(table(2))
    with pytest.raises(ScoreError, match="takes at least 40 of them"):
        score("path")(Material(table(2), held_out=Material(table(10))))
    with pytest.raises(ScoreError, match="another model"):
        score("path")(Material(table(2), held_out=Material(table(60, layers=4))))
