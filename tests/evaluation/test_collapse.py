"""Collapse: thresholds, words, history, bits per dimension, streamed unit variances."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.collapse import (
    UnitStats,
    active_curve,
    active_units,
    bits_per_dim,
    collapse_levels,
    collapsed_curve,
    collapsed_layers,
    collapsed_since,
    kl_per_dim,
    layer_in_words,
    silent_layers,
)

UNITS = (392, 32, 8)


def test_kl_per_dimension_of_means_and_of_tables() -> None:
    np.testing.assert_allclose(kl_per_dim([39.2, 3.2, 0.8], UNITS), 0.1)
    assert kl_per_dim(np.ones((5, 3)), UNITS).shape == (5, 3)
    for wrong in ([1.0, 2.0], 3.0):
        with pytest.raises(ScoreError, match="do not fit"):
            kl_per_dim(wrong, UNITS)


def test_collapsed_layers_of_the_papers_table_14() -> None:
    # Li et al. 2022: layers 4 and 5 of the vanilla HVAE are empty, none of the informative one
    units = (8, 16, 8, 8, 8)
    assert collapsed_layers([259, 49.9, 10.2, 5.75e-4, 5e-4], units) == (4, 5)
    assert collapsed_layers([22.8, 14.2, 274, 40.9, 19.7], units) == ()


def test_threshold_is_per_dimension_and_a_control() -> None:
    kl = [3.0, 3.0, 3.0]  # 0.0077, 0.094, 0.375 nats per dimension
    assert collapsed_layers(kl, UNITS) == (1,)
    assert collapsed_layers(kl, UNITS, threshold=0.1) == (1, 2)
    assert collapsed_layers(kl, UNITS, threshold=0.001) == ()


def test_a_term_far_below_zero_is_no_collapse() -> None:
    assert collapsed_layers([100.0, -40.0, -0.01], UNITS) == (3,)


def test_words() -> None:
    assert layer_in_words("z3", 8, 0.0004) == "z3 (8 units): 0.0004 nats a unit"
    assert layer_in_words("z2", 1, 1e-7) == "z2 (1 unit): under 0.0001 nats a unit"
    assert layer_in_words("z1bu", 8, -0.00123) == "z1bu (8 units): -0.0012 nats a unit"


def test_collapsed_since_the_last_time_it_was_alive() -> None:
    history = np.array(
        [
            # never, back and gone again from epoch 4, always
            [50.0, 10.0, 0.0],
            [50.0, 0.01, 0.0],
            [50.0, 10.0, 0.0],
            [50.0, 0.01, 0.0],
            [50.0, 0.02, 0.0],
        ]
    )
    assert collapsed_since(history, UNITS) == (None, 4, 1)
    assert collapsed_since(history[:3], UNITS) == (None, None, 1)
    assert collapsed_since(history, UNITS, threshold=1.0) == (1, 1, 1)


def test_history_of_no_epochs_or_of_nan_names_no_collapse() -> None:
    assert collapsed_since(np.zeros((0, 3)), UNITS) == (None, None, None)
    assert collapsed_since([[1.0, 0.0, 0.0], [1.0, 0.0, np.nan]], UNITS) == (1, 1, None)
    with pytest.raises(ScoreError, match="epochs, layers"):
        collapsed_since([1.0, 2.0, 3.0], UNITS)


def test_bits_per_dimension() -> None:
    # one bit for each of 784 pixels
    assert bits_per_dim(784 * np.log(2), 784) == pytest.approx(1.0)
    np.testing.assert_allclose(bits_per_dim([0.0, np.log(2)], 2), [0.0, 0.5])
    with pytest.raises(ScoreError, match="at least one value"):
        bits_per_dim(1.0, 0)


def test_active_units() -> None:
    variance = [0.5, 0.0100001, 0.01, 0.0]
    assert active_units(variance) == 2  # strictly above
    assert active_curve(variance, [0.01]) == [0.5]
    assert active_units(variance, threshold=0.1) == 1
    with pytest.raises(ScoreError, match="without units"):
        active_curve([], [0.01])


def test_active_curve_is_the_share_at_every_threshold() -> None:
    variance = np.random.default_rng(0).exponential(size=37) ** 3
    variance[:5] = 0.01  # a variance at the threshold is not above it
    grid = [0.0, 0.01, 0.1, 1.0, 1e9]
    expected = [active_units(variance, threshold) / variance.size for threshold in grid]
    np.testing.assert_allclose(active_curve(variance, grid), expected)


@pytest.mark.parametrize("delta", [0.0, 0.1, 0.25, 0.9])
def test_collapsed_curve_counts_units_as_lucas_2019_does(delta: float) -> None:
    rng = np.random.default_rng(1)
    kl = rng.exponential(size=(20, 15)) * rng.choice([0.001, 0.1, 3.0], 15)
    grid = [0.0, 0.001, 0.01, 0.1, float(kl[3, 4]), 1.0, 100.0]
    twin = [
        np.mean([(kl[:, unit] < eps).sum() >= (1 - delta) * 20 - 1e-9 for unit in range(15)])
        for eps in grid
    ]
    assert 0 in twin and 1 in twin and len(set(twin)) > 3
    np.testing.assert_allclose(collapsed_curve(collapse_levels(kl, delta), grid), twin)


def test_collapse_levels_refuse_what_is_no_table() -> None:
    with pytest.raises(ScoreError, match="images, units"):
        collapse_levels(np.zeros(3), 0.1)
    with pytest.raises(ScoreError, match="delta"):
        collapse_levels(np.zeros((3, 2)), 1.0)
    with pytest.raises(ScoreError, match="without units"):
        collapsed_curve([], [0.1])


@given(
    cuts=st.sets(st.integers(1, 39)),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
    merged=st.booleans(),
)
def test_streamed_variance_for_any_cut(cuts: set[int], offset: float, merged: bool) -> None:
    means = offset + np.random.default_rng(0).normal(size=(40, 2, 3))
    stats = UnitStats()
    edges = [0, *sorted(cuts), 40]
    for low, high in itertools.pairwise(edges):
        if merged:
            part = UnitStats()
            part.add(means[low:high])
            stats.merge(part)
        else:
            stats.add(means[low:high])
    flat = means.reshape(40, 6)
    assert stats.count == 40
    np.testing.assert_allclose(stats.mean, flat.mean(0), rtol=1e-12)
    # a sum of squares in float64 would be wrong in the fourth digit at an offset of 1e6
    np.testing.assert_allclose(stats.variance, flat.var(0), rtol=1e-9)


def test_streaming_takes_float32_and_empty_batches() -> None:
    stats = UnitStats()
    stats.merge(UnitStats())
    stats.add(np.zeros((0, 3)))
    with pytest.raises(ScoreError, match="at least one image"):
        _ = stats.variance
    stats.add(np.ones((1, 3), dtype=np.float32))
    assert stats.variance.tolist() == [0.0, 0.0, 0.0]
    assert stats.variance.dtype == np.float64
    with pytest.raises(ScoreError, match="3 units cannot take the means of 4"):
        stats.add(np.ones((2, 4)))


def test_results_are_copies() -> None:
    stats = UnitStats()
    stats.add([[1.0, 2.0], [3.0, 2.0]])
    stats.mean[:] = 99
    assert stats.mean.tolist() == [2.0, 2.0]


def test_silent_layers_are_judged_by_nats_where_the_divergence_is_exact() -> None:
    kl, units, active = (
        [0.003, 4.0, 0.0005, 0.05, 9.0],
        (1568, 1568, 32, 16, 8),
        (1568, 900, 0, 9, 8),
    )
    assert collapsed_layers(kl, units) == (1, 2, 3, 4)
    # z1 follows the layers above, z2 is thin, z3 has no active unit, z4 says too little in all
    assert silent_layers(kl, units, active, exact=(True,) * 5) == (1, 3, 4)
    # a sampled term may cancel: there activity decides
    assert silent_layers(kl, units, active, exact=(False,) * 4 + (True,)) == (3,)
