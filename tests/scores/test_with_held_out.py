"""Densities fitted to held-out images: twins in scipy, COPOD image by image, what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, skew
from sklearn.covariance import LedoitWolf

from hvae_core.common.errors import ScoreError
from hvae_core.detection.verdict import readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material, Score, all_scores, get_score, with_posteriors
from hvae_core.scores.material import fitted_half
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


def test_copod_of_equal_known_numbers_leans_nowhere() -> None:
    """The mean of equal numbers is not quite theirs, on either side."""
    for n in (10, 101, 1000):
        found = copod(np.full((n, 1), 0.1), np.array([[0.0], [0.1], [0.2]]))
        np.testing.assert_allclose(found, [np.log(1 + n), 0, np.log(1 + n)], atol=1e-12)


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
    reference = replace(held_out, held_out=held_out.take(fitted_half(held_out.table)))
    image = replace(material(1), held_out=reference.held_out)
    (read,) = readings(image, reference, [score("path")])
    assert read.reference is not None and read.value is not None
    np.testing.assert_array_equal(read.reference, score("path")(reference)[1::2])
    assert read.p_value == (1 + (read.reference >= read.value).sum()) / 41
    # where own images are the reference, those count that it is not fitted to, whatever their order
    own = replace(held_out.take(slice(61, None)), held_out=reference.held_out)
    (read,) = readings(image, own, [score("path")])
    assert read.reference is not None
    np.testing.assert_array_equal(read.reference, score("path")(own)[::2])
    none = replace(held_out.take(slice(0, None, 2)), held_out=reference.held_out)
    assert "fitted to every image" in readings(image, none, [score("path")])[0].reason
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


def rows_of(posteriors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The measure of a model whose first two layers are too wide."""
    mean, std = posteriors
    return np.concatenate([np.tile([0.0, 0.0, mean.shape[1]], (len(mean), 1)), mean, std], axis=1)


def test_a_later_prior_replaces_the_kl_of_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_posteriors, "_DRAWS", 8000)
    rng = np.random.default_rng(3)
    known = rng.normal(size=(300, 2)) @ [[1, 0.6], [0, 0.5]] + 2, np.full((300, 2), 0.2)
    new = rng.normal(size=(4, 2)), rng.uniform(0.3, 2, (4, 2))
    prior = with_posteriors.fitted_prior(*known)
    assert prior.n_components == 1  # what it is by BIC
    (m,), (c,) = prior.means_, prior.covariances_
    expected = [
        0.5 * (np.trace(np.linalg.solve(c, np.diag(std**2))) - 2 + np.linalg.slogdet(c)[1]
               + (mean - m) @ np.linalg.solve(c, mean - m) - np.log(std**2).sum())
        for mean, std in zip(*new, strict=True)
    ]  # fmt: skip
    given = table(4, seed=1)
    held_out = Material(table(300), measures={"posteriors": rows_of(known)})
    both = Material(
        given,
        measures={"posteriors": rows_of(new)},
        names=("z1", "z2", "z3"),
        held_out=held_out,
    )
    found = score("php_z3")(both)
    np.testing.assert_allclose(
        found, given.nll[:, 0] + given.kl[:, :2].sum(1) + expected, rtol=2e-3
    )
    with pytest.raises(ScoreError, match="too many units"):
        score("php_z1")(both)


def test_a_later_prior_does_not_know_the_order_of_the_held_out_images() -> None:
    rng = np.random.default_rng(5)
    known = rng.normal(size=(200, 2)) * [1, 3], rng.uniform(0.2, 1, (200, 2))
    held_out = Material(
        replace(table(200), digests=rng.integers(0, 2**63, 200, dtype=np.uint64)),
        measures={"posteriors": rows_of(known)},
    )
    new = rows_of((rng.normal(size=(4, 2)), np.full((4, 2), 0.5)))
    names = ("z1", "z2", "z3")
    first, turned = (
        score("php_z3")(Material(table(4), measures={"posteriors": new}, names=names, held_out=one))
        for one in (held_out, held_out.take(rng.permutation(200)))
    )
    np.testing.assert_array_equal(first, turned)


