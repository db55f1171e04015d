"""Correlation of matched units and linear CKA: identities, permutations, brute-force twins."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import inspect_checkpoint, shipped_checkpoints
from hvae_core.common import cache
from hvae_core.common.errors import DataError
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.lookup import shipped_result
from hvae_core.evaluation.worlds import world_of
from hvae_core.probes import layer_likeness, shipped_likeness
from hvae_core.probes.layer_likeness import (
    KIND,
    Likeness,
    correlations,
    layer_pairs,
    likeness,
    likeness_key,
    linear_cka,
    matched,
    matched_correlation,
    pack,
    stored_likeness,
)


def cloud(n: int, units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, units)) * 3 + 1


def test_correlations_are_numpys() -> None:
    a, b = cloud(40, 3), cloud(40, 5, 1)
    b[:, 2] = -2 * a[:, 1]
    expected = np.abs(np.corrcoef(a.T, b.T)[:3, 3:])
    np.testing.assert_allclose(correlations(a, b), expected)
    assert correlations(a, b)[1, 2] == pytest.approx(1)


def test_a_unit_that_stands_still_correlates_with_nothing() -> None:
    a, b = cloud(30, 2), cloud(30, 2, 1)
    a[:, 0] = 4.2
    assert (correlations(a, b)[0] == 0).all() and np.isfinite(correlations(a, b)).all()


def test_a_permutation_of_the_units_is_recovered() -> None:
    a = cloud(50, 12)
    order = np.random.default_rng(2).permutation(12)
    b = a[:, order] * np.array([-1, 3] * 6) + 0.01 * cloud(50, 12, 3)
    rows, columns = matched(correlations(a, b))
    assert [order[c] for c in columns] == rows.tolist()
    assert matched_correlation(a, b) > 0.999


def test_the_match_is_the_best_of_all_pairings() -> None:
    a, b = cloud(20, 3), cloud(20, 5, 1)
    table = correlations(a, b)
    best = max(
        sum(table[i, c] for i, c in enumerate(picks))
        for picks in itertools.permutations(range(5), 3)
    )
    assert matched_correlation(a, b) == pytest.approx(best / 3)
    assert matched_correlation(b, a) == pytest.approx(best / 3)  # whoever has fewer units


def brute_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """The U-statistic of HSIC over all four different images (Song et al. 2012, Eq. 4)."""
    total, count = 0.0, 0
    for i, j, q, r in itertools.permutations(range(len(k)), 4):
        total += k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
        count += 1
    return total / count


def test_cka_by_a_sum_over_fours_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_likeness, "MIN_IMAGES", 4)
    a, b = cloud(7, 2), cloud(7, 3, 1)
    b[:, 0] += a[:, 1]
    k, m = a @ a.T, b @ b.T
    expected = brute_hsic(k, m) / math.sqrt(brute_hsic(k, k) * brute_hsic(m, m))
    assert linear_cka(a, b) == pytest.approx(expected)


def test_cka_of_a_rotated_and_scaled_layer_is_one() -> None:
    a = cloud(60, 6)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    assert linear_cka(a, a) == pytest.approx(1)
    assert linear_cka(a, 0.1 * a @ turn + 5) == pytest.approx(1)
    stretched = a * np.array([1, 1, 1, 1, 1, 50.0])
    assert linear_cka(a, stretched) < 0.9  # not for every linear map


def test_wide_layers_that_share_nothing_are_not_alike() -> None:
    found = [linear_cka(cloud(80, 300, s), cloud(80, 300, s + 50)) for s in range(20)]
    assert abs(np.mean(found)) < 0.02
    assert math.isnan(linear_cka(np.ones((20, 3)), cloud(20, 3)))


def test_every_layer_against_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    a = [cloud(50, 4), cloud(50, 9, 1)]
    b = [a[1][:, ::-1], cloud(50, 2, 5), a[0] + 0.1 * cloud(50, 4, 6)]
    found = likeness(a, b)
    for name, function in (("correlation", matched_correlation), ("cka", linear_cka)):
        table = [[function(x, y) for y in b] for x in a]
        np.testing.assert_allclose(getattr(found, name), table)
    assert found.correlation[1, 0] == pytest.approx(1)
    assert found.correlation[0, 2] > 0.9 > 0.5 > found.chance.max()
    np.testing.assert_array_equal(found.chance, likeness(a, b).chance)
    order = np.random.default_rng(3).permutation(50)
    mixed = likeness([x[order] for x in a], [y[order] for y in b])
    np.testing.assert_allclose(mixed.cka, found.cka)
    np.testing.assert_allclose(mixed.correlation, found.correlation)
    monkeypatch.setattr(layer_likeness, "PAIRED_UNITS", 3)
    wide = a[1] * np.array([1, 1, 1, 9, 1, 9, 1, 9, 1])
    few = likeness([wide], [a[1][:, [3, 5, 7]]])
    assert few.correlation[0, 0] == pytest.approx(1)  # the units that vary most


def test_layers_go_by_name_or_by_what_they_share() -> None:
    table = np.array([[0.9, 0.2, 0.8], [0.3, 0.25, 0.9]])
    found = Likeness(table, np.zeros((2, 3)), table)
    assert layer_pairs(found, ("z1", "z2"), ("z1bu", "z1td", "z2")) == [(0, 0), (1, 2)]
    turned = Likeness(table.T, np.zeros((3, 2)), table.T)
    assert layer_pairs(turned, ("z1", "z2", "z3"), ("z1", "z2")) == [(0, 0), (2, 1)]
    square = Likeness(table[:, 1:], np.zeros((2, 2)), table[:, 1:])
    assert layer_pairs(square, ("z1", "z2"), ("z1", "z2")) == [(0, 0), (1, 1)]
    # what chance explains is no reason to go together
    wide = Likeness(table, np.array([[0.85, 0, 0], [0, 0, 0]]), table)
    assert layer_pairs(wide, ("a", "b"), ("c", "d", "e")) == [(0, 1), (1, 2)]


def test_comparisons_are_kept(cache_folder: Any) -> None:
    assert stored_likeness("0" * 64) is None
    made = Likeness(np.eye(2), np.zeros((2, 2)), np.full((2, 2), np.nan))
    cache.store(KIND, "0" * 64, pack(made))
    found = stored_likeness("0" * 64)
    assert found is not None
    np.testing.assert_array_equal(found.correlation, made.correlation)
    np.testing.assert_array_equal(found.cka, made.cka)


def test_comparisons_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1. What stands there is of the weights and the pixels of the results that ship.
    shipped = shipped_checkpoints()
    two = shipped_likeness.pairs([*shipped])
    assert two and {(a, b) for b, a in two} == {*two}
    for pair in two:
        known = [inspect_checkpoint(shipped[name]) for name in pair]
        for spec in world_of(known[0]).with_role("in", "out", "control"):
            of = [
                shipped_result(one, spec.name, EvalSettings(), limit=SHIPPED_LIMIT) for one in known
            ]
            pixels = tuple(one.set_digest for one in of if one is not None)
            if len(pixels) < 2:
                continue  # results of large models do not ship for every set
            found = stored_likeness(likeness_key(tuple(one.digest for one in known), pixels, 0))
            assert found is not None, (pair, spec.name)
            assert ((found.chance >= 0) & (found.correlation >= 0) & (found.correlation <= 1)).all()
    # 2. What is written is read, and what is not compared anew stays.
    monkeypatch.setattr(shipped_likeness, "FILE", tmp_path / "likeness.json")
    shipped_likeness._every.cache_clear()
    made = Likeness(np.eye(2), np.zeros((2, 2)), np.full((2, 2), np.nan))
    old = {"k0": ("a, b, test", pack(made)), "k1": ("a, b, lower", pack(made))}
    assert shipped_likeness.store(old) == 2
    assert shipped_likeness.store({"k": ("a, b, test", pack(made))}) == 2
    assert (
        shipped_likeness.shipped_arrays("k0") is None
        and shipped_likeness.shipped_arrays("k1") is not None
    )
    again = stored_likeness("k")
    assert again is not None
    np.testing.assert_array_equal(again.cka, made.cka)
    np.testing.assert_array_equal(again.correlation, made.correlation)
    shipped_likeness._every.cache_clear()


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(DataError, match="same images"):
        correlations(cloud(20, 3), cloud(21, 3))
    with pytest.raises(DataError, match="10 or more"):
        linear_cka(cloud(9, 3), cloud(9, 3))
    with pytest.raises(DataError, match="not numbers"):
        matched_correlation(cloud(20, 3), np.full((20, 3), np.nan))
    with pytest.raises(DataError, match="without layers"):
        likeness([], [cloud(20, 3)])
