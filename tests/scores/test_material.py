"""Scores that read more than bounds: hand-worked cases, twins in scipy and scikit-learn, lacks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis as scipy_mahalanobis
from sklearn.covariance import EmpiricalCovariance

from hvae_core.common.errors import ScoreError
from hvae_core.common.words import symbol_text
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material, Reference, all_scores, get_score, score_list
from hvae_core.scores.with_reference import fit_gaussians


def table(bounds: list[float], levels: int = 3) -> BoundTable:
    """Every k one nat below the one before; KL of layer i is 10 i plus the row's number."""
    first = np.array(bounds)[:, None] - np.arange(levels)
    kl = 10.0 * np.arange(1, levels + 1) + np.arange(len(bounds))[:, None]
    return BoundTable(first, first, -first, kl=kl, dims=784, samples=1)


def score(key: str, material: Material, layers: tuple[str, ...] = ()) -> np.ndarray:
    return get_score(key, material.table.n_levels, layers)(material)


def test_kl_of_single_layers() -> None:
    material = Material(table([-90.0, -95.0]))
    assert score("kl_z1", material).tolist() == [10, 11]
    assert score("kl_top", material, ("a", "b", "top")).tolist() == [30, 31]


def test_typicality_is_two_sided() -> None:
    reference = Reference(92.0, (), 10)
    material = Material(table([-90.0, -95.0]), reference=reference)
    assert score("typicality", material).tolist() == [2, 3]


def test_waic_of_three_checkpoints() -> None:
    # L = (-90, -92, -100): mean -94, variance (16 + 4 + 36) / 3
    others = (table([-92.0, -50.0]), table([-100.0, -50.0]))
    material = Material(table([-90.0, -50.0]), ensemble=others)
    np.testing.assert_allclose(score("waic", material), [94 + 56 / 3, 50])


def test_background_ratio() -> None:
    material = Material(table([-90.0, -80.0]), background=table([-100.0, -70.0]))
    assert score("background", material).tolist() == [-10, 10]


def test_complexity_in_bits() -> None:
    material = Material(table([-math.log(2) * 100]), measures={"complexity": np.array([60.0])})
    np.testing.assert_allclose(score("complexity", material), [40])


def test_lower_bounds_and_the_ratio_between() -> None:
    lower = np.array([[-500.0, -120.0, -95.0, -90.0]])  # l = 1 .. 4, the last the ELBO
    material = Material(table([-90.0]), measures={"lower": lower})
    assert score("lower_2", material).tolist() == [120]
    assert score("llr_1_3", material).tolist() == [-95 + 91]
    assert score("llr_2_2", material).tolist() == [-120 + 92]


def test_regret_is_its_measure() -> None:
    measures = {"regret": np.array([1.5]), "regret_z": np.array([0.5])}
    material = Material(table([-90.0]), measures=measures)
    assert score("regret", material).tolist() == [1.5]
    assert score("regret_z", material).tolist() == [0.5]


@pytest.mark.parametrize("labelled", [True, False])
def test_mahalanobis_against_scipy_and_scikit_learn(labelled: bool) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    labels = rng.integers(0, 3, 400) if labelled else np.full(400, -1)
    centre = 5.0 * np.arange(12).reshape(3, 4)[labels] if labelled else 0.0
    train = rng.normal(size=(400, 4)) @ mix + centre
    z = rng.normal(size=(7, 4)) @ mix * 2
    known = fit_gaussians(train, labels)
    groups = range(3) if labelled else [-1]
    within = np.concatenate([train[labels == c] - train[labels == c].mean(0) for c in groups])
    twin = EmpiricalCovariance(assume_centered=True).fit(within)
    expected = [
        min(scipy_mahalanobis(row, train[labels == c].mean(0), twin.precision_) ** 2
            for c in groups)
        for row in z
    ]  # fmt: skip
    reference = Reference(0.0, (None, known), 400)
    material = Material(table([0.0] * 7, 2), (np.zeros((7, 0)), z), reference)
    np.testing.assert_allclose(score("mahalanobis_z2", material), expected, rtol=1e-6)
    with pytest.raises(ScoreError, match="means of z1 are not kept"):
        score("mahalanobis_z1", material)


