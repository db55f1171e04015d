"""Bootstrap intervals against resampling by hand, and against the truth over many data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import detect
from hvae_core.detection.metrics.bootstrap import _counts, _Ranks, auprc_interval, fpr_interval
from hvae_core.detection.metrics.curves import auprc, fpr_at

tied = st.lists(st.integers(-3, 6).map(float), min_size=1, max_size=12)


@given(inside=tied, outside=tied, seed=st.integers(0, 3))
def test_a_resample_by_counts_is_the_precision_of_the_copies(
    inside: list[float], outside: list[float], seed: int
) -> None:
    known = _Ranks(np.array(inside), np.array(outside))
    found = known.precision(seed, 0, 4)
    counts = [_counts(len(side), (seed, i, 0), 4) for i, side in enumerate((inside, outside))]
    for r in range(4):
        copies = [
            np.repeat(side, count[:, r].astype(int))
            for side, count in zip((inside, outside), counts, strict=True)
        ]
        assert [len(c) for c in copies] == [len(inside), len(outside)]
        labels = np.repeat([0, 1], [len(c) for c in copies])
        by_hand = average_precision_score(labels, np.concatenate(copies))
        assert found[r] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("tpr", [0.8, 0.95])
def test_fpr_interval_is_that_of_resampling(tpr: float) -> None:
    rng = np.random.default_rng(3)
    # rounded, so that scores tie within and across the sets
    inside, outside = rng.normal(0, 1, 150).round(1), rng.normal(1.5, 1, 90).round(1)
    drawn = [fpr_at(tpr, rng.choice(inside, 150), rng.choice(outside, 90)) for _ in range(3000)]
    low, high = fpr_interval(tpr, inside, outside)
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_auprc_interval_is_that_of_resampling() -> None:
    rng = np.random.default_rng(4)
    inside, outside = rng.normal(0, 1, 150).round(1), rng.normal(1.5, 1, 90).round(1)
    drawn = [auprc(rng.choice(inside, 150), rng.choice(outside, 90)) for _ in range(1500)]
    low, high = auprc_interval(inside, outside)
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.012)


def test_intervals_cover_the_truth() -> None:
    # N(0,1) against N(2,1): FPR80 = 1 - Phi(2 - 0.8416) = 0.1234; the AUPRC by a large sample
    rng = np.random.default_rng(6)
    truth = auprc(rng.normal(0, 1, 400_000), rng.normal(2, 1, 400_000))
    rates = areas = 0
    for _ in range(150):
        inside, outside = rng.normal(0, 1, 200), rng.normal(2, 1, 200)
        low, high = fpr_interval(0.8, inside, outside)
        rates += low <= 0.1234 <= high
        low, high = auprc_interval(inside, outside)
        areas += low <= truth <= high
    assert 0.88 <= rates / 150 <= 0.99
    assert 0.88 <= areas / 150 <= 0.99


def test_the_draw_is_by_seed_and_large_sets_come_in_parts() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(0, 1, 50), rng.normal(1, 1, 40)
    assert auprc_interval(inside, outside) == auprc_interval(inside, outside)
    assert auprc_interval(inside, outside) != auprc_interval(inside, outside, seed=1)
    assert fpr_interval(0.8, inside, outside) == fpr_interval(0.8, inside, outside)
    inside, outside = rng.normal(0, 1, 70_000), rng.normal(1, 1, 5)
    low, high = auprc_interval(inside, outside)
    assert 0 <= low < auprc(inside, outside) < high <= 1


def test_a_detection_holds_every_metric_in_its_interval() -> None:
    rng = np.random.default_rng(1)
    found = detect(rng.normal(0, 1, 120), rng.normal(1, 1, 80), seed=0)
    for metric in ("auroc", "auprc", "fpr80", "fpr95"):
        value, low, high = found.interval(metric)
        assert value == getattr(found, metric)
        assert 0 <= low < value < high <= 1
    quick = detect(rng.normal(0, 1, 120), rng.normal(1, 1, 80), seed=0, intervals=False)
    assert np.isfinite(quick.interval("auroc")).all()
    assert np.isnan(quick.interval("auprc")[1:]).all()


def test_sets_fully_apart_have_no_width_and_wrong_rates_are_refused() -> None:
    inside, outside = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert auprc_interval(inside, outside) == (1.0, 1.0)
    assert fpr_interval(0.95, inside, outside) == (0.0, 0.0)
    with pytest.raises(ScoreError, match="true-positive rate"):
        fpr_interval(1.2, inside, outside)
    with pytest.raises(ScoreError, match="not finite"):
        detect([1.0, float("nan")], [2.0, 3.0], seed=0)
