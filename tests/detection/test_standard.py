"""What verdicts rest on: split conformal p-values, who ranks, and when the path has a say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from hvae_core.common.errors import ScoreError
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.standard import FEWEST_FOR_PATH, Standard, standard_of
from hvae_core.detection.verdict import judge, readings, with_standard
from hvae_core.detection.verdict_words import in_words
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores.material import fitted_half

UNITS, LEVELS = (8, 4, 2), ("z1", "z2", "z3")


def made(n: int, seed: int = 0, shift: float = 0.0) -> BoundTable:
    """Images whose KL of z1 follows their reconstruction error; ``shift`` breaks that alone."""
    rng = np.random.default_rng(seed)
    kl = 20 + rng.normal(0, 2, (n, 3))
    nll = 100 + 3 * kl[:, :1] + rng.normal(0, 0.5, (n, 1)) + np.arange(3) + rng.normal(0, 1, (n, 3))
    kl[:, 0] += shift
    nll -= shift  # so that the bounds do not move
    bound = -nll - kl.sum(axis=1, keepdims=True)
    return BoundTable(bound, bound, nll, kl=kl, dims=784, samples=1)


def by_hand(held_out: BoundTable, image: BoundTable) -> float:
    """The verdict's p-value from its definition, every rank counted in the joint set."""
    first, second = held_out.take(slice(0, None, 2)), held_out.take(slice(1, None, 2))
    known = np.concatenate([first.nll, first.kl], axis=1)
    away = known - known.mean(axis=0)
    covariance = away.T @ away / len(away) + 4e-6 * np.eye(6)
    density = multivariate_normal(known.mean(axis=0), covariance)

    def scores(table: BoundTable) -> np.ndarray:
        elbo, partial = table.bound[:, :1], table.bound[:, 1:]
        path = -density.logpdf(np.concatenate([table.nll, table.kl], axis=1)).reshape(-1, 1)
        return np.concatenate([-elbo, table.iw[:, :1] - partial, path], axis=1)

    joint = np.concatenate([scores(second), scores(image)])
    n = len(joint)
    numbers = []
    for row in joint:
        ps = []
        for column, value in enumerate(row):
            high, low = (joint[:, column] >= value).sum(), (joint[:, column] <= value).sum()
            ps.append((min(n, 2 * min(high, low)) if column == 0 else high) / n)
        numbers.append(len(ps) / sum(1 / p for p in ps))
    return float(np.mean(np.array(numbers) <= numbers[-1] * (1 + 1e-9)))


def test_the_p_value_is_that_of_its_definition() -> None:
    held_out = made(240)
    images = BoundTable.concat([made(5, seed=2), made(3, seed=3, shift=1.5)])
    found = judge_many(images, held_out, 0.05)
    assert found.keys == ("elbo", "llr_1", "llr_2", "path") and found.n == 120
    expected = [by_hand(held_out, images.take([i])) for i in range(8)]
    np.testing.assert_allclose(found.p, expected, rtol=1e-12)
    assert len(set(expected)) > 3


def test_p_values_of_images_like_the_held_out_ones_are_super_uniform() -> None:
    """Over many draws of everything: P(p <= alpha) <= alpha; to images fitted to it is not so."""
    rates, unseen, seen = np.array([0.05, 0.1, 0.2, 0.5]), [], []
    for seed in range(60):
        known = made(FEWEST_FOR_PATH + 10, seed=100 + seed)
        held_out, new = known.take(slice(0, FEWEST_FOR_PATH)), known.take(slice(-10, None))
        unseen.append(judge_many(new, held_out, 0.05).p)
        half = held_out.take(fitted_half(held_out))
        seen.append(judge_many(half, held_out, 0.05).p_values[:, -1])
    shares = (np.concatenate(unseen)[:, None] <= rates).mean(axis=0)
    assert (shares <= rates + 3 * np.sqrt(rates * (1 - rates) / 600) + 0.01).all(), shares
    assert (shares >= 0.6 * rates).all()  # and it is no empty promise
    assert np.mean(np.concatenate(seen) <= 0.5) < 0.48


