"""Tests between scores and between checkpoints: which pairs, which images, and what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import contest, holm
from hvae_core.detection.paired_tests import Side, between_models, between_scores, in_words
from hvae_core.scores import Material, get_score, score_list
from tests.detection.test_report import evaluation

IN, NEAR, FAR = (
    evaluation("test", 60),
    evaluation("near", 50, shift=1),
    evaluation("far", 40, shift=20),
)
SCORES = score_list(3)[:7]
ELBO, RATIO = get_score("elbo", 3), get_score("llr_1", 3)


def side() -> Side:
    return Side.of(IN, [NEAR, FAR])


def test_every_score_meets_the_chosen_one_on_every_set() -> None:
    found = between_scores(side(), SCORES, ELBO, seed=4)
    assert {entry.set_name for entry in found} == {"near", "far"}
    assert len(found) == 2 * (len(SCORES) - 1)
    entry = next(e for e in found if e.set_name == "far" and e.first == "llr_1")
    pairs = [(score(IN.table), score(FAR.table)) for score in (RATIO, ELBO)]
    assert entry.result == contest(pairs[0], pairs[1], 4)
    assert [e.corrected for e in found] == list(holm([e.result.p_value for e in found]))


def test_the_same_score_of_two_checkpoints() -> None:
    other = Side.of(*_of_another_model())
    found = between_models(side(), other, [RATIO])
    assert [(e.set_name, e.first, e.second) for e in found] == [
        ("near", "llr_1", "llr_1"), ("far", "llr_1", "llr_1"),
    ]  # fmt: skip
    assert (
        found[0].result.first
        == contest(
            (RATIO(IN.table), RATIO(NEAR.table)), (RATIO(IN.table), RATIO(NEAR.table)), 0
        ).first
    )
    assert found[0].result.difference != 0


def _of_another_model():  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    made = []
    for one in (IN, NEAR, FAR):
        bound = one.table.bound + rng.normal(0, 4, one.table.bound.shape)
        made.append(replace(one, checkpoint="e" * 64, table=replace(one.table, bound=bound)))
    return made[0], made[1:]


def test_other_pixels_are_refused_and_the_set_is_named() -> None:
    resized = Side.of(IN, [replace(NEAR, set_digest="other"), FAR])
    with pytest.raises(ScoreError, match=r"different images \(near\)"):
        between_models(side(), resized, [RATIO])
    with pytest.raises(ScoreError, match="the in-distribution set"):
        between_models(side(), Side.of(replace(IN, set_digest="x"), [FAR]), [RATIO])


def test_a_score_that_cannot_be_had_is_left_out_and_alone_says_why() -> None:
    odd = evaluation("odd", 30, nll=-3.0)
    both = Side.of(IN, [NEAR, odd])
    found = between_scores(both, SCORES, ELBO)
    assert ("odd", "llr_optk") not in {(e.set_name, e.first) for e in found}
    assert ("near", "llr_optk") in {(e.set_name, e.first) for e in found}
    with pytest.raises(ScoreError, match="above zero"):
        between_scores(Side.of(IN, [odd]), [get_score("llr_optk", 3)], ELBO)


def test_words_follow_the_corrected_p_value() -> None:
    (found,) = between_scores(Side.of(IN, [NEAR]), [RATIO], ELBO)
    made = replace(found.result, difference=-0.2, low=-0.3, high=-0.1)
    sure = replace(found, result=made, corrected=0.001)
    assert in_words(sure, "LLR>1", "−L") == (
        "−L is better than LLR>1 (AUROC apart by −0.200 [−0.300, −0.100], p = 0.00100)."
    )
    unsure = replace(sure, corrected=0.2)
    assert in_words(unsure, "LLR>1", "−L").startswith("Between LLR>1 and −L no difference")


def test_a_key_may_read_another_layer_of_another_model() -> None:
    """Here kl_z2 of the second model is its lowest layer."""
    lowest, second = get_score("kl_z1", 3), get_score("kl_z2", 3)
    renamed = replace(lowest, key="kl_z2")
    plain = Side.of(IN, [NEAR])
    (entry,) = between_models(plain, Side.of(IN, [NEAR], scores=[renamed]), [second])
    pairs = [(score(Material.of(IN)), score(Material.of(NEAR))) for score in (second, lowest)]
    assert entry.result == contest(pairs[0], pairs[1], 0)


def test_what_scores_read_beside_the_bounds_is_given_by_set() -> None:
    waic, outs = get_score("waic", 3), [NEAR]
    with pytest.raises(ScoreError, match="second checkpoint"):
        between_scores(Side.of(IN, outs), [waic], ELBO)
    materials = {
        one.set_name: (Material.of(one), replace(Material.of(one), ensemble=(one.table,)))
        for one in (IN, NEAR)
    }
    (entry,) = between_scores(Side.of(IN, outs, materials), [waic], ELBO)
    assert entry.result.difference == pytest.approx(0)  # WAIC of twice the same is -L
