"""Metrics against scikit-learn, pair counting, the bootstrap, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import (
    auroc,
    auroc_interval,
    detect,
    equal_numbers,
    flagged,
    pr_curve,
    rates_at,
    roc_curve,
)
from hvae_core.detection.metrics.curves import auprc, fpr_at

# few distinct values, so that ties within and across the sets are the rule
tied = st.lists(st.integers(-3, 6).map(float), min_size=2, max_size=25)
free = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=25)
either = st.one_of(tied, free)


def labelled(inside: list[float], outside: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([0] * len(inside) + [1] * len(outside)), np.array([*inside, *outside])


def test_hand_worked_case() -> None:
    inside, outside = [1.0, 2.0, 3.0, 4.0], [3.0, 5.0]
    # pairs: 3 beats 1 and 2 and ties 3; 5 beats all four -> (2.5 + 4) / 8
    assert auroc(inside, outside) == 6.5 / 8
    # falling: 5 (out) P=1, R=1/2; 4 (in); 3 (tie of both) P=2/4, R=1
    assert auprc(inside, outside) == 0.5 * 1 + 0.5 * 0.5
    assert fpr_at(0.5, inside, outside) == 0
    assert fpr_at(0.8, inside, outside) == 0.5
    rates = rates_at(3.0, inside, outside)
    assert (rates.false_alarms, rates.detected, rates.precision) == (0.5, 1.0, 0.5)
    nothing = rates_at(9.0, inside, outside)
    assert (nothing.false_alarms, nothing.detected, nothing.precision) == (0, 0, 1)


@given(inside=either, outside=either)
def test_auroc_by_counting_pairs(inside: list[float], outside: list[float]) -> None:
    a, b = np.array(inside), np.array(outside)[:, None]
    pairs = (b > a).mean() + 0.5 * (b == a).mean()
    assert auroc(inside, outside) == pytest.approx(pairs, abs=1e-12)


@given(inside=either, outside=either)
def test_areas_equal_scikit_learn(inside: list[float], outside: list[float]) -> None:
    labels, scores = labelled(inside, outside)
    assert auroc(inside, outside) == pytest.approx(
        reference.roc_auc_score(labels, scores), abs=1e-12
    )
    assert auprc(inside, outside) == pytest.approx(
        reference.average_precision_score(labels, scores), abs=1e-12
    )


@given(inside=either, outside=either)
def test_curves_equal_scikit_learn(inside: list[float], outside: list[float]) -> None:
    labels, scores = labelled(inside, outside)
    full = reference.roc_curve(labels, scores, drop_intermediate=False)
    roc = roc_curve(inside, outside)
    # each point is one of scikit-learn's, and the points left out lie on the lines between
    kept = np.isin(full[2], roc.threshold)
    for ours, theirs in zip((roc.x, roc.y, roc.threshold), full, strict=True):
        np.testing.assert_allclose(ours, theirs[kept])
    place = np.arange(len(kept))
    for ours, theirs in zip((roc.x, roc.y), full, strict=False):
        np.testing.assert_allclose(np.interp(place, place[kept], ours), theirs, atol=1e-12)
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    pr = pr_curve(inside, outside)
    np.testing.assert_allclose(pr.x, recall[::-1])
    np.testing.assert_allclose(pr.y, precision[::-1])


@given(inside=either, outside=either, tpr=st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_fpr_at_by_trying_every_threshold(
    inside: list[float], outside: list[float], tpr: float
) -> None:
    a, b = np.array(inside), np.array(outside)
    by_hand = min((a >= t).mean() for t in b if (b >= t).mean() >= tpr)
    assert fpr_at(tpr, inside, outside) == by_hand


def test_fpr_at_counts_the_rate_exactly() -> None:
    # 19 of 20 is 95 %: the twentieth image is not needed
    outside = np.arange(20.0)
    assert fpr_at(0.95, [0.5], outside) == 0.0
    assert fpr_at(0.96, [0.5], outside) == 1.0


def brute_force_delong(inside: np.ndarray, outside: np.ndarray) -> float:
    """Standard error by the kernel of all pairs, as DeLong et al. write it."""
    kernel = (outside[:, None] > inside) + 0.5 * (outside[:, None] == inside)
    out_part = kernel.mean(1).var(ddof=1) / len(outside)
    return float(np.sqrt(out_part + kernel.mean(0).var(ddof=1) / len(inside)))


@given(inside=tied, outside=tied)
def test_delong_by_counting_pairs(inside: list[float], outside: list[float]) -> None:
    area, low, high = auroc_interval(inside, outside)
    half = 1.959963984540054 * brute_force_delong(np.array(inside), np.array(outside))
    assert low == pytest.approx(max(0, area - half), abs=1e-9)
    assert high == pytest.approx(min(1, area + half), abs=1e-9)
    assert 0 <= low <= area <= high <= 1


def test_delong_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(3)
    inside, outside = rng.normal(0, 1, 300), rng.normal(0.8, 1.3, 200)
    areas = [
        auroc(rng.choice(inside, len(inside)), rng.choice(outside, len(outside)))
        for _ in range(1500)
    ]
    _, low, high = auroc_interval(inside, outside)
    assert [low, high] == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.006)


def test_delong_interval_covers_the_truth() -> None:
    # N(0,1) against N(1,1): AUROC = Phi(1/sqrt 2) = 0.7602
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        _, low, high = auroc_interval(rng.normal(0, 1, 80), rng.normal(1, 1, 80))
        hits += low <= 0.76025 <= high
    assert 0.91 <= hits / 400 <= 0.98


def test_narrower_level_gives_a_narrower_interval() -> None:
    inside, outside = [1.0, 2.0, 3.0, 4.0], [2.5, 3.5, 5.0]
    _, low95, high95 = auroc_interval(inside, outside)
    _, low50, high50 = auroc_interval(inside, outside, level=0.5)
    assert low95 < low50 < high50 < high95


def test_sets_fully_apart_and_fully_tied() -> None:
    apart = detect([1.0, 2.0], [3.0, 4.0], seed=0)
    assert (apart.auroc, apart.auprc, apart.fpr80, apart.fpr95) == (1, 1, 0, 0)
    assert (apart.low, apart.high) == (1, 1)
    swapped = detect([3.0, 4.0], [1.0, 2.0], seed=0)
    assert (swapped.auroc, swapped.fpr95) == (0, 1)
    same = detect([2.0, 2.0], [2.0, 2.0], seed=0)
    assert (same.auroc, same.auprc, same.fpr80) == (0.5, 0.5, 1)


@given(inside=either, outside=either, seed=st.integers(0, 5))
def test_detection_is_between_its_bounds(
    inside: list[float], outside: list[float], seed: int
) -> None:
    result = detect(inside, outside, seed)
    assert 0 <= result.low <= result.auroc <= result.high <= 1
    assert 0 <= result.fpr80 <= result.fpr95 <= 1
    assert result.n_in == result.n_out == min(len(inside), len(outside))


def test_equal_numbers_keeps_the_smaller_set_and_draws_by_seed() -> None:
    inside, outside = np.arange(100.0), np.arange(30.0)
    a, b = equal_numbers(inside, outside, seed=1)
    np.testing.assert_array_equal(b, outside)
    assert len(a) == 30
    assert len(set(a)) == 30
    np.testing.assert_array_equal(a, equal_numbers(inside, outside, seed=1)[0])
    assert set(a) != set(equal_numbers(inside, outside, seed=2)[0])
    # another score of the same images: the same images are drawn
    doubled, _ = equal_numbers(inside * 2, outside * 2, seed=1)
    np.testing.assert_array_equal(doubled, a * 2)
    c, d = equal_numbers(outside, inside, seed=1)
    assert len(c) == len(d) == 30


@settings(max_examples=30)
@given(inside=tied, outside=tied)
def test_rank_metrics_ignore_monotone_changes(inside: list[float], outside: list[float]) -> None:
    changed = detect(np.exp(inside), np.exp(outside), seed=0)
    assert changed == detect(inside, outside, seed=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ScoreError, match="1 of 3 OOD scores"):
        auroc([1.0, 2.0], [1.0, bad, 2.0])
    with pytest.raises(ScoreError, match="1 of 2 in-distribution scores"):
        detect([bad, 1.0], [1.0, 2.0], seed=0)


def test_empty_and_misshapen_scores_are_refused() -> None:
    with pytest.raises(ScoreError, match="at least one number"):
        auprc([], [1.0])
    with pytest.raises(ScoreError, match=r"shape \(1, 2\)"):
        roc_curve([[1.0, 2.0]], [1.0])
    with pytest.raises(ScoreError, match="at least two images"):
        auroc_interval([1.0], [2.0, 3.0])
    with pytest.raises(ScoreError, match="true-positive rate"):
        fpr_at(0.0, [1.0], [2.0])


def test_large_sets_take_no_time_and_no_matrix_of_pairs() -> None:
    rng = np.random.default_rng(0)
    # all pairs of these would be 320 GB
    result = detect(rng.normal(0, 1, 200_000), rng.normal(1, 1, 200_000), seed=0)
    assert result.auroc == pytest.approx(0.76025, abs=0.005)
    assert result.high - result.low < 0.004


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    # Wilson's score interval, by hand from z = 1.959964: zero hits of 10 reach to z^2 / (n + z^2)
    [(0, 0.0, 0.27753), (1, 0.01788, 0.40415), (5, 0.23659, 0.76341), (10, 0.72247, 1.0)],
)
def test_flagged_share_has_wilsons_interval(hits: int, low: float, high: float) -> None:
    scores = np.concatenate([np.full(hits, 2.0), np.full(10 - hits, 1.0)])
    share = flagged(2.0, scores)
    assert (share.hits, share.n, share.value) == (hits, 10, hits / 10)
    assert share.low == pytest.approx(low, abs=1e-5)
    assert share.high == pytest.approx(high, abs=1e-5)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_flagged_share_needs_images() -> None:
    with pytest.raises(ScoreError):
        flagged(0.0, [])
