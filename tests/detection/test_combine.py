"""Several scores in one decision: exact ranks by counting in whole numbers, and what follows."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chi2

from hvae_core.common.errors import ScoreError
from hvae_core.detection import combine
from hvae_core.detection.combine import (
    Combination,
    Correction,
    JointReference,
    brown_p_values,
    combined_p_values,
    verdict,
)

small = st.integers(-3, 5).map(float)
RULES = [(how, ends) for how in get_args(Combination) for ends in ((), (0,))]


def exact_p(
    reference: np.ndarray, score: np.ndarray, how: Combination, ends: tuple[int, ...]
) -> Fraction:
    """Rank of the image's combination among all N + 1, every p-value taken in the joint set.

    Counted image by image in whole numbers.
    """
    joint = [*reference.tolist(), score.tolist()]
    numbers = []
    for one in joint:
        p = []
        for j, value in enumerate(one):
            high = Fraction(sum(other[j] >= value for other in joint), len(joint))
            low = Fraction(sum(other[j] <= value for other in joint), len(joint))
            p.append(min(Fraction(1), 2 * min(high, low)) if j in ends else high)
        numbers.append(
            {"minimum": min(p), "harmonic": 1 / sum(1 / each for each in p), "fisher": prod(p)}[how]
        )
    return Fraction(sum(number <= numbers[-1] for number in numbers), len(joint))


tables = st.integers(1, 3).flatmap(
    lambda k: st.tuples(
        st.integers(2, 12).flatmap(lambda n: hnp.arrays(float, (n, k), elements=small)),
        hnp.arrays(float, (k,), elements=small),
    )
)


@settings(max_examples=60)
@given(case=tables)
def test_a_combination_is_ranked_exactly(case: tuple[np.ndarray, np.ndarray]) -> None:
    reference, score = case
    for how, ends in RULES:
        result = combined_p_values(reference, score[None], how, two_sided=ends)
        assert result.calibrated[0] == pytest.approx(float(exact_p(reference, score, how, ends)))
        assert result.smallest[0] == result.p_values[0, result.place[0]]
        if how == "minimum" and not ends:
            assert result.smallest[0] <= result.calibrated[0] + 1e-12
            assert result.calibrated[0] <= result.bonferroni[0] + 1e-12


@settings(max_examples=60)
@given(case=tables, column=st.integers(0, 2), more=st.integers(1, 4))
def test_a_higher_score_never_makes_an_image_more_usual(
    case: tuple[np.ndarray, np.ndarray], column: int, more: int
) -> None:
    reference, score = case
    higher = score.copy()
    higher[column % len(score)] += more
    for how in get_args(Combination):
        p = combined_p_values(reference, np.stack([score, higher]), how).calibrated
        assert p[1] <= p[0]


def test_both_ends_of_a_score_are_unusual() -> None:
    reference = np.stack([np.arange(99.0), np.zeros(99)], axis=1)
    images = np.array([[-1.0, 0], [0, 0], [49, 0], [98, 0], [99, 0]])
    found = combined_p_values(reference, images, two_sided=(0,))
    # the lower half counts those at most as high, the image among them
    np.testing.assert_allclose(found.p_values[:, 0], [0.02, 0.04, 1, 0.04, 0.02])
    assert found.calibrated[0] == found.calibrated[-1] == 0.02
    one = JointReference(reference[:, :1], two_sided=(0,))
    assert one.smallest() == 0.02  # beside the one at the other end


def correlated(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Three scores that share most of their variation, as LLR>1, LLR>2, LLR>3 do."""
    return np.asarray(rng.normal(size=(*shape, 1)) + 0.5 * rng.normal(size=(*shape, 3)))


def test_many_images_are_judged_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    reference, images = np.round(correlated(rng, 40), 1), np.round(correlated(rng, 20), 1)
    for how, ends in RULES:
        together = combined_p_values(reference, images, how, two_sided=ends).calibrated
        for once in (1, 7):  # images of the reference at once
            monkeypatch.setattr(combine, "_AT_ONCE", once)
            again = combined_p_values(reference, images, how, two_sided=ends).calibrated
            np.testing.assert_array_equal(again, together)
        for image, p in zip(images, together, strict=True):
            assert p == float(exact_p(reference, image, how, ends))


def test_bonferroni_at_an_attainable_rate_is_not_missed_by_rounding() -> None:
    reference = np.tile(np.arange(19.0)[:, None], (1, 3))
    found = verdict(reference, np.array([99.0, 0.0, 0.0]), 0.15, correction="bonferroni")
    assert found.p_value == 3 / 20  # 3 * 0.05 is one ulp above 0.15
    assert found.out
    assert found.possible


def test_verdict_names_the_score_that_differs_the_most() -> None:
    rng = np.random.default_rng(0)
    reference = correlated(rng, 500)
    result = verdict(reference, np.array([0.2, 9.0, 0.1]), alpha=0.05)
    assert result.out
    assert result.place == 1
    assert result.possible
    assert result.p_values[1] == pytest.approx(1 / 501)
    assert result.correction == "calibrated"
    assert result.p_value <= 0.05
    inside = verdict(reference, np.zeros(3), alpha=0.05, correction="bonferroni")
    assert not inside.out
    assert inside.p_value == pytest.approx(min(1, 3 * inside.p_values.min()))