def test_dead_units_and_unlabelled_images_count_for_nothing() -> None:
    rng = np.random.default_rng(1)
    live = rng.normal(size=(300, 2))
    dead = np.concatenate([live, 1e-9 * rng.normal(size=(300, 1))], axis=1)
    labels = np.zeros(300, int)
    far = np.array([[1.0, 2.0, 0.5]])
    material = Material(
        table([0.0], 1), (far,), Reference(0.0, (fit_gaussians(dead, labels),), 300)
    )
    plain = Material(
        table([0.0], 1), (far[:, :2],), Reference(0.0, (fit_gaussians(live, labels),), 300)
    )
    np.testing.assert_allclose(score("mahalanobis_z1", material), score("mahalanobis_z1", plain))
    some = np.where(np.arange(300) < 200, 0, -1)
    np.testing.assert_allclose(fit_gaussians(live, some).means, live[:200].mean(0, keepdims=True))


LACKS: dict[str, tuple[Any, str]] = {
    "typicality": (Material(table([0.0])), "statistics of the training images"),
    "waic": (Material(table([0.0])), "second checkpoint"),
    "background": (Material(table([0.0])), "background checkpoint"),
    "mahalanobis_z1": (Material(table([0.0]), reference=Reference(0.0, (), 1)), "posterior means"),
    "regret": (Material(table([0.0])), "measure regret"),
    "llr_1_2": (table([0.0]), "measure lower"),
}


@pytest.mark.parametrize("key", LACKS)
def test_what_is_missing_is_told(key: str) -> None:
    material, words = LACKS[key]
    with pytest.raises(ScoreError, match=words):
        get_score(key, 3)(material)


def test_material_of_other_images_is_refused() -> None:
    with pytest.raises(ScoreError, match="same images; the bounds are of 2"):
        Material(table([0.0, 1.0]), measures={"regret": np.zeros(3)})
    with pytest.raises(ScoreError, match="same images"):
        Material(table([0.0, 1.0]), ensemble=(table([0.0]),))


def test_rows_are_taken_of_everything() -> None:
    both = table([-1.0, -2.0])
    material = Material(
        both,
        (np.eye(2),),
        None,
        ensemble=(both,),
        background=both,
        measures={"regret": np.array([3.0, 4.0])},
    )
    one = material.take(np.array([1]))
    assert len(one) == 1 and one.measures["regret"].tolist() == [4.0]
    for key in ("waic", "background", "regret"):
        assert score(key, one).tolist() == score(key, material)[1:].tolist()


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_every_entry_is_complete_and_keys_are_unique(levels: int) -> None:
    entries = all_scores(levels)
    first = [entry.key for entry in score_list(levels)]
    assert [entry.key for entry in entries[: len(first)]] == first
    assert len({entry.key for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.name and entry.citation and symbol_text(entry.symbol)
        assert entry.symbol.count("{") == entry.symbol.count("}")
        if entry.needs or entry.measures:  # a table alone is not enough, and that is told
            assert entry.missing(Material(table([0.0], levels))).endswith((".", ""))
    pairs = [e for e in entries if e.family == "lower" and e.k is not None]
    assert len(pairs) == (levels - 1) ** 2
    # fields say what keys hide: nothing outside takes a key apart
    assert [e.k for e in entries if e.family == "bound"] == [*range(levels)]
    assert [e.k for e in entries if e.family == "ratio" and e.k] == [*range(1, levels)]
    of_layers = [f"z{i}" for i in range(1, levels + 1)]
    assert [e.layer for e in entries if e.family == "kl"] == of_layers
    assert [e.layer for e in entries if "latents" in e.needs] == of_layers
    assert [e.layer for e in entries if "narrow" in e.needs] == of_layers
