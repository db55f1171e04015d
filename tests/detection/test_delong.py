"""The paired test against pair counting, a worked case, the bootstrap, and its own promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import auroc, auroc_interval, contest, holm

pairs = st.integers(2, 15).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(0, 5).map(float), min_size=n, max_size=n) for _ in range(4)]
    )
)


def kernel(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """psi of every pair, (out, in), as DeLong et al. write it."""
    return np.asarray((outside[:, None] > inside) + 0.5 * (outside[:, None] == inside))


@given(case=pairs)
def test_by_counting_pairs(case: tuple[list[float], ...]) -> None:
    a_in, a_out, b_in, b_out = map(np.array, case)
    found = contest((a_in, a_out), (b_in, b_out), seed=0)
    one, two = kernel(a_in, a_out), kernel(b_in, b_out)
    s10 = np.cov(one.mean(1), two.mean(1)) / len(a_out)
    s01 = np.cov(one.mean(0), two.mean(0)) / len(a_in)
    s = s10 + s01
    error = math.sqrt(max(0.0, s[0, 0] + s[1, 1] - 2 * s[0, 1]))
    difference = one.mean() - two.mean()
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert (found.first, found.second) == pytest.approx((one.mean(), two.mean()))
    if abs(difference) < 1e-9:
        assert found.p_value == 1
    elif error > 1e-9:
        assert found.p_value == pytest.approx(math.erfc(abs(difference) / error / math.sqrt(2)))
        assert found.low == pytest.approx(max(-1, difference - 1.959964 * error), abs=1e-6)


def test_worked_case() -> None:
    """In 1, 2, 3, 4 and out 3, 5, 6, 7 by A; the same in and out 1, 2, 5, 6 by B.

    A: 3 beats 1, 2 and ties 3: 5/8, the others 1; 29/32. Seen from inside: 1, 1, 7/8, 3/4.
    B: 1 ties 1: 1/8, 2: 3/8, then 1, 1; 20/32. Seen from inside: 7/8, 5/8, 1/2, 1/2.
    Differences out 1/2, 5/8, 0, 0 with variance 83/768; in 1/8, 3/8, 3/8, 1/4 with 11/768.
    """
    inside = [1.0, 2.0, 3.0, 4.0]
    found = contest((inside, [3.0, 5.0, 6.0, 7.0]), (inside, [1.0, 2.0, 5.0, 6.0]), seed=0)
    assert (found.first, found.second) == (29 / 32, 20 / 32)
    z = (9 / 32) / math.sqrt((83 / 768 + 11 / 768) / 4)
    assert found.p_value == pytest.approx(math.erfc(z / math.sqrt(2)))
    assert found.n == 4


def related(rng: np.random.Generator, n: int, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Two scores of n images that share most of their spread; the first sees ``gain`` more."""
    common = rng.normal(size=n)
    return common + 0.4 * rng.normal(size=n) + gain, common + 0.4 * rng.normal(size=n)


def test_the_interval_is_that_of_paired_resampling() -> None:
    rng = np.random.default_rng(1)
    (a_in, b_in), (a_out, b_out) = related(rng, 120, 0), related(rng, 120, 0.3)
    found = contest((a_in, a_out), (b_in, b_out), seed=0)
    drawn = []
    for _ in range(1500):
        i, o = rng.integers(0, 120, (2, 120))
        drawn.append(auroc(a_in[i], a_out[o]) - auroc(b_in[i], b_out[o]))
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.012)
    # what the two have in common cancels: far narrower than two intervals by themselves
    alone = [auroc_interval(a_in, a_out), auroc_interval(b_in, b_out)]
    apart = math.hypot(*((high - low) / 2 for _, low, high in alone))
    assert found.high - found.low < 1.2 * apart


def test_equal_scores_are_called_different_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(2)
    p = []
    for _ in range(800):
        (a_in, b_in), (a_out, b_out) = related(rng, 60, 0), related(rng, 60, 0)
        p.append(contest((a_in, a_out + 1), (b_in, b_out + 1), seed=0).p_value)
    for alpha in (0.05, 0.2):
        slack = 3.5 * math.sqrt(alpha * (1 - alpha) / 800)
        assert np.mean(np.array(p) <= alpha) == pytest.approx(alpha, abs=slack)


def test_a_score_against_itself_and_against_its_opposite() -> None:
    inside, outside = np.arange(10.0), np.arange(20.0, 30.0)
    same = contest((inside, outside), (inside * 2, outside * 2), seed=0)
    assert (same.difference, same.p_value, same.low, same.high) == (0, 1, 0, 0)
    turned = contest((inside, outside), (-inside, -outside), seed=0)
    assert (turned.difference, turned.p_value) == (1, 0)


def test_the_same_images_are_drawn_for_both() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=80), rng.normal(1, 1, 30)
    found = contest((inside, outside), (np.exp(inside), np.exp(outside)), seed=5)
    assert (found.difference, found.n) == (0, 30)


def test_other_images_or_too_few_are_refused() -> None:
    with pytest.raises(ScoreError, match="same images"):
        contest(([1.0, 2.0], [3.0, 4.0]), ([1.0, 2.0], [3.0]), seed=0)
    with pytest.raises(ScoreError, match="at least two"):
        contest(([1.0], [3.0]), ([1.0], [3.0]), seed=0)


def test_holm_by_hand() -> None:
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 raised to the step before, 0.5
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx((0.06, 0.04, 0.5, 0.06))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()