def test_the_halves_follow_the_images_and_not_their_order() -> None:
    digests = np.random.default_rng(0).integers(0, 2**63, 240).astype(np.uint64)
    digests[1] = digests[0]
    held_out = replace(made(240), digests=digests)
    half = fitted_half(held_out)
    assert half[0] == half[1] and abs(half.sum() - 120) <= 1
    order = np.random.default_rng(1).permutation(240)
    images = made(6, seed=5)
    np.testing.assert_array_equal(fitted_half(held_out.take(order)), half[order])
    np.testing.assert_array_equal(
        judge_many(images, held_out, 0.05).p, judge_many(images, held_out.take(order), 0.05).p
    )
    np.testing.assert_array_equal(fitted_half(made(5)), [True, False, True, False, True])


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], "300 would be fitted to and 0 rank"),
        ([0, 9], "2 would be fitted to and 298 rank"),  # below and above the many
        ([9], "299 would be fitted to and 1 rank"),
        (range(6, 6 + 197), "201 would be fitted to and 99 rank"),
        (range(6, 6 + 199), ""),  # 200 are fitted to, 100 rank
    ],
)
def test_many_equal_images_leave_the_path_without_a_say(others: list[int], told: str) -> None:
    digests = np.full(300, 5, np.uint64)
    digests[: len(others)] = others
    standard = standard_of(replace(made(300), digests=digests), 0.05)
    assert standard.by == ("bounds" if told else "levels")
    assert standard.joint.n == (300 if told else 100) and told in standard.note
    assert bool(told) == ("too many of the 300 held-out images are equal" in standard.note)


def test_the_path_decides_where_only_it_sees_the_image() -> None:
    held_out, image = made(400), made(1, seed=3, shift=2.5)
    judged = judge(image, held_out, UNITS, levels=LEVELS, alpha=0.05)
    headline, why = in_words(judged)
    assert judged.by_path and judged.verdict.out
    assert headline.startswith("Out of distribution: its path through the levels is unusual (p = ")
    assert "Given the rest, the KL of z1 is too large." in why and "would let it pass" in why
    old = judge(image, held_out, UNITS, levels=LEVELS, alpha=0.05, by="bounds")
    assert not old.verdict.out and old.path is None and not old.note
    assert "path through" not in " ".join(in_words(old))
    standard = standard_of(held_out, 0.05)
    read = with_standard(readings(image, held_out), image, standard)
    assert read[-1].score.key == "path" and read[-1].p_value == judged.p_path
    by_key = {one.score.key: one for one in read}
    assert by_key["llr_2"].p_value == judged.verdict.p_values[2]
    sizes = [np.size(by_key[key].reference) for key in ("llr_1", "bound_1")]
    assert sizes == [200, 400]
    assert standard_of(held_out, 0.01) is standard  # the same table: fitted once


@pytest.mark.parametrize(
    ("n", "alpha", "told"),
    [
        (FEWEST_FOR_PATH - 1, 0.05, "that takes 200 held-out images, and there are 199"),
        (300, 0.005, "with half of the 300 held-out images to rank by, nothing could be"),
    ],
)
def test_where_the_path_has_no_say_all_images_rank_and_it_is_said(
    n: int, alpha: float, told: str
) -> None:
    image = made(1, seed=3)
    judged = judge(image, made(n), UNITS, levels=LEVELS, alpha=alpha)
    assert judged.n == n and judged.path is None and told in judged.note
    assert " ".join(in_words(judged)).count(told) == 1
    old = judge(image, made(n), UNITS, levels=LEVELS, alpha=alpha, by="bounds")
    assert judged.verdict.p_value == old.verdict.p_value
    assert judge_many(image, made(n), alpha).note == judged.note


def test_held_out_images_without_finite_numbers_are_refused() -> None:
    """Where the bounds are finite and their terms are not: inf - inf, or a spread beyond 1e308."""
    held_out = made(240)
    held_out.kl[0] = np.inf
    with pytest.raises(ScoreError, match="No density can be fitted"):
        Standard(held_out)
