"""Conformal p-values: hand-worked, valid by simulation, and exact ranks as the yardstick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import (
    conformal_p_values,
    threshold_at,
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


def test_single_score_is_valid_and_tight() -> None:
    rng = np.random.default_rng(2)
    p = np.array([conformal_p_values(d[:19], d[19:])[0] for d in rng.normal(size=(5000, 20))])
    for alpha in (0.05, 0.1, 0.5):  # multiples of 1/20: the level is met exactly
        assert (p <= alpha).mean() == pytest.approx(
            alpha, abs=3 * np.sqrt(alpha * (1 - alpha) / 5000)
        )


def test_malformed_input_is_refused() -> None:
    with pytest.raises(ScoreError, match="not finite"):
        conformal_p_values([1.0, np.inf], [1.0])
