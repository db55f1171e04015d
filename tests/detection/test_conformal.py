"""Conformal p-values: hand-worked, valid by simulation, and exact ranks as the yardstick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import (
    Correction,
    conformal_p_values,
    minimum_p_values,
    threshold_at,
    verdict,
)

small = st.integers(-3, 5).map(float)


def test_hand_worked_p_values() -> None:
    reference = [1.0, 2.0, 2.0, 3.0]
    p = conformal_p_values(reference, [0.0, 2.0, 2.5, 3.0, 9.0])
    assert p.tolist() == [1.0, 4 / 5, 2 / 5, 2 / 5, 1 / 5]


@given(
    reference=st.lists(small, min_size=1, max_size=20),
    scores=st.lists(small, min_size=1, max_size=5),
)
def test_p_values_by_counting(reference: list[float], scores: list[float]) -> None:
    known = np.array(reference)
    expected = [(1 + (known >= s).sum()) / (1 + len(known)) for s in scores]
    np.testing.assert_allclose(conformal_p_values(reference, scores), expected)


@given(reference=st.lists(small, min_size=1, max_size=60), rate=st.floats(0.01, 0.99))
def test_threshold_flags_exactly_where_the_p_value_does(
    reference: list[float], rate: float
) -> None:
    if rate < 1 / (len(reference) + 1):
        with pytest.raises(ScoreError, match="reference images"):
            threshold_at(rate, reference)
        return
    threshold = threshold_at(rate, reference)
    scores = np.array([*reference, *(np.array(reference) + 0.5), -9.0, 9.0])
    np.testing.assert_array_equal(
        scores >= threshold, conformal_p_values(reference, scores) <= rate
    )
    assert (np.array(reference) >= threshold).mean() <= rate


def test_threshold_counts_rates_that_floats_miss() -> None:
    # 0.29 * 100 is 28.999999999999996 in floats; 29 of the 100 places are allowed
    reference = np.arange(99.0)
    assert conformal_p_values(reference, [71.0])[0] == 0.29
    assert (reference >= threshold_at(0.29, reference)).sum() == 28


def test_small_reference_says_how_many_images_it_needs() -> None:
    with pytest.raises(ScoreError, match="at least 19 reference images and there are 18"):
        threshold_at(0.05, np.arange(18.0))
    assert threshold_at(0.05, np.arange(19.0)) > 18
    for rate in (0.0, 1.0, -1.0):
        with pytest.raises(ScoreError, match="between 0 and 1"):
            threshold_at(rate, [1.0])


def exact_minimum_p(reference: np.ndarray, score: np.ndarray) -> float:
    """Rank of the image's minimum among all N + 1, every p-value taken in the joint set."""
    joint = np.vstack([reference, score])
    counts = (joint[None] >= joint[:, None]).sum(1)  # (N+1, K)
    minima = counts.min(1)
    return float((minima <= minima[-1]).mean())


tables = st.integers(1, 3).flatmap(
    lambda k: st.tuples(
        st.integers(2, 12).flatmap(lambda n: hnp.arrays(float, (n, k), elements=small)),
        hnp.arrays(float, (k,), elements=small),
    )
)


@given(case=tables)
def test_calibrated_minimum_is_the_exact_rank_between_its_bounds(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    reference, score = case
    result = minimum_p_values(reference, score[None])
    assert result.calibrated[0] == pytest.approx(exact_minimum_p(reference, score))
    slack = 1e-12
    assert result.smallest[0] <= result.calibrated[0] + slack
    assert result.calibrated[0] <= result.bonferroni[0] + slack
    assert result.smallest[0] == result.p_values[0, result.place[0]]


def test_images_are_judged_one_by_one() -> None:
    rng = np.random.default_rng(1)
    reference, images = correlated(rng, 40), correlated(rng, 7)
    together = minimum_p_values(reference, images)
    alone = [minimum_p_values(reference, image[None]).calibrated[0] for image in images]
    np.testing.assert_array_equal(together.calibrated, alone)


def correlated(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Three scores that share most of their variation, as LLR>1, LLR>2, LLR>3 do."""
    return np.asarray(rng.normal(size=(*shape, 1)) + 0.5 * rng.normal(size=(*shape, 3)))


def test_false_alarms_stay_below_alpha_under_both_corrections() -> None:
    rng = np.random.default_rng(11)
    repeats, n = 2500, 60
    smallest, bonferroni, calibrated = np.zeros((3, repeats))
    for i in range(repeats):
        data = correlated(rng, n + 1)
        result = minimum_p_values(data[:n], data[n:])
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


def test_single_score_is_valid_and_tight() -> None:
    rng = np.random.default_rng(2)
    p = np.array([conformal_p_values(d[:19], d[19:])[0] for d in rng.normal(size=(5000, 20))])
    for alpha in (0.05, 0.1, 0.5):  # multiples of 1/20: the level is met exactly
        assert (p <= alpha).mean() == pytest.approx(
            alpha, abs=3 * np.sqrt(alpha * (1 - alpha) / 5000)
        )


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
        minimum_p_values(reference, np.zeros((1, 3)))
    with pytest.raises(ScoreError, match="table"):
        minimum_p_values(np.zeros(5), np.zeros((1, 2)))
    with pytest.raises(ScoreError, match="not finite"):
        verdict(reference, np.array([np.nan, 1.0]), alpha=0.1)
    with pytest.raises(ScoreError, match="between 0 and 1"):
        verdict(reference, np.zeros(2), alpha=1.5)
    with pytest.raises(ScoreError, match="not finite"):
        conformal_p_values([1.0, np.inf], [1.0])


def test_bonferroni_at_an_attainable_rate_is_not_missed_by_rounding() -> None:
    reference = np.tile(np.arange(19.0)[:, None], (1, 3))
    found = verdict(reference, np.array([99.0, 0.0, 0.0]), 0.15, correction="bonferroni")
    assert found.p_value == 3 / 20  # 3 * 0.05 is one ulp above 0.15
    assert found.out
    assert found.possible