def test_verdict_says_when_the_reference_cannot_flag_anything() -> None:
    reference = correlated(np.random.default_rng(0), 30)
    far = np.full(3, 99.0)
    # the least p-values are 1/31 and 3/31
    edges: list[tuple[Correction, float, float]] = [
        ("calibrated", 0.032, 0.033),
        ("bonferroni", 0.096, 0.097),
    ]
    for correction, below, above in edges:
        tight = verdict(reference, far, alpha=below, correction=correction)
        assert not tight.possible
        assert not tight.out
        loose = verdict(reference, far, alpha=above, correction=correction)
        assert loose.possible
        assert loose.out


def test_malformed_input_is_refused() -> None:
    reference = np.zeros((5, 2))
    with pytest.raises(ScoreError, match="2 scores an image and the image 3"):
        combined_p_values(reference, np.zeros((1, 3)))
    with pytest.raises(ScoreError, match="table"):
        combined_p_values(np.zeros(5), np.zeros((1, 2)))
    with pytest.raises(ScoreError, match="not finite"):
        verdict(reference, np.array([np.nan, 1.0]), alpha=0.1)
    with pytest.raises(ScoreError, match="between 0 and 1"):
        verdict(reference, np.zeros(2), alpha=1.5)


@pytest.mark.parametrize("how", get_args(Combination))
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_rate_is_kept_whatever_scores_have_to_do_with_each_other(
    how: Combination, share: float
) -> None:
    """p-values that are independent, half common, and the same: no more alarms than promised."""
    rng = np.random.default_rng(5)
    repeats, n, b = 60, 59, 40
    alarms = np.zeros((repeats, 2))
    for i in range(repeats):
        common, own = rng.normal(size=(n + b, 1)), rng.normal(size=(n + b, 4))
        data = np.sqrt(share) * common + np.sqrt(1 - share) * own
        p = combined_p_values(data[:n], data[n:], how, two_sided=(0,)).calibrated
        alarms[i] = [(p <= 0.05).mean(), (p <= 0.1).mean()]
    slack = 3 * alarms.std(axis=0) / np.sqrt(repeats)
    assert (alarms.mean(axis=0) <= np.array([0.05, 0.1]) + slack).all()
    if share < 1:  # with equal scores ranks tie, and fewer images are called out
        assert (alarms.mean(axis=0) >= np.array([0.05, 0.1]) - slack - 1 / (n + 1)).all()


def test_brown_is_fisher_where_scores_are_independent_and_one_p_where_they_are_the_same() -> None:
    rng = np.random.default_rng(6)
    reference, images = rng.normal(size=(4000, 3)), rng.normal(size=(50, 3))
    p = combined_p_values(reference, images, "fisher").p_values
    fisher = chi2.sf(-2 * np.log(p).sum(1), 6)
    np.testing.assert_allclose(brown_p_values(reference, images), fisher, atol=0.01)
    same = brown_p_values(np.tile(reference[:, :1], 3), np.tile(images[:, :1], 3))
    np.testing.assert_allclose(same, p[:, 0], atol=0.01)
    kept = brown_p_values(correlated(rng, 2000), correlated(rng, 2000))
    assert abs((kept <= 0.1).mean() - 0.1) < 0.03
    plain = combined_p_values(correlated(rng, 2000), correlated(rng, 2000), "fisher").p_values
    assert (chi2.sf(-2 * np.log(plain).sum(1), 6) <= 0.1).mean() > 0.13  # Fisher's own table errs


def test_brown_measures_each_image_of_the_reference_by_the_others_alone() -> None:
    rng = np.random.default_rng(8)
    reference, images = rng.normal(size=(30, 2)), rng.normal(size=(5, 2))

    def product(rows: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
        ends = [
            [1 + (sign * other >= sign * row).sum(axis=0) for sign in (1, -1)]
            for row, other in zip(rows, others, strict=True)
        ]
        most = 1 + len(others[0])
        ranks = [[min(most, 2 * min(high[0], low[0])), high[1]] for high, low in ends]
        return -2 * np.log(np.array(ranks) / most).sum(axis=1)

    known = product(reference, [np.delete(reference, i, axis=0) for i in range(30)])
    scale, freedom = known.var() / 8, 32 / known.var()
    expected = chi2.sf(product(images, [reference] * 5) / scale, freedom)
    np.testing.assert_allclose(brown_p_values(reference, images, two_sided=(0,)), expected)


def test_false_alarms_stay_below_alpha_under_both_corrections() -> None:
    rng = np.random.default_rng(11)
    repeats, n = 1500, 60
    smallest, bonferroni, calibrated = np.zeros((3, repeats))
    for i in range(repeats):
        data = correlated(rng, n + 1)
        result = combined_p_values(data[:n], data[n:], "minimum")
        smallest[i], bonferroni[i] = result.smallest[0], result.bonferroni[0]
        calibrated[i] = result.calibrated[0]
    for alpha in (0.05, 0.1, 0.2):
        slack = 3 * np.sqrt(alpha * (1 - alpha) / repeats)
        assert (calibrated <= alpha).mean() <= alpha + slack
        assert (bonferroni <= alpha).mean() <= alpha + slack
        # the correction is needed, and the calibrated one gives less away on related scores
        assert (smallest <= alpha).mean() > alpha + slack
        assert (calibrated <= alpha).mean() > (bonferroni <= alpha).mean()
        assert (calibrated <= alpha).mean() >= alpha - slack - 1 / (n + 1)