def test_noise_of_an_image_that_is_no_number_leaves_the_layer_to_the_others() -> None:
    rows = np.random.default_rng(6).exponential(size=(5, 6))
    rows[:, [2, 5]] = np.nan  # the top layer has no Gaussian
    whole = Material(table(5), measures={"noise": rows}, names=("z1", "z2", "z3"))
    broken = replace(whole, measures={"noise": np.where(np.arange(5)[:, None] == 0, np.nan, rows)})
    assert whole.has("white", "z1") and broken.has("white", "z1") and not broken.has("white", "z3")
    for key in ("noise", "noise_z1"):
        assert np.isnan(score(key)(broken)[0])
        np.testing.assert_array_equal(score(key)(broken)[1:], score(key)(whole)[1:])


def test_gradients_that_never_differ_are_refused_in_words() -> None:
    given = with_gradients()
    assert given.held_out
    still = np.tile(gradient_rows(1, 3), (50, 1))
    known = replace(given.held_out, measures={"gradients": still})
    with pytest.raises(ScoreError, match="same for all held-out images"):
        score("gradients")(replace(given, held_out=known))


def gradient_rows(n: int, seed: int) -> np.ndarray:
    """Blocks of 10, 3 and 5 weights for three k; the last does not move with L_>2."""
    norms = np.exp(np.random.default_rng(seed).normal(size=(n, 3, 3)))
    norms[:, 2, 2] = 0
    return np.concatenate([np.tile([10.0, 3, 5], (n, 1)), norms.reshape(n, -1)], axis=1)


def with_gradients() -> Material:
    held_out = Material(table(50), measures={"gradients": gradient_rows(50, 1)})
    return Material(
        table(6, seed=1), measures={"gradients": gradient_rows(6, 2)}, held_out=held_out
    )


@pytest.mark.parametrize(("key", "k"), [("score_test", 0), ("score_test_2", 2)])
def test_score_test_by_counting(key: str, k: int) -> None:
    given = with_gradients()
    known = given.held_out
    assert known
    sizes = [10, 3, 5]
    norms, new = (
        each.measures["gradients"][:, 3:].reshape(-1, 3, 3)[:, k] for each in (known, given)
    )
    fisher = [norms[:, block].mean() / sizes[block] for block in range(3)]
    live = [block for block in range(3) if fisher[block] > 0]
    mean = -known.table.bound[:, k].mean()
    expected = []
    for i in range(6):
        far = abs(-given.table.bound[i, k] - mean)
        p_typ = (1 + sum(abs(-b - mean) >= far for b in known.table.bound[:, k])) / 51
        rao = [sum(row[b] / fisher[b] for b in live) for row in (*norms, new[i])]
        p_grad = (1 + sum(r >= rao[-1] for r in rao[:-1])) / 51
        expected.append(-2 * np.log(p_typ * p_grad))
    np.testing.assert_allclose(score(key)(given), expected)


def test_gradient_density_is_that_of_scipy_and_scikit_learn() -> None:
    given = with_gradients()
    assert given.held_out
    known, new = (np.log(each.measures["gradients"][:, 3:6]) for each in (given.held_out, given))
    spread = known.std(0)
    shrunk = LedoitWolf().fit((known - known.mean(0)) / spread).covariance_
    twin = multivariate_normal(known.mean(0), shrunk * np.outer(spread, spread))
    np.testing.assert_allclose(score("gradients")(given), -twin.logpdf(new), rtol=1e-9)


def test_noise_adds_up_over_layers_that_are_white() -> None:
    rows = np.array([[1.0, 2, np.nan, 0.5, 0.25, np.nan]])
    given = Material(table(1), measures={"noise": rows}, names=("z1", "z2", "z3"))
    assert score("noise")(given).tolist() == [6]
    assert score("size_of_noise")(given).tolist() == [1.5]
    assert score("noise_z2")(given).tolist() == [2]
    with pytest.raises(ScoreError, match="prior of z3 is no Gaussian"):
        score("noise_z3")(given)
